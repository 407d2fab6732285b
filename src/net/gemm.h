/*
 * gemm.h: the one door to matrix products; gemm.c is the only file that knows
 * BLAS.  Runs on the calling thread: threads share out panels (pool.h).
 *
 * The right-hand side is prepared once.  For the tile kernels it is packed in
 * panels of nr columns; for BLAS it stays as it is.
 *
 * With tile kernels a result row depends on its own left-hand row only, bit
 * for bit.  With BLAS that holds for equal shapes at equal places only, so
 * callers fix shapes by what they compute, never by company.  The head always
 * takes the tile.
 */
#ifndef PSI_NET_GEMM_H
#define PSI_NET_GEMM_H

#include "net/kern.h"

struct gemm_b {
	int n, k;               /* columns of the product; length of its sums */
	const float *p;
	bool packed;            /* panels [(n+nr-1)/nr][k][nr], zero padded */
	bool by_column;         /* BLAS: p is [n,ld] (a weight) rather than [k,ld] */
	size_t ld;
};

/* One BLAS thread per call, once per process.  Called by whoever makes a model. */
void gemm_start(void);

/* Floats that n columns of k take when packed; SIZE_MAX on overflow. */
size_t gemm_packed_floats(const struct kern *kern, int n, int k);
/* Pack columns j0.. (a multiple of nr) up to j1 from src: by_column [n,ld]
 * (weights, keys) or [k,ld] (values).  out: the whole packed array. */
void gemm_pack(const struct kern *kern, const float *src, size_t ld, bool by_column, int k, int j0, int j1, float *out);

/* c[m, j1-j0] = a[m,k] b[:, j0..j1).  c has room for a multiple of nr columns;
 * j0 is a multiple of nr.  Sums are cut into pieces of kc terms (0: a good
 * default), each summed on its own: a smaller kc rounds less. */
void gemm_mul(const struct kern *kern, int m, const float *a, size_t lda, const struct gemm_b *b, int j0, int j1,
	      int kc, float *c, size_t ldc);

/* c[n,k] (+)= d^T a, sums over `rows` rows of d [rows,n] and a [rows,k], in
 * pieces of so many rows, one after the other.  Nothing outside c[n,k] is touched.  scratch:
 * gemm_outer_floats, 64-byte aligned. */
#define GEMM_OUTER_ROWS 256
void gemm_outer(const struct kern *kern, int rows, int n, int k, const float *d, size_t ldd, const float *a, size_t lda,
		float *c, size_t ldc, bool add, float *scratch);
size_t gemm_outer_floats(const struct kern *kern, int k);

#endif
