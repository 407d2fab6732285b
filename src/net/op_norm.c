/* op_norm.c: layer norm and modulation by themselves, before the head. */
#include "net/exec.h"

#define ITEM_ROWS 32

struct norm {
	const struct exec *x;
	const struct net_op *op;
	const float *w, *bias;
	int blocks;
};

static void
norm_item(void *arg, int item, int worker)
{
	const struct norm *j = arg;
	const struct exec *x = j->x;
	int in = j->op->in[IN_X], sample = item / j->blocks, first = item % j->blocks * ITEM_ROWS;
	int end = first + ITEM_ROWS < x->rows ? first + ITEM_ROWS : x->rows;
	const float *src = exec_value(x, in) + (size_t)sample * exec_step(x, in),
		    *mod = exec_value(x, j->op->in[IN_MOD]);
	float *out = exec_value(x, j->op->out) + (size_t)sample * exec_step(x, j->op->out);

	(void)worker;
	if (mod)
		mod += (size_t)sample * exec_ld(x, j->op->in[IN_MOD]);
	for (int i = first; i < end; i++)
		x->kern->norm(x->net->value[in].width, src + (size_t)i * exec_ld(x, in), j->w,
		              mod ? mod + j->op->dim[DIM_SHIFT] : j->bias, mod ? mod + j->op->dim[DIM_SCALE] : NULL,
		              out + (size_t)i * exec_ld(x, j->op->out));
}

enum status
op_norm(struct exec *x, const struct net_op *op, struct error *e)
{
	struct norm j = { .x = x, .op = op, .blocks = (x->rows + ITEM_ROWS - 1) / ITEM_ROWS };
	enum status st = weights_vector(x->w, op->par[PAR_NORM], &j.w, e);

	if (st == ST_OK)
		st = weights_vector(x->w, op->par[PAR_NORM_BIAS], &j.bias, e);
	return st == ST_OK ? pool_run(x->pool, x->prio, x->n * j.blocks, norm_item, &j, x->cancel) : st;
}
