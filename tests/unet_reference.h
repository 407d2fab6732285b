/*
 * unet_reference.h: the U-Net in plain double loops, channel by channel,
 * written from networks.md alone; for small networks.
 */
#ifndef PSI_TESTS_UNET_REFERENCE_H
#define PSI_TESTS_UNET_REFERENCE_H

#include "ckpt/config.h"
#include "dit_reference.h"

struct config unet_config(int side, int V, int ch, int scales, const int *mult, int blocks, int attn, int classes);

/* One sample: tok [L] -> feature [L,2] (mu, log scale) and logit [L,V]. */
void unet_reference(const struct config *c, const struct random_weights *w, const int32_t *tok, double sigma, int label,
		    double *feature, double *logit);
/* Logits of n bins by the formula as it is written, in long double. */
void logistic_reference(int n, double mu, double log_scale, bool fix, double *out);

#endif
