/*
 * text_page.c: a page of text: tokens as running text, or each in a fixed cell
 * (grid).  Marks never move the text: a mark takes the cell of the token's
 * leading space, or is an attribute only where there is none.
 *
 * Alphabets (text8, characters, bytes) give every token one cell and lines of
 * one length, so that a position stays where it is through time; other
 * vocabularies wrap at words.  Screen thread only.
 */
#include "ui/view_text.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"

#define GRID_CELLS 9             /* of a token in the grid, mark and gap included; alphabets: 2 */

bool
text_tight(const struct app *a)
{
	enum tok_kind k = a->tok->kind;

	return k == TOK_TEXT8 || k == TOK_CHARS || k == TOK_BYTES || k == TOK_PIXELS;
}

struct text_page *
text_page_new(const struct app *a)
{
	struct text_page *t = mem_calloc(1, sizeof *t);
	size_t L = (size_t)a->priv->L;

	if (!t)
		return NULL;
	t->n = a->priv->L;
	t->shown = mem_calloc(L, sizeof *t->shown);
	t->painted = mem_calloc(L, sizeof *t->painted);
	t->ids = mem_calloc(L, sizeof *t->ids);
	if (!t->shown || !t->painted || !t->ids) {
		text_page_free(t);
		return NULL;
	}
	return t;
}

void
text_page_free(struct text_page *t)
{
	if (!t)
		return;
	free(t->shown);
	free(t->painted);
	free(t->ids);
	show_buf_done(&t->buf);
	free(t);
}

/* --- one token --- */

/* The sign of a special token in an alphabet: a cell, as every other token. */
uint32_t
text_special_sign(const struct app *a, const struct text_page *t, int i, bool utf8)
{
	const struct shown *s = &t->shown[i];

	if (t->ids[i] == a->model->mask)
		return utf8 ? 0x2591 : 'M';
	for (size_t k = 0; k < s->bytes; k++)
		if (isalnum((unsigned char)s->text[k]))
			return (uint32_t)toupper((unsigned char)s->text[k]);
	return '?';
}

/* Style of a token: special ones that nothing moved stand back. */
static enum style
token_style(const struct text_page *t, int i)
{
	const struct shown *s = &t->shown[i];

	if (s->special && t->painted[i].style == STYLE_TEXT)
		return STYLE_DIM;
	return t->painted[i].style;
}

static void
pen_newline(struct pen *p)
{
	p->x = 0;
	p->y++;
}

/* Put one character of `cells` cells, on the next line if it does not fit. */
static void
pen_put(struct pen *p, enum style s, const char *text, size_t bytes, int cells)
{
	if (p->x + cells > p->width)
		pen_newline(p);
	if (p->c && p->y >= p->top && p->y < p->top + p->r.h)
		canvas_putn(p->c, p->r, p->x, p->y - p->top, s, text, bytes);
	p->x += cells;
}

static void
pen_char(struct pen *p, enum style s, uint32_t ch)
{
	if (p->x + 1 > p->width)
		pen_newline(p);
	if (p->c && p->y >= p->top && p->y < p->top + p->r.h)
		canvas_char(p->c, p->r, p->x, p->y - p->top, s, ch);
	p->x++;
}

static int
cells_of(const struct shown *s)
{
	const char *at = s->text, *end = s->text + s->bytes;
	struct glyph g;
	int n = s->space_before || s->special;

	while (s->bytes && show_glyph(&at, end, &g))
		n += g.cells;
	return n;
}

/* Cells of the word that begins at token i: up to the next space or break. */
static int
word_cells(const struct text_page *t, int i, int limit)
{
	int n = cells_of(&t->shown[i]);

	for (int k = i + 1; k < t->n && n <= limit && !t->shown[k - 1].newline_after; k++) {
		if (t->shown[k].space_before || t->shown[k].special || t->shown[k].undrawn)
			break;
		n += cells_of(&t->shown[k]);
	}
	return n;
}

/* The cell before a token: blank, or its mark. */
static void
put_mark(struct pen *p, const struct painted *o)
{
	if (o->mark)
		pen_char(p, o->style, (unsigned char)o->mark);
	else
		pen_char(p, STYLE_TEXT, ' ');
}

static void
mark_cells(struct app *a, struct pen *p, int i, int x, int y, int n)
{
	const struct cursor *cur = &a->cursor;
	int lo = cur->select_from < cur->pos ? cur->select_from : cur->pos;
	int hi = cur->select_from < cur->pos ? cur->pos : cur->select_from;

	if (!p->c || y < p->top || y >= p->top + p->r.h)
		return;
	if (cur->select_from >= 0 && i >= lo && i <= hi)
		canvas_select(p->c, p->r, x, y - p->top, n);
	if (i == cur->pos)
		canvas_cursor(p->c, p->r, x, y - p->top, n);
}

static void
put_token(struct app *a, struct text_page *t, struct pen *p, int i)
{
	const struct shown *s = &t->shown[i];
	const char *at = s->text, *end = s->text + s->bytes;
	enum style style = token_style(t, i);
	struct glyph g;
	int x, y;

	if (t->tight && (s->special || s->undrawn)) {
		pen_char(p, style, s->undrawn ? ' ' : text_special_sign(a, t, i, t->utf8));
		x = p->x - 1;
		y = p->y;
	} else {
		if (s->undrawn)
			pen_char(p, STYLE_DIM, ' ');
		else if (s->space_before || (s->special && !t->tight))
			put_mark(p, &t->painted[i]);
		x = p->x;
		y = p->y;
		while (s->bytes && show_glyph(&at, end, &g)) {
			if (g.newline) {
				pen_newline(p);
				continue;
			}
			pen_put(p, style, g.text, g.bytes, g.cells);
			if (p->y != y && x >= p->width) { /* its first character went to the next line */
				x = 0;
				y = p->y;
			}
		}
		if (s->bytes == 0 && (s->space_before || s->undrawn) && x > 0)
			x--; /* a space alone: its only cell */
	}
	a->priv->row_of[i] = y;
	a->priv->col_of[i] = x;
	mark_cells(a, p, i, x, y, p->y == y && p->x > x ? p->x - x : 1);
}

/* All tokens as running text; returns the number of lines. */
static int
flow(struct app *a, struct text_page *t, struct pen *p)
{
	p->x = p->y = 0;
	for (int i = 0; i < t->n; i++) {
		const struct shown *s = &t->shown[i];

		if (s->owner != i) { /* drawn by the token that holds its first byte */
			a->priv->row_of[i] = a->priv->row_of[s->owner];
			a->priv->col_of[i] = a->priv->col_of[s->owner];
			if (i == a->cursor.pos)
				mark_cells(a, p, i, a->priv->col_of[i], a->priv->row_of[i], 1);
			continue;
		}
		if (!t->tight && p->x > 0 && (s->space_before || s->special)) {
			int w = word_cells(t, i, p->width);

			if (p->x + w > p->width && w <= p->width)
				pen_newline(p);
		}
		put_token(a, t, p, i);
	}
	return p->y + 1;
}

/* One cell: what stands in it, not further than its edge. */
static void
put_cell(struct text_page *t, const struct app *a, struct pen *p, int i, int edge)
{
	const struct shown *s = &t->shown[i];
	const char *at = s->text, *end = s->text + s->bytes;
	enum style style = token_style(t, i);
	struct glyph g;

	put_mark(p, &t->painted[i]);
	if (t->tight && s->special) {
		pen_char(p, style, text_special_sign(a, t, i, t->utf8));
		return;
	}
	while (s->bytes && show_glyph(&at, end, &g) && !g.newline && p->x + g.cells <= edge)
		pen_put(p, style, g.text, g.bytes, g.cells);
	if (s->bytes == 0 && s->space_before && !s->undrawn)
		pen_char(p, STYLE_DIM, t->utf8 ? 0x2423 : ' ');
}

/* Every token in a cell of its own. */
static int
grid(struct app *a, struct text_page *t, struct pen *p)
{
	int cw = t->tight ? 2 : GRID_CELLS;

	for (int i = 0; i < t->n; i++) {
		int x0 = i % t->cols * cw;

		p->x = x0;
		p->y = i / t->cols;
		put_cell(t, a, p, i, x0 + cw - !t->tight);
		a->priv->row_of[i] = p->y;
		a->priv->col_of[i] = x0;
		mark_cells(a, p, i, x0 + 1, p->y, p->x > x0 + 1 ? p->x - x0 - 1 : 1);
	}
	return (t->n + t->cols - 1) / t->cols;
}

/* The cells of a checkpoint's own layout.  What it leaves out stands nowhere. */
static int
on_board(struct app *a, struct text_page *t, struct pen *p)
{
	const struct board *b = &t->board;

	for (int i = 0; i < b->l.first; i++)
		a->priv->row_of[i] = a->priv->col_of[i] = -1;
	if (p->c)
		board_lines(b, p->c, p->r, p->top);
	for (int i = b->l.first; i < t->n; i++) {
		int x, y;

		board_at(b, i, &x, &y);
		p->x = x;
		p->y = y;
		put_cell(t, a, p, i, x + b->cell);
		a->priv->row_of[i] = y;
		a->priv->col_of[i] = x;
		mark_cells(a, p, i, x + 1, y, p->x > x + 1 ? p->x - x - 1 : 1);
	}
	return b->h;
}

int
text_page_draw(struct app *a, struct text_page *t, struct pen *p)
{
	if (t->on_board)
		return on_board(a, t, p);
	return a->grid_layout ? grid(a, t, p) : flow(a, t, p);
}

/* Tokens in a line of the grid: all lines of an alphabet are equally long. */
static int
columns(const struct app *a, const struct text_page *t, int width)
{
	int per = t->tight ? (a->grid_layout ? 2 : 1) : GRID_CELLS;
	int n = width / per, lines;

	if (n < 1)
		n = 1;
	if (a->layout.columns > 0 && a->layout.columns <= n)
		return a->layout.columns;
	lines = (t->n + n - 1) / n;
	return (t->n + lines - 1) / lines;
}

/* Read the tokens and their colours for this frame. */
bool
text_page_fill(struct text_page *t, struct app *a, bool utf8, int w, int h)
{
	t->utf8 = utf8;
	t->tight = text_tight(a);
	for (int i = 0; i < t->n; i++)
		t->ids[i] = colour_token(a, i);
	if (!show_tokens(a->tok, t->ids, t->n, (utf8 ? 0u : SHOW_ASCII) | SHOW_NEWLINE_MARK, t->shown, &t->buf))
		return false;
	colour_row(a, t->painted);
	t->cols = columns(a, t, w);
	t->on_board = a->grid_layout && board_make(&a->layout, t->n, w, h, &t->board);
	return true;
}
