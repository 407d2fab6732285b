/*
 * theme.h: how each style looks with 24-bit, 256, 16 and 8 colours and with
 * none, on dark and on light backgrounds.  Pure; knows no terminal.
 */
#ifndef PSI_UI_THEME_H
#define PSI_UI_THEME_H

#include "ui/canvas.h"

/* Colours are numbers of the 256-colour palette; -1: the terminal's own. */
struct ink {
	short fg, bg;
	bool bold, dim, underline, reverse;
};

struct theme {
	int colours;             /* 0 (mono), 8, 16, 256; 1 << 24 */
	bool light;
	struct ink ink[STYLE_COUNT];
};

/* terminal_colours: what the terminal can (<= 2: none). */
void theme_make(struct theme *t, int terminal_colours, bool light);
/* choice: "auto", "dark", "light", "mono".  NO_COLOR (any text) and mono give
 * no colours.  background: 0xrrggbb as the terminal said, -1 unknown (then
 * COLORFGBG counts, else dark). */
void theme_choose(struct theme *t, const char *choice, int terminal_colours, long background);
bool theme_known(const char *choice);
/* A cell, with cursor and selection on top of its style. */
struct ink theme_cell(const struct theme *t, const struct cell *c);
/* The palette entry that looks most like 0xrrggbb; -1: there are no colours. */
int theme_nearest(const struct theme *t, long rgb);
/* 0xrrggbb of a palette entry as xterm shows it. */
long theme_rgb(int index);

#endif
