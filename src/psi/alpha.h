/*
 * alpha.h: the noise schedule alpha_t and its inverse (psi-samplers.md
 * section 1; MDLM, arXiv 2406.07524).  Pure functions, any thread.
 */
#ifndef PSI_PSI_ALPHA_H
#define PSI_PSI_ALPHA_H

enum alpha_kind { ALPHA_LOGLINEAR, ALPHA_COSINE };

struct alpha { enum alpha_kind kind; double eps; };

double alpha_at(const struct alpha *a, double t);      /* t in [0,1] */
double alpha_noise(const struct alpha *a, double t);   /* 1 - alpha_t, without cancellation */
double alpha_slope(const struct alpha *a, double t);   /* d alpha / dt */
double alpha_sigma(const struct alpha *a, double t);   /* -log alpha_t */
double alpha_time(const struct alpha *a, double alpha);/* the exact inverse */
double alpha_time_published(const struct alpha *a, double alpha); /* `-inv-duo`: forgets eps */

#endif
