/*
 * back_linear.c: backward of LINEAR with what is fused to it.
 *
 * First over blocks of rows: the gradient of the product through after(), times
 * W, then through before().  Then, if gradients of parameters are asked for,
 * sums over all rows: dW = d^T a, where a is the prepared input, and d the
 * gradient of the product, which has taken the place of that of the output.
 */
#include "net/back.h"

#include <string.h>

#include "net/dropout.h"

#define ITEM_ROWS 48

struct linear_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	struct gemm_b w, wt; /* x W^T and dy W */
	const float *bias;
	struct norm_back norm;
	struct dropout drop;
	int n, k;	     /* outputs, inputs */
	int samples, rows;   /* a value with one row per sample is one sample of many rows */
	bool merged;
	int blocks;	     /* of a sample */
	size_t ldn, ldk;     /* strides in scratch, and ldk of `prepared` */
	float *prepared;     /* [samples rows, ldk] before() of all rows; NULL: the input itself, or not wanted */
	bool again;	     /* the product is needed once more */
	const float *before; /* what the activation was applied to, as the output; NULL: not kept */
	bool fresh_x, fresh_res; /* first to write these gradients */
};

static size_t
stride(int n)
{
	return ((size_t)n + 127) / 128 * 128 + 16; /* room for a whole panel */
}

/* Floats from one sample to the next. */
static size_t
step_of(const struct linear_back *l, int v)
{
	return l->merged ? 0 : exec_step(l->x, v);
}

/* Row `row` of a value or of its gradient. */
static size_t
place(const struct linear_back *l, int v, int sample, int row)
{
	return (size_t)sample * step_of(l, v) + (size_t)row * exec_ld(l->x, v);
}

static const float *
modulation(const struct linear_back *l, int sample)
{
	const float *mod = exec_value(l->x, l->op->in[IN_MOD]);

	return mod ? mod + (size_t)sample * exec_ld(l->x, l->op->in[IN_MOD]) : NULL;
}

/* before() of m rows, as the forward pass does it. */
static void
prepare(const struct linear_back *l, int sample, int first, int m, float *a)
{
	const struct exec *x = l->x;
	int v = l->op->in[IN_X];
	const float *src = exec_value(x, v) + place(l, v, sample, first), *mod = modulation(l, sample);

	for (int i = 0; i < m; i++, src += exec_ld(x, v), a += l->ldk) {
		if (l->op->before == BEFORE_SILU)
			x->kern->silu(l->k, src, NULL, a);
		else if (l->op->before == BEFORE_LN_MODULATE)
			x->kern->norm(l->k, src, l->norm.w, mod ? mod + l->op->dim[DIM_SHIFT] : l->norm.bias,
				      mod ? mod + l->op->dim[DIM_SCALE] : NULL, a);
		else
			memcpy(a, src, (size_t)l->k * sizeof *a);
	}
}

/* The rotation turned back: its transpose. */
static void
rotate_back(const struct linear_back *l, int row, float *d)
{
	const struct exec *x = l->x;
	int hd = l->op->dim[DIM_HEAD], half = hd / 2, end = l->n / 3 * 2;
	size_t at = (size_t)(x->row0 + row) * (size_t)half;
	const float *c = x->cosine + at, *s = x->sine + at;

	for (int j = 0; j < end; j += hd)
		for (int i = 0; i < half; i++) {
			float a = d[j + i], b = d[j + half + i];
			d[j + i] = a * c[i] + b * s[i];
			d[j + half + i] = b * c[i] - a * s[i];
		}
}

/* Add to a gradient, or write it first. */
static void
put(const struct linear_back *l, int n, const float *d, bool fresh, float *to)
{
	if (fresh)
		memcpy(to, d, (size_t)n * sizeof *to);
	else
		l->x->kern->add(n, to, d, to);
}

/* Gradient of one row of the product from that of the row of the output, but
 * for the gate; pre: the product, where it is needed. */
static void
through_after(const struct linear_back *l, int sample, int row, const float *pre, float *d)
{
	const struct net_op *op = l->op;
	const struct kern *kern = l->x->kern;

	const float *bias = l->before ? NULL : l->bias;

	if (op->after == AFTER_GELU) {
		kern->gelu_back(l->n, pre, bias, d);
	} else if (op->after == AFTER_SILU) {
		kern->silu_back(l->n, pre, bias, d);
	} else if (op->after == AFTER_ROPE) {
		rotate_back(l, row, d);
	} else if (op->after == AFTER_GATE_ADD) {
		float *dres = back_value(l->b, op->in[IN_RES]);
		if (dres) {
			dres += place(l, op->in[IN_RES], sample, row);
			put(l, l->n, d, l->fresh_res, dres);
		}
		int s = l->x->in_first + (l->merged ? row : sample);
		if (l->drop.limit)
			dropout_apply(&l->drop, s, l->merged ? 0 : row, 0, l->n, d);
	}
}

/* Add to the input's gradient what that of one prepared row says. */
static void
through_before(const struct linear_back *l, int sample, int row, float *d, float *part)
{
	const struct net_op *op = l->op;
	const struct kern *kern = l->x->kern;
	size_t at = place(l, op->in[IN_X], sample, row);
	float *dx = back_value(l->b, op->in[IN_X]) + at;

	if (op->before == BEFORE_LN_MODULATE) {
		if (l->fresh_x)
			memset(dx, 0, (size_t)l->k * sizeof *dx);
		back_norm_row(&l->norm, sample, exec_value(l->x, op->in[IN_X]) + at, d, dx, part);
		return;
	}
	if (op->before == BEFORE_SILU)
		kern->silu_back(l->k, exec_value(l->x, op->in[IN_X]) + at, NULL, d);
	put(l, l->k, d, l->fresh_x, dx);
}

/* The gradients of m rows of the product, at *ld; in place of those of the
 * output if they are wanted later, else in scratch. */
static float *
product_rows(const struct linear_back *l, int sample, int first, int m, const float *pre, float *scratch, size_t *ld)
{
	int out = l->op->out;
	float *d = back_value(l->b, out) + place(l, out, sample, first);
	size_t ldpre = l->before ? exec_ld(l->x, out) : l->ldn;

	if (l->before)
		pre = l->before + place(l, out, sample, first);
	*ld = exec_ld(l->x, out);
	if (!l->b->par) {
		for (int i = 0; i < m; i++)
			memcpy(scratch + (size_t)i * l->ldn, d + (size_t)i * *ld, (size_t)l->n * sizeof *d);
		d = scratch;
		*ld = l->ldn;
	}
	for (int i = 0; i < m; i++)
		through_after(l, sample, first + i, pre + (size_t)i * ldpre, d + (size_t)i * *ld);
	return d;
}

/* The same times the gate, if there is one. */
static const float *
gate_rows(const struct linear_back *l, int sample, int m, const float *d, size_t *ld, float *scratch)
{
	const float *mod = modulation(l, sample), *gate = mod ? mod + l->op->dim[DIM_GATE] : NULL;

	if (l->op->after != AFTER_GATE_ADD || !gate)
		return d;
	for (int i = 0; i < m; i++)
		for (int j = 0; j < l->n; j++)
			scratch[(size_t)i * l->ldn + (size_t)j] = d[(size_t)i * *ld + (size_t)j] * gate[j];
	*ld = l->ldn;
	return scratch;
}

static void
linear_item(void *arg, int item, int worker)
{
	const struct linear_back *l = arg;
	const struct exec *x = l->x;
	int sample = item / l->blocks, first = item % l->blocks * ITEM_ROWS;
	int m = l->rows - first < ITEM_ROWS ? l->rows - first : ITEM_ROWS;
	float *scratch = back_scratch(l->b, worker), *pre = scratch + ITEM_ROWS * l->ldn, *a = pre + ITEM_ROWS * l->ldn;
	float *part = back_norm_part(&l->norm, item), *all = l->prepared;
	size_t ld;

	if (all)
		all += ((size_t)sample * (size_t)l->rows + (size_t)first) * l->ldk;
	if (all || l->again)
		prepare(l, sample, first, m, all ? all : a);
	if (l->again)
		gemm_mul(x->kern, m, all ? all : a, l->ldk, &l->w, 0, l->n, 0, pre, l->ldn);
	const float *d = product_rows(l, sample, first, m, pre, scratch, &ld);
	if (!back_value(l->b, l->op->in[IN_X]))
		return;
	d = gate_rows(l, sample, m, d, &ld, scratch);
	if (l->fresh_x && l->op->before == BEFORE_NONE && l->k % x->kern->nr == 0) {
		int v = l->op->in[IN_X];
		gemm_mul(x->kern, m, d, ld, &l->wt, 0, l->k, 0, back_value(l->b, v) + place(l, v, sample, first),
			 exec_ld(x, v));
		return;
	}
	gemm_mul(x->kern, m, d, ld, &l->wt, 0, l->k, 0, a, l->ldk);
	for (int i = 0; i < m; i++)
		through_before(l, sample, first + i, a + (size_t)i * l->ldk, part);
}

/* Shapes; x->n need not be known. */
static struct linear_back
lay_out(const struct exec *x, const struct net_op *op, int n)
{
	bool merged = x->net->value[op->in[IN_X]].per_sample && op->in[IN_MOD] < 0;
	struct linear_back l = { .x = x,
				 .op = op,
				 .n = op->dim[DIM_N],
				 .k = op->dim[DIM_K],
				 .merged = merged,
				 .samples = merged ? 1 : n,
				 .rows = merged ? n : exec_rows(x, op->in[IN_X]),
				 .ldn = stride(op->dim[DIM_N]),
				 .ldk = stride(op->dim[DIM_K]) };

	l.blocks = (l.rows + ITEM_ROWS - 1) / ITEM_ROWS;
	return l;
}

size_t
back_linear_scratch(const struct exec *x, const struct net_op *op)
{
	struct linear_back l = lay_out(x, op, 1);

	return ITEM_ROWS * (2 * l.ldn + l.ldk);
}

static size_t
prepared_floats(const struct linear_back *l)
{
	return l->op->before == BEFORE_NONE ? 0 : (size_t)l->samples * (size_t)l->rows * l->ldk;
}

static size_t
norm_floats(const struct linear_back *l)
{
	return l->op->before == BEFORE_LN_MODULATE ? back_norm_floats(l->samples * l->blocks, l->k) : 0;
}

size_t
back_linear_shared(const struct exec *x, const struct net_op *op)
{
	struct linear_back l = lay_out(x, op, x->plan_n);
	size_t gate = op->after == AFTER_GATE_ADD && op->in[IN_MOD] >= 0 ? back_gate_floats(l.samples, l.n, l.k) : 0;

	return prepared_floats(&l) + norm_floats(&l) + gate;
}

/* Gradients of the parameters, of the gate and of the modulation. */
static enum status
parameters(struct linear_back *l, float *gate_parts, struct error *e)
{
	const struct exec *x = l->x;
	const struct net_op *op = l->op;
	struct outer o = { .rows = l->samples * l->rows, .n = l->n, .k = l->k, .ldd = exec_ld(x, op->out) };
	enum status st = ST_OK;

	o.d = back_value(l->b, op->out);
	o.a = l->prepared ? l->prepared : exec_value(x, op->in[IN_X]);
	o.lda = l->prepared ? l->ldk : exec_ld(x, op->in[IN_X]);
	if (op->before == BEFORE_LN_MODULATE)
		st = back_norm_sums(&l->norm);
	if (st != ST_OK)
		return st;
	if (op->after == AFTER_GATE_ADD && op->in[IN_MOD] >= 0)
		return back_gate(l->b, op, l->samples, &o, gate_parts, e);
	return back_matrix(l->b, op, &o);
}

enum status
back_linear(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct linear_back l = lay_out(x, op, x->n);
	bool norm = op->before == BEFORE_LN_MODULATE;
	float *shared = b->shared;
	enum status st;

	l.b = b;
	l.drop = dropout_of(x, op);
	l.before = exec_before(x, op->out);
	l.again = !l.before && (op->after == AFTER_GELU || op->after == AFTER_SILU);
	l.fresh_res = op->after == AFTER_GATE_ADD && b->fresh[op->in[IN_RES]];
	l.fresh_x = b->fresh[op->in[IN_X]] && !(l.fresh_res && op->in[IN_X] == op->in[IN_RES]);
	if ((st = weights_back(x->w, op->par[PAR_W], x->pool, x->cancel, &l.wt, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_BIAS], &l.bias, e)) != ST_OK ||
	    (norm && (st = back_norm_start(&l.norm, b, op, l.samples, l.blocks, e)) != ST_OK))
		return st;
	if (b->par && prepared_floats(&l) > 0) {
		l.prepared = shared;
		shared += prepared_floats(&l);
	}
	if (b->par && norm) {
		l.norm.part = shared;
		shared += norm_floats(&l);
	}
	if (l.again)
		st = weights_matrix(x->w, op->par[PAR_W], !x->kern->blas, x->pool, x->cancel, &l.w, e);
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, l.samples * l.blocks, linear_item, &l, x->cancel);
	return st == ST_OK && b->par ? parameters(&l, shared, e) : st;
}
