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
