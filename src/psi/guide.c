/* guide.c: see guide.h. */
#include "psi/guide.h"

#include <math.h>
#include <string.h>

#include "psi/vocab.h"

void
guide_mix(int V, const float *log_c, const float *log_u, double g, float *out)
{
	const float *only = g == 0 ? log_u : g == 1 ? log_c : NULL;
	float gc = (float)g, gu = (float)(1 - g);

	if (only) {
		if (out != only)
			memcpy(out, only, (size_t)V * sizeof *out);
		return;
	}
	/* log c is needed again when nothing is left: look before writing */
	bool any = false;
	for (int j = 0; j < V && !any; j++)
		any = log_c[j] > -INFINITY && log_u[j] > -INFINITY;
	if (!any) {
		if (out != log_c)
			memcpy(out, log_c, (size_t)V * sizeof *out);
		return;
	}
	for (int j = 0; j < V; j++)
		out[j] = log_c[j] > -INFINITY && log_u[j] > -INFINITY ? gc * log_c[j] + gu * log_u[j] : -INFINITY;
	vocab_shift(V, out, vocab_log_sum(V, out));
}

void
guide_mix_double(int V, const double *log_c, const double *log_u, double g, double *out)
{
	const double *only = g == 0 ? log_u : g == 1 ? log_c : NULL;
	double top = -INFINITY, sum = 0;

	for (int j = 0; !only && j < V; j++)
		if (log_c[j] > -INFINITY && log_u[j] > -INFINITY)
			top = fmax(top, g * log_c[j] + (1 - g) * log_u[j]);
	if (!only && top == -INFINITY)
		only = log_c;
	if (only) {
		if (out != only)
			memcpy(out, only, (size_t)V * sizeof *out);
		return;
	}
	for (int j = 0; j < V; j++) {
		bool both = log_c[j] > -INFINITY && log_u[j] > -INFINITY;
		out[j] = both ? g * log_c[j] + (1 - g) * log_u[j] - top : -INFINITY;
		sum += exp(out[j]);
	}
	for (int j = 0; j < V; j++)
		out[j] -= log(sum);
}

void
guide_mix_law(int K, const double *c, const double *u, double g, double *out)
{
	const double *only = g == 0 ? u : g == 1 ? c : NULL;
	double top = -INFINITY, sum = 0;

	for (int j = 0; !only && j < K; j++)
		if (c[j] > 0 && u[j] > 0)
			top = fmax(top, g * log(c[j]) + (1 - g) * log(u[j]));
	if (!only && top == -INFINITY)
		only = c;
	if (only) {
		if (out != only)
			memcpy(out, only, (size_t)K * sizeof *out);
		return;
	}
	for (int j = 0; j < K; j++) {
		out[j] = c[j] > 0 && u[j] > 0 ? exp(g * log(c[j]) + (1 - g) * log(u[j]) - top) : 0;
		sum += out[j];
	}
	for (int j = 0; j < K; j++)
		out[j] /= sum;
}

bool
guide_tilt(int K, const float *ratio, int z, double g, double *q)
{
	double top = -INFINITY, sum = 0, at = (double)ratio[z];

	for (int j = 0; j < K; j++) {
		if (!isfinite(ratio[j]))
			return false;
		if (q[j] > 0)
			top = fmax(top, log(q[j]) + g * ((double)ratio[j] - at));
	}
	if (!isfinite(top))
		return false;
	for (int j = 0; j < K; j++) {
		q[j] = q[j] > 0 ? exp(log(q[j]) + g * ((double)ratio[j] - at) - top) : 0;
		sum += q[j];
	}
	for (int j = 0; j < K; j++)
		q[j] /= sum;
	return true;
}
