/*
 * train_chart.c: loss and validation bound over the steps, and smaller charts
 * of learning rate, gradient and speed.  Screen thread only.
 */
#include "ui/train.h"

#include <math.h>
#include <stdlib.h>

#include "ui/plot.h"

#define COLUMNS 400

enum series { LOSS, BOUND, RATE, GRADIENT, SPEED };

static double
value_of(const struct trainer_point *p, enum series s)
{
	switch (s) {
	case LOSS:
		return p->loss;
	case BOUND:
		return p->bound;
	case RATE:
		return p->lr;
	case GRADIENT:
		return p->grad_norm;
	case SPEED:
		return p->tokens_per_second;
	}
	return NAN;
}

/* The points by column of w: the mean of those in it; NAN: none. */
static void
by_column(const struct train *t, enum series s, int w, double *out)
{
	int64_t from = t->n_point ? t->point[0].step : 0, to = t->n_point ? t->point[t->n_point - 1].step : 0;
	int count[COLUMNS] = { 0 };

	for (int x = 0; x < w; x++)
		out[x] = 0;
	for (int i = 0; i < t->n_point; i++) {
		double v = value_of(&t->point[i], s);
		int x = to > from ? (int)((double)(t->point[i].step - from) * (w - 1) / (double)(to - from)) : 0;

		if (!isfinite(v) || x < 0 || x >= w)
			continue;
		out[x] += v;
		count[x]++;
	}
	for (int x = 0; x < w; x++)
		out[x] = count[x] ? out[x] / count[x] : NAN;
}

/* Straight lines over the columns that hold none. */
static void
join(int w, double *v)
{
	int last = -1;

	for (int x = 0; x < w; x++) {
		if (!isfinite(v[x]))
			continue;
		for (int k = last + 1; last >= 0 && k < x; k++)
			v[k] = v[last] + (v[x] - v[last]) * (k - last) / (x - last);
		last = x;
	}
}

static void
range(int w, const double *v, double *lo, double *hi)
{
	for (int x = 0; x < w; x++) {
		if (!isfinite(v[x]))
			continue;
		*lo = isfinite(*lo) ? fmin(*lo, v[x]) : v[x];
		*hi = isfinite(*hi) ? fmax(*hi, v[x]) : v[x];
	}
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
low(int w, const double *v)
{
	double lo = NAN, hi = NAN;

	range(w, v, &lo, &hi);
	return lo;
}

/* All but the largest twentieth: the losses of no knowledge, and spikes, which
 * would flatten all others. */
static double
high(int w, const double *v)
{
	double sorted[COLUMNS];
	int n = 0;

	for (int x = 0; x < w; x++)
		if (isfinite(v[x]))
			sorted[n++] = v[x];
	if (n == 0)
		return NAN;
	qsort(sorted, (size_t)n, sizeof *sorted, by_size);
	return sorted[n - 1 - (n > 20 ? n / 20 : 0)];
}

/* A value where it stands in the chart, over the line. */
static void
dots(struct canvas *c, struct rect r, int w, const double *v, double lo, double hi)
{
	for (int x = 0; x < w; x++) {
		double up = hi > lo ? (v[x] - lo) / (hi - lo) : .5;

		if (isfinite(v[x]))
			canvas_char(c, r, x, r.h - 1 - (int)(fmin(fmax(up, 0), 1) * (r.h - 1) + .5), STYLE_BOLD,
				    0x25cf);
	}
}

static void
draw_loss(const struct train *t, struct canvas *c, struct rect r)
{
	struct rect in = canvas_frame(c, r, STYLE_BORDER,
				      r.w >= 60 ? "loss and its validation bound ●, nats per token" : "loss, bound ●"),
		    plot;
	double loss[COLUMNS], bound[COLUMNS], lo = NAN, hi = NAN;
	char text[16];
	int w;

	plot = (struct rect){ in.x + 6, in.y, in.w - 6, in.h - (in.h >= 5) };
	w = plot.w < COLUMNS ? plot.w : COLUMNS;
	if (w < 4 || plot.h < 1)
		return;
	if (t->n_point < 1) {
		canvas_put(c, in, 1, 0, STYLE_DIM, "no step yet");
		return;
	}
	by_column(t, LOSS, w, loss);
	by_column(t, BOUND, w, bound);
	lo = low(w, loss);
	hi = high(w, loss);
	range(w, bound, &lo, &hi);
	join(w, loss);
	plot_line(c, plot, 0, w, loss, STYLE_BAR, lo, hi);
	dots(c, plot, w, bound, lo, hi);
	say_number(hi, text, sizeof text);
	canvas_printf(c, in, 0, 0, STYLE_DIM, "%5s", text);
	say_number(lo, text, sizeof text);
	canvas_printf(c, in, 0, plot.h - 1, STYLE_DIM, "%5s", text);
	if (plot.h < in.h) {
		canvas_printf(c, in, 6, in.h - 1, STYLE_DIM, "step %lld", (long long)t->point[0].step);
		canvas_printf(c, in, in.w - 9, in.h - 1, STYLE_DIM, "%9lld", (long long)t->point[t->n_point - 1].step);
	}
}

static void
draw_small(const struct train *t, struct canvas *c, struct rect r, enum series s, const char *name)
{
	double v[COLUMNS], lo = NAN, hi = NAN;
	char low[16], high[16];
	int w = r.w < COLUMNS ? r.w : COLUMNS;

	if (r.h < 2 || w < 4)
		return;
	by_column(t, s, w, v);
	range(w, v, &lo, &hi);
	if (!isfinite(lo)) {
		canvas_put(c, r, 0, 0, STYLE_DIM, name);
		return;
	}
	if (s != GRADIENT)
		lo = 0;
	if (s == SPEED) {
		say_large(lo, low, sizeof low);
		say_large(hi, high, sizeof high);
	} else {
		say_number(lo, low, sizeof low);
		say_number(hi, high, sizeof high);
	}
	canvas_printf(c, r, 0, 0, STYLE_DIM, "%s %s to %s", name, low, high);
	join(w, v);
	plot_line(c, (struct rect){ r.x, r.y + 1, r.w, r.h - 1 }, 0, w, v, STYLE_BAR, lo, hi);
}

void
train_chart_draw(struct app *a, struct canvas *c, struct rect r)
{
	const struct train *t = a->train;
	int beside = r.w >= 72 && r.h >= 6 ? r.w / 3 : 0, h = r.h / 3;
	int x = r.x + r.w - beside + 1;

	draw_loss(t, c, (struct rect){ r.x, r.y, r.w - beside, r.h });
	if (!beside)
		return;
	draw_small(t, c, (struct rect){ x, r.y, beside - 2, h }, RATE, "learning rate");
	draw_small(t, c, (struct rect){ x, r.y + h, beside - 2, h }, GRADIENT, "gradient");
	draw_small(t, c, (struct rect){ x, r.y + 2 * h, beside - 2, r.h - 2 * h }, SPEED, "tokens/s");
}
