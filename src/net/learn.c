/*
 * learn.c: see learn.h.  A net_run that keeps its values, the walk back over
 * it, and the head between the two: its rows go through in blocks, forward,
 * loss and back, so that logits of no more than one block exist.
 */
#include "net/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conv.h"
#include "net/run_private.h"

struct learn {
	const struct flat *flat;
	const struct net *net;
	int n;                          /* samples there is room for */
	bool backward;
	struct tensor *tensor;          /* [n_par] the trainer's weights */
	struct weights *w;
	struct net_run *run;
	float **par;                    /* [n_par] into the gradient of a pass */
	float *feat, *d_feat;           /* [n,L,F] */
	int *at;                        /* [LEARN_ROWS] rows of the block */
	float *x, *dx, *logit;          /* the block: [LEARN_ROWS,F], the same with room for whole panels, [.., V] */
	size_t own;                     /* floats of all these */
};

static size_t
panels(int width)
{
	return ((size_t)width + 127) / 128 * 128;
}

/* Does the last operation make logits of feature rows? */
static const struct net_op *
head_of(const struct net *net)
{
	const struct net_op *op = &net->op[net->n_op - 1];

	return op->kind == NET_HEAD || op->kind == NET_LOGISTIC ? op : NULL;
}

static bool
product(size_t a, size_t b, size_t c, size_t *sum)
{
	size_t all;

	return mem_mul(a, b, &all) && mem_mul(all, c, &all) && mem_add(*sum, all, sum) && *sum < SIZE_MAX / 16;
}

/* Features, their gradient, and the block; false: more than memory can hold. */
static bool
own_floats(const struct net *net, int n, bool backward, size_t *out)
{
	size_t F = (size_t)net->F, V = head_of(net) ? (size_t)net->V : 0;

	*out = 0;
	return product((size_t)n * (backward ? 2 : 1), (size_t)net->L, F, out) && product(LEARN_ROWS, F + V, 1, out) &&
	       (!backward || product(LEARN_ROWS, panels(net->F), 1, out));
}

/* ---- how much it takes ---- */

/* The forms that passes make of one operation's matrix. */
static size_t
matrix_floats(const struct exec *x, const struct net_op *op, bool backward)
{
	int n = op->dim[DIM_N], k = op->dim[DIM_K];
	size_t all = 0;

	if (op->kind == NET_CONV) {
		struct conv c;
		conv_lay_out(x, op, &c);
		all = conv_prepared(&c) + (backward ? back_conv_prepared(x, op) : 0);
	} else if (op->kind == NET_LINEAR || op->kind == NET_HEAD) {
		if (!x->kern->blas || op->kind == NET_HEAD)
			all = gemm_packed_floats(x->kern, n, k);
		if (backward && (!x->kern->blas || x->net->par[op->par[PAR_W]].transposed))
			all += gemm_packed_floats(x->kern, k, n);
	}
	return all;
}

/* What the kernels want beside the flat array, each parameter once. */
static size_t
form_floats(const struct exec *x, bool backward, bool *seen)
{
	size_t all = 0;

	for (int i = 0; i < x->net->n_op; i++) {
		const struct net_op *op = &x->net->op[i];
		for (int p = 0; p < 4; p++) {
			int par = op->par[p];
			if (par < 0 || seen[par] || (p == PAR_W && op->kind == NET_EMBED) || op->kind == NET_LABEL)
				continue;
			seen[par] = true;
			if (p == PAR_W && x->net->par[par].ndim > 1)
				all += matrix_floats(x, op, backward);
			else
				all += (size_t)net_par_numel(&x->net->par[par]);
		}
	}
	return all;
}

enum status
learn_measure(const struct net *net, const struct kern *kern, int threads, int n, bool backward, uint64_t *bytes,
	      struct error *e)
{
	struct exec x = { .net = net, .kern = kern, .plan_n = n, .plan_rows = net->L, .n = n, .rows = net->L };
	struct plan gradients = { 0 };
	bool *seen = mem_calloc((size_t)net->n_par, sizeof *seen);
	size_t own;

	if (!seen)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = plan_make(net, n, net->L, backward ? PLAN_LEARN : PLAN_INFER, &x.plan, e);
	if (st == ST_OK && !own_floats(net, n, backward, &own))
		st = error_set(e, ST_MEMORY, "the network needs more memory than there can be");
	if (st == ST_OK && backward)
		st = plan_make(net, n, net->L, PLAN_GRADIENTS, &gradients, e);
	if (st == ST_OK) {
		size_t each = exec_scratch_need(&x, n, net->L) + run_head_scratch(net, kern, LEARN_ROWS);
		if (backward)
			each += back_scratch_need(&x);
		*bytes = sizeof(float) * ((uint64_t)x.plan.floats + gradients.floats + own +
					  (uint64_t)threads * each + form_floats(&x, backward, seen) +
					  (backward ? back_shared_need(&x, true) : 0) +
					  2 * (uint64_t)net->L * (uint64_t)run_half(net));
	}
	plan_done(&x.plan);
	plan_done(&gradients);
	free(seen);
	return st;
}

size_t
learn_bytes(const struct learn *l)
{
	const struct back *b = &l->run->back;
	size_t scratch = b->scratch_floats * (size_t)pool_threads(l->run->pool);
	size_t back = l->backward ? b->plan.floats + b->shared_floats + scratch : 0;

	return net_run_bytes(l->run) + weights_bytes(l->w) + sizeof(float) * (l->own + back);
}

/* ---- making one ---- */

static enum status
make_own(struct learn *l, struct error *e)
{
	size_t L = (size_t)l->net->L, F = (size_t)l->net->F, n = (size_t)l->n;

	if (!own_floats(l->net, l->n, l->backward, &l->own))
		return error_set(e, ST_MEMORY, "the network needs more memory than there can be");
	l->feat = mem_aligned(n * L * F, sizeof *l->feat);
	l->x = mem_aligned(LEARN_ROWS * F, sizeof *l->x);
	l->logit = mem_aligned(head_of(l->net) ? LEARN_ROWS * (size_t)l->net->V : 1, sizeof *l->logit);
	l->at = mem_calloc(LEARN_ROWS, sizeof *l->at);
	if (l->backward) {
		l->d_feat = mem_aligned(n * L * F, sizeof *l->d_feat);
		l->dx = mem_aligned(LEARN_ROWS * panels(l->net->F), sizeof *l->dx);
		l->par = mem_calloc((size_t)l->net->n_par, sizeof *l->par);
	}
	if (!l->feat || !l->x || !l->logit || !l->at || (l->backward && (!l->d_feat || !l->dx || !l->par)))
		return error_set(e, ST_MEMORY, "out of memory: features and logits take %zu MB", l->own >> 18);
	return ST_OK;
}

static enum status
make(struct learn *l, const struct learn_setup *s, struct error *e)
{
	l->tensor = mem_calloc((size_t)l->net->n_par, sizeof *l->tensor);
	if (!l->tensor)
		return error_set(e, ST_MEMORY, "out of memory");
	flat_tensors(l->flat, s->param, l->tensor);
	enum status st = weights_new(l->net, l->tensor, l->net->n_par, "weights", s->kern, &l->w, e);
	if (st == ST_OK)
		st = net_run_new(l->net, l->w, s->kern, s->pool, s->backward, &l->run, e);
	if (st != ST_OK)
		return st;
	weights_priority(l->w, POOL_TRAIN);
	struct exec *x = &l->run->trunk;
	x->prio = POOL_TRAIN;
	x->learn = s->backward;
	if ((st = run_prepare(l->run, x, l->n, l->net->L, e)) != ST_OK ||
	    (st = run_head_reserve(l->run, LEARN_ROWS, e)) != ST_OK || (st = make_own(l, e)) != ST_OK)
		return st;
	if (s->backward && (st = back_reserve(&l->run->back, x, true, e)) == ST_OK)
		l->run->back_n = l->n;
	return st;
}

enum status
learn_new(const struct learn_setup *s, struct learn **out, struct error *e)
{
	struct learn *l = mem_calloc(1, sizeof *l);

	*out = NULL;
	if (!l)
		return error_set(e, ST_MEMORY, "out of memory");
	l->flat = s->flat;
	l->net = s->flat->net;
	l->n = s->n;
	l->backward = s->backward;
	enum status st = make(l, s, e);
	if (st != ST_OK) {
		learn_free(l);
		return st;
	}
	*out = l;
	return ST_OK;
}

void
learn_free(struct learn *l)
{
	if (!l)
		return;
	net_run_free(l->run);
	weights_free(l->w);
	free(l->tensor);
	free(l->par);
	free(l->at);
	mem_free(l->feat);
	mem_free(l->d_feat);
	mem_free(l->x);
	mem_free(l->dx);
	mem_free(l->logit);
	free(l);
}

void
learn_changed(struct learn *l)
{
	weights_changed(l->w);
}

/* ---- a pass ---- */

/* Rows that count, from *next on, at most a block of them; returns how many. */
static int
gather(struct learn *l, const uint8_t *row, int *next, int end)
{
	size_t F = (size_t)l->net->F;
	int n = 0;

	for (; *next < end && n < LEARN_ROWS; ++*next) {
		if (row && !row[*next])
			continue;
		memcpy(l->x + (size_t)n * F, l->feat + (size_t)*next * F, F * sizeof *l->x);
		l->at[n++] = *next;
	}
	return n;
}

/* Head, loss and the head's way back, a block of rows at a time. */
static enum status
head_blocks(struct learn *l, const struct learn_pass *p, struct cancel *c, struct error *e)
{
	size_t F = (size_t)l->net->F, lddx = panels(l->net->F);
	int next = 0, end = p->in->n * l->net->L, n;
	enum status st = ST_OK;

	while (st == ST_OK && (n = gather(l, p->row, &next, end)) > 0) {
		if ((st = net_run_head(l->run, n, l->x, l->logit, c, e)) != ST_OK ||
		    (st = p->loss(p->arg, n, l->at, l->logit, c, e)) != ST_OK || !p->grad)
			continue;
		st = back_head(&l->run->back, head_of(l->net), n, l->x, F, l->logit, l->dx, lddx, e);
		for (int i = 0; st == ST_OK && i < n; i++)
			memcpy(l->d_feat + (size_t)l->at[i] * F, l->dx + (size_t)i * lddx, F * sizeof *l->dx);
	}
	return st;
}

static enum status
forward(struct learn *l, const struct learn_pass *p, struct cancel *c, struct error *e)
{
	struct exec *x = &l->run->trunk;

	if (p->in->n < 1 || p->in->n > l->n || (p->grad && !l->backward))
		return error_set(e, ST_FAIL, "a pass of %d samples where there is room for %d%s", p->in->n, l->n,
			l->backward ? "" : ", forward only");
	enum status st = run_check_input(l->net, p->in, e);
	if (st == ST_OK)
		st = run_prepare(l->run, x, p->in->n, l->net->L, e);
	if (st != ST_OK)
		return st;
	x->cancel = c;
	x->in = p->in;
	x->in_first = 0;
	x->feat = l->feat;
	x->drop = p->drop;
	return exec_run(x, e);
}

enum status
learn_pass(struct learn *l, const struct learn_pass *p, struct cancel *c, struct error *e)
{
	struct back *b = &l->run->back;
	enum status st = forward(l, p, c, e);

	for (int i = 0; st == ST_OK && p->grad && i < l->net->n_par; i++)
		l->par[i] = p->grad + l->flat->at[i];
	b->par = p->grad ? l->par : NULL;
	if (st == ST_OK && p->grad)
		memset(l->d_feat, 0, (size_t)p->in->n * (size_t)l->net->L * (size_t)l->net->F * sizeof *l->d_feat);
	if (st == ST_OK)
		st = p->features ? p->features(p->arg, l->feat, p->grad ? l->d_feat : NULL, p->grad, c, e)
				 : head_blocks(l, p, c, e);
	if (st == ST_OK && p->grad)
		st = back_run(b, l->d_feat, NULL, e);
	return st == ST_CANCELLED ? error_set(e, st, "cancelled") : st;
}
