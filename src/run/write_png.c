/* write_png.c: PNG files.  See write_image.h. */
#include "config.h"

#include "run/write_image.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/* What libpng hands back to its callbacks. */
struct writer {
	png_structp png;
	png_infop info;
	struct outfile *out;
	struct error *e;
	enum status st;
};

static void
on_write(png_structp png, png_bytep data, size_t bytes)
{
	struct writer *w = png_get_io_ptr(png);

	w->st = outfile_write(w->out, data, bytes, w->e);
	if (w->st != ST_OK)
		png_longjmp(png, 1);
}

static void
on_flush(png_structp png)
{
	(void)png;
}

static void
on_error(png_structp png, png_const_charp why)
{
	struct writer *w = png_get_error_ptr(png);

	if (w->st == ST_OK)
		w->st = error_set(w->e, ST_FAIL, "libpng: %s", why);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp why)
{
	(void)png;
	(void)why;
}

static void
set_text(struct writer *w, const char *recipe)
{
	char software[] = PACKAGE_STRING, key[2][9] = { "Software", "Recipe" };
	png_text text[2] = {
		{ .compression = PNG_TEXT_COMPRESSION_NONE, .key = key[0], .text = software,
			.text_length = strlen(software) },
		{ .compression = PNG_TEXT_COMPRESSION_NONE, .key = key[1], .text_length = strlen(recipe) },
	};

	memcpy(&text[1].text, &recipe, sizeof recipe); /* libpng copies it and forgets the const */
	png_set_text(w->png, w->info, text, 2);
}

/* All calls that may jump. */
static void
write_picture(struct writer *w, int width, int height, const uint8_t *rgb, const char *recipe)
{
	if (setjmp(png_jmpbuf(w->png)))
		return;
	png_set_write_fn(w->png, w, on_write, on_flush);
	png_set_IHDR(w->png, w->info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
		PNG_INTERLACE_NONE,
	             PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	set_text(w, recipe);
	png_write_info(w->png, w->info);
	for (int y = 0; y < height; y++)
		png_write_row(w->png, rgb + (size_t)y * (size_t)width * 3);
	png_write_end(w->png, NULL);
}

enum status
png_write(struct outfile *o, int width, int height, const uint8_t *rgb, const char *recipe, struct error *e)
{
	struct writer w = { .out = o, .e = e, .st = ST_OK };

	w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
	w.info = w.png ? png_create_info_struct(w.png) : NULL;
	if (w.info)
		write_picture(&w, width, height, rgb, recipe);
	else
		w.st = error_set(e, ST_MEMORY, "out of memory for a picture");
	png_destroy_write_struct(&w.png, &w.info);
	return w.st;
}
