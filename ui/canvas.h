/*
 * canvas.h: a grid of cells that views draw into.  Knows no terminal: term.c
 * sends the difference of two canvases, tests dump one as text.
 * Screen thread only.
 */
#ifndef PSI_UI_CANVAS_H
#define PSI_UI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a cell means; the theme (theme.c) says how that looks in 256, 16, 8
 * colours, light, dark and mono.  One list. */
enum style {
	STYLE_TEXT, STYLE_DIM, STYLE_BOLD, STYLE_TITLE, STYLE_BORDER,
	STYLE_FOCUS,             /* border of the focused pane */
	STYLE_CURSOR,            /* added on top of what is there */
	STYLE_SELECTED, STYLE_KEY, STYLE_ERROR, STYLE_MENU, STYLE_MENU_HERE,
	STYLE_PRED, STYLE_PRED_NOISE, STYLE_CORR, STYLE_CORR_NOISE, STYLE_REMASK, STYLE_CLAMP, STYLE_EDIT,
	STYLE_REMOVAL, STYLE_MASK,
	STYLE_PREVIEW,           /* would change at the next step */
	STYLE_SCALE0, STYLE_SCALE1, STYLE_SCALE2, STYLE_SCALE3, STYLE_SCALE4, STYLE_SCALE5, STYLE_SCALE6,
	STYLE_SCALE7,            /* low .. high */
	STYLE_BAR, STYLE_AXIS,
	/* causes in charts: colour only */
	STYLE_PLOT_PRED, STYLE_PLOT_PRED_NOISE, STYLE_PLOT_CORR, STYLE_PLOT_CORR_NOISE, STYLE_PLOT_REMASK,
	STYLE_PLOT_REMOVAL,
	STYLE_COUNT
};

struct cell {
	uint32_t ch[3];          /* base, two combining characters; 0: nothing (blank, right half of a wide one) */
	uint8_t style;           /* enum style */
	uint8_t width;           /* 1, 2; 0: right half */
	bool cursor;             /* shown reversed on top of its style */
	bool selected;
	uint32_t fg, bg;         /* CELL_RGB | 0xrrggbb: that colour in place of the style's; 0: the style's */
};

#define CELL_RGB (1u << 24)
#define CELL_TILE (1u << 25)     /* in fg: a blank that an image of the terminal covers */

struct picture_set;

struct canvas {
	int w, h;
	struct cell *cell;       /* [h*w] */
	bool utf8;               /* false: anything above ASCII is drawn as its fallback */
	int cursor_x, cursor_y;  /* terminal cursor (prompt); -1: hidden */
	struct picture_set *pictures;    /* picture.h: how this screen shows pictures; NULL: in cells.  Borrowed */
};

struct rect { int x, y, w, h; };

bool canvas_resize(struct canvas *c, int w, int h);     /* clears; false: out of memory */
void canvas_done(struct canvas *c);
void canvas_clear(struct canvas *c, struct rect r);
struct rect canvas_all(const struct canvas *c);

/* All drawing clips to r (coordinates relative to r).  Text is UTF-8; control
 * characters and invalid bytes show as U+FFFD (or '?').  Returns cells used. */
int canvas_put(struct canvas *c, struct rect r, int x, int y, enum style s, const char *text);
int canvas_putn(struct canvas *c, struct rect r, int x, int y, enum style s, const char *text, size_t bytes);
int canvas_printf(struct canvas *c, struct rect r, int x, int y, enum style s, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
void canvas_char(struct canvas *c, struct rect r, int x, int y, enum style s, uint32_t ch);
void canvas_style(struct canvas *c, struct rect r, int x, int y, int n, enum style s);  /* restyle n cells */
void canvas_cursor(struct canvas *c, struct rect r, int x, int y, int n);               /* mark n cells as cursor */
void canvas_select(struct canvas *c, struct rect r, int x, int y, int n);
/* The cells of an image that the terminal draws itself. */
void canvas_tile(struct canvas *c, struct rect r);
/* Two pixels in a cell, one above the other: 0xrrggbb. */
void canvas_halves(struct canvas *c, struct rect r, int x, int y, uint32_t upper, uint32_t lower);
/* A border with a title; returns the inside.  ASCII without UTF-8. */
struct rect canvas_frame(struct canvas *c, struct rect r, enum style s, const char *title);
/* A horizontal bar of value 0..1 in eighths of a cell (ASCII: '#'). */
void canvas_bar(struct canvas *c, struct rect r, int x, int y, int w, enum style s, double value);
/* Cells of a UTF-8 text; width of one character. */
int text_width(const char *text, size_t bytes);
int char_width(uint32_t ch);

/* Text plane, then attribute plane (one letter per cell, legend at the end). */
void canvas_dump(const struct canvas *c, FILE *out, bool attrs);

#endif
