/*
 * op_conv.c: convolutions over square images, channels last: 3x3 (also with
 * stride 2, or over an image whose pixels are doubled first) and 1x1.
 *
 * A work item takes a block of image rows (of several samples, if images are
 * small) and a block of output channels.  It brings the pixels it needs into
 * its scratch: two inputs side by side, normalised and through silu, with a
 * border of zeros.  Then each of the nine taps is a product over shifted
 * pixels: the tile kernel takes rows at any stride, so nothing is unrolled.
 * BLAS does not, and gets the block's columns unrolled.
 */
#include "net/conv.h"

#include <string.h>

#define ITEM_FLOP 2e8
#define BLAS_FLOP 4e8
#define SMALL_FLOP 5e5	/* below this an item is not worth handing out */
#define ITEM_PIXELS 128 /* output pixels of an item */
#define BLAS_PIXELS 256
#define STRIP 64 /* columns that are finished together */
#define KC 512
#define LEAST_SIDE 32 /* below, the larger weights of Winograd cost more memory than the arithmetic is worth */

static int
round_up(int a, int unit)
{
	return (a + unit - 1) / unit * unit;
}

static int
clamp(double v, int low, int high)
{
	return v < low ? low : v > high ? high : (int)v;
}

/* Blocks of rows and columns.  With BLAS they depend on the shape of one
 * sample alone. */
static void
direct_shape(struct conv *c, int n, bool even)
{
	bool blas = c->kern->blas;
	int pixels = blas ? BLAS_PIXELS : ITEM_PIXELS, all = c->out_side * c->out_side, unit = blas ? 16 : c->kern->nr;

	c->rows = clamp(pixels / c->out_side, 1, c->out_side);
	if (even && c->rows % 2 == 1)
		c->rows++;
	c->samples = blas ? 1 : clamp(pixels / all, 1, n);
	c->row_blocks = (c->out_side + c->rows - 1) / c->rows;
	c->sample_blocks = (n + c->samples - 1) / c->samples;
	double per_column = 2. * c->samples * c->rows * c->out_side * c->taps * c->taps * c->k;
	double want = (blas ? BLAS_FLOP : ITEM_FLOP) / per_column, least = SMALL_FLOP / per_column;
	int blocks = c->row_blocks * (blas ? 1 : c->sample_blocks);
	if (blocks < 4 && want > c->n * blocks / 4.)
		want = c->n * blocks / 4. > least ? c->n * blocks / 4. : least; /* few items: share out the columns */
	c->cb = clamp(want, unit, round_up(c->n, unit)) / unit * unit;
	c->col_blocks = (c->n + c->cb - 1) / c->cb;
	c->strip = blas ? c->cb : clamp(STRIP, unit, c->cb) / unit * unit;
	c->in_rows = (c->rows - 1) * c->stride + c->taps;
	c->in_cols = (c->out_side - 1) * c->stride + c->taps;
	c->chunk = c->k;
	c->lda = (size_t)round_up(c->k, 16) + 16;
}

void
conv_shape(struct conv *c, int n, int least_side, bool even)
{
	c->winograd = winograd_suits(c, least_side);
	if (c->winograd)
		winograd_shape(c, n);
	else
		direct_shape(c, n, even);
}

static void conv_finish(const struct conv *c, int sample, int first, int pixels, int j, int j1, float *tile,
			size_t ldtile);

void
conv_lay_out(const struct exec *x, const struct net_op *op, struct conv *c)
{
	int step = op->dim[CONV_STEP];

	*c = (struct conv){ .x = x,
			    .prepare = conv_prepare,
			    .finish = conv_finish,
			    .scratch = x->scratch,
			    .scratch_floats = x->scratch_floats,
			    .op = op,
			    .kern = x->kern,
			    .k = op->dim[CONV_K],
			    .n = op->dim[CONV_N],
			    .side = op->dim[CONV_SIDE],
			    .taps = op->dim[CONV_SIZE],
			    .stride = step == CONV_HALVE ? 2 : 1,
			    .up = step == CONV_DOUBLE,
			    .drop = dropout_of(x, op) };
	c->pad = c->taps == 3 && step != CONV_HALVE;
	c->out_side = step == CONV_HALVE ? c->side / 2 : c->side << c->up;
	conv_shape(c, x->n, LEAST_SIDE, false);
}

static size_t
pixels_of(const struct conv *c)
{
	return (size_t)c->samples * (size_t)c->rows * (size_t)c->out_side;
}

static size_t
input_floats(const struct conv *c)
{
	return (size_t)c->samples * (size_t)c->in_rows * (size_t)c->in_cols * c->lda;
}

/* What BLAS gets: the block's columns. */
static size_t
column_floats(const struct conv *c)
{
	return c->kern->blas && c->taps > 1 ? pixels_of(c) * (size_t)(c->taps * c->taps) * (size_t)c->k : 0;
}

size_t
conv_scratch(const struct conv *c)
{
	return c->winograd ? winograd_scratch(c) : input_floats(c) + column_floats(c) + pixels_of(c) * (size_t)c->strip;
}

size_t
conv_prepared(const struct conv *c)
{
	size_t parts = c->winograd ? 36 : (size_t)(c->taps * c->taps);

	return parts * (c->kern->blas ? (size_t)c->n * (size_t)c->k : gemm_packed_floats(c->kern, c->n, c->k));
}

size_t
op_conv_scratch(const struct exec *x, const struct net_op *op)
{
	struct conv c;

	conv_lay_out(x, op, &c);
	return conv_scratch(&c);
}

/* n channels of a pixel from c0 on. */
static void
bring(const struct conv *c, int n, int c0, const float *x, const float *norm, float *out)
{
	const struct kern_image *kern = c->kern->image;

	if (c->op->before == BEFORE_NONE)
		memcpy(out, x, (size_t)n * sizeof *out);
	else if (c->op->before == BEFORE_GROUPNORM)
		kern->affine(n, x, norm + c0, norm + c->k + c0, out);
	else
		kern->affine_silu(n, x, norm + c0, norm + c->k + c0, out);
}

void
conv_prepare(const struct conv *c, int sample, int y, int c0, int c1, float *out)
{
	const struct exec *x = c->x;
	int v = c->op->in[IN_X], w = c->op->in[IN_CAT], mod = c->op->in[IN_MOD], side = c->side << c->up;
	int width = x->net->value[v].width, edge = c1 < width ? c1 : c0 > width ? c0 : width;
	const float *a = exec_value(x, v) + (size_t)sample * exec_step(x, v);
	const float *b = w < 0 ? NULL : exec_value(x, w) + (size_t)sample * exec_step(x, w);
	const float *norm = mod < 0 ? NULL : exec_value(x, mod) + (size_t)sample * exec_ld(x, mod);

	for (int r = 0; r < c->in_rows; r++)
		for (int q = 0; q < c->in_cols; q++, out += c->lda) {
			int iy = y * c->stride - c->pad + r, ix = q - c->pad;
			if (iy < 0 || ix < 0 || iy >= side || ix >= side) {
				memset(out, 0, (size_t)(c1 - c0) * sizeof *out);
				continue;
			}
			size_t at = (size_t)(iy >> c->up) * (size_t)c->side + (size_t)(ix >> c->up);
			if (c0 < edge)
				bring(c, edge - c0, c0, a + at * exec_ld(x, v) + c0, norm, out);
			if (edge < c1)
				bring(c, c1 - edge, edge, b + at * exec_ld(x, w) + (edge - width), norm,
				      out + (edge - c0));
			if (c->drop.limit)
				dropout_apply(&c->drop, x->in_first + sample, (int)at, c0, c1 - c0, out);
		}
}

/* One panel of columns of one run of `run` output pixels that lie side by
 * side; a: the pixel under the run's first one, for the first tap. */
static void
run_tap(const struct conv *c, int run, const float *a, size_t step, const float *panel, int k, float *out, size_t ldout,
	bool add)
{
	int parts = (run + c->kern->mr - 1) / c->kern->mr;

	for (int i = 0, at = 0; i < parts; i++) {
		int m = (run - at + parts - i - 1) / (parts - i);
		c->kern->tile(m, k, a + (size_t)at * step, step, panel, out + (size_t)at * ldout, ldout, add);
		at += m;
	}
}

/* Columns j..j+nr of all pixels of the item. */
static void
panel_tiles(const struct conv *c, int samples, int rows, const float *in, int j, float *out, size_t ldout)
{
	int nr = c->kern->nr, run = c->taps == 1 ? rows * c->out_side : c->out_side, runs = c->taps == 1 ? 1 : rows;
	const float *panel = c->b.p + (size_t)j * (size_t)c->b.k;
	size_t step = c->lda * (size_t)c->stride;

	for (int tap = 0; tap < c->taps * c->taps; tap++)
		for (int k0 = 0; k0 < c->k; k0 += KC) {
			int k = c->k - k0 < KC ? c->k - k0 : KC;
			const float *b = panel + ((size_t)tap * (size_t)c->k + (size_t)k0) * (size_t)nr;
			for (int s = 0; s < samples; s++)
				for (int r = 0; r < runs; r++) {
					size_t row = (size_t)(s * c->in_rows + r * c->stride + tap / c->taps);
					const float *a =
					    in + (row * (size_t)c->in_cols + (size_t)(tap % c->taps)) * c->lda + k0;
					float *o = out + (size_t)(s * rows + r) * (size_t)c->out_side * ldout;
					run_tap(c, run, a, step, b, k, o, ldout, tap + k0 > 0);
				}
		}
}

/* The block's columns [pixel][tap][k]. */
static void
unroll(const struct conv *c, int rows, const float *in, float *out)
{
	for (int r = 0; r < rows; r++)
		for (int q = 0; q < c->out_side; q++)
			for (int tap = 0; tap < c->taps * c->taps; tap++, out += c->k) {
				size_t row = (size_t)(r * c->stride + tap / c->taps),
				       col = (size_t)(q * c->stride + tap % c->taps);
				memcpy(out, in + (row * (size_t)c->in_cols + col) * c->lda, (size_t)c->k * sizeof *out);
			}
}

/* after() */
static void
conv_finish(const struct conv *c, int sample, int first, int pixels, int j, int j1, float *tile, size_t ldtile)
{
	const struct exec *x = c->x;
	int res = c->op->after == AFTER_ADD ? c->op->in[IN_RES] : -1, out = c->op->out;
	size_t at = (size_t)first, ldres = 0;
	const float *r = NULL, *bias = c->bias ? c->bias + j : NULL;
	float *o = exec_value(x, out) + (size_t)sample * exec_step(x, out) + at * exec_ld(x, out) +
		   c->op->dim[CONV_COLUMN] + j;
	float factor = res < 0 ? 1 : (float)c->op->factor;

	if (res >= 0) {
		ldres = x->net->value[res].per_sample ? 0 : exec_ld(x, res);
		r = exec_value(x, res) + (size_t)sample * exec_step(x, res) + at * ldres + j;
	}
	for (int i = 0; i < pixels; i++, tile += ldtile, o += exec_ld(x, out)) {
		c->kern->image->add(j1 - j, tile, bias, r, factor, o);
		if (r)
			r += ldres;
	}
}

/* Sample blocks run fastest, so that they find the weights in cache. */
struct conv_item
conv_item_at(const struct conv *c, int item)
{
	struct conv_item it = { .sample = item % c->sample_blocks * c->samples,
				.y = item / c->sample_blocks % c->row_blocks * c->rows,
				.col = item / c->sample_blocks / c->row_blocks * c->cb };

	it.end = c->n - it.col < c->cb ? c->n : it.col + c->cb;
	it.samples = c->x->n - it.sample < c->samples ? c->x->n - it.sample : c->samples;
	it.rows = c->out_side - it.y < c->rows ? c->out_side - it.y : c->rows;
	return it;
}

static void
direct_item(void *arg, int item, int worker)
{
	const struct conv *c = arg;
	struct conv_item it = conv_item_at(c, item);
	float *tile = c->scratch + (size_t)worker * c->scratch_floats, *in = tile + pixels_of(c) * (size_t)c->strip,
	      *columns = in + input_floats(c);
	int pixels = it.rows * c->out_side;
	size_t per_sample = (size_t)c->in_rows * (size_t)c->in_cols * c->lda;

	for (int s = 0; s < it.samples; s++)
		c->prepare(c, it.sample + s, it.y, 0, c->k, in + (size_t)s * per_sample);
	if (column_floats(c))
		unroll(c, it.rows, in, columns);
	for (int j = it.col; j < it.end; j += c->strip) {
		int j1 = it.end - j < c->strip ? it.end : j + c->strip;
		if (!c->b.packed)
			gemm_mul(c->kern, pixels, column_floats(c) ? columns : in,
				 column_floats(c) ? (size_t)c->b.k : c->lda, &c->b, j, j1, 0, tile, (size_t)c->strip);
		for (int p = j; c->b.packed && p < j1; p += c->kern->nr)
			panel_tiles(c, it.samples, it.rows, in, p, tile + (p - j), (size_t)c->strip);
		for (int s = 0; s < it.samples; s++)
			c->finish(c, it.sample + s, it.y * c->out_side, pixels, j, j1,
				    tile + (size_t)s * (size_t)pixels * (size_t)c->strip, (size_t)c->strip);
	}
}

enum status
conv_run(struct conv *c)
{
	return pool_run(c->x->pool, c->x->prio, c->sample_blocks * c->row_blocks * c->col_blocks,
			c->winograd ? winograd_item : direct_item, c, c->x->cancel);
}

enum status
op_conv(struct exec *x, const struct net_op *op, struct error *e)
{
	struct conv c;
	enum status st;

	conv_lay_out(x, op, &c);
	if ((st = weights_conv(x->w, op->par[PAR_W], c.winograd, x->pool, x->cancel, &c.b, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_BIAS], &c.bias, e)) != ST_OK)
		return st;
	return conv_run(&c);
}
