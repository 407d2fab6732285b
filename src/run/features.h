/*
 * features.h: where step(), the inspector and the colourings get features
 * from: the cache, else one batched call of the trunk.  Sampler thread only.
 */
#ifndef PSI_RUN_FEATURES_H
#define PSI_RUN_FEATURES_H

#include "psi/step.h"
#include "run/cache.h"

struct features_stats {
	long nfe;                /* network calls, per sample */
	double net_ms;           /* running mean per call; 0: none yet */
};

/* One piece of work's use of features: what it got stays valid until
 * features_done. */
struct features {
	struct cache *cache;
	struct model *m;
	bool compute;            /* false: only what is kept */
	bool step;               /* its calls are counted as those of a step */
	struct cancel *cancel;   /* of the trunk; its `between` serves the screen */
	struct features_stats *stats;
	bool missing;            /* out: something was not kept and compute was false */
	struct cache_entry **held;
	size_t n_held, cap_held;
};

/* A features_fn; ctx is a struct features.  ST_CANCELLED with `missing` set
 * when something is not kept. */
enum status features_get(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e);
void features_done(struct features *f);

/* What is needed to say something about sample `sample` of s at time t under
 * recipe r: fills up to STEP_WANTS wants (conditional, then unconditional, then the
 * classifier's gradient) and returns how many.  pos: causal models give the row that predicts it (none
 * for position 0: returns 0); -1: all positions. */
int features_wants(const struct model *m, const struct recipe *r, double t, const struct state *s, int sample, int pos,
                   struct feat_want *w);
/* Of those k: the unconditional one, the classifier's; NULL: none. */
static inline const struct feat_want *
features_uncond(const struct feat_want *w, int k)
{
	return k > 1 && w[1].what == WANT_MODEL ? &w[1] : NULL;
}
static inline const struct feat_want *
features_guide(const struct feat_want *w, int k)
{
	return k > 1 && w[k - 1].what != WANT_MODEL ? &w[k - 1] : NULL;
}

#endif
