/* registry.c: see registry.h.  Which description and which meaning of the
 * logits belong to a configuration. */
#include "models/registry.h"

#include <stdio.h>

#include "models/describe.h"
#include "net/netmodel.h"

enum status
model_describe(const struct config *c, struct net **out, struct error *e)
{
	struct net *net = net_new();
	enum status st;

	*out = NULL;
	if (!net)
		return error_set(e, ST_MEMORY, "out of memory");
	if (c->algo == ALGO_CLASSIFIER)
		st = classifier_describe(c, net, e);
	else if (c->backbone == BACKBONE_UNET)
		st = unet_describe(c, net, e);
	else if (c->backbone == BACKBONE_GPT2)
		st = gpt2_describe(c, net, e);
	else if (c->backbone == BACKBONE_DIT)
		st = dit_describe(c, net, e);
	else
		st = error_set(e, ST_CKPT, "a network of type %s cannot be run yet", backbone_name(c->backbone));
	if (st == ST_OK)
		st = net_finish(net, e);
	if (st != ST_OK) {
		net_free(net);
		return st;
	}
	*out = net;
	return ST_OK;
}

/* The same of an open checkpoint, whose configuration may be wrong. */
static enum status
describe(const struct ckpt *c, struct net **out, struct error *e)
{
	const struct config *k = &c->config;

	*out = NULL;
	if ((k->backbone == BACKBONE_DIT || k->backbone == BACKBONE_GPT2) && k->n_blocks > c->n_raw)
		return error_set(e, ST_CKPT, "n_blocks %d, but the file holds %d tensors", k->n_blocks, c->n_raw);
	return model_describe(k, out, e);
}

enum status
model_check(const struct ckpt *c, struct error *e)
{
	struct net *net;
	uint64_t bytes;
	enum status st = describe(c, &net, e);

	if (st != ST_OK)
		return st;
	st = net_match(net, c->raw, c->n_raw, "weights", NULL, e);
	if (st == ST_OK && c->n_ema > 0)
		st = net_match(net, c->ema, c->n_ema, "EMA weights", NULL, e);
	if (st == ST_OK && net_run_measure(net, kern_best(), 1, &bytes, e) != ST_OK)
		st = error_set(e, ST_CKPT, "length %d makes no network that fits into memory", c->config.length);
	net_free(net);
	return st;
}

static enum status
output_of(const struct config *c, enum output *out, struct error *e)
{
	if (c->causal == 1 || c->algo == ALGO_AR) {
		*out = OUT_CAUSAL;
		return ST_OK;
	}
	switch (c->algo) {
	case ALGO_DUO:
	case ALGO_DUO_BASE:
	case ALGO_UDLM:
		*out = OUT_MEAN;
		return ST_OK;
	case ALGO_MDLM:
		*out = OUT_SUBS;
		return ST_OK;
	case ALGO_D3PM:
		*out = OUT_D3PM;
		return ST_OK;
	case ALGO_SEDD:
		*out = OUT_SCORE;
		return ST_OK;
	case ALGO_CLASSIFIER:
		return error_set(e, ST_CKPT,
				 "a classifier, which guides a model but makes nothing itself (--classifier FILE)");
	default:
		return error_set(e, ST_CKPT, "algorithm %s cannot be sampled from (--algo NAME)", algo_name(c->algo));
	}
}

/* The token a text begins with, by vocabulary: text8, GPT-2, WordPiece; own
 * vocabularies have it just before the mask, and may say so. */
static int
bos_of(const struct config *c)
{
	if (c->bos != CONFIG_UNSET)
		return c->bos;
	switch (c->vocab) {
	case 35:
		return 2;
	case 50257:
	case 50258:
		return 50256;
	case 30522:
		return 101;
	default:
		return c->mask > 0 ? c->mask - 1 : c->vocab - 1;
	}
}

enum status
model_configure(const struct config *c, struct model *m, struct error *e)
{
	enum output meaning = OUT_MEAN;
	enum status st = output_of(c, &meaning, e);

	if (st != ST_OK)
		return st;
	m->out = meaning;
	m->mask = c->mask;
	m->subs_masking = c->subs_masking == 1;
	m->bos_fixed = c->ignore_bos == 1;
	m->bos = bos_of(c);
	m->alpha = (struct alpha){ c->schedule == SCHEDULE_COSINE ? ALPHA_COSINE : ALPHA_LOGLINEAR, c->eps };
	return ST_OK;
}

enum status
model_open(const struct ckpt *c, bool raw, struct pool *pool, struct model **out, struct error *e)
{
	bool ema = !raw && c->n_ema > 0;
	struct net *net;
	struct model *m = NULL;
	enum status st = describe(c, &net, e);

	*out = NULL;
	if (st == ST_OK)
		st = net_model_new(net, ema ? c->ema : c->raw, ema ? c->n_ema : c->n_raw,
			ema ? "EMA weights" : "weights", kern_best(), pool, false, &m, e);
	if (st == ST_OK)
		st = model_configure(&c->config, m, e);
	if (st != ST_OK) {
		model_free(m);
		return st;
	}
	m->has_raw_and_ema = c->n_ema > 0;
	m->weights = c->n_ema > 0 && !ema;
	*out = m;
	return ST_OK;
}

enum status
model_measure(const struct ckpt *c, struct model_size *out, struct error *e)
{
	struct net *net;
	enum status st = describe(c, &net, e);

	if (st != ST_OK)
		return st;
	*out = (struct model_size){ .parameters = net_parameters(net) };
	for (int i = 0; i < net->n_par; i++) {
		const struct tensor *t = ckpt_find(c, c->n_ema > 0, net->par[i].name);
		out->weight_bytes += t ? tensor_numel(t) * dtype_size(t->dtype) : 0;
	}
	st = net_run_measure(net, kern_best(), pool_threads(NULL), &out->scratch_bytes, e);
	net_free(net);
	return st;
}
