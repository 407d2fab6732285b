/*
 * draw.h: from rows of logits to tokens: log x_theta, guidance, filters, and
 * the draw that settles a position (architecture.md section 2, moves 3 and
 * 4).  Internal to src/psi.  Any thread, each with its own scratch.
 */
#ifndef PSI_PSI_DRAW_H
#define PSI_PSI_DRAW_H

#include "psi/deal.h"

struct draw_scratch {
	int *order;              /* [V], for filters */
	double *law[3];          /* [V] each, for explicit draws; NULL otherwise */
};

/* One position to settle. */
struct drawn {
	enum part part;
	int z;                   /* the token held */
	struct noise noise;
	int tok;                 /* out */
	enum cause cause;        /* out */
	float prob;              /* out; unchanged where the position is untouched */
};

/* What a network said about one position; all [V] but the last overwritten. */
struct said {
	float *logit;	    /* the conditional denoiser */
	float *logit_u;	    /* the unconditional one; NULL unless v->two */
	const float *ratio; /* the classifier: log p(y | j here) up to a constant; NULL unless v->cls */
};

/* false: NaN or nothing to draw. */
bool draw_row(const struct move *v, const struct said *said, struct drawn *d, struct draw_scratch *s);

/* q(0|t) at the token held, for `informed`; NAN when the row holds NaN. */
double draw_p_held(const struct move *v, const struct said *said, int z, struct draw_scratch *s);

/* A position that the deal settles without a row. */
void draw_without_row(const struct move *v, struct drawn *d);

#endif
