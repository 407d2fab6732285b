/*
 * back_linear.c: backward of LINEAR with what is fused to it, and of NORM.  A
 * work item is a block of rows: the gradient of the product through after(),
 * times W, then through before().
 */
#include "net/back.h"

#include <math.h>
#include <string.h>

#define ITEM_ROWS 32

struct linear_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	struct gemm_b w, wt; /* x W^T and dy W */
	const float *bias, *norm;
	int n, k, rows, blocks; /* outputs, inputs */
	size_t ldn, ldk;	/* strides in scratch */
	bool again;		/* the product is needed once more */
};

static size_t
stride(int n)
{
	return ((size_t)n + 127) / 128 * 128 + 16; /* room for a whole panel */
}

void
back_layer_norm(int n, const float *x, const float *w, const float *scale, const float *dy, float *dx)
{
	double mean = 0, var = 0, m1 = 0, m2 = 0;

	for (int i = 0; i < n; i++)
		mean += (double)x[i] / n;
	for (int i = 0; i < n; i++)
		var += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
	double rstd = 1 / sqrt(var + 1e-5);
	for (int i = 0; i < n; i++) {
		double d = (double)dy[i] * (double)w[i] * (scale ? 1 + (double)scale[i] : 1);
		m1 += d / n;
		m2 += d * ((double)x[i] - mean) * rstd / n;
	}
	for (int i = 0; i < n; i++) {
		double d = (double)dy[i] * (double)w[i] * (scale ? 1 + (double)scale[i] : 1);
		dx[i] += (float)(rstd * (d - m1 - ((double)x[i] - mean) * rstd * m2));
	}
}

static const float *
modulation(const struct exec *x, const struct net_op *op, int sample)
{
	const float *mod = exec_value(x, op->in[IN_MOD]);

	return mod ? mod + (size_t)sample * exec_ld(x, op->in[IN_MOD]) : NULL;
}

/* before() of m rows, as the forward pass does it. */
static void
prepare(const struct linear_back *l, int sample, int first, int m, float *a)
{
	const struct exec *x = l->x;
	int v = l->op->in[IN_X];
	const float *src = exec_value(x, v) + (size_t)sample * exec_step(x, v) + (size_t)first * exec_ld(x, v);
	const float *mod = modulation(x, l->op, sample);

	for (int i = 0; i < m; i++, src += exec_ld(x, v), a += l->ldk) {
		if (l->op->before == BEFORE_SILU)
			x->kern->silu(l->k, src, NULL, a);
		else if (l->op->before == BEFORE_LN_MODULATE)
			x->kern->norm(l->k, src, l->norm, mod ? mod + l->op->dim[DIM_SHIFT] : NULL,
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

/* Gradient of one row of the product from that of the row of the output; pre:
 * the product, where it is needed. */
static void
through_after(const struct linear_back *l, int sample, int row, const float *pre, float *d)
{
	const struct net_op *op = l->op;
	const float *mod = modulation(l->x, op, sample);
	int res = op->in[IN_RES];

	if (op->after == AFTER_GELU || op->after == AFTER_SILU) {
		for (int j = 0; j < l->n; j++) {
			float v = pre[j] + (l->bias ? l->bias[j] : 0);
			d[j] *= op->after == AFTER_GELU ? slope_gelu(v) : slope_silu(v);
		}
	} else if (op->after == AFTER_ROPE) {
		rotate_back(l, row, d);
	} else if (op->after == AFTER_GATE_ADD) {
		float *dres = back_value(l->b, res);
		if (dres)
			dres += (size_t)sample * exec_step(l->x, res) + (size_t)row * exec_ld(l->x, res);
		for (int j = 0; dres && j < l->n; j++)
			dres[j] += d[j];
		for (int j = 0; mod && j < l->n; j++)
			d[j] *= mod[op->dim[DIM_GATE] + j];
	}
}

/* Add to the input's gradient what that of one prepared row says. */
static void
through_before(const struct linear_back *l, int sample, int row, const float *d)
{
	const struct net_op *op = l->op;
	int v = op->in[IN_X];
	size_t at = (size_t)sample * exec_step(l->x, v) + (size_t)row * exec_ld(l->x, v);
	const float *src = exec_value(l->x, v) + at, *mod = modulation(l->x, op, sample);
	float *dx = back_value(l->b, v) + at;

	if (op->before == BEFORE_LN_MODULATE) {
		back_layer_norm(l->k, src, l->norm, mod ? mod + op->dim[DIM_SCALE] : NULL, d, dx);
		return;
	}
	for (int i = 0; i < l->k; i++)
		dx[i] += op->before == BEFORE_SILU ? d[i] * slope_silu(src[i]) : d[i];
}

static void
linear_item(void *arg, int item, int worker)
{
	const struct linear_back *l = arg;
	const struct exec *x = l->x;
	int out = l->op->out, sample = item / l->blocks, first = item % l->blocks * ITEM_ROWS;
	int m = l->rows - first < ITEM_ROWS ? l->rows - first : ITEM_ROWS;
	float *d = back_scratch(l->b, worker), *pre = d + ITEM_ROWS * l->ldn, *a = pre + ITEM_ROWS * l->ldn;
	const float *src = back_value(l->b, out) + (size_t)sample * exec_step(x, out) + (size_t)first * exec_ld(x, out);

	if (l->again) {
		prepare(l, sample, first, m, a);
		gemm_mul(x->kern, m, a, l->ldk, &l->w, 0, l->n, 0, pre, l->ldn);
	}
	for (int i = 0; i < m; i++) {
		memcpy(d + (size_t)i * l->ldn, src + (size_t)i * exec_ld(x, out), (size_t)l->n * sizeof *d);
		through_after(l, sample, first + i, pre + (size_t)i * l->ldn, d + (size_t)i * l->ldn);
	}
	if (!back_value(l->b, l->op->in[IN_X]))
		return;
	gemm_mul(x->kern, m, d, l->ldn, &l->wt, 0, l->k, 0, a, l->ldk);
	for (int i = 0; i < m; i++)
		through_before(l, sample, first + i, a + (size_t)i * l->ldk);
}

size_t
back_linear_scratch(const struct exec *x, const struct net_op *op)
{
	(void)x;
	return ITEM_ROWS * (2 * stride(op->dim[DIM_N]) + stride(op->dim[DIM_K]));
}

enum status
back_linear(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct linear_back l = { .b = b,
				 .x = x,
				 .op = op,
				 .n = op->dim[DIM_N],
				 .k = op->dim[DIM_K],
				 .rows = exec_rows(x, op->in[IN_X]),
				 .ldn = stride(op->dim[DIM_N]),
				 .ldk = stride(op->dim[DIM_K]) };
	enum status st;

	l.blocks = (l.rows + ITEM_ROWS - 1) / ITEM_ROWS;
	l.again = op->after == AFTER_GELU || op->after == AFTER_SILU;
	if ((st = weights_back(x->w, op->par[PAR_W], false, &l.wt, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_BIAS], &l.bias, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_NORM], &l.norm, e)) != ST_OK)
		return st;
	if (l.again)
		st = weights_matrix(x->w, op->par[PAR_W], !x->kern->blas, x->pool, x->cancel, &l.w, e);
	return st == ST_OK ? pool_run(x->pool, x->prio, x->n * l.blocks, linear_item, &l, x->cancel) : st;
}

static void
norm_item(void *arg, int item, int worker)
{
	const struct linear_back *l = arg;
	const struct exec *x = l->x;
	int out = l->op->out, sample = item / l->blocks, first = item % l->blocks * ITEM_ROWS;
	int end = l->rows - first < ITEM_ROWS ? l->rows : first + ITEM_ROWS;
	const float *d = back_value(l->b, out) + (size_t)sample * exec_step(x, out);

	(void)worker;
	for (int i = first; i < end; i++)
		through_before(l, sample, i, d + (size_t)i * exec_ld(x, out));
}

enum status
back_norm(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	int in = op->in[IN_X];
	struct linear_back l = { .b = b, .x = x, .op = op, .k = x->net->value[in].width, .rows = exec_rows(x, in) };
	enum status st = weights_vector(x->w, op->par[PAR_NORM], &l.norm, e);

	l.blocks = (l.rows + ITEM_ROWS - 1) / ITEM_ROWS;
	return st == ST_OK ? pool_run(x->pool, x->prio, x->n * l.blocks, norm_item, &l, x->cancel) : st;
}
