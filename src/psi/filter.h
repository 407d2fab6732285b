/*
 * filter.h: from a row of logits to log x_theta, and its filters
 * (psi-samplers.md section 2).  Pure, any thread.
 */
#ifndef PSI_PSI_FILTER_H
#define PSI_PSI_FILTER_H

#include "net/model.h"

/* logits [V] -> log x_theta [V], natural log, -INFINITY for zero.  z: the token
 * the position holds.  SUBS: mask -inf; one-hot at unmasked positions.  SCORE:
 * log score (not a distribution).  CAUSAL: the mask's slot -inf.  In and out
 * may alias. */
void filter_log_x(const struct model *m, const float *logit, int z, double sigma, float *out);
void filter_log_x_double(const struct model *m, const float *logit, int z, double sigma, double *out);

/* Temperature on the logits (log x / T), then top-p, then top-k, renormalised:
 * zeros become -INFINITY.  top_p 1, top_k 0, temperature 1: off.  An exact hit of
 * top_p takes no further token (within 1e-12, in float 1e-6); of equal ones the
 * lower ids are kept.  scratch: V ints.  Returns the number of tokens kept. */
int filter_apply(int V, float *log_x, double temperature, double top_p, int top_k, int *scratch);
int filter_apply_double(int V, double *log_x, double temperature, double top_p, int top_k, int *scratch);

/* Whether these settings change anything. */
bool filter_off(double temperature, double top_p, int top_k);

/* Entropy in nats of exp(log_x). */
double filter_entropy(int V, const float *log_x);

#endif
