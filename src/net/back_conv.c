/*
 * back_conv.c: backward of CONV with what is fused to it: the gradient of what
 * the taps read is a convolution of the output's gradient with the weights
 * turned round, by the work items of op_conv.c and op_winograd.c.  A halving
 * one reads the gradient spread out, zeros between; a doubling one adds four
 * results to each pixel.  Results go through dropout, silu and the group norm's
 * scale as they come; its sums over pixels are left block by block in b->shared
 * and added up in order.
 */
#include "net/back.h"
#include "net/conv.h"

#include <string.h>

#define LEAST_SIDE 16  /* Winograd's way: weights are read for several samples */
#define ITEM_PIXELS 64 /* of a residual */

struct conv_back {
	struct back *b;
	const struct net_op *op;
	const float *d; /* the output's gradient */
	size_t ldd, step;
	bool spread;   /* every other pixel is 0 */
	int limit;     /* of pixels that go in, in each direction */
	int side, up;  /* of the image that the forward pass read; doubled */
	float factor;
	float *sums; /* [n,row_blocks,2,k]: of the group norm's scale and shift; NULL: not */
};

/* Channels of the output's gradient. */
static void
prepare(const struct conv *c, int sample, int y, int c0, int c1, float *out)
{
	const struct conv_back *j = c->arg;
	const float *d = j->d + (size_t)sample * j->step + c0;

	for (int r = 0; r < c->in_rows; r++)
		for (int q = 0; q < c->in_cols; q++, out += c->lda) {
			int iy = y - c->pad + r, ix = q - c->pad;
			bool none = iy < 0 || ix < 0 || iy >= j->limit || ix >= j->limit;
			if (none || (j->spread && (iy | ix) % 2 == 1)) {
				memset(out, 0, (size_t)(c1 - c0) * sizeof *out);
				continue;
			}
			size_t at = j->spread ? (size_t)(iy / 2) * (size_t)(j->limit / 2) + (size_t)(ix / 2)
					      : (size_t)iy * (size_t)j->limit + (size_t)ix;
			memcpy(out, d + at * j->ldd, (size_t)(c1 - c0) * sizeof *out);
		}
}

/* Columns j0..j1 of one pixel of a value, whose first is channel `base`, through before(). */
static void
to_value(const struct conv *c, int v, int base, int sample, size_t pixel, int j0, int j1, const float *tile,
	 float *sums)
{
	const struct conv_back *j = c->arg;
	const struct exec *x = c->x;
	size_t at = (size_t)sample * exec_step(x, v) + pixel * exec_ld(x, v) + (size_t)(j0 - base);
	float *dx = back_value(j->b, v);
	int mod = j->op->in[IN_MOD], n = j1 - j0;

	if (dx)
		dx += at;
	if (j->op->before == BEFORE_NONE) {
		for (int i = 0; dx && i < n; i++)
			dx[i] += tile[i] * j->factor;
		return;
	}
	const float *norm = exec_value(x, mod) + (size_t)sample * exec_ld(x, mod) + j0;
	c->kern->image->affine_back(n, j->factor, tile, exec_value(x, v) + at, norm, norm + c->n,
				    j->op->before == BEFORE_GROUPNORM_SILU, dx, sums + j0, sums + c->n + j0);
}

static void
finish(const struct conv *c, int sample, int first, int pixels, int j0, int j1, float *tile, size_t ldtile)
{
	const struct conv_back *j = c->arg;
	const struct exec *x = c->x;
	int v = j->op->in[IN_X], cat = j->op->in[IN_CAT], width = x->net->value[v].width;
	int edge = j1 < width ? j1 : j0 > width ? j0 : width;
	float *sums = NULL;

	if (j->sums)
		sums = j->sums + (size_t)(sample * c->row_blocks + first / c->out_side / c->rows) * 2 * (size_t)c->n;
	for (int i = 0; i < pixels; i++, tile += ldtile) {
		int y = (first + i) / c->out_side >> j->up, z = (first + i) % c->out_side >> j->up;
		size_t pixel = (size_t)y * (size_t)j->side + (size_t)z;
		if (c->drop.limit)
			dropout_apply(&c->drop, x->in_first + sample, (int)pixel, j0, j1 - j0, tile);
		if (j0 < edge)
			to_value(c, v, 0, sample, pixel, j0, edge, tile, sums);
		if (edge < j1)
			to_value(c, cat, width, sample, pixel, edge, j1, tile + (edge - j0), sums);
	}
}

static void
lay_out(const struct exec *x, const struct net_op *op, struct conv_back *j, struct conv *c)
{
	bool halve = op->dim[CONV_STEP] == CONV_HALVE, twice = op->dim[CONV_STEP] == CONV_DOUBLE;

	*j = (struct conv_back){ .op = op, .spread = halve, .side = op->dim[CONV_SIDE], .up = twice };
	j->factor = op->after == AFTER_ADD && op->in[IN_RES] >= 0 ? (float)op->factor : 1;
	*c = (struct conv){ .x = x,
			    .prepare = prepare,
			    .finish = finish,
			    .arg = j,
			    .op = op,
			    .kern = x->kern,
			    .k = op->dim[CONV_N],
			    .n = op->dim[CONV_K],
			    .taps = op->dim[CONV_SIZE],
			    .stride = 1,
			    .pad = halve ? 2 : op->dim[CONV_SIZE] == 3,
			    .drop = dropout_of(x, op) };
	c->side = c->out_side = j->side << j->up;
	j->limit = halve ? c->side / 2 * 2 : c->side;
	conv_shape(c, x->n, LEAST_SIDE, twice);
}

size_t
back_conv_scratch(const struct exec *x, const struct net_op *op)
{
	struct conv_back j;
	struct conv c;

	lay_out(x, op, &j, &c);
	return conv_scratch(&c);
}

size_t
back_conv_prepared(const struct exec *x, const struct net_op *op)
{
	struct conv_back j;
	struct conv c;

	lay_out(x, op, &j, &c);
	return conv_prepared(&c);
}

static size_t
sum_floats(const struct conv *c)
{
	return (size_t)c->x->n * (size_t)c->row_blocks * 2 * (size_t)c->n;
}

size_t
back_conv_shared(const struct exec *x, const struct net_op *op)
{
	struct conv_back j;
	struct conv c;

	lay_out(x, op, &j, &c);
	return op->before == BEFORE_NONE ? 0 : sum_floats(&c);
}

/* The blocks' sums, in order, to the gradient of group norm's scale and shift. */
static void
add_sums(const struct conv *c)
{
	const struct conv_back *j = c->arg;
	int mod = j->op->in[IN_MOD];
	float *to = back_value(j->b, mod);
	size_t width = 2 * (size_t)c->n;

	for (int s = 0; to && s < c->x->n; s++, to += exec_ld(c->x, mod))
		for (size_t i = 0; i < width; i++) {
			double sum = 0;
			for (size_t r = 0; r < (size_t)c->row_blocks; r++)
				sum += (double)j->sums[((size_t)(s * c->row_blocks) + r) * width + i];
			to[i] += (float)sum;
		}
}

static void
residual_item(void *arg, int item, int worker)
{
	const struct conv_back *j = arg;
	const struct exec *x = j->b->x;
	int res = j->op->in[IN_RES], pixels = exec_rows(x, res), blocks = (pixels + ITEM_PIXELS - 1) / ITEM_PIXELS;
	int sample = item / blocks, first = item % blocks * ITEM_PIXELS;
	int end = pixels - first < ITEM_PIXELS ? pixels : first + ITEM_PIXELS;

	(void)worker;
	for (int p = first; p < end; p++) {
		const float *d = j->d + (size_t)sample * j->step + (size_t)p * j->ldd;
		float *to = back_value(j->b, res) + (size_t)sample * exec_step(x, res) + (size_t)p * exec_ld(x, res);
		for (int i = 0; i < j->op->dim[CONV_N]; i++)
			to[i] += d[i] * j->factor;
	}
}

/* (res + x) factor: what the output says of res, pixel by pixel. */
static enum status
to_residual(struct conv_back *j)
{
	const struct exec *x = j->b->x;
	int res = j->op->after == AFTER_ADD ? j->op->in[IN_RES] : -1;

	if (res < 0 || x->net->value[res].per_sample || !back_value(j->b, res))
		return ST_OK;
	int blocks = (exec_rows(x, res) + ITEM_PIXELS - 1) / ITEM_PIXELS;
	return pool_run(x->pool, x->prio, x->n * blocks, residual_item, j, x->cancel);
}

enum status
back_conv(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct conv_back j;
	struct conv c;
	enum status st = back_kernel(b, op, e);

	lay_out(x, op, &j, &c);
	j.b = b;
	j.d = back_value(b, op->out) + op->dim[CONV_COLUMN];
	j.ldd = exec_ld(x, op->out);
	j.step = exec_step(x, op->out);
	c.scratch = b->scratch;
	c.scratch_floats = b->scratch_floats;
	if (st != ST_OK || (st = to_residual(&j)) != ST_OK)
		return st;
	if (!back_value(b, op->in[IN_X]) && !back_value(b, op->in[IN_CAT]) && !back_value(b, op->in[IN_MOD]))
		return ST_OK;
	st = weights_turned(x->w, op->par[PAR_W], c.winograd, x->pool, x->cancel, &c.b, e);
	if (st != ST_OK)
		return st;
	if (op->before != BEFORE_NONE) {
		j.sums = b->shared;
		memset(j.sums, 0, sum_floats(&c) * sizeof *j.sums);
	}
	st = conv_run(&c);
	if (st == ST_OK && j.sums)
		add_sums(&c);
	return st;
}
