/*
 * layout.h: how the tokens of a sample want to stand, as a checkpoint says: in
 * rows of cells (a Sudoku), else as running text.  Pure, any thread.
 */
#ifndef PSI_TEXT_LAYOUT_H
#define PSI_TEXT_LAYOUT_H

/* The metadata `layout` of own checkpoints, a JSON object:
 *     columns                  tokens in a row
 *     first                    position of the first one; those before ([BOS]) are left out; else 0
 *     box_rows, box_columns    cells of a box, with lines around; else none */
struct layout {
	int columns;             /* 0: running text */
	int first, box_rows, box_columns;
};

/* json NULL, or not one of these: running text.  L: positions there are. */
struct layout layout_read(const char *json, int L);

#endif
