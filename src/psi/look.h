/*
 * look.h: everything there is to say about one position of one state: what
 * the inspector shows and what probe writes.
 */
#ifndef PSI_PSI_LOOK_H
#define PSI_PSI_LOOK_H

#include "psi/step.h"

#define LOOK_TOP 64

struct look_entry { int32_t tok; double x_theta, q_0t, q_st, psi; };

/* What guidance did to one token: its probability in the denoiser's law (with
 * the classifier's factor, if there is one), and in that of the conditional
 * and the unconditional denoiser alone, each with the same filters. */
struct look_guided {
	int32_t tok;
	double guided, cond, uncond /* NAN: not asked for */;
};

struct look {
	int z;                       /* the token held */
	double entropy;              /* of the filtered x_theta, nats */
	double p_now;                /* x_theta (filtered) at z; q_0t at z beside it */
	double q_0t_now, psi_now;
	int rank;                    /* of z in x_theta, 1 = first */
	int kept;                    /* tokens left by the filters */
	double kappa;                /* of this position in the coming step */
	bool kappa_mean;             /* `informed`: kappa is the mean, this position's own needs all rows */
	double w_x, w_uniform, w_stay;     /* mixture weights of the predictor part q(s|t) */
	double c_x, c_stay;                /* of the corrector's clean part q(0|t) */
	double b;                          /* corrector: clean with probability b */
	int n;                             /* entries, by x_theta, descending */
	struct look_entry top[LOOK_TOP];
	bool guided;			   /* by labels or by a classifier: `steer` holds */
	struct look_guided steer, drawn;   /* of z; of the token asked for */
	bool explicit_draw;                /* SEDD, posterior-mixed guidance ...: weights are not given */
};

/* The laws of one position, in double.  row: as in a plan; s = 0 and b = 1:
 * noise removal.  z: the token held.  logit [V] and, with guidance, logit_u.
 * ratio [V]: the classifier's, as in guide_tilt, or
 * NULL.  x (always) and the others (may be NULL) [V]: guided and filtered x_theta,
 * q(s|t), q(0|t), Psi at row->kappa.  Score models: x and q_0t are the law of
 * the final step.  Causal models: all are the law of the token.  *kept: tokens
 * left by the filters.  ST_NUMERIC: NaN in the logits. */
enum status look_laws(const struct model *m, const struct recipe *r, const struct plan_row *row, int z,
		      const float *logit, const float *logit_u, const float *ratio, double *x, double *q_st,
		      double *q_0t, double *psi, int *kept, struct error *e);

/* What the networks said about the position. */
struct look_said {
	const float *feat;     /* [F]; of causal models that of the position before, which predicts it */
	const float *feat_u;   /* [F], unconditional; NULL: no guidance by labels */
	const float *gradient; /* [guide->F] or, exact, [V]; NULL: no classifier */
	bool exact;
};

/* step: the coming step of leg l (NULL row: the last state; posteriors are then
 * of noise removal).  tok: the token of out->drawn; -1: none.  x, q_st, q_0t,
 * psi: optional whole vectors [V]. */
enum status look_at(struct model *m, const struct leg *l, int step, const struct state *s, int sample, int pos,
		    const struct look_said *said, int32_t tok, struct look *out, double *x, double *q_st, double *q_0t,
		    double *psi, struct cancel *c, struct error *e);

#endif
