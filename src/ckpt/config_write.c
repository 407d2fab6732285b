/* config_write.c: a configuration as JSON.  See config.h.  Any thread. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ckpt/config.h"

/* Unset values are left out: a reader infers them as we did. */
static void
put_int(json_t *o, const char *name, int v)
{
	if (v != CONFIG_UNSET)
		json_object_set_new(o, name, json_integer(v));
}

static void
put_bool(json_t *o, const char *name, int v)
{
	if (v != CONFIG_UNSET)
		json_object_set_new(o, name, json_boolean(v));
}

static void
put_real(json_t *o, const char *name, double v)
{
	if (!isnan(v))
		json_object_set_new(o, name, json_real(v));
}

static void
put_text(json_t *o, const char *name, const char *v)
{
	if (*v)
		json_object_set_new(o, name, json_string(v));
}

static json_t *
algo_section(const struct config *c)
{
	json_t *o = json_object();

	put_text(o, "name", algo_name(c->algo));
	put_text(o, "backbone", c->backbone == BACKBONE_UNET ? "unet" : "dit");
	put_text(o, "parameterization", c->parameterization);
	put_bool(o, "time_conditioning", c->timed);
	put_bool(o, "causal_attention", c->causal);
	put_int(o, "T", c->T);
	put_bool(o, "subs_masking", c->subs_masking);
	put_bool(o, "ignore_bos", c->ignore_bos);
	put_text(o, "loss_type", c->loss_type);
	return o;
}

static void
put_unet(json_t *o, const struct config *c)
{
	json_t *mult = json_array();

	put_int(o, "ch", c->ch);
	put_int(o, "num_res_blocks", c->num_res_blocks);
	put_int(o, "num_scales", c->num_scales);
	for (int i = 0; i < c->num_scales && i < CONFIG_SCALES; i++)
		json_array_append_new(mult, json_integer(c->ch_mult[i]));
	json_object_set_new(o, "ch_mult", mult);
	put_int(o, "scale_count_to_put_attn", c->attn_scale);
	put_real(o, "time_scale_factor", c->time_scale_factor);
	put_int(o, "time_embed_dim", c->time_embed_dim);
	put_bool(o, "time_conditioning", c->unet_time);
	put_bool(o, "skip_rescale", c->skip_rescale);
	put_bool(o, "fix_logistic", c->fix_logistic);
	put_text(o, "size", c->size);
}

static json_t *
model_section(const struct config *c)
{
	json_t *o = json_object();

	put_text(o, "type", c->backbone == BACKBONE_UNET ? "unet" : "ddit");
	put_int(o, "hidden_size", c->hidden);
	put_int(o, "cond_dim", c->cond_dim);
	put_int(o, "length", c->length);
	put_int(o, "n_blocks", c->n_blocks);
	put_int(o, "n_heads", c->n_heads);
	put_real(o, "dropout", c->dropout);
	if (c->backbone == BACKBONE_UNET)
		put_unet(o, c);
	if (c->algo == ALGO_CLASSIFIER)
		put_int(o, "vocab_size", c->vocab);           /* need not follow from the tensors */
	if (c->mask >= 0)
		put_int(o, "mask", c->mask);
	put_int(o, "bos", c->bos);
	return o;
}

/* Digits that give every number back: 15 where they do ("0.1"), else 17. */
static size_t
precision(const struct config *c)
{
	const double v[] = { c->eps, c->dropout, c->ema_decay, c->time_scale_factor };
	char buf[40];

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		snprintf(buf, sizeof buf, "%.15g", v[i]);
		if (!isnan(v[i]) && strtod(buf, NULL) != v[i])
			return JSON_REAL_PRECISION(17);
	}
	return JSON_REAL_PRECISION(15);
}

/* The text, if the tree was built without running out of memory. */
static char *
to_text(json_t *root, size_t flags)
{
	char *s = root ? json_dumps(root, flags) : NULL;

	json_decref(root);
	return s;
}

char *
config_to_json(const struct config *c)
{
	json_t *root = json_object(), *noise = json_object(), *data = json_object(), *training = json_object();

	put_text(noise, "type", schedule_name(c->schedule));
	put_real(noise, "eps", c->eps);
	put_text(data, "modality", c->modality);
	put_text(data, "tokenizer_name_or_path", c->tokenizer_name);
	if (c->classes > 0)
		put_int(data, "num_classes", c->classes);
	put_real(training, "ema", c->ema_decay);
	json_object_set_new(root, "algo", algo_section(c));
	json_object_set_new(root, "model", model_section(c));
	json_object_set_new(root, "noise", noise);
	json_object_set_new(root, "data", data);
	json_object_set_new(root, "training", training);
	return to_text(root, JSON_COMPACT | precision(c));
}

char *
config_to_hf(const struct config *c, const char *dtype, const char **why)
{
	bool duo = c->algo == ALGO_DUO || c->algo == ALGO_DUO_BASE || c->algo == ALGO_AR;
	const char *type = duo ? "duo" : c->algo == ALGO_MDLM ? "mdlm" : c->algo == ALGO_UDLM ? "udlm" : NULL;
	json_t *o;

	*why = NULL;
	if (!type || c->backbone != BACKBONE_DIT) {
		*why = "no Hugging Face family is published for it";
		return NULL;
	}
	if (c->label_cond && c->algo != ALGO_UDLM) {
		*why = "only the udlm family has labels";
		return NULL;
	}
	o = json_object();
	put_text(o, "model_type", type);
	put_int(o, "vocab_size", c->vocab);
	put_int(o, "model_length", c->length);
	put_int(o, "hidden_dim", c->hidden);
	put_int(o, "cond_dim", c->causal ? 128 : c->cond_dim);
	put_int(o, "n_blocks", c->n_blocks);
	put_int(o, "n_heads", c->n_heads);
	put_real(o, "dropout", c->dropout);
	if (duo)
		put_bool(o, "causal", c->causal);
	else
		put_bool(o, "time_conditioning", c->timed);
	if (c->algo == ALGO_UDLM) {
		put_bool(o, "cfg", c->label_cond);
		put_int(o, "cfg_num_classes", c->label_cond ? c->classes : -1);
	}
	put_text(o, "torch_dtype", dtype);
	return to_text(o, JSON_INDENT(2) | precision(c));
}
