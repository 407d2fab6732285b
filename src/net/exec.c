/* exec.c: see exec.h.  Owns the memory of one exec's values. */
#include "net/exec.h"

#include <stdlib.h>

#include "base/mem.h"

float *
exec_value(const struct exec *x, int v)
{
	if (v < 0)
		return NULL;
	return v == x->net->feature ? x->feat : x->base + x->plan.offset[v];
}

float *
exec_before(const struct exec *x, int v)
{
	return x->plan.before[v] == PLAN_NONE ? NULL : x->base + x->plan.before[v];
}

size_t
exec_ld(const struct exec *x, int v)
{
	return x->plan.ld[v];
}

size_t
exec_step(const struct exec *x, int v)
{
	const struct net_value *value = &x->net->value[v];
	size_t rows = v == x->net->feature ? (size_t)x->rows : value->rows ? (size_t)value->rows : (size_t)x->plan_rows;

	return value->per_sample ? x->plan.ld[v] : rows * x->plan.ld[v];
}

int
exec_rows(const struct exec *x, int v)
{
	const struct net_value *value = &x->net->value[v];

	return value->per_sample ? 1 : value->rows ? value->rows : x->rows;
}

float *
exec_scratch(const struct exec *x, int worker)
{
	return x->scratch + (size_t)worker * x->scratch_floats;
}

enum status
exec_reserve(struct exec *x, int n, int rows, bool keep, struct error *e)
{
	struct plan plan;

	if (x->base && n <= x->plan_n && rows <= x->plan_rows)
		return ST_OK;
	enum plan_kind kind = !keep ? PLAN_INFER : x->learn ? PLAN_LEARN : PLAN_KEEP;
	enum status st = plan_make(x->net, n, rows, kind, &plan, e);
	if (st != ST_OK)
		return st;
	float *base = mem_aligned(plan.floats, sizeof *base);
	if (!base) {
		plan_done(&plan);
		return error_set(e, ST_MEMORY, "out of memory: the network's values take %zu MB", plan.floats >> 18);
	}
	exec_done(x);
	x->plan = plan;
	x->base = base;
	x->plan_n = n;
	x->plan_rows = rows;
	return ST_OK;
}

void
exec_done(struct exec *x)
{
	mem_free(x->base);
	plan_done(&x->plan);
	x->base = NULL;
	x->plan_n = x->plan_rows = 0;
}

static size_t
op_scratch(const struct exec *x, const struct net_op *op)
{
	switch (op->kind) {
	case NET_LINEAR:
		return op_linear_scratch(x, op);
	case NET_ATTEND:
		return op_attend_scratch(x, op);
	case NET_CONV:
		return op_conv_scratch(x, op);
	default:
		return 0;
	}
}

size_t
exec_scratch_need(const struct exec *x, int n, int rows)
{
	struct exec y = *x;
	size_t most = 0;

	y.n = n;
	y.rows = rows;
	for (int i = 0; i < x->net->n_op; i++) {
		const struct net_op *op = &x->net->op[i];
		size_t need = op_scratch(&y, op);
		if (need > most)
			most = need;
	}
	return (most + 15) / 16 * 16;
}

static enum status
run_op(struct exec *x, const struct net_op *op, struct error *e)
{
	switch (op->kind) {
	case NET_EMBED:
		return op_embed(x, op, e);
	case NET_TIME:
		return op_time(x, op, e);
	case NET_LABEL:
		return op_label(x, op, e);
	case NET_LINEAR:
		return op_linear(x, op, e);
	case NET_ATTEND:
		return op_attend(x, op, e);
	case NET_NORM:
		return op_norm(x, op, e);
	case NET_PIXELS:
		return op_pixels(x, op, e);
	case NET_GROUP:
		return op_group(x, op, e);
	case NET_CONV:
		return op_conv(x, op, e);
	case NET_MU:
		return op_mu(x, op, e);
	case NET_HEAD:
	case NET_LOGISTIC:
		break;
	}
	return ST_OK;
}

enum status
exec_run(struct exec *x, struct error *e)
{
	for (int i = 0; i < x->net->n_op; i++) {
		enum status st = run_op(x, &x->net->op[i], e);
		if (st == ST_CANCELLED)
			return error_set(e, ST_CANCELLED, "cancelled");
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}
