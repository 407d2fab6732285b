/*
 * back_kernel.c: gradients of a convolution's weights and bias, and of a
 * residual that is one row per sample: sums over all pixels of all samples.
 *
 * What the taps read is made once, borders and all, and left in b->shared.
 * Then a work item takes a panel of inputs and a block of outputs: for each tap
 * the pixels under it are gathered into a packed panel, a few hundred at a
 * time, and multiplied with the output's gradient as it lies.  Each element is
 * one sum in the order of pixels, whatever the number of threads.  3x3
 * convolutions over images of a suitable size go Winograd's way
 * (back_winograd.c).
 */
#include "net/back.h"
#include "net/conv.h"

#include <string.h>

#define PIXELS 256  /* of a product */
#define OUTPUTS 192 /* at most, of an item */
#define ROWS 16	    /* image rows of an item that makes inputs: even, for stride 2 */
#define CHANNELS 64 /* of an item that sums */

struct kernel_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	struct conv c; /* a whole sample */
	const float *d;
	size_t ldd, step; /* from one pixel, and one sample, to the next */
	int taps, nr, columns; /* taps in all; columns of the matrix: taps by inputs */
	bool mixed;	       /* fewer inputs than a panel has columns: a panel goes over several taps */
	int outputs, output_blocks, parts;
	float factor, *dw, *input, *sum;
};

static int
ceil_div(int a, int b)
{
	return (a + b - 1) / b;
}

static struct kernel_back
lay_out(const struct exec *x, const struct net_op *op)
{
	struct kernel_back k = { .x = x, .op = op, .nr = x->kern->nr };
	struct conv *c = &k.c;

	conv_lay_out(x, op, c);
	c->in_rows = c->in_cols = (c->out_side - 1) * c->stride + c->taps;
	c->lda = (size_t)ceil_div(c->k, 16) * 16;
	c->lda += c->lda % 256 == 0 ? 16 : 0;
	k.taps = c->taps * c->taps;
	k.columns = k.taps * c->k;
	k.mixed = c->k < k.nr;
	k.output_blocks = ceil_div(c->n, OUTPUTS);
	k.outputs = ceil_div(c->n, k.output_blocks);
	k.parts = ceil_div(c->in_rows, ROWS);
	k.factor = op->after == AFTER_ADD && op->in[IN_RES] >= 0 ? (float)op->factor : 1;
	return k;
}

static size_t
sample_floats(const struct kernel_back *k)
{
	return (size_t)k->c.in_rows * (size_t)k->c.in_cols * k->c.lda;
}

size_t
back_kernel_shared(const struct exec *x, const struct net_op *op, bool params)
{
	struct kernel_back k = lay_out(x, op);
	size_t sums = (size_t)x->n * (size_t)k.c.n, input = 0;

	if (params)
		input = back_winograd_suits(&k.c) ? back_winograd_shared(&k.c) : (size_t)x->n * sample_floats(&k);
	return sums > input ? sums : input;
}

static size_t
panel_floats(const struct kernel_back *k)
{
	return PIXELS * (size_t)k->nr;
}

/* Products of the panels of an item: [panel][output][nr]. */
static size_t
product_floats(const struct kernel_back *k)
{
	return (size_t)k->outputs * (size_t)k->nr;
}

size_t
back_kernel_scratch(const struct exec *x, const struct net_op *op)
{
	struct kernel_back k = lay_out(x, op);

	if (back_winograd_suits(&k.c))
		return back_winograd_scratch(&k.c);
	return panel_floats(&k) + product_floats(&k) * (size_t)(k.mixed ? 1 : k.taps);
}

/* ---- sums over pixels ---- */

static void
sum_item(void *arg, int item, int worker)
{
	const struct kernel_back *k = arg;
	int blocks = ceil_div(k->c.n, CHANNELS), sample = item / blocks, j = item % blocks * CHANNELS;
	int n = k->c.n - j < CHANNELS ? k->c.n - j : CHANNELS, pixels = k->c.out_side * k->c.out_side;
	double mean[CHANNELS], m2[CHANNELS];

	(void)worker;
	k->x->kern->image->moments(pixels, n, k->d + (size_t)sample * k->step + j, k->ldd, mean, m2);
	for (int i = 0; i < n; i++)
		k->sum[(size_t)sample * (size_t)k->c.n + (size_t)(j + i)] = (float)(mean[i] * pixels);
}

/* The bias, and a residual of one row per sample, have a share in every pixel. */
static enum status
sums(struct kernel_back *k)
{
	const struct exec *x = k->x;
	int res = k->op->after == AFTER_ADD ? k->op->in[IN_RES] : -1;
	float *bias = back_par(k->b, k->op->par[PAR_BIAS]);
	float *row = res >= 0 && x->net->value[res].per_sample ? back_value(k->b, res) : NULL;

	if (!bias && !row)
		return ST_OK;
	enum status st =
	    pool_run(x->pool, x->prio, x->n * ceil_div(k->c.n, CHANNELS), sum_item, k, x->cancel);
	for (int s = 0; s < x->n; s++)
		for (int j = 0; j < k->c.n; j++) {
			float d = k->factor * k->sum[(size_t)s * (size_t)k->c.n + (size_t)j];
			if (bias)
				bias[j] += d;
			if (row)
				row[(size_t)s * exec_ld(x, res) + (size_t)j] += d;
		}
	return st;
}

/* ---- weights ---- */

static void
input_item(void *arg, int item, int worker)
{
	const struct kernel_back *k = arg;
	struct conv c = k->c;
	int sample = item / k->parts, row = item % k->parts * ROWS;

	(void)worker;
	c.in_rows = k->c.in_rows - row < ROWS ? k->c.in_rows - row : ROWS;
	conv_prepare(&c, sample, row / c.stride, 0, c.k,
		     k->input + (size_t)sample * sample_floats(k) + (size_t)row * (size_t)c.in_cols * c.lda);
}

/* Columns q..q+n of the matrix (tap by tap) for pixels first..first+m, as a panel. */
static void
gather(const struct kernel_back *k, int first, int m, int q, int n, float *panel)
{
	const struct conv *c = &k->c;
	int side = c->out_side, at = first % (side * side);
	const float *in = k->input + (size_t)(first / (side * side)) * sample_floats(k);

	for (int i = 0; i < m; i++, panel += k->nr) {
		size_t y = (size_t)(at / side * c->stride), z = (size_t)(at % side * c->stride);
		for (int j = 0, run; j < n; j += run) {
			int tap = (q + j) / c->k, channel = (q + j) % c->k;
			size_t pixel = (y + (size_t)(tap / c->taps)) * (size_t)c->in_cols + z + (size_t)(tap % c->taps);
			run = c->k - channel < n - j ? c->k - channel : n - j;
			memcpy(panel + j, in + pixel * c->lda + channel, (size_t)run * sizeof *panel);
		}
		memset(panel + n, 0, (size_t)(k->nr - n) * sizeof *panel);
		if (++at == side * side) {
			at = 0;
			in += sample_floats(k);
		}
	}
}

/* Pixels from `first` on that a product can take: those of the next sample lie behind a sample's, unless the output is
 * the feature value. */
static int
piece(const struct kernel_back *k, int first)
{
	int sample = k->c.out_side * k->c.out_side, rest = k->x->n * sample - first;

	if (k->step != (size_t)sample * k->ldd)
		rest = sample - first % sample;
	return rest < PIXELS ? rest : PIXELS;
}

/* product[outputs,nr] of outputs o..o+n and columns q..q+cols. */
static void
multiply(const struct kernel_back *k, int o, int n, int q, int cols, float *panel, float *product)
{
	const struct kern *kern = k->x->kern;
	int sample = k->c.out_side * k->c.out_side, parts = ceil_div(n, kern->mr);

	for (int first = 0, pixels; first < k->x->n * sample; first += pixels) {
		const float *d = k->d + (size_t)(first / sample) * k->step + (size_t)(first % sample) * k->ldd + o;
		pixels = piece(k, first);
		gather(k, first, pixels, q, cols, panel);
		for (int i = 0, at = 0; i < parts; i++) {
			int m = (n - at + parts - i - 1) / (parts - i);
			kern->outer(m, pixels, d + at, k->ldd, panel, product + (size_t)at * (size_t)k->nr,
				    (size_t)k->nr, first > 0);
			at += m;
		}
	}
}

/* Column q of the matrix, for output o. */
static float *
weight_of(const struct kernel_back *k, int o, int q)
{
	size_t tap = (size_t)(q / k->c.k), channel = (size_t)(q % k->c.k), in = (size_t)k->c.k;

	if (k->taps == 1)
		return k->dw + channel * (size_t)k->c.n + (size_t)o;
	return k->dw + ((size_t)o * in + channel) * (size_t)k->taps + tap;
}

static void
weight_item(void *arg, int item, int worker)
{
	const struct kernel_back *k = arg;
	float *panel = back_scratch(k->b, worker), *product = panel + panel_floats(k);
	int o = item % k->output_blocks * k->outputs, first = item / k->output_blocks * k->nr;
	int n = k->c.n - o < k->outputs ? k->c.n - o : k->outputs, end = k->mixed ? k->columns : k->c.k;
	int cols = end - first < k->nr ? end - first : k->nr, panels = k->mixed ? 1 : k->taps;

	for (int t = 0; t < panels; t++)
		multiply(k, o, n, t * k->c.k + first, cols, panel, product + (size_t)t * product_floats(k));
	for (int i = 0; i < n; i++)
		for (int j = 0; j < cols; j++)
			for (int t = 0; t < panels; t++) {
				size_t at = (size_t)t * product_floats(k) + (size_t)(i * k->nr + j);
				*weight_of(k, o + i, t * k->c.k + first + j) += k->factor * product[at];
			}
}

enum status
back_kernel(struct back *b, const struct net_op *op, struct error *e)
{
	struct kernel_back k = lay_out(b->x, op);
	const struct exec *x = b->x;

	(void)e;
	k.b = b;
	k.d = back_value(b, op->out) + op->dim[CONV_COLUMN];
	k.ldd = exec_ld(x, op->out);
	k.step = exec_step(x, op->out);
	k.dw = back_par(b, op->par[PAR_W]);
	k.input = k.sum = b->shared;
	enum status st = sums(&k);
	if (st == ST_OK && k.dw && back_winograd_suits(&k.c))
		return back_winograd(b, &k.c, k.d, k.factor, k.dw);
	if (st == ST_OK && k.dw)
		st = pool_run(x->pool, x->prio, x->n * k.parts, input_item, &k, x->cancel);
	if (st == ST_OK && k.dw)
		st = pool_run(x->pool, x->prio, k.output_blocks * ceil_div(k.mixed ? k.columns : k.c.k, k.nr),
			      weight_item, &k, x->cancel);
	return st;
}
