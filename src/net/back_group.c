/*
 * back_group.c: backward of GROUP: group norm as a scale and a shift per
 * channel.  A first loop, over samples and blocks of whole groups, finds what
 * scale and shift say of each group's mean and variance; a second one, over
 * pixels, passes it on to the values.
 */
#include "net/back.h"

#include <math.h>

#define GROUP_EPS 1e-6
#define SPAN 64 /* channels at a time */
#define ITEM_PIXELS 64

struct group_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	const float *gamma;
	float *mean, *rstd, *slope, *shift; /* [n,channels] in b->shared */
	int all, size, per_span, spans, pixels, blocks; /* channels; of a group; groups of an item; ... */
};

size_t
back_group_shared(const struct exec *x, const struct net_op *op)
{
	return 4 * (size_t)x->n * (size_t)op->dim[GROUP_N];
}

/* The group of channels c0.. from its moments.  scale = rstd gamma and shift =
 * beta - mean scale go through both mean and variance. */
static void
one_group(const struct group_back *g, int sample, int c0, double mean, double var)
{
	const float *d = back_value(g->b, g->op->out) + (size_t)sample * exec_ld(g->x, g->op->out);
	size_t at = (size_t)sample * (size_t)g->all + (size_t)c0;
	double rstd = 1 / sqrt(var + GROUP_EPS), d_mean = 0, d_rstd = 0, n = (double)g->size * g->pixels;

	for (int c = c0; c < c0 + g->size; c++) {
		d_mean -= (double)d[g->all + c] * rstd * (double)g->gamma[c];
		d_rstd += (double)g->gamma[c] * ((double)d[c] - mean * (double)d[g->all + c]);
	}
	for (size_t c = at; c < at + (size_t)g->size; c++) {
		g->mean[c] = (float)mean;
		g->rstd[c] = (float)rstd;
		g->shift[c] = (float)(d_mean / n);
		g->slope[c] = (float)(-d_rstd * rstd * rstd * rstd / n);
	}
}

static void
group_item(void *arg, int item, int worker)
{
	const struct group_back *g = arg;
	int sample = item / g->spans, first = item % g->spans * g->per_span * g->size, in_group = 0;
	int end = first + g->per_span * g->size < g->all ? first + g->per_span * g->size : g->all;
	double mean[SPAN], m2[SPAN], gm = 0, gq = 0;

	(void)worker;
	for (int c0 = first; c0 < end; c0 += SPAN) {
		int c1 = end - c0 < SPAN ? end : c0 + SPAN;
		group_moments(g->x, g->op, sample, c0, c1, mean, m2);
		for (int c = c0; c < c1; c++) {
			double d = mean[c - c0] - gm, share = 1. / (in_group + 1);
			gm += d * share;
			gq += m2[c - c0] + d * d * in_group * share * g->pixels;
			if (++in_group < g->size)
				continue;
			one_group(g, sample, c + 1 - g->size, gm, gq / ((double)g->size * g->pixels));
			gm = gq = 0;
			in_group = 0;
		}
	}
}

static void
value_item(void *arg, int item, int worker)
{
	const struct group_back *g = arg;
	const struct exec *x = g->x;
	int sample = item / g->blocks, p0 = item % g->blocks * ITEM_PIXELS;
	int end = g->pixels - p0 < ITEM_PIXELS ? g->pixels : p0 + ITEM_PIXELS;
	size_t at = (size_t)sample * (size_t)g->all;

	(void)worker;
	for (int k = 0; k < 2; k++) {
		int v = g->op->in[k ? IN_CAT : IN_X];
		float *d = back_value(g->b, v);
		int width = v < 0 ? 0 : x->net->value[v].width;
		for (int p = p0; d && p < end; p++) {
			size_t i = (size_t)sample * exec_step(x, v) + (size_t)p * exec_ld(x, v);
			x->kern->image->centred(width, exec_value(x, v) + i, g->mean + at, g->slope + at,
						g->shift + at, d + i);
		}
		at += (size_t)width;
	}
}

static void
to_parameters(const struct group_back *g)
{
	float *gamma = back_par(g->b, g->op->par[PAR_NORM]), *beta = back_par(g->b, g->op->par[PAR_BIAS]);

	for (int s = 0; s < g->x->n; s++) {
		const float *d = back_value(g->b, g->op->out) + (size_t)s * exec_ld(g->x, g->op->out);
		for (int c = 0; c < g->all; c++) {
			int at = s * g->all + c;
			if (gamma)
				gamma[c] += (float)((double)g->rstd[at] *
						    ((double)d[c] - (double)g->mean[at] * (double)d[g->all + c]));
			if (beta)
				beta[c] += d[g->all + c];
		}
	}
}

enum status
back_group(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct group_back g = { .b = b,
				.x = x,
				.op = op,
				.all = op->dim[GROUP_N],
				.size = op->dim[GROUP_N] / op->dim[GROUP_COUNT],
				.pixels = exec_rows(x, op->in[IN_X]) };
	enum status st = weights_vector(x->w, op->par[PAR_NORM], &g.gamma, e);
	size_t one = (size_t)x->n * (size_t)g.all;

	g.mean = b->shared;
	g.rstd = g.mean + one;
	g.slope = g.rstd + one;
	g.shift = g.slope + one;
	g.per_span = g.size < SPAN ? SPAN / g.size : 1;
	g.spans = (op->dim[GROUP_COUNT] + g.per_span - 1) / g.per_span;
	g.blocks = (g.pixels + ITEM_PIXELS - 1) / ITEM_PIXELS;
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, x->n * g.spans, group_item, &g, x->cancel);
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, x->n * g.blocks, value_item, &g, x->cancel);
	if (st == ST_OK)
		to_parameters(&g);
	return st;
}
