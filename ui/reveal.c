/*
 * reveal.c: in which order a step is revealed, and how much of it at a time: a
 * token of a text; of pictures the values of a row of pixels, or a sixteenth of
 * them by confidence.  Screen thread only.
 */
#include <stdlib.h>

#include "ui/app_private.h"

#define SHARES 16 /* of a step, by confidence */

/* What orders a touched position of a picture. */
struct order {
	int pos, group, row, pixel;
	float prob;
};

static int
by_row(const void *x, const void *y)
{
	const struct order *a = x, *b = y;

	if (a->group != b->group)
		return a->group - b->group;
	if (a->pixel != b->pixel)
		return a->pixel - b->pixel;
	return a->pos - b->pos;
}

static int
by_confidence(const void *x, const void *y)
{
	const struct order *a = x, *b = y;

	if (a->group != b->group)
		return a->group - b->group;
	if (a->prob != b->prob)
		return a->prob > b->prob ? -1 : 1;
	return a->pos - b->pos;
}

void
reveal_order(struct app *a)
{
	struct app_private *p = a->priv;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;
	int pixels = a->side * a->side;
	struct order *o = pixels && p->n_touched ? malloc((size_t)p->n_touched * sizeof *o) : NULL;

	if (!o) /* as they stand */
		return;
	for (int i = 0; i < p->n_touched; i++) {
		int pos = p->touched[i], pixel = pos % pixels;

		o[i] = (struct order){ pos, reveal_group(p, off + (size_t)pos), pixel / a->side, pixel,
				       p->now.prob[off + (size_t)pos] };
	}
	qsort(o, (size_t)p->n_touched, sizeof *o, a->reveal_by_confidence ? by_confidence : by_row);
	for (int i = 0; i < p->n_touched; i++) {
		p->touched[i] = o[i].pos;
		p->rank[o[i].pos] = i;
	}
	free(o);
}

/* Whether the k-th revealed position begins a new group. */
static bool
begins(const struct app *a, int k)
{
	const struct app_private *p = a->priv;
	int pixels = a->side * a->side, share = (p->n_touched + SHARES - 1) / SHARES;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;

	if (!pixels || k <= 0 || k >= p->n_touched)
		return true;
	if (reveal_group(p, off + (size_t)p->touched[k]) != reveal_group(p, off + (size_t)p->touched[k - 1]))
		return true;
	if (a->reveal_by_confidence)
		return k % share == 0;
	return p->touched[k] % pixels / a->side != p->touched[k - 1] % pixels / a->side;
}

int
reveal_next(const struct app *a, int k)
{
	do
		k++;
	while (k < a->priv->n_touched && !begins(a, k));
	return k;
}

int
reveal_prev(const struct app *a, int k)
{
	do
		k--;
	while (k > 0 && !begins(a, k));
	return k;
}
