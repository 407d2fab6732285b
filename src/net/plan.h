/*
 * plan.h: where the values of a description lie in memory.
 *
 * The inference plan lets values share memory once the last operation that
 * reads them is done; the keeping plan gives each its own place, for tests and
 * for the walk back.  That of learning keeps what an activation was applied to
 * as well.  Gradients of values live from the last reader of a value back to
 * the operation that made it, and share memory otherwise.
 */
#ifndef PSI_NET_PLAN_H
#define PSI_NET_PLAN_H

#include <stdint.h>

#include "net/net.h"

enum plan_kind { PLAN_INFER, PLAN_KEEP, PLAN_LEARN, PLAN_GRADIENTS };

#define PLAN_NONE SIZE_MAX

struct plan {
	size_t *offset;         /* [n_value] in floats, multiples of 16; the feature value has none */
	size_t *ld;             /* [n_value] floats from one row to the next */
	size_t *before;         /* [n_value] PLAN_LEARN: offset of what GELU or silu of a product was applied to, laid
				   out as the value; PLAN_NONE: not kept */
	size_t floats;          /* in all */
};

/* For n samples of `rows` positions each. */
enum status plan_make(const struct net *net, int n, int rows, enum plan_kind kind, struct plan *out, struct error *e);
void plan_done(struct plan *p);

#endif
