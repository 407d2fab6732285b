/*
 * bench_train_unet.c: times of a training step of the U-Net at the published
 * size (ch 128, mult 1,2,2,2: 35.8 million weights), batch 8: forward, loss,
 * back, clip, AdamW, average.  Every pixel is masked, so that each has a loss.
 * Prints `name value unit` lines; run.sh puts them beside those of
 * peer_train_unet.py.
 *
 * usage: bench_train_unet [SECONDS [THREADS [ch of a smaller one]]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "clock.h"
#include "base/mem.h"
#include "models/describe.h"
#include "net/learn.h"
#include "train/adam.h"
#include "train/loss.h"

#define BATCH 8
#define LENGTH 3072
#define BINS 257
#define ITEM_ROWS 32
#define ITEM_WEIGHTS 65536

struct job {
	struct flat flat;
	struct pool *pool;
	struct learn *learn;
	float *param, *grad, *m, *v, *ema;
	int32_t *tok, *clean;
	struct adam a;
	struct adam_step s;
	int64_t steps;
	/* of a loss */
	int n;
	const int *at;
	float *logit;
	double *square; /* per item */
};

static void
loss_item(void *arg, int item, int worker)
{
	const struct job *j = arg;
	const struct loss l = { .kind = LOSS_MDLM, .V = BINS, .mask = BINS - 1 };
	const struct loss_time t = { .a = .5, .na = .5, .slope = -1 };
	int end = (item + 1) * ITEM_ROWS < j->n ? (item + 1) * ITEM_ROWS : j->n;

	(void)worker;
	for (int i = item * ITEM_ROWS; i < end; i++) {
		float *row = j->logit + (size_t)i * BINS;
		loss_row(&l, &t, j->clean[j->at[i]], BINS - 1, row, 1. / (BATCH * LENGTH), row);
	}
}

static enum status
loss_rows(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct job *j = arg;

	(void)e;
	j->n = n;
	j->at = at;
	j->logit = logit;
	return pool_run(j->pool, POOL_TRAIN, (n + ITEM_ROWS - 1) / ITEM_ROWS, loss_item, j, c);
}

static size_t
piece(const struct job *j, int item)
{
	size_t rest = j->flat.floats - (size_t)item * ITEM_WEIGHTS;

	return rest < ITEM_WEIGHTS ? rest : ITEM_WEIGHTS;
}

static void
square_item(void *arg, int item, int worker)
{
	const struct job *j = arg;

	(void)worker;
	j->square[item] = adam_squares(piece(j, item), j->grad + (size_t)item * ITEM_WEIGHTS);
}

static void
update_item(void *arg, int item, int worker)
{
	const struct job *j = arg;
	size_t at = (size_t)item * ITEM_WEIGHTS;

	(void)worker;
	adam_update(&j->a, &j->s, piece(j, item), j->param + at, j->m + at, j->v + at, j->ema + at, j->grad + at);
}

static enum status
update(struct job *j, struct error *e)
{
	int items = (int)((j->flat.floats + ITEM_WEIGHTS - 1) / ITEM_WEIGHTS);
	double sum = 0;

	pool_run(j->pool, POOL_TRAIN, items, square_item, j, NULL);
	for (int i = 0; i < items; i++)
		sum += j->square[i];
	enum status st = adam_begin(&j->a, ++j->steps, sqrt(sum), &j->s, e);
	if (st == ST_OK)
		pool_run(j->pool, POOL_TRAIN, items, update_item, j, NULL);
	learn_changed(j->learn);
	return st;
}

/* Everything of a step; times of the pass alone in *pass. */
static enum status
step(struct job *j, bool backward, double *pass, struct error *e)
{
	struct net_input in = { .n = BATCH, .tok = j->tok };
	struct learn_dropout drop = { .seed = 1, .step = (uint32_t)j->steps };
	struct learn_pass p = { .in = &in, .drop = &drop, .loss = loss_rows, .arg = j };
	double start = now(CLOCK_MONOTONIC);

	if (backward)
		p.grad = j->grad;
	if (backward)
		memset(j->grad, 0, j->flat.floats * sizeof *j->grad);
	enum status st = learn_pass(j->learn, &p, NULL, e);
	*pass = now(CLOCK_MONOTONIC) - start;
	return st == ST_OK && backward ? update(j, e) : st;
}

static bool
set_up(struct job *j, int ch, int threads, struct error *e)
{
	struct config c = { .algo = ALGO_MDLM, .backbone = BACKBONE_UNET, .vocab = BINS, .length = LENGTH,
			    .mask = BINS - 1, .ch = ch, .num_scales = 4, .ch_mult = { 1, 2, 2, 2 },
			    .num_res_blocks = 2, .attn_scale = 1,
			    .unet_time = 1, .time_embed_dim = ch, .time_scale_factor = 1000, .skip_rescale = 1,
			    .dropout = .1 };
	struct net *net = net_new();

	j->pool = pool_new(threads);
	if (unet_describe(&c, net, e) != ST_OK || net_finish(net, e) != ST_OK || flat_make(net, &j->flat, e) != ST_OK)
		return false;
	float **all[] = { &j->param, &j->grad, &j->m, &j->v, &j->ema };
	for (int i = 0; i < 5; i++)
		*all[i] = flat_new(&j->flat);
	flat_init(&j->flat, 1, j->param);
	for (size_t i = 0; i < j->flat.floats; i++)
		if (j->param[i] == 0)
			j->param[i] = (float)((double)(i * 7919 % 997) / 997 - .5) * .05f;
	memcpy(j->ema, j->param, j->flat.floats * sizeof *j->ema);
	j->square = calloc(j->flat.floats / ITEM_WEIGHTS + 1, sizeof *j->square);
	j->tok = calloc(BATCH * LENGTH, sizeof *j->tok);
	j->clean = calloc(BATCH * LENGTH, sizeof *j->clean);
	for (int i = 0; i < BATCH * LENGTH; i++) {
		j->clean[i] = i * 7919 % (BINS - 1);
		j->tok[i] = i % 3 ? BINS - 1 : j->clean[i];
	}
	j->a = adam_usual();
	struct learn_setup s = { .flat = &j->flat, .param = j->param, .kern = kern_best(), .pool = j->pool, .n = BATCH,
				 .backward = true };
	return learn_new(&s, &j->learn, e) == ST_OK;
}

int
main(int argc, char **argv)
{
	double patience = argc > 1 ? atof(argv[1]) : 4, before = resident_mb(), start;
	double best[3] = { INFINITY, INFINITY, INFINITY }, cpu = INFINITY, pass;
	struct job j = { 0 };
	struct error e = { 0 };

	if (!set_up(&j, argc > 3 ? atoi(argv[3]) : 128, argc > 2 ? atoi(argv[2]) : 0, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	printf("# kernels: %s, %d threads, U-Net of %.1f million weights, batch %d\n", kern_best()->name,
	       pool_threads(j.pool), (double)net_parameters(j.flat.net) / 1e6, BATCH);
	start = now(CLOCK_MONOTONIC);
	for (int n = 0; n < 4 || now(CLOCK_MONOTONIC) - start < patience; n++) {
		double at = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
		if (step(&j, true, &pass, &e) != ST_OK) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		if (n == 0)
			continue;
		best[0] = fmin(best[0], now(CLOCK_MONOTONIC) - at);
		cpu = fmin(cpu, now(CLOCK_PROCESS_CPUTIME_ID) - used);
		best[1] = fmin(best[1], pass);
	}
	for (int n = 0; n < 3; n++) {
		step(&j, false, &pass, &e);
		best[2] = fmin(best[2], pass);
	}
	printf("unet8.step %.3f ms\nunet8.step_cpu %.3f ms\nunet8.pass %.3f ms\nunet8.loss %.3f ms\n", 1e3 * best[0],
	       1e3 * cpu, 1e3 * best[1], 1e3 * best[2]);
	printf("unet8.memory %.1f MB\n", resident_mb() - before);
	printf("# of that %.1f MB values, gradients of values and prepared weights\n",
	       (double)learn_bytes(j.learn) / 1048576);
	learn_free(j.learn);
	pool_free(j.pool);
	return 0;
}
