/*
 * view_text.c: the text pane: a page of the state shown, how its cursor's line
 * came about, and the keys and clicks that move over it.  Screen thread only.
 */
#include "ui/view_text.h"

#include <stdlib.h>

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
history_row(struct app *a, const struct text_page *t, struct canvas *c, struct rect r, int y, const struct node *n,
	int from, int to)
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

		unsigned flags = SHOW_NEWLINE_MARK | (t->utf8 ? 0 : SHOW_ASCII); /* a line break takes its cell too */
		struct glyph g = { 0 };

		if (!show_tokens(a->tok, p.ids, 1, flags, &one, &a->priv->past_buf))
			return;
		if (one.undrawn)
			continue;
		if (one.special)
			canvas_char(c, cell, 0, 0, o.style == STYLE_TEXT ? STYLE_DIM : o.style,
				text_special_sign(a, &p, 0, t->utf8));
		else if (one.bytes == 0)
			canvas_char(c, cell, 0, 0, o.style, o.mark ? (uint32_t)o.mark : ' ');
		else if (show_glyph(&one.text, one.text + one.bytes, &g))
			canvas_putn(c, cell, 0, 0, o.style, g.text, g.bytes);
	}
}

/* Below a short text: how the cursor's line came about, newest first. */
static void
history(struct app *a, const struct text_page *t, struct canvas *c, struct rect r)
{
	const struct app_private *p = a->priv;
	int first = t->on_board ? a->layout.first : 0, cols = t->on_board ? a->layout.columns : t->cols;
	int at = p->at - !p->preview, from = first + (a->cursor.pos - first) / cols * cols;
	int to = from + cols < t->n ? from + cols : t->n;

	if (r.h < 4 || at < 0)
		return;
	canvas_printf(c, r, 5, 1, STYLE_DIM, cols < t->n ? "before, by step: positions %d to %d" : "before, by step",
		from, to - 1);
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
		snprintf(buf, size, "preview of step %d (s keeps, Esc drops)", n->step + 1);
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

	if (!text_page_fill(t, a, c->utf8, text.w, text.h))
		return;
	if (t->tight && !a->grid_layout)
		pen.width = t->cols;
	lines = text_page_draw(a, t, &pen);
	p->text_top = scroll(p, lines, p->row_of[a->cursor.pos], text.h);
	p->text_rows = text.h;
	p->text_area = text;
	p->text_lines = lines;
	pen = (struct pen){ .c = c, .r = text, .width = pen.width, .top = p->text_top };
	text_page_draw(a, t, &pen);
	if (room)
		gutter(a, t, c, (struct rect){ in.x, in.y, 4, text.h }, p->text_top);
	if (room && t->tight && (!a->grid_layout || t->on_board) && lines < text.h)
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
	to = at_cell(p, row, p->col_of[a->cursor.pos]);
	for (int k = 1; to < 0 && k < p->text_lines; k++) {
		int on = lines < 0 ? -k : k;

		to = at_cell(p, row + on, p->col_of[a->cursor.pos]);
		if (to < 0)
			to = at_cell(p, row - on, p->col_of[a->cursor.pos]);
	}
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
