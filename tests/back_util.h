/*
 * back_util.h: gradients of a small description against central differences.
 *
 * The function is sum_i c_i y_i over the outputs y (features, or logits if the
 * description has a head) with fixed random c.  A forward pass is in float, so
 * the step is a large one and the difference is of fourth order; a parameter
 * is moved as a whole along random signs, and in some single elements.
 */
#ifndef PSI_TESTS_BACK_UTIL_H
#define PSI_TESTS_BACK_UTIL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "net/learn.h"

static const char *const back_kernels[] = { "portable", "avx2", "avx512" };
#define BACK_KERNELS (int)(sizeof back_kernels / sizeof *back_kernels)

/* Uniform in -1 .. 1. */
static double
back_random(uint32_t stream, uint32_t i)
{
	struct noise n = { .seed = 23, .step = i, .sample = stream };

	return 2 * noise_scalar(&n, STAGE_DATA) - 1;
}

enum { STREAM_OUT = 1, STREAM_SIGN = 2, STREAM_PAR = 1000 };

struct back_case {
	const char *what;
	struct net *net;                /* finished; owned */
	struct net_input in;            /* borrowed */
	const uint8_t *row;             /* with a head: rows that count; NULL: all */
	const struct learn_dropout *drop;
	double step, tolerance;         /* 0: usual */

	struct flat flat;
	float *param, *grad;
	struct learn *learn;
	struct pool *pool;
	int width;                      /* of an output */
	uint32_t first;                 /* row of outputs that is the pass's first (splits) */
	double sum;                     /* out: the function */
};

static double
back_weight(const struct back_case *c, int row, int column)
{
	return back_random(STREAM_OUT, (c->first + (uint32_t)row) * (uint32_t)c->width + (uint32_t)column);
}

static enum status
back_features(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *cancel, struct error *e)
{
	struct back_case *c = arg;

	(void)grad;
	(void)cancel;
	(void)e;
	for (int i = 0; i < c->in.n * c->net->L; i++)
		for (int j = 0; j < c->width; j++) {
			double w = back_weight(c, i, j);
			c->sum += w * (double)feat[i * c->width + j];
			if (d_feat)
				d_feat[i * c->width + j] = (float)w;
		}
	return ST_OK;
}

static enum status
back_logits(void *arg, int n, const int *at, float *logit, struct cancel *cancel, struct error *e)
{
	struct back_case *c = arg;

	(void)cancel;
	(void)e;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < c->width; j++) {
			double w = back_weight(c, at[i], j);
			c->sum += w * (double)logit[i * c->width + j];
			logit[i * c->width + j] = (float)w;
		}
	return ST_OK;
}

static bool
back_pass(struct back_case *c, float *grad)
{
	const struct net_op *last = &c->net->op[c->net->n_op - 1];
	bool head = last->kind == NET_HEAD || last->kind == NET_LOGISTIC;
	struct learn_pass p = { .in = &c->in, .drop = c->drop, .row = c->row, .loss = back_logits,
		.features = head ? NULL : back_features, .arg = c, .grad = grad };
	struct error e = { 0 };

	c->width = head ? c->net->V : c->net->F;
	c->sum = 0;
	learn_changed(c->learn);
	if (learn_pass(c->learn, &p, NULL, &e) == ST_OK)
		return true;
	CHECK(false, "%s: a pass: %s", c->what, e.msg);
	return false;
}

/* Room on a kernel; random parameters around what a network's are. */
static bool
back_open(struct back_case *c, const char *kernel, int threads)
{
	struct error e = { 0 };

	if (flat_make(c->net, &c->flat, &e) != ST_OK)
		return CHECK(false, "%s: %s", c->what, e.msg);
	c->param = flat_new(&c->flat);
	c->grad = flat_new(&c->flat);
	for (int p = 0; p < c->net->n_par; p++)
		for (size_t i = 0; i < c->flat.numel[p]; i++)
			c->param[c->flat.at[p] + i] = (float)(.6 * back_random(STREAM_PAR + (uint32_t)p, (uint32_t)i));
	c->pool = pool_new(threads);
	struct learn_setup s = { .flat = &c->flat, .param = c->param, .kern = kern_named(kernel), .pool = c->pool,
		.n = c->in.n, .backward = true };
	return learn_new(&s, &c->learn, &e) == ST_OK || CHECK(false, "%s, %s: %s", c->what, kernel, e.msg);
}

static void
back_close(struct back_case *c)
{
	learn_free(c->learn);
	pool_free(c->pool);
	mem_free(c->param);
	mem_free(c->grad);
	flat_done(&c->flat);
	c->learn = NULL;
	c->pool = NULL;
	c->param = c->grad = NULL;
}

static double
back_sign(uint32_t direction, int one, uint32_t i)
{
	return one < 0 && back_random(STREAM_SIGN + direction, i) < 0 ? -1 : 1;
}

/* The function with parameter p moved by h along signs (or in element one >= 0 alone). */
static double
back_moved(struct back_case *c, int p, uint32_t direction, int one, double h)
{
	size_t n = c->flat.numel[p];
	float *at = c->param + c->flat.at[p], *keep = malloc(n * sizeof *keep);

	memcpy(keep, at, n * sizeof *keep);
	for (size_t i = 0; i < n; i++)
		if (one < 0 || (size_t)one == i)
			at[i] += (float)(h * back_sign(direction, one, (uint32_t)i));
	if (!back_pass(c, NULL))
		c->sum = NAN;
	memcpy(at, keep, n * sizeof *keep);
	free(keep);
	return c->sum;
}

/* How far the gradient is from a difference of fourth order, in units of the tolerance. */
static double
back_off(struct back_case *c, int p, uint32_t direction, int one, double size)
{
	const float *g = c->grad + c->flat.at[p];
	double h = c->step > 0 ? c->step : .02, want = 0, n = one < 0 ? (double)c->flat.numel[p] : 1;
	double near = back_moved(c, p, direction, one, h) - back_moved(c, p, direction, one, -h);
	double far = back_moved(c, p, direction, one, 2 * h) - back_moved(c, p, direction, one, -2 * h);

	for (size_t i = 0; i < c->flat.numel[p]; i++)
		if (one < 0 || (size_t)one == i)
			want += (double)g[i] * back_sign(direction, one, (uint32_t)i);
	double off = fabs((8 * near - far) / (12 * h) - want);
	return off / ((c->tolerance > 0 ? c->tolerance : 3e-4) * size * sqrt(n));
}

#define BACK_DIRECTIONS 3
#define BACK_SINGLES 8

static double
back_norm_of(size_t n, const float *g)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)g[i] * (double)g[i];
	return sqrt(sum);
}

/* Every parameter of the description on one kernel. */
static void
back_differences(struct back_case *c, const char *kernel)
{
	if (!back_open(c, kernel, 1) || !back_pass(c, c->grad)) {
		back_close(c);
		return;
	}
	/* what an element of any parameter's gradient is like, in the mean square */
	double usual = back_norm_of(c->flat.floats, c->grad) / sqrt((double)net_parameters(c->net));
	for (int p = 0; p < c->net->n_par; p++) {
		size_t n = c->flat.numel[p];
		double own = back_norm_of(n, c->grad + c->flat.at[p]) / sqrt((double)n), worst = 0;
		for (uint32_t i = 0; i < BACK_DIRECTIONS; i++)
			worst = fmax(worst, back_off(c, p, i, -1, own + .1 * usual));
		for (uint32_t i = 0; i < BACK_SINGLES; i++)
			worst = fmax(worst, back_off(c, p, 0, (int)(i * 7919 % n), own + .1 * usual));
		CHECK(worst <= 1 && own > 0, "%s, %s: %s against differences", c->what, kernel, c->net->par[p].name);
		if (!(worst <= .3))
			printf("#  %.2g of the tolerance, gradient %.2g\n", worst, own);
	}
	back_close(c);
}

/* The same bits on 1, 2 and 3 threads. */
static void
back_threads(struct back_case *c, const char *kernel)
{
	float *first = NULL;
	bool same = true;

	for (int threads = 1; threads <= 3; threads++) {
		if (!back_open(c, kernel, threads) || !back_pass(c, c->grad)) {
			back_close(c);
			break;
		}
		size_t bytes = c->flat.floats * sizeof *first;
		if (first)
			same &= memcmp(first, c->grad, bytes) == 0;
		else if ((first = malloc(bytes)))
			memcpy(first, c->grad, bytes);
		back_close(c);
	}
	CHECK(first && same, "%s, %s: the same bits on 1, 2 and 3 threads", c->what, kernel);
	free(first);
}

static struct net_input
back_part(const struct net_input *in, int L, int V, int first, int n)
{
	struct net_input part = *in;
	size_t at = (size_t)first * (size_t)L;

	part.n = n;
	part.tok = in->tok ? in->tok + at : NULL;
	part.idx = in->idx ? in->idx + at * (size_t)in->k : NULL;
	part.w = in->w ? in->w + at * (size_t)in->k : NULL;
	part.dense = in->dense ? in->dense + at * (size_t)V : NULL;
	part.prob = in->prob ? in->prob + at * (size_t)V : NULL;
	part.sigma = in->sigma ? in->sigma + first : NULL;
	part.label = in->label ? in->label + first : NULL;
	return part;
}

/* One sample after the other give the same sum to rounding, dropout and all. */
static void
back_splits(struct back_case *c, const char *kernel)
{
	struct net_input all = c->in;
	const struct learn_dropout *drop = c->drop;
	const uint8_t *row = c->row;
	int L = c->net->L;
	bool ok = back_open(c, kernel, 2) && back_pass(c, c->grad);
	double sum = c->sum, parts = 0;
	float *part = ok ? flat_new(&c->flat) : NULL;

	for (int s = 0; ok && part && s < all.n; s++) {
		struct learn_dropout d = drop ? *drop : (struct learn_dropout){ 0 };
		d.first += (uint32_t)s;
		c->in = back_part(&all, L, c->net->V, s, 1);
		c->drop = drop ? &d : NULL;
		c->row = row ? row + s * L : NULL;
		c->first = (uint32_t)(s * L);
		ok = back_pass(c, part);
		parts += c->sum;
	}
	double size = ok ? back_norm_of(c->flat.floats, part) : 0;
	for (size_t i = 0; ok && i < c->flat.floats; i++)
		part[i] -= c->grad[i];
	double off = ok ? back_norm_of(c->flat.floats, part) : INFINITY;
	CHECK(ok && off <= 2e-6 * size && fabs(parts - sum) <= 1e-5 * (1 + fabs(sum)),
		"%s, %s: sample by sample the same sum within %.1e", c->what, kernel, off / size);
	c->in = all;
	c->drop = drop;
	c->row = row;
	c->first = 0;
	mem_free(part);
	back_close(c);
}

/* Everything, on every kernel of this CPU; the description is released. */
__attribute__((unused)) static void
back_check(struct back_case *c)
{
	struct error e = { 0 };

	if (CHECK(net_finish(c->net, &e) == ST_OK, "%s: described %s", c->what, e.msg))
		for (int k = 0; k < BACK_KERNELS; k++) {
			if (!kern_named(back_kernels[k]))
				continue;
			back_differences(c, back_kernels[k]);
			back_threads(c, back_kernels[k]);
			back_splits(c, back_kernels[k]);
		}
	net_free(c->net);
}

#endif
