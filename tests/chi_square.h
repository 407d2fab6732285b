/*
 * chi_square.h: the p-value of counts under a law, for the tests of draws.
 */
#ifndef PSI_TESTS_CHI_SQUARE_H
#define PSI_TESTS_CHI_SQUARE_H

#include <math.h>

/* Upper regularised incomplete gamma Q(a, x): series below a + 1, continued
 * fraction (Lentz) above. */
static double
gamma_upper(double a, double x)
{
	double log_front = a * log(x) - x - lgamma(a);

	if (x <= 0)
		return 1;
	if (x < a + 1) {
		double term = 1 / a, sum = term;
		for (int n = 1; n < 10000 && term > sum * 1e-16; n++)
			sum += term *= x / (a + n);
		return 1 - sum * exp(log_front);
	}
	double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
	for (int n = 1; n < 10000; n++) {
		double an = -n * (n - a);
		b += 2;
		d = 1 / (an * d + b);
		c = b + an / c;
		h *= d * c;
		if (fabs(d * c - 1) < 1e-15)
			break;
	}
	return exp(log_front) * h;
}

/* p-value of count[K] (sum n) under law[K]; cells with an expectation below 8
 * are put together.  0 if a token of probability 0 was counted. */
__attribute__((unused)) static double
chi_square_p(int K, const double *law, const long *count, double n)
{
	double sum = 0, rest = 0;
	long rest_count = 0;
	int cells = 0;

	for (int j = 0; j < K; j++) {
		double expect = law[j] * n;
		if (law[j] <= 0 && count[j] > 0)
			return 0;
		if (expect < 8) {
			rest += expect;
			rest_count += count[j];
			continue;
		}
		sum += (count[j] - expect) * (count[j] - expect) / expect;
		cells++;
	}
	if (rest >= 8) {
		sum += (rest_count - rest) * (rest_count - rest) / rest;
		cells++;
	} else if (rest_count > rest + 6 * sqrt(rest) + 6) {
		return 0;
	}
	return cells > 1 ? gamma_upper((cells - 1) / 2.0, sum / 2) : 1;
}

#endif
