/*
 * corrupt.h: the forward process of the discrete losses: z_t from x.  Pure,
 * any thread.
 */
#ifndef PSI_TRAIN_CORRUPT_H
#define PSI_TRAIN_CORRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

/* Each of the L tokens of x keeps its value with probability alpha, 1 - alpha
 * being `na`; else it becomes `mask`, or if that is -1 one of the K tokens,
 * each alike (its own among them).  first_fixed: position 0 stays (ignore_bos).
 * The noise's seed, step and sample name the draw.  z may be x. */
void corrupt(const struct noise *n, int L, const int32_t *x, int mask, int K, double na, bool first_fixed, int32_t *z);

#endif
