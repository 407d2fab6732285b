/*
 * conv.h: one convolution laid out as work items, shared by op_conv.c (direct)
 * and op_winograd.c; private to src/net.
 */
#ifndef PSI_NET_CONV_H
#define PSI_NET_CONV_H

#include "net/dropout.h"
#include "net/exec.h"

struct conv {
	const struct exec *x;
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
};

/* For x->n samples. */
void conv_lay_out(const struct exec *x, const struct net_op *op, struct conv *c);

/* What item number `item` is: samples, rows and columns (a multiple of the
 * panel's width) and where they begin. */
struct conv_item {
	int sample, samples, y, rows, col, end;
};
struct conv_item conv_item_at(const struct conv *c, int item);

/* Channels c0..c1 of the pixels that output rows y.. of a sample need, border
 * and all, through before() and dropout: [in_rows,in_cols,lda]; c0 is a multiple of 8. */
void conv_prepare(const struct conv *c, int sample, int y, int c0, int c1, float *out);
/* after(): columns j..j1 of `pixels` neighbours from `first` on, of one sample,
 * from the tile to where they belong. */
void conv_finish(const struct conv *c, int sample, int first, int pixels, int j, int j1, const float *tile,
		 size_t ldtile);

/* Winograd's F(4x4, 3x3): 36 products over blocks of 4x4 pixels in place of
 * nine over each pixel, that is a quarter of the arithmetic, with weights four
 * times as large. */
bool winograd_suits(const struct conv *c);
void winograd_shape(struct conv *c, int n);
size_t winograd_scratch(const struct conv *c); /* floats per worker */
pool_fn winograd_item;

#endif
