/* data_sudoku.c: see data_sudoku.h. */
#include "train/data_sudoku.h"

#include <string.h>

#define CELLS (SUDOKU_MAX * SUDOKU_MAX)

enum status
sudoku_open(int N, struct sudoku *s, struct error *e)
{
	if (N != 4 && N != 6 && N != 9)
		return error_set(e, ST_USAGE, "Sudoku grids are 4 x 4, 6 x 6 or 9 x 9, not %d x %d", N, N);
	*s = (struct sudoku){ N, N == 9 ? 3 : 2, N == 4 ? 2 : 3 };
	return ST_OK;
}

/* ---- random numbers: the words of one position after the other ---- */

struct stream {
	struct noise at;
	uint32_t word[4];
	int next, block;             /* word[next..3] are left; blocks used up of this position */
};

static struct stream
stream_of(const struct noise *n)
{
	return (struct stream){ .at = *n, .next = 4 };
}

/* Uniform in 0..n-1 (multiply-shift on 32 bits; n is small, bias below 1e-8). */
static int
pick(struct stream *r, int n)
{
	if (r->next == 4) {
		if (r->block == 1 << 16) {
			r->at.pos++;
			r->block = 0;
		}
		noise_words(&r->at, STAGE_DATA, 4 * r->block++, 4, r->word);
		r->next = 0;
	}
	return (int)((uint64_t)r->word[r->next++] * (uint64_t)n >> 32);
}

static void
shuffle(struct stream *r, int n, int8_t *a)
{
	for (int i = n - 1; i > 0; i--) {
		int j = pick(r, i + 1);
		int8_t keep = a[i];
		a[i] = a[j];
		a[j] = keep;
	}
}

static void
count_up(int n, int8_t *a)
{
	for (int i = 0; i < n; i++)
		a[i] = (int8_t)i;
}

/* ---- search ---- */

/* Which digits a row, a column and a box have, as bits; candidates are tried
 * in the order of `digit`. */
struct search {
	const struct sudoku *s;
	unsigned row[SUDOKU_MAX], column[SUDOKU_MAX], box[SUDOKU_MAX];
	int8_t cell[CELLS], *out;
	const int8_t *digit;
	long found, limit;
};

static int
box_of(const struct sudoku *s, int r, int c)
{
	return r / s->rows * s->rows + c / s->columns;
}

static unsigned
taken(const struct search *q, int at)
{
	int r = at / q->s->N, c = at % q->s->N;

	return q->row[r] | q->column[c] | q->box[box_of(q->s, r, c)];
}

static void
flip(struct search *q, int at, int digit)
{
	int r = at / q->s->N, c = at % q->s->N;

	q->row[r] ^= 1u << digit;
	q->column[c] ^= 1u << digit;
	q->box[box_of(q->s, r, c)] ^= 1u << digit;
}

/* The empty cell with the fewest candidates; -1: none is empty. */
static int
tightest(const struct search *q)
{
	int best = -1, most = -1;

	for (int at = 0; at < q->s->N * q->s->N; at++) {
		int n = q->cell[at] < 0 ? __builtin_popcount(taken(q, at)) : -1;
		if (n > most) {
			most = n;
			best = at;
		}
	}
	return best;
}

/* Depth-first, at most N^2 deep. */
static void
search(struct search *q)
{
	int at = tightest(q);

	if (at < 0) {
		q->found++;
		memcpy(q->out, q->cell, (size_t)(q->s->N * q->s->N));
		return;
	}
	unsigned used = taken(q, at);
	for (int i = 0; i < q->s->N && q->found < q->limit; i++) {
		int8_t d = q->digit[i];
		if (used >> d & 1)
			continue;
		q->cell[at] = d;
		flip(q, at, d);
		search(q);
		flip(q, at, d);
		q->cell[at] = -1;
	}
}

/* Put the given cells in; false: they break a rule. */
static bool
search_begin(struct search *q, const struct sudoku *s, const int8_t *grid, const int8_t *digit, long limit, int8_t *out)
{
	*q = (struct search){ .s = s, .out = out, .digit = digit, .limit = limit };
	memset(q->cell, -1, sizeof q->cell);
	for (int at = 0; at < s->N * s->N; at++) {
		if (grid[at] < 0)
			continue;
		if (grid[at] >= s->N || taken(q, at) >> grid[at] & 1)
			return false;
		q->cell[at] = grid[at];
		flip(q, at, grid[at]);
	}
	return true;
}

long
sudoku_solve(const struct sudoku *s, const int8_t *grid, long limit, int8_t *out)
{
	struct search q;
	int8_t digit[SUDOKU_MAX];

	count_up(s->N, digit);
	if (!search_begin(&q, s, grid, digit, limit, out))
		return 0;
	search(&q);
	return q.found;
}

bool
sudoku_valid(const struct sudoku *s, const int32_t *token)
{
	int8_t grid[CELLS], digit[SUDOKU_MAX], out[CELLS];
	struct search q;

	for (int at = 0; at < s->N * s->N; at++) {
		if (token[at] < 0 || token[at] >= s->N)
			return false;
		grid[at] = (int8_t)token[at];
	}
	count_up(s->N, digit);
	return search_begin(&q, s, grid, digit, 1, out);
}

/* ---- 4 x 4 and 6 x 6: exactly uniform ---- */

/* A band of two rows whose boxes hold every digit, uniform: the first row is
 * any order; below each half stand the digits of the other half in any order. */
static void
random_band(struct stream *r, int N, int8_t *band)
{
	int half = N / 2;

	count_up(N, band);
	shuffle(r, N, band);
	memcpy(band + N, band + half, (size_t)half);
	memcpy(band + N + half, band, (size_t)half);
	shuffle(r, half, band + N);
	shuffle(r, half, band + N + half);
}

static bool
columns_differ(int N, int rows, const int8_t *grid)
{
	for (int c = 0; c < N; c++) {
		unsigned seen = 0;
		for (int r = 0; r < rows; r++) {
			unsigned bit = 1u << grid[r * N + c];
			if (seen & bit)
				return false;
			seen |= bit;
		}
	}
	return true;
}

/* All bands but the last, uniform, tried until the columns agree; then the
 * last one's completions are counted.  A grid with n completions is kept with
 * probability n / 2^(N/2), the most there can be (a column lacks two digits:
 * the order of those in one half of the columns settles the other half), and
 * one of them is chosen: every grid is then as likely as another. */
static long
uniform_grid(const struct sudoku *s, struct stream *r, int8_t *grid)
{
	int N = s->N, most = 1 << (N / 2);
	int8_t digit[SUDOKU_MAX], out[CELLS];
	struct search q;

	count_up(N, digit);
	for (long tries = 1;; tries++) {
		memset(grid, -1, (size_t)(N * N));
		for (int row = 0; row < N - 2; row += 2)
			random_band(r, N, grid + row * N);
		if (!columns_differ(N, N - 2, grid) || !search_begin(&q, s, grid, digit, most + 1, out))
			continue;
		search(&q);
		int which = pick(r, most);
		if (which >= q.found)
			continue;
		sudoku_solve(s, grid, which + 1, out);
		memcpy(grid, out, (size_t)(N * N));
		return tries;
	}
}

/* ---- 9 x 9 ---- */

/* An order of the rows (or columns) that keeps bands together. */
static void
random_lines(struct stream *r, int8_t *line)
{
	int8_t band[3] = { 0, 1, 2 }, in[3] = { 0, 1, 2 };

	shuffle(r, 3, band);
	for (int b = 0; b < 3; b++) {
		shuffle(r, 3, in);
		for (int i = 0; i < 3; i++)
			line[3 * b + i] = (int8_t)(3 * band[b] + in[i]);
	}
}

/* The boxes on the diagonal have no rule in common, so they are filled first;
 * the search tries digits in random order. */
static void
random_nine(const struct sudoku *s, struct stream *r, int8_t *grid)
{
	int8_t digit[9], row[9], column[9], name[9], out[81];
	struct search q;

	count_up(9, digit);
	memset(grid, -1, 81);
	for (int b = 0; b < 3; b++) {
		shuffle(r, 9, digit);
		for (int i = 0; i < 9; i++)
			grid[(3 * b + i / 3) * 9 + 3 * b + i % 3] = digit[i];
	}
	shuffle(r, 9, digit);
	search_begin(&q, s, grid, digit, 1, out);
	search(&q);
	random_lines(r, row);
	random_lines(r, column);
	count_up(9, name);
	shuffle(r, 9, name);
	bool turn = pick(r, 2);
	for (int i = 0; i < 81; i++) {
		int a = row[i / 9], b = column[i % 9];
		grid[i] = name[out[turn ? b * 9 + a : a * 9 + b]];
	}
}

long
sudoku_grid(const struct sudoku *s, const struct noise *n, int8_t *grid)
{
	struct stream r = stream_of(n);

	if (s->N != 9)
		return uniform_grid(s, &r, grid);
	random_nine(s, &r, grid);
	return 1;
}

void
sudoku_tokens(const struct sudoku *s, const struct noise *n, int32_t *out)
{
	int8_t grid[CELLS];

	sudoku_grid(s, n, grid);
	out[0] = s->N;
	for (int i = 0; i < s->N * s->N; i++)
		out[i + 1] = grid[i];
}
