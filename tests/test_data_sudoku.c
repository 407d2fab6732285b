/*
 * test_data_sudoku.c: grids keep the rules; all 4 x 4 grids are as likely as
 * one another (chi-square, p > 1e-4, seeded); the number of 6 x 6 grids that
 * the tries imply is the known one within 4 standard errors (p = 6e-5, seeded);
 * the solver counts.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "chi_square.h"
#include "train/data_sudoku.h"

static long
count_all(const struct sudoku *s, long limit)
{
	int8_t empty[81], out[81];

	memset(empty, -1, sizeof empty);
	return sudoku_solve(s, empty, limit, out);
}

static void
check_grids(int N, int n)
{
	struct sudoku s;
	int32_t tok[82], again[82], other[82];
	int bad = 0, differ = 0, same = 0;

	sudoku_open(N, &s, NULL);
	for (int i = 0; i < n; i++) {
		struct noise at = { .seed = 1, .step = 3, .sample = (uint32_t)i };
		sudoku_tokens(&s, &at, tok);
		sudoku_tokens(&s, &at, again);
		bad += tok[0] != N || !sudoku_valid(&s, tok + 1);
		same += memcmp(tok, again, sizeof *tok * (size_t)(N * N + 1)) == 0;
		at.step = 4;
		sudoku_tokens(&s, &at, other);
		differ += memcmp(tok, other, sizeof *tok * (size_t)(N * N + 1)) != 0;
	}
	CHECK(bad == 0, "%d x %d: %d grids keep the rules", N, N, n);
	CHECK(same == n && differ > n * 9 / 10, "%d x %d: a grid belongs to its seed, step and sample", N, N);
	for (int i = 0; i < N * N; i++) {
		memcpy(again, tok, sizeof again);
		again[1 + i] = (tok[1 + i] + 1) % N;
		bad += sudoku_valid(&s, again + 1);
		again[1 + i] = N;
		bad += sudoku_valid(&s, again + 1);
		again[1 + i] = -1;
		bad += sudoku_valid(&s, again + 1);
	}
	CHECK(bad == 0, "%d x %d: one wrong cell is seen wherever it is", N, N);
}

/* Place of a 4 x 4 grid in the list of those seen so far. */
static int
place_of(const int8_t *grid, int8_t seen[][16], int *n)
{
	for (int i = 0; i < *n; i++)
		if (memcmp(seen[i], grid, 16) == 0)
			return i;
	if (*n < 300)
		memcpy(seen[(*n)++], grid, 16);
	return *n - 1;
}

static void
check_four(void)
{
	enum { N = 20000 };
	static int8_t seen[300][16];
	long count[300] = { 0 };
	double law[300];
	struct sudoku s;
	int n = 0;

	sudoku_open(4, &s, NULL);
	CHECK(count_all(&s, 1000) == 288, "288 grids of 4 x 4");
	for (int i = 0; i < N; i++) {
		struct noise at = { .seed = 2, .sample = (uint32_t)i };
		int8_t grid[16];
		sudoku_grid(&s, &at, grid);
		count[place_of(grid, seen, &n)]++;
	}
	for (int i = 0; i < n; i++)
		law[i] = 1.0 / 288;
	CHECK(n == 288, "all of them are drawn");
	double p = chi_square_p(n, law, count, N);
	CHECK(p > 1e-4, "each as often as another: p = %.3f", p);
}

/* A try gives a grid with probability (number of grids) / (pairs of bands x 8);
 * 720 first rows and 36 second ones make a band. */
static void
check_six(void)
{
	enum { N = 3000 };
	double pairs = 25920.0 * 25920, p, known = 28200960 / (pairs * 8);
	struct sudoku s;
	long tries = 0;

	sudoku_open(6, &s, NULL);
	for (int i = 0; i < N; i++) {
		struct noise at = { .seed = 6, .sample = (uint32_t)i };
		int8_t grid[36];
		tries += sudoku_grid(&s, &at, grid);
	}
	p = (double)N / (double)tries;
	CHECK(fabs(p / known - 1) < 4 / sqrt(N), "as many 6 x 6 grids as there are: %.4g of 2.82e7", p * pairs * 8);
}

/* In the corner of random 9 x 9 grids every digit is as likely (p > 1e-4), and
 * so is, in the box to the right of the first, the number of digits of the
 * first row that stand in its second row (k of 3 in (3 over k)^3 of 56 ways). */
static void
check_nine(void)
{
	enum { N = 2000 };
	static const double ways[4] = { 1 / 56.0, 27 / 56.0, 27 / 56.0, 1 / 56.0 };
	double law[9];
	long corner[9] = { 0 }, second[4] = { 0 };
	struct sudoku s;

	sudoku_open(9, &s, NULL);
	for (int i = 0; i < N; i++) {
		struct noise at = { .seed = 7, .sample = (uint32_t)i };
		int8_t grid[81];
		int n = 0;
		sudoku_grid(&s, &at, grid);
		corner[grid[80]]++;
		for (int a = 0; a < 3; a++)
			for (int b = 0; b < 3; b++)
				n += grid[a] == grid[9 + 3 + b];
		second[n]++;
	}
	for (int i = 0; i < 9; i++)
		law[i] = 1.0 / 9;
	double p = chi_square_p(9, law, corner, N), q = chi_square_p(4, ways, second, N);
	CHECK(p > 1e-4, "digits in a corner of 9 x 9: p = %.3f", p);
	CHECK(q > 1e-4, "rows of a band of 9 x 9: p = %.3f", q);
}

static void
check_solver(void)
{
	struct sudoku s, four;
	struct noise at = { .seed = 3 };
	struct error e;
	int8_t grid[81], hole[81], out[81];

	CHECK(sudoku_open(5, &s, &e) == ST_USAGE, "no 5 x 5 grids");
	sudoku_open(9, &s, NULL);
	sudoku_open(4, &four, NULL);
	sudoku_grid(&s, &at, grid);
	memcpy(hole, grid, 81);
	for (int i = 0; i < 81; i += 3)
		hole[i] = -1;
	long n = sudoku_solve(&s, hole, 1000, out);
	CHECK(n >= 1 && n < 1000, "a grid with a third of its cells empty");
	if (n == 1)
		CHECK(memcmp(out, grid, 81) == 0, "its only solution is the grid");
	hole[1] = hole[2];
	CHECK(sudoku_solve(&s, hole, 10, out) == 0, "two alike in a row: none");
	CHECK(count_all(&four, 5) == 5, "counting stops at the limit");
}

int
main(void)
{
	check_grids(4, 300);
	check_grids(6, 300);
	check_grids(9, 200);
	check_four();
	check_six();
	check_nine();
	check_solver();
	return check_done();
}
