/*
 * back_outer.c: gradients of weights and biases, sums over many rows: dW = d^T a.
 * A work item is a block of dW, all rows of it in one order, so that the bits
 * depend on the shape alone.
 */
#include "net/back.h"

#include <string.h>

#define MOST_N 192 /* whole tiles of every kernel */
#define MOST_K 128
#define UNIT 12
#define ITEM_FLOP 4.5e8
#define ITEMS 8 /* with BLAS, whose bits depend on the block */

/* Blocks of a matrix [n,k]. */
struct blocks {
	int n, k, n_blocks, k_blocks; /* a block's columns; how many */
};

static int
even_part(int all, int most, int unit)
{
	int parts = (all + most - 1) / most;

	return ((all + parts - 1) / parts + unit - 1) / unit * unit;
}

/* Large blocks read d and a less often; but every worker wants two.  With tiles
 * an element's sum does not depend on the block it is in. */
static struct blocks
blocks_of(const struct exec *x, int rows, int n, int k)
{
	int most = MOST_N, items = x->kern->blas ? ITEMS : 2 * pool_threads(x->pool);
	struct blocks b;

	for (;; most /= 2) {
		b.n = even_part(n, most, UNIT);
		b.k = even_part(k, most > MOST_K ? MOST_K : most < 32 ? 32 : most, 32);
		b.n_blocks = (n + b.n - 1) / b.n;
		b.k_blocks = (k + b.k - 1) / b.k;
		if (most <= 2 * UNIT ||
		    (b.n_blocks * b.k_blocks >= items && 2. * rows * b.n * b.k <= ITEM_FLOP))
			return b;
	}
}

struct job {
	const struct back *b;
	const struct outer *o;
	struct blocks blocks;
};

size_t
back_outer_scratch(const struct exec *x)
{
	return gemm_outer_floats(x->kern, MOST_K) + MOST_N * MOST_K;
}

void
back_sum_rows(const struct kern *kern, int rows, int n, const float *d, size_t ldd, float *sum)
{
	float part[MOST_N];

	for (int j = 0; j < n; j += MOST_N) {
		int width = n - j < MOST_N ? n - j : MOST_N;
		for (int r = 0; r < rows; r += GEMM_OUTER_ROWS) {
			int end = rows - r < GEMM_OUTER_ROWS ? rows : r + GEMM_OUTER_ROWS;
			memset(part, 0, sizeof part);
			for (int i = r; i < end; i++)
				kern->add(width, part, d + (size_t)i * ldd + j, part);
			kern->add(width, sum + j, part, sum + j);
		}
	}
}

static void
outer_item(void *arg, int item, int worker)
{
	const struct job *job = arg;
	const struct outer *o = job->o;
	const struct blocks *bl = &job->blocks;
	const struct kern *kern = job->b->x->kern;
	int j = item % bl->n_blocks * bl->n, i = item / bl->n_blocks * bl->k;
	int n = o->n - j < bl->n ? o->n - j : bl->n, k = o->k - i < bl->k ? o->k - i : bl->k;

	if (o->w)
		gemm_outer(kern, o->rows, n, k, o->d + j, o->ldd, o->a + i, o->lda, o->w + (size_t)j * o->ldw + i,
			   o->ldw, true, back_scratch(job->b, worker));
	if (o->bias && i == 0)
		back_sum_rows(kern, o->rows, n, o->d + j, o->ldd, o->bias + j);
}

enum status
back_outer(const struct back *b, const struct outer *o)
{
	const struct exec *x = b->x;
	struct job job = { .b = b, .o = o, .blocks = blocks_of(x, o->rows, o->n, o->w ? o->k : 1) };

	if (o->rows <= 0 || (!o->w && !o->bias))
		return ST_OK;
	return pool_run(x->pool, x->prio, job.blocks.n_blocks * job.blocks.k_blocks, outer_item, &job, x->cancel);
}

enum status
back_matrix(const struct back *b, const struct net_op *op, struct outer *o)
{
	float *dw = back_par(b, op->par[PAR_W]), *bias = back_par(b, op->par[PAR_BIAS]);
	struct outer turned = { .rows = o->rows, .n = o->k, .k = o->n, .d = o->a, .a = o->d, .ldd = o->lda,
				.lda = o->ldd, .w = dw, .ldw = (size_t)o->n };

	o->bias = bias;
	if (!dw || !b->x->net->par[op->par[PAR_W]].transposed) {
		o->w = dw;
		o->ldw = (size_t)o->k;
		return back_outer(b, o);
	}
	o->w = NULL;
	enum status st = back_outer(b, o);
	return st == ST_OK ? back_outer(b, &turned) : st;
}
