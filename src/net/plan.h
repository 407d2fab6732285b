/*
 * plan.h: where the values of a description lie in memory.
 *
 * The inference plan lets values share memory once the last operation that
 * reads them is done; the keeping plan gives each its own place (tests read
 * them; the backward pass will).
 */
#ifndef PSI_NET_PLAN_H
#define PSI_NET_PLAN_H

#include "net/net.h"

struct plan {
	size_t *offset;         /* [n_value] in floats, multiples of 16; the feature value has none */
	size_t *ld;             /* [n_value] floats from one row to the next */
	size_t floats;          /* in all */
};

/* For n samples of `rows` positions each. */
enum status plan_make(const struct net *net, int n, int rows, bool keep, struct plan *out, struct error *e);
void plan_done(struct plan *p);

#endif
