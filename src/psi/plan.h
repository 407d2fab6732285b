/*
 * plan.h: a recipe laid out in time: legs and their rows (psi-samplers.md
 * section 5, architecture.md section 4 "Plans").  Legs are immutable.
 */
#ifndef PSI_PSI_PLAN_H
#define PSI_PSI_PLAN_H

#include "psi/recipe.h"

/* One step from t to s; a = alpha(t), b = alpha(s).  Noise removal: s = 0, b = 1. */
struct plan_row { double t, s, a, b, kappa; };

struct leg {
	struct recipe r;
	int first, n;            /* index of its first step in the run; rows from there to the end */
	int total;               /* first + n */
	struct plan_row *row;    /* [n]; with noise removal the last row is it */
	unsigned char *zone;     /* [n] 0 high, 1 middle, 2 low; 3 noise removal */
	int part_left[3];        /* times after the first in each part and zone: what a new total shares out */
	int times;               /* times of the grid from `first` on: steps left without removal, plus 1; 0: none */
	double *time;            /* [times] */
	unsigned char *time_zone;/* [times] 0 high, 1 middle, 2 low */
	bool grid_ends_at_c;     /* the last part has a single time: said on screen */
	double first_t;          /* time of the state it starts at */
};

#define PLAN_LAST_TIME 1e-5  /* of the grid */

/* Lay out the steps from step `at` (a state at time t) to the end.  from: the
 * leg the state was made by or stands on, NULL at the start of a run.  Steps
 * and profile unchanged: rows at.. of the full plan bit for bit, only kappa
 * anew.  A new number of steps (more than at): the steps left are shared among
 * the parts and zones in proportion to the times each had left (from->time
 * after this state), half to even, the last one that had any takes the
 * remainder; each part keeps its end value.  Another profile or other
 * fractions: the full plan's rows if t is one of its times at this step, else
 * its parts shared out from t.  ST_USAGE when it cannot be laid out.  *out is
 * freed with leg_free by its owner (the tree). */
enum status leg_new(const struct recipe *r, const struct model *m, const struct leg *from, int at, double t,
                    struct leg **out, struct error *e);
void leg_free(struct leg *l);

/* The row of step i of the run, NULL past the end. */
const struct plan_row *leg_row(const struct leg *l, int step);

/* kappa of one step of a sigma mode (a, b at the ends of the step), and its
 * sigma; psi-samplers.md section 5. */
double kappa_of(enum kappa_mode mode, double value, double a, double b, double *sigma);

/* ReMDM conf (arXiv 2503.00307): per position sigma_l = sigma_max
 * softmax_l(-confidence) over decoded positions, sigma_max = min(1, (1-b)/a),
 * the rest keeps kappa 1.  x [L]: in the confidence, NAN where not decoded;
 * out kappa.  nb = 1 - b. */
void kappa_conf(int L, double a, double nb, double *x);

#endif
