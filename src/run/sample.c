/* sample.c: see sample.h.  The calling thread writes what the walk hands it. */
#include "run/sample.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "psi/metric.h"
#include "run/trace.h"
#include "text/layout.h"

/* What the samples of a walk are written with. */
struct writer {
	const struct sample_setup *setup;
	const char *hash;                /* of the checkpoint; NULL unless JSON */
	struct sample_summary *sum;
};

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- clamps ---- */

enum status
sample_clamp(const char *spec, const struct tokenizer *tok, int L, struct edit **edit, int *n, struct error *e)
{
	char *text;
	int32_t *ids;
	size_t count;

	errno = 0;
	long pos = strtol(spec, &text, 10);
	if (!isdigit((unsigned char)*spec) || *text != ':' || errno || pos > INT_MAX)
		return error_set(e, ST_USAGE, "--clamp '%s': must be POSITION:TEXT, as in 0:the", spec);
	text++;
	if (pos >= L)
		return error_set(e, ST_USAGE, "--clamp '%s': the positions are 0 to %d", spec, L - 1);
	enum status st = tok_encode(tok, text, strlen(text), &ids, &count, e);
	if (st != ST_OK) {
		error_prefix(e, "--clamp");
		return st;
	}
	if (count == 0)
		st = error_set(e, ST_USAGE, "--clamp '%s': there is no text", spec);
	else if (count > (size_t)(L - pos))
		st = error_set(e, ST_USAGE,
			"--clamp '%s': %zu tokens do not fit between position %ld and the end at %d", spec, count, pos,
			L - 1);
	struct edit *p = st == ST_OK ? realloc(*edit, ((size_t)*n + count) * sizeof *p) : NULL;
	if (st == ST_OK && !p)
		st = error_set(e, ST_MEMORY, "out of memory for the clamps");
	for (size_t i = 0; p && i < count; i++)
		p[*n + (int)i] = (struct edit){ .i = (int)(pos + (long)i), .tok = ids[i], .clamp = 1 };
	if (p) {
		*edit = p;
		*n += (int)count;
	}
	free(ids);
	return st;
}

/* ---- writing ---- */

static json_t *
steps_json(const struct walk_batch *b, int sample)
{
	json_t *all = json_array();

	for (int k = 0; all && k < b->n_step; k++) {
		const struct step_counts *c = &b->count[(size_t)k * (size_t)b->S + (size_t)sample];
		if (json_array_append_new(all, trace_step(k + 1, leg_row(b->leg, k), c)) != 0) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

/* One sample as one line of JSON. */
static enum status
write_json(const struct writer *w, const struct walk_batch *b, int sample, const int32_t *ids,
	const struct step_counts *total, struct error *e)
{
	const struct opened *o = w->setup->o;
	json_t *line = trace_tokens(b->L, ids, w->setup->text ? o->tok : NULL);
	char recipe[1024];
	int bad = 0;

	trace_recipe(&b->recipe, sample, w->hash, recipe, sizeof recipe);
	bad |= json_object_set_new(line, "sample", json_integer(b->recipe.first + sample));
	bad |= json_object_set_new(line, "recipe", json_string(recipe));
	bad |= json_object_set_new(line, "checkpoint", json_string(o->path));
	bad |= json_object_set_new(line, "sha256", w->hash ? json_string(w->hash) : json_null());
	bad |= json_object_set_new(line, "network_calls", json_integer(total->nfe));
	bad |= json_object_set_new(line, "head_rows", json_integer(total->rows));
	bad |= json_object_set_new(line, "time_ms", json_real(b->ms));
	bad |= json_object_set_new(line, "counts", trace_counts(total));
	bad |= json_object_set_new(line, "steps", steps_json(b, sample));
	if (bad) {
		json_decref(line);
		line = NULL;
	}
	return trace_write(w->setup->out, line, e);
}

/* The cells of a row, a blank between two; or running text. */
static enum status
write_row(const struct writer *w, const int32_t *ids, int n, bool cells, struct error *e)
{
	enum status st = ST_OK;
	bool ends = false;

	for (int i = 0; i < n && st == ST_OK; i += cells ? 1 : n) {
		size_t bytes;
		char *text = trace_text(w->setup->o->tok, ids + i, cells ? 1 : n, &bytes);

		if (!text)
			return error_set(e, ST_MEMORY, "out of memory for the text");
		if (i > 0)
			st = outfile_write(w->setup->out, " ", 1, e);
		if (st == ST_OK)
			st = outfile_write(w->setup->out, text, bytes, e);
		ends = bytes > 0 && text[bytes - 1] == '\n';
		free(text);
	}
	return st == ST_OK && !ends ? outfile_write(w->setup->out, "\n", 1, e) : st;
}

/* Samples as text, an empty line between two. */
static enum status
write_text(const struct writer *w, const struct walk_batch *b, int sample, const int32_t *ids, struct error *e)
{
	struct layout l = layout_read(w->setup->o->ckpt->layout, b->L);
	enum status st = b->done + sample > 0 ? outfile_write(w->setup->out, "\n", 1, e) : ST_OK;

	if (!l.columns)
		return st == ST_OK ? write_row(w, ids, b->L, false, e) : st;
	for (int i = l.first; i < b->L && st == ST_OK; i += l.columns)
		st = write_row(w, ids + i, l.columns < b->L - i ? l.columns : b->L - i, true, e);
	return st;
}

static enum status
write_one(const struct writer *w, const struct walk_batch *b, int sample, struct error *e)
{
	const int32_t *ids = b->tok + (size_t)sample * (size_t)b->L;
	struct step_counts total = walk_counts(b, sample);
	struct sample_summary *sum = w->sum;

	sum->entropy += (metric_entropy(b->L, ids) - sum->entropy) / ++sum->samples;
	sum->nfe += total.nfe;
	sum->rows += total.rows;
	if (w->setup->sink) /* which has no place for counts */
		return sink_sample(w->setup->sink, b->done + sample, ids, e);
	return w->setup->jsonl ? write_json(w, b, sample, ids, &total, e) : write_text(w, b, sample, ids, e);
}

static enum status
write_batch(void *arg, const struct walk_batch *b, struct error *e)
{
	const struct writer *w = arg;
	struct sink *sink = w->setup->sink;
	enum status st = ST_OK;

	for (int i = 0; i < b->S && st == ST_OK; i++)
		st = write_one(w, b, i, e);
	if (st == ST_OK && sink && sink_wants_steps(sink))
		st = sink_steps(sink, b->tree, b->end, b->done, b->S, e);
	return st == ST_OK && w->setup->out ? outfile_flush(w->setup->out, e) : st;
}

/* ---- all of it ---- */

enum status
sample_run(const struct sample_setup *s, struct sample_summary *sum, struct error *e)
{
	struct sample_summary own;
	char hash[65] = "";
	double start = now_s();
	struct writer w = { s, s->jsonl ? hash : NULL, sum ? sum : &own };
	struct walk walk = { .o = s->o, .recipe = s->recipe, .count = s->count, .batch = s->batch, .clamp = s->clamp,
		.n_clamp = s->n_clamp, .keep = s->sink && sink_wants_steps(s->sink), .take = write_batch, .arg = &w,
		.progress = s->progress, .progress_arg = s->arg, .stop = s->stop };
	enum status st = recipe_check(&s->recipe, open_model(s->o, s->recipe.raw), e);

	*w.sum = (struct sample_summary){ 0 };
	if (st == ST_OK && s->jsonl)
		st = ckpt_hash(s->o->ckpt, s->o->ckpt->n_ema > 0 && !s->recipe.raw, hash, e);
	if (st == ST_OK)
		st = walk_run(&walk, e);
	w.sum->seconds = now_s() - start;
	return st;
}
