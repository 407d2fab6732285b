/*
 * adam.h: AdamW (arXiv 1711.05101) with warm-up, clipping by the global norm,
 * and the exponential moving average of the weights.  Scalars in double,
 * weights and moments in float.  Nothing is allocated; every loop is over the
 * elements it is given, so that a trainer may share them out; pure, any thread.
 */
#ifndef PSI_TRAIN_ADAM_H
#define PSI_TRAIN_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum adam_schedule { ADAM_CONSTANT, ADAM_COSINE };

struct adam {
	double lr, beta1, beta2, eps, weight_decay;
	double clip;                 /* largest global norm of the gradient; 0: none */
	double ema;                  /* decay of the average */
	enum adam_schedule schedule; /* after the warm-up */
	int64_t warmup, steps;       /* steps: of the whole run, for the cosine */
};

/* .9/.999, 1e-8, no weight decay, clip 1, EMA .9999, constant; lr and warmup for text. */
struct adam adam_usual(void);
enum status adam_check(const struct adam *a, struct error *e);

/* Learning rate of the step that follows `done` steps: 0 for the first one of
 * a constant schedule with warm-up, as published. */
double adam_rate(const struct adam *a, int64_t done);

/* The scalars of step n (1, 2, ...). */
struct adam_step {
	double lr, clip_factor;
	double bias1, bias2;         /* 1 - beta^n */
	double ema;                  /* min(ema, (1 + n) / (10 + n)) */
};

/* grad_norm: 2-norm over all weights before clipping.  ST_NUMERIC, saying
 * which step, when it is not finite: nothing may be updated then. */
enum status adam_begin(const struct adam *a, int64_t n, double grad_norm, struct adam_step *out, struct error *e);

/* Sum of squares of n elements.  Added up in the order of fixed pieces, the
 * norm does not depend on how many threads shared them. */
double adam_squares(size_t n, const float *grad);

/* One step of n elements: weights p, moments m and v, average ema. */
void adam_update(const struct adam *a, const struct adam_step *s, size_t n, float *p, float *m, float *v, float *ema,
                 const float *grad);

#endif
