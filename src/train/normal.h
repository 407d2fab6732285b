/*
 * normal.h: the normal law in the tails: quantile, log of the distribution
 * function, and means of exponentials below a bound.  Double; pure, any thread.
 */
#ifndef PSI_TRAIN_NORMAL_H
#define PSI_TRAIN_NORMAL_H

/* exp(y^2) erfc(y), y >= 3. */
double normal_erfcx(double y);

/* log Phi(h), good to rounding in both tails. */
double normal_log_cdf(double h);

/* x with Phi(x) = p, 0 < p < 1; good to rounding for p <= 1/2 (above that p
 * has lost the digits: take -quantile(1 - p) with 1 - p from its own digits). */
double normal_quantile(double p);

/* Phi^-1(exp(log_u)), from whichever tail is nearer; log_u < 0. */
double normal_quantile_log(double log_u);

/* log E[ e^(G/tau) | G < c ] for G ~ N(0, s^2). */
double normal_log_mean_exp(double s, double tau, double c);

#endif
