/*
 * head.c: feature rows to logits.  Sums run in pieces of 128 terms, each on its
 * own, so that 50,000 logits compare to better than a unit in the sixth digit.
 * Its scratch is its own: a head may run between two work items of a trunk.
 */
#include "base/mem.h"
#include "net/run_private.h"

#define HEAD_KC 128
#define LOGISTIC_ROWS 16

size_t
run_head_scratch(const struct net *net, const struct kern *kern, int n)
{
	const struct net_op *op = &net->op[net->n_op - 1];
	struct linear l = { .kern = kern, .samples = 1, .rows = n };

	if (op->kind != NET_HEAD)
		return 0;
	l.b = (struct gemm_b){ .n = op->dim[DIM_N], .k = op->dim[DIM_K], .packed = true };
	linear_shape(&l);
	return (linear_scratch(&l) + 15) / 16 * 16;
}

enum status
run_head_reserve(struct net_run *r, int n, struct error *e)
{
	size_t all, need = run_head_scratch(r->net, r->kern, n);

	if (need <= r->head_floats)
		return ST_OK;
	float *p = mem_mul(need, (size_t)pool_threads(r->pool), &all) ? mem_aligned(all, sizeof *p) : NULL;
	if (!p)
		return error_set(e, ST_MEMORY, "out of memory");
	mem_free(r->head_scratch);
	r->head_scratch = p;
	r->head_floats = need;
	return ST_OK;
}

struct logistic {
	const struct kern_image *kern;
	const float *x;
	float *logit;
	int n, V;
	bool fix;
};

static void
logistic_item(void *arg, int item, int worker)
{
	const struct logistic *l = arg;
	int end = l->n < (item + 1) * LOGISTIC_ROWS ? l->n : (item + 1) * LOGISTIC_ROWS;

	(void)worker;
	for (int i = item * LOGISTIC_ROWS; i < end; i++)
		l->kern->logistic(l->V, (double)l->x[2 * i], (double)l->x[2 * i + 1], l->fix,
			l->logit + (size_t)i * (size_t)l->V);
}

static enum status
logistic_head(struct net_run *r, const struct net_op *op, int n, const float *x, float *logit, struct cancel *c)
{
	struct logistic l = { .kern = r->kern->image, .x = x, .logit = logit, .n = n, .V = r->net->V,
		.fix = op->dim[LOGISTIC_FIX] };

	return pool_run(r->pool, r->trunk.prio, (n + LOGISTIC_ROWS - 1) / LOGISTIC_ROWS, logistic_item, &l, c);
}

enum status
net_run_head(struct net_run *r, int n, const float *x, float *logit, struct cancel *c, struct error *e)
{
	const struct net_op *op = &r->net->op[r->net->n_op - 1];
	struct linear l = { .kern = r->kern, .samples = 1, .rows = n, .kc = HEAD_KC };
	enum status st;

	if (n <= 0)
		return ST_OK;
	if (op->kind == NET_LOGISTIC) {
		st = logistic_head(r, op, n, x, logit, c);
		return st == ST_CANCELLED ? error_set(e, st, "cancelled") : st;
	}
	if ((st = weights_matrix(r->w, op->par[PAR_W], true, r->pool, c, &l.b, e)) != ST_OK ||
	    (st = weights_vector(r->w, op->par[PAR_BIAS], &l.bias, e)) != ST_OK)
		return st == ST_CANCELLED ? error_set(e, st, "cancelled") : st;
	if ((st = run_head_reserve(r, n, e)) != ST_OK)
		return st;
	linear_shape(&l);
	l.x = x;
	l.ldx = (size_t)op->dim[DIM_K];
	l.out = logit;
	l.ldout = (size_t)op->dim[DIM_N];
	l.scratch = r->head_scratch;
	l.scratch_floats = r->head_floats;
	st = linear_run(&l, r->pool, r->trunk.prio, c);
	return st == ST_CANCELLED ? error_set(e, st, "cancelled") : st;
}
