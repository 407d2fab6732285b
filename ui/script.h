/*
 * script.h: sessions as lists of commands.  --record writes one, --play runs
 * one; tests and lessons are the same.  A line is a command as typed after ':',
 * "keys KEYS" for keys without a command, "wait SECONDS", or a comment (#).
 * Screen thread.
 */
#ifndef PSI_UI_SCRIPT_H
#define PSI_UI_SCRIPT_H

#include "ui/app.h"

struct script;

/* Either path may be NULL (both: *out is NULL, and all functions below take that). */
enum status script_new(const char *record, const char *play, struct script **out, struct error *e);
void script_free(struct script *s);

/* Run the next line if it is due: not while the app is busy or a wait lasts.
 * true: one was run, the app may have changed. */
bool script_run(struct script *s, struct app *a, double now);
/* Seconds until script_run wants to be called though nothing happens; < 0: never. */
double script_due(const struct script *s, const struct app *a, double now);
bool script_playing(const struct script *s);
/* A line failed ("FILE:LINE: reason"), or the record could not be written; NULL: all is well. */
const char *script_error(const struct script *s);

/* Feed a key to the app and write down what it did. */
void script_key(struct script *s, struct app *a, const struct key *k);
/* Run a command line: the script's own commands here, all others in the app. */
enum status script_command(struct script *s, struct app *a, const char *line, struct error *e);

#endif
