/*
 * loss.h: training losses of one row of logits, with their gradient
 * (training.md; masked diffusion arXiv 2406.07524, score entropy 2310.16834,
 * D3PM 2107.03006, uniform diffusion 2412.10193, Duo 2506.10892).  Nats.
 *
 * A row is float[V] in and float[V] out; sums over a row, and everything that
 * concerns its one token, are in double.  1 - alpha is a number of its own
 * (`na`), for 1 - a has no digits left near alpha = 1.  Nothing is allocated;
 * pure functions, any thread.
 */
#ifndef PSI_TRAIN_LOSS_H
#define PSI_TRAIN_LOSS_H

#include <stdbool.h>

#include "base/error.h"

enum loss_kind { LOSS_MDLM, LOSS_DUO, LOSS_AR, LOSS_SEDD, LOSS_D3PM, LOSS_KINDS };

const char *loss_name(enum loss_kind k);       /* "mdlm", "duo_base", ... */
enum status loss_by_name(const char *name, enum loss_kind *out, struct error *e);

struct loss {
	enum loss_kind kind;
	int V;
	int mask;            /* id of [MASK]; -1: uniform noise (duo_base), or no mask in the vocabulary (ar) */
	int steps;           /* d3pm: T */
	bool subs;           /* d3pm: the mask's logit is removed */
};

/* The time of a sequence.  ar looks at none of it. */
struct loss_time {
	double a, na;        /* alpha_t, 1 - alpha_t */
	double slope;        /* d alpha / dt, negative; d3pm does not look at it */
	double b, nb;        /* d3pm: alpha_s, 1 - alpha_s; nb = 0 in the first step */
};

/* Whether a position that holds z has any loss: masked noise looks at masked
 * positions only, so that no logits are needed elsewhere. */
bool loss_counts(const struct loss *l, int z);

/* Loss of one position: x its clean token, z what it holds (ar: not looked
 * at), logit [V].  grad [V] = weight * d loss / d logit; always written; it may
 * be logit itself.  Returns the loss, not weighted. */
double loss_row(const struct loss *l, const struct loss_time *at, int x, int z, const float *logit, double weight,
                float *grad);
/* The same with everything in double. */
double loss_row_double(const struct loss *l, const struct loss_time *at, int x, int z, const double *logit,
                       double weight, double *grad);

/* Discrete consistency distillation (arXiv 2506.10892): the student's logits
 * against the teacher's, both [V].  backward: sum p_S log(p_S / p_T), else sum
 * p_T log(p_T / p_S).  grad [V] is with respect to the student's logits and may
 * be `student`, not `teacher`. */
double loss_distill(int V, bool backward, const float *student, const float *teacher, double weight, float *grad);
double loss_distill_double(int V, bool backward, const double *student, const double *teacher, double weight,
                           double *grad);

#endif
