/* pty.c: see pty.h. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <unistr.h>

#include "ui/canvas.h"

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the program ---- */

/* In the leader: run the program as its foreground job, tell its statuses. */
static void
lead(int slave, int events, const char *const *env, char *const *argv)
{
	int status;

	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(slave, getpid());
		for (int n = 1; n < NSIG; n++)
			signal(n, SIG_DFL); /* who started the tests may ignore some */
		for (; env && *env; env++) {
			if (strchr(*env, '='))
				putenv((char *)(uintptr_t)*env);
			else
				unsetenv(*env);
		}
		for (int i = 0; i < 3; i++)
			dup2(slave, i);
		closefrom(3);
		execvp(argv[0], argv);
		_exit(127);
	}
	setpgid(pid, pid);
	int first = (int)pid;
	if (write(events, &first, sizeof first) != sizeof first)
		_exit(1);
	while (waitpid(pid, &status, WUNTRACED) == pid) {
		if (write(events, &status, sizeof status) != sizeof status || !WIFSTOPPED(status))
			break;
	}
	pause();
	_exit(0);
}

static bool
resize_cells(struct pty *p, int w, int h)
{
	free(p->cell);
	free(p->reverse);
	p->w = w;
	p->h = h;
	p->cell = calloc((size_t)w * (size_t)h, sizeof *p->cell);
	p->reverse = calloc((size_t)w * (size_t)h, sizeof *p->reverse);
	p->x = p->y = p->top = 0;
	p->bottom = h - 1;
	p->pending_wrap = false;
	return p->cell && p->reverse;
}

bool
pty_start(struct pty *p, int w, int h, const char *const *env, char *const *argv)
{
	struct winsize size = { .ws_row = (unsigned short)h, .ws_col = (unsigned short)w };
	int events[2], pid;

	memset(p, 0, sizeof *p);
	p->da1 = "62;4;22";
	p->background = "0000/0000/0000";
	if (!resize_cells(p, w, h) || openpty(&p->fd, &p->slave, NULL, NULL, &size) < 0 || pipe(events) < 0)
		return false;
	tcgetattr(p->slave, &p->before);
	p->leader = fork();
	if (p->leader == 0) {
		close(events[0]);
		close(p->fd);
		setsid();
		ioctl(p->slave, TIOCSCTTY, 0);
		lead(p->slave, events[1], env, argv);
	}
	close(events[1]);
	p->events = events[0];
	if (read(p->events, &pid, sizeof pid) != sizeof pid)
		return false;
	p->pid = pid;
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	return true;
}

void
pty_end(struct pty *p)
{
	int status;

	if (p->pid > 0)
		kill(p->pid, SIGKILL);
	if (p->leader > 0) {
		kill(p->leader, SIGKILL);
		waitpid(p->leader, &status, 0);
	}
	close(p->fd);
	close(p->slave);
	close(p->events);
	free(p->cell);
	free(p->reverse);
}

/* ---- the emulator ---- */

static void
erase(struct pty *p, int from, int to)
{
	for (int i = from < 0 ? 0 : from; i < to && i < p->w * p->h; i++) {
		p->cell[i] = 0;
		p->reverse[i] = p->is_reverse;
	}
}

static void
scroll(struct pty *p, int by)
{
	int w = p->w, rows = p->bottom - p->top + 1;

	for (; by > 0; by--) {
		memmove(p->cell + p->top * w, p->cell + (p->top + 1) * w, (size_t)((rows - 1) * w) * sizeof *p->cell);
		erase(p, p->bottom * w, (p->bottom + 1) * w);
	}
	for (; by < 0; by++) {
		memmove(p->cell + (p->top + 1) * w, p->cell + p->top * w, (size_t)((rows - 1) * w) * sizeof *p->cell);
		erase(p, p->top * w, (p->top + 1) * w);
	}
}

static void
line_feed(struct pty *p)
{
	if (p->y == p->bottom)
		scroll(p, 1);
	else if (p->y < p->h - 1)
		p->y++;
}

static void
put(struct pty *p, uint32_t ch)
{
	int width = char_width(ch);

	if (width == 0)
		return;
	if (p->pending_wrap || p->x + width > p->w) {
		p->x = 0;
		line_feed(p);
	}
	p->cell[p->y * p->w + p->x] = ch;
	p->reverse[p->y * p->w + p->x] = p->is_reverse;
	if (width == 2 && p->x + 1 < p->w)
		p->cell[p->y * p->w + p->x + 1] = 0;
	p->x += width;
	p->pending_wrap = p->x >= p->w;
	if (p->pending_wrap)
		p->x = p->w - 1;
	p->last = ch;
}

static void
move_to(struct pty *p, int x, int y)
{
	p->x = x < 0 ? 0 : x >= p->w ? p->w - 1 : x;
	p->y = y < 0 ? 0 : y >= p->h ? p->h - 1 : y;
	p->pending_wrap = false;
}

static void
private_mode(struct pty *p, int n, bool on)
{
	switch (n) {
	case 25: p->hidden = !on; break;
	case 47: case 1047: case 1049: p->alternate = on; break;
	case 1000: case 1002: case 1003: p->mouse = on; break;
	case 2004: p->paste = on; break;
	case 1: p->keypad = on; break;
	}
	p->private_seen |= n > 25;
}

static void
answer(struct pty *p, const char *text)
{
	size_t n = strlen(p->answer);

	snprintf(p->answer + n, sizeof p->answer - n, "%s", text);
	p->answer_at = now_s() + p->delay;
}

static void
attributes(struct pty *p, const int *num, int n)
{
	for (int i = 0; i < n; i++) {
		if (num[i] == 0)
			p->is_reverse = p->attributes = false;
		else
			p->attributes = true;
		if (num[i] == 7 || num[i] == 27)
			p->is_reverse = num[i] == 7;
		p->colours |= (num[i] >= 30 && num[i] <= 38) || (num[i] >= 40 && num[i] <= 48) || num[i] >= 90;
		if (num[i] == 38 || num[i] == 48)
			i += 2;
	}
}

static void
shift(struct pty *p, int by)
{
	uint32_t *row = p->cell + p->y * p->w;
	int n = p->w - p->x, k = by < 0 ? -by : by;

	k = k > n ? n : k;
	if (by > 0)
		memmove(row + p->x + k, row + p->x, (size_t)(n - k) * sizeof *row);
	else
		memmove(row + p->x, row + p->x + k, (size_t)(n - k) * sizeof *row);
	erase(p, p->y * p->w + (by > 0 ? p->x : p->w - k), p->y * p->w + (by > 0 ? p->x + k : p->w));
}

static void
csi(struct pty *p, const unsigned char *s, size_t n)
{
	int num[16] = { 0 }, count = 0, w = p->w, at;
	unsigned char final = s[n - 1];
	bool private = s[2] == '?';

	for (size_t i = 2; i < n - 1; i++) {
		if (s[i] >= '0' && s[i] <= '9' && count < 16)
			num[count] = num[count] * 10 + (s[i] - '0');
		else if (s[i] == ';' && count < 15)
			count++;
	}
	count++;
	int one = num[0] > 0 ? num[0] : 1;
	at = p->y * w + p->x;
	switch (final) {
	case 'H': case 'f': move_to(p, (num[1] ? num[1] : 1) - 1, one - 1); break;
	case 'A': move_to(p, p->x, p->y - one); break;
	case 'B': move_to(p, p->x, p->y + one); break;
	case 'C': move_to(p, p->x + one, p->y); break;
	case 'D': move_to(p, p->x - one, p->y); break;
	case 'G': move_to(p, one - 1, p->y); break;
	case 'd': move_to(p, p->x, one - 1); break;
	case 'J': erase(p, num[0] == 0 ? at : 0, num[0] == 1 ? at + 1 : w * p->h); break;
	case 'K': erase(p, num[0] == 0 ? at : p->y * w, num[0] == 1 ? at + 1 : (p->y + 1) * w); break;
	case 'X': erase(p, at, at + one > (p->y + 1) * w ? (p->y + 1) * w : at + one); break;
	case '@': shift(p, one); break;
	case 'P': shift(p, -one); break;
	case 'S': scroll(p, one); break;
	case 'T': scroll(p, -one); break;
	case 'b':
		for (int i = 0; i < one && i < w; i++)
			put(p, p->last);
		break;
	case 'r':
		p->top = one - 1;
		p->bottom = num[1] > 0 && num[1] <= p->h ? num[1] - 1 : p->h - 1;
		move_to(p, 0, 0);
		break;
	case 'h': case 'l':
		for (int i = 0; private && i < count; i++)
			private_mode(p, num[i], final == 'h');
		break;
	case 'm':
		if (!private && s[2] != '>')
			attributes(p, num, count);
		break;
	case 'c':
		if (!private && p->da1) {
			char text[80];
			snprintf(text, sizeof text, "\x1b[?%sc", p->da1);
			answer(p, text);
		}
		break;
	}
}

static void
string(struct pty *p, const unsigned char *s)
{
	char text[80];

	p->private_seen = true;
	if (strncmp((const char *)s, "\x1b]11;?", 6) == 0 && p->background) {
		snprintf(text, sizeof text, "\x1b]11;rgb:%s\x1b\\", p->background);
		answer(p, text);
	}
}

/* What is in seq, with byte b added: done (true) or not yet. */
static bool
sequence(struct pty *p, unsigned char b)
{
	unsigned char *s = p->seq;
	size_t n = p->seq_n;

	if (n == 2 && (s[1] == '(' || s[1] == ')'))
		return false;
	switch (s[1]) {
	case '[':
		if (n > 2 && b >= 0x40 && b <= 0x7e) {
			csi(p, s, n);
			return true;
		}
		return false;
	case ']': case 'P': case '_':
		if (b == 7 || (n > 3 && b == '\\' && s[n - 2] == 0x1b)) {
			s[n < sizeof p->seq ? n : n - 1] = 0;
			string(p, s);
			return true;
		}
		return false;
	case '7': p->saved_x = p->x, p->saved_y = p->y; return true;
	case '8': move_to(p, p->saved_x, p->saved_y); return true;
	case 'M':
		if (p->y == p->top)
			scroll(p, -1);
		else
			p->y -= p->y > 0;
		return true;
	case 'D': line_feed(p); return true;
	default: return true;
	}
}

static void
control(struct pty *p, unsigned char b)
{
	switch (b) {
	case '\r': move_to(p, 0, p->y); break;
	case '\n': p->pending_wrap = false; line_feed(p); break;
	case '\b': move_to(p, p->x - 1, p->y); break;
	case '\t': move_to(p, (p->x | 7) + 1, p->y); break;
	}
}

static void
byte(struct pty *p, unsigned char b)
{
	p->high_seen |= b >= 0x80;
	if (b == 0x18) {
		p->seq_n = 0;
	} else if (p->seq_n && p->seq[0] == 0x1b) {
		if (p->seq_n < sizeof p->seq - 1)
			p->seq[p->seq_n++] = b;
		if (sequence(p, b))
			p->seq_n = 0;
	} else if (b == 0x1b) {
		p->seq[0] = b;
		p->seq_n = 1;
	} else if (b < 0x20 || b == 0x7f) {
		control(p, b);
	} else {
		ucs4_t ch;
		p->seq[p->seq_n++] = b;
		int n = u8_mbtoucr(&ch, p->seq, p->seq_n);
		if (n == -2)
			return;
		p->seq_n = 0;
		put(p, n > 0 ? ch : 0xfffd);
	}
}

/* ---- driving it ---- */

static void
take(struct pty *p, int ms)
{
	struct pollfd f = { .fd = p->fd, .events = POLLIN };
	unsigned char buf[65536];

	if (p->answer[0] && now_s() >= p->answer_at) {
		pty_type(p, p->answer);
		p->answer[0] = 0;
	}
	if (poll(&f, 1, p->answer[0] && ms > 5 ? 5 : ms) <= 0)
		return;
	ssize_t n = read(p->fd, buf, sizeof buf);
	if (n <= 0) {
		p->gone = n == 0 || errno == EIO;
		return;
	}
	p->bytes += n;
	for (ssize_t i = 0; i < n; i++)
		byte(p, buf[i]);
}

void
pty_run(struct pty *p, double seconds)
{
	for (double end = now_s() + seconds; now_s() < end && !p->gone;)
		take(p, 10);
}

void
pty_typen(struct pty *p, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t k = write(p->fd, bytes, n);
		if (k < 0 && errno == EAGAIN) { /* it does not read: take what it says first */
			pty_run(p, .01);
			continue;
		}
		if (k <= 0)
			return;
		bytes += k;
		n -= (size_t)k;
	}
}

void
pty_type(struct pty *p, const char *bytes)
{
	pty_typen(p, bytes, strlen(bytes));
}

void
pty_resize(struct pty *p, int w, int h)
{
	struct winsize size = { .ws_row = (unsigned short)h, .ws_col = (unsigned short)w };

	resize_cells(p, w, h);
	ioctl(p->fd, TIOCSWINSZ, &size);
}

/* Row y as UTF-8. */
static void
row_text(const struct pty *p, int y, char *out, size_t size)
{
	size_t n = 0;

	for (int x = 0; x < p->w && n + 8 < size; x++) {
		uint32_t ch = p->cell[y * p->w + x];
		int k = u8_uctomb((uint8_t *)out + n, ch ? ch : ' ', 6);
		n += k > 0 ? (size_t)k : 0;
	}
	out[n] = 0;
}

bool
pty_shows(const struct pty *p, const char *text)
{
	char row[4096];

	for (int y = 0; y < p->h; y++) {
		row_text(p, y, row, sizeof row);
		if (strstr(row, text))
			return true;
	}
	return false;
}

static bool
wait_shown(struct pty *p, const char *text, bool shown, double seconds)
{
	double end = now_s() + seconds;

	while (pty_shows(p, text) != shown) {
		if (now_s() > end || p->gone)
			return pty_shows(p, text) == shown;
		take(p, 20);
	}
	return true;
}

bool
pty_expect(struct pty *p, const char *text, double seconds)
{
	return wait_shown(p, text, true, seconds);
}

bool
pty_absent(struct pty *p, const char *text, double seconds)
{
	return wait_shown(p, text, false, seconds);
}

double
pty_latency(struct pty *p, const char *bytes)
{
	long before = p->bytes;
	double start = now_s();

	pty_type(p, bytes);
	while (p->bytes == before) {
		if (now_s() - start > 20) /* a busy machine under a sanitizer; the median is what is judged */
			return -1;
		take(p, 1);
	}
	return now_s() - start;
}

int
pty_status(struct pty *p, double seconds)
{
	double end = now_s() + seconds;
	int status;

	for (;;) {
		struct pollfd f = { .fd = p->events, .events = POLLIN };
		take(p, 5);
		if (poll(&f, 1, 0) > 0) {
			if (read(p->events, &status, sizeof status) != sizeof status)
				return -1;
			if (!WIFSTOPPED(status))
				p->pid = 0;
			pty_run(p, .05);
			return status;
		}
		if (now_s() > end)
			return -1;
	}
}

const char *
pty_unrestored(struct pty *p)
{
	static char what[200];
	struct termios now;

	pty_run(p, .05);
	tcgetattr(p->slave, &now);
	bool modes = now.c_iflag == p->before.c_iflag && now.c_oflag == p->before.c_oflag &&
	    (now.c_cflag & ~(tcflag_t)CBAUD) == (p->before.c_cflag & ~(tcflag_t)CBAUD) &&
	    now.c_lflag == p->before.c_lflag &&
	    memcmp(now.c_cc, p->before.c_cc, sizeof now.c_cc) == 0;
	snprintf(what, sizeof what, "%s%s%s%s%s%s%s%s", p->alternate ? " alternate-screen" : "",
	    p->hidden ? " cursor" : "", p->paste ? " paste" : "", p->mouse ? " mouse" : "",
	    p->keypad ? " keypad" : "", p->attributes ? " attributes" : "", p->seq_n ? " open-sequence" : "",
	    modes ? "" : " modes");
	return what;
}

void
pty_print(const struct pty *p)
{
	char row[4096];

	for (int y = 0; y < p->h; y++) {
		row_text(p, y, row, sizeof row);
		printf("# |%s|\n", row);
	}
}
