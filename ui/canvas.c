/*
 * canvas.c: see canvas.h.  Screen thread.
 *
 * A wide character is a cell of width 2 and, right of it, one of width 0; that
 * pair is never left torn: overwriting either half blanks the other.
 */
#include "ui/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>
#include <uniwidth.h>

#include "base/mem.h"
#include "ui/fallback.h"

#define REPLACEMENT 0xfffd

int
char_width(uint32_t ch)
{
	if (ch < 0x7f)
		return ch >= 0x20;
	int w = uc_width(ch, "UTF-8");
	return w < 0 ? 0 : w;
}

static bool
is_control(uint32_t ch)
{
	/* C0, DEL, C1; what changes the direction or the line; surrogates cannot come out of a decoder */
	return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029 ||
	    (ch >= 0x202a && ch <= 0x202e) || (ch >= 0x2066 && ch <= 0x2069) || ch == 0xfeff ||
	    (ch >= 0xfff9 && ch <= 0xfffb);
}

/* The next character of text as it will be shown, and its length in bytes. */
static size_t
next_char(const char *text, size_t bytes, uint32_t *ch)
{
	ucs4_t u;
	int n = u8_mbtouc(&u, (const uint8_t *)text, bytes);

	*ch = is_control(u) ? REPLACEMENT : u;
	return n > 0 ? (size_t)n : 1;
}

int
text_width(const char *text, size_t bytes)
{
	int w = 0;

	for (size_t i = 0; i < bytes;) {
		uint32_t ch;
		i += next_char(text + i, bytes - i, &ch);
		w += char_width(ch);
	}
	return w;
}

static const struct cell blank = { .ch = { 0 }, .style = STYLE_TEXT, .width = 1 };

struct rect
canvas_all(const struct canvas *c)
{
	return (struct rect){ 0, 0, c->w, c->h };
}

bool
canvas_resize(struct canvas *c, int w, int h)
{
	size_t n;

	w = w < 1 ? 1 : w;
	h = h < 1 ? 1 : h;
	if (!mem_mul((size_t)w, (size_t)h, &n))
		return false;
	if (w != c->w || h != c->h || !c->cell) {
		struct cell *cell = mem_calloc(n, sizeof *cell);
		if (!cell)
			return false;
		free(c->cell);
		c->cell = cell;
		c->w = w;
		c->h = h;
	}
	canvas_clear(c, canvas_all(c));
	c->cursor_x = c->cursor_y = -1;
	return true;
}

void
canvas_done(struct canvas *c)
{
	free(c->cell);
	*c = (struct canvas){ .utf8 = c->utf8, .cursor_x = -1, .cursor_y = -1, .pictures = c->pictures };
}

static struct rect
clip(const struct canvas *c, struct rect r)
{
	int x0 = r.x < 0 ? 0 : r.x, y0 = r.y < 0 ? 0 : r.y;
	int x1 = r.x + r.w > c->w ? c->w : r.x + r.w, y1 = r.y + r.h > c->h ? c->h : r.y + r.h;

	return (struct rect){ x0, y0, x1 > x0 ? x1 - x0 : 0, y1 > y0 ? y1 - y0 : 0 };
}

/* Cells [*x, *x + *n) of row y of r in canvas coordinates, clipped; NULL if none are left. */
static struct cell *
span(struct canvas *c, struct rect r, int *x, int y, int *n)
{
	struct rect v = clip(c, r);
	long x0 = (long)r.x + *x, x1 = x0 + *n, row = (long)r.y + y;

	if (x0 < v.x)
		x0 = v.x;
	if (x1 > v.x + v.w)
		x1 = v.x + v.w;
	if (row < v.y || row >= v.y + v.h || x0 >= x1)
		return NULL;
	*x = (int)x0;
	*n = (int)(x1 - x0);
	return c->cell + row * c->w;
}

/* Make cell x of a row free to be written: a wide character there goes whole. */
static void
untear(struct cell *row, int w, int x)
{
	if (row[x].width == 0 && x > 0) {
		memset(row[x - 1].ch, 0, sizeof row[x - 1].ch);
		row[x - 1].width = 1;
	} else if (row[x].width == 2 && x + 1 < w) {
		memset(row[x + 1].ch, 0, sizeof row[x + 1].ch);
		row[x + 1].width = 1;
	}
}

void
canvas_clear(struct canvas *c, struct rect r)
{
	for (int y = 0; y < r.h && y < c->h - r.y; y++) {
		int x = 0, n = r.w;
		struct cell *row = span(c, r, &x, y, &n);
		if (!row)
			continue;
		untear(row, c->w, x);
		untear(row, c->w, x + n - 1);
		for (int i = 0; i < n; i++)
			row[x + i] = blank;
	}
}

/* Write one shown character into cell x, y of r; returns the cells it takes.
 * One that does not fit whole leaves blanks. */
static int
put_char(struct canvas *c, struct rect r, int x, int y, enum style s, uint32_t ch)
{
	int width = char_width(ch), at = x, n = width;
	bool wide = width == 2;

	if (!c->utf8 && ch >= 0x80)
		ch = (uint32_t)ascii_for(ch);
	struct cell *row = span(c, r, &at, y, &n);
	if (!row || width == 0)
		return width;
	bool whole = n == width;
	for (int i = 0; i < n; i++) {
		untear(row, c->w, at + i);
		row[at + i] = (struct cell){ .style = (uint8_t)s, .width = 1 };
	}
	if (!whole)
		return width;
	row[at].ch[0] = ch;
	if (wide && c->utf8) {
		row[at].width = 2;
		row[at + 1].width = 0;
	} else if (wide) {
		row[at + 1].ch[0] = ch;
	}
	return width;
}

/* Add a combining character to the cell before x; what has no room is dropped. */
static void
combine(struct canvas *c, struct rect r, int x, int y, uint32_t ch)
{
	int at = x - 1, n = 1;
	struct cell *row = span(c, r, &at, y, &n);

	if (!row || !c->utf8 || ch == 0)
		return;
	if (row[at].width == 0 && at > 0)
		at--;
	if (row[at].ch[0] == 0)
		return;
	for (int i = 1; i < 3; i++)
		if (row[at].ch[i] == 0) {
			row[at].ch[i] = ch;
			return;
		}
}

int
canvas_putn(struct canvas *c, struct rect r, int x, int y, enum style s, const char *text, size_t bytes)
{
	int start = x;

	for (size_t i = 0; i < bytes;) {
		uint32_t ch;
		i += next_char(text + i, bytes - i, &ch);
		if (char_width(ch) > 0)
			x += put_char(c, r, x, y, s, ch);
		else if (x > start)
			combine(c, r, x, y, ch);
	}
	return x - start;
}

int
canvas_put(struct canvas *c, struct rect r, int x, int y, enum style s, const char *text)
{
	return canvas_putn(c, r, x, y, s, text, strlen(text));
}

int
canvas_printf(struct canvas *c, struct rect r, int x, int y, enum style s, const char *fmt, ...)
{
	char small[256], *big = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof small) {
		va_start(ap, fmt);
		if (vasprintf(&big, fmt, ap) < 0)
			big = NULL;
		va_end(ap);
	}
	int used = canvas_put(c, r, x, y, s, big ? big : small);
	free(big);
	return used;
}

void
canvas_char(struct canvas *c, struct rect r, int x, int y, enum style s, uint32_t ch)
{
	if (is_control(ch) || ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000))
		ch = REPLACEMENT;
	put_char(c, r, x, y, s, ch);
}

void
canvas_style(struct canvas *c, struct rect r, int x, int y, int n, enum style s)
{
	struct cell *row = span(c, r, &x, y, &n);

	for (int i = 0; row && i < n; i++)
		row[x + i].style = (uint8_t)s;
}

void
canvas_cursor(struct canvas *c, struct rect r, int x, int y, int n)
{
	struct cell *row = span(c, r, &x, y, &n);

	for (int i = 0; row && i < n; i++)
		row[x + i].cursor = true;
}

void
canvas_select(struct canvas *c, struct rect r, int x, int y, int n)
{
	struct cell *row = span(c, r, &x, y, &n);

	for (int i = 0; row && i < n; i++)
		row[x + i].selected = true;
}

void
canvas_tile(struct canvas *c, struct rect r)
{
	canvas_clear(c, r);
	for (int y = 0; y < r.h; y++) {
		int x = 0, n = r.w;
		struct cell *row = span(c, r, &x, y, &n);

		for (int i = 0; row && i < n; i++)
			row[x + i].fg = CELL_TILE;
	}
}

void
canvas_halves(struct canvas *c, struct rect r, int x, int y, uint32_t upper, uint32_t lower)
{
	int n = 1;
	struct cell *row = span(c, r, &x, y, &n);

	if (!row)
		return;
	untear(row, c->w, x);
	row[x] = (struct cell){ .ch = { 0x2580 }, .style = STYLE_TEXT, .width = 1, .fg = CELL_RGB | upper,
		.bg = CELL_RGB | lower };
}

struct rect
canvas_frame(struct canvas *c, struct rect r, enum style s, const char *title)
{
	struct rect in = { r.x + 1, r.y + 1, r.w > 2 ? r.w - 2 : 0, r.h > 2 ? r.h - 2 : 0 };

	if (r.w < 2 || r.h < 2)
		return in;
	for (int x = 1; x < r.w - 1; x++) {
		canvas_char(c, r, x, 0, s, 0x2500);
		canvas_char(c, r, x, r.h - 1, s, 0x2500);
	}
	for (int y = 1; y < r.h - 1; y++) {
		canvas_char(c, r, 0, y, s, 0x2502);
		canvas_char(c, r, r.w - 1, y, s, 0x2502);
	}
	canvas_char(c, r, 0, 0, s, 0x250c);
	canvas_char(c, r, r.w - 1, 0, s, 0x2510);
	canvas_char(c, r, 0, r.h - 1, s, 0x2514);
	canvas_char(c, r, r.w - 1, r.h - 1, s, 0x2518);
	if (title && *title && r.w > 6) {
		struct rect t = { r.x + 2, r.y, r.w - 4, 1 };
		canvas_char(c, t, 0, 0, s, ' ');
		struct rect name = { t.x, t.y, t.w - 1, 1 };
		int n = canvas_put(c, name, 1, 0, s == STYLE_BORDER ? STYLE_TEXT : s, title);
		canvas_char(c, t, n + 1 < t.w ? n + 1 : t.w - 1, 0, s, ' ');
	}
	return in;
}

void
canvas_bar(struct canvas *c, struct rect r, int x, int y, int w, enum style s, double value)
{
	value = value > 0 ? value < 1 ? value : 1 : 0; /* NaN: empty */
	int eighths = (int)(value * w * 8 + .5);
	int part = eighths % 8;

	for (int i = 0; i < eighths / 8; i++)
		canvas_char(c, r, x + i, y, s, c->utf8 ? 0x2588 : '#');
	if (part && c->utf8)
		canvas_char(c, r, x + eighths / 8, y, s, (uint32_t)(0x2590 - part));
	else if (part >= 4)
		canvas_char(c, r, x + eighths / 8, y, s, '#');
}

/* One letter for each style, in the order of the enum; and its name. */
static const struct { char letter; const char *name; } dump_style[STYLE_COUNT] = {
	[STYLE_TEXT] = { ' ', "text" }, [STYLE_DIM] = { 'd', "dim" }, [STYLE_BOLD] = { 'b', "bold" },
	[STYLE_TITLE] = { 't', "title" }, [STYLE_BORDER] = { 'x', "border" }, [STYLE_FOCUS] = { 'F', "focus" },
	[STYLE_CURSOR] = { 'C', "cursor" }, [STYLE_SELECTED] = { 'S', "selected" }, [STYLE_KEY] = { 'k', "key" },
	[STYLE_ERROR] = { 'E', "error" }, [STYLE_MENU] = { 'm', "menu" }, [STYLE_MENU_HERE] = { 'M', "menu-here" },
	[STYLE_PRED] = { '+', "predictor" }, [STYLE_PRED_NOISE] = { '.', "predictor-noise" },
	[STYLE_CORR] = { '~', "corrector" }, [STYLE_CORR_NOISE] = { '!', "corrector-noise" },
	[STYLE_REMASK] = { '_', "remask" }, [STYLE_CLAMP] = { '#', "clamp" }, [STYLE_EDIT] = { '*', "edit" },
	[STYLE_REMOVAL] = { '=', "removal" }, [STYLE_MASK] = { 'K', "mask" }, [STYLE_PREVIEW] = { 'p', "preview" },
	[STYLE_SCALE0] = { '0', "scale0" }, [STYLE_SCALE1] = { '1', "scale1" }, [STYLE_SCALE2] = { '2', "scale2" },
	[STYLE_SCALE3] = { '3', "scale3" }, [STYLE_SCALE4] = { '4', "scale4" }, [STYLE_SCALE5] = { '5', "scale5" },
	[STYLE_SCALE6] = { '6', "scale6" }, [STYLE_SCALE7] = { '7', "scale7" },
	[STYLE_BAR] = { 'B', "bar" }, [STYLE_AXIS] = { 'a', "axis" },
	[STYLE_PLOT_PRED] = { 'i', "plot predictor" }, [STYLE_PLOT_PRED_NOISE] = { 'j', "plot predictor noise" },
	[STYLE_PLOT_CORR] = { 'g', "plot corrector" }, [STYLE_PLOT_CORR_NOISE] = { 'l', "plot corrector noise" },
	[STYLE_PLOT_REMASK] = { 'o', "plot remasked" }, [STYLE_PLOT_REMOVAL] = { 'n', "plot noise removal" },
};

/* A row without the blanks at its end. */
static void
dump_line(FILE *out, const char *line, size_t n)
{
	while (n > 0 && line[n - 1] == ' ')
		n--;
	fprintf(out, "%.*s\n", (int)n, line);
}

static void
dump_text(const struct canvas *c, FILE *out, char *line)
{
	for (int y = 0; y < c->h; y++) {
		size_t n = 0;
		for (int x = 0; x < c->w; x++) {
			const struct cell *k = &c->cell[(size_t)y * (size_t)c->w + (size_t)x];
			if (k->width == 0)
				continue;
			if (k->ch[0] == 0)
				line[n++] = ' ';
			for (int i = 0; i < 3 && k->ch[i]; i++) {
				int b = u8_uctomb((uint8_t *)line + n, k->ch[i], 6);
				n += b > 0 ? (size_t)b : 0;
			}
		}
		dump_line(out, line, n);
	}
}

static void
dump_attrs(const struct canvas *c, FILE *out, char *line)
{
	bool used[STYLE_COUNT] = { false }, cursor = false, selected = false;

	for (int y = 0; y < c->h; y++) {
		for (int x = 0; x < c->w; x++) {
			const struct cell *k = &c->cell[(size_t)y * (size_t)c->w + (size_t)x];
			line[x] = k->cursor ? '@' : k->selected ? '%' : dump_style[k->style].letter;
			cursor |= k->cursor;
			selected |= k->selected && !k->cursor;
			used[k->style] |= !k->cursor && !k->selected;
		}
		dump_line(out, line, (size_t)c->w);
	}
	for (int i = 1; i < STYLE_COUNT; i++)
		if (used[i])
			fprintf(out, "%c %s\n", dump_style[i].letter, dump_style[i].name);
	if (cursor)
		fprintf(out, "@ at the cursor\n");
	if (selected)
		fprintf(out, "%% selected\n");
}

void
canvas_dump(const struct canvas *c, FILE *out, bool attrs)
{
	char *line = mem_calloc((size_t)c->w * 3 + 1, 6);

	if (!line)
		return;
	dump_text(c, out, line);
	if (attrs) {
		fprintf(out, "--\n");
		dump_attrs(c, out, line);
	}
	free(line);
}
