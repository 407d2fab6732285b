/*
 * sampler_private.h: what sampler.c (queue, thread) and serve.c (the work)
 * share.
 */
#ifndef PSI_RUN_SAMPLER_PRIVATE_H
#define PSI_RUN_SAMPLER_PRIVATE_H

#include <pthread.h>

#include "run/features.h"
#include "run/sampler.h"

struct item {                        /* a report in the queue */
	struct report report;
	struct item *next;
};

struct pending {                     /* a request in the queue */
	struct request r;
	uint64_t ticket;
	bool needs_trunk;            /* tried beside a running trunk: must wait for it */
	struct item *final;          /* room for its last report: an error is never lost */
	struct pending *next;
};

struct sampler {
	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t work, news;
	struct pending *queue;       /* oldest first */
	struct item *first, *last;   /* reports */
	int fd[2];                   /* one byte while reports wait */
	uint64_t tickets;
	bool quit, busy;
	enum request_kind doing;
	const struct node *doing_node;
	struct recipe doing_recipe;
	struct sampler_progress progress;

	/* set once */
	struct model *ema, *raw;
	int S, L;
	pthread_t thread;

	/* the thread's own; the tree is read by others */
	struct tree *tree;
	struct cache *cache;
	struct features_stats stats;
	struct cancel plain;         /* of everything but the trunk */
	struct cancel trunk;         /* asked together with plain; its `between` serves the screen */
	struct cancel beside;        /* of what is served beside a trunk: asked by quit only */
	int depth;                   /* 0, or 1: beside a trunk or inside a paint */
	bool in_trunk;
	struct state in[2], out[2];  /* per depth */
	struct features cursor;      /* holds the features of the last look-ahead */
};

/* serve.c: do one request and report; false: it needs the trunk, which runs. */
bool serve(struct sampler *s, struct pending *p);

/* serve_look.c.  missing: features are not kept and were not to be computed. */
enum status serve_inspect(struct sampler *s, struct pending *p, bool *missing, struct error *e);
enum status serve_paint(struct sampler *s, struct pending *p, bool *missing, struct error *e);
/* serve_guide.c */
enum status serve_guidance(struct sampler *s, struct pending *p, bool *missing, struct error *e);
enum status serve_ahead(struct sampler *s, struct pending *p, struct error *e);

/* serve_look.c: what all kinds of work share. */
/* What stops the present work: not the trunk's, which serves others meanwhile. */
struct cancel *serve_cancel(struct sampler *s);
/* A newer painting waits: the present one is not wanted any more. */
bool serve_outdated(struct sampler *s);
struct features serve_features(struct sampler *s, struct model *m, bool compute, bool step);
/* The model of a recipe's weights; the recipe is made to fit this tree. */
enum status serve_model(struct sampler *s, struct recipe *r, struct model **m, struct error *e);
/* The leg that a step from n under r follows: the one n is on, one that was
 * made here before, else a new one (*fresh), which the caller frees or gives
 * to the tree. */
enum status serve_leg(const struct node *n, const struct recipe *r, const struct model *m, struct leg **out,
	bool *fresh, struct error *e);

/* sampler.c, for serve.c: */
void sampler_report(struct sampler *s, struct item *it);             /* queue a report */
void sampler_finish(struct sampler *s, struct pending *p, enum status st, const struct error *e);
/* Serve what waits and goes before `below`; beside: only what needs no trunk. */
void sampler_serve_above(struct sampler *s, int below);
bool sampler_newer(struct sampler *s, enum request_kind kind);       /* one of this kind waits */
int sampler_rank(enum request_kind kind);                            /* 0: first */

#endif
