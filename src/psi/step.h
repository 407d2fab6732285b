/*
 * step.h: the one pure function step(model, state, recipe) -> state
 * (architecture.md section 2): deal, features, rows, draw, node.
 */
#ifndef PSI_PSI_STEP_H
#define PSI_PSI_STEP_H

#include "psi/plan.h"

enum cause {
	CAUSE_UNTOUCHED,
	CAUSE_PRED_SAME,     /* predictor touched it, same token */
	CAUSE_PRED,          /* predictor, from x_theta: token changed */
	CAUSE_PRED_NOISE,    /* predictor, uniform part */
	CAUSE_CORR_SAME,
	CAUSE_CORR,          /* corrector, from x_theta */
	CAUSE_CORR_NOISE,    /* corrector, uniform token */
	CAUSE_REMASK,        /* corrector, noise, masked prior */
	CAUSE_REMOVAL,       /* noise removal changed it */
	CAUSE_CLAMP,
	CAUSE_EDIT,
	CAUSE_COUNT
};

/* The one list of causes: mark, words, colour (screen.md). */
struct cause_info { const char *name; char mark /* 0: none */; const char *words; short colour; };
const struct cause_info *cause_info(enum cause c);
/* The token is another one.  Not CAUSE_CLAMP: a clamped position carries it in
 * every state, in that of the edit which clamped it too. */
bool cause_changed(enum cause c);

struct state {                       /* S samples of L positions; arrays owned by whoever made the struct */
	int S, L;
	int32_t *tok;                /* [S*L]; -1: not drawn yet (causal) */
	uint8_t *cause;              /* [S*L] enum cause of the step that made this state */
	float *prob;                 /* [S*L] probability of tok under the filtered x_theta when drawn; carried while
	                              * untouched; 1: clamp, edit; 0: not drawn from it (start, corrector noise) */
	uint8_t *fixed;              /* [S*L] clamped */
	uint16_t *nonce;             /* [S*L] draws again on request: part of the noise of the step made from here;
	                              * carried */
};
enum status state_init(struct state *s, int S, int L, struct error *e);
void state_done(struct state *s);
void state_copy(struct state *to, const struct state *from);   /* same shape */

struct step_counts {
	int by_cause[CAUSE_COUNT];
	int nfe;                     /* network calls, counted per sample; kept features count 0 */
	int rows;                    /* head rows */
	double net_ms, rest_ms;
};

/* One wanted piece of features. */
struct feat_want {
	const int32_t *tok;          /* [L] */
	double sigma;                /* 0 if the model is not timed */
	int label;                   /* LABEL_NONE: no label term */
	int len;                     /* 0: all positions; else (causal) the last position of the prefix tok[0..len-1] */
	enum {
		WANT_MODEL,
		WANT_GRADIENT,
		WANT_EXACT
	} what;			     /* WANT_GRADIENT: [L, guide->F], of log p(label) of the
				      * model's classifier; WANT_EXACT: [L,V], classifier_exact */
	int sample;                  /* which sample (causal models keep keys and values per sample) */
	const float *feat;           /* out: [L,F], or [F] if len; valid until the next call */
	bool fresh;                  /* out: a network call was made */
};
#define STEP_WANTS 3 /* most per sample: conditional, unconditional, classifier */
/* n wanted pieces in one batch. */
typedef enum status features_fn(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e);

/* The state at the start of a run: the prior's tokens by STAGE_START noise of
 * samples r->first.., [MASK] for masked noise, bos and -1 for causal models;
 * clamps in s->fixed keep their s->tok. */
void step_start(const struct model *m, const struct recipe *r, struct state *s);

/* Step number `step` of leg l: in -> out (same shape; may not alias).  Calls
 * get for the features it needs, at most once per batch; none if no row is
 * needed.  counts is filled.  Results depend only on (in, leg, step) and the
 * model, not on threads or on what else is asked. */
enum status step(struct model *m, const struct leg *l, int step, const struct state *in, struct state *out,
                 struct step_counts *counts, features_fn *get, void *ctx, struct cancel *c, struct error *e);

/* The same; each [S] (or NULL): the counts of each sample, times left at 0. */
enum status step_each(struct model *m, const struct leg *l, int step, const struct state *in, struct state *out,
                      struct step_counts *counts, struct step_counts *each, features_fn *get, void *ctx,
                      struct cancel *c, struct error *e);

/* Which features a step from `in` would ask for: fills want[] (room for STEP_WANTS * S), returns how
 * many (0: the step needs no network).  For look-ahead. */
int step_wants(const struct model *m, const struct leg *l, int step, const struct state *in, struct feat_want *want);

#endif
