/* likelihood.c: see likelihood.h. */
#include "run/likelihood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "psi/bound.h"
#include "psi/filter.h"
#include "train/corrupt.h"
#include "train/time.h"

#define FIRST_TIME 1e-3
#define TOKENS 4096              /* of a network call, about */
#define ROWS 64                  /* head rows at a time */

/* Uses of the noise's step number: so the three never share a draw. */
enum { STEP_NELBO, STEP_PSI, STEP_LAST };

/* What is asked of one sample at one time. */
struct term {
	double t, a, na;                 /* a = alpha_t, na = 1 - a */
	double slope;                    /* the NELBO's */
	double b, nb, kappa;             /* the Psi-NELBO's */
	double weight;                   /* one over the density it was drawn with */
};

/* One kind of term for all samples. */
struct work {
	struct model *m;
	const struct samples *s;
	uint64_t seed;
	uint32_t step;                   /* of the noise */
	struct cancel *cancel;
	struct term *term;               /* [n] */
	double *sum;                     /* [n] out: over the positions */
	/* scratch of a batch */
	int n;
	int32_t *z;                      /* [n,L] */
	double *sigma;                   /* [n] */
	int *label;
	float *feat, *row, *logit;       /* [n,L,F], [ROWS,F], [ROWS,V] */
	double *law;                     /* [threads,7,V] */
	/* the rows being summed up: of one sample */
	int sample, first;               /* in s; of the batch */
	int count, at[ROWS];
	double value[ROWS];
};

void
samples_done(struct samples *s)
{
	free(s->tok);
	free(s->label);
	*s = (struct samples){ 0 };
}

enum status
likelihood_check(const struct model *m, const struct recipe *r, struct error *e)
{
	if (m->out == OUT_SCORE || m->out == OUT_CAUSAL)
		return error_set(e, ST_USAGE, "%s has no such bound",
			m->out == OUT_SCORE ? "a score model (SEDD)" : "a causal model");
	if (r && r->per != PER_NONE)
		return error_set(e, ST_USAGE,
			"there is no bound where kappa depends on the state (per conf, informed)");
	return ST_OK;
}

/* ---- one kind of term ---- */

/* The value of one row: a pool item. */
static void
row_item(void *arg, int item, int worker)
{
	struct work *w = arg;
	int V = w->m->V, mask = w->m->mask, pos = w->at[item];
	size_t L = (size_t)w->s->L;
	const struct term *t = &w->term[w->sample];
	int x0 = w->s->tok[(size_t)w->sample * L + (size_t)pos];
	int z = w->z[(size_t)(w->sample - w->first) * L + (size_t)pos];
	double *x = w->law + (size_t)worker * 7 * (size_t)V, *scratch = x + V;

	filter_log_x_double(w->m, w->logit + (size_t)item * (size_t)V, z, w->sigma[w->sample - w->first], x);
	for (int j = 0; j < V; j++)
		x[j] = exp(x[j]);
	if (w->step == STEP_NELBO)
		w->value[item] = bound_nelbo(V, mask, x0, z, x, t->a, t->na, t->slope);
	else if (w->step == STEP_PSI)
		w->value[item] = bound_psi_step(V, mask, x0, z, x, t->a, t->na, t->b, t->nb, t->kappa, scratch);
	else
		w->value[item] = bound_reconstruction(V, mask, x0, z, x, t->a, t->na, scratch);
}

/* Head rows and values of the positions in at[]. */
static enum status
sum_rows(struct work *w, struct error *e)
{
	size_t F = (size_t)w->m->F, base = (size_t)(w->sample - w->first) * (size_t)w->s->L;
	enum status st;

	for (int i = 0; i < w->count; i++)
		memcpy(w->row + (size_t)i * F, w->feat + (base + (size_t)w->at[i]) * F, F * sizeof *w->row);
	st = w->m->rows(w->m, w->count, w->row, w->logit, w->cancel, e);
	if (st == ST_OK)
		st = pool_run(w->m->pool, POOL_SAMPLE, w->count, row_item, w, w->cancel);
	for (int i = 0; i < w->count && st == ST_OK; i++)
		w->sum[w->sample] += w->value[i];
	w->count = 0;
	if (st == ST_OK && isnan(w->sum[w->sample]))
		st = error_set(e, ST_NUMERIC, "the network gave NaN or infinity (sample %d, t = %g)", w->sample,
			w->term[w->sample].t);
	return st;
}

/* Under masked noise only masked positions count. */
static enum status
sum_sample(struct work *w, int sample, struct error *e)
{
	int L = w->s->L, mask = w->m->mask;
	const int32_t *z = w->z + (size_t)(sample - w->first) * (size_t)L;
	enum status st = ST_OK;

	w->sample = sample;
	w->count = 0;
	for (int pos = w->m->bos_fixed; pos < L && st == ST_OK; pos++) {
		if (mask < 0 || z[pos] == mask)
			w->at[w->count++] = pos;
		if (w->count == ROWS)
			st = sum_rows(w, e);
	}
	return st == ST_OK && w->count > 0 ? sum_rows(w, e) : st;
}

/* Samples first..first+n-1: noise, one call, rows. */
static enum status
run_batch(struct work *w, struct error *e)
{
	const struct model *m = w->m;
	size_t L = (size_t)w->s->L;

	for (int i = 0; i < w->n; i++) {
		struct noise noise = { .seed = w->seed, .step = w->step, .sample = (uint32_t)(w->first + i) };
		const struct term *t = &w->term[w->first + i];
		corrupt(&noise, (int)L, w->s->tok + (size_t)(w->first + i) * L, m->mask, m->V, t->na, m->bos_fixed,
			w->z + (size_t)i * L);
		/* a 0: sigma of the schedule's end, which the network knows */
		w->sigma[i] = m->timed ? alpha_sigma(&m->alpha, t->t) : 0;
		if (w->label)
			w->label[i] = w->s->label ? w->s->label[w->first + i] : m->classes;
	}
	enum status st = w->m->trunk(w->m, w->n, w->z, w->sigma, w->label, w->feat, w->cancel, e);
	for (int i = 0; i < w->n && st == ST_OK; i++)
		st = sum_sample(w, w->first + i, e);
	return st;
}

static void
work_done(struct work *w)
{
	free(w->term);
	free(w->sum);
	free(w->z);
	free(w->sigma);
	free(w->label);
	mem_free(w->feat);
	mem_free(w->row);
	mem_free(w->logit);
	mem_free(w->law);
}

static enum status
work_init(struct work *w, struct model *m, const struct samples *s, uint64_t seed, struct cancel *c, struct error *e)
{
	int each = TOKENS / m->L < 1 ? 1 : TOKENS / m->L;
	size_t n = (size_t)(each < s->n ? each : s->n), L = (size_t)m->L, F = (size_t)m->F, V = (size_t)m->V;

	*w = (struct work){ .m = m, .s = s, .seed = seed, .cancel = c, .n = (int)n };
	w->term = mem_calloc((size_t)s->n, sizeof *w->term);
	w->sum = mem_calloc((size_t)s->n, sizeof *w->sum);
	w->z = mem_calloc(n * L, sizeof *w->z);
	w->sigma = mem_calloc(n, sizeof *w->sigma);
	if (m->classes > 0)
		w->label = mem_calloc(n, sizeof *w->label);
	w->feat = mem_aligned(n * L * F, sizeof *w->feat);
	w->row = mem_aligned(ROWS * F, sizeof *w->row);
	w->logit = mem_aligned(ROWS * V, sizeof *w->logit);
	w->law = mem_aligned((size_t)pool_threads(m->pool) * 7 * V, sizeof *w->law);
	return w->term && w->sum && w->z && w->sigma && (w->label || m->classes == 0) && w->feat && w->row &&
		w->logit && w->law ? ST_OK : error_set(e, ST_MEMORY, "out of memory for a bound");
}

/* sum[] of all samples for the terms that are laid out, with the noise of `step`. */
static enum status
run_terms(struct work *w, uint32_t step, struct error *e)
{
	enum status st = ST_OK;
	int most = w->n;

	w->step = step;
	memset(w->sum, 0, (size_t)w->s->n * sizeof *w->sum);
	for (w->first = 0; w->first < w->s->n && st == ST_OK; w->first += w->n) {
		w->n = most < w->s->n - w->first ? most : w->s->n - w->first;
		st = run_batch(w, e);
	}
	w->n = most;
	return st;
}

/* ---- the bounds ----
 *
 * Times are drawn with a density that goes with 1 / sqrt t.  Near t = 0 few
 * positions are noised and each of them counts for about 1 / t, so that with
 * equal times the rare large values hold most of the variance, and samples that
 * missed them would show too small a bound and too small an error. */

/* Mean and standard error of n numbers that are stratified in their order: the
 * spread of neighbours, which have nearly the same time. */
static void
sum_up(int n, const double *x, struct likelihood *out)
{
	double sum = 0, square = 0;

	for (int i = 0; i < n; i++)
		sum += x[i];
	for (int i = 1; i < n; i++)
		square += (x[i] - x[i - 1]) * (x[i] - x[i - 1]);
	out->samples = n;
	out->mean = sum / n;
	out->error = n > 1 ? sqrt(square / 2 / (n - 1) / n) : NAN;
}

enum status
likelihood_nelbo(struct model *m, const struct samples *s, uint64_t seed, struct likelihood *out, struct cancel *c,
	struct error *e)
{
	int positions = m->L - m->bos_fixed;
	struct work w;
	enum status st = work_init(&w, m, s, seed, c, e);

	*out = (struct likelihood){ 0 };
	for (int i = 0; i < s->n && st == ST_OK; i++) {
		double low = sqrt(FIRST_TIME), root = train_time(seed, STEP_NELBO, (uint32_t)i, (uint32_t)s->n, low);
		double t = root * root;
		w.term[i] = (struct term){ .t = t, .a = alpha_at(&m->alpha, t), .na = alpha_noise(&m->alpha, t),
			.slope = alpha_slope(&m->alpha, t), .weight = 2 * root * (1 - low) / (1 - FIRST_TIME) };
	}
	if (st == ST_OK)
		st = run_terms(&w, STEP_NELBO, e);
	/* masked noise: nothing is left of x at t = 1, whatever eps says */
	out->prior = m->mask < 0 ? bound_prior(m->V, -1, alpha_at(&m->alpha, 1), alpha_noise(&m->alpha, 1)) : 0;
	for (int i = 0; i < s->n && st == ST_OK; i++)
		w.sum[i] = w.sum[i] * w.term[i].weight / positions + out->prior;
	if (st == ST_OK)
		sum_up(s->n, w.sum, out);
	work_done(&w);
	return st;
}

/* The term of step k of the leg, drawn with this probability. */
static struct term
step_term(const struct model *m, const struct leg *l, int k, double probability)
{
	const struct plan_row *row = &l->row[k];
	struct term t = { .t = row->t, .a = row->a, .na = alpha_noise(&m->alpha, row->t), .b = row->b,
		.nb = alpha_noise(&m->alpha, row->s), .kappa = row->kappa, .weight = 1 / probability };

	if (m->mask >= 0 && row->t >= 1) { /* alpha(1) := 0 */
		t.a = 0;
		t.na = 1;
	}
	return t;
}

/* A step for each sample, stratified: sample i of n takes the one at (i + u) / n
 * of their probabilities laid end to end. */
static void
psi_terms(struct work *w, const struct leg *l, int steps)
{
	int n = w->s->n, k = 0;
	double all = 0, past = 0;

	for (int i = 0; i < steps; i++)
		all += 1 / sqrt(l->row[i].t);
	for (int i = 0; i < n; i++) {
		struct noise u = { .seed = w->seed, .step = STEP_PSI, .sample = (uint32_t)i };
		double at = (i + noise_scalar(&u, STAGE_TIME)) / n * all;
		while (k < steps - 1 && past + 1 / sqrt(l->row[k].t) <= at)
			past += 1 / sqrt(l->row[k++].t);
		w->term[i] = step_term(w->m, l, k, 1 / sqrt(l->row[k].t) / all);
	}
}

enum status
likelihood_psi(struct model *m, const struct leg *l, const struct samples *s, uint64_t seed, struct likelihood *out,
	struct cancel *c, struct error *e)
{
	int positions = m->L - m->bos_fixed, steps = l->times - 1;
	struct work w;
	enum status st = work_init(&w, m, s, seed, c, e);
	double *total = mem_calloc((size_t)s->n, sizeof *total), last = l->time[steps];

	*out = (struct likelihood){ 0 };
	if (!total)
		st = error_set(e, ST_MEMORY, "out of memory for a bound");
	if (st == ST_OK) {
		psi_terms(&w, l, steps);
		st = run_terms(&w, STEP_PSI, e);
	}
	out->prior = m->mask < 0 ? bound_prior(m->V, -1, alpha_at(&m->alpha, 1), alpha_noise(&m->alpha, 1)) : 0;
	for (int i = 0; i < s->n && st == ST_OK; i++) {
		total[i] = w.sum[i] * w.term[i].weight / positions + out->prior;
		w.term[i] = (struct term){ .t = last, .a = alpha_at(&m->alpha, last),
			.na = alpha_noise(&m->alpha, last) };
	}
	if (st == ST_OK)
		st = run_terms(&w, STEP_LAST, e);
	for (int i = 0; i < s->n && st == ST_OK; i++) {
		total[i] += w.sum[i] / positions;
		out->reconstruction += w.sum[i] / positions / s->n;
	}
	if (st == ST_OK)
		sum_up(s->n, total, out);
	free(total);
	work_done(&w);
	return st;
}
