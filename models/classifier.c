/*
 * classifier.c: see classifier.h.  A described trunk, the mean of its features
 * over positions, and the last layer, in double.  Owns the open file, the
 * weights and the runner.
 */
#include "models/classifier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/describe.h"
#include "models/init.h"
#include "net/run.h"

struct private
{
	struct classifier c; /* first */
	struct ckpt *ckpt;
	struct net *net;
	struct weights *w;
	struct net_run *run;
	int width, rows; /* of the features: pixels, or positions */
	bool unet;
	float *weight, *bias; /* [classes,width], [classes] */
	float *feat;	      /* [L,width] of one input, and its gradient */
	double *mean, *p;     /* [width]; [classes] */
};

enum status
classifier_describe(const struct config *c, struct net *net, struct error *e)
{
	struct unet_end end = { 0 };
	enum status st = c->backbone == BACKBONE_UNET ? unet_trunk(c, net, &end, e) : dit_trunk(c, net, e);
	int64_t dim[2] = { c->classes, c->backbone == BACKBONE_UNET ? end.width : c->hidden };

	if (st != ST_OK)
		return st;
	if (c->causal == 1)
		return error_set(e, ST_CKPT, "a classifier of a causal trunk");
	if (c->backbone == BACKBONE_UNET) {
		net->feature = end.value;
		net->F = end.width;
	}
	int w = net_param(net, 2, dim, "classifier.weight"), b = net_param(net, 1, dim, "classifier.bias");
	init_linear(net, w, b, (double)dim[1]);
	return ST_OK;
}

static struct private *
private_of(struct classifier *c)
{
	return c->priv;
}

/* The trunk over one input, its values kept; then log p of each class. */
static enum status
forward(struct private *m, const int32_t *tok, double sigma, double *out, struct cancel *cancel, struct error *e)
{
	struct net_input in = { .n = 1, .tok = tok, .sigma = &sigma };
	enum status st = net_run_trunk(m->run, &in, m->feat, cancel, e);

	if (st == ST_OK)
		st = classifier_layer(m->rows, m->width, m->c.classes, m->feat, m->weight, m->bias, m->mean, out, e);
	return st;
}

static enum status
log_p(struct classifier *c, int n, const int32_t *tok, const double *sigma, double *out, struct cancel *cancel,
      struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; i < n && st == ST_OK; i++)
		st = forward(private_of(c), tok + (size_t)i * (size_t)c->L, sigma[i],
			     out + (size_t)i * (size_t)c->classes, cancel, e);
	return st;
}

/* d log p(y) / d logit = onehot(y) - p; through the last layer and the mean. */
static void
seed(struct private *m, int label)
{
	for (int d = 0; d < m->width; d++) {
		double g = 0;
		for (int y = 0; y < m->c.classes; y++)
			g +=
			    ((y == label) - exp(m->p[y])) * (double)m->weight[(size_t)y * (size_t)m->width + (size_t)d];
		for (int l = 0; l < m->rows; l++)
			m->feat[(size_t)l * (size_t)m->width + (size_t)d] = (float)(g / m->rows);
	}
}

static enum status
gradient(struct classifier *c, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
	 struct cancel *cancel, struct error *e)
{
	struct private *m = private_of(c);
	size_t L = (size_t)c->L;
	enum status st = ST_OK;

	for (int i = 0; i < n && st == ST_OK; i++) {
		if (label[i] < 0 || label[i] >= c->classes)
			return error_set(e, ST_USAGE, "label %d: the classifier has labels 0 to %d", label[i],
					 c->classes - 1);
		st = forward(m, tok + (size_t)i * L, sigma[i], m->p, cancel, e);
		if (st != ST_OK)
			return st;
		seed(m, label[i]);
		st = net_run_back(m->run, m->feat, feat + (size_t)i * L * (size_t)c->F, cancel, e);
	}
	return st;
}

/* A pixel is linear in its one-hot token: 2 v / V - 1. */
static enum status
rows(struct classifier *c, int n, const float *feat, float *grad, struct cancel *cancel, struct error *e)
{
	struct private *m = private_of(c);

	if (!m->unet)
		return net_run_head(m->run, n, feat, grad, cancel, e);
	for (int i = 0; i < n; i++)
		for (int v = 0; v < c->V; v++)
			grad[(size_t)i * (size_t)c->V + (size_t)v] = (float)((double)feat[i] * (2. * v / c->V - 1));
	return ST_OK;
}

static void
free_classifier(struct classifier *c)
{
	struct private *m = private_of(c);

	net_run_free(m->run);
	weights_free(m->w);
	net_free(m->net);
	ckpt_close(m->ckpt);
	free(m->weight);
	free(m->bias);
	mem_free(m->feat);
	free(m->mean);
	free(m->p);
	free(m);
}

static enum status
load(struct private *m, struct error *e)
{
	const struct config *k = &m->ckpt->config;
	const struct tensor *w = ckpt_find(m->ckpt, false, "classifier.weight");
	const struct tensor *b = ckpt_find(m->ckpt, false, "classifier.bias");
	size_t classes = (size_t)k->classes, width = (size_t)m->net->F;

	m->unet = k->backbone == BACKBONE_UNET;
	m->width = m->net->F;
	m->rows = m->unet ? m->net->L / 3 : m->net->L;
	m->c = (struct classifier){ .L = m->net->L,
				    .V = m->net->V,
				    .classes = k->classes,
				    .F = m->unet ? 1 : m->net->F,
				    .pool = m->c.pool,
				    .log_p = log_p,
				    .gradient = gradient,
				    .rows = rows,
				    .free = free_classifier,
				    .priv = m };
	m->weight = mem_calloc(classes * width, sizeof *m->weight);
	m->bias = mem_calloc(classes, sizeof *m->bias);
	m->feat = mem_aligned((size_t)m->net->L * width, sizeof *m->feat);
	m->mean = mem_calloc(width, sizeof *m->mean);
	m->p = mem_calloc(classes, sizeof *m->p);
	if (!m->weight || !m->bias || !m->feat || !m->mean || !m->p)
		return error_set(e, ST_MEMORY, "out of memory for a classifier");
	tensor_to_f32(w, 0, classes * width, m->weight);
	tensor_to_f32(b, 0, classes, m->bias);
	return ST_OK;
}

static enum status
bind(struct private *m, struct error *e)
{
	const struct ckpt *k = m->ckpt;
	enum status st;

	if (k->config.algo != ALGO_CLASSIFIER)
		return error_set(e, ST_CKPT, "not a classifier, but a model of family %s", algo_name(k->config.algo));
	if (k->config.backbone == BACKBONE_DIT && k->config.n_blocks > k->n_raw)
		return error_set(e, ST_CKPT, "n_blocks %d, but the file holds %d tensors", k->config.n_blocks,
				 k->n_raw);
	if (!(m->net = net_new()))
		return error_set(e, ST_MEMORY, "out of memory for a classifier");
	st = classifier_describe(&k->config, m->net, e);
	if (st == ST_OK)
		st = net_finish(m->net, e);
	if (st == ST_OK)
		st = weights_new(m->net, k->raw, k->n_raw, "weights", kern_best(), &m->w, e);
	if (st == ST_OK)
		st = net_run_new(m->net, m->w, kern_best(), m->c.pool, true, &m->run, e);
	return st == ST_OK ? load(m, e) : st;
}

enum status
classifier_open(const char *path, struct pool *pool, struct classifier **out, struct error *e)
{
	struct private *m = mem_calloc(1, sizeof *m);
	enum status st;

	*out = NULL;
	if (!m)
		return error_set(e, ST_MEMORY, "out of memory for a classifier");
	m->c.pool = pool;
	m->c.priv = m;
	st = ckpt_open(path, NULL, &m->ckpt, e);
	if (st == ST_OK)
		st = bind(m, e);
	if (st != ST_OK) {
		free_classifier(&m->c);
		return st;
	}
	*out = &m->c;
	return ST_OK;
}
