/*
 * stepper_util.h: for the tests of stepper and trainer: jobs so small that a
 * step takes no time, and everything that a step stands on.
 */
#ifndef PSI_TESTS_STEPPER_UTIL_H
#define PSI_TESTS_STEPPER_UTIL_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "train/stepper.h"

/* Sudoku of 4 rows, a transformer of a few thousand weights. */
__attribute__((unused)) static struct job
tiny_job(enum loss_kind loss)
{
	struct job j;

	job_init(&j);
	j.data = JOB_SUDOKU;
	j.sudoku = 4;
	j.loss = loss;
	j.net.backbone = BACKBONE_DIT;
	j.net.hidden = 16;
	j.net.n_blocks = 1;
	j.net.n_heads = 2;
	j.net.cond_dim = 8;
	j.net.dropout = 0.1;
	j.d3pm_steps = 10;
	j.adam = adam_usual();
	j.adam.lr = 1e-3;
	j.adam.warmup = 2;
	j.adam.steps = 8;
	j.batch = 6;
	j.seed = 5;
	j.valid_samples = 16;
	j.curriculum = JOB_PLAIN;
	j.cur.k = 2;
	j.cur.tau = 1e-3;
	j.cur.end = -1;
	j.cur.window = (struct operator_window){ 0 };
	job_settle(&j);
	return j;
}

/* A run that can be stepped. */
struct rig {
	struct job job;
	struct source *source;
	struct train_state *state;
	struct pool *pool;
	struct stepper *stepper;
	struct error e;
};

__attribute__((unused)) static enum status
rig_new(struct rig *r, const struct job *j, int threads, const struct reduce *reduce)
{
	*r = (struct rig){ .job = *j, .pool = pool_new(threads) };
	enum status st = source_open(&r->job, NULL, &r->source, &r->e);
	if (st == ST_OK)
		st = state_new(&r->job, &r->state, &r->e);
	struct stepper_setup s = { &r->job, r->source, r->state, r->pool, reduce };
	if (st == ST_OK)
		st = stepper_new(&s, &r->stepper, &r->e);
	if (st != ST_OK)
		printf("# %s\n", r->e.msg);
	return st;
}

__attribute__((unused)) static void
rig_done(struct rig *r)
{
	stepper_free(r->stepper);
	state_free(r->state);
	source_close(r->source);
	pool_free(r->pool);
}

/* n steps; last [n] or NULL receives what they said. */
__attribute__((unused)) static enum status
rig_run(struct rig *r, int n, struct step_numbers *last)
{
	struct step_numbers one;
	enum status st = ST_OK;

	for (int i = 0; i < n && st == ST_OK; i++) {
		st = stepper_run(r->stepper, &one, NULL, &r->e);
		if (last)
			last[i] = one;
	}
	if (st != ST_OK)
		printf("# %s\n", r->e.msg);
	return st;
}

__attribute__((unused)) static bool
same_bits(const struct train_state *a, const struct train_state *b)
{
	size_t n = a->flat.floats * sizeof(float);

	return a->step == b->step && memcmp(a->param, b->param, n) == 0 && memcmp(a->m, b->m, n) == 0 &&
	       memcmp(a->v, b->v, n) == 0 && memcmp(a->ema, b->ema, n) == 0;
}

#endif
