/* test_theme.c: every style can be told from the others and read, with every number of colours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ui/theme.h"

static bool
is(const struct ink *k, int fg, const char *attrs)
{
	char have[5] = "";

	snprintf(have, sizeof have, "%s%s%s%s", k->bold ? "b" : "", k->dim ? "d" : "", k->underline ? "u" : "",
	    k->reverse ? "r" : "");
	return k->fg == fg && strcmp(have, attrs) == 0;
}

/* screen.md, "Cause of a change": the 256 colours and the mono column. */
static void
test_causes(void)
{
	static const struct { enum style s; int fg; const char *mono; } cause[] = {
		{ STYLE_PRED, 74, "b" }, { STYLE_PRED_NOISE, 67, "" }, { STYLE_CORR, 178, "u" },
		{ STYLE_CORR_NOISE, 166, "r" }, { STYLE_REMASK, 175, "dr" }, { STYLE_CLAMP, 221, "bu" },
		{ STYLE_EDIT, 36, "br" }, { STYLE_REMOVAL, 250, "d" },
		{ STYLE_MASK, 243, "d" },
	};
	struct theme dark, mono;

	theme_make(&dark, 256, false);
	theme_make(&mono, 0, false);
	for (size_t i = 0; i < sizeof cause / sizeof *cause; i++) {
		CHECK(dark.ink[cause[i].s].fg == cause[i].fg, "style %d with 256 colours", cause[i].s);
		CHECK(is(&mono.ink[cause[i].s], -1, cause[i].mono), "style %d without", cause[i].s);
	}
	CHECK(is(&dark.ink[STYLE_PRED], 74, "b"), "attributes stay with colours");
}

static double
luminance(long rgb)
{
	static const double weight[3] = { .2126, .7152, .0722 };
	double sum = 0;

	for (int i = 0; i < 3; i++) {
		double c = (double)(rgb >> (16 - 8 * i) & 255) / 255;
		sum += weight[i] * (c <= .03928 ? c / 12.92 : pow((c + .055) / 1.055, 2.4));
	}
	return sum;
}

/* Contrast as WCAG 2.1 defines it: 1 .. 21. */
static double
contrast(long a, long b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + .05) / (fmin(x, y) + .05);
}

static void
test_contrast(bool light)
{
	struct theme t;
	double worst = 21;
	int which = -1;

	theme_make(&t, 256, light);
	for (int i = 0; i < STYLE_COUNT; i++) {
		if (i == STYLE_BORDER || i == STYLE_SELECTED)
			continue; /* lines; a background only */
		long ground = light ? 0xffffff : 0x000000, ink = light ? 0x000000 : 0xe5e5e5;
		if (t.ink[i].fg >= 0)
			ink = theme_rgb(t.ink[i].fg);
		if (t.ink[i].bg >= 0)
			ground = theme_rgb(t.ink[i].bg);
		if (contrast(ink, ground) < worst) {
			worst = contrast(ink, ground);
			which = i;
		}
	}
	CHECK(worst >= 3, "%s: every style can be read (worst: style %d, %.1f)", light ? "light" : "dark", which,
	    worst);
}

/* Scales rise evenly enough to be read as one. */
static void
test_scale(void)
{
	struct theme t;
	bool up = true, down = true;

	theme_make(&t, 256, false);
	for (int i = STYLE_SCALE1; i <= STYLE_SCALE7; i++)
		up &= luminance(theme_rgb(t.ink[i].fg)) > luminance(theme_rgb(t.ink[i - 1].fg)) - .02;
	theme_make(&t, 256, true);
	for (int i = STYLE_SCALE1; i <= STYLE_SCALE7; i++)
		down &= luminance(theme_rgb(t.ink[i].fg)) < luminance(theme_rgb(t.ink[i - 1].fg)) + .02;
	CHECK(up, "higher is brighter on dark");
	CHECK(down, "and darker on light");
}

static bool
same(const struct ink *a, const struct ink *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->bold == b->bold && a->dim == b->dim &&
	    a->underline == b->underline && a->reverse == b->reverse;
}

static void
test_distinct(void)
{
	static const int colours[] = { 0, 8, 16, 256, 1 << 24 };
	static const enum style cause[] = { STYLE_PRED, STYLE_CORR, STYLE_CORR_NOISE, STYLE_REMASK, STYLE_CLAMP,
	    STYLE_EDIT, STYLE_TEXT };
	struct theme t;

	for (size_t k = 0; k < 10; k++) {
		bool ok = true;
		theme_make(&t, colours[k / 2], k % 2);
		for (size_t i = 0; i < sizeof cause / sizeof *cause; i++)
			for (size_t j = 0; j < i; j++)
				ok &= !same(&t.ink[cause[i]], &t.ink[cause[j]]);
		CHECK(ok && t.colours == colours[k / 2], "%d colours, %s: causes look different", colours[k / 2],
		    k % 2 ? "light" : "dark");
		/* the cursor is seen on everything, selected or not */
		for (int s = 0; s < STYLE_COUNT; s++)
			for (int sel = 0; sel < 2; sel++) {
				struct cell c = { .style = (uint8_t)s, .selected = sel };
				struct ink without = theme_cell(&t, &c);
				c.cursor = true;
				struct ink with = theme_cell(&t, &c);
				ok &= !same(&without, &with) && with.reverse != without.reverse;
				c = (struct cell){ .style = (uint8_t)s };
				struct ink plain = theme_cell(&t, &c);
				ok &= !sel || s == STYLE_SELECTED || !same(&plain, &without);
			}
		CHECK(ok, "the cursor and the selection show on every style");
	}
}

static void
test_choice(void)
{
	struct theme t;

	unsetenv("NO_COLOR");
	unsetenv("COLORFGBG");
	theme_choose(&t, "auto", 256, -1);
	CHECK(t.colours == 256 && !t.light, "nothing known: dark");
	theme_choose(&t, "auto", 256, 0xf8f8f0);
	CHECK(t.light, "the terminal says light");
	setenv("COLORFGBG", "0;15", 1);
	theme_choose(&t, "auto", 256, -1);
	CHECK(t.light, "COLORFGBG says light");
	theme_choose(&t, "auto", 256, 0x101010);
	CHECK(!t.light, "the terminal knows better");
	setenv("COLORFGBG", "15;default;0", 1);
	theme_choose(&t, "auto", 8, -1);
	CHECK(!t.light && t.colours == 8, "three parts");
	theme_choose(&t, "light", 256, 0);
	CHECK(t.light && t.colours == 256, "the user knows best");
	theme_choose(&t, "mono", 256, -1);
	CHECK(t.colours == 0, "mono");
	setenv("NO_COLOR", "1", 1);
	theme_choose(&t, "dark", 256, -1);
	CHECK(t.colours == 0, "NO_COLOR");
	setenv("NO_COLOR", "", 1);
	theme_choose(&t, "dark", 256, -1);
	CHECK(t.colours == 256, "an empty NO_COLOR says nothing");
	CHECK(theme_known("auto") && !theme_known("pink"), "names");
	CHECK(theme_rgb(0) == 0 && theme_rgb(231) == 0xffffff && theme_rgb(74) == 0x5fafd7 &&
	    theme_rgb(232) == 0x080808, "palette");
}

int
main(void)
{
	test_causes();
	test_contrast(false);
	test_contrast(true);
	test_scale();
	test_distinct();
	test_choice();
	return check_done();
}
