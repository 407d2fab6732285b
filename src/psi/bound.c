/* bound.c: see bound.h. */
#include "psi/bound.h"

#include <math.h>

#include "psi/posterior.h"

/* d - log(ratio) >= 0 with ratio = 1 + d: a series near 0, where the two
 * cancel; elsewhere from the ratio, which has the digits when d is near -1. */
static double
excess(double d, double ratio)
{
	if (fabs(d) > 0.05)
		return d - log(ratio);
	double sum = 0, power = d * d;
	for (int k = 2; k <= 14; k++) {
		sum += (k % 2 ? -power : power) / k;
		power *= d;
	}
	return sum;
}

/* sum of p log(p/q) - p + q: each term >= 0, and the same sum for two laws. */
double
bound_kl(int K, const double *p, const double *q)
{
	double sum = 0;

	for (int j = 0; j < K; j++)
		sum += p[j] > 0 ? p[j] * excess((q[j] - p[j]) / p[j], q[j] / p[j]) : q[j];
	return sum;
}

/* Uniform noise: with P_j = xb_j / xb_z and Q_j = xt_j / xt_z the bracket of
 * section 9 is sum_j P_j log(P_j/Q_j) - P_j + Q_j = sum_j P_j (d - log(1+d)),
 * d = Q_j/P_j - 1, whose numerator is written out so that a near 0 keeps its
 * digits. */
static double
nelbo_uniform(int K, int x0, int z, const double *x, double a, double na, double slope)
{
	double ka = K * a, sum = 0;
	double hit = x0 == z, xb_z = ka * hit + na, xt_z = ka * x[z] + na;

	for (int j = 0; j < K; j++) {
		double is = j == x0, xb = ka * is + na, xt = ka * x[j] + na;
		double cross = ka * (x[j] * hit - is * x[z]) + na * (x[j] + hit - is - x[z]);
		sum += xb / xb_z * excess(ka * cross / (xt_z * xb), xt / xt_z * (xb_z / xb));
	}
	return -slope / ka * sum;
}

double
bound_nelbo(int K, int mask, int x0, int z, const double *x, double a, double na, double slope)
{
	if (mask < 0)
		return nelbo_uniform(K, x0, z, x, a, na, slope);
	return z == mask ? slope / na * log(x[x0]) : 0;
}

double
bound_psi_step(int K, int mask, int x0, int z, const double *x, double a, double na, double b, double nb, double kappa,
    double *scratch)
{
	double *true_x = scratch, *q = scratch + K, *q0 = scratch + 2 * K;
	double *psi = scratch + 3 * K, *psi_theta = scratch + 4 * K;

	for (int j = 0; j < K; j++)
		true_x[j] = j == x0;
	for (int theta = 0; theta < 2; theta++) {
		const double *of = theta ? x : true_x;
		posterior_q(K, mask, of, z, a, na, b, nb, q);
		posterior_q(K, mask, of, z, a, na, 1, 0, q0);
		posterior_psi(K, mask, q, q0, b, nb, kappa, theta ? psi_theta : psi);
	}
	return bound_kl(K, psi, psi_theta);
}

double
bound_reconstruction(int K, int mask, int x0, int z, const double *x, double a, double na, double *scratch)
{
	posterior_q(K, mask, x, z, a, na, 1, 0, scratch);
	return -log(scratch[x0]);
}

double
bound_prior(int K, int mask, double a, double na)
{
	if (mask >= 0)
		return a > 0 ? INFINITY : 0;
	/* one entry a + na/K, K-1 entries na/K, against 1/K */
	double top = a + na / K;
	return top * excess(-a * (K - 1) / K / top, 1 / (K * top)) + (K - 1) * na / K * excess(a / na, 1 / na);
}
