/*
 * op_attend.c: softmax(q k^T / sqrt(dim)) v, a head and a block of query rows
 * at a time, so that the scores stay in cache.
 *
 * The input's rows hold q, k, v of all heads side by side.  Keys and values of
 * a head are packed once per work item (or kept packed from call to call when
 * a causal sample is extended).  Causal: a row's sums run over its own prefix
 * and over exact zeros after it, in the same order whatever else is in its
 * block, so that its bits do not depend on the block.
 */
#include "net/exec.h"

#include <math.h>
#include <string.h>

#define ITEM_FLOP 1.5e8
#define QUERY_ROWS 48

struct attend {
	const struct exec *x;
	const struct kern *kern;
	int heads, dim, rows, row0, keys;       /* keys: the most any row attends to */
	bool causal;
	int layer;
	struct kept *kept;
	const float *qkv;
	size_t ld, step;
	float *out;
	size_t ldout, step_out;
	int chunk, chunks;                      /* query rows of an item */
	size_t ldq, lds;                        /* strides of the query copy and of the scores */
	int dim_pad;
};

static int
round_up(int a, int unit)
{
	return (a + unit - 1) / unit * unit;
}

static void
lay_out(const struct exec *x, const struct net_op *op, struct attend *a)
{
	int unit = x->kern->blas ? 16 : x->kern->nr, rows = exec_rows(x, op->in[IN_X]);

	*a = (struct attend){ .x = x, .kern = x->kern, .heads = op->dim[ATT_HEADS], .dim = op->dim[ATT_DIM],
		              .rows = rows, .row0 = x->row0, .keys = x->row0 + rows,
		              .causal = op->dim[ATT_CAUSAL], .layer = op->dim[ATT_LAYER], .kept = x->kept };
	double per_row = 4. * a->keys * a->dim;
	double most = ITEM_FLOP / per_row;
	a->chunk = most > a->rows ? a->rows : most < QUERY_ROWS ? QUERY_ROWS : (int)most / QUERY_ROWS * QUERY_ROWS;
	if (a->heads == 1 && a->chunk == a->rows)
		a->chunk = round_up((a->rows + 1) / 2, QUERY_ROWS); /* so that two can share a picture */
	if (a->kept)
		a->chunk = a->rows; /* one item per head appends to what is kept */
	a->chunks = (a->rows + a->chunk - 1) / a->chunk;
	a->ldq = (size_t)round_up(a->dim, 16) + 16;
	a->lds = (size_t)round_up(a->keys, unit) + 16;
	a->dim_pad = round_up(a->dim, unit);
}

static size_t
keys_floats(const struct attend *a)
{
	return a->kern->blas || a->kept ? 0 : gemm_packed_floats(a->kern, a->keys, a->dim);
}

static size_t
values_floats(const struct attend *a)
{
	return a->kern->blas || a->kept ? 0 : gemm_packed_floats(a->kern, a->dim, a->keys);
}

size_t
op_attend_scratch(const struct exec *x, const struct net_op *op)
{
	struct attend a;

	lay_out(x, op, &a);
	return keys_floats(&a) + values_floats(&a) + QUERY_ROWS * (a.ldq + a.lds + (size_t)a.dim_pad);
}

/* Append the rows of this pass to what is kept of one head.  Kept panels are
 * those of gemm_pack for all L positions: keys [L/nr][dim][nr], values
 * [dim/nr][L][nr]. */
static void
keep_rows(const struct attend *a, int head, float *k_out, float *v_out)
{
	size_t nr = (size_t)a->kern->nr, dim = (size_t)a->dim, L = (size_t)a->x->net->L;

	for (int i = 0; i < a->rows; i++) {
		size_t pos = (size_t)(a->row0 + i);
		const float *k = a->qkv + (size_t)i * a->ld + (size_t)(a->heads + head) * dim,
			    *v = k + (size_t)a->heads * dim;
		if (a->kern->blas) {
			memcpy(k_out + pos * dim, k, dim * sizeof *k);
			memcpy(v_out + pos * dim, v, dim * sizeof *v);
			continue;
		}
		for (size_t c = 0; c < dim; c++) {
			k_out[(pos / nr * dim + c) * nr + pos % nr] = k[c];
			v_out[(c / nr * L + pos) * nr + c % nr] = v[c];
		}
	}
}

/* The right-hand sides of one head: keys for scores, values for the result. */
static void
bring(const struct attend *a, int sample, int head, float *scratch, struct gemm_b *k, struct gemm_b *v)
{
	const float *kp = a->qkv + (size_t)sample * a->step + (size_t)((a->heads + head) * a->dim);
	const float *vp = kp + (size_t)(a->heads * a->dim);
	bool blas = a->kern->blas;

	*k = (struct gemm_b){ .n = a->keys, .k = a->dim, .packed = !blas, .by_column = true, .ld = a->ld, .p = kp };
	*v = (struct gemm_b){ .n = a->dim, .k = a->keys, .packed = !blas, .by_column = false, .ld = a->ld, .p = vp };
	if (a->kept) {
		size_t at = (size_t)a->layer * (size_t)a->heads + (size_t)head;
		float *kk = a->kept->k + at * a->kept->k_head, *vv = a->kept->v + at * a->kept->v_head;
		keep_rows(a, head, kk, vv);
		k->p = kk;
		v->p = vv;
		k->ld = v->ld = (size_t)a->dim;
		v->k = a->x->net->L; /* rows of its panels; sums stop at the prefix, see attend_block */
		return;
	}
	if (blas)
		return;
	float *vs = scratch + keys_floats(a);
	gemm_pack(a->kern, kp, a->ld, true, a->dim, 0, a->keys, scratch);
	gemm_pack(a->kern, vp, a->ld, false, a->keys, 0, a->dim, vs);
	k->p = scratch;
	v->p = vs;
}

/* p v over the first `keys` keys.  Panels may be longer than that, so each is
 * multiplied as a right-hand side of its own. */
static void
weigh_values(const struct attend *a, int m, const float *p, int keys, const struct gemm_b *v, float *out)
{
	if (!v->packed) {
		struct gemm_b part = *v;
		part.k = keys;
		gemm_mul(a->kern, m, p, a->lds, &part, 0, a->dim, 0, out, (size_t)a->dim_pad);
		return;
	}
	for (int j = 0; j < a->dim; j += a->kern->nr) {
		struct gemm_b panel = { .n = a->kern->nr, .k = keys, .packed = true,
			.p = v->p + (size_t)j * (size_t)v->k };
		gemm_mul(a->kern, m, p, a->lds, &panel, 0, panel.n, 0, out + j, (size_t)a->dim_pad);
	}
}

/* Rows first..first+m-1 of this pass (at most QUERY_ROWS). */
static void
attend_block(const struct attend *a, int sample, int head, int first, int m, const struct gemm_b *k,
	const struct gemm_b *v, float *scratch)
{
	float *q = scratch, *s = q + QUERY_ROWS * a->ldq, *o = s + QUERY_ROWS * a->lds;
	const float *src = a->qkv + (size_t)sample * a->step + (size_t)(head * a->dim);
	float *out = a->out + (size_t)sample * a->step_out + (size_t)(head * a->dim);
	float scale = (float)(1 / sqrt((double)a->dim)), sum[QUERY_ROWS];
	int keys = a->causal ? a->row0 + first + m : a->keys;
	int width = a->causal ? round_up(keys, 16) : keys;

	for (int i = 0; i < m; i++)
		memcpy(q + (size_t)i * a->ldq, src + (size_t)(first + i) * a->ld, (size_t)a->dim * sizeof *q);
	gemm_mul(a->kern, m, q, a->ldq, k, 0, keys, 0, s, a->lds);
	for (int i = 0; i < m; i++) {
		float *row = s + (size_t)i * a->lds;
		for (int j = a->row0 + first + i + 1; a->causal && j < width; j++)
			row[j] = -INFINITY;
		sum[i] = a->kern->softmax(width, row, scale);
	}
	weigh_values(a, m, s, keys, v, o);
	for (int i = 0; i < m; i++)
		a->kern->scale(a->dim, 1 / sum[i], o + (size_t)i * (size_t)a->dim_pad,
			out + (size_t)(first + i) * a->ldout);
}

static void
attend_item(void *arg, int item, int worker)
{
	const struct attend *a = arg;
	int chunk = item % a->chunks, head = item / a->chunks % a->heads, sample = item / a->chunks / a->heads;
	int first = chunk * a->chunk, end = a->rows - first < a->chunk ? a->rows : first + a->chunk;
	float *scratch = exec_scratch(a->x, worker);
	struct gemm_b k, v;

	bring(a, sample, head, scratch, &k, &v);
	scratch += keys_floats(a) + values_floats(a);
	for (int i = first; i < end; i += QUERY_ROWS)
		attend_block(a, sample, head, i, end - i < QUERY_ROWS ? end - i : QUERY_ROWS, &k, &v, scratch);
}

enum status
op_attend(struct exec *x, const struct net_op *op, struct error *e)
{
	struct attend a;

	(void)e;
	lay_out(x, op, &a);
	a.qkv = exec_value(x, op->in[IN_X]);
	a.ld = exec_ld(x, op->in[IN_X]);
	a.step = exec_step(x, op->in[IN_X]);
	a.out = exec_value(x, op->out);
	a.ldout = exec_ld(x, op->out);
	a.step_out = exec_step(x, op->out);
	return pool_run(x->pool, x->prio, x->n * a.heads * a.chunks, attend_item, &a, x->cancel);
}
