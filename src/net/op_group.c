/*
 * op_group.c: group norm as a scale and a shift per channel, which the next
 * convolution applies while it reads; and the two ends of an image network:
 * tokens to pixels, and the output to mu and log scale.
 */
#include "net/exec.h"

#include <math.h>

#define GROUP_EPS 1e-6
#define SPAN 64 /* channels at a time */
#define ITEM_VALUES 32768 /* of group norm */
#define ITEM_PIXELS 256

struct group {
	const struct exec *x;
	const struct net_op *op;
	const float *gamma, *beta;
	int size, per_span, spans; /* channels of a group; groups of an item; items per sample */
};

void
group_moments(const struct exec *x, const struct net_op *op, int sample, int c0, int c1, double *mean, double *m2)
{
	int first = 0;

	for (int k = 0; k < 2; k++) {
		int v = op->in[k ? IN_CAT : IN_X];
		if (v < 0)
			continue;
		int width = x->net->value[v].width;
		int a = c0 > first ? c0 : first, b = c1 < first + width ? c1 : first + width;
		if (a < b)
			x->kern->image->moments(exec_rows(x, v), b - a,
						exec_value(x, v) + (size_t)sample * exec_step(x, v) + (a - first),
						exec_ld(x, v), mean + (a - c0), m2 + (a - c0));
		first += width;
	}
}

static void
write_group(const struct group *g, int sample, int c0, double mean, double variance)
{
	float *out = exec_value(g->x, g->op->out) + (size_t)sample * exec_ld(g->x, g->op->out);
	double rstd = 1 / sqrt(variance + GROUP_EPS);

	for (int c = c0; c < c0 + g->size; c++) {
		double scale = rstd * (double)g->gamma[c];
		out[c] = (float)scale;
		out[g->op->dim[GROUP_N] + c] = (float)((double)g->beta[c] - mean * scale);
	}
}

/* Channels have equally many pixels: the group's moments are joined from
 * theirs one after the other. */
static void
group_item(void *arg, int item, int worker)
{
	const struct group *g = arg;
	int sample = item / g->spans, first = item % g->spans * g->per_span * g->size;
	int end = first + g->per_span * g->size, pixels = exec_rows(g->x, g->op->in[IN_X]), in_group = 0;
	double mean[SPAN], m2[SPAN], gm = 0, gq = 0;

	(void)worker;
	if (end > g->op->dim[GROUP_N])
		end = g->op->dim[GROUP_N];
	for (int c0 = first; c0 < end; c0 += SPAN) {
		int c1 = end - c0 < SPAN ? end : c0 + SPAN;
		group_moments(g->x, g->op, sample, c0, c1, mean, m2);
		for (int c = c0; c < c1; c++) {
			double d = mean[c - c0] - gm, share = 1. / (in_group + 1);
			gm += d * share;
			gq += m2[c - c0] + d * d * in_group * share * pixels;
			if (++in_group < g->size)
				continue;
			write_group(g, sample, c + 1 - g->size, gm, gq / ((double)g->size * pixels));
			gm = gq = 0;
			in_group = 0;
		}
	}
}

enum status
op_group(struct exec *x, const struct net_op *op, struct error *e)
{
	struct group g = { .x = x, .op = op, .size = op->dim[GROUP_N] / op->dim[GROUP_COUNT] };
	enum status st = weights_vector(x->w, op->par[PAR_NORM], &g.gamma, e);

	if (st == ST_OK)
		st = weights_vector(x->w, op->par[PAR_BIAS], &g.beta, e);
	if (st != ST_OK)
		return st;
	int most = ITEM_VALUES / exec_rows(x, op->in[IN_X]);
	if (most < SPAN)
		most = SPAN;
	g.per_span = g.size < most ? most / g.size : 1;
	g.spans = (op->dim[GROUP_COUNT] + g.per_span - 1) / g.per_span;
	return pool_run(x->pool, x->prio, x->n * g.spans, group_item, &g, x->cancel);
}

struct ends {
	const struct exec *x;
	const struct net_op *op;
	int pixels, blocks;
};

/* A value v of the vocabulary on [-1, 1). */
static double
centred(const struct net *net, int32_t v)
{
	return 2. * v / net->V - 1;
}

/* The input is linear in the one-hot token: a mixture of tokens is the
 * mixture of their values. */
static double
mixture(const struct exec *x, size_t at)
{
	const struct net_input *in = x->in;
	size_t V = (size_t)x->net->V;
	double sum = 0, total = 0, top = -INFINITY;

	if (in->idx) {
		for (size_t i = at * (size_t)in->k; i < (at + 1) * (size_t)in->k; i++)
			sum += (double)in->w[i] * centred(x->net, in->idx[i]);
		return sum;
	}
	for (size_t v = 0; in->prob && v < V; v++)
		sum += (double)in->prob[at * V + v] * centred(x->net, (int32_t)v);
	if (in->prob)
		return sum;
	for (size_t v = 0; v < V; v++)
		top = fmax(top, (double)in->dense[at * V + v]);
	for (size_t v = 0; v < V; v++) {
		double p = exp((double)in->dense[at * V + v] - top);
		total += p;
		sum += p * centred(x->net, (int32_t)v);
	}
	return sum / total;
}

static void
pixels_item(void *arg, int item, int worker)
{
	const struct ends *j = arg;
	const struct exec *x = j->x;
	int sample = item / j->blocks, first = item % j->blocks * ITEM_PIXELS;
	int end = first + ITEM_PIXELS < j->pixels ? first + ITEM_PIXELS : j->pixels;
	float *out = exec_value(x, j->op->out) + (size_t)sample * exec_step(x, j->op->out);
	size_t at = (size_t)(x->in_first + sample) * (size_t)x->net->L;

	(void)worker;
	for (int c = 0; c < 3; c++)
		for (int i = first; i < end; i++) {
			size_t k = at + (size_t)c * (size_t)j->pixels + (size_t)i;
			out[(size_t)i * exec_ld(x, j->op->out) + (size_t)c] =
			    (float)(x->in->tok ? centred(x->net, x->in->tok[k]) : mixture(x, k));
		}
}

static void
mu_item(void *arg, int item, int worker)
{
	const struct ends *j = arg;
	const struct exec *x = j->x;
	int v = j->op->in[IN_X], pix = j->op->in[IN_RES], sample = item / j->blocks,
	    first = item % j->blocks * ITEM_PIXELS;
	int end = first + ITEM_PIXELS < j->pixels ? first + ITEM_PIXELS : j->pixels;
	const float *raw = exec_value(x, v) + (size_t)sample * exec_step(x, v);
	const float *x0 = exec_value(x, pix) + (size_t)sample * exec_step(x, pix);
	float *out = exec_value(x, j->op->out) + (size_t)sample * exec_step(x, j->op->out);
	size_t ld = exec_ld(x, j->op->out);

	(void)worker;
	for (size_t c = 0; c < 3; c++)
		for (size_t i = (size_t)first; i < (size_t)end; i++) {
			float *row = out + (c * (size_t)j->pixels + i) * ld;
			row[0] = (float)tanh((double)x0[i * exec_ld(x, pix) + c] + (double)raw[i * exec_ld(x, v) + c]);
			row[1] = raw[i * exec_ld(x, v) + 3 + c];
		}
}

static enum status
ends_run(struct exec *x, const struct net_op *op, pool_fn *fn)
{
	struct ends j = { .x = x, .op = op, .pixels = x->rows / 3 };

	j.blocks = (j.pixels + ITEM_PIXELS - 1) / ITEM_PIXELS;
	return pool_run(x->pool, x->prio, x->n * j.blocks, fn, &j, x->cancel);
}

enum status
op_pixels(struct exec *x, const struct net_op *op, struct error *e)
{
	(void)e;
	return ends_run(x, op, pixels_item);
}

enum status
op_mu(struct exec *x, const struct net_op *op, struct error *e)
{
	(void)e;
	return ends_run(x, op, mu_item);
}
