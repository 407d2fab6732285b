/*
 * view_tree.c: the tree of runs and branches, one line a branch, steps from
 * left to right, so that branches stand under the step where they begin.
 * Screen thread only.
 */
#include <stdlib.h>

#include "ui/app_private.h"

#define ROWS_MAX 512
#define LABEL 7

/* One line: a branch, the line of its parent, the steps it covers. */
struct row { struct node *first; int branch, run, parent, from, to; bool done; };

struct rows { struct row at[ROWS_MAX]; int n; };

/* The oldest child: the one that goes on with the branch. */
static struct node *
along(const struct node *n)
{
	struct node *c = atomic_load_explicit(&n->down, memory_order_acquire);

	while (c && c->next)
		c = c->next;
	return c;
}

static void
add_branch(const struct app *a, struct rows *v, struct node *first, int branch, int run, int parent)
{
	const struct nodes *b = &a->priv->branches;
	struct node *tip = first;
	int me = v->n;

	if (v->n == ROWS_MAX)
		return;
	for (struct node *c; (c = along(tip));)
		tip = c;
	v->at[v->n++] =
		(struct row){ first, branch, run, parent, first->up ? first->up->step : 0, tip->step, tip->done };
	/* Its branches below it, the latest fork first: so no line crosses another. */
	for (struct node *u = tip;; u = u->up) {
		for (int i = b->n - 1; i >= 0; i--)
			if (b->at[i]->up == u)
				add_branch(a, v, b->at[i], i, run, me);
		if (u == first)
			break;
	}
}

static void
collect(const struct app *a, struct rows *v)
{
	v->n = 0;
	for (int i = 0; i < a->priv->runs.n; i++)
		add_branch(a, v, a->priv->runs.at[i], -1, i + 1, -1);
}

static int
row_of_cursor(const struct app *a, const struct rows *v)
{
	int branch, run;

	if (!a->cursor.node)
		return 0;
	branch = branch_of(a, a->cursor.node);
	run = run_of(a, a->cursor.node);
	for (int i = 0; i < v->n; i++)
		if (v->at[i].branch == branch && v->at[i].run == run)
			return i;
	return 0;
}

/* Choose what the cursor stands on, if nothing is chosen. */
static void
settle(struct app *a, const struct rows *v)
{
	struct app_private *p = a->priv;

	if (p->tree_at < 0 || p->tree_at >= v->n) {
		p->tree_at = row_of_cursor(a, v);
		p->tree_step = a->cursor.node ? a->cursor.node->step : 0;
	}
}

/* What makes this branch another one than its parent: knobs, or an edit. */
static void
say_branch(const struct row *r, char *buf, size_t size)
{
	const struct recipe *mine = r->first->on ? &r->first->on->r : NULL, *parent = NULL;
	char x[64], y[64];
	size_t at = 0;
	bool all = false;        /* kappa is one for all zones */

	buf[0] = 0;
	if (!mine)
		return;
	if (!r->first->up) {
		snprintf(buf, size, "seed %llu  %s", (unsigned long long)mine->seed,
			*mine->preset ? mine->preset : "own recipe");
		return;
	}
	if (!r->first->leg) {
		snprintf(buf, size, "edited by hand");
		return;
	}
	/* The sibling that was there before is what it departs from. */
	if (r->first->next && r->first->next->on)
		parent = &r->first->next->on->r;
	for (int i = 0; parent && i < recipe_knob_count() && at + 1 < size; i++) {
		const char *name = recipe_knob(i)->name;

		recipe_get(mine, name, x, sizeof x);
		recipe_get(parent, name, y, sizeof y);
		if (strcmp(name, "kappa") == 0 && strcmp(x, "zones") == 0)
			continue; /* the zones say it */
		all |= strcmp(name, "kappa") == 0;
		if (strncmp(name, "zone-", 5) == 0 && all)
			continue;
		if (strcmp(x, y) != 0) {
			int n = snprintf(buf + at, size - at, "%s%s %s", at ? "  " : "", recipe_knob(i)->shown, x);

			at += n > 0 ? (size_t)n : 0;
		}
	}
}

static int
col(int step, int most, int w)
{
	return most > 0 ? (int)((long long)step * (w - 1) / most) : 0;
}

/* Down from a fork on its parent's line to the branch. */
static void
draw_joint(struct canvas *c, struct rect r, int x, int from, int to)
{
	for (int y = from + 1; y < to; y++)
		if (y >= 0 && y < r.h)
			canvas_char(c, r, x, y, STYLE_AXIS, c->utf8 ? 0x2502 : '|');
	if (from >= 0 && from < r.h)
		canvas_char(c, r, x, from, STYLE_AXIS, c->utf8 ? 0x252c : '+');
	if (to >= 0 && to < r.h)
		canvas_char(c, r, x, to, STYLE_AXIS, c->utf8 ? 0x2514 : '`');
}

static void
draw_line(struct canvas *c, struct rect plot, const struct row *row, bool here, int y, int most)
{
	int x0 = col(row->from, most, plot.w), x1 = col(row->to, most, plot.w);
	enum style s = here ? STYLE_BOLD : STYLE_AXIS;

	for (int x = x0 + (row->parent >= 0); x < x1; x++)
		canvas_char(c, plot, x, y, s, c->utf8 ? 0x2500 : '-');
	canvas_char(c, plot, x1, y, s, row->done ? (c->utf8 ? 0x25cf : 'o') : (c->utf8 ? 0x25cb : '>'));
}

static void
draw_row(struct app *a, struct canvas *c, struct rect in, struct rect plot, const struct row *row, bool chosen, int y)
{
	char name[8], line[120];

	branch_name(a, row->branch, name);
	if (row->branch < 0)
		canvas_printf(c, in, 0, y, chosen ? STYLE_BOLD : STYLE_TEXT, "%3d %s", row->run, name);
	else
		canvas_put(c, in, 4, y, chosen ? STYLE_BOLD : STYLE_TEXT, name);
	if (chosen)
		canvas_cursor(c, in, 0, y, LABEL - 1);
	say_branch(row, line, sizeof line);
	canvas_printf(c, in, LABEL + plot.w + 2, y, STYLE_DIM, "%4d  %s", row->to, line);
}

/* All lines, then the forks on them, then where the cursor and the choice are. */
static void
draw_rows(struct app *a, struct canvas *c, struct rect list, struct rect plot, const struct rows *v, int most)
{
	const struct app_private *p = a->priv;
	int here = row_of_cursor(a, v);

	for (int i = p->tree_top; i < v->n && i - p->tree_top < list.h; i++)
		draw_line(c, plot, &v->at[i], i == here, i - p->tree_top, most);
	for (int i = 0; i < v->n; i++)
		if (v->at[i].parent >= 0)
			draw_joint(c, plot, col(v->at[i].from, most, plot.w), v->at[i].parent - p->tree_top,
				i - p->tree_top);
	if (a->cursor.node && here >= p->tree_top)
		canvas_char(c, plot, col(a->cursor.node->step, most, plot.w), here - p->tree_top, STYLE_TITLE,
			c->utf8 ? 0x25c6 : '*');
	for (int i = p->tree_top; i < v->n && i - p->tree_top < list.h; i++)
		draw_row(a, c, list, plot, &v->at[i], i == p->tree_at, i - p->tree_top);
	canvas_cursor(c, plot, col(p->tree_step, most, plot.w), p->tree_at - p->tree_top, 1);
}

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	static struct rows v;
	struct app_private *p = a->priv;
	struct rect in = canvas_frame(c, r, STYLE_FOCUS, "tree of branches"), list;
	int most = 1, info = in.w >= 90 ? 44 : in.w >= 60 ? 28 : 8, w = in.w - LABEL - info;

	collect(a, &v);
	settle(a, &v);
	for (int i = 0; i < v.n; i++)
		most = v.at[i].to > most ? v.at[i].to : most;
	list = (struct rect){ in.x, in.y, in.w, in.h - 2 };
	if (p->tree_top > p->tree_at)
		p->tree_top = p->tree_at;
	if (p->tree_top < p->tree_at - list.h + 1)
		p->tree_top = p->tree_at - list.h + 1;
	draw_rows(a, c, list, (struct rect){ list.x + LABEL, list.y, w, list.h }, &v, most);
	if (v.n) {
		char name[8];

		branch_name(a, v.at[p->tree_at].branch, name);
		canvas_printf(c, in, 0, in.h - 1, STYLE_TEXT, "run %d branch %s step %d: Enter goes there",
			v.at[p->tree_at].run, name, p->tree_step);
	}
}

static void
clip_step(struct app *a, const struct rows *v)
{
	const struct row *row = &v->at[a->priv->tree_at];
	int *s = &a->priv->tree_step, low = row->from + (row->parent >= 0);

	*s = *s < low ? low : *s > row->to ? row->to : *s;
}

static struct node *
node_at(const struct row *row, int step)
{
	struct node *n = row->first;

	for (struct node *c; n->step < step && (c = along(n));)
		n = c;
	return n;
}

static bool
key(struct app *a, const struct key *k, int count)
{
	static struct rows v;
	struct app_private *p = a->priv;
	const char *n = k->name;
	int by = count > 0 ? count : 1;

	collect(a, &v);
	if (strcmp(n, "<Esc>") == 0) {
		a->view = 0;
		return true;
	}
	if (v.n == 0)
		return false;
	settle(a, &v);
	if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		p->tree_at = p->tree_at > by ? p->tree_at - by : 0;
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		p->tree_at = p->tree_at + by < v.n ? p->tree_at + by : v.n - 1;
	else if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		p->tree_step -= by;
	else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		p->tree_step += by;
	else if (strcmp(n, "<Home>") == 0)
		p->tree_step = 0;
	else if (strcmp(n, "<End>") == 0)
		p->tree_step = INT_MAX;
	else if (strcmp(n, "<Enter>") == 0) {
		stop_steps(a);
		p->merge = false;
		cursor_go_along(a, node_at(&v.at[p->tree_at], p->tree_step));
		a->view = 0;
		return true;
	} else {
		return false;
	}
	clip_step(a, &v);
	return true;
}

const struct view view_tree = { "Tree", draw, key, "all runs and branches of this session; Enter goes to a state" };
