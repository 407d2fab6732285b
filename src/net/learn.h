/*
 * learn.h: one forward and one backward pass over a description, with the
 * gradients of its parameters.  The forward pass is that of inference (the same
 * operations, values kept), the backward pass walks the list back.
 *
 * Activation memory is planned before the first pass and never grows:
 * learn_measure says how much n samples at once take.  One thread drives a
 * learn; loops run on the pool at POOL_TRAIN.
 *
 * Same weights, same inputs, same number of samples at once: the same bits,
 * whatever the number of threads.
 */
#ifndef PSI_NET_LEARN_H
#define PSI_NET_LEARN_H

#include "net/flat.h"
#include "net/run.h"

struct learn;

struct learn_setup {
	const struct flat *flat;         /* borrowed, with its description */
	const float *param;              /* weights, laid out so; borrowed; the trainer changes them between passes */
	const struct kern *kern;
	struct pool *pool;               /* borrowed */
	int n;                           /* samples at once */
	bool backward;                   /* false: validation; no room for gradients of values */
};

/* Bytes that learn_new would take (without weights and their gradients). */
enum status learn_measure(const struct net *net, const struct kern *kern, int threads, int n, bool backward,
			  uint64_t *bytes, struct error *e);
enum status learn_new(const struct learn_setup *s, struct learn **out, struct error *e);
void learn_free(struct learn *l);
size_t learn_bytes(const struct learn *l);

/* The weights have changed: prepared forms are made anew, in the same memory. */
void learn_changed(struct learn *l);

/* Dropout of a pass: an element is dropped by Philox(seed, step, operation,
 * global sample, position and channel), so that it can be drawn again on the way
 * back, in any split into micro-batches. */
struct learn_dropout {
	uint64_t seed;
	uint32_t step, first;            /* optimiser step; global number of the pass's sample 0 */
};

struct learn_pass {
	const struct net_input *in;      /* in->n samples, at most setup.n */
	const struct learn_dropout *drop;        /* NULL: none */
	const uint8_t *row;              /* [n,L] 0: no loss there, the head is not run; NULL: every row */
	/* n rows of logits, n at most LEARN_ROWS: at [n] = sample L + position, ascending; logit [n,V] is
	 * replaced by the gradient of the loss with respect to it.  Called on the driving thread; may use
	 * the pool. */
	enum status (*loss)(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e);
	/* Instead, for what ends otherwise (classifiers): from feat [n,L,F] to its gradient d_feat [n,L,F];
	 * gradients of parameters that no operation uses are added to grad. */
	enum status (*features)(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *c,
				struct error *e);
	void *arg;
	float *grad;                     /* flat array, added to; NULL: forward and loss only */
};
#define LEARN_ROWS 256

/* ST_CANCELLED leaves grad half added to: throw it away. */
enum status learn_pass(struct learn *l, const struct learn_pass *p, struct cancel *c, struct error *e);

#endif
