/* script.c: see script.h. */
#include "ui/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct script {
	FILE *record, *play;
	char *name;              /* of the file played */
	const char *record_name; /* borrowed */
	char *line;              /* getline's */
	size_t cap;
	int number;              /* of the line */
	double until;            /* a wait lasts till then */
	bool noted;              /* the key being fed became a command */
	char error[600];
};

enum status
script_new(const char *record, const char *play, struct script **out, struct error *e)
{
	*out = NULL;
	if (!record && !play)
		return ST_OK;
	struct script *s = mem_calloc(1, sizeof *s);
	if (!s || (play && !(s->name = mem_strdup(play)))) {
		script_free(s);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	if (play && !(s->play = fopen(play, "re"))) {
		enum status st = error_set(e, ST_FAIL, "%s: %s", play, strerror(errno));
		script_free(s);
		return st;
	}
	if (record && !(s->record = fopen(record, "we"))) {
		enum status st = error_set(e, ST_FAIL, "%s: %s", record, strerror(errno));
		script_free(s);
		return st;
	}
	s->record_name = record;
	*out = s;
	return ST_OK;
}

void
script_free(struct script *s)
{
	if (!s)
		return;
	if (s->record)
		fclose(s->record);
	if (s->play)
		fclose(s->play);
	free(s->name);
	free(s->line);
	free(s);
}

bool
script_playing(const struct script *s)
{
	return s && s->play;
}

const char *
script_error(const struct script *s)
{
	return s && *s->error ? s->error : NULL;
}

/* Whole lines at once, so that a session that dies is recorded up to there. */
static void
note(struct script *s, const char *verb, const char *rest)
{
	if (!s || !s->record)
		return;
	if ((fprintf(s->record, "%s%s\n", verb, rest) < 0 || fflush(s->record) == EOF) && !*s->error)
		snprintf(s->error, sizeof s->error, "%s: %s", s->record_name, strerror(errno));
}

/* app->on_command */
static void
on_command(void *arg, const char *line)
{
	struct script *s = arg;
	const char *args;
	const struct command *c = command_parse(line, &args);

	s->noted = true;
	/* what opens the prompt or the menu is told by what comes out of it */
	if (c && c->id != CMD_COMMAND && c->id != CMD_MENU && c->id != CMD_SUSPEND && c->id != CMD_REDRAW)
		note(s, line, "");
}

void
script_key(struct script *s, struct app *a, const struct key *k)
{
	bool quiet = a->popup.draw && a->popup.quiet;

	if (s) {
		s->noted = false;
		a->on_command = on_command;
		a->on_command_arg = s;
	}
	app_key(a, k);
	/* what opened a popup is told by what comes out of it */
	if (s && !s->noted && !quiet && !(a->popup.draw && a->popup.quiet))
		note(s, "keys ", k->name);
}

/* "keys KEYS": each as if typed. */
static void
run_keys(struct script *s, struct app *a, const char *keys)
{
	struct key k;

	while (keys_next(&keys, &k))
		script_key(s, a, &k);
}

enum status
script_command(struct script *s, struct app *a, const char *line, struct error *e)
{
	const char *args;
	const struct command *c = command_parse(line, &args);

	if (c && c->id == CMD_KEYS) {
		run_keys(s, a, args);
		return ST_OK;
	}
	if (c && c->id == CMD_WAIT)
		return ST_OK; /* means something between the lines of a file only */
	if (s) {
		a->on_command = on_command;
		a->on_command_arg = s;
	}
	return app_command(a, line, e);
}

/* The seconds of a "wait" line; < 0: it is none. */
static double
wait_of(const char *line)
{
	const char *args;
	const struct command *c = command_parse(line, &args);
	char *end;

	if (!c || c->id != CMD_WAIT)
		return -1;
	double v = strtod(args, &end);
	return end > args && v >= 0 && v < 1e6 ? v : 0;
}

static void
finish_playing(struct script *s)
{
	fclose(s->play);
	s->play = NULL;
}

bool
script_run(struct script *s, struct app *a, double now)
{
	struct error e;
	ssize_t n;

	if (!s || !s->play || now < s->until || app_busy(a))
		return false;
	do {
		n = getline(&s->line, &s->cap, s->play);
		s->number++;
		while (n > 0 && strchr("\r\n \t", s->line[n - 1]))
			s->line[--n] = 0;
	} while (n == 0 || (n > 0 && s->line[strspn(s->line, " \t")] == '#'));
	if (n < 0) {
		finish_playing(s);
		return true;
	}
	double seconds = wait_of(s->line);
	if (seconds >= 0) {
		s->until = now + seconds;
	} else if (script_command(s, a, s->line, &e) != ST_OK) {
		snprintf(s->error, sizeof s->error, "%s:%d: %s", s->name, s->number, e.msg);
		app_say(a, true, "%s", s->error);
		finish_playing(s);
	}
	return true;
}

double
script_due(const struct script *s, const struct app *a, double now)
{
	if (!s || !s->play || app_busy(a))
		return -1; /* a report wakes the loop */
	return s->until > now ? s->until - now : 0;
}
