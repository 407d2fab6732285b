/*
 * rng.h: counter-based random numbers (Philox 4x32-10; Salmon et al., SC'11).
 *
 * draw = f(seed, sample, step, position, stage, nonce): nothing is stored, so
 * a draw does not depend on threads, on batch size or on how one got there.
 * The counter words are
 *     word 0   position | stage << 24          (position < 2^24, stage < 2^8)
 *     word 1   token / 4 (0 for scalars) | nonce << 16     (token < 2^18)
 *     word 2   step
 *     word 3   sample
 * and the key is the seed.  Pure functions, any thread.
 */
#ifndef PSI_BASE_RNG_H
#define PSI_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

/* Which use of randomness a draw belongs to.  The numbers are part of the
 * definition of a recipe: never renumber. */
enum stage {
	STAGE_START = 0,     /* the prior's token at t = 1 */
	STAGE_PART = 1,      /* u1 < kappa: predictor or corrector */
	STAGE_CLEAN = 2,     /* u2 < b: corrector clean or noise */
	STAGE_MIX = 3,       /* u: from x_theta, uniform, stay */
	STAGE_UNIFORM = 4,   /* a uniform token */
	STAGE_TOKEN = 5,     /* Gumbel noise of a token from x_theta */
	STAGE_REMOVAL = 6,   /* scalars of noise removal */
	STAGE_FORWARD = 7,   /* forward noising (renoise, bounds) */
	STAGE_TIME = 8,      /* t of a bound */
	STAGE_DROPOUT = 9,
	STAGE_DATA = 10,
	STAGE_INIT = 11,     /* initial weights */
};

struct noise {           /* names one position's stream of draws */
	uint64_t seed;
	uint32_t step, sample, pos;
	uint16_t nonce;
};

/* Uniform in [0,1) with 53 bits. */
double noise_scalar(const struct noise *n, enum stage stage);

/* A token uniform in 0..K-1 (multiply-shift on 64 bits: bias below K/2^64). */
int noise_token(const struct noise *n, enum stage stage, int K);

/* Raw words for tokens first..first+count-1 of a row, first % 4 == 0.  A
 * token's Gumbel is -log(-log(u)) with u = (word + 0.5) / 2^32 in double. */
void noise_words(const struct noise *n, enum stage stage, int first, int count, uint32_t *word);

/* The Gumbel of one word, in double. */
double noise_gumbel(uint32_t word);

#endif
