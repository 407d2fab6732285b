/*
 * dropout.c: see dropout.h.  Eight columns take one block of Philox: half words
 * against the rate, rounded to 1/65536.  The counter is that of rng.h: row and
 * stage, block and operation, step, sample.
 */
#include "net/dropout.h"

#include <math.h>

#include "base/rng.h"
#include "net/exec.h"

#define PIECE 128 /* columns at a time */

struct dropout
dropout_of(const struct exec *x, const struct net_op *op)
{
	struct dropout d = { .op = (uint16_t)(op - x->net->op), .kern = x->kern, .keep = 1 };

	if (!x->drop || !(op->drop > 0))
		return d;
	d.seed = x->drop->seed;
	d.step = x->drop->step;
	d.first = x->drop->first;
	d.limit = (uint32_t)lrint((double)op->drop * 65536);
	d.keep = d.limit < 65536 ? (float)(65536. / (65536. - d.limit)) : 0;
	return d;
}

void
dropout_mask(const struct dropout *d, int sample, int row, int column, int n, float *out)
{
	uint32_t key[2] = { (uint32_t)d->seed, (uint32_t)(d->seed >> 32) };
	uint32_t ctr[4] = { (uint32_t)row | (uint32_t)STAGE_DROPOUT << 24, (uint32_t)column / 8 | (uint32_t)d->op << 16,
			    d->step, d->first + (uint32_t)sample };

	d->kern->mask(ctr, key, d->limit, d->keep, n, out);
}

void
dropout_apply(const struct dropout *d, int sample, int row, int column, int n, float *x)
{
	float mask[PIECE];

	for (int j = 0; j < n; j += PIECE) {
		int count = n - j < PIECE ? n - j : PIECE;
		dropout_mask(d, sample, row, column + j, count, mask);
		for (int i = 0; i < count; i++)
			x[j + i] *= mask[i];
	}
}
