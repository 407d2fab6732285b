/* options.c: see options.h. */
#include "run/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "psi/recipe.h"
#include "train/job.h"

const struct subcommand subcommand_list[SUB_COUNT] = {
	[SUB_VIEW] = { "", "[OPTION...] [FILE]", "Open a checkpoint on the screen; without FILE, the bundled demo." },
	[SUB_SAMPLE] = { "sample", "[OPTION...] [FILE]", "Draw samples and write them: text, JSON lines, pictures." },
	[SUB_PROBE] = { "probe", "FILE --in IN.safetensors --out OUT.safetensors [OPTION...]",
		"Write what the network says about given inputs." },
	[SUB_EVAL] = { "eval", "MODEL [--in FILE.jsonl | --data PATH] [OPTION...]",
		"Score texts: perplexity under a GPT-2, or a diffusion model's bound." },
	[SUB_INFO] = { "info", "FILE [OPTION...]", "Say what a checkpoint is." },
	[SUB_VERIFY] = { "verify", "FILE [OPTION...]",
		"Check a checkpoint: sums, shapes, numbers, reference vectors." },
	[SUB_EXPORT] = { "export", "FILE -o OUT.safetensors [OPTION...]", "Write an inference-only copy." },
	[SUB_SWEEP] = { "sweep", "[FILE] --grid KNOB=A,B,... [OPTION...]",
		"Draw and measure every combination of knobs: psiview-sweep(1)." },
	[SUB_TRAIN] = { "train", "[OPTION...] OUT.safetensors",
		"Train a model on text, pictures or Sudoku grids: psiview-train(1)." },
	[SUB_HELP] = { "help", "[COMMAND]", "Explain a command." },
};

enum sub
subcommand_find(const char *name)
{
	for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
		if (strcmp(name, subcommand_list[i].name) == 0)
			return (enum sub)i;
	return SUB_COUNT;
}

#define BIT(sub) (1u << (sub))
#define VIEW BIT(SUB_VIEW)
/* The screen takes what `sample` takes: it becomes `sample` where there is no terminal. */
#define SAMPLE (BIT(SUB_SAMPLE) | VIEW)
#define PROBE BIT(SUB_PROBE)
#define EVAL BIT(SUB_EVAL)
#define EXPORT BIT(SUB_EXPORT)
#define SWEEP BIT(SUB_SWEEP)
#define TRAIN BIT(SUB_TRAIN)
#define DRAWS (SAMPLE | SWEEP)
#define OPENS (DRAWS | PROBE | EVAL | EXPORT | BIT(SUB_INFO) | BIT(SUB_VERIFY))
#define RUNS (DRAWS | PROBE | EVAL | BIT(SUB_VERIFY) | TRAIN)
#define ALL (BIT(SUB_COUNT) - 1)

static const struct option_info fixed[OPT_FIXED] = {
	[OPT_COUNT_N] = { "count", 'n', OPTION_INT, "N", 1, 1 << 20, DRAWS | EVAL, true,
		"number of samples (on the screen: side by side; eval: held out)", false },
	[OPT_PRESET] = { "preset", 'p', OPTION_TEXT, "NAME", 0, 0, DRAWS, true,
		"settings of this name to begin with", false },
	[OPT_RECIPE] = { "recipe", 0, OPTION_TEXT, "LINE", 0, 0, DRAWS, false,
		"all settings in one line, 'psi kappa=.95 steps=128 ...'", false },
	[OPT_CLAMP] = { "clamp", 0, OPTION_TEXT, "POS:TEXT", 0, 0, DRAWS, false,
		"hold TEXT at position POS and following; may be repeated", false },
	[OPT_FORMAT] = { "format", 0, OPTION_CHOICE, "text|jsonl|png|gif|npy|safetensors", 0, 0, SAMPLE, true,
		"of the output; else as the file's name says", false },
	[OPT_OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", 0, 0, DRAWS | EXPORT, false,
		"write there instead of to standard output", false },
	[OPT_CLASS] = { "class", 0, OPTION_TEXT, "NAME", 0, 0, DRAWS, true,
		"class: name, number, none, or rows (in turn); as --label", false },
	[OPT_ZOOM] = { "zoom", 0, OPTION_INT, "N", 1, 64, SAMPLE, true, "pictures in files: every pixel N x N", false },
	[OPT_GAP] = { "gap", 0, OPTION_INT, "N", 0, 64, SAMPLE, true,
		"pictures in files: pixels between two; default: 1", false },
	[OPT_COLUMNS] = { "columns", 0, OPTION_INT, "N", 1, 1 << 20, SAMPLE, true,
		"pictures in files: so many side by side", false },
	[OPT_BATCH] = { "batch", 0, OPTION_INT, "N", 1, 4096, DRAWS, true,
		"samples computed together; changes nothing but the speed", false },
	[OPT_THREADS] = { "threads", 't', OPTION_INT, "N", 1, 1024, RUNS, true,
		"worker threads; default: one for each processor", false },
	[OPT_CACHE] = { "cache", 0, OPTION_SIZE, "SIZE", 0, 0, VIEW, true,
		"memory for kept features, 500M or 2G; default: a quarter, at most 2G", false },
	[OPT_IN] = { "in", 0, OPTION_FILE, "FILE", 0, 0, PROBE | EVAL, false,
		"probe: safetensors file with the inputs; eval: JSON lines with the texts, else standard input",
		false },
	[OPT_WHOLE_BATCHES] = { "whole-batches", 0, OPTION_INT, "N", 1, 1 << 20, EVAL, false,
		"batches of N texts, the last one dropped unless it is whole (as published)", false },
	[OPT_OUT] = { "out", 0, OPTION_FILE, "FILE", 0, 0, PROBE, false, "safetensors file to write", false },
	[OPT_POSITIONS] = { "positions", 0, OPTION_TEXT, "LIST", 0, 0, PROBE, false,
		"only these positions, as in 0,5,9", false },
	[OPT_JSON] = { "json", 0, OPTION_FLAG, NULL, 0, 0, BIT(SUB_INFO) | EVAL, false, "as JSON", false },
	[OPT_DTYPE] = { "dtype", 0, OPTION_CHOICE, "f32|bf16|f16", 0, 0, EXPORT, false,
		"type of the exported weights", false },
	[OPT_RAW] = { "raw", 0, OPTION_FLAG, NULL, 0, 0, DRAWS | PROBE | EXPORT, true,
		"raw weights instead of averaged (EMA) ones", false },
	[OPT_TOKENIZER] = { "tokenizer", 0, OPTION_FILE, "PATH", 0, 0, OPENS & ~PROBE, true,
		"tokenizer file or folder", false },
	[OPT_ALGO] = { "algo", 0, OPTION_TEXT, "NAME", 0, 0, OPENS, false,
		"family, where the file does not say: duo, mdlm, udlm, d3pm, sedd, ar", false },
	[OPT_NOISE] = { "noise", 0, OPTION_CHOICE, "log-linear|cosine", 0, 0, OPENS, false,
		"noise schedule, where the file does not say", false },
	[OPT_EPS] = { "eps", 0, OPTION_REAL, "X", 0, 1, OPENS, false,
		"eps of the schedule, where the file does not say", false },
	[OPT_LENGTH] = { "length", 0, OPTION_INT, "N", 1, 1 << 24, OPENS, false,
		"length, where the file does not say", false },
	[OPT_HEADS] = { "heads", 0, OPTION_INT, "N", 1, 1 << 16, OPENS, false,
		"attention heads, where the file does not say", false },
	[OPT_MASK] = { "mask", 0, OPTION_INT, "ID", -1, 1 << 24, OPENS, false,
		"token of [MASK]; -1: uniform noise", false },
	[OPT_CLASSES] = { "classes", 0, OPTION_INT, "N", 0, 1 << 24, OPENS, false,
		"number of classes, where the file does not say", false },
	[OPT_CLASSIFIER] = { "classifier", 0, OPTION_FILE, "FILE", 0, 0, DRAWS, false,
		"noisy classifier that guides towards the class (knobs cls, guide)", false },
	[OPT_JOB] = { "preset", 'p', OPTION_TEXT, "NAME", 0, 0, TRAIN, false,
		"settings of this name to begin with", false },
	[OPT_RESUME] = { "resume", 0, OPTION_FLAG, NULL, 0, 0, TRAIN, false,
		"go on from OUT, exactly as if the run had never ended", false },
	[OPT_FORCE] = { "force", 0, OPTION_FLAG, NULL, 0, 0, TRAIN, false, "write over an OUT that is there", false },
	[OPT_DRY_RUN] = { "dry-run", 0, OPTION_FLAG, NULL, 0, 0, TRAIN, false,
		"say what would be trained, its memory, and every setting; train nothing", false },
	[OPT_QUIET] = { "quiet", 'q', OPTION_FLAG, NULL, 0, 0, TRAIN, false, "say nothing but errors", false },
	[OPT_LOG] = { "log", 0, OPTION_FILE, "FILE", 0, 0, TRAIN, false,
		"the log, one line of JSON for each event; default: beside OUT", false },
	[OPT_PLAIN] = { "plain", 0, OPTION_FLAG, NULL, 0, 0, VIEW, true,
		"one line for each event, for screen readers and logs", false },
	[OPT_NO_PROBE] = { "no-probe", 0, OPTION_FLAG, NULL, 0, 0, VIEW, true,
		"ask the terminal nothing at the start", false },
	[OPT_MOUSE] = { "mouse", 0, OPTION_FLAG, NULL, 0, 0, VIEW, true, "use the mouse", false },
	[OPT_THEME] = { "theme", 0, OPTION_CHOICE, "auto|dark|light|mono", 0, 0, VIEW, true, "colours", false },
	[OPT_IMAGES] = { "images", 0, OPTION_CHOICE, "auto|sixel|half|ascii|off", 0, 0, VIEW, true,
		"how pictures are shown", false },
	[OPT_RECORD] = { "record", 0, OPTION_FILE, "FILE", 0, 0, VIEW, false, "write the session as commands", false },
	[OPT_PLAY] = { "play", 0, OPTION_FILE, "FILE", 0, 0, VIEW, false, "run the commands of a file", false },
	[OPT_TERMINAL_INFO] = { "terminal-info", 0, OPTION_FLAG, NULL, 0, 0, VIEW, false,
		"say what was found out about the terminal, and exit", false },
	[OPT_PRINT_CONFIG] = { "print-config", 0, OPTION_FLAG, NULL, 0, 0, VIEW | BIT(SUB_SAMPLE), false,
		"print the settings as a config file, and exit", false },
	[OPT_HELP] = { "help", 'h', OPTION_FLAG, NULL, 0, 0, ALL, false, "this help", false },
	[OPT_VERSION] = { "version", 'V', OPTION_FLAG, NULL, 0, 0, ALL, false, "the version", false },
	[OPT_GRID] = { "grid", 0, OPTION_TEXT, "KNOB=A,B,...", 0, 0, SWEEP, false,
		"values of a knob, or of preset; FROM:TO:BY is a range; may be repeated", false },
	[OPT_SEEDS] = { "seeds", 0, OPTION_INT, "N", 1, 100000, SWEEP, false,
		"so many seeds for each cell, from --seed on; default: 4", false },
	[OPT_ROWS] = { "format", 0, OPTION_CHOICE, "csv|jsonl", 0, 0, SWEEP, false,
		"of the rows; else as the file's name says", false },
	[OPT_VALID] = { "valid", 0, OPTION_CHOICE, "sudoku4|sudoku6|sudoku9", 0, 0, SWEEP, false,
		"rules of the samples, where the file does not say", false },
	[OPT_SCORER] = { "scorer", 0, OPTION_FILE, "GPT2", 0, 0, SWEEP, false,
		"measure generative perplexity by this GPT-2", false },
	[OPT_BOUND] = { "bound", 0, OPTION_INT, "N", 1, 1 << 20, SWEEP, false,
		"measure the bound of the steps on N held-out samples for each seed", false },
	[OPT_DATA] = { "data", 0, OPTION_FILE, "PATH", 0, 0, SWEEP | EVAL, false,
		"data of the model: what is held out of it is scored; Sudoku needs none", false },
};

/* The knob that is option number i, NULL: past the knobs. */
static const struct knob *
knob_option(int i)
{
	int n = i - OPT_FIXED;

	for (int k = 0; k < recipe_knob_count(); k++)
		if (recipe_knob(k)->option && n-- == 0)
			return recipe_knob(k);
	return NULL;
}

/* Number of the first option that is a setting of a job. */
static int
job_begin(void)
{
	int n = OPT_FIXED;

	for (int k = 0; k < recipe_knob_count(); k++)
		n += recipe_knob(k)->option;
	return n;
}

int
option_count(void)
{
	return job_begin() + job_field_count();
}

int
option_job_field(int i)
{
	return i < job_begin() ? -1 : i - job_begin();
}

bool
option_of_training(const struct option_info *o)
{
	return o->subs == TRAIN;
}

static void
knob_at(const struct knob *k, struct option_info *out)
{
	*out = (struct option_info){ k->name, 0, OPTION_KNOB, "VALUE", k->lo, k->hi, DRAWS, true, k->help, false };
	if (k->type == KNOB_INT)
		out->arg = "N";
	else if (k->type == KNOB_REAL)
		out->arg = "X";
	else if (k->choices)
		out->arg = k->choices;
}

static void
job_at(const struct job_field *f, struct option_info *out)
{
	static const char *const arg[] = { [JOB_INT] = "N", [JOB_REAL] = "X", [JOB_TEXTUAL] = "TEXT",
		[JOB_CHOICE] = "NAME", [JOB_FLAG] = "yes|no", [JOB_BYTES] = "SIZE" };

	*out = (struct option_info){ f->name, 0, OPTION_JOB, arg[f->type], f->lo, f->hi, TRAIN, false, f->help,
		f->type == JOB_FLAG };
	if (f->choices)
		out->arg = f->choices;
}

void
option_at(int i, struct option_info *out)
{
	if (i < OPT_FIXED)
		*out = fixed[i];
	else if (i < job_begin())
		knob_at(knob_option(i), out);
	else
		job_at(job_field(i - job_begin()), out);
}

int
option_find(const char *name)
{
	struct option_info o;

	for (int i = 0; i < option_count(); i++) {
		option_at(i, &o);
		if (strcmp(o.name, name) == 0)
			return i;
	}
	return -1;
}

/* Options from..to-1 that the subcommand knows. */
static void
help_options(FILE *f, enum sub sub, int from, int to)
{
	struct option_info o;
	char left[160];

	for (int i = from; i < to; i++) {
		option_at(i, &o);
		if (!(o.subs & BIT(sub)))
			continue;
		int n = o.letter ? snprintf(left, sizeof left, "  -%c, ", o.letter)
				 : snprintf(left, sizeof left, "      ");
		snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s%s%s", o.name, o.maybe ? "[" : "",
			 o.arg ? "=" : "", o.arg ? o.arg : "", o.maybe ? "]" : "");
		if (strlen(left) > 27)
			fprintf(f, "%s\n%28s%s\n", left, "", o.help);
		else
			fprintf(f, "%-28s%s\n", left, o.help);
	}
}

static void
help_sampler(FILE *f, enum sub sub)
{
	fputs("\nKnobs of the sampler:\n", f);
	help_options(f, sub, OPT_FIXED, job_begin());
	fputs("\nPresets:\n", f);
	for (int i = 0; i < recipe_preset_count(); i++)
		fprintf(f, "  %-26s%s\n", recipe_preset_name(i), recipe_preset_help(i));
}

static void
help_training(FILE *f)
{
	fputs("\nSettings of a training run:\n", f);
	help_options(f, SUB_TRAIN, job_begin(), option_count());
	fputs("\nPresets:\n", f);
	for (int i = 0; i < job_preset_count(); i++)
		fprintf(f, "  %-26s%s\n", job_preset_name(i), job_preset_help(i));
}

static void
help_page(FILE *f, enum sub sub)
{
	const struct subcommand *c = &subcommand_list[sub];

	fprintf(f, "Usage: psiview%s%s %s\n", *c->name ? " " : "", c->name, c->args);
	if (sub == SUB_VIEW) {
		for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
			fprintf(f, "       psiview %s %s\n", subcommand_list[i].name, subcommand_list[i].args);
	}
	fprintf(f, "\n%s\n", c->help);
	if (sub == SUB_VIEW) {
		fputs("\nCommands (psiview help COMMAND explains one):\n", f);
		for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
			fprintf(f, "  %-10s%s\n", subcommand_list[i].name, subcommand_list[i].help);
	}
	fputs("\nOptions:\n", f);
	help_options(f, sub, 0, OPT_FIXED);
	if (DRAWS & BIT(sub))
		help_sampler(f, sub);
	if (sub == SUB_TRAIN)
		help_training(f);
}

char *
option_help(enum sub sub)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	help_page(f, sub);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
