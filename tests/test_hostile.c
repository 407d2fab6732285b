/*
 * test_hostile.c: checkpoints that are broken on purpose, each opened and used
 * in a process of its own.  Arguments: folders; the cases are the entries of
 * every index.json below them, except tokenizers.  "error" must be refused with
 * one line (status 3 of psiview info), "ok" must open and run, "any" must only come back; all in less than
 * two seconds and 64 MB.  tests/hostile.sh unpacks the default cases.
 */
#include <jansson.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "models/registry.h"
#include "run/export.h"
#include "run/info.h"
#include "text_util.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define PWNED "/tmp/psiview-pwned"
enum { OPENED = 0, REFUSED = 10, BROKEN = 11 };    /* exit status of a case's process */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One forward pass with a set of weights, all rows. */
static enum status
forward(const struct ckpt *c, bool raw, struct error *e)
{
	struct model *m;
	enum status st = model_open(c, raw, NULL, &m, e);

	if (st)
		return st;
	int32_t *tok = calloc((size_t)m->L, sizeof *tok);
	float *feat = calloc((size_t)m->L * (size_t)m->F, sizeof *feat), *logit = calloc((size_t)m->V, sizeof *logit);
	double sigma = m->timed ? 0.7 : 0;
	for (int i = 0; i < m->L; i++)
		tok[i] = i % m->V;
	st = m->trunk(m, 1, tok, &sigma, NULL, feat, NULL, e);
	for (int i = 0; !st && i < m->L; i++)
		st = m->rows(m, 1, feat + (size_t)i * (size_t)m->F, logit, NULL, e);
	free(tok);
	free(feat);
	free(logit);
	model_free(m);
	return st;
}

static void
hear(void *arg, const char *line)
{
	*(size_t *)arg += strlen(line);
}

/* Everything the program does with an open checkpoint. */
static enum status
use(const struct ckpt *c, const char *scratch, struct error *e)
{
	struct info_options text = { .json = false }, json = { .json = true };
	struct export_options o;
	FILE *null = fopen("/dev/null", "w");
	size_t said = 0;
	char hex[65];
	enum status st = model_check(c, e);

	if (!st)
		st = info_print(null, c, &text, e);
	if (!st)
		st = info_print(null, c, &json, e);
	fclose(null);
	if (!st)
		st = ckpt_hash(c, false, hex, e);
	if (!st)
		st = forward(c, false, e);
	if (!st)
		st = forward(c, true, e);
	ckpt_verify(c, hear, &said, NULL);
	export_options_init(&o);
	if (!st)
		st = export_write(c, scratch, &o, e);
	unlink(scratch);
	return st;
}

/* Open and use path; tell over fd what was said. */
static int
child(const char *path, const char *scratch, int fd)
{
	struct error e = { .msg = "" };
	struct ckpt *c;
	enum status st = ckpt_open(path, NULL, &c, &e);
	bool opened = !st;

	if (opened) {
		st = use(c, scratch, &e);
		ckpt_close(c);
	}
	ssize_t n = write(fd, e.msg, strlen(e.msg));
	close(fd);
	return n < 0 ? BROKEN : !st ? OPENED : st == ST_CKPT ? REFUSED : BROKEN;
}

static void
read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t k;

	while (n + 1 < size && (k = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)k;
	buf[n] = '\0';
}

/* Control characters in a message would break the terminal. */
static bool
one_line(const char *msg)
{
	for (const char *s = msg; *s; s++)
		if ((unsigned char)*s < 32 || *s == 127)
			return false;
	return strlen(msg) > 5;
}

static void
run_case(const char *path, const char *expect, const char *why, const char *scratch)
{
	char msg[2000];
	int fd[2], status = 0;
	struct rusage use_of;
	double start = now();

	if (!CHECK(pipe(fd) == 0, "a pipe"))
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd[0]);
		alarm(60);
		exit(child(path, scratch, fd[1]));
	}
	close(fd[1]);
	read_all(fd[0], msg, sizeof msg);
	close(fd[0]);
	wait4(pid, &status, 0, &use_of);
	double took = now() - start;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	bool fine = strcmp(expect, "ok") == 0 ? code == OPENED : strcmp(expect, "error") == 0 ? code == REFUSED
	    : code == OPENED || code == REFUSED;
	CHECK(fine && (code != REFUSED || one_line(msg)), "%s is %s (%s): %d %s", base_name(path), expect, why, code,
	    msg);
	if (code == REFUSED && strstr(why, "option"))
		CHECK(strstr(msg, "--") != NULL, "%s names an option", base_name(path));
	if (took > (SANITIZED ? 20 : 2) || (!SANITIZED && use_of.ru_maxrss > 64 * 1024))
		CHECK(false, "%s: %.2f s, %ld kB", base_name(path), took, use_of.ru_maxrss);
}

/* What the program itself says about path: nothing on standard output and one
 * line on standard error with status 3, or status 0. */
static void
run_program(const char *program, const char *path, const char *expect)
{
	char said[2000], begin[4200];
	int fd[2], status = 0;

	if (!CHECK(pipe(fd) == 0, "a pipe"))
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		bool ready = freopen("/dev/null", "w", stdout) && dup2(fd[1], 2) == 2;

		close(fd[0]);
		alarm(60);
		if (ready)
			execl(program, program, "info", path, (char *)NULL);
		_exit(BROKEN);
	}
	close(fd[1]);
	read_all(fd[0], said, sizeof said);
	close(fd[0]);
	waitpid(pid, &status, 0);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	size_t n = strlen(said);
	snprintf(begin, sizeof begin, "psiview: %s: ", path);
	bool line = n > strlen(begin) && !strncmp(said, begin, strlen(begin)) && strchr(said, '\n') == said + n - 1;
	bool fine =
		(code == 0 && n == 0 && strcmp(expect, "error")) || (code == ST_CKPT && line && strcmp(expect, "ok"));
	if (!fine)
		CHECK(false, "psiview info %s: status %d, %s", path, code, said);
}

/* The cases of one index.json; false: it is none of ours. */
static bool
run_index(const char *path, const char *scratch)
{
	json_t *root = json_load_file(path, 0, NULL), *cases = json_object_get(root, "cases"), *c;
	const char *program = getenv("PSIVIEW");
	size_t i, ran = 0;

	json_array_foreach(cases, i, c) {
		const char *kind = json_string_value(json_object_get(c, "kind")),
		    *name = json_string_value(json_object_get(c, "path"));
		const char *expect = json_string_value(json_object_get(c, "expect")),
		    *why = json_string_value(json_object_get(c, "why"));
		char file[4096];

		if (!kind || !name || !expect || !strncmp(kind, "tokenizer", 9))
			continue;
		snprintf(file, sizeof file, "%.*s%s", (int)(base_name(path) - path), path, name);
		run_case(file, expect, why ? why : "", scratch);
		if (program && (!SANITIZED || ran % 8 == 0))     /* a sanitized program is slow to start */
			run_program(program, file, expect);
		ran++;
	}
	json_decref(root);
	return ran > 0;
}

int
main(int argc, char **argv)
{
	char scratch[] = "hostile-out.XXXXXX";
	int fd = mkstemp(scratch), found = 0;

	if (fd >= 0)
		close(fd);
	unlink(PWNED);
	for (int i = 1; i < argc; i++) {
		struct paths l = { 0 };

		find_files(argv[i], &l);
		for (size_t k = 0; k < l.n; k++)
			if (!strcmp(base_name(l.p[k]), "index.json"))
				found += run_index(l.p[k], scratch);
		free_paths(&l);
	}
	unlink(scratch);
	if (found)
		CHECK(access(PWNED, F_OK) != 0, "nothing that was in the files ran");
	else
		check_skip("no hostile checkpoints");
	return check_done();
}
