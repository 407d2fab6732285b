/* alpha.c: see alpha.h. */
#include "psi/alpha.h"

#include <math.h>

/* With t' = (1 - eps) t: log-linear alpha = 1 - t'; cosine alpha =
 * 1 - cos(pi/2 (1 - t')) = 2 sin^2(pi/4 (1 - t')), 1 - alpha = sin(pi/2 t'). */

double
alpha_at(const struct alpha *a, double t)
{
	double tp = (1 - a->eps) * t;

	if (a->kind == ALPHA_LOGLINEAR)
		return 1 - tp;
	double h = sin(M_PI_4 * (1 - tp));
	return 2 * h * h;
}

double
alpha_noise(const struct alpha *a, double t)
{
	double tp = (1 - a->eps) * t;

	return a->kind == ALPHA_LOGLINEAR ? tp : sin(M_PI_2 * tp);
}

double
alpha_slope(const struct alpha *a, double t)
{
	double c = 1 - a->eps;

	if (a->kind == ALPHA_LOGLINEAR)
		return -c;
	return -c * M_PI_2 * cos(M_PI_2 * c * t);
}

double
alpha_sigma(const struct alpha *a, double t)
{
	double noise = alpha_noise(a, t);

	return noise < 0.5 ? -log1p(-noise) : -log(alpha_at(a, t));
}

/* t' of a given alpha; each branch keeps its digits at its own end. */
static double
time_without_eps(const struct alpha *a, double alpha)
{
	if (a->kind == ALPHA_LOGLINEAR)
		return 1 - alpha;
	if (alpha > 0.5)
		return asin(1 - alpha) / M_PI_2;
	return 1 - asin(sqrt(alpha / 2)) / M_PI_4;
}

double
alpha_time(const struct alpha *a, double alpha)
{
	return time_without_eps(a, alpha) / (1 - a->eps);
}

double
alpha_time_published(const struct alpha *a, double alpha)
{
	return time_without_eps(a, alpha);
}
