/*
 * loop.c: the screen's thread: waits for keys, reports, signals and the clock,
 * hands them to the app, and draws once for all that came.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ui/app.h"
#include "ui/choose.h"
#include "ui/plain.h"
#include "ui/probe.h"
#include "ui/script.h"
#include "ui/term.h"
#include "ui/tiles.h"

/* A key draws at once.  So do the first reports soon after it: they are its
 * answer; while a run goes on, whose steps come by themselves, the first one
 * only, and sooner.  Then the screen rests a little: what comes by itself
 * (steps, the clock of a network call) waits for the next key or the end of
 * the rest, so that a key's answer is one change and not several. */
#define FRAME_S (1. / 40)        /* what comes by itself draws no more often */
#define ANSWER_S .04
#define ANSWERS 3
#define RUN_ANSWER_S .015
#define RUN_ANSWERS 1
#define REST_S .15
#define NEWS_S .1                /* the training is looked at no more often */
#define LATE_S 5.                /* how long a late answer of the terminal may still come */

struct loop {
	struct app *app;
	struct tty tty;
	struct term_facts facts;
	struct terminal *term;
	struct input input;
	struct probe probe;
	struct canvas canvas;
	const char *images;      /* as wished */
	struct picture_set pictures;
	struct tiles *tiles;
	struct script *script;
	char theme[12];          /* as last chosen */
	bool dirty, urgent, all; /* draw; at once; everything */
	int answers;             /* reports that still count as the answer to a key */
	double drawn, started, typed;        /* seconds: last frame, start, last byte from the keyboard */
	double answered;         /* last frame for a key */
	double news;             /* the training was looked at */
	int died_of;             /* a signal */
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
choose_theme(struct loop *l)
{
	struct theme th;

	snprintf(l->theme, sizeof l->theme, "%s", l->app->theme);
	theme_choose(&th, l->theme, l->facts.colours, l->probe.background);
	term_theme(l->term, &th);
	l->pictures.device.kind = picture_choose(l->images, &l->probe, th.colours, l->canvas.utf8);
	l->pictures.device.registers = picture_registers(&l->probe);
	term_direct(l->term, l->facts.direct && th.colours > 0);
	tiles_direct(l->tiles, l->facts.direct && th.colours > 0);
	l->all = l->dirty = true;
}

static void
resize(struct loop *l)
{
	int w, h;

	term_size(l->term, &w, &h);
	canvas_resize(&l->canvas, w, h);
	picture_cell_size(&l->tty, &l->probe, &l->pictures.device.cell_w, &l->pictures.device.cell_h);
	l->dirty = l->urgent = true;
}

static void
suspend(struct loop *l, bool typed)
{
	tiles_end(l->tiles, &l->tty);
	term_leave(l->term);
	tty_stop(&l->tty, typed);
	term_enter(l->term);
	resize(l);
	l->all = true;
}

static void
take_signals(struct loop *l)
{
	int sig;

	while ((sig = tty_signal(&l->tty)))
		switch (sig) {
		case SIGWINCH:
			resize(l);
			l->all = true;
			break;
		case SIGTSTP:
			suspend(l, false);
			break;
		case SIGCONT: /* after a stop that could not be caught: somebody else had the terminal */
			tiles_end(l->tiles, &l->tty);
			term_enter(l->term);
			resize(l);
			l->all = true;
			break;
		default:
			l->died_of = sig;
		}
}

static void
paste(struct loop *l, const struct input_event *ev)
{
	struct app *a = l->app;

	if (a->popup.draw && a->popup.paste)
		a->popup.paste(a, ev->text, ev->bytes);
	else
		app_say(a, true, "pasted text is not taken as keys; : takes it as a command");
}

/* An answer that comes late may still say that the background is light. */
static void
take_answer(struct loop *l, const struct input_event *ev)
{
	long before = l->probe.background;

	probe_reply(&l->probe, ev->text, ev->bytes);
	if (l->probe.background != before && strcmp(l->theme, "auto") == 0)
		choose_theme(l);
}

/* All that is in the buffer. */
static void
take_input(struct loop *l, bool waited)
{
	struct input_event ev;

	while (!l->app->quit && input_next(&l->input, waited, &ev)) {
		if (ev.kind == INPUT_KEY)
			script_key(l->script, l->app, &ev.key);
		else if (ev.kind == INPUT_PASTE)
			paste(l, &ev);
		else
			take_answer(l, &ev);
		if (l->probe.answered)
			l->input.expecting = false;
		l->dirty = l->urgent = true;
		l->answers = app_runs(l->app) ? RUN_ANSWERS : ANSWERS;
	}
}

/* Drain the keyboard, so that a held key is drawn once for all its repeats. */
static void
read_input(struct loop *l)
{
	struct pollfd f = { .fd = l->tty.in, .events = POLLIN };

	do {
		size_t room;
		unsigned char *to = input_room(&l->input, &room);
		ssize_t n = read(l->tty.in, to, room);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
			l->died_of = SIGHUP; /* the terminal is gone */
			return;
		}
		if (n > 0)
			input_got(&l->input, (size_t)n);
		l->typed = now_s();
		take_input(l, false);
	} while (!l->app->quit && poll(&f, 1, 0) > 0 && f.revents & POLLIN);
}

/* What commands asked of the terminal. */
static void
fulfil(struct loop *l)
{
	struct app *a = l->app;

	if (a->suspend) {
		a->suspend = false;
		suspend(l, true);
	}
	if (a->copy) {
		term_copy(l->term, a->copy);
		free(a->copy);
		a->copy = NULL;
	}
	if (strcmp(a->theme, l->theme) != 0)
		choose_theme(l);
	term_mouse(l->term, a->mouse);
	if (a->redraw) {
		a->redraw = false;
		l->all = l->dirty = l->urgent = true;
	}
}

static void
draw(struct loop *l, double now)
{
	canvas_resize(&l->canvas, l->canvas.w, l->canvas.h);
	picture_begin(&l->pictures);
	app_draw(l->app, &l->canvas);
	l->all |= tiles_stale(l->tiles, &l->canvas);
	term_draw(l->term, &l->canvas, l->all);
	if (l->urgent)
		l->answered = now;
	l->dirty = l->urgent = l->all = false;
	l->drawn = now;
}

static double
sooner(double a, double b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* When the next frame may be drawn. */
static double
frame_due(const struct loop *l)
{
	double frame = l->drawn + FRAME_S, rest = l->answered + REST_S;

	return l->urgent ? 0 : frame > rest ? frame : rest;
}

/* Milliseconds to wait at most; -1: for ever. */
static int
timeout(struct loop *l, double now)
{
	double wait = app_next_tick(l->app, now);
	int rest = input_wait_ms(&l->input);

	wait = sooner(wait, script_due(l->script, l->app, now));
	if (app_train_fd(l->app) >= 0 && now < l->news + NEWS_S)
		wait = sooner(wait, l->news + NEWS_S - now);
	if (l->dirty && !tiles_waiting(l->tiles))
		wait = sooner(wait, frame_due(l) > now ? frame_due(l) - now : 0);
	if (rest >= 0)
		wait = sooner(wait, l->typed + rest / 1e3 > now ? l->typed + rest / 1e3 - now : 0);
	if (wait < 0)
		return -1;
	return wait > 3600 ? 3600000 : (int)(wait * 1e3 + .999);
}

/* Wait, and hand everything that came to whom it concerns. */
static void
turn(struct loop *l)
{
	bool waiting = tiles_waiting(l->tiles);
	struct pollfd f[5] = {
		{ .fd = l->tty.in, .events = POLLIN },
		{ .fd = l->tty.wake[0], .events = POLLIN },
		{ .fd = sampler_fd(l->app->sampler), .events = POLLIN },
		{ .fd = waiting ? tiles_fd(l->tiles) : -1, .events = POLLOUT },
		{ .fd = now_s() < l->news + NEWS_S ? -1 : app_train_fd(l->app), .events = POLLIN },
	};
	int n = poll(f, 5, timeout(l, now_s()));

	if (n < 0 && errno != EINTR)
		l->died_of = SIGHUP;
	if (n <= 0)
		f[0].revents = f[1].revents = f[2].revents = f[3].revents = f[4].revents = 0;
	double now = now_s();
	int rest = input_wait_ms(&l->input);
	if (f[3].revents && !tiles_go_on(l->tiles))
		l->died_of = SIGHUP;
	if (f[1].revents)
		take_signals(l);
	if (f[0].revents)
		read_input(l);
	else if (rest >= 0 && now - l->typed >= rest / 1e3)
		take_input(l, true);
	if (f[2].revents) {
		app_reports(l->app);
		l->dirty = true;
		if (l->answers > 0 && now - l->typed < (app_runs(l->app) ? RUN_ANSWER_S : ANSWER_S)) {
			l->answers--;
			l->urgent = true;
		}
	}
	if (f[4].revents) {
		l->news = now;
		l->dirty |= app_train_news(l->app);
	}
	if (app_tick(l->app, now))
		l->dirty = true;
	if (script_run(l->script, l->app, now))
		l->dirty = true;
	if (now - l->started > LATE_S)
		l->input.expecting = false;
	if (!tiles_waiting(l->tiles) || l->app->suspend) /* what it sends must not end up in an image */
		fulfil(l);
	if (l->dirty && !tiles_waiting(l->tiles) && now >= frame_due(l))
		draw(l, now);
}

/* Ask the scheduler for a short time slice: on Linux from 6.12 on a thread with
 * a shorter one runs as soon as it wakes, rather than at the end of the slice
 * of one that computes; its share stays the same.  Others may refuse. */
static void
short_slice(void)
{
#ifdef SYS_sched_setattr
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof a, .nice = getpriority(PRIO_PROCESS, 0), .runtime = 100000 /* ns, the least */ };

	syscall(SYS_sched_setattr, 0, &a, 0);
#endif
}

static enum status
start(struct loop *l, const struct term_options *o, struct error *e)
{
	enum status st = tty_open(&l->tty, e);

	if (st != ST_OK)
		return st;
	term_facts(l->tty.out, &l->facts);
	if ((st = term_usable(&l->facts, e)) != ST_OK)
		return st;
	if ((st = script_new(o->record, o->play, &l->script, e)) != ST_OK)
		return st;
	input_init(&l->input);
	tty_raw(&l->tty);
	probe_run(&l->probe, &l->tty, &l->input, !o->no_probe && l->facts.talks);
	l->tiles = tiles_new();
	if (!l->tiles)
		st = error_set(e, ST_MEMORY, "out of memory");
	if (st == ST_OK)
		st = term_open(&l->tty, &l->facts, &l->input, &l->term, e);
	if (st != ST_OK)
		tty_restore(&l->tty);
	else
		term_after(l->term, tiles_after, l->tiles);
	return st;
}

int
term_run(struct app *a, const struct term_options *o, struct error *e)
{
	struct loop l = { .app = a, .canvas = { .utf8 = term_utf8(), .cursor_x = -1, .cursor_y = -1 } };

	if (o->plain)
		return plain_run(a, o, e);
	l.canvas.pictures = &l.pictures;
	l.images = o->images ? o->images : "auto";
	enum status st = start(&l, o, e);
	if (st == ST_OK) {
		snprintf(a->theme, sizeof a->theme, "%s", o->theme ? o->theme : "auto");
		a->mouse = o->mouse;
		choose_theme(&l);
		resize(&l);
		l.started = now_s();
		short_slice();
		take_input(&l, false); /* typed before the screen was there */
		while (!a->quit && !l.died_of)
			turn(&l);
	}
	if (l.term)
		tiles_end(l.tiles, &l.tty);
	term_close(l.term);
	tiles_free(l.tiles);
	picture_done(&l.pictures);
	tty_close(&l.tty);
	if (l.died_of)
		app_end(a);
	input_done(&l.input);
	canvas_done(&l.canvas);
	if (st == ST_OK && script_error(l.script))
		st = error_set(e, ST_FAIL, "%s", script_error(l.script));
	script_free(l.script);
	a->on_command = NULL;
	return l.died_of ? 128 + l.died_of : (int)st;
}
