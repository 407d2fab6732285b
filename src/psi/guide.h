/*
 * guide.h: guidance, classifier-free and by a classifier
 * (psi-samplers.md section 6; arXiv 2412.10193).  Pure, any thread.
 */
#ifndef PSI_PSI_GUIDE_H
#define PSI_PSI_GUIDE_H

#include <stdbool.h>

/* out = g log c + (1-g) log u, normalised; log laws [V], -INFINITY for zero.
 * g = 0 and g = 1 give u and c untouched.  Zero where either law is zero; if
 * nothing is left, c.  out may alias either. */
void guide_mix(int V, const float *log_c, const float *log_u, double g, float *out);
void guide_mix_double(int V, const double *log_c, const double *log_u, double g, double *out);

/* The same on probabilities: what the published code does to posteriors. */
void guide_mix_law(int K, const double *c, const double *u, double g, double *out);

/* Classifier guidance of a law q: q_j times exp(g (ratio_j - ratio_z)), normalised,
 * in place.  ratio [K]: log p(y | the position holds j) up to a constant, or its
 * first-order form, the gradient with respect to the one-hot input; z: the
 * token held.  false: a NaN or infinity among the ratios. */
bool guide_tilt(int K, const float *ratio, int z, double g, double *q);

#endif
