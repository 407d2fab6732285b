/*
 * dit_reference.h: the DiT of networks.md in plain double loops, and random
 * weights for it, to test the kernels and plans of src/net against.
 */
#ifndef PSI_TESTS_DIT_REFERENCE_H
#define PSI_TESTS_DIT_REFERENCE_H

#include "ckpt/config.h"
#include "net/net.h"

/* Random tensors for every parameter of a description, as an open checkpoint
 * would list them. */
struct random_weights {
	struct tensor *t;
	int n;
	void **data;            /* owned */
	double scale;
};
void random_weights_init(struct random_weights *w, const struct net *net, uint64_t seed, enum dtype dtype);
void random_weights_done(struct random_weights *w);

/* A configuration; cond 0: causal. */
struct config dit_config(int V, int L, int d, int blocks, int heads, int cond, int classes);

/* One sample: tok [L], or mixtures x [L,V] of embedding rows if tok is NULL.
 * feature [L,d] may be NULL, logit [L,V]. */
void dit_reference(const struct config *c, const struct random_weights *w, const int32_t *tok, const double *x,
	double sigma, int label, double *feature, double *logit);

#endif
