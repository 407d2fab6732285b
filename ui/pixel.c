/*
 * pixel.c: the inspector of a picture: everything about the pixel under the
 * cursor.  For each channel its value, how it came about, and three
 * distributions over the values: what the denoiser says (x_theta), q(0|t), and
 * what the coming step draws from.  Screen thread only.
 */
#include <math.h>
#include <stdlib.h>

#include "ui/plot.h"
#include "ui/view_image.h"

#define LN2 0.69314718055994530942

static const struct { const char *brief, *words; enum style style; } laws[LAW_COUNT] = {
	[LAW_X_THETA] = { "x", "x_theta", STYLE_BAR },
	[LAW_Q_0T] = { "q", "q(0|t)", STYLE_SCALE4 },
	[LAW_PSI] = { "n", "next step", STYLE_PREVIEW },
};

static const struct look *
look_of(const struct app *a, int channel)
{
	return channel ? &a->priv->also[channel - 1] : &a->priv->look;
}

static enum style
mark_style(enum cause c)
{
	enum style s = cause_style(c);

	return s == STYLE_TEXT ? STYLE_BOLD : s;
}

/* The colour itself, in a few cells, where there are such. */
static void
swatch(struct app *a, struct canvas *c, struct rect r, int x, int y, const int at[3])
{
	int value[3];
	uint32_t rgb[2];

	if (picture_device_of(c).kind != PICTURE_HALF && picture_device_of(c).kind != PICTURE_SIXEL)
		return;
	for (int k = 0; k < 3; k++)
		value[k] = image_value(a, a->priv->tok[at[k]]);
	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 2; k++)
			rgb[k] = image_colour(value, i, k);
		canvas_halves(c, r, x + i, y, rgb[0], rgb[1]);
	}
}

/* (12, 7) of 1 cat */
static void
put_place(struct app *a, struct canvas *c, struct rect r, const int at[3])
{
	char label[40];
	int x;

	x = canvas_printf(c, r, 0, 0, STYLE_BOLD, "x %d y %d", at[0] % a->side, at[0] / a->side);
	if (c->utf8) {
		swatch(a, c, r, x + 1, 0, at);
		x += 6;
	}
	label_words(a, a->cursor.sample, label, sizeof label);
	x += canvas_printf(c, r, x + 1, 0, STYLE_TEXT, "picture %d", a->recipe.first + a->cursor.sample + 1) + 1;
	canvas_put(c, r, x + 1, 0, STYLE_DIM, label);
}

/* What the three charts are, or why there are none. */
static void
put_key(struct app *a, struct canvas *c, struct rect r, int y)
{
	const struct app_private *p = a->priv;
	int x = 0;

	if (!p->has_look || p->look_missing || !p->law) {
		canvas_put(c, r, 0, y, STYLE_DIM,
			*p->look_note ? p->look_note :
			p->look_missing || p->stepping ? "computing what the denoiser says ..." : "...");
		return;
	}
	for (int k = 0; k < LAW_COUNT; k++) {
		x += canvas_put(c, r, x, y, laws[k].style, laws[k].brief) + 1;
		x += canvas_put(c, r, x, y, STYLE_DIM, laws[k].words) + 2;
	}
}

/* R 120  + predictor          p .012  H 5.1 */
static void
put_value(struct app *a, struct canvas *c, struct rect r, int y, int channel, int pos)
{
	const struct app_private *p = a->priv;
	enum cause cause = (enum cause)p->cause[pos];
	bool here = a->cursor.pos == pos, known = p->has_look && !p->look_missing;
	int value = image_value(a, p->tok[pos]), x;
	char right[96] = "", prob[16], h[16], by[16];

	x = canvas_printf(c, r, 0, y, here ? STYLE_KEY : STYLE_BOLD, "%c", "RGB"[channel]) + 1;
	x += value < 0 ? canvas_put(c, r, x, y, STYLE_MASK, p->tok[pos] < 0 ? "none" : "mask") :
	    canvas_printf(c, r, x, y, STYLE_BOLD, "%3d", p->tok[pos]);
	if (known) {
		say_number(look_of(a, channel)->p_now, prob, sizeof prob);
		say_number(look_of(a, channel)->entropy / LN2, h, sizeof h);
		if (r.w >= 44)
			snprintf(right, sizeof right, "p %s  rank %d  H %s bits", prob, look_of(a, channel)->rank, h);
		else
			snprintf(right, sizeof right, "p %s H %s", prob, h);
		const struct look_guided *g = look_steered(a, look_of(a, channel));
		size_t n = strlen(right);
		if (g && r.w >= 36) {
			say_change(g->guided - g->cond, by, sizeof by);
			snprintf(right + n, sizeof right - n, "  guided %s", by);
		}
		canvas_put(c, r, r.w - (int)strlen(right), y, STYLE_DIM, right);
	}
	if (cause_changed(cause)) {
		struct rect word = { r.x, r.y, r.w - (int)strlen(right) - 1, r.h };

		canvas_char(c, r, x + 1, y, cause_style(cause), (unsigned char)cause_info(cause)->mark);
		canvas_put(c, word, x + 3, y, STYLE_TEXT, cause_word(cause));
	}
}

/* The charts of one channel in r. */
static void
put_charts(struct app *a, struct canvas *c, struct rect r, int channel, int pos)
{
	const struct app_private *p = a->priv;
	int V = a->model->V, bins = V - (a->model->mask == V - 1), n = r.h >= LAW_COUNT ? LAW_COUNT : r.h;
	int small = r.h / LAW_COUNT, y = 0;

	if (!p->law || !p->has_look || p->look_missing)
		return;
	for (int k = 0; k < n; k++) {
		int h = k == 0 ? r.h - (n - 1) * (small > 0 ? small : 1) : small > 0 ? small : 1;
		struct rect at = { r.x + 2, r.y + y, r.w - 2, h };
		const double *law = p->law + ((size_t)channel * LAW_COUNT + (size_t)k) * (size_t)V;

		canvas_put(c, r, 0, y + h - 1, laws[k].style, laws[k].brief);
		plot_bins(c, at, bins, law, laws[k].style, image_value(a, p->tok[pos]) < 0 ? -1 : p->tok[pos],
		    mark_style((enum cause)p->cause[pos]));
		y += h;
	}
}

/* 0 ... 255 under charts. */
static void
put_axis(struct app *a, struct canvas *c, struct rect r, int y)
{
	int top = a->model->V - (a->model->mask == a->model->V - 1) - 1;

	canvas_put(c, r, 2, y, STYLE_AXIS, "0");
	canvas_printf(c, r, 2 + (r.w - 2) / 2 - 1, y, STYLE_AXIS, "%d", (top + 1) / 2);
	canvas_printf(c, r, r.w - 3, y, STYLE_AXIS, "%d", top);
}

/* How the coming step draws the channel. */
static void
put_mixture(struct app *a, struct canvas *c, struct rect r, int y, int channel)
{
	const struct look *l = look_of(a, channel);
	char n[4][16];

	if (!a->priv->has_look || a->priv->look_missing)
		return;
	if (l->explicit_draw) {
		canvas_put(c, r, 0, y, STYLE_DIM, "drawn from the mixed posterior");
		return;
	}
	say_number(l->kappa * l->w_x, n[0], sizeof n[0]);
	say_number(l->kappa * l->w_uniform, n[1], sizeof n[1]);
	say_number((1 - l->kappa) * l->b * l->c_x, n[2], sizeof n[2]);
	say_number((1 - l->kappa) * (1 - l->b), n[3], sizeof n[3]);
	canvas_put(c, r, 0, y, STYLE_DIM, "next:");
	canvas_printf(c, r, 6, y, STYLE_PRED, "+%s", n[0]);
	canvas_printf(c, r, 13, y, STYLE_PRED_NOISE, ".%s", n[1]);
	canvas_printf(c, r, 20, y, STYLE_CORR, "~%s", n[2]);
	canvas_printf(c, r, 27, y, a->model->mask >= 0 ? STYLE_REMASK : STYLE_CORR_NOISE, "%c%s",
	    a->model->mask >= 0 ? '_' : '!', n[3]);
}

/* When the channel changed: how often, and with room each time, newest first. */
static void
put_history(struct app *a, struct canvas *c, struct rect r, int channel, int pos)
{
	const struct tree *t = sampler_tree(a->sampler);
	int i = a->cursor.sample * a->priv->L + pos, age, times, y = 1;
	const struct node *n = tree_last_change(t, a->cursor.node, i);

	if (r.h < 1)
		return;
	tree_history(t, a->cursor.node, i, &age, &times);
	if (!n || !n->up) {
		canvas_printf(c, r, 0, 0, STYLE_DIM,
			a->cursor.node->up ? "%c has not changed yet" : "%c as the run began", "RGB"[channel]);
		return;
	}
	canvas_printf(c, r, 0, 0, STYLE_DIM, "%c changed %d time%s, last at step %d", "RGB"[channel], times,
		times == 1 ? "" : "s", n->step);
	for (; n && n->up && y < r.h; n = tree_last_change(t, n->up, i)) {
		struct state *s = &a->priv->past;
		enum cause cause;

		tree_read(t, n, s);
		cause = (enum cause)s->cause[i];
		canvas_printf(c, r, 2, y, STYLE_DIM, "step %d", n->step);
		canvas_char(c, r, 12, y, cause_style(cause),
			cause_info(cause)->mark ? (unsigned char)cause_info(cause)->mark : ' ');
		if (image_value(a, s->tok[i]) < 0)
			canvas_put(c, r, 14, y, STYLE_MASK, "mask");
		else
			canvas_printf(c, r, 14, y, STYLE_TEXT, "%3d", s->tok[i]);
		canvas_put(c, r, 19, y++, STYLE_DIM, cause_word(cause));
	}
}

/* The pane: the three channels below each other. */
static void
draw_pane(struct app *a, struct canvas *c, struct rect r, const int at[3])
{
	int channel = a->cursor.pos / (a->side * a->side), left, each, history;

	put_place(a, c, r, at);
	if (r.h < 5) {
		for (int k = 0; k < 3 && k + 1 < r.h; k++)
			put_value(a, c, r, k + 1, k, at[k]);
		return;
	}
	put_key(a, c, r, 1);
	history = r.h >= 30 ? 6 : r.h >= 20 ? 1 : 0;
	left = r.h - 2 - history - (history > 0);
	each = left / 3;
	for (int k = 0; k < 3; k++) {
		put_value(a, c, r, 2 + k * each, k, at[k]);
		put_charts(a, c, (struct rect){ r.x, r.y + 3 + k * each, r.w, each - 1 - (each >= 8) }, k, at[k]);
		if (each >= 8)
			put_axis(a, c, r, 2 + k * each + each - 1);
	}
	put_history(a, c, (struct rect){ r.x, r.y + r.h - history, r.w, history }, channel, at[channel]);
}

/* The whole screen: beside each other where there is room. */
static void
draw_full(struct app *a, struct canvas *c, struct rect r, const int at[3])
{
	bool side = r.w >= 96;
	int w = side ? (r.w - 4) / 3 : r.w, history = r.h >= 30 ? 8 : r.h >= 20 ? 3 : r.h >= 14 ? 1 : 0;
	int h = side ? r.h - 3 - history : (r.h - 3) / 3;

	put_place(a, c, r, at);
	put_key(a, c, r, 1);
	if (h < 3) {
		draw_pane(a, c, r, at);
		return;
	}
	for (int k = 0; k < 3; k++) {
		struct rect part = { r.x + (side ? k * (w + 2) : 0), r.y + 3 + (side ? 0 : k * h), w, h };
		bool more = part.h >= 6;

		put_value(a, c, part, 0, k, at[k]);
		put_charts(a, c, (struct rect){ part.x, part.y + 1, part.w, part.h - 1 - 2 * more }, k, at[k]);
		if (more) {
			put_axis(a, c, part, part.h - 2);
			put_mixture(a, c, part, part.h - 1, k);
		}
		if (side)
			put_history(a, c, (struct rect){ part.x, part.y + part.h, part.w, history }, k, at[k]);
	}
}

void
pixel_draw(struct app *a, struct canvas *c, struct rect r, bool full)
{
	struct rect in = canvas_frame(c, r, full ? STYLE_FOCUS : STYLE_BORDER, "pixel");
	int at[3];

	if (in.w > 2) { /* a column of air on either side */
		in.x++;
		in.w -= 2;
	}
	if (!a->cursor.node || app_positions(a, at) != 3)
		return;
	if (full)
		draw_full(a, c, in, at);
	else
		draw_pane(a, c, in, at);
}
