/* posterior.c: see posterior.h. */
#include "psi/posterior.h"

#include <math.h>
#include <string.h>

static void
one_hot(int K, int z, double *out)
{
	memset(out, 0, (size_t)K * sizeof *out);
	out[z] = 1;
}

double
posterior_gap(double a, double na, double b, double nb)
{
	return a < 0.5 ? b - a : na - nb;
}

static void
normalise(int K, int z, double *out)
{
	double sum = 0;

	for (int j = 0; j < K; j++)
		sum += out[j];
	if (!(sum > 0)) {
		one_hot(K, z, out);
		return;
	}
	for (int j = 0; j < K; j++)
		out[j] /= sum;
}

void
posterior_q(int K, int mask, const double *x, int z, double a, double na, double b, double nb, double *out)
{
	double gap = posterior_gap(a, na, b, nb);

	if (mask >= 0) {
		if (z != mask) {
			one_hot(K, z, out);
			return;
		}
		double unmask = na > 0 ? gap / na : 1;
		for (int j = 0; j < K; j++)
			out[j] = unmask * x[j];
		out[mask] += na > 0 ? nb / na : 0;
		return;
	}
	/* (r - a) = r (1-b) and (1-r) = (b-a)/b: exactly z when a = b. */
	double r = a / b, kax = K * a * x[z], D = kax + na;
	double noise = gap / b * nb / K;
	if (!(D > 0)) {
		one_hot(K, z, out);
		return;
	}
	for (int j = 0; j < K; j++)
		out[j] = (gap * x[j] + noise) / D;
	out[z] = (kax + r * nb + gap * x[z] + noise) / D;
}

void
posterior_q_published(int K, int mask, const double *x, int z, double a, double na, double b, double nb, double *out)
{
	if (mask < 0) {
		posterior_q(K, mask, x, z, a, na, b, nb, out);
		return;
	}
	memcpy(out, x, (size_t)K * sizeof *out);
	if (z == mask) {
		double unmask = na > 0 ? posterior_gap(a, na, b, nb) / na : 1;
		for (int j = 0; j < K; j++)
			out[j] *= unmask;
		out[mask] = na > 0 ? nb / na : 0;
	}
	normalise(K, z, out);
}

void
posterior_q_bayes(int K, int mask, const double *x, int z, double a, double na, double b, double nb, double *out)
{
	double gap = posterior_gap(a, na, b, nb);

	if (mask < 0 || z != mask) {
		posterior_q(K, mask, x, z, a, na, b, nb, out);
		return;
	}
	/* q(mask|j) = 1 - a/b for a token, 1 for the mask itself */
	for (int j = 0; j < K; j++)
		out[j] = gap * x[j];
	out[mask] = b * x[mask] + nb;
	normalise(K, z, out);
}

void
posterior_psi(int K, int mask, const double *q_st, const double *q_0t, double b, double nb, double kappa, double *out)
{
	double clean = (1 - kappa) * b, noise = (1 - kappa) * nb;

	for (int j = 0; j < K; j++)
		out[j] = kappa * q_st[j] + clean * q_0t[j];
	if (mask >= 0) {
		out[mask] += noise;
		return;
	}
	for (int j = 0; j < K; j++)
		out[j] += noise / K;
}

void
posterior_sedd(int K, int mask, const double *log_score, int z, double sigma_t, double sigma_s, int last, double *out)
{
	double ds = last ? sigma_t : sigma_t - sigma_s;
	double grow = exp(ds), stay = exp(-ds), leave = -expm1(-ds), sum = 0;

	for (int j = 0; j < K; j++) {
		out[j] = exp(log_score[j]);
		sum += out[j];
	}
	/* staggered score, then the transposed transition */
	for (int j = 0; j < K; j++) {
		double stag = grow * out[j] + (j == mask ? -expm1(ds) * sum : 0);
		double move = (z == mask ? leave : 0) + (j == z ? stay : 0);
		out[j] = fmax(stag * move, 0);
	}
	if (last)
		out[mask] = 0;
	normalise(K, z, out);
}
