/*
 * knobs.c: the knob bar: the knobs of the one list (recipe.h) that matter for
 * this model, and figures of the run.  Screen thread only.
 */
#include <stdlib.h>

#include "ui/app_private.h"

/* These come first; the others follow in the order of the list. */
static const char *const first[] = { "kappa", "cfg", "label", "cls", "steps", "top-p", "temperature", "profile",
	"removal", "top-k", "seed", "weights", "per" };
#define N_FIRST ((int)(sizeof first / sizeof *first))
#define KNOBS_MAX 64

bool
knob_matters(const struct app *a, int knob)
{
	const char *n = recipe_knob(knob)->name;
	const struct model *m = a->model;

	if (strcmp(n, "cfg") == 0 || strcmp(n, "cfg-mix") == 0)
		return m->classes > 0;
	if (strcmp(n, "label") == 0)
		return recipe_classes(m) > 0;
	if (strcmp(n, "cls") == 0 || strcmp(n, "guide") == 0)
		return m->guide != NULL;
	if (strcmp(n, "d3pm-compat") == 0)
		return m->out == OUT_D3PM;
	if (strcmp(n, "weights") == 0)
		return a->model_raw != NULL;
	if (strcmp(n, "samples") == 0 || strcmp(n, "first") == 0) /* they belong to the session */
		return false;
	if (m->out == OUT_CAUSAL && strcmp(n, "steps") == 0)
		return false;
	if (strcmp(n, "kappa") == 0 || strncmp(n, "zone", 4) == 0 || strcmp(n, "per") == 0 || strcmp(n, "high") == 0 ||
	    strcmp(n, "middle") == 0)
		return has_kappa(a);
	if (strcmp(n, "profile") == 0 || strcmp(n, "removal") == 0)
		return m->out != OUT_CAUSAL;
	if (strncmp(n, "top-", 4) == 0 || strcmp(n, "temperature") == 0)
		return m->out != OUT_SCORE;
	return true;
}

static int
rank_of(const char *name)
{
	for (int i = 0; i < N_FIRST; i++)
		if (strcmp(first[i], name) == 0)
			return i;
	return -1;
}

/* Knobs in the order of the bar; returns how many. */
static int
order(const struct app *a, int out[KNOBS_MAX])
{
	int n = 0;

	for (int i = 0; i < N_FIRST; i++)
		for (int k = 0; k < recipe_knob_count(); k++)
			if (strcmp(recipe_knob(k)->name, first[i]) == 0 && knob_matters(a, k))
				out[n++] = k;
	for (int k = 0; k < recipe_knob_count() && n < KNOBS_MAX; k++)
		if (rank_of(recipe_knob(k)->name) < 0 && knob_matters(a, k))
			out[n++] = k;
	return n;
}

static int
place(const int *knob, int n, int which)
{
	for (int i = 0; i < n; i++)
		if (knob[i] == which)
			return i;
	return 0;
}

static int
cells(const struct app *a, int knob)
{
	char value[64];

	knob_words(a, recipe_knob(knob)->name, &a->recipe, value, sizeof value);
	return text_width(recipe_knob(knob)->shown, strlen(recipe_knob(knob)->shown)) + 1 +
		text_width(value, strlen(value));
}

/* H, network calls and time of the run, right of the knobs; returns its width. */
static int
figures(struct app *a, struct canvas *c, struct rect r)
{
	const struct node *n = a->cursor.node;
	char line[64], h[16];
	long nfe = 0;
	double ms;
	int w;

	if (!n)
		return 0;
	for (const struct node *u = n; u->up; u = u->up)
		nfe += u->counts.nfe;
	ms = a->priv->fixed_ms >= 0 ? a->priv->fixed_ms : n->counts.net_ms + n->counts.rest_ms;
	say_number(n->entropy, h, sizeof h);
	if (n->up)
		w = snprintf(line, sizeof line, "H %s  NFE %ld  %.*f ms", h, nfe, ms < 10 ? 1 : 0, ms);
	else
		w = snprintf(line, sizeof line, "H %s  NFE 0", h);
	if (w > r.w / 2)
		return 0;
	canvas_put(c, r, r.w - w - 1, 0, STYLE_DIM, line);
	return w + 2;
}

/* First knob to draw, so that the chosen one is inside. */
static int
scrolled(const struct app *a, const int *knob, int n, int chosen, int width)
{
	int from = 0;

	for (;; from++) {
		int x = 0, last = from;

		for (int i = from; i < n; i++) {
			x += cells(a, knob[i]) + (i > from ? 3 : 0);
			if (x > width - 2)
				break;
			last = i;
		}
		if (chosen <= last || from >= chosen)
			return from;
	}
}

void
knobs_draw(struct app *a, struct canvas *c, struct rect r)
{
	int knob[KNOBS_MAX], n = order(a, knob), chosen = place(knob, n, a->knob), from, x, i;
	bool focus = a->focus == FOCUS_KNOBS;
	int width = r.w - 1 - figures(a, c, r);
	char value[64], old[64];

	from = scrolled(a, knob, n, chosen, width - 1);
	canvas_char(c, r, 0, 0, focus ? STYLE_FOCUS : STYLE_DIM, focus ? '>' : from > 0 ? '<' : ' ');
	x = 1;
	a->priv->knob_area = r;
	a->priv->n_knob = 0;
	for (i = from; i < n; i++) {
		const struct knob *k = recipe_knob(knob[i]);
		int w = cells(a, knob[i]);
		bool changed;

		if (x + w + (i > from ? 3 : 0) > width)
			break;
		if (i > from)
			x += canvas_put(c, r, x, 0, STYLE_BORDER, c->utf8 ? " │ " : " | ");
		knob_words(a, k->name, &a->recipe, value, sizeof value);
		knob_words(a, k->name, cursor_recipe(a), old, sizeof old);
		changed = a->priv->held && strcmp(value, old) != 0;
		canvas_put(c, r, x, 0, STYLE_DIM, k->shown);
		canvas_put(c, r, x + w - text_width(value, strlen(value)), 0, changed ? STYLE_PREVIEW : STYLE_BOLD,
			value);
		if (focus && i == chosen)
			canvas_cursor(c, r, x, 0, w);
		x += w;
		if (a->priv->n_knob < 16) {
			a->priv->knob_end[a->priv->n_knob] = r.x + x;
			a->priv->knob_id[a->priv->n_knob++] = knob[i];
		}
	}
	if (i < n && x + 2 <= width)
		canvas_put(c, r, x + 1, 0, STYLE_DIM, ">");
}

/* --- keys --- */

bool
knobs_click(struct app *a, int x, int y)
{
	const struct app_private *p = a->priv;

	if (y != p->knob_area.y)
		return false;
	a->focus = FOCUS_KNOBS;
	for (int i = 0; i < p->n_knob; i++)
		if (x < p->knob_end[i]) {
			a->knob = p->knob_id[i];
			break;
		}
	return true;
}

static bool
nudge(struct app *a, int by)
{
	struct recipe r = a->recipe;
	const struct knob *k = recipe_knob(a->knob);
	struct error e = { 0 };

	recipe_nudge(&r, k->name, by);
	if (knobs_take(a, &r, &e))
		app_say(a, true, "%s", e.msg);
	else if (!*a->message)
		knobs_said(a, k->name);
	return true;
}

static bool
choose(struct app *a, int by)
{
	int knob[KNOBS_MAX], n = order(a, knob), at = place(knob, n, a->knob) + by;
	const struct knob *k;

	a->knob = knob[at < 0 ? 0 : at >= n ? n - 1 : at];
	k = recipe_knob(a->knob);
	app_say(a, false, "%s: %s", k->shown, k->help);
	return true;
}

static bool
back_to_default(struct app *a)
{
	struct recipe r = a->recipe, d = a->recipe;
	const char *name = recipe_knob(a->knob)->name;
	struct error e = { 0 };
	char value[64];
	enum status st = ST_OK;

	if (*d.preset) {
		st = recipe_preset(&d, d.preset, &e);
	} else {
		recipe_default(a->model, false, &d);
	}
	recipe_get(&d, name, value, sizeof value);
	if (!st && strcmp(value, "zones") == 0) /* kappa, and the preset's zones differ: all of them */
		memcpy(r.zone, d.zone, sizeof r.zone);
	else if (!st)
		st = recipe_set(&r, name, value, &e);
	if (!st)
		st = knobs_take(a, &r, &e);
	if (st)
		app_say(a, true, "%s", e.msg);
	else
		knobs_said(a, name);
	return true;
}

bool
knobs_key(struct app *a, const struct key *k, int count)
{
	const char *n = k->name;
	int by = count > 0 ? count : 1;
	char line[64];

	if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		return choose(a, -by);
	if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		return choose(a, by);
	if (strcmp(n, "<Home>") == 0)
		return choose(a, -KNOBS_MAX);
	if (strcmp(n, "<End>") == 0)
		return choose(a, KNOBS_MAX);
	if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0 || strcmp(n, "+") == 0 || strcmp(n, "=") == 0)
		return nudge(a, by);
	if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0 || strcmp(n, "-") == 0)
		return nudge(a, -by);
	if (strcmp(n, "<Backspace>") == 0)
		return back_to_default(a);
	if (strcmp(n, "<Enter>") == 0) {
		snprintf(line, sizeof line, "set %s ", recipe_knob(a->knob)->name);
		prompt_open(a, line);
		return true;
	}
	return false;
}
