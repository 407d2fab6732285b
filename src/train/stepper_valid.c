/*
 * stepper_valid.c: the bound of held-out samples, by fixed noise.  The average
 * changes places with the weights meanwhile, so that validation takes no memory
 * of its own.
 */
#include <math.h>

#include "train/stepper_private.h"

#define SWAP_PIECE 65536

struct swap {
	float *a, *b;
	size_t n;
};

static void
swap_item(void *arg, int item, int worker)
{
	const struct swap *s = arg;
	size_t first = (size_t)item * SWAP_PIECE, end = first + SWAP_PIECE < s->n ? first + SWAP_PIECE : s->n;

	(void)worker;
	for (size_t i = first; i < end; i++) {
		float kept = s->a[i];
		s->a[i] = s->b[i];
		s->b[i] = kept;
	}
}

/* Weights and average change places. */
static void
swap_average(struct stepper *s)
{
	struct swap swap = { s->state->param, s->state->ema, s->state->flat.floats };

	pool_run(s->pool, POOL_TRAIN, (int)((swap.n + SWAP_PIECE - 1) / SWAP_PIECE), swap_item, &swap, NULL);
	learn_changed(s->learn);
}

enum { VALID_SUM, VALID_SQUARES, VALID_RIGHT, VALID_SUMS };

/* Samples first .. end-1 of n, added to sum. */
static enum status
look(struct stepper *s, int first, int end, int n, double *sum, struct cancel *c, struct error *e)
{
	struct batch *b = &s->batch;
	enum status st = ST_OK;
	int right;

	b->kind = BATCH_NOISE;
	b->held = true;
	b->total = n;
	b->first = first;
	for (; b->first < end && st == ST_OK; b->first += b->n) {
		b->n = end - b->first < s->plan.micro ? end - b->first : s->plan.micro;
		st = batch_fill(s, c, e);
		if (st == ST_OK)
			st = batch_pass(s, 1, NULL, &right, c, e);
		for (int i = 0; st == ST_OK && i < b->n; i++) {
			double each = batch_loss(s, i) / (double)s->counted;
			sum[VALID_SUM] += each;
			sum[VALID_SQUARES] += each * each;
		}
		if (st == ST_OK)
			sum[VALID_RIGHT] += right;
	}
	return st;
}

enum status
stepper_valid(struct stepper *s, bool raw, struct bound_numbers *out, struct cancel *c, struct error *e)
{
	int n = s->job->valid_samples, size = s->reduce->size;
	double sum[VALID_SUMS] = { 0 };

	if (n < 1)
		return error_set(e, ST_USAGE, "a validation over no samples");
	int first = (int)((int64_t)n * s->reduce->rank / size), end = (int)((int64_t)n * (s->reduce->rank + 1) / size);
	if (!raw)
		swap_average(s);
	enum status st = look(s, first, end, n, sum, c, e);
	if (!raw)
		swap_average(s);
	if (st == ST_OK && s->reduce->doubles)
		st = s->reduce->doubles(s->reduce->arg, sum, VALID_SUMS, e);
	if (st != ST_OK)
		return st;
	double mean = sum[VALID_SUM] / n, spread = sum[VALID_SQUARES] / n - mean * mean;
	if (!isfinite(mean))
		return error_set(e, ST_NUMERIC, "step %lld: the validation bound is %g", (long long)s->state->step,
			mean);
	*out = (struct bound_numbers){ .nats = mean, .error = n > 1 ? sqrt(fmax(spread, 0) / (n - 1)) : NAN,
		.samples = n, .accuracy = s->job->goal == JOB_CLASSIFIER ? sum[VALID_RIGHT] / n : NAN };
	return ST_OK;
}
