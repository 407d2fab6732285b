/*
 * settings.h: what the user asked for: the command line over the config file
 * ($XDG_CONFIG_HOME/psiview/config, lines `key = value` with the names of long
 * options).  Main thread; immutable after settings_parse.
 */
#ifndef PSI_RUN_SETTINGS_H
#define PSI_RUN_SETTINGS_H

#include <stddef.h>

#include "ckpt/config.h"
#include "psi/recipe.h"
#include "run/options.h"
#include "train/job.h"

struct setting {                 /* one option that was given; in the order given, the config file's first */
	int option;              /* number in the list of options */
	char *value;             /* "" for a flag */
	bool from_config;
};

struct settings {
	enum sub sub;
	char *file;              /* FILE; for SUB_HELP the command; NULL: none given */
	char *config_path;       /* of the config file, whether or not there is one */
	struct setting *set;
	size_t n, cap;
};

/* Values are checked here as far as they can be without a model.  ST_USAGE
 * with one line otherwise. */
enum status settings_parse(int argc, char **argv, struct settings *out, struct error *e);
void settings_done(struct settings *s);

/* The last value given (the command line wins); NULL: none. */
const char *settings_text(const struct settings *s, enum option_id id);
bool settings_flag(const struct settings *s, enum option_id id);
long settings_int(const struct settings *s, enum option_id id, long otherwise);
double settings_real(const struct settings *s, enum option_id id, double otherwise);
size_t settings_size(const struct settings *s, enum option_id id, size_t otherwise);

/* Apply preset, recipe line and knobs to r, in that order, the config file's
 * before the command line's.  preset: instead of those that were given; NULL. */
enum status settings_recipe(const struct settings *s, const char *preset, struct recipe *r, struct error *e);
/* The job of the command line: --preset, then its settings in the order given.
 * Not yet checked as a whole. */
enum status settings_job(const struct settings *s, struct job *j, struct error *e);
/* The settings alone, over what j holds. */
enum status settings_job_fields(const struct settings *s, struct job *j, struct error *e);
/* The last value given for a setting of a job (job.h), by name; NULL: none. */
const char *settings_job_text(const struct settings *s, const char *name);
/* --algo, --noise, ...; strings are borrowed from s. */
void settings_override(const struct settings *s, struct config_override *o);

/* The settings as a config file, malloced; NULL: out of memory. */
char *settings_print(const struct settings *s);

#endif
