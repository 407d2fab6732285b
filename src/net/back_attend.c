/*
 * back_attend.c: backward of ATTEND.  With P = softmax(q k^T / sqrt(dim)) and
 * dO the gradient of the output: dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(dP
 * P)) / sqrt(dim), dQ = dS K, dK = dS^T Q.  A work item is a head of a sample,
 * a block of query rows at a time; weights are computed again.
 */
#include "net/back.h"

#include <math.h>
#include <string.h>

#define QUERY_ROWS 32

struct attend_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	int heads, dim, rows;
	bool causal;
	size_t ldr, ldd;		/* strides of a row over keys and over dim */
	size_t packed_rows, packed_dim; /* floats of [rows] columns of dim, and of [dim] columns of rows */
};

static size_t
stride(int n)
{
	return ((size_t)n + 127) / 128 * 128 + 16;
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
	a.packed_rows = gemm_packed_floats(x->kern, a.rows, a.dim);
	a.packed_dim = gemm_packed_floats(x->kern, a.dim, a.rows > QUERY_ROWS ? a.rows : QUERY_ROWS);
	return a;
}

/* keys, values as columns; keys as rows; a block packed; P and dS of a block and
 * their transposes; the product of a block. */
size_t
back_attend_scratch(const struct exec *x, const struct net_op *op)
{
	struct attend_back a = lay_out(x, op);
	size_t tall = (size_t)a.rows * a.ldd;

	return 2 * a.packed_rows + 2 * a.packed_dim + 2 * QUERY_ROWS * a.ldr + (size_t)a.rows * stride(QUERY_ROWS) +
	       (tall > QUERY_ROWS * a.ldd ? tall : QUERY_ROWS * a.ldd);
}

static struct gemm_b
packed(const struct attend_back *a, const float *src, size_t ld, bool by_column, int n, int k, float *out)
{
	gemm_pack(a->x->kern, src, ld, by_column, k, 0, n, out);
	return (struct gemm_b){ .n = n, .k = k, .p = out, .packed = true };
}

/* to [rows,dim at ld] += p^T [rows,m] r [m,dim] */
static void
add_transposed(const struct attend_back *a, int m, const float *p, const float *r, size_t ldr, float *to, size_t ld,
	       float *pack, float *turned, float *product)
{
	size_t ldt = stride(QUERY_ROWS);
	struct gemm_b rhs = packed(a, r, ldr, false, a->dim, m, pack);

	for (int i = 0; i < m; i++)
		for (int j = 0; j < a->rows; j++)
			turned[(size_t)j * ldt + (size_t)i] = p[(size_t)i * a->ldr + (size_t)j];
	gemm_mul(a->x->kern, a->rows, turned, ldt, &rhs, 0, a->dim, 0, product, a->ldd);
	for (int j = 0; j < a->rows; j++)
		for (int c = 0; c < a->dim; c++)
			to[(size_t)j * ld + (size_t)c] += product[(size_t)j * a->ldd + (size_t)c];
}

/* Scores of a row to weights. */
static void
weigh(const struct attend_back *a, int row, float *s)
{
	for (int j = row + 1; a->causal && j < a->rows; j++)
		s[j] = -INFINITY;
	float sum = a->x->kern->softmax(a->rows, s, (float)(1 / sqrt((double)a->dim)));
	for (int j = 0; j < a->rows; j++)
		s[j] /= sum;
}

/* dP to dS, in place. */
static void
through_softmax(const struct attend_back *a, const float *p, float *dp)
{
	double sum = 0, scale = 1 / sqrt((double)a->dim);

	for (int j = 0; j < a->rows; j++)
		sum += (double)p[j] * (double)dp[j];
	for (int j = 0; j < a->rows; j++)
		dp[j] = (float)((double)p[j] * ((double)dp[j] - sum) * scale);
}

static void
attend_item(void *arg, int item, int worker)
{
	const struct attend_back *a = arg;
	const struct exec *x = a->x;
	int in = a->op->in[IN_X], out = a->op->out, head = item % a->heads, sample = item / a->heads;
	size_t ld = exec_ld(x, in), width = (size_t)(a->heads * a->dim);
	size_t at = (size_t)sample * exec_step(x, in) + (size_t)(head * a->dim);
	const float *q = exec_value(x, in) + at, *k = q + width, *v = k + width;
	float *dq = back_value(a->b, in) + at, *dk = dq + width, *dv = dk + width;
	const float *d_out = back_value(a->b, out) + (size_t)sample * exec_step(x, out) + (size_t)(head * a->dim);
	float *s = back_scratch(a->b, worker), *k_col = s, *v_col = s + a->packed_rows, *k_row = v_col + a->packed_rows;
	float *pack = k_row + a->packed_dim, *p = pack + a->packed_dim, *ds = p + QUERY_ROWS * a->ldr;
	float *turned = ds + QUERY_ROWS * a->ldr, *product = turned + (size_t)a->rows * stride(QUERY_ROWS);
	struct gemm_b keys = packed(a, k, ld, true, a->rows, a->dim, k_col);
	struct gemm_b values = packed(a, v, ld, true, a->rows, a->dim, v_col);
	struct gemm_b key_rows = packed(a, k, ld, false, a->dim, a->rows, k_row);

	for (int first = 0; first < a->rows; first += QUERY_ROWS) {
		int m = a->rows - first < QUERY_ROWS ? a->rows - first : QUERY_ROWS;
		const float *qb = q + (size_t)first * ld, *ob = d_out + (size_t)first * exec_ld(x, out);
		gemm_mul(x->kern, m, qb, ld, &keys, 0, a->rows, 0, p, a->ldr);
		gemm_mul(x->kern, m, ob, exec_ld(x, out), &values, 0, a->rows, 0, ds, a->ldr);
		for (int i = 0; i < m; i++) {
			weigh(a, first + i, p + (size_t)i * a->ldr);
			through_softmax(a, p + (size_t)i * a->ldr, ds + (size_t)i * a->ldr);
		}
		add_transposed(a, m, p, ob, exec_ld(x, out), dv, ld, pack, turned, product);
		add_transposed(a, m, ds, qb, ld, dk, ld, pack, turned, product);
		gemm_mul(x->kern, m, ds, a->ldr, &key_rows, 0, a->dim, 0, product, a->ldd);
		for (int i = 0; i < m; i++)
			for (int c = 0; c < a->dim; c++)
				dq[(size_t)(first + i) * ld + (size_t)c] += product[(size_t)i * a->ldd + (size_t)c];
	}
}

enum status
back_attend(struct back *b, const struct net_op *op, struct error *e)
{
	struct attend_back a = lay_out(b->x, op);

	(void)e;
	a.b = b;
	return pool_run(b->x->pool, b->x->prio, b->x->n * a.heads, attend_item, &a, b->x->cancel);
}
