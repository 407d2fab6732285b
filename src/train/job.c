/*
 * job.c: the family that follows from a job, whether its settings go together,
 * and JSON.  See job.h.  Any thread.
 */
#include "train/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

bool
job_masked(const struct job *j)
{
	return j->loss == LOSS_MDLM || j->loss == LOSS_SEDD || j->loss == LOSS_D3PM;
}

bool
job_causal(const struct job *j)
{
	return j->loss == LOSS_AR && j->goal != JOB_CLASSIFIER;
}

static enum algo
algo_of(const struct job *j)
{
	static const enum algo of[LOSS_KINDS] = { [LOSS_MDLM] = ALGO_MDLM, [LOSS_DUO] = ALGO_DUO_BASE,
		[LOSS_AR] = ALGO_AR, [LOSS_SEDD] = ALGO_SEDD, [LOSS_D3PM] = ALGO_D3PM };

	if (j->goal == JOB_CLASSIFIER)
		return ALGO_CLASSIFIER;
	if (j->loss == LOSS_DUO && (j->goal == JOB_DISTILL || j->curriculum != JOB_PLAIN))
		return ALGO_DUO;
	return of[j->loss];
}

void
job_settle(struct job *j)
{
	static const char *const parameterization[LOSS_KINDS] = { [LOSS_MDLM] = "subs", [LOSS_DUO] = "mean",
		[LOSS_AR] = "ar", [LOSS_SEDD] = "score", [LOSS_D3PM] = "mean" };
	struct config *c = &j->net;

	if (j->data != JOB_SUDOKU)
		j->sudoku = 0;
	c->algo = algo_of(j);
	snprintf(c->algo_name, sizeof c->algo_name, "%s", algo_name(c->algo));
	snprintf(c->parameterization, sizeof c->parameterization, "%s",
		 j->goal == JOB_CLASSIFIER ? "" : parameterization[j->loss]);
	snprintf(c->backbone_name, sizeof c->backbone_name, "%s", backbone_name(c->backbone));
	snprintf(c->noise_name, sizeof c->noise_name, "%s", schedule_name(c->schedule));
	c->causal = job_causal(j);
	c->T = j->loss == LOSS_D3PM ? j->d3pm_steps : 0;
	c->subs_masking = 0;
	c->time_input = c->backbone == BACKBONE_UNET ? c->unet_time : !c->causal;
	/* Masked models do not look at the time (2406.07524, section 3.5); a classifier always does. */
	c->timed = c->time_input && (j->loss != LOSS_MDLM || j->goal == JOB_CLASSIFIER);
	c->time_conditioning = c->timed;
	c->ema_decay = j->adam.ema;
}

void
job_adopt(struct job *j, const struct config *net)
{
	struct config *c = &j->net;

	c->backbone = net->backbone;
	c->length = net->length;
	c->vocab = net->vocab;
	c->mask = net->mask;
	c->classes = net->classes;
	c->label_cond = net->label_cond;
	c->bos = net->bos;
	c->ignore_bos = net->ignore_bos;
	if (c->backbone == BACKBONE_UNET) {
		c->ch = net->ch;
		c->num_scales = net->num_scales;
		memcpy(c->ch_mult, net->ch_mult, sizeof c->ch_mult);
		c->num_res_blocks = net->num_res_blocks;
		c->attn_scale = net->attn_scale;
		c->unet_time = net->unet_time;
		c->time_embed_dim = net->unet_time ? net->time_embed_dim : net->ch;
		c->time_scale_factor = net->time_scale_factor;
		c->skip_rescale = net->skip_rescale;
		c->fix_logistic = net->fix_logistic;
	} else {
		c->hidden = net->hidden;
		c->n_blocks = net->n_blocks;
		c->n_heads = net->n_heads;
		c->cond_dim = net->causal ? c->cond_dim : net->cond_dim;
	}
	job_settle(j);
}

/* ---- do the settings go together? ---- */

static enum status
check_data(const struct job *j, struct error *e)
{
	bool unet = j->net.backbone == BACKBONE_UNET;

	if (j->data == JOB_SUDOKU && j->sudoku != 4 && j->sudoku != 6 && j->sudoku != 9)
		return error_set(e, ST_USAGE, "sudoku is %d, not 4, 6 or 9", j->sudoku);
	if (j->data != JOB_SUDOKU && !*j->path)
		return error_set(e, ST_USAGE, "data names no %s", j->data == JOB_TEXT ? "file or folder of text" :
				 "folder of pictures");
	if (j->data == JOB_TEXT && !*j->tokenizer)
		return error_set(e, ST_USAGE, "tokenizer is empty: chars, bytes, text8 or a path");
	if (j->data != JOB_SUDOKU && !(j->held_out > 0 && j->held_out < 1))
		return error_set(e, ST_USAGE, "held-out is %g, not above 0 and below 1", j->held_out);
	if (unet && j->data != JOB_IMAGES)
		return error_set(e, ST_USAGE, "backbone is unet, which is for pictures only");
	if (j->goal == JOB_CLASSIFIER && j->data != JOB_IMAGES)
		return error_set(e, ST_USAGE, "goal is classifier, but only pictures have classes");
	return ST_OK;
}

static enum status
check_network(const struct job *j, struct error *e)
{
	const struct config *c = &j->net;

	if (c->backbone == BACKBONE_DIT && (c->n_heads < 1 || c->hidden % c->n_heads || c->hidden / c->n_heads % 2))
		return error_set(e, ST_USAGE, "heads is %d, which does not divide hidden %d into even parts",
				 c->n_heads, c->hidden);
	if (c->backbone == BACKBONE_UNET && c->ch % 4)
		return error_set(e, ST_USAGE, "ch is %d, not a multiple of 4", c->ch);
	if (c->backbone == BACKBONE_UNET && c->num_scales < 1)
		return error_set(e, ST_USAGE, "ch-mult is empty");
	if (c->eps <= 0 && j->loss != LOSS_AR)
		return error_set(e, ST_USAGE, "eps is %g: alpha would be 0 at t = 1", c->eps);
	return ST_OK;
}

static enum status
check_loss(const struct job *j, struct error *e)
{
	bool curriculum = j->curriculum != JOB_PLAIN;

	if (j->loss == LOSS_AR && (j->data == JOB_IMAGES || j->goal != JOB_MODEL))
		return error_set(e, ST_USAGE, "loss is ar, which is for models of text and Sudoku");
	if (curriculum && (j->loss != LOSS_DUO || j->net.backbone != BACKBONE_DIT || j->goal != JOB_MODEL))
		return error_set(e, ST_USAGE, "curriculum is for models that are transformers with loss duo_base");
	if (curriculum && !(j->cur.tau > 0))
		return error_set(e, ST_USAGE, "tau is %g, not above 0", j->cur.tau);
	if (j->goal == JOB_DISTILL && (j->loss != LOSS_DUO || j->net.backbone != BACKBONE_DIT))
		return error_set(e, ST_USAGE, "goal distill is for transformers with loss duo_base");
	if (j->goal == JOB_DISTILL && !*j->distill.teacher)
		return error_set(e, ST_USAGE, "goal is distill, but teacher names no checkpoint");
	if (j->goal == JOB_DISTILL && *j->init)
		return error_set(e, ST_USAGE, "init: a distilled model begins as its teacher");
	if (j->init_state && !*j->init)
		return error_set(e, ST_USAGE, "init-state, but init names no checkpoint");
	if ((curriculum || j->goal == JOB_DISTILL) && j->cur.window.min != j->cur.window.max)
		return operator_window_check(&j->cur.window, e);
	return ST_OK;
}

enum status
job_check(const struct job *j, struct error *e)
{
	enum status st = ST_OK;
	struct job again = *j;
	char value[JOB_PATH];

	for (int i = 0; i < job_field_count() && st == ST_OK; i++)
		st = job_set(&again, i, job_get(j, i, value, sizeof value), e);
	if (st == ST_OK)
		st = adam_check(&j->adam, e);
	if (st == ST_OK)
		st = check_data(j, e);
	if (st == ST_OK)
		st = check_network(j, e);
	return st == ST_OK ? check_loss(j, e) : st;
}

/* ---- JSON ---- */

/* Numbers stand as they are; a whole number that JSON readers would not hold, as text. */
static json_t *
value_of(const struct job *j, int field)
{
	enum job_type type = job_field(field)->type;
	char buf[JOB_PATH];

	job_get(j, field, buf, sizeof buf);
	if (type == JOB_FLAG)
		return json_boolean(!strcmp(buf, "true"));
	if (type == JOB_REAL)
		return json_real(strtod(buf, NULL));
	if ((type == JOB_INT || type == JOB_BYTES) && strlen(buf) <= 15)
		return json_integer(strtoll(buf, NULL, 10));
	return json_string(buf);
}

/* Digits that give every number back: 15 where they do ("0.1"), else 17. */
static size_t
precision(const struct job *j)
{
	char buf[JOB_PATH], s[40];

	for (int i = 0; i < job_field_count(); i++) {
		double x = job_field(i)->type == JOB_REAL ? strtod(job_get(j, i, buf, sizeof buf), NULL) : 0;
		snprintf(s, sizeof s, "%.15g", x);
		if (strtod(s, NULL) != x)
			return JSON_REAL_PRECISION(17);
	}
	return JSON_REAL_PRECISION(15);
}

char *
job_to_json(const struct job *j)
{
	json_t *o = json_object();
	bool ok = o && !json_object_set_new(o, "preset", json_string(j->preset));

	for (int i = 0; ok && i < job_field_count(); i++)
		ok = !json_object_set_new(o, job_field(i)->name, value_of(j, i));
	char *text = ok ? json_dumps(o, JSON_COMPACT | precision(j)) : NULL;
	json_decref(o);
	return text;
}

/* As job_set wants it; NULL: neither text nor number nor truth. */
static const char *
text_of(const json_t *v, char *buf, size_t size)
{
	if (json_is_string(v))
		return json_string_length(v) == strlen(json_string_value(v)) ? json_string_value(v) : NULL;
	if (json_is_integer(v))
		snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, size, "%.17g", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, size, "%s", json_is_true(v) ? "true" : "false");
	else
		return NULL;
	return buf;
}

static enum status
read_fields(const json_t *o, struct job *j, struct error *e)
{
	const json_t *v = json_object_get(o, "preset");
	size_t known = v != NULL;
	char buf[40];

	if (v && (!json_is_string(v) || json_string_length(v) >= sizeof j->preset))
		return error_set(e, ST_CKPT, "preset is not a short text");
	snprintf(j->preset, sizeof j->preset, "%s", v ? json_string_value(v) : "");
	for (int i = 0; i < job_field_count(); i++) {
		const char *name = job_field(i)->name, *text;
		if (!(v = json_object_get(o, name)))
			continue;
		known++;
		if (!(text = text_of(v, buf, sizeof buf)))
			return error_set(e, ST_CKPT, "%s is neither a text nor a number", name);
		if (job_set(j, i, text, e) != ST_OK)
			return e->code = ST_CKPT;
	}
	return known == json_object_size(o) ? ST_OK
					    : error_set(e, ST_CKPT, "there is a setting that psiview does not know");
}

enum status
job_from_json(const char *json, struct job *j, struct error *e)
{
	struct error mine;
	json_t *o;

	e = e ? e : &mine;
	job_init(j);
	enum status st = json_parse((const uint8_t *)json, strlen(json), 4, &o, e);
	if (st == ST_OK) {
		st = json_is_object(o) ? read_fields(o, j, e) : error_set(e, ST_CKPT, "not an object");
		json_decref(o);
	}
	if (st != ST_OK)
		error_prefix(e, "job in the metadata");
	return st;
}
