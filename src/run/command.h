/*
 * command.h: the one list of commands.  Keys, menu, help, completion, manual,
 * scripts and lessons come from it.  A key is a short name for a command.
 */
#ifndef PSI_RUN_COMMAND_H
#define PSI_RUN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum command_id {
	CMD_STEP, CMD_BACK, CMD_NEXT_TOKEN, CMD_PREV_TOKEN, CMD_CONTINUE, CMD_CONTINUE_BACK, CMD_FINISH, CMD_STOP,
	CMD_PLAY, CMD_SLOWER, CMD_FASTER, CMD_FIRST, CMD_LAST, CMD_GOTO, CMD_NEXT_HIT, CMD_PREV_HIT,
	CMD_UNDO, CMD_REDO, CMD_TREE, CMD_COLOUR, CMD_SET, CMD_SEED, CMD_SAMPLE, CMD_WEIGHTS, CMD_PRESET, CMD_RECIPE,
	CMD_LABEL, CMD_LAYOUT, CMD_REVEAL, CMD_VIEW, CMD_FOCUS, CMD_FOCUS_BACK, CMD_INSPECT, CMD_MENU, CMD_HELP,
	CMD_COMMAND, CMD_COPY, CMD_WRITE,
	CMD_REDRAW, CMD_SUSPEND, CMD_RESTART, CMD_MOUSE, CMD_THEME, CMD_SELECT, CMD_TRAIN, CMD_KEYS, CMD_WAIT,
	CMD_QUIT,
	/* later issues put theirs here: edits, why, breakpoints, search, compare, sweep, lessons */
	CMD_COUNT
};

enum command_group { GROUP_TIME, GROUP_LOOK, GROUP_CHANGE, GROUP_PROGRAM, GROUP_END };

struct command {
	enum command_id id;
	const char *name;        /* "step", typed after ':' */
	const char *keys;        /* default keys, space-separated, in the notation of keys.h: "s", "<C-l>" */
	const char *args;        /* "", "[COUNT]", "KNOB VALUE": shown in help */
	const char *complete;    /* its argument: "knob", "preset", "view", "command", "file", or "a|b|c"; NULL */
	const char *help;        /* one line */
	enum command_group group;
};

extern const struct command command_list[CMD_COUNT];   /* in the order of the enum */

const struct command *command_find(const char *name);            /* exact or unique prefix; NULL */
const struct command *command_by_key(const char *key);
/* The command line a key stands for, with its count: "step 10", "goto 40" for
 * 40g, "view inspect" for <A-2>.  false: the key has no command. */
bool command_line_of_key(const char *key, int count, char *buf, size_t size);
const char *command_group_name(enum command_group g);
/* Split "name rest": returns the command, *args points into line. */
const struct command *command_parse(const char *line, const char **args);
/* Completions of the last word of line: fills out with up to max strings
 * (malloced), returns how many.  dynamic(what, i) gives the i-th word of a
 * kind (NULL at the end); what is a name of `complete`, or "value KNOB" for the
 * word after a knob. */
int command_complete(const char *line, const char *(*dynamic)(const char *what, int i), char **out, int max);

#endif
