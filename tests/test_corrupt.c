/*
 * test_corrupt.c: the forward process: tokens by their law (chi-square,
 * p > 1e-4, seeded), the ends, the first position.
 */
#include <string.h>

#include "check.h"
#include "chi_square.h"
#include "train/corrupt.h"

enum { K = 5, L = 40, N = 1000 };

static void
check_law(int mask, double na)
{
	long count[K] = { 0 };
	double law[K];
	int32_t x[L], z[L];

	for (int l = 0; l < L; l++)
		x[l] = 2;
	for (uint32_t i = 0; i < N; i++) {
		struct noise n = { .seed = 8, .step = 3, .sample = i };
		corrupt(&n, L, x, mask, K, na, false, z);
		for (int l = 0; l < L; l++)
			count[z[l]]++;
	}
	for (int j = 0; j < K; j++)
		law[j] = (1 - na) * (j == 2) + (mask >= 0 ? na * (j == mask) : na / K);
	double p = chi_square_p(K, law, count, (double)N * L);
	CHECK(p > 1e-4, "%s noise at 1 - alpha = %g: p = %.3f", mask >= 0 ? "masked" : "uniform", na, p);
}

int
main(void)
{
	int32_t x[L], z[L], again[L];
	struct noise n = { .seed = 1 };
	int masked = 0;

	check_law(-1, 0.3);
	check_law(-1, 0.95);
	check_law(4, 0.3);
	check_law(4, 0.95);
	for (int l = 0; l < L; l++)
		x[l] = l % 4;
	corrupt(&n, L, x, 4, K, 0, false, z);
	CHECK(memcmp(x, z, sizeof z) == 0, "no noise");
	corrupt(&n, L, x, 4, K, 1, true, z);
	for (int l = 1; l < L; l++)
		masked += z[l] == 4;
	CHECK(z[0] == x[0] && masked == L - 1, "all noise, but the first position stays");
	corrupt(&n, L, x, -1, K, 0.5, false, z);
	memcpy(again, x, sizeof x);
	corrupt(&n, L, again, -1, K, 0.5, false, again);
	CHECK(memcmp(z, again, sizeof z) == 0, "in place, and the same again");
	return check_done();
}
