/*
 * back_gate.c: sums over rows where each sample has a gate of its own: see
 * back_gate in back.h.  A work item is a block of dW; sample by sample it makes
 * G = d^T a, adds gate G to dW, and leaves the block's share of the gate's
 * gradient, which is added up afterwards.
 */
#include "net/back.h"

#include <string.h>

#define BLOCK_N 96 /* whole tiles of every kernel */
#define BLOCK_K 128

struct gate {
	const struct back *b;
	const struct net_op *op;
	const struct outer *o;
	int samples, rows, n_blocks, k_blocks;
	const float *w, *bias;
	float *dw, *dbias;
	size_t ldn, ldk; /* of w and dw: from one output, from one input to the next */
	float *part;     /* [k_blocks][samples][n] */
};

size_t
back_gate_floats(int samples, int n, int k)
{
	return (size_t)((k + BLOCK_K - 1) / BLOCK_K) * (size_t)samples * (size_t)n;
}

static const float *
gate_of(const struct gate *g, int sample)
{
	const struct exec *x = g->b->x;
	int v = g->op->in[IN_MOD];

	return exec_value(x, v) + (size_t)sample * exec_ld(x, v) + g->op->dim[DIM_GATE];
}

/* Sums of d's columns: the bias, and what it says of the gate. */
static void
columns(const struct gate *g, int sample, int j, int n, const float *d, float *part)
{
	const float *gate = gate_of(g, sample) + j;
	float sum[BLOCK_N] = { 0 };

	if (!g->bias)
		return;
	back_sum_rows(g->b->x->kern, g->rows, n, d, g->o->ldd, sum);
	for (int q = 0; q < n; q++) {
		part[q] += g->bias[j + q] * sum[q];
		if (g->dbias)
			g->dbias[j + q] += gate[q] * sum[q];
	}
}

/* One sample's G [n,k], outputs from j, inputs from i on. */
static void
spread(const struct gate *g, int sample, int j, int n, int i, int k, const float *G, float *part)
{
	const float *gate = gate_of(g, sample) + j;

	for (int q = 0; q < n; q++, G += BLOCK_K) {
		size_t at = (size_t)(j + q) * g->ldn + (size_t)i * g->ldk;
		if (g->ldk == 1) {
			part[q] += g->b->x->kern->dot(k, g->w + at, G);
			if (g->dw)
				g->b->x->kern->axpy(k, gate[q], G, g->dw + at);
			continue;
		}
		for (int p = 0; p < k; p++, at += g->ldk) {
			part[q] += g->w[at] * G[p];
			if (g->dw)
				g->dw[at] += gate[q] * G[p];
		}
	}
}

static void
gate_item(void *arg, int item, int worker)
{
	const struct gate *g = arg;
	const struct outer *o = g->o;
	int j = item % g->n_blocks * BLOCK_N, kb = item / g->n_blocks, i = kb * BLOCK_K;
	int n = o->n - j < BLOCK_N ? o->n - j : BLOCK_N, k = o->k - i < BLOCK_K ? o->k - i : BLOCK_K;
	float *G = back_scratch(g->b, worker), *scratch = G + BLOCK_N * BLOCK_K;

	for (int s = 0; s < g->samples; s++) {
		const float *d = o->d + (size_t)s * (size_t)g->rows * o->ldd + j,
			    *a = o->a + (size_t)s * (size_t)g->rows * o->lda + i;
		float *part = g->part + ((size_t)kb * (size_t)g->samples + (size_t)s) * (size_t)o->n + j;
		memset(part, 0, (size_t)n * sizeof *part);
		gemm_outer(g->b->x->kern, g->rows, n, k, d, o->ldd, a, o->lda, G, BLOCK_K, false, scratch);
		spread(g, s, j, n, i, k, G, part);
		if (kb == 0)
			columns(g, s, j, n, d, part);
	}
}

/* The gate's gradient of one sample. */
static void
sum_item(void *arg, int item, int worker)
{
	const struct gate *g = arg;
	const struct exec *x = g->b->x;
	int v = g->op->in[IN_MOD], n = g->o->n;
	float *to = back_value(g->b, v) + (size_t)item * exec_ld(x, v) + g->op->dim[DIM_GATE];

	(void)worker;
	for (int kb = 0; kb < g->k_blocks; kb++)
		x->kern->add(n, to, g->part + ((size_t)kb * (size_t)g->samples + (size_t)item) * (size_t)n, to);
}

enum status
back_gate(const struct back *b, const struct net_op *op, int samples, const struct outer *o, float *parts,
	  struct error *e)
{
	const struct exec *x = b->x;
	struct gate g = { .b = b,
			  .op = op,
			  .o = o,
			  .samples = samples,
			  .rows = o->rows / samples,
			  .n_blocks = (o->n + BLOCK_N - 1) / BLOCK_N,
			  .k_blocks = (o->k + BLOCK_K - 1) / BLOCK_K,
			  .w = weights_plain(x->w, op->par[PAR_W]),
			  .dw = back_par(b, op->par[PAR_W]),
			  .dbias = back_par(b, op->par[PAR_BIAS]),
			  .part = parts };
	bool turned = x->net->par[op->par[PAR_W]].transposed;
	enum status st = weights_vector(x->w, op->par[PAR_BIAS], &g.bias, e);

	if (st == ST_OK && !g.w)
		st = error_set(e, ST_FAIL, "weights that are no plain floats cannot be trained");
	g.ldn = turned ? 1 : (size_t)o->k;
	g.ldk = turned ? (size_t)o->n : 1;
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, g.n_blocks * g.k_blocks, gate_item, &g, x->cancel);
	return st == ST_OK ? pool_run(x->pool, x->prio, samples, sum_item, &g, x->cancel) : st;
}
