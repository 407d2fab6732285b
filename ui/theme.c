/*
 * theme.c: see theme.h.
 *
 * Causes have the colours and the attributes of screen.md's table.  With
 * colours the attributes stay (colour is never the only carrier), except dim,
 * which a grey already says.
 */
#include "ui/theme.h"

#include <stdlib.h>
#include <string.h>

enum { BOLD = 1, DIM = 2, UNDER = 4, REV = 8 };

/* One style: palette of 256 on dark and light, of 8 on dark and light (+8: the
 * bright one if there are 16, else bold), attributes with colours and without. */
struct entry {
	short dark, dark_bg, light, light_bg;
	signed char dark8, light8;
	unsigned char attr, mono;
};

static const struct entry table[STYLE_COUNT] = {
	[STYLE_TEXT] = { -1, -1, -1, -1, -1, -1, 0, 0 },
	[STYLE_DIM] = { 245, -1, 242, -1, -1, -1, 0, DIM },
	[STYLE_BOLD] = { -1, -1, -1, -1, -1, -1, BOLD, BOLD },
	[STYLE_TITLE] = { 252, 236, 235, 253, -1, -1, BOLD, REV },
	[STYLE_BORDER] = { 241, -1, 247, -1, -1, -1, 0, DIM },
	[STYLE_FOCUS] = { 74, -1, 25, -1, 6, 4, BOLD, BOLD },
	[STYLE_CURSOR] = { -1, -1, -1, -1, -1, -1, REV, REV },
	[STYLE_SELECTED] = { -1, 239, -1, 252, -1, -1, 0, REV },
	[STYLE_KEY] = { 179, -1, 94, -1, 3, -1, BOLD, BOLD },
	[STYLE_ERROR] = { 209, -1, 160, -1, 1, 1, BOLD, BOLD | REV },
	[STYLE_MENU] = { 252, 236, 235, 254, -1, -1, 0, 0 },
	[STYLE_MENU_HERE] = { 231, 25, 231, 25, -1, -1, BOLD, REV },
	[STYLE_PRED] = { 74, -1, 25, -1, 6, 4, BOLD, BOLD },
	[STYLE_PRED_NOISE] = { 67, -1, 60, -1, 4 + 8, 4, 0, 0 },
	[STYLE_CORR] = { 178, -1, 130, -1, 3, 3, UNDER, UNDER },
	[STYLE_CORR_NOISE] = { 166, -1, 160, -1, 1, 1, REV, REV },
	[STYLE_REMASK] = { 175, -1, 127, -1, 5, 5, REV, REV | DIM },
	[STYLE_CLAMP] = { 221, -1, 94, -1, 3 + 8, 3, BOLD | UNDER, BOLD | UNDER },
	[STYLE_EDIT] = { 36, -1, 29, -1, 2, 2, BOLD | REV, BOLD | REV },
	[STYLE_REMOVAL] = { 250, -1, 241, -1, -1, -1, 0, DIM },
	[STYLE_MASK] = { 243, -1, 245, -1, -1, -1, 0, DIM },
	[STYLE_PREVIEW] = { 183, -1, 91, -1, 5, 5, 0, DIM | UNDER },
	[STYLE_SCALE0] = { 62, -1, 136, -1, 4 + 8, 3, 0, DIM },
	[STYLE_SCALE1] = { 68, -1, 100, -1, 6, 3 + 8, 0, DIM },
	[STYLE_SCALE2] = { 73, -1, 64, -1, 6 + 8, 2, 0, 0 },
	[STYLE_SCALE3] = { 72, -1, 29, -1, 2, 2, 0, 0 },
	[STYLE_SCALE4] = { 77, -1, 30, -1, 2 + 8, 6, 0, BOLD },
	[STYLE_SCALE5] = { 113, -1, 25, -1, 3, 4, 0, BOLD },
	[STYLE_SCALE6] = { 185, -1, 19, -1, 3 + 8, 4, 0, REV },
	[STYLE_SCALE7] = { 228, -1, 54, -1, 7 + 8, 5, 0, BOLD | REV },
	[STYLE_BAR] = { 74, -1, 25, -1, 6, 4, 0, 0 },
	[STYLE_AXIS] = { 244, -1, 243, -1, -1, -1, 0, DIM },
	[STYLE_PLOT_PRED] = { 74, -1, 25, -1, 6, 4, 0, 0 },
	[STYLE_PLOT_PRED_NOISE] = { 67, -1, 60, -1, 4, 4, 0, 0 },
	[STYLE_PLOT_CORR] = { 178, -1, 130, -1, 3, 3, 0, 0 },
	[STYLE_PLOT_CORR_NOISE] = { 166, -1, 160, -1, 1, 1, 0, 0 },
	[STYLE_PLOT_REMASK] = { 175, -1, 127, -1, 5, 5, 0, 0 },
	[STYLE_PLOT_REMOVAL] = { 250, -1, 241, -1, -1, -1, 0, 0 },
};

static void
attributes(struct ink *l, unsigned attr)
{
	l->bold |= (attr & BOLD) != 0;
	l->dim |= (attr & DIM) != 0;
	l->underline |= (attr & UNDER) != 0;
	l->reverse |= (attr & REV) != 0;
}

/* A number of the table's 8-colour columns on a terminal with that many. */
static short
few(int c, int colours, struct ink *l)
{
	if (c < 8)
		return (short)c;
	if (colours >= 16)
		return (short)c;
	l->bold = true;
	return (short)(c - 8);
}

void
theme_make(struct theme *t, int terminal_colours, bool light)
{
	t->light = light;
	t->colours = terminal_colours >= 1 << 24 ? 1 << 24 : terminal_colours >= 256 ? 256 :
	    terminal_colours >= 16 ? 16 : terminal_colours >= 8 ? 8 : 0;
	for (int i = 0; i < STYLE_COUNT; i++) {
		const struct entry *e = &table[i];
		struct ink l = { .fg = -1, .bg = -1 };
		if (t->colours >= 256) {
			l.fg = light ? e->light : e->dark;
			l.bg = light ? e->light_bg : e->dark_bg;
			attributes(&l, e->attr);
		} else if (t->colours) {
			l.fg = few(light ? e->light8 : e->dark8, t->colours, &l);
			/* where a grey or a background of the 256 has no match */
			attributes(&l, e->dark_bg >= 0 || l.fg < 0 ? e->mono : e->attr);
		} else {
			attributes(&l, e->mono);
		}
		t->ink[i] = l;
	}
}

/* COLORFGBG is "15;0" or "15;default;0": the last number is the background. */
static bool
light_by_environment(void)
{
	const char *s = getenv("COLORFGBG");
	const char *last = s ? strrchr(s, ';') : NULL;

	if (!last || last[1] < '0' || last[1] > '9')
		return false;
	int n = atoi(last + 1);
	return n == 7 || (n >= 9 && n <= 15);
}

bool
theme_known(const char *choice)
{
	static const char *const name[] = { "auto", "dark", "light", "mono" };

	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		if (strcmp(choice, name[i]) == 0)
			return true;
	return false;
}

void
theme_choose(struct theme *t, const char *choice, int terminal_colours, long background)
{
	const char *no = getenv("NO_COLOR");
	bool light = strcmp(choice, "light") == 0;

	if (strcmp(choice, "mono") == 0 || (no && *no))
		terminal_colours = 0;
	if (strcmp(choice, "auto") == 0 || strcmp(choice, "mono") == 0) {
		/* luma of ITU-R BT.601 */
		long r = background >> 16 & 255, g = background >> 8 & 255, b = background & 255;
		light = background >= 0 ? 299 * r + 587 * g + 114 * b > 127500 : light_by_environment();
	}
	theme_make(t, terminal_colours, light);
}

struct ink
theme_cell(const struct theme *t, const struct cell *c)
{
	struct ink l = t->ink[c->style];

	if (c->selected) {
		const struct ink *s = &t->ink[STYLE_SELECTED];
		if (s->bg >= 0 && !l.reverse)
			l.bg = s->bg;
		else
			l.reverse = !l.reverse;
	}
	if (c->cursor) {
		/* on a style that is reverse already the cursor is what is not */
		l.underline |= l.reverse;
		l.reverse = !l.reverse;
		l.bold = true;
		l.dim = false;
	}
	return l;
}

long
theme_rgb(int index)
{
	static const long first[16] = { 0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
		0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff };
	static const long level[6] = { 0, 0x5f, 0x87, 0xaf, 0xd7, 0xff };

	if (index < 16)
		return first[index < 0 ? 0 : index];
	if (index >= 232) {
		long grey = 8 + 10 * (index - 232);
		return grey << 16 | grey << 8 | grey;
	}
	index -= 16;
	return level[index / 36] << 16 | level[index / 6 % 6] << 8 | level[index % 6];
}

static long
distance(long a, long b)
{
	long r = (a >> 16 & 255) - (b >> 16 & 255), g = (a >> 8 & 255) - (b >> 8 & 255), u = (a & 255) - (b & 255);

	return 3 * r * r + 6 * g * g + u * u; /* the eye's weights, roughly */
}

/* The level of the colour cube next to v. */
static int
cube_level(long v)
{
	return v < 48 ? 0 : v < 115 ? 1 : (int)((v - 35) / 40);
}

int
theme_nearest(const struct theme *t, long rgb)
{
	int best = -1;

	if (t->colours >= 256) { /* its 16 first colours differ from terminal to terminal */
		long r = rgb >> 16 & 255, g = rgb >> 8 & 255, b = rgb & 255, grey = ((r + g + b) / 3 - 3) / 10;
		int cube = 16 + 36 * cube_level(r) + 6 * cube_level(g) + cube_level(b);
		int ramp = 232 + (int)(grey < 0 ? 0 : grey > 23 ? 23 : grey);

		return distance(theme_rgb(ramp), rgb) < distance(theme_rgb(cube), rgb) ? ramp : cube;
	}
	for (int i = 0; i < t->colours; i++)
		if (best < 0 || distance(theme_rgb(i), rgb) < distance(theme_rgb(best), rgb))
			best = i;
	return best;
}
