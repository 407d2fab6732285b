/*
 * curriculum.h: inputs of the Gaussian curricula (arXiv 2506.10892; the
 * efficient form 2602.21185).  The latent of a position is
 *     w = a onehot(x) + s eps in R^K;  z_t = argmax w;  input = softmax(w / tau).
 * `efficient` draws the k largest coordinates only, by order statistics, and
 * the mean of the rest; `simple` draws all K.  Both follow the same law.
 * Double; nothing is allocated; pure, any thread.
 */
#ifndef PSI_TRAIN_CURRICULUM_H
#define PSI_TRAIN_CURRICULUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"

/* Limits of what one position's stream of random words can serve. */
#define CURRICULUM_K_MAX 30000           /* k */
#define CURRICULUM_VOCAB_MAX (1 << 18)   /* K of `simple` */

struct curriculum {
	int K;                       /* tokens */
	int k;                       /* kept: 1 .. K-1 */
	double tau;                  /* > 0 */
	bool compat;                 /* as published: z_t = x whenever x is among the k, ids by Floyd's rule, the
	                                normaliser A; biases z_t */
};

/* ST_USAGE unless k and tau have a meaning. */
enum status curriculum_check(const struct curriculum *c, struct error *e);

/* Signal and noise of the Gaussian latent. */
struct curriculum_time {
	double a, s;
};

struct curriculum_time curriculum_time_at(double gamma);

/* The numbers a draw is made of: r [k] in (0,1), q [k] in [0,1), eps a normal. */
struct curriculum_chance {
	double *r, *q, eps;
};

/* From the stream of one position (STAGE_FORWARD; pos, sample and step say which). */
void curriculum_chances(const struct curriculum *c, const struct noise *n, struct curriculum_chance *out);

/* What a draw gives.  The arrays [k] belong to the caller. */
struct curriculum_draw {
	double *log_u, *g;           /* the k largest of the K-1 zero-mean coordinates: log Phi(g/s), g; descending */
	int32_t *ids;                /* whose they are */
	double w_true;               /* the true token's coordinate */
	int rank;                    /* its rank, k+1: not among the k */
	int32_t *index;              /* the k kept tokens ... */
	double *value, *weight;      /* ... their coordinates, and softmax weights (they do not sum to 1) */
	double log_norm;             /* log of the softmax's denominator */
	int z;                       /* z_t */
};

/* k (k + 1) / 2 comparisons at most. */
void curriculum_draw(const struct curriculum *c, const struct curriculum_time *t, const struct curriculum_chance *in,
                     int x, struct curriculum_draw *out);

/* The same from all coordinates: input [K] = softmax(w / tau).  Returns z_t; *log_norm may be NULL. */
int curriculum_simple(const struct curriculum *c, const struct curriculum_time *t, const struct noise *n, int x,
                      float *input, double *log_norm);

#endif
