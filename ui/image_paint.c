/*
 * image_paint.c: the colour of every pixel of a picture: its own, or what the
 * colouring says, over it.  Screen thread only.
 */
#include <math.h>
#include <stdlib.h>

#include "ui/theme.h"
#include "ui/view_image.h"

/* Where a sample's tokens and so on are read from. */
struct source {
	const int32_t *tok;
	const uint8_t *cause, *fixed;
	const float *prob;
	size_t off;              /* of the sample in arrays of all */
};

static struct source
source_of(const struct app *a, int sample)
{
	const struct app_private *p = a->priv;
	const struct state *s = p->preview ? &p->next : &p->now;
	size_t off = (size_t)sample * (size_t)p->L;

	if (sample == a->cursor.sample) /* it may be revealed in part */
		return (struct source){ p->tok, p->cause, s->fixed + off, p->prob, off };
	return (struct source){ s->tok + off, s->cause + off, s->fixed + off, s->prob + off, off };
}

int
image_value(const struct app *a, int32_t tok)
{
	int top = a->model->V - (a->model->mask >= 0) - 1;

	if (tok < 0 || tok == a->model->mask)
		return -1;
	return top == 255 || top < 1 ? tok : (int)((long)tok * 255 / top);
}

uint32_t
image_colour(const int value[3], int x, int y)
{
	int sum = 0, known = 0;
	uint32_t out = 0;

	for (int k = 0; k < 3; k++)
		if (value[k] >= 0) {
			sum += value[k];
			known++;
		}
	if (!known) /* a quiet pattern */
		return (x ^ y) & 1 ? 0x3a3a3a : 0x2e2e2e;
	for (int k = 0; k < 3; k++)
		out = out << 8 | (uint32_t)(value[k] >= 0 ? value[k] : sum / known);
	return out;
}

static uint32_t
blend(uint32_t a, uint32_t b, int per_cent)
{
	uint32_t out = 0;

	for (int k = 16; k >= 0; k -= 8) {
		int u = (int)(a >> k & 255), v = (int)(b >> k & 255);

		out = out << 8 | (uint32_t)((u * (100 - per_cent) + v * per_cent + 50) / 100);
	}
	return out;
}

static uint32_t
style_rgb(enum style s)
{
	static struct theme th;

	if (!th.colours)
		theme_make(&th, 256, false);
	return (uint32_t)theme_rgb(th.ink[s].fg);
}

/* 0..1 as a colour between those of the scale. */
static uint32_t
heat(double v)
{
	v = v > 0 ? v < 1 ? v * 7 : 7 : 0; /* NaN: 0 */
	int k = v >= 7 ? 6 : (int)v;

	return blend(style_rgb((enum style)(STYLE_SCALE0 + k)), style_rgb((enum style)(STYLE_SCALE0 + k + 1)),
	    (int)((v - k) * 100));
}

static enum style
heat_style(double v)
{
	return (enum style)(STYLE_SCALE0 + (v > 0 ? v < 1 ? (int)(v * 8) : 7 : 0));
}

/* The most telling cause of a pixel's three. */
static enum cause
pixel_cause(const struct source *s, const int at[3])
{
	static const enum cause order[] = { CAUSE_EDIT, CAUSE_CORR_NOISE, CAUSE_REMASK, CAUSE_CORR, CAUSE_PRED_NOISE,
		CAUSE_PRED, CAUSE_REMOVAL };

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		for (int k = 0; k < 3; k++)
			if (s->cause[at[k]] == order[i])
				return order[i];
	return s->fixed[at[0]] ? CAUSE_CLAMP : CAUSE_UNTOUCHED;
}

/* A change of a probability on 0..1, .5: none.  One value of 256 has little of
 * it, so small changes count most. */
static double
change(double v)
{
	return .5 + copysign(fmin(.5, sqrt(fabs(v))), v);
}

/* Mean over the channels of what is to be shown, 0..1; NAN: not known. */
static double
pixel_number(const struct app *a, const struct image_page *p, const struct source *s, const int at[3])
{
	const struct app_private *v = a->priv;
	double sum = 0, log_v = log((double)a->model->V);
	int least = INT_MAX, most = 0;

	for (int k = 0; k < 3; k++) {
		size_t i = s->off + (size_t)at[k];
		double prob = confidence_when_drawn(a) || !v->has_value ? (double)s->prob[at[k]] : (double)v->value[i];

		if (a->colouring == COLOUR_CONFIDENCE)
			sum += prob > 0 ? fmax(0, 1 + log(prob) / log_v) : 0;
		else if (a->colouring == COLOUR_ENTROPY)
			sum += v->has_value ? (double)v->value[i] / log_v : (double)NAN;
		else if (a->colouring == COLOUR_GUIDANCE)
			sum += v->has_value ? change((double)v->value[i]) : (double)NAN;
		least = p->age[i] < least ? p->age[i] : least;
		most = p->times[i] > most ? p->times[i] : most;
	}
	if (a->colouring == COLOUR_AGE)
		return 1 - fmin(7, log2(least + 1)) / 7;
	if (a->colouring == COLOUR_TIMES)
		return most > 7 ? 1 : most / 7.;
	return sum / 3;
}

/* |difference| to the state compared with; a channel that is masked in one of them: all. */
static uint32_t
pixel_difference(const struct app *a, const struct source *s, const int at[3])
{
	const struct app_private *p = a->priv;
	uint32_t out = 0;

	for (int k = 0; k < 3; k++) {
		int now = image_value(a, s->tok[at[k]]), was = image_value(a, p->other.tok[s->off + (size_t)at[k]]);

		out = out << 8 | (uint32_t)(now < 0 && was < 0 ? 0 : now < 0 || was < 0 ? 255 : abs(now - was));
	}
	return out;
}

static void
paint_pixel(const struct app *a, struct image_page *p, const struct source *s, int i, const int value[3])
{
	int pixels = a->side * a->side, at[3] = { i, i + pixels, i + 2 * pixels };
	uint32_t own = image_colour(value, i % a->side, i / a->side);
	enum cause cause;
	double v;

	p->rgb[i] = own;
	p->style[i] = STYLE_TEXT;
	switch (a->colouring) {
	case COLOUR_CAUSE:
		cause = pixel_cause(s, at);
		p->style[i] = (uint8_t)cause_style(cause);
		if (cause != CAUSE_UNTOUCHED)
			p->rgb[i] = blend(own, style_rgb(cause_style(cause)), 45);
		break;
	case COLOUR_CONFIDENCE:
	case COLOUR_ENTROPY:
	case COLOUR_GUIDANCE:
	case COLOUR_AGE:
	case COLOUR_TIMES:
		v = pixel_number(a, p, s, at);
		p->rgb[i] = isnan(v) ? blend(own, 0x202020, 60) : heat(v);
		p->style[i] = (uint8_t)(isnan(v) ? STYLE_DIM : heat_style(v));
		break;
	case COLOUR_DIFFERENCE:
		if (a->priv->has_other)
			p->rgb[i] = pixel_difference(a, s, at);
		break;
	default:
		break;
	}
}

/* Ages and times of all samples, once a state. */
static void
read_history(struct app *a, struct image_page *p)
{
	struct error e;

	if (p->history_of == a->cursor.node)
		return;
	p->history_of = a->cursor.node;
	tree_history_all(sampler_tree(a->sampler), a->cursor.node, p->age, p->times, &e);
}

void
image_paint(struct app *a, struct image_page *p, int sample)
{
	struct source s = source_of(a, sample);
	const int32_t *tok = a->colouring == COLOUR_DENOISER && a->priv->has_said ? a->priv->said + s.off : s.tok;
	int pixels = a->side * a->side;

	if (a->colouring == COLOUR_AGE || a->colouring == COLOUR_TIMES)
		read_history(a, p);
	for (int i = 0; i < pixels; i++) {
		int value[3];

		for (int k = 0; k < 3; k++)
			value[k] = image_value(a, tok[i + k * pixels]);
		paint_pixel(a, p, &s, i, value);
	}
}
