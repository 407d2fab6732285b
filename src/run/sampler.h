/*
 * sampler.h: the sampler thread.  It owns the tree (only writer) and the
 * feature cache, and serves requests: edit and start, preview, inspect, paint,
 * step, look-ahead, free, in that order.  The screen never waits for it:
 * requests return at once, answers come as reports after a byte on the wake-up
 * descriptor.  Every request ends in exactly one report with `last` set.
 *
 * While a trunk runs, what needs no trunk is served between its work items.
 *
 * Headless runs use the same thread through sampler_wait, or poll the
 * descriptor.
 */
#ifndef PSI_RUN_SAMPLER_H
#define PSI_RUN_SAMPLER_H

#include "psi/look.h"
#include "psi/tree.h"

struct sampler;

struct sampler_setup {
	struct model *ema, *raw;         /* raw NULL: one weight set only.  Borrowed */
	size_t cache_bytes;              /* features kept at most; 0: a quarter of the memory, at most 2 GB */
	int samples;                     /* S of the tree; recipes are taken with this many */
};
struct sampler *sampler_new(const struct sampler_setup *s, struct error *e);
/* cancels, joins, frees the tree; reports still held stay valid but for their nodes */
void sampler_free(struct sampler *s);
int sampler_fd(const struct sampler *s);         /* readable when reports wait */
const struct tree *sampler_tree(const struct sampler *s);

enum request_kind {
	RQ_START,        /* a new run from its first state; recipe, edits = clamps */
	RQ_EDIT,         /* a child of node with edits applied; no network */
	RQ_PREVIEW,      /* the step from node under recipe, not kept; only from kept features unless `compute` */
	RQ_INSPECT,      /* one position of node, under recipe */
	RQ_PAINT,        /* a number per position of node, for colouring */
	RQ_STEP,         /* count steps from node under recipe; each published and reported */
	RQ_AHEAD,        /* features of node, so that previews and the next step are ready */
	RQ_FREE,         /* the screen will not look at node and below any more */
};

enum law { LAW_X_THETA, LAW_Q_0T, LAW_PSI /* the coming step */, LAW_COUNT };

enum paint { PAINT_CONFIDENCE /* prob of the token now: x_theta at it */, PAINT_ENTROPY, PAINT_ARGMAX /* tokens */,
	PAINT_GUIDANCE /* what it added to the probability of the drawn value, in the step that made the node */ };

struct edit {
	int i /* 0..S*L-1 */;
	int32_t tok;
	signed char clamp /* 1 clamp, 0 unclamp, -1 as it is */;
	bool again /* nonce + 1 */;
};

struct request {
	enum request_kind kind;
	struct node *node;
	struct recipe recipe;            /* what the step follows; equal to the leg's: that leg goes on */
	int count;                       /* RQ_STEP: steps; INT_MAX: to the end */
	int sample, pos;                 /* RQ_INSPECT */
	int n_also, also[2];             /* RQ_INSPECT: more positions of that sample (the other channels of a pixel) */
	bool laws;                       /* RQ_INSPECT: whole distributions too */
	bool drawn;                      /* RQ_INSPECT: what guidance did to tok (pos, then also) too */
	int32_t tok[3];
	enum paint paint;
	bool coming;                     /* PAINT_GUIDANCE: of the step from node under recipe instead */
	bool compute;                    /* RQ_PREVIEW, INSPECT, PAINT: compute features if not kept */
	bool flat;                       /* RQ_STEP: keep the first and the last state only; no other is looked at.
	                                  * Reports of the states between carry no node */
	bool each;                       /* RQ_STEP: report counts per sample */
	struct edit *edit;               /* malloced, taken over by the sampler */
	int n_edit;
};

struct report {
	enum request_kind kind;
	uint64_t ticket;
	enum status status;              /* ST_CANCELLED when replaced or stopped */
	struct error error;
	struct node *node;               /* START, EDIT, STEP: the new state; else the one asked about */
	bool last;                       /* no more reports of this ticket */
	bool missing;                    /* PREVIEW, INSPECT, PAINT: features are not kept and compute was false */
	struct recipe recipe;            /* that it answers */
	bool kept;                       /* STEP: the state was there already */
	int step; double t;              /* STEP: of the new state */
	struct step_counts counts;       /* STEP, PREVIEW */
	/* STEP with `each`: [S], owned; its times are 0.  NULL for a state that was there already */
	struct step_counts *each;
	struct state preview;            /* PREVIEW: the state; owned by the report */
	struct look look;                /* INSPECT */
	struct look also[2];             /* INSPECT: of request.also */
	double *law;                     /* INSPECT with `laws`: [1 + n_also][LAW_COUNT][V], owned */
	int sample, pos;
	enum paint paint;
	float *value;                    /* PAINT: [S*L], owned */
	int32_t *token;                  /* PAINT_ARGMAX: [S*L], owned */
	/* FREE: the branch; report_done releases it.  Until then its nodes can be read */
	struct node *cut;
};

/* Queue a request; returns its ticket, 0 when out of memory (nothing is
 * reported then).  A newer PREVIEW, INSPECT, PAINT or AHEAD replaces a waiting
 * older one of its kind, which is reported with ST_CANCELLED.  A look-ahead
 * that is in the way of another state's network call is stopped. */
uint64_t sampler_ask(struct sampler *s, struct request *r);
/* Stop the running step or look-ahead and forget waiting ones (each is reported
 * with ST_CANCELLED); obeyed within 50 ms.  States already made stay. */
void sampler_stop(struct sampler *s);
/* Next report, if there is one; release it with report_done. */
bool sampler_take(struct sampler *s, struct report *out);
/* Headless: block until a report is there. */
void sampler_wait(struct sampler *s, struct report *out);
void report_done(struct report *r);

/* Progress, copied under a mutex; cheap. */
struct sampler_progress {
	bool busy;
	enum request_kind doing;
	double net_ms;                   /* mean time of the last network calls, per call; 0: none yet */
	double step_ms;
	size_t cache_bytes, tree_bytes;
	long nfe, rows;                  /* since the start */
};
void sampler_progress(struct sampler *s, struct sampler_progress *out);

#endif
