/*
 * test_picture.c: pictures as they are sent: sixel images decoded again are the
 * picture, half-blocks carry its colours, and only what changed goes out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "sixel_decode.h"
#include "ui/choose.h"
#include "ui/sixel.h"
#include "ui/tiles.h"

#define ONE_PER_CENT 3 /* of 255, rounded up */

/* w*h colours, at most `colours` of them; 0: each its own. */
static uint32_t *
noise(int w, int h, int colours, unsigned seed)
{
	uint32_t *rgb = malloc((size_t)(w * h) * sizeof *rgb);

	for (int i = 0; i < w * h; i++) {
		seed = seed * 1664525u + 1013904223u;
		rgb[i] = seed >> 8;
		if (colours)
			rgb[i] = (seed >> 16) % (unsigned)colours * 2654435761u >> 8;
	}
	return rgb;
}

static void
test_sixel(int w, int h, int zoom, int colours, int registers, int far)
{
	uint32_t *rgb = noise(w, h, colours, (unsigned)(w * 31 + zoom));
	struct bytes b = { 0 };
	struct decoded d = { 0 };
	bool ok = sixel_image(&b, w, h, rgb, zoom, registers);
	const char *at = b.p;

	ok = ok && strncmp(at, "\x1bP0;1;0q\"1;1;", 13) == 0 && sixel_decode(&at, &d) && at == b.p + b.n;
	CHECK(ok && decoded_equals(&d, w, h, zoom, rgb, far), "sixel %dx%d zoom %d, %d colours, %d registers", w, h,
	      zoom, colours, registers);
	CHECK(d.colours <= (registers > 256 ? registers : 256), "within the registers: %d", d.colours);
	free(d.rgb);
	free(b.p);
	free(rgb);
}

static void
test_halves(void)
{
	struct picture_set set = { .device = { .kind = PICTURE_HALF, .cell_w = 10, .cell_h = 20 } };
	struct canvas c = { .utf8 = true, .pictures = &set };
	uint32_t *rgb = noise(5, 7, 0, 3);

	for (int zoom = 1; zoom <= 3; zoom++) {
		struct picture p = { .w = 5, .h = 7, .rgb = rgb, .zoom = zoom };
		int cols, rows, bad = 0;

		canvas_resize(&c, 40, 20);
		picture_cells(&set.device, 5, 7, zoom, &cols, &rows);
		picture_put(&c, canvas_all(&c), 2, 1, &p);
		for (int y = 0; y < rows; y++)
			for (int x = 0; x < cols; x++) {
				const struct cell *k = &c.cell[(1 + y) * c.w + 2 + x];
				int low = 2 * y + 1;

				bad += k->ch[0] != 0x2580 || k->fg != (CELL_RGB | rgb[2 * y / zoom * 5 + x / zoom]);
				bad += k->bg != (CELL_RGB | (low < 7 * zoom ? rgb[low / zoom * 5 + x / zoom] : 0));
			}
		CHECK(cols == 5 * zoom && rows == (7 * zoom + 1) / 2 && !bad, "half-blocks at zoom %d: %d cells differ",
		      zoom, bad);
	}
	canvas_done(&c);
	picture_done(&set);
	free(rgb);
}

static void
test_ramp(void)
{
	struct canvas c = { .utf8 = false };
	const uint32_t rgb[4] = { 0x000000, 0xffffff, 0x000000, 0xffffff };
	struct picture p = { .w = 2, .h = 2, .rgb = rgb, .zoom = 1 };

	canvas_resize(&c, 4, 2);
	picture_put(&c, canvas_all(&c), 0, 0, &p);
	CHECK(c.cell[0].ch[0] == ' ' && c.cell[1].ch[0] == '@', "the ramp goes from dark to light");
	CHECK(!c.cell[0].fg && !c.cell[1].fg, "and has no colours of its own");
	canvas_done(&c);
}

/* --- what goes out --- */

struct line {
	struct tiles *tiles;
	struct picture_set set;
	struct canvas canvas;
	struct tty tty;
	uint32_t *rgb[2];
	int images; /* of the last frame */
	long bytes;
};

static void
draw_two(struct line *l, int x)
{
	canvas_resize(&l->canvas, 60, 24);
	picture_begin(&l->set);
	for (int i = 0; i < 2; i++) {
		struct picture p = {
			.w = 8, .h = 8, .rgb = l->rgb[i], .zoom = l->set.device.kind == PICTURE_SIXEL ? 10 : 1
		};

		picture_put(&l->canvas, canvas_all(&l->canvas), x + 20 * i, 2, &p);
	}
}

/* Send the frame; count what came. */
static const char *
send(struct line *l, bool rewritten)
{
	static char got[1 << 20];
	ssize_t n;

	if (ftruncate(l->tty.out, 0) < 0 || lseek(l->tty.out, 0, SEEK_SET) < 0)
		return "";
	tiles_after(l->tiles, &l->tty, &l->canvas, rewritten);
	n = pread(l->tty.out, got, sizeof got - 1, 0);
	l->bytes = n < 0 ? 0 : (long)n;
	got[l->bytes] = 0;
	l->images = 0;
	for (const char *s = got; (s = strstr(s, "\x1bP")); s++)
		l->images++;
	return got;
}

/* Where they are and what they hold. */
static void
check_two_images(struct line *l)
{
	const char *got;

	draw_two(l, 2);
	got = send(l, true);
	CHECK(l->images == 2 &&
		  strncmp(got,
			  "\x1b"
			  "7\x1b[3;3H\x1bP",
			  9) == 0 &&
		  strcmp(got + l->bytes - 2, "\x1b"
					    "8") == 0,
	      "two images, at their places, between save and restore cursor");
	for (int i = 0; i < 2; i++) {
		const char *at = strstr(got, "\x1bP");
		struct decoded d;

		CHECK(at && sixel_decode(&at, &d) && decoded_equals(&d, 8, 8, 10, l->rgb[i], ONE_PER_CENT),
		      "image %d is the picture", i);
		free(d.rgb);
		got = at ? at : got;
	}
}

/* Only what must be sent is. */
static void
check_changes(struct line *l)
{
	const char *got;

	draw_two(l, 2);
	send(l, false);
	CHECK(l->bytes == 0, "nothing changed: nothing is sent");
	l->rgb[1][5] ^= 0x404040;
	draw_two(l, 2);
	got = send(l, false);
	CHECK(l->images == 1 && strstr(got, "\x1b[3;23H"), "one pixel changed: its image is sent, the other is not");

	draw_two(l, 2);
	canvas_put(&l->canvas, canvas_all(&l->canvas), 4, 3, STYLE_MENU, "popup");
	send(l, false);
	CHECK(l->images == 0, "no image goes over a popup");
	draw_two(l, 2);
	got = send(l, false);
	CHECK(l->images == 1 && strstr(got, "\x1b[3;3H"), "the image that was under it is sent again");
}

/* When the text below was drawn anew, moved or went. */
static void
check_cells(struct line *l)
{
	draw_two(l, 2);
	send(l, true);
	CHECK(l->images == 2, "all are sent again when the cells were");
	CHECK(!tiles_stale(l->tiles, &l->canvas), "what is in its place is not stale");
	draw_two(l, 3);
	CHECK(tiles_stale(l->tiles, &l->canvas), "what moved over another place is");
	canvas_resize(&l->canvas, 60, 24);
	picture_begin(&l->set);
	CHECK(!tiles_stale(l->tiles, &l->canvas), "text erases an image by itself");
	send(l, false);
	draw_two(l, 2);
	send(l, false);
	CHECK(l->images == 2, "after another view both are sent");
	canvas_resize(&l->canvas, 60, 6); /* the images would end in the last row */
	picture_begin(&l->set);
	draw_two(l, 2);
	canvas_resize(&l->canvas, 60, 6);
	send(l, true);
	CHECK(l->images == 0, "none touches the last row");
}

static void
test_tiles(void)
{
	struct line l = { .tiles = tiles_new(),
			  .set = { .device = { PICTURE_SIXEL, 10, 20, 1024 } },
			  .canvas = { .utf8 = true } };
	FILE *f = tmpfile();

	l.tty.out = fileno(f);
	l.canvas.pictures = &l.set;
	l.rgb[0] = noise(8, 8, 0, 1);
	l.rgb[1] = noise(8, 8, 0, 2);
	check_two_images(&l);
	check_changes(&l);
	check_cells(&l);
	tiles_free(l.tiles);
	picture_done(&l.set);
	canvas_done(&l.canvas);
	free(l.rgb[0]);
	free(l.rgb[1]);
	fclose(f);
}

static int
count(const char *s, const char *what)
{
	int n = 0;

	for (; (s = strstr(s, what)); s++)
		n++;
	return n;
}

static void
test_direct(void)
{
	struct line l = { .tiles = tiles_new(),
			  .set = { .device = { PICTURE_HALF, 10, 20, 0 } },
			  .canvas = { .utf8 = true } };
	FILE *f = tmpfile();
	const char *got;
	char want[40];

	l.tty.out = fileno(f);
	l.canvas.pictures = &l.set;
	l.rgb[0] = noise(8, 8, 0, 1);
	l.rgb[1] = noise(8, 8, 0, 2);
	tiles_direct(l.tiles, true);
	draw_two(&l, 2);
	got = send(&l, true);
	snprintf(want, sizeof want, "38;2;%u;%u;%um", l.rgb[0][0] >> 16, l.rgb[0][0] >> 8 & 255, l.rgb[0][0] & 255);
	CHECK(count(got, "▀") == 64 && strstr(got, want), "24-bit half-blocks: every cell, in the pixel's colour");
	draw_two(&l, 2);
	send(&l, false);
	CHECK(l.bytes == 0, "nothing changed: nothing is sent");
	l.rgb[0][20] ^= 1;
	draw_two(&l, 2);
	got = send(&l, false);
	CHECK(count(got, "▀") == 1 && strstr(got, "\x1b[4;7H"), "one pixel changed: one cell");
	draw_two(&l, 2);
	canvas_put(&l.canvas, canvas_all(&l.canvas), 2, 2, STYLE_MENU, "pop");
	got = send(&l, false);
	CHECK(l.bytes == 0, "nothing goes over a popup");
	draw_two(&l, 2);
	got = send(&l, false);
	CHECK(count(got, "▀") == 3, "what was under it is sent again: %d cells", count(got, "▀"));
	tiles_free(l.tiles);
	picture_done(&l.set);
	canvas_done(&l.canvas);
	free(l.rgb[0]);
	free(l.rgb[1]);
	fclose(f);
}

static void
test_choice(void)
{
	struct probe none = { .background = -1 }, sixel = { .sixel = true, .background = -1 };

	CHECK(picture_choose("auto", &none, 256, true) == PICTURE_HALF, "no sixel: half-blocks");
	CHECK(picture_choose("auto", &none, 0, true) == PICTURE_ASCII, "no colours: the ramp");
	CHECK(picture_choose("auto", &none, 256, false) == PICTURE_ASCII, "no UTF-8: the ramp");
	CHECK(picture_choose("auto", &sixel, 256, true) == (sixel_built() ? PICTURE_SIXEL : PICTURE_HALF),
	      "sixel where it is said");
	CHECK(picture_choose("half", &sixel, 256, true) == PICTURE_HALF, "as asked for");
	CHECK(picture_choose("off", &sixel, 256, true) == PICTURE_OFF, "off");
}

static void
test_nearest(void)
{
	struct theme th;
	int bad = 0;

	for (int colours = 8; colours <= 256; colours *= colours == 8 ? 2 : 16) {
		theme_make(&th, colours, false);
		for (int i = colours == 256 ? 16 : 0; i < colours; i++)
			bad += theme_rgb(theme_nearest(&th, theme_rgb(i))) != theme_rgb(i);
	}
	CHECK(bad == 0, "a colour of the palette is itself");
}

static void
test_zoom(void)
{
	struct picture_device half = { PICTURE_HALF, 10, 20, 0 }, sixel = { PICTURE_SIXEL, 10, 19, 256 };

	CHECK(picture_zoom(&half, 32, 32, 32, 16) == 1 && picture_zoom(&half, 32, 32, 64, 31) == 1 &&
		  picture_zoom(&half, 32, 32, 64, 32) == 2,
	      "whole zooms of half-blocks");
	CHECK(picture_zoom(&half, 32, 32, 31, 16) == -2 && picture_zoom(&half, 32, 32, 5, 9) == -7,
	      "made smaller where it must");
	CHECK(picture_zoom(&sixel, 32, 32, 32, 16) == 9, "whole zooms of images");
	CHECK(picture_zoom(&sixel, 32, 32, 900, 900) == 31, "never above 1000 pixels");
}

int
main(void)
{
	test_zoom();
	test_choice();
	test_nearest();
	test_halves();
	test_ramp();
	test_direct();
	if (sixel_built()) {
		for (int zoom = 1; zoom < 10; zoom += 2)
			test_sixel(32, 32, zoom, 0, 1024, ONE_PER_CENT);
		test_sixel(32, 32, 4, 20, 256, ONE_PER_CENT);
		test_sixel(7, 5, 6, 1, 256, ONE_PER_CENT);
		test_sixel(28, 28, 3, 300, 512, ONE_PER_CENT);
		test_sixel(32, 32, 4, 0, 256, 64);
		test_tiles();
	}
	return check_done();
}
