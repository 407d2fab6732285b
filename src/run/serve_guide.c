/*
 * serve_guide.c: the colouring that shows what guidance did: for each position
 * the probability of the drawn value under the guided denoiser less that under
 * the conditional one alone, seen from the state it was drawn from.  Sampler
 * thread; rows are shared out over the pool.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/classifier.h"
#include "psi/filter.h"
#include "psi/guide.h"
#include "run/sampler_private.h"

#define BLOCK 64 /* rows of the head at a time */

struct steering {
	struct model *m;
	struct recipe r; /* that the step followed */
	const struct leg *leg;
	bool fresh; /* leg is ours */
	double sigma;
	struct state *from;	      /* the state it was drawn from */
	int32_t *drawn;		      /* [S,L] what was drawn */
	float *cond, *uncond, *ratio; /* [BLOCK,V]; NULL: not needed */
	float *row;		      /* [threads,V] */
	double *law;		      /* [threads,V] */
	int *order;		      /* [threads,V] */
	size_t at;		      /* of row 0 of the block in [S,L] */
	float *value;		      /* [S,L] */
};

/* exp(log_x) at tok once filtered; log_x is overwritten. */
static double
filtered(const struct steering *g, float *log_x, int *order, int tok)
{
	filter_apply(g->m->V, log_x, g->r.temperature, g->r.top_p, g->r.top_k, order);
	return exp((double)log_x[tok]);
}

/* The same of a law with the classifier's factor. */
static double
tilted(const struct steering *g, const float *log_x, const float *ratio, int z, int tok, double *law)
{
	for (int j = 0; j < g->m->V; j++)
		law[j] = exp((double)log_x[j]);
	return guide_tilt(g->m->V, ratio, z, g->r.cls, law) ? law[tok] : NAN;
}

static void
steer_row(void *arg, int item, int worker)
{
	struct steering *g = arg;
	size_t at = g->at + (size_t)item, V = (size_t)g->m->V;
	int z = g->from->tok[at], tok = g->drawn[at], *order = g->order + (size_t)worker * V;
	float *x = g->cond + (size_t)item * V, *u = g->uncond ? g->uncond + (size_t)item * V : NULL;
	float *row = g->row + (size_t)worker * V;
	bool each = u && g->r.cfg_mix == CFG_POSTERIOR && g->m->out != OUT_CAUSAL;

	if (g->from->fixed[at] || tok < 0 || tok == g->m->mask)
		return;
	filter_log_x(g->m, x, z, g->sigma, x);
	memcpy(row, x, V * sizeof *row);
	double alone = filtered(g, row, order, tok), guided = alone;
	if (u) {
		filter_log_x(g->m, u, z, g->sigma, u);
		if (each) {
			filtered(g, x, order, tok);
			filtered(g, u, order, tok);
		}
		guide_mix(g->m->V, x, u, g->r.cfg, x);
		guided = each ? exp((double)x[tok]) : filtered(g, x, order, tok);
	} else if (g->ratio) {
		filtered(g, x, order, tok);
	}
	if (g->ratio && (g->m->mask < 0 || z == g->m->mask))
		guided = tilted(g, x, g->ratio + (size_t)item * V, z, tok, g->law + (size_t)worker * V);
	g->value[at] = (float)(guided - alone);
}

/* Rows of n positions from `first` on of one sample. */
static enum status
bring(struct sampler *s, struct steering *g, const struct feat_want *w, int k, int first, int n, struct error *e)
{
	const struct feat_want *u = features_uncond(w, k), *c = features_guide(w, k);
	size_t F = (size_t)g->m->F, i = (size_t)(first - (g->m->out == OUT_CAUSAL)), V = (size_t)g->m->V;
	enum status rc = g->m->rows(g->m, n, w->feat + i * F, g->cond, serve_cancel(s), e);

	if (rc == ST_OK && u)
		rc = g->m->rows(g->m, n, u->feat + i * F, g->uncond, serve_cancel(s), e);
	if (rc == ST_OK && c && c->what == WANT_EXACT)
		memcpy(g->ratio, c->feat + i * V, (size_t)n * V * sizeof *g->ratio);
	else if (rc == ST_OK && c)
		rc = g->m->guide->rows(g->m->guide, n, c->feat + i * (size_t)g->m->guide->F, g->ratio, serve_cancel(s),
				       e);
	return rc;
}

static bool
room(float **p, size_t n, bool wanted)
{
	if (wanted && !*p)
		*p = mem_aligned(n, sizeof **p);
	return !wanted || *p;
}

static enum status
steer_sample(struct sampler *s, struct steering *g, const struct feat_want *w, int k, int sample, struct error *e)
{
	size_t n = BLOCK * (size_t)g->m->V;
	enum status rc = ST_OK;

	if (!room(&g->cond, n, true) || !room(&g->uncond, n, features_uncond(w, k)) ||
	    !room(&g->ratio, n, features_guide(w, k)))
		return error_set(e, ST_MEMORY, "out of memory for a colouring");
	for (int i = g->m->out == OUT_CAUSAL; i < s->L && rc == ST_OK; i += BLOCK) {
		int rows = s->L - i < BLOCK ? s->L - i : BLOCK;
		if (serve_outdated(s))
			return ST_CANCELLED;
		g->at = (size_t)sample * (size_t)s->L + (size_t)i;
		rc = bring(s, g, w, k, i, rows, e);
		if (rc == ST_OK)
			rc = pool_run(g->m->pool, POOL_SAMPLE, rows, steer_row, g, serve_cancel(s));
	}
	return rc;
}

/* The coming step's tokens into drawn. */
static enum status
draw_coming(struct sampler *s, struct pending *q, struct steering *g, struct features *f, struct error *e)
{
	struct state *out = &s->out[s->depth];
	struct step_counts counts;
	enum status rc =
	    step(g->m, g->leg, q->r.node->step, g->from, out, &counts, features_get, f, serve_cancel(s), e);

	if (rc == ST_OK)
		memcpy(g->drawn, out->tok, (size_t)s->S * (size_t)s->L * sizeof *g->drawn);
	return rc;
}

/* Which step is looked at: the one that made the node, or the coming one.
 * *none: there is none, so guidance did nothing. */
static enum status
which_step(struct sampler *s, struct pending *q, struct steering *g, bool *none, struct error *e)
{
	struct node *n = q->r.node, *from = q->r.coming ? n : n->up;
	enum status rc;

	*none = !q->r.coming && (!n->leg || !n->up);
	if (*none)
		return ST_OK;
	g->r = q->r.coming ? q->r.recipe : n->leg->r;
	if ((rc = serve_model(s, &g->r, &g->m, e)) != ST_OK)
		return rc;
	if (q->r.coming) {
		struct leg *leg = NULL;
		rc = serve_leg(n, &g->r, g->m, &leg, &g->fresh, e);
		g->leg = leg;
	} else {
		g->leg = n->leg;
	}
	const struct plan_row *row = rc == ST_OK ? leg_row(g->leg, from->step) : NULL;
	*none = !row;
	if (row)
		g->sigma = alpha_sigma(&g->m->alpha, row->t);
	g->from = &s->in[s->depth];
	if (row && !q->r.coming) {
		tree_read(s->tree, n, g->from);
		memcpy(g->drawn, g->from->tok, (size_t)s->S * (size_t)s->L * sizeof *g->drawn);
	}
	if (row)
		tree_read(s->tree, from, g->from);
	return rc;
}

static enum status
steer_all(struct sampler *s, struct pending *q, struct steering *g, bool *missing, struct error *e)
{
	struct features f = serve_features(s, g->m, q->r.compute, false);
	struct recipe wanted = g->r;
	double t = leg_row(g->leg, q->r.coming ? q->r.node->step : q->r.node->up->step)->t;
	enum status rc = q->r.coming ? draw_coming(s, q, g, &f, e) : ST_OK;

	if (wanted.cfg == 0 && wanted.label >= LABEL_ROWS && wanted.label != LABEL_NONE)
		wanted.cfg = 2; /* what the label alone says is needed beside it */
	for (int i = 0; i < s->S && rc == ST_OK; i++) {
		struct feat_want w[STEP_WANTS];
		int k = features_wants(g->m, &wanted, t, g->from, i, -1, w);
		rc = features_get(&f, k, w, serve_cancel(s), e);
		if (rc == ST_OK)
			rc = steer_sample(s, g, w, k, i, e);
	}
	*missing = f.missing;
	features_done(&f);
	return rc;
}

enum status
serve_guidance(struct sampler *s, struct pending *q, bool *missing, struct error *e)
{
	struct report *out = &q->final->report;
	size_t n = (size_t)s->S * (size_t)s->L, V = (size_t)s->ema->V, threads = (size_t)pool_threads(s->ema->pool);
	struct steering g = { .drawn = mem_calloc(n, sizeof *g.drawn),
			      .row = mem_calloc(threads * V, sizeof *g.row),
			      .law = mem_calloc(threads * V, sizeof *g.law),
			      .order = mem_calloc(threads * V, sizeof *g.order),
			      .value = mem_calloc(n, sizeof *g.value) };
	bool none = true;
	enum status rc = ST_OK;

	if (!g.drawn || !g.row || !g.law || !g.order || !g.value)
		rc = error_set(e, ST_MEMORY, "out of memory for a colouring");
	if (rc == ST_OK)
		rc = which_step(s, q, &g, &none, e);
	if (rc == ST_OK && !none)
		rc = steer_all(s, q, &g, missing, e);
	if (g.fresh)
		leg_free((struct leg *)(uintptr_t)g.leg);
	free(g.drawn);
	free(g.row);
	free(g.law);
	free(g.order);
	mem_free(g.cond);
	mem_free(g.uncond);
	mem_free(g.ratio);
	if (rc == ST_OK)
		out->value = g.value;
	else
		free(g.value);
	return rc;
}
