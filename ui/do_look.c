/*
 * do_look.c: commands that change how things are looked at, and what leaves
 * the program: colouring, layout, views, focus, copy, write.
 */
#include "ui/train.h"

#include <stdlib.h>

#include "base/mem.h"
#include "run/trace.h"

/* "difference b": compare with branch b, else with the state before. */
static enum status
difference_to(struct app *a, const char *name, struct error *e)
{
	struct app_private *p = a->priv;
	int run = a->cursor.node ? run_of(a, a->cursor.node) : 1;
	char have[8];

	p->other_branch = -1;
	if (!*name)
		return ST_OK;
	for (int b = -1; b < p->branches.n; b++) {
		if (b >= 0 && run_of(a, p->branches.at[b]) != run)
			continue;
		branch_name(a, b, have);
		if (strcmp(have, name) == 0) {
			p->other_branch = b < 0 ? -2 : b;
			return ST_OK;
		}
	}
	return error_set(e, ST_USAGE, "run %d has no branch '%s' (T shows them)", run, name);
}

enum status
do_colour(struct app *a, const char *args, struct error *e)
{
	char buf[64], *rest;
	size_t len;

	args_trim(args, buf, sizeof buf);
	if (!*buf) {
		do {
			a->colouring = (enum colouring)((a->colouring + 1) % COLOUR_COUNT);
		} while (!colouring_fits(a, a->colouring));
		a->priv->other_branch = -1;
	} else {
		int found = -1;

		len = strcspn(buf, " ");
		rest = buf + len;
		while (*rest == ' ')
			*rest++ = 0;
		for (int i = 0; i < COLOUR_COUNT; i++)
			if (strncmp(colouring_name((enum colouring)i), buf, len) == 0 && found < 0)
				found = i;
		if (found < 0)
			return error_set(e, ST_USAGE, "no colouring '%s' (Tab lists them)", buf);
		if (!colouring_fits(a, (enum colouring)found))
			return error_set(e, ST_USAGE, "this model has no labels to guide by");
		if (found == COLOUR_DIFFERENCE && difference_to(a, rest, e))
			return ST_USAGE;
		a->colouring = (enum colouring)found;
	}
	a->priv->has_value = a->priv->has_said = false;
	a->priv->moved = true;
	cursor_refresh(a);
	ask_answers(a);
	return ST_OK;
}

enum status
do_layout(struct app *a, const char *args, struct error *e)
{
	char buf[32];

	args_trim(args, buf, sizeof buf);
	if (!*buf)
		a->grid_layout = !a->grid_layout;
	else if (strcmp(buf, "grid") == 0 || strcmp(buf, "flow") == 0)
		a->grid_layout = buf[0] == 'g';
	else
		return error_set(e, ST_USAGE, "the layout is 'flow' or 'grid'");
	if (a->grid_layout && a->cursor.pos < a->layout.first) /* not on the board */
		cursor_pos(a, a->layout.first);
	return ST_OK;
}

enum status
do_reveal(struct app *a, const char *args, struct error *e)
{
	char buf[32];

	args_trim(args, buf, sizeof buf);
	if (!a->side)
		return error_set(e, ST_USAGE, "texts are revealed token by token");
	if (*buf && strcmp(buf, "rows") != 0 && strcmp(buf, "confidence") != 0)
		return error_set(e, ST_USAGE, "a step is revealed by 'rows' or by 'confidence'");
	a->reveal_by_confidence = *buf ? *buf == 'c' : !a->reveal_by_confidence;
	if (a->cursor.node)
		cursor_refresh(a);
	app_say(a, false, "a step is revealed by %s", a->reveal_by_confidence ? "confidence" : "rows");
	return ST_OK;
}

enum status
do_view(struct app *a, const char *args, struct error *e)
{
	char buf[32];

	args_trim(args, buf, sizeof buf);
	if (!*buf) {
		a->view = (a->view + 1) % app_view_count();
		return ST_OK;
	}
	for (int i = 0; i < app_view_count(); i++)
		if (strncasecmp(app_view(i)->name, buf, strlen(buf)) == 0) {
			a->view = i;
			return ST_OK;
		}
	return error_set(e, ST_USAGE, "no view '%s' (m lists them)", buf);
}

static enum status
view_named(struct app *a, const struct view *v)
{
	for (int i = 0; i < app_view_count(); i++)
		if (app_view(i) == v) {
			a->view = a->view == i ? 0 : i; /* the same key again goes back */
			break;
		}
	return ST_OK;
}

enum status
do_tree(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	a->priv->tree_at = -1; /* where the cursor is */
	return view_named(a, &view_tree);
}

enum status
do_inspect(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	return view_named(a, &view_inspect);
}

enum status
do_help(struct app *a, const char *args, struct error *e)
{
	char buf[32];
	const struct command *c;

	args_trim(args, buf, sizeof buf);
	if (!*buf)
		return view_named(a, &view_help);
	c = command_find(buf);
	if (!c)
		return error_set(e, ST_USAGE, "no command '%s' (m lists them)", buf);
	app_say(a, false, "%s%s%s: %s", c->name, *c->args ? " " : "", c->args, c->help);
	return ST_OK;
}

enum status
do_focus(struct app *a, const char *args, struct error *e)
{
	static const char *const names[FOCUS_COUNT] = { "sample", "knobs", "timeline" };
	char buf[32];

	args_trim(args, buf, sizeof buf);
	if (*buf) {
		for (int i = 0; i < FOCUS_COUNT; i++)
			if (strcmp(names[i], buf) == 0) {
				a->focus = (enum focus)i;
				return ST_OK;
			}
		return error_set(e, ST_USAGE, "the focus is on sample, knobs or timeline");
	}
	if (a->view != 0) { /* the focus is a matter of the sample: back to it */
		a->view = 0;
		return ST_OK;
	}
	a->focus = (enum focus)((a->focus + 1) % FOCUS_COUNT);
	return ST_OK;
}

enum status
do_focus_back(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	a->focus = (enum focus)((a->focus + FOCUS_COUNT - 1) % FOCUS_COUNT);
	return ST_OK;
}

enum status
do_menu(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	menu_open(a);
	return ST_OK;
}

enum status
do_command(struct app *a, const char *args, struct error *e)
{
	(void)e;
	prompt_open(a, args);
	return ST_OK;
}

enum status
do_select(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	a->cursor.select_from = a->cursor.select_from < 0 ? a->cursor.pos : -1;
	return ST_OK;
}

/* The text shown, or of the selection only; malloced. */
static char *
text_of(const struct app *a, bool selection, size_t *bytes)
{
	int from = 0, to = a->priv->L - 1;
	char *raw, *good;
	size_t n;

	if (selection && a->cursor.select_from >= 0) {
		from = a->cursor.select_from < a->cursor.pos ? a->cursor.select_from : a->cursor.pos;
		to = a->cursor.select_from < a->cursor.pos ? a->cursor.pos : a->cursor.select_from;
	}
	raw = tok_decode(a->tok, a->priv->tok + from, (size_t)(to - from + 1), false, &n);
	if (!raw)
		return NULL;
	good = utf8_repair(raw, n, bytes);
	free(raw);
	return good;
}

enum status
do_copy(struct app *a, const char *args, struct error *e)
{
	char buf[32];
	size_t n = 0;

	if (need_node(a, e))
		return ST_FAIL;
	free(a->copy);
	if (strcmp(args_trim(args, buf, sizeof buf), "recipe") == 0) {
		char line[600];

		recipe_format(&a->recipe, line, sizeof line);
		a->copy = mem_strdup(line);
		n = strlen(line);
	} else {
		a->copy = text_of(a, true, &n);
	}
	if (!a->copy)
		return error_set(e, ST_MEMORY, "out of memory");
	app_say(a, false, "copied %zu bytes%s", n, a->cursor.select_from >= 0 ? " of the selection" : "");
	a->cursor.select_from = -1;
	return ST_OK;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* The text of the sample shown, or (FILE.jsonl) the branch up to here as a trace. */
static enum status
write_to(struct app *a, const char *path, struct outfile *o, struct error *e)
{
	const struct app_private *p = a->priv;
	enum status st;
	char *text;
	size_t n = 0;

	if (ends_with(path, ".jsonl"))
		return trace_branch(o, sampler_tree(a->sampler), a->cursor.node, p->S, p->L, a->tok, a->name, NULL, e);
	text = text_of(a, false, &n);
	if (!text)
		return error_set(e, ST_MEMORY, "out of memory");
	st = outfile_write(o, text, n, e);
	free(text);
	return st ? st : outfile_write(o, "\n", 1, e);
}

enum status
do_write(struct app *a, const char *args, struct error *e)
{
	char path[512];
	struct outfile *o;
	enum status st;

	if (need_node(a, e))
		return ST_FAIL;
	args_trim(args, path, sizeof path);
	if (!*path)
		return error_set(e, ST_USAGE, "write to which file? (write sample.txt, write trace.jsonl)");
	st = outfile_open(path, &o, e);
	if (st)
		return st;
	st = write_to(a, path, o, e);
	if (st)
		outfile_abort(o);
	else
		st = outfile_commit(o, e);
	if (!st)
		app_say(a, false, "wrote step %d to %s", a->cursor.node->step, path);
	return st;
}

/* --- wishes for the terminal loop --- */

enum status
do_redraw(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	a->redraw = true;
	return ST_OK;
}

enum status
do_suspend(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	a->suspend = true;
	return ST_OK;
}

enum status
do_mouse(struct app *a, const char *args, struct error *e)
{
	char buf[16];

	args_trim(args, buf, sizeof buf);
	if (*buf && strcmp(buf, "on") != 0 && strcmp(buf, "off") != 0)
		return error_set(e, ST_USAGE, "mouse is 'on' or 'off'");
	a->mouse = *buf ? buf[1] == 'n' : !a->mouse;
	return ST_OK;
}

enum status
do_theme(struct app *a, const char *args, struct error *e)
{
	static const char *const names[] = { "auto", "dark", "light", "mono" };
	char buf[16];

	args_trim(args, buf, sizeof buf);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], buf) == 0) {
			snprintf(a->theme, sizeof a->theme, "%s", names[i]);
			a->redraw = true;
			return ST_OK;
		}
	return error_set(e, ST_USAGE, "the theme is auto, dark, light or mono");
}

enum status
do_quit(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	app_leave(a);
	return ST_OK;
}

/* --- words for completion --- */

/* The i-th word of "a|b|c". */
static const char *
choice(const char *list, int i)
{
	static char buf[32];

	while (list && i-- > 0) {
		list = strchr(list, '|');
		list = list ? list + 1 : NULL;
	}
	if (!list || !*list)
		return NULL;
	snprintf(buf, sizeof buf, "%.*s", (int)strcspn(list, "|"), list);
	return buf;
}

const char *
app_word(const char *what, int i)
{
	if (i < 0)
		return NULL;
	if (strcmp(what, "view") == 0)
		return i < app_view_count() ? app_view(i)->name : NULL;
	if (strcmp(what, "colour") == 0)
		return i < COLOUR_COUNT ? colouring_name((enum colouring)i) : NULL;
	if (strcmp(what, "knob") == 0)
		return i < recipe_knob_count() ? recipe_knob(i)->name : NULL;
	if (strcmp(what, "preset") == 0)
		return i < recipe_preset_count() ? recipe_preset_name(i) : NULL;
	if (strncmp(what, "train ", 6) == 0)
		return train_word(what + 6, i);
	if (strncmp(what, "value ", 6) == 0) {
		const struct knob *k = recipe_knob_find(what + 6);

		return k ? choice(k->choices, i) : NULL;
	}
	return NULL;
}
