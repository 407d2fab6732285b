/*
 * operator.h: the diffusion transformation operator T (arXiv 2506.10892):
 * the alpha of the discrete process that the argmax of a Gaussian one follows,
 *     w = a onehot(x) + s eps in R^K,  a^2 = sigmoid(-gamma), s^2 = sigmoid(gamma).
 * Double; pure, any thread.
 */
#ifndef PSI_TRAIN_OPERATOR_H
#define PSI_TRAIN_OPERATOR_H

#include "base/error.h"

struct operator_value {
	double alpha, noise;         /* T(gamma) and 1 - T(gamma), each with its own digits */
	double slope;                /* d alpha / d gamma, negative */
};

/* About 400 terms of a sum (tens of microseconds). K >= 2; gamma from
 * OPERATOR_GAMMA_MIN, below which 1 - alpha is 0 for any use. */
#define OPERATOR_GAMMA_MIN (-9.0)
#define OPERATOR_GAMMA_MAX 40.0
void operator_at(int K, double gamma, struct operator_value *v);

/* What the network is told: -log alpha. */
double operator_sigma(const struct operator_value *v);

/* gamma with T(gamma) = alpha, inside the two limits. */
double operator_gamma(int K, double alpha);

/* gamma runs linearly from min at t = 0 to max at t = 1. */
struct operator_window {
	double min, max;
};

/* The window in which alpha runs from .95 to .05. */
struct operator_window operator_window_for(int K);
/* Whether a window given by a user has a meaning: ST_USAGE. */
enum status operator_window_check(const struct operator_window *w, struct error *e);

/* The published short cut: a polynomial in t instead of T, by least squares. */
#define OPERATOR_DEGREE 24
struct operator_poly {
	int degree;
	double width;                            /* max - min */
	double c[OPERATOR_DEGREE + 1];           /* Legendre polynomials of 2 t - 1 */
	double error_alpha, error_slope;         /* largest, of alpha and of d alpha / dt */
};

/* degree 1..OPERATOR_DEGREE. */
enum status operator_fit(int K, const struct operator_window *w, int degree, struct operator_poly *p, struct error *e);
/* alpha at t; *slope (may be NULL): d alpha / dt. */
double operator_poly_at(const struct operator_poly *p, double t, double *slope);

#endif
