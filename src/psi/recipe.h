/*
 * recipe.h: every knob of a sampling run, by value, and the one list of knobs
 * from which options, the knob bar, recipe lines, completion and the manual
 * come.  Pure data and functions, any thread.
 */
#ifndef PSI_PSI_RECIPE_H
#define PSI_PSI_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/model.h"

enum kappa_mode { KAPPA_POSTERIOR, KAPPA_PC, KAPPA_CONSTANT, KAPPA_CAP, KAPPA_RESCALE, KAPPA_RESCALE_DUO, KAPPA_LOOP };
enum profile { PROFILE_LINEAR, PROFILE_LCL };              /* linear-constant-linear */
enum profile_given { GIVEN_TIME, GIVEN_ALPHA /* -inv */, GIVEN_ALPHA_DUO /* -inv-duo */ };
enum per_position { PER_NONE, PER_CONF /* ReMDM conf */, PER_INFORMED };
enum removal { REMOVAL_ANCESTRAL, REMOVAL_GREEDY, REMOVAL_NONE };
enum cfg_mix { CFG_X_THETA, CFG_POSTERIOR /* published */ };
enum cls_how { CLS_FIRST /* order, from one gradient */, CLS_EXACT };

#define RECIPE_STEPS_MAX 100000
#define RECIPE_TEMP_MAX 100.0

#define LABEL_NONE (-1)      /* no label term at all */
#define LABEL_ROWS (-2)      /* sample i gets class i mod classes */

struct zone { enum kappa_mode mode; double value; };       /* kappa or eta */

struct recipe {
	int steps;
	enum profile profile;
	double c;                    /* the middle value of PROFILE_LCL */
	enum profile_given given;    /* what c is */
	double high_frac, middle_frac;/* of the steps + 1 times; zones and LCL alike */
	struct zone zone[3];         /* high, middle, low noise */
	enum per_position per;
	enum removal removal;
	double temperature, top_p;   /* 1, 1: off */
	int top_k;                   /* 0: off */
	double cfg;                  /* guidance weight; 1: conditional only */
	enum cfg_mix cfg_mix;
	double cls; /* weight of the classifier, where there is one; 0: off */
	enum cls_how cls_how;
	bool d3pm_compat;
	int label;                   /* class, LABEL_NONE or LABEL_ROWS */
	uint64_t seed;
	int samples, first;          /* samples first..first+samples-1 side by side */
	bool raw;                    /* raw weights instead of EMA */
	char preset[24];             /* the preset it began as, "" if none; a name only */
};

/* Numbers are read and written with strtod and printf: the program leaves
 * LC_NUMERIC at "C". */

#define RECIPE_LINE 1024     /* room for any recipe as a line */

/* Neutral settings: what a knob that a line does not name stands at. */
void recipe_init(struct recipe *r);

/* The preset that suits a model (psi-samplers.md section 5): text or images,
 * uniform or masked; D3PM ancestral. */
void recipe_default(const struct model *m, bool image, struct recipe *r);
/* Keeps seed, samples, first, label, steps, raw.  ST_USAGE: unknown; names all. */
enum status recipe_preset(struct recipe *r, const char *name, struct error *e);
int recipe_preset_count(void);
const char *recipe_preset_name(int i);
const char *recipe_preset_help(int i);

/* One knob. */
enum knob_type { KNOB_INT, KNOB_REAL, KNOB_CHOICE, KNOB_TEXT };
struct knob {
	const char *name;            /* "kappa", "steps", "top-p", "zone-high" ... */
	const char *shown;           /* name in the knob bar, e.g. "temp" */
	enum knob_type type;
	double lo, hi, nudge;
	const char *choices;         /* "linear|lcl" */
	const char *help;            /* one line */
	bool live;                   /* redraws from kept features: no network call */
	bool option;                 /* is also a long option of `sample` */
};
int recipe_knob_count(void);
const struct knob *recipe_knob(int i);
const struct knob *recipe_knob_find(const char *name);
/* "kappa=.95": kappa sets all three zones to constant (posterior at 1, pc at
 * 0); zone values are written "cap(.01)", "constant(.95)", "posterior".
 * ST_USAGE with a message that says what is allowed. */
enum status recipe_set(struct recipe *r, const char *name, const char *value, struct error *e);
void recipe_get(const struct recipe *r, const char *name, char *buf, size_t size);
/* One nudge up (+1) or down (-1), clipped to the knob's range. */
void recipe_nudge(struct recipe *r, const char *name, int by);

/* One line, `psi kappa=.95 steps=128 ...`; knobs that stand where recipe_init
 * (or the preset named in the line) puts them are not written.  Reading starts
 * from recipe_init, so that reading what was written gives the same recipe.  A
 * `ckpt=HASH` in the line is left to recipe_line_value. */
enum status recipe_parse(const char *line, struct recipe *r, struct error *e);
void recipe_format(const struct recipe *r, char *buf, size_t size);

/* The value of one word NAME=VALUE of a line; false if it has none. */
bool recipe_line_value(const char *line, const char *name, char *buf, size_t size);

/* A zone in words, "cap(.01)"; a profile, "lcl(.9)-inv". */
void zone_format(const struct zone *z, char *buf, size_t size);
void profile_format(const struct recipe *r, char *buf, size_t size);
/* A number as short as it can be without losing a bit: ".95". */
void number_format(double v, char *buf, size_t size);

/* Classes a label may name: the model's own, else those of what guides it; 0: none. */
int recipe_classes(const struct model *m);

/* Whether this recipe makes sense for this model (kappa on SEDD, informed on
 * masked noise, label on an unconditional model ...): ST_USAGE and why. */
enum status recipe_check(const struct recipe *r, const struct model *m, struct error *e);
/* Same knobs; the preset's name does not count. */
bool recipe_equal(const struct recipe *a, const struct recipe *b);
/* Same steps, profile and fractions: the same times and zones. */
bool recipe_same_grid(const struct recipe *a, const struct recipe *b);

#endif
