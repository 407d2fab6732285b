/*
 * test_train_term.c: psiview itself in a pseudo-terminal trains a tiny Sudoku:
 * the form, the charts, pausing, opening what it has learned; however it is
 * left, the training is saved and the terminal is as it was.
 */
#include "tests/check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/pty.h"

#define PATIENCE 60. /* seconds: sanitizers and busy machines are slow */

static char folder[] = "train-term-XXXXXX";

static bool
screen_ok(struct pty *p, bool ok)
{
	if (!ok)
		pty_print(p);
	return ok;
}

/* psiview with a training under way in the Train view. */
static bool
begin(struct pty *p, const char *out, int w, int h, const char *const *env)
{
	static const char *const line[] = { "preset sudoku6", "set sudoku 4", "set hidden 16", "set blocks 1",
		"set heads 2", "set cond 8", "set batch 4", "set steps 1000000", "set save-every 20",
		"set valid-every 20", "set valid-samples 4", "set show-samples 2", "set show-steps 4" };
	char *argv[] = { getenv("PSIVIEW"), (char[]){ "--threads=2" }, NULL }, text[120];

	if (!argv[0] || !pty_start(p, w, h, env, argv) || !pty_expect(p, "step 0/", PATIENCE))
		return false;
	for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
		snprintf(text, sizeof text, ":train %s\r", line[i]);
		pty_type(p, text);
	}
	snprintf(text, sizeof text, ":train out %s/%s.safetensors\r:view train\r", folder, out);
	pty_type(p, text);
	if (!pty_expect(p, "a new training", PATIENCE))
		return false;
	pty_type(p, "s");
	return pty_expect(p, "running", PATIENCE);
}

static bool
saved(const char *out)
{
	char path[80];

	snprintf(path, sizeof path, "%s/%s.safetensors", folder, out);
	return access(path, R_OK) == 0;
}

static void
test_session(void)
{
	struct pty p;

	bool up = begin(&p, "session", 80, 24, NULL);
	CHECK(screen_ok(&p, up), "the form starts a training");
	CHECK(screen_ok(&p, pty_expect(&p, "saved", PATIENCE)), "it saves");
	CHECK(screen_ok(&p, pty_expect(&p, "samples at step", PATIENCE)), "and shows samples");
	pty_type(&p, " ");
	CHECK(screen_ok(&p, pty_expect(&p, "paused", PATIENCE)), "space pauses");
	pty_type(&p, "o");
	CHECK(screen_ok(&p, pty_expect(&p, "of training", PATIENCE)), "o opens what it has learned");
	CHECK(screen_ok(&p, pty_expect(&p, "step 0/64", PATIENCE)), "in the Sample view");
	pty_type(&p, "4s");
	CHECK(screen_ok(&p, pty_expect(&p, "step 4/", PATIENCE)), "which is sampled");
	pty_type(&p, ":train resume\r:view train\r");
	CHECK(screen_ok(&p, pty_expect(&p, "running", PATIENCE)), "while it trains on");
	pty_type(&p, ":train close\r:view sample\r");
	CHECK(screen_ok(&p, pty_expect(&p, "duo-", PATIENCE)), "the file is back");
	pty_type(&p, "q");
	CHECK(pty_status(&p, PATIENCE) == 0 && !*pty_unrestored(&p), "q saves it, then leaves");
	CHECK(saved("session"), "the checkpoint is there");
	pty_end(&p);
}

static void
test_signal(int sig)
{
	struct pty p;
	char name[24];

	snprintf(name, sizeof name, "signal%d", sig);
	bool up = begin(&p, name, 40, 12, (const char *const[]){ "LC_ALL=C", "NO_COLOR=1", NULL });
	if (CHECK(screen_ok(&p, up), "a small screen without colours and UTF-8"))
		kill(p.pid, sig);
	int status = pty_status(&p, PATIENCE);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == sig && !*pty_unrestored(&p), "dies of %s", strsignal(sig));
	CHECK(saved(name), "and has saved");
	pty_end(&p);
}

static void
test_at_once(void)
{
	struct pty p;

	CHECK(begin(&p, "once", 80, 24, NULL), "another one");
	pty_type(&p, "qq");
	CHECK(pty_status(&p, PATIENCE) == 0 && !*pty_unrestored(&p), "q twice leaves at once");
	pty_end(&p);
}

int
main(void)
{
	char line[80];

	if (!getenv("PSIVIEW") || !mkdtemp(folder)) {
		printf("1..0 # SKIP no program to run\n");
		return 0;
	}
	test_session();
	test_signal(SIGTERM);
	test_signal(SIGHUP);
	test_at_once();
	snprintf(line, sizeof line, "rm -rf %s", folder);
	CHECK(system(line) == 0, "tidied up");
	return check_done();
}
