/*
 * data_sudoku.h: N x N Sudoku grids as training data, N = 4, 6, 9, made as
 * they are asked for: nothing is stored.  Boxes are 2 x 2, 2 rows x 3 columns,
 * 3 x 3.  A grid is N^2 digits 0..N-1, row by row.  Pure, any thread.
 *
 * How uniform: N = 4 and 6 exactly (rejection, see sudoku_grid), so each of
 * the 288 and 28,200,960 grids is as likely as another.  N = 9: a search in
 * random order, then a random one of the symmetries that keep the rules
 * (digits, rows, columns, bands, stacks, transposition): grids that are the
 * same up to symmetry are alike exactly, classes nearly.
 */
#ifndef PSI_TRAIN_DATA_SUDOKU_H
#define PSI_TRAIN_DATA_SUDOKU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"

#define SUDOKU_MAX 9

struct sudoku {
	int N, rows, columns;        /* of a box */
};

/* ST_USAGE unless N is 4, 6 or 9. */
enum status sudoku_open(int N, struct sudoku *s, struct error *e);

/* The grid that a seed, step and sample name.  Returns how often it was tried. */
long sudoku_grid(const struct sudoku *s, const struct noise *n, int8_t *grid);

/* As tokens [N^2 + 1]: N, the [BOS], then the digits. */
void sudoku_tokens(const struct sudoku *s, const struct noise *n, int32_t *out);

/* Every row, column and box holds every digit.  token [N^2]: anything else than a digit is invalid. */
bool sudoku_valid(const struct sudoku *s, const int32_t *token);

/* Complete grid [N^2] (-1: empty).  Returns the number of solutions, at most
 * `limit`; the last one found is in `out` [N^2]. */
long sudoku_solve(const struct sudoku *s, const int8_t *grid, long limit, int8_t *out);

#endif
