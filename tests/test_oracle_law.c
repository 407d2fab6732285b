/*
 * test_oracle_law.c: whole runs of step() with the exact denoiser of a small
 * data set, against the exact law of the final string (groups with `law` and
 * `kappa` below $PSIVIEW_GOLDEN): total variation below .01 at 200,000 samples.
 */
#include <stdlib.h>

#include "models/oracle.h"
#include "psi/step.h"
#include "psi_util.h"

/* The sanitizers' runs look for other things, ten times slower; the distance
 * that counts leave by chance grows with one over the root of their number. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SAMPLES 20000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SAMPLES 20000
#endif
#endif
#ifndef SAMPLES
#define SAMPLES 200000
#endif
#define BATCH 5000

static int cases;

/* Features of every possible string at one time, so that the denoiser is asked
 * once for each. */
struct every {
	struct model *m;
	int n;
	int32_t *tok;            /* [n,L] */
	float *feat;             /* [n,L,V] */
	double sigma;            /* they are of; -1: none yet */
};

static int
index_of(const struct model *m, const int32_t *tok)
{
	int at = 0;

	for (int l = 0; l < m->L; l++)
		at = at * m->V + tok[l];
	return at;
}

static bool
every_init(struct every *x, struct model *m)
{
	size_t n = 1, L = (size_t)m->L;

	for (int l = 0; l < m->L && n < 200000; l++)
		n *= (size_t)m->V;
	if (n >= 200000)
		return false;
	*x = (struct every){ .m = m, .n = (int)n, .sigma = -1 };
	x->tok = malloc(n * L * sizeof *x->tok);
	x->feat = malloc(n * L * (size_t)m->V * sizeof *x->feat);
	for (int i = 0; i < x->n; i++)
		for (int l = m->L - 1, rest = i; l >= 0; l--, rest /= m->V)
			x->tok[(size_t)i * L + (size_t)l] = rest % m->V;
	return true;
}

static enum status
features(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	struct every *x = ctx;

	if (w[0].sigma != x->sigma) {
		double *sigma = malloc((size_t)x->n * sizeof *sigma);
		for (int i = 0; i < x->n; i++)
			sigma[i] = w[0].sigma;
		enum status st = x->m->trunk(x->m, x->n, x->tok, sigma, NULL, x->feat, c, e);
		free(sigma);
		if (st != ST_OK)
			return st;
		x->sigma = w[0].sigma;
	}
	for (int i = 0; i < n; i++) {
		w[i].feat = x->feat + (size_t)index_of(x->m, w[i].tok) * (size_t)(x->m->L * x->m->V);
		w[i].fresh = true;
	}
	return ST_OK;
}

/* One batch of runs; adds to count[] by index. */
static bool
run_batch(struct every *x, struct leg *l, int first, struct state *a, struct state *b, long *count)
{
	struct step_counts c;
	struct error e;

	l->r.first = first;
	step_start(x->m, &l->r, a);
	for (int i = 0; i < l->total; i++) {
		struct state t = *a;
		if (step(x->m, l, i, a, b, &c, features, x, NULL, &e) != ST_OK) {
			printf("# %s\n", e.msg);
			return false;
		}
		*a = *b;
		*b = t;
	}
	for (int k = 0; k < BATCH; k++)
		count[index_of(x->m, a->tok + k * a->L)]++;
	return true;
}

/* Half the sum of |counted - law| over the strings. */
static double
distance(const struct model *m, const long *count, const double *states, const double *law, int n)
{
	double sum = 0, seen = 0;
	int32_t tok[64];

	for (int i = 0; i < n; i++) {
		for (int l = 0; l < m->L; l++)
			tok[l] = (int32_t)states[i * m->L + l];
		double share = (double)count[index_of(m, tok)] / SAMPLES;
		sum += fabs(share - law[i]);
		seen += share;
	}
	return (sum + fabs(1 - seen)) / 2;
}

static void
run_case(struct golden *g, struct model *m, const double *states)
{
	struct values k = { 0 };
	struct every x;
	struct state a, b;
	struct recipe r;
	struct leg *l;
	double *law = get(g, &k, "law"), *kappa = get(g, &k, "kappa");
	int N = size_of(g, "kappa", -1), n = size_of(g, "law", -1);
	bool ok = true;

	recipe_init(&r);
	r.steps = N;
	r.seed = 12345;
	if (leg_new(&r, m, NULL, 0, 1, &l, NULL) != ST_OK || !every_init(&x, m))
		return;
	for (int i = 0; i < N; i++)
		l->row[i].kappa = kappa[i];
	long *count = calloc((size_t)x.n, sizeof *count);
	state_init(&a, BATCH, m->L, NULL);
	state_init(&b, BATCH, m->L, NULL);
	for (int first = 0; first < SAMPLES && ok; first += BATCH)
		ok = run_batch(&x, l, first, &a, &b, count);
	double d = distance(m, count, states, law, n), limit = 0.01 * sqrt(200000.0 / SAMPLES);
	CHECK(ok && d < limit, "%s: total variation %.4f over %d samples", g->group, d, SAMPLES);
	cases++;
	free(count);
	free(x.tok);
	free(x.feat);
	state_done(&a);
	state_done(&b);
	leg_free(l);
	values_done(&k);
}

static void
check_law(struct golden *g)
{
	struct values k = { 0 };
	struct golden top = { g->path, g->f, "" }, prior = *g;
	struct alpha al = { ALPHA_LOGLINEAR, 1e-3 };
	struct model *m;
	char *slash = strchr(prior.group, '/');
	double *data = get(&top, &k, "data");
	int n = size_of(&top, "data", 0), L = size_of(&top, "data", 1), symbols = 0;

	if (slash)
		slash[1] = '\0';
	double *states = get(&prior, &k, "states");
	if (!data || !states || !has(g, "kappa") || L > 64) {
		values_done(&k);
		return;
	}
	bool masked = strncmp(prior.group, "masked", 6) == 0;
	for (int i = 0; i < size_of(&prior, "states", -1); i++)
		symbols = (int)states[i] + 1 > symbols ? (int)states[i] + 1 : symbols;
	int32_t *tok = malloc((size_t)n * (size_t)L * sizeof *tok);
	for (int i = 0; i < n * L; i++)
		tok[i] = (int32_t)data[i];
	/* the states of a masked case hold the mask, one above the symbols */
	if (oracle_new(n, L, symbols - masked, tok, masked, &al, &m, NULL) == ST_OK) {
		run_case(g, m, states);
		model_free(m);
	}
	free(tok);
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	each_group(g, "law", check_law);
}

int
main(void)
{
	each_golden(check_file);
	if (cases == 0)
		check_skip("no law of whole runs below PSIVIEW_GOLDEN");
	return check_done();
}
