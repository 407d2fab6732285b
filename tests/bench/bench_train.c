/*
 * bench_train.c: times of whole training steps (draw, noise, forward, loss,
 * back, clip, AdamW, average) of three presets, uniform noise, dropout 0.1.
 * Prints `name value unit` lines; run.sh puts them beside those of
 * peer_train.py.
 *
 * usage: bench_train [SECONDS per figure [THREADS [PRESET]]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "net/kern.h"
#include "train/stepper.h"

/* A text of 65 characters without any sense. */
static bool
write_text(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned x = 1;

	for (int i = 0; f && i < 1 << 20; i++) {
		x = x * 1664525 + 1013904223;
		fputc(" !" [(x >> 30) == 3] + (int)((x >> 16) % 64), f);
	}
	return f && fclose(f) == 0;
}

static void
bench(const char *preset, const char *text, double patience, struct pool *pool)
{
	struct job job;
	struct error e = { 0 };
	struct stepper *s = NULL;
	struct stepper_setup setup = { .job = &job, .pool = pool };
	struct source *source = NULL;
	struct train_state *state = NULL;
	struct step_numbers out;
	double before = resident_mb(), best = INFINITY, processor = INFINITY;
	enum status st = job_preset(preset, &job, &e);

	job.net.dropout = .1;
	if (job.data == JOB_TEXT)
		snprintf(job.path, sizeof job.path, "%s", text);
	if (st == ST_OK)
		st = source_open(&job, NULL, &source, &e);
	if (st == ST_OK)
		st = state_new(&job, &state, &e);
	setup.source = source;
	setup.state = state;
	if (st == ST_OK)
		st = stepper_new(&setup, &s, &e);
	double start = now(CLOCK_MONOTONIC);
	for (int n = 0; st == ST_OK && (n < 4 || now(CLOCK_MONOTONIC) - start < patience); n++) {
		double at = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		st = stepper_run(s, &out, NULL, &e);
		if (n == 0)
			continue;
		best = fmin(best, now(CLOCK_MONOTONIC) - at);
		processor = fmin(processor, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	}
	if (st != ST_OK) {
		fprintf(stderr, "%s: %s\n", preset, e.msg);
		exit(1);
	}
	printf("# %s: %.2f million weights, %d samples of %d, V %d, %d at once, kernels %s\n", preset,
	       (double)net_parameters(state->net) / 1e6, job.batch, job.net.length, job.net.vocab,
	       stepper_plan(s).micro, kern_best()->name);
	printf("%s.step %.3f ms\n%s.step_cpu %.3f ms\n%s.memory %.1f MB\n", preset, 1e3 * best, preset, 1e3 * processor,
	       preset, resident_mb() - before);
	fflush(stdout);
	stepper_free(s);
	state_free(state);
	source_close(source);
}

/* The same in a process of its own, whose memory is its own. */
static bool
bench_apart(const char *preset, const char *text, double patience, int threads)
{
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct pool *pool = pool_new(threads);
		printf("# kernels: %s, %d threads\n", kern_best()->name, pool_threads(pool));
		bench(preset, text, patience, pool);
		pool_free(pool);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int
main(int argc, char **argv)
{
	static const char *const presets[] = { "sudoku6", "text-tiny", "text-small" };
	double patience = argc > 1 ? atof(argv[1]) : 4;
	char folder[] = "/tmp/bench-train-XXXXXX", path[64];

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/text", folder);
	bool ok = write_text(path);
	for (size_t i = 0; ok && i < sizeof presets / sizeof *presets; i++)
		if (argc <= 3 || strcmp(argv[3], presets[i]) == 0)
			ok = bench_apart(presets[i], path, patience, argc > 2 ? atoi(argv[2]) : 0);
	unlink(path);
	rmdir(folder);
	return !ok;
}
