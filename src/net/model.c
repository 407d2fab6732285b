/*
 * model.c: struct model over a described network, a set of weights and a
 * runner.  The fields that come from the configuration are filled in by
 * models/registry.c.
 */
#include "net/netmodel.h"

#include <stdlib.h>

#include "base/mem.h"

struct private {
	struct net *net;
	struct weights *w;
	struct net_run *run;
};

void
model_free(struct model *m)
{
	if (m)
		m->free(m);
}

static void
free_model(struct model *m)
{
	struct private *p = m->priv;

	net_run_free(p->run);
	weights_free(p->w);
	net_free(p->net);
	free(p);
	free(m);
}

static enum status
trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat, struct cancel *c,
      struct error *e)
{
	struct private *p = m->priv;
	struct net_input in = { .n = n, .tok = tok, .sigma = m->timed ? sigma : NULL, .label = label };

	return net_run_trunk(p->run, &in, feat, c, e);
}

static enum status
rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	struct private *p = m->priv;

	return net_run_head(p->run, n, feat, logit, c, e);
}

static enum status
extend(struct model *m, int sample, int len, const int32_t *tok, float *feat, struct cancel *c, struct error *e)
{
	struct private *p = m->priv;

	return net_run_extend(p->run, sample, len, tok, feat, c, e);
}

enum status
net_model_new(struct net *net, const struct tensor *t, int n, const char *what, const struct kern *kern,
	struct pool *pool, bool keep, struct model **out, struct error *e)
{
	struct model *m = mem_calloc(1, sizeof *m);
	struct private *p = mem_calloc(1, sizeof *p);

	*out = NULL;
	if (!m || !p) {
		free(m);
		free(p);
		net_free(net);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	*m = (struct model){ .L = net->L, .V = net->V, .F = net->F, .mask = -1, .classes = net->classes,
		.timed = net->timed,
		             .trunk = trunk, .rows = rows, .extend = net->causal ? extend : NULL, .free = free_model,
		             .pool = pool, .priv = p };
	p->net = net;
	enum status st = weights_new(net, t, n, what, kern, &p->w, e);
	if (st == ST_OK)
		st = net_run_new(net, p->w, kern, pool, keep, &p->run, e);
	if (st != ST_OK) {
		free_model(m);
		return st;
	}
	*out = m;
	return ST_OK;
}

void
net_model_background(struct model *m)
{
	m->background = true;
	net_run_priority(net_model_run(m), POOL_TRAIN);
}

struct net_run *
net_model_run(struct model *m)
{
	return ((struct private *)m->priv)->run;
}

const struct net *
net_model_net(const struct model *m)
{
	return ((const struct private *)m->priv)->net;
}
