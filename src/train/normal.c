/* normal.c: see normal.h. */
#include "train/normal.h"

#include <math.h>

#define SQRT_2PI 2.50662827463100050242

/* Laplace's continued fraction from the back; 60 terms are enough from y = 3. */
double
normal_erfcx(double y)
{
	double f = y;

	for (int n = 60; n > 0; n--)
		f = y + 0.5 * n / f;
	return M_2_SQRTPI / 2 / f;
}

double
normal_log_cdf(double h)
{
	double y = -h * M_SQRT1_2;

	if (h > 0)
		return log1p(-0.5 * erfc(-y));
	if (y < 4)
		return log(0.5 * erfc(y));
	return log(0.5 * normal_erfcx(y)) - y * y;
}

/* Acklam's rational approximation (relative error 1e-9), p <= 1/2. */
static double
quantile_guess(double p)
{
	static const double a[] = { -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02,
		1.383577518672690e+02, -3.066479806614716e+01, 2.506628277459239e+00 };
	static const double b[] = { -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
		6.680131188771972e+01, -1.328068155288572e+01 };
	static const double c[] = { -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
		-2.549732539343734e+00, 4.374664141464968e+00, 2.938163982698783e+00 };
	static const double d[] = { 7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
		3.754408661907416e+00 };

	if (p < 0.02425) {
		double q = sqrt(-2 * log(p));
		return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
		    ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
	}
	double q = p - 0.5, r = q * q;
	return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
	    (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

/* The approximation and one step of Halley's rule. */
double
normal_quantile(double p)
{
	if (p > 0.5)
		return -normal_quantile(1 - p);
	double x = quantile_guess(p);
	double u = (0.5 * erfc(-x * M_SQRT1_2) - p) * SQRT_2PI * exp(x * x / 2);
	return x - u / (1 + x * u / 2);
}

double
normal_quantile_log(double log_u)
{
	return log_u > -M_LN2 ? -normal_quantile(-expm1(log_u)) : normal_quantile(exp(log_u));
}

/* With v = s / tau and h = c / s it is v^2/2 + log Phi(h - v) - log Phi(h).
 * Far in the tail v^2 goes against the square inside log Phi. */
double
normal_log_mean_exp(double s, double tau, double c)
{
	double v = s / tau, h = c / s;

	if (v - h > 6)
		return c / tau - h * h / 2 + log(0.5 * normal_erfcx((v - h) * M_SQRT1_2)) - normal_log_cdf(h);
	return v * v / 2 + normal_log_cdf(h - v) - normal_log_cdf(h);
}
