/* rng.c: see rng.h. */
#include "base/rng.h"

#include <math.h>

#define M0 0xD2511F53u
#define M1 0xCD9E8D57u
#define W0 0x9E3779B9u
#define W1 0xBB67AE85u

void
philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
	uint32_t k0 = key[0], k1 = key[1];

	for (int r = 0; r < 10; r++) {
		uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
		uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)p1;
		c3 = (uint32_t)p0;
		c0 = n0;
		c2 = n2;
		k0 += W0;
		k1 += W1;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

static void
block(const struct noise *n, enum stage stage, uint32_t quad, uint32_t out[4])
{
	uint32_t key[2] = { (uint32_t)n->seed, (uint32_t)(n->seed >> 32) };
	uint32_t ctr[4] = { n->pos | (uint32_t)stage << 24, quad | (uint32_t)n->nonce << 16, n->step, n->sample };

	philox4x32(ctr, key, out);
}

double
noise_scalar(const struct noise *n, enum stage stage)
{
	uint32_t w[4];

	block(n, stage, 0, w);
	uint64_t bits = (uint64_t)w[0] << 32 | w[1];
	return (double)(bits >> 11) * 0x1p-53;
}

int
noise_token(const struct noise *n, enum stage stage, int K)
{
	uint32_t w[4];

	block(n, stage, 0, w);
	uint64_t bits = (uint64_t)w[0] << 32 | w[1];
	return (int)(((unsigned __int128)bits * (unsigned)K) >> 64);
}

void
noise_words(const struct noise *n, enum stage stage, int first, int count, uint32_t *word)
{
	for (int i = 0; i < count; i += 4) {
		uint32_t w[4];
		block(n, stage, (uint32_t)(first + i) / 4, w);
		for (int j = 0; j < 4 && i + j < count; j++)
			word[i + j] = w[j];
	}
}

double
noise_gumbel(uint32_t word)
{
	return -log(-log(((double)word + 0.5) * 0x1p-32));
}
