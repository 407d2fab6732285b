/*
 * tree.h: the tree of states.  One writer (the sampler thread); any number of
 * readers, without locks: a node is complete before the release store that
 * publishes it in `down`, and is never changed afterwards.
 *
 * A node stores only its touched positions with a full copy every 32 nodes;
 * tree_read gives what the architecture's struct shows.
 */
#ifndef PSI_PSI_TREE_H
#define PSI_PSI_TREE_H

#include <stdatomic.h>

#include "psi/step.h"

struct node_packed;

struct node {
	struct node *up;                 /* NULL at the start of a run */
	_Atomic(struct node *) down;     /* newest child; the others follow by `next` */
	struct node *next;               /* older sibling */
	const struct leg *leg;           /* what made it; NULL: a start, or an edit by hand */
	const struct leg *on;            /* the leg a step from here follows: leg, or (edit) the one of the state edited */
	int step; double t;              /* steps done so far; time of this state */
	unsigned id;                     /* 1, 2, ... in order of making */
	bool done;                       /* nothing follows: the run is at its end */
	struct step_counts counts;       /* of the step that made it */
	double entropy;                  /* mean over samples of the entropy of token counts, nats */
	struct node_packed *packed;
};

struct tree;

struct tree *tree_new(int S, int L);     /* NULL: out of memory */
void tree_free(struct tree *t);

/* Writer only.  The tree owns legs and nodes. */
enum status tree_own_leg(struct tree *t, struct leg *l, struct error *e);
struct node *tree_add(struct tree *t, struct node *up, const struct leg *made_by, const struct leg *on,
                      int step, double time, const struct state *s, const struct step_counts *counts, struct error *e);
/* Free an interior node that has exactly one child (headless runs and sweeps)
 * or a whole branch; only when the reader has said that it does not look there. */
void tree_drop(struct tree *t, struct node *n);

/* Any thread.  Fill s (shape S, L) with the state of n. */
void tree_read(const struct tree *t, const struct node *n, struct state *s);
/* The first child of n made by leg l (or by any leg with an equal recipe). */
struct node *tree_child(const struct node *n, const struct leg *l);
struct node *tree_first(const struct tree *t);        /* newest start; older ones follow by next */
size_t tree_bytes(const struct tree *t);
/* Steps since position i (0..S*L-1) last changed, and how often it changed since the start; walks up. */
void tree_history(const struct tree *t, const struct node *n, int i, int *age, int *times);
/* The nearest state at or above n whose making changed position i; NULL: none. */
const struct node *tree_last_change(const struct tree *t, const struct node *n, int i);

#endif
