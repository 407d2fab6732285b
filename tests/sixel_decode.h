/*
 * sixel_decode.h: a small decoder of sixel data, for tests: what a terminal
 * with registers of its own for each image would show.
 */
#ifndef PSI_TESTS_SIXEL_DECODE_H
#define PSI_TESTS_SIXEL_DECODE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct decoded { int w, h, colours /* registers */; uint32_t *rgb; /* [h*w], owned; UNPAINTED */ };
#define UNPAINTED 0xff000000u
#define DECODE_REGISTERS 4096

/* Decode the image at *at (ESC P ... ESC \); moves *at behind it.  false: that is none. */
static bool
sixel_decode(const char **at, struct decoded *d)
{
	static uint32_t reg[DECODE_REGISTERS];
	const char *s = *at;
	int ink = 0, x = 0, y = 0;

	*d = (struct decoded){ 0 };
	if (strncmp(s, "\x1bP", 2) != 0 || !(s = strchr(s, 'q')) || sscanf(s, "q\"1;1;%d;%d", &d->w, &d->h) != 2)
		return false;
	if (d->w < 1 || d->h < 1 || d->w > 4096 || d->h > 4096)
		return false;
	d->rgb = malloc((size_t)d->w * (size_t)d->h * sizeof *d->rgb);
	for (int i = 0; i < d->w * d->h; i++)
		d->rgb[i] = UNPAINTED;
	memset(reg, 0, sizeof reg);
	for (s += 1 + strcspn(s + 1, "#-$!?@ABCDEFGHIJKLMNOPQRSTUVWXYZ~"); *s && *s != 0x1b;) {
		int n = 1, r, g, b, used = 0;

		if (*s == '#') {
			ink = (int)strtol(s + 1, (char **)&s, 10);
			if (ink < 0 || ink >= DECODE_REGISTERS)
				return false;
			if (sscanf(s, ";2;%d;%d;%d%n", &r, &g, &b, &used) == 3) {
				s += used;
				reg[ink] = (uint32_t)((r * 255 + 50) / 100 << 16 | (g * 255 + 50) / 100 << 8 |
				                      (b * 255 + 50) / 100);
				d->colours = ink >= d->colours ? ink + 1 : d->colours;
			}
			continue;
		}
		if (*s == '!')
			n = (int)strtol(s + 1, (char **)&s, 10);
		if (*s >= '?' && *s <= '~') {
			for (int k = 0; k < n; k++, x++)
				for (int bit = 0; bit < 6; bit++)
					if ((*s - '?') >> bit & 1) {
						if (x >= d->w || y + bit >= d->h)
							return false;
						d->rgb[(y + bit) * d->w + x] = reg[ink];
					}
		} else if (*s == '$' || *s == '-') {
			y += *s == '-' ? 6 : 0;
			x = 0;
		} else {
			return false;
		}
		s++;
	}
	if (strncmp(s, "\x1b\\", 2) != 0)
		return false;
	*at = s + 2;
	return true;
}

/* Whether it is w x h pixels, each a square of zoom, to within `far` of 255 a channel. */
__attribute__((unused)) static bool
decoded_equals(const struct decoded *d, int w, int h, int zoom, const uint32_t *rgb, int far)
{
	if (d->w != w * zoom || d->h != h * zoom)
		return false;
	for (int i = 0; i < d->w * d->h; i++) {
		uint32_t got = d->rgb[i], want = rgb[i / d->w / zoom * w + i % d->w / zoom];

		if (got == UNPAINTED)
			return false;
		for (int k = 0; k < 24; k += 8)
			if (abs((int)(got >> k & 255) - (int)(want >> k & 255)) > far)
				return false;
	}
	return true;
}

#endif
