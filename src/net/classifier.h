/*
 * classifier.h: what guidance sees of a noisy classifier, log p(y | tokens,
 * sigma) and its gradient with respect to the one-hot input (psi-samplers.md
 * section 6; networks.md, last section).  Nothing here names an architecture.
 *
 * The gradient comes in two halves, as logits do: a trunk pass and a walk back
 * give F floats a position, and `rows` makes of them, for chosen positions, V
 * numbers each.  One thread at a time for the passes, one for rows.
 */
#ifndef PSI_NET_CLASSIFIER_H
#define PSI_NET_CLASSIFIER_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "net/flat.h"

struct classifier {
	int L, V, classes;
	int F;		   /* floats of the gradient per position, before `rows` */
	struct pool *pool; /* borrowed */

	/* tok [n,L], sigma [n] -> out [n,classes], natural logarithms. */
	enum status (*log_p)(struct classifier *c, int n, const int32_t *tok, const double *sigma, double *out,
			     struct cancel *cancel, struct error *e);
	/* label [n] -> feat [n,L,F], the gradient of log p(label | tok, sigma). */
	enum status (*gradient)(struct classifier *c, int n, const int32_t *tok, const double *sigma, const int *label,
				float *feat, struct cancel *cancel, struct error *e);
	/* feat [n,F], any positions -> grad [n,V]: up to a constant of its row
	 * (differences are what guidance uses).  May be called from
	 * cancel->between of a running pass. */
	enum status (*rows)(struct classifier *c, int n, const float *feat, float *grad, struct cancel *cancel,
			    struct error *e);
	void (*free)(struct classifier *c);
	void *priv;
};

void classifier_free(struct classifier *c); /* NULL is fine */

/* log p(label | tok with position l set to j) - log p(label | tok) for every l
 * and j: out [L,V], in L (V - 1) + 1 evaluations.  mask >= 0: only of positions that
 * hold it, 0 elsewhere. */
enum status classifier_exact(struct classifier *c, const int32_t *tok, double sigma, int label, int mask, float *out,
			     struct cancel *cancel, struct error *e);

/* The last layer, in double: the mean of feat [rows,width], `weight` [classes,
 * width] and `bias` -> natural logarithms log_p [classes]; mean [width] is left
 * to the caller.  ST_NUMERIC if they are not finite. */
enum status classifier_layer(int rows, int width, int classes, const float *feat, const float *weight,
			     const float *bias, double *mean, double *log_p, struct error *e);

/*
 * Training, for learn_pass's `features`: the cross entropy -log p(label) of n
 * inputs, by the parameters classifier.weight and classifier.bias in param (laid
 * out as f says).
 *     feat [n,L,F] -> loss [n]; *right: how many labels are the likeliest class
 *     d_feat [n,L,F]: the gradient of weight * (sum of loss), written; NULL: not asked
 *     grad: flat, that of the two parameters added to; NULL: not asked
 * Of an image network the first rows of each input are its pixels, the rest is
 * not looked at and has no gradient.  ST_USAGE: a label that is no class.
 */
enum status classifier_loss(const struct flat *f, const float *param, int n, const float *feat, const int *label,
			    double weight, double *loss, int *right, float *d_feat, float *grad, struct error *e);

#endif
