/*
 * bound.h: likelihood bounds of one position (psi-samplers.md section 9;
 * arXiv 2406.07524, 2506.10892, 2602.21185).  Nats.  alpha is taken as given:
 * the prior term, and alpha(1) := 0 for masked noise, belong to the report
 * that sums these up.  Double throughout.  Pure, any thread.
 */
#ifndef PSI_PSI_BOUND_H
#define PSI_PSI_BOUND_H

/* sum_j p_j log(p_j / q_j), >= 0; INFINITY where q has no mass and p has. */
double bound_kl(int K, const double *p, const double *q);

/* The NELBO's integrand at t for a token x0 noised to z: a = alpha_t, na =
 * 1 - a, slope = d alpha / dt (negative), x = x_theta [K].  >= 0. */
double bound_nelbo(int K, int mask, int x0, int z, const double *x, double a, double na, double slope);

/* One step's term of the Psi-NELBO given z:
 * KL( Psi(s|t)(.|x0, z) || Psi_theta(s|t)(.|z) ).  scratch: 5 K doubles. */
double bound_psi_step(int K, int mask, int x0, int z, const double *x, double a, double na, double b, double nb,
                      double kappa, double *scratch);

/* -log q_theta(0|t)(x0 | z) at the last time of the grid.  scratch: K doubles. */
double bound_reconstruction(int K, int mask, int x0, int z, const double *x, double a, double na, double *scratch);

/* KL( q_1(.|x) || prior ), a = alpha(1); INFINITY for masked noise unless a is 0. */
double bound_prior(int K, int mask, double a, double na);

#endif
