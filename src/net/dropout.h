/*
 * dropout.h: which elements a training pass drops.  A mask is a function of the
 * seed, the step, the operation, the global sample, the row and the column, so
 * the way back draws it again and no split into micro-batches changes it.
 * Pure, any thread.
 */
#ifndef PSI_NET_DROPOUT_H
#define PSI_NET_DROPOUT_H

#include <stdint.h>

struct exec;
struct kern;
struct net_op;

/* The mask of one operation in one pass. */
struct dropout {
	const struct kern *kern;
	uint64_t seed;
	uint32_t step, first;	/* global number of the pass's sample 0 */
	uint16_t op;		/* number of the operation */
	uint32_t limit;		/* a half word below this drops; 0: nothing is dropped */
	float keep;		/* what the others are multiplied with, 1 / (1 - limit / 2^16) */
};

/* For an operation of x->net; limit 0 unless x->drop is set and the operation
 * has a rate. */
struct dropout dropout_of(const struct exec *x, const struct net_op *op);

/* out[n] = 0 or `keep` for columns column.. of a row; sample: within the pass
 * (exec.in_first included); column: a multiple of 8; row < 2^24. */
void dropout_mask(const struct dropout *d, int sample, int row, int column, int n, float *out);

/* x *= mask, in place. */
void dropout_apply(const struct dropout *d, int sample, int row, int column, int n, float *x);

#endif
