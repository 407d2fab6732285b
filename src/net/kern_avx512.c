/*
 * kern_avx512.c: kernels for CPUs with AVX-512.  The product tile is 12 x 32:
 * 24 accumulators, two registers of b, one or two of a.
 */
#if defined(__x86_64__)
#include "net/kern.h"

#include <immintrin.h>

#define VW 16
#define KERN_TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define V_MUL32(a, b) ((vu)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#include "net/kern_body.h"
#include "net/kern_image_body.h"

#define MR 12
#define NR 32

/* a(i, p) at a[i row + p step]. */
KERN void
tile_rows(const int m, int k, const float *a, size_t row, size_t step, const float *b, float *c, size_t ldc, bool add)
{
	__m512 acc[MR][2];

#pragma GCC unroll 12
	for (int i = 0; i < m; i++)
		acc[i][0] = acc[i][1] = _mm512_setzero_ps();
	for (int p = 0; p < k; p++, b += NR) {
		__m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);
#pragma GCC unroll 12
		for (int i = 0; i < m; i++) {
			__m512 v = _mm512_set1_ps(a[(size_t)i * row + (size_t)p * step]);
			acc[i][0] = _mm512_fmadd_ps(v, b0, acc[i][0]);
			acc[i][1] = _mm512_fmadd_ps(v, b1, acc[i][1]);
		}
	}
#pragma GCC unroll 12
	for (int i = 0; i < m; i++) {
		float *to = c + (size_t)i * ldc;
		if (add) {
			acc[i][0] = _mm512_add_ps(acc[i][0], _mm512_loadu_ps(to));
			acc[i][1] = _mm512_add_ps(acc[i][1], _mm512_loadu_ps(to + 16));
		}
		_mm512_storeu_ps(to, acc[i][0]);
		_mm512_storeu_ps(to + 16, acc[i][1]);
	}
}

KERN_FN void
tile(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)
{
	switch (m) {
	case 1: tile_rows(1, k, a, lda, 1, b, c, ldc, add); break;
	case 2: tile_rows(2, k, a, lda, 1, b, c, ldc, add); break;
	case 3: tile_rows(3, k, a, lda, 1, b, c, ldc, add); break;
	case 4: tile_rows(4, k, a, lda, 1, b, c, ldc, add); break;
	case 5: tile_rows(5, k, a, lda, 1, b, c, ldc, add); break;
	case 6: tile_rows(6, k, a, lda, 1, b, c, ldc, add); break;
	case 7: tile_rows(7, k, a, lda, 1, b, c, ldc, add); break;
	case 8: tile_rows(8, k, a, lda, 1, b, c, ldc, add); break;
	case 9: tile_rows(9, k, a, lda, 1, b, c, ldc, add); break;
	case 10: tile_rows(10, k, a, lda, 1, b, c, ldc, add); break;
	case 11: tile_rows(11, k, a, lda, 1, b, c, ldc, add); break;
	default: tile_rows(12, k, a, lda, 1, b, c, ldc, add); break;
	}
}

KERN_FN void
outer(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)
{
	switch (m) {
	case 1: tile_rows(1, k, a, 1, lda, b, c, ldc, add); break;
	case 2: tile_rows(2, k, a, 1, lda, b, c, ldc, add); break;
	case 3: tile_rows(3, k, a, 1, lda, b, c, ldc, add); break;
	case 4: tile_rows(4, k, a, 1, lda, b, c, ldc, add); break;
	case 5: tile_rows(5, k, a, 1, lda, b, c, ldc, add); break;
	case 6: tile_rows(6, k, a, 1, lda, b, c, ldc, add); break;
	case 7: tile_rows(7, k, a, 1, lda, b, c, ldc, add); break;
	case 8: tile_rows(8, k, a, 1, lda, b, c, ldc, add); break;
	case 9: tile_rows(9, k, a, 1, lda, b, c, ldc, add); break;
	case 10: tile_rows(10, k, a, 1, lda, b, c, ldc, add); break;
	case 11: tile_rows(11, k, a, 1, lda, b, c, ldc, add); break;
	default: tile_rows(12, k, a, 1, lda, b, c, ldc, add); break;
	}
}

const struct kern kern_avx512 = {
	.name = "avx512",
	.mr = MR,
	.nr = NR,
	.tile = tile,
	.outer = outer,
	.norm = kern_norm,
	.softmax = kern_softmax,
	.gelu = kern_gelu,
	.silu = kern_silu,
	.add = kern_add,
	.gate_add = kern_gate_add,
	.rope = kern_rope,
	.scale = kern_scale,
	.axpy = kern_axpy,
	.dot = kern_dot,
	.mask = kern_mask,
	.gelu_back = kern_gelu_back,
	.silu_back = kern_silu_back,
	.softmax_back = kern_softmax_back,
	.norm_back = kern_norm_back,
	.image = &kern_image,
};
#else
typedef int kern_avx512_unused;
#endif
