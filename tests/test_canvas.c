/* test_canvas.c: clipping, wide and combining characters, bad UTF-8, dumps. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ui/canvas.h"
#include "ui/fallback.h"

static char *
dump(const struct canvas *c, bool attrs)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	canvas_dump(c, f, attrs);
	fclose(f);
	return text;
}

/* The dump of c is want; says what it is if not. */
static bool
shows(const struct canvas *c, bool attrs, const char *want)
{
	char *got = dump(c, attrs);
	bool same = strcmp(got, want) == 0;

	if (!same)
		printf("# got:\n%s# want:\n%s", got, want);
	free(got);
	return same;
}

/* No half of a wide character stands alone. */
static bool
whole(const struct canvas *c)
{
	for (int y = 0; y < c->h; y++)
		for (int x = 0; x < c->w; x++) {
			const struct cell *k = &c->cell[y * c->w + x];
			if (k->width == 2 && (x + 1 >= c->w || k[1].width != 0))
				return false;
			if (k->width == 0 && (x == 0 || k[-1].width != 2))
				return false;
		}
	return true;
}

static void
test_clip(struct canvas *c)
{
	struct rect r = { 2, 1, 4, 2 };

	canvas_resize(c, 10, 4);
	CHECK(canvas_put(c, r, -1, 0, STYLE_TEXT, "abcdefgh") == 8, "the width is of the whole text");
	canvas_put(c, r, 0, 2, STYLE_TEXT, "below");
	canvas_put(c, r, 0, -1, STYLE_TEXT, "above");
	canvas_put(c, (struct rect){ 8, 3, 50, 50 }, 0, 0, STYLE_TEXT, "xyz");
	canvas_put(c, (struct rect){ -3, 3, 5, 1 }, 0, 0, STYLE_TEXT, "12345");
	CHECK(shows(c, false, "\n  bcde\n\n45      xy\n"), "text clips to its rectangle and to the canvas");
	canvas_clear(c, (struct rect){ 3, 1, 2, 1 });
	CHECK(shows(c, false, "\n  b  e\n\n45      xy\n"), "clear");
	canvas_frame(c, (struct rect){ 0, 0, 1, 1 }, STYLE_BORDER, "t");
	canvas_frame(c, (struct rect){ 8, 2, 9, 9 }, STYLE_BORDER, "title");
	canvas_style(c, r, -100, 0, 1000, STYLE_BOLD);
	canvas_cursor(c, r, 3, 1, 1000);
	canvas_select(c, r, 0, 1, 2147483647);
	CHECK(whole(c), "huge spans clip");
}

static void
test_wide(struct canvas *c)
{
	struct rect all;

	canvas_resize(c, 8, 1);
	all = canvas_all(c);
	CHECK(canvas_put(c, all, 0, 0, STYLE_TEXT, "漢字x") == 5 && whole(c), "wide characters take two cells");
	CHECK(shows(c, false, "漢字x\n"), "and show once");
	canvas_put(c, all, 1, 0, STYLE_TEXT, "a");
	CHECK(whole(c) && shows(c, false, " a字x\n"), "overwriting the right half blanks the left");
	canvas_put(c, all, 2, 0, STYLE_TEXT, "b");
	CHECK(whole(c) && shows(c, false, " ab x\n"), "overwriting the left half blanks the right");
	canvas_put(c, all, 7, 0, STYLE_TEXT, "漢");
	CHECK(whole(c) && shows(c, false, " ab x\n"), "half of one at the border is not shown");
	canvas_put(c, all, 1, 0, STYLE_TEXT, "漢字");
	canvas_clear(c, (struct rect){ 2, 0, 2, 1 });
	CHECK(whole(c) && shows(c, false, "\n"), "clearing through the middle of two");
	canvas_put(c, all, 0, 0, STYLE_TEXT, "e\xcc\x81" "a\xcc\x81\xcc\x82\xcc\x83z");
	CHECK(c->cell[0].ch[1] == 0x301 && c->cell[1].ch[2] == 0x302 && c->cell[2].ch[0] == 'z',
	    "combining characters join; a third is dropped");
	canvas_put(c, all, 5, 0, STYLE_TEXT, "\xcc\x81k");
	CHECK(c->cell[5].ch[0] == 'k' && c->cell[4].ch[0] == 0, "one without a base is dropped");
	CHECK(text_width("漢a\xcc\x81", 6) == 3, "text_width");
}

static void
test_bad(struct canvas *c)
{
	canvas_resize(c, 12, 1);
	CHECK(canvas_putn(c, canvas_all(c), 0, 0, STYLE_TEXT, "a\xff\xc3\xe6\xbc\0b\n\x1b[", 10) == 9,
	    "bad bytes and controls take cells");
	bool clean = true;
	for (int i = 0; i < c->w; i++)
		clean &= c->cell[i].ch[0] == 0 || c->cell[i].ch[0] == 0xfffd ||
		    (c->cell[i].ch[0] >= 0x20 && c->cell[i].ch[0] < 0x7f);
	CHECK(clean, "none of them reaches a cell");
	canvas_char(c, canvas_all(c), 0, 0, STYLE_TEXT, 0x9b);
	canvas_char(c, canvas_all(c), 1, 0, STYLE_TEXT, 0xd800);
	canvas_char(c, canvas_all(c), 2, 0, STYLE_TEXT, 0xffffffff);
	CHECK(c->cell[0].ch[0] == 0xfffd && c->cell[1].ch[0] == 0xfffd && c->cell[2].ch[0] == 0xfffd,
	    "nor by canvas_char");
}

static void
test_ascii(struct canvas *c)
{
	c->utf8 = false;
	canvas_resize(c, 14, 3);
	canvas_frame(c, canvas_all(c), STYLE_BORDER, "κ");
	canvas_put(c, canvas_all(c), 1, 1, STYLE_TEXT, "é漢→█▄…");
	canvas_bar(c, canvas_all(c), 9, 1, 4, STYLE_BAR, .9);
	CHECK(shows(c, false, "+- k --------+\n|e?""?>#=. ####|\n+------------+\n"),
	    "without UTF-8 everything is ASCII");
	bool ascii = true;
	for (uint32_t ch = 0xa0; ch < 0x20000; ch++)
		if (ch < 0xd800 || ch > 0xdfff)
			ascii &= ascii_for(ch) >= 0x20 && ascii_for(ch) < 0x7f;
	CHECK(ascii, "every character has an ASCII stand-in");
	c->utf8 = true;
}

static void
test_dump(struct canvas *c)
{
	canvas_resize(c, 12, 3);
	struct rect in = canvas_frame(c, canvas_all(c), STYLE_FOCUS, "t");
	canvas_put(c, in, 0, 0, STYLE_PRED, "+fox");
	canvas_put(c, in, 4, 0, STYLE_CORR, "~hen");
	canvas_cursor(c, in, 5, 0, 3);
	canvas_select(c, in, 1, 0, 2);
	CHECK(shows(c, true,
	    "┌─ t ──────┐\n│+fox~hen  │\n└──────────┘\n--\n"
	    "FFFFFFFFFFFF\nF+%%+~@@@  F\nFFFFFFFFFFFF\n"
	    "F focus\n+ predictor\n~ corrector\n@ at the cursor\n% selected\n"),
	    "text plane, attribute plane, legend");
	canvas_resize(c, 6, 1);
	canvas_bar(c, canvas_all(c), 0, 0, 4, STYLE_BAR, .5 + 1. / 32);
	CHECK(shows(c, false, "██▏\n"), "a bar in eighths");
	canvas_bar(c, canvas_all(c), 0, 0, 6, STYLE_BAR, 7);
	CHECK(shows(c, false, "██████\n"), "a bar clips its value");
}

static void
test_random(struct canvas *c)
{
	static const char *const piece[] = { "漢", "a", "e\xcc\x81", "\xff", "字b", "🙂", "\x1b" };
	unsigned s = 1;
	bool ok = true;

	canvas_resize(c, 9, 5);
	for (int i = 0; i < 20000; i++) {
		s = s * 1103515245u + 12345u;
		struct rect r = { (int)(s >> 8 & 15) - 3, (int)(s >> 12 & 7) - 1, (int)(s >> 16 & 7),
		    (int)(s >> 20 & 3) };
		if (i % 7 == 0)
			canvas_clear(c, r);
		else
			canvas_put(c, r, (int)(s >> 24 & 7) - 2, (int)(s >> 27 & 3) - 1, STYLE_TEXT,
			    piece[(s >> 9) % 7]);
		ok &= whole(c);
	}
	CHECK(ok, "random writes never tear a wide character");
}

int
main(void)
{
	struct canvas c = { .utf8 = true };

	test_clip(&c);
	test_wide(&c);
	test_bad(&c);
	test_ascii(&c);
	test_dump(&c);
	test_random(&c);
	CHECK(canvas_resize(&c, 0, -4) && c.w == 1 && c.h == 1, "the smallest canvas is one cell");
	canvas_done(&c);
	return check_done();
}
