/*
 * dropout.c: see dropout.h.  Eight columns take one block of Philox: half words
 * against the rate, rounded to 1/65536.
 */
#include "net/dropout.h"

#include <math.h>

#include "base/rng.h"
#include "net/exec.h"

#define PIECE 64 /* columns at a time */

struct dropout
dropout_of(const struct exec *x, const struct net_op *op)
{
	struct dropout d = { .op = (uint16_t)(op - x->net->op), .keep = 1 };

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
	struct noise at = { .seed = d->seed,
			    .step = d->step,
			    .sample = d->first + (uint32_t)sample,
			    .pos = (uint32_t)row,
			    .nonce = d->op };
	uint32_t word[PIECE / 2];

	for (int j = 0; j < n; j += PIECE) {
		int count = n - j < PIECE ? n - j : PIECE;
		noise_words(&at, STAGE_DROPOUT, (column + j) / 2, (count + 1) / 2, word);
		for (int i = 0; i < count; i++)
			out[j + i] = (word[i / 2] >> (i % 2 * 16) & 0xffff) < d->limit ? 0 : d->keep;
	}
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
