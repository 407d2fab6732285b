/*
 * inspect.c: everything about the position under the cursor: its token, what
 * the denoiser says there, how the next step would draw it, and its history.
 * The pane beside the text, and the full Inspect view.  Screen thread only.
 */
#include <math.h>
#include <stdlib.h>

#include "ui/app_private.h"

#define LN2 0.69314718055994530942

/* The look that is kept is of the step being revealed, not of the coming one. */
static bool
look_back(const struct app *a)
{
	return a->priv->look_of && a->priv->look_of != a->cursor.node;
}

static int
put_identity(struct app *a, struct canvas *c, struct rect r, int y)
{
	struct app_private *p = a->priv;
	int pos = a->cursor.pos, x;
	enum cause cause = (enum cause)p->cause[pos];
	char token[48];

	say_token(a, p->tok[pos], token, sizeof token);
	x = canvas_put(c, r, 0, y, STYLE_BOLD, token) + 2;
	if (p->tok[pos] >= 0)
		x += canvas_printf(c, r, x, y, STYLE_DIM, "id %d", p->tok[pos]) + 2;
	if (cause_info(cause) && cause_changed(cause)) {
		canvas_char(c, r, x, y, cause_style(cause), (unsigned char)cause_info(cause)->mark);
		canvas_put(c, r, x + 2, y, STYLE_TEXT, cause_word(cause));
	} else if (cause == CAUSE_PRED_SAME || cause == CAUSE_CORR_SAME) {
		canvas_put(c, r, x, y, STYLE_DIM, "drawn again");
	}
	return y + 1;
}

/* now .71  H 1.32 bits  rank 1 */
static int
put_now(struct app *a, struct canvas *c, struct rect r, int y)
{
	const struct app_private *p = a->priv;
	char now[16], h[16];

	if (p->look_missing || !p->has_look) {
		canvas_put(c, r, 0, y, STYLE_DIM,
			*p->look_note ? p->look_note : p->look_missing || p->stepping ? "computing ..." : "...");
		return y + 1;
	}
	say_number(p->look.p_now, now, sizeof now);
	say_number(p->look.entropy / LN2, h, sizeof h);
	canvas_printf(c, r, 0, y, STYLE_TEXT, "%s %s  H %s %s  rank %d", look_back(a) ? "was" : "now", now, h,
	    r.w < 32 ? "b" : "bits", p->look.rank);
	return y + 1;
}

const struct look_guided *
look_steered(const struct app *a, const struct look *l)
{
	const struct app_private *p = a->priv;

	if (!p->has_look || p->look_missing || !l->guided)
		return NULL;
	const struct look_guided *g = look_back(a) ? &l->drawn : &l->steer;
	return g->tok >= 0 ? g : NULL;
}

/* guidance +.31  without .40 */
static int
put_guidance(struct app *a, struct canvas *c, struct rect r, int y, bool full)
{
	const struct look_guided *g = look_steered(a, &a->priv->look);
	char by[16], cond[16], none[16], more[16];

	if (!g)
		return y;
	say_change(g->guided - g->cond, by, sizeof by);
	say_number(g->cond, cond, sizeof cond);
	say_number(g->uncond, none, sizeof none);
	say_change(g->guided - g->uncond, more, sizeof more);
	if (isnan(g->uncond))
		canvas_printf(c, r, 0, y, STYLE_TEXT, "guidance %s  without %s", by, cond);
	else if (full)
		canvas_printf(c, r, 0, y, STYLE_TEXT, "guidance %s (the label alone %s), %s against no label (%s)", by,
			      cond, more, none);
	else
		canvas_printf(c, r, 0, y, STYLE_TEXT, "guidance %s  no label %s", by, more);
	return y + 1;
}

/* The bar of the token that is there: in the colour of its cause. */
static enum style
cause_bar(const struct app *a)
{
	enum style s = cause_style((enum cause)a->priv->cause[a->cursor.pos]);

	return s == STYLE_TEXT ? STYLE_BOLD : s;
}

/* One entry of the top list in the pane: token, probability, bar. */
static void
put_entry(struct app *a, struct canvas *c, struct rect r, int y, const struct look_entry *t)
{
	bool here = t->tok == a->priv->tok[a->cursor.pos];
	int tw = r.w >= 46 ? 14 : r.w >= 36 ? 12 : 9;
	char token[64], number[16];
	struct rect left = { r.x, r.y + y, tw, 1 };

	say_token(a, t->tok, token, sizeof token);
	canvas_put(c, left, 0, 0, here ? STYLE_BOLD : STYLE_TEXT, token);
	say_number(t->x_theta, number, sizeof number);
	canvas_printf(c, r, tw, y, here ? STYLE_BOLD : STYLE_TEXT, "%5s", number);
	canvas_bar(c, r, tw + 6, y, r.w - tw - 6, here ? cause_bar(a) : STYLE_BAR, t->x_theta);
}

static int
put_top(struct app *a, struct canvas *c, struct rect r, int y, int rows)
{
	const struct look *l = &a->priv->look;

	for (int i = 0; i < rows && i < l->n && l->top[i].x_theta > 0; i++)
		put_entry(a, c, r, y++, &l->top[i]);
	return y;
}

/* How the step draws this position: parts of one whole. */
struct part { const char *words, *brief; double p; enum style style; char fill; };

static int
mixture(const struct app *a, const struct look *l, struct part out[5])
{
	bool masked = a->model->mask >= 0;
	double k = l->kappa, j = 1 - l->kappa;
	const struct part all[5] = {
		{ "predictor, from x_theta", "from x_theta", k * l->w_x, STYLE_PRED, '+' },
		{ "predictor, random token", "random token", k * l->w_uniform, STYLE_PRED_NOISE, '.' },
		{ masked && l->z == a->model->mask ? "stays masked" : "stays as it is", "stays",
		    k * l->w_stay + j * l->b * l->c_stay, STYLE_DIM, '-' },
		{ "corrector, from x_theta", "corr. x_theta", j * l->b * l->c_x, STYLE_CORR, '~' },
		{ masked ? "corrector, masked again" : "corrector, random token",
			masked ? "masked again" : "corr. random",
		    j * (1 - l->b), masked ? STYLE_REMASK : STYLE_CORR_NOISE, masked ? '_' : '!' },
	};
	int n = 0;

	for (int i = 0; i < 5; i++)
		if (all[i].p > 0)
			out[n++] = all[i];
	return n;
}

/* The parts as one bar, each in its mark: at least a cell where there is anything. */
static void
put_mixture_bar(struct canvas *c, struct rect r, int y, const struct part *part, int n)
{
	double sum = 0;
	int x = 0;

	for (int i = 0; i < n; i++) {
		int to;

		sum += part[i].p;
		to = (int)lround(sum * r.w);
		if (to <= x)
			to = x + 1;
		for (; x < to && x < r.w; x++)
			canvas_char(c, r, x, y, part[i].style, (unsigned char)part[i].fill);
	}
}

static int
put_mixture(struct app *a, struct canvas *c, struct rect r, int y, int rows)
{
	const struct look *l = &a->priv->look;
	struct part part[5];
	char number[16];
	int n;

	if (rows < 2 || !a->priv->has_look || a->priv->look_missing)
		return y;
	if (l->explicit_draw) {
		canvas_put(c, r, 0, y, STYLE_DIM, "one explicit draw: no parts");
		return y + 1;
	}
	n = mixture(a, l, part);
	if (n == 0)
		return y;
	canvas_put(c, r, 0, y++, STYLE_DIM, look_back(a) ? "how it was drawn" : "how the next step draws it");
	put_mixture_bar(c, r, y++, part, n);
	for (int i = 0; i < n && i + 2 < rows; i++) {
		say_number(part[i].p, number, sizeof number);
		canvas_char(c, r, 0, y, part[i].style, (unsigned char)part[i].fill);
		canvas_printf(c, r, 2, y++, STYLE_TEXT, "%5s %s", number, r.w < 32 ? part[i].brief : part[i].words);
	}
	return y;
}

/* What the mathematics says about moves at this noise (psi-samplers.md section
 * 4), and what an explicit draw cannot tell; full view. */
static int
put_remarks(struct app *a, struct canvas *c, struct rect r, int y)
{
	const struct look *l = &a->priv->look;
	char ratio[16];

	if (!a->priv->has_look || a->priv->look_missing)
		return y;
	if (l->explicit_draw) {
		canvas_put(c, r, 0, y, STYLE_DIM, "predictor noise cannot be told apart here");
		return y + 1;
	}
	if (a->model->mask >= 0 || l->w_x <= 0 || l->w_uniform <= l->w_x)
		return y;
	say_number(l->w_uniform / l->w_x, ratio, sizeof ratio);
	canvas_printf(c, r, 0, y, STYLE_DIM, "at this noise %s random tokens for each", ratio);
	canvas_put(c, r, 0, y + 1, STYLE_DIM, "that the predictor takes from x_theta");
	return y + 2;
}

/* One change of the position: step, mark, token, cause. */
static void
put_change(struct app *a, struct canvas *c, struct rect r, int y, const struct node *n, int i)
{
	struct state *s = &a->priv->past;
	enum cause cause;
	char token[48];
	int x;

	tree_read(sampler_tree(a->sampler), n, s);
	cause = (enum cause)s->cause[i];
	say_token(a, s->tok[i], token, sizeof token);
	canvas_printf(c, r, 0, y, STYLE_DIM, "step %d", n->step);
	canvas_char(c, r, 10, y, cause_style(cause),
		cause_info(cause)->mark ? (unsigned char)cause_info(cause)->mark : ' ');
	x = 12 + canvas_put(c, r, 12, y, STYLE_TEXT, token) + 1;
	canvas_put(c, r, x, y, STYLE_DIM, cause_word(cause));
}

/* How often the position changed and when; with more rows every change, newest first. */
static int
put_history(struct app *a, struct canvas *c, struct rect r, int y, int rows)
{
	const struct tree *t = sampler_tree(a->sampler);
	int i = a->cursor.sample * a->priv->L + a->cursor.pos, age = 0, times = 0, end = y + rows;
	const struct node *n = a->cursor.node, *last = tree_last_change(t, n, i);

	if (rows < 1)
		return y;
	tree_history(t, n, i, &age, &times);
	if (!last || !last->up) {
		canvas_put(c, r, 0, y, STYLE_DIM, n->up ? "has not changed yet" : "as the run began");
		return y + 1;
	}
	if (rows > 1)
		canvas_printf(c, r, 0, y++, STYLE_DIM, "changed %d time%s", times, times == 1 ? "" : "s");
	if (rows > 2) {
		for (; last && last->up && y < end; last = tree_last_change(t, last->up, i))
			put_change(a, c, r, y++, last, i);
		return y;
	}
	if (last == n)
		canvas_put(c, r, 0, y, STYLE_DIM, "the last time in this step");
	else
		canvas_printf(c, r, 0, y, STYLE_DIM, "%d step%s ago, at step %d", age, age == 1 ? "" : "s", last->step);
	return y + 1;
}

/* The pane: what matters most stays when rows are few. */
static void
draw_pane(struct app *a, struct canvas *c, struct rect r)
{
	int y = put_identity(a, c, r, 0), history = r.h >= 32 ? 9 : r.h >= 24 ? 6 : r.h >= 12 ? 2 : 1, mix = 0, top;
	struct part part[5];

	y = put_now(a, c, r, y);
	if (r.h < 6)
		return;
	if (r.h >= 12)
		y = put_guidance(a, c, r, y, false);
	if (a->priv->has_look && !a->priv->look_missing) {
		if (r.h >= 12)
			mix = a->priv->look.explicit_draw ? 2 : 3 + mixture(a, &a->priv->look, part);
		if (r.h < 18 && mix > r.h - y - history - 5) /* the top of the list comes first */
			mix = r.h - y - history - 5;
		if (r.h >= 16)
			canvas_put(c, r, 0, y++, STYLE_DIM,
				look_back(a) ? "x_theta it was drawn from" : "what the denoiser says (x_theta)");
		top = r.h - y - history - mix;
		if (top > 12 && r.h < 40)
			top = 12;
		y = put_top(a, c, r, y, top);
		if (mix) {
			y += y < r.h - history - mix || r.h >= 18;
			y = put_mixture(a, c, r, y, r.h - y - history);
		}
	}
	put_history(a, c, r, r.h - history, history);
}

/* --- the full view --- */

static void
put_columns(struct app *a, struct canvas *c, struct rect r, int y, int rows)
{
	const struct look *l = &a->priv->look;
	int bar = r.w - 48;

	if (!a->priv->has_look || a->priv->look_missing)
		return;
	canvas_printf(c, r, 0, y++, STYLE_DIM, "%-4s %-12s %8s %8s %8s %8s", "rank", "token", "x_theta", "q(0|t)",
		"q(s|t)", "next");
	for (int i = a->priv->look_top; i < l->n && rows-- > 1; i++) {
		const struct look_entry *t = &l->top[i];
		enum style s = t->tok == a->priv->tok[a->cursor.pos] ? STYLE_BOLD : STYLE_TEXT;
		const double v[4] = { t->x_theta, t->q_0t, t->q_st, t->psi };
		char token[64], number[16];

		if (!(t->x_theta > 0) && !(t->psi > 0))
			break;
		canvas_printf(c, r, 0, y, STYLE_DIM, "%4d", i + 1);
		say_token(a, t->tok, token, sizeof token);
		canvas_put(c, (struct rect){ r.x + 5, r.y + y, 12, 1 }, 0, 0, s, token);
		for (int k = 0; k < 4; k++) {
			say_number(v[k], number, sizeof number);
			canvas_printf(c, r, 18 + 9 * k, y, k == 0 || k == 3 ? s : STYLE_DIM, "%8s", number);
		}
		if (bar > 8)
			canvas_bar(c, r, 55, y, bar - 8, s == STYLE_BOLD ? cause_bar(a) : STYLE_BAR, t->x_theta);
		y++;
	}
}

static int
put_facts(struct app *a, struct canvas *c, struct rect r, int y)
{
	const struct app_private *p = a->priv;
	char line[200], n[4][16];

	say_position(a, a->cursor.pos, line, sizeof line);
	canvas_put(c, r, 0, y++, STYLE_TEXT, line);
	if (!p->has_look || p->look_missing) {
		canvas_put(c, r, 0, y++, STYLE_DIM,
			*p->look_note ? p->look_note : "computing what the denoiser says ...");
		return y;
	}
	say_number(p->look.p_now, n[0], sizeof n[0]);
	say_number(p->look.q_0t_now, n[1], sizeof n[1]);
	say_number(p->look.psi_now, n[2], sizeof n[2]);
	say_number(p->look.entropy / LN2, n[3], sizeof n[3]);
	canvas_printf(c, r, 0, y++, STYLE_TEXT, "x_theta %s  q(0|t) %s  next %s  H %s bits  rank %d  %d tokens kept",
		n[0], n[1], n[2], n[3], p->look.rank, p->look.kept);
	return put_guidance(a, c, r, y, true);
}

/* Stacked, or the table left and the rest right; with few rows the table alone. */
static void
draw_full(struct app *a, struct canvas *c, struct rect r)
{
	struct part part[5];
	bool side = r.w >= 112;
	struct rect right = { r.x + r.w - 42, r.y, 42, r.h };
	int y = put_identity(a, c, r, 0), mix = 0, history = 2;

	y = put_facts(a, c, r, y) + (r.h > 12);
	if (a->priv->has_look && !a->priv->look_missing)
		mix = a->priv->look.explicit_draw ? 2 : 3 + mixture(a, &a->priv->look, part);
	if (side) {
		put_columns(a, c, (struct rect){ r.x, r.y, r.w - 44, r.h }, y, r.h - y);
		y = put_mixture(a, c, right, y, r.h - y) + 1;
		y = put_remarks(a, c, right, y) + 1;
		put_history(a, c, right, y, r.h - y);
		return;
	}
	if (r.h > 26)
		history = 6;
	if (r.h - y - mix - history < 4)
		mix = 0;
	if (r.h - y - history < 4)
		history = 0;
	put_columns(a, c, r, y, r.h - y - mix - history);
	if (mix)
		put_mixture(a, c, r, r.h - mix - history, mix);
	put_history(a, c, r, r.h - history, history);
}

void
inspect_draw(struct app *a, struct canvas *c, struct rect r, bool full)
{
	char title[64];
	struct rect in;

	if (a->side) {
		pixel_draw(a, c, r, full);
		return;
	}
	snprintf(title, sizeof title, full ? "token %d of %d" : "token %d", a->cursor.pos, a->priv->L);
	in = canvas_frame(c, r, full ? STYLE_FOCUS : STYLE_BORDER, title);
	if (in.w > 2) { /* a column of air on either side */
		in.x++;
		in.w -= 2;
	}
	if (!a->cursor.node)
		return;
	if (full)
		draw_full(a, c, in);
	else
		draw_pane(a, c, in);
}

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	struct rect status = { r.x, r.y + r.h - 2, r.w, 2 };

	inspect_draw(a, c, (struct rect){ r.x, r.y, r.w, r.h - 2 }, true);
	timeline_status(a, c, status);
}

static bool
key(struct app *a, const struct key *k, int count)
{
	const char *n = k->name;
	int by = count > 0 ? count : 1;

	if (strcmp(n, "<Esc>") == 0 || strcmp(n, "<Backspace>") == 0) {
		a->view = 0;
	} else if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0) {
		cursor_pos(a, a->cursor.pos - by);
	} else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0) {
		cursor_pos(a, a->cursor.pos + by);
	} else if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0) {
		a->priv->look_top = a->priv->look_top > by ? a->priv->look_top - by : 0;
	} else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0) {
		if (a->priv->has_look && a->priv->look_top + by < a->priv->look.n)
			a->priv->look_top += by;
	} else {
		return false;
	}
	return true;
}

const struct view view_inspect = { "Inspect", draw, key,
	"everything about one token: the denoiser's choices, the mixed transition, mixture weights, history" };
