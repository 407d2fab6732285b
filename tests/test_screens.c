/*
 * test_screens.c: golden screens.  Each case types keys into an app without a
 * terminal and compares the text and the attribute of every cell with
 * tests/golden/screens/NAME.txt.  PSIVIEW_SCREENS=write writes those files anew
 * (look at the difference before committing it).
 */
#include "tests/check.h"

#include "tests/app_util.h"
#include "tests/screen_golden.h"

#define UNIFORM false
#define MASKED true
#define UTF8 true
#define ASCII false

static const struct {
	const char *name;
	bool masked;
	const char *recipe;      /* NULL: the default */
	const char *keys, *command;      /* command: after the keys; NULL: none */
	int w, h;
	bool utf8;
} cases[] = {
	{ "start-80x24", UNIFORM, NULL, "", NULL, 80, 24, UTF8 },
	{ "steps-80x24", UNIFORM, NULL, "40s", NULL, 80, 24, UTF8 },
	{ "steps-80x24-ascii", UNIFORM, NULL, "40s", NULL, 80, 24, ASCII },
	{ "steps-120x40", UNIFORM, NULL, "40s<Right><Right>", NULL, 120, 40, UTF8 },
	{ "steps-120x40-ascii", UNIFORM, NULL, "40s", NULL, 120, 40, ASCII },
	{ "steps-40x12", UNIFORM, NULL, "40s", NULL, 40, 12, UTF8 },
	{ "steps-40x12-ascii", UNIFORM, NULL, "40s", NULL, 40, 12, ASCII },
	{ "steps-200x60", UNIFORM, NULL, "f20S", NULL, 200, 60, UTF8 },
	{ "steps-300x100", UNIFORM, NULL, "f20S", NULL, 300, 100, UTF8 },
	{ "end-80x24", UNIFORM, NULL, "f", NULL, 80, 24, UTF8 },
	{ "reveal-80x24", UNIFORM, "psi kappa=.9 steps=40 seed=3", "20s...", NULL, 80, 24, UTF8 },
	{ "preview-80x24", UNIFORM, NULL, "20s<Tab><Down><Down><Down>", NULL, 80, 24, UTF8 },
	{ "zones-120x40", UNIFORM,
		"psi zone-high=posterior zone-mid=constant(.8) zone-low=posterior high=.4 middle=.3 steps=64 seed=5",
		"50s<Tab><Tab>]", NULL, 120, 40, UTF8 },
	{ "zones-120x40-ascii", UNIFORM,
		"psi zone-high=posterior zone-mid=constant(.8) zone-low=posterior high=.4 middle=.3 steps=64 seed=5",
		"50s", NULL, 120, 40, ASCII },
	{ "masked-80x24", MASKED, NULL, "30s", NULL, 80, 24, UTF8 },
	{ "masked-80x24-ascii", MASKED, NULL, "30s", NULL, 80, 24, ASCII },
	{ "masked-200x60", MASKED, NULL, "50s", NULL, 200, 60, UTF8 },
	{ "selected-80x24", MASKED, NULL, "30s<Right>v<Right><Right><Down>", NULL, 80, 24, UTF8 },
	{ "grid-80x24", UNIFORM, NULL, "30s", "layout grid", 80, 24, UTF8 },
	{ "entropy-80x24", UNIFORM, NULL, "30s", "colour entropy", 80, 24, UTF8 },
	{ "confidence-80x24", UNIFORM, NULL, "30s", "colour confidence", 80, 24, UTF8 },
	{ "age-80x24", UNIFORM, NULL, "30s", "colour age", 80, 24, UTF8 },
	{ "times-80x24", UNIFORM, NULL, "30s", "colour times", 80, 24, UTF8 },
	{ "denoiser-80x24", UNIFORM, NULL, "30s", "colour denoiser", 80, 24, UTF8 },
	{ "difference-80x24", UNIFORM, NULL, "20s5S:set kappa .3<Enter>5s", "colour difference a", 80, 24, UTF8 },
	{ "inspect-120x40", UNIFORM, NULL, "30s<Right><Right><Enter>", NULL, 120, 40, UTF8 },
	{ "inspect-80x24", MASKED, NULL, "30s<Down><Enter>", NULL, 80, 24, UTF8 },
	{ "inspect-40x12", UNIFORM, NULL, "30s<Enter>", NULL, 40, 12, UTF8 },
	{ "tree-80x24", UNIFORM, NULL, "f20S:set kappa .3<Enter>5s10S:set top-p .5<Enter>30s:seed 9<Enter>8sT", NULL,
		80, 24, UTF8 },
	{ "tree-80x24-ascii", UNIFORM, NULL, "f20S:set kappa .3<Enter>5s10S:set top-p .5<Enter>30s:seed 9<Enter>8sT",
		NULL, 80, 24, ASCII },
	{ "log-80x24", UNIFORM, NULL, "5s:set kappa 3<Enter>", "view log", 80, 24, UTF8 },
	{ "small-30x8", UNIFORM, NULL, "", NULL, 30, 8, UTF8 },
	{ "small-10x3", UNIFORM, NULL, "", NULL, 10, 3, ASCII },
};

int
main(void)
{
	const char *src = getenv("SRCDIR"), *mode = getenv("PSIVIEW_SCREENS");
	bool write = mode && strcmp(mode, "write") == 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		struct error e = { 0 };
		char path[500], *got;
		bool ok = bench_open(&b, cases[i].masked, cases[i].recipe);

		if (!CHECK(ok, "%s: opens", cases[i].name))
			continue;
		free(screen(&b, cases[i].w, cases[i].h, cases[i].utf8, true)); /* so that keys know the layout */
		ok = type(&b, cases[i].keys);
		if (cases[i].command) {
			ok &= app_command(b.app, cases[i].command, &e) == ST_OK;
			ok &= settle(&b);
		}
		if (!ok)
			printf("# %s\n", *e.msg ? e.msg : "it did not come to rest");
		got = screen(&b, cases[i].w, cases[i].h, cases[i].utf8, true);
		snprintf(path, sizeof path, "%s/tests/golden/screens/%s.txt", src ? src : ".", cases[i].name);
		ok = screen_golden(path, got, write) && ok;
		CHECK(ok, "%s", cases[i].name);
		free(got);
		bench_close(&b);
	}
	return check_done();
}
