/* plain.c: see plain.h.  Screen thread. */
#include "ui/plain.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ui/script.h"

struct plain {
	struct app *app;
	struct script *script;
	char *buf;               /* what was read and not run yet */
	size_t n, cap;
	bool ended, failed;      /* no more input; a command was refused */
};

static void
on_log(void *arg, bool error, const char *text)
{
	(void)arg;
	printf("%s%s\n", error ? "error: " : "", text);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
list_commands(const char *args)
{
	for (int i = 0; i < CMD_COUNT; i++) {
		const struct command *c = &command_list[i];
		if (*args == 0 || strncmp(c->name, args, strlen(args)) == 0)
			printf("%s%s%s: %s\n", c->name, *c->args ? " " : "", c->args, c->help);
	}
}

/* What a command means without a screen. */
static bool
plain_command(const char *line)
{
	const char *args;
	const struct command *c = command_parse(line, &args);

	if (c && (c->id == CMD_HELP || c->id == CMD_MENU)) {
		list_commands(args);
		return true;
	}
	return false;
}

static void
run_line(struct plain *p, const char *line)
{
	struct error e = { 0 };
	char was[sizeof p->app->message];

	snprintf(was, sizeof was, "%s", p->app->message);
	if (plain_command(line))
		return;
	if (script_command(p->script, p->app, line, &e) != ST_OK) {
		printf("error: %s\n", e.msg);
		p->failed = true;
	}
	if (p->app->copy) { /* there is no clipboard: say it */
		printf("%s\n", p->app->copy);
		free(p->app->copy);
		p->app->copy = NULL;
	}
	p->app->suspend = p->app->redraw = false;
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
	if ((app_busy(p->app) || p->app->playing) && !is_stop(p->buf)) {
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
	struct pollfd f[2] = {
		{ .fd = p->ended || full ? -1 : STDIN_FILENO, .events = POLLIN },
		{ .fd = sampler_fd(p->app->sampler), .events = POLLIN },
	};

	if (poll(f, 2, timeout(p, now_s())) <= 0)
		f[0].revents = f[1].revents = 0;
	if (f[1].revents)
		app_reports(p->app);
	app_tick(p->app, now_s());
	if (f[0].revents)
		read_some(p);
	script_run(p->script, p->app, now_s());
	while (run_lines(p))
		;
	if (p->ended && p->n == 0 && !app_busy(p->app) && !p->app->playing && !script_playing(p->script))
		p->app->quit = true;
}

int
plain_run(struct app *a, const struct term_options *o, struct error *e)
{
	struct plain p = { .app = a };
	enum status st = script_new(o->record, o->play, &p.script, e);

	if (st != ST_OK)
		return st;
	setvbuf(stdout, NULL, _IOLBF, 0);
	a->on_log = on_log;
	a->on_log_arg = &p;
	while (!a->quit && !ferror(stdout))
		turn(&p);
	a->on_log = NULL;
	a->on_command = NULL;
	if (script_error(p.script))
		st = error_set(e, ST_FAIL, "%s", script_error(p.script));
	else if (ferror(stdout) || fflush(stdout))
		st = error_set(e, ST_FAIL, "standard output: %s", strerror(errno));
	else if (p.failed)
		st = error_set(e, ST_FAIL, "a command failed");
	script_free(p.script);
	free(p.buf);
	return st;
}
