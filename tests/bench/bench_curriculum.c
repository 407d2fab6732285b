/*
 * bench_curriculum.c: the two forms of the Gaussian curriculum side by side at
 * GPT-2's number of tokens: time of a training step, and the most memory held,
 * each in a process of its own, turn about.  The claim (arXiv 2602.21185): the
 * form that draws only the largest coordinates takes a third less memory and a
 * quarter less time.  Plain duo_base stands beside them.
 *
 * usage: bench_curriculum [STEPS [VOCABULARY [THREADS]]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "train/stepper.h"

enum { LENGTH = 128, BATCH = 8, ROUNDS = 2, FIRST_CHARACTER = 0x100 };

struct figures {
	double step, cpu, memory, loss; /* s, s, MB, nats per token */
};

static void
put_character(FILE *f, unsigned c)
{
	if (c >= 0x800)
		fputc((int)(0xe0 | c >> 12), f);
	fputc((int)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6), f);
	fputc((int)(0x80 | (c & 0x3f)), f);
}

/* A text of V characters: all of them, then the first ones more often. */
static bool
write_text(const char *path, int V)
{
	FILE *f = fopen(path, "w");
	uint32_t x = 1;

	for (int i = 0; f && i < 4 * V; i++) {
		x = x * 1664525 + 1013904223;
		int rare = (int)(10 * (exp(log((V + 10) / 10.) * (x >> 8) * 0x1p-24) - 1));
		put_character(f, FIRST_CHARACTER + (unsigned)(i < V ? i : rare < V ? rare : V - 1));
	}
	return f && fclose(f) == 0;
}

static struct job
job_of(enum job_curriculum curriculum, const char *text)
{
	struct job j;

	job_init(&j);
	snprintf(j.path, sizeof j.path, "%s", text);
	j.loss = LOSS_DUO;
	j.curriculum = curriculum;
	j.net.backbone = BACKBONE_DIT;
	j.net.hidden = 64;
	j.net.n_blocks = 2;
	j.net.n_heads = 4;
	j.net.cond_dim = 32;
	j.net.length = LENGTH;
	j.batch = BATCH;
	j.cur.k = 2;
	j.cur.tau = 1e-3;
	j.cur.end = j.adam.steps = 1000;
	j.cur.window = (struct operator_window){ 0 };
	j.adam.lr = 1e-3;
	j.adam.warmup = 0;
	job_settle(&j);
	return j;
}

static bool
measure(enum job_curriculum curriculum, const char *text, int steps, int threads, struct figures *out)
{
	struct job j = job_of(curriculum, text);
	struct pool *pool = pool_new(threads);
	struct source *source = NULL;
	struct train_state *state = NULL;
	struct stepper *s = NULL;
	struct step_numbers n;
	struct error e = { 0 };
	enum status st = source_open(&j, NULL, &source, &e);

	*out = (struct figures){ INFINITY, INFINITY, 0, 0 };
	if (st == ST_OK)
		st = state_new(&j, &state, &e);
	struct stepper_setup setup = { &j, source, state, pool, NULL };
	if (st == ST_OK)
		st = stepper_new(&setup, &s, &e);
	for (int i = 0; i <= steps && st == ST_OK; i++) {
		double at = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		st = stepper_run(s, &n, NULL, &e);
		if (i == 0)
			continue;
		out->step = fmin(out->step, now(CLOCK_MONOTONIC) - at);
		out->cpu = fmin(out->cpu, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
		out->loss += n.loss / steps;
	}
	out->memory = resident_mb();
	if (st != ST_OK)
		fprintf(stderr, "%s\n", e.msg);
	stepper_free(s);
	state_free(state);
	source_close(source);
	pool_free(pool);
	return st == ST_OK;
}

/* The same in a process of its own, whose memory is its own. */
static bool
measure_apart(enum job_curriculum curriculum, const char *text, int steps, int threads, struct figures *out)
{
	int fd[2], status = 0;
	pid_t child;

	fflush(stdout);
	if (pipe(fd) != 0 || (child = fork()) < 0)
		return false;
	if (child == 0) {
		bool ok = measure(curriculum, text, steps, threads, out);
		_exit(!ok || write(fd[1], out, sizeof *out) != (ssize_t)sizeof *out);
	}
	close(fd[1]);
	bool ok = read(fd[0], out, sizeof *out) == (ssize_t)sizeof *out;
	close(fd[0]);
	return waitpid(child, &status, 0) == child && ok && status == 0;
}

static bool
compare(const char *text, int V, int steps, int threads)
{
	static const char *const name[] = { [JOB_PLAIN] = "none", [JOB_SIMPLE] = "simple",
		[JOB_EFFICIENT] = "efficient" };
	struct figures best[3], one;

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 3; i++) {
			if (!measure_apart((enum job_curriculum)i, text, steps, threads, &one))
				return false;
			if (round > 0) {
				one.step = fmin(one.step, best[i].step);
				one.cpu = fmin(one.cpu, best[i].cpu);
			}
			best[i] = one;
		}
	printf("# curricula: V %d, length %d, batch %d, width 64, 2 blocks, k 2, best of %d steps\n", V, LENGTH, BATCH,
		steps * ROUNDS);
	printf("%-12s %12s %14s %12s %10s\n", "", "step, s", "processor, s", "memory, MB", "loss");
	for (int i = 0; i < 3; i++)
		printf("%-12s %12.3f %14.3f %12.1f %10.4f\n", name[i], best[i].step, best[i].cpu, best[i].memory,
			best[i].loss);
	const struct figures *s = &best[JOB_SIMPLE], *e = &best[JOB_EFFICIENT];
	printf("efficient against simple: %.0f%% less time (processor: %.0f%%), %.0f%% less memory\n",
		100 * (1 - e->step / s->step), 100 * (1 - e->cpu / s->cpu), 100 * (1 - e->memory / s->memory));
	return true;
}

int
main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) : 3, V = argc > 2 ? atoi(argv[2]) : 50257;
	const char *tmp = getenv("TMPDIR");
	char text[256];

	snprintf(text, sizeof text, "%.200s/curriculum-XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(text);
	if (fd < 0 || close(fd) != 0)
		return 1;
	bool ok = write_text(text, V) && compare(text, V, steps, argc > 3 ? atoi(argv[3]) : 0);
	unlink(text);
	return !ok;
}
