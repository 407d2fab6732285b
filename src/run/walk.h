/*
 * walk.h: samples drawn without a screen, a batch at a time: the same sampler
 * thread and the same step() as on the screen, without keeping the states in
 * between.  `sample` and `sweep` are made of walks.  The calling thread asks
 * and waits.
 */
#ifndef PSI_RUN_WALK_H
#define PSI_RUN_WALK_H

#include <stdatomic.h>

#include "run/open.h"
#include "run/sampler.h"

struct walk_progress {
	int first, samples, total;       /* samples first..first+samples-1 of total are being drawn */
	int step, steps;
	double seconds, eta;             /* since the start; to the end, < 0: not known yet */
};

struct walk_batch {                  /* finished samples; all of it borrowed */
	struct recipe recipe;            /* `first` and `samples` are of this batch */
	const struct leg *leg;           /* the plan, for times and kappa */
	int done, S, L;                  /* samples of the walk before it; its samples; their length */
	const int32_t *tok;              /* [S,L] */
	int n_step;
	const struct step_counts *count; /* [n_step,S] */
	double ms;                       /* of each sample */
	const struct tree *tree;         /* with all states if the walk keeps them */
	const struct node *end;
};

struct walk {
	const struct opened *o;
	struct recipe recipe;            /* its `first` is the number of the first sample */
	int count;
	int batch;                       /* samples at a time; 0: what suits the model */
	const struct edit *clamp;        /* of one sample: i < L */
	int n_clamp;
	bool keep;                       /* all states of a batch, not only the last one */
	enum status (*take)(void *arg, const struct walk_batch *b, struct error *e);
	void *arg;
	void (*progress)(void *arg, const struct walk_progress *p);     /* a few times a second; NULL: nobody looks */
	void *progress_arg;
	const atomic_int *stop;   /* set by a signal: ends with ST_CANCELLED; NULL: never */
};

/* Draw all samples and hand them to `take`, in order; its error ends the walk. */
enum status walk_run(const struct walk *w, struct error *e);

/* Counts of one sample of a batch, over its steps. */
struct step_counts walk_counts(const struct walk_batch *b, int sample);

#endif
