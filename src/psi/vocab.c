/*
 * vocab.c: see vocab.h.  The bodies stand in vocab_body.h and are compiled for
 * the baseline and, on x86-64, for AVX2 (without FMA, so that both round
 * alike); which one runs is decided at the first use.
 */
#include "psi/vocab.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define BLOCK VOCAB_BLOCK /* tokens; 32 counters: more than compilers unroll away */

static inline float
choose(bool yes, float a, float b)
{
	uint32_t x, y, mask = yes ? 0xffffffffu : 0;
	float out;

	memcpy(&x, &a, sizeof x);
	memcpy(&y, &b, sizeof y);
	x = (x & mask) | (y & ~mask);
	memcpy(&out, &x, sizeof out);
	return out;
}

/* (w + 1/2) / 2^32 in float; relative error 2^-24. */
static inline float
uniform(uint32_t w)
{
	/* by halves: an unsigned conversion that every vector unit has */
	float high = (float)(int32_t)(w >> 16), low = (float)(int32_t)(w & 0xffffu);

	return (high * 65536.0f + (low + 0.5f)) * 0x1p-32f;
}

/* A last, short block: what is missing cannot be drawn and adds nothing. */
static const float *
padded(const float *x, int n, float pad[BLOCK])
{
	for (int i = 0; i < BLOCK; i++)
		pad[i] = -INFINITY;
	memcpy(pad, x, (size_t)n * sizeof *x);
	return pad;
}

/* Smallest of the lanes; on equal values the lowest token. */
static int
first_best(const float best[BLOCK], const int32_t where[BLOCK], int lanes)
{
	int at = 0;

	for (int i = 1; i < lanes; i++)
		if (best[i] < best[at] || (best[i] == best[at] && (uint32_t)where[i] < (uint32_t)where[at]))
			at = i;
	return where[at];
}

static float
highest(const float x[BLOCK], int lanes)
{
	float top = x[0];

	for (int i = 1; i < lanes; i++)
		top = x[i] > top ? x[i] : top;
	return top;
}

static double
none_or_nan(int V, const float *x)
{
	for (int j = 0; j < V; j++)
		if (x[j] != x[j])
			return NAN;
	return -INFINITY;
}

#define FORM(name) name##_base
#define TARGET
#include "psi/vocab_body.h"
#undef FORM
#undef TARGET

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2 1
#define FORM(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#include "psi/vocab_body.h"
#undef FORM
#undef TARGET
#endif

static atomic_int forced;

static bool
use_avx2(void)
{
#ifdef HAVE_AVX2
	return !atomic_load_explicit(&forced, memory_order_relaxed) && __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

const char *
vocab_name(void)
{
	return use_avx2() ? "avx2" : "baseline";
}

void
vocab_force_baseline(bool on)
{
	atomic_store_explicit(&forced, on, memory_order_relaxed);
}

double
vocab_log_sum(int V, const float *x)
{
#ifdef HAVE_AVX2
	if (use_avx2())
		return log_sum_avx2(V, x);
#endif
	return log_sum_base(V, x);
}

int
vocab_draw(int V, const float *log_w, const struct noise *n, enum stage stage)
{
#ifdef HAVE_AVX2
	if (use_avx2())
		return draw_avx2(V, log_w, n, stage);
#endif
	return draw_base(V, log_w, n, stage);
}

void
vocab_exp(int n, const float *x, float *out)
{
	float pad[BLOCK];
	const float *in = n < BLOCK ? padded(x, n, pad) : x;

#ifdef HAVE_AVX2
	if (use_avx2()) {
		exp_block_avx2(in, out);
		return;
	}
#endif
	exp_block_base(in, out);
}

void
vocab_shift(int V, float *x, double by)
{
	for (int j = 0; j < V; j++)
		x[j] = (float)((double)x[j] - by);
}

int
vocab_draw_law(int K, const double *q, const struct noise *n, enum stage stage)
{
	double best = INFINITY;
	uint32_t word[BLOCK];
	int at = -1;

	for (int j = 0; j < K; j++) {
		if (j % BLOCK == 0)
			noise_words(n, stage, j, K - j < BLOCK ? K - j : BLOCK, word);
		if (!(q[j] > 0))
			continue;
		double e = -log1p(-((double)~word[j % BLOCK] + 0.5) * 0x1p-32) / q[j];
		if (e < best) {
			best = e;
			at = j;
		}
	}
	return at;
}
