/*
 * bench_psi.c: one Psi step at a GPT-2 vocabulary (K 50257, L 1024) outside the
 * network: features are given, and the head is a copy.  Beside it the same step
 * written with float64 vectors over the vocabulary for every position
 * (posterior.c), as a straightforward program does it.  One thread each.
 *
 * Prints `name value unit` lines.  usage: bench_psi [STEP of 128] [KAPPA]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "psi/filter.h"
#include "psi/posterior.h"
#include "psi/step.h"

enum { K = 50257, L = 1024, TABLE = 8 };

static float *logits;            /* [TABLE,K]: position l has row l % TABLE */
static double head_s;            /* spent in the head */

static double
processor_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
peak_mb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss / 1024;
}

/* feat [n,1]: which row of the table. */
static enum status
rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	double start = processor_s();

	(void)m;
	(void)c;
	(void)e;
	for (int i = 0; i < n; i++)
		memcpy(logit + (size_t)i * K, logits + (size_t)feat[i] * K, K * sizeof *logit);
	head_s += processor_s() - start;
	return ST_OK;
}

static enum status
features(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	(void)c;
	(void)e;
	for (int i = 0; i < n; i++)
		w[i].feat = ctx;
	return ST_OK;
}

/* The argmax of log law + Gumbel in double. */
static int
draw(const double *law, const struct noise *n)
{
	double best = -INFINITY;
	uint32_t word[4];
	int at = 0;

	for (int j = 0; j < K; j++) {
		if (j % 4 == 0)
			noise_words(n, STAGE_TOKEN, j, 4, word);
		double v = log(law[j]) + noise_gumbel(word[j % 4]);
		if (v > best) {
			best = v;
			at = j;
		}
	}
	return at;
}

/* The step with float64 vectors for positions 0..n-1; seconds for all L. */
static double
reference(const struct model *m, const struct leg *l, int step_number, const int32_t *tok, int n, long *sum)
{
	const struct plan_row *row = leg_row(l, step_number);
	double *v = malloc(4 * (size_t)K * sizeof *v), start = processor_s();
	int *order = malloc(K * sizeof *order);

	for (int i = 0; i < n; i++) {
		struct noise noise = { l->r.seed, (uint32_t)step_number, 0, (uint32_t)i, 0 };
		filter_log_x_double(m, logits + (size_t)(i % TABLE) * K, tok[i], 0, v);
		filter_apply_double(K, v, l->r.temperature, l->r.top_p, l->r.top_k, order);
		for (int j = 0; j < K; j++)
			v[j] = exp(v[j]);
		posterior_q(K, m->mask, v, tok[i], row->a, 1 - row->a, row->b, 1 - row->b, v + K);
		posterior_q(K, m->mask, v, tok[i], row->a, 1 - row->a, 1, 0, v + 2 * K);
		posterior_psi(K, m->mask, v + K, v + 2 * K, row->b, 1 - row->b, row->kappa, v + 3 * K);
		*sum += draw(v + 3 * K, &noise);
	}
	double s = (processor_s() - start) * L / n;
	free(v);
	free(order);
	return s;
}

/* The best of some runs of step(), without the head. */
static double
ours(struct model *m, const struct leg *l, int step_number, struct state *in, struct state *out, float *feat,
    int *asked)
{
	struct step_counts c;
	double best = INFINITY;

	for (int i = 0; i < 8; i++) {
		double start = processor_s();
		head_s = 0;
		if (step(m, l, step_number, in, out, &c, features, feat, NULL, NULL) != ST_OK)
			return NAN;
		best = fmin(best, processor_s() - start - head_s);
	}
	*asked = c.rows;
	return best;
}

static void
measure(struct model *m, const char *name, double kappa, double top_p, int step_number, struct state *in,
    struct state *out, float *feat)
{
	struct recipe r;
	struct leg *l;
	int asked = 0;
	long sum = 0;

	recipe_init(&r);
	r.steps = 128;
	r.top_p = top_p;
	for (int i = 0; i < 3; i++)
		r.zone[i] = (struct zone){ KAPPA_CONSTANT, kappa };
	if (leg_new(&r, m, NULL, 0, 1, &l, NULL) != ST_OK)
		return;
	step_start(m, &r, in);
	double mine = ours(m, l, step_number, in, out, feat, &asked), memory = peak_mb();
	double theirs = reference(m, l, step_number, in->tok, 32, &sum);
	printf("psi_step%s %.2f ms\n", name, 1e3 * mine);
	printf("psi_step_rows%s %d rows\n", name, asked);
	printf("psi_step_float64%s %.0f ms\n", name, 1e3 * theirs);
	printf("psi_step_ratio%s %.1f times\n", name, theirs / mine);
	printf("psi_step_peak%s %.1f MB\n", name, memory);
	leg_free(l);
}

int
main(int argc, char **argv)
{
	struct model m = { .L = L, .V = K, .F = 1, .mask = -1, .out = OUT_MEAN, .timed = true, .rows = rows,
		.alpha = { ALPHA_LOGLINEAR, 1e-3 } };
	int step_number = argc > 1 ? atoi(argv[1]) : 64;
	double kappa = argc > 2 ? strtod(argv[2], NULL) : .95;
	struct noise n = { 1, 0, 0, 0, 0 };
	struct state in, out;
	float feat[L];

	mem_setup();
	logits = malloc((size_t)TABLE * K * sizeof *logits);
	if (!logits || state_init(&in, 1, L, NULL) != ST_OK || state_init(&out, 1, L, NULL) != ST_OK)
		return 1;
	for (int i = 0; i < TABLE * K; i++) {
		/* about normal, spread 3: most of the mass on a few hundred tokens */
		n.pos = (uint32_t)(i % K);
		n.sample = (uint32_t)(i / K);
		double u = noise_scalar(&n, STAGE_DATA), v = noise_scalar(&n, STAGE_FORWARD);
		logits[i] = (float)(3 * sqrt(-2 * log(u + 1e-12)) * cos(2 * M_PI * v));
	}
	for (int i = 0; i < L; i++)
		feat[i] = (float)(i % TABLE);
	measure(&m, "", kappa, 1, step_number, &in, &out, feat);
	measure(&m, "_top_p", kappa, .9, step_number, &in, &out, feat);
	state_done(&in);
	state_done(&out);
	free(logits);
	return 0;
}
