/*
 * test_likelihood.c: bounds by Monte Carlo, for models whose bounds are known:
 * the exact denoiser of a small data set (models/oracle.c).  In continuous time
 * its bound is the entropy of the data; for given steps and kappa it is summed
 * over all noised strings.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "models/oracle.h"
#include "psi/bound.h"
#include "run/likelihood.h"

enum { L = 3, SYMBOLS = 3, STRINGS = 4 };
static const int32_t data[STRINGS * L] = { 0, 1, 2, 0, 1, 1, 2, 2, 0, 2, 1, 1 };
static const struct alpha schedule = { ALPHA_LOGLINEAR, 1e-3 };

/* n strings of the data, each as likely as another. */
static struct samples
draws(int n, uint64_t seed)
{
	struct samples s = { .n = n, .L = L, .tok = mem_calloc((size_t)n * L, sizeof(int32_t)) };

	for (int i = 0; i < n; i++) {
		struct noise which = { .seed = seed, .sample = (uint32_t)i };
		memcpy(s.tok + i * L, data + L * noise_token(&which, STAGE_DATA, STRINGS), L * sizeof *data);
	}
	return s;
}

static struct leg *
leg_of(const struct model *m, int steps, const char *kappa)
{
	struct recipe r;
	struct leg *l = NULL;

	recipe_init(&r);
	r.steps = steps;
	recipe_set(&r, "kappa", kappa, NULL);
	leg_new(&r, m, NULL, 0, 1, &l, NULL);
	return l;
}

/* ---- the bound by summing over every noised string ---- */

/* E over z ~ q(.|x) at (a, na), for one x, of the sum over positions of value(). */
static double
expect(const struct model *m, const int32_t *x0, double a, double na,
	double (*value)(const struct model *m, int x0, int z, const double *x, const void *arg), const void *arg)
{
	int V = m->V, all = 1;
	double *x = mem_calloc((size_t)(L * V), sizeof *x), *scratch = mem_calloc(oracle_scratch(m), sizeof *scratch);
	double sum = 0;

	for (int l = 0; l < L; l++)
		all *= V;
	for (int k = 0; k < all; k++) {
		int32_t z[L];
		double p = 1;
		for (int l = 0, rest = k; l < L; l++, rest /= V) {
			z[l] = rest % V;
			p *= a * (z[l] == x0[l]) + na * (m->mask < 0 ? 1.0 / V : z[l] == m->mask);
		}
		if (p == 0)
			continue;
		oracle_x_theta(m, z, a, na, x, scratch);
		for (int l = 0; l < L; l++)
			sum += p * value(m, x0[l], z[l], x + l * V, arg);
	}
	free(x);
	free(scratch);
	return sum;
}

static double
step_value(const struct model *m, int x0, int z, const double *x, const void *arg)
{
	const struct plan_row *row = arg;
	double scratch[5 * (SYMBOLS + 1)];

	return bound_psi_step(m->V, m->mask, x0, z, x, row->a, 1 - row->a, row->b, 1 - row->b, row->kappa, scratch);
}

static double
last_value(const struct model *m, int x0, int z, const double *x, const void *arg)
{
	const struct plan_row *row = arg;
	double scratch[SYMBOLS + 1];

	return bound_reconstruction(m->V, m->mask, x0, z, x, row->a, 1 - row->a, scratch);
}

/* The whole Psi-NELBO, nats per token. */
static double
exact_psi(const struct model *m, const struct leg *l)
{
	double sum = 0;

	for (int i = 0; i < STRINGS; i++) {
		const int32_t *x0 = data + i * L;
		for (int k = 0; k + 1 < l->times; k++) {
			struct plan_row row = l->row[k];
			if (k == 0 && m->mask >= 0)
				row.a = 0;
			sum += expect(m, x0, row.a, 1 - row.a, step_value, &row);
		}
		double t = l->time[l->times - 1];
		struct plan_row end = { .a = alpha_at(&m->alpha, t) };
		sum += expect(m, x0, end.a, 1 - end.a, last_value, &end);
	}
	double a1 = alpha_at(&m->alpha, 1);
	return sum / STRINGS / L + (m->mask < 0 ? bound_prior(m->V, -1, a1, 1 - a1) : 0);
}

/* ---- tests ---- */

/* How far the estimates of some seeds are from what they estimate, in standard
 * errors: none far off, and neither all too near. */
static void
check_scores(const char *what, int n, const double *score)
{
	double square = 0, most = 0;

	for (int i = 0; i < n; i++) {
		square += score[i] * score[i];
		most = fmax(most, fabs(score[i]));
	}
	CHECK(most < 4.5 && sqrt(square / n) < 1.6 && sqrt(square / n) > .5,
		"%s: off by %.2f standard errors at most, %.2f in the root mean square", what, most,
		sqrt(square / n));
}

enum { SEEDS = 12, DRAWS = 4000 };

/* Continuous time: the exact denoiser's bound is the entropy of the data, here
 * log of the number of strings.  Times below 1e-3 are left out and the mean
 * over the others stands for them: .001 relative at most. */
static void
test_nelbo(struct model *m, const char *name)
{
	double score[SEEDS], entropy = log(STRINGS) / L, mean = 0, error = 0;
	char what[100];

	for (int i = 0; i < SEEDS; i++) {
		struct samples s = draws(DRAWS, (uint64_t)i);
		struct likelihood b;
		enum status st = likelihood_nelbo(m, &s, (uint64_t)i, &b, NULL, NULL);
		samples_done(&s);
		if (st != ST_OK || b.samples != DRAWS) {
			CHECK(false, "a bound");
			return;
		}
		score[i] = (b.mean - entropy) / b.error;
		mean += b.mean / SEEDS;
		error = b.error;
	}
	snprintf(what, sizeof what, "%s, NELBO %.4f +- %.4f of %.4f", name, mean, error / sqrt(SEEDS), entropy);
	check_scores(what, SEEDS, score);
}

static void
test_psi(struct model *m, const char *name, int steps, const char *kappa)
{
	struct leg *l = leg_of(m, steps, kappa);
	double score[SEEDS], exact = exact_psi(m, l), mean = 0;
	char what[100];

	for (int i = 0; i < SEEDS; i++) {
		struct samples s = draws(DRAWS, (uint64_t)i);
		struct likelihood b = { 0 };
		likelihood_psi(m, l, &s, (uint64_t)i, &b, NULL, NULL);
		samples_done(&s);
		score[i] = (b.mean - exact) / b.error;
		mean += b.mean / SEEDS;
	}
	snprintf(what, sizeof what, "%s, %d steps, kappa %s: %.4f of %.4f", name, steps, kappa, mean, exact);
	check_scores(what, SEEDS, score);
	CHECK(exact > log(STRINGS) / L - 1e-9, "which is no less than the entropy of the data");
	leg_free(l);
}

/* What the bound does with steps and kappa, exactly. */
static void
test_shape(struct model *m, const char *name)
{
	double at[4], half[3], entropy = log(STRINGS) / L;
	static const int steps[] = { 2, 8, 32, 128 };

	for (int i = 0; i < 4; i++) {
		struct leg *l = leg_of(m, steps[i], "1");
		at[i] = exact_psi(m, l);
		leg_free(l);
		if (i == 0)
			continue;
		l = leg_of(m, steps[i], ".5");
		half[i - 1] = exact_psi(m, l);
		leg_free(l);
	}
	CHECK(at[0] > at[1] && at[1] > at[2] && at[2] > at[3] && at[3] - entropy < .03 * entropy,
		"%s, kappa 1: %.4f %.4f %.4f %.4f, down to the entropy %.4f", name, at[0], at[1], at[2], at[3],
		entropy);
	double slope = (half[2] - half[1]) / (half[1] - half[0]);
	CHECK(half[2] > half[1] && half[1] > half[0] && fabs(slope - 4) < .6,
		"kappa .5: %.4f %.4f %.4f grows with the steps, in proportion (%.2f of 4)", half[0], half[1], half[2],
		slope);
}

/* Neither batches nor what else is asked change a number. */
static void
test_same(struct model *m)
{
	struct samples s = draws(64, 1);
	struct leg *l = leg_of(m, 4, ".9");
	struct likelihood a, b, c;
	struct pool *pool = pool_new(3);

	likelihood_psi(m, l, &s, 5, &a, NULL, NULL);
	m->pool = pool;
	likelihood_psi(m, l, &s, 5, &b, NULL, NULL);
	likelihood_psi(m, l, &s, 6, &c, NULL, NULL);
	CHECK(a.mean == b.mean && a.error == b.error && a.mean != c.mean,
		"the same numbers with threads, others by seed");
	m->pool = NULL;
	pool_free(pool);
	struct cancel cancel = { .asked = 1 };
	CHECK(likelihood_nelbo(m, &s, 5, &a, &cancel, NULL) == ST_CANCELLED, "cancelled");
	leg_free(l);
	samples_done(&s);
}

static void
test_refused(struct model *m)
{
	struct recipe r;
	struct error e;

	recipe_init(&r);
	CHECK(likelihood_check(m, &r, &e) == ST_OK && likelihood_check(m, NULL, &e) == ST_OK, "fine");
	r.per = PER_CONF;
	CHECK(likelihood_check(m, &r, &e) == ST_USAGE, "refused: %s", e.msg);
	m->out = OUT_CAUSAL;
	CHECK(likelihood_check(m, NULL, &e) == ST_USAGE, "refused: %s", e.msg);
	m->out = OUT_SCORE;
	CHECK(likelihood_check(m, NULL, &e) == ST_USAGE, "refused: %s", e.msg);
}

int
main(void)
{
	for (int masked = 0; masked < 2; masked++) {
		const char *name = masked ? "masked" : "uniform";
		struct model *m;
		if (oracle_new(STRINGS, L, SYMBOLS, data, masked, &schedule, &m, NULL) != ST_OK)
			return 1;
		test_nelbo(m, name);
		test_psi(m, name, 1, "1");
		test_psi(m, name, 4, "1");
		test_psi(m, name, 4, "0");
		test_psi(m, name, 16, ".7");
		test_psi(m, name, 16, "cap(.2)");
		test_shape(m, name);
		test_same(m);
		test_refused(m);
		model_free(m);
	}
	return check_done();
}
