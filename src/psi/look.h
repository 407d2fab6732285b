/*
 * look.h: everything there is to say about one position of one state: what
 * the inspector shows and what probe writes.
 */
#ifndef PSI_PSI_LOOK_H
#define PSI_PSI_LOOK_H

#include "psi/step.h"

#define LOOK_TOP 64

struct look_entry { int32_t tok; double x_theta, q_0t, q_st, psi; };

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
	bool explicit_draw;                /* SEDD, posterior-mixed guidance ...: weights are not given */
};

/* The laws of one position, in double.  row: as in a plan; s = 0 and b = 1:
 * noise removal.  z: the token held.  logit [V] and, with guidance, logit_u.
 * x (always) and the others (may be NULL) [V]: guided and filtered x_theta,
 * q(s|t), q(0|t), Psi at row->kappa.  Score models: x and q_0t are the law of
 * the final step.  Causal models: all are the law of the token.  *kept: tokens
 * left by the filters.  ST_NUMERIC: NaN in the logits. */
enum status look_laws(const struct model *m, const struct recipe *r, const struct plan_row *row, int z,
                      const float *logit, const float *logit_u, double *x, double *q_st, double *q_0t, double *psi,
                      int *kept, struct error *e);

/* feat: [F] of this position (causal models: of the one before, which predicts
 * it), or conditional and unconditional (u NULL: no guidance).  step:
 * the coming step of leg l (NULL row: the last state; posteriors are then of
 * noise removal).  x, q_st, q_0t, psi: optional whole vectors [V]. */
enum status look_at(struct model *m, const struct leg *l, int step, const struct state *s, int sample, int pos,
                    const float *feat, const float *feat_u, struct look *out,
                    double *x, double *q_st, double *q_0t, double *psi, struct cancel *c, struct error *e);

#endif
