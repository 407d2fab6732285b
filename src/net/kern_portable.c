/*
 * kern_portable.c: row kernels for any CPU (vectors of four, which compilers
 * lower where there are none).  The trunk's products go to BLAS; the head's
 * tile is 4 x 8, because BLAS results depend on the company that a row is in.
 */
#include "net/kern.h"

#include "net/kern_body.h"
#include "net/kern_image_body.h"

#define MR 4
#define NR 8

/* a(i, p) at a[i row + p step]. */
KERN void
tile_rows(const int m, int k, const float *a, size_t row, size_t step, const float *b, float *c, size_t ldc, bool add)
{
	vf acc[MR][2];

#pragma GCC unroll 4
	for (int i = 0; i < m; i++)
		acc[i][0] = acc[i][1] = SPLAT(0.f);
	for (int p = 0; p < k; p++, b += NR) {
		vf b0 = LOAD(b), b1 = LOAD(b + 4);
#pragma GCC unroll 4
		for (int i = 0; i < m; i++) {
			float v = a[(size_t)i * row + (size_t)p * step];
			acc[i][0] += v * b0;
			acc[i][1] += v * b1;
		}
	}
#pragma GCC unroll 4
	for (int i = 0; i < m; i++) {
		float *to = c + (size_t)i * ldc;
		if (add) {
			acc[i][0] += LOAD(to);
			acc[i][1] += LOAD(to + 4);
		}
		STORE(to, acc[i][0]);
		STORE(to + 4, acc[i][1]);
	}
}

KERN_FN void
tile(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)
{
	switch (m) {
	case 1: tile_rows(1, k, a, lda, 1, b, c, ldc, add); break;
	case 2: tile_rows(2, k, a, lda, 1, b, c, ldc, add); break;
	case 3: tile_rows(3, k, a, lda, 1, b, c, ldc, add); break;
	default: tile_rows(4, k, a, lda, 1, b, c, ldc, add); break;
	}
}

KERN_FN void
outer(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)
{
	switch (m) {
	case 1: tile_rows(1, k, a, 1, lda, b, c, ldc, add); break;
	case 2: tile_rows(2, k, a, 1, lda, b, c, ldc, add); break;
	case 3: tile_rows(3, k, a, 1, lda, b, c, ldc, add); break;
	default: tile_rows(4, k, a, 1, lda, b, c, ldc, add); break;
	}
}

const struct kern kern_portable = {
	.name = "portable",
	.mr = MR,
	.nr = NR,
	.blas = true,
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
