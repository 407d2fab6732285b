/*
 * conv.h: one convolution laid out as work items, shared by op_conv.c (direct)
 * and op_winograd.c; private to src/net.  The walk back (back_conv.c) is a
 * convolution too, of the output's gradient with the weights turned round.
 */
#ifndef PSI_NET_CONV_H
#define PSI_NET_CONV_H

#include "net/dropout.h"
#include "net/exec.h"

struct conv {
	const struct exec *x;
	/* Channels c0..c1 of the pixels that output rows y.. of a sample need, border and all, as they are to be
	 * multiplied: [in_rows,in_cols,lda]; c0 is a multiple of 8. */
	void (*prepare)(const struct conv *c, int sample, int y, int c0, int c1, float *out);
	/* Columns j..j1 of `pixels` neighbours from `first` on, of one sample, from the tile to where they belong. */
	void (*finish)(const struct conv *c, int sample, int first, int pixels, int j, int j1, float *tile,
		       size_t ldtile);
	float *scratch; /* [threads][scratch_floats] */
	size_t scratch_floats;
	const struct net_op *op;
	const struct kern *kern;
	int k, n, side, taps; /* taps: 1 or 3 in each direction */
	int up, stride, pad;  /* up: shift from a pixel of the doubled image to its source */
	int out_side;
	bool winograd;
	int samples, rows; /* of an item: samples, output image rows of each */
	int sample_blocks, row_blocks, cb, col_blocks, strip;
	int in_rows, in_cols; /* pixels in scratch, border included, per sample */
	int chunk;	      /* channels in scratch at a time */
	size_t lda;	      /* floats from one pixel to the next */
	struct gemm_b b;
	const float *bias;
	struct dropout drop; /* training: of what before() makes */
	void *arg;	     /* back_conv.c's own */
};

/* For x->n samples. */
void conv_lay_out(const struct exec *x, const struct net_op *op, struct conv *c);

/* What item number `item` is: samples, rows and columns (a multiple of the
 * panel's width) and where they begin. */
struct conv_item {
	int sample, samples, y, rows, col, end;
};
struct conv_item conv_item_at(const struct conv *c, int item);

/* Blocks of work, once everything above them is there; even: of an even number
 * of image rows.  least_side: of images that Winograd's way suits. */
void conv_shape(struct conv *c, int n, int least_side, bool even);
size_t conv_scratch(const struct conv *c);   /* floats per worker */
size_t conv_prepared(const struct conv *c);  /* floats of the weights as they are prepared for it */
enum status conv_run(struct conv *c);

/* op_conv.c's prepare(): through before() and dropout. */
void conv_prepare(const struct conv *c, int sample, int y, int c0, int c1, float *out);

/* Winograd's F(4x4, 3x3): 36 products over blocks of 4x4 pixels in place of
 * nine over each pixel, that is a quarter of the arithmetic, with weights four
 * times as large. */
bool winograd_suits(const struct conv *c, int least_side);
void winograd_shape(struct conv *c, int n);
size_t winograd_scratch(const struct conv *c); /* floats per worker */
pool_fn winograd_item;

/* Gradients of a 3x3 convolution's weights the same way (back_winograd.c), all
 * samples of c->x: dw [out,in,3,3] += factor times them. */
struct back;
bool back_winograd_suits(const struct conv *c);
size_t back_winograd_scratch(const struct conv *c); /* floats per worker */
size_t back_winograd_shared(const struct conv *c);  /* floats of back.shared */
enum status back_winograd(struct back *b, const struct conv *c, const float *d, float factor, float *dw);

#endif
