/*
 * test_term.c: the screen in pseudo-terminals: it answers, it leaves every
 * terminal as it was however it ends, and it survives what terminals do.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "pty.h"

#define PATIENCE 60.             /* seconds: sanitizers and busy machines are slow */

static char host[PATH_MAX];

/* Start the host with options (NULL: none) and environment. */
static bool
start(struct pty *p, int w, int h, const char *const *env, const char *options)
{
	char *argv[16] = { host };
	char copy[300], *save;
	int n = 1;

	snprintf(copy, sizeof copy, "%s", options ? options : "");
	for (char *s = strtok_r(copy, " ", &save); s && n < 15; s = strtok_r(NULL, " ", &save))
		argv[n++] = s;
	return pty_start(p, w, h, env, argv);
}

/* ok, else the screen is printed. */
static bool
screen_ok(struct pty *p, bool ok)
{
	if (!ok)
		pty_print(p);
	return ok;
}

static bool
ends(struct pty *p, int status)
{
	int got = pty_status(p, PATIENCE);

	if (got != status)
		printf("# status %#x\n", (unsigned)got);
	return got == status;
}

static bool
restored(struct pty *p)
{
	const char *what = pty_unrestored(p);

	if (*what)
		printf("# not restored:%s\n", what);
	return !*what;
}

#define EXIT(n) ((n) << 8)

static void
test_session(const char *term, bool private)
{
	char var[64];
	const char *env[] = { var, NULL };
	struct pty p;

	snprintf(var, sizeof var, "TERM=%s", term);
	if (!CHECK(start(&p, 80, 24, env, NULL), "%s: start", term))
		return;
	bool up = pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "s");
	CHECK(screen_ok(&p, up && pty_expect(&p, "step 1/", PATIENCE)), "%s: a step", term);
	pty_type(&p, "S");
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/", PATIENCE)), "%s: back", term);
	CHECK(p.private_seen == private && p.paste == private, "%s: %s sequences of xterm", term,
	    private ? "gets" : "gets no");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "%s: quits and restores", term);
	pty_end(&p);
}

/* Ended by a signal it dies of it, with the terminal given back. */
static void
test_signal(int sig, const char *options, const char *keys)
{
	struct pty p;

	if (!CHECK(start(&p, 80, 24, NULL, options), "signal %d: start", sig))
		return;
	bool up = pty_expect(&p, "step 0/", PATIENCE);
	if (keys)
		pty_type(&p, keys);
	else if (up)
		kill(p.pid, sig);
	int status = pty_status(&p, PATIENCE);
	CHECK(up && WIFSIGNALED(status) && WTERMSIG(status) == sig, "%s: dies of %s", keys ? "its own fault" : "sent",
	    strsignal(sig));
	CHECK(restored(&p), "the terminal is as it was after %s", strsignal(sig));
	pty_end(&p);
}

static void
test_stop(bool typed)
{
	const char *how = typed ? "Ctrl-Z" : "SIGTSTP";
	struct pty p;

	start(&p, 80, 24, NULL, "--mouse");
	bool up = pty_expect(&p, "step 0/", PATIENCE);
	CHECK(up && p.mouse && p.paste && p.alternate, "the screen is on");
	if (typed)
		pty_type(&p, "\x1a");
	else
		kill(p.pid, SIGTSTP);
	int status = pty_status(&p, PATIENCE);
	CHECK(WIFSTOPPED(status) && restored(&p), "%s: stopped, the terminal given back", how);
	pty_resize(&p, 100, 30);
	kill(p.pid, SIGCONT);
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/", PATIENCE)) && p.alternate && p.mouse && p.paste, "%s: back", how);
	pty_type(&p, "s");
	CHECK(pty_expect(&p, "step 1/", PATIENCE), "%s: keys act", how);
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "%s: the end", how);
	pty_end(&p);
}

/* A stop that cannot be caught: the terminal may be anything afterwards. */
static void
test_sigstop(void)
{
	struct pty p;

	start(&p, 80, 24, NULL, NULL);
	pty_expect(&p, "step 0/", PATIENCE);
	pty_run(&p, .1);
	kill(p.pid, SIGSTOP);
	pty_status(&p, PATIENCE);
	tcsetattr(p.slave, TCSANOW, &p.before);
	memset(p.cell, 0, (size_t)(p.w * p.h) * sizeof *p.cell);
	kill(p.pid, SIGCONT);
	CHECK(pty_expect(&p, "step 0/", PATIENCE), "SIGSTOP, SIGCONT: drawn anew");
	pty_type(&p, "\r");
	CHECK(pty_expect(&p, "token 0", PATIENCE), "and keys come as they are typed");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "the end");
	pty_end(&p);
}

static void
test_sizes(void)
{
	static const int size[][2] = {
		{ 1, 1 }, { 10, 3 }, { 300, 100 }, { 2, 50 }, { 200, 1 }, { 39, 11 }, { 40, 12 }, { 5, 5 },
	};
	struct pty p;
	unsigned s = 5;

	start(&p, 10, 3, NULL, NULL);
	CHECK(screen_ok(&p, pty_expect(&p, "psiview", PATIENCE)), "10x3: a message");
	pty_resize(&p, 80, 24);
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/", PATIENCE)), "grown");
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		pty_resize(&p, size[i][0], size[i][1]);
		pty_type(&p, "m\x1b[B");
		pty_run(&p, .05);
		pty_type(&p, "\x1b");
		pty_run(&p, .05);
	}
	for (int i = 0; i < 150; i++) {
		s = s * 1103515245u + 12345u;
		pty_resize(&p, 1 + (int)(s >> 16) % 120, 1 + (int)(s >> 8) % 50);
		pty_type(&p, i % 3 ? "\x1b[B" : "s");
		pty_run(&p, .003);
	}
	pty_resize(&p, 80, 24);
	pty_type(&p, "\x0cg");
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/", PATIENCE) && pty_expect(&p, "Enter inspect", PATIENCE)),
	    "after a storm of sizes");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "the end");
	pty_end(&p);
}

static void
test_ascii(void)
{
	const char *env[] = { "LC_ALL=C", NULL };
	struct pty p;

	start(&p, 80, 24, env, NULL);
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/", PATIENCE)), "LC_ALL=C");
	pty_type(&p, "3s");
	pty_expect(&p, "step 3/", PATIENCE);
	pty_type(&p, "m");
	pty_expect(&p, "Program", PATIENCE);
	pty_type(&p, "\x1b");
	pty_absent(&p, "Program", PATIENCE);
	pty_type(&p, "?");
	CHECK(pty_expect(&p, "Space", PATIENCE) && !p.high_seen, "only ASCII is sent");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)), "the end");
	pty_end(&p);
}

static void
test_colours(const char *env_var, const char *options, bool colours)
{
	const char *env[] = { env_var, NULL };
	struct pty p;

	start(&p, 80, 24, env, options);
	pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "2s");
	pty_expect(&p, "step 2/", PATIENCE);
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && p.colours == colours, "%s %s: %scolours", env_var, options ? options : "",
	    colours ? "" : "no ");
	pty_end(&p);
}

/* No screen is possible: one line, status 1, and nothing else. */
static void
test_refused(const char *var, const char *says)
{
	const char *env[] = { var, NULL };
	struct pty p;

	start(&p, 100, 24, env, NULL);
	int status = pty_status(&p, PATIENCE);
	CHECK(status == EXIT(1) && screen_ok(&p, pty_shows(&p, says)) && restored(&p) && !p.private_seen,
	    "%s: %s", var, says);
	pty_end(&p);
}

static void
test_input_elsewhere(void)
{
	char command[PATH_MAX + 32];
	char *argv[] = { "sh", "-c", command, NULL };
	struct pty p;

	snprintf(command, sizeof command, "exec '%s' </dev/null", host);
	pty_start(&p, 80, 24, NULL, argv);
	pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "s");
	CHECK(screen_ok(&p, pty_expect(&p, "step 1/", PATIENCE)), "standard input is no terminal: keys from /dev/tty");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "the end");
	pty_end(&p);
}

static void
test_answers(void)
{
	struct pty p;

	start(&p, 80, 24, NULL, NULL);
	p.delay = .7;
	p.background = "ffff/ffff/ffff";
	CHECK(pty_expect(&p, "step 0/", PATIENCE), "a terminal that answers late");
	pty_run(&p, 1.);
	CHECK(screen_ok(&p, pty_shows(&p, "step 0/") && !pty_shows(&p, "62;4")), "late answers are no keys");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)), "the end");
	pty_end(&p);

	start(&p, 80, 24, NULL, NULL);
	p.da1 = p.background = NULL;
	pty_type(&p, "s");
	CHECK(screen_ok(&p, pty_expect(&p, "step 1/", PATIENCE)),
	    "a terminal that never answers; what is typed ahead counts");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)), "the end");
	pty_end(&p);

	start(&p, 80, 24, NULL, "--no-probe");
	p.da1 = "62;4";
	CHECK(pty_expect(&p, "step 0/", PATIENCE) && !p.answer[0], "--no-probe asks nothing");
	pty_type(&p, "q");
	ends(&p, EXIT(0));
	pty_end(&p);
}

static void
test_typing(void)
{
	struct pty p;

	start(&p, 80, 24, NULL, NULL);
	pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "\x1b[200~sss\r\x1b[201~");
	CHECK(screen_ok(&p, pty_expect(&p, "pasted", PATIENCE) && pty_shows(&p, "step 0/")), "pasted text is no keys");
	pty_type(&p, ":\x1b[200~step 2\x1b[201~");
	CHECK(pty_expect(&p, ":step 2", PATIENCE) && !p.hidden, "but goes into the command line, which has a cursor");
	pty_type(&p, "\x1b");
	CHECK(pty_absent(&p, ":step 2", PATIENCE) && p.hidden, "Esc alone closes it");
	pty_type(&p, ":\x1b[A\x7f");
	pty_run(&p, .1);
	pty_type(&p, ":st\t");
	CHECK(screen_ok(&p, pty_expect(&p, "step  stop", PATIENCE)), "Tab completes");
	pty_type(&p, " 4\r");
	CHECK(screen_ok(&p, pty_expect(&p, "step 4/", PATIENCE)), "a typed command");
	pty_type(&p, ":\x1b[A");
	CHECK(pty_expect(&p, ":step 4", PATIENCE), "history");
	pty_type(&p, "\x03:nonsense\r");
	CHECK(screen_ok(&p, pty_expect(&p, "no command 'nonsense'", PATIENCE)), "an unknown command says so");
	pty_type(&p, "m\x1b[C");
	CHECK(screen_ok(&p, pty_expect(&p, "colour", PATIENCE)), "the menu");
	pty_type(&p, "\x1b");
	pty_absent(&p, "Program", PATIENCE);
	pty_type(&p, "?");
	CHECK(screen_ok(&p, pty_expect(&p, "one network call", PATIENCE)), "the help says what a step is");
	pty_type(&p, "\x1b" "1");
	CHECK(pty_expect(&p, "step 4/", PATIENCE), "Alt-1 is the sample again");
	pty_type(&p, "\x0c");
	memset(p.cell, 0, (size_t)(p.w * p.h) * sizeof *p.cell);
	CHECK(pty_expect(&p, "step 4/", PATIENCE), "Ctrl-L draws everything");
	pty_type(&p, ":theme light\r:mouse on\r");
	pty_run(&p, .3);
	CHECK(p.mouse, ":mouse on");
	pty_type(&p, ":mouse off\r");
	pty_run(&p, .3);
	CHECK(!p.mouse, ":mouse off");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "the end");
	pty_end(&p);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Keys are answered while the network computes on every processor; Ctrl-C stops it. */
static void
test_busy(void)
{
	enum { KEYS = 60 };
	double t[KEYS];
	struct pty p;
	bool all = true;

	start(&p, 80, 24, NULL, "--slow 2000");
	pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "c");
	pty_run(&p, .3);
	for (int i = 0; i < KEYS; i++) {
		t[i] = pty_latency(&p, i % 2 ? "\x1b[A" : "\x1b[B");
		all &= t[i] >= 0;
		pty_run(&p, .01);
	}
	qsort(t, KEYS, sizeof *t, ascending);
	printf("# answered within %.1f ms (median), %.1f ms (worst)\n", t[KEYS / 2] * 1e3, t[KEYS - 1] * 1e3);
	CHECK(all && t[KEYS / 2] < .05, "keys are answered while the network computes");
	pty_type(&p, "\x03");
	CHECK(screen_ok(&p, pty_absent(&p, "computing", PATIENCE) || pty_shows(&p, "step ")), "Ctrl-C");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)) && restored(&p), "quits while it computes");
	pty_end(&p);
}

/* What one session recorded, another plays. */
static void
test_script(void)
{
	char path[] = "/tmp/psiview-script-XXXXXX", options[100], line[200];
	int fd = mkstemp(path), commands = 0, keys = 0;
	struct pty p;

	snprintf(options, sizeof options, "--record %s", path);
	start(&p, 80, 24, NULL, options);
	pty_expect(&p, "step 0/", PATIENCE);
	pty_type(&p, "5s");
	pty_expect(&p, "step 5/", PATIENCE);
	pty_type(&p, "\t\x1b[C:back 2\r");
	pty_expect(&p, "step 3/", PATIENCE);
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)), "recorded");
	pty_end(&p);

	FILE *f = fdopen(fd, "r");
	while (f && fgets(line, sizeof line, f)) {
		commands += strcmp(line, "step 5\n") == 0 || strcmp(line, "back 2\n") == 0 ||
		    strcmp(line, "quit\n") == 0;
		keys += strcmp(line, "keys <Right>\n") == 0;
	}
	CHECK(commands == 3 && keys == 1, "as commands, and keys where there is none");
	if (f)
		fclose(f);

	f = fopen(path, "w");
	fputs("# up to step 3, and stay\nstep 5\nwait .01\nback 2\n", f);
	fclose(f);
	snprintf(options, sizeof options, "--play %s", path);
	start(&p, 80, 24, NULL, options);
	CHECK(screen_ok(&p, pty_expect(&p, "step 3/", PATIENCE)), "played");
	pty_type(&p, "s");
	CHECK(pty_expect(&p, "step 4/", PATIENCE), "then the keyboard has it");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(0)), "the end");
	pty_end(&p);

	f = fopen(path, "w");
	fputs("step 1\nnonsense\nstep 1\n", f);
	fclose(f);
	start(&p, 80, 24, NULL, options);
	CHECK(screen_ok(&p, pty_expect(&p, ":2: no command", PATIENCE)), "a line that fails is named");
	pty_type(&p, "q");
	CHECK(ends(&p, EXIT(1)), "and makes the status 1");
	pty_end(&p);
	unlink(path);
}

/* The program itself, with its bundled demo. */
static void
test_program(void)
{
	char *argv[] = { getenv("PSIVIEW"), NULL };
	struct pty p;

	if (!argv[0]) {
		check_skip("PSIVIEW is not set");
		return;
	}
	pty_start(&p, 80, 24, NULL, argv);
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/64", PATIENCE)), "the demo opens");
	pty_type(&p, "3s");
	CHECK(screen_ok(&p, pty_expect(&p, "step 3/64", PATIENCE)), "and is stepped");
	kill(p.pid, SIGTERM);
	CHECK(pty_status(&p, PATIENCE) == SIGTERM && restored(&p), "SIGTERM ends it");
	pty_end(&p);
}

static void
test_gone(void)
{
	struct pty p;

	start(&p, 80, 24, NULL, NULL);
	pty_expect(&p, "step 0/", PATIENCE);
	int slave = p.slave;
	close(p.fd);
	close(slave);
	p.fd = p.slave = open("/dev/null", 2);
	int status = pty_status(&p, PATIENCE);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP, "a terminal that goes away ends the program");
	p.slave = dup(p.fd);
	pty_end(&p);
}

/* A sanitizer's own handlers would end the program with a status of theirs. */
static void
leave_crashes_alone(const char *var)
{
	const char *old = getenv(var);
	char value[1000];

	snprintf(value, sizeof value, "%s%shandle_segv=0:handle_sigbus=0:handle_abort=0", old ? old : "",
	    old && *old ? ":" : "");
	setenv(var, value, 1);
}

int
main(int argc, char **argv)
{
	static const int sent[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT };

	(void)argc;
	snprintf(host, sizeof host, "%s/term_host", dirname(argv[0]));
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TERM", "xterm-256color", 1);
	unsetenv("NO_COLOR");
	unsetenv("SSH_CONNECTION");
	unsetenv("SSH_TTY");
	leave_crashes_alone("ASAN_OPTIONS");
	leave_crashes_alone("UBSAN_OPTIONS");
	leave_crashes_alone("TSAN_OPTIONS");

	test_session("xterm-256color", true);
	test_session("tmux-256color", true);
	test_session("xterm", true);
	test_session("linux", false);
	test_session("vt100", false);
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
		test_signal(sent[i], NULL, NULL);
	test_signal(SIGSEGV, "--crash", "s");
	test_stop(false);
	test_stop(true);
	test_sigstop();
	test_sizes();
	test_ascii();
	test_colours("TERM=xterm-256color", NULL, true);
	test_colours("TERM=xterm", "--theme light", true);
	test_colours("NO_COLOR=1", NULL, false);
	test_colours("TERM=vt220", NULL, false);
	test_colours("TERM=xterm-256color", "--theme mono", false);
	test_refused("TERM=dumb", "cannot move its cursor");
	test_refused("TERM", "TERM is not set");
	test_refused("TERM=no-such-terminal", "is not known here");
	test_input_elsewhere();
	test_answers();
	test_typing();
	test_busy();
	test_script();
	test_gone();
	test_program();
	return check_done();
}
