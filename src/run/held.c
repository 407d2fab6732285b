/* held.c: see held.h. */
#include "run/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "train/source.h"

#define DEPTH 64

/* ---- data ---- */

static enum status
set_path(char *to, const char *path, struct error *e)
{
	if (strlen(path) >= JOB_PATH)
		return error_set(e, ST_USAGE, "%.40s...: the name is too long", path);
	strcpy(to, path);
	return ST_OK;
}

/* The job whose data those of the model are. */
static enum status
job_of(const struct opened *o, const struct rules *rules, const char *path, const char *tokenizer, struct job *j,
	struct error *e)
{
	bool pictures = o->ckpt->config.backbone == BACKBONE_UNET || !strncmp(o->ckpt->config.modality, "image", 5);

	job_init(j);
	j->data = !path ? JOB_SUDOKU : pictures ? JOB_IMAGES : JOB_TEXT;
	j->sudoku = path ? 0 : rules->sudoku.N;
	j->loss = o->ema->mask >= 0 ? LOSS_MDLM : LOSS_DUO;
	j->labels = o->ema->classes > 0;
	job_settle(j);
	enum status st = set_path(j->init, o->path, e);
	if (st == ST_OK && path)
		st = set_path(j->path, path, e);
	if (st == ST_OK && tokenizer)
		st = set_path(j->tokenizer, tokenizer, e);
	return st;
}

static enum status
make_room(const struct model *m, size_t n, struct samples *out, struct error *e)
{
	size_t tokens;

	*out = (struct samples){ .n = (int)n, .L = m->L };
	if (mem_mul(n, (size_t)m->L, &tokens))
		out->tok = mem_calloc(tokens, sizeof *out->tok);
	if (m->classes > 0)
		out->label = mem_calloc(n, sizeof *out->label);
	if (out->tok && (out->label || m->classes == 0))
		return ST_OK;
	samples_done(out);
	return error_set(e, ST_MEMORY, "out of memory for %zu samples", n);
}

enum status
held_data(const struct opened *o, const struct rules *rules, const char *path, const char *tokenizer, int n,
	struct samples *out, struct error *e)
{
	struct job j;
	struct source *source = NULL;
	enum status st = job_of(o, rules, path, tokenizer, &j, e);

	*out = (struct samples){ 0 };
	if (st == ST_OK)
		st = source_open(&j, NULL, &source, e);
	if (st == ST_OK && path && source_info(source).held == 0)
		st = error_set(e, ST_USAGE, "%s: too little for a held-out part", path);
	if (st == ST_OK)
		st = make_room(o->ema, (size_t)n, out, e);
	for (int i = 0; i < n && st == ST_OK; i++) {
		int label = source_held(source, (size_t)i, (size_t)n, out->tok + (size_t)i * (size_t)out->L);
		if (out->label)
			out->label[i] = label < 0 ? o->ema->classes : label;
	}
	source_close(source);
	return st;
}

/* ---- lines ---- */

/* The tokens of a line, malloced; *ids NULL: it has none. */
static enum status
line_tokens(const struct opened *o, const json_t *line, int32_t **ids, size_t *n, struct error *e)
{
	const json_t *a = json_object_get(line, "tokens"), *text = json_object_get(line, "text");

	*ids = NULL;
	*n = json_array_size(a);
	if (*n == 0)
		return json_is_string(text) ? tok_encode(o->tok, json_string_value(text), json_string_length(text), ids,
			n, e) : ST_OK;
	*ids = mem_calloc(*n, sizeof **ids);
	if (!*ids)
		return error_set(e, ST_MEMORY, "out of memory for a sample");
	for (size_t i = 0; i < *n; i++) {
		const json_t *v = json_array_get(a, i);
		json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
		if (id < 0 || id >= o->ema->V || id == o->ema->mask)
			return error_set(e, ST_FAIL, "token %zu is none of the model's", i);
		(*ids)[i] = (int32_t)id;
	}
	return ST_OK;
}

static enum status
add_line(const struct opened *o, const json_t *line, struct samples *out, size_t *cap, struct error *e)
{
	size_t n, L = (size_t)o->ema->L, tokens;
	int32_t *ids;
	enum status st = line_tokens(o, line, &ids, &n, e);

	if (st == ST_OK && ids && n != L)
		st = error_set(e, ST_FAIL, "%zu tokens, but the model's samples have %zu", n, L);
	if (st == ST_OK && ids) {
		int32_t *p = out->n < INT32_MAX && mem_mul((size_t)out->n + 1, L, &tokens)
			? mem_grow(out->tok, cap, tokens, sizeof *p) : NULL;
		if (p) {
			out->tok = p;
			memcpy(p + (size_t)out->n++ * L, ids, L * sizeof *p);
		} else {
			st = error_set(e, ST_MEMORY, "out of memory for the samples");
		}
	}
	free(ids);
	return st;
}

enum status
held_lines(const struct opened *o, FILE *in, struct samples *out, struct error *e)
{
	char *line = NULL;
	size_t room = 0, cap = 0;
	ssize_t bytes;
	enum status st = ST_OK;

	*out = (struct samples){ .L = o->ema->L };
	for (long number = 1; st == ST_OK && (bytes = getline(&line, &room, in)) >= 0; number++) {
		json_t *v;
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		st = json_parse((const uint8_t *)line, (size_t)bytes, DEPTH, &v, e);
		if (st == ST_OK) {
			st = add_line(o, v, out, &cap, e);
			json_decref(v);
		}
		if (st != ST_OK && st != ST_MEMORY) { /* about the texts, not the model */
			char where[32];
			snprintf(where, sizeof where, "line %ld", number);
			error_prefix(e, where);
			e->code = st = ST_FAIL;
		}
	}
	if (st == ST_OK && ferror(in))
		st = error_set(e, ST_FAIL, "%s", strerror(errno));
	free(line);
	if (st == ST_OK && out->n == 0)
		st = error_set(e, ST_FAIL, "there is no sample (JSON lines as of `sample --format jsonl`)");
	return st;
}
