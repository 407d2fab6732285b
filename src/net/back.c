/* back.c: see back.h.  Owns the gradients and the scratch of one walk. */
#include "net/back.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

float
slope_silu(float v)
{
	double s = 1 / (1 + exp(-(double)v));

	return (float)(s * (1 + (double)v * (1 - s)));
}

float *
back_value(const struct back *b, int v)
{
	if (v < 0 || !b->wanted[v])
		return NULL;
	return v == b->x->net->feature ? b->feat : b->grad + b->plan.offset[v];
}

/* Values that depend on the input (params: or on any parameter), in the order in which they are made. */
static void
find_wanted(const struct net *net, bool params, bool *wanted)
{
	for (int i = 0; i < net->n_op; i++) {
		const struct net_op *op = &net->op[i];
		bool any = op->kind == NET_EMBED || op->kind == NET_PIXELS;
		for (int k = 0; k < NET_INS; k++)
			any |= op->in[k] >= 0 && wanted[op->in[k]];
		for (int k = 0; params && k < 4; k++)
			any |= op->par[k] >= 0;
		if (op->out >= 0)
			wanted[op->out] |= any;
	}
}

static size_t
op_scratch(const struct exec *x, const struct net_op *op)
{
	switch (op->kind) {
	case NET_LINEAR:
		return back_linear_scratch(x, op);
	case NET_ATTEND:
		return back_attend_scratch(x, op);
	case NET_CONV: {
		size_t a = back_conv_scratch(x, op), b = back_kernel_scratch(x, op);
		return a > b ? a : b;
	}
	case NET_EMBED:
		return back_embed_scratch(x, op);
	case NET_LABEL:
		return back_label_scratch(x, op);
	default:
		return 0;
	}
}

size_t
back_scratch_need(const struct exec *x)
{
	size_t most = back_outer_scratch(x);

	for (int i = 0; i < x->net->n_op; i++) {
		size_t need = op_scratch(x, &x->net->op[i]);
		most = need > most ? need : most;
	}
	return (most + 15) / 16 * 16;
}

static size_t
op_shared(const struct exec *x, const struct net_op *op, bool params)
{
	switch (op->kind) {
	case NET_CONV: {
		size_t a = back_conv_shared(x, op), b = back_kernel_shared(x, op, params);
		return a > b ? a : b;
	}
	case NET_GROUP:
		return back_group_shared(x, op);
	case NET_LINEAR:
		return params ? back_linear_shared(x, op) : 0;
	case NET_NORM:
		return params ? back_norm_shared(x, op) : 0;
	default:
		return 0;
	}
}

size_t
back_shared_need(const struct exec *x, bool params)
{
	size_t most = 16;

	for (int i = 0; i < x->net->n_op; i++) {
		size_t need = op_shared(x, &x->net->op[i], params);
		most = need > most ? need : most;
	}
	return (most + 15) / 16 * 16;
}

enum status
back_reserve(struct back *b, const struct exec *x, bool params, struct error *e)
{
	size_t all, values = (size_t)x->net->n_value;

	back_done(b);
	enum status st = plan_make(x->net, x->plan_n, x->plan_rows, PLAN_GRADIENTS, &b->plan, e);
	if (st != ST_OK)
		return st;
	b->x = x;
	b->scratch_floats = back_scratch_need(x);
	b->shared_floats = back_shared_need(x, params);
	b->wanted = mem_calloc(values, sizeof *b->wanted);
	b->fresh = mem_calloc(values, sizeof *b->fresh);
	b->grad = mem_aligned(b->plan.floats, sizeof *b->grad);
	b->shared = mem_aligned(b->shared_floats, sizeof *b->shared);
	if (mem_mul(b->scratch_floats, (size_t)pool_threads(x->pool), &all))
		b->scratch = mem_aligned(all ? all : 1, sizeof *b->scratch);
	if (!b->wanted || !b->fresh || !b->grad || !b->scratch || !b->shared) {
		st = error_set(e, ST_MEMORY, "out of memory: the gradients take %zu MB", b->plan.floats >> 18);
		back_done(b);
		return st;
	}
	find_wanted(x->net, params, b->wanted);
	return ST_OK;
}

void
back_done(struct back *b)
{
	free(b->wanted);
	free(b->fresh);
	plan_done(&b->plan);
	mem_free(b->grad);
	mem_free(b->scratch);
	mem_free(b->shared);
	*b = (struct back){ 0 };
}

/* The input's own gradient: rows of the embedding, or values of pixels in the
 * order of the tokens. */
static void
to_input(const struct back *b, const struct net_op *op)
{
	const struct exec *x = b->x;
	size_t ld = exec_ld(x, op->out), L = (size_t)x->rows, pixels = L / 3, d = (size_t)op->dim[DIM_N];

	for (size_t s = 0; s < (size_t)x->n; s++) {
		const float *g = back_value(b, op->out) + s * exec_step(x, op->out);
		if (op->kind == NET_EMBED)
			for (size_t l = 0; l < L; l++)
				memcpy(b->input + (s * L + l) * d, g + l * ld, d * sizeof *g);
		else
			for (size_t c = 0; c < 3; c++)
				for (size_t i = 0; i < pixels; i++)
					b->input[s * L + c * pixels + i] = g[i * ld + c];
	}
}

struct clearing {
	const struct back *b;
	int v;
};

static void
clear_item(void *arg, int item, int worker)
{
	const struct clearing *c = arg;
	size_t step = exec_step(c->b->x, c->v);

	(void)worker;
	memset(back_value(c->b, c->v) + (size_t)item * step, 0, step * sizeof(float));
}

static enum status
clear(struct back *b, int v)
{
	struct clearing c = { b, v };

	if (v < 0 || !b->wanted[v] || !b->fresh[v])
		return ST_OK;
	b->fresh[v] = false;
	return pool_run(b->x->pool, b->x->prio, b->x->n, clear_item, &c, b->x->cancel);
}

/* Does the operation look at `fresh` of this input? */
static bool
writes_first(const struct net_op *op, int input)
{
	return (op->kind == NET_LINEAR && (input == IN_X || input == IN_RES)) ||
	       ((op->kind == NET_ATTEND || op->kind == NET_NORM) && input == IN_X);
}

static enum status
walk_op(struct back *b, const struct net_op *op, struct error *e)
{
	switch (op->kind) {
	case NET_LINEAR:
		return back_linear(b, op, e);
	case NET_ATTEND:
		return back_attend(b, op, e);
	case NET_NORM:
		return back_norm(b, op, e);
	case NET_CONV:
		return back_conv(b, op, e);
	case NET_GROUP:
		return back_group(b, op, e);
	case NET_MU:
		return back_mu(b, op, e);
	case NET_EMBED:
		if (b->input)
			to_input(b, op);
		return b->par ? back_embed(b, op, e) : ST_OK;
	case NET_PIXELS:
		if (b->input)
			to_input(b, op);
		return ST_OK;
	case NET_LABEL:
		return back_label(b, op, e);
	case NET_TIME:
		return ST_OK;
	case NET_HEAD:
	case NET_LOGISTIC:
		break;
	}
	return error_set(e, ST_FAIL, "operation %d has no backward pass", (int)op->kind);
}

static enum status
back_op(struct back *b, const struct net_op *op, struct error *e)
{
	if (op->out < 0 || !b->wanted[op->out])
		return ST_OK;
	enum status st = clear(b, op->out); /* nobody read it */
	for (int k = 0; k < NET_INS && st == ST_OK; k++)
		if (!writes_first(op, k))
			st = clear(b, op->in[k]);
	if (st == ST_OK)
		st = walk_op(b, op, e);
	for (int k = 0; k < NET_INS; k++)
		if (op->in[k] >= 0)
			b->fresh[op->in[k]] = false;
	return st;
}

enum status
back_run(struct back *b, float *feat, float *input, struct error *e)
{
	const struct net *net = b->x->net;
	enum status st = ST_OK;

	for (int v = 0; v < net->n_value; v++)
		b->fresh[v] = v != net->feature;
	b->feat = feat;
	b->input = input;
	for (int i = net->n_op - 1; i >= 0 && st == ST_OK; i--)
		if (net->op[i].kind != NET_HEAD && net->op[i].kind != NET_LOGISTIC)
			st = back_op(b, &net->op[i], e);
	return st == ST_CANCELLED ? error_set(e, st, "cancelled") : st;
}
