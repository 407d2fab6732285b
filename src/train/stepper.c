/*
 * stepper.c: see stepper.h.  The gradient of a step is one flat array, added to
 * by one micro-batch after the other; its norm and the update go over fixed
 * pieces of it, so that the number of threads does not show in any bit.
 */
#include "train/stepper.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "train/stepper_private.h"

#define PIECE 65536                      /* floats of a work item */
#define ROWS_AT_ONCE 4096                /* rows beyond which a larger micro-batch gains nothing */

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the plan ---- */

static enum status
bytes_at(const struct stepper *s, int micro, uint64_t *bytes, struct error *e)
{
	uint64_t activations, teacher = 0;
	enum status st = learn_measure(s->state->net, kern_best(), pool_threads(s->pool), micro, true, &activations, e);

	if (st == ST_OK && s->job->goal == JOB_DISTILL)
		st = teacher_bytes(s, micro, &teacher, e);
	if (st == ST_OK)
		*bytes = state_bytes(s->state) + s->state->flat.floats * sizeof(float) + activations + teacher +
			batch_bytes(s, micro);
	return st;
}

/* As many samples at once as fit and are of use; the passes of a step about
 * alike. */
static enum status
plan(struct stepper *s, struct error *e)
{
	struct stepper_plan *p = &s->plan;
	int share = (s->job->batch + s->reduce->size - 1) / s->reduce->size;
	int rows = s->info.side > 0 ? s->info.side * s->info.side : s->info.L;
	int most = ROWS_AT_ONCE / rows > 1 ? ROWS_AT_ONCE / rows : 1;
	uint64_t room = state_allowance(s->job);
	enum status st;

	p->micro = share < most ? share : most;
	while ((st = bytes_at(s, p->micro, &p->bytes, e)) == ST_OK && p->bytes > room && p->micro > 1)
		p->micro--;
	if (st == ST_OK && p->bytes > room)
		return error_set(e, ST_MEMORY,
			"training one sample at a time takes %.3g MB, more than the %.3g MB there are",
			(double)p->bytes / 1e6, (double)room / 1e6);
	p->passes = (share + p->micro - 1) / p->micro;
	int even = (share + p->passes - 1) / p->passes;
	if (st == ST_OK && even < p->micro) {
		p->micro = even;
		st = bytes_at(s, p->micro, &p->bytes, e);
	}
	return st;
}

/* ---- life ---- */

/* What the job says about noise, loss and latents, in the form of src/train. */
static enum status
laws(struct stepper *s, struct error *e)
{
	const struct job *j = s->job;
	bool latent = j->goal == JOB_DISTILL || (j->goal == JOB_MODEL && j->curriculum != JOB_PLAIN);
	enum status st = ST_OK;

	s->loss = (struct loss){ .kind = j->loss, .V = s->info.V, .mask = s->info.mask, .steps = j->d3pm_steps,
		.subs = j->net.subs_masking == 1 };
	s->alpha = (struct alpha){ j->net.schedule == SCHEDULE_COSINE ? ALPHA_COSINE : ALPHA_LOGLINEAR, j->net.eps };
	s->anchored = s->info.bos >= 0;
	/* a classifier has one loss a sample */
	s->counted = j->goal == JOB_CLASSIFIER ? 1 : (size_t)s->info.L - (s->anchored || j->loss == LOSS_AR);
	if (s->counted == 0)
		return error_set(e, ST_USAGE, "a length of %d leaves nothing to learn", s->info.L);
	if (!latent)
		return ST_OK;
	if (s->info.mask >= 0 || j->loss != LOSS_DUO)
		return error_set(e, ST_USAGE, "Gaussian latents belong to uniform noise (duo_base), not to %s",
			loss_name(j->loss));
	s->window = j->cur.window;
	if (s->window.min == s->window.max)
		s->window = operator_window_for(s->info.K);
	st = operator_window_check(&s->window, e);
	if (st == ST_OK && j->cur.degree > 0)
		st = operator_fit(s->info.K, &s->window, j->cur.degree, &s->poly, e);
	s->cur = (struct curriculum){ .K = s->info.K, .k = j->goal == JOB_DISTILL ? 1 : j->cur.k, .tau = j->cur.tau,
		.compat = j->cur.compat && j->goal == JOB_MODEL };
	if (j->goal == JOB_DISTILL)
		s->cur.tau = 1;
	else if (j->curriculum == JOB_SIMPLE)
		s->cur.k = 1;
	s->plan.window = s->window;
	s->plan.error_alpha = s->poly.error_alpha;
	s->plan.error_slope = s->poly.error_slope;
	return st == ST_OK ? curriculum_check(&s->cur, e) : st;
}

static size_t
pieces(const struct stepper *s)
{
	return (s->state->flat.floats + PIECE - 1) / PIECE;
}

static enum status
prepare(struct stepper *s, struct error *e)
{
	enum status st = laws(s, e);

	if (st == ST_OK && s->job->batch < s->reduce->size)
		st = error_set(e, ST_USAGE, "a batch of %d samples for %d processes", s->job->batch, s->reduce->size);
	if (st == ST_OK)
		st = plan(s, e);
	if (st == ST_OK)
		st = batch_new(s, e);
	if (st != ST_OK)
		return st;
	s->grad = flat_new(&s->state->flat);
	s->piece = mem_calloc(pieces(s), sizeof *s->piece);
	if (!s->grad || !s->piece)
		return error_set(e, ST_MEMORY, "out of memory for gradients");
	struct learn_setup l = { .flat = &s->state->flat, .param = s->state->param, .kern = kern_best(),
		.pool = s->pool, .n = s->plan.micro, .backward = true };
	st = learn_new(&l, &s->learn, e);
	if (st == ST_OK && s->job->goal == JOB_DISTILL)
		st = teacher_new(s, s->plan.micro, &s->teacher, e);
	if (st == ST_OK && s->job->goal == JOB_CLASSIFIER &&
	    !(s->pooled = mem_calloc((size_t)s->plan.micro, sizeof *s->pooled)))
		st = error_set(e, ST_MEMORY, "out of memory for losses");
	return st;
}

enum status
stepper_new(const struct stepper_setup *setup, struct stepper **out, struct error *e)
{
	struct stepper *s = mem_calloc(1, sizeof *s);

	*out = NULL;
	if (!s)
		return error_set(e, ST_MEMORY, "out of memory");
	s->setup = *setup;
	s->job = setup->job;
	s->state = setup->state;
	s->pool = setup->pool;
	s->info = source_info(setup->source);
	s->alone = (struct reduce){ .size = 1 };
	s->reduce = setup->reduce ? setup->reduce : &s->alone;
	s->first = (int)((int64_t)s->job->batch * s->reduce->rank / s->reduce->size);
	s->end = (int)((int64_t)s->job->batch * (s->reduce->rank + 1) / s->reduce->size);
	enum status st = prepare(s, e);
	if (st != ST_OK) {
		stepper_free(s);
		return st;
	}
	*out = s;
	return ST_OK;
}

void
stepper_free(struct stepper *s)
{
	if (!s)
		return;
	teacher_free(s->teacher);
	learn_free(s->learn);
	batch_free(s);
	mem_free(s->grad);
	free(s->piece);
	free(s->pooled);
	free(s);
}

struct stepper_plan
stepper_plan(const struct stepper *s)
{
	return s->plan;
}

/* ---- loops over the flat arrays ---- */

struct sweep {
	struct stepper *s;
	struct adam_step adam;
};

static size_t
piece_size(const struct stepper *s, int item)
{
	size_t left = s->state->flat.floats - (size_t)item * PIECE;

	return left < PIECE ? left : PIECE;
}

static void
clear_item(void *arg, int item, int worker)
{
	struct stepper *s = ((struct sweep *)arg)->s;

	(void)worker;
	memset(s->grad + (size_t)item * PIECE, 0, piece_size(s, item) * sizeof *s->grad);
}

static void
squares_item(void *arg, int item, int worker)
{
	struct stepper *s = ((struct sweep *)arg)->s;

	(void)worker;
	s->piece[item] = adam_squares(piece_size(s, item), s->grad + (size_t)item * PIECE);
}

static void
update_item(void *arg, int item, int worker)
{
	struct sweep *w = arg;
	struct train_state *t = w->s->state;
	size_t at = (size_t)item * PIECE;

	(void)worker;
	adam_update(&w->s->job->adam, &w->adam, piece_size(w->s, item), t->param + at, t->m + at, t->v + at,
		t->ema + at, w->s->grad + at);
}

static enum status
sweep(struct sweep *w, pool_fn *fn, struct cancel *c)
{
	return pool_run(w->s->pool, POOL_TRAIN, (int)pieces(w->s), fn, w, c);
}

/* ---- a step ---- */

/* Gradient and sums of this process's samples. */
static enum status
accumulate(struct stepper *s, double *sum, struct cancel *c, struct error *e)
{
	struct batch *b = &s->batch;
	double weight = 1 / ((double)s->job->batch * (double)s->counted);
	enum status st = ST_OK;
	int right;

	b->kind = batch_kind_at(s->job, s->state->step);
	b->held = false;
	b->total = s->job->batch;
	for (b->first = s->first; b->first < s->end && st == ST_OK; b->first += b->n) {
		b->n = s->end - b->first < s->plan.micro ? s->end - b->first : s->plan.micro;
		st = batch_fill(s, c, e);
		if (st == ST_OK)
			st = batch_pass(s, weight, s->grad, &right, c, e);
		for (int i = 0; st == ST_OK && i < b->n; i++) {
			sum[SUM_LOSS] += batch_loss(s, i) * weight;
			sum[SUM_GAMMA] += b->gamma[i] / s->job->batch;
			sum[SUM_ALPHA] += b->at[i].a / s->job->batch;
			sum[SUM_KEPT] += b->kept[i] / s->job->batch;
		}
	}
	return st;
}

/* Over all processes: the gradient, the sums, the gradient's norm. */
static enum status
gather(struct stepper *s, double *sum, double *norm, struct cancel *c, struct error *e)
{
	const struct reduce *r = s->reduce;
	struct sweep w = { .s = s };
	enum status st = ST_OK;
	double squares = 0;

	if (r->floats)
		st = r->floats(r->arg, s->grad, s->state->flat.floats, e);
	if (st == ST_OK && r->doubles)
		st = r->doubles(r->arg, sum, SUMS, e);
	if (st == ST_OK)
		st = sweep(&w, squares_item, c);
	for (size_t i = 0; st == ST_OK && i < pieces(s); i++)
		squares += s->piece[i];
	*norm = sqrt(squares);
	return st;
}

/* The update: cannot be cancelled. */
static enum status
apply(struct stepper *s, double loss, double norm, struct sweep *w, struct error *e)
{
	long long n = (long long)s->state->step + 1;

	if (!isfinite(loss) || !isfinite(norm))
		return error_set(e, ST_NUMERIC,
			"step %lld: the loss is %g, the gradient's norm %g, at learning rate %g", n, loss, norm,
			adam_rate(&s->job->adam, s->state->step));
	enum status st = adam_begin(&s->job->adam, n, norm, &w->adam, e);
	if (st != ST_OK)
		return st;
	sweep(w, update_item, NULL);
	s->state->step = n;
	learn_changed(s->learn);
	return ST_OK;
}

/* Distillation: a round ends, the teacher becomes the student's average. */
static void
next_round(struct stepper *s)
{
	int64_t every = s->job->distill.every;

	if (!s->teacher || every <= 0 || s->state->step == 0 || s->state->step % every != 0)
		return;
	memcpy(s->state->teacher, s->state->ema, s->state->flat.floats * sizeof(float));
	teacher_changed(s->teacher);
}

enum status
stepper_run(struct stepper *s, struct step_numbers *out, struct cancel *c, struct error *e)
{
	double start = now_s(), sum[SUMS] = { 0 }, norm = 0;
	struct sweep w = { .s = s };
	enum status st = sweep(&w, clear_item, c);

	if (st == ST_OK)
		st = accumulate(s, sum, c, e);
	if (st == ST_OK)
		st = gather(s, sum, &norm, c, e);
	if (st == ST_OK)
		st = apply(s, sum[SUM_LOSS], norm, &w, e);
	if (st != ST_OK)
		return st;
	next_round(s);
	bool latent = s->batch.kind != BATCH_NOISE;
	*out = (struct step_numbers){ .step = s->state->step, .loss = sum[SUM_LOSS], .grad_norm = norm, .lr = w.adam.lr,
		.clip_factor = w.adam.clip_factor, .ema = w.adam.ema, .seconds = now_s() - start,
		.tokens = (double)s->job->batch * s->info.L, .gamma = latent ? sum[SUM_GAMMA] : NAN,
		.alpha = latent ? sum[SUM_ALPHA] : NAN, .kept = latent ? sum[SUM_KEPT] : NAN };
	return ST_OK;
}
