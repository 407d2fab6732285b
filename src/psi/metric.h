/* metric.h: numbers about finished samples.  Pure, any thread. */
#ifndef PSI_PSI_METRIC_H
#define PSI_PSI_METRIC_H

#include <stdint.h>

/* Entropy in nats of the token counts of one sample (psi-samplers.md section
 * 9); negative ids are skipped; 0 for none, NAN when out of memory. */
double metric_entropy(int n, const int32_t *tok);

/* ---- what some numbers say about their mean ---- */

struct interval {
	double mean, lo, hi;             /* of 95%; lo and hi NAN where the numbers are too few to tell */
};

/* Quantile .975 of Student's t with df degrees of freedom, df >= 1. */
double metric_student(int df);
/* Mean of n independent numbers and Student's interval; n 1: the mean alone; n 0: all NAN. */
struct interval metric_mean(int n, const double *x);
/* A share: hits of n, and Wilson's score interval (JASA 22, 1927). */
struct interval metric_share(long hits, long n);

#endif
