/*
 * back_winograd.c: gradients of the weights of 3x3 convolutions by the
 * transposed form of Winograd's F(4x4, 3x3).  The forward pass is
 *     y = A^T [(G g G^T) (B^T x B)] A     summed over input channels,
 * so a weight's gradient is
 *     G^T [sum over blocks of (A dy A^T) (B^T x B)] G:
 * 36 products over blocks of 4x4 pixels in place of nine over pixels.
 *
 * Some samples at a time: the output's gradient is transformed to rows
 * [place][block][output], then, some input channels at a time, what the taps
 * read to packed panels [place][panel][block][nr]; a work item multiplies a
 * panel with some of the outputs at all places and goes back to the nine taps.
 * Each weight is one sum in the order of blocks.
 */
#include "net/back.h"
#include "net/conv.h"

#define PLACES 36
#define EDGE 4
#define BLOCKS 512   /* at a time: both transformed sides stay in the last cache */
#define CHANNELS 128 /* of inputs at a time: whole panels of every kernel */
#define OUTPUTS 128  /* of an item, at most */
#define ROWS 8	     /* image rows of an item that transforms */
#define STEP 256     /* blocks of a product */

struct winograd_back {
	const struct back *b;
	struct conv c; /* of the forward pass; rows are an item's */
	const float *d;
	size_t ldd, step;
	float factor, *dw;
	int nr, across, blocks, parts; /* blocks: of a sample; parts: items of one */
	int samples, first, all;       /* at a time; the first; blocks of all of them */
	int c0, c1, panels;	       /* input channels now */
	int outputs, output_blocks;
	size_t ld;     /* of transformed gradients */
	float *dy, *v; /* transformed */
};

static int
ceil_div(int a, int b)
{
	return (a + b - 1) / b;
}

bool
back_winograd_suits(const struct conv *c)
{
	return c->taps == 3 && c->stride == 1 && c->out_side % EDGE == 0 && c->k >= 8;
}

static void
lay_out(const struct conv *c, struct winograd_back *w)
{
	int unit = c->kern->nr < 16 ? 16 : c->kern->nr, chunk = c->k < CHANNELS ? c->k : CHANNELS;

	*w = (struct winograd_back){ .c = *c, .nr = c->kern->nr, .across = c->out_side / EDGE };
	w->blocks = w->across * w->across;
	w->samples = BLOCKS / w->blocks > 1 ? BLOCKS / w->blocks : 1;
	if (w->samples > c->x->n)
		w->samples = c->x->n;
	w->output_blocks = ceil_div(c->n, OUTPUTS);
	w->outputs = ceil_div(c->n, w->output_blocks);
	w->ld = ((size_t)ceil_div(c->n, 16) | 1) * 16; /* rows start in different sets of the cache */
	w->c.rows = c->out_side < ROWS ? c->out_side : ROWS;
	w->c.in_rows = w->c.rows + 2;
	w->c.in_cols = c->out_side + 2;
	w->c.lda = (size_t)(ceil_div(chunk, unit) * unit) + 16;
	w->parts = ceil_div(c->out_side, w->c.rows);
}

static size_t
row_floats(const struct winograd_back *w)
{
	return PLACES * (size_t)w->samples * (size_t)w->blocks * w->ld;
}

size_t
back_winograd_shared(const struct conv *c)
{
	struct winograd_back w;
	int chunk = c->k < CHANNELS ? ceil_div(c->k, c->kern->nr) * c->kern->nr : CHANNELS;

	lay_out(c, &w);
	return row_floats(&w) + PLACES * (size_t)w.samples * (size_t)w.blocks * (size_t)chunk;
}

size_t
back_winograd_scratch(const struct conv *c)
{
	struct winograd_back w;

	lay_out(c, &w);
	size_t pixels = (size_t)w.c.in_rows * (size_t)w.c.in_cols * w.c.lda;
	size_t products = (PLACES * (size_t)w.outputs + 9) * (size_t)w.nr;
	return pixels > products ? pixels : products;
}

/* The blocks of an item, the same for both sides: of a sample, some rows. */
struct blocks {
	int sample, y, rows; /* of the pass */
	size_t at;	     /* the first block's number among those now */
};

static struct blocks
blocks_of(const struct winograd_back *w, int item)
{
	int sample = item / w->parts, y = item % w->parts * w->c.rows;
	struct blocks s = { .sample = w->first + sample, .y = y };

	s.rows = w->c.out_side - y < w->c.rows ? w->c.out_side - y : w->c.rows;
	s.at = (size_t)(sample * w->blocks + y / EDGE * w->across);
	return s;
}

static void
gradient_item(void *arg, int item, int worker)
{
	const struct winograd_back *w = arg;
	struct blocks s = blocks_of(w, item);
	const float *d = w->d + (size_t)s.sample * w->step;
	size_t row = (size_t)w->c.out_side * w->ldd;
	float *to = w->dy + s.at * w->ld;

	(void)worker;
	for (int y = s.y; y < s.y + s.rows; y += EDGE)
		for (int x = 0; x < w->c.out_side; x += EDGE, to += w->ld)
			w->c.kern->image->wino_spread(w->c.n, d + (size_t)y * row + (size_t)x * w->ldd, row, w->ldd, to,
						      (size_t)w->all * w->ld);
}

static void
input_item(void *arg, int item, int worker)
{
	const struct winograd_back *w = arg;
	const struct conv *c = &w->c;
	struct blocks s = blocks_of(w, item);
	float *in = back_scratch(w->b, worker), *to = w->v + s.at * (size_t)w->nr;
	size_t row = (size_t)c->in_cols * c->lda, panel = (size_t)w->all * (size_t)w->nr;

	c->prepare(c, s.sample, s.y, w->c0, w->c1, in);
	for (int y = 0; y < s.rows; y += EDGE)
		for (int x = 0; x < c->out_side; x += EDGE, to += w->nr)
			for (int p = 0; p < w->panels; p++)
				c->kern->image->wino_in(w->nr,
							in + (size_t)y * row + (size_t)x * c->lda +
							    (size_t)(p * w->nr),
							row, c->lda, to + (size_t)p * panel,
							(size_t)w->panels * panel);
}

/* product [place][output][nr] of a panel and outputs o..o+n. */
static void
multiply(const struct winograd_back *w, int panel, int o, int n, float *product)
{
	const struct kern *kern = w->c.kern;
	int parts = ceil_div(n, kern->mr);
	size_t nr = (size_t)w->nr, all = (size_t)w->all;

	for (size_t p = 0; p < PLACES; p++, product += (size_t)n * nr)
		for (int first = 0; first < w->all; first += STEP) {
			int len = w->all - first < STEP ? w->all - first : STEP;
			const float *v = w->v + ((p * (size_t)w->panels + (size_t)panel) * all + (size_t)first) * nr;
			const float *dy = w->dy + (p * all + (size_t)first) * w->ld + o;
			for (int i = 0, at = 0; i < parts; i++) {
				int m = (n - at + parts - i - 1) / (parts - i);
				kern->outer(m, len, dy + at, w->ld, v, product + (size_t)at * nr, nr, first > 0);
				at += m;
			}
		}
}

static void
product_item(void *arg, int item, int worker)
{
	const struct winograd_back *w = arg;
	const struct conv *c = &w->c;
	int o = item % w->output_blocks * w->outputs, panel = item / w->output_blocks;
	int n = c->n - o < w->outputs ? c->n - o : w->outputs, i0 = w->c0 + panel * w->nr;
	int cols = w->c1 - i0 < w->nr ? w->c1 - i0 : w->nr;
	size_t nr = (size_t)w->nr;
	float *product = back_scratch(w->b, worker), *taps = product + PLACES * (size_t)w->outputs * nr;

	multiply(w, panel, o, n, product);
	for (int j = 0; j < n; j++, product += nr) {
		float *dw = w->dw + ((size_t)(o + j) * (size_t)c->k + (size_t)i0) * 9;
		c->kern->image->wino_taps(w->nr, product, (size_t)n * nr, taps, nr);
		for (size_t i = 0; i < (size_t)cols; i++)
			for (size_t t = 0; t < 9; t++)
				dw[i * 9 + t] += w->factor * taps[t * nr + i];
	}
}

/* All input channels of samples first.. */
static enum status
some_samples(struct winograd_back *w)
{
	const struct exec *x = w->c.x;
	int samples = x->n - w->first < w->samples ? x->n - w->first : w->samples;
	enum status st;

	w->all = samples * w->blocks;
	st = pool_run(x->pool, x->prio, samples * w->parts, gradient_item, w, x->cancel);
	for (w->c0 = 0; w->c0 < w->c.k && st == ST_OK; w->c0 = w->c1) {
		w->c1 = w->c.k - w->c0 < CHANNELS ? w->c.k : w->c0 + CHANNELS;
		w->panels = ceil_div(w->c1 - w->c0, w->nr);
		st = pool_run(x->pool, x->prio, samples * w->parts, input_item, w, x->cancel);
		if (st == ST_OK)
			st = pool_run(x->pool, x->prio, w->panels * w->output_blocks, product_item, w, x->cancel);
	}
	return st;
}

enum status
back_winograd(struct back *b, const struct conv *c, const float *d, float factor, float *dw)
{
	struct winograd_back w;
	enum status st = ST_OK;

	lay_out(c, &w);
	w.b = b;
	w.d = d;
	w.ldd = exec_ld(c->x, c->op->out);
	w.step = exec_step(c->x, c->op->out);
	w.factor = factor;
	w.dw = dw;
	w.dy = b->shared;
	w.v = w.dy + row_floats(&w);
	for (w.first = 0; w.first < c->x->n && st == ST_OK; w.first += w.samples)
		st = some_samples(&w);
	return st;
}
