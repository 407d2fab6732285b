/*
 * config.c: names, and the one list of fields.  See config.h, config_impl.h.
 * Any thread.
 */
#include "ckpt/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ckpt/config_impl.h"

static const char *const algo_names[] = {
	[ALGO_UNKNOWN] = "unknown", [ALGO_DUO] = "duo", [ALGO_DUO_BASE] = "duo_base", [ALGO_UDLM] = "udlm",
	[ALGO_MDLM] = "mdlm", [ALGO_D3PM] = "d3pm", [ALGO_SEDD] = "sedd", [ALGO_AR] = "ar", [ALGO_GPT2] = "gpt2",
	[ALGO_CLASSIFIER] = "classifier",
};
static const char *const backbone_names[] = {
	[BACKBONE_UNKNOWN] = "unknown", [BACKBONE_DIT] = "dit", [BACKBONE_UNET] = "unet", [BACKBONE_GPT2] = "gpt2",
	[BACKBONE_CLASSIFIER] = "classifier",
};
static const char *const schedule_names[] = {
	[SCHEDULE_UNKNOWN] = "unknown", [SCHEDULE_LOGLINEAR] = "log-linear", [SCHEDULE_COSINE] = "cosine",
};

const char *
algo_name(enum algo a)
{
	return algo_names[a];
}

const char *
backbone_name(enum backbone b)
{
	return backbone_names[b];
}

const char *
schedule_name(enum schedule s)
{
	return schedule_names[s];
}

void
config_init(struct config *c)
{
	memset(c, 0, sizeof *c);
	c->time_conditioning = c->causal = c->T = c->subs_masking = c->ignore_bos = CONFIG_UNSET;
	c->label_cond = c->classes = CONFIG_UNSET;
	c->hidden = c->cond_dim = c->length = c->n_blocks = c->n_heads = c->vocab = c->mask = c->bos = CONFIG_UNSET;
	c->unet_time = c->ch = c->num_res_blocks = c->num_scales = c->attn_scale = CONFIG_UNSET;
	c->time_embed_dim = c->skip_rescale = c->fix_logistic = CONFIG_UNSET;
	c->dropout = c->time_scale_factor = c->eps = c->ema_decay = NAN;
	c->step = c->epoch = -1;
}

void
config_override_init(struct config_override *o)
{
	*o = (struct config_override){ .eps = NAN, .length = CONFIG_UNSET, .heads = CONFIG_UNSET,
		.mask = CONFIG_UNSET, .classes = CONFIG_UNSET };
}

enum field_kind { TEXT, BOOL, INT, REAL, SCALES };

/* One field: where it stands in the file and in struct config, and what it may be. */
struct field {
	const char *path;
	enum field_kind kind;
	size_t at, size;
	double min, max;
	const char *option;       /* on the command line, NULL: none */
};

#define F_TEXT(path, m) { path, TEXT, offsetof(struct config, m), sizeof ((struct config *)0)->m, 0, 0, NULL }
#define F_BOOL(path, m) { path, BOOL, offsetof(struct config, m), 0, 0, 1, NULL }
#define F_INT(path, m, min, max) { path, INT, offsetof(struct config, m), 0, min, max, NULL }
#define F_OPT(path, kind, m, min, max, opt) { path, kind, offsetof(struct config, m), 0, min, max, opt }
#define F_REAL(path, m, min, max) { path, REAL, offsetof(struct config, m), 0, min, max, NULL }

static const struct field published[] = {
	F_TEXT("algo.name", algo_name),
	F_TEXT("algo.backbone", backbone_name),
	F_TEXT("algo.parameterization", parameterization),
	F_TEXT("algo.loss_type", loss_type),
	F_BOOL("algo.time_conditioning", time_conditioning),
	F_BOOL("algo.causal_attention", causal),
	F_INT("algo.T", T, 0, 1 << 24),
	F_BOOL("algo.subs_masking", subs_masking),
	F_BOOL("algo.ignore_bos", ignore_bos),
	F_TEXT("model.size", size),
	F_INT("model.hidden_size", hidden, 1, 1 << 20),
	F_INT("model.cond_dim", cond_dim, 1, 1 << 20),
	F_OPT("model.length", INT, length, 1, 1 << 20, "--length"),
	F_INT("model.n_blocks", n_blocks, 1, 1 << 14),
	F_OPT("model.n_heads", INT, n_heads, 1, 1 << 14, "--heads"),
	F_REAL("model.dropout", dropout, 0, 1),
	F_BOOL("model.time_conditioning", unet_time),
	F_INT("model.ch", ch, 1, 1 << 16),
	F_INT("model.num_res_blocks", num_res_blocks, 1, 64),
	F_INT("model.num_scales", num_scales, 1, CONFIG_SCALES),
	{ "model.ch_mult", SCALES, offsetof(struct config, ch_mult), 0, 1, 1024, NULL },
	F_INT("model.scale_count_to_put_attn", attn_scale, -1, CONFIG_SCALES),
	F_REAL("model.time_scale_factor", time_scale_factor, 1e-6, 1e9),
	F_INT("model.time_embed_dim", time_embed_dim, 4, 1 << 16),
	F_BOOL("model.skip_rescale", skip_rescale),
	F_BOOL("model.fix_logistic", fix_logistic),
	F_TEXT("noise.type", noise_name),
	F_OPT("noise.eps", REAL, eps, 0, 0.5, "--eps"),
	F_TEXT("data.modality", modality),
	F_TEXT("data.tokenizer_name_or_path", tokenizer_name),
	F_INT("data.num_classes", classes, 0, 1 << 20),
	F_REAL("training.ema", ema_decay, 0, 1),
};

static const struct field hf[] = {
	F_TEXT("model_type", algo_name),
	F_INT("vocab_size", vocab, 2, 1 << 24),
	F_OPT("model_length", INT, length, 1, 1 << 20, "--length"),
	F_INT("hidden_dim", hidden, 1, 1 << 20),
	F_INT("cond_dim", cond_dim, 1, 1 << 20),
	F_INT("n_blocks", n_blocks, 1, 1 << 14),
	F_OPT("n_heads", INT, n_heads, 1, 1 << 14, "--heads"),
	F_REAL("dropout", dropout, 0, 1),
	F_BOOL("time_conditioning", time_conditioning),
	F_BOOL("causal", causal),
	F_BOOL("cfg", label_cond),
	F_INT("cfg_num_classes", classes, -1, 1 << 20),
};

static const struct field hf_gpt2[] = {
	F_TEXT("model_type", algo_name),
	F_INT("vocab_size", vocab, 2, 1 << 24),
	F_INT("n_positions", length, 1, 1 << 20),
	F_INT("n_embd", hidden, 1, 1 << 20),
	F_INT("n_layer", n_blocks, 1, 1 << 14),
	F_INT("n_head", n_heads, 1, 1 << 14),
};

/* The command line speaks for this field: what the file says does not matter. */
static bool
overridden(const struct field *f, const struct config_override *o)
{
	return (f->at == offsetof(struct config, algo_name) && o->algo) ||
	    (f->at == offsetof(struct config, noise_name) && o->noise) ||
	    (f->at == offsetof(struct config, eps) && !isnan(o->eps)) ||
	    (f->at == offsetof(struct config, length) && o->length != CONFIG_UNSET) ||
	    (f->at == offsetof(struct config, n_heads) && o->heads != CONFIG_UNSET) ||
	    (f->at == offsetof(struct config, classes) && o->classes != CONFIG_UNSET);
}

static const char *
show(const struct cv *v, char *buf, size_t size)
{
	switch (v->kind) {
	case CV_ABSENT: return "absent";
	case CV_BOOL: return v->i ? "true" : "false";
	case CV_INT: snprintf(buf, size, "%lld", v->i); break;
	case CV_REAL: snprintf(buf, size, "%g", v->f); break;
	case CV_TEXT: snprintf(buf, size, "\"%.60s\"", v->text); break;
	case CV_LIST: return "a list";
	case CV_OTHER: return "something else";
	}
	return buf;
}

static enum status
bad_value(const struct config *c, const struct field *f, const struct cv *v, const char *want, struct error *e)
{
	char buf[80];

	return error_set(e, ST_CKPT, "%s: %s is %s, not %s%s%s", c->path, f->path, show(v, buf, sizeof buf), want,
	    f->option ? ": give " : "", f->option ? f->option : "");
}

static enum status
set_number(struct config *c, const struct field *f, const struct cv *v, struct error *e)
{
	bool whole = v->kind == CV_INT || (v->kind == CV_REAL && v->f == floor(v->f) && fabs(v->f) < 1e15);
	double x = v->kind == CV_REAL ? v->f : (double)v->i;
	char want[80];

	if (f->kind == INT ? !whole : v->kind != CV_INT && v->kind != CV_REAL)
		return bad_value(c, f, v, f->kind == INT ? "a whole number" : "a number", e);
	if (!(x >= f->min && x <= f->max)) {
		snprintf(want, sizeof want, "within %.10g to %.10g", f->min, f->max);
		return bad_value(c, f, v, want, e);
	}
	if (f->kind == INT)
		*(int *)((char *)c + f->at) = (int)x;
	else
		*(double *)((char *)c + f->at) = x;
	return ST_OK;
}

static enum status
set_field(struct config *c, const struct field *f, const struct cv *v, struct error *e)
{
	char buf[80], *to = (char *)c + f->at;

	switch (f->kind) {
	case TEXT:
		if (v->kind == CV_LIST || v->kind == CV_OTHER)
			return bad_value(c, f, v, "a text", e);
		snprintf(to, f->size, "%s", v->kind == CV_TEXT ? v->text : show(v, buf, sizeof buf));
		return ST_OK;
	case BOOL:
		if (v->kind != CV_BOOL && !(v->kind == CV_INT && (v->i == 0 || v->i == 1)))
			return bad_value(c, f, v, "true or false", e);
		*(int *)(void *)to = (int)v->i;
		return ST_OK;
	case SCALES:
		if (v->kind != CV_LIST || v->n < 1)
			return bad_value(c, f, v, "a list of whole numbers", e);
		for (int i = 0; i < v->n; i++) {
			if (v->list[i] < 1 || v->list[i] > (long long)f->max)
				return bad_value(c, f, v, "a list of factors", e);
			c->ch_mult[i] = (int)v->list[i];
		}
		return c->num_scales == CONFIG_UNSET || c->num_scales == v->n ? (c->num_scales = v->n, ST_OK)
		    : bad_value(c, f, v, "of num_scales entries", e);
	case INT: case REAL:
		break;
	}
	return set_number(c, f, v, e);
}

static enum status
read_fields(struct config *c, const struct field *f, size_t n, cv_get *get, const void *arg,
    const struct config_override *o, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		struct cv v = { .kind = CV_ABSENT };

		if (overridden(&f[i], o))
			continue;
		enum status st = get(arg, f[i].path, &v, e);
		if (!st && v.kind != CV_ABSENT)
			st = set_field(c, &f[i], &v, e);
		if (st)
			return st;
	}
	return ST_OK;
}

enum status
config_read(struct config *c, cv_get *get, const void *arg, const struct config_override *o, struct error *e)
{
	return read_fields(c, published, sizeof published / sizeof *published, get, arg, o, e);
}

/* Variants of GPT-2 that would need other arithmetic. */
static enum status
check_gpt2(cv_get *get, const void *arg, struct error *e)
{
	struct cv act, eps, inverse, scale;
	enum status st = get(arg, "activation_function", &act, e);

	if (!st)
		st = get(arg, "layer_norm_epsilon", &eps, e);
	if (!st)
		st = get(arg, "scale_attn_by_inverse_layer_idx", &inverse, e);
	if (!st)
		st = get(arg, "scale_attn_weights", &scale, e);
	if (st)
		return st;
	if (act.kind != CV_ABSENT && (act.kind != CV_TEXT || (strcmp(act.text, "gelu_new") &&
	    strcmp(act.text, "gelu_pytorch_tanh"))))
		return error_set(e, ST_CKPT, "config.json: activation_function is not gelu_new, no other is supported");
	if (eps.kind != CV_ABSENT && !(eps.kind == CV_REAL && fabs(eps.f - 1e-5) < 1e-9))
		return error_set(e, ST_CKPT, "config.json: layer_norm_epsilon is not 1e-5, no other is supported");
	if ((inverse.kind != CV_ABSENT && !(inverse.kind == CV_BOOL && !inverse.i)) ||
	    (scale.kind != CV_ABSENT && !(scale.kind == CV_BOOL && scale.i)))
		return error_set(e, ST_CKPT, "config.json: this scaling of attention is not supported");
	return ST_OK;
}

enum status
config_read_hf(struct config *c, cv_get *get, const void *arg, const struct config_override *o, struct error *e)
{
	struct cv v = { .kind = CV_ABSENT };
	enum status st = get(arg, "model_type", &v, e);

	if (st)
		return st;
	if (v.kind == CV_TEXT && !strcasecmp(v.text, "gpt2")) {
		st = check_gpt2(get, arg, e);
		return st ? st : read_fields(c, hf_gpt2, sizeof hf_gpt2 / sizeof *hf_gpt2, get, arg, o, e);
	}
	return read_fields(c, hf, sizeof hf / sizeof *hf, get, arg, o, e);
}
