/*
 * back_head.c: from the gradient of logits to that of feature rows, and of the
 * head's own parameters.  Rows come in blocks (learn.c).
 */
#include "net/back.h"

#define ROWS 32
#define HEAD_KC 128

struct head_back {
	const struct back *b;
	int n, K, V;
	const float *x, *d;
	size_t ldx, lddx;
	float *dx;
	struct gemm_b wt;               /* d W */
	int columns, col_blocks;        /* of an item */
};

/* dx = d W, some rows and columns of it. */
static void
rows_item(void *arg, int item, int worker)
{
	const struct head_back *h = arg;
	int first = item / h->col_blocks * ROWS, m = h->n - first < ROWS ? h->n - first : ROWS;
	int j0 = item % h->col_blocks * h->columns, j1 = j0 + h->columns < h->K ? j0 + h->columns : h->K;

	(void)worker;
	gemm_mul(h->b->x->kern, m, h->d + (size_t)first * (size_t)h->V, (size_t)h->V, &h->wt, j0, j1, HEAD_KC,
		 h->dx + (size_t)first * h->lddx + j0, h->lddx);
}

static enum status
linear_head(struct head_back *h, const struct net_op *op, struct error *e)
{
	const struct exec *x = h->b->x;
	int nr = x->kern->nr;
	struct outer o = { .rows = h->n, .n = h->V, .k = h->K, .d = h->d, .a = h->x, .ldd = (size_t)h->V, .lda = h->ldx,
		.ldw = (size_t)h->K, .w = back_par(h->b, op->par[PAR_W]), .bias = back_par(h->b, op->par[PAR_BIAS]) };
	enum status st = weights_back(x->w, op->par[PAR_W], x->pool, x->cancel, &h->wt, e);

	if (st != ST_OK)
		return st;
	h->columns = (64 + nr - 1) / nr * nr;
	h->col_blocks = (h->K + h->columns - 1) / h->columns;
	st = pool_run(x->pool, x->prio, (h->n + ROWS - 1) / ROWS * h->col_blocks, rows_item, h, x->cancel);
	return st == ST_OK && (o.w || o.bias) ? back_outer(h->b, &o) : st;
}

enum status
back_head(struct back *b, const struct net_op *op, int n, const float *x, size_t ldx, const float *d, float *dx,
	  size_t lddx, struct error *e)
{
	struct head_back h = { .b = b, .n = n, .K = op->dim[DIM_K], .V = b->x->net->V, .x = x, .d = d, .ldx = ldx,
		.dx = dx, .lddx = lddx };

	if (n <= 0)
		return ST_OK;
	if (op->kind == NET_LOGISTIC)
		return back_logistic(b->x, op, n, x, ldx, d, dx, lddx);
	return linear_head(&h, op, e);
}
