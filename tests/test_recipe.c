/*
 * test_recipe.c: knobs, presets and recipe lines.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "psi/recipe.h"

static struct model
model_of(enum output out, int classes)
{
	return (struct model){ .L = 8, .V = 9, .F = 9, .out = out, .classes = classes,
		.mask = out == OUT_MEAN ? -1 : 8, .alpha = { ALPHA_LOGLINEAR, 1e-3 } };
}

static bool
sets(struct recipe *r, const char *name, const char *value)
{
	return recipe_set(r, name, value, NULL) == ST_OK;
}

static void
check_refused(const char *name, const char *value)
{
	struct recipe r, before;
	struct error e = { 0 };

	recipe_init(&r);
	before = r;
	enum status st = recipe_set(&r, name, value, &e);
	CHECK(st == ST_USAGE && e.msg[0] && recipe_equal(&r, &before), "%s=%s: %s", name, value, e.msg);
}

static void
check_values(void)
{
	static const char *const bad[][2] = {
		{ "kappa", "2" }, { "kappa", "-.1" }, { "kappa", "nan" }, { "kappa", "inf" }, { "kappa", "" },
		{ "kappa", ".9x" }, { "kappa", " .9" }, { "steps", "0" }, { "steps", "-3" }, { "steps", "1.5" },
		{ "steps", "99999999999999999999" }, { "top-p", "0" }, { "top-p", "1.1" }, { "top-p", "nan" },
		{ "temperature", "0" }, { "temperature", "-1" }, { "top-k", "-1" }, { "cfg", "inf" },
		{ "zone-mid", "cap" }, { "zone-mid", "cap(2)" }, { "zone-mid", "cap(.1" }, { "zone-mid", "cap(.1)x" },
		{ "zone-mid", "posterior(1)" }, { "zone-mid", "max-0.1" }, { "profile", "lcl" },
		{ "profile", "lcl(1)" },
		{ "profile", "lcl(.9)-foo" }, { "removal", "some" }, { "label", "-1" }, { "label", "cat" },
		{ "seed", "-1" },
		{ "seed", "18446744073709551616" }, { "no-such", "1" }, { "preset", "no-such" }, { "samples", "0" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_refused(bad[i][0], bad[i][1]);
	struct recipe r;
	recipe_init(&r);
	CHECK(sets(&r, "kappa", ".95") && r.zone[0].mode == KAPPA_CONSTANT && r.zone[2].value == .95, "kappa=.95");
	CHECK(sets(&r, "kappa", "1") && r.zone[1].mode == KAPPA_POSTERIOR, "kappa=1 is posterior");
	CHECK(sets(&r, "kappa", "0") && r.zone[1].mode == KAPPA_PC, "kappa=0 is pc");
	CHECK(sets(&r, "zone-mid", "loop(1e-2)") && r.zone[1].mode == KAPPA_LOOP && r.zone[1].value == .01,
	    "eta 1e-2 is .01");
	CHECK(sets(&r, "zone-low", "rescale-duo(.05)") && r.zone[2].mode == KAPPA_RESCALE_DUO, "rescale-duo");
	CHECK(sets(&r, "profile", "lcl(.9)-inv-duo") && r.given == GIVEN_ALPHA_DUO && r.c == .9, "lcl(.9)-inv-duo");
	CHECK(sets(&r, "seed", "18446744073709551615") && r.seed == UINT64_MAX, "the largest seed");
	CHECK(sets(&r, "temp", ".7") && r.temperature == .7, "temp is temperature");
}

/* Write, read, compare. */
static bool
round_trip(const struct recipe *r)
{
	char line[RECIPE_LINE];
	struct recipe back;
	struct error e = { 0 };

	recipe_format(r, line, sizeof line);
	if (recipe_parse(line, &back, &e) != ST_OK) {
		printf("# %s: %s\n", line, e.msg);
		return false;
	}
	if (!recipe_equal(r, &back) || strcmp(r->preset, back.preset) != 0) {
		printf("# %s\n", line);
		return false;
	}
	return true;
}

static void
check_lines(void)
{
	static const char *const lines[] = {
		"psi", "psi kappa=.95 steps=128 top-p=.9 seed=7", "psi preset=cap-0.01 steps=32",
		"psi preset=loop-0.01 kappa=.95 zone-mid=cap(.003) profile=linear",
		"psi preset=images cfg=2.5 label=rows",
		"psi zone-high=pc zone-low=.123456789012345678 high=.1 middle=.3 per=informed removal=greedy",
		"psi temperature=.7 top-k=50 cfg-mix=posterior label=3 samples=4 first=9 weights=raw d3pm-compat=on",
		"psi profile=lcl(.9)-inv high=.45 middle=.5", "psi seed=18446744073709551615 top-p=.1",
	};
	struct recipe r;
	struct error e = { 0 };
	char line[RECIPE_LINE], word[80];

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		CHECK(recipe_parse(lines[i], &r, &e) == ST_OK && round_trip(&r), "round trip: %s", lines[i]);
	recipe_parse("psi kappa=.95 steps=128 top-p=.9 seed=7", &r, NULL);
	recipe_format(&r, line, sizeof line);
	CHECK(strcmp(line, "psi kappa=.95 steps=128 top-p=.9 seed=7") == 0, "as written: %s", line);
	CHECK(recipe_parse("kappa=.5  ckpt=abc", &r, NULL) == ST_OK && r.zone[0].value == .5,
	    "psi may be left out, ckpt is passed over");
	CHECK(recipe_line_value("psi kappa=.5 ckpt=0af3", "ckpt", word, sizeof word) && strcmp(word, "0af3") == 0,
	    "ckpt=HASH");
	CHECK(recipe_parse("psi kappa", &r, &e) == ST_USAGE, "%s", e.msg);
	CHECK(recipe_parse("psi foo=1", &r, &e) == ST_USAGE, "%s", e.msg);
}

/* The table of psi-samplers.md section 5. */
static void
check_presets(void)
{
	static const struct { const char *name, *line; } want[] = {
		{ "cap-0.01", "psi kappa=cap(.01) top-p=.9" },
		{ "rescale-0.05", "psi kappa=rescale-duo(.05) top-p=.9" },
		{ "loop-0.01", "psi profile=lcl(.9)-inv zone-mid=loop(.01) high=.45 middle=.5 top-p=.95" },
		{ "images", "psi zone-mid=.95 high=.5 middle=.4" },
		{ "images-masked", "psi zone-mid=.99 high=0 middle=.9" },
		{ "ancestral", "psi" }, { "pc", "psi kappa=0" }, { "greedy-tail", "psi removal=greedy" },
	};
	struct recipe r, line;

	CHECK(recipe_preset_count() == (int)(sizeof want / sizeof *want), "as many presets as in the table");
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		recipe_init(&r);
		r.seed = 5;
		r.steps = 77;
		bool ok = recipe_preset(&r, want[i].name, NULL) == ST_OK && r.seed == 5 && r.steps == 77 &&
		    recipe_parse(want[i].line, &line, NULL) == ST_OK;
		line.seed = 5;
		line.steps = 77;
		CHECK(ok && recipe_equal(&r, &line) && strcmp(r.preset, want[i].name) == 0, "preset %s", want[i].name);
		CHECK(round_trip(&r), "preset %s as a line", want[i].name);
	}
}

static void
check_defaults(void)
{
	struct model m = model_of(OUT_MEAN, 0);
	struct recipe r;

	recipe_default(&m, false, &r);
	CHECK(strcmp(r.preset, "cap-0.01") == 0 && r.label == LABEL_NONE && r.steps == 64, "uniform text: cap-0.01");
	m = model_of(OUT_MEAN, 10);
	recipe_default(&m, true, &r);
	CHECK(strcmp(r.preset, "images") == 0 && r.label == LABEL_ROWS, "uniform pictures: images, classes in turn");
	m = model_of(OUT_SUBS, 0);
	recipe_default(&m, true, &r);
	CHECK(strcmp(r.preset, "images-masked") == 0, "masked pictures: images-masked");
	for (int out = OUT_MEAN; out <= OUT_CAUSAL; out++) {
		m = model_of((enum output)out, 0);
		recipe_default(&m, false, &r);
		CHECK(recipe_check(&r, &m, NULL) == ST_OK, "the default of output %d fits it", out);
	}
}

static void
refuses(enum output out, int classes, const char *line)
{
	struct model m = model_of(out, classes);
	struct recipe r;
	struct error e = { 0 };

	CHECK(recipe_parse(line, &r, NULL) == ST_OK && recipe_check(&r, &m, &e) == ST_USAGE && e.msg[0], "%s: %s",
	    line, e.msg);
}

static void
check_fits(void)
{
	refuses(OUT_SCORE, 0, "psi kappa=.9");
	refuses(OUT_SCORE, 0, "psi top-p=.9");
	refuses(OUT_CAUSAL, 0, "psi kappa=.9");
	refuses(OUT_SUBS, 0, "psi kappa=.9 per=informed");
	refuses(OUT_MEAN, 0, "psi label=1");
	refuses(OUT_MEAN, 4, "psi label=5");
	refuses(OUT_MEAN, 0, "psi cfg=2");
	refuses(OUT_MEAN, 4, "psi cfg=2");
	refuses(OUT_SUBS, 0, "psi d3pm-compat=on");
	struct model m = model_of(OUT_MEAN, 4);
	struct recipe r;
	struct error e = { 0 };
	recipe_init(&r);
	r.top_p = NAN;
	CHECK(recipe_check(&r, &m, &e) == ST_USAGE, "a NaN in the struct: %s", e.msg);
	recipe_parse("psi label=4 cfg=2", &r, NULL);
	CHECK(recipe_check(&r, &m, &e) == ST_OK, "label 4 of 4: no label");
}

static void
check_nudges(void)
{
	struct recipe r;
	char v[64];

	recipe_init(&r);
	recipe_nudge(&r, "kappa", -1);
	recipe_get(&r, "kappa", v, sizeof v);
	CHECK(strcmp(v, ".99") == 0, "kappa 1 nudged down: %s", v);
	for (int i = 0; i < 200; i++)
		recipe_nudge(&r, "kappa", -1);
	recipe_get(&r, "kappa", v, sizeof v);
	CHECK(strcmp(v, "0") == 0 && r.zone[0].mode == KAPPA_PC, "down to the end: %s", v);
	recipe_nudge(&r, "top-p", -1);
	recipe_nudge(&r, "temperature", 1);
	recipe_nudge(&r, "removal", 1);
	recipe_nudge(&r, "steps", 1);
	recipe_nudge(&r, "seed", -1);
	CHECK(r.top_p == .99 && r.temperature == 1.05 && r.removal == REMOVAL_GREEDY && r.steps == 65 &&
	    r.seed == UINT64_MAX,
	    "other knobs");
	for (int i = 0; i < 200; i++) {
		recipe_nudge(&r, "top-p", -1);
		recipe_nudge(&r, "temperature", -1);
		recipe_nudge(&r, "steps", -1);
		recipe_nudge(&r, "label", -1);
		recipe_nudge(&r, "top-k", -1);
	}
	struct model m = model_of(OUT_MEAN, 4);
	CHECK(recipe_check(&r, &m, NULL) == ST_OK && r.top_p > 0 && r.temperature > 0 && r.steps == 1 && r.top_k == 0 &&
	    r.label == LABEL_ROWS, "nudges stop at the ends");
	recipe_preset(&r, "cap-0.01", NULL);
	recipe_nudge(&r, "kappa", 1);
	recipe_get(&r, "kappa", v, sizeof v);
	CHECK(strcmp(v, "cap(.02)") == 0, "an eta is nudged as one: %s", v);
}

/* Every knob: what get says, set takes. */
static void
check_list(void)
{
	struct recipe r, s;
	char v[80];
	bool ok = true;

	recipe_parse("psi preset=loop-0.01 steps=12 cfg=-.5", &r, NULL);
	for (int i = 0; i < recipe_knob_count(); i++) {
		const struct knob *k = recipe_knob(i);
		recipe_get(&r, k->name, v, sizeof v);
		s = r;
		ok = ok && k->help && recipe_knob_find(k->name) == k && v[0] &&
		    (strcmp(v, "zones") == 0 || (recipe_set(&s, k->name, v, NULL) == ST_OK && recipe_equal(&r, &s)));
	}
	CHECK(ok, "get and set agree on every knob");
	CHECK(recipe_knob(-1) == NULL && recipe_knob(recipe_knob_count()) == NULL && !recipe_knob_find("x"),
	    "no other knobs");
}

int
main(void)
{
	check_values();
	check_lines();
	check_presets();
	check_defaults();
	check_fits();
	check_nudges();
	check_list();
	return check_done();
}
