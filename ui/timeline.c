/*
 * timeline.c: the timeline: what each step of the line changed, by cause, the
 * kappa of each step with the bounds of its zones, and the lines about this
 * step and the next.  Screen thread only.
 */
#include <math.h>
#include <stdlib.h>

#include "ui/app_private.h"
#include "ui/plot.h"

#define LABEL 8                  /* cells left of the plots */
#define PARTS 6
#define COLUMNS_MAX 512

static const struct plot_part parts[PARTS] = { { STYLE_PLOT_PRED, '+' }, { STYLE_PLOT_PRED_NOISE, '.' },
	{ STYLE_PLOT_CORR, '~' }, { STYLE_PLOT_CORR_NOISE, '!' }, { STYLE_PLOT_REMASK, '_' },
	{ STYLE_PLOT_REMOVAL, '=' } };
static const enum cause part_cause[PARTS] = { CAUSE_PRED, CAUSE_PRED_NOISE, CAUSE_CORR, CAUSE_CORR_NOISE, CAUSE_REMASK,
	CAUSE_REMOVAL };

/* Steps 0..total laid over `cells` columns: wide ones when there is room. */
struct scale { int total, cells, wide; };

static struct scale
scale_of(const struct leg *coming, const struct node *n, int w)
{
	struct scale s = { .total = coming ? coming->total : n->step, .cells = w > COLUMNS_MAX ? COLUMNS_MAX : w };

	s.wide = s.cells / (s.total + 1);
	if (s.wide > 0)
		s.cells = s.wide * (s.total + 1);
	return s;
}

/* First column of a step. */
static int
column(const struct scale *s, int step)
{
	if (step > s->total)
		step = s->total;
	return s->wide > 0 ? step * s->wide : (int)((long long)step * s->cells / (s->total + 1));
}

/* The plan the next step follows: of the knobs as they are. */
const struct leg *
coming_leg(const struct app *a)
{
	const struct app_private *p = a->priv;

	if (p->held && p->plan)
		return p->plan;
	if (p->at + 1 < p->line.n && p->line.at[p->at + 1]->on)
		return p->line.at[p->at + 1]->on;
	return a->cursor.node ? a->cursor.node->on : NULL;
}

bool
has_kappa(const struct app *a)
{
	return a->model->out == OUT_MEAN || a->model->out == OUT_SUBS || a->model->out == OUT_D3PM;
}

static void
draw_causes(struct app *a, struct canvas *c, struct rect r, const struct scale *s)
{
	static double value[COLUMNS_MAX * PARTS];
	const struct app_private *p = a->priv;
	int last = 0, x;
	double top = 1;

	memset(value, 0, sizeof value);
	for (int i = 1; i < p->line.n; i++) {
		const struct node *n = p->line.at[i];
		int from = column(s, n->step), to = column(s, n->step + 1);

		if (n->step > s->total)
			continue;
		for (x = from; x < to || x == from; x++)
			for (int k = 0; k < PARTS; k++)
				value[x * PARTS + k] += n->counts.by_cause[part_cause[k]];
		last = from + (s->wide > 1 ? s->wide : 1);
	}
	/* The first step redraws nearly everything: it would flatten the rest, and is cut off. */
	for (x = p->line.n > 4 ? column(s, 2) : 0; x < s->cells; x++) {
		double sum = 0;

		for (int k = 0; k < PARTS; k++)
			sum += value[x * PARTS + k];
		top = fmax(top, sum);
	}
	plot_columns(c, r, 0, s->cells, PARTS, value, parts, top);
	if (s->cells + 10 < r.w)
		canvas_printf(c, r, s->cells + 1, 0, STYLE_DIM, "to %.0f", top);
	for (x = last; x < s->cells; x++) /* not made yet */
		canvas_char(c, r, x, r.h - 1, STYLE_AXIS, c->utf8 ? 0xb7 : '-');
}

/* kappa of a step of the line, then of the plan; NAN where unknown.  Steps are
 * asked for in order: *i is where on the line the last one was, at first 1. */
static double
kappa_at(const struct app *a, const struct leg *coming, int step, int *i)
{
	const struct app_private *p = a->priv;
	const struct plan_row *row = NULL;

	while (*i <= p->at && p->line.at[*i]->step < step + 1)
		++*i;
	if (*i <= p->at && p->line.at[*i]->step == step + 1 && p->line.at[*i]->leg)
		row = leg_row(p->line.at[*i]->leg, step);
	if (!row && coming && step >= coming->first)
		row = leg_row(coming, step);
	return row ? row->kappa : NAN;
}

/* First step of the zone after bound b; -1: there is none. */
static int
bound_step(const struct leg *l, int b)
{
	for (int i = 1; l && l->zone && i < l->n; i++)
		if (l->zone[i - 1] <= b && l->zone[i] > b && l->zone[i] < 3)
			return l->first + i;
	return -1;
}

static void
draw_kappa(struct app *a, struct canvas *c, struct rect r, const struct scale *s, const struct leg *coming, double *low)
{
	static double value[COLUMNS_MAX];
	double lo = 1;
	int at = 1;

	for (int x = 0; x < s->cells; x++)
		value[x] = NAN;
	for (int i = 0; i < s->total; i++) {
		double k = kappa_at(a, coming, i, &at);

		for (int x = column(s, i + 1); x < column(s, i + 2) && x < s->cells; x++)
			value[x] = k;
		if (isfinite(k))
			lo = fmin(lo, k);
	}
	*low = lo;
	plot_line(c, r, 0, s->cells, value, STYLE_BAR, fmin(lo, .99), 1);
	for (int b = 0; b < 2; b++) {
		int step = bound_step(coming, b);

		if (step < 0)
			continue;
		canvas_char(c, r, column(s, step), 0, STYLE_AXIS, c->utf8 ? 0x2502 : '|');
		if (a->focus == FOCUS_TIMELINE && a->priv->bound == b)
			canvas_cursor(c, r, column(s, step), 0, 1);
	}
}

static void
label(const struct app *a, struct canvas *c, struct rect r, int y, const char *text)
{
	canvas_put(c, r, 1, y, a->focus == FOCUS_TIMELINE ? STYLE_FOCUS : STYLE_DIM, text);
}

void
timeline_draw(struct app *a, struct canvas *c, struct rect r)
{
	const struct leg *coming = coming_leg(a);
	struct rect plot = { r.x + LABEL, r.y, r.w - LABEL - 1, r.h > 1 ? r.h - 1 : 1 };
	struct scale s;
	char number[16];
	double low = 1;
	int x, w;

	if (!a->cursor.node || plot.w < 8)
		return;
	s = scale_of(coming, a->cursor.node, plot.w);
	a->priv->plot_area = plot;
	label(a, c, r, plot.h - 1, a->focus == FOCUS_TIMELINE ? ">steps" : " steps");
	draw_causes(a, c, plot, &s);
	x = column(&s, a->cursor.node->step);
	w = s.wide > 1 ? s.wide : 1;
	for (int y = 0; y < plot.h; y++)
		canvas_cursor(c, plot, x, y, w);
	if (r.h < 2 || !has_kappa(a))
		return;
	label(a, c, r, r.h - 1, " kappa");
	draw_kappa(a, c, (struct rect){ plot.x, r.y + r.h - 1, plot.w, 1 }, &s, coming, &low);
	say_number(low, number, sizeof number);
	if (low < .9995 && s.cells + 5 + (int)strlen(number) < plot.w)
		canvas_printf(c, plot, s.cells + 1, r.h - 1, STYLE_DIM, "min %s", number);
}

/* --- the lines about this step and the next --- */

/* Counts with each mark in its own style; returns cells used. */
static int
put_counts(struct canvas *c, struct rect r, int x, int y, const struct step_counts *n)
{
	int from = x, same = n->by_cause[CAUSE_PRED_SAME] + n->by_cause[CAUSE_CORR_SAME];

	for (int k = 0; k < CAUSE_COUNT; k++) {
		enum cause cause = (enum cause)k;

		if (n->by_cause[k] > 0 && (cause_changed(cause) || cause == CAUSE_CLAMP)) {
			canvas_char(c, r, x, y, cause_style(cause), (unsigned char)cause_info(cause)->mark);
			x += 1 + canvas_printf(c, r, x + 1, y, STYLE_TEXT, "%d", n->by_cause[k]) + 1;
		}
	}
	if (same > 0)
		x += canvas_printf(c, r, x, y, STYLE_DIM, "same %d", same) + 1;
	if (x == from)
		x += canvas_put(c, r, x, y, STYLE_DIM, "nothing") + 1;
	return x - from - 1;
}

/* Time to the end of the run at the pace of the last steps; "" before a network call was timed. */
static void
say_time_left(const struct app *a, char *buf, size_t size)
{
	struct sampler_progress g;
	const struct node *n = a->cursor.node;
	double s;
	int left;

	buf[0] = 0;
	sampler_progress(a->sampler, &g);
	left = n->on && !n->done ? n->on->total - n->step : 0;
	if (left <= 0 || (g.step_ms <= 0 && g.net_ms <= 0))
		return;
	s = (a->priv->fixed_ms >= 0 ? a->priv->fixed_ms : fmax(g.step_ms, g.net_ms)) * left / 1000;
	if (s < .05)
		return;
	if (s < 10)
		snprintf(buf, size, "end in %.1f s", s);
	else if (s < 600)
		snprintf(buf, size, "end in %.0f s", s);
	else
		snprintf(buf, size, "end in %.0f min", s / 60);
}

static int
put_where(struct app *a, struct canvas *c, struct rect r, int x, int y)
{
	const struct node *n = a->cursor.node;
	char t[16], alpha[16];
	int from = x, steps = node_steps(n);

	say_number(n->t, t, sizeof t);
	say_number(alpha_at(&a->model->alpha, n->t), alpha, sizeof alpha);
	x += canvas_printf(c, r, x, y, STYLE_BOLD, "step %d/%d", n->step < steps ? n->step : steps, steps);
	if (n->done)
		x += canvas_put(c, r, x, y, STYLE_BOLD, " end");
	x += canvas_printf(c, r, x, y, STYLE_TEXT, "  t %s  alpha %s", t, alpha);
	return x - from;
}

/* "computing", and for how many seconds if that is long. */
static int
put_waiting(struct app *a, struct canvas *c, struct rect r, int x, int y)
{
	const struct app_private *p = a->priv;
	struct sampler_progress g;
	int s = p->waiting_since < 0 ? 0 : (int)(p->clock - p->waiting_since);

	sampler_progress(a->sampler, &g);
	if (!p->stepping && !g.busy && !p->next_missing)
		return canvas_put(c, r, x, y, STYLE_DIM, "...");
	if (s < 1 || p->fixed_ms >= 0) /* golden screens know no time */
		return canvas_put(c, r, x, y, STYLE_DIM, "computing");
	if (g.net_ms > 1500)
		return canvas_printf(c, r, x, y, STYLE_DIM, "computing, %d of about %.0f s", s, g.net_ms / 1000);
	return canvas_printf(c, r, x, y, STYLE_DIM, "computing, %d s", s);
}

/* What the plan says of the coming step, and what must be known about it. */
static void
put_plan(struct app *a, struct canvas *c, struct rect r, int x, int y, const struct leg *coming,
	const struct plan_row *row)
{
	int at = a->cursor.node->step - coming->first;
	char k[16];

	if (coming->zone && at >= 0 && at < coming->n && coming->zone[at] == 3) {
		canvas_put(c, r, x, y, STYLE_DIM, "noise removal, the last step");
		return;
	}
	if (has_kappa(a)) {
		say_number(row->kappa, k, sizeof k);
		x += canvas_printf(c, r, x, y, STYLE_DIM, "kappa %s%s", k,
			a->priv->held ? ", a branch of its own" : " at these knobs");
	}
	if (a->recipe.per != PER_NONE)
		x += canvas_put(c, r, x, y, STYLE_DIM, ", does not keep the marginals");
	if (coming->grid_ends_at_c)
		canvas_put(c, r, x, y, STYLE_DIM, ", the grid ends at c");
}

static void
put_next(struct app *a, struct canvas *c, struct rect r, int x, int y)
{
	struct app_private *p = a->priv;
	const struct leg *coming = coming_leg(a);
	const struct plan_row *row = coming ? leg_row(coming, a->cursor.node->step) : NULL;

	if (cursor_at_end(a)) {
		canvas_put(c, r, x, y, STYLE_DIM,
			"next       the run is at its end; g goes to the first state, T shows the tree");
		return;
	}
	x += canvas_put(c, r, x, y, p->held ? STYLE_PREVIEW : STYLE_TEXT, p->held ? "preview" : "next");
	x += 1 + (p->held ? 3 : 6);
	if (p->has_next && p->next_of == a->cursor.node) {
		x += put_counts(c, r, x, y, &p->next_counts) + 2;
	} else {
		x += put_waiting(a, c, r, x, y) + 2;
	}
	if (row)
		put_plan(a, c, r, x, y, coming, row);
}

/* Lines: where, and this step; the next; with one line only the most needed. */
void
timeline_status(struct app *a, struct canvas *c, struct rect r)
{
	const struct node *n = a->cursor.node;
	char left[64];
	int x = 1, w;

	if (!n)
		return;
	x += put_where(a, c, r, x, 0) + 2;
	w = a->playing ? snprintf(left, sizeof left, "playing %g a second  ", a->play_rate) : 0;
	say_time_left(a, left + w, sizeof left - (size_t)w);
	w = (int)strlen(left);
	if (r.h > 1 && w && x + w + 1 < r.w)
		canvas_put(c, r, r.w - w - 1, 0, STYLE_DIM, left);
	if (r.h == 1) {
		if (n->up)
			put_counts(c, r, x, 0, &n->counts);
		return;
	}
	if (n->up) {
		/* under "next": the two lines are compared at a glance */
		if (r.h > 2) {
			canvas_put(c, r, 1, 1, STYLE_TEXT, "this step");
			put_counts(c, r, 12, 1, &n->counts);
		} else if (x + 20 < r.w - w) {
			x += canvas_put(c, r, x, 0, STYLE_DIM, "this step ");
			put_counts(c, r, x, 0, &n->counts);
		}
	} else {
		canvas_put(c, r, r.h > 2 ? 1 : x, r.h > 2, STYLE_DIM, "the first state: pure noise");
	}
	put_next(a, c, r, 1, r.h - 1);
}

/* --- keys --- */

/* A command, with a number if count >= 0. */
static bool
run(struct app *a, const char *command, int count)
{
	char line[48];
	struct error e = { 0 };

	snprintf(line, sizeof line, count >= 0 ? "%s %d" : "%s", command, count);
	if (app_command(a, line, &e))
		app_say(a, true, "%s", e.msg);
	return true;
}

bool
timeline_click(struct app *a, int x, int y)
{
	const struct app_private *p = a->priv;
	struct rect r = p->plot_area;
	struct scale s;

	if (!a->cursor.node || x < r.x || x >= r.x + r.w || y < r.y || y >= r.y + r.h)
		return false;
	s = scale_of(coming_leg(a), a->cursor.node, r.w);
	a->focus = FOCUS_TIMELINE;
	for (int step = s.total; step >= 0; step--)
		if (column(&s, step) <= x - r.x)
			return run(a, "goto", step);
	return true;
}

static bool
nudge_bound(struct app *a, int by)
{
	struct recipe r = a->recipe;
	struct error e = { 0 };

	recipe_nudge(&r, a->priv->bound ? "middle" : "high", by);
	if (knobs_take(a, &r, &e))
		app_say(a, true, "%s", e.msg);
	else
		app_say(a, false, "%s noise: %g of the times", a->priv->bound ? "middle" : "high",
		    a->priv->bound ? a->recipe.middle_frac : a->recipe.high_frac);
	return true;
}

bool
timeline_key(struct app *a, const struct key *k, int count)
{
	const char *n = k->name;
	int by = count > 0 ? count : 1;

	if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		return run(a, "back", by);
	if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		return run(a, "step", by);
	if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		return run(a, "previous-token", by);
	if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		return run(a, "next-token", by);
	if (strcmp(n, "<Home>") == 0)
		return run(a, "first", -1);
	if (strcmp(n, "<End>") == 0)
		return run(a, "last", -1);
	if (strcmp(n, "[") == 0 || strcmp(n, "]") == 0) {
		a->priv->bound = n[0] == ']';
		app_say(a, false, "+ and - move the bound between %s noise",
			a->priv->bound ? "middle and low" : "high and middle");
		return true;
	}
	if (strcmp(n, "+") == 0 || strcmp(n, "=") == 0)
		return nudge_bound(a, 1);
	if (strcmp(n, "-") == 0)
		return nudge_bound(a, -1);
	if (strcmp(n, "<Enter>") == 0) {
		prompt_open(a, "goto ");
		return true;
	}
	return false;
}
