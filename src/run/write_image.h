/*
 * write_image.h: picture and array files, written to an outfile: PNG by
 * libpng, animated GIF by giflib, NumPy's .npy.  One thread at a time.
 */
#ifndef PSI_RUN_WRITE_IMAGE_H
#define PSI_RUN_WRITE_IMAGE_H

#include <stdint.h>

#include "run/outfile.h"

#define PNG_MOST 1000000         /* libpng's own limit of a side */
#define GIF_MOST 65535           /* the format's limit of a side */

/* rgb [height*width*3] as a PNG of 8 bits a channel; the recipe goes into a
 * tEXt chunk "Recipe". */
enum status png_write(struct outfile *o, int width, int height, const uint8_t *rgb, const char *recipe,
                      struct error *e);

/* An animated GIF that repeats for ever.  GIF knows at most 256 colours a
 * frame: each frame has a palette of its own, exact if it has no more colours
 * than that, else chosen by giflib's median cut, which looks at the upper 5
 * bits of each channel.  The recipe is a comment. */
struct gif;
enum status gif_begin(struct outfile *o, int width, int height, const char *recipe, struct gif **out, struct error *e);
/* delay: hundredths of a second that the frame stays. */
enum status gif_frame(struct gif *g, const uint8_t *rgb, int delay, struct error *e);
/* Frees g, also on failure; NULL is fine (ST_OK). */
enum status gif_end(struct gif *g, struct error *e);

/* Head of a .npy file of little-endian 32-bit integers [n,L]; they follow.
 * The recipe is a comment behind the dictionary (a Python expression). */
enum status npy_head(struct outfile *o, int n, int L, const char *recipe, struct error *e);

#endif
