/*
 * oracle.h: the exact denoiser of a small data set (psi-samplers.md section
 * 9).  It fills struct model itself: F = V, features are log x_theta, the head
 * copies them.  Uniform noise: the leave-one-out posterior; masked noise: the
 * posterior, uniform over the symbols where no string of the data fits.
 */
#ifndef PSI_MODELS_ORACLE_H
#define PSI_MODELS_ORACLE_H

#include <stddef.h>

#include "net/model.h"

/* data [n,L], symbols 0..symbols-1, copied.  masked: V = symbols + 1, the mask
 * the last id.  model_free releases *out. */
enum status oracle_new(int n, int L, int symbols, const int32_t *data, bool masked, const struct alpha *alpha,
                       struct model **out, struct error *e);

/* x_theta in double: z [L], noise = 1 - alpha_t, x [L,V].  scratch: as many
 * doubles as oracle_scratch says. */
size_t oracle_scratch(const struct model *m);
void oracle_x_theta(const struct model *m, const int32_t *z, double alpha, double noise, double *x, double *scratch);

#endif
