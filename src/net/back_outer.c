/*
 * back_outer.c: gradients of weights and biases, sums over many rows: dW = d^T a.
 * A work item is a block of dW, all rows of it in one order, so that the bits
 * depend on the shape alone.
 */
#include "net/back.h"

#include <string.h>

#define BLOCK_N 192 /* whole tiles of every kernel */
#define BLOCK_K 128

struct job {
	const struct back *b;
	const struct outer *o;
	int n_blocks;
};

size_t
back_outer_scratch(const struct exec *x)
{
	return gemm_outer_floats(x->kern, BLOCK_K);
}

void
back_sum_rows(const struct kern *kern, int rows, int n, const float *d, size_t ldd, float *sum)
{
	float part[BLOCK_N];

	for (int j = 0; j < n; j += BLOCK_N) {
		int width = n - j < BLOCK_N ? n - j : BLOCK_N;
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
	const struct kern *kern = job->b->x->kern;
	int j = item % job->n_blocks * BLOCK_N, i = item / job->n_blocks * BLOCK_K;
	int n = o->n - j < BLOCK_N ? o->n - j : BLOCK_N, k = o->k - i < BLOCK_K ? o->k - i : BLOCK_K;

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
	struct job job = { .b = b, .o = o, .n_blocks = (o->n + BLOCK_N - 1) / BLOCK_N };
	int k_blocks = o->w ? (o->k + BLOCK_K - 1) / BLOCK_K : 1;

	return o->rows > 0 ? pool_run(x->pool, x->prio, job.n_blocks * k_blocks, outer_item, &job, x->cancel) : ST_OK;
}
