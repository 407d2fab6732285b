/*
 * app.c: the screen's state: made, freed, driven by keys, commands, reports
 * and time, and drawn.  Screen thread only; nothing here computes or waits.
 */
#include "ui/app_private.h"
#include "ui/train.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"

#define MIN_W 40
#define MIN_H 12

/* The table of views: `:view NAME` (Alt-1.. and F1.. are short names for that).
 * Compare, Sweep and Lessons join it here. */
static const struct view *const views[] = { &view_sample, &view_inspect, &view_tree, &view_train, &view_log,
	&view_help };
#define N_VIEWS ((int)(sizeof views / sizeof *views))

int
app_view_count(void)
{
	return N_VIEWS;
}

const struct view *
app_view(int i)
{
	return i >= 0 && i < N_VIEWS ? views[i] : NULL;
}

enum status
app_new(const struct app_setup *s, struct app **out, struct error *e)
{
	struct app *a = mem_calloc(1, sizeof *a);
	enum status st;

	*out = NULL;
	if (!a)
		return error_set(e, ST_MEMORY, "out of memory");
	a->play_rate = 4;
	memcpy(a->theme, "auto", sizeof "auto");
	st = desk_open(a, s, e);
	if (st == ST_OK)
		st = train_new(a, s, e);
	if (st != ST_OK) {
		app_free(a);
		return st;
	}
	for (int i = 0; s->ckpt && i < s->ckpt->n_warning; i++)
		app_log(a, true, s->ckpt->warning[i]);
	if (s->tok_note && *s->tok_note)
		app_log(a, false, s->tok_note);
	train_offer(a);
	*out = a;
	return ST_OK;
}

void
app_free(struct app *a)
{
	if (!a)
		return;
	if (a->popup.close)
		a->popup.close(a);
	train_free(a);
	desk_free(a);
	prompt_free(a->prompt);
	menu_free(a->menu);
	free(a->copy);
	free(a);
}

void
app_say(struct app *a, bool error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->message, sizeof a->message, fmt, ap);
	va_end(ap);
	a->message_is_error = error;
	if (*a->message)
		app_log(a, error, a->message);
}

static void
popup_close(struct app *a)
{
	struct popup p = a->popup;

	memset(&a->popup, 0, sizeof a->popup);
	if (p.close)
		p.close(a);
}

void
app_popup(struct app *a, struct popup p)
{
	if (a->popup.draw)
		popup_close(a);
	a->popup = p;
}

void
app_key(struct app *a, const struct key *k)
{
	int count = 0;
	char line[64];
	struct error e = { 0 };

	if (a->popup.draw) {
		struct popup was = a->popup;

		/* A key may have opened another popup: that one stays. */
		if (!a->popup.key(a, k, 0) && a->popup.draw == was.draw)
			popup_close(a);
		return;
	}
	if (!keys_feed(&a->priv->keys, k, &count))
		return;
	a->message[0] = 0;
	if (views[a->view]->key && views[a->view]->key(a, k, count))
		return;
	if (strcmp(k->name, "<Esc>") == 0) { /* out of every view */
		a->view = 0;
		return;
	}
	if (!command_line_of_key(k->name, count, line, sizeof line))
		return;
	if (app_command(a, line, &e))
		app_say(a, true, "%s", e.msg);
}

/* Where commands are carried out; later issues add a line here, one in
 * command.c, and a function in a do_*.c of their own. */
static do_fn *const does[CMD_COUNT] = {
	[CMD_STEP] = do_step, [CMD_BACK] = do_back, [CMD_NEXT_TOKEN] = do_next_token, [CMD_PREV_TOKEN] = do_prev_token,
	[CMD_CONTINUE] = do_continue, [CMD_CONTINUE_BACK] = do_continue_back, [CMD_FINISH] = do_finish,
	[CMD_STOP] = do_stop, [CMD_PLAY] = do_play, [CMD_SLOWER] = do_slower, [CMD_FASTER] = do_faster,
	[CMD_FIRST] = do_first, [CMD_LAST] = do_last, [CMD_GOTO] = do_goto, [CMD_NEXT_HIT] = do_next_hit,
	[CMD_PREV_HIT] = do_prev_hit, [CMD_UNDO] = do_undo, [CMD_REDO] = do_redo, [CMD_TREE] = do_tree,
	[CMD_COLOUR] = do_colour, [CMD_SET] = do_set, [CMD_SEED] = do_seed, [CMD_SAMPLE] = do_sample,
	[CMD_WEIGHTS] = do_weights, [CMD_PRESET] = do_preset, [CMD_RECIPE] = do_recipe, [CMD_LABEL] = do_label,
	[CMD_LAYOUT] = do_layout, [CMD_REVEAL] = do_reveal, [CMD_VIEW] = do_view, [CMD_FOCUS] = do_focus,
	[CMD_FOCUS_BACK] = do_focus_back,
	[CMD_INSPECT] = do_inspect, [CMD_MENU] = do_menu, [CMD_HELP] = do_help, [CMD_COMMAND] = do_command,
	[CMD_COPY] = do_copy, [CMD_WRITE] = do_write, [CMD_REDRAW] = do_redraw, [CMD_SUSPEND] = do_suspend,
	[CMD_RESTART] = do_restart, [CMD_MOUSE] = do_mouse, [CMD_THEME] = do_theme, [CMD_SELECT] = do_select,
	[CMD_TRAIN] = do_train,
	[CMD_QUIT] = do_quit,
};

enum status
app_command(struct app *a, const char *line, struct error *e)
{
	const char *args = "";
	const struct command *cmd;
	enum status st;

	while (*line == ' ' || *line == ':')
		line++;
	if (!*line)
		return ST_OK;
	cmd = command_parse(line, &args);
	if (!cmd)
		return error_set(e, ST_USAGE, "no command '%.*s' (m lists them)", (int)strcspn(line, " "), line);
	a->priv->merge = false;
	if (!does[cmd->id])
		return error_set(e, ST_USAGE, "'%s' is for scripts", cmd->name);
	st = does[cmd->id](a, args ? args : "", e);
	if (!st && a->on_command)
		a->on_command(a->on_command_arg, line);
	return st;
}

bool
app_tick(struct app *a, double now_s)
{
	struct app_private *p = a->priv;
	bool changed = false, waiting = p->stepping || p->ahead_ticket;

	/* What takes long says for how long it has been at it. */
	if (p->waiting_since < 0)
		p->waiting_since = now_s;
	changed |= waiting && (int)(now_s - p->waiting_since) != (int)(p->clock - p->waiting_since);
	p->clock = now_s;
	if (p->moved) {
		p->moved = false;
		p->rest_at = now_s + .1;
	}
	if (p->rest_at >= 0 && now_s >= p->rest_at) {
		p->rest_at = -1;
		ask_ahead(a);
	}
	if (!a->playing) {
		p->play_at = -1;
	} else if (p->play_at < 0) {
		p->play_at = now_s;
	}
	if (a->playing && now_s >= p->play_at && !p->stepping) {
		p->play_at = now_s + 1 / a->play_rate;
		if (!play_steps(a))
			a->playing = false;
		changed = true;
	}
	return changed;
}

double
app_next_tick(const struct app *a, double now_s)
{
	const struct app_private *p = a->priv;
	double wait = -1;

	if (p->moved)
		return 0;
	if (p->rest_at >= 0)
		wait = p->rest_at > now_s ? p->rest_at - now_s : 0;
	/* A step under way brings its own wake-up. */
	if (a->playing && !p->stepping) {
		double due = p->play_at > now_s ? p->play_at - now_s : 0;

		wait = wait < 0 || due < wait ? due : wait;
	}
	if ((p->stepping || p->ahead_ticket) && (wait < 0 || wait > 1))
		wait = 1;
	return wait;
}

static void
too_small(struct canvas *c, struct rect r)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%dx%d", c->w, c->h);

	canvas_printf(c, r, 0, 0, STYLE_BOLD, "psiview");
	canvas_printf(c, r, 0, 1, STYLE_TEXT, n + 12 <= c->w ? "%dx%d, now %s" : "%dx%d", MIN_W, MIN_H, line);
	canvas_printf(c, r, 0, 2, STYLE_DIM, c->w >= 28 ? "make the window larger, or q" : "q: quit");
}

void
app_draw(struct app *a, struct canvas *c)
{
	struct rect all = canvas_all(c);

	canvas_clear(c, all);
	c->cursor_x = c->cursor_y = -1;
	if (c->w < MIN_W || c->h < MIN_H) {
		too_small(c, all);
		return;
	}
	header_draw(a, c, (struct rect){ 0, 0, c->w, 1 });
	views[a->view]->draw(a, c, (struct rect){ 0, 1, c->w, c->h - 2 });
	hints_draw(a, c, (struct rect){ 0, c->h - 1, c->w, 1 });
	if (a->popup.draw)
		a->popup.draw(a, c, all);
}

void
app_status_line(const struct app *a, char *buf, size_t size)
{
	say_state(a, buf, size);
}
