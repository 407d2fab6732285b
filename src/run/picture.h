/*
 * picture.h: from tokens to pixels: one picture, and a sheet of them.  Pure,
 * any thread.
 */
#ifndef PSI_RUN_PICTURE_H
#define PSI_RUN_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PICTURE_MASK 128         /* grey: a value that is still the mask, or not drawn yet */

/* Tokens of a picture stand as (channel, row, column), three channels of a
 * square.  Its side, 0: that many tokens are no picture. */
int picture_side(int L);
/* rgb [side*side*3] of tok [3*side*side]. */
void picture_rgb(int side, const int32_t *tok, uint8_t *rgb);

/* Pictures side by side, line after line. */
struct sheet {
	int n, side;             /* pictures; pixels of one, before zooming */
	int columns;             /* 0: as square as can be */
	int zoom, gap;           /* every pixel zoom x zoom; black lines of `gap` pixels between pictures */
};
/* Pixels of the whole.  ST_USAGE: a side above `most`. */
enum status sheet_size(const struct sheet *s, int most, int *width, int *height, struct error *e);
/* Put picture i (rgb as above) into out [height*width*3], which begins as zeros. */
void sheet_put(const struct sheet *s, int i, const uint8_t *rgb, uint8_t *out);

#endif
