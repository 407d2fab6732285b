/*
 * op_winograd.c: 3x3 convolutions by Winograd's F(4x4, 3x3) (Lavin and Gray
 * 2016): blocks of 6x6 input pixels are transformed to 36 numbers per channel,
 * each of the 36 places is a product over channels, and the 36 results of an
 * output channel give its 4x4 pixels.  Errors are about five times those of
 * the direct sum.
 */
#include "net/conv.h"

#define PLACES 36
#define EDGE 4	  /* of a block of output pixels */
#define BLOCKS 16 /* blocks of an item: transformed input and results stay in the second-level cache */
#define BLAS_BLOCKS 64 /* BLAS wants larger products, and all channels at once */
#define COLUMNS 128
#define CHUNK 128     /* channels at a time */
#define LEAST_CHANNELS 8

bool
winograd_suits(const struct conv *c, int least_side)
{
	return c->taps == 3 && c->stride == 1 && c->out_side >= least_side &&
	       c->out_side % EDGE == 0 && c->k >= LEAST_CHANNELS;
}

static int
blocks_of(const struct conv *c)
{
	return c->rows / EDGE * (c->out_side / EDGE);
}

static size_t
ld_columns(const struct conv *c)
{
	return (size_t)c->cb + 16;
}

void
winograd_shape(struct conv *c, int n)
{
	int blocks = c->kern->blas ? BLAS_BLOCKS : BLOCKS, across = c->out_side / EDGE, nr = c->kern->nr;
	int most = c->kern->blas ? COLUMNS / 2 : COLUMNS; /* so that two can share a picture */
	int columns = (c->n + nr - 1) / nr * nr, deep = across < blocks ? blocks / across : 1;

	c->rows = EDGE * (deep < across ? deep : across);
	c->samples = 1;
	c->sample_blocks = n;
	c->row_blocks = (c->out_side + c->rows - 1) / c->rows;
	c->cb = columns < most ? columns : most / nr * nr;
	c->col_blocks = (c->n + c->cb - 1) / c->cb;
	c->strip = c->cb;
	c->in_rows = c->rows + 2;
	c->in_cols = c->out_side + 2;
	c->chunk = c->k < CHUNK || c->kern->blas ? c->k : CHUNK;
	c->lda = (size_t)(c->chunk + 15) / 16 * 16 + 16;
}

static size_t
pixel_floats(const struct conv *c)
{
	return (size_t)c->in_rows * (size_t)c->in_cols * c->lda;
}

size_t
winograd_scratch(const struct conv *c)
{
	size_t blocks = (size_t)blocks_of(c);

	return pixel_floats(c) + PLACES * blocks * (c->lda + ld_columns(c)) + EDGE * EDGE * (size_t)c->cb;
}

/* The blocks' input of `channels` channels at all places: [36][block][lda]. */
static void
transform_input(const struct conv *c, int rows, int channels, const float *in, float *v)
{
	size_t row = (size_t)c->in_cols * c->lda, place = (size_t)blocks_of(c) * c->lda;

	for (int y = 0; y < rows; y += EDGE)
		for (int x = 0; x < c->out_side; x += EDGE, v += c->lda)
			c->kern->image->wino_in(channels, in + (size_t)y * row + (size_t)x * c->lda, row, c->lda, v,
						place);
}

static void
multiply_blas(const struct conv *c, const struct conv_item *it, int blocks, const float *v, float *m)
{
	size_t all = (size_t)blocks_of(c);
	struct gemm_b b = c->b;

	for (size_t p = 0; p < PLACES; p++, b.p += (size_t)c->n * (size_t)c->k)
		gemm_mul(c->kern, blocks, v + p * all * c->lda, c->lda, &b, it->col, it->end, 0,
			 m + p * all * ld_columns(c), ld_columns(c));
}

/* All products of a chunk of channels from c0 on: results [36][block][columns]. */
static void
multiply(const struct conv *c, const struct conv_item *it, int blocks, int c0, int channels, const float *v, float *m)
{
	const struct kern *kern = c->kern;
	size_t ldm = ld_columns(c), place = gemm_packed_floats(kern, c->n, c->k), all = (size_t)blocks_of(c);
	int parts = (blocks + kern->mr - 1) / kern->mr;

	for (int p = 0; p < PLACES; p++)
		for (int j = it->col; j < it->end; j += kern->nr) {
			const float *b =
			    c->b.p + (size_t)p * place + (size_t)j * (size_t)c->k + (size_t)c0 * (size_t)kern->nr;
			const float *a = v + (size_t)p * all * c->lda;
			float *o = m + (size_t)p * all * ldm + (size_t)(j - it->col);
			for (int i = 0, at = 0; i < parts; i++) {
				int rows = (blocks - at + parts - i - 1) / (parts - i);
				kern->tile(rows, channels, a + (size_t)at * c->lda, c->lda, b, o + (size_t)at * ldm,
					   ldm, c0 > 0);
				at += rows;
			}
		}
}

static void
transform_output(const struct conv *c, const struct conv_item *it, const float *m, float *tile)
{
	size_t ldm = ld_columns(c), place = (size_t)blocks_of(c) * ldm, ld = (size_t)c->cb;

	for (int y = it->y; y < it->y + it->rows; y += EDGE)
		for (int x = 0; x < c->out_side; x += EDGE, m += ldm) {
			c->kern->image->wino_out(it->end - it->col, m, place, tile, ld);
			for (int r = 0; r < EDGE; r++)
				c->finish(c, it->sample, (y + r) * c->out_side + x, EDGE, it->col, it->end,
					    tile + (size_t)(r * EDGE) * ld, ld);
		}
}

void
winograd_item(void *arg, int item, int worker)
{
	const struct conv *c = arg;
	struct conv_item it = conv_item_at(c, item);
	float *in = c->scratch + (size_t)worker * c->scratch_floats, *v = in + pixel_floats(c),
	      *m = v + PLACES * (size_t)blocks_of(c) * c->lda;
	float *tile = m + PLACES * (size_t)blocks_of(c) * ld_columns(c);
	int blocks = it.rows / EDGE * (c->out_side / EDGE);

	for (int c0 = 0; c0 < c->k; c0 += c->chunk) {
		int channels = c->k - c0 < c->chunk ? c->k - c0 : c->chunk;
		c->prepare(c, it.sample, it.y, c0, c0 + channels, in);
		transform_input(c, it.rows, channels, in, v);
		if (c->kern->blas)
			multiply_blas(c, &it, blocks, v, m);
		else
			multiply(c, &it, blocks, c0, channels, v, m);
	}
	transform_output(c, &it, m, tile);
}
