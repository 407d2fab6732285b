/*
 * test_metric.c: quantiles of Student's law and intervals of means and shares,
 * against published tables and by simulation.
 */
#include <math.h>

#include "base/rng.h"
#include "check.h"
#include "psi/metric.h"

static void
test_student(void)
{
	/* Abramowitz & Stegun, table 26.10, quantile .975 */
	static const struct { int df; double t; } known[] = {
		{ 1, 12.706 }, { 2, 4.303 }, { 3, 3.182 }, { 4, 2.776 }, { 5, 2.571 }, { 7, 2.365 }, { 10, 2.228 },
		{ 15, 2.131 }, { 20, 2.086 }, { 30, 2.042 }, { 60, 2.000 }, { 120, 1.980 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		CHECK(fabs(metric_student(known[i].df) - known[i].t) < 6e-4, "t of %d degrees: %.4f", known[i].df,
			metric_student(known[i].df));
	CHECK(fabs(metric_student(100000) - 1.95999) < 1e-4, "of very many: that of the normal law");
	CHECK(fabs(metric_student(1) - tan(M_PI * .475)) < 1e-9, "df 1 exactly (Cauchy)");
	CHECK(fabs(metric_student(2) - .95 * sqrt(2 / (1 - .95 * .95))) < 1e-9, "df 2 exactly");
}

static void
test_mean(void)
{
	const double x[] = { 1, 2, 3, 4 };
	struct interval v = metric_mean(4, x);

	/* s = 1.29099, standard error .645497, t 3.18245 */
	CHECK(v.mean == 2.5 && fabs(v.hi - 2.5 - 2.05426) < 1e-5 && fabs(v.lo - 2.5 + 2.05426) < 1e-5,
		"mean and interval of four numbers");
	v = metric_mean(1, x);
	CHECK(v.mean == 1 && isnan(v.lo) && isnan(v.hi), "one number has no interval");
	v = metric_mean(0, x);
	CHECK(isnan(v.mean), "no numbers, no mean");
}

static void
test_share(void)
{
	struct interval v = metric_share(15, 148);   /* Newcombe 1998, table I: .0624 to .1605 */

	CHECK(fabs(v.mean - 15.0 / 148) < 1e-15 && fabs(v.lo - .0624) < 5e-5 && fabs(v.hi - .1605) < 5e-5,
		"15 of 148: %.4f to %.4f", v.lo, v.hi);
	v = metric_share(0, 20);
	CHECK(v.mean == 0 && v.lo == 0 && fabs(v.hi - .1611) < 5e-5, "0 of 20: to %.4f", v.hi);
	v = metric_share(20, 20);
	CHECK(v.hi == 1 && fabs(v.lo - .8389) < 5e-5, "20 of 20: from %.4f", v.lo);
	v = metric_share(0, 0);
	CHECK(isnan(v.mean) && isnan(v.lo), "none of none");
}

/* How often the intervals hold what they estimate. */
static void
test_cover(void)
{
	enum { TRIALS = 4000, SEEDS = 5, SAMPLES = 60 };
	const double p = .3;
	int mean = 0, share = 0;

	for (unsigned i = 0; i < TRIALS; i++) {
		double x[SEEDS];
		long hits = 0;
		for (unsigned k = 0; k < SEEDS; k++) {
			x[k] = 0;
			for (unsigned j = 0; j < SAMPLES; j++) {
				struct noise n = { .seed = 1, .step = j, .sample = i, .pos = k };
				bool hit = noise_scalar(&n, STAGE_DATA) < p;
				x[k] += hit ? 1.0 / SAMPLES : 0;
				hits += hit;
			}
		}
		struct interval a = metric_mean(SEEDS, x), b = metric_share(hits, SEEDS * SAMPLES);
		mean += a.lo <= p && p <= a.hi;
		share += b.lo <= p && p <= b.hi;
	}
	/* standard error .0034 */
	CHECK(fabs(mean / (double)TRIALS - .95) < .015, "Student's covers in %.3f", mean / (double)TRIALS);
	CHECK(fabs(share / (double)TRIALS - .95) < .015, "Wilson's covers in %.3f", share / (double)TRIALS);
}

int
main(void)
{
	test_student();
	test_mean();
	test_share();
	test_cover();
	return check_done();
}
