/*
 * command.c: see command.h.  The one list; immutable, any thread.
 *
 * A new command: an enum entry, a line here, a case in app_command (ui/app.c).
 */
#include "run/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define T GROUP_TIME
#define L GROUP_LOOK
#define C GROUP_CHANGE
#define P GROUP_PROGRAM

const struct command command_list[CMD_COUNT] = {
	[CMD_STEP] = { CMD_STEP, "step", "s", "[COUNT]", NULL, "one sampler step forward (10s: ten)", T },
	[CMD_BACK] = { CMD_BACK, "back", "S", "[COUNT]", NULL, "one step back", T },
	[CMD_NEXT_TOKEN] = { CMD_NEXT_TOKEN, "next-token", ".", "[COUNT]", NULL,
	    "show the next token touched inside this step", T },
	[CMD_PREV_TOKEN] = { CMD_PREV_TOKEN, "previous-token", ",", "[COUNT]", NULL,
	    "hide the last shown token of this step", T },
	[CMD_CONTINUE] = { CMD_CONTINUE, "continue", "c", "", NULL, "run on to the end", T },
	[CMD_CONTINUE_BACK] = { CMD_CONTINUE_BACK, "continue-back", "C", "", NULL, "back to the start", T },
	[CMD_FINISH] = { CMD_FINISH, "finish", "f", "", NULL, "run to the end without showing each step", T },
	[CMD_STOP] = { CMD_STOP, "stop", "<C-c>", "", NULL, "stop the running step; states made so far stay", T },
	[CMD_PLAY] = { CMD_PLAY, "play", "<Space>", "", NULL, "play or pause", T },
	[CMD_SLOWER] = { CMD_SLOWER, "slower", "<lt>", "", NULL, "play more slowly", T },
	[CMD_FASTER] = { CMD_FASTER, "faster", ">", "", NULL, "play faster", T },
	[CMD_FIRST] = { CMD_FIRST, "first", "g", "", NULL, "first state of the run (40g: step 40)", T },
	[CMD_LAST] = { CMD_LAST, "last", "G", "", NULL, "last state made so far", T },
	[CMD_GOTO] = { CMD_GOTO, "goto", "", "STEP", NULL, "go to a step, making the states on the way", T },
	[CMD_NEXT_HIT] = { CMD_NEXT_HIT, "next", "n", "[COUNT]", NULL, "to the next position touched in this step", L },
	[CMD_PREV_HIT] = { CMD_PREV_HIT, "previous", "N", "[COUNT]", NULL,
	    "to the previous position touched in this step", L },
	[CMD_UNDO] = { CMD_UNDO, "undo", "u", "[COUNT]", NULL,
	    "back to the state looked at before; nothing is lost", T },
	[CMD_REDO] = { CMD_REDO, "redo", "<C-r>", "[COUNT]", NULL, "forth again after undo", T },
	[CMD_TREE] = { CMD_TREE, "tree", "T", "", NULL, "the tree of branches; Enter goes to a state", L },
	[CMD_COLOUR] = { CMD_COLOUR, "colour", "t", "[WHAT]",
	    "cause|confidence|entropy|age|times|denoiser|difference|plain",
	    "what the colours of the tokens mean; without WHAT: the next one", L },
	[CMD_SET] = { CMD_SET, "set", "", "KNOB VALUE", "knob", "turn a knob; it acts from this state on", C },
	[CMD_SEED] = { CMD_SEED, "seed", "", "[N]", NULL, "a run from other noise; without N: the next seed", C },
	[CMD_SAMPLE] = { CMD_SAMPLE, "sample", "", "[N]", NULL, "another sample of this seed, counted from 1", L },
	[CMD_WEIGHTS] = { CMD_WEIGHTS, "weights", "", "ema|raw", "ema|raw",
	    "averaged or raw weights from this state on", C },
	[CMD_PRESET] = { CMD_PRESET, "preset", "", "NAME", "preset", "all knobs as in a published setting", C },
	[CMD_RECIPE] = { CMD_RECIPE, "recipe", "", "[LINE]", NULL,
	    "show the recipe line, or take all knobs from one", C },
	[CMD_LABEL] = { CMD_LABEL, "label", "", "CLASS",
	    "none|rows|airplane|automobile|bird|cat|deer|dog|frog|horse|ship|truck",
	    "class to sample (its name or number, none or rows)", C },
	[CMD_LAYOUT] = { CMD_LAYOUT, "layout", "", "flow|grid", "flow|grid",
	    "running text, or one fixed cell per token (as the checkpoint's layout says)", L },
	[CMD_REVEAL] = { CMD_REVEAL, "reveal", "", "rows|confidence", "rows|confidence",
	    "pictures: which values of a step \".\" shows together", L },
	[CMD_VIEW] = { CMD_VIEW, "view", "<A-1> <A-2> <A-3> <A-4> <A-5> <A-6> <A-7> <A-8> "
	    "<F1> <F2> <F3> <F4> <F5> <F6> <F7> <F8>", "NAME", "view", "another view", L },
	[CMD_FOCUS] = { CMD_FOCUS, "focus", "<Tab>", "[sample|knobs|timeline]", "sample|knobs|timeline",
	    "which part the arrows act on; without argument: the next one", L },
	[CMD_FOCUS_BACK] = { CMD_FOCUS_BACK, "focus-back", "<S-Tab>", "", NULL, "the part before", L },
	[CMD_INSPECT] = { CMD_INSPECT, "inspect", "<Enter>", "", NULL,
	    "everything about the token under the cursor", L },
	[CMD_MENU] = { CMD_MENU, "menu", "m", "", NULL, "all commands in a menu", P },
	[CMD_HELP] = { CMD_HELP, "help", "?", "[COMMAND]", "command", "this help", P },
	[CMD_COMMAND] = { CMD_COMMAND, "command", ":", "", NULL, "type a command", P },
	[CMD_COPY] = { CMD_COPY, "copy", "y", "", NULL, "copy the text (to the terminal's clipboard)", P },
	[CMD_WRITE] = { CMD_WRITE, "write", "", "FILE", "file", "write the text (FILE.jsonl: the trace) to a file", P },
	[CMD_REDRAW] = { CMD_REDRAW, "redraw", "<C-l>", "", NULL, "draw the screen anew", P },
	[CMD_SUSPEND] = { CMD_SUSPEND, "suspend", "<C-z>", "", NULL, "back to the shell; fg returns", P },
	[CMD_RESTART] = { CMD_RESTART, "restart", "R", "", NULL, "a new run with these knobs; the old one is kept", T },
	[CMD_MOUSE] = { CMD_MOUSE, "mouse", "", "on|off", "on|off", "use the mouse", P },
	[CMD_THEME] = { CMD_THEME, "theme", "", "auto|dark|light|mono", "auto|dark|light|mono",
	    "colours of the screen", P },
	[CMD_SELECT] = { CMD_SELECT, "select", "v", "", NULL, "begin or end a selection of positions", L },
	[CMD_TRAIN] = { CMD_TRAIN, "train", "", "[WHAT]",
	    "start|pause|resume|save|stop|open|close|set|preset|data|out|continue|new|wait|status",
	    "train a model beside: start, pause, resume, save, stop, open its average, close it", P },
	[CMD_KEYS] = { CMD_KEYS, "keys", "", "KEYS", NULL, "as if these keys were typed (scripts)", P },
	[CMD_WAIT] = { CMD_WAIT, "wait", "", "SECONDS", NULL, "let time pass (scripts)", P },
	[CMD_QUIT] = { CMD_QUIT, "quit", "q", "", NULL, "leave (a training is saved first)", P },
};

#undef T
#undef L
#undef C
#undef P

/* Views by their keys <A-1>.. and <F1>.. (screen.md). */
static const char *const key_view[] = { "sample", "inspect", "compare", "sweep", "train", "log", "lessons", "help" };

const char *
command_group_name(enum command_group g)
{
	static const char *const name[GROUP_END] = { "Time", "Look", "Change", "Program" };

	return g < GROUP_END ? name[g] : "";
}

const struct command *
command_find(const char *name)
{
	size_t n = strlen(name);
	const struct command *hit = NULL;
	int hits = 0;

	for (int i = 0; i < CMD_COUNT; i++) {
		if (strncmp(command_list[i].name, name, n) != 0)
			continue;
		if (command_list[i].name[n] == 0)
			return &command_list[i];
		hit = &command_list[i];
		hits++;
	}
	return n > 0 && hits == 1 ? hit : NULL;
}

/* Whether word is one of the space-separated words of list. */
static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, " ");
		if (len == n && memcmp(p, word, n) == 0)
			return true;
		p += len + strspn(p + len, " ");
	}
	return false;
}

const struct command *
command_by_key(const char *key)
{
	if (*key == 0)
		return NULL;
	for (int i = 0; i < CMD_COUNT; i++)
		if (has_word(command_list[i].keys, key))
			return &command_list[i];
	return NULL;
}

/* The digit of "<A-3>" and "<F3>", else 0. */
static int
key_number(const char *key)
{
	int n;
	char end;

	if ((sscanf(key, "<A-%1d%c", &n, &end) == 2 || sscanf(key, "<F%1d%c", &n, &end) == 2) && end == '>')
		return n;
	return 0;
}

bool
command_line_of_key(const char *key, int count, char *buf, size_t size)
{
	const struct command *c = command_by_key(key);

	if (!c)
		return false;
	int n = c->id == CMD_VIEW ? key_number(key) : 0;
	if (n > 0 && n <= (int)(sizeof key_view / sizeof *key_view))
		snprintf(buf, size, "%s %s", c->name, key_view[n - 1]);
	else if (count > 0 && c->id == CMD_FIRST)
		snprintf(buf, size, "%s %d", command_list[CMD_GOTO].name, count);
	else if (count > 0 && strcmp(c->args, "[COUNT]") == 0)
		snprintf(buf, size, "%s %d", c->name, count);
	else
		snprintf(buf, size, "%s", c->name);
	return true;
}

const struct command *
command_parse(const char *line, const char **args)
{
	char name[32];

	line += strspn(line, " \t:");
	size_t n = strcspn(line, " \t");
	*args = line + n + strspn(line + n, " \t");
	if (n == 0 || n >= sizeof name)
		return NULL;
	memcpy(name, line, n);
	name[n] = 0;
	return command_find(name);
}

/* Completions being collected. */
struct found {
	const char *word;        /* what is typed of it */
	size_t n;
	char **out;
	int count, max;
};

static void
offer(struct found *f, const char *s, size_t len)
{
	if (f->count >= f->max || len < f->n || memcmp(s, f->word, f->n) != 0)
		return;
	char *copy = mem_strndup(s, len);
	if (copy)
		f->out[f->count++] = copy;
}

static void
offer_commands(struct found *f)
{
	for (int i = 0; i < CMD_COUNT; i++)
		offer(f, command_list[i].name, strlen(command_list[i].name));
}

static void
offer_dynamic(struct found *f, const char *(*dynamic)(const char *what, int i), const char *what)
{
	const char *s;

	for (int i = 0; dynamic && (s = dynamic(what, i)); i++)
		offer(f, s, strlen(s));
}

static void
offer_choices(struct found *f, const char *list)
{
	for (const char *p = list; *p;) {
		size_t len = strcspn(p, "|");
		offer(f, p, len);
		p += len + (p[len] == '|');
	}
}

/* The word after a knob. */
static void
offer_value(struct found *f, const char *(*dynamic)(const char *what, int i), const char *args)
{
	char what[48];

	snprintf(what, sizeof what, "value %.*s", (int)strcspn(args, " \t="), args);
	offer_dynamic(f, dynamic, what);
}

/* The word after a choice: of the kind "COMMAND CHOICE". */
static void
offer_second(struct found *f, const char *(*dynamic)(const char *what, int i), const char *name, const char *args)
{
	char what[48];

	snprintf(what, sizeof what, "%s %.*s", name, (int)strcspn(args, " \t="), args);
	offer_dynamic(f, dynamic, what);
}

int
command_complete(const char *line, const char *(*dynamic)(const char *what, int i), char **out, int max)
{
	line += strspn(line, " \t:");
	const char *end = line + strlen(line), *word = end, *args;

	while (word > line && !strchr(" \t=", word[-1]))
		word--;
	struct found f = { .word = word, .n = (size_t)(end - word), .out = out, .max = max };
	if (word == line) {
		offer_commands(&f);
		return f.count;
	}
	const struct command *c = command_parse(line, &args);
	if (!c || !c->complete)
		return 0;
	if (word > args) {
		if (strcmp(c->complete, "knob") == 0)
			offer_value(&f, dynamic, args);
		else if (strchr(c->complete, '|'))
			offer_second(&f, dynamic, c->name, args);
	} else if (strcmp(c->complete, "command") == 0) {
		offer_commands(&f);
	} else if (strchr(c->complete, '|')) {
		offer_choices(&f, c->complete);
	} else {
		offer_dynamic(&f, dynamic, c->complete);
	}
	return f.count;
}
