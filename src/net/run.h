/*
 * run.h: running a description's trunk and head with one set of weights.
 *
 * struct net_run owns the memory of the values and the scratch of the workers;
 * description, weights and pool are borrowed.  One thread at a time for the
 * trunk, one for the head; the two may be interleaved (struct cancel.between).
 */
#ifndef PSI_NET_RUN_H
#define PSI_NET_RUN_H

#include "base/pool.h"
#include "net/net.h"
#include "net/weights.h"

/* What goes in.  One of tok, idx, dense, prob feeds EMBED or PIXELS. */
struct net_input {
	int n;                                  /* samples */
	const int32_t *tok;                     /* [n,L]; -1: nothing there (a row of zeros) */
	int k;
	const int32_t *idx;                     /* [n,L,k] rows of the embedding and their weights */
	const float *w;                         /* [n,L,k] */
	const float *dense;                     /* [n,L,V]: softmax of it times the embedding */
	const float *prob;                      /* [n,L,V]: it times the embedding, as it is */
	const double *sigma;                    /* [n]; NULL: 0 */
	const int *label;                       /* [n]; -1: no label term; NULL: none at all */
};

struct net_run;

/* keep: every named value stays readable after a pass. */
enum status net_run_new(const struct net *net, struct weights *w, const struct kern *kern, struct pool *pool, bool keep,
			struct net_run **out, struct error *e);
void net_run_free(struct net_run *r);
/* Of all its loops, those that make forms of its weights too; POOL_SAMPLE at first. */
void net_run_priority(struct net_run *r, enum pool_priority prio);

/* feat [n,L,F].  Samples go through in groups of about 1024 positions, or of
 * as many as the description says. */
enum status net_run_trunk(struct net_run *r, const struct net_input *in, float *feat, struct cancel *c,
	struct error *e);
/* x [n,F] -> logit [n,V]. */
enum status net_run_head(struct net_run *r, int n, const float *x, float *logit, struct cancel *c, struct error *e);
/* Causal descriptions: the feature of the last position of tok[0..len-1],
 * keys and values of `sample` kept from call to call and used as far as the
 * prefix is the same.  feat [F]. */
enum status net_run_extend(struct net_run *r, int sample, int len, const int32_t *tok, float *feat, struct cancel *c,
			   struct error *e);

/* With keep, after a trunk of no more samples than go through together: from
 * the gradient of the features [n,L,F] to that of the input: of EMBED's rows
 * [n,L,d], or of PIXELS' values [n,L]. */
enum status net_run_back(struct net_run *r, float *feat, float *input, struct cancel *c, struct error *e);

/* After a pass with keep: rows of a named value of the last group (all
 * samples, if they fit in one); NULL: no such value. */
const float *net_run_value(const struct net_run *r, const char *name, size_t *ld);

/* Bytes of values and scratch for one sample, without making anything. */
enum status net_run_measure(const struct net *net, const struct kern *kern, int threads, uint64_t *bytes,
	struct error *e);
size_t net_run_bytes(const struct net_run *r);  /* held now */

#endif
