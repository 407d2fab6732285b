/* probe.c: see probe.h.  Main thread, before the screen. */
#include "ui/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* background colour; pixels of a cell; colours of a sixel image; DA1 */
static const char question[] = "\x1b]11;?\x1b\\" "\x1b[16t" "\x1b[?1;1;0S" "\x1b[c";

bool
probe_knows(const char *name)
{
	static const char *const silent[] = { "dumb", "linux", "vt", "ansi", "cons", "sun", "wy", "hurd", "emacs",
	    "eterm-color" };

	if (!name || !*name)
		return false;
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
		if (strncmp(name, silent[i], strlen(silent[i])) == 0)
			return strncmp(name, "vte", 3) == 0;
	return true;
}

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* "rgb:ffff/8080/0000" with 1 to 4 digits each -> 0xff8000; -1: something else. */
static long
parse_rgb(const char *s)
{
	long out = 0;

	if (strncmp(s, "rgb:", 4) != 0 && strncmp(s, "rgba:", 5) != 0)
		return -1;
	s = strchr(s, ':') + 1;
	for (int i = 0; i < 3; i++) {
		char *end;
		long v = strtol(s, &end, 16), n = end - s;
		if (n < 1 || n > 4 || v < 0 || (i < 2 && *end != '/'))
			return -1;
		out = out << 8 | v * 255 / ((1L << 4 * n) - 1);
		s = end + 1;
	}
	return out;
}

/* Whether the parameter list has one equal to "4". */
static bool
has_sixel(const char *list)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ";");
		if (n == 1 && *p == '4' && p != list)
			return true;
		p += n + (p[n] == ';');
	}
	return false;
}

void
probe_reply(struct probe *p, const char *text, size_t bytes)
{
	char s[128];
	int h, w, n;

	if (bytes >= sizeof s || bytes < 4)
		return;
	memcpy(s, text, bytes);
	s[bytes] = 0;
	if (strncmp(s, "\x1b[?", 3) == 0 && s[bytes - 1] == 'c') {
		s[bytes - 1] = 0;
		snprintf(p->da1, sizeof p->da1, "%.63s", s + 3);
		p->sixel = has_sixel(p->da1);
		p->answered = true;
	} else if (strncmp(s, "\x1b]11;", 5) == 0) {
		long rgb = parse_rgb(s + 5);
		if (rgb >= 0)
			p->background = rgb;
	} else if (sscanf(s, "\x1b[6;%d;%dt", &h, &w) == 2 && h > 0 && w > 0 && h < 1000 && w < 1000) {
		p->cell_h = h;
		p->cell_w = w;
	} else if (sscanf(s, "\x1b[?1;0;%dS", &n) == 1 && n > 0) {
		p->registers = n;
	}
}

static void
on_answer(void *arg, const char *text, size_t bytes)
{
	probe_reply(arg, text, bytes);
}

/* Read for at most ms; answers go to p, keys stay in the buffer.  false: nothing more will come. */
static bool
listen_once(struct probe *p, const struct tty *t, struct input *in, int ms)
{
	struct pollfd f = { .fd = t->in, .events = POLLIN };

	if (poll(&f, 1, ms) <= 0)
		return errno == EINTR;
	size_t room;
	unsigned char *to = input_room(in, &room);
	ssize_t n = room ? read(t->in, to, room) : 0;
	if (n <= 0)
		return false;
	input_got(in, (size_t)n);
	input_answers(in, on_answer, p);
	return true;
}

void
probe_run(struct probe *p, const struct tty *t, struct input *in, bool ask)
{
	const char *ssh = getenv("SSH_CONNECTION"), *tty = getenv("SSH_TTY");
	double limit = (ssh && *ssh) || (tty && *tty) ? 1000 : 250;

	*p = (struct probe){ .background = -1 };
	if (!ask || !tty_write(t, question, sizeof question - 1))
		return;
	p->asked = true;
	double start = now_ms(), spent = 0;
	errno = 0;
	while (!p->answered && spent < limit && listen_once(p, t, in, (int)(limit - spent) + 1))
		spent = now_ms() - start;
	p->ms = spent;
	in->expecting = !p->answered;
}
