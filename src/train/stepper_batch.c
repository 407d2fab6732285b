/*
 * stepper_batch.c: the micro-batches of a step: samples, their times, what the
 * noise or a Gaussian latent makes of them.  All of it is named by seed, step
 * and the sample's number in the whole step, so that it does not matter how the
 * step is cut.  Loops run on the pool.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/corrupt.h"
#include "train/stepper_private.h"
#include "train/time.h"

#define VALID_SEED 0x76616c6964617465u   /* validation's noise is another than that of any step */
#define POS_LABEL ((1u << 24) - 1)       /* position that names the draw of the label's dropout */
#define BLOCK_WORK 65536                 /* coordinates that one work item draws, about */

/* ---- memory ---- */

/* Coordinates kept for a position; 0: the latent is not drawn so. */
static int
kept_of(const struct job *j)
{
	if (j->goal == JOB_DISTILL)
		return 1;
	return j->goal == JOB_MODEL && j->curriculum == JOB_EFFICIENT ? j->cur.k : 0;
}

static bool
wants_rows(const struct job *j)
{
	return j->goal == JOB_MODEL && j->curriculum == JOB_EFFICIENT;
}

static bool
wants_dense(const struct job *j)
{
	return j->goal == JOB_MODEL && j->curriculum == JOB_SIMPLE;
}

uint64_t
batch_bytes(const struct stepper *s, int micro)
{
	uint64_t L = (uint64_t)s->info.L, k = (uint64_t)kept_of(s->job), each = L * (2 * sizeof(int32_t) + 1 + 8);

	if (wants_rows(s->job))
		each += L * k * (sizeof(int32_t) + sizeof(float));
	if (wants_dense(s->job))
		each += L * (uint64_t)s->info.V * sizeof(float);
	if (s->job->goal == JOB_DISTILL)
		each += L * sizeof(int32_t);
	return (uint64_t)micro * each + (uint64_t)pool_threads(s->pool) * k * (6 * 8 + 2 * 4);
}

static bool
rooms_new(struct stepper *s)
{
	size_t k = (size_t)kept_of(s->job), threads = (size_t)pool_threads(s->pool);

	if (k == 0)
		return true;
	s->room = mem_calloc(threads, sizeof *s->room);
	for (size_t i = 0; s->room && i < threads; i++) {
		s->room[i].real = mem_calloc(6 * k, sizeof(double));
		s->room[i].whole = mem_calloc(2 * k, sizeof(int32_t));
		if (!s->room[i].real || !s->room[i].whole)
			return false;
	}
	return s->room != NULL;
}

enum status
batch_new(struct stepper *s, struct error *e)
{
	struct batch *b = &s->batch;
	size_t n = (size_t)s->plan.micro, L = (size_t)s->info.L, all, wide = 0;
	bool ok = mem_mul(n, L, &all) && rooms_new(s);

	if (ok) {
		b->x = mem_calloc(all, sizeof *b->x);
		b->z = mem_calloc(all, sizeof *b->z);
		b->row = mem_calloc(all, 1);
		b->loss = mem_calloc(all, sizeof *b->loss);
		b->sigma = mem_calloc(n, sizeof *b->sigma);
		b->label = mem_calloc(n, sizeof *b->label);
		b->at = mem_calloc(n, sizeof *b->at);
		b->gamma = mem_calloc(n, sizeof *b->gamma);
		b->kept = mem_calloc(n, sizeof *b->kept);
		ok = b->x && b->z && b->row && b->loss && b->sigma && b->label && b->at && b->gamma && b->kept;
	}
	if (ok && wants_rows(s->job) && (ok = mem_mul(all, (size_t)s->cur.k, &wide))) {
		b->idx = mem_calloc(wide, sizeof *b->idx);
		b->w = mem_calloc(wide, sizeof *b->w);
		ok = b->idx && b->w;
	}
	if (ok && wants_dense(s->job))
		ok = mem_mul(all, (size_t)s->info.V, &wide) && (b->dense = mem_calloc(wide, sizeof *b->dense)) != NULL;
	if (ok && s->job->goal == JOB_DISTILL) {
		b->earlier = mem_calloc(all, sizeof *b->earlier);
		b->sigma_earlier = mem_calloc(n, sizeof *b->sigma_earlier);
		ok = b->earlier && b->sigma_earlier;
	}
	return ok ? ST_OK : error_set(e, ST_MEMORY, "out of memory for %d samples at once", s->plan.micro);
}

void
batch_free(struct stepper *s)
{
	struct batch *b = &s->batch;

	for (int i = 0; s->room && i < pool_threads(s->pool); i++) {
		free(s->room[i].real);
		free(s->room[i].whole);
	}
	free(s->room);
	free(b->x);
	free(b->z);
	free(b->row);
	free(b->loss);
	free(b->sigma);
	free(b->label);
	free(b->at);
	free(b->gamma);
	free(b->kept);
	free(b->idx);
	free(b->w);
	free(b->dense);
	free(b->earlier);
	free(b->sigma_earlier);
}

/* ---- times ---- */

enum batch_kind
batch_kind_at(const struct job *j, int64_t done)
{
	int64_t end = j->cur.end < 0 ? j->adam.steps / 2 : j->cur.end;

	if (j->goal == JOB_DISTILL)
		return BATCH_PAIR;
	if (j->goal == JOB_CLASSIFIER || j->curriculum == JOB_PLAIN || done >= end)
		return BATCH_NOISE;
	return j->curriculum == JOB_SIMPLE ? BATCH_SIMPLE : BATCH_EFFICIENT;
}

double
distill_gap(const struct job *j, int64_t done)
{
	int64_t round = j->distill.every > 0 ? done / j->distill.every : 0;

	return fmin(1, ldexp(1, (int)(round < 60 ? round : 60)) / j->distill.steps);
}

double
latent_time(const struct stepper *s, double t, struct loss_time *out, double *gamma)
{
	double width = s->window.max - s->window.min;
	struct operator_value v;

	*gamma = s->window.min + t * width;
	*out = (struct loss_time){ .b = 1 };
	if (s->poly.degree > 0) {
		double a = operator_poly_at(&s->poly, t, &out->slope);
		out->a = fmin(fmax(a, 1e-9), 1 - 1e-9);
		out->na = 1 - out->a;
		out->slope = fmin(out->slope, 0);
		return -log(out->a);
	}
	operator_at(s->info.K, *gamma, &v);
	out->a = v.alpha;
	out->na = v.noise;
	out->slope = v.slope * width;
	return operator_sigma(&v);
}

/* The noise schedule's time; returns sigma. */
static double
noise_time(const struct stepper *s, double t, struct loss_time *out)
{
	struct train_steps grid = { .t = t };

	if (s->loss.kind == LOSS_D3PM)
		grid = train_time_grid(t, s->loss.steps);
	*out = (struct loss_time){ .a = alpha_at(&s->alpha, grid.t), .na = alpha_noise(&s->alpha, grid.t),
		.slope = alpha_slope(&s->alpha, grid.t), .b = 1 };
	if (grid.s > 0) {
		out->b = alpha_at(&s->alpha, grid.s);
		out->nb = alpha_noise(&s->alpha, grid.s);
	}
	return alpha_sigma(&s->alpha, grid.t);
}

/* ---- one sample ---- */

struct filling {
	struct stepper *s;
	struct batch *b;
	int block, blocks;               /* positions of a work item of the latents; items of a sample */
	double gap;                      /* distillation: dt */
};

static struct noise
noise_of(const struct batch *b, int sample, int pos)
{
	return (struct noise){ .seed = b->seed, .step = b->step, .sample = (uint32_t)(b->first + sample),
		.pos = (uint32_t)pos };
}

/* Clean tokens and label. */
static void
take(struct stepper *s, struct batch *b, int i)
{
	int32_t *x = b->x + (size_t)i * (size_t)s->info.L;
	int g = b->first + i;

	if (b->held) {
		b->label[i] = source_held(s->setup.source, (size_t)g, (size_t)b->total, x);
		return;
	}
	b->label[i] = source_draw(s->setup.source, b->seed, b->step, (uint32_t)g, x);
	struct noise n = noise_of(b, i, POS_LABEL);
	if (s->job->goal == JOB_MODEL && b->label[i] >= 0 && noise_scalar(&n, STAGE_DATA) < s->job->label_dropout)
		b->label[i] = s->info.classes;
}

/* Where the sample has a loss. */
static void
mark_rows(const struct stepper *s, struct batch *b, int i)
{
	int L = s->info.L;
	const int32_t *z = b->z + (size_t)i * (size_t)L;
	uint8_t *row = b->row + (size_t)i * (size_t)L;

	for (int l = 0; l < L; l++)
		row[l] = b->kind == BATCH_PAIR || loss_counts(&s->loss, z[l]);
	if (s->loss.kind == LOSS_AR)
		row[L - 1] = 0;
	else if (s->anchored)
		row[0] = 0;
}

static void
time_pair(const struct filling *f, int i, double t)
{
	struct batch *b = f->b;
	struct loss_time earlier;
	double late = fmin(t + f->gap, 1), gamma;

	b->sigma[i] = latent_time(f->s, late, &b->at[i], &b->gamma[i]);
	b->sigma_earlier[i] = latent_time(f->s, fmax(late - f->gap, 0), &earlier, &gamma);
}

/* The sample, its time and, without a latent, its noise. */
static void
sample_item(void *arg, int i, int worker)
{
	struct filling *f = arg;
	struct stepper *s = f->s;
	struct batch *b = f->b;
	size_t L = (size_t)s->info.L;
	/* D3PM's first step belongs to its bound; a trajectory begins at 0 */
	double first = s->loss.kind == LOSS_D3PM || b->kind == BATCH_PAIR ? 0 : s->job->first_time;
	double t = train_time(b->seed, b->step, (uint32_t)(b->first + i), (uint32_t)b->total, first);
	struct noise n = noise_of(b, i, 0);

	(void)worker;
	take(s, b, i);
	if (b->kind == BATCH_PAIR) {
		time_pair(f, i, t);
		return;
	}
	if (b->kind != BATCH_NOISE) {
		b->sigma[i] = latent_time(s, t, &b->at[i], &b->gamma[i]);
		return;
	}
	b->sigma[i] = noise_time(s, t, &b->at[i]);
	if (s->loss.kind == LOSS_AR && s->job->goal == JOB_MODEL)
		memcpy(b->z + (size_t)i * L, b->x + (size_t)i * L, L * sizeof *b->z);
	else
		corrupt(&n, s->info.L, b->x + (size_t)i * L, s->info.mask, s->info.K, b->at[i].na, s->anchored,
			b->z + (size_t)i * L);
	mark_rows(s, b, i);
}

/* ---- latents ---- */

static struct curriculum_chance
chance_of(const struct chance_room *r, int k)
{
	return (struct curriculum_chance){ .r = r->real, .q = r->real + k };
}

static struct curriculum_draw
draw_of(const struct chance_room *r, int k)
{
	return (struct curriculum_draw){ .log_u = r->real + 2 * k, .g = r->real + 3 * k, .value = r->real + 4 * k,
		.weight = r->real + 5 * k, .ids = r->whole, .index = r->whole + k };
}

/* The k largest coordinates of position l: rows of the embedding, and weights. */
static void
latent_rows(struct filling *f, int i, int l, const struct chance_room *room)
{
	struct stepper *s = f->s;
	struct batch *b = f->b;
	int k = s->cur.k;
	size_t at = (size_t)i * (size_t)s->info.L + (size_t)l;
	struct curriculum_time when = curriculum_time_at(b->gamma[i]);
	struct curriculum_chance in = chance_of(room, k);
	struct curriculum_draw d = draw_of(room, k);
	struct noise n = noise_of(b, i, l);

	curriculum_chances(&s->cur, &n, &in);
	curriculum_draw(&s->cur, &when, &in, b->x[at], &d);
	b->z[at] = d.z;
	for (int j = 0; j < k; j++) {
		b->idx[at * (size_t)k + (size_t)j] = d.index[j];
		b->w[at * (size_t)k + (size_t)j] = (float)d.weight[j];
	}
}

/* All coordinates of position l. */
static void
latent_dense(struct filling *f, int i, int l)
{
	struct stepper *s = f->s;
	struct batch *b = f->b;
	size_t at = (size_t)i * (size_t)s->info.L + (size_t)l;
	struct curriculum_time when = curriculum_time_at(b->gamma[i]);
	struct noise n = noise_of(b, i, l);

	b->z[at] = curriculum_simple(&s->cur, &when, &n, b->x[at], b->dense + at * (size_t)s->info.V, NULL);
}

/* Both ends of one piece of trajectory: the same Gaussian for w_t and w_s,
 * so that the largest of the other tokens' coordinates is the same token's. */
static void
latent_pair(struct filling *f, int i, int l, const struct chance_room *room)
{
	struct stepper *s = f->s;
	struct batch *b = f->b;
	size_t at = (size_t)i * (size_t)s->info.L + (size_t)l;
	double late = (b->gamma[i] - s->window.min) / (s->window.max - s->window.min);
	double early = fmax(late - f->gap, 0);
	struct curriculum_time when = curriculum_time_at(b->gamma[i]);
	struct curriculum_time before = curriculum_time_at(s->window.min +
		early * (s->window.max - s->window.min));
	struct curriculum_chance in = chance_of(room, 1);
	struct curriculum_draw d = draw_of(room, 1);
	struct noise n = noise_of(b, i, l);

	curriculum_chances(&s->cur, &n, &in);
	curriculum_draw(&s->cur, &when, &in, b->x[at], &d);
	b->z[at] = d.z;
	curriculum_draw(&s->cur, &before, &in, b->x[at], &d);
	b->earlier[at] = d.z;
}

/* Position 0 that is always known. */
static void
latent_anchor(struct filling *f, int i)
{
	struct stepper *s = f->s;
	struct batch *b = f->b;
	size_t at = (size_t)i * (size_t)s->info.L, k = (size_t)s->cur.k, V = (size_t)s->info.V;

	b->z[at] = b->x[at];
	if (b->kind == BATCH_PAIR)
		b->earlier[at] = b->x[at];
	for (size_t j = 0; b->kind == BATCH_EFFICIENT && j < k; j++) {
		b->idx[at * k + j] = b->x[at];
		b->w[at * k + j] = j == 0;
	}
	if (b->kind == BATCH_SIMPLE) {
		memset(b->dense + at * V, 0, V * sizeof *b->dense);
		b->dense[at * V + (size_t)b->x[at]] = 1;
	}
}

static void
latent_item(void *arg, int item, int worker)
{
	struct filling *f = arg;
	int i = item / f->blocks, l = item % f->blocks * f->block;
	int end = l + f->block < f->s->info.L ? l + f->block : f->s->info.L;

	if (l == 0 && f->s->anchored) {
		latent_anchor(f, i);
		l++;
	}
	for (; l < end; l++)
		if (f->b->kind == BATCH_SIMPLE)
			latent_dense(f, i, l);
		else if (f->b->kind == BATCH_EFFICIENT)
			latent_rows(f, i, l, &f->s->room[worker]);
		else
			latent_pair(f, i, l, &f->s->room[worker]);
}

/* What follows from a sample's latents: where it has a loss, the mass kept. */
static void
latent_sums(struct stepper *s, struct batch *b, int i)
{
	size_t L = (size_t)s->info.L, k = (size_t)s->cur.k, first = s->anchored;
	double sum = 0;

	mark_rows(s, b, i);
	b->kept[i] = b->kind == BATCH_SIMPLE ? 1 : NAN;
	if (b->kind != BATCH_EFFICIENT)
		return;
	const float *w = b->w + (size_t)i * L * k;
	for (size_t j = first * k; j < L * k; j++)
		sum += (double)w[j];
	b->kept[i] = sum / (double)(L - first);
}

static enum status
latents(struct filling *f, struct cancel *c)
{
	struct stepper *s = f->s;
	int L = s->info.L, k = s->cur.k;
	double each = f->b->kind == BATCH_SIMPLE ? s->info.K : (double)k * k + 32;

	f->block = (int)fmin(fmax(BLOCK_WORK / each, 1), L);
	f->blocks = (L + f->block - 1) / f->block;
	enum status st = pool_run(s->pool, POOL_TRAIN, f->b->n * f->blocks, latent_item, f, c);
	for (int i = 0; st == ST_OK && i < f->b->n; i++)
		latent_sums(s, f->b, i);
	return st;
}

enum status
batch_fill(struct stepper *s, struct cancel *c, struct error *e)
{
	struct batch *b = &s->batch;
	struct filling f = { .s = s, .b = b, .gap = distill_gap(s->job, s->state->step) };

	b->seed = b->held ? s->job->seed ^ VALID_SEED : s->job->seed;
	b->step = b->held ? 0 : (uint32_t)s->state->step;
	enum status st = pool_run(s->pool, POOL_TRAIN, b->n, sample_item, &f, c);
	if (st == ST_OK && b->kind != BATCH_NOISE)
		st = latents(&f, c);
	return st == ST_OK ? ST_OK : error_set(e, st, "the step was given up");
}
