/*
 * registry.h: from an open checkpoint to a model.
 */
#ifndef PSI_MODELS_REGISTRY_H
#define PSI_MODELS_REGISTRY_H

#include "ckpt/ckpt.h"
#include "net/model.h"
#include "net/net.h"

/* The description of a configuration's network; *out is the caller's. */
enum status model_describe(const struct config *c, struct net **out, struct error *e);

/* What a configuration says of a model besides its network: the meaning of the
 * logits, mask, [BOS], alpha.  ST_CKPT: nothing can be sampled from it. */
enum status model_configure(const struct config *c, struct model *m, struct error *e);

/* Check every tensor against the network's description (names, shapes,
 * types) without touching weights: ST_CKPT and one line if something is
 * missing or does not fit.  Part of opening. */
enum status model_check(const struct ckpt *c, struct error *e);

/* Build a model over an open checkpoint, which must outlive it.  raw: use
 * state_dict weights instead of EMA.  Weights are bound, not read; the first
 * trunk call packs what it needs.  pool is borrowed, may be NULL. */
enum status model_open(const struct ckpt *c, bool raw, struct pool *pool, struct model **out, struct error *e);

struct model_size { uint64_t parameters, weight_bytes, scratch_bytes; };
enum status model_measure(const struct ckpt *c, struct model_size *out, struct error *e);

#endif
