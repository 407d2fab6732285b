/* recipe.c: see recipe.h.  Presets, and what fits which model; the knobs are in knob.c. */
#include "psi/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "net/classifier.h"

#define CLS_EXACT_MOST 100000 /* evaluations of a classifier in one step */

void
recipe_init(struct recipe *r)
{
	memset(r, 0, sizeof *r);
	r->steps = 64;
	r->profile = PROFILE_LINEAR;
	r->c = 0.9;
	r->given = GIVEN_ALPHA;
	for (int i = 0; i < 3; i++)
		r->zone[i] = (struct zone){ KAPPA_POSTERIOR, 0 };
	r->temperature = 1;
	r->top_p = 1;
	r->cfg = 1;
	r->cls = 1;
	r->label = LABEL_NONE;
	r->samples = 1;
}

/* psi-samplers.md section 5; the metadata of golden kappa_tables has the
 * settings of the published scripts. */
struct preset {
	const char *name, *help;
	enum profile profile;
	struct zone zone[3];
	double high, middle, top_p;
	enum removal removal;
};

#define SAME(mode, value) { { mode, value }, { mode, value }, { mode, value } }
#define MIDDLE(mode, value) { { KAPPA_POSTERIOR, 0 }, { mode, value }, { KAPPA_POSTERIOR, 0 } }

static const struct preset presets[] = {
	{ "cap-0.01", "text: ReMDM cap, eta .01, top-p .9",
		PROFILE_LINEAR, SAME(KAPPA_CAP, .01), 0, 0, .9, REMOVAL_ANCESTRAL },
	{ "rescale-0.05", "text: the published rescale, eta .05, top-p .9",
		PROFILE_LINEAR, SAME(KAPPA_RESCALE_DUO, .05), 0, 0, .9, REMOVAL_ANCESTRAL },
	{ "loop-0.01", "text: alpha held at .9 in the middle, loop, eta .01, top-p .95",
		PROFILE_LCL, MIDDLE(KAPPA_LOOP, .01), .45, .5, .95, REMOVAL_ANCESTRAL },
	{ "images", "pictures, uniform noise: kappa .95 in the middle",
		PROFILE_LINEAR, MIDDLE(KAPPA_CONSTANT, .95), .5, .4, 1, REMOVAL_ANCESTRAL },
	{ "images-masked", "pictures, masked noise: kappa .99 but for the end",
		PROFILE_LINEAR, MIDDLE(KAPPA_CONSTANT, .99), 0, .9, 1, REMOVAL_ANCESTRAL },
	{ "ancestral", "kappa 1: the plain reverse process",
		PROFILE_LINEAR, SAME(KAPPA_POSTERIOR, 0), 0, 0, 1, REMOVAL_ANCESTRAL },
	{ "pc", "kappa 0: predict, then renoise, in every step",
		PROFILE_LINEAR, SAME(KAPPA_PC, 0), 0, 0, 1, REMOVAL_ANCESTRAL },
	{ "greedy-tail", "kappa 1; the last step takes the most probable token",
		PROFILE_LINEAR, SAME(KAPPA_POSTERIOR, 0), 0, 0, 1, REMOVAL_GREEDY },
};

#define PRESETS ((int)(sizeof presets / sizeof *presets))

int
recipe_preset_count(void)
{
	return PRESETS;
}

const char *
recipe_preset_name(int i)
{
	return i >= 0 && i < PRESETS ? presets[i].name : NULL;
}

const char *
recipe_preset_help(int i)
{
	return i >= 0 && i < PRESETS ? presets[i].help : NULL;
}

static enum status
unknown_preset(const char *name, struct error *e)
{
	char all[256] = "";
	size_t n = 0;

	for (int i = 0; i < PRESETS && n < sizeof all; i++)
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", presets[i].name);
	return error_set(e, ST_USAGE, "there is no preset '%s': %s", name, all);
}

enum status
recipe_preset(struct recipe *r, const char *name, struct error *e)
{
	struct recipe old = *r;
	int i = 0;

	while (i < PRESETS && strcmp(presets[i].name, name) != 0)
		i++;
	if (i == PRESETS)
		return unknown_preset(name, e);
	recipe_init(r);
	r->seed = old.seed;
	r->samples = old.samples;
	r->first = old.first;
	r->label = old.label;
	r->steps = old.steps;
	r->raw = old.raw;
	r->profile = presets[i].profile;
	memcpy(r->zone, presets[i].zone, sizeof r->zone);
	r->high_frac = presets[i].high;
	r->middle_frac = presets[i].middle;
	r->top_p = presets[i].top_p;
	r->removal = presets[i].removal;
	snprintf(r->preset, sizeof r->preset, "%s", presets[i].name);
	return ST_OK;
}

void
recipe_default(const struct model *m, bool image, struct recipe *r)
{
	const char *name = NULL;

	recipe_init(r);
	if (m->classes > 0)
		r->label = image ? LABEL_ROWS : m->classes;
	if (m->out == OUT_D3PM)
		name = "ancestral";
	else if (m->out == OUT_MEAN)
		name = image ? "images" : "cap-0.01";
	else if (m->out == OUT_SUBS)
		name = image ? "images-masked" : "cap-0.01";
	if (name)
		recipe_preset(r, name, NULL);
}

static bool
ancestral_only(const struct recipe *r)
{
	for (int i = 0; i < 3; i++)
		if (r->zone[i].mode != KAPPA_POSTERIOR && !(r->zone[i].mode == KAPPA_CONSTANT && r->zone[i].value == 1))
			return false;
	return r->per == PER_NONE;
}

static enum status
check_ranges(const struct recipe *r, struct error *e)
{
	if (r->steps < 1 || r->steps > RECIPE_STEPS_MAX)
		return error_set(e, ST_USAGE, "steps %d: must be 1 to %d", r->steps, RECIPE_STEPS_MAX);
	if (r->samples < 1)
		return error_set(e, ST_USAGE, "samples %d: must be 1 or more", r->samples);
	if (r->first < 0)
		return error_set(e, ST_USAGE, "first %d: must be 0 or more", r->first);
	if (!(r->temperature > 0 && r->temperature <= RECIPE_TEMP_MAX))
		return error_set(e, ST_USAGE, "temperature %g: must be above 0, at most %g", r->temperature,
		    RECIPE_TEMP_MAX);
	if (!(r->top_p > 0 && r->top_p <= 1))
		return error_set(e, ST_USAGE, "top-p %g: must be above 0, at most 1", r->top_p);
	if (r->top_k < 0)
		return error_set(e, ST_USAGE, "top-k %d: must be 0 (off) or more", r->top_k);
	if (!isfinite(r->cfg))
		return error_set(e, ST_USAGE, "cfg %g: must be a number", r->cfg);
	for (int i = 0; i < 3; i++)
		if (!(r->zone[i].value >= 0 && r->zone[i].value <= 1))
			return error_set(e, ST_USAGE, "kappa or eta %g: must be 0 to 1", r->zone[i].value);
	if (!(r->high_frac >= 0 && r->high_frac <= 1 && r->middle_frac >= 0 && r->middle_frac <= 1))
		return error_set(e, ST_USAGE, "zone fractions %g and %g: must be 0 to 1", r->high_frac, r->middle_frac);
	return ST_OK;
}

int
recipe_classes(const struct model *m)
{
	return m->classes > 0 ? m->classes : m->guide ? m->guide->classes : 0;
}

static enum status
check_classifier(const struct recipe *r, const struct model *m, struct error *e)
{
	const struct classifier *c = m->guide;

	if (!c)
		return r->cls == 1 && r->cls_how == CLS_FIRST
			   ? ST_OK
			   : error_set(e, ST_USAGE, "%s: there is no classifier (--classifier FILE)",
				       r->cls == 1 ? "guide" : "cls");
	if (r->cls == 0 || r->label == LABEL_NONE)
		return ST_OK;
	if (m->classes > 0 && m->classes != c->classes)
		return error_set(e, ST_USAGE, "the model has %d classes, the classifier %d: not the same ones",
				 m->classes, c->classes);
	if (m->out == OUT_SCORE || m->out == OUT_CAUSAL)
		return error_set(e, ST_USAGE, "cls: %s cannot be guided by a classifier",
				 m->out == OUT_SCORE ? "a score model (SEDD)" : "a causal model");
	if (r->cls_how == CLS_EXACT && (double)m->L * m->V > CLS_EXACT_MOST)
		return error_set(e, ST_USAGE,
				 "guide exact: %d x %d evaluations for each step are too many (guide first)", m->L,
				 m->V);
	return ST_OK;
}

static enum status
check_label(const struct recipe *r, const struct model *m, struct error *e)
{
	int classes = recipe_classes(m);

	if (classes == 0 && r->label != LABEL_NONE)
		return error_set(e, ST_USAGE, "label: this model has no labels");
	if (r->label > classes)
		return error_set(e, ST_USAGE, "label %d: this model has labels 0 to %d (%d: no label)", r->label,
				 classes - 1, classes);
	if (r->cfg != 1 && m->classes == 0)
		return error_set(e, ST_USAGE, "cfg %g: guidance needs a model with labels", r->cfg);
	if (r->cfg != 1 && r->label == LABEL_NONE)
		return error_set(e, ST_USAGE, "cfg %g: guidance needs a label", r->cfg);
	return check_classifier(r, m, e);
}

/* SEDD and causal models have samplers of their own. */
static enum status
check_own_sampler(const struct recipe *r, const struct model *m, struct error *e)
{
	const char *who = m->out == OUT_SCORE ? "a score model (SEDD)" : "a causal model";

	if (!ancestral_only(r))
		return error_set(e, ST_USAGE, "kappa: %s has its own sampler, without kappa", who);
	if (m->out == OUT_SCORE && !(r->temperature == 1 && r->top_p == 1 && r->top_k == 0))
		return error_set(e, ST_USAGE,
		    "temperature, top-p and top-k: %s gives scores, which cannot be filtered", who);
	if (m->out == OUT_SCORE && r->cfg != 1)
		return error_set(e, ST_USAGE, "cfg: %s cannot be guided", who);
	return ST_OK;
}

enum status
recipe_check(const struct recipe *r, const struct model *m, struct error *e)
{
	enum status st = check_ranges(r, e);

	if (st == ST_OK)
		st = check_label(r, m, e);
	if (st != ST_OK)
		return st;
	if (m->out == OUT_SCORE || m->out == OUT_CAUSAL) {
		st = check_own_sampler(r, m, e);
		if (st != ST_OK)
			return st;
	}
	if (r->per == PER_INFORMED && m->out != OUT_MEAN)
		return error_set(e, ST_USAGE, "per informed: only for uniform noise (under masked noise p is 1 or 0)");
	if (r->d3pm_compat && m->out != OUT_D3PM)
		return error_set(e, ST_USAGE, "d3pm-compat: this is not a D3PM model");
	return ST_OK;
}

/* constant(1) is posterior, constant(0) is pc. */
static double
constant_of(const struct zone *z)
{
	return z->mode == KAPPA_POSTERIOR ? 1 : z->mode == KAPPA_PC ? 0 : z->mode == KAPPA_CONSTANT ? z->value : NAN;
}

static bool
zone_equal(const struct zone *a, const struct zone *b)
{
	return constant_of(a) == constant_of(b) || (a->mode == b->mode && a->value == b->value);
}

bool
recipe_same_grid(const struct recipe *a, const struct recipe *b)
{
	return a->steps == b->steps && a->profile == b->profile &&
	    (a->profile == PROFILE_LINEAR || (a->c == b->c && a->given == b->given)) &&
	    a->high_frac == b->high_frac && a->middle_frac == b->middle_frac;
}

bool
recipe_equal(const struct recipe *a, const struct recipe *b)
{
	for (int i = 0; i < 3; i++)
		if (!zone_equal(&a->zone[i], &b->zone[i]))
			return false;
	return recipe_same_grid(a, b) && a->per == b->per && a->removal == b->removal &&
	       a->temperature == b->temperature && a->top_p == b->top_p && a->top_k == b->top_k && a->cfg == b->cfg &&
	       a->cfg_mix == b->cfg_mix && a->cls == b->cls && a->cls_how == b->cls_how &&
	       a->d3pm_compat == b->d3pm_compat && a->label == b->label && a->seed == b->seed &&
	       a->samples == b->samples && a->first == b->first && a->raw == b->raw;
}
