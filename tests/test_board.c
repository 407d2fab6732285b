/*
 * test_board.c: the layout of a checkpoint as a grid with the lines of its
 * boxes: what is read from its metadata, golden screens (as test_screens.c),
 * and that the cursor goes by rows and columns.
 */
#include "tests/check.h"

#include "tests/app_util.h"
#include "tests/board_util.h"
#include "tests/screen_golden.h"

static void
test_read(void)
{
	static const struct {
		const char *json;
		struct layout want;
	} cases[] = {
		{ NULL, { 0 } },
		{ "", { 0 } },
		{ "[6]", { 0 } },
		{ "{\"columns\": 6}", { .columns = 6 } },
		{ "{\"columns\": 6, \"first\": 1}", { .columns = 6, .first = 1 } },
		{ "{\"columns\": 6, \"first\": 1, \"box_rows\": 2, \"box_columns\": 3}", { 6, 1, 2, 3 } },
		{ "{\"columns\": 6, \"box_rows\": 2, \"box_columns\": 4}", { .columns = 6 } },
		{ "{\"columns\": 6, \"box_rows\": 2}", { .columns = 6 } },
		{ "{\"columns\": -6, \"first\": \"x\"}", { 0 } },
		{ "{\"columns\": 1e9}", { 0 } },
		{ "{\"columns\": 6, \"first\": 37}", { .columns = 6 } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct layout l = layout_read(cases[i].json, 37);

		CHECK(memcmp(&l, &cases[i].want, sizeof l) == 0, "%s", cases[i].json ? cases[i].json : "no layout");
	}
}

/* Whatever the room: cells do not meet, are inside, and rows stand below each other. */
static void
test_geometry(void)
{
	int bad = 0, made = 0;

	for (int N = 4; N <= 9; N += N == 4 ? 2 : 3)
		for (int w = 1; w < 60; w++)
			for (int h = 1; h < 20; h++) {
				struct layout l = { N, 1, N == 9 ? 3 : 2, N == 4 ? 2 : 3 };
				struct board b;

				if (!board_make(&l, N * N + 1, w, h, &b)) {
					bad += w >= 2 * N;
					continue;
				}
				made++;
				bad += b.w > w || (b.h > h && b.h > b.rows);
				for (int i = 1; i <= N * N; i++) {
					int x, y, x1, y1;

					board_at(&b, i, &x, &y);
					bad += x < 0 || y < 0 || x + b.cell > b.w || y >= b.h;
					if (i % N == 0)
						continue;
					board_at(&b, i + 1, &x1, &y1);
					bad += y1 != y || x1 < x + b.cell;
				}
			}
	CHECK(bad == 0 && made > 1000, "%d boards: every cell inside, in its row", made);
}

static const struct {
	const char *name;
	int N;
	bool masked;
	const char *keys, *command;
	int w, h;
	bool utf8;
} screens[] = {
	{ "board6-80x24", 6, false, "30s<Down><Right>", NULL, 80, 24, true },
	{ "board6-80x24-ascii", 6, false, "30s<Down><Right>", NULL, 80, 24, false },
	{ "board6-40x12", 6, false, "30s", NULL, 40, 12, true },
	{ "board6-40x12-ascii", 6, false, "30s5<Down>", NULL, 40, 12, false },
	{ "board6-120x40", 6, true, "40s<Right><Enter>", "view sample", 120, 40, true },
	{ "board6-masked-80x24", 6, true, "25s", NULL, 80, 24, true },
	{ "board9-80x24", 9, true, "50s", NULL, 80, 24, true },
	{ "board9-120x40", 9, false, "40s", NULL, 120, 40, true },
	{ "board4-entropy-80x24", 4, false, "20s", "colour entropy", 80, 24, true },
	{ "board6-flow-80x24", 6, false, "30s", "layout flow", 80, 24, true },
};

static void
test_screens(void)
{
	const char *src = getenv("SRCDIR"), *mode = getenv("PSIVIEW_SCREENS");
	bool write = mode && strcmp(mode, "write") == 0;

	for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
		struct board_model m;
		struct bench b = { 0 };
		struct error e = { 0 };
		char path[500], layout[100], *got;

		board_model_init(&m, screens[i].N, screens[i].masked);
		if (!CHECK(bench_open_model(&b, &m.model, NULL, board_tok(m.N, screens[i].masked),
					    board_layout(&m, layout)),
			   "%s: opens", screens[i].name))
			continue;
		free(screen(&b, screens[i].w, screens[i].h, screens[i].utf8, true));
		bool ok = type(&b, screens[i].keys);
		if (screens[i].command)
			ok &= app_command(b.app, screens[i].command, &e) == ST_OK && settle(&b);
		free(screen(&b, screens[i].w, screens[i].h, screens[i].utf8, true));
		got = screen(&b, screens[i].w, screens[i].h, screens[i].utf8, true);
		snprintf(path, sizeof path, "%s/tests/golden/screens/%s.txt", src ? src : ".", screens[i].name);
		ok = screen_golden(path, got, write) && ok;
		CHECK(ok, "%s %s", screens[i].name, e.msg);
		free(got);
		bench_close(&b);
	}
}

static void
test_moves(void)
{
	struct board_model m;
	struct bench b = { 0 };
	char layout[100];

	board_model_init(&m, 6, false);
	bench_open_model(&b, &m.model, NULL, board_tok(6, false), board_layout(&m, layout));
	free(screen(&b, 80, 24, true, false));
	CHECK(b.app->cursor.pos == 1, "the cursor begins in the first cell");
	type(&b, "<Down>");
	CHECK(b.app->cursor.pos == 7, "down goes to the next row: %d", b.app->cursor.pos);
	type(&b, "<Down>");
	CHECK(b.app->cursor.pos == 13, "over the line of a box: %d", b.app->cursor.pos);
	type(&b, "4<Right>");
	CHECK(b.app->cursor.pos == 17, "right four cells: %d", b.app->cursor.pos);
	type(&b, "9<Down>");
	CHECK(b.app->cursor.pos == 35, "down to the last row, same column: %d", b.app->cursor.pos);
	type(&b, "<Home><Left>");
	CHECK(b.app->cursor.pos == 1, "never on what the layout leaves out");
	type(&b, ":layout flow<Enter><Home>");
	free(screen(&b, 80, 24, true, false));
	CHECK(b.app->cursor.pos == 0, "running text shows it");
	type(&b, ":layout grid<Enter>");
	CHECK(b.app->cursor.pos == 1, "and the grid does not");
	/* marks never move a cell */
	int moved = 0;
	free(screen(&b, 80, 24, true, false));
	int row[37], col[37];
	memcpy(row, b.app->priv->row_of, sizeof row);
	memcpy(col, b.app->priv->col_of, sizeof col);
	for (int i = 0; i < 40; i++) {
		type(&b, "s");
		free(screen(&b, 80, 24, true, false));
		moved += memcmp(row, b.app->priv->row_of, sizeof row) != 0 ||
			 memcmp(col, b.app->priv->col_of, sizeof col) != 0;
	}
	CHECK(moved == 0, "every cell stands where it stood");
	bench_close(&b);
}

int
main(void)
{
	test_read();
	test_geometry();
	test_screens();
	test_moves();
	return check_done();
}
