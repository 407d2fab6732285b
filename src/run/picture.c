/* picture.c: see picture.h. */
#include "run/picture.h"

#include <string.h>

int
picture_side(int L)
{
	int side = 1;

	while ((long)side * side * 3 < L)
		side++;
	return (long)side * side * 3 == L ? side : 0;
}

void
picture_rgb(int side, const int32_t *tok, uint8_t *rgb)
{
	size_t n = (size_t)side * (size_t)side;

	for (size_t c = 0; c < 3; c++)
		for (size_t i = 0; i < n; i++) {
			int32_t v = tok[c * n + i];
			rgb[3 * i + c] = v < 0 || v > 255 ? PICTURE_MASK : (uint8_t)v;
		}
}

static int
columns_of(const struct sheet *s)
{
	int c = s->columns;

	for (c = c > 0 ? c : 1; s->columns <= 0 && (long)c * c < s->n; c++)
		;
	return c < s->n ? c : s->n;
}

static long
extent(const struct sheet *s, int pictures)
{
	return (long)pictures * s->side * s->zoom + (long)(pictures - 1) * s->gap;
}

enum status
sheet_size(const struct sheet *s, int most, int *width, int *height, struct error *e)
{
	int columns = columns_of(s), lines = (s->n - 1) / columns + 1;
	long w = extent(s, columns), h = extent(s, lines);

	if (w > most || h > most)
		return error_set(e, ST_USAGE,
			"a sheet of %ld x %ld pixels is too large (at most %d): fewer samples, less zoom",
		                 w, h, most);
	*width = (int)w;
	*height = (int)h;
	return ST_OK;
}

void
sheet_put(const struct sheet *s, int i, const uint8_t *rgb, uint8_t *out)
{
	int columns = columns_of(s), cell = s->side * s->zoom + s->gap, x0 = i % columns * cell,
		y0 = i / columns * cell;
	size_t pitch = 3 * (size_t)extent(s, columns), line = 3 * (size_t)(s->side * s->zoom);

	for (int y = 0; y < s->side; y++) {
		uint8_t *first = out + (size_t)(y0 + y * s->zoom) * pitch + 3 * (size_t)x0, *to = first;
		for (int x = 0; x < s->side; x++)
			for (int k = 0; k < s->zoom; k++, to += 3)
				memcpy(to, rgb + 3 * ((size_t)y * (size_t)s->side + (size_t)x), 3);
		for (int k = 1; k < s->zoom; k++)
			memcpy(first + (size_t)k * pitch, first, line);
	}
}
