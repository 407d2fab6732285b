/*
 * complete.c: what a configuration does not say is inferred from the tensors
 * where that is unambiguous, and everything it says is checked against them.
 * See config_impl.h.  Any thread.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ckpt/config_impl.h"

const struct tensor *
list_find(const struct tensor_list *l, const char *name)
{
	uint32_t i;

	return names_find(&l->names, name, strlen(name), &i) ? &l->t[i] : NULL;
}

/* dim[axis] of a tensor of this rank; 0 if there is none. */
static int
extent(const struct tensor_list *l, const char *name, int rank, int axis)
{
	const struct tensor *t = list_find(l, name);

	return t && t->ndim == rank && t->dim[axis] <= INT_MAX ? (int)t->dim[axis] : 0;
}

static enum algo
algo_from(const char *s)
{
	/* A distilled Duo samples like any other. */
	static const struct { const char *name; enum algo algo; } known[] = {
		{ "duo", ALGO_DUO }, { "distillation", ALGO_DUO }, { "duo_base", ALGO_DUO_BASE },
		{ "duo-base", ALGO_DUO_BASE }, { "udlm", ALGO_UDLM }, { "mdlm", ALGO_MDLM }, { "d3pm", ALGO_D3PM },
		{ "sedd", ALGO_SEDD }, { "ar", ALGO_AR }, { "gpt2", ALGO_GPT2 }, { "classifier", ALGO_CLASSIFIER },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(s, known[i].name))
			return known[i].algo;
	return ALGO_UNKNOWN;
}

/* "" is log-linear. */
static enum schedule
schedule_from(const char *s)
{
	static const struct { const char *name; enum schedule schedule; } known[] = {
		{ "", SCHEDULE_LOGLINEAR }, { "log-linear", SCHEDULE_LOGLINEAR }, { "loglinear", SCHEDULE_LOGLINEAR },
		{ "log_linear", SCHEDULE_LOGLINEAR }, { "cosine", SCHEDULE_COSINE },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(s, known[i].name))
			return known[i].schedule;
	return SCHEDULE_UNKNOWN;
}

/* *field must be `found` if the file says it; else it becomes that. */
static enum status
agree(const struct config *c, const char *what, int *field, int found, const char *tensor, struct error *e)
{
	if (found <= 0)
		return error_set(e, ST_CKPT, "tensor %s is missing or has the wrong rank", tensor);
	if (*field != CONFIG_UNSET && *field != found)
		return error_set(e, ST_CKPT, "%s: %s is %d, but tensor %s says %d", c->path, what, *field, tensor,
		    found);
	*field = found;
	return ST_OK;
}

/* Blocks 0..n-1: one more than the highest number in `prefix`N. */
static int
count_blocks(const struct tensor_list *l, const char *prefix)
{
	size_t k = strlen(prefix);
	long n = 0;

	for (int i = 0; i < l->n; i++) {
		char *end;
		const char *s = l->t[i].name;

		if (strncmp(s, prefix, k) || s[k] < '0' || s[k] > '9' || strlen(s + k) < 2)
			continue;
		long b = strtol(s + k, &end, 10);
		if (*end == '.' && b < INT_MAX - 1 && b + 1 > n)
			n = b + 1;
	}
	return (int)n;
}

static enum status
find_backbone(struct config *c, const struct tensor_list *l, struct error *e)
{
	enum backbone says = !strcasecmp(c->backbone_name, "dit") || !strcasecmp(c->backbone_name, "hf_dit")
	    ? BACKBONE_DIT : !strcasecmp(c->backbone_name, "unet") ? BACKBONE_UNET : BACKBONE_UNKNOWN;
	enum backbone is = list_find(l, "vocab_embed.embedding") || list_find(l, "blocks.0.attn_qkv.weight")
	    ? BACKBONE_DIT : list_find(l, "input_conv.weight") ? BACKBONE_UNET
	    : list_find(l, "wte.weight") ? BACKBONE_GPT2 : BACKBONE_UNKNOWN;

	if (*c->backbone_name && says == BACKBONE_UNKNOWN)
		return error_set(e, ST_CKPT, "%s: algo.backbone is \"%s\", which psiview does not know (dit, unet)",
		    c->path, c->backbone_name);
	if (says != BACKBONE_UNKNOWN && is != BACKBONE_UNKNOWN && says != is)
		return error_set(e, ST_CKPT, "%s: algo.backbone is \"%s\", but the tensors are those of %s", c->path,
		    c->backbone_name, backbone_name(is));
	if (is == BACKBONE_UNKNOWN && says == BACKBONE_UNKNOWN)
		return error_set(e, ST_CKPT, "no network that psiview knows (no tensor vocab_embed.embedding, "
		    "input_conv.weight or wte.weight): duo, mdlm, sedd, d3pm, ar, GPT-2 are supported");
	c->backbone = is != BACKBONE_UNKNOWN ? is : says;
	return ST_OK;
}

static enum status
find_algo(struct config *c, const struct tensor_list *l, const struct config_override *o, struct error *e)
{
	bool bare = c->backbone == BACKBONE_DIT && !list_find(l, "sigma_map.mlp.0.weight") &&
	    !list_find(l, "blocks.0.adaLN_modulation.weight");

	if (o->algo)
		snprintf(c->algo_name, sizeof c->algo_name, "%s", o->algo);
	c->algo = algo_from(c->algo_name);
	if (c->backbone == BACKBONE_GPT2)
		c->algo = ALGO_GPT2;
	else if (c->algo == ALGO_UNKNOWN && *c->algo_name)
		return error_set(e, o->algo ? ST_USAGE : ST_CKPT,
		    "algorithm \"%s\" is not one of duo, duo_base, udlm, mdlm, d3pm, sedd, ar: give --algo",
		    c->algo_name);
	else if (c->algo == ALGO_UNKNOWN && bare)
		c->algo = ALGO_AR;                /* no time input at all: it can be nothing else */
	if (c->causal == CONFIG_UNSET)
		c->causal = c->algo == ALGO_AR || c->algo == ALGO_GPT2;
	if (c->causal && c->backbone == BACKBONE_DIT)
		c->algo = ALGO_AR;
	if (c->algo == ALGO_AR && !c->causal)
		return error_set(e, ST_CKPT, "%s: algorithm ar without causal attention", c->path);
	return ST_OK;
}

static enum status
find_noise(struct config *c, const struct config_override *o, struct error *e)
{
	const char *s = o->noise ? o->noise : c->noise_name;

	c->schedule = schedule_from(s);
	if (c->schedule == SCHEDULE_UNKNOWN)
		return error_set(e, o->noise ? ST_USAGE : ST_CKPT,
		    "noise schedule \"%s\" is not one of log-linear, cosine: give --noise", s);
	if (!isnan(o->eps)) {
		if (!(o->eps >= 0 && o->eps <= 0.5))
			return error_set(e, ST_USAGE, "--eps is not within 0 to 0.5");
		c->eps = o->eps;
	}
	if (isnan(c->eps))
		c->eps = 1e-3;
	return ST_OK;
}

/* What no tensor tells must have been said: one line with all the options. */
static enum status
check_said(const struct config *c, struct error *e)
{
	char list[96] = "";
	const char *want[4];
	int n = 0;

	if (c->algo == ALGO_UNKNOWN)
		want[n++] = "--algo";
	if (c->n_heads == CONFIG_UNSET && c->backbone != BACKBONE_UNET)
		want[n++] = "--heads";
	if (c->length == CONFIG_UNSET && c->backbone != BACKBONE_GPT2)
		want[n++] = "--length";
	if (!n)
		return ST_OK;
	for (int i = 0; i < n; i++) {
		const char *join = i == 0 ? "" : i + 1 == n ? " and " : ", ";

		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", join, want[i]);
	}
	bool nothing = !*c->algo_name && c->n_heads == CONFIG_UNSET && c->length == CONFIG_UNSET;
	return error_set(e, ST_CKPT, "%s: give %s%s", nothing ? "the file has no configuration" :
	    "the configuration does not say all that is needed", list, *c->noise_name || !nothing ? ""
	    : " (and --noise unless it is log-linear)");
}

static enum status
complete_dit(struct config *c, const struct tensor_list *l, struct error *e)
{
	const struct tensor *labels = list_find(l, "cond_map.embedding_table.weight");
	enum status st = agree(c, "the vocabulary size", &c->vocab, extent(l, "vocab_embed.embedding", 2, 0),
	    "vocab_embed.embedding", e);

	if (!st)
		st = agree(c, "hidden_size", &c->hidden, extent(l, "vocab_embed.embedding", 2, 1),
		    "vocab_embed.embedding", e);
	if (!st)
		st = agree(c, "n_blocks", &c->n_blocks, count_blocks(l, "blocks."), "blocks.N", e);
	if (!st && !c->causal)
		st = agree(c, "cond_dim", &c->cond_dim, extent(l, "sigma_map.mlp.2.weight", 2, 0),
		    "sigma_map.mlp.2.weight", e);
	if (st)
		return st;
	if (c->hidden % c->n_heads || c->hidden / c->n_heads % 2)
		return error_set(e, ST_CKPT, "%d heads do not divide a hidden size of %d into even parts: give --heads",
		    c->n_heads, c->hidden);
	if (c->label_cond == 1 && !labels)
		return error_set(e, ST_CKPT, "%s: labels are on, but tensor cond_map.embedding_table.weight is missing",
		    c->path);
	c->label_cond = labels != NULL;
	if (!labels)
		c->classes = 0;
	return ST_OK;
}

static enum status
complete_unet(struct config *c, const struct tensor_list *l, const struct config_hint *hint, struct error *e)
{
	bool masked = c->algo != ALGO_DUO && c->algo != ALGO_DUO_BASE && c->algo != ALGO_UDLM;
	enum status st = agree(c, "ch", &c->ch, extent(l, "input_conv.weight", 4, 0), "input_conv.weight", e);

	if (st)
		return st;
	if (c->num_scales == CONFIG_UNSET || !c->ch_mult[0] || c->num_res_blocks == CONFIG_UNSET ||
	    c->attn_scale == CONFIG_UNSET)
		return error_set(e, ST_CKPT, "%s does not say num_res_blocks, ch_mult and scale_count_to_put_attn",
		    c->path);
	if (c->vocab == CONFIG_UNSET)
		c->vocab = hint->vocab != CONFIG_UNSET ? hint->vocab : masked ? 257 : 256;
	if (c->unet_time == CONFIG_UNSET)
		c->unet_time = 1;
	if (c->unet_time)
		st = agree(c, "time_embed_dim", &c->time_embed_dim, extent(l, "temb_modules.0.weight", 2, 1),
		    "temb_modules.0.weight", e);
	if (isnan(c->time_scale_factor))
		c->time_scale_factor = 1000;
	if (c->skip_rescale == CONFIG_UNSET)
		c->skip_rescale = 1;
	if (c->fix_logistic == CONFIG_UNSET)
		c->fix_logistic = 0;
	c->label_cond = list_find(l, "cond_map.embedding_table.weight") != NULL;
	if (!c->label_cond)
		c->classes = 0;
	return st;
}

static enum status
complete_gpt2(struct config *c, const struct tensor_list *l, struct error *e)
{
	enum status st = agree(c, "vocab_size", &c->vocab, extent(l, "wte.weight", 2, 0), "wte.weight", e);

	if (!st)
		st = agree(c, "n_embd", &c->hidden, extent(l, "wte.weight", 2, 1), "wte.weight", e);
	if (!st)
		st = agree(c, "n_positions", &c->length, extent(l, "wpe.weight", 2, 0), "wpe.weight", e);
	if (!st)
		st = agree(c, "n_layer", &c->n_blocks, count_blocks(l, "h."), "h.N", e);
	if (!st && c->hidden % c->n_heads)
		st = error_set(e, ST_CKPT, "%d heads do not divide a width of %d", c->n_heads, c->hidden);
	c->mask = -1;
	c->classes = c->label_cond = 0;
	return st;
}

static enum status
find_mask(struct config *c, const struct config_override *o, const struct config_hint *hint, struct error *e)
{
	bool uniform = c->algo == ALGO_DUO || c->algo == ALGO_DUO_BASE || c->algo == ALGO_UDLM;

	if (o->mask != CONFIG_UNSET && (o->mask < -1 || o->mask >= c->vocab))
		return error_set(e, ST_USAGE, "--mask is not within 0 to %d", c->vocab - 1);
	if (uniform || (c->algo == ALGO_CLASSIFIER && c->mask == CONFIG_UNSET))
		c->mask = -1; /* a classifier takes tokens as they are */
	else if (o->mask != CONFIG_UNSET)
		c->mask = o->mask;
	else if (c->mask != CONFIG_UNSET)
		;
	else if (hint->mask >= 0 && hint->mask < c->vocab)
		c->mask = hint->mask;
	else if (hint->mask == CONFIG_UNSET && c->backbone == BACKBONE_DIT && (c->vocab == 35 || c->vocab == 30522))
		c->mask = c->vocab == 35 ? 4 : 103;
	else
		c->mask = c->vocab - 1;
	if (c->mask >= c->vocab || (c->mask < 0 && !uniform && c->algo != ALGO_CLASSIFIER))
		return error_set(e, ST_CKPT, "%s: mask %d is not within the vocabulary of %d: give --mask", c->path,
		    c->mask, c->vocab);
	return ST_OK;
}

/* What holds at inference: whether sigma is given to the network. */
static void
find_time(struct config *c)
{
	int says = c->time_conditioning;

	c->time_input = c->backbone == BACKBONE_UNET ? c->unet_time : c->backbone == BACKBONE_DIT && !c->causal;
	if (says == CONFIG_UNSET)
		says = c->algo != ALGO_MDLM;
	c->timed = c->time_input && says;
}

/* Read (for a DiT), or must agree with, the rows of the label table. */
static enum status
find_classes(struct config *c, const struct tensor_list *l, const struct config_override *o, struct error *e)
{
	if (c->algo == ALGO_CLASSIFIER) {
		c->label_cond = 0;
		c->classes = CONFIG_UNSET;
		return agree(c, "the number of classes", &c->classes, extent(l, "classifier.weight", 2, 0),
			     "classifier.weight", e);
	}
	if (!c->label_cond)
		return ST_OK;
	if (c->classes < 0)
		c->classes = CONFIG_UNSET;
	if (o->classes != CONFIG_UNSET)
		c->classes = o->classes;
	return agree(c, "the number of classes", &c->classes, extent(l, "cond_map.embedding_table.weight", 2, 0) - 1,
	    "cond_map.embedding_table.weight", e);
}

enum status
config_complete(struct config *c, const struct tensor_list *l, const struct config_override *o,
    const struct config_hint *hint, struct error *e)
{
	enum status st = find_backbone(c, l, e);

	if (o->heads != CONFIG_UNSET)
		c->n_heads = o->heads;
	if (o->length != CONFIG_UNSET)
		c->length = o->length;
	if ((c->n_heads != CONFIG_UNSET && c->n_heads < 1) || (c->length != CONFIG_UNSET && (c->length < 1 ||
	    c->length > 1 << 20)))
		return error_set(e, ST_USAGE, "--heads and --length must be positive and within reason");
	if (!st)
		st = find_algo(c, l, o, e);
	if (!st)
		st = find_noise(c, o, e);
	if (!st)
		st = check_said(c, e);
	if (!st)
		st = c->backbone == BACKBONE_UNET ? complete_unet(c, l, hint, e)
		    : c->backbone == BACKBONE_GPT2 ? complete_gpt2(c, l, e) : complete_dit(c, l, e);
	if (!st)
		st = find_classes(c, l, o, e);
	if (!st && c->backbone != BACKBONE_GPT2)
		st = find_mask(c, o, hint, e);
	if (st)
		return st;
	find_time(c);
	if (c->bos != CONFIG_UNSET && (c->bos < 0 || c->bos >= c->vocab))
		return error_set(e, ST_CKPT, "%s: bos %d is not within the vocabulary of %d", c->path, c->bos,
		    c->vocab);
	if (c->T == CONFIG_UNSET)
		c->T = 0;
	if (c->subs_masking == CONFIG_UNSET)
		c->subs_masking = 0;
	if (c->ignore_bos == CONFIG_UNSET)
		c->ignore_bos = 0;
	if (isnan(c->dropout))
		c->dropout = 0;
	if (!*c->modality)
		snprintf(c->modality, sizeof c->modality, "%s", c->backbone == BACKBONE_UNET ? "image" : "text");
	return ST_OK;
}
