/* corrupt.c: see corrupt.h. */
#include "train/corrupt.h"

void
corrupt(const struct noise *n, int L, const int32_t *x, int mask, int K, double na, bool first_fixed, int32_t *z)
{
	struct noise at = *n;

	for (int l = 0; l < L; l++) {
		at.pos = (uint32_t)l;
		at.nonce = 0;
		z[l] = x[l];
		if ((l == 0 && first_fixed) || noise_scalar(&at, STAGE_FORWARD) >= na)
			continue;
		at.nonce = 1;
		z[l] = mask >= 0 ? mask : noise_token(&at, STAGE_FORWARD, K);
	}
}
