/*
 * options.h: the one list of subcommands and of command-line options.
 * Parsing, --help, the config file, completions and the check of the manual
 * come from it.  Knobs of a recipe (psi/recipe.h) that are options and the
 * settings of a training job (train/job.h) stand behind the others in the same
 * numbering.  A name may occur twice, for different subcommands: --batch of
 * `sample` and of `train`.  Pure data, any thread.
 */
#ifndef PSI_RUN_OPTIONS_H
#define PSI_RUN_OPTIONS_H

#include <stdbool.h>

enum sub { SUB_VIEW, SUB_SAMPLE, SUB_PROBE, SUB_EVAL, SUB_INFO, SUB_VERIFY, SUB_EXPORT, SUB_SWEEP, SUB_TRAIN, SUB_HELP,
	SUB_COUNT };

struct subcommand {
	const char *name;            /* "" is the screen */
	const char *args;            /* "[FILE]" */
	const char *help;            /* one line */
};
extern const struct subcommand subcommand_list[SUB_COUNT];
/* SUB_COUNT: there is none of that name. */
enum sub subcommand_find(const char *name);

enum option_id {
	OPT_COUNT_N, OPT_PRESET, OPT_RECIPE, OPT_CLAMP, OPT_FORMAT, OPT_OUTPUT,
	OPT_CLASS, OPT_ZOOM, OPT_GAP, OPT_COLUMNS, OPT_BATCH, OPT_THREADS, OPT_CACHE,
	OPT_IN, OPT_WHOLE_BATCHES, OPT_OUT, OPT_POSITIONS, OPT_JSON, OPT_DTYPE,
	OPT_RAW, OPT_TOKENIZER, OPT_ALGO, OPT_NOISE, OPT_EPS, OPT_LENGTH, OPT_HEADS, OPT_MASK, OPT_CLASSES,
	OPT_JOB, OPT_RESUME, OPT_FORCE, OPT_DRY_RUN, OPT_QUIET, OPT_LOG,
	OPT_PLAIN, OPT_NO_PROBE, OPT_MOUSE, OPT_THEME, OPT_IMAGES, OPT_RECORD, OPT_PLAY,
	OPT_TERMINAL_INFO, OPT_PRINT_CONFIG, OPT_HELP, OPT_VERSION,
	OPT_CLASSIFIER,
	OPT_GRID, OPT_SEEDS, OPT_ROWS, OPT_VALID, OPT_SCORER, OPT_BOUND, OPT_DATA,
	OPT_FIXED                    /* how many; knobs follow */
};

enum option_type {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_FILE,
	OPTION_INT,
	OPTION_REAL,
	OPTION_CHOICE,
	OPTION_SIZE,
	OPTION_KNOB,
	OPTION_JOB                   /* a setting of a training job */
};

struct option_info {
	const char *name;            /* without the hyphens */
	char letter;                 /* 0: none */
	enum option_type type;
	const char *arg;             /* shown in help: "N", "FILE", "text|jsonl" (the choices); NULL: a flag */
	double lo, hi;               /* INT, REAL */
	unsigned subs;               /* bit 1 << enum sub: where it is known */
	bool config;                 /* may stand in the config file */
	const char *help;            /* one line */
	bool maybe;                  /* the argument may be left out: "yes" */
};

int option_count(void);
void option_at(int i, struct option_info *out);
/* Number of the first option of that name, -1: none. */
int option_find(const char *name);
/* The setting of a job (train/job.h) that option i is, -1: it is none. */
int option_job_field(int i);
/* Not in the table of all options but on the page of `train`. */
bool option_of_training(const struct option_info *o);

/* The help page of a subcommand, malloced; NULL: out of memory. */
char *option_help(enum sub sub);

#endif
