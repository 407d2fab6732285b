/* sweep.c: see sweep.h.  What is said about it is in sweep_table.c. */
#include "run/sweep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "psi/metric.h"
#include "run/trace.h"

/* A sweep on its way. */
struct work {
	const struct sweep_setup *setup;
	struct sweep *sweep;
	struct sweep_row *row;           /* being filled; sums until it is done */
	struct cancel cancel;            /* of the scorer and of bounds */
	struct sweep_progress progress;
	double start, all, past;         /* seconds; work of all runs and of those done, in samples times steps */
};

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum status
sweep_check(const struct opened *o, const struct recipe *r, bool bound, struct error *e)
{
	struct model *m = open_model(o, r->raw);
	struct leg *leg = NULL;
	enum status st = recipe_check(r, m, e);

	if (st == ST_OK && bound && (st = likelihood_check(m, r, e)) != ST_OK)
		return error_prefix(e, "--bound");
	if (st == ST_OK)
		st = leg_new(r, m, NULL, 0, 1, &leg, e);
	if (st == ST_OK)
		leg_free(leg);
	return st;
}

/* cancel->between: they end soon after a signal. */
static void
look_for_stop(void *arg)
{
	struct work *w = arg;

	if (w->setup->stop && *w->setup->stop)
		atomic_store(&w->cancel.asked, 1);
}

/* ---- one run ---- */

static enum status
take_perplexity(struct work *w, const int32_t *ids, int L, struct error *e)
{
	struct scored one;
	size_t bytes;
	char *text = trace_text(w->setup->o->tok, ids, L, &bytes);

	if (!text)
		return error_set(e, ST_MEMORY, "out of memory for a text");
	enum status st = scorer_text(w->setup->scorer, text, bytes, &one, &w->cancel, e);
	free(text);
	if (st != ST_OK)
		return st;
	w->row->tokens += one.tokens;
	w->row->nll += one.nll;
	return ST_OK;
}

static enum status
take(void *arg, const struct walk_batch *b, struct error *e)
{
	struct work *w = arg;
	struct sweep_row *row = w->row;
	enum status st = ST_OK;

	for (int i = 0; i < b->S && st == ST_OK; i++) {
		const int32_t *ids = b->tok + (size_t)i * (size_t)b->L;
		struct step_counts c = walk_counts(b, i);
		row->entropy += metric_entropy(b->L, ids);
		row->calls += c.nfe;
		row->rows += c.rows;
		row->ms += b->ms;
		row->valid += rules_valid(&w->setup->rules, ids);
		if (w->setup->scorer)
			st = take_perplexity(w, ids, b->L, e);
	}
	return st;
}

static void
show_progress(void *arg, const struct walk_progress *p)
{
	struct work *w = arg;
	struct sweep_progress *out = &w->progress;
	double steps = w->row->recipe.steps;

	out->walk = *p;
	out->seconds = now_s() - w->start;
	double done = w->past + steps * p->first + (p->steps > 0 ? steps * p->samples * p->step / p->steps : 0);
	out->eta = done > 0 ? out->seconds * (w->all / done - 1) : -1;
	w->setup->progress(w->setup->arg, out);
}

/* The bound of the row's steps on its seed's share of the held-out samples. */
static enum status
take_bound(struct work *w, int seed, struct error *e)
{
	const struct sweep_setup *s = w->setup;
	size_t first = (size_t)seed * (size_t)s->bound;
	struct samples part = { .n = s->bound, .L = s->held.L, .tok = s->held.tok + first * (size_t)s->held.L,
		.label = s->held.label ? s->held.label + first : NULL };
	struct model *m = open_model(s->o, w->row->recipe.raw);
	struct likelihood b;
	struct leg *leg;
	enum status st = leg_new(&w->row->recipe, m, NULL, 0, 1, &leg, e);

	if (st != ST_OK)
		return st;
	st = likelihood_psi(m, leg, &part, w->row->recipe.seed, &b, &w->cancel, e);
	leg_free(leg);
	w->row->bound = b.mean;
	w->row->bound_error = b.error;
	return st;
}

static enum status
run_one(struct work *w, int cell, int seed, struct error *e)
{
	const struct sweep_setup *s = w->setup;
	struct sweep_row *row = &w->sweep->row[(size_t)cell * (size_t)s->seeds + (size_t)seed];
	struct walk walk = { .o = s->o, .recipe = s->cell[cell], .count = s->count, .batch = s->batch,
		.clamp = s->clamp, .n_clamp = s->n_clamp, .take = take, .arg = w,
		.progress = s->progress ? show_progress : NULL, .progress_arg = w, .stop = s->stop };

	walk.recipe.seed += (uint64_t)seed;
	walk.recipe.samples = s->count;
	*row = (struct sweep_row){ .recipe = walk.recipe };
	w->row = row;
	w->progress.cell = cell;
	w->progress.seed = seed;
	enum status st = walk_run(&walk, e);
	if (st == ST_OK && s->bound > 0)
		st = take_bound(w, seed, e);
	if (st != ST_OK)
		return st;
	row->entropy /= s->count;
	row->calls /= s->count;
	row->rows /= s->count;
	row->ms /= s->count;
	row->done = true;
	w->sweep->done++;
	w->progress.run++;
	w->past += (double)row->recipe.steps * s->count;
	return ST_OK;
}

/* ---- all of it ---- */

/* All cells of a seed come before the next seed: a sweep that is stopped has
 * the whole grid, from fewer seeds. */
enum status
sweep_run(const struct sweep_setup *s, struct sweep *out, struct error *e)
{
	struct work w = { .setup = s, .sweep = out, .start = now_s() };
	int cells = s->grid->cells;
	enum status st = ST_OK;

	*out = (struct sweep){ .setup = s };
	if (s->seeds > SWEEP_RUNS / cells)
		return error_set(e, ST_USAGE, "%d cells and %d seeds are more than %d runs", cells, s->seeds,
			SWEEP_RUNS);
	out->row = mem_calloc((size_t)cells * (size_t)s->seeds, sizeof *out->row);
	if (!out->row)
		return error_set(e, ST_MEMORY, "out of memory for the results");
	w.cancel.between = look_for_stop;
	w.cancel.arg = &w;
	w.progress.runs = cells * s->seeds;
	for (int i = 0; i < cells; i++)
		w.all += (double)s->cell[i].steps * s->count * s->seeds;
	if (s->bound > 0)
		st = likelihood_nelbo(open_model(s->o, s->cell[0].raw), &s->held, s->cell[0].seed, &out->nelbo,
			&w.cancel, e);
	for (int seed = 0; seed < s->seeds && st == ST_OK; seed++)
		for (int cell = 0; cell < cells && st == ST_OK; cell++)
			st = run_one(&w, cell, seed, e);
	return st;
}

void
sweep_done(struct sweep *s)
{
	free(s->row);
	s->row = NULL;
}
