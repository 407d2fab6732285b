/*
 * posterior.h: explicit K-vectors of the reverse posteriors (psi-samplers.md
 * sections 3 and 4; arXiv 2602.21185).  Double throughout.  The inspector,
 * probe and bounds use them; tests prove step() against them.  Pure, any thread.
 */
#ifndef PSI_PSI_POSTERIOR_H
#define PSI_PSI_POSTERIOR_H

/* q(s|t) given x_theta x [K], z the token held, a = alpha_t, b = alpha_s,
 * na = 1 - a, nb = 1 - b (numbers of their own: they lose digits otherwise),
 * mask -1: uniform.  out [K]. */
void posterior_q(int K, int mask, const double *x, int z, double a, double na, double b, double nb, double *out);

/* b - a, from whichever of the two pairs has the digits. */
double posterior_gap(double a, double na, double b, double nb);

/* The published D3PM variants for masked noise with mass on the mask
 * (`--d3pm-compat`), renormalised. */
void posterior_q_published(int K, int mask, const double *x, int z, double a, double na, double b, double nb,
                           double *out);

/* The posterior that D3PM's loss is about: proportional to
 * q(z_t|z_s) (b x + (1-b) mask).  Masked noise; the same as posterior_q where
 * x has no mass on the mask. */
void posterior_q_bayes(int K, int mask, const double *x, int z, double a, double na, double b, double nb, double *out);

/* kappa q_st + (1-kappa) (b q_0t + nb pi). */
void posterior_psi(int K, int mask, const double *q_st, const double *q_0t, double b, double nb, double kappa,
                   double *out);

/* SEDD's analytic step from log scores (psi-samplers.md section 7). last: the
 * final step, the mask's entry 0.  Negative products count as 0; normalised. */
void posterior_sedd(int K, int mask, const double *log_score, int z, double sigma_t, double sigma_s, int last,
                    double *out);

#endif
