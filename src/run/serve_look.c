/*
 * serve_look.c: requests that look at a state without making one: inspect,
 * paint, look-ahead; and what they share with the others.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/classifier.h"
#include "psi/filter.h"
#include "psi/guide.h"
#include "psi/posterior.h"
#include "run/sampler_private.h"

struct cancel *
serve_cancel(struct sampler *s)
{
	return s->in_trunk ? &s->beside : &s->plain;
}

struct features
serve_features(struct sampler *s, struct model *m, bool compute, bool step)
{
	return (struct features){ .cache = s->cache, .m = m, .compute = compute && !s->in_trunk, .step = step,
		.cancel = &s->trunk, .stats = &s->stats };
}

enum status
serve_model(struct sampler *s, struct recipe *r, struct model **m, struct error *e)
{
	r->samples = s->S;
	*m = r->raw && s->raw ? s->raw : s->ema;
	if (r->raw && !s->raw && s->ema->has_raw_and_ema)
		return error_set(e, ST_USAGE, "the raw weights are not open");
	return recipe_check(r, *m, e);
}

enum status
serve_leg(const struct node *n, const struct recipe *r, const struct model *m, struct leg **out, bool *fresh,
	struct error *e)
{
	struct node *child;

	*fresh = false;
	if (n->on && recipe_equal(&n->on->r, r)) {
		*out = (struct leg *)n->on;
		return ST_OK;
	}
	if ((child = tree_child_of(n, r))) {
		*out = (struct leg *)child->leg;
		return ST_OK;
	}
	*fresh = true;
	return leg_new(r, m, n->on, n->step, n->t, out, e);
}

/* ---- inspect ---- */

/* The time at which a state is looked at: the network has no use for the very
 * end, so the last state is seen with the eyes of the last step. */
static double
look_time(const struct leg *leg, const struct node *n)
{
	const struct plan_row *row = leg_row(leg, n->step);

	if (!row && leg->n > 0)
		row = &leg->row[leg->n - 1];
	return row ? row->t : n->t;
}

/* What a request looks with. */
struct look_setup { struct model *m; struct leg *leg; bool fresh; double t; };

static enum status
look_setup(struct sampler *s, struct pending *p, struct look_setup *l, struct error *e)
{
	struct node *n = p->r.node;
	enum status rc = serve_model(s, &p->r.recipe, &l->m, e);

	l->fresh = false;
	if (rc == ST_OK)
		rc = serve_leg(n, &p->r.recipe, l->m, &l->leg, &l->fresh, e);
	if (rc == ST_OK) {
		l->t = look_time(l->leg, n);
		tree_read(s->tree, n, &s->in[s->depth]);
	}
	return rc;
}

static void
look_setup_done(struct look_setup *l)
{
	if (l->fresh)
		leg_free(l->leg);
}

static struct look_said
what_said(const struct model *m, const struct feat_want *w, int k, int pos)
{
	const struct feat_want *u = features_uncond(w, k), *c = features_guide(w, k);
	size_t at = w->len > 0 ? 0 : (size_t)pos;
	struct look_said out = { .feat = w->feat + at * (size_t)m->F };

	if (u)
		out.feat_u = u->feat + at * (size_t)m->F;
	if (c) {
		out.exact = c->what == WANT_EXACT;
		out.gradient = c->feat + at * (size_t)(out.exact ? m->V : m->guide->F);
	}
	return out;
}

/* One of the positions of a request, k-th of its looks; w: its features. */
static enum status
inspect_one(struct sampler *s, struct pending *p, const struct look_setup *l, int n_want, const struct feat_want *w,
	int k, struct error *e)
{
	struct report *out = &p->final->report;
	int pos = k ? p->r.also[k - 1] : p->r.pos;
	size_t V = (size_t)l->m->V;
	double *law = out->law ? out->law + (size_t)k * LAW_COUNT * V : NULL;
	struct look_said said = what_said(l->m, w, n_want, pos);

	return look_at(l->m, l->leg, p->r.node->step, &s->in[s->depth], p->r.sample, pos, &said,
		p->r.drawn ? p->r.tok[k] : -1, k ? &out->also[k - 1] : &out->look,
		law ? law + LAW_X_THETA * V : NULL, NULL, law ? law + LAW_Q_0T * V : NULL,
		law ? law + LAW_PSI * V : NULL, serve_cancel(s), e);
}

static enum status
inspect_valid(const struct sampler *s, const struct request *r, struct error *e)
{
	bool ok =
		r->sample >= 0 && r->sample < s->S && r->pos >= 0 && r->pos < s->L && r->n_also >= 0 && r->n_also <= 2;

	for (int i = 0; ok && i < r->n_also; i++)
		ok = r->also[i] >= 0 && r->also[i] < s->L;
	return ok ? ST_OK : error_set(e, ST_USAGE, "no position %d in sample %d", r->pos, r->sample);
}

enum status
serve_inspect(struct sampler *s, struct pending *p, bool *missing, struct error *e)
{
	struct look_setup l;
	struct feat_want w[STEP_WANTS];
	enum status rc = inspect_valid(s, &p->r, e);

	if (rc != ST_OK || (rc = look_setup(s, p, &l, e)) != ST_OK)
		return rc;
	struct features f = serve_features(s, l.m, p->r.compute, false);
	int k = features_wants(l.m, &p->r.recipe, l.t, &s->in[s->depth], p->r.sample, p->r.pos, w);
	if (k == 0)
		rc = error_set(e, ST_USAGE, "the first token of a causal model is given");
	else
		rc = features_get(&f, k, w, serve_cancel(s), e);
	*missing = f.missing;
	if (rc == ST_OK && p->r.laws) {
		size_t n = (size_t)(1 + p->r.n_also) * LAW_COUNT;
		p->final->report.law = mem_calloc(n * (size_t)l.m->V, sizeof(double));
		if (!p->final->report.law)
			rc = error_set(e, ST_MEMORY, "out of memory for a look");
	}
	for (int i = 0; i <= p->r.n_also && rc == ST_OK; i++)
		rc = inspect_one(s, p, &l, k, w, i, e);
	features_done(&f);
	look_setup_done(&l);
	return rc;
}

/* ---- paint ---- */

#define PAINT_ROWS 64                /* rows of the head at a time */

struct painting {
	const struct model *m;
	const struct recipe *r;
	enum paint what;
	double sigma;                /* of the state's time */
	const int32_t *tok;          /* of this sample */
	int first;                   /* position of row 0 of the block */
	float *logit, *logit_u;      /* [PAINT_ROWS, V]; u NULL: no guidance */
	int *scratch;                /* [threads, V] */
	double *law;                 /* [threads, 2, V]; only for score models */
	float *value;                /* [L] of this sample; for ARGMAX the token */
};

/* What a score says about the clean token: the last step of the analytic
 * sampler, as in the inspector. */
static void
score_row(const struct painting *p, float *x, int z, double *score)
{
	int V = p->m->V;
	double *law = score + V;

	filter_log_x_double(p->m, x, z, p->sigma, score);
	posterior_sedd(V, p->m->mask, score, z, p->sigma, 0, 1, law);
	for (int j = 0; j < V; j++)
		x[j] = (float)log(law[j]);
}

/* log x_theta of one row, guided and filtered as in a step. */
static void
denoiser_row(const struct painting *p, int row, int z, float *x, int worker)
{
	const struct recipe *r = p->r;
	size_t V = (size_t)p->m->V;
	int *scratch = p->scratch + (size_t)worker * V;
	float *u = p->logit_u ? p->logit_u + (size_t)row * V : NULL;
	bool each = u && r->cfg_mix == CFG_POSTERIOR;

	if (p->m->out == OUT_SCORE) {
		score_row(p, x, z, p->law + 2 * V * (size_t)worker);
		return;
	}
	filter_log_x(p->m, x, z, p->sigma, x);
	if (u)
		filter_log_x(p->m, u, z, p->sigma, u);
	if (each) {
		filter_apply(p->m->V, x, r->temperature, r->top_p, r->top_k, scratch);
		filter_apply(p->m->V, u, r->temperature, r->top_p, r->top_k, scratch);
	}
	if (u)
		guide_mix(p->m->V, x, u, r->cfg, x);
	if (!each)
		filter_apply(p->m->V, x, r->temperature, r->top_p, r->top_k, scratch);
}

/* One row of a block, and its number. */
static void
paint_row(void *arg, int row, int worker)
{
	struct painting *p = arg;
	const struct model *m = p->m;
	size_t pos = (size_t)(p->first + row);
	float *x = p->logit + (size_t)row * (size_t)m->V;
	int z = p->tok[pos];

	denoiser_row(p, row, z, x, worker);
	if (p->what == PAINT_CONFIDENCE) {
		p->value[pos] = z >= 0 ? expf(x[z]) : 0;
	} else if (p->what == PAINT_ENTROPY) {
		p->value[pos] = (float)filter_entropy(m->V, x);
	} else {
		int best = 0;
		for (int j = 1; j < m->V; j++)
			if (x[j] > x[best])
				best = j;
		p->value[pos] = (float)best; /* exact: V < 2^24 */
	}
}

bool
serve_outdated(struct sampler *s)
{
	if (s->depth == 0)
		sampler_serve_above(s, sampler_rank(RQ_PAINT));
	return sampler_newer(s, RQ_PAINT);
}

/* One sample; feat [L,F], feat_u or NULL.  A causal model's row i predicts
 * position i + 1, and position 0 is given. */
static enum status
paint_sample(struct sampler *s, struct painting *p, const float *feat, const float *feat_u, struct error *e)
{
	struct model *m = (struct model *)p->m;
	int shift = m->out == OUT_CAUSAL;
	size_t F = (size_t)m->F;
	enum status rc = ST_OK;

	if (shift)
		p->value[0] = p->what == PAINT_CONFIDENCE ? 1 : p->what == PAINT_ARGMAX ? (float)p->tok[0] : 0;
	for (int i = shift; i < m->L && rc == ST_OK; i += PAINT_ROWS) {
		int n = m->L - i < PAINT_ROWS ? m->L - i : PAINT_ROWS;
		size_t from = (size_t)(i - shift) * F;
		if (serve_outdated(s))
			return ST_CANCELLED;
		p->first = i;
		rc = m->rows(m, n, feat + from, p->logit, serve_cancel(s), e);
		if (rc == ST_OK && feat_u)
			rc = m->rows(m, n, feat_u + from, p->logit_u, serve_cancel(s), e);
		if (rc == ST_OK)
			rc = pool_run(m->pool, POOL_SAMPLE, n, paint_row, p, serve_cancel(s));
	}
	return rc;
}

static enum status
paint_all(struct sampler *s, struct pending *q, struct look_setup *l, struct painting *p, bool *missing,
	struct error *e)
{
	struct features f = serve_features(s, l->m, q->r.compute, false);
	size_t L = (size_t)s->L, block = PAINT_ROWS * (size_t)l->m->V;
	struct recipe plain = q->r.recipe; /* these show x_theta, which no classifier touches */
	enum status rc = ST_OK;

	plain.cls = 0;
	for (int i = 0; i < s->S && rc == ST_OK; i++) {
		struct feat_want w[STEP_WANTS];
		/* buffers of this depth stay as they are: what is served above uses the other set */
		int k = features_wants(l->m, &plain, l->t, &s->in[s->depth], i, -1, w);
		rc = features_get(&f, k, w, serve_cancel(s), e);
		p->tok = s->in[s->depth].tok + (size_t)i * L;
		if (rc == ST_OK && k > 1 && !p->logit_u && !(p->logit_u = mem_aligned(block, sizeof *p->logit_u)))
			rc = error_set(e, ST_MEMORY, "out of memory for a colouring");
		if (rc == ST_OK)
			rc = paint_sample(s, p, w[0].feat, k > 1 ? w[1].feat : NULL, e);
		p->value += L;
	}
	*missing = f.missing;
	features_done(&f);
	return rc;
}

/* The tokens of an argmax painting. */
static enum status
paint_tokens(struct report *out, size_t n, struct error *e)
{
	out->token = mem_calloc(n, sizeof *out->token);
	if (!out->token)
		return error_set(e, ST_MEMORY, "out of memory for a colouring");
	for (size_t i = 0; i < n; i++)
		out->token[i] = (int32_t)out->value[i];
	return ST_OK;
}

enum status
serve_paint(struct sampler *s, struct pending *q, bool *missing, struct error *e)
{
	struct report *out = &q->final->report;
	size_t n = (size_t)s->S * (size_t)s->L;
	struct look_setup l;
	enum status rc;

	if (q->r.paint == PAINT_GUIDANCE)
		return serve_guidance(s, q, missing, e);
	rc = look_setup(s, q, &l, e);
	if (rc != ST_OK)
		return rc;
	size_t V = (size_t)l.m->V;
	out->value = mem_calloc(n, sizeof *out->value);
	struct painting p = { .m = l.m, .r = &q->r.recipe, .what = q->r.paint, .value = out->value,
		.sigma = alpha_sigma(&l.m->alpha, l.t),
		.logit = mem_aligned(PAINT_ROWS * V, sizeof(float)),
		.scratch = mem_calloc((size_t)pool_threads(l.m->pool) * V, sizeof(int)) };
	if (l.m->out == OUT_SCORE)
		p.law = mem_calloc(2 * (size_t)pool_threads(l.m->pool) * V, sizeof *p.law);
	if (!out->value || !p.logit || !p.scratch || (l.m->out == OUT_SCORE && !p.law))
		rc = error_set(e, ST_MEMORY, "out of memory for a colouring");
	else
		rc = paint_all(s, q, &l, &p, missing, e);
	mem_free(p.logit);
	mem_free(p.logit_u);
	free(p.scratch);
	free(p.law);
	if (rc == ST_OK && q->r.paint == PAINT_ARGMAX)
		rc = paint_tokens(out, n, e);
	if (rc != ST_OK || q->r.paint == PAINT_ARGMAX) {
		free(out->value);
		out->value = NULL;
	}
	look_setup_done(&l);
	return rc;
}

/* ---- look-ahead ---- */

/* What previews and the next step will want; w has room for STEP_WANTS * S. */
static int
ahead_wants(struct sampler *s, const struct pending *p, const struct look_setup *l, struct feat_want *w)
{
	const struct state *st = &s->in[s->depth];
	int n = 0;

	if (l->m->out == OUT_CAUSAL)
		return leg_row(l->leg, p->r.node->step) ? step_wants(l->m, l->leg, p->r.node->step, st, w) : 0;
	for (int i = 0; i < s->S; i++)
		n += features_wants(l->m, &p->r.recipe, l->t, st, i, -1, w + n);
	return n;
}

enum status
serve_ahead(struct sampler *s, struct pending *p, struct error *e)
{
	struct look_setup l;
	enum status rc = look_setup(s, p, &l, e);

	if (rc != ST_OK)
		return rc;
	struct feat_want *w = mem_calloc(STEP_WANTS * (size_t)s->S, sizeof *w);
	struct features f = serve_features(s, l.m, true, false);
	if (!w) {
		rc = error_set(e, ST_MEMORY, "out of memory for features");
	} else {
		int n = ahead_wants(s, p, &l, w);
		rc = n > 0 ? features_get(&f, n, w, serve_cancel(s), e) : ST_OK;
	}
	free(w);
	features_done(&s->cursor);
	s->cursor = f;
	look_setup_done(&l);
	return rc;
}
