/* draw.c: see draw.h. */
#include "psi/draw.h"

#include <math.h>
#include <string.h>

#include "psi/filter.h"
#include "psi/guide.h"
#include "psi/vocab.h"
#include "psi/posterior.h"

static bool
sound(int V, const float *row)
{
	return row[0] == row[0] && row[V - 1] == row[V - 1];
}

static void
filter(const struct move *v, float *row, struct draw_scratch *s)
{
	if (!filter_off(v->r->temperature, v->r->top_p, v->r->top_k))
		filter_apply(v->m->V, row, v->r->temperature, v->r->top_p, v->r->top_k, s->order);
}

/* Both rows of logits to log x_theta.  A row's NaN has spread over all of it. */
static bool
log_x(const struct move *v, float *logit, float *logit_u, int z)
{
	filter_log_x(v->m, logit, z, v->sigma_t, logit);
	if (logit_u)
		filter_log_x(v->m, logit_u, z, v->sigma_t, logit_u);
	return sound(v->m->V, logit) && (!logit_u || sound(v->m->V, logit_u));
}

/* The guided and filtered log x_theta, in logit. */
static bool
law(const struct move *v, float *logit, float *logit_u, int z, struct draw_scratch *s)
{
	if (!log_x(v, logit, logit_u, z))
		return false;
	if (logit_u)
		guide_mix(v->m->V, logit, logit_u, v->r->cfg, logit);
	filter(v, logit, s);
	return true;
}

static void
settle(struct drawn *d, int tok, enum cause changed, enum cause same, double prob)
{
	d->cause = tok == d->z ? same : changed;
	d->tok = tok;
	d->prob = (float)prob;
}

static void
untouched(struct drawn *d)
{
	d->tok = d->z;
	d->cause = CAUSE_UNTOUCHED;
}

/* A token of x_theta; log_x is the filtered law. */
static bool
from_x(const struct move *v, const float *row, struct drawn *d, enum cause changed, enum cause same)
{
	int tok = vocab_draw(v->m->V, row, &d->noise, STAGE_TOKEN);

	if (tok < 0)
		return false;
	settle(d, tok, changed, same, exp((double)row[tok]));
	return true;
}

static bool
greedy(const struct move *v, const float *row, struct drawn *d)
{
	int at = 0;

	for (int j = 1; j < v->m->V; j++)
		if (row[j] > row[at])
			at = j;
	settle(d, at, CAUSE_REMOVAL, CAUSE_PRED_SAME, exp((double)row[at]));
	return true;
}

/* Uniform noise, predictor: x_theta, a uniform token, or stay, in that order
 * on one u (psi-samplers.md section 4). */
static bool
draw_uniform_predictor(const struct move *v, const float *row, struct drawn *d)
{
	double K = v->m->V, D = K * v->row.a * exp((double)row[d->z]) + v->na;
	double w_x = v->gap / D, w_uniform = v->gap / v->row.b * v->nb / D;
	double u = noise_scalar(&d->noise, STAGE_MIX);

	if (u < w_x)
		return from_x(v, row, d, CAUSE_PRED, CAUSE_PRED_SAME);
	if (u < w_x + w_uniform) {
		int tok = noise_token(&d->noise, STAGE_UNIFORM, v->m->V);
		settle(d, tok, CAUSE_PRED_NOISE, CAUSE_PRED_SAME, exp((double)row[tok]));
		return true;
	}
	untouched(d);
	return true;
}

/* q(0|t) as a mixture: x_theta, or (uniform noise) stay. */
static bool
draw_clean(const struct move *v, const float *row, struct drawn *d, enum stage stage, enum cause changed,
    enum cause same)
{
	if (v->m->mask < 0) {
		double D = (double)v->m->V * v->row.a * exp((double)row[d->z]) + v->na;
		if (noise_scalar(&d->noise, stage) >= v->na / D) {
			untouched(d);
			return true;
		}
	}
	return from_x(v, row, d, changed, same);
}

static bool
draw_mixture(const struct move *v, const float *row, struct drawn *d)
{
	switch (d->part) {
	case PART_NEXT:
		return from_x(v, row, d, CAUSE_PRED, CAUSE_PRED_SAME);
	case PART_PRED:
		if (v->m->mask < 0)
			return draw_uniform_predictor(v, row, d);
		return from_x(v, row, d, CAUSE_PRED, CAUSE_PRED_SAME);
	case PART_CLEAN:
		return draw_clean(v, row, d, STAGE_MIX, CAUSE_CORR, CAUSE_CORR_SAME);
	case PART_LAST:
		if (v->r->removal == REMOVAL_GREEDY)
			return greedy(v, row, d);
		return draw_clean(v, row, d, STAGE_REMOVAL, CAUSE_REMOVAL, CAUSE_PRED_SAME);
	case PART_STAY: case PART_FIXED: case PART_NOISE:
		break;
	}
	return false;
}

static void
exp_row(int V, const float *row, double *out)
{
	for (int j = 0; j < V; j++)
		out[j] = exp((double)row[j]);
}

/* The posterior of one denoiser for the chosen part: q(s|t), or q(0|t) where b = 1. */
static void
posterior(const struct move *v, const double *x, int z, bool clean, double *q)
{
	double b = clean ? 1 : v->row.b, nb = clean ? 0 : v->nb;

	if (v->m->out == OUT_D3PM && v->r->d3pm_compat)
		posterior_q_published(v->m->V, v->m->mask, x, z, v->row.a, v->na, b, nb, q);
	else
		posterior_q(v->m->V, v->m->mask, x, z, v->row.a, v->na, b, nb, q);
}

static void
score_law(const struct move *v, int z, struct draw_scratch *s)
{
	posterior_sedd(v->m->V, v->m->mask, s->law[2], z, v->sigma_t, v->sigma_s, v->last, s->law[1]);
	memcpy(s->law[0], s->law[1], (size_t)v->m->V * sizeof **s->law);
}

static bool
explicit_score(const struct move *v, float *logit, int z, struct draw_scratch *s)
{
	if (!log_x(v, logit, NULL, z))
		return false;
	for (int j = 0; j < v->m->V; j++) {
		/* nothing is summed over a row of scores: each is looked at */
		if (!(logit[j] < INFINITY))
			return false;
		s->law[2][j] = (double)logit[j];
	}
	score_law(v, z, s);
	return true;
}

/* As published: filters on each denoiser, then the posteriors are mixed. */
static bool
explicit_mixed(const struct move *v, float *logit, float *logit_u, int z, bool clean, struct draw_scratch *s)
{
	int V = v->m->V;

	if (!log_x(v, logit, logit_u, z))
		return false;
	filter(v, logit, s);
	filter(v, logit_u, s);
	exp_row(V, logit_u, s->law[0]);
	posterior(v, s->law[0], z, clean, s->law[2]);
	exp_row(V, logit, s->law[0]);
	posterior(v, s->law[0], z, clean, s->law[1]);
	guide_mix_law(V, s->law[1], s->law[2], v->r->cfg, s->law[1]);
	guide_mix(V, logit, logit_u, v->r->cfg, logit);
	exp_row(V, logit, s->law[0]);
	return true;
}

/* The explicit law of a part into s->law[1]; x_theta's probability law into
 * s->law[0] (score models: the law itself). */
static bool
explicit_law(const struct move *v, const struct said *said, int z, bool clean, struct draw_scratch *s)
{
	int V = v->m->V;
	bool ok = true;

	if (v->m->out == OUT_SCORE)
		return explicit_score(v, said->logit, z, s);
	if (said->logit_u && v->r->cfg_mix == CFG_POSTERIOR) {
		ok = explicit_mixed(v, said->logit, said->logit_u, z, clean, s);
	} else if ((ok = law(v, said->logit, said->logit_u, z, s))) {
		exp_row(V, said->logit, s->law[0]);
		posterior(v, s->law[0], z, clean, s->law[1]);
	}
	if (ok && said->ratio && (v->m->mask < 0 || z == v->m->mask))
		ok = guide_tilt(V, said->ratio, z, v->r->cls, s->law[1]);
	return ok;
}

static int
most_probable(int V, const double *q)
{
	int at = 0;

	for (int j = 1; j < V; j++)
		if (q[j] > q[at])
			at = j;
	return at;
}

/* token = argmax_j log q_j + Gumbel(position, j). */
static bool
draw_explicit(const struct move *v, const struct said *said, struct drawn *d, struct draw_scratch *s)
{
	bool corrector = d->part == PART_CLEAN, clean = corrector || d->part == PART_LAST;

	if (!explicit_law(v, said, d->z, clean, s))
		return false;
	int tok = v->last && v->r->removal == REMOVAL_GREEDY ? most_probable(v->m->V, s->law[1])
	    : vocab_draw_law(v->m->V, s->law[1], &d->noise, STAGE_TOKEN);
	if (tok < 0)
		return false;
	settle(d, tok, v->last ? CAUSE_REMOVAL : corrector ? CAUSE_CORR : CAUSE_PRED,
	    corrector ? CAUSE_CORR_SAME : CAUSE_PRED_SAME, s->law[0][tok]);
	return true;
}

bool
draw_row(const struct move *v, const struct said *said, struct drawn *d, struct draw_scratch *s)
{
	if (v->explicit_draw)
		return draw_explicit(v, said, d, s);
	return law(v, said->logit, said->logit_u, d->z, s) && draw_mixture(v, said->logit, d);
}

double
draw_p_held(const struct move *v, const struct said *said, int z, struct draw_scratch *s)
{
	if (v->explicit_draw)
		return explicit_law(v, said, z, true, s) ? s->law[1][z] : NAN;
	if (!law(v, said->logit, said->logit_u, z, s))
		return NAN;
	double kax = (double)v->m->V * v->row.a, x = exp((double)said->logit[z]);
	return x * (kax + v->na) / (kax * x + v->na);
}

void
draw_without_row(const struct move *v, struct drawn *d)
{
	if (d->part == PART_FIXED) {
		d->tok = d->z;
		d->cause = CAUSE_CLAMP;
		d->prob = 1;
	} else if (d->part == PART_NOISE) {
		bool masked = v->m->mask >= 0;
		int tok = masked ? v->m->mask : noise_token(&d->noise, STAGE_UNIFORM, v->m->V);
		settle(d, tok, masked ? CAUSE_REMASK : CAUSE_CORR_NOISE, CAUSE_CORR_SAME, 0);
	} else {
		untouched(d);
	}
}
