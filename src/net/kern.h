/*
 * kern.h: the arithmetic kernels, chosen once at run time for this CPU.
 *
 * Every function works on plain float arrays and is pure.  A result element
 * depends on its own inputs and its place in the row only, never on how many
 * rows are worked on together: `tile` adds the products of one element in
 * ascending order of k whatever m is, so that a row gives the same bits in any
 * company.
 */
#ifndef PSI_NET_KERN_H
#define PSI_NET_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/kern_image.h"

struct kern {
	const char *name;
	/* c[m,nr] (+)= a[m,k] b[k,nr], 1 <= m <= mr.  b is one packed panel, 64-byte
	 * aligned; lda, ldc in floats. */
	int mr, nr;
	bool blas;              /* the trunk's products go to BLAS; the tile serves the head alone */
	void (*tile)(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add);
	/* The same with a [k,lda] turned: c[m,nr] (+)= a^T b, for gradients of weights. */
	void (*outer)(int m, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add);

	/* out = ((x - mean) / sqrt(var + 1e-5)) w, then out (1 + scale) + shift;
	 * scale, shift NULL: not. */
	void (*norm)(int n, const float *x, const float *w, const float *shift, const float *scale, float *out);
	/* x = exp(scale (x - max x)); returns the sum.  -INFINITY gives 0. */
	float (*softmax)(int n, float *x, float scale);
	/* gelu_tanh(x + bias); bias NULL: 0 */
	void (*gelu)(int n, const float *x, const float *bias, float *out);
	void (*silu)(int n, const float *x, const float *bias, float *out);
	void (*add)(int n, const float *x, const float *bias, float *out);        /* x + bias; bias NULL: copy */
	void (*gate_add)(int n, const float *x, const float *bias, const float *gate, const float *res, float *out);
	                                                                           /* res + gate (x + bias) */
	/* Rotate one head in place: (x1, x2) -> (x1 c - x2 s, x2 c + x1 s). */
	void (*rope)(int half, const float *cosine, const float *sine, float *x);
	void (*scale)(int n, float f, const float *x, float *out);

	void (*axpy)(int n, float f, const float *x, float *y);  /* y += f x */
	float (*dot)(int n, const float *x, const float *y);     /* summed by lanes, then these in pairs */

	/* Dropout: out[i] = half word i of Philox below limit ? 0 : keep.  Eight halves, low ones first, come
	 * from each counter; block j has ctr[1] + j. */
	void (*mask)(const uint32_t ctr[4], const uint32_t key[2], uint32_t limit, float keep, int n, float *out);

	/* The way back.  d *= gelu'(x + bias), silu'(x + bias); bias NULL: 0. */
	void (*gelu_back)(int n, const float *x, const float *bias, float *d);
	void (*silu_back)(int n, const float *x, const float *bias, float *d);
	/* p = exp(..) inverse: weights; ds = p (ds - rest) scale */
	void (*softmax_back)(int n, float inverse, float rest, float scale, float *p, float *ds);
	/* dx += what dy says of norm's x; if p is given: p += dy, q += dy (x - mean) rstd. */
	void (*norm_back)(int n, const float *x, const float *w, const float *scale, const float *dy, float *dx,
			  float *p, float *q);
	const struct kern_image *image;         /* what networks over images need besides */
};

/* The kernels of this CPU; PSIVIEW_KERNEL=portable|avx2|avx512 in the
 * environment asks for others (ignored where the CPU lacks them).  Decided at
 * the first call, any thread. */
const struct kern *kern_best(void);
/* By name; NULL if unknown or not for this CPU. */
const struct kern *kern_named(const char *name);

extern const struct kern kern_portable;
#if defined(__x86_64__)
extern const struct kern kern_avx2, kern_avx512;
#endif

#endif
