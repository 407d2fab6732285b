/*
 * bench_net.c: times of the network alone, with random weights: the shape of
 * the bundled demo and DiT-small.  Prints `name value unit` lines; run.sh puts
 * them beside those of peer.py.  forward_cpu is processor time, all threads
 * together: what can be compared on a machine that others use too.
 *
 * usage: bench_net [SECONDS per figure [NAME]]
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../dit_reference.h"
#include "models/describe.h"
#include "net/netmodel.h"

static double patience = 4;
static const char *only;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Memory in use now. */
static double
resident_mb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long total = 0, pages = 0;

	if (f && fscanf(f, "%ld %ld", &total, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

/* The best time of fn over `patience` seconds, at least 3 runs: of all figures
 * the one that other work on the machine disturbs least. */
static double
best(void (*fn)(void *), void *arg)
{
	double t = INFINITY, start = now();

	fn(arg);
	for (int n = 0; n < 3 || now() - start < patience; n++) {
		double at = now();
		fn(arg);
		t = fmin(t, now() - at);
	}
	return t;
}

/* Processor time of one call, all threads: the best of five. */
static double
processor(void (*fn)(void *), void *arg)
{
	double best_time = INFINITY;

	for (int i = 0; i < 5; i++) {
		struct timespec a, b;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		fn(arg);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		best_time = fmin(best_time, (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
	}
	return best_time;
}

struct job {
	struct model *m;
	int n;                  /* samples of the trunk, or rows of the head */
	int32_t *tok;
	double *sigma;
	float *feat, *logit;
	struct cancel *cancel;
};

static void
trunk(void *arg)
{
	struct job *j = arg;

	j->m->trunk(j->m, j->n, j->tok, j->sigma, NULL, j->feat, j->cancel, NULL);
}

static void
head(void *arg)
{
	struct job *j = arg;

	for (int i = 0; i < j->n; i += 128)
		j->m->rows(j->m, j->n - i < 128 ? j->n - i : 128, j->feat + (size_t)i * (size_t)j->m->F, j->logit, NULL,
			NULL);
}

struct stopper {
	struct cancel c;
	double after, asked;
};

static void *
stop_later(void *arg)
{
	struct stopper *s = arg;
	struct timespec t = { 0, (long)(s->after * 1e9) };

	nanosleep(&t, NULL);
	s->asked = now();
	atomic_store(&s->c.asked, 1);
	return NULL;
}

/* The longest time from a cancel to the return of the trunk. */
static double
cancel_latency(struct job *j, double whole)
{
	double worst = 0;

	for (int i = 1; i < 16; i++) {
		struct stopper s = { .after = whole * i / 16 };
		pthread_t thread;
		if (pthread_create(&thread, NULL, stop_later, &s) != 0)
			break;
		j->cancel = &s.c;
		trunk(j);
		double end = now();
		pthread_join(thread, NULL);
		worst = fmax(worst, end - s.asked);
	}
	j->cancel = NULL;
	return worst;
}

static void
bench(const char *name, struct config c, int batch)
{
	struct net *net = net_new();
	struct random_weights w;
	struct error e = { 0 };
	struct job j = { .n = batch };
	struct pool *pool = pool_new(0);
	size_t rows = (size_t)batch * (size_t)c.length;

	if (only && strcmp(only, name) != 0) {
		net_free(net);
		pool_free(pool);
		return;
	}
	if (dit_describe(&c, net, &e) != ST_OK || net_finish(net, &e) != ST_OK)
		return;
	random_weights_init(&w, net, 1, DT_F32);
	double before = resident_mb();
	if (net_model_new(net, w.t, w.n, "weights", kern_best(), pool, false, &j.m, &e) != ST_OK) {
		fprintf(stderr, "%s: %s\n", name, e.msg);
		return;
	}
	j.tok = calloc(rows, sizeof *j.tok);
	j.sigma = calloc((size_t)batch, sizeof *j.sigma);
	j.feat = calloc(rows * (size_t)c.hidden, sizeof *j.feat);
	j.logit = calloc(128 * (size_t)c.vocab, sizeof *j.logit);
	for (size_t i = 0; i < rows; i++)
		j.tok[i] = (int32_t)(i * 7919 % (size_t)c.vocab);
	for (int i = 0; i < batch; i++)
		j.sigma[i] = .5;
	double t = best(trunk, &j);
	double cpu = processor(trunk, &j);
	printf("%s.trunk %.3f ms\n", name, 1e3 * t);
	if (t > .2)
		printf("%s.cancel %.1f ms\n", name, 1e3 * cancel_latency(&j, t));
	j.n = (int)rows;
	double h = best(head, &j);
	cpu += processor(head, &j);
	printf("%s.head %.3f ms\n%s.forward %.3f ms\n", name, 1e3 * h, name, 1e3 * (t + h));
	printf("%s.forward_cpu %.3f ms\n", name, 1e3 * cpu);
	j.n = (int)rows / 10;
	h = best(head, &j);
	printf("%s.head10 %.3f ms\n", name, 1e3 * h);
	printf("%s.memory %.1f MB\n", name, resident_mb() - before);
	fflush(stdout);
	model_free(j.m);
	pool_free(pool);
	random_weights_done(&w);
	free(j.tok);
	free(j.sigma);
	free(j.feat);
	free(j.logit);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		patience = atof(argv[1]);
	only = argc > 2 ? argv[2] : NULL;
	printf("# kernels: %s\n", kern_best()->name);
	bench("demo", dit_config(35, 128, 128, 4, 4, 128, 0), 1);
	bench("demo8", dit_config(35, 128, 128, 4, 4, 128, 0), 8);
	bench("small", dit_config(50258, 1024, 768, 12, 12, 128, 0), 1);
	return 0;
}
