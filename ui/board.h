/*
 * board.h: tokens in rows of fixed cells, as a checkpoint's layout asks for: a
 * Sudoku with the lines of its boxes.  Geometry and lines only; what stands in
 * the cells is drawn by who asks.  Screen thread.
 */
#ifndef PSI_UI_BOARD_H
#define PSI_UI_BOARD_H

#include "text/layout.h"
#include "ui/canvas.h"

struct board {
	struct layout l;
	int rows;
	int cell;                /* columns of the screen for a token: its mark, itself, perhaps a blank */
	int lines, sides;        /* lines across and down: 0 none, 1 between boxes, 2 around too */
	int w, h;                /* cells of the screen */
};

/* As wide and with as many lines as w x h has room for; false: not even the
 * rows fit the width.  It may be higher than h. */
bool board_make(const struct layout *l, int L, int w, int h, struct board *b);
/* Where the mark of position i (>= first) is; itself right of it. */
void board_at(const struct board *b, int i, int *x, int *y);
/* The lines, of rows top.. in r. */
void board_lines(const struct board *b, struct canvas *c, struct rect r, int top);

#endif
