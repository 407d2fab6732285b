/*
 * job_field.c: the one list of settings of a job, by name.  See job.h.  Any
 * thread.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "train/curriculum.h"
#include "train/job.h"

/* How a setting is held. */
enum store { S_INT, S_I64, S_SEED, S_REAL, S_TEXT, S_ENUM, S_FLAG, S_SIZE, S_SCALES };

struct setting {
	struct job_field field;
	enum store store;
	size_t at, size;             /* in struct job; bytes of a text */
	int first;                   /* S_ENUM: what the first choice is */
};

#define AT(m) offsetof(struct job, m)
#define WHOLE(name, store, m, lo, hi, main, help) { { name, JOB_INT, NULL, lo, hi, main, help }, store, AT(m), 0, 0 }
#define INT(name, m, lo, hi, main, help) WHOLE(name, S_INT, m, lo, hi, main, help)
#define LONG(name, m, lo, hi, main, help) WHOLE(name, S_I64, m, lo, hi, main, help)
#define REAL(name, m, lo, hi, main, help) { { name, JOB_REAL, NULL, lo, hi, main, help }, S_REAL, AT(m), 0, 0 }
#define FLAG(name, m, help) { { name, JOB_FLAG, NULL, 0, 0, false, help }, S_FLAG, AT(m), 0, 0 }
#define TEXT(name, m, main, help) \
	{ { name, JOB_TEXTUAL, NULL, 0, 0, main, help }, S_TEXT, AT(m), sizeof ((struct job *)0)->m, 0 }
#define CHOICE(name, m, first, choices, main, help) \
	{ { name, JOB_CHOICE, choices, 0, 0, main, help }, S_ENUM, AT(m), 0, first }

#define MANY 1e15                /* steps */
#define SEED_MAX 18446744073709551615.

/* `task` before `sudoku` and `backbone`, so that reading all of them in this order changes none. */
static const struct setting list[] = {
	CHOICE("task", data, 0, "text|images|sudoku", true, "what is learned"),
	TEXT("data", path, true, "a file or folder of text; a folder of pictures"),
	INT("sudoku", sudoku, 0, 9, true, "grids of 4, 6 or 9 rows instead of data from a file; 0: none"),
	TEXT("tokenizer", tokenizer, true, "chars, bytes, text8, or a tokenizer's file, folder or name"),
	CHOICE("loss", loss, 0, "mdlm|duo_base|ar|sedd|d3pm", true, "masked, uniform, autoregressive, score, D3PM"),
	CHOICE("curriculum", curriculum, 0, "none|simple|efficient", true, "the Gaussian curriculum of Duo"),
	CHOICE("backbone", net.backbone, BACKBONE_DIT, "dit|unet", false, "a transformer, or the network of pictures"),
	INT("length", net.length, 1, 1 << 20, true, "tokens of a sample of text"),
	INT("hidden", net.hidden, 2, 1 << 16, true, "transformer: width"),
	INT("blocks", net.n_blocks, 1, 1024, true, "transformer: blocks"),
	INT("heads", net.n_heads, 1, 1024, false, "transformer: heads of attention"),
	INT("cond", net.cond_dim, 1, 1 << 16, false, "transformer: width of the condition"),
	INT("ch", net.ch, 4, 4096, true, "U-Net: channels"),
	{ { "ch-mult", JOB_TEXTUAL, NULL, 0, 0, false, "U-Net: factor of the channels at each scale (\"1,2,2,2\")" },
	  S_SCALES, 0, 0, 0 },
	INT("res-blocks", net.num_res_blocks, 1, 64, false, "U-Net: residual blocks of a scale"),
	INT("attention-scale", net.attn_scale, -1, CONFIG_SCALES, false, "U-Net: the scale with attention; -1: none"),
	REAL("dropout", net.dropout, 0, 0.95, false, "share of activations dropped in training"),
	CHOICE("noise", net.schedule, SCHEDULE_LOGLINEAR, "log-linear|cosine", false, "schedule of alpha"),
	REAL("eps", net.eps, 0, 0.5, false, "alpha at t = 1"),
	INT("batch", batch, 1, 1 << 20, true, "samples of a step"),
	REAL("lr", adam.lr, 0, 1, true, "learning rate"),
	LONG("steps", adam.steps, 1, MANY, true, "steps of the whole run"),
	{ { "seed", JOB_INT, NULL, 0, SEED_MAX, true, "names all random numbers of the run" }, S_SEED, AT(seed), 0, 0 },
	LONG("warmup", adam.warmup, 0, MANY, false, "steps until the learning rate is reached"),
	CHOICE("lr-schedule", adam.schedule, 0, "constant|cosine", false, "learning rate after the warm-up"),
	REAL("beta1", adam.beta1, 0, 1, false, "AdamW: decay of the mean gradient"),
	REAL("beta2", adam.beta2, 0, 1, false, "AdamW: decay of the mean square"),
	REAL("adam-eps", adam.eps, 0, 1, false, "AdamW: added to the root"),
	REAL("weight-decay", adam.weight_decay, 0, 1e6, false, "AdamW: decay of the weights"),
	REAL("clip", adam.clip, 0, 1e9, false, "largest norm of the gradient; 0: any"),
	REAL("ema", adam.ema, 0, 1, false, "decay of the average of the weights"),
	REAL("held-out", held_out, 0, 0.9, false, "share of the data kept for validation"),
	FLAG("mirror", mirror, "pictures: half of them mirrored"),
	FLAG("labels", labels, "pictures: the network is told the class"),
	REAL("label-dropout", label_dropout, 0, 1, false, "share of the labels withheld, for guidance"),
	INT("d3pm-steps", d3pm_steps, 1, 1 << 24, false, "d3pm: steps T of the process"),
	REAL("first-time", first_time, 0, 0.99, false, "t is drawn from here to 1"),
	INT("k", cur.k, 1, CURRICULUM_K_MAX, false, "efficient curriculum: coordinates kept"),
	REAL("tau", cur.tau, 0, 1e6, false, "curriculum: temperature of the input"),
	REAL("gamma-min", cur.window.min, OPERATOR_GAMMA_MIN, OPERATOR_GAMMA_MAX, false, "curriculum: gamma at t = 0"),
	REAL("gamma-max", cur.window.max, OPERATOR_GAMMA_MIN, OPERATOR_GAMMA_MAX, false,
	     "curriculum: gamma at t = 1; both alike: by the vocabulary"),
	INT("operator-degree", cur.degree, 0, OPERATOR_DEGREE, false, "curriculum: T as a polynomial; 0: exact"),
	FLAG("curriculum-compat", cur.compat, "efficient curriculum: biased draws, as published"),
	LONG("curriculum-end", cur.end, -1, MANY, false, "steps with the curriculum; -1: half of all"),
	CHOICE("goal", goal, 0, "model|classifier|distill", false, "a model, a classifier for guidance, fewer steps"),
	TEXT("init", init, false, "a checkpoint to begin from; the network is its own"),
	FLAG("init-state", init_state, "go on with its moments and step too (Lightning, psiview)"),
	TEXT("teacher", distill.teacher, false, "distill: the checkpoint that teaches"),
	LONG("distill-every", distill.every, 1, MANY, false, "distill: steps of a round"),
	INT("distill-steps", distill.steps, 1, 1 << 20, false, "distill: steps of the trajectory"),
	FLAG("forward-kl", distill.forward, "distill: forward KL instead of backward"),
	LONG("save-every", save_every, 0, MANY, true, "steps between checkpoints; 0: only at the end"),
	LONG("valid-every", valid_every, 0, MANY, false, "steps between validations; 0: only at the end"),
	LONG("log-every", log_every, 0, MANY, false, "steps between lines of the log; 0: only at the end"),
	INT("valid-samples", valid_samples, 0, 1 << 24, false, "held-out samples of a validation; 0: none is made"),
	INT("show-samples", show_samples, 0, 4096, false, "samples drawn at every checkpoint"),
	INT("show-steps", show_steps, 1, 1 << 20, false, "sampler steps of those"),
	{ { "memory", JOB_BYTES, NULL, 0, 1e18, false, "most that the trainer may take; 0: no limit" },
	  S_SIZE, AT(memory), 0, 0 },
};

int
job_field_count(void)
{
	return (int)(sizeof list / sizeof *list);
}

const struct job_field *
job_field(int i)
{
	return &list[i].field;
}

int
job_field_find(const char *name)
{
	for (int i = 0; i < job_field_count(); i++)
		if (!strcmp(list[i].field.name, name))
			return i;
	return -1;
}

/* ---- from text ---- */

static enum status
refuse(const struct setting *s, const char *value, const char *want, struct error *e)
{
	return error_set(e, ST_USAGE, "%s is \"%.80s\", not %s", s->field.name, value, want);
}

static enum status
out_of_range(const struct setting *s, const char *value, struct error *e)
{
	char want[96];

	snprintf(want, sizeof want, "%s within %.15g to %.15g",
		 s->store == S_REAL ? "a number" : "a whole number", s->field.lo, s->field.hi);
	return refuse(s, value, want, e);
}

static enum status
set_whole(const struct setting *s, void *to, const char *value, struct error *e)
{
	char *end;

	errno = 0;
	long long x = strtoll(value, &end, 10);
	if (!isdigit((unsigned char)value[*value == '-']) || *end || errno || (double)x < s->field.lo ||
	    (double)x > s->field.hi)
		return out_of_range(s, value, e);
	if (s->store == S_INT)
		*(int *)to = (int)x;
	else
		*(int64_t *)to = x;
	return ST_OK;
}

static enum status
set_seed(const struct setting *s, uint64_t *to, const char *value, struct error *e)
{
	char *end;

	errno = 0;
	unsigned long long x = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno)
		return out_of_range(s, value, e);
	*to = x;
	return ST_OK;
}

static enum status
set_real(const struct setting *s, double *to, const char *value, struct error *e)
{
	char *end;
	double x = strtod(value, &end);

	if (end == value || *end || isspace((unsigned char)*value) || !(x >= s->field.lo && x <= s->field.hi))
		return out_of_range(s, value, e);
	*to = x;
	return ST_OK;
}

/* Bytes, or with K, M, G (1024 each). */
static enum status
set_bytes(const struct setting *s, size_t *to, const char *value, struct error *e)
{
	static const char unit[] = "KMG";
	char *end;
	double x = strtod(value, &end);
	const char *u = *end ? strchr(unit, toupper((unsigned char)*end)) : NULL;

	for (long i = u ? u - unit + 1 : 0; i > 0; i--)
		x *= 1024;
	end += u != NULL;
	end += u && *end == 'B';
	if (!isdigit((unsigned char)*value) || *end || !(x >= 0 && x <= s->field.hi) || x != floor(x))
		return refuse(s, value, "a number of bytes (512M, 2G)", e);
	*to = (size_t)x;
	return ST_OK;
}

static enum status
set_text(const struct setting *s, char *to, const char *value, struct error *e)
{
	json_t *utf8 = json_string(value);

	json_decref(utf8);
	if (!utf8)
		return error_set(e, ST_USAGE, "%s is not UTF-8 text", s->field.name);
	if (strlen(value) >= s->size)
		return error_set(e, ST_USAGE, "%s is longer than %zu bytes", s->field.name, s->size - 1);
	snprintf(to, s->size, "%s", value);
	return ST_OK;
}

static enum status
set_choice(const struct setting *s, int *to, const char *value, struct error *e)
{
	size_t n = strlen(value);
	char want[120];
	int i = s->first;

	for (const char *p = s->field.choices; p; p = strchr(p, '|'), i++) {
		p += *p == '|';
		if (n == strcspn(p, "|") && !strncasecmp(p, value, n)) {
			*to = i;
			return ST_OK;
		}
	}
	snprintf(want, sizeof want, "one of %s", s->field.choices);
	for (char *p = want; *p; p++)
		if (*p == '|')
			*p = ' ';
	return refuse(s, value, want, e);
}

static enum status
set_flag(const struct setting *s, bool *to, const char *value, struct error *e)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0" };

	for (int i = 0; i < 4; i++)
		if (!strcasecmp(value, yes[i]) || !strcasecmp(value, no[i])) {
			*to = !strcasecmp(value, yes[i]);
			return ST_OK;
		}
	return refuse(s, value, "true or false", e);
}

static enum status
set_scales(const struct setting *s, struct config *c, const char *value, struct error *e)
{
	int mult[CONFIG_SCALES] = { 0 }, n = 0;
	const char *p = value;
	char *end;

	for (; n < CONFIG_SCALES && isdigit((unsigned char)*p); n++) {
		long x = strtol(p, &end, 10);
		if (x < 1 || x > 64)
			break;
		mult[n] = (int)x;
		p = *end == ',' ? end + 1 : end;
		if (*end != ',') {
			n++;
			break;
		}
	}
	if (!n || *p || p[-1] == ',')
		return refuse(s, value, "a list of up to 8 factors from 1 to 64, such as 1,2,2,2", e);
	memcpy(c->ch_mult, mult, sizeof mult);
	c->num_scales = n;
	return ST_OK;
}

/* What else a setting means. */
static void
follow(struct job *j, size_t at)
{
	if (at == AT(sudoku) && j->sudoku)
		j->data = JOB_SUDOKU;
	if (at == AT(data) && j->data == JOB_SUDOKU && !j->sudoku)
		j->sudoku = 6;
	if (at == AT(data) && j->data != JOB_SUDOKU)
		j->sudoku = 0;
	if (at == AT(data) || at == AT(sudoku))
		j->net.backbone = j->data == JOB_IMAGES ? BACKBONE_UNET : BACKBONE_DIT;
	if (at == AT(net.ch))
		j->net.time_embed_dim = j->net.ch;
	job_settle(j);
}

enum status
job_set(struct job *j, int field, const char *value, struct error *e)
{
	const struct setting *s = &list[field];
	void *to = (char *)j + s->at;
	enum status st = ST_OK;

	switch (s->store) {
	case S_INT:
	case S_I64:
		st = set_whole(s, to, value, e);
		break;
	case S_SEED:
		st = set_seed(s, to, value, e);
		break;
	case S_REAL:
		st = set_real(s, to, value, e);
		break;
	case S_TEXT:
		st = set_text(s, to, value, e);
		break;
	case S_ENUM:
		st = set_choice(s, to, value, e);
		break;
	case S_FLAG:
		st = set_flag(s, to, value, e);
		break;
	case S_SIZE:
		st = set_bytes(s, to, value, e);
		break;
	case S_SCALES:
		st = set_scales(s, &j->net, value, e);
		break;
	}
	if (st == ST_OK)
		follow(j, s->store == S_SCALES ? SIZE_MAX : s->at);
	return st;
}

/* ---- to text ---- */

static void
get_choice(const struct setting *s, int value, char *buf, size_t size)
{
	const char *p = s->field.choices;

	for (int i = s->first; i < value && strchr(p, '|'); i++)
		p = strchr(p, '|') + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(p, "|"), p);
}

static void
get_scales(const struct config *c, char *buf, size_t size)
{
	size_t n = 0;

	snprintf(buf, size, "%s", "");
	for (int i = 0; i < c->num_scales && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%d", i ? "," : "", c->ch_mult[i]);
}

/* The fewest digits that give the number back. */
static void
get_real(double x, char *buf, size_t size)
{
	char s[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, x);
		if (strtod(s, NULL) == x)
			break;
	}
	snprintf(buf, size, "%s", s);
}

char *
job_get(const struct job *j, int field, char *buf, size_t size)
{
	const struct setting *s = &list[field];
	const void *from = (const char *)j + s->at;

	switch (s->store) {
	case S_INT:
		snprintf(buf, size, "%d", *(const int *)from);
		break;
	case S_I64:
		snprintf(buf, size, "%lld", (long long)*(const int64_t *)from);
		break;
	case S_SEED:
		snprintf(buf, size, "%llu", (unsigned long long)*(const uint64_t *)from);
		break;
	case S_REAL:
		get_real(*(const double *)from, buf, size);
		break;
	case S_TEXT:
		snprintf(buf, size, "%s", (const char *)from);
		break;
	case S_ENUM:
		get_choice(s, *(const int *)from, buf, size);
		break;
	case S_FLAG:
		snprintf(buf, size, "%s", *(const bool *)from ? "true" : "false");
		break;
	case S_SIZE:
		snprintf(buf, size, "%zu", *(const size_t *)from);
		break;
	case S_SCALES:
		get_scales(&j->net, buf, size);
		break;
	}
	return buf;
}
