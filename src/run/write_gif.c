/* write_gif.c: animated GIF files.  See write_image.h. */
#include "run/write_image.h"

#include <gif_lib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define COLORS 256
#define SLOTS 1024               /* of the table of colours of a frame */
#define BLOCK 255                /* a block of an extension holds so many bytes */

struct gif {
	GifFileType *file;
	struct outfile *out;
	struct error *e;         /* of the call that runs */
	enum status st;
	int width, height;
	uint8_t *channel;        /* [3][height*width] */
	uint8_t *index;          /* [height*width] */
	GifColorType color[COLORS];
};

static int
on_write(GifFileType *file, const GifByteType *data, int bytes)
{
	struct gif *g = file->UserData;

	if (g->st == ST_OK)
		g->st = outfile_write(g->out, data, (size_t)bytes, g->e);
	return g->st == ST_OK ? bytes : 0;
}

/* What a call of giflib came to. */
static enum status
check(struct gif *g, bool ok, struct error *e)
{
	if (g->st == ST_OK && !ok) {
		const char *why = GifErrorString(g->file->Error);
		g->st = error_set(e, ST_FAIL, "giflib: %s", why ? why : "failed");
	}
	return g->st;
}

static bool
put_loop(struct gif *g)
{
	static const GifByteType forever[] = { 1, 0, 0 };

	return EGifPutExtensionLeader(g->file, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
	       EGifPutExtensionBlock(g->file, 11, "NETSCAPE2.0") == GIF_OK &&
	       EGifPutExtensionBlock(g->file, sizeof forever, forever) == GIF_OK &&
	       EGifPutExtensionTrailer(g->file) == GIF_OK;
}

static bool
put_comment(struct gif *g, const char *text)
{
	bool ok = EGifPutExtensionLeader(g->file, COMMENT_EXT_FUNC_CODE) == GIF_OK;
	size_t left = strlen(text);

	for (; ok && left > 0; ) {
		size_t n = left < BLOCK ? left : BLOCK;
		ok = EGifPutExtensionBlock(g->file, (int)n, text) == GIF_OK;
		text += n;
		left -= n;
	}
	return ok && EGifPutExtensionTrailer(g->file) == GIF_OK;
}

enum status
gif_begin(struct outfile *o, int width, int height, const char *recipe, struct gif **out, struct error *e)
{
	struct gif *g = mem_calloc(1, sizeof *g);
	size_t n = (size_t)width * (size_t)height;
	int why;

	if (!g || !(g->channel = mem_calloc(3, n)) || !(g->index = mem_calloc(1, n))) {
		gif_end(g, NULL);
		return error_set(e, ST_MEMORY, "out of memory for an animation");
	}
	g->out = o;
	g->e = e;
	g->width = width;
	g->height = height;
	g->file = EGifOpen(g, on_write, &why);
	if (!g->file) {
		gif_end(g, NULL);
		return error_set(e, ST_MEMORY, "out of memory for an animation");
	}
	EGifSetGifVersion(g->file, true);
	bool ok = EGifPutScreenDesc(g->file, width, height, 8, 0, NULL) == GIF_OK && put_loop(g) &&
		put_comment(g, recipe);
	enum status st = check(g, ok, e);
	if (st != ST_OK)
		gif_end(g, NULL);
	else
		*out = g;
	return st;
}

static bool
is_color(const GifColorType *c, const uint8_t *rgb)
{
	return c->Red == rgb[0] && c->Green == rgb[1] && c->Blue == rgb[2];
}

/* An exact palette: number of colours, 0: there are more than 256. */
static int
few_colors(struct gif *g, const uint8_t *rgb)
{
	int16_t slot[SLOTS];     /* open hash table of palette indices */
	int n = 0;

	memset(slot, -1, sizeof slot);
	for (size_t i = 0; i < (size_t)g->width * (size_t)g->height; i++) {
		const uint8_t *p = rgb + 3 * i;
		unsigned h = ((unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2]) * 2654435761u >> 22;
		while (slot[h] >= 0 && !is_color(&g->color[slot[h]], p))
			h = (h + 1) % SLOTS;
		if (slot[h] < 0) {
			if (n == COLORS)
				return 0;
			g->color[n] = (GifColorType){ p[0], p[1], p[2] };
			slot[h] = (int16_t)n++;
		}
		g->index[i] = (uint8_t)slot[h];
	}
	return n;
}

static int
many_colors(struct gif *g, const uint8_t *rgb)
{
	size_t n = (size_t)g->width * (size_t)g->height;
	int colors = COLORS;

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < 3; c++)
			g->channel[c * n + i] = rgb[3 * i + c];
	if (GifQuantizeBuffer((unsigned)g->width, (unsigned)g->height, &colors, g->channel, g->channel + n,
		g->channel + 2 * n,
	                      g->index, g->color) != GIF_OK)
		return 0;
	return colors;
}

enum status
gif_frame(struct gif *g, const uint8_t *rgb, int delay, struct error *e)
{
	GraphicsControlBlock control = { .DisposalMode = DISPOSE_DO_NOT, .DelayTime = delay,
		.TransparentColor = NO_TRANSPARENT_COLOR };
	GifByteType extension[4];
	int n = few_colors(g, rgb), size = 2;

	g->e = e;
	if (n == 0 && (n = many_colors(g, rgb)) == 0)
		return error_set(e, ST_MEMORY, "out of memory for a frame of an animation");
	while (size < n)
		size *= 2;
	memset(g->color + n, 0, (size_t)(COLORS - n) * sizeof *g->color);
	ColorMapObject *map = GifMakeMapObject(size, g->color);
	if (!map)
		return error_set(e, ST_MEMORY, "out of memory for a palette");
	bool ok = EGifGCBToExtension(&control, extension) == sizeof extension &&
	          EGifPutExtension(g->file, GRAPHICS_EXT_FUNC_CODE, sizeof extension, extension) == GIF_OK &&
	          EGifPutImageDesc(g->file, 0, 0, g->width, g->height, false, map) == GIF_OK;
	for (int y = 0; y < g->height && ok; y++)
		ok = EGifPutLine(g->file, g->index + (size_t)y * (size_t)g->width, g->width) == GIF_OK;
	GifFreeMapObject(map);
	return check(g, ok, e);
}

enum status
gif_end(struct gif *g, struct error *e)
{
	enum status st = ST_OK;
	int why = 0;

	if (!g)
		return ST_OK;
	g->e = e;
	if (g->file && EGifCloseFile(g->file, &why) != GIF_OK && g->st == ST_OK)
		g->st = error_set(e, ST_FAIL, "giflib: the file could not be finished (%d)", why);
	st = g->st;
	free(g->channel);
	free(g->index);
	free(g);
	return st;
}
