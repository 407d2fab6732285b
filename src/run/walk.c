/* walk.c: see walk.h. */
#include "run/walk.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define POLL_MS 100                  /* a signal and the progress line wait at most so long */
#define PROGRESS_S .1

/* One batch of samples on its way. */
struct batch {
	const struct walk *walk;
	struct sampler *sampler;
	struct recipe recipe;
	struct leg *leg;
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

static bool
stopped(const struct batch *b)
{
	return b->walk->stop && *b->walk->stop;
}

static void
show_progress(struct batch *b, bool now)
{
	const struct walk *w = b->walk;
	double t = now_s();
	int steps = b->leg->n;
	struct walk_progress p = { .first = b->done, .samples = b->S, .total = w->count, .step = b->n_step,
		.steps = steps, .seconds = t - b->start, .eta = -1 };

	if (!w->progress || (!now && t - b->shown < PROGRESS_S))
		return;
	b->shown = t;
	double part = ((double)b->done + (double)b->S * b->n_step / (steps ? steps : 1)) / w->count;
	if (part > 0)
		p.eta = p.seconds / part - p.seconds;
	w->progress(w->progress_arg, &p);
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
	const struct walk *w = b->walk;
	struct edit *all = mem_calloc((size_t)b->S * (size_t)w->n_clamp, sizeof *all);

	for (int i = 0; all && i < b->S; i++)
		for (int k = 0; k < w->n_clamp; k++) {
			struct edit *ed = &all[i * w->n_clamp + k];
			*ed = w->clamp[k];
			ed->i += i * L;
		}
	return all;
}

/* Ask for the whole run and take its reports; *end is its last state. */
static enum status
run_requests(struct batch *b, int L, struct node **end, struct error *e)
{
	struct request q = { .kind = RQ_START, .recipe = b->recipe, .n_edit = b->S * b->walk->n_clamp };
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
				.flat = !b->walk->keep, .each = true };
		last = st != ST_OK || (r.kind == RQ_STEP && r.last);
		*end = r.node;
		report_done(&r);
		show_progress(b, last);
	}
	return st;
}

struct step_counts
walk_counts(const struct walk_batch *b, int sample)
{
	struct step_counts total = { 0 };

	for (int k = 0; k < b->n_step; k++) {
		const struct step_counts *c = &b->count[(size_t)k * (size_t)b->S + (size_t)sample];
		for (int i = 0; i < CAUSE_COUNT; i++)
			total.by_cause[i] += c->by_cause[i];
		total.nfe += c->nfe;
		total.rows += c->rows;
	}
	return total;
}

static enum status
hand_over(struct batch *b, const struct node *end, int L, struct error *e)
{
	struct walk_batch out = { .recipe = b->recipe, .leg = b->leg, .done = b->done, .S = b->S, .L = L,
		.n_step = b->n_step, .count = b->count, .ms = (b->end - b->begin) * 1e3 / b->S,
		.tree = sampler_tree(b->sampler), .end = end };
	struct state s;
	enum status st = state_init(&s, b->S, L, e);

	if (st != ST_OK)
		return st;
	tree_read(out.tree, end, &s);
	out.tok = s.tok;
	st = b->walk->take(b->walk->arg, &out, e);
	state_done(&s);
	return st;
}

static enum status
run_batch(struct batch *b, struct error *e)
{
	const struct opened *o = b->walk->o;
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
		st = hand_over(b, end, m->L, e);
	sampler_free(b->sampler);
	leg_free(b->leg);
	free(b->count);
	return st;
}

/* About 4096 tokens at a time: enough to keep the pool busy, little enough to
 * see progress. */
static int
batch_size(const struct walk *w, const struct model *m)
{
	int n = w->batch > 0 ? w->batch : 4096 / m->L;

	if (n > 64 && w->batch <= 0)
		n = 64;
	return n < 1 ? 1 : n;
}

enum status
walk_run(const struct walk *w, struct error *e)
{
	struct model *m = open_model(w->o, w->recipe.raw);
	double start = now_s();
	enum status st = recipe_check(&w->recipe, m, e);

	for (int done = 0; st == ST_OK && done < w->count; ) {
		int n = batch_size(w, m);
		struct batch b = { .walk = w, .recipe = w->recipe, .done = done, .start = start };
		b.S = n < w->count - done ? n : w->count - done;
		b.recipe.first += done;
		b.recipe.samples = b.S;
		st = run_batch(&b, e);
		done += b.S;
	}
	return st;
}
