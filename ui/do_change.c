/*
 * do_change.c: commands that change what comes next: knobs, presets, weights
 * and label (from the cursor on), seed, sample (a run of their own).  A changed
 * knob is held: its preview is shown until a step keeps it or Esc drops it.
 */
#include "ui/app_private.h"

#include <ctype.h>
#include <stdlib.h>

/* Lay out the knobs from the cursor's node on. */
static enum status
plan(struct app *a, const struct recipe *r, struct leg **out, struct error *e)
{
	const struct node *n = a->cursor.node;

	*out = NULL;
	if (!n || n->done || !n->on)
		return ST_OK;
	return leg_new(r, a->model, n->on, n->step, n->t, out, e);
}

void
knobs_plan(struct app *a)
{
	struct app_private *p = a->priv;

	leg_free(p->plan);
	p->plan = NULL;
	if (p->held)
		plan(a, &a->recipe, &p->plan, NULL);
}

enum status
knobs_take(struct app *a, const struct recipe *r, struct error *e)
{
	struct app_private *p = a->priv;
	struct leg *l;
	enum status st = recipe_check(r, a->model, e);

	if (!st && r->raw && !a->model_raw)
		st = error_set(e, ST_USAGE, "this file has one set of weights only");
	if (!st)
		st = plan(a, r, &l, e);
	if (st)
		return st;
	leg_free(p->plan);
	p->plan = l;
	if (recipe_equal(r, &a->recipe)) {
		a->recipe = *r;
		return ST_OK;
	}
	if (r->per != PER_NONE && r->per != a->recipe.per)
		app_say(a, false, "kappa depends on the state now: this does not keep the marginals");
	a->recipe = *r;
	p->held = !recipe_equal(&a->recipe, cursor_recipe(a));
	a->cursor.reveal = -1;
	p->moved = true;
	if (p->stepping && !a->playing) { /* go on from where it is, with the new knobs */
		p->again = true;
		sampler_stop(a->sampler);
	}
	ask_answers(a);
	return ST_OK;
}

void
knobs_drop(struct app *a)
{
	a->priv->held = false;
	a->recipe = *cursor_recipe(a);
	knobs_plan(a);
	ask_answers(a);
}

void
knobs_said(struct app *a, const char *name)
{
	const struct knob *k = recipe_knob_find(name);
	char value[64];

	knob_words(a, name, &a->recipe, value, sizeof value);
	if (!k)
		return;
	if (!a->priv->held)
		app_say(a, false, "%s %s", k->shown, value);
	else if (cursor_at_end(a))
		app_say(a, false, "%s %s: go back (S, g) and step; it makes a branch", k->shown, value);
	else
		app_say(a, false, "%s %s: s keeps it, Esc drops it", k->shown, value);
}

/* set NAME VALUE, set NAME=VALUE; set NAME says what it is. */
enum status
do_set(struct app *a, const char *args, struct error *e)
{
	char line[160], class[16], *value;
	struct recipe r = a->recipe;
	enum status st;

	args_trim(args, line, sizeof line);
	value = line + strcspn(line, " \t=");
	while (*value && strchr(" \t=", *value))
		*value++ = 0;
	if (!*line)
		return error_set(e, ST_USAGE, "set which knob? (set kappa .95)");
	if (!recipe_knob_find(line))
		return error_set(e, ST_USAGE, "no knob '%s' (Tab after 'set ' lists them)", line);
	if (!*value) {
		char now[64];

		knob_words(a, line, &r, now, sizeof now);
		app_say(a, false, "%s is %s: %s", line, now, recipe_knob_find(line)->help);
		return ST_OK;
	}
	if (strcmp(line, "label") == 0 && label_find(a, value, class))
		value = class;
	st = recipe_set(&r, line, value, e);
	if (!st)
		st = knobs_take(a, &r, e);
	if (!st && r.per == PER_NONE)
		knobs_said(a, line);
	return st;
}

/* Begin a run with r, or go to the first state of one that has it already. */
static enum status
run_with(struct app *a, const struct recipe *r, struct error *e)
{
	struct app_private *p = a->priv;
	enum status st = recipe_check(r, a->model, e);

	if (st)
		return st;
	if (r->samples != p->S)
		return error_set(e, ST_USAGE, "this session holds %d sample%s side by side", p->S,
			p->S == 1 ? "" : "s");
	stop_steps(a);
	a->recipe = *r;
	p->held = false;
	for (int i = 0; i < p->runs.n; i++) {
		struct node *root = p->runs.at[i];

		if (root->on && recipe_equal(&root->on->r, r)) {
			cursor_go(a, root);
			return ST_OK;
		}
	}
	ask_start(a, p->clamp, p->n_clamp);
	return ST_OK;
}

enum status
do_seed(struct app *a, const char *args, struct error *e)
{
	struct recipe r = a->recipe;
	char seed[40];
	enum status st;

	args_trim(args, seed, sizeof seed);
	if (!*seed)
		snprintf(seed, sizeof seed, "%llu", (unsigned long long)r.seed + 1);
	st = recipe_set(&r, "seed", seed, e);
	return st ? st : run_with(a, &r, e);
}

/* Samples are counted from 1: those side by side are looked at, others are a run of their own. */
enum status
do_sample(struct app *a, const char *args, struct error *e)
{
	struct app_private *p = a->priv;
	struct recipe r = a->recipe;
	long n, now = r.first + a->cursor.sample + 1;
	enum status st = one_number(args, 1, 1000000000, now + 1, &n, e);

	if (st)
		return st;
	n--;
	if (n >= r.first && n < (long)r.first + p->S) {
		a->cursor.sample = (int)(n - r.first);
		a->cursor.reveal = -1;
		p->moved = true;
		cursor_refresh(a);
		ask_answers(a);
		return ST_OK;
	}
	a->cursor.sample = 0;
	r.first = (int)n;
	return run_with(a, &r, e);
}

enum status
do_weights(struct app *a, const char *args, struct error *e)
{
	struct recipe r = a->recipe;
	char which[8];

	if (!*args_trim(args, which, sizeof which))
		r.raw = !r.raw;
	else if (strcmp(which, "raw") == 0 || strcmp(which, "ema") == 0)
		r.raw = which[0] == 'r';
	else
		return error_set(e, ST_USAGE, "weights are 'raw' or 'ema'");
	if (!a->model_raw)
		return error_set(e, ST_USAGE, "this file has one set of weights only");
	app_say(a, false, "%s weights from the next step on", r.raw ? "raw" : "EMA");
	return knobs_take(a, &r, e);
}

enum status
do_preset(struct app *a, const char *args, struct error *e)
{
	struct recipe r = a->recipe;
	char name[32];
	enum status st;

	if (!*args_trim(args, name, sizeof name)) {
		app_say(a, false, "preset %s", *r.preset ? r.preset : "none");
		return ST_OK;
	}
	st = recipe_preset(&r, name, e);
	return st ? st : knobs_take(a, &r, e);
}

enum status
do_recipe(struct app *a, const char *args, struct error *e)
{
	struct recipe r = a->recipe;
	char line[220];
	enum status st;

	while (isspace((unsigned char)*args))
		args++;
	if (!*args) {
		recipe_format(&r, line, sizeof line);
		app_say(a, false, "%s", line);
		return ST_OK;
	}
	st = recipe_parse(args, &r, e);
	if (st)
		return st;
	r.samples = a->recipe.samples;
	if (r.seed != a->recipe.seed || r.first != a->recipe.first || r.label != a->recipe.label)
		return run_with(a, &r, e);
	return knobs_take(a, &r, e);
}

/* The class to go on with, from the cursor on. */
enum status
do_label(struct app *a, const char *args, struct error *e)
{
	struct recipe r = a->recipe;
	char label[40];
	enum status st;

	if (recipe_classes(a->model) <= 0)
		return error_set(e, ST_USAGE, "this model has no labels");
	args_trim(args, label, sizeof label);
	if (!*label)
		return error_set(e, ST_USAGE, "which label? (label 3)");
	label_find(a, label, label);
	st = recipe_set(&r, "label", label, e);
	if (!st)
		st = knobs_take(a, &r, e);
	if (!st)
		knobs_said(a, "label");
	return st;
}

enum status
do_restart(struct app *a, const char *args, struct error *e)
{
	(void)args;
	return run_with(a, &a->recipe, e);
}
