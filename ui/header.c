/*
 * header.c: the first line of the screen (what is open, which run) and the
 * last one (what just happened, else which keys help here).  Screen thread.
 */
#include "ui/train.h"

#include <stdlib.h>

/* Parameters of the weights in use, and the type most of them have. */
static uint64_t
count_parameters(const struct ckpt *c, const char **dtype)
{
	uint64_t sum = 0, most = 0;

	*dtype = "";
	for (int i = 0; i < c->n_raw; i++) {
		uint64_t n = tensor_numel(&c->raw[i]);

		sum += n;
		if (n > most) {
			most = n;
			*dtype = dtype_name(c->raw[i].dtype);
		}
	}
	return sum;
}

void
header_describe(struct app *a, const char *about)
{
	struct app_private *p = a->priv;
	const char *dtype = "";
	char size[16] = "";
	uint64_t n;

	if (!a->ckpt) {
		snprintf(p->file_line, sizeof p->file_line, "%s%sL%d V%d", about ? about : "", about ? " " : "", p->L,
			a->model->V);
		return;
	}
	n = count_parameters(a->ckpt, &dtype);
	if (n >= 10000000)
		snprintf(size, sizeof size, "%.0fM ", (double)n / 1e6);
	else if (n >= 1000000)
		snprintf(size, sizeof size, "%.1fM ", (double)n / 1e6);
	else
		snprintf(size, sizeof size, "%.0fk ", (double)n / 1e3);
	snprintf(p->file_line, sizeof p->file_line, "%s %sL%d V%d", algo_name(a->ckpt->config.algo), size, p->L,
		a->model->V);
	snprintf(p->dtype, sizeof p->dtype, "%s", dtype);
}

/* Words of a line; the most important (lowest rank) come in first, as long as
 * there is room.  unless: not beside that word, whose short form it is; 0: none. */
struct word { char text[160]; int rank; enum style style; int unless; };

#define WORDS 8

static void
put_words(struct canvas *c, struct rect r, const struct word *w)
{
	bool in[WORDS] = { false };
	int used = 1, x = 1;

	for (int rank = 0; rank < WORDS; rank++)
		for (int i = 0; i < WORDS; i++) {
			int cells = *w[i].text ? text_width(w[i].text, strlen(w[i].text)) : 0;

			if (w[i].rank != rank || !cells || (rank > 0 && used + cells > r.w) ||
				(w[i].unless && in[w[i].unless]))
				continue;
			in[i] = true;
			used += cells + 2;
		}
	for (int i = 0; i < WORDS; i++)
		if (in[i])
			x += canvas_put(c, r, x, 0, w[i].style, w[i].text) + 2;
}

/* The preset a recipe began as, with a star when its knobs are others now. */
static void
say_preset(const struct recipe *r, char *buf, size_t size)
{
	struct recipe same = *r;

	if (!*r->preset) {
		snprintf(buf, size, "own recipe");
		return;
	}
	if (recipe_preset(&same, r->preset, NULL) || !recipe_equal(&same, r))
		snprintf(buf, size, "preset %s*", r->preset);
	else
		snprintf(buf, size, "preset %s", r->preset);
}

void
header_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct app_private *p = a->priv;
	const struct node *n = a->cursor.node;
	struct word w[WORDS] = {
		{ .text = "psiview", .rank = 6, .style = STYLE_TITLE },
		{ .style = STYLE_BOLD, .rank = 0 },
		{ .style = STYLE_DIM, .rank = 4 },
		{ .style = STYLE_DIM, .rank = 5, .unless = 2 },
		{ .style = STYLE_TEXT, .rank = 3 },
		{ .style = STYLE_TEXT, .rank = 1 },
		{ .style = STYLE_TEXT, .rank = 2 },
		{ .style = STYLE_TEXT, .rank = 2 },
	};
	char branch[8] = "a", label[40] = "";

	snprintf(w[1].text, sizeof w[1].text, "%.150s", a->name);
	snprintf(w[2].text, sizeof w[2].text, "%s%s%s%s", p->file_line,
		a->recipe.raw ? " raw" : a->model_raw ? " ema" : "", *p->dtype ? " " : "", p->dtype);
	snprintf(w[3].text, sizeof w[3].text, "L%d V%d", p->L, a->model->V);
	say_preset(&a->recipe, w[4].text, sizeof w[4].text);
	if (n) {
		branch_name(a, branch_of(a, n), branch);
		snprintf(w[5].text, sizeof w[5].text, "run %d branch %s", run_of(a, n), branch);
	}
	snprintf(w[6].text, sizeof w[6].text, "seed %llu", (unsigned long long)a->recipe.seed);
	if (p->S > 1 || a->recipe.first)
		snprintf(w[7].text, sizeof w[7].text, "%s %d", a->side ? "picture" : "sample",
			a->recipe.first + a->cursor.sample + 1);
	if (n && a->side)
		label_words(a, a->cursor.sample, label, sizeof label);
	if (*label)
		snprintf(w[7].text + strlen(w[7].text), sizeof w[7].text - strlen(w[7].text), " %s", label);
	put_words(c, r, w);
}

/* --- the last line --- */

/* Keys for a place, as "key verb" pairs; the first ones stay longest. */
static const char *const hints_sample[] = { "s", "step", "S", "back", ".", "token", "space", "play", "Enter", "inspect",
	"Tab", "focus", "m", "menu", "?", "help", ":", "command", "q", "quit", NULL };
static const char *const hints_knobs[] = { "left right", "choose", "up down", "nudge", "Enter", "type a value",
	"Backspace", "default", "s", "keep by a step", "Esc", "drop", "Tab", "focus", "?", "help", NULL };
static const char *const hints_timeline[] = { "left right", "step", "up down", "token by token", "Enter", "go to",
	"[ ]", "zone bound", "+ -", "move it", "Tab", "focus", "?", "help", NULL };
static const char *const hints_revealing[] = { ".", "next draw", ",", "back", "s", "whole steps", "space", "play",
	"Enter", "inspect", "Tab", "focus", "?", "help", NULL };
static const char *const hints_running[] = { "space", "pause", "Ctrl-C", "stop", "< >", "slower, faster", "m", "menu",
	NULL };
static const char *const hints_view[] = { "Esc", "back to the sample", "s", "step", "S", "back", "m", "menu", "?",
	"help", "q", "quit", NULL };
static const char *const hints_tree[] = { "up down", "branch", "left right", "step along it", "Enter", "go there",
	"Esc", "back", "?", "help", NULL };
static const char *const hints_log[] = { "up down", "scroll", "End", "newest", "Esc", "back", "?", "help", NULL };

static const char *const *
hints_here(const struct app *a)
{
	const struct view *v = app_view(a->view);

	if (v == &view_tree)
		return hints_tree;
	if (v == &view_log)
		return hints_log;
	if (v == &view_train)
		return train_hints(a);
	if (v != &view_sample)
		return hints_view;
	if (app_runs(a))
		return hints_running;
	if (a->focus == FOCUS_KNOBS)
		return hints_knobs;
	if (a->focus == FOCUS_TIMELINE)
		return hints_timeline;
	return a->cursor.reveal >= 0 ? hints_revealing : hints_sample;
}

void
hints_draw(struct app *a, struct canvas *c, struct rect r)
{
	const char *const *h = hints_here(a);
	int x = 1;

	if (*a->message) {
		canvas_put(c, r, 1, 0, a->message_is_error ? STYLE_ERROR : STYLE_BOLD, a->message);
		return;
	}
	if (a->priv->keys.count > 0) {
		canvas_printf(c, r, 1, 0, STYLE_BOLD, "%d ...", a->priv->keys.count);
		return;
	}
	for (; h[0]; h += 2) {
		int w = text_width(h[0], strlen(h[0])) + 1 + text_width(h[1], strlen(h[1]));

		if (x + w > r.w)
			break;
		x += canvas_put(c, r, x, 0, STYLE_KEY, h[0]) + 1;
		x += canvas_put(c, r, x, 0, STYLE_DIM, h[1]) + 2;
	}
}
