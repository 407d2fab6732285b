/*
 * test_image_term.c: the bundled picture model in a terminal with sixel: whole
 * images come, again after Ctrl-L; a line that takes nothing never holds more
 * than one frame; and an image that is broken off is ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "pty.h"
#include "sixel_decode.h"
#include "ui/sixel.h"

#define PATIENCE 60.

/* All that the program sent. */
struct log {
	struct pty p;
	char *text;
	size_t n, cap;
	size_t asked; /* up to where questions were looked for */
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Answer DA1 and the number of registers. */
static void
answer(struct log *l)
{
	const char *s = strstr(l->text + l->asked, "\x1b[c");

	if (!s)
		return;
	l->asked = (size_t)(s - l->text) + 3;
	pty_type(&l->p, "\x1b[?1;0;1024S\x1b[?62;4;22c");
}

/* Take what is there, for at most `seconds`; false: the line is closed. */
static bool
take(struct log *l, double seconds)
{
	struct pollfd f = { .fd = l->p.fd, .events = POLLIN };

	if (poll(&f, 1, (int)(seconds * 1000)) <= 0)
		return true;
	if (l->cap - l->n < 65536) {
		l->cap = 2 * l->cap + 131072;
		l->text = realloc(l->text, l->cap);
	}
	ssize_t n = read(l->p.fd, l->text + l->n, 65535);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	for (ssize_t i = 0; i < n; i++) /* so that it stays a string */
		if (!l->text[l->n + (size_t)i])
			l->text[l->n + (size_t)i] = ' ';
	l->n += (size_t)n;
	l->text[l->n] = 0;
	answer(l);
	return true;
}

/* Whole images from `from` on; each must be what it says. */
static int
images(const struct log *l, size_t from)
{
	const char *s = l->text ? l->text + from : "";
	int n = 0;

	while ((s = strstr(s, "\x1bP"))) {
		struct decoded d;
		bool ok = sixel_decode(&s, &d) && d.w == d.h && d.w % 32 == 0;

		for (int i = 0; ok && i < d.w * d.h; i++)
			ok = d.rgb[i] != UNPAINTED;
		free(d.rgb);
		if (!ok)
			break;
		n++;
	}
	return n;
}

static bool
wait_images(struct log *l, size_t from, int n)
{
	double end = now_s() + PATIENCE;

	while (images(l, from) < n && now_s() < end && take(l, .1))
		;
	return images(l, from) >= n;
}

static bool
start(struct log *l, const char *program, const char *model)
{
	char *argv[] = { (char *)(uintptr_t)program, "-n", "2", "--seed", "3", (char *)(uintptr_t)model, NULL };
	const char *env[] = { "TERM=xterm-256color", "COLORTERM", NULL };

	memset(l, 0, sizeof *l);
	return pty_start(&l->p, 100, 30, env, argv);
}

static void
drain(struct log *l)
{
	struct pollfd over = { .fd = l->p.events, .events = POLLIN }, more = { .fd = l->p.fd, .events = POLLIN };
	double end = now_s() + PATIENCE;
	int status = -1;

	/* not pty_status(): it reads the line itself, and what it takes would be missing here */
	while (now_s() < end && poll(&over, 1, 0) <= 0 && take(l, .05))
		;
	if (poll(&over, 1, 1000) > 0 && read(l->p.events, &status, sizeof status) == sizeof status)
		l->p.pid = 0;
	while (poll(&more, 1, 100) > 0 && take(l, 0))
		;
	l->p.bytes = status;
}

static void
finish(struct log *l)
{
	pty_end(&l->p);
	free(l->text);
}

static void
test_session(const char *program, const char *model)
{
	struct log l;
	size_t at;

	if (!CHECK(start(&l, program, model), "starts"))
		return;
	CHECK(wait_images(&l, 0, 2), "two whole images");
	const char *first = l.text ? strstr(l.text, "\x1bP") : NULL;
	CHECK(first && first - l.text > 2 && memchr(l.text, '7', (size_t)(first - l.text)), "after the text");
	at = l.n;
	pty_type(&l.p, "\x0c");
	CHECK(wait_images(&l, at, 2), "both again after Ctrl-L");
	at = l.n;
	pty_type(&l.p, "s");
	CHECK(wait_images(&l, at, 2), "and after a step");
	at = l.n;
	pty_type(&l.p, "m");
	for (int i = 0; i < 10; i++)
		take(&l, .1);
	CHECK(images(&l, at) == 0, "none over the menu");
	at = l.n;
	pty_type(&l.p, "\x1b");
	CHECK(wait_images(&l, at, 1), "what was under it comes back");
	pty_type(&l.p, "q");
	drain(&l);
	CHECK(l.p.bytes == 0, "ends");
	finish(&l);
}

/* A line that takes nothing for a while, in the middle of an animation; how the program is ended: a key or a signal. */
static void
test_slow(const char *program, const char *model, int sig)
{
	struct log l;
	size_t at;
	int more;

	if (!CHECK(start(&l, program, model) && wait_images(&l, 0, 2), "starts"))
		return;
	pty_type(&l.p, ">>>> ");
	at = l.n;
	wait_images(&l, at, 2); /* it plays */
	at = l.n;
	usleep(1500000);
	if (sig)
		kill(l.p.pid, sig);
	else
		pty_type(&l.p, "q");
	usleep(200000);
	drain(&l);
	more = 0;
	for (const char *s = l.text + at; (s = strstr(s, "\x1bP")); s++)
		more++;
	CHECK(more <= 2, "no more than one frame was waiting: %d images", more);
	CHECK(sig ? WIFSIGNALED((int)l.p.bytes) && WTERMSIG((int)l.p.bytes) == sig : l.p.bytes == 0,
	      "it ended as it was told to");
	const char *last = NULL;
	for (const char *s = l.text; (s = strstr(s, "\x1bP")); s++)
		last = s;
	CHECK(last && strstr(last + 2, "\x1b\\") && strstr(last, "\x1b[?1049l"), "no image is left open");
	finish(&l);
}

int
main(void)
{
	const char *program = getenv("PSIVIEW"), *src = getenv("SRCDIR");
	char model[4096];

	snprintf(model, sizeof model, "%s/data/unet-duo.safetensors", src ? src : ".");
	if (!sixel_built() || !program || access(model, R_OK) != 0) {
		printf("1..0 # SKIP no sixel, or no picture model\n");
		return 0;
	}
	test_session(program, model);
	test_slow(program, model, 0);
	test_slow(program, model, SIGTERM);
	return check_done();
}
