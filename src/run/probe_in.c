/* probe_in.c: see probe_in.h. */
#include "run/probe_in.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"

void
probe_in_done(struct probe_in *in)
{
	free(in->tok);
	free(in->pos);
	free(in->sigma);
	free(in->noise);
	free(in->label);
	free(in->t);
	free(in->s);
	free(in->kappa);
	*in = (struct probe_in){ 0 };
}

static enum status
no_memory(struct error *e)
{
	return error_set(e, ST_MEMORY, "out of memory for the inputs");
}

/* A tensor [n] of numbers, each within lo..hi; *out stays NULL if there is none. */
static enum status
read_reals(const struct st_file *f, const char *name, int n, double lo, double hi, double **out, struct error *e)
{
	const struct tensor *t = st_find(f, name);
	char shape[80];

	*out = NULL;
	if (!t)
		return ST_OK;
	if (t->ndim != 1 || t->dim[0] != n)
		return error_set(e, ST_CKPT, "%s is %s, not [%d]", name, tensor_shape(t, shape, sizeof shape), n);
	if (!(*out = mem_calloc((size_t)n, sizeof **out)))
		return no_memory(e);
	tensor_to_f64(t, 0, (size_t)n, *out);
	for (int i = 0; i < n; i++)
		if (!((*out)[i] >= lo && (*out)[i] <= hi))
			return error_set(e, ST_CKPT, "%s[%d] is %g: must be from %g to %g", name, i, (*out)[i], lo, hi);
	return ST_OK;
}

/* One number, [1] or []; *given says whether it is there. */
static enum status
read_one(const struct st_file *f, const char *name, double lo, double hi, double *out, bool *given, struct error *e)
{
	const struct tensor *t = st_find(f, name);
	char shape[80];

	if (!t)
		return ST_OK;
	if (t->ndim > 1 || tensor_numel(t) != 1)
		return error_set(e, ST_CKPT, "%s is %s, not [1]", name, tensor_shape(t, shape, sizeof shape));
	tensor_to_f64(t, 0, 1, out);
	*given = true;
	if (!(*out >= lo && *out <= hi))
		return error_set(e, ST_CKPT, "%s is %g: must be from %g to %g", name, *out, lo, hi);
	return ST_OK;
}

static enum status
read_tokens(const struct st_file *f, const struct model *m, struct probe_in *in, struct error *e)
{
	const struct tensor *t = st_find(f, "tokens");
	char shape[80];

	if (!t)
		return error_set(e, ST_CKPT, "there is no tensor tokens");
	if (t->ndim != 2 || t->dim[1] != m->L || t->dim[0] < 1 || t->dim[0] > INT_MAX)
		return error_set(e, ST_CKPT, "tokens is %s, not [B, %d]", tensor_shape(t, shape, sizeof shape), m->L);
	size_t n = tensor_numel(t);
	in->B = (int)t->dim[0];
	if (!(in->tok = mem_calloc(n, sizeof *in->tok)))
		return no_memory(e);
	enum status st = tensor_to_i32(t, 0, n, in->tok, e);
	for (size_t i = 0; i < n && st == ST_OK; i++)
		if (in->tok[i] < 0 || in->tok[i] >= m->V)
			st = error_set(e, ST_CKPT, "tokens[%zu,%zu] is %d: the vocabulary is 0 to %d", i / (size_t)m->L,
			               i % (size_t)m->L, in->tok[i], m->V - 1);
	return st;
}

static enum status
read_label(const struct st_file *f, const struct model *m, struct probe_in *in, struct error *e)
{
	const struct tensor *t = st_find(f, "label");
	char shape[80];

	if (!t)
		return ST_OK;
	if (m->classes == 0)
		return error_set(e, ST_USAGE, "there is a label, but the model has no classes");
	if (t->ndim != 1 || t->dim[0] != in->B)
		return error_set(e, ST_CKPT, "label is %s, not [%d]", tensor_shape(t, shape, sizeof shape), in->B);
	if (!(in->label = mem_calloc((size_t)in->B, sizeof *in->label)))
		return no_memory(e);
	enum status st = tensor_to_i32(t, 0, (size_t)in->B, in->label, e);
	for (int i = 0; i < in->B && st == ST_OK; i++)
		if (in->label[i] < 0 || in->label[i] > m->classes)
			st = error_set(e, ST_CKPT, "label[%d] is %d: must be from 0 to %d (%d: no label)", i,
				in->label[i], m->classes, m->classes);
	return st;
}

/* t and sigma, as far as this model wants them, and what follows from them. */
static enum status
read_time(const struct st_file *f, const struct model *m, struct probe_in *in, struct error *e)
{
	bool causal = m->out == OUT_CAUSAL;
	double *sigma = NULL;
	enum status st = ST_OK;

	in->sigma = mem_calloc((size_t)in->B, sizeof *in->sigma);
	in->noise = mem_calloc((size_t)in->B, sizeof *in->noise);
	if (!in->sigma || !in->noise)
		return no_memory(e);
	if (causal)
		return ST_OK;
	st = read_reals(f, "t", in->B, 0, 1, &in->t, e);
	if (st == ST_OK)
		st = read_reals(f, "sigma", in->B, 0, HUGE_VAL, &sigma, e);
	if (st == ST_OK && !in->t && !sigma)
		st = error_set(e, ST_CKPT, "there is neither a tensor t nor a tensor sigma");
	for (int i = 0; i < in->B && st == ST_OK; i++) {
		in->noise[i] = in->t ? alpha_sigma(&m->alpha, in->t[i]) : sigma[i];
		if (m->out == OUT_SCORE && m->timed && sigma)
			in->noise[i] = sigma[i];
		if (m->timed)
			in->sigma[i] = sigma ? sigma[i] : in->noise[i];
		if (!isfinite(in->noise[i]) || (m->out == OUT_SCORE && in->noise[i] <= 0))
			st = error_set(e, ST_CKPT, "%s[%d] is %g: there the model says nothing", in->t ? "t" : "sigma",
				i, in->t ? in->t[i] : sigma[i]);
	}
	free(sigma);
	return st;
}

static enum status
read_step(const struct st_file *f, const struct model *m, struct probe_in *in, struct error *e)
{
	enum status st;

	if (!st_find(f, "s"))
		return ST_OK;
	if (m->out == OUT_SCORE || m->out == OUT_CAUSAL)
		return error_set(e, ST_USAGE, "there is a tensor s, but a %s model has no such step",
		                 m->out == OUT_SCORE ? "score" : "causal");
	if (!in->t)
		return error_set(e, ST_CKPT, "s needs t");
	st = read_reals(f, "s", in->B, -1, 1, &in->s, e);
	for (int i = 0; i < in->B && st == ST_OK; i++)
		if (in->s[i] != -1 && (in->s[i] < 0 || in->s[i] > in->t[i]))
			st = error_set(e, ST_CKPT, "s[%d] is %g: must be from 0 to t, here %g, or -1 (noise removal)",
				i, in->s[i], in->t[i]);
	if (st == ST_OK)
		st = read_reals(f, "kappa", in->B, 0, 1, &in->kappa, e);
	if (st != ST_OK || in->kappa)
		return st;
	if (!(in->kappa = mem_calloc((size_t)in->B, sizeof *in->kappa)))
		return no_memory(e);
	for (int i = 0; i < in->B; i++)
		in->kappa[i] = 1;
	return ST_OK;
}

static enum status
read_filters(const struct st_file *f, const struct model *m, struct probe_in *in, struct error *e)
{
	double top_k = 0;
	enum status st;

	in->temperature = in->top_p = 1;
	st = read_one(f, "top_p", 0, 1, &in->top_p, &in->filtered, e);
	if (st == ST_OK)
		st = read_one(f, "top_k", 0, INT_MAX, &top_k, &in->filtered, e);
	if (st == ST_OK)
		st = read_one(f, "temperature", 0, 1e6, &in->temperature, &in->filtered, e);
	if (st != ST_OK)
		return st;
	if (in->top_p <= 0 || in->temperature <= 0)
		return error_set(e, ST_CKPT, "%s is 0: must be above", in->top_p <= 0 ? "top_p" : "temperature");
	if (top_k != floor(top_k))
		return error_set(e, ST_CKPT, "top_k is %g: must be a whole number", top_k);
	if (in->filtered && m->out == OUT_SCORE)
		return error_set(e, ST_USAGE, "a score is no distribution: it takes no top_p, top_k or temperature");
	in->top_k = (int)top_k;
	return ST_OK;
}

/* ---- positions ---- */

static enum status
check_positions(const struct model *m, const struct probe_in *in, struct error *e)
{
	for (int i = 0; i < in->P; i++)
		if (in->pos[i] < 0 || in->pos[i] >= m->L)
			return error_set(e, ST_USAGE, "position %d is outside 0 to %d", in->pos[i], m->L - 1);
	return ST_OK;
}

/* "0,5,9" */
static enum status
parse_positions(const char *text, struct probe_in *in, struct error *e)
{
	int most = 1;
	char *end;

	for (const char *p = text; *p; p++)
		most += *p == ',';
	if (!(in->pos = mem_calloc((size_t)most, sizeof *in->pos)))
		return no_memory(e);
	for (const char *p = text; ; p = end + 1) {
		long v = strtol(p, &end, 10);
		if (!isdigit((unsigned char)*p) || (*end && *end != ',') || v > INT_MAX)
			return error_set(e, ST_USAGE,
				"--positions '%s': must be numbers with commas between, as in 0,5,9", text);
		in->pos[in->P++] = (int32_t)v;
		if (!*end)
			return ST_OK;
	}
}

static enum status
read_positions(const struct st_file *f, const struct model *m, const char *text, struct probe_in *in, struct error *e)
{
	const struct tensor *t = st_find(f, "positions");
	char shape[80];
	enum status st = ST_OK;

	if (text) {
		st = parse_positions(text, in, e);
	} else {
		if (t && (t->ndim != 1 || t->dim[0] < 1 || t->dim[0] > INT_MAX))
			return error_set(e, ST_CKPT, "positions is %s, not [P]", tensor_shape(t, shape, sizeof shape));
		in->P = t ? (int)t->dim[0] : m->L;
		if (!(in->pos = mem_calloc((size_t)in->P, sizeof *in->pos)))
			return no_memory(e);
		if (t)
			st = tensor_to_i32(t, 0, (size_t)in->P, in->pos, e);
		for (int i = 0; !t && i < in->P; i++)
			in->pos[i] = i;
	}
	return st == ST_OK ? check_positions(m, in, e) : st;
}

enum status
probe_in_read(const char *path, const struct model *m, const char *positions, struct probe_in *in, struct error *e)
{
	struct st_file *f;
	enum status st = st_open(path, &f, e);

	*in = (struct probe_in){ 0 };
	if (st != ST_OK)
		return st;
	st = read_tokens(f, m, in, e);
	if (st == ST_OK)
		st = read_positions(f, m, positions, in, e);
	if (st == ST_OK)
		st = read_label(f, m, in, e);
	if (st == ST_OK)
		st = read_time(f, m, in, e);
	if (st == ST_OK)
		st = read_step(f, m, in, e);
	if (st == ST_OK)
		st = read_filters(f, m, in, e);
	st_close(f);
	return st;
}
