/*
 * serve.c: what the sampler thread does for each kind of request.
 *
 * Buffers come in two sets: one for the request the thread works on, one for
 * what is served meanwhile (beside a running trunk, or between two steps).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "run/sampler_private.h"

static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- start and edit ---- */

/* Apply one edit to s; V: tokens 0..V-1 are allowed. */
static enum status
apply_edit(struct state *s, const struct edit *ed, int V, struct error *e)
{
	if (ed->i < 0 || ed->i >= s->S * s->L)
		return error_set(e, ST_USAGE, "position %d is outside 0..%d", ed->i, s->S * s->L - 1);
	if (ed->tok >= V)
		return error_set(e, ST_USAGE, "token %d is outside the vocabulary of %d", ed->tok, V);
	if (ed->clamp == 1 && ed->tok < 0 && s->tok[ed->i] < 0)
		return error_set(e, ST_USAGE, "position %d holds no token to clamp", ed->i);
	if (ed->tok >= 0 && (ed->tok != s->tok[ed->i] || ed->clamp < 0)) {
		s->tok[ed->i] = ed->tok;
		s->cause[ed->i] = CAUSE_EDIT;
		s->prob[ed->i] = 1;
	}
	if (ed->clamp == 1) {
		s->fixed[ed->i] = 1;
		s->cause[ed->i] = CAUSE_CLAMP;
		s->prob[ed->i] = 1;
	} else if (ed->clamp == 0) {
		s->fixed[ed->i] = 0;
		if (s->cause[ed->i] == CAUSE_CLAMP)
			s->cause[ed->i] = CAUSE_UNTOUCHED;
	}
	if (ed->again)
		s->nonce[ed->i]++;
	return ST_OK;
}

static enum status
apply_edits(struct state *s, const struct request *r, int V, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; i < r->n_edit && st == ST_OK; i++)
		st = apply_edit(s, &r->edit[i], V, e);
	return st;
}

static void
state_clear(struct state *s)
{
	size_t n = (size_t)s->S * (size_t)s->L;

	memset(s->tok, 0xff, n * sizeof *s->tok);
	memset(s->cause, CAUSE_UNTOUCHED, n);
	memset(s->prob, 0, n * sizeof *s->prob);
	memset(s->fixed, 0, n);
	memset(s->nonce, 0, n * sizeof *s->nonce);
}

static enum status
start(struct sampler *s, struct pending *p, struct error *e)
{
	struct state *st = &s->in[s->depth];
	struct model *m;
	struct leg *leg;
	enum status rc = serve_model(s, &p->r.recipe, &m, e);

	if (rc == ST_OK)
		rc = leg_new(&p->r.recipe, m, NULL, 0, 1, &leg, e);
	if (rc != ST_OK || (rc = tree_own_leg(s->tree, leg, e)) != ST_OK)
		return rc;
	state_clear(st);
	if ((rc = apply_edits(st, &p->r, m->V, e)) != ST_OK)
		return rc;
	step_start(m, &p->r.recipe, st);
	p->final->report.node = tree_add(s->tree, NULL, NULL, leg, 0, leg->first_t, st, NULL, e);
	return p->final->report.node ? ST_OK : ST_MEMORY;
}

static enum status
edit(struct sampler *s, struct pending *p, struct error *e)
{
	struct state *st = &s->in[s->depth];
	struct node *n = p->r.node;

	tree_read(s->tree, n, st);
	for (int i = 0; i < st->S * st->L; i++)
		st->cause[i] = st->fixed[i] ? CAUSE_CLAMP : CAUSE_UNTOUCHED;
	enum status rc = apply_edits(st, &p->r, s->ema->V, e);
	if (rc != ST_OK)
		return rc;
	struct node *child = tree_add(s->tree, n, NULL, n->on, n->step, n->t, st, NULL, e);
	if (!child)
		return ST_MEMORY;
	p->final->report.node = child;
	return ST_OK;
}

/* ---- preview and step ---- */

/* One step from n along leg into s->out[depth]. */
static enum status
run_step(struct sampler *s, struct model *m, const struct leg *leg, const struct node *n, struct features *f,
         struct report *r, struct error *e)
{
	struct state *in = &s->in[s->depth], *out = &s->out[s->depth];

	tree_read(s->tree, n, in);
	return step_each(m, leg, n->step, in, out, &r->counts, r->each, features_get, f, serve_cancel(s), e);
}

static enum status
preview(struct sampler *s, struct pending *p, bool *missing, struct error *e)
{
	struct report *out = &p->final->report;
	struct node *n = p->r.node;
	struct model *m;
	struct leg *leg = NULL;
	bool fresh = false;
	enum status rc = serve_model(s, &p->r.recipe, &m, e);

	if (rc == ST_OK)
		rc = serve_leg(n, &p->r.recipe, m, &leg, &fresh, e);
	if (rc != ST_OK)
		return rc;
	if (!leg_row(leg, n->step)) {
		rc = error_set(e, ST_USAGE, "nothing follows the last state");
	} else if ((rc = state_init(&out->preview, s->S, s->L, e)) == ST_OK) {
		struct features f = serve_features(s, m, p->r.compute, false);
		rc = run_step(s, m, leg, n, &f, out, e);
		*missing = f.missing;
		features_done(&f);
		if (rc == ST_OK)
			state_copy(&out->preview, &s->out[s->depth]);
		else
			state_done(&out->preview);
	}
	if (fresh)
		leg_free(leg);
	return rc;
}

static void
note_step(struct sampler *s, double ms, int rows)
{
	pthread_mutex_lock(&s->lock);
	double old = s->progress.step_ms;
	s->progress.step_ms = old > 0 ? old + (ms - old) / 4 : ms;
	s->progress.rows += rows;
	pthread_mutex_unlock(&s->lock);
}

/* Make the state after n along leg; its report is filled but for `last`. */
static struct node *
make_child(struct sampler *s, struct pending *p, struct model *m, struct node *n, const struct leg *leg,
           struct report *out, struct error *e)
{
	struct features f = serve_features(s, m, true, true);
	double begin = now_ms();
	struct node *child = NULL;

	if (p->r.each && !(out->each = mem_calloc((size_t)s->S, sizeof *out->each))) {
		error_set(e, ST_MEMORY, "out of memory for a report");
		return NULL;
	}
	enum status rc = run_step(s, m, leg, n, &f, out, e);
	features_done(&f);
	if (rc != ST_OK) {
		e->code = rc;
		return NULL;
	}
	child = tree_add(s->tree, n, leg, leg, n->step + 1, leg_row(leg, n->step)->s, &s->out[s->depth], &out->counts,
		e);
	if (child)
		note_step(s, now_ms() - begin, out->counts.rows);
	return child;
}

/* One step from n: the child that is there, else a new one.  NULL: e says why. */
static struct node *
step_once(struct sampler *s, struct pending *p, struct model *m, struct node *n, struct report *out, struct error *e)
{
	struct node *child = tree_child_of(n, &p->r.recipe);
	struct leg *leg;
	bool fresh;

	if (child) {
		out->kept = true;
		out->counts = child->counts;
		return child;
	}
	e->code = serve_leg(n, &p->r.recipe, m, &leg, &fresh, e);
	if (e->code != ST_OK || (fresh && (e->code = tree_own_leg(s->tree, leg, e)) != ST_OK))
		return NULL;
	return make_child(s, p, m, n, leg, out, e);
}

/* Whether n ends the run under recipe r (a longer one may go on from there). */
static bool
at_end(const struct node *n, const struct recipe *r)
{
	return n->done && n->on && recipe_equal(&n->on->r, r);
}

/* Report one state of a run; in a flat run the one before it goes. */
static enum status
report_step(struct sampler *s, struct pending *p, struct item *it, struct node *n, struct node *child, bool last,
            struct error *e)
{
	enum status rc = ST_OK;

	if (p->r.flat && n != p->r.node)
		rc = tree_splice(s->tree, n, e);
	it->report.step = child->step;
	it->report.t = child->t;
	it->report.node = p->r.flat && !last ? NULL : child;
	it->report.last = last;
	sampler_report(s, it);
	return rc;
}

static struct item *
step_item(const struct pending *p)
{
	struct item *it = mem_calloc(1, sizeof *it);

	if (it)
		it->report = p->final->report;
	return it;
}

/* RQ_STEP.  Reports each state; sends the last report itself. */
static void
step_many(struct sampler *s, struct pending *p)
{
	struct node *n = p->r.node;
	struct model *m;
	struct error e = { .code = ST_OK };
	enum status rc = serve_model(s, &p->r.recipe, &m, &e);

	for (int i = 0; rc == ST_OK && i < p->r.count && !at_end(n, &p->r.recipe); i++) {
		if (cancel_asked(&s->plain)) {
			rc = ST_CANCELLED;
			break;
		}
		struct item *it = step_item(p);
		struct node *child = NULL;
		if (it)
			child = step_once(s, p, m, n, &it->report, &e);
		else
			error_set(&e, ST_MEMORY, "out of memory for a report");
		if (!child) {
			rc = e.code == ST_OK ? ST_FAIL : e.code;
			if (it)
				report_done(&it->report);
			free(it);
			break;
		}
		bool last = i + 1 == p->r.count || at_end(child, &p->r.recipe);
		rc = report_step(s, p, it, n, child, last, &e);
		n = child;
		if (last)
			return;
		sampler_serve_above(s, sampler_rank(RQ_STEP));
	}
	p->final->report.node = n;
	p->final->report.step = n->step;
	p->final->report.t = n->t;
	p->final->report.kept = true;
	sampler_finish(s, p, rc, &e);
}

/* ---- which ---- */

/* The one report of a request that has just one. */
static bool
finish(struct sampler *s, struct pending *p, enum status rc, bool missing, const struct error *e)
{
	if (missing && p->r.compute && s->in_trunk)
		return false;
	if (missing)
		rc = ST_OK;
	p->final->report.missing = missing;
	sampler_finish(s, p, rc, e);
	return true;
}

bool
serve(struct sampler *s, struct pending *p)
{
	struct error e = { .code = ST_OK };
	enum status rc = ST_OK;
	bool missing = false;

	switch (p->r.kind) {
	case RQ_START:
		rc = start(s, p, &e);
		break;
	case RQ_EDIT:
		rc = edit(s, p, &e);
		break;
	case RQ_PREVIEW:
		rc = preview(s, p, &missing, &e);
		break;
	case RQ_INSPECT:
		rc = serve_inspect(s, p, &missing, &e);
		break;
	case RQ_PAINT:
		rc = serve_paint(s, p, &missing, &e);
		break;
	case RQ_AHEAD:
		rc = serve_ahead(s, p, &e);
		break;
	case RQ_STEP:
		step_many(s, p);
		return true;
	case RQ_FREE:
		tree_cut(s->tree, p->r.node);
		p->final->report.cut = p->r.node;
		p->final->report.node = NULL;
		break;
	}
	return finish(s, p, rc, missing, &e);
}
