/*
 * view_text.c: the text pane.  Tokens as running text, or each in a fixed cell
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
static uint32_t
special_sign(const struct app *a, const struct text_page *t, int i, bool utf8)
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

/* Where drawing stands; c NULL: only measured. */
struct pen {
	struct canvas *c;
	struct rect r;           /* text area */
	int x, y;                /* of the text: y 0 is its first line */
	int top;                 /* first line shown */
	int width;
};

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
		pen_char(p, style, s->undrawn ? ' ' : special_sign(a, t, i, t->utf8));
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

/* Every token in a cell of its own. */
static int
grid(struct app *a, struct text_page *t, struct pen *p)
{
	int cw = t->tight ? 2 : GRID_CELLS;

	for (int i = 0; i < t->n; i++) {
		const struct shown *s = &t->shown[i];
		const char *at = s->text, *end = s->text + s->bytes;
		enum style style = token_style(t, i);
		struct glyph g;
		int x0 = i % t->cols * cw;

		p->x = x0;
		p->y = i / t->cols;
		put_mark(p, &t->painted[i]);
		if (t->tight && s->special) {
			pen_char(p, style, special_sign(a, t, i, t->utf8));
		} else {
			while (s->bytes && show_glyph(&at, end, &g) && !g.newline && p->x + g.cells <= x0 + cw - !t->tight)
				pen_put(p, style, g.text, g.bytes, g.cells);
			if (s->bytes == 0 && s->space_before && !s->undrawn)
				pen_char(p, STYLE_DIM, t->utf8 ? 0x2423 : ' ');
		}
		a->priv->row_of[i] = p->y;
		a->priv->col_of[i] = x0;
		mark_cells(a, p, i, x0 + 1, p->y, p->x > x0 + 1 ? p->x - x0 - 1 : 1);
	}
	return (t->n + t->cols - 1) / t->cols;
}

static int
lay_out(struct app *a, struct text_page *t, struct pen *p)
{
	return a->grid_layout ? grid(a, t, p) : flow(a, t, p);
}

/* Columns a checkpoint's own layout asks for; 0: none. */
static int
own_columns(const struct app *a)
{
	const char *at = a->ckpt && a->ckpt->layout ? strstr(a->ckpt->layout, "\"columns\"") : NULL;
	int n = 0;

	if (!at || sscanf(at + 9, " : %d", &n) != 1 || n < 1 || n > 1000)
		return 0;
	return n;
}

/* Tokens in a line of the grid: all lines of an alphabet are equally long. */
static int
columns(const struct app *a, const struct text_page *t, int width)
{
	int per = t->tight ? (a->grid_layout ? 2 : 1) : GRID_CELLS;
	int n = width / per, own = own_columns(a), lines;

	if (n < 1)
		n = 1;
	if (own > 0 && own <= n)
		return own;
	lines = (t->n + n - 1) / n;
	return (t->n + lines - 1) / lines;
}

/* Read the tokens and their colours for this frame. */
bool
text_page_fill(struct text_page *t, struct app *a, bool utf8, int width)
{
	t->utf8 = utf8;
	t->tight = text_tight(a);
	for (int i = 0; i < t->n; i++)
		t->ids[i] = colour_token(a, i);
	if (!show_tokens(a->tok, t->ids, t->n, (utf8 ? 0u : SHOW_ASCII) | SHOW_NEWLINE_MARK, t->shown, &t->buf))
		return false;
	colour_row(a, t->painted);
	t->cols = columns(a, t, width);
	return true;
}

/* First line to show, so that the cursor's line is inside with one around it. */
static int
scroll(const struct app_private *p, int lines, int row, int h)
{
	int top = p->text_top, edge = h > 4 ? 1 : 0;

	if (top > row - edge)
		top = row - edge;
	if (top < row - h + 1 + edge)
		top = row - h + 1 + edge;
	if (top > lines - h)
		top = lines - h;
	return top < 0 ? 0 : top;
}

/* Position of the first token of each line, left of the text. */
static void
gutter(struct app *a, const struct text_page *t, struct canvas *c, struct rect r, int top)
{
	int last = -1;

	for (int i = 0; i < t->n; i++) {
		int row = a->priv->row_of[i];

		if (row == last)
			continue;
		last = row;
		if (row >= top && row < top + r.h)
			canvas_printf(c, r, 0, row - top, STYLE_DIM, "%4d", i);
	}
}

/* A state of the line in one row: what it held where the cursor's line of text is. */
static void
history_row(struct app *a, const struct text_page *t, struct canvas *c, struct rect r, int y, const struct node *n, int from, int to)
{
	struct state *s = &a->priv->past;
	size_t off = (size_t)a->cursor.sample * (size_t)t->n;

	tree_read(sampler_tree(a->sampler), n, s);
	canvas_printf(c, r, 0, y, STYLE_DIM, "%4d", n->step);
	for (int i = from; i < to; i++) {
		struct shown one;
		struct text_page p = { .ids = &s->tok[off + (size_t)i], .shown = &one, .buf = t->buf };
		struct painted o = cause_paint(a, (enum cause)s->cause[off + (size_t)i], s->tok[off + (size_t)i],
		    s->fixed[off + (size_t)i]);
		struct rect cell = { r.x + 5 + i - from, r.y + y, 1, 1 };

		if (!show_tokens(a->tok, p.ids, 1, t->utf8 ? 0 : SHOW_ASCII, &one, &a->priv->past_buf))
			return;
		if (one.undrawn)
			continue;
		if (one.special)
			canvas_char(c, cell, 0, 0, o.style == STYLE_TEXT ? STYLE_DIM : o.style, special_sign(a, &p, 0, t->utf8));
		else if (one.bytes == 0)
			canvas_char(c, cell, 0, 0, o.style, o.mark ? (uint32_t)o.mark : ' ');
		else
			canvas_putn(c, cell, 0, 0, o.style, one.text, one.bytes);
	}
}

/* Below a short text: how the cursor's line came about, newest first. */
static void
history(struct app *a, const struct text_page *t, struct canvas *c, struct rect r)
{
	const struct app_private *p = a->priv;
	int at = p->at - !p->preview, from = a->cursor.pos / t->cols * t->cols;
	int to = from + t->cols < t->n ? from + t->cols : t->n;

	if (r.h < 4 || at < 0)
		return;
	canvas_printf(c, r, 5, 1, STYLE_DIM, t->cols < t->n ? "before, by step: positions %d to %d" : "before, by step", from, to - 1);
	for (int y = 2; y < r.h && at >= 0; y++, at--)
		history_row(a, t, c, r, y, p->line.at[at], from, to);
}

static void
pane_title(const struct app *a, char *buf, size_t size)
{
	const struct app_private *p = a->priv;
	const struct node *n = a->cursor.node;

	if (!n)
		snprintf(buf, size, "text");
	else if (p->preview)
		snprintf(buf, size, "preview of step %d: s keeps it, Esc drops it", n->step + 1);
	else if (a->cursor.reveal >= 0)
		snprintf(buf, size, "step %d: token %d of %d", n->step, a->cursor.reveal, p->n_touched);
	else if (a->colouring != COLOUR_CAUSE)
		snprintf(buf, size, "text, coloured by %s", colouring_name(a->colouring));
	else
		snprintf(buf, size, "text");
}

static void
draw_page(struct app *a, struct text_page *t, struct canvas *c, struct rect in)
{
	struct app_private *p = a->priv;
	bool room = in.w >= 44, legend = in.h >= 7;
	struct rect text = { in.x + (room ? 5 : 0), in.y, in.w - (room ? 5 : 0), in.h - legend };
	struct pen pen = { .r = text, .width = text.w };
	int lines;

	if (!text_page_fill(t, a, c->utf8, text.w))
		return;
	if (t->tight && !a->grid_layout)
		pen.width = t->cols;
	lines = lay_out(a, t, &pen);
	p->text_top = scroll(p, lines, p->row_of[a->cursor.pos], text.h);
	p->text_rows = text.h;
	p->text_area = text;
	p->text_lines = lines;
	pen = (struct pen){ .c = c, .r = text, .width = pen.width, .top = p->text_top };
	lay_out(a, t, &pen);
	if (room)
		gutter(a, t, c, (struct rect){ in.x, in.y, 4, text.h }, p->text_top);
	if (room && t->tight && !a->grid_layout && lines < text.h)
		history(a, t, c, (struct rect){ in.x, in.y + lines, in.w, text.h - lines });
	if (legend)
		colour_legend(a, c, (struct rect){ in.x, in.y + in.h - 1, in.w, 1 }, room ? 5 : 0, 0);
}

void
text_draw(struct app *a, struct canvas *c, struct rect r)
{
	enum style border = a->focus == FOCUS_SAMPLE ? STYLE_FOCUS : STYLE_BORDER;
	char title[64];
	struct rect in;

	pane_title(a, title, sizeof title);
	in = canvas_frame(c, r, a->priv->preview ? STYLE_PREVIEW : border, title);
	if (!a->cursor.node) {
		canvas_put(c, in, 1, 0, STYLE_DIM, "starting ...");
		return;
	}
	if (!a->priv->page && !(a->priv->page = text_page_new(a)))
		return;
	draw_page(a, a->priv->page, c, in);
}

/* --- keys --- */

/* The token drawn nearest to column x of line row; -1: no such line. */
static int
at_cell(const struct app_private *p, int row, int x)
{
	int best = -1, far = INT_MAX;

	for (int i = 0; i < p->L; i++) {
		int d = abs(p->col_of[i] - x);

		if (p->row_of[i] == row && d < far) {
			far = d;
			best = i;
		}
	}
	return best;
}

static bool
vertical(struct app *a, int lines)
{
	struct app_private *p = a->priv;
	int row = p->row_of[a->cursor.pos] + lines, to;

	row = row < 0 ? 0 : row >= p->text_lines ? p->text_lines - 1 : row;
	/* An empty line holds no token: look further. */
	for (to = -1; to < 0 && row >= 0 && row < p->text_lines; row += lines < 0 ? -1 : 1)
		to = at_cell(p, row, p->col_of[a->cursor.pos]);
	if (to >= 0)
		cursor_pos(a, to);
	return true;
}

bool
text_click(struct app *a, int x, int y, bool drag)
{
	struct app_private *p = a->priv;
	struct rect r = p->text_area;
	int to;

	if (!a->cursor.node || x < r.x || x >= r.x + r.w || y < r.y || y >= r.y + r.h)
		return false;
	to = at_cell(p, y - r.y + p->text_top, x - r.x);
	a->focus = FOCUS_SAMPLE;
	if (to < 0)
		return true;
	if (!drag)
		a->cursor.select_from = -1;
	else if (a->cursor.select_from < 0)
		a->cursor.select_from = a->cursor.pos;
	cursor_pos(a, to);
	return true;
}

bool
text_key(struct app *a, const struct key *k, int count)
{
	const char *n = k->name;
	int by = count > 0 ? count : 1, page = a->priv->text_rows > 2 ? a->priv->text_rows - 1 : 1;

	if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		cursor_pos(a, a->cursor.pos - by);
	else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		cursor_pos(a, a->cursor.pos + by);
	else if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		vertical(a, -by);
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		vertical(a, by);
	else if (strcmp(n, "<WheelUp>") == 0)
		vertical(a, -3);
	else if (strcmp(n, "<WheelDown>") == 0)
		vertical(a, 3);
	else if (strcmp(n, "<PgUp>") == 0)
		vertical(a, -page);
	else if (strcmp(n, "<PgDn>") == 0)
		vertical(a, page);
	else if (strcmp(n, "<Home>") == 0)
		cursor_pos(a, 0);
	else if (strcmp(n, "<End>") == 0)
		cursor_pos(a, a->priv->L - 1);
	else
		return false;
	return true;
}
