/*
 * weights.h: one set of weights for one description: the tensors of an open
 * checkpoint (borrowed; it must outlive this), and the forms the kernels want,
 * made on first use and kept.
 *
 * Making a form is not locked: each parameter is used either by trunks or by
 * the head, and each of those runs on one thread at a time.
 */
#ifndef PSI_NET_WEIGHTS_H
#define PSI_NET_WEIGHTS_H

#include "base/pool.h"
#include "net/gemm.h"
#include "net/net.h"

struct weights;

/* Bind tensors to the parameters (net_match).  Touches no data. */
enum status weights_new(const struct net *net, const struct tensor *t, int n, const char *what, const struct kern *kern,
			struct weights **out, struct error *e);
void weights_free(struct weights *w);

/* A parameter as a plain float array; par -1: *out = NULL. */
enum status weights_vector(struct weights *w, int par, const float **out, struct error *e);
/* A matrix [n,k] as right-hand side of x W^T, packed for the tile or not. */
enum status weights_matrix(struct weights *w, int par, bool packed, struct pool *pool, struct cancel *c,
	struct gemm_b *out, struct error *e);
/* The weights of a convolution ([out, in, 3, 3], or [in, out] for 1x1) as right-hand side [out, taps in]: packed for
 * the tile, or for BLAS.  winograd: a 3x3 for F(4x4, 3x3): 36 right-hand sides
 * [out, in], one for each place, one after the other. */
enum status weights_conv(struct weights *w, int par, bool winograd, struct pool *pool, struct cancel *c,
	struct gemm_b *out, struct error *e);
/* The same for the walk back, the kernel turned round: right-hand side [in, taps out]. */
enum status weights_turned(struct weights *w, int par, bool winograd, struct pool *pool, struct cancel *c,
	struct gemm_b *out, struct error *e);
/* The right-hand side of dy W, for the walk back: columns are the inputs.  Packed, or for BLAS as
 * it lies if it lies as floats. */
enum status weights_back(struct weights *w, int par, struct pool *pool, struct cancel *c, struct gemm_b *out,
	struct error *e);
/* The values of a parameter in the order of the table, if they lie there as floats; else NULL. */
const float *weights_plain(const struct weights *w, int par);
/* Row `row` of a matrix, straight from the file.  Any thread. */
void weights_row(const struct weights *w, int par, int64_t row, float *out);

/* Of the loops that make forms; POOL_SAMPLE at first. */
void weights_priority(struct weights *w, enum pool_priority prio);
/* The data that the tensors point to has changed: every form is made anew on its next use, in the same memory. */
void weights_changed(struct weights *w);

size_t weights_bytes(const struct weights *w);          /* of forms made so far */

#endif
