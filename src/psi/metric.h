/* metric.h: numbers about finished samples.  Pure, any thread. */
#ifndef PSI_PSI_METRIC_H
#define PSI_PSI_METRIC_H

#include <stdint.h>

/* Entropy in nats of the token counts of one sample (psi-samplers.md section
 * 9); negative ids are skipped; 0 for none, NAN when out of memory. */
double metric_entropy(int n, const int32_t *tok);

#endif
