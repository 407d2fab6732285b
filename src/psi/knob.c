/*
 * knob.c: the one list of knobs of a recipe, and reading, writing and nudging
 * one of them (recipe.h).  Pure, any thread.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "psi/recipe.h"

enum knob_id {
	K_KAPPA, K_HIGH, K_MIDDLE, K_LOW, K_PER, K_PROFILE, K_HIGH_FRAC, K_MIDDLE_FRAC, K_STEPS, K_REMOVAL,
	K_TOP_P, K_TOP_K, K_TEMP, K_CFG, K_MIX, K_CLS, K_GUIDE, K_LABEL, K_COMPAT, K_SEED, K_SAMPLES, K_FIRST,
	K_WEIGHTS, K_COUNT
};

#define ZONE_HELP "posterior, pc, constant(k), cap(eta), rescale(eta), rescale-duo(eta) or loop(eta)"

static const struct knob knobs[K_COUNT] = {
	[K_KAPPA] = { "kappa", "kappa", KNOB_TEXT, 0, 1, .01, NULL,
		"all three zones: a number 0 to 1, or as for a zone", true, true },
	[K_HIGH] = { "zone-high", "high", KNOB_TEXT, 0, 1, .01, NULL, "kappa at high noise: " ZONE_HELP, true, true },
	[K_MIDDLE] = { "zone-mid", "mid", KNOB_TEXT, 0, 1, .01, NULL, "kappa at middle noise", true, true },
	[K_LOW] = { "zone-low", "low", KNOB_TEXT, 0, 1, .01, NULL, "kappa at low noise", true, true },
	[K_PER] = { "per", "per", KNOB_CHOICE, 0, 2, 1, "none|conf|informed",
		"kappa for each position by its own confidence; does not keep the marginals", true, true },
	[K_PROFILE] = { "profile", "profile", KNOB_TEXT, 0, 1, .01, NULL,
		"grid of times: linear, lcl(t), lcl(alpha)-inv or lcl(alpha)-inv-duo", true, true },
	[K_HIGH_FRAC] = { "high", "high part", KNOB_REAL, 0, 1, .05, NULL,
		"fraction of the times in the high zone (and first part of lcl)", true, true },
	[K_MIDDLE_FRAC] = { "middle", "mid part", KNOB_REAL, 0, 1, .05, NULL,
		"fraction of the times in the middle zone (and constant part of lcl)", true, true },
	[K_STEPS] = { "steps", "steps", KNOB_INT, 1, RECIPE_STEPS_MAX, 1, NULL, "steps of the run", true, true },
	[K_REMOVAL] = { "removal", "last", KNOB_CHOICE, 0, 2, 1, "ancestral|greedy|none",
		"noise removal after the last step", true, true },
	[K_TOP_P] = { "top-p", "top-p", KNOB_REAL, 0, 1, .01, NULL,
		"keep the smallest set of tokens with this probability; 1: off", true, true },
	[K_TOP_K] = { "top-k", "top-k", KNOB_INT, 0, 1 << 24, 1, NULL, "keep this many tokens; 0: off", true, true },
	[K_TEMP] = { "temperature", "temp", KNOB_REAL, 0, RECIPE_TEMP_MAX, .05, NULL,
		"of the denoiser's distribution; 1: off", true, true },
	[K_CFG] = { "cfg", "cfg", KNOB_REAL, -100, 100, .1, NULL,
		"classifier-free guidance; 0: no label, 1: off", true, true },
	[K_MIX] = { "cfg-mix", "mix", KNOB_CHOICE, 0, 1, 1, "x-theta|posterior",
		"what guidance mixes: the denoisers, or (as published) the posteriors", true, true },
	[K_CLS] = { "cls", "cls", KNOB_REAL, -1000, 1000, .5, NULL,
		"weight of the classifier given with --classifier; 0: off", true, true },
	[K_GUIDE] = { "guide", "guide", KNOB_CHOICE, 0, 1, 1, "first|exact",
		"the classifier's say: from one gradient, or every token of every position tried", true, true },
	[K_LABEL] = { "label", "label", KNOB_TEXT, LABEL_ROWS, 1 << 24, 1, NULL,
		"class, none (no label term) or rows (sample i: class i mod classes)", false, true },
	[K_COMPAT] = { "d3pm-compat", "d3pm", KNOB_CHOICE, 0, 1, 1, "off|on",
		"D3PM: the published posterior instead of the formula", true, true },
	[K_SEED] = { "seed", "seed", KNOB_INT, 0, 18446744073709551615.0, 1, NULL, "of all randomness", true, true },
	[K_SAMPLES] = { "samples", "samples", KNOB_INT, 1, 1 << 20, 1, NULL, "samples side by side", false, false },
	[K_FIRST] = { "first", "first", KNOB_INT, 0, 2147483647, 1, NULL, "number of the first sample", false, true },
	[K_WEIGHTS] = { "weights", "weights", KNOB_CHOICE, 0, 1, 1, "ema|raw", "which weights", false, true },
};

static const char *const mode_names[] = {
	[KAPPA_POSTERIOR] = "posterior", [KAPPA_PC] = "pc", [KAPPA_CONSTANT] = "constant", [KAPPA_CAP] = "cap",
	[KAPPA_RESCALE] = "rescale", [KAPPA_RESCALE_DUO] = "rescale-duo", [KAPPA_LOOP] = "loop",
};
#define MODES ((int)(sizeof mode_names / sizeof *mode_names))

int
recipe_knob_count(void)
{
	return K_COUNT;
}

const struct knob *
recipe_knob(int i)
{
	return i >= 0 && i < K_COUNT ? &knobs[i] : NULL;
}

/* Also by the short name in the knob bar, and by a few plain spellings. */
static int
find(const char *name)
{
	static const struct { const char *name; enum knob_id id; } also[] = {
		{ "temp", K_TEMP }, { "zone-middle", K_MIDDLE }, { "guidance", K_CFG }, { "noise-removal", K_REMOVAL },
		{ "class", K_LABEL },
	};

	for (int i = 0; i < K_COUNT; i++)
		if (strcmp(knobs[i].name, name) == 0)
			return i;
	for (size_t i = 0; i < sizeof also / sizeof *also; i++)
		if (strcmp(also[i].name, name) == 0)
			return (int)also[i].id;
	return -1;
}

const struct knob *
recipe_knob_find(const char *name)
{
	int i = find(name);

	return i < 0 ? NULL : &knobs[i];
}

void
number_format(double v, char *buf, size_t size)
{
	char tmp[40];
	int digits = 1;

	do {
		snprintf(tmp, sizeof tmp, "%.*g", digits, v);
	} while (strtod(tmp, NULL) != v && ++digits <= 17);
	const char *s = tmp;
	if (strncmp(s, "0.", 2) == 0)
		s++;
	bool minus = strncmp(s, "-0.", 3) == 0;
	snprintf(buf, size, "%s%s", minus ? "-" : "", minus ? s + 2 : s);
}

/* A whole finite number and nothing else. */
static bool
number(const char *s, double *out)
{
	char *end;

	if (!*s || isspace((unsigned char)*s))
		return false;
	*out = strtod(s, &end);
	return *end == '\0' && end != s && isfinite(*out);
}

static enum status
bad(const struct knob *k, const char *value, const char *allowed, struct error *e)
{
	return error_set(e, ST_USAGE, "%s '%s': must be %s", k->name, value, allowed);
}

static enum status
set_real(const struct knob *k, const char *value, double *out, struct error *e)
{
	char lo[40], hi[40], want[120];
	double v;
	bool open = k == &knobs[K_TOP_P] || k == &knobs[K_TEMP];

	if (number(value, &v) && v >= k->lo && v <= k->hi && !(open && v <= k->lo)) {
		*out = v;
		return ST_OK;
	}
	number_format(k->lo, lo, sizeof lo);
	number_format(k->hi, hi, sizeof hi);
	snprintf(want, sizeof want, open ? "a number above %s, at most %s" : "a number from %s to %s", lo, hi);
	return bad(k, value, want, e);
}

static enum status
set_int(const struct knob *k, const char *value, int *out, struct error *e)
{
	char *end, want[80];

	errno = 0;
	long v = strtol(value, &end, 10);
	if (*value && !isspace((unsigned char)*value) && !*end && !errno && (double)v >= k->lo && (double)v <= k->hi) {
		*out = (int)v;
		return ST_OK;
	}
	snprintf(want, sizeof want, "a whole number from %.0f to %.0f", k->lo, k->hi);
	return bad(k, value, want, e);
}

static enum status
set_seed(const struct knob *k, const char *value, uint64_t *out, struct error *e)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno)
		return bad(k, value, "a whole number from 0 to 18446744073709551615", e);
	*out = v;
	return ST_OK;
}

/* The i-th word of "a|b|c" into buf; false past the end. */
static bool
choice(const char *list, int i, char *buf, size_t size)
{
	for (; i > 0 && list; i--) {
		const char *bar = strchr(list, '|');
		list = bar ? bar + 1 : NULL;
	}
	if (!list)
		return false;
	snprintf(buf, size, "%.*s", (int)strcspn(list, "|"), list);
	return true;
}

static enum status
set_choice(const struct knob *k, const char *value, int *out, struct error *e)
{
	char word[40];

	for (int i = 0; choice(k->choices, i, word, sizeof word); i++)
		if (strcmp(word, value) == 0) {
			*out = i;
			return ST_OK;
		}
	return bad(k, value, k->choices, e);
}

/* "NAME(NUMBER)REST" or "NAME" alone; *v NAN without a number. */
static bool
split_call(const char *s, char *name, size_t size, double *v, const char **rest)
{
	size_t n = strcspn(s, "(");

	*v = NAN;
	*rest = s + n;
	if (n >= size)
		return false;
	memcpy(name, s, n);
	name[n] = '\0';
	if (s[n] != '(')
		return true;
	const char *close = strchr(s + n, ')');
	char num[64];
	if (!close || (size_t)(close - (s + n + 1)) >= sizeof num)
		return false;
	snprintf(num, sizeof num, "%.*s", (int)(close - (s + n + 1)), s + n + 1);
	*rest = close + 1;
	return number(num, v);
}

static struct zone
constant_zone(double v)
{
	if (v == 1)
		return (struct zone){ KAPPA_POSTERIOR, 0 };
	return v == 0 ? (struct zone){ KAPPA_PC, 0 } : (struct zone){ KAPPA_CONSTANT, v };
}

static enum status
set_zone(const struct knob *k, const char *value, struct zone *out, struct error *e)
{
	char name[24];
	const char *rest;
	double v;

	if (number(value, &v)) {
		if (!(v >= 0 && v <= 1))
			return bad(k, value, "a number from 0 to 1", e);
		*out = constant_zone(v);
		return ST_OK;
	}
	if (!split_call(value, name, sizeof name, &v, &rest) || *rest)
		return bad(k, value, "a number from 0 to 1, " ZONE_HELP, e);
	for (int i = 0; i < MODES; i++) {
		bool takes = i != KAPPA_POSTERIOR && i != KAPPA_PC;
		if (strcmp(name, mode_names[i]) != 0)
			continue;
		if (takes ? !(v >= 0 && v <= 1) : !isnan(v))
			return bad(k, value,
			    takes ? "given a number from 0 to 1 in brackets" : "written without a number", e);
		*out = i == KAPPA_CONSTANT ? constant_zone(v) : (struct zone){ (enum kappa_mode)i, takes ? v : 0 };
		return ST_OK;
	}
	return bad(k, value, "a number from 0 to 1, " ZONE_HELP, e);
}

static enum status
set_profile(const struct knob *k, const char *value, struct recipe *r, struct error *e)
{
	static const char *const suffix[] = {
		[GIVEN_TIME] = "", [GIVEN_ALPHA] = "-inv", [GIVEN_ALPHA_DUO] = "-inv-duo",
	};
	char name[24];
	const char *rest;
	double v;

	if (strcmp(value, "linear") == 0) {
		r->profile = PROFILE_LINEAR;
		return ST_OK;
	}
	if (split_call(value, name, sizeof name, &v, &rest) && strcmp(name, "lcl") == 0 && v > 0 && v < 1)
		for (int i = 0; i < 3; i++)
			if (strcmp(rest, suffix[i]) == 0) {
				r->profile = PROFILE_LCL;
				r->given = (enum profile_given)i;
				r->c = v;
				return ST_OK;
			}
	return bad(k, value, "linear, lcl(t), lcl(alpha)-inv or lcl(alpha)-inv-duo, t and alpha between 0 and 1", e);
}

static enum status
set_label(const struct knob *k, const char *value, int *out, struct error *e)
{
	if (strcmp(value, "none") == 0)
		*out = LABEL_NONE;
	else if (strcmp(value, "rows") == 0)
		*out = LABEL_ROWS;
	else if (set_int(k, value, out, NULL) != ST_OK || *out < 0)
		return bad(k, value, "a class number, none or rows", e);
	return ST_OK;
}

static enum status
set_in(struct recipe *r, enum knob_id id, const char *value, struct error *e)
{
	const struct knob *k = &knobs[id];
	enum status st;
	int i = 0;

	switch (id) {
	case K_KAPPA:
		st = set_zone(k, value, &r->zone[0], e);
		if (st == ST_OK)
			r->zone[1] = r->zone[2] = r->zone[0];
		return st;
	case K_HIGH: case K_MIDDLE: case K_LOW: return set_zone(k, value, &r->zone[id - K_HIGH], e);
	case K_PROFILE: return set_profile(k, value, r, e);
	case K_HIGH_FRAC: return set_real(k, value, &r->high_frac, e);
	case K_MIDDLE_FRAC: return set_real(k, value, &r->middle_frac, e);
	case K_STEPS: return set_int(k, value, &r->steps, e);
	case K_TOP_P: return set_real(k, value, &r->top_p, e);
	case K_TOP_K: return set_int(k, value, &r->top_k, e);
	case K_TEMP: return set_real(k, value, &r->temperature, e);
	case K_CFG: return set_real(k, value, &r->cfg, e);
	case K_CLS: return set_real(k, value, &r->cls, e);
	case K_LABEL: return set_label(k, value, &r->label, e);
	case K_SEED: return set_seed(k, value, &r->seed, e);
	case K_SAMPLES: return set_int(k, value, &r->samples, e);
	case K_FIRST: return set_int(k, value, &r->first, e);
	case K_PER: case K_REMOVAL: case K_MIX: case K_GUIDE: case K_COMPAT: case K_WEIGHTS:
	case K_COUNT: break;
	}
	st = set_choice(k, value, &i, e);
	if (st != ST_OK)
		return st;
	if (id == K_PER)
		r->per = (enum per_position)i;
	else if (id == K_REMOVAL)
		r->removal = (enum removal)i;
	else if (id == K_MIX)
		r->cfg_mix = (enum cfg_mix)i;
	else if (id == K_GUIDE)
		r->cls_how = (enum cls_how)i;
	else if (id == K_COMPAT)
		r->d3pm_compat = i;
	else
		r->raw = i;
	return ST_OK;
}

enum status
recipe_set(struct recipe *r, const char *name, const char *value, struct error *e)
{
	struct recipe next = *r; /* a failed set changes nothing */
	enum status st;
	int id = find(name);

	if (strcmp(name, "preset") == 0)
		st = recipe_preset(&next, value, e);
	else if (id < 0)
		return error_set(e, ST_USAGE, "there is no knob '%s'", name);
	else
		st = set_in(&next, (enum knob_id)id, value, e);
	if (st == ST_OK)
		*r = next;
	return st;
}

void
zone_format(const struct zone *z, char *buf, size_t size)
{
	char num[40];

	number_format(z->value, num, sizeof num);
	if (z->mode == KAPPA_POSTERIOR || z->mode == KAPPA_PC)
		snprintf(buf, size, "%s", mode_names[z->mode]);
	else
		snprintf(buf, size, "%s(%s)", mode_names[z->mode], num);
}

void
profile_format(const struct recipe *r, char *buf, size_t size)
{
	char num[40];

	number_format(r->c, num, sizeof num);
	if (r->profile == PROFILE_LINEAR)
		snprintf(buf, size, "linear");
	else
		snprintf(buf, size, "lcl(%s)%s", num,
		    r->given == GIVEN_TIME ? "" : r->given == GIVEN_ALPHA ? "-inv" : "-inv-duo");
}

/* All zones alike: that zone, as a number where it is one; else "zones". */
static void
get_kappa(const struct recipe *r, char *buf, size_t size)
{
	const struct zone *z = r->zone;

	for (int i = 1; i < 3; i++)
		if (z[i].mode != z->mode || z[i].value != z->value) {
			snprintf(buf, size, "zones");
			return;
		}
	if (z->mode == KAPPA_POSTERIOR || z->mode == KAPPA_PC)
		snprintf(buf, size, "%d", z->mode == KAPPA_POSTERIOR);
	else if (z->mode == KAPPA_CONSTANT)
		number_format(z->value, buf, size);
	else
		zone_format(z, buf, size);
}

static void
get_in(const struct recipe *r, enum knob_id id, char *buf, size_t size)
{
	const char *list = knobs[id].choices;

	switch (id) {
	case K_KAPPA: get_kappa(r, buf, size); break;
	case K_HIGH: case K_MIDDLE: case K_LOW: zone_format(&r->zone[id - K_HIGH], buf, size); break;
	case K_PER: choice(list, (int)r->per, buf, size); break;
	case K_PROFILE: profile_format(r, buf, size); break;
	case K_HIGH_FRAC: number_format(r->high_frac, buf, size); break;
	case K_MIDDLE_FRAC: number_format(r->middle_frac, buf, size); break;
	case K_STEPS: snprintf(buf, size, "%d", r->steps); break;
	case K_REMOVAL: choice(list, (int)r->removal, buf, size); break;
	case K_TOP_P: number_format(r->top_p, buf, size); break;
	case K_TOP_K: snprintf(buf, size, "%d", r->top_k); break;
	case K_TEMP: number_format(r->temperature, buf, size); break;
	case K_CFG: number_format(r->cfg, buf, size); break;
	case K_MIX: choice(list, (int)r->cfg_mix, buf, size); break;
	case K_CLS: number_format(r->cls, buf, size); break;
	case K_GUIDE: choice(list, (int)r->cls_how, buf, size); break;
	case K_LABEL:
		if (r->label >= 0)
			snprintf(buf, size, "%d", r->label);
		else
			snprintf(buf, size, "%s", r->label == LABEL_ROWS ? "rows" : "none");
		break;
	case K_COMPAT: choice(list, r->d3pm_compat, buf, size); break;
	case K_SEED: snprintf(buf, size, "%llu", (unsigned long long)r->seed); break;
	case K_SAMPLES: snprintf(buf, size, "%d", r->samples); break;
	case K_FIRST: snprintf(buf, size, "%d", r->first); break;
	case K_WEIGHTS: choice(list, r->raw, buf, size); break;
	case K_COUNT: break;
	}
}

void
recipe_get(const struct recipe *r, const char *name, char *buf, size_t size)
{
	int id = find(name);

	if (size)
		buf[0] = '\0';
	if (strcmp(name, "preset") == 0)
		snprintf(buf, size, "%s", r->preset);
	else if (id >= 0)
		get_in(r, (enum knob_id)id, buf, size);
}

/* by nudges of k away from v, on the grid of nudges, within the range. */
static double
nudged(const struct knob *k, double v, int by)
{
	double out = round((v + by * k->nudge) / k->nudge * 1e6) / 1e6 * k->nudge;

	out = round(out * 1e9) / 1e9;
	return fmin(fmax(out, k->lo), k->hi);
}

static void
nudge_zone(const struct knob *k, struct zone *z, int by)
{
	double v = z->mode == KAPPA_POSTERIOR ? 1 : z->mode == KAPPA_PC ? 0 : z->value;

	v = nudged(k, v, by);
	if (z->mode > KAPPA_CONSTANT) {
		z->value = v;
		return;
	}
	*z = constant_zone(v);
}

/* The next choice in either direction, without going round. */
static void
nudge_choice(struct recipe *r, const struct knob *k, int by)
{
	char now[40], word[40];
	int i = 0;

	recipe_get(r, k->name, now, sizeof now);
	while (choice(k->choices, i, word, sizeof word) && strcmp(word, now) != 0)
		i++;
	if (i + by >= 0 && choice(k->choices, i + by, word, sizeof word))
		recipe_set(r, k->name, word, NULL);
}

static void
nudge_profile(struct recipe *r, const struct knob *k, int by)
{
	if (r->profile == PROFILE_LINEAR)
		return;
	double v = nudged(k, r->c, by);
	if (v > 0 && v < 1)
		r->c = v;
}

static void
nudge_number(struct recipe *r, const struct knob *k, int by)
{
	char text[64];
	double v;

	recipe_get(r, k->name, text, sizeof text);
	if (!number(text, &v))
		return;
	v = nudged(k, v, by);
	if ((k == &knobs[K_TOP_P] || k == &knobs[K_TEMP]) && v <= 0)
		return;
	number_format(v, text, sizeof text);
	recipe_set(r, k->name, text, NULL);
}

void
recipe_nudge(struct recipe *r, const char *name, int by)
{
	int id = find(name);

	if (id < 0)
		return;
	const struct knob *k = &knobs[id];
	if (id == K_KAPPA) {
		for (int i = 0; i < 3; i++)
			nudge_zone(k, &r->zone[i], by);
	} else if (id >= K_HIGH && id <= K_LOW) {
		nudge_zone(k, &r->zone[id - K_HIGH], by);
	} else if (id == K_PROFILE) {
		nudge_profile(r, k, by);
	} else if (id == K_LABEL) {
		if (r->label + by >= LABEL_ROWS)
			r->label += by;
	} else if (id == K_SEED) {
		r->seed += (uint64_t)(int64_t)by;
	} else if (k->type == KNOB_CHOICE) {
		nudge_choice(r, k, by);
	} else if (k->type == KNOB_INT) {
		int v;
		char text[64];
		recipe_get(r, k->name, text, sizeof text);
		if (set_int(k, text, &v, NULL) == ST_OK) {
			snprintf(text, sizeof text, "%ld", (long)v + by);
			recipe_set(r, k->name, text, NULL);
		}
	} else {
		nudge_number(r, k, by);
	}
}
