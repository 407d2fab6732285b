/*
 * deal.h: the first move of a step, without the network: the plan row and the
 * noise decide which part moves each position and whether it needs a row of
 * logits (architecture.md section 2; psi-samplers.md section 4).  Internal to
 * src/psi.  Pure, any thread.
 */
#ifndef PSI_PSI_DEAL_H
#define PSI_PSI_DEAL_H

#include "base/rng.h"
#include "psi/step.h"

/* One step of a leg, its numbers worked out once. */
struct move {
	const struct model *m;
	const struct recipe *r;
	int step;
	struct plan_row row;
	double na, nb;           /* 1 - a, 1 - b, numbers of their own */
	double gap;              /* b - a */
	double sigma;            /* what the network is told */
	double sigma_t, sigma_s; /* SEDD: -log alpha at both ends */
	bool last;               /* noise removal */
	bool two;                /* conditional and unconditional denoiser are both needed */
	bool cls;		 /* a classifier guides the posteriors */
	bool explicit_draw;      /* not a mixture of x_theta, uniform and stay */
	bool informed;           /* kappa per position needs the rows first */
};

enum part {
	PART_STAY,       /* nothing moves it */
	PART_FIXED,      /* clamped */
	PART_NOISE,      /* corrector, noise: no row */
	PART_PRED,       /* predictor; a row is needed from here on */
	PART_CLEAN,      /* corrector, clean */
	PART_LAST,       /* noise removal */
	PART_NEXT,       /* left to right: the next token */
};

static inline bool
part_needs_row(enum part p)
{
	return p >= PART_PRED;
}

/* r must outlive v. */
void move_init(struct move *v, const struct model *m, const struct recipe *r, int step, const struct plan_row *row);

/* The stream of draws of one position. */
struct noise move_noise(const struct move *v, const struct state *in, int sample, int pos);

/* kappa of each position of a sample [L].  p: q(0|t) at the tokens held [L],
 * for `informed`; else ignored. */
void deal_kappa(const struct move *v, const struct state *in, int sample, const double *p, double *kappa);

/* The part of each position of a sample [L]; returns how many need a row. */
int deal_sample(const struct move *v, const struct state *in, int sample, const double *kappa, uint8_t *part);

/* The class that a sample is guided to by a classifier; LABEL_NONE: none. */
int deal_class(const struct move *v, int sample);

/* Labels of the network calls of a sample, conditional first; returns 1 or 2. */
int deal_labels(const struct move *v, int sample, int label[2]);

#endif
