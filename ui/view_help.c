/*
 * view_help.c: the help view, made from the lists of commands, causes and
 * knobs.  Screen thread.
 */
#include <string.h>

#include "ui/app_private.h"

/* The page is as long as it is: lines are counted, and those in sight drawn. */
struct page {
	struct canvas *c;        /* NULL: only count */
	struct rect r;
	int top, lines;
};

/* The next line's row in r; -1: out of sight. */
static int
next_row(struct page *p)
{
	int y = p->lines++ - p->top;

	return p->c && y >= 0 && y < p->r.h ? y : -1;
}

static void
say(struct page *p, enum style s, const char *text)
{
	int y = next_row(p);

	if (y >= 0)
		canvas_put(p->c, p->r, 1, y, s, text);
}

/* Text broken between words, from column x on; the first line is begun already. */
static void
flow(struct page *p, int y, int x, const char *text)
{
	int room = p->r.w - x - 1;

	if (room < 10)
		room = 10;
	while (*text) {
		size_t n = strlen(text);
		if ((int)n > room) {
			n = (size_t)room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = (size_t)room;
		}
		if (y >= 0)
			canvas_putn(p->c, p->r, x, y, STYLE_TEXT, text, n);
		text += n;
		text += strspn(text, " ");
		if (*text)
			y = next_row(p);
	}
}

static void
paragraph(struct page *p, const char *text)
{
	flow(p, next_row(p), 1, text);
	next_row(p);
}

static void
first_minute(struct page *p)
{
	say(p, STYLE_BOLD, "In the first minute");
	paragraph(p, "Space plays, s makes one step, S goes back. The arrows move the cursor; Enter tells everything "
	    "about the token under it. Tab goes on to the knobs (left and right choose one, up and down turn it) and "
	    "to the timeline. m shows all commands, : takes one typed, q leaves.");
	paragraph(p, "All positions of a step come from one network call. . and , only show the changes of a step one "
	    "after the other, predictor first, then corrector; nothing is computed for that.");
	paragraph(p, "A state is never overwritten: a knob turned at a past state makes a branch, and T shows them "
	    "all.");
}

/* "[cause|confidence|...]" says too much for a table: the choices are named by Tab. */
static void
command_line(struct page *p, const struct command *c)
{
	int narrow = p->r.w < 60, name_x = narrow ? 10 : 12, help_x = narrow ? 12 : 38;
	int y = next_row(p);

	if (y >= 0) {
		char keys[32];
		if (c->id == CMD_VIEW)
			snprintf(keys, sizeof keys, "Alt-1..8");
		else
			key_show(c->keys, keys, sizeof keys);
		canvas_put(p->c, (struct rect){ p->r.x, p->r.y, name_x - 1, p->r.h }, 1, y, STYLE_KEY, keys);
		int n = canvas_put(p->c, p->r, name_x, y, STYLE_BOLD, c->name);
		if (strlen(c->args) < 16)
			canvas_put(p->c, p->r, name_x + n + 1, y, STYLE_DIM, c->args);
	}
	flow(p, narrow ? next_row(p) : y, help_x, c->help);
}

static void
commands(struct page *p)
{
	for (int g = 0; g < GROUP_END; g++) {
		say(p, STYLE_BOLD, command_group_name((enum command_group)g));
		for (int i = 0; i < CMD_COUNT; i++)
			if ((int)command_list[i].group == g)
				command_line(p, &command_list[i]);
		next_row(p);
	}
}

static void
causes(struct page *p)
{
	say(p, STYLE_BOLD, "Why a token changed");
	for (int c = 0; c < CAUSE_COUNT; c++) {
		const struct cause_info *info = cause_info((enum cause)c);
		if (info->mark == 0 || info->mark == ' ')
			continue;
		int y = next_row(p);
		if (y >= 0) {
			canvas_printf(p->c, p->r, 1, y, cause_style((enum cause)c), "%cword", info->mark);
			canvas_put(p->c, p->r, 8, y, STYLE_BOLD, info->name);
		}
		flow(p, y, 26, info->words);
	}
	next_row(p);
}

static void
knobs(struct page *p)
{
	say(p, STYLE_BOLD, "Knobs (:set KNOB VALUE)");
	for (int i = 0; i < recipe_knob_count(); i++) {
		const struct knob *k = recipe_knob(i);
		int y = next_row(p);
		if (y >= 0)
			canvas_put(p->c, p->r, 1, y, STYLE_BOLD, k->name);
		flow(p, y, 20, k->help);
	}
}

static void
whole_page(struct page *p)
{
	first_minute(p);
	commands(p);
	causes(p);
	knobs(p);
}

static void
help_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct rect in = canvas_frame(c, r, STYLE_BORDER, "help");
	struct page count = { .r = in };

	whole_page(&count);
	a->help_rows = in.h;
	int last = count.lines > in.h ? count.lines - in.h : 0;
	a->help_top = a->help_top < 0 ? 0 : a->help_top > last ? last : a->help_top;
	struct page p = { .c = c, .r = in, .top = a->help_top };
	whole_page(&p);
	if (last && r.w > 30)
		canvas_printf(c, r, r.w - 17, r.h - 1, STYLE_DIM, " %3d%% ", 100 * a->help_top / last);
}

static bool
help_key(struct app *a, const struct key *k, int count)
{
	static const struct { const char *key; int by; } by[] = {
		{ "<Up>", -1 }, { "k", -1 }, { "<WheelUp>", -3 }, { "<Down>", 1 }, { "j", 1 }, { "<WheelDown>", 3 },
		{ "<Home>", -100000 }, { "<End>", 100000 },
	};
	int page = a->help_rows > 2 ? a->help_rows - 1 : 1;
	bool up = strcmp(k->name, "<PgUp>") == 0;

	if (up || strcmp(k->name, "<PgDn>") == 0) {
		a->help_top += up ? -page : page;
		return true;
	}
	for (size_t i = 0; i < sizeof by / sizeof *by; i++)
		if (strcmp(k->name, by[i].key) == 0) {
			a->help_top += by[i].by * (count > 0 && count < 1000 ? count : 1);
			return true;
		}
	return false;
}

const struct view view_help = { .name = "help", .draw = help_draw, .key = help_key,
	.help = "keys, commands, causes and knobs" };
