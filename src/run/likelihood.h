/*
 * likelihood.h: how likely given samples are under a diffusion model: bounds on
 * their negative log likelihood by Monte Carlo (psi-samplers.md section 9), in
 * nats per token.  Of the plain denoiser: filters and guidance are no part of
 * a likelihood.  One thread at a time; rows are shared out over the pool.
 */
#ifndef PSI_RUN_LIKELIHOOD_H
#define PSI_RUN_LIKELIHOOD_H

#include "net/model.h"
#include "psi/plan.h"

/* Samples [n,L]; position 0 of a model with a fixed [BOS] is left out. */
struct samples {
	int n, L;
	int32_t *tok;                    /* [n,L] */
	int *label;                      /* [n]; NULL: none */
};
void samples_done(struct samples *s);

struct likelihood {
	int samples;
	double mean, error;              /* of the bound, its standard error */
	double reconstruction, prior;    /* parts of it: the last step, the distance of q_1 to the prior */
};

/* Whether there is such a bound: not of score and causal models; with a recipe
 * (may be NULL) not where kappa depends on the state. */
enum status likelihood_check(const struct model *m, const struct recipe *r, struct error *e);

/* The NELBO in continuous time: a t in [1e-3, 1] for each sample, stratified
 * over them, more of them near 0, where the spread is; the noise is named by
 * seed. */
enum status likelihood_nelbo(struct model *m, const struct samples *s, uint64_t seed, struct likelihood *out,
	struct cancel *c, struct error *e);

/* The Psi-NELBO of the steps of leg l: one of them for each sample, stratified,
 * and the reconstruction at the last time of the grid.  Masked noise: alpha(1)
 * is taken as 0. */
enum status likelihood_psi(struct model *m, const struct leg *l, const struct samples *s, uint64_t seed,
	struct likelihood *out, struct cancel *c, struct error *e);

#endif
