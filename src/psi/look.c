/* look.c: see look.h.  Double throughout; one row at a time, so not for hot paths. */
#include "psi/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/classifier.h"
#include "psi/deal.h"
#include "psi/filter.h"
#include "psi/guide.h"
#include "psi/posterior.h"

/* Scratch of one look: all [V]. */
struct scratch {
	double *c, *u;           /* log x_theta, conditional and unconditional */
	double *xc, *xu;         /* the same as probabilities */
	double *qu;
	int *order;
};

static void
scratch_done(struct scratch *s)
{
	free(s->c);
	free(s->u);
	free(s->xc);
	free(s->xu);
	free(s->qu);
	free(s->order);
}

static enum status
scratch_init(struct scratch *s, int V, struct error *e)
{
	size_t n = (size_t)V;

	s->c = mem_calloc(n, sizeof *s->c);
	s->u = mem_calloc(n, sizeof *s->u);
	s->xc = mem_calloc(n, sizeof *s->xc);
	s->xu = mem_calloc(n, sizeof *s->xu);
	s->qu = mem_calloc(n, sizeof *s->qu);
	s->order = mem_calloc(n, sizeof *s->order);
	if (s->c && s->u && s->xc && s->xu && s->qu && s->order)
		return ST_OK;
	scratch_done(s);
	return error_set(e, ST_MEMORY, "out of memory for a look at %d tokens", V);
}

static void
to_law(int V, const double *log_x, double *out)
{
	for (int j = 0; j < V; j++)
		out[j] = exp(log_x[j]);
}

/* q(s|t), or q(0|t) where clean, of one denoiser. */
static void
posterior(const struct move *v, const double *x, int z, bool clean, double *q)
{
	double b = clean ? 1 : v->row.b, nb = clean ? 0 : v->nb;

	if (v->m->out == OUT_D3PM && v->r->d3pm_compat)
		posterior_q_published(v->m->V, v->m->mask, x, z, v->row.a, v->na, b, nb, q);
	else
		posterior_q(v->m->V, v->m->mask, x, z, v->row.a, v->na, b, nb, q);
}

/* As published: the posteriors of the two filtered denoisers, mixed. */
static void
mixed_posterior(const struct move *v, const struct scratch *s, int z, bool clean, double *q)
{
	posterior(v, s->xc, z, clean, q);
	posterior(v, s->xu, z, clean, s->qu);
	guide_mix_law(v->m->V, q, s->qu, v->r->cfg, q);
}

static void
score_laws(const struct move *v, const struct scratch *s, int z, double *x, double *q_st)
{
	int V = v->m->V, mask = v->m->mask;

	posterior_sedd(V, mask, s->c, z, v->sigma_t, 0, 1, x);
	if (q_st)
		posterior_sedd(V, mask, s->c, z, v->sigma_t, v->sigma_s, v->last, q_st);
}

/* x_theta of each denoiser by itself, with the filters; qu is scratch here. */
static void
alone(const struct move *v, const struct scratch *s)
{
	const struct recipe *r = v->r;
	int V = v->m->V;

	for (int k = 0; k < 2; k++) {
		memcpy(s->qu, k ? s->u : s->c, (size_t)V * sizeof *s->qu);
		filter_apply_double(V, s->qu, r->temperature, r->top_p, r->top_k, s->order);
		to_law(V, s->qu, k ? s->xu : s->xc);
	}
}

static void
to_log(int V, const double *law, double *out)
{
	for (int j = 0; j < V; j++)
		out[j] = law[j] > 0 ? log(law[j]) : -INFINITY;
}

/* x_theta from s->c (and s->u): guidance and filters in the order of the step. */
static int
denoiser(const struct move *v, const struct scratch *s, double *x)
{
	const struct recipe *r = v->r;
	int V = v->m->V, kept;
	bool each = v->two && r->cfg_mix == CFG_POSTERIOR && v->m->out != OUT_CAUSAL;

	if (v->two)
		alone(v, s);
	if (each) {
		to_log(V, s->xc, s->c);
		to_log(V, s->xu, s->u);
	}
	if (v->two)
		guide_mix_double(V, s->c, s->u, r->cfg, s->c);
	if (each) {
		kept = 0;
		for (int j = 0; j < V; j++)
			kept += s->c[j] > -INFINITY;
	} else {
		kept = filter_apply_double(V, s->c, r->temperature, r->top_p, r->top_k, s->order);
	}
	to_law(V, s->c, x);
	return kept;
}

/* q(s|t) and q(0|t), whichever is wanted. */
static void
posteriors(const struct move *v, const struct scratch *s, int z, const double *x, double *q_st, double *q_0t)
{
	bool mixed = v->two && v->r->cfg_mix == CFG_POSTERIOR && v->m->out != OUT_CAUSAL;

	for (int clean = 0; clean < 2; clean++) {
		double *q = clean ? q_0t : q_st;
		if (!q)
			continue;
		if (v->m->out == OUT_CAUSAL)
			memcpy(q, x, (size_t)v->m->V * sizeof *q);
		else if (mixed)
			mixed_posterior(v, s, z, clean, q);
		else
			posterior(v, x, z, clean, q);
	}
}

/* The classifier's factor, as in the step. */
static enum status
tilt(const struct move *v, const float *ratio, int z, double *q_st, double *q_0t, struct error *e)
{
	if (!ratio || !v->cls || (v->m->mask >= 0 && z != v->m->mask))
		return ST_OK;
	if ((q_st && !guide_tilt(v->m->V, ratio, z, v->r->cls, q_st)) ||
	    (q_0t && !guide_tilt(v->m->V, ratio, z, v->r->cls, q_0t)))
		return error_set(e, ST_NUMERIC, "the classifier gave NaN or infinity");
	return ST_OK;
}

static enum status
laws(const struct move *v, const struct scratch *s, int z, const float *logit, const float *logit_u, const float *ratio,
     double *x, double *q_st, double *q_0t, double *psi, int *kept, struct error *e)
{
	int V = v->m->V;
	enum status st = ST_OK;

	filter_log_x_double(v->m, logit, z, v->sigma_t, s->c);
	if (v->two)
		filter_log_x_double(v->m, logit_u, z, v->sigma_t, s->u);
	for (int j = 0; j < V; j++)
		if (!(s->c[j] < INFINITY) || (v->two && !(s->u[j] < INFINITY)))
			return error_set(e, ST_NUMERIC, "the network gave NaN or infinity");
	if (v->m->out == OUT_SCORE) {
		*kept = V;
		score_laws(v, s, z, x, q_st);
		if (q_0t)
			memcpy(q_0t, x, (size_t)V * sizeof *x);
	} else {
		*kept = denoiser(v, s, x);
		posteriors(v, s, z, x, q_st, q_0t);
		st = tilt(v, ratio, z, q_st, q_0t, e);
	}
	if (st != ST_OK || !psi || !q_st || !q_0t)
		return st;
	if (v->m->out == OUT_SCORE || v->m->out == OUT_CAUSAL)
		memcpy(psi, q_st, (size_t)V * sizeof *psi);
	else
		posterior_psi(V, v->m->mask, q_st, q_0t, v->row.b, v->nb, v->row.kappa, psi);
	return ST_OK;
}

enum status
look_laws(const struct model *m, const struct recipe *r, const struct plan_row *row, int z, const float *logit,
	  const float *logit_u, const float *ratio, double *x, double *q_st, double *q_0t, double *psi, int *kept,
	  struct error *e)
{
	struct move v;
	struct scratch s;
	double *own = NULL;
	enum status st;

	move_init(&v, m, r, 0, row);
	st = scratch_init(&s, m->V, e);
	if (st != ST_OK)
		return st;
	/* Psi needs both posteriors, wanted or not */
	if (psi && (!q_st || !q_0t)) {
		own = mem_calloc(2 * (size_t)m->V, sizeof *own);
		if (!own) {
			scratch_done(&s);
			return error_set(e, ST_MEMORY, "out of memory for a look at %d tokens", m->V);
		}
		q_st = q_st ? q_st : own;
		q_0t = q_0t ? q_0t : own + m->V;
	}
	v.two = v.two && logit_u;
	st = laws(&v, &s, z, logit, logit_u, ratio, x, q_st, q_0t, psi, kept, e);
	scratch_done(&s);
	free(own);
	return st;
}

/* The mixture weights of both parts (psi-samplers.md section 4). */
static void
weights(const struct move *v, double x_z, struct look *out)
{
	double kax = v->m->V * v->row.a * x_z, D = kax + v->na;

	out->w_x = out->w_uniform = out->c_x = 0;
	out->w_stay = out->c_stay = 1;
	if (v->m->out == OUT_CAUSAL) {
		out->w_x = 1;
		out->w_stay = 0;
	} else if (v->m->mask >= 0) {
		if (out->z == v->m->mask && v->na > 0) {
			out->w_x = v->gap / v->na;
			out->w_stay = v->nb / v->na;
			out->c_x = 1;
			out->c_stay = 0;
		}
	} else if (D > 0) {
		out->w_x = v->gap / D;
		out->w_uniform = v->gap / v->row.b * v->nb / D;
		out->w_stay = (kax + v->row.a * v->nb / v->row.b) / D;
		out->c_x = v->na / D;
		out->c_stay = kax / D;
	}
}

/* The tokens of largest x, descending, lower ids first. */
static void
top_entries(int V, const double *x, const double *q_st, const double *q_0t, const double *psi, struct look *out)
{
	out->n = 0;
	for (int j = 0; j < V; j++) {
		if (!(x[j] > 0) || (out->n == LOOK_TOP && x[j] <= out->top[LOOK_TOP - 1].x_theta))
			continue;
		int at = out->n < LOOK_TOP ? out->n++ : LOOK_TOP - 1;
		for (; at > 0 && out->top[at - 1].x_theta < x[j]; at--)
			out->top[at] = out->top[at - 1];
		out->top[at] = (struct look_entry){ j, x[j], q_0t[j], q_st[j], psi[j] };
	}
}

static void
numbers(const struct move *v, const double *x, const double *q_st, const double *q_0t, const double *psi,
    struct look *out)
{
	int V = v->m->V, z = out->z;

	out->entropy = 0;
	for (int j = 0; j < V; j++)
		if (x[j] > 0)
			out->entropy -= x[j] * log(x[j]);
	out->rank = 0;
	out->p_now = out->q_0t_now = out->psi_now = 0;
	if (z >= 0) {
		out->rank = 1;
		for (int j = 0; j < V; j++)
			out->rank += x[j] > x[z];
		out->p_now = x[z];
		out->q_0t_now = q_0t[z];
		out->psi_now = psi[z];
	}
	out->explicit_draw = v->explicit_draw;
	out->b = v->row.b;
	weights(v, out->p_now, out);
	top_entries(V, x, q_st, q_0t, psi, out);
}

/* kappa of the position in the coming step; 1 in noise removal. */
static enum status
kappa_here(const struct move *v, const struct state *s, int sample, int pos, struct look *out, struct error *e)
{
	out->kappa = v->row.kappa;
	out->kappa_mean = v->informed;
	if (v->r->per != PER_CONF || v->last)
		return ST_OK;
	double *all = mem_calloc((size_t)s->L, sizeof *all);
	if (!all)
		return error_set(e, ST_MEMORY, "out of memory for a look at %d positions", s->L);
	deal_kappa(v, s, sample, NULL, all);
	out->kappa = all[pos];
	free(all);
	return ST_OK;
}

/* The step that is looked at: the coming one, else noise removal at the last
 * time that the leg knows. */
static struct plan_row
row_at(const struct model *m, const struct leg *l, int step)
{
	const struct plan_row *row = leg_row(l, step);

	if (row)
		return *row;
	double t = l->n > 0 ? l->row[l->n - 1].t : l->first_t;
	return (struct plan_row){ t, 0, alpha_at(&m->alpha, t), 1, 1 };
}

/* The rows of one position: logit [V], logit_u and ratio behind it. */
static enum status
rows_of(struct model *m, const struct look_said *said, float *logit, struct cancel *c, struct error *e)
{
	size_t V = (size_t)m->V;
	enum status st = m->rows(m, 1, said->feat, logit, c, e);

	if (st == ST_OK && said->feat_u)
		st = m->rows(m, 1, said->feat_u, logit + V, c, e);
	if (st == ST_OK && said->gradient && said->exact)
		memcpy(logit + 2 * V, said->gradient, V * sizeof *logit);
	else if (st == ST_OK && said->gradient)
		st = m->guide->rows(m->guide, 1, said->gradient, logit + 2 * V, c, e);
	return st;
}

/* What guidance did to one token; x: the guided law, the classifier's factor included. */
static struct look_guided
steered(const struct move *v, const struct scratch *s, const double *plain, const double *x, int32_t tok)
{
	if (tok < 0)
		return (struct look_guided){ .tok = -1, .uncond = NAN };
	return (struct look_guided){ tok, x[tok], v->two ? s->xc[tok] : plain[tok], v->two ? s->xu[tok] : NAN };
}

/* The classifier tilts q(0|t) as it tilts x_theta. */
static enum status
guided(const struct move *v, const struct scratch *s, const float *ratio, const double *x, int32_t tok,
       struct look *out, struct error *e)
{
	out->guided = v->two || (v->cls && ratio);
	if (!out->guided)
		return ST_OK;
	memcpy(s->qu, x, (size_t)v->m->V * sizeof *x);
	enum status st = tilt(v, ratio, out->z, NULL, s->qu, e);
	out->steer = steered(v, s, x, s->qu, out->z);
	out->drawn = steered(v, s, x, s->qu, tok);
	return st;
}

enum status
look_at(struct model *m, const struct leg *l, int step, const struct state *s, int sample, int pos,
	const struct look_said *said, int32_t tok, struct look *out, double *x, double *q_st, double *q_0t, double *psi,
	struct cancel *c, struct error *e)
{
	struct plan_row row = row_at(m, l, step);
	size_t V = (size_t)m->V;
	float *logit = mem_calloc(3 * V, sizeof *logit);
	double *own = mem_calloc(4 * V, sizeof *own);
	struct scratch scratch = { 0 };
	enum status st = logit && own ? ST_OK : error_set(e, ST_MEMORY, "out of memory for a look at %d tokens", m->V);
	struct move v;

	memset(out, 0, sizeof *out);
	out->z = s->tok[(size_t)sample * (size_t)s->L + (size_t)pos];
	move_init(&v, m, &l->r, step, &row);
	v.two = v.two && said->feat_u;
	if (st == ST_OK)
		st = scratch_init(&scratch, m->V, e);
	if (st == ST_OK)
		st = kappa_here(&v, s, sample, pos, out, e);
	if (st == ST_OK)
		st = rows_of(m, said, logit, c, e);
	if (st == ST_OK) {
		const float *ratio = said->gradient ? logit + 2 * V : NULL;
		x = x ? x : own;
		q_st = q_st ? q_st : own + V;
		q_0t = q_0t ? q_0t : own + 2 * V;
		psi = psi ? psi : own + 3 * V;
		v.row.kappa = out->kappa;
		st = laws(&v, &scratch, out->z, logit, logit + V, ratio, x, q_st, q_0t, psi, &out->kept, e);
		if (st == ST_OK)
			numbers(&v, x, q_st, q_0t, psi, out);
		if (st == ST_OK)
			st = guided(&v, &scratch, ratio, x, tok, out, e);
	}
	scratch_done(&scratch);
	free(logit);
	free(own);
	return st;
}
