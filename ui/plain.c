/* plain.c: see plain.h.  Screen thread. */
#include "ui/plain.h"

#include <errno.h>
#include <math.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ui/app_private.h"
#include "ui/script.h"

struct plain {
	struct app *app;
	struct script *script;
	char *buf;               /* what was read and not run yet */
	size_t n, cap;
	bool ended, failed;      /* no more input; a command was refused */
	const struct node *told; /* the state of the last line */
	bool inspect;            /* asked for, and not told yet */
	int broken;              /* errno of the output */
	int wake[2];             /* a byte for a signal: its number */
	int died_of;
};

static volatile sig_atomic_t wake_fd;    /* where the handler writes */

static void
on_signal(int sig)
{
	int before = errno;
	char byte = (char)sig;

	if (write(wake_fd, &byte, 1) < 0)
		byte = 0;
	errno = before;
}

/* What ends the program first lets a training be saved; the second time it ends at once. */
static bool
catch_signals(struct plain *p)
{
	static const int which[] = { SIGTERM, SIGHUP, SIGINT };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, old;

	if (pipe2(p->wake, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	wake_fd = p->wake[1];
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
		sigaction(which[i], &sa, &old);
		if (old.sa_handler == SIG_IGN)
			sigaction(which[i], &old, NULL);
	}
	return true;
}

static void __attribute__((format(printf, 2, 3)))
say(struct plain *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if ((vprintf(fmt, ap) < 0 || putchar('\n') == EOF) && !p->broken)
		p->broken = errno ? errno : EIO;
	va_end(ap);
}

static void
on_log(void *arg, bool error, const char *text)
{
	struct plain *p = arg;

	say(p, "%s%s", error ? "error: " : "", text);
	p->told = p->app->cursor.node;
}

/* Going somewhere makes no line in the log: say where we are. */
static void
tell_state(struct plain *p)
{
	char line[400];

	if (p->told == p->app->cursor.node || app_busy(p->app))
		return;
	app_status_line(p->app, line, sizeof line);
	say(p, "%s", line);
	p->told = p->app->cursor.node;
}

/* The token under the cursor: how it came about, and what the denoiser says there. */
static void
tell_token(struct plain *p)
{
	struct app *a = p->app;
	const struct look *l = &a->priv->look;
	char line[400], token[64], number[16];

	if (!p->inspect || app_busy(a) || (a->priv->look_missing && !cursor_at_end(a)))
		return;
	p->inspect = false;
	say_position(a, a->cursor.pos, line, sizeof line);
	say(p, "%s", line);
	if (!a->priv->has_look)
		return;
	size_t n = (size_t)snprintf(line, sizeof line, "the denoiser, %.2f bits:", l->entropy / log(2));
	for (int i = 0; i < l->n && i < 5; i++) {
		say_token(a, l->top[i].tok, token, sizeof token);
		say_number(l->top[i].x_theta, number, sizeof number);
		n += (size_t)snprintf(line + n, sizeof line - n, " %s %s", token, number);
	}
	say(p, "%s", line);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
list_commands(struct plain *p, const char *args)
{
	for (int i = 0; i < CMD_COUNT; i++) {
		const struct command *c = &command_list[i];
		if (*args == 0 || strncmp(c->name, args, strlen(args)) == 0)
			say(p, "%s%s%s: %s", c->name, *c->args ? " " : "", c->args, c->help);
	}
}

/* What commands ask of a screen means something else here, or nothing. */
static void
fulfil(struct plain *p)
{
	struct app *a = p->app;

	if (a->copy) { /* there is no clipboard: say it */
		say(p, "%s", a->copy);
		free(a->copy);
		a->copy = NULL;
	}
	a->suspend = a->redraw = false;
}

static void
run_line(struct plain *p, const char *line)
{
	struct error e = { 0 };
	const char *args;
	const struct command *c = command_parse(line, &args);

	if (c && (c->id == CMD_HELP || c->id == CMD_MENU)) {
		list_commands(p, args);
		return;
	}
	if (script_command(p->script, p->app, line, &e) != ST_OK) {
		say(p, "error: %s", e.msg);
		p->failed = true;
	} else if (c && c->id == CMD_INSPECT) {
		p->inspect = true;
	}
	fulfil(p);
	tell_state(p);
}

/* Whether the line is to act on what runs now rather than after it. */
static bool
is_stop(const char *line)
{
	const char *args;
	const struct command *c = command_parse(line, &args);

	return c && c->id == CMD_STOP;
}

/* Run the lines that may run; true: one was. */
static bool
run_lines(struct plain *p)
{
	char *end = p->n ? memchr(p->buf, '\n', p->n) : NULL;

	if (p->app->quit || script_playing(p->script))
		return false;
	if (!end && p->ended && p->n) { /* the last line lacks its end */
		end = p->buf + p->n;
		p->n++;
	}
	if (!end)
		return false;
	*end = 0;
	if (end > p->buf && end[-1] == '\r')
		end[-1] = 0;
	if ((app_busy(p->app) || p->app->playing || p->inspect) && !is_stop(p->buf)) {
		*end = '\n';
		return false;
	}
	size_t used = (size_t)(end - p->buf) + 1;
	run_line(p, p->buf);
	memmove(p->buf, p->buf + used, p->n - used);
	p->n -= used;
	return true;
}

static void
read_some(struct plain *p)
{
	char *buf = mem_grow(p->buf, &p->cap, p->n + 4097, 1); /* one byte more: see run_lines */

	if (!buf) {
		p->ended = true;
		return;
	}
	p->buf = buf;
	ssize_t n = read(STDIN_FILENO, p->buf + p->n, 4096);
	if (n > 0)
		p->n += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		p->ended = true;
}

static int
timeout(const struct plain *p, double now)
{
	double wait = app_next_tick(p->app, now), due = script_due(p->script, p->app, now);

	if (wait < 0 || (due >= 0 && due < wait))
		wait = due;
	return wait < 0 ? -1 : wait > 3600 ? 3600000 : (int)(wait * 1e3 + .999);
}

static void
turn(struct plain *p)
{
	/* a line that waits its turn needs no more input behind it */
	bool full = p->n > 1u << 16;
	struct pollfd f[4] = {
		{ .fd = p->ended || full ? -1 : STDIN_FILENO, .events = POLLIN },
		{ .fd = sampler_fd(p->app->sampler), .events = POLLIN },
		{ .fd = app_train_fd(p->app), .events = POLLIN },
		{ .fd = p->wake[0], .events = POLLIN },
	};
	char sig;

	if (poll(f, 4, timeout(p, now_s())) <= 0)
		f[0].revents = f[1].revents = f[2].revents = f[3].revents = 0;
	if (f[3].revents && read(p->wake[0], &sig, 1) == 1)
		p->died_of = sig;
	if (f[2].revents)
		app_train_news(p->app);
	if (f[1].revents)
		app_reports(p->app);
	app_tick(p->app, now_s());
	if (f[0].revents)
		read_some(p);
	if (script_run(p->script, p->app, now_s()))
		fulfil(p);
	tell_state(p);
	tell_token(p);
	while (run_lines(p))
		tell_token(p);
	if (p->ended && p->n == 0 && !app_busy(p->app) && !p->app->playing && !p->inspect && !script_playing(p->script))
		app_leave(p->app);
}

int
plain_run(struct app *a, const struct term_options *o, struct error *e)
{
	struct plain p = { .app = a };
	enum status st = script_new(o->record, o->play, &p.script, e);

	if (st != ST_OK)
		return st;
	if (!catch_signals(&p)) {
		script_free(p.script);
		return error_set(e, ST_FAIL, "pipe: %s", strerror(errno));
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	a->on_log = on_log;
	a->on_log_arg = &p;
	say(&p, "%s", a->name);
	if (*a->message)
		say(&p, "%s", a->message);
	while (!a->quit && !p.broken && !p.died_of)
		turn(&p);
	if (p.died_of || p.broken)
		app_end(a);
	if (!p.broken && fflush(stdout) == EOF)
		p.broken = errno;
	a->on_log = NULL;
	a->on_command = NULL;
	if (script_error(p.script))
		st = error_set(e, ST_FAIL, "%s", script_error(p.script));
	else if (p.broken)
		st = error_set(e, ST_FAIL, "standard output: %s", strerror(p.broken));
	else if (p.failed && !isatty(STDIN_FILENO))
		st = error_set(e, ST_FAIL, "a command failed");
	script_free(p.script);
	free(p.buf);
	close(p.wake[0]);
	close(p.wake[1]);
	return p.died_of ? 128 + p.died_of : (int)st;
}
