/*
 * test_filter.c: filters where the recorded numbers do not go: exact hits,
 * ties, flat and very long rows, float beside double.
 */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "psi/filter.h"

#define MOST 50000

static float f[MOST];
static double d[MOST];
static int order[MOST];

static void
fill(int V, const double *p)
{
	for (int j = 0; j < V; j++) {
		d[j] = log(p[j]);
		f[j] = (float)d[j];
	}
}

/* Both filters keep exactly the first n tokens. */
static bool
keeps_first(int V, const double *p, double top_p, int top_k, int n)
{
	fill(V, p);
	int kept_d = filter_apply_double(V, d, 1, top_p, top_k, order), kept_f = filter_apply(V, f, 1, top_p, top_k,
	    order);
	bool ok = kept_d == n && kept_f == n;

	for (int j = 0; j < V; j++)
		ok = ok && (d[j] > -INFINITY) == (j < n) && (f[j] > -INFINITY) == (j < n);
	return ok;
}

static void
check_edges(void)
{
	static const double halves[] = { .5, .25, .25 }, flat[] = { .2, .2, .2, .2, .2 }, sure[] = { 1, 0, 0 };

	CHECK(keeps_first(3, halves, .75, 0, 2), "an exact hit of top-p takes no further token");
	CHECK(keeps_first(3, halves, .5, 0, 1), "nor with the first token");
	CHECK(keeps_first(3, halves, .50001, 0, 2), "just above it does");
	CHECK(keeps_first(3, halves, 1e-9, 0, 1), "at least one token");
	CHECK(keeps_first(5, flat, .6, 0, 3), "of equal ones the lower ids (top-p)");
	CHECK(keeps_first(5, flat, 1, 2, 2), "of equal ones the lower ids (top-k): %d", 2);
	CHECK(keeps_first(5, flat, .6, 4, 3) && keeps_first(5, flat, .9, 2, 2), "top-k after top-p");
	CHECK(keeps_first(5, flat, 1, 9, 5) && keeps_first(5, flat, 1, 0, 5), "off, and more than there are");
	CHECK(keeps_first(3, sure, .9, 0, 1) && keeps_first(3, sure, 1, 2, 1), "a certain token");
	CHECK(filter_off(1, 1, 0) && !filter_off(1, .9, 0) && !filter_off(.9, 1, 0) && !filter_off(1, 1, 3),
	    "what is off");
}

/* Rows of V tokens with a given spread: how many are kept, beside double. */
static void
check_long(int V, double spread, double top_p, int top_k, double temperature)
{
	struct noise n = { 77, 0, 0, 0, 0 };
	double sum = 0, total_d = 0, total_f = 0, worst = 0;

	for (int j = 0; j < V; j++) {
		n.pos = (uint32_t)j;
		d[j] = spread * noise_scalar(&n, STAGE_DATA);
		sum += exp(d[j]);
	}
	for (int j = 0; j < V; j++)
		f[j] = (float)(d[j] -= log(sum));
	int a = filter_apply_double(V, d, temperature, top_p, top_k, order);
	int b = filter_apply(V, f, temperature, top_p, top_k, order);
	for (int j = 0; j < V; j++) {
		total_d += exp(d[j]);
		total_f += exp((double)f[j]);
		worst = fmax(worst, fabs(exp(d[j]) - exp((double)f[j])));
	}
	/* float decides about the last few tokens otherwise */
	CHECK(abs(a - b) <= 1 + a / 2000 && fabs(total_d - 1) < 1e-9 && fabs(total_f - 1) < 1e-5 && worst < 1e-4,
	    "%d tokens, spread %g, top-p %g, top-k %d, temperature %g: %d kept, in float %d", V, spread, top_p, top_k,
	    temperature, a, b);
}

static void
check_model_rows(void)
{
	float logit[] = { 1, 2, 3, 4 }, out[4];
	struct model m = { .V = 4, .mask = 3, .out = OUT_SUBS };

	filter_log_x(&m, logit, 1, 0, out);
	CHECK(out[1] == 0 && out[0] == -INFINITY && out[3] == -INFINITY, "subs: one-hot where a token stands");
	filter_log_x(&m, logit, 3, 0, out);
	CHECK(out[3] == -INFINITY && fabs(exp(out[0]) + exp(out[1]) + exp(out[2]) - 1) < 1e-6,
	    "subs: no mass on the mask");
	m.out = OUT_D3PM;
	filter_log_x(&m, logit, 1, 0, out);
	CHECK(out[3] > -1, "D3PM: the mask keeps its mass, no one-hot");
	m.subs_masking = true;
	filter_log_x(&m, logit, 1, 0, out);
	CHECK(out[3] == -INFINITY && out[0] > -5, "D3PM with subs_masking: it does not");
	m.out = OUT_SCORE;
	filter_log_x(&m, logit, 2, .5, out);
	CHECK(out[2] == 0 && fabs(out[0] - (1 - log(expm1(.5)) - log(3))) < 1e-6, "score: 0 at the token held");
	CHECK(fabs(filter_entropy(4, (float[]){ -(float)M_LN2, -(float)M_LN2, -INFINITY, -INFINITY }) - M_LN2) < 1e-6,
	    "entropy");
}

int
main(void)
{
	check_edges();
	check_long(MOST, 12, .9, 0, 1);
	check_long(MOST, 12, .95, 700, 1.3);
	check_long(MOST, 0, .5, 0, 1);
	check_long(MOST, 1e-4, .5, 0, 1);
	check_long(MOST, 200, .999, 0, 1);
	check_long(MOST, 12, 1, 5, .7);
	check_long(60, 5, .9, 0, 1);
	check_long(1000, 5, .9, 40, 2);
	check_model_rows();
	return check_done();
}
