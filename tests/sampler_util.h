/*
 * sampler_util.h: how the tests of the sampler thread ask and wait.
 */
#ifndef PSI_TESTS_SAMPLER_UTIL_H
#define PSI_TESTS_SAMPLER_UTIL_H

#include <stdio.h>
#include <time.h>

#include "fake_model.h"
#include "run/sampler.h"

static uint64_t seed = 99;

__attribute__((unused)) static int
draw(int below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (int)((seed >> 33) % (unsigned)below);
}

__attribute__((unused)) static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

__attribute__((unused)) static struct recipe
recipe_of(const struct model *m, int steps, const char *kappa)
{
	struct recipe r;
	char n[16];

	recipe_default(m, false, &r);
	snprintf(n, sizeof n, "%d", steps);
	recipe_set(&r, "steps", n, NULL);
	if (kappa)
		recipe_set(&r, "kappa", kappa, NULL);
	return r;
}

__attribute__((unused)) static struct sampler *
sampler_of(struct fake *f, int samples, size_t cache)
{
	struct sampler_setup setup = { .ema = &f->model, .samples = samples, .cache_bytes = cache };

	return sampler_new(&setup, NULL);
}

/* Wait for the last report of a ticket; others are thrown away. */
__attribute__((unused)) static struct report
answer(struct sampler *s, uint64_t ticket)
{
	struct report r;

	for (;;) {
		sampler_wait(s, &r);
		if (r.ticket == ticket && r.last)
			return r;
		report_done(&r);
	}
}

__attribute__((unused)) static struct report
ask(struct sampler *s, struct request q)
{
	return answer(s, sampler_ask(s, &q));
}

__attribute__((unused)) static struct node *
start(struct sampler *s, const struct recipe *r)
{
	struct report a = ask(s, (struct request){ .kind = RQ_START, .recipe = *r });

	report_done(&a);
	return a.node;
}

__attribute__((unused)) static struct node *
steps(struct sampler *s, struct node *n, const struct recipe *r, int count)
{
	struct report a = ask(s, (struct request){ .kind = RQ_STEP, .node = n, .recipe = *r, .count = count });

	report_done(&a);
	return a.status == ST_OK ? a.node : NULL;
}

/* The families of models that the tests run over. */
struct kind { const char *name; enum output out; int mask; const char *kappa; };
static const struct kind kinds[] = {
	{ "uniform", OUT_MEAN, -1, ".9" }, { "masked", OUT_SUBS, 12, ".9" }, { "causal", OUT_CAUSAL, 12, NULL },
	{ "score", OUT_SCORE, 12, NULL }, { "d3pm", OUT_D3PM, 12, ".9" },
};

__attribute__((unused)) static void
copy_tokens(struct sampler *s, const struct node *n, int samples, int32_t *out)
{
	struct state st;

	state_init(&st, samples, FAKE_L, NULL);
	tree_read(sampler_tree(s), n, &st);
	memcpy(out, st.tok, (size_t)samples * FAKE_L * sizeof *out);
	state_done(&st);
}

#endif
