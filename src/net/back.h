/*
 * back.h: the list of operations walked backwards, private to src/net.
 *
 * A back stands on a forward pass whose values were kept.  It has one gradient
 * for each value that depends on the input, laid out as the values are, and
 * each operation adds to those of its inputs what follows from that of its
 * output.  What the forward pass did not keep (norms, activations before GELU
 * and silu, attention weights) is computed again.
 *
 * Every function below returns the status of its pool loop.  Gradients of
 * parameters are to be added where these functions hold both factors of them:
 * the prepared input and the gradient of the product.
 */
#ifndef PSI_NET_BACK_H
#define PSI_NET_BACK_H

#include "net/exec.h"

struct back {
	const struct exec *x;
	bool *wanted;	/* [n_value] depends on the input (or on parameters, if theirs are asked for) */
	bool *fresh;	/* [n_value] nothing has been added to its gradient yet: whoever is first writes or clears it */
	struct plan plan; /* of the gradients */
	float *grad;	/* the plan's memory */
	float *feat;	/* of the feature value, as x->feat */
	float *input;	/* out: [n,L,d] of EMBED's rows, [n,L] of PIXELS' values; NULL: not asked */
	/* [n_par] gradients of parameters, as the table's shapes say, added to; NULL: not asked, and only
	 * what the input needs is computed */
	float *const *par;
	float *scratch; /* [threads][scratch_floats] */
	size_t scratch_floats;
	float *shared; /* one piece for all workers: what a loop of an operation leaves to its next loop */
	size_t shared_floats;
};

/* Gradient of a value, first row of sample 0; NULL: not wanted. */
float *back_value(const struct back *b, int v);
/* The memory for x's plan, or more of it.  params: gradients of parameters will be asked for, of values that do not
 * depend on the input too. */
enum status back_reserve(struct back *b, const struct exec *x, bool params, struct error *e);
void back_done(struct back *b);
/* All operations, last first.  feat [n,rows,F]: the gradient of the features,
 * read only unless gradients of parameters are asked for. */
enum status back_run(struct back *b, float *feat, float *input, struct error *e);

/* Gradient of a parameter; NULL: not asked, or there is none (par -1). */
static inline float *
back_par(const struct back *b, int par)
{
	return b->par && par >= 0 ? b->par[par] : NULL;
}

static inline float *
back_scratch(const struct back *b, int worker)
{
	return b->scratch + (size_t)worker * b->scratch_floats;
}

/* w[n,k] += d^T a and bias[n] += sums of d's columns, over rows of d [rows,n]
 * and a [rows,k]; w, bias NULL: not that one. */
struct outer {
	int rows, n, k;
	const float *d, *a;
	size_t ldd, lda, ldw;
	float *w, *bias;
};
/* On the pool, with back_scratch of the workers.  For the calling thread alone:
 * gemm_outer. */
enum status back_outer(const struct back *b, const struct outer *o);
/* The same for an operation's matrix and its bias; o->w and o->bias are filled in. */
enum status back_matrix(const struct back *b, const struct net_op *op, struct outer *o);
/* The same for res + gate (x W^T + bias) with a gate of each sample, from the
 * gradients o->d of rows before the gate, o->rows / samples of a sample; and the
 * gate's own gradient: as sum_r d_r y_r = W (sum_r d_r a_r), the product itself is not
 * needed.  parts: back_gate_floats. */
enum status back_gate(const struct back *b, const struct net_op *op, int samples, const struct outer *o, float *parts,
		      struct error *e);
size_t back_gate_floats(int samples, int n, int k);
/* sum[n] += sums of the columns of d, in pieces of GEMM_OUTER_ROWS rows. */
void back_sum_rows(const struct kern *kern, int rows, int n, const float *d, size_t ldd, float *sum);

/* Layer norm and modulation of blocks of rows. */
struct norm_back {
	const struct back *b;
	const struct net_op *op;
	const float *w, *bias;
	int k, samples, blocks; /* blocks: of a sample */
	float *part;		/* [samples blocks][2][k], back_norm_floats; NULL: no sums are wanted */
};
enum status back_norm_start(struct norm_back *m, const struct back *b, const struct net_op *op, int samples, int blocks,
			    struct error *e);
/* The sums of a block, zeroed; NULL: not wanted. */
float *back_norm_part(const struct norm_back *m, int block);
/* dx += what dy says of a row x; its share of the block's sums. */
void back_norm_row(const struct norm_back *m, int sample, const float *x, const float *dy, float *dx, float *part);
/* After all rows: gradients of NORM, NORM_BIAS and of in[MOD]'s shift and scale. */
enum status back_norm_sums(struct norm_back *m);
size_t back_norm_floats(int blocks, int k);

enum status back_linear(struct back *b, const struct net_op *op, struct error *e);
enum status back_attend(struct back *b, const struct net_op *op, struct error *e);
enum status back_norm(struct back *b, const struct net_op *op, struct error *e);
enum status back_conv(struct back *b, const struct net_op *op, struct error *e);
enum status back_group(struct back *b, const struct net_op *op, struct error *e);
enum status back_mu(struct back *b, const struct net_op *op, struct error *e);
/* Of CONV's weights and bias, and of its residual if that is one row per sample. */
enum status back_kernel(struct back *b, const struct net_op *op, struct error *e);
/* LOGISTIC: from n rows of (mu, log scale) and the gradient d [n,V] of their logits to that of the rows, written. */
enum status back_logistic(const struct exec *x, const struct net_op *op, int n, const float *row, size_t ld,
			  const float *d, float *d_row, size_t ldd);
enum status back_embed(struct back *b, const struct net_op *op, struct error *e);
enum status back_label(struct back *b, const struct net_op *op, struct error *e);
/* The head alone: from n feature rows x and the gradient d [n,V] of their logits to dx, that of the rows (written, with
 * room for a whole panel of columns each), and those of the head's parameters (added to). */
enum status back_head(struct back *b, const struct net_op *op, int n, const float *x, size_t ldx, const float *d,
		      float *dx, size_t lddx, struct error *e);
/* Floats of scratch per worker, of all operations together; of b->shared for x->n samples. */
size_t back_scratch_need(const struct exec *x);
size_t back_shared_need(const struct exec *x, bool params);
size_t back_linear_shared(const struct exec *x, const struct net_op *op);
size_t back_norm_shared(const struct exec *x, const struct net_op *op);
/* Floats of scratch per worker; those of back_outer are always there. */
size_t back_outer_scratch(const struct exec *x);
size_t back_embed_scratch(const struct exec *x, const struct net_op *op);
size_t back_label_scratch(const struct exec *x, const struct net_op *op);
size_t back_linear_scratch(const struct exec *x, const struct net_op *op);
size_t back_attend_scratch(const struct exec *x, const struct net_op *op);
size_t back_conv_scratch(const struct exec *x, const struct net_op *op);
size_t back_kernel_scratch(const struct exec *x, const struct net_op *op);
size_t back_conv_prepared(const struct exec *x, const struct net_op *op); /* of the weights turned round */
size_t back_conv_shared(const struct exec *x, const struct net_op *op);
size_t back_group_shared(const struct exec *x, const struct net_op *op);
size_t back_kernel_shared(const struct exec *x, const struct net_op *op, bool params);

/* d silu(v) / dv */
float slope_silu(float v);

#endif
