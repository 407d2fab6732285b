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
	_Atomic(struct node *) next;     /* older sibling (of a start: older start) */
	const struct leg *leg;           /* what made it; NULL: a start, or an edit by hand */
	/* the leg a step from here follows: leg, or (edit) the one of the state edited */
	const struct leg *on;
	int step; double t;              /* steps done so far; time of this state */
	unsigned id;                     /* 1, 2, ... in order of making */
	bool done;                       /* nothing follows: the run is at its end */
	struct step_counts counts;       /* of the step that made it */
	double entropy;                  /* mean over samples of the entropy of token counts, nats */
	struct node_packed *packed;
};

struct tree;

#define TREE_FULL_EVERY 32               /* a reader walks at most so many nodes */

struct tree *tree_new(int S, int L);     /* NULL: out of memory */
void tree_free(struct tree *t);

/* Writer only.  The tree owns legs and nodes.  up NULL: a new start.  Nothing
 * is published when it fails (ST_MEMORY). */
enum status tree_own_leg(struct tree *t, struct leg *l, struct error *e);
struct node *tree_add(struct tree *t, struct node *up, const struct leg *made_by, const struct leg *on,
                      int step, double time, const struct state *s, const struct step_counts *counts, struct error *e);
/* Take n and everything below it out of the tree: no reader that comes later
 * finds it.  A reader that is walking may still stand on it, so its memory is
 * released by tree_release, once the reader has said that it looks elsewhere
 * (any thread).  Nothing else of the tree may refer to it. */
void tree_cut(struct tree *t, struct node *n);
void tree_release(struct node *cut);
/* cut and release at once: for a writer without readers. */
void tree_drop(struct tree *t, struct node *n);
/* Take out and free the interior node n, which has exactly one child: headless
 * runs keep two states.  Only while no reader looks at n or below.
 * ST_MEMORY: nothing has changed. */
enum status tree_splice(struct tree *t, struct node *n, struct error *e);

/* Any thread.  Fill s (shape S, L) with the state of n. */
void tree_read(const struct tree *t, const struct node *n, struct state *s);
/* The first child of n made by leg l (or by any leg with an equal recipe). */
struct node *tree_child(const struct node *n, const struct leg *l);
struct node *tree_child_of(const struct node *n, const struct recipe *r);
struct node *tree_first(const struct tree *t);        /* newest start; older ones follow by next */
size_t tree_bytes(const struct tree *t);
/* Steps since position i (0..S*L-1) last changed (the number of steps done, if
 * never), and how often its token changed since the start; walks up. */
void tree_history(const struct tree *t, const struct node *n, int i, int *age, int *times);
/* The same for every position in one walk: age [S*L], times [S*L]. */
enum status tree_history_all(const struct tree *t, const struct node *n, int *age, int *times, struct error *e);
/* The nearest state at or above n whose making changed position i; NULL: none. */
const struct node *tree_last_change(const struct tree *t, const struct node *n, int i);

#endif
