/*
 * tty.c: see tty.h.
 *
 * Handlers call nothing but write, tcsetattr, sigaction and raise.  The state
 * they use is set before they are installed.
 */
#include "ui/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const int quiet_signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGHUP, SIGINT, SIGQUIT };
static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define N_QUIET (sizeof quiet_signals / sizeof *quiet_signals)
#define N_CRASH (sizeof crash_signals / sizeof *crash_signals)

/* For the handlers; one terminal at a time. */
static struct {
	int wake, out;
	struct termios before;
	char leave[256];
	size_t n;
	struct sigaction old_quiet[N_QUIET], old_crash[N_CRASH];
	stack_t old_stack;
	char stack[32768];
} at_signal;

static void
on_quiet(int sig)
{
	int saved = errno;
	unsigned char byte = (unsigned char)sig;

	if (write(at_signal.wake, &byte, 1) < 0) {
		/* a full pipe: the loop wakes up anyway */
	}
	errno = saved;
}

static void
on_crash(int sig)
{
	for (size_t i = 0; i < N_CRASH; i++)
		if (crash_signals[i] == sig)
			sigaction(sig, &at_signal.old_crash[i], NULL);
	for (size_t done = 0; done < at_signal.n;) {
		ssize_t n = write(at_signal.out, at_signal.leave + done, at_signal.n - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	tcsetattr(at_signal.out, TCSANOW, &at_signal.before);
	raise(sig); /* comes when this handler returns */
}

enum status
tty_open(struct tty *t, struct error *e)
{
	*t = (struct tty){ .in = STDIN_FILENO, .out = STDOUT_FILENO, .wake = { -1, -1 } };
	if (!isatty(t->out))
		return error_set(e, ST_FAIL, "standard output is not a terminal");
	if (!isatty(t->in)) {
		t->in = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (t->in < 0)
			return error_set(e, ST_FAIL, "no terminal to read keys from: /dev/tty: %s", strerror(errno));
		t->own_in = true;
	}
	if (tcgetattr(t->out, &t->before) < 0) {
		enum status st = error_set(e, ST_FAIL, "terminal: %s", strerror(errno));
		tty_close(t);
		return st;
	}
	return ST_OK;
}

static void
signals_off(struct tty *t)
{
	if (!t->signals)
		return;
	for (size_t i = 0; i < N_QUIET; i++)
		sigaction(quiet_signals[i], &at_signal.old_quiet[i], NULL);
	for (size_t i = 0; i < N_CRASH; i++)
		sigaction(crash_signals[i], &at_signal.old_crash[i], NULL);
	sigaltstack(&at_signal.old_stack, NULL);
	t->signals = false;
}

void
tty_close(struct tty *t)
{
	signals_off(t);
	if (t->wake[0] >= 0)
		tty_restore(t);
	for (int i = 0; i < 2; i++)
		if (t->wake[i] >= 0)
			close(t->wake[i]);
	if (t->own_in)
		close(t->in);
	*t = (struct tty){ .in = -1, .out = -1, .wake = { -1, -1 } };
}

void
tty_raw(struct tty *t)
{
	struct termios m = t->before;

	m.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	m.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	m.c_cflag = (m.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	m.c_cc[VMIN] = 1;
	m.c_cc[VTIME] = 0;
	tcsetattr(t->out, TCSADRAIN, &m);
}

void
tty_restore(struct tty *t)
{
	tcsetattr(t->out, TCSADRAIN, &t->before);
}

bool
tty_size(const struct tty *t, int *w, int *h, int *px, int *py)
{
	struct winsize s;

	if (ioctl(t->out, TIOCGWINSZ, &s) < 0 || s.ws_col == 0 || s.ws_row == 0)
		return false;
	*w = s.ws_col;
	*h = s.ws_row;
	*px = s.ws_xpixel;
	*py = s.ws_ypixel;
	return true;
}

bool
tty_write(const struct tty *t, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t k = write(t->out, p, n);
		if (k < 0 && errno == EAGAIN) {
			struct pollfd f = { .fd = t->out, .events = POLLOUT };
			poll(&f, 1, 1000);
			continue;
		}
		if (k < 0 && errno != EINTR)
			return false;
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return true;
}

enum status
tty_signals(struct tty *t, struct error *e)
{
	struct sigaction quiet = { .sa_handler = on_quiet, .sa_flags = SA_RESTART };
	struct sigaction crash = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = at_signal.stack, .ss_size = sizeof at_signal.stack };

	if (pipe2(t->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set(e, ST_FAIL, "pipe: %s", strerror(errno));
	at_signal.wake = t->wake[1];
	at_signal.out = t->out;
	at_signal.before = t->before;
	at_signal.n = 0;
	sigaltstack(&stack, &at_signal.old_stack);
	sigfillset(&quiet.sa_mask);
	for (size_t i = 0; i < N_QUIET; i++) {
		sigaction(quiet_signals[i], &quiet, &at_signal.old_quiet[i]);
		if (at_signal.old_quiet[i].sa_handler == SIG_IGN)
			sigaction(quiet_signals[i], &at_signal.old_quiet[i], NULL);
	}
	for (size_t i = 0; i < N_CRASH; i++)
		sigaction(crash_signals[i], &crash, &at_signal.old_crash[i]);
	t->signals = true;
	return ST_OK;
}

void
tty_at_crash(const char *leave, size_t n)
{
	at_signal.n = 0; /* a crash in between sends nothing rather than half of it */
	if (n > sizeof at_signal.leave)
		return;
	memcpy(at_signal.leave, leave, n);
	at_signal.n = n;
}

int
tty_signal(struct tty *t)
{
	unsigned char byte;

	return t->wake[0] >= 0 && read(t->wake[0], &byte, 1) == 1 ? byte : 0;
}

void
tty_stop(struct tty *t, bool typed)
{
	struct sigaction act = { .sa_handler = SIG_IGN }, ours;

	sigaction(SIGTSTP, &act, &ours);
	if (typed)
		kill(0, SIGTSTP); /* the others of the pipeline */
	act.sa_handler = SIG_DFL;
	sigaction(SIGTSTP, &act, NULL);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &ours, NULL);
	(void)t;
}
