/*
 * term_host.c: the screen with the tests' model that knows one sentence; what
 * term_run gets, without a checkpoint.  test_term runs it in a pseudo-terminal.
 *
 *     term_host [--plain] [--no-probe] [--mouse] [--theme T] [--record F] [--play F] [--slow MS] [--crash] [--info]
 *
 * --slow: milliseconds of a network call, on two busy threads.  --crash: the
 * network touches memory it does not have.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app_util.h"
#include "ui/term.h"

static bool crash;
static void *forbidden;              /* a page nobody may touch */
static atomic_bool spinning;

static void *
spin(void *arg)
{
	while (atomic_load(&spinning))
		;
	return arg;
}

/* The sentence's trunk, with every processor busy meanwhile. */
static enum status
busy_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
           struct cancel *c, struct error *e)
{
	pthread_t helper[2];

	if (crash)
		*(volatile char *)forbidden = 1;
	atomic_store(&spinning, true);
	for (int i = 0; i < 2; i++)
		pthread_create(&helper[i], NULL, spin, NULL);
	enum status st = sentence_trunk(m, n, tok, sigma, label, feat, c, e);
	atomic_store(&spinning, false);
	for (int i = 0; i < 2; i++)
		pthread_join(helper[i], NULL);
	return st;
}

static int
run(const struct term_options *o, int slow)
{
	struct error e = { 0 };
	struct bench b;

	if (!bench_open(&b, false, "psi kappa=.95 steps=32 seed=7"))
		return 1;
	b.model.slow_ms = slow;
	if (slow || crash)
		b.model.model.trunk = busy_trunk;
	int status = term_run(b.app, o, &e);
	if (status > 0 && status < 128)
		fprintf(stderr, "term_host: %s\n", e.msg);
	bench_close(&b);
	return status;
}

int
main(int argc, char **argv)
{
	struct term_options o = { .no_probe = false };
	bool info = false;
	int slow = 0;

	forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 1; i < argc; i++) {
		const char *v = argv[i], *next = argv[i + 1] ? argv[i + 1] : "";
		if (strcmp(v, "--plain") == 0)
			o.plain = true;
		else if (strcmp(v, "--no-probe") == 0)
			o.no_probe = true;
		else if (strcmp(v, "--mouse") == 0)
			o.mouse = true;
		else if (strcmp(v, "--crash") == 0)
			crash = true;
		else if (strcmp(v, "--info") == 0)
			info = true;
		else if (strcmp(v, "--theme") == 0)
			o.theme = next, i++;
		else if (strcmp(v, "--record") == 0)
			o.record = next, i++;
		else if (strcmp(v, "--play") == 0)
			o.play = next, i++;
		else if (strcmp(v, "--slow") == 0)
			slow = atoi(next), i++;
		else
			return 2;
	}
	term_locale();
	if (info)
		return term_info(o.no_probe, stdout, NULL);
	int status = run(&o, slow);
	if (status > 128) {
		signal(status - 128, SIG_DFL);
		raise(status - 128);
	}
	return status;
}
