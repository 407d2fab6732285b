/*
 * test_operator.c: the operator T, its windows and polynomials against
 * recorded tables (20 digits), and the normal law's functions.
 */
#include "train/normal.h"
#include "train/operator.h"
#include "train_util.h"

static int cases;

static void
check_values(const struct table *t)
{
	struct tally_of alpha = { 0 }, noise = { 0 }, slope = { 0 };

	for (int i = 0; i < t->rows; i++) {
		struct operator_value v;
		operator_at((int)number(t, i, "K", 0), number(t, i, "gamma", 0), &v);
		compare(&alpha, v.alpha, number(t, i, "alpha", 0), 1e-13, 0);
		compare(&noise, v.noise, number(t, i, "one_minus_alpha", 0), 0, 1e-12);
		compare(&noise, -expm1(-operator_sigma(&v)), number(t, i, "one_minus_alpha", 0), 0, 1e-12);
		if (column(t, "dalpha_dgamma") >= 0)
			compare(&slope, v.slope, number(t, i, "dalpha_dgamma", 0), 1e-13, 0);
		else
			compare(&slope, v.slope * (number(t, i, "gamma_max", 0) - number(t, i, "gamma_min", 0)),
			    number(t, i, "dalpha_dt", 0), 1e-12, 0);
	}
	cases++;
	TALLY(alpha, "%s alpha", base_name(t->path));
	TALLY(noise, "%s 1 - alpha", base_name(t->path));
	TALLY(slope, "%s slope", base_name(t->path));
}

static void
check_gammas(const struct table *t)
{
	struct tally_of d = { 0 };

	for (int i = 0; i < t->rows; i++)
		for (int c = 0; c < t->columns; c++)
			if (strncmp(t->head[c], "gamma_alpha_", 12) == 0)
				compare(&d, operator_gamma((int)number(t, i, "K", 0), strtod(t->head[c] + 12, NULL)),
				    number(t, i, t->head[c], 0), 1e-10, 0);
	cases++;
	TALLY(d, "%s gammas", base_name(t->path));
}

/* The recorded errors come from another set of sample points, hence 2 percent. */
static void
check_polynomials(const struct table *t)
{
	struct tally_of alpha = { 0 }, slope = { 0 };

	for (int i = 0; i < t->rows; i++) {
		struct operator_window w = { number(t, i, "gamma_min", 0), number(t, i, "gamma_max", 0) };
		struct operator_poly p;
		enum status st = operator_fit((int)number(t, i, "K", 0), &w, (int)number(t, i, "degree", 0), &p, NULL);
		if (!CHECK(st == ST_OK, "polynomial"))
			return;
		compare(&alpha, p.error_alpha, number(t, i, "max_abs_err_alpha", 0), 0, 0.02);
		compare(&slope, p.error_slope, number(t, i, "max_abs_err_dalpha_dt", 0), 0, 0.02);
	}
	cases++;
	TALLY(alpha, "%s errors of alpha", base_name(t->path));
	TALLY(slope, "%s errors of the slope", base_name(t->path));
}

static void
check_table(const struct table *t)
{
	if (column(t, "gamma") >= 0 && column(t, "one_minus_alpha") >= 0 &&
	    (column(t, "dalpha_dgamma") >= 0 || (column(t, "dalpha_dt") >= 0 && column(t, "gamma_max") >= 0)))
		check_values(t);
	for (int c = 0; c < t->columns; c++)
		if (strncmp(t->head[c], "gamma_alpha_", 12) == 0) {
			check_gammas(t);
			break;
		}
	if (column(t, "max_abs_err_alpha") >= 0 && column(t, "max_abs_err_dalpha_dt") >= 0 && column(t, "degree") >= 0)
		check_polynomials(t);
}

static void
check_normal(void)
{
	struct tally_of t = { 0 }, q = { 0 };

	compare(&t, normal_erfcx(3), 0.17900115118138995, 0, 1e-15);
	compare(&t, normal_erfcx(100), 0.005641613782989433, 0, 1e-15);
	compare(&t, normal_log_cdf(-1000), -500007.8266948121851, 0, 1e-15);
	compare(&t, normal_log_cdf(-5.6), normal_log_cdf(-5.7) + 0.1 * 5.817, 1e-3, 0);
	compare(&t, normal_log_cdf(8), -6.220960574271785e-16, 0, 1e-12);
	compare(&t, normal_log_cdf(0), -M_LN2, 0, 1e-15);
	compare(&t, normal_log_mean_exp(1, 1, 40), 0.5, 0, 1e-14);
	TALLY(t, "log Phi, erfcx and a mean of exponentials");
	for (double p = 1e-300; p < 0.5; p *= 3.7)
		compare(&q, normal_log_cdf(normal_quantile(p)), log(p), 4e-16, 2e-15);
	for (double u = 1e-20; u < 700; u *= 3.1)
		compare(&q, normal_log_cdf(normal_quantile_log(-u)), -u, 0, 1e-14);
	TALLY(q, "quantiles there and back");
}

static void
check_window(void)
{
	struct operator_window w = operator_window_for(27), wrong = { 1, -1 }, nan = { NAN, 1 };
	struct operator_poly p, fine;
	struct error e;
	double slope, up, down, h = 1e-5;

	CHECK(fabs(w.min + 2.70) < 0.01 && fabs(w.max - 1.58) < 0.01, "the window of 27 tokens: %.3f to %.3f", w.min,
	    w.max);
	CHECK(operator_window_check(&wrong, &e) == ST_USAGE && strstr(e.msg, "1 to -1"),
	    "a window the wrong way round");
	CHECK(operator_window_check(&nan, NULL) == ST_USAGE, "a window without a number");
	CHECK(operator_fit(27, &w, 99, &p, NULL) == ST_USAGE, "a degree that is too large");
	bool fits = operator_fit(27, &w, 9, &p, NULL) == ST_OK && operator_fit(27, &w, 17, &fine, NULL) == ST_OK;
	if (!CHECK(fits && p.error_alpha < 3e-4 && fine.error_alpha < 2e-7, "polynomials of degree 9 and 17"))
		return;
	printf("#  off by %.1e and %.1e\n", p.error_alpha, fine.error_alpha);
	operator_poly_at(&p, 0.4, &slope);
	up = operator_poly_at(&p, 0.4 + h, NULL);
	down = operator_poly_at(&p, 0.4 - h, NULL);
	CHECK(fabs(slope - (up - down) / (2 * h)) < 1e-8, "the polynomial's slope");
}

int
main(void)
{
	each_table(check_table);
	if (cases == 0)
		check_skip("no tables of the operator T below PSIVIEW_GOLDEN");
	check_normal();
	check_window();
	return check_done();
}
