/*
 * back_image.c: backward of CONV with what is fused to it, and of GROUP.  A
 * work item of a convolution is a sample and a block of input channels: for
 * each tap the gradient of the output times that tap's weights, added at the
 * pixels the tap had read; then through silu and the group norm's scale.
 */
#include "net/back.h"

#include <math.h>
#include <string.h>

#define CHANNELS 128 /* input channels of an item: whole panels */
#define PIXELS 64    /* output pixels of a product */
#define GROUP_EPS 1e-6

struct conv_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	int k, n, side, out_side, taps, stride, pad, up, blocks;
	float factor;
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
	for (int j = 0; j < width; j++)
		through_before(c, sample, c0 + j, image + j);
}

/* (res + x) factor: what the output says of res. */
static void
to_res(const struct conv_back *c)
{
	const struct exec *x = c->x;
	int res = c->op->after == AFTER_ADD ? c->op->in[IN_RES] : -1, out = c->op->out;
	float *to = back_value(c->b, res);

	for (int s = 0; to && s < x->n; s++)
		for (int p = 0; p < c->out_side * c->out_side; p++) {
			const float *d = back_value(c->b, out) + (size_t)s * exec_step(x, out) +
					 (size_t)p * exec_ld(x, out) + c->op->dim[CONV_COLUMN];
			float *r = to + (size_t)s * exec_step(x, res) +
				   (x->net->value[res].per_sample ? 0 : (size_t)p * exec_ld(x, res));
			for (int j = 0; j < c->n; j++)
				r[j] += d[j] * c->factor;
		}
}

enum status
back_conv(struct back *b, const struct net_op *op, struct error *e)
{
	struct conv_back c = lay_out(b->x, op);
	enum status st = weights_back(b->x->w, op->par[PAR_W], c.taps == 1, &c.w, e);

	if (st != ST_OK)
		return st;
	c.b = b;
	c.tap = gemm_packed_floats(b->x->kern, c.k, c.n);
	to_res(&c);
	return pool_run(b->x->pool, b->x->prio, b->x->n * c.blocks, conv_item, &c, b->x->cancel);
}

struct group_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	const float *gamma;
	int size, groups, pixels;
};

/* The value and the gradient of a channel of in[X] and in[CAT] side by side. */
static const float *
channel_of(const struct group_back *g, int sample, int channel, float **grad, size_t *ld)
{
	const struct exec *x = g->x;
	int v = g->op->in[IN_X];

	if (channel >= x->net->value[v].width) {
		channel -= x->net->value[v].width;
		v = g->op->in[IN_CAT];
	}
	size_t at = (size_t)sample * exec_step(x, v) + (size_t)channel;
	float *d = back_value(g->b, v);
	*grad = d ? d + at : NULL;
	*ld = exec_ld(x, v);
	return exec_value(x, v) + at;
}

static void
moments(const struct group_back *g, int sample, int c0, double *mean, double *var)
{
	double n = (double)g->size * g->pixels;
	float *grad;
	size_t ld;

	*mean = *var = 0;
	for (int pass = 0; pass < 2; pass++)
		for (int c = c0; c < c0 + g->size; c++) {
			const float *x = channel_of(g, sample, c, &grad, &ld);
			for (int p = 0; p < g->pixels; p++) {
				double v = (double)x[(size_t)p * ld];
				*(pass ? var : mean) += (pass ? (v - *mean) * (v - *mean) : v) / n;
			}
		}
}

/* scale = rstd gamma, shift = beta - mean scale: through both to mean and
 * variance of the group, and to its values. */
static void
group_item(void *arg, int item, int worker)
{
	const struct group_back *g = arg;
	int sample = item / g->groups, c0 = item % g->groups * g->size, all = g->op->dim[GROUP_N];
	const float *d = back_value(g->b, g->op->out) + (size_t)sample * exec_ld(g->x, g->op->out);
	double mean, var, d_mean = 0, d_rstd = 0, n = (double)g->size * g->pixels;

	(void)worker;
	moments(g, sample, c0, &mean, &var);
	double rstd = 1 / sqrt(var + GROUP_EPS);
	for (int c = c0; c < c0 + g->size; c++) {
		d_mean -= (double)d[all + c] * rstd * (double)g->gamma[c];
		d_rstd += (double)g->gamma[c] * ((double)d[c] - mean * (double)d[all + c]);
	}
	double d_var = -.5 * d_rstd * rstd * rstd * rstd;
	for (int c = c0; c < c0 + g->size; c++) {
		float *grad;
		size_t ld;
		const float *x = channel_of(g, sample, c, &grad, &ld);
		for (int p = 0; grad && p < g->pixels; p++)
			grad[(size_t)p * ld] +=
			    (float)(d_mean / n + 2 * d_var * ((double)x[(size_t)p * ld] - mean) / n);
	}
}

enum status
back_group(struct back *b, const struct net_op *op, struct error *e)
{
	struct group_back g = { .b = b,
				.x = b->x,
				.op = op,
				.groups = op->dim[GROUP_COUNT],
				.size = op->dim[GROUP_N] / op->dim[GROUP_COUNT],
				.pixels = exec_rows(b->x, op->in[IN_X]) };
	enum status st = weights_vector(b->x->w, op->par[PAR_NORM], &g.gamma, e);

	return st == ST_OK ? pool_run(b->x->pool, b->x->prio, b->x->n * g.groups, group_item, &g, b->x->cancel) : st;
}
