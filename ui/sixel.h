/*
 * sixel.h: a picture as sixel data.  sixel.c is the only file that includes
 * libsixel's header; a build without that library has no sixel images.
 * Screen thread only.
 */
#ifndef PSI_UI_SIXEL_H
#define PSI_UI_SIXEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; p is owned, free() it. */
struct bytes { char *p; size_t n, cap; };

bool bytes_add(struct bytes *b, const void *what, size_t n);     /* false: out of memory, b as it was */
bool bytes_print(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether this build can encode. */
bool sixel_built(void);
/* Append w x h pixels (0xrrggbb), each a square of zoom, as one sixel image with
 * aspect 1:1 and nothing outside its pixels.  No dithering.  The colours are
 * exact, to the per cent that sixel colours are given in, as long as there are no
 * more of them than registers (of the terminal); else the best palette of 256.
 * false: it could not be encoded, b is as it was. */
bool sixel_image(struct bytes *b, int w, int h, const uint32_t *rgb, int zoom, int registers);

#endif
