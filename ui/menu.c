/*
 * menu.c: the menu on `m`: every command of the one list, by group.  Screen
 * thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/app.h"

#define HELP_BESIDE 60           /* columns from which on help stands beside the names */

struct menu {
	enum command_group group;
	int here;                /* chosen entry of the group */
	int top;                 /* first entry shown */
};

void
menu_free(struct menu *m)
{
	free(m);
}

/* What a menu has no use for. */
static bool
left_out(const struct command *c)
{
	return c->id == CMD_MENU || c->id == CMD_COMMAND || c->id == CMD_KEYS || c->id == CMD_WAIT;
}

/* Entry i of a group; NULL past the end. */
static const struct command *
entry(enum command_group g, int i)
{
	for (int k = 0; k < CMD_COUNT; k++)
		if (command_list[k].group == g && !left_out(&command_list[k]) && i-- == 0)
			return &command_list[k];
	return NULL;
}

static int
entries(enum command_group g)
{
	int n = 0;

	while (entry(g, n))
		n++;
	return n;
}

static void
choose(struct menu *m, int i)
{
	int n = entries(m->group);

	m->here = i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void
run(struct app *a, const char *line)
{
	struct error e = { 0 };

	if (app_command(a, line, &e) != ST_OK)
		app_say(a, true, "%s", e.msg);
}

/* Enter: run it, or let its argument be typed. */
static void
take(struct app *a, const struct command *c)
{
	char line[64];

	if (*c->args && *c->args != '[') {
		snprintf(line, sizeof line, "%s ", c->name);
		prompt_open(a, line);
	} else {
		run(a, c->name);
	}
}

static bool
is(const struct key *k, const char *name)
{
	return strcmp(k->name, name) == 0;
}

static bool
menu_key(struct app *a, const struct key *k, int count)
{
	struct menu *m = a->menu;
	char line[64];

	(void)count;
	if (is(k, "<Up>") || is(k, "k") || is(k, "<WheelUp>"))
		choose(m, m->here - 1);
	else if (is(k, "<Down>") || is(k, "j") || is(k, "<WheelDown>"))
		choose(m, m->here + 1);
	else if (is(k, "<Home>"))
		choose(m, 0);
	else if (is(k, "<End>"))
		choose(m, CMD_COUNT);
	else if (is(k, "<Right>") || is(k, "<Tab>") || is(k, "l"))
		m->group = (m->group + 1) % GROUP_END, m->here = m->top = 0;
	else if (is(k, "<Left>") || is(k, "<S-Tab>") || is(k, "h"))
		m->group = (m->group + GROUP_END - 1) % GROUP_END, m->here = m->top = 0;
	else if (is(k, "<Enter>"))
		return take(a, entry(m->group, m->here)), false;
	else if (is(k, "<Esc>") || is(k, "m") || is(k, "q") || is(k, "<C-c>"))
		return false;
	else if (command_line_of_key(k->name, 0, line, sizeof line)) /* the key shown beside an entry */
		return run(a, line), false;
	return true;
}

/* The first key of c as people write it. */
static void
show_key(const struct command *c, char *buf, size_t size)
{
	char first[32];

	snprintf(first, sizeof first, "%.*s", (int)strcspn(c->keys, " "), c->keys);
	key_show(first, buf, size);
}

static void
draw_entry(const struct command *c, struct canvas *cv, struct rect r, int y, bool here)
{
	enum style s = here ? STYLE_MENU_HERE : STYLE_TEXT;
	char keys[24];

	for (int x = 0; here && x < r.w; x++)
		canvas_char(cv, r, x, y, s, ' ');
	show_key(c, keys, sizeof keys);
	canvas_put(cv, (struct rect){ r.x, r.y, 9, r.h }, 1, y, here ? s : STYLE_KEY, keys);
	canvas_put(cv, r, 10, y, s, c->name);
	if (r.w >= HELP_BESIDE)
		canvas_printf(cv, r, 27, y, here ? s : STYLE_DIM, "%s", c->help);
}

/* Where there is no room beside the names: the chosen entry's help in two lines. */
static void
draw_help(const char *help, struct canvas *c, struct rect r)
{
	size_t n = strlen(help), first = n;

	if ((int)n > r.w - 2)
		for (first = (size_t)r.w - 2; first > 0 && help[first] != ' ';)
			first--;
	canvas_putn(c, r, 1, 0, STYLE_DIM, help, first);
	if (first < n)
		canvas_put(c, r, 1, 1, STYLE_DIM, help + first + 1);
}

static void
draw_groups(const struct menu *m, struct canvas *c, struct rect r)
{
	int x = 1;

	for (int g = 0; g < GROUP_END; g++) {
		enum style s = g == (int)m->group ? STYLE_MENU_HERE : STYLE_TEXT;
		x += 1 + canvas_printf(c, r, x, 0, s, " %s ", command_group_name((enum command_group)g));
	}
	canvas_put(c, r, r.w - 22, 0, STYLE_DIM, x < r.w - 22 ? "arrows, Enter, Esc" : "");
}

static void
menu_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct menu *m = a->menu;
	int n = entries(m->group);
	int w = r.w < 86 ? r.w : 86, h = n + (w < HELP_BESIDE + 2 ? 5 : 3);
	struct rect box = { r.x, r.y + 1, w, h < r.h - 2 ? h : r.h - 2 };

	canvas_clear(c, box);
	struct rect in = canvas_frame(c, box, STYLE_FOCUS, "menu");
	draw_groups(m, c, in);
	bool below = in.w < HELP_BESIDE && in.h > 4 && in.w > 4;
	struct rect list = { in.x, in.y + 1, in.w, in.h - (below ? 3 : 1) };
	if (m->here < m->top)
		m->top = m->here;
	if (m->here >= m->top + list.h)
		m->top = m->here - list.h + 1;
	if (m->top + list.h > n)
		m->top = n > list.h ? n - list.h : 0;
	for (int y = 0; y < list.h && m->top + y < n; y++)
		draw_entry(entry(m->group, m->top + y), c, list, y, m->top + y == m->here);
	if (below)
		draw_help(entry(m->group, m->here)->help, c, (struct rect){ in.x, in.y + in.h - 2, in.w, 2 });
	if (m->top > 0)
		canvas_char(c, box, box.w - 1, 2, STYLE_FOCUS, 0x2191);
	if (m->top + list.h < n)
		canvas_char(c, box, box.w - 1, list.y - box.y + list.h - 1, STYLE_FOCUS, 0x2193);
}

void
menu_open(struct app *a)
{
	if (!a->menu && !(a->menu = mem_calloc(1, sizeof *a->menu))) {
		app_say(a, true, "out of memory");
		return;
	}
	app_popup(a, (struct popup){ .draw = menu_draw, .key = menu_key, .quiet = true });
}
