/*
 * test_page.c: charts, and how a page of text is laid out: marks never move the
 * text, whatever the vocabulary (letters, wide and combining characters, words
 * and pieces of bytes), and keys find what is drawn.
 */
#include "tests/check.h"

#include "tests/app_util.h"
#include "ui/plot.h"
#include "ui/view_text.h"

static char *
dump(struct canvas *c)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);

	canvas_dump(c, f, false);
	fclose(f);
	return text;
}

static void
columns(bool utf8, int h, const char *want)
{
	static const struct plot_part part[2] = { { STYLE_PLOT_PRED, '+' }, { STYLE_PLOT_CORR, '~' } };
	static const double value[] = { 0, 0, 4, 4, 8, 0, 1e-3, 0, 99, 99 };
	struct canvas c = { .utf8 = utf8 };
	char *got;

	canvas_resize(&c, 5, h);
	plot_columns(&c, canvas_all(&c), 0, 5, 2, value, part, 8);
	got = dump(&c);
	if (!CHECK(strcmp(got, want) == 0, "columns, %d rows, %s", h, utf8 ? "blocks" : "ASCII"))
		printf("# got: %s# want: %s", got, want);
	if (h == 2 && !utf8) {
		CHECK(c.cell[1].style == STYLE_PLOT_CORR && c.cell[6].style == STYLE_PLOT_PRED,
			"parts are stacked in their order");
	}
	free(got);
	canvas_done(&c);
}

static void
line(bool utf8, const char *want)
{
	static const double value[] = { 0, .5, 1, 2, 0. / 0., -1 };
	struct canvas c = { .utf8 = utf8 };
	double v[6];
	char *got;

	memcpy(v, value, sizeof v);
	v[4] = strtod("nan", NULL);
	canvas_resize(&c, 6, 1);
	plot_line(&c, canvas_all(&c), 0, 6, v, STYLE_BAR, 0, 1);
	got = dump(&c);
	if (!CHECK(strcmp(got, want) == 0, "a line with a gap, %s", utf8 ? "braille" : "ASCII"))
		printf("# got: %s# want: %s", got, want);
	free(got);
	canvas_done(&c);
}

static void
test_plot(void)
{
	columns(true, 1, " ██▁█\n");
	columns(false, 1, " ||.|\n");
	columns(true, 2, " ██ █\n ██▁█\n");
	columns(false, 2, " ~+ +\n ++++\n");
	line(false, "_.-- _\n");
}

/* 35 tokens: letters of several widths, as characters. */
static const char chars_json[] =
	"[\"a\",\"b\",\"c\",\"d\",\"[MASK]\",\"\xe6\x97\xa5\",\"e\xcc\x81\",\"\\n\",\"\xf0\x9f\x98\x80\","
	"\"\\t\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\",\"q\",\"r\",\"s\",\"t\",\"u\",\"v\","
	"\"w\",\"x\",\"y\",\"z\","
	"\".\",\"\xc3\xa9\",\"\xe2\x80\x8b\",\" \"]";

/* 35 byte-level pieces: words with their space, halves of characters, a line break. */
static const char bpe_json[] =
	"{\"version\":\"1.0\",\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"special\":true,"
	"\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}],\"pre_tokenizer\":{\"type\":"
	"\"ByteLevel\","
	"\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":"
	"0,\"b\":1,\"c\":2,"
	"\"d\":3,\"e\":5,\"\xc3\x83\":6,\"\xc2\xa9\":7,\"\xc4\xa0the\":8,\"\xc4\xa0quick\":9,\"\xc4\xa0"
	"brown\":10,\"\xc4\xa0"
	"fox\":11,"
	"\"\xc4\xa0jumps\":12,\"\xc4\xa0over\":13,\"ly\":14,\"ing\":15,\"\xc4\xa0"
	"a\":16,\"\xc4\x8a\":17,\".\":18,\",\":19,\"\xc4\xa0\":20,"
	"\"ness\":21,\"un\":22,\"\xc4\xa0re\":23,\"re\":24,\"\xc4\xa0un\":25,\"\xc4\xa0"
	"dog\":26,\"\xc4\xa0lazy\":27,\"s\":28,\"t\":29,"
	"\"\xc4\xa0"
	"and\":30,\"\xc4\xa0that\":31,\"\xc4\xa0it\":32,\"\xc3\xa6\":33,\"ed\":34},\"merges\":[]}}";

/* Draw the page at one step in two colourings; true: every token stands where it stood. */
static bool
same_places(struct bench *b, int w, int h, char *why, size_t size)
{
	struct app_private *p = b->app->priv;
	int row[SENT_L], col[SENT_L];
	char *plain, *marked;
	bool ok = true;

	b->app->colouring = COLOUR_PLAIN;
	plain = screen(b, w, h, true, false);
	memcpy(row, p->row_of, sizeof row);
	memcpy(col, p->col_of, sizeof col);
	b->app->colouring = COLOUR_CAUSE;
	marked = screen(b, w, h, true, false);
	for (int i = 0; i < SENT_L && ok; i++) {
		ok = row[i] == p->row_of[i] && col[i] == p->col_of[i];
		if (!ok)
			snprintf(why, size, "token %d moved from %d,%d to %d,%d", i, row[i], col[i], p->row_of[i],
				p->col_of[i]);
	}
	free(plain);
	free(marked);
	return ok;
}

static void
test_marks(const char *name, struct tokenizer *tok, bool masked)
{
	static const int size[][2] = { { 40, 12 }, { 80, 24 }, { 120, 40 } };
	struct bench b;
	int moved = 0, marks = 0, lost = 0;
	char why[100] = "";

	if (!CHECK(tok && bench_open_with(&b, masked, "psi kappa=.9 steps=30 seed=5", tok), "%s: opens", name))
		return;
	for (int step = 0; step < 20; step++) {
		struct app_private *p = b.app->priv;

		for (size_t k = 0; k < sizeof size / sizeof *size; k++)
			for (int grid = 0; grid < 2; grid++) {
				b.app->grid_layout = grid;
				moved += !same_places(&b, size[k][0], size[k][1], why, sizeof why);
			}
		for (int i = 0; i < SENT_L; i++)
			marks += cause_changed((enum cause)p->cause[i]);
		/* Every position can be gone to and is on the screen then. */
		b.app->grid_layout = false;
		for (int i = 0; i < SENT_L; i += 7) {
			cursor_pos(b.app, i);
			settle(&b);
			free(screen(&b, 40, 12, true, false));
			lost += p->row_of[i] < p->text_top || p->row_of[i] >= p->text_top + p->text_rows;
		}
		type(&b, "s");
	}
	CHECK(moved == 0 && marks > 50, "%s: %d changes marked, no token moved %s", name, marks, why);
	CHECK(lost == 0, "%s: the pane follows the cursor", name);
	for (int i = 0; i < 12; i++) {
		int before = b.app->priv->row_of[b.app->cursor.pos];

		type(&b, "<Up>");
		lost += b.app->priv->row_of[b.app->cursor.pos] > before;
	}
	CHECK(lost == 0 && b.app->priv->row_of[b.app->cursor.pos] == 0, "%s: up goes up to the first line", name);
	bench_close(&b);
}

/* In an alphabet a position stays where it is from step to step. */
static void
test_still(void)
{
	struct bench b;
	int row[SENT_L], col[SENT_L], moved = 0;

	bench_open(&b, true, NULL);
	free(screen(&b, 80, 24, true, false));
	memcpy(row, b.app->priv->row_of, sizeof row);
	memcpy(col, b.app->priv->col_of, sizeof col);
	for (int step = 0; step < 65; step++) {
		type(&b, "s");
		free(screen(&b, 80, 24, true, false));
		moved += memcmp(row, b.app->priv->row_of, sizeof row) != 0 ||
			memcmp(col, b.app->priv->col_of, sizeof col) != 0;
	}
	CHECK(moved == 0, "an alphabet stands still through a whole run");
	bench_close(&b);
}

/* Below the text, in the states before, a line break has a sign of its own. */
static void
test_breaks(struct tokenizer *tok)
{
	struct bench b;
	int shown = 0, unknown = 0;

	if (!CHECK(tok && bench_open_with(&b, false, "psi kappa=.9 steps=30 seed=5", tok), "line breaks: opens"))
		return;
	for (int step = 0; step < 20; step++) {
		char *text;

		type(&b, "s");
		text = screen(&b, 80, 40, true, false);
		shown += strstr(text, "before, by step") != NULL;
		unknown += strstr(text, "\xef\xbf\xbd") != NULL;
		free(text);
	}
	CHECK(shown > 10 && unknown == 0, "states before: %d, with unknown characters: %d", shown, unknown);
	bench_close(&b);
}

int
main(void)
{
	struct error e = { 0 };
	struct tokenizer *chars = NULL, *bpe = NULL;

	test_plot();
	tok_chars(chars_json, strlen(chars_json), &chars, &e);
	test_marks("characters", chars, false);
	chars = NULL;
	tok_chars(chars_json, strlen(chars_json), &chars, &e);
	test_breaks(chars);
	if (tok_from_json((const uint8_t *)bpe_json, strlen(bpe_json), &bpe, &e))
		printf("# %s\n", e.msg);
	test_marks("pieces of words, uniform", bpe, false);
	bpe = NULL;
	tok_from_json((const uint8_t *)bpe_json, strlen(bpe_json), &bpe, &e);
	test_marks("pieces of words, masked", bpe, true);
	test_marks("ids", tok_ids(SENT_V), false);
	test_still();
	return check_done();
}
