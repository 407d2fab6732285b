/* metric.c: see metric.h. */
#include "psi/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int
by_id(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

double
metric_entropy(int n, const int32_t *tok)
{
	int32_t *sorted = mem_calloc((size_t)n, sizeof *sorted);
	double sum = 0;
	int used = 0;

	if (!sorted)
		return NAN;
	for (int i = 0; i < n; i++)
		if (tok[i] >= 0)
			sorted[used++] = tok[i];
	qsort(sorted, (size_t)used, sizeof *sorted, by_id);
	for (int i = 0, j; i < used; i = j) {
		for (j = i; j < used && sorted[j] == sorted[i]; j++)
			;
		double p = (double)(j - i) / used;
		sum -= p * log(p);
	}
	free(sorted);
	return sum;
}

/* P(|T| <= t), T of Student's law with df degrees of freedom: the finite sums
 * of Abramowitz & Stegun 26.7.3 and 26.7.4. */
static double
student_within(int df, double t)
{
	double angle = atan(t / sqrt(df)), c2 = cos(angle) * cos(angle), term = 1, sum = 0;

	/* odd: cos + 2/3 cos^3 + ...; even: 1 + 1/2 cos^2 + ... */
	for (int k = 1 + df % 2; k < df; k += 2) {
		sum += term;
		term *= c2 * k / (k + 1);
	}
	if (df % 2 == 0)
		return sin(angle) * sum;
	return 2 / M_PI * (angle + sin(angle) * cos(angle) * sum);
}

double
metric_student(int df)
{
	double lo = 0, hi = 16; /* df 1: 12.7 */

	while (hi - lo > 1e-13 * hi) {
		double mid = lo + (hi - lo) / 2;
		if (mid == lo || mid == hi)
			break;
		if (student_within(df, mid) < .95)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

struct interval
metric_mean(int n, const double *x)
{
	struct interval out = { NAN, NAN, NAN };
	double sum = 0, square = 0;

	if (n < 1)
		return out;
	for (int i = 0; i < n; i++)
		sum += x[i];
	out.mean = sum / n;
	for (int i = 0; i < n; i++)
		square += (x[i] - out.mean) * (x[i] - out.mean);
	if (n > 1) {
		double half = metric_student(n - 1) * sqrt(square / (n - 1) / n);
		out.lo = out.mean - half;
		out.hi = out.mean + half;
	}
	return out;
}

struct interval
metric_share(long hits, long n)
{
	const double z = 1.959963984540054, z2 = z * z;

	if (n < 1)
		return (struct interval){ NAN, NAN, NAN };
	double N = (double)n, p = (double)hits / N, middle = (p + z2 / (2 * N)) / (1 + z2 / N);
	double half = z / (1 + z2 / N) * sqrt(p * (1 - p) / N + z2 / (4 * N * N));
	/* exact at the ends, where rounding would leave them a hair outside */
	return (struct interval){ p, hits == 0 ? 0 : middle - half, hits == n ? 1 : middle + half };
}
