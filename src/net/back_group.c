/* back_group.c: backward of GROUP: group norm as a scale and a shift per channel. */
#include "net/back.h"

#include <math.h>

#define GROUP_EPS 1e-6

struct group_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	const float *gamma;
	float *mean, *rstd; /* [n,groups], in b->shared */
	int size, groups, pixels;
};

size_t
back_group_shared(const struct exec *x, const struct net_op *op)
{
	return 2 * (size_t)x->n * (size_t)op->dim[GROUP_COUNT];
}

/* The value and the gradient of a channel of in[X] and in[CAT] side by side. */
static const float *
channel_of(const struct group_back *g, int sample, int channel, float **grad, size_t *ld)
{
	const struct exec *x = g->x;
	int v = g->op->in[IN_X];

	if (channel >= x->net->value[v].width) {
		channel -= x->net->value[v].width;
		v = g->op->in[IN_CAT];
	}
	size_t at = (size_t)sample * exec_step(x, v) + (size_t)channel;
	float *d = back_value(g->b, v);
	*grad = d ? d + at : NULL;
	*ld = exec_ld(x, v);
	return exec_value(x, v) + at;
}

static void
moments(const struct group_back *g, int sample, int c0, double *mean, double *var)
{
	double n = (double)g->size * g->pixels;
	float *grad;
	size_t ld;

	*mean = *var = 0;
	for (int pass = 0; pass < 2; pass++)
		for (int c = c0; c < c0 + g->size; c++) {
			const float *x = channel_of(g, sample, c, &grad, &ld);
			for (int p = 0; p < g->pixels; p++) {
				double v = (double)x[(size_t)p * ld];
				*(pass ? var : mean) += (pass ? (v - *mean) * (v - *mean) : v) / n;
			}
		}
}

/* scale = rstd gamma, shift = beta - mean scale: through both to mean and
 * variance of the group, and to its values. */
static void
group_item(void *arg, int item, int worker)
{
	const struct group_back *g = arg;
	int sample = item / g->groups, c0 = item % g->groups * g->size, all = g->op->dim[GROUP_N];
	const float *d = back_value(g->b, g->op->out) + (size_t)sample * exec_ld(g->x, g->op->out);
	double mean, var, d_mean = 0, d_rstd = 0, n = (double)g->size * g->pixels;

	(void)worker;
	moments(g, sample, c0, &mean, &var);
	double rstd = 1 / sqrt(var + GROUP_EPS);
	for (int c = c0; c < c0 + g->size; c++) {
		d_mean -= (double)d[all + c] * rstd * (double)g->gamma[c];
		d_rstd += (double)g->gamma[c] * ((double)d[c] - mean * (double)d[all + c]);
	}
	g->mean[item] = (float)mean;
	g->rstd[item] = (float)rstd;
	double d_var = -.5 * d_rstd * rstd * rstd * rstd;
	for (int c = c0; c < c0 + g->size; c++) {
		float *grad;
		size_t ld;
		const float *x = channel_of(g, sample, c, &grad, &ld);
		for (int p = 0; grad && p < g->pixels; p++)
			grad[(size_t)p * ld] +=
			    (float)(d_mean / n + 2 * d_var * ((double)x[(size_t)p * ld] - mean) / n);
	}
}

/* scale = rstd gamma, shift = beta - mean scale. */
static void
to_parameters(const struct group_back *g)
{
	float *gamma = back_par(g->b, g->op->par[PAR_NORM]), *beta = back_par(g->b, g->op->par[PAR_BIAS]);
	int all = g->op->dim[GROUP_N];

	for (int s = 0; s < g->x->n; s++) {
		const float *d = back_value(g->b, g->op->out) + (size_t)s * exec_ld(g->x, g->op->out);
		for (int c = 0; c < all; c++) {
			int at = s * g->groups + c / g->size;
			if (gamma)
				gamma[c] += (float)((double)g->rstd[at] *
						    ((double)d[c] - (double)g->mean[at] * (double)d[all + c]));
			if (beta)
				beta[c] += d[all + c];
		}
	}
}

enum status
back_group(struct back *b, const struct net_op *op, struct error *e)
{
	struct group_back g = { .b = b,
				.x = b->x,
				.op = op,
				.groups = op->dim[GROUP_COUNT],
				.size = op->dim[GROUP_N] / op->dim[GROUP_COUNT],
				.pixels = exec_rows(b->x, op->in[IN_X]) };
	enum status st = weights_vector(b->x->w, op->par[PAR_NORM], &g.gamma, e);

	g.mean = b->shared;
	g.rstd = b->shared + b->x->n * g.groups;
	if (st == ST_OK)
		st = pool_run(b->x->pool, b->x->prio, b->x->n * g.groups, group_item, &g, b->x->cancel);
	if (st == ST_OK)
		to_parameters(&g);
	return st;
}
