/* own.c: see own.h. */
#include "ckpt/own.h"

#include <stdio.h>
#include <stdlib.h>

static enum status
declare_family(struct st_writer *w, const struct config *c, struct error *e)
{
	if (c->algo != ALGO_CLASSIFIER)
		return ST_OK;
	enum status st = st_metadata(w, "family", "classifier", e);
	return st ? st : st_metadata(w, "base", c->backbone == BACKBONE_UNET ? "unet" : "dit", e);
}

enum status
own_declare(struct st_writer *w, const struct own_metadata *m, struct error *e)
{
	char *config = config_to_json(m->config), step[32];
	enum status st = config ? st_metadata(w, "config", config, e) : error_set(e, ST_MEMORY, "out of memory");

	free(config);
	snprintf(step, sizeof step, "%lld", m->config->step);
	if (!st)
		st = st_metadata(w, "format", "pt", e);
	if (!st)
		st = st_metadata(w, "weights", m->weights, e);
	if (!st && m->config->step >= 0)
		st = st_metadata(w, "step", step, e);
	if (!st)
		st = declare_family(w, m->config, e);
	if (!st && m->layout)
		st = st_metadata(w, "layout", m->layout, e);
	if (!st && m->vocabulary)
		st = st_metadata(w, m->vocabulary_key, m->vocabulary, e);
	return st;
}
