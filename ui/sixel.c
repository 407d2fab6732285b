/*
 * sixel.c: see sixel.h.
 *
 * libsixel knows 256 colours at a time; a picture of noise has one for each of
 * its 1024 pixels, and terminals have registers for them.  So the image is
 * encoded in bands of at most 256 colours, and the bands' register numbers are
 * those of the whole image: one image, exact colours.
 */
#include "config.h"

#include "ui/sixel.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_SIXEL

#undef PACKAGE_VERSION           /* libsixel defines its own */
#include <sixel.h>

#include "base/mem.h"

#define BAND_COLOURS 256         /* of libsixel */
#define ROWS 6                   /* pixels in a sixel */

struct image {
	int w, h, zoom;
	const uint32_t *rgb;
	int *reg;                /* [h*w] register of each pixel */
	uint32_t *colour;        /* [h*w] of each register */
	int n;                   /* registers in use */
};

static int
write_bytes(char *data, int size, void *priv)
{
	return bytes_add(priv, data, (size_t)size) ? size : -1;
}

/* As sixel says it: 0 to 100 a channel. */
static uint32_t
per_cent(uint32_t rgb)
{
	uint32_t out = 0;

	for (int k = 0; k < 3; k++)
		out |= ((rgb >> 8 * k & 255) * 100 + 127) / 255 << 8 * k;
	return out;
}

/* Give each colour a register, by a table of open addresses. */
static bool
number_colours(struct image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h, size = 16;

	while (size < 2 * n)
		size *= 2;
	int *slot = mem_calloc(size, sizeof *slot); /* register + 1 */
	if (!slot)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = per_cent(im->rgb[i]);
		size_t at = (size_t)(c * 2654435761u) & (size - 1);

		while (slot[at] && im->colour[slot[at] - 1] != c)
			at = (at + 1) & (size - 1);
		if (!slot[at]) {
			im->colour[im->n] = c;
			slot[at] = ++im->n;
		}
		im->reg[i] = slot[at] - 1;
	}
	free(slot);
	return true;
}

/* A band: pixels [from, to) down, its colours by register. */
struct band { int from, to, n, reg[BAND_COLOURS], *index; /* [im->n] + 1; 0: not in it */ };

/* Add the colours of the next sixels; false: too many, nothing is added. */
static bool
band_grow(struct band *b, const struct image *im)
{
	int was = b->n, end = b->to + ROWS < im->h * im->zoom ? b->to + ROWS : im->h * im->zoom;

	for (int y = b->to / im->zoom; y <= (end - 1) / im->zoom; y++)
		for (int x = 0; x < im->w; x++) {
			int r = im->reg[y * im->w + x];

			if (b->index[r])
				continue;
			if (b->n == BAND_COLOURS) {
				while (b->n > was)
					b->index[b->reg[--b->n]] = 0;
				return false;
			}
			b->reg[b->n++] = r;
			b->index[r] = b->n;
		}
	b->to = end;
	return true;
}

/* Encode one band as libsixel does it, into raw. */
static bool
encode(struct bytes *raw, int w, int h, unsigned char *pixels, int format, sixel_dither_t *dither)
{
	sixel_output_t *out = NULL;
	bool ok = !SIXEL_FAILED(sixel_output_new(&out, write_bytes, raw, NULL));

	if (ok) {
		sixel_output_set_8bit_availability(out, 0);
		sixel_output_set_skip_dcs_envelope(out, 1);
		sixel_dither_set_pixelformat(dither, format);
		sixel_dither_set_diffusion_type(dither, SIXEL_DIFFUSE_NONE);
		ok = !SIXEL_FAILED(sixel_encode(pixels, w, h, 0, dither, out));
		sixel_output_unref(out);
	}
	return ok;
}

/* What follows the raster attributes (q"1;1;W;H). */
static const char *
body(const struct bytes *raw)
{
	const char *s = raw->p + strspn(raw->p, "q");

	return *s == '"' ? s + 1 + strspn(s + 1, "0123456789;") : s;
}

/* Append a band's data with the image's register numbers. */
static bool
renumber(struct bytes *b, const char *s, const struct band *band)
{
	while (*s) {
		size_t n = strcspn(s, "#");

		if (n && !bytes_add(b, s, n))
			return false;
		s += n;
		if (*s == '#') {
			char *end;
			long k = strtol(s + 1, &end, 10);

			if (k < 0 || k >= band->n || !bytes_print(b, "#%d", band->reg[k]))
				return false;
			s = end;
		}
	}
	return true;
}

static bool
put_band(struct bytes *b, const struct image *im, const struct band *band)
{
	int W = im->w * im->zoom, H = band->to - band->from;
	unsigned char *pixels = mem_calloc((size_t)W * (size_t)H, 1), palette[BAND_COLOURS * 3];
	sixel_dither_t *dither = NULL;
	struct bytes raw = { 0 };
	bool ok = pixels && !SIXEL_FAILED(sixel_dither_new(&dither, band->n < 2 ? 2 : band->n, NULL));

	memset(palette, 0, sizeof palette);
	for (int i = 0; i < band->n; i++)
		for (int k = 0; k < 3; k++) /* so that libsixel's own rounding gives the per cent back */
			palette[3 * i + k] =
				(unsigned char)(((im->colour[band->reg[i]] >> (16 - 8 * k) & 255) * 255 + 50) / 100);
	for (int y = 0; ok && y < H; y++)
		for (int x = 0; x < W; x++)
			pixels[(size_t)y * (size_t)W + (size_t)x] = (unsigned char)
			    (band->index[im->reg[(band->from + y) / im->zoom * im->w + x / im->zoom]] - 1);
	if (ok) {
		sixel_dither_set_palette(dither, palette);
		ok = encode(&raw, W, H, pixels, SIXEL_PIXELFORMAT_PAL8, dither) && raw.p &&
			renumber(b, body(&raw), band);
	}
	if (dither)
		sixel_dither_unref(dither);
	free(raw.p);
	free(pixels);
	return ok;
}

/* All bands; false: a row of sixels has more colours than libsixel takes. */
static bool
put_bands(struct bytes *b, const struct image *im)
{
	struct band band = { .index = mem_calloc((size_t)im->n, sizeof *band.index) };
	bool ok = band.index != NULL;

	while (ok && band.to < im->h * im->zoom) {
		band.from = band.to;
		band.n = 0;
		memset(band.index, 0, (size_t)im->n * sizeof *band.index);
		while (band.to < im->h * im->zoom && band_grow(&band, im))
			;
		ok = band.to > band.from && (band.from == 0 || bytes_add(b, "-", 1)) && put_band(b, im, &band);
	}
	free(band.index);
	return ok;
}

/* The best 256 colours, chosen by libsixel. */
static bool
put_few(struct bytes *b, const struct image *im, int registers)
{
	int W = im->w * im->zoom, H = im->h * im->zoom;
	size_t n = (size_t)im->w * (size_t)im->h;
	unsigned char *small = mem_calloc(n, 3), *large = mem_calloc((size_t)W * (size_t)H, 3);
	sixel_dither_t *dither = NULL;
	struct bytes raw = { 0 };
	bool ok = small && large &&
	    !SIXEL_FAILED(sixel_dither_new(&dither, registers < BAND_COLOURS ? registers : BAND_COLOURS, NULL));

	for (size_t i = 0; ok && i < n; i++)
		for (int k = 0; k < 3; k++)
			small[3 * i + (size_t)k] = (unsigned char)(im->rgb[i] >> (16 - 8 * k));
	for (int y = 0; ok && y < H; y++)
		for (int x = 0; x < W; x++)
			memcpy(large + 3 * ((size_t)y * (size_t)W + (size_t)x),
			    small + 3 * ((size_t)(y / im->zoom) * (size_t)im->w + (size_t)(x / im->zoom)), 3);
	ok = ok && !SIXEL_FAILED(sixel_dither_initialize(dither, small, im->w, im->h, SIXEL_PIXELFORMAT_RGB888,
	    SIXEL_LARGE_AUTO, SIXEL_REP_AUTO, SIXEL_QUALITY_HIGH));
	ok = ok && encode(&raw, W, H, large, SIXEL_PIXELFORMAT_RGB888, dither) && raw.p;
	if (ok) {
		const char *s = body(&raw);
		ok = bytes_add(b, s, strlen(s));
	}
	if (dither)
		sixel_dither_unref(dither);
	free(raw.p);
	free(small);
	free(large);
	return ok;
}

bool
sixel_built(void)
{
	return true;
}

bool
sixel_image(struct bytes *b, int w, int h, const uint32_t *rgb, int zoom, int registers)
{
	size_t n = (size_t)w * (size_t)h, start = b->n, head;
	struct image im = { .w = w, .h = h, .zoom = zoom, .rgb = rgb, .reg = mem_calloc(n, sizeof *im.reg),
		.colour = mem_calloc(n, sizeof *im.colour) };
	/* background 1: what is not painted stays as it is */
	bool ok = im.reg && im.colour && number_colours(&im) &&
	    bytes_print(b, "\x1bP0;1;0q\"1;1;%d;%d", w * zoom, h * zoom);

	head = b->n;
	if (ok && (im.n > registers || !put_bands(b, &im))) {
		b->n = head;
		ok = put_few(b, &im, registers);
	}
	ok = ok && bytes_add(b, "\x1b\\", 2);
	if (!ok)
		b->n = start;
	free(im.reg);
	free(im.colour);
	return ok;
}

#else

bool
sixel_built(void)
{
	return false;
}

bool
sixel_image(struct bytes *b, int w, int h, const uint32_t *rgb, int zoom, int registers)
{
	(void)b, (void)w, (void)h, (void)rgb, (void)zoom, (void)registers;
	return false;
}

#endif
