/* board.c: see board.h.  Screen thread; pure but for the drawing. */
#include "ui/board.h"

/* Lines that stand between and around n cells, boxes of `box`. */
static int
lines_of(int n, int box, int lines)
{
	return lines && box ? (n - 1) / box + (lines > 1 ? 2 : 0) : 0;
}

bool
board_make(const struct layout *l, int L, int w, int h, struct board *b)
{
	*b = (struct board){ .l = *l };
	if (l->columns < 1)
		return false;
	b->rows = (L - l->first + l->columns - 1) / l->columns;
	for (b->lines = l->box_rows ? 2 : 0; b->lines > 0; b->lines--)
		if (b->rows + lines_of(b->rows, l->box_rows, b->lines) <= h)
			break;
	for (int cell = 3; cell >= 2 && !b->w; cell--)
		for (int sides = !l->box_rows ? 0 : b->lines > 1 ? 2 : 1; sides >= 0 && !b->w; sides--) {
			int need = l->columns * cell + lines_of(l->columns, l->box_columns, sides);

			if (need > w)
				continue;
			b->cell = cell;
			b->sides = sides;
			b->w = need;
		}
	if (!b->w)
		return false;
	b->h = b->rows + lines_of(b->rows, l->box_rows, b->lines);
	return true;
}

/* Where cell k of a row or column stands; box lines before it counted. */
static int
place(int k, int box, int size, int lines)
{
	return k * size + (lines && box ? k / box + (lines > 1) : 0);
}

void
board_at(const struct board *b, int i, int *x, int *y)
{
	int k = i - b->l.first;

	*x = place(k % b->l.columns, b->l.box_columns, b->cell, b->sides);
	*y = place(k / b->l.columns, b->l.box_rows, 1, b->lines);
}

static void
put(struct canvas *c, struct rect r, int x, int y, uint32_t ch)
{
	if (y >= 0)
		canvas_char(c, r, x, y, STYLE_BORDER, ch);
}

/* The line down before column j of the cells: where it stands; -1: there is none. */
static int
side_at(const struct board *b, int j)
{
	if (j == b->l.columns)
		return b->sides > 1 ? b->w - 1 : -1;
	return b->sides > (j == 0) ? place(j, b->l.box_columns, b->cell, b->sides) - 1 : -1;
}

/* The line across before row k of the cells; k == rows: below the last. */
static void
across(const struct board *b, struct canvas *c, struct rect r, int y, int k)
{
	static const uint32_t crossing[3][3] = { { 0x250c, 0x252c, 0x2510 },
						 { 0x251c, 0x253c, 0x2524 },
						 { 0x2514, 0x2534, 0x2518 } };
	const uint32_t *sign = crossing[k == 0 ? 0 : k == b->rows ? 2 : 1];

	for (int x = 0; x < b->w; x++)
		put(c, r, x, y, 0x2500);
	for (int j = 0; j <= b->l.columns; j += b->l.box_columns)
		if (side_at(b, j) >= 0)
			put(c, r, side_at(b, j), y, sign[j == 0 ? 0 : j == b->l.columns ? 2 : 1]);
}

void
board_lines(const struct board *b, struct canvas *c, struct rect r, int top)
{
	if (!b->l.box_rows)
		return;
	for (int k = 0; k < b->rows; k++)
		for (int j = 0; j <= b->l.columns; j += b->l.box_columns)
			if (side_at(b, j) >= 0)
				put(c, r, side_at(b, j), place(k, b->l.box_rows, 1, b->lines) - top, 0x2502);
	for (int k = b->lines > 1 ? 0 : b->l.box_rows; b->lines && k < b->rows; k += b->l.box_rows)
		across(b, c, r, place(k, b->l.box_rows, 1, b->lines) - 1 - top, k);
	if (b->lines > 1)
		across(b, c, r, b->h - 1 - top, b->rows);
}
