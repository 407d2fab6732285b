/*
 * vocab.h: the loops over a whole row of the vocabulary in the sampling path.
 * Float rows, sums in double in a fixed order, no fused multiply-add: the
 * baseline and the AVX2 form give the same bits.  Pure, any thread.
 */
#ifndef PSI_PSI_VOCAB_H
#define PSI_PSI_VOCAB_H

#include <stdbool.h>

#include "base/rng.h"

/* log sum_j exp(x[j]); -INFINITY if all are, NAN if any is NaN or +INFINITY. */
double vocab_log_sum(int V, const float *x);

/* out[j] = exp(x[j]) for x up to about 88, 0 below -87; n <= VOCAB_BLOCK; out
 * has room for VOCAB_BLOCK floats (past n: 0). */
#define VOCAB_BLOCK 128
void vocab_exp(int n, const float *x, float *out);

/* x[j] -= by. */
void vocab_shift(int V, float *x, double by);

/* The token argmax_j log_w[j] + Gumbel_j, the Gumbel of token j made from word
 * j of (n, stage): computed as argmin E_j / exp(log_w[j]), E = -log u
 * (architecture.md section 4).  log_w: up to a constant a log law, entries
 * near or below 0; -INFINITY is never drawn.  -1 when nothing can be drawn.
 * Relative error of E and exp below 3e-7. */
int vocab_draw(int V, const float *log_w, const struct noise *n, enum stage stage);

/* The same in double from a law q (any scale); explicit draws. */
int vocab_draw_law(int K, const double *q, const struct noise *n, enum stage stage);

/* For tests: which form runs, and forcing the baseline. */
const char *vocab_name(void);
void vocab_force_baseline(bool on);

#endif
