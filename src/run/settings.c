/* settings.c: see settings.h. */
#include "run/settings.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- values ---- */

static bool
parse_size(const char *text, size_t *out)
{
	char *end;
	unsigned long long v;
	int shift = 0;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || !isdigit((unsigned char)*text))
		return false;
	switch (*end) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	case 't': case 'T': shift = 40; break;
	}
	end += shift != 0;
	if (*end || v > SIZE_MAX >> shift)
		return false;
	*out = (size_t)v << shift;
	return true;
}

static bool
parse_real(const char *text, double *out)
{
	char *end;

	if (!*text || isspace((unsigned char)*text))
		return false;
	*out = strtod(text, &end);
	return !*end && isfinite(*out);
}

static bool
parse_long(const char *text, long *out)
{
	char *end;

	if (!*text || isspace((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtol(text, &end, 10);
	return !*end && !errno;
}

/* Whether value is one of "a|b|c". */
static bool
is_choice(const char *choices, const char *value)
{
	size_t n = strlen(value);

	for (const char *p = choices; ; p++) {
		size_t len = strcspn(p, "|");
		if (len == n && strncmp(p, value, n) == 0)
			return true;
		p += len;
		if (!*p)
			return false;
	}
}

/* What is wrong is told of the option: "--lr is ...". */
static enum status
set_job(struct job *j, int field, const char *value, struct error *e)
{
	struct error mine = { .code = ST_OK };

	if (job_set(j, field, value, &mine) == ST_OK)
		return ST_OK;
	return error_set(e, mine.code, "--%s", mine.msg);
}

static enum status
check_job_value(const char *name, const char *value, struct error *e)
{
	struct job scratch;

	job_init(&scratch);
	return set_job(&scratch, job_field_find(name), value, e);
}

static enum status
check_value(const struct option_info *o, const char *value, struct error *e)
{
	struct recipe scratch = { .steps = 1 };
	double x;
	long i;
	size_t size;

	switch (o->type) {
	case OPTION_INT:
		if (parse_long(value, &i) && i >= (long)o->lo && i <= (long)o->hi)
			return ST_OK;
		return error_set(e, ST_USAGE, "--%s '%s': must be a whole number from %ld to %ld", o->name, value,
		                 (long)o->lo, (long)o->hi);
	case OPTION_REAL:
		if (parse_real(value, &x) && x >= o->lo && x <= o->hi)
			return ST_OK;
		return error_set(e, ST_USAGE, "--%s '%s': must be a number from %g to %g", o->name, value, o->lo,
			o->hi);
	case OPTION_CHOICE:
		if (is_choice(o->arg, value))
			return ST_OK;
		return error_set(e, ST_USAGE, "--%s '%s': must be one of %s", o->name, value, o->arg);
	case OPTION_SIZE:
		if (parse_size(value, &size) && size > 0)
			return ST_OK;
		return error_set(e, ST_USAGE, "--%s '%s': must be a size such as 500M or 2G", o->name, value);
	case OPTION_KNOB:
		return recipe_set(&scratch, o->name, value, e);
	case OPTION_JOB:
		return check_job_value(o->name, value, e);
	case OPTION_FLAG:
	case OPTION_TEXT:
	case OPTION_FILE:
		break;
	}
	return ST_OK;
}

static enum status
add(struct settings *s, int option, const char *value, bool from_config, struct error *e)
{
	struct option_info o;
	struct setting *p;

	option_at(option, &o);
	enum status st = check_value(&o, value, e);
	if (st != ST_OK)
		return st;
	p = mem_grow(s->set, &s->cap, s->n + 1, sizeof *p);
	char *copy = mem_strdup(value);
	if (p)
		s->set = p;
	if (!p || !copy) {
		free(copy);
		return error_set(e, ST_MEMORY, "out of memory for the options");
	}
	s->set[s->n++] = (struct setting){ option, copy, from_config };
	return ST_OK;
}

/* ---- command line ---- */

enum { LONG_BASE = 1000 };           /* getopt's value of option i is LONG_BASE + i */

/* The tables of getopt for one subcommand; 0 when out of memory. */
static struct option *
make_table(enum sub sub, char *letters)
{
	int n = option_count(), k = 0;
	struct option *t = mem_calloc((size_t)n + 1, sizeof *t);

	*letters++ = ':'; /* tell a missing argument from an unknown option */
	for (int i = 0; t && i < n; i++) {
		struct option_info o;
		option_at(i, &o);
		if (!(o.subs & 1u << sub))
			continue;
		t[k++] = (struct option){ o.name, o.maybe ? optional_argument : o.arg ? required_argument : no_argument,
			NULL, LONG_BASE + i };
		if (o.letter) {
			*letters++ = o.letter;
			if (o.arg)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	return t;
}

static int
option_of_letter(enum sub sub, int c)
{
	struct option_info o;

	for (int i = 0; i < OPT_FIXED; i++) {
		option_at(i, &o);
		if (o.letter == c && o.subs & 1u << sub)
			return i;
	}
	return -1;
}

/* An option that getopt found, with the value it was given. */
static enum status
add_given(struct settings *s, int c, const char *value, struct error *e)
{
	int i = c >= LONG_BASE ? c - LONG_BASE : option_of_letter(s->sub, c);
	struct option_info o;

	option_at(i, &o);
	return add(s, i, value ? value : o.maybe ? "yes" : "", false, e);
}

/* What getopt did not like: argv[optind - 1] holds it. */
static enum status
bad_option(int c, char **argv, enum sub sub, struct error *e)
{
	const char *what = argv[optind - 1], *name = subcommand_list[sub].name;
	char letter[3] = { '-', (char)optopt, 0 };

	if (optopt > 0 && optopt < LONG_BASE)
		what = letter;
	if (c == ':')
		return error_set(e, ST_USAGE, "option '%s' needs an argument", what);
	if (optopt >= LONG_BASE)
		return error_set(e, ST_USAGE, "option '%s' takes no argument", what);
	return error_set(e, ST_USAGE, "unknown option '%s' (see psiview %s%s--help)", what, name, *name ? " " : "");
}

static enum status
parse_options(int argc, char **argv, struct settings *s, struct error *e)
{
	char letters[3 * 64];
	struct option *table = make_table(s->sub, letters);
	enum status st = ST_OK;
	int c;

	if (!table)
		return error_set(e, ST_MEMORY, "out of memory for the options");
	optind = 0; /* start anew: tests parse more than once */
	opterr = 0;
	while (st == ST_OK && (c = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		if (c == '?' || c == ':')
			st = bad_option(c, argv, s->sub, e);
		else
			st = add_given(s, c, optarg, e);
	}
	free(table);
	if (st == ST_OK && optind < argc && !(s->file = mem_strdup(argv[optind++])))
		st = error_set(e, ST_MEMORY, "out of memory for the options");
	if (st == ST_OK && optind < argc)
		st = error_set(e, ST_USAGE, "one file at a time: what is '%s'?", argv[optind]);
	return st;
}

/* ---- config file ---- */

static char *
config_path(void)
{
	const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (dir && *dir == '/')
		return mem_printf("%s/psiview/config", dir);
	return home && *home ? mem_printf("%s/.config/psiview/config", home) : mem_strdup("");
}

static char *
trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* One line `key = value`.  A flag takes yes or no. */
static enum status
config_line(struct settings *s, char *line, struct error *e)
{
	char *key = trim(line), *value = strchr(key, '=');
	struct option_info o;

	if (!*key || *key == '#')
		return ST_OK;
	if (!value)
		return error_set(e, ST_USAGE, "not of the form 'key = value'");
	*value++ = '\0';
	key = trim(key);
	value = trim(value);
	int i = option_find(key);
	if (i >= 0)
		option_at(i, &o);
	if (i < 0 || !o.config)
		return error_set(e, ST_USAGE, "unknown key '%s'", key);
	if (o.type != OPTION_FLAG)
		return add(s, i, value, true, e);
	if (strcmp(value, "no") == 0)
		return ST_OK;
	if (strcmp(value, "yes") != 0)
		return error_set(e, ST_USAGE, "%s '%s': must be yes or no", key, value);
	return add(s, i, "", true, e);
}

static enum status
read_config(struct settings *s, struct error *e)
{
	FILE *f = fopen(s->config_path, "re");
	char *line = NULL;
	size_t cap = 0;
	int number = 0;
	enum status st = ST_OK;

	if (!f)
		return ST_OK;
	while (st == ST_OK && getline(&line, &cap, f) >= 0) {
		number++;
		st = config_line(s, line, e);
	}
	free(line);
	fclose(f);
	if (st != ST_OK) {
		char *at = mem_printf("%s:%d", s->config_path, number);
		error_prefix(e, at ? at : s->config_path);
		free(at);
	}
	return st;
}

enum status
settings_parse(int argc, char **argv, struct settings *s, struct error *e)
{
	enum status st;

	*s = (struct settings){ .sub = SUB_VIEW };
	if (argc > 1 && subcommand_find(argv[1]) != SUB_COUNT) {
		s->sub = subcommand_find(argv[1]);
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	s->config_path = config_path();
	if (!s->config_path)
		return error_set(e, ST_MEMORY, "out of memory for the options");
	st = parse_options(argc, argv, s, e);
	if (st != ST_OK || settings_flag(s, OPT_HELP) || settings_flag(s, OPT_VERSION))
		return st; /* help comes, whatever the config file holds */

	/* the config file's settings go before the command line's */
	struct settings config = { .sub = s->sub, .config_path = s->config_path };
	st = read_config(&config, e);
	for (size_t i = 0; i < s->n && st == ST_OK; i++)
		st = add(&config, s->set[i].option, s->set[i].value, false, e);
	config.file = s->file;
	s->file = s->config_path = NULL;
	settings_done(s);
	*s = config;
	return st;
}

void
settings_done(struct settings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->set[i].value);
	free(s->set);
	free(s->file);
	free(s->config_path);
	*s = (struct settings){ .sub = SUB_VIEW };
}

/* ---- looking at them ---- */

const char *
settings_text(const struct settings *s, enum option_id id)
{
	for (size_t i = s->n; i-- > 0; )
		if (s->set[i].option == (int)id)
			return s->set[i].value;
	return NULL;
}

bool
settings_flag(const struct settings *s, enum option_id id)
{
	return settings_text(s, id) != NULL;
}

long
settings_int(const struct settings *s, enum option_id id, long otherwise)
{
	const char *text = settings_text(s, id);
	long v;

	return text && parse_long(text, &v) ? v : otherwise;
}

double
settings_real(const struct settings *s, enum option_id id, double otherwise)
{
	const char *text = settings_text(s, id);
	double v;

	return text && parse_real(text, &v) ? v : otherwise;
}

size_t
settings_size(const struct settings *s, enum option_id id, size_t otherwise)
{
	const char *text = settings_text(s, id);
	size_t v;

	return text && parse_size(text, &v) ? v : otherwise;
}

/* Preset, recipe or knobs (pass 0, 1, 2) of one source. */
static enum status
apply(const struct settings *s, bool from_config, int pass, struct recipe *r, struct error *e)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < s->n && st == ST_OK; i++) {
		const struct setting *p = &s->set[i];
		if (p->from_config != from_config)
			continue;
		if (pass == 0 && p->option == OPT_PRESET)
			st = recipe_preset(r, p->value, e);
		else if (pass == 1 && p->option == OPT_RECIPE)
			st = recipe_parse(p->value, r, e);
		else if (pass == 2 && p->option >= OPT_FIXED && option_job_field(p->option) < 0) {
			struct option_info o;
			option_at(p->option, &o);
			st = recipe_set(r, o.name, p->value, e);
		} else if (pass == 2 && p->option == OPT_RAW)
			r->raw = true;
	}
	return st;
}

enum status
settings_recipe(const struct settings *s, const char *preset, struct recipe *r, struct error *e)
{
	enum status st = preset ? recipe_preset(r, preset, e) : ST_OK;

	for (int k = 0; k < 6 && st == ST_OK; k++)
		if (k % 3 != 0 || !preset) /* instead of those that were given */
			st = apply(s, k < 3, k % 3, r, e);
	return st;
}

enum status
settings_job_fields(const struct settings *s, struct job *j, struct error *e)
{
	for (size_t i = 0; i < s->n; i++) {
		int field = option_job_field(s->set[i].option);
		if (field >= 0 && set_job(j, field, s->set[i].value, e) != ST_OK)
			return ST_USAGE;
	}
	return ST_OK;
}

enum status
settings_job(const struct settings *s, struct job *j, struct error *e)
{
	const char *preset = settings_text(s, OPT_JOB);

	job_init(j);
	if (preset && job_preset(preset, j, e) != ST_OK)
		return error_prefix(e, "--preset");
	return settings_job_fields(s, j, e);
}

const char *
settings_job_text(const struct settings *s, const char *name)
{
	int field = job_field_find(name);

	for (size_t i = s->n; i-- > 0; )
		if (option_job_field(s->set[i].option) == field)
			return s->set[i].value;
	return NULL;
}

void
settings_override(const struct settings *s, struct config_override *o)
{
	config_override_init(o);
	if (settings_text(s, OPT_ALGO))
		o->algo = settings_text(s, OPT_ALGO);
	if (settings_text(s, OPT_NOISE))
		o->noise = settings_text(s, OPT_NOISE);
	o->eps = settings_real(s, OPT_EPS, o->eps);
	o->length = (int)settings_int(s, OPT_LENGTH, o->length);
	o->heads = (int)settings_int(s, OPT_HEADS, o->heads);
	o->mask = (int)settings_int(s, OPT_MASK, o->mask);
	o->classes = (int)settings_int(s, OPT_CLASSES, o->classes);
}

char *
settings_print(const struct settings *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "# %s\n", s->config_path);
	for (int i = 0; i < option_count(); i++) {
		struct option_info o;
		option_at(i, &o);
		if (!o.config)
			continue;
		const char *value = settings_text(s, (enum option_id)i);
		fprintf(f, "\n# %s\n", o.help);
		if (o.type == OPTION_FLAG)
			fprintf(f, "%s = %s\n", o.name, value ? "yes" : "no");
		else if (value)
			fprintf(f, "%s = %s\n", o.name, value);
		else
			fprintf(f, "# %s =\n", o.name);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
