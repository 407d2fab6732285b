/*
 * model.h: what sampling, scoring and inspection see of a network.  Nothing
 * here names an architecture (architecture.md section 3).
 */
#ifndef PSI_NET_MODEL_H
#define PSI_NET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "psi/alpha.h"

struct classifier;

enum output { OUT_MEAN /* uniform */, OUT_SUBS, OUT_D3PM, OUT_SCORE, OUT_CAUSAL };

struct model {
	int L, V, F;                 /* length, vocabulary, features per position */
	int mask;                    /* id of [MASK]; -1: uniform noise */
	int classes;                 /* 0: no labels; label == classes: the no-label row; label -1: no label term */
	enum output out;             /* what logits mean */
	bool subs_masking;           /* OUT_D3PM: the mask's logit is -inf (the other outputs say so themselves) */
	bool bos_fixed;              /* ignore_bos: position 0 is [BOS], never noised: clamped from the start */
	int bos;                     /* that token, and the first of a causal model; the tokenizer's where it has one */
	struct alpha alpha;
	bool timed;                  /* false: sigma is always 0 */
	bool has_raw_and_ema;        /* whether weight sets 0 (EMA) and 1 (raw) differ */
	bool background;             /* its loops give way to those of other models (POOL_TRAIN) */
	int weights;                 /* identifies the weight set: part of every feature key */
	struct classifier *guide;      /* borrowed; what guides this model besides, NULL: nothing */

	/* The trunk: one network call (NFE) per sample.  tok [n,L]; sigma [n];
	 * label [n] or NULL (no label term); feat [n,L,F].  A result depends on its
	 * own sample only, bit for bit, whatever n and the number of threads. */
	enum status (*trunk)(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label,
	                     float *feat, struct cancel *c, struct error *e);
	/* The head on any rows: feat [n,F] -> logit [n,V].  A row's logits depend on
	 * that row only.  Its scratch is separate from the trunk's: may be called
	 * from cancel->between of a running trunk. */
	enum status (*rows)(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e);
	/* Causal models: features of the last position of a prefix, keys and values
	 * kept; NULL otherwise.  tok [len]; feat [F] of position len-1. */
	enum status (*extend)(struct model *m, int sample, int len, const int32_t *tok, float *feat, struct cancel *c,
		struct error *e);
	void (*free)(struct model *m);
	struct pool *pool;           /* borrowed */
	void *priv;
};

void model_free(struct model *m);   /* NULL is fine */

#endif
