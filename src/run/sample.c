/* sample.c: see sample.h.  The calling thread asks, waits and writes. */
#include "run/sample.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "psi/metric.h"
#include "run/trace.h"

#define POLL_MS 100                  /* a signal and the progress line wait at most so long */
#define PROGRESS_S .1

/* One batch of samples on its way. */
struct batch {
	const struct sample_setup *setup;
	const char *hash;                /* of the checkpoint; NULL unless JSON */
	struct sampler *sampler;
	struct recipe recipe;
	struct leg *leg;                 /* the plan, for times and kappa */
	int S, done;                     /* done: samples before this batch */
	int n_step;
	struct step_counts *count;       /* [n_step, S] */
	size_t cap_count;
	double begin, end, start, shown; /* seconds: this batch, the whole, the last progress line */
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

/* ---- running a batch ---- */

static bool
stopped(const struct batch *b)
{
	return b->setup->stop && *b->setup->stop;
}

static void
show_progress(struct batch *b, bool now)
{
	const struct sample_setup *s = b->setup;
	double t = now_s();
	int steps = b->leg->n;
	struct sample_progress p = { .first = b->done, .samples = b->S, .total = s->count, .step = b->n_step,
		.steps = steps,
		.seconds = t - b->start, .eta = -1 };

	if (!s->progress || (!now && t - b->shown < PROGRESS_S))
		return;
	b->shown = t;
	double part = ((double)b->done + (double)b->S * b->n_step / (steps ? steps : 1)) / s->count;
	if (part > 0)
		p.eta = p.seconds / part - p.seconds;
	s->progress(s->arg, &p);
}

/* Wait for a report; false: the user wants to stop. */
static bool
next_report(struct batch *b, struct report *r)
{
	struct pollfd p = { .fd = sampler_fd(b->sampler), .events = POLLIN };

	while (!stopped(b)) {
		if (sampler_take(b->sampler, r))
			return true;
		poll(&p, 1, POLL_MS);
		show_progress(b, false);
	}
	return false;
}

/* Remember the counts of a step; memory for them grows with the steps of one run. */
static enum status
note_step(struct batch *b, const struct report *r, struct error *e)
{
	size_t S = (size_t)b->S, have = (size_t)b->n_step * S;
	struct step_counts *p;

	if (!r->each)
		return ST_OK;
	p = mem_grow(b->count, &b->cap_count, have + S, sizeof *p);
	if (!p)
		return error_set(e, ST_MEMORY, "out of memory for the counts");
	b->count = p;
	memcpy(b->count + have, r->each, S * sizeof *r->each);
	b->n_step++;
	return ST_OK;
}

/* Clamps of one sample, for each of the batch. */
static struct edit *
spread_clamps(const struct batch *b, int L)
{
	const struct sample_setup *s = b->setup;
	struct edit *all = mem_calloc((size_t)b->S * (size_t)s->n_clamp, sizeof *all);

	for (int i = 0; all && i < b->S; i++)
		for (int k = 0; k < s->n_clamp; k++) {
			struct edit *ed = &all[i * s->n_clamp + k];
			*ed = s->clamp[k];
			ed->i += i * L;
		}
	return all;
}

/* Ask for the whole run and take its reports; *end is its last state. */
static enum status
run_requests(struct batch *b, int L, struct node **end, struct error *e)
{
	struct request q = { .kind = RQ_START, .recipe = b->recipe, .n_edit = b->S * b->setup->n_clamp };
	struct report r;
	enum status st = ST_OK;

	if (q.n_edit > 0 && !(q.edit = spread_clamps(b, L)))
		return error_set(e, ST_MEMORY, "out of memory for the clamps");
	for (bool last = false; !last; ) {
		if (q.kind != RQ_FREE && !sampler_ask(b->sampler, &q))
			return error_set(e, ST_MEMORY, "out of memory for a request");
		q.kind = RQ_FREE; /* nothing more to ask */
		if (!next_report(b, &r))
			return ST_CANCELLED;
		st = r.status;
		if (st != ST_OK && e)
			*e = r.error;
		if (st == ST_OK && r.kind == RQ_STEP)
			st = note_step(b, &r, e);
		if (st == ST_OK && r.kind == RQ_START)
			q = (struct request){ .kind = RQ_STEP, .node = r.node, .recipe = b->recipe, .count = INT_MAX,
				.flat = !b->setup->sink || !sink_wants_steps(b->setup->sink), .each = true };
		last = st != ST_OK || (r.kind == RQ_STEP && r.last);
		*end = r.node;
		report_done(&r);
		show_progress(b, last);
	}
	return st;
}

/* ---- writing ---- */

static json_t *
steps_json(const struct batch *b, int sample, struct step_counts *total)
{
	json_t *all = json_array();

	memset(total, 0, sizeof *total);
	for (int k = 0; k < b->n_step; k++) {
		const struct step_counts *c = &b->count[(size_t)k * (size_t)b->S + (size_t)sample];
		for (int i = 0; i < CAUSE_COUNT; i++)
			total->by_cause[i] += c->by_cause[i];
		total->nfe += c->nfe;
		total->rows += c->rows;
		if (all && json_array_append_new(all, trace_step(k + 1, leg_row(b->leg, k), c)) != 0) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

/* One sample as one line of JSON. */
static enum status
write_json(struct batch *b, int sample, const int32_t *ids, int L, struct sample_summary *sum, struct error *e)
{
	const struct opened *o = b->setup->o;
	struct step_counts total;
	json_t *steps = steps_json(b, sample, &total), *line = trace_tokens(L, ids, b->setup->text ? o->tok : NULL);
	char recipe[1024];
	int bad = 0;

	sum->nfe += total.nfe;
	sum->rows += total.rows;
	trace_recipe(&b->recipe, sample, b->hash, recipe, sizeof recipe);
	bad |= json_object_set_new(line, "sample", json_integer(b->recipe.first + sample));
	bad |= json_object_set_new(line, "recipe", json_string(recipe));
	bad |= json_object_set_new(line, "checkpoint", json_string(o->path));
	bad |= json_object_set_new(line, "sha256", b->hash ? json_string(b->hash) : json_null());
	bad |= json_object_set_new(line, "network_calls", json_integer(total.nfe));
	bad |= json_object_set_new(line, "head_rows", json_integer(total.rows));
	bad |= json_object_set_new(line, "time_ms", json_real((b->end - b->begin) * 1e3 / b->S));
	bad |= json_object_set_new(line, "counts", trace_counts(&total));
	bad |= json_object_set_new(line, "steps", steps);
	if (bad) {
		json_decref(line);
		line = NULL;
	}
	return trace_write(b->setup->out, line, e);
}

/* Samples as text, an empty line between two. */
static enum status
write_text(struct batch *b, int sample, const int32_t *ids, int L, struct sample_summary *sum, struct error *e)
{
	struct outfile *out = b->setup->out;
	struct step_counts total;
	size_t bytes;
	char *text = trace_text(b->setup->o->tok, ids, L, &bytes);
	enum status st = ST_OK;

	if (!text)
		return error_set(e, ST_MEMORY, "out of memory for the text");
	json_decref(steps_json(b, sample, &total));
	sum->nfe += total.nfe;
	sum->rows += total.rows;
	if (b->done + sample > 0)
		st = outfile_write(out, "\n", 1, e);
	if (st == ST_OK)
		st = outfile_write(out, text, bytes, e);
	if (st == ST_OK && (bytes == 0 || text[bytes - 1] != '\n'))
		st = outfile_write(out, "\n", 1, e);
	free(text);
	return st;
}

/* One sample into the sink, which has no place for counts. */
static enum status
write_sink(struct batch *b, int sample, const int32_t *ids, struct sample_summary *sum, struct error *e)
{
	struct step_counts total;

	json_decref(steps_json(b, sample, &total));
	sum->nfe += total.nfe;
	sum->rows += total.rows;
	return sink_sample(b->setup->sink, b->done + sample, ids, e);
}

static enum status
write_one(struct batch *b, int sample, const int32_t *ids, int L, struct sample_summary *sum, struct error *e)
{
	if (b->setup->sink)
		return write_sink(b, sample, ids, sum, e);
	return b->setup->jsonl ? write_json(b, sample, ids, L, sum, e) : write_text(b, sample, ids, L, sum, e);
}

static enum status
write_batch(struct batch *b, const struct node *end, int L, struct sample_summary *sum, struct error *e)
{
	struct state s;
	enum status st = state_init(&s, b->S, L, e);

	if (st != ST_OK)
		return st;
	tree_read(sampler_tree(b->sampler), end, &s);
	for (int i = 0; i < b->S && st == ST_OK; i++) {
		const int32_t *ids = s.tok + (size_t)i * (size_t)L;
		sum->entropy += (metric_entropy(L, ids) - sum->entropy) / ++sum->samples;
		st = write_one(b, i, ids, L, sum, e);
	}
	state_done(&s);
	if (st == ST_OK && b->setup->sink && sink_wants_steps(b->setup->sink))
		st = sink_steps(b->setup->sink, sampler_tree(b->sampler), end, b->done, b->S, e);
	return st == ST_OK && b->setup->out ? outfile_flush(b->setup->out, e) : st;
}

/* ---- all of it ---- */

static enum status
run_batch(struct batch *b, struct sample_summary *sum, struct error *e)
{
	const struct opened *o = b->setup->o;
	struct model *m = open_model(o, b->recipe.raw);
	size_t each = (size_t)m->L * (size_t)m->F * sizeof(float);
	/* what a step may find again is the state before it */
	struct sampler_setup setup = { .ema = o->ema, .raw = o->raw, .samples = b->S,
		.cache_bytes = 4 * each * (size_t)b->S };
	struct node *end = NULL;
	enum status st;

	b->begin = now_s();
	st = leg_new(&b->recipe, m, NULL, 0, 1, &b->leg, e);
	if (st != ST_OK)
		return st;
	b->sampler = sampler_new(&setup, e);
	st = b->sampler ? run_requests(b, m->L, &end, e) : ST_MEMORY;
	b->end = now_s();
	if (st == ST_OK)
		st = write_batch(b, end, m->L, sum, e);
	sampler_free(b->sampler);
	leg_free(b->leg);
	free(b->count);
	return st;
}

/* About 4096 tokens at a time: enough to keep the pool busy, little enough to
 * see progress. */
static int
batch_size(const struct sample_setup *s, const struct model *m)
{
	int n = s->batch > 0 ? s->batch : 4096 / m->L;

	if (n > 64 && s->batch <= 0)
		n = 64;
	return n < 1 ? 1 : n;
}

enum status
sample_run(const struct sample_setup *s, struct sample_summary *sum, struct error *e)
{
	struct model *m = open_model(s->o, s->recipe.raw);
	struct sample_summary own;
	char hash[65] = "";
	double start = now_s();
	enum status st = recipe_check(&s->recipe, m, e);

	sum = sum ? sum : &own;
	*sum = (struct sample_summary){ 0 };
	if (st == ST_OK && s->jsonl)
		st = ckpt_hash(s->o->ckpt, s->o->ckpt->n_ema > 0 && !s->recipe.raw, hash, e);
	for (int done = 0; st == ST_OK && done < s->count; ) {
		int n = batch_size(s, m);
		struct batch b = { .setup = s, .hash = s->jsonl ? hash : NULL, .recipe = s->recipe, .done = done,
			.start = start };
		b.S = n < s->count - done ? n : s->count - done;
		b.recipe.first += done;
		b.recipe.samples = b.S;
		st = run_batch(&b, sum, e);
		done += b.S;
	}
	sum->seconds = now_s() - start;
	return st;
}
