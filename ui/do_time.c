/*
 * do_time.c: commands that move through time: steps, the reveal, play, jumps,
 * undo.  States that exist are only looked at; others are asked for.
 */
#include "ui/app_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum status
need_node(const struct app *a, struct error *e)
{
	return a->cursor.node ? ST_OK : error_set(e, ST_FAIL, "the run has not started yet");
}

const char *
args_trim(const char *args, char *buf, size_t size)
{
	size_t n;

	while (isspace((unsigned char)*args))
		args++;
	snprintf(buf, size, "%s", args);
	n = strlen(buf);
	while (n > 0 && isspace((unsigned char)buf[n - 1]))
		buf[--n] = 0;
	return buf;
}

enum status
one_number(const char *args, long lo, long hi, long fallback, long *out, struct error *e)
{
	char *end;

	while (isspace((unsigned char)*args))
		args++;
	if (!*args) {
		*out = fallback;
		return ST_OK;
	}
	errno = 0;
	*out = strtol(args, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	if (errno || *end || *out < lo || *out > hi)
		return error_set(e, ST_USAGE, "'%s': a number from %ld to %ld is wanted", args, lo, hi);
	return ST_OK;
}

/* Walk up to n existing states on; returns how many there were. */
static int
walk(struct app *a, int n)
{
	struct app_private *p = a->priv;
	int done = 0;

	if (!p->held && p->line.n) { /* the line is known: one jump */
		int left = p->line.n - 1 - p->at;

		done = n < left ? n : left;
		if (done > 0)
			cursor_go(a, p->line.at[p->at + done]);
	}
	while (done < n) {
		struct node *c = cursor_child(a);

		if (!c)
			break;
		p->held = false;
		cursor_go(a, c);
		done++;
	}
	return done;
}

static enum status
forward(struct app *a, int n, struct error *e)
{
	int done = 0;

	if (need_node(a, e))
		return e ? e->code : ST_FAIL;
	if (a->priv->stepping) {
		ask_steps(a, n);
		return ST_OK;
	}
	if (cursor_at_end(a))
		return error_set(e, ST_FAIL, "the run is at its end (S steps back, g goes to the first state)");
	done = walk(a, n);
	if (done < n && !cursor_at_end(a))
		ask_steps(a, n == INT_MAX ? INT_MAX : n - done);
	return ST_OK;
}

static enum status
backward(struct app *a, int n, struct error *e)
{
	struct node *to;

	if (need_node(a, e))
		return e ? e->code : ST_FAIL;
	stop_steps(a);
	to = a->cursor.node;
	if (!to->up)
		return error_set(e, ST_FAIL, "this is the first state of the run");
	while (n-- > 0 && to->up)
		to = to->up;
	cursor_go(a, to);
	return ST_OK;
}

enum status
do_step(struct app *a, const char *args, struct error *e)
{
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	return st ? st : forward(a, (int)n, e);
}

enum status
do_back(struct app *a, const char *args, struct error *e)
{
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	return st ? st : backward(a, (int)n, e);
}

/* --- token by token --- */

/* Say how the newest token that is shown came about, and go to it. */
static void
reveal_said(struct app *a, int k)
{
	struct app_private *p = a->priv;
	char line[200];

	cursor_pos(a, p->touched[k - 1]);
	say_position(a, p->touched[k - 1], line, sizeof line);
	app_say(a, false, "%s", line);
}

void
reveal_first(struct app *a)
{
	struct app_private *p = a->priv;

	if (p->n_touched == 0) {
		app_say(a, false, "step %d touched no position of this sample", a->cursor.node->step);
		return;
	}
	cursor_reveal(a, reveal_next(a, 0));
	reveal_said(a, reveal_next(a, 0));
}

static enum status
next_token(struct app *a, struct error *e)
{
	struct app_private *p = a->priv;
	int k = a->cursor.reveal;

	if (k >= 0) {
		k = reveal_next(a, k);
		cursor_reveal(a, k);
		reveal_said(a, k);
		return ST_OK;
	}
	if (p->stepping)
		return ST_OK;
	if (cursor_at_end(a))
		return error_set(e, ST_FAIL, "the run is at its end");
	if (walk(a, 1))
		reveal_first(a);
	else {
		p->reveal_next = true;
		ask_steps(a, 1);
	}
	return ST_OK;
}

static enum status
prev_token(struct app *a, struct error *e)
{
	struct app_private *p = a->priv;
	int k = a->cursor.reveal >= 0 ? a->cursor.reveal : p->n_touched;

	k = reveal_prev(a, k);
	if (k > 0) {
		cursor_reveal(a, k);
		reveal_said(a, k);
		return ST_OK;
	}
	return backward(a, 1, e);
}

enum status
do_next_token(struct app *a, const char *args, struct error *e)
{
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	if (!st)
		st = need_node(a, e);
	while (!st && n-- > 0 && !a->priv->reveal_next)
		st = next_token(a, e);
	return st;
}

enum status
do_prev_token(struct app *a, const char *args, struct error *e)
{
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	if (!st)
		st = need_node(a, e);
	if (!st)
		stop_steps(a);
	while (!st && n-- > 0)
		st = prev_token(a, e);
	return st;
}

/* --- far --- */

enum status
do_continue(struct app *a, const char *args, struct error *e)
{
	(void)args;
	return forward(a, INT_MAX, e);
}

enum status
do_continue_back(struct app *a, const char *args, struct error *e)
{
	(void)args;
	return backward(a, INT_MAX, e);
}

enum status
do_finish(struct app *a, const char *args, struct error *e)
{
	(void)args;
	return forward(a, INT_MAX, e);
}

enum status
do_stop(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	if (!a->priv->stepping && !a->playing)
		app_say(a, false, "nothing is running (q quits)");
	else
		app_say(a, false, "stopped; what was computed is kept");
	stop_steps(a);
	return ST_OK;
}

enum status
do_first(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (a->cursor.node && !a->cursor.node->up)
		return ST_OK;
	return backward(a, INT_MAX, e);
}

enum status
do_last(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_node(a, e))
		return ST_FAIL;
	if (a->priv->stepping)
		return ST_OK;
	walk(a, INT_MAX);
	if (!cursor_at_end(a))
		app_say(a, false, "the last state so far; f finishes the run");
	return ST_OK;
}

enum status
do_goto(struct app *a, const char *args, struct error *e)
{
	struct app_private *p = a->priv;
	long to;
	enum status st = one_number(args, 0, 10000000, -1, &to, e);
	int at;

	if (!st)
		st = need_node(a, e);
	if (st)
		return st;
	if (to < 0)
		return error_set(e, ST_USAGE, "go to which step? (goto 40, or 40g)");
	at = a->cursor.node->step;
	for (int i = 0; !p->held && i < p->line.n; i++) /* it is on the line */
		if (p->line.at[i]->step == to) {
			stop_steps(a);
			cursor_go(a, p->line.at[i]);
			return ST_OK;
		}
	if (to < at) {
		struct node *n = a->cursor.node;

		while (n->up && n->step > to)
			n = n->up;
		stop_steps(a);
		cursor_go(a, n);
		return ST_OK;
	}
	return to > at ? forward(a, (int)to - at, e) : ST_OK;
}

/* --- play --- */

int
play_steps(struct app *a)
{
	if (!a->cursor.node || cursor_at_end(a))
		return 0;
	if (!walk(a, 1))
		ask_steps(a, 1);
	return 1;
}

enum status
do_play(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_node(a, e))
		return ST_FAIL;
	if (!a->playing && cursor_at_end(a)) {
		struct node *root = a->cursor.node;

		while (root->up)
			root = root->up;
		cursor_go(a, root);
	}
	if (a->playing || a->priv->stepping)
		stop_steps(a);
	else
		a->playing = true;
	return ST_OK;
}

static enum status
play_rate(struct app *a, double by)
{
	a->play_rate *= by;
	if (a->play_rate < .25)
		a->play_rate = .25;
	if (a->play_rate > 64)
		a->play_rate = 64;
	app_say(a, false, "%g steps a second%s", a->play_rate, a->playing ? "" : " (space plays)");
	return ST_OK;
}

enum status
do_slower(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	return play_rate(a, .5);
}

enum status
do_faster(struct app *a, const char *args, struct error *e)
{
	(void)args;
	(void)e;
	return play_rate(a, 2);
}

/* --- touched positions, visited states --- */

/* The next changed position by place, from the cursor on, round the end. */
static enum status
one_hit(struct app *a, int by, struct error *e)
{
	struct app_private *p = a->priv;

	for (int k = 1; k <= p->L; k++) {
		int i = ((a->cursor.pos + by * k) % p->L + p->L) % p->L;

		if (cause_changed(p->cause[i])) {
			char line[200];

			cursor_pos(a, i);
			say_position(a, i, line, sizeof line);
			app_say(a, false, "%s", line);
			return ST_OK;
		}
	}
	return error_set(e, ST_FAIL, "nothing changed in this step");
}

static enum status
hits(struct app *a, const char *args, int by, struct error *e)
{
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	if (!st)
		st = need_node(a, e);
	for (n %= a->priv->L + 1; !st && n > 0; n--)
		st = one_hit(a, by, e);
	return st;
}

enum status
do_next_hit(struct app *a, const char *args, struct error *e)
{
	return hits(a, args, 1, e);
}

enum status
do_prev_hit(struct app *a, const char *args, struct error *e)
{
	return hits(a, args, -1, e);
}

static enum status
undo(struct app *a, const char *args, int by, struct error *e)
{
	struct error none = { 0 };
	long n;
	enum status st = one_number(args, 1, 1000000, 1, &n, e);

	if (st)
		return st;
	stop_steps(a);
	if (by < 0 && a->priv->held) { /* the newest thing to take back is a knob */
		knobs_drop(a);
		app_say(a, false, "the knobs are those of this branch again");
		return ST_OK;
	}
	for (; n > 0 && !none.code; n--)
		cursor_undo(a, by, &none);
	if (none.code && e)
		*e = none;
	return none.code;
}

enum status
do_undo(struct app *a, const char *args, struct error *e)
{
	return undo(a, args, -1, e);
}

enum status
do_redo(struct app *a, const char *args, struct error *e)
{
	return undo(a, args, 1, e);
}
