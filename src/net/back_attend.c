/*
 * back_attend.c: backward of ATTEND.  With P = softmax(q k^T / sqrt(dim)) and
 * dO the gradient of the output O: dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(dO
 * O)) / sqrt(dim), dQ = dS K, dK = dS^T Q.  A work item is a head of a sample,
 * a block of query rows at a time; weights are computed again.
 */
#include "net/back.h"

#include <math.h>
#include <string.h>

#define QUERY_ROWS 96

struct attend_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	int heads, dim, rows;
	bool causal, fresh;
	size_t ld, ldo, ldr, ldd; /* strides: of q, k, v; of the output; in scratch, over keys and over dim */
	size_t columns, across;   /* floats of keys or values as columns, of keys as rows, packed */
};

/* One head: its inputs and gradients, and where they go. */
struct head {
	const float *q, *k, *v, *o, *d_out;
	float *dq, *dk, *dv;
	struct gemm_b keys, values, key_rows;
	float *p, *ds, *product, *dk_sum, *dv_sum, *scratch;
};

static size_t
stride(int n)
{
	return ((size_t)n + 31) / 32 * 32 + 16; /* room for a whole panel */
}

static struct attend_back
lay_out(const struct exec *x, const struct net_op *op)
{
	struct attend_back a = { .x = x,
				 .op = op,
				 .heads = op->dim[ATT_HEADS],
				 .dim = op->dim[ATT_DIM],
				 .rows = exec_rows(x, op->in[IN_X]),
				 .causal = op->dim[ATT_CAUSAL] };

	a.ldr = stride(a.rows);
	a.ldd = stride(a.dim);
	a.columns = x->kern->blas ? 0 : gemm_packed_floats(x->kern, a.rows, a.dim);
	a.across = x->kern->blas ? 0 : gemm_packed_floats(x->kern, a.dim, a.rows);
	return a;
}

size_t
back_attend_scratch(const struct exec *x, const struct net_op *op)
{
	struct attend_back a = lay_out(x, op);
	size_t m = (size_t)(a.rows < QUERY_ROWS ? a.rows : QUERY_ROWS);

	return 2 * a.columns + a.across + m * (2 * a.ldr + a.ldd) + 2 * (size_t)a.rows * a.ldd +
	       gemm_outer_floats(x->kern, a.dim);
}

/* A right-hand side over keys or values, packed for the tile. */
static struct gemm_b
right_side(const struct attend_back *a, const float *src, bool by_column, float *out)
{
	int n = by_column ? a->rows : a->dim, k = by_column ? a->dim : a->rows;
	bool blas = a->x->kern->blas;

	if (!blas)
		gemm_pack(a->x->kern, src, a->ld, by_column, k, 0, n, out);
	return (struct gemm_b){ .n = n, .k = k, .p = blas ? src : out, .packed = !blas, .by_column = by_column,
				.ld = a->ld };
}

static struct head
bring(const struct attend_back *a, int sample, int head, float *scratch)
{
	const struct exec *x = a->x;
	int in = a->op->in[IN_X], out = a->op->out;
	size_t width = (size_t)(a->heads * a->dim), m = (size_t)(a->rows < QUERY_ROWS ? a->rows : QUERY_ROWS);
	size_t at = (size_t)sample * exec_step(x, in) + (size_t)(head * a->dim);
	size_t at_out = (size_t)sample * exec_step(x, out) + (size_t)(head * a->dim);
	struct head h = { .q = exec_value(x, in) + at, .dq = back_value(a->b, in) + at,
			  .o = exec_value(x, out) + at_out, .d_out = back_value(a->b, out) + at_out };

	h.k = h.q + width;
	h.v = h.k + width;
	h.dk = h.dq + width;
	h.dv = h.dk + width;
	h.keys = right_side(a, h.k, true, scratch);
	h.values = right_side(a, h.v, true, scratch + a->columns);
	h.key_rows = right_side(a, h.k, false, scratch + 2 * a->columns);
	h.p = scratch + 2 * a->columns + a->across;
	h.ds = h.p + m * a->ldr;
	h.product = h.ds + m * a->ldr;
	h.dk_sum = h.product + m * a->ldd;
	h.dv_sum = h.dk_sum + (size_t)a->rows * a->ldd;
	h.scratch = h.dv_sum + (size_t)a->rows * a->ldd;
	return h;
}

/* Scores and dP of query row `row` to its weights and dS, in place; keys beyond
 * `row` count only if the network is not causal. */
static void
weigh(const struct attend_back *a, const struct head *h, int row, int keys, float *p, float *ds)
{
	float scale = (float)(1 / sqrt((double)a->dim));

	for (int j = row + 1; a->causal && j < keys; j++)
		p[j] = -INFINITY;
	float sum = a->x->kern->softmax(keys, p, scale);
	float rest = a->x->kern->dot(a->dim, h->d_out + (size_t)row * a->ldo, h->o + (size_t)row * a->ldo);
	a->x->kern->softmax_back(keys, 1 / sum, rest, scale, p, ds);
}

/* Add a row to a gradient, or write it first. */
static void
put(const struct attend_back *a, const float *from, float *to)
{
	if (a->fresh)
		memcpy(to, from, (size_t)a->dim * sizeof *to);
	else
		a->x->kern->add(a->dim, to, from, to);
}

/* Query rows first..first+m. */
static void
block(const struct attend_back *a, const struct head *h, int first, int m)
{
	const struct kern *kern = a->x->kern;
	const float *q = h->q + (size_t)first * a->ld, *d = h->d_out + (size_t)first * a->ldo;
	int keys = a->causal ? first + m : a->rows;

	gemm_mul(kern, m, q, a->ld, &h->keys, 0, keys, 0, h->p, a->ldr);
	gemm_mul(kern, m, d, a->ldo, &h->values, 0, keys, 0, h->ds, a->ldr);
	for (int i = 0; i < m; i++)
		weigh(a, h, first + i, keys, h->p + (size_t)i * a->ldr, h->ds + (size_t)i * a->ldr);
	for (int i = 0; i < m && keys < a->rows; i++)
		memset(h->ds + (size_t)i * a->ldr + keys, 0, (size_t)(a->rows - keys) * sizeof *h->ds);
	gemm_outer(kern, m, keys, a->dim, h->p, a->ldr, d, a->ldo, h->dv_sum, a->ldd, true, h->scratch);
	gemm_outer(kern, m, keys, a->dim, h->ds, a->ldr, q, a->ld, h->dk_sum, a->ldd, true, h->scratch);
	gemm_mul(kern, m, h->ds, a->ldr, &h->key_rows, 0, a->dim, 0, h->product, a->ldd);
	for (int i = 0; i < m; i++)
		put(a, h->product + (size_t)i * a->ldd, h->dq + (size_t)(first + i) * a->ld);
}

static void
attend_item(void *arg, int item, int worker)
{
	const struct attend_back *a = arg;
	struct head h = bring(a, item / a->heads, item % a->heads, back_scratch(a->b, worker));

	memset(h.dk_sum, 0, 2 * (size_t)a->rows * a->ldd * sizeof *h.dk_sum);
	for (int first = 0; first < a->rows; first += QUERY_ROWS)
		block(a, &h, first, a->rows - first < QUERY_ROWS ? a->rows - first : QUERY_ROWS);
	for (size_t j = 0; j < (size_t)a->rows; j++) {
		put(a, h.dk_sum + j * a->ldd, h.dk + j * a->ld);
		put(a, h.dv_sum + j * a->ldd, h.dv + j * a->ld);
	}
}

enum status
back_attend(struct back *b, const struct net_op *op, struct error *e)
{
	struct attend_back a = lay_out(b->x, op);

	(void)e;
	a.b = b;
	a.fresh = b->fresh[op->in[IN_X]];
	a.ld = exec_ld(b->x, op->in[IN_X]);
	a.ldo = exec_ld(b->x, op->out);
	return pool_run(b->x->pool, b->x->prio, b->x->n * a.heads, attend_item, &a, b->x->cancel);
}
