/*
 * picture.c: see picture.h.  The renderers in cells: half-blocks, two pixels a
 * cell, and a ramp of characters by brightness.  Sixel images are only noted
 * here; tiles.c sends them.
 */
#include "ui/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SIDE_MAX 1000            /* xterm draws no larger image */
#define SHRINK_MAX 64

struct picture_device
picture_device_of(const struct canvas *c)
{
	if (c->pictures)
		return c->pictures->device;
	return (struct picture_device){ .kind = c->utf8 ? PICTURE_HALF : PICTURE_ASCII, .cell_w = 10, .cell_h = 20 };
}

/* Units of a cell: pixels for images, else one across and two down. */
static void
units(const struct picture_device *d, int *x, int *y)
{
	*x = d->kind == PICTURE_SIXEL ? d->cell_w : 1;
	*y = d->kind == PICTURE_SIXEL ? d->cell_h : 2;
}

static int
zoomed(int n, int zoom)
{
	return zoom > 0 ? n * zoom : (n - zoom - 1) / -zoom;
}

void
picture_cells(const struct picture_device *d, int w, int h, int zoom, int *cols, int *rows)
{
	int ux, uy;

	units(d, &ux, &uy);
	*cols = (zoomed(w, zoom) + ux - 1) / ux;
	*rows = (zoomed(h, zoom) + uy - 1) / uy;
}

int
picture_zoom(const struct picture_device *d, int w, int h, int cols, int rows)
{
	int ux, uy, most;

	units(d, &ux, &uy);
	if (cols < 1 || rows < 1 || w < 1 || h < 1)
		return 0;
	most = d->kind == PICTURE_SIXEL ? SIDE_MAX : 1 << 20;
	for (int z = 1, best = 0;; best = z++)
		if (w * z > cols * ux || h * z > rows * uy || w * z > most || h * z > most) {
			if (best)
				return best;
			break;
		}
	for (int z = 2; z <= SHRINK_MAX; z++)
		if (zoomed(w, -z) <= cols * ux && zoomed(h, -z) <= rows * uy)
			return -z;
	return 0;
}

void
picture_cell_of(const struct picture_device *d, int zoom, int px, int py, int *x, int *y)
{
	int ux, uy;

	units(d, &ux, &uy);
	*x = (zoom > 0 ? px * zoom + zoom / 2 : px / -zoom) / ux;
	*y = (zoom > 0 ? py * zoom + zoom / 2 : py / -zoom) / uy;
}

void
picture_pixel_at(const struct picture_device *d, int zoom, int x, int y, int *px, int *py)
{
	int ux, uy;

	units(d, &ux, &uy);
	*px = zoom > 0 ? (x * ux + ux / 2) / zoom : x * ux * -zoom;
	*py = zoom > 0 ? (y * uy + uy / 2 - (uy == 2)) / zoom : y * uy * -zoom;
}

/* The colour of unit x, y of the zoomed picture: a pixel, or the mean of a square. */
static uint32_t
colour_at(const struct picture *p, int x, int y)
{
	unsigned sum[3] = { 0 }, n = 0;
	int side = -p->zoom;

	if (p->zoom > 0)
		return p->rgb[y / p->zoom * p->w + x / p->zoom];
	for (int j = y * side; j < (y + 1) * side && j < p->h; j++)
		for (int i = x * side; i < (x + 1) * side && i < p->w; i++, n++)
			for (int k = 0; k < 3; k++)
				sum[k] += p->rgb[j * p->w + i] >> 8 * k & 255;
	return n ? (sum[2] + n / 2) / n << 16 | (sum[1] + n / 2) / n << 8 | (sum[0] + n / 2) / n : 0;
}

static void
put_halves(struct canvas *c, struct rect r, int x, int y, const struct picture *p)
{
	int w = zoomed(p->w, p->zoom), h = zoomed(p->h, p->zoom);

	for (int j = 0; j < h; j += 2)
		for (int i = 0; i < w; i++) {
			uint32_t upper = colour_at(p, i, j);

			canvas_halves(c, r, x + i, y + j / 2, upper, j + 1 < h ? colour_at(p, i, j + 1) : 0);
		}
}

/* Luma of ITU-R BT.601, 0..255. */
static unsigned
luma(uint32_t rgb)
{
	return (299 * (rgb >> 16 & 255) + 587 * (rgb >> 8 & 255) + 114 * (rgb & 255)) / 1000;
}

static void
put_ramp(struct canvas *c, struct rect r, int x, int y, const struct picture *p)
{
	static const char ramp[] = " .:-=+*#%@";
	int w = zoomed(p->w, p->zoom), h = zoomed(p->h, p->zoom);

	for (int j = 0; j < h; j += 2)
		for (int i = 0; i < w; i++) {
			unsigned v = luma(colour_at(p, i, j)), u = j + 1 < h ? luma(colour_at(p, i, j + 1)) : v;
			enum style s = STYLE_TEXT;

			if (p->style && p->zoom > 0) {
				int k = j / p->zoom * p->w + i / p->zoom,
				    below = (j + 1) / p->zoom * p->w + i / p->zoom;

				s = (enum style)p->style[k];
				if (s == STYLE_TEXT && j + 1 < h)
					s = (enum style)p->style[below];
			}
			canvas_char(c, r, x + i, y + j / 2, s, (uint32_t)ramp[(u + v) * 5 / 256]);
		}
}

/* Blank cells, and the image noted for tiles.c. */
static void
put_tile(struct canvas *c, struct rect r, int x, int y, const struct picture *p)
{
	struct picture_set *s = c->pictures;
	struct picture_tile *t = mem_grow(s->tile, &s->cap, (size_t)s->n + 1, sizeof *t);
	int cols, rows, w = zoomed(p->w, p->zoom < 0 ? p->zoom : 1), h = zoomed(p->h, p->zoom < 0 ? p->zoom : 1);
	uint32_t *rgb = mem_calloc((size_t)w * (size_t)h, sizeof *rgb);

	if (t)
		s->tile = t;
	if (!t || !rgb) {
		free(rgb);
		return;
	}
	for (int j = 0; j < h; j++)
		for (int i = 0; i < w; i++)
			rgb[j * w + i] = p->zoom > 0 ? p->rgb[j * w + i] : colour_at(p, i, j);
	picture_cells(&s->device, p->w, p->h, p->zoom, &cols, &rows);
	canvas_tile(c, (struct rect){ r.x + x, r.y + y, cols, rows });
	s->tile[s->n++] =
		(struct picture_tile){ { r.x + x, r.y + y, cols, rows }, w, h, p->zoom > 0 ? p->zoom : 1, rgb };
}

void
picture_put(struct canvas *c, struct rect r, int x, int y, const struct picture *p)
{
	switch (picture_device_of(c).kind) {
	case PICTURE_SIXEL:
		put_tile(c, r, x, y, p);
		break;
	case PICTURE_HALF:
		put_halves(c, r, x, y, p);
		break;
	case PICTURE_ASCII:
		put_ramp(c, r, x, y, p);
		break;
	default:
		break;
	}
}

void
picture_begin(struct picture_set *s)
{
	for (int i = 0; i < s->n; i++)
		free(s->tile[i].rgb);
	s->n = 0;
}

void
picture_done(struct picture_set *s)
{
	picture_begin(s);
	free(s->tile);
	s->tile = NULL;
	s->cap = 0;
}
