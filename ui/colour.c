/*
 * colour.c: the colourings: for each position of the state shown, a style and
 * perhaps a mark.  Numbers that need the model come from the sampler (RQ_PAINT)
 * and are drawn once they are there.  Screen thread only.
 */
#include "ui/app_private.h"

#include <math.h>

/* The one list of colourings, in the order of the enum. */
static const struct { const char *name, *low, *high;
} colourings[COLOUR_COUNT] = {
	[COLOUR_CAUSE] = { "cause", NULL, NULL },
	[COLOUR_CONFIDENCE] = { "confidence", "unsure", "sure" },
	[COLOUR_ENTROPY] = { "entropy", "0", "log V" },
	[COLOUR_AGE] = { "age", "old", "changed now" },
	[COLOUR_TIMES] = { "times", "never", "7 changes" },
	[COLOUR_DENOISER] = { "denoiser", NULL, NULL },
	[COLOUR_DIFFERENCE] = { "difference", NULL, NULL },
	[COLOUR_PLAIN] = { "plain", NULL, NULL },
	[COLOUR_GUIDANCE] = { "guidance", "less likely", "more likely" },
};

const char *
colouring_name(enum colouring k)
{
	return colourings[k].name;
}

/* Under masked noise and left to right, x_theta at a token that is there is 1:
 * what it was when drawn says more. */
bool
confidence_when_drawn(const struct app *a)
{
	return a->model->out == OUT_SUBS || a->model->out == OUT_CAUSAL || a->model->out == OUT_SCORE;
}

bool
colouring_paint(const struct app *a, enum paint *out)
{
	switch (a->colouring) {
	case COLOUR_CONFIDENCE:
		*out = PAINT_CONFIDENCE;
		return !confidence_when_drawn(a);
	case COLOUR_ENTROPY:
		*out = PAINT_ENTROPY;
		return true;
	case COLOUR_DENOISER:
		*out = PAINT_ARGMAX;
		return true;
	case COLOUR_GUIDANCE:
		*out = PAINT_GUIDANCE;
		return true;
	default:
		return false;
	}
}

bool
colouring_fits(const struct app *a, enum colouring k)
{
	return k != COLOUR_GUIDANCE || recipe_classes(a->model) > 0;
}

enum style
cause_style(enum cause c)
{
	switch (c) {
	case CAUSE_PRED:
		return STYLE_PRED;
	case CAUSE_PRED_NOISE:
		return STYLE_PRED_NOISE;
	case CAUSE_CORR:
		return STYLE_CORR;
	case CAUSE_CORR_NOISE:
		return STYLE_CORR_NOISE;
	case CAUSE_REMASK:
		return STYLE_REMASK;
	case CAUSE_REMOVAL:
		return STYLE_REMOVAL;
	case CAUSE_CLAMP:
		return STYLE_CLAMP;
	case CAUSE_EDIT:
		return STYLE_EDIT;
	default:
		return STYLE_TEXT;
	}
}

static enum style
scale(double v)
{
	int level = isfinite(v) ? (int)(v * 8) : 0;

	return (enum style)(STYLE_SCALE0 + (level < 0 ? 0 : level > 7 ? 7 : level));
}

/* A change of a probability: small ones are to be seen too; nothing stays plain. */
static enum style
scale_change(double v)
{
	if (!isfinite(v) || fabs(v) < 5e-4)
		return STYLE_TEXT;
	return scale((copysign(sqrt(fabs(v)), v) + 1) / 2);
}

int32_t
colour_token(const struct app *a, int pos)
{
	const struct app_private *p = a->priv;

	if (a->colouring == COLOUR_DENOISER && p->has_said)
		return p->said[(size_t)a->cursor.sample * (size_t)p->L + (size_t)pos];
	return p->tok[pos];
}

struct painted
cause_paint(const struct app *a, enum cause c, int32_t tok, bool fixed)
{
	struct painted out;

	if (fixed && c != CAUSE_EDIT)
		c = CAUSE_CLAMP;
	out.style = cause_style(c);
	out.mark = c == CAUSE_CLAMP || cause_changed(c) ? cause_info(c)->mark : 0;
	if (out.style == STYLE_TEXT && a->model->mask >= 0 && tok == a->model->mask)
		out.style = STYLE_MASK;
	return out;
}

void
colour_row(struct app *a, struct painted *out)
{
	struct app_private *p = a->priv;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;
	const uint8_t *fixed = p->preview ? p->next.fixed : p->now.fixed;
	double log_v = log((double)a->model->V);

	if (a->colouring == COLOUR_AGE || a->colouring == COLOUR_TIMES)
		cursor_history(a);
	for (int i = 0; i < p->L; i++) {
		size_t k = off + (size_t)i;
		struct painted *o = &out[i];

		*o = (struct painted){ STYLE_TEXT, 0 };
		switch (a->colouring) {
		case COLOUR_CAUSE:
			*o = cause_paint(a, (enum cause)p->cause[i], p->tok[i], fixed[k]);
			break;
		case COLOUR_CONFIDENCE:
			o->style = p->tok[i] == a->model->mask || p->tok[i] < 0 ? STYLE_MASK :
			    scale(!confidence_when_drawn(a) && p->has_value ? (double)p->value[k] : (double)p->prob[i]);
			break;
		case COLOUR_ENTROPY:
			o->style = p->has_value ? scale((double)p->value[k] / log_v) : STYLE_DIM;
			break;
		case COLOUR_AGE: /* 0, 1, 3, 7, ... steps ago */
			o->style = (enum style)(STYLE_SCALE7 - (int)fmin(7, log2(p->age[i] + 1)));
			break;
		case COLOUR_TIMES:
			o->style = (enum style)(STYLE_SCALE0 + (p->times[i] > 7 ? 7 : p->times[i]));
			break;
		case COLOUR_DENOISER:
			o->style = !p->has_said ? STYLE_DIM : p->said[k] != p->tok[i] ? STYLE_PREVIEW : STYLE_TEXT;
			break;
		case COLOUR_DIFFERENCE:
			o->style = p->has_other && p->other.tok[k] != p->tok[i] ? STYLE_PREVIEW : STYLE_TEXT;
			break;
		case COLOUR_GUIDANCE:
			o->style = p->has_value ? scale_change((double)p->value[k]) : STYLE_DIM;
			break;
		default:
			break;
		}
	}
}

const char *
cause_word(enum cause c)
{
	switch (c) {
	case CAUSE_PRED:
		return "predictor";
	case CAUSE_CORR:
		return "corrector";
	case CAUSE_PRED_NOISE:
	case CAUSE_CORR_NOISE:
		return "noise";
	case CAUSE_REMASK:
		return "remasked";
	case CAUSE_REMOVAL:
		return "last step";
	case CAUSE_CLAMP:
		return "clamped";
	case CAUSE_EDIT:
		return "edited";
	default:
		return "same";
	}
}

static void
legend_causes(const struct app *a, struct canvas *c, struct rect r, int x, int y)
{
	for (int k = 0; k < CAUSE_COUNT; k++) {
		enum cause cause = (enum cause)k;
		const char *word = cause_word(cause);
		int mark = cause_info(cause)->mark;
		bool noise = cause == CAUSE_PRED_NOISE || cause == CAUSE_CORR_NOISE;

		if (!mark || (noise && a->model->mask >= 0) || (cause == CAUSE_REMASK && a->model->mask < 0))
			continue;
		if (!has_kappa(a) && (cause == CAUSE_CORR || cause == CAUSE_REMASK))
			continue;
		if (a->model->out == OUT_CAUSAL && cause == CAUSE_REMOVAL)
			continue;
		if (x + (int)strlen(word) + 1 > r.w)
			break;
		canvas_char(c, r, x, y, cause_style(cause), (unsigned char)mark);
		x += 1 + canvas_put(c, r, x + 1, y, STYLE_DIM, word) + 1;
	}
}

void
colour_legend(struct app *a, struct canvas *c, struct rect r, int x, int y)
{
	const struct app_private *p = a->priv;
	const char *name = colourings[a->colouring].name;
	char branch[8];

	switch (a->colouring) {
	case COLOUR_CAUSE:
		legend_causes(a, c, r, x, y);
		return;
	case COLOUR_DENOISER:
		canvas_put(c, r, x, y, STYLE_DIM,
			p->has_said ? "what the denoiser would say now; " : "computing what the denoiser says");
		if (p->has_said)
			canvas_put(c, r, x + 34, y, STYLE_PREVIEW, "not what is there");
		return;
	case COLOUR_DIFFERENCE:
		if (p->other_branch == -1) {
			canvas_put(c, r, x, y, STYLE_DIM, "differs from the step before");
		} else {
			branch_name(a, p->other_branch == -2 ? -1 : p->other_branch, branch);
			canvas_printf(c, r, x, y, STYLE_DIM, p->has_other ? "differs from branch %s at this step" :
			    "branch %s has no such step", branch);
		}
		return;
	case COLOUR_PLAIN:
		return;
	default:
		break;
	}
	x += canvas_printf(c, r, x, y, STYLE_DIM, "%s%s  %s ", name,
		a->colouring == COLOUR_CONFIDENCE && confidence_when_drawn(a) ? " when drawn" : "",
		colourings[a->colouring].low);
	for (int i = 0; i < 8; i++)
		canvas_char(c, r, x++, y, (enum style)(STYLE_SCALE0 + i), (uint32_t)('0' + i));
	x += 1 + canvas_put(c, r, x + 1, y, STYLE_DIM, colourings[a->colouring].high);
	if ((p->paint_missing || (p->paint_ticket && !p->has_value)) &&
	    (a->colouring == COLOUR_ENTROPY || a->colouring == COLOUR_GUIDANCE ||
	     (a->colouring == COLOUR_CONFIDENCE && !confidence_when_drawn(a))))
		canvas_put(c, r, x + 2, y, STYLE_DIM, "computing");
}
