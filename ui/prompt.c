/*
 * prompt.c: the ':' line: editing, history, completion from the list of
 * commands, help for what is being typed.  Screen thread.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/app.h"
#include "ui/line.h"

#define HISTORY 200
#define CANDIDATES 200

struct prompt {
	struct line line;
	char *history[HISTORY];  /* oldest first; owned */
	int n_history, at;       /* at == n_history: the line being typed */
	char typed[LINE_MAX_BYTES];  /* it, while history is looked at */
	char *candidate[CANDIDATES]; /* owned */
	int n_candidates, chosen;/* -1: none is on the line */
	size_t word;             /* where they go */
};

static void
forget_candidates(struct prompt *p)
{
	for (int i = 0; i < p->n_candidates; i++)
		free(p->candidate[i]);
	p->n_candidates = 0;
	p->chosen = -1;
}

void
prompt_free(struct prompt *p)
{
	if (!p)
		return;
	forget_candidates(p);
	for (int i = 0; i < p->n_history; i++)
		free(p->history[i]);
	free(p);
}

static void
remember(struct prompt *p, const char *text)
{
	if (*text == 0 || (p->n_history && strcmp(p->history[p->n_history - 1], text) == 0))
		return;
	char *copy = mem_strdup(text);
	if (!copy)
		return;
	if (p->n_history == HISTORY) {
		free(p->history[0]);
		memmove(p->history, p->history + 1, (HISTORY - 1) * sizeof *p->history);
		p->n_history--;
	}
	p->history[p->n_history++] = copy;
}

/* Up (-1) and down (+1) through lines that begin like what was typed. */
static void
walk_history(struct prompt *p, int by)
{
	if (p->at == p->n_history)
		snprintf(p->typed, sizeof p->typed, "%s", p->line.text);
	for (int i = p->at + by; i >= 0 && i <= p->n_history; i += by) {
		const char *text = i == p->n_history ? p->typed : p->history[i];
		if (i < p->n_history && strncmp(text, p->typed, strlen(p->typed)) != 0)
			continue;
		p->at = i;
		line_set(&p->line, text);
		return;
	}
}

/* The i-th of the values "a|b|c" of a knob. */
static const char *
knob_value(const char *name, int i)
{
	static char word[48]; /* until the next call; the screen has one thread */
	const struct knob *k = recipe_knob_find(name);
	const char *s = k && k->choices ? k->choices : "";

	for (; i > 0 && *s; i--) {
		s += strcspn(s, "|");
		s += *s == '|';
	}
	if (*s == 0)
		return NULL;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(s, "|"), s);
	return word;
}

static const char *
dynamic(const char *what, int i)
{
	return strncmp(what, "value ", 6) == 0 ? knob_value(what + 6, i) : app_word(what, i);
}

/* Files that begin like the last word of line. */
static int
complete_file(const char *line, char **out, int max)
{
	const char *word = strrchr(line, ' ');
	char *pattern = word ? mem_printf("%s*", word + 1) : NULL;
	glob_t g = { 0 };
	int n = 0;

	if (pattern && glob(pattern, GLOB_MARK | GLOB_TILDE, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc && n < max; i++)
			if ((out[n] = mem_strdup(g.gl_pathv[i])))
				n++;
		globfree(&g);
	}
	free(pattern);
	return n;
}

/* Whether the next word is a file; args: behind the command's name. */
static bool
wants_file(const struct command *c, const char *args)
{
	static const char *const verb[] = { "data ", "out ", "continue " };

	if (!c || !c->complete)
		return false;
	for (size_t i = 0; c->id == CMD_TRAIN && i < sizeof verb / sizeof *verb; i++)
		if (strncmp(args, verb[i], strlen(verb[i])) == 0)
			return true;
	return strcmp(c->complete, "file") == 0;
}

static int
candidates(const char *line, char **out)
{
	const char *args;
	const struct command *c = command_parse(line, &args);

	if (wants_file(c, args) && args > line && args[-1] == ' ')
		return complete_file(line, out, CANDIDATES);
	return command_complete(line, dynamic, out, CANDIDATES);
}

/* Bytes that all candidates begin with. */
static size_t
common(const struct prompt *p)
{
	size_t n = strlen(p->candidate[0]);

	for (int i = 1; i < p->n_candidates; i++) {
		size_t k = 0;
		while (k < n && p->candidate[i][k] == p->candidate[0][k])
			k++;
		n = k;
	}
	return n;
}

static void
put_word(struct prompt *p, const char *word, size_t n)
{
	line_cut(&p->line, p->word, p->line.at);
	line_insert(&p->line, word, n);
}

static void
complete(struct prompt *p, int by)
{
	if (p->n_candidates == 0) {
		char head[LINE_MAX_BYTES];
		snprintf(head, sizeof head, "%.*s", (int)p->line.at, p->line.text);
		p->n_candidates = candidates(head, p->candidate);
		p->chosen = -1;
		for (p->word = p->line.at; p->word > 0 && !strchr(" =:", p->line.text[p->word - 1]);)
			p->word--;
		if (p->n_candidates == 0)
			return;
		size_t have = p->line.at - p->word, n = common(p);
		if (p->n_candidates == 1) {
			put_word(p, p->candidate[0], strlen(p->candidate[0]));
			bool folder = n > 0 && p->candidate[0][n - 1] == '/';
			if (!folder)
				line_insert(&p->line, " ", 1);
			forget_candidates(p);
			return;
		}
		if (n > have) {
			put_word(p, p->candidate[0], n);
			return;
		}
	}
	p->chosen = p->chosen < 0 ? (by > 0 ? 0 : p->n_candidates - 1) :
	    (p->chosen + by + p->n_candidates) % p->n_candidates;
	put_word(p, p->candidate[p->chosen], strlen(p->candidate[p->chosen]));
}

static bool
run(struct app *a, struct prompt *p)
{
	struct error e = { 0 };
	char text[LINE_MAX_BYTES];

	snprintf(text, sizeof text, "%s", p->line.text);
	remember(p, text);
	if (app_command(a, text, &e) != ST_OK)
		app_say(a, true, "%s", e.msg);
	return false;
}

static bool
prompt_key(struct app *a, const struct key *k, int count)
{
	struct prompt *p = a->prompt;
	const char *name = k->name;

	(void)count;
	if (strcmp(name, "<Tab>") == 0 || strcmp(name, "<S-Tab>") == 0) {
		complete(p, name[1] == 'T' ? 1 : -1);
		return true;
	}
	forget_candidates(p);
	if (strcmp(name, "<Enter>") == 0)
		return run(a, p);
	if (strcmp(name, "<Esc>") == 0 || strcmp(name, "<C-c>") == 0 || strcmp(name, "<C-g>") == 0)
		return false;
	if (strcmp(name, "<Backspace>") == 0 && p->line.n == 0)
		return false;
	if (strcmp(name, "<Up>") == 0 || strcmp(name, "<C-p>") == 0)
		walk_history(p, -1);
	else if (strcmp(name, "<Down>") == 0 || strcmp(name, "<C-n>") == 0)
		walk_history(p, 1);
	else if (line_key(&p->line, k))
		p->at = p->n_history;
	return true;
}

static void
prompt_paste(struct app *a, const char *text, size_t bytes)
{
	forget_candidates(a->prompt);
	while (bytes > 0 && strchr("\r\n", text[bytes - 1]))
		bytes--;
	line_insert(&a->prompt->line, text, bytes);
}

/* The candidates, the chosen one in sight; else what the command does. */
static void
draw_hint(const struct prompt *p, struct canvas *c, struct rect r)
{
	const char *args;
	const struct command *cmd = command_parse(p->line.text, &args);
	int first = 0, x = 1;

	canvas_clear(c, r);
	for (int x2 = 0; x2 < r.w; x2++)
		canvas_char(c, r, x2, 0, STYLE_MENU, ' ');
	if (p->n_candidates == 0) {
		if (cmd) {
			x += canvas_printf(c, r, x, 0, STYLE_MENU, "%s %s ", cmd->name, cmd->args);
			canvas_printf(c, r, x + 1, 0, STYLE_MENU, "%s", cmd->help);
		} else if (p->line.n == 0) {
			canvas_put(c, r, x, 0, STYLE_MENU, "Tab lists the commands, Esc leaves");
		}
		return;
	}
	for (int i = p->chosen, w = 0; i >= 0; i--) {
		w += text_width(p->candidate[i], strlen(p->candidate[i])) + 2;
		if (w > r.w - 4)
			break;
		first = i;
	}
	for (int i = first; i < p->n_candidates && x < r.w; i++)
		x += 2 + canvas_put(c, r, x, 0, i == p->chosen ? STYLE_MENU_HERE : STYLE_MENU, p->candidate[i]);
}

static void
prompt_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct prompt *p = a->prompt;
	struct rect line = { r.x, r.y + r.h - 1, r.w, 1 };
	int before = text_width(p->line.text, p->line.at);
	int shift = before + 2 > r.w ? before + 2 - r.w : 0;

	if (r.h > 1)
		draw_hint(p, c, (struct rect){ r.x, r.y + r.h - 2, r.w, 1 });
	canvas_clear(c, line);
	canvas_putn(c, line, 1 - shift, 0, STYLE_TEXT, p->line.text, p->line.n);
	canvas_char(c, line, 0, 0, STYLE_KEY, shift ? '<' : ':');
	c->cursor_x = line.x + 1 + before - shift;
	c->cursor_y = line.y;
}

void
prompt_open(struct app *a, const char *initial)
{
	if (!a->prompt && !(a->prompt = mem_calloc(1, sizeof *a->prompt))) {
		app_say(a, true, "out of memory");
		return;
	}
	forget_candidates(a->prompt);
	line_set(&a->prompt->line, initial ? initial : "");
	a->prompt->at = a->prompt->n_history;
	app_popup(a, (struct popup){ .draw = prompt_draw, .key = prompt_key, .paste = prompt_paste, .quiet = true });
}
