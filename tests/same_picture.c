/*
 * same_picture.c: whether a picture file shows the samples of a .npy file: for
 * media.sh.  Reads PNG with libpng's simplified interface and GIF with giflib,
 * and lays the sheet out on its own account.
 *
 *     same_picture png FILE NPY COLUMNS ZOOM GAP
 *     same_picture gif FILE NPY COLUMNS ZOOM GAP FRAMES
 */
#include <gif_lib.h>
#include <png.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct picture { int width, height, frames; uint8_t *rgb; };
struct samples { int n, L; int32_t *tok; };

static bool
read_png(const char *path, struct picture *p)
{
	png_image image = { .version = PNG_IMAGE_VERSION };

	if (!png_image_begin_read_from_file(&image, path))
		return false;
	image.format = PNG_FORMAT_RGB;
	p->width = (int)image.width;
	p->height = (int)image.height;
	p->frames = 1;
	p->rgb = malloc(PNG_IMAGE_SIZE(image));
	return p->rgb && png_image_finish_read(&image, NULL, p->rgb, 0, NULL);
}

/* The last frame. */
static bool
read_gif(const char *path, struct picture *p)
{
	GifFileType *g = DGifOpenFileName(path, NULL);

	if (!g || DGifSlurp(g) != GIF_OK || g->ImageCount < 1)
		return false;
	const SavedImage *last = &g->SavedImages[g->ImageCount - 1];
	const ColorMapObject *map = last->ImageDesc.ColorMap;
	p->width = g->SWidth;
	p->height = g->SHeight;
	p->frames = g->ImageCount;
	p->rgb = malloc(3 * (size_t)p->width * (size_t)p->height);
	if (!map || !p->rgb || last->ImageDesc.Width != p->width || last->ImageDesc.Height != p->height)
		return false;
	for (int i = 0; i < p->width * p->height; i++) {
		const GifColorType *c = &map->Colors[last->RasterBits[i]];
		uint8_t rgb[3] = { c->Red, c->Green, c->Blue };
		memcpy(p->rgb + 3 * (size_t)i, rgb, 3);
	}
	return DGifCloseFile(g, NULL) == GIF_OK;
}

static bool
read_npy(const char *path, struct samples *s)
{
	unsigned char head[10];
	char text[4096] = "";
	FILE *f = fopen(path, "rb");

	if (!f || fread(head, 1, 10, f) != 10 || memcmp(head, "\x93NUMPY\x01", 8) != 0)
		return false;
	size_t bytes = head[8] | (size_t)head[9] << 8;
	if ((bytes + 10) % 64 != 0 || bytes >= sizeof text || fread(text, 1, bytes, f) != bytes ||
		text[bytes - 1] != '\n')
		return false;
	if (sscanf(text, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), } #", &s->n, &s->L) != 2)
		return false;
	size_t n = (size_t)s->n * (size_t)s->L;
	s->tok = malloc(n * sizeof *s->tok);
	bool ok = s->tok && fread(s->tok, sizeof *s->tok, n, f) == n && getc(f) == EOF;
	fclose(f);
	return ok;
}

/* The pixel (x, y), channel c, as the samples say. */
static int
wanted(const struct samples *s, int side, int columns, int zoom, int gap, int x, int y, int c)
{
	int cell = side * zoom + gap, i = y / cell * columns + x / cell, px = x % cell / zoom, py = y % cell / zoom;

	if (px >= side || py >= side || i >= s->n)
		return 0;
	return s->tok[(size_t)i * (size_t)s->L + (size_t)((c * side + py) * side + px)];
}

static int
compare(const struct picture *p, const struct samples *s, int columns, int zoom, int gap, bool exact)
{
	int side = 1, worst = 0;
	double sum = 0;

	while (3 * side * side < s->L)
		side++;
	int lines = (s->n + columns - 1) / columns;
	if (p->width != columns * (side * zoom + gap) - gap || p->height != lines * (side * zoom + gap) - gap) {
		printf("%d x %d pixels\n", p->width, p->height);
		return 1;
	}
	for (int y = 0; y < p->height; y++)
		for (int x = 0; x < p->width; x++)
			for (int c = 0; c < 3; c++) {
				int d = abs(p->rgb[3 * (y * p->width + x) + c] - wanted(s, side, columns, zoom,
					gap, x, y, c));
				worst = d > worst ? d : worst;
				sum += d;
			}
	sum /= 3. * p->width * p->height;
	/* 256 colours for a thousand different ones: a little of each channel is lost */
	if (exact ? worst == 0 : sum < 10)
		return 0;
	printf("differs: %g in the mean, at most %d\n", sum, worst);
	return 1;
}

int
main(int argc, char **argv)
{
	struct picture p = { 0 };
	struct samples s = { 0 };
	bool gif = argc == 8 && strcmp(argv[1], "gif") == 0;
	int bad = 1;

	if (argc < 7)
		return 2;
	if (!(gif ? read_gif(argv[2], &p) : read_png(argv[2], &p)))
		printf("%s cannot be read\n", argv[2]);
	else if (!read_npy(argv[3], &s))
		printf("%s cannot be read\n", argv[3]);
	else if (gif && p.frames != atoi(argv[7]))
		printf("%d frames\n", p.frames);
	else
		bad = compare(&p, &s, atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), !gif);
	free(p.rgb);
	free(s.tok);
	return bad;
}
