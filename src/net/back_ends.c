/*
 * back_ends.c: backward of the two operations at the end of an image network:
 * from logits to mu and log scale, and from those to the output's channels.
 */
#include "net/back.h"

#include <math.h>

#define ITEM_PIXELS 256
#define ITEM_ROWS 16

struct logistic_back {
	const struct exec *x;
	const float *row, *d;
	size_t ld, ldd;
	float *d_row;
	int n, V;
	bool fix;
};

static void
logistic_item(void *arg, int item, int worker)
{
	const struct logistic_back *l = arg;
	int end = l->n < (item + 1) * ITEM_ROWS ? l->n : (item + 1) * ITEM_ROWS;

	(void)worker;
	for (int i = item * ITEM_ROWS; i < end; i++) {
		double mu, scale;
		const float *row = l->row + (size_t)i * l->ld;
		float *to = l->d_row + (size_t)i * l->ldd;
		l->x->kern->image->logistic_back(l->V, (double)row[0], (double)row[1], l->fix,
						 l->d + (size_t)i * (size_t)l->V, &mu, &scale);
		to[0] = (float)mu;
		to[1] = (float)scale;
	}
}

enum status
back_logistic(const struct exec *x, const struct net_op *op, int n, const float *row, size_t ld, const float *d,
	      float *d_row, size_t ldd)
{
	struct logistic_back l = { .x = x,
				   .row = row,
				   .ld = ld,
				   .d = d,
				   .d_row = d_row,
				   .ldd = ldd,
				   .n = n,
				   .V = x->net->V,
				   .fix = op->dim[LOGISTIC_FIX] };

	return pool_run(x->pool, x->prio, (n + ITEM_ROWS - 1) / ITEM_ROWS, logistic_item, &l, x->cancel);
}

struct mu_back {
	const struct back *b;
	const struct net_op *op;
	int pixels, blocks;
};

/* mu = tanh(pixel + raw): its slope 1 / cosh^2 keeps its digits where mu is
 * near 1. */
static void
mu_item(void *arg, int item, int worker)
{
	const struct mu_back *j = arg;
	const struct exec *x = j->b->x;
	int v = j->op->in[IN_X], pix = j->op->in[IN_RES], sample = item / j->blocks,
	    first = item % j->blocks * ITEM_PIXELS;
	size_t end = (size_t)(first + ITEM_PIXELS < j->pixels ? first + ITEM_PIXELS : j->pixels);
	size_t at = (size_t)sample * exec_step(x, v), at_pix = (size_t)sample * exec_step(x, pix);
	size_t ld = exec_ld(x, j->op->out), ldv = exec_ld(x, v), ldp = exec_ld(x, pix);
	const float *raw = exec_value(x, v) + at, *x0 = exec_value(x, pix) + at_pix;
	const float *d = back_value(j->b, j->op->out) + (size_t)sample * exec_step(x, j->op->out);
	float *to = back_value(j->b, v), *to_pix = back_value(j->b, pix);

	(void)worker;
	for (size_t c = 0; c < 3; c++)
		for (size_t i = (size_t)first; i < end; i++) {
			const float *row = d + (c * (size_t)j->pixels + i) * ld;
			double ch = cosh((double)x0[i * ldp + c] + (double)raw[i * ldv + c]);
			float slope = (float)((double)row[0] / (ch * ch));
			if (to) {
				to[at + i * ldv + c] += slope;
				to[at + i * ldv + 3 + c] += row[1];
			}
			if (to_pix)
				to_pix[at_pix + i * ldp + c] += slope;
		}
}

enum status
back_mu(struct back *b, const struct net_op *op, struct error *e)
{
	struct mu_back j = { .b = b, .op = op, .pixels = b->x->rows / 3 };

	(void)e;
	j.blocks = (j.pixels + ITEM_PIXELS - 1) / ITEM_PIXELS;
	return pool_run(b->x->pool, b->x->prio, b->x->n * j.blocks, mu_item, &j, b->x->cancel);
}
