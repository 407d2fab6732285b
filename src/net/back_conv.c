/*
 * back_conv.c: backward of CONV with what is fused to it.  A work item is a sample and a block of input channels: for
 * each tap the gradient of the output times that tap's weights, added at the
 * pixels the tap had read; then through silu and the group norm's scale.
 */
#include "net/back.h"
#include "net/dropout.h"

#include <string.h>

#define CHANNELS 128 /* input channels of an item: whole panels */
#define PIXELS 64    /* output pixels of a product */

struct conv_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	int k, n, side, out_side, taps, stride, pad, up, blocks;
	float factor;
	struct dropout drop;
	struct gemm_b w; /* of tap 0; the others follow at `tap` floats */
	size_t tap, ld;	 /* ld: of the gradient in scratch */
};

static struct conv_back
lay_out(const struct exec *x, const struct net_op *op)
{
	int step = op->dim[CONV_STEP];
	struct conv_back c = { .x = x,
			       .op = op,
			       .k = op->dim[CONV_K],
			       .n = op->dim[CONV_N],
			       .side = op->dim[CONV_SIDE],
			       .taps = op->dim[CONV_SIZE],
			       .stride = step == CONV_HALVE ? 2 : 1,
			       .up = step == CONV_DOUBLE,
			       .drop = dropout_of(x, op),
			       .ld = CHANNELS + 16 };

	c.pad = c.taps == 3 && step != CONV_HALVE;
	c.out_side = step == CONV_HALVE ? c.side / 2 : c.side << c.up;
	c.blocks = (c.k + CHANNELS - 1) / CHANNELS;
	c.factor = op->after == AFTER_ADD && op->in[IN_RES] >= 0 ? (float)op->factor : 1;
	return c;
}

size_t
back_conv_scratch(const struct exec *x, const struct net_op *op)
{
	struct conv_back c = lay_out(x, op);

	return (size_t)c.side * (size_t)c.side * c.ld + PIXELS * c.ld;
}

/* Add a tap's product for output pixels first..first+m to the pixels that it read. */
static void
scatter(const struct conv_back *c, int tap, int first, int m, int width, const float *product, float *image)
{
	int limit = c->side << c->up;

	for (int i = 0; i < m; i++, product += c->ld) {
		int y = (first + i) / c->out_side, z = (first + i) % c->out_side;
		int iy = y * c->stride - c->pad + tap / c->taps, ix = z * c->stride - c->pad + tap % c->taps;
		if (iy < 0 || ix < 0 || iy >= limit || ix >= limit)
			continue;
		float *to = image + ((size_t)(iy >> c->up) * (size_t)c->side + (size_t)(ix >> c->up)) * c->ld;
		for (int j = 0; j < width; j++)
			to[j] += product[j] * c->factor;
	}
}

/* One channel of the gradient of what the taps read, through before(). */
static void
through_before(const struct conv_back *c, int sample, int channel, const float *image)
{
	const struct exec *x = c->x;
	const struct net_op *op = c->op;
	int v = op->in[IN_X], mod = op->in[IN_MOD], at = channel;
	if (channel >= x->net->value[v].width) {
		at -= x->net->value[v].width;
		v = op->in[IN_CAT];
	}
	const float *src = exec_value(x, v) + (size_t)sample * exec_step(x, v) + at;
	float *dx = back_value(c->b, v), scale = 1, shift = 0;
	double d_scale = 0, d_shift = 0;

	if (op->before != BEFORE_NONE) {
		const float *norm = exec_value(x, mod) + (size_t)sample * exec_ld(x, mod);
		scale = norm[channel];
		shift = norm[c->k + channel];
	}
	if (dx)
		dx += (size_t)sample * exec_step(x, v) + at;
	for (int p = 0; p < c->side * c->side; p++) {
		float d = image[(size_t)p * c->ld], s = src[(size_t)p * exec_ld(x, v)];
		if (op->before == BEFORE_GROUPNORM_SILU)
			d *= slope_silu(s * scale + shift);
		d_scale += (double)d * (double)s;
		d_shift += (double)d;
		if (dx)
			dx[(size_t)p * exec_ld(x, v)] += d * scale;
	}
	float *g = op->before == BEFORE_NONE ? NULL : back_value(c->b, mod);
	if (g) {
		g += (size_t)sample * exec_ld(x, mod);
		g[channel] += (float)d_scale;
		g[c->k + channel] += (float)d_shift;
	}
}

static void
conv_item(void *arg, int item, int worker)
{
	const struct conv_back *c = arg;
	const struct exec *x = c->x;
	int out = c->op->out, sample = item / c->blocks, c0 = item % c->blocks * CHANNELS,
	    all = c->out_side * c->out_side;
	int width = c->k - c0 < CHANNELS ? c->k - c0 : CHANNELS;
	float *image = back_scratch(c->b, worker), *product = image + (size_t)c->side * (size_t)c->side * c->ld;
	const float *d = back_value(c->b, out) + (size_t)sample * exec_step(x, out) + c->op->dim[CONV_COLUMN];

	memset(image, 0, (size_t)c->side * (size_t)c->side * c->ld * sizeof *image);
	for (int tap = 0; tap < c->taps * c->taps; tap++) {
		struct gemm_b w = c->w;
		w.p += (size_t)tap * c->tap;
		for (int first = 0; first < all; first += PIXELS) {
			int m = all - first < PIXELS ? all - first : PIXELS;
			gemm_mul(x->kern, m, d + (size_t)first * exec_ld(x, out), exec_ld(x, out), &w, c0, c0 + width,
				 0, product, c->ld);
			scatter(c, tap, first, m, width, product, image);
		}
	}
	for (int p = 0; c->drop.limit && p < c->side * c->side; p++)
		dropout_apply(&c->drop, x->in_first + sample, p, c0, width, image + (size_t)p * c->ld);
	for (int j = 0; j < width; j++)
		through_before(c, sample, c0 + j, image + j);
}

/* (res + x) factor: what the output says of res, pixel by pixel. */
static void
to_res(const struct conv_back *c)
{
	const struct exec *x = c->x;
	int res = c->op->after == AFTER_ADD ? c->op->in[IN_RES] : -1, out = c->op->out;
	float *to = res < 0 || x->net->value[res].per_sample ? NULL : back_value(c->b, res);

	for (int s = 0; to && s < x->n; s++)
		for (int p = 0; p < c->out_side * c->out_side; p++) {
			const float *d = back_value(c->b, out) + (size_t)s * exec_step(x, out) +
					 (size_t)p * exec_ld(x, out) + c->op->dim[CONV_COLUMN];
			float *r = to + (size_t)s * exec_step(x, res) + (size_t)p * exec_ld(x, res);
			for (int j = 0; j < c->n; j++)
				r[j] += d[j] * c->factor;
		}
}

enum status
back_conv(struct back *b, const struct net_op *op, struct error *e)
{
	struct conv_back c = lay_out(b->x, op);
	enum status st = back_kernel(b, op, e);

	if (st != ST_OK || (st = weights_back(b->x->w, op->par[PAR_W], c.taps == 1, &c.w, e)) != ST_OK)
		return st;
	c.b = b;
	c.tap = gemm_packed_floats(b->x->kern, c.k, c.n);
	to_res(&c);
	if (!back_value(b, op->in[IN_X]) && !back_value(b, op->in[IN_CAT]) && !back_value(b, op->in[IN_MOD]))
		return ST_OK;
	return pool_run(b->x->pool, b->x->prio, b->x->n * c.blocks, conv_item, &c, b->x->cancel);
}
