/* test_job.c: settings of a training run by name, presets, what follows from
 * them, and JSON both ways. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "train/job.h"

static struct error e;

static enum status
set(struct job *j, const char *name, const char *value)
{
	int i = job_field_find(name);

	return i < 0 ? ST_FAIL : job_set(j, i, value, &e);
}

static const char *
get(const struct job *j, const char *name)
{
	static char buf[JOB_PATH];

	return job_get(j, job_field_find(name), buf, sizeof buf);
}

/* The first setting that differs; NULL: none. */
static const char *
difference(const struct job *a, const struct job *b)
{
	char x[JOB_PATH], y[JOB_PATH];

	for (int i = 0; i < job_field_count(); i++)
		if (strcmp(job_get(a, i, x, sizeof x), job_get(b, i, y, sizeof y)) != 0)
			return job_field(i)->name;
	return strcmp(a->preset, b->preset) ? "preset" : a->net.algo != b->net.algo ? "algo" : NULL;
}

static void
round_trip(const struct job *j, const char *what)
{
	char *json = job_to_json(j);
	struct job back;
	enum status st = json ? job_from_json(json, &back, &e) : ST_MEMORY;

	const char *other = st == ST_OK ? difference(j, &back) : "all";
	CHECK(!other, "%s comes back from JSON (%s)", what, other ? st ? e.msg : other : "all of it");
	free(json);
}

static void
test_presets(void)
{
	struct job j;

	for (int i = 0; i < job_preset_count(); i++) {
		const char *name = job_preset_name(i);
		enum status st = job_preset(name, &j, &e);

		if (j.data != JOB_SUDOKU)
			set(&j, "data", "corpus");
		CHECK(st == ST_OK && job_check(&j, &e) == ST_OK && j.loss == LOSS_DUO && !strcmp(j.preset, name) &&
		      *job_preset_help(i), "preset %s makes sense", name);
		round_trip(&j, name);
		for (int loss = 0; loss < LOSS_KINDS; loss++) {
			bool fits = j.net.backbone == BACKBONE_DIT || loss != LOSS_AR;
			set(&j, "loss", loss_name((enum loss_kind)loss));
			CHECK((job_check(&j, &e) == ST_OK) == fits, "preset %s %s loss %s", name,
			      fits ? "goes with" : "refuses", loss_name((enum loss_kind)loss));
			round_trip(&j, loss_name((enum loss_kind)loss));
		}
	}
	job_preset("sudoku6", &j, &e);
	set(&j, "task", "text");
	set(&j, "data", "corpus");
	CHECK(j.data == JOB_TEXT && job_check(&j, &e) == ST_OK, "a preset for another task");
	round_trip(&j, "a preset for another task");
	CHECK(job_preset("none", &j, &e) == ST_USAGE && strstr(e.msg, "sudoku6"), "an unknown preset: %s", e.msg);
}

static void
test_family(void)
{
	struct job j;

	job_init(&j);
	CHECK(j.net.algo == ALGO_DUO_BASE && j.net.timed && !j.net.causal && !job_masked(&j), "duo_base is timed");
	set(&j, "curriculum", "efficient");
	CHECK(j.net.algo == ALGO_DUO, "with a curriculum it is duo");
	set(&j, "curriculum", "none");
	set(&j, "loss", "mdlm");
	CHECK(j.net.algo == ALGO_MDLM && !j.net.timed && job_masked(&j), "mdlm does not look at the time");
	set(&j, "loss", "ar");
	CHECK(j.net.algo == ALGO_AR && j.net.causal && !j.net.time_input && job_causal(&j), "ar is causal");
	set(&j, "loss", "d3pm");
	set(&j, "d3pm-steps", "50");
	CHECK(j.net.algo == ALGO_D3PM && j.net.T == 50 && j.net.timed, "d3pm has its steps");
	set(&j, "loss", "sedd");
	CHECK(j.net.algo == ALGO_SEDD && j.net.T == 0 && !strcmp(j.net.parameterization, "score"), "sedd");
	set(&j, "task", "images");
	CHECK(j.net.backbone == BACKBONE_UNET && j.net.unet_time == 1, "pictures get the U-Net");
	set(&j, "goal", "classifier");
	CHECK(j.net.algo == ALGO_CLASSIFIER && j.net.timed, "a classifier is timed");
	job_init(&j);
	set(&j, "sudoku", "9");
	CHECK(j.data == JOB_SUDOKU && j.net.backbone == BACKBONE_DIT && job_check(&j, &e) == ST_OK, "sudoku is a task");
}

static void
test_fields(void)
{
	static const struct { const char *name, *value, *back; } good[] = {
		{ "lr", "3e-4", "0.0003" }, { "lr", "0.1", "0.1" }, { "steps", "123456789012", "123456789012" },
		{ "seed", "18446744073709551615", "18446744073709551615" }, { "memory", "2G", "2147483648" },
		{ "memory", "512MB", "536870912" }, { "mirror", "no", "false" }, { "mirror", "1", "true" },
		{ "ch-mult", "1,2,3", "1,2,3" }, { "ch-mult", "4", "4" }, { "loss", "MDLM", "mdlm" },
		{ "curriculum-end", "-1", "-1" }, { "gamma-min", "-3.5", "-3.5" },
		{ "data", "a b/\xc3\xa9", "a b/\xc3\xa9" },
		{ "attention-scale", "-1", "-1" }, { "noise", "cosine", "cosine" },
	};
	static const char *const bad[][2] = {
		{ "batch", "0" }, { "batch", "1.5" }, { "batch", "" }, { "batch", "12x" }, { "batch", " 3" },
		{ "batch", "99999999999999999999" }, { "lr", "nan" }, { "lr", "2" }, { "lr", "" }, { "lr", "1e-3 " },
		{ "seed", "-1" }, { "seed", "18446744073709551616" }, { "memory", "2T" }, { "memory", "-1" },
		{ "memory", "1e400" }, { "mirror", "maybe" },
		{ "ch-mult", "" }, { "ch-mult", "1,,2" }, { "ch-mult", "1," },
		{ "ch-mult", "0" }, { "ch-mult", "1,1,1,1,1,1,1,1,1" }, { "loss", "mdl" }, { "loss", "" },
		{ "data", "\xff" }, { "sudoku", "10" }, { "k", "+2" },
	};
	struct job j, was;
	bool lists = true;

	for (int i = 0; i < job_field_count(); i++)
		lists &= job_field_find(job_field(i)->name) == i && *job_field(i)->help &&
			 (job_field(i)->choices != NULL) == (job_field(i)->type == JOB_CHOICE);
	CHECK(lists && job_field_find("no such") == -1, "%d settings, each found by its name", job_field_count());
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		job_init(&j);
		enum status st = set(&j, good[i].name, good[i].value);
		CHECK(st == ST_OK && !strcmp(get(&j, good[i].name), good[i].back), "%s %s", good[i].name,
		      good[i].value);
		round_trip(&j, good[i].name);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		job_init(&j);
		was = j;
		enum status st = set(&j, bad[i][0], bad[i][1]);
		CHECK(st == ST_USAGE && strstr(e.msg, bad[i][0]) && !difference(&j, &was), "%s", e.msg);
	}
	char *longer = calloc(JOB_PATH + 1, 1);
	memset(longer, 'a', JOB_PATH);
	CHECK(set(&j, "init", longer) == ST_USAGE, "%s", e.msg);
	longer[JOB_PATH - 1] = '\0';
	CHECK(set(&j, "init", longer) == ST_OK, "a path that just fits");
	round_trip(&j, "a long path");
	free(longer);
}

/* Settings that do not go together: the message names one of them. */
static void
test_check(void)
{
	static const char *const bad[][7] = {
		{ "data", "data", "" }, { "heads", "heads", "3" }, { "heads", "hidden", "34", "heads", "2" },
		{ "curriculum", "loss", "mdlm", "curriculum", "simple" }, { "loss", "task", "images", "loss", "ar" },
		{ "unet", "backbone", "unet" },
		{ "classifier", "goal", "classifier" }, { "teacher", "goal", "distill" },
		{ "sudoku", "task", "sudoku", "sudoku", "5" }, { "learning rate", "lr", "0" }, { "gamma", "curriculum",
		"simple", "gamma-min", "3", "gamma-max", "1" }, { "held-out", "held-out", "0" }, { "eps", "eps", "0" },
		{ "tau", "curriculum", "efficient", "tau", "0" }, { "ch ", "task", "images", "ch", "30" },
		{ "tokenizer", "tokenizer", "" },
	};
	struct job j;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		job_init(&j);
		set(&j, "data", "corpus");
		for (int k = 1; k < 7 && bad[i][k]; k += 2)
			set(&j, bad[i][k], bad[i][k + 1]);
		enum status st = job_check(&j, &e);
		CHECK(st == ST_USAGE && strstr(e.msg, bad[i][0]), "refused: %s", e.msg);
	}
	job_init(&j);
	set(&j, "data", "corpus");
	j.batch = 0;
	CHECK(job_check(&j, &e) == ST_USAGE && strstr(e.msg, "batch"), "a number set by hand: %s", e.msg);
}

static void
test_json(void)
{
	static const char *const bad[] = {
		"", "[]", "3", "{", "{\"batch\": 3", "{\"batch\": null}", "{\"batch\": [3]}", "{\"batch\": {\"a\": 1}}",
		"{\"batch\": 0}", "{\"batch\": 1e300}", "{\"batch\": \"x\"}", "{\"batch\": true}", "{\"nonsense\": 1}",
		"{\"batch\": 3, \"batch\": 3}", "{\"preset\": 3}", "{\"data\": \"a\\u0000b\"}", "{\"lr\": \"nan\"}",
		"{\"preset\": \"a preset with a name as long as this\"}", "{\"seed\": -1}", "{\"loss\": 1}",
		"[[[[[[[[[[]]]]]]]]]]", "{\"ch-mult\": \"1,2,3,4,5,6,7,8,9\"}",
	};
	struct job j, plain;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(job_from_json(bad[i], &j, &e) == ST_CKPT && strstr(e.msg, "job") && !strchr(e.msg, '\n'),
		      "%s: %s", bad[i], e.msg);
	job_init(&plain);
	CHECK(job_from_json("{}", &j, &e) == ST_OK && !difference(&j, &plain), "nothing said: the defaults");
	CHECK(job_from_json("{\"batch\": \"7\", \"lr\": 0.25}", &j, NULL) == ST_OK && j.batch == 7 && j.adam.lr == 0.25,
	      "numbers as texts are fine");
	CHECK(job_from_json("{\"bat", &j, NULL) == ST_CKPT, "without a place for the message");
}

int
main(void)
{
	test_presets();
	test_family();
	test_fields();
	test_check();
	test_json();
	return check_done();
}
