/* deal.c: see deal.h. */
#include "psi/deal.h"

#include <math.h>

#include "net/classifier.h"
#include "psi/posterior.h"

void
move_init(struct move *v, const struct model *m, const struct recipe *r, int step, const struct plan_row *row)
{
	*v = (struct move){ .m = m, .r = r, .step = step, .row = *row };
	v->last = m->out != OUT_CAUSAL && row->b == 1 && row->s == 0;
	v->na = alpha_noise(&m->alpha, row->t);
	v->nb = v->last ? 0 : alpha_noise(&m->alpha, row->s);
	v->gap = posterior_gap(row->a, v->na, row->b, v->nb);
	v->sigma_t = alpha_sigma(&m->alpha, row->t);
	v->sigma_s = v->last ? 0 : alpha_sigma(&m->alpha, row->s);
	v->sigma = m->timed && m->out != OUT_CAUSAL ? v->sigma_t : 0;
	v->two = m->classes > 0 && r->cfg != 0 && r->cfg != 1 && r->label != m->classes;
	v->cls = m->guide && r->cls != 0 && r->label != LABEL_NONE && r->label < m->guide->classes;
	v->explicit_draw = v->cls || m->out == OUT_SCORE || (m->out == OUT_D3PM && r->d3pm_compat) ||
			   (v->two && r->cfg_mix == CFG_POSTERIOR && m->out != OUT_CAUSAL);
	v->informed = r->per == PER_INFORMED && !v->last && row->kappa < 1;
}

struct noise
move_noise(const struct move *v, const struct state *in, int sample, int pos)
{
	return (struct noise){
		.seed = v->r->seed,
		.step = (uint32_t)v->step,
		.sample = (uint32_t)v->r->first + (uint32_t)sample,
		.pos = (uint32_t)pos,
		.nonce = in->nonce[(size_t)sample * (size_t)in->L + (size_t)pos],
	};
}

int
deal_labels(const struct move *v, int sample, int label[2])
{
	int classes = v->m->classes, c = v->r->label;

	if (classes == 0 || c == LABEL_NONE) {
		label[0] = LABEL_NONE;
		return 1;
	}
	if (c == LABEL_ROWS)
		c = (int)(((unsigned)v->r->first + (unsigned)sample) % (unsigned)classes);
	label[0] = v->r->cfg == 0 ? classes : c;
	label[1] = classes;
	return v->two ? 2 : 1;
}

int
deal_class(const struct move *v, int sample)
{
	if (!v->cls)
		return LABEL_NONE;
	if (v->r->label == LABEL_ROWS)
		return (int)(((unsigned)v->r->first + (unsigned)sample) % (unsigned)v->m->guide->classes);
	return v->r->label;
}

/* Confidence: the token's probability when it was decoded. */
static void
conf(const struct move *v, const struct state *in, int sample, double *kappa)
{
	size_t at = (size_t)sample * (size_t)in->L;

	for (int i = 0; i < in->L; i++) {
		bool decoded = !in->fixed[at + (size_t)i] && in->tok[at + (size_t)i] != v->m->mask;
		kappa[i] = decoded ? (double)in->prob[at + (size_t)i] : NAN;
	}
	kappa_conf(in->L, v->row.a, v->nb, kappa);
}

/* 1 - kappa_l in proportion to 1 - p_l (psi-samplers.md section 5). */
static void
informed(const struct move *v, const struct state *in, int sample, const double *p, double *kappa)
{
	size_t at = (size_t)sample * (size_t)in->L;
	double sum = 0;
	int free_positions = 0;

	for (int i = 0; i < in->L; i++)
		if (!in->fixed[at + (size_t)i]) {
			sum += 1 - p[i];
			free_positions++;
		}
	for (int i = 0; i < in->L; i++) {
		double less = (1 - v->row.kappa) * free_positions * (1 - p[i]) / sum;
		kappa[i] = sum > 0 ? fmin(fmax(1 - less, 0), 1) : v->row.kappa;
	}
}

void
deal_kappa(const struct move *v, const struct state *in, int sample, const double *p, double *kappa)
{
	if (v->r->per == PER_CONF && !v->last && v->m->out != OUT_CAUSAL) {
		conf(v, in, sample, kappa);
		return;
	}
	if (v->informed) {
		informed(v, in, sample, p, kappa);
		return;
	}
	for (int i = 0; i < in->L; i++)
		kappa[i] = v->row.kappa;
}

/* Whether a part of an explicit law can move the token z. */
static bool
can_move(const struct move *v, int z)
{
	return v->m->mask < 0 || z == v->m->mask || (v->m->out == OUT_D3PM && v->r->d3pm_compat);
}

static enum part
deal_last(const struct move *v, int z)
{
	return can_move(v, z) ? PART_LAST : PART_STAY;
}

static enum part
deal_predictor(const struct move *v, int z, const struct noise *n)
{
	if (v->explicit_draw)
		return can_move(v, z) ? PART_PRED : PART_STAY;
	if (v->m->mask >= 0 && z != v->m->mask)
		return PART_STAY;
	/* Masked: unmask with (b-a)/(1-a).  Uniform: D >= 1-a, so u at or above
	 * (1-r)/(1-a) stays whatever the network says. */
	double reach = v->m->mask >= 0 ? v->gap / v->na : v->gap / v->row.b / v->na;
	return v->na > 0 && noise_scalar(n, STAGE_MIX) < reach ? PART_PRED : PART_STAY;
}

static enum part
deal_position(const struct move *v, int z, double kappa, const struct noise *n)
{
	if (v->last)
		return deal_last(v, z);
	if (kappa >= 1 || (kappa > 0 && noise_scalar(n, STAGE_PART) < kappa))
		return deal_predictor(v, z, n);
	if (noise_scalar(n, STAGE_CLEAN) < v->row.b)
		return can_move(v, z) ? PART_CLEAN : PART_STAY;
	return PART_NOISE;
}

int
deal_sample(const struct move *v, const struct state *in, int sample, const double *kappa, uint8_t *part)
{
	size_t at = (size_t)sample * (size_t)in->L;
	int needed = 0;

	for (int i = 0; i < in->L; i++) {
		struct noise n = move_noise(v, in, sample, i);
		enum part p;
		if (in->fixed[at + (size_t)i])
			p = PART_FIXED;
		else if (v->m->out == OUT_CAUSAL)
			p = i == v->step + 1 ? PART_NEXT : PART_STAY;
		else
			p = deal_position(v, in->tok[at + (size_t)i], kappa[i], &n);
		part[i] = (uint8_t)p;
		needed += part_needs_row(p);
	}
	return needed;
}
