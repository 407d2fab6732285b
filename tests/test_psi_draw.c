/*
 * test_psi_draw.c: the laws of step()'s draws against the explicit vectors of
 * posterior.c, by chi-square on a model of one position; the loops over the
 * vocabulary; and how often two runs under the same noise differ.
 */
#include <stdlib.h>

#include "check.h"
#include "chi_square.h"
#include "psi/filter.h"
#include "psi/guide.h"
#include "psi/posterior.h"
#include "psi/vocab.h"
#include "psi_fake.h"

/* The sanitizers' runs look for other things, ten times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DRAWS 100000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DRAWS 100000
#endif
#endif
#ifndef DRAWS
#define DRAWS 1000000
#endif
#define BATCH 20000
#define MOST 300                 /* vocabulary */

static float logit_c[MOST], logit_u[MOST];

/* One law to be checked: a model of one position, a recipe, a step, a token. */
struct law_case {
	const char *what;
	enum output out;
	int K;
	bool masked;
	const char *recipe;
	int step;                    /* of 8; 8: noise removal */
	int z;                       /* -1: the mask */
	bool guided;                 /* a model with labels, feat_u for the no-label row */
};

/* x_theta of one denoiser, filtered where f is set. */
static void
denoiser(const struct model *m, const struct recipe *f, const float *logit, int z, double sigma, double *log_x)
{
	int order[MOST];

	filter_log_x_double(m, logit, z, sigma, log_x);
	if (f)
		filter_apply_double(m->V, log_x, f->temperature, f->top_p, f->top_k, order);
}

static void
posterior(const struct model *m, const struct recipe *r, const double *log_x, int z, const struct plan_row *row,
    bool clean, double *q)
{
	double x[MOST], b = clean ? 1 : row->b;

	for (int j = 0; j < m->V; j++)
		x[j] = exp(log_x[j]);
	if (m->out == OUT_D3PM && r->d3pm_compat)
		posterior_q_published(m->V, m->mask, x, z, row->a, 1 - row->a, b, 1 - b, q);
	else
		posterior_q(m->V, m->mask, x, z, row->a, 1 - row->a, b, 1 - b, q);
}

/* The law of the next token, written out from the formulas. */
static void
expected(const struct model *m, const struct recipe *r, const struct plan_row *row, int z, bool guided, double *law)
{
	double c[MOST], u[MOST], q[2][MOST], qu[MOST];
	bool each = guided && r->cfg_mix == CFG_POSTERIOR;
	double sigma = -log(row->a);

	denoiser(m, guided && !each ? NULL : r, logit_c, z, sigma, c);
	if (m->out == OUT_SCORE) {
		posterior_sedd(m->V, m->mask, c, z, sigma, -log(row->b), row->s == 0, law);
		return;
	}
	if (guided)
		denoiser(m, each ? r : NULL, logit_u, z, sigma, u);
	if (guided && !each) {
		int order[MOST];
		guide_mix_double(m->V, c, u, r->cfg, c);
		filter_apply_double(m->V, c, r->temperature, r->top_p, r->top_k, order);
	}
	for (int clean = 0; clean < 2; clean++) {
		posterior(m, r, c, z, row, clean, q[clean]);
		if (each) {
			posterior(m, r, u, z, row, clean, qu);
			guide_mix_law(m->V, q[clean], qu, r->cfg, q[clean]);
		}
	}
	posterior_psi(m->V, m->mask, q[0], q[1], row->b, 1 - row->b, row->kappa, law);
}

/* Draws of the case; returns the p-value. */
static double
draw_case(const struct law_case *c, int draws, double *law)
{
	struct fake f;
	struct recipe r;
	struct leg *l;
	struct state in, out;
	struct step_counts counts;
	struct error e;
	long count[MOST] = { 0 };
	int z = c->z < 0 ? c->K - 1 : c->z;

	fake_init(&f, c->out, 1, c->K, c->masked ? c->K - 1 : -1, logit_c);
	f.feat_u = logit_u;
	f.m.classes = c->guided ? 3 : 0;
	if (recipe_parse(c->recipe, &r, &e) != ST_OK || leg_new(&r, &f.m, NULL, 0, 1, &l, &e) != ST_OK) {
		printf("# %s\n", e.msg);
		return 0;
	}
	state_init(&in, BATCH, 1, NULL);
	state_init(&out, BATCH, 1, NULL);
	for (int k = 0; k < BATCH; k++)
		in.tok[k] = z;
	for (int first = 0; first < draws; first += BATCH) {
		l->r.first = first;
		if (step(&f.m, l, c->step, &in, &out, &counts, fake_features, &f, NULL, &e) != ST_OK) {
			printf("# %s\n", e.msg);
			return 0;
		}
		for (int k = 0; k < BATCH; k++)
			count[out.tok[k]]++;
	}
	expected(&f.m, &r, leg_row(l, c->step), z, c->guided, law);
	leg_free(l);
	state_done(&in);
	state_done(&out);
	return chi_square_p(c->K, law, count, draws);
}

static void
check_laws(void)
{
	static const struct law_case list[] = {
		{ "uniform, kappa 1", OUT_MEAN, 6, false, "steps=8 seed=1", 3, 2, false },
		{ "uniform, kappa .95, top-p .9", OUT_MEAN, 35, false, "steps=8 kappa=.95 top-p=.9 seed=2", 5, 3,
		    false },
		{ "uniform, kappa .5", OUT_MEAN, 257, false, "steps=8 kappa=.5 seed=3", 2, 9, false },
		{ "uniform, kappa 0, top-p .9", OUT_MEAN, 6, false, "steps=8 kappa=0 top-p=.9 seed=4", 6, 5, false },
		{ "uniform, removal", OUT_MEAN, 6, false, "steps=8 seed=5 profile=lcl(.4) high=.9", 8, 1, false },
		{ "masked, kappa 1", OUT_SUBS, 6, true, "steps=8 seed=6", 3, -1, false },
		{ "masked, kappa .95, top-p .9", OUT_SUBS, 35, true, "steps=8 kappa=.95 top-p=.9 seed=7", 5, -1,
		    false },
		{ "masked, kappa .5, a token held", OUT_SUBS, 6, true, "steps=8 kappa=.5 seed=8", 4, 2, false },
		{ "masked, kappa 0, top-p .9", OUT_SUBS, 257, true, "steps=8 kappa=0 top-p=.9 seed=9", 2, -1, false },
		{ "masked, removal, top-k 3, temperature .7", OUT_SUBS, 6, true,
			"steps=8 top-k=3 temperature=.7 seed=10", 8, -1, false },
		{ "guided, x_theta mix", OUT_MEAN, 6, false, "steps=8 kappa=.5 cfg=2 label=1 seed=11 top-p=.95", 4, 2,
		    true },
		{ "guided, posterior mix", OUT_MEAN, 6, false,
			"steps=8 kappa=.5 cfg=2 label=1 cfg-mix=posterior seed=12 top-p=.95", 4, 2, true },
		{ "guided, posterior mix, masked", OUT_SUBS, 6, true,
			"steps=8 kappa=.8 cfg=3 label=1 cfg-mix=posterior seed=13", 4, -1, true },
		{ "SEDD", OUT_SCORE, 6, true, "steps=8 seed=14", 3, -1, false },
		{ "SEDD, last step", OUT_SCORE, 6, true, "steps=8 seed=15", 8, -1, false },
		{ "D3PM", OUT_D3PM, 6, true, "steps=8 kappa=.7 seed=16", 3, -1, false },
		{ "D3PM as published", OUT_D3PM, 6, true, "steps=8 kappa=.7 seed=17 d3pm-compat=on", 3, -1, false },
		{ "D3PM as published, a token held", OUT_D3PM, 6, true, "steps=8 kappa=.7 seed=18 d3pm-compat=on", 3,
		    2, false },
	};
	double law[MOST];

	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		/* explicit draws are tried on fewer: they are slow, and made from the very vector */
		int draws = list[i].guided || list[i].out == OUT_SCORE || list[i].out == OUT_D3PM ? DRAWS / 5 : DRAWS;
		double p = draw_case(&list[i], draws, law);
		CHECK(p > 1e-4, "%s: %d draws, chi-square p %.3g", list[i].what, draws, p);
	}
}

/* The causes are what the mixture says: shares of the stages. */
static void
check_causes(void)
{
	enum { K = 6, N = DRAWS / 4 };
	struct fake f;
	struct recipe r;
	struct leg *l;
	struct state in, out;
	struct step_counts c;
	double x[K], p[CAUSE_COUNT] = { 0 };
	long count[CAUSE_COUNT];

	fake_init(&f, OUT_MEAN, 1, K, -1, logit_c);
	recipe_parse("steps=8 kappa=.6 seed=3", &r, NULL);
	leg_new(&r, &f.m, NULL, 0, 1, &l, NULL);
	state_init(&in, N, 1, NULL);
	state_init(&out, N, 1, NULL);
	for (int k = 0; k < N; k++)
		in.tok[k] = 2;
	step(&f.m, l, 4, &in, &out, &c, fake_features, &f, NULL, NULL);
	const struct plan_row *w = leg_row(l, 4);
	denoiser(&f.m, NULL, logit_c, 2, 0, x);
	double xz = exp(x[2]), D = K * w->a * xz + 1 - w->a, kappa = w->kappa, rest = 1 - kappa;
	double from_x = kappa * (w->b - w->a) / D, noise = kappa * (1 - w->a / w->b) * (1 - w->b) / D;
	double clean = rest * w->b * (1 - w->a) / D, random = rest * (1 - w->b);
	p[CAUSE_PRED] = from_x * (1 - xz);
	p[CAUSE_PRED_NOISE] = noise * (K - 1) / K;
	p[CAUSE_PRED_SAME] = from_x * xz + noise / K;
	p[CAUSE_CORR] = clean * (1 - xz);
	p[CAUSE_CORR_NOISE] = random * (K - 1) / K;
	p[CAUSE_CORR_SAME] = clean * xz + random / K;
	p[CAUSE_UNTOUCHED] = 1 - from_x - noise - clean - random;
	for (int i = 0; i < CAUSE_COUNT; i++)
		count[i] = c.by_cause[i];
	double v = chi_square_p(CAUSE_COUNT, p, count, N);
	CHECK(v > 1e-4, "shares of the causes: chi-square p %.3g", v);
	leg_free(l);
	state_done(&in);
	state_done(&out);
}

/* ---- the loops over the vocabulary ---- */

static void
fill_row(int V, float *x, unsigned seed, double spread)
{
	struct noise n = { seed, 0, 0, 0, 0 };

	for (int j = 0; j < V; j++) {
		n.pos = (uint32_t)j;
		x[j] = (float)(-spread * noise_scalar(&n, STAGE_DATA));
	}
}

/* argmax log w + Gumbel in double, from the same words. */
static int
draw_double(int V, const float *x, const struct noise *n)
{
	double best = -INFINITY;
	uint32_t word[4];
	int at = -1;

	for (int j = 0; j < V; j++) {
		if (j % 4 == 0)
			noise_words(n, STAGE_TOKEN, j, 4, word);
		double v = (double)x[j] + noise_gumbel(word[j % 4]);
		if (v > best) {
			best = v;
			at = j;
		}
	}
	return at;
}

static void
check_loops(void)
{
	enum { V = 1001, N = 400 };
	float x[V + 2], w[VOCAB_BLOCK];
	double q[V];
	int same = 0, explicit_same = 0, forms = 0;
	bool sums = true, exps = true;

	for (int i = 0; i < N; i++) {
		int n_tok = i % 2 ? V : V - i;
		struct noise n = { 7, (uint32_t)i, 3, 5, (uint16_t)(i % 3) };
		fill_row(V, x, (unsigned)i, 12);
		for (int j = 0; j < V; j++)
			q[j] = exp((double)x[j]);
		int want = draw_double(n_tok, x, &n), got = vocab_draw(n_tok, x, &n, STAGE_TOKEN);
		double sum = 0, fast = vocab_log_sum(n_tok, x);
		for (int j = 0; j < n_tok; j++)
			sum += q[j];
		same += got == want;
		explicit_same += vocab_draw_law(n_tok, q, &n, STAGE_TOKEN) == want;
		sums = sums && fabs(fast - log(sum)) < 1e-6;
		vocab_force_baseline(true);
		forms += vocab_draw(n_tok, x, &n, STAGE_TOKEN) == got && vocab_log_sum(n_tok, x) == fast;
		vocab_force_baseline(false);
		vocab_exp(VOCAB_BLOCK, x, w);
		for (int j = 0; j < VOCAB_BLOCK; j++)
			exps = exps && fabs((double)w[j] - q[j]) <= 4e-7 * q[j];
	}
	CHECK(same == N, "draws in float: %d of %d as in double", same, N);
	CHECK(explicit_same == N, "draws from a law: %d of %d as from its logs", explicit_same, N);
	CHECK(forms == N, "the baseline and %s give the same bits", vocab_name());
	CHECK(sums && exps, "sums and exponentials");
	x[5] = NAN;
	CHECK(isnan(vocab_log_sum(V, x)), "a NaN in a row is seen");
	for (int j = 0; j < V; j++)
		x[j] = -INFINITY;
	struct noise n = { 1, 2, 3, 4, 0 };
	CHECK(vocab_log_sum(V, x) == -INFINITY && vocab_draw(V, x, &n, STAGE_TOKEN) == -1,
	    "an empty row gives nothing");
	x[777] = -3;
	CHECK(vocab_draw(V, x, &n, STAGE_TOKEN) == 777, "a single token is always drawn");
}

/* Equal weights: the largest word wins.  Among a quarter of a million words the
 * winner's complement is a few thousand of 2^32: u formed in float would not
 * tell it from its neighbours. */
static void
check_far_tail(void)
{
	enum { V = 250000, N = DRAWS / 10000 };
	float *x = calloc(V, sizeof *x);
	uint32_t *word = malloc(V * sizeof *word);
	int same = 0;

	for (int i = 0; i < N; i++) {
		struct noise n = { 21, (uint32_t)i, 0, 1, 0 };
		int at = 0;
		noise_words(&n, STAGE_TOKEN, 0, V, word);
		for (int j = 1; j < V; j++)
			at = word[j] > word[at] ? j : at;
		same += vocab_draw(V, x, &n, STAGE_TOKEN) == at;
	}
	CHECK(same == N, "the far tail of the noise: %d of %d draws take the largest word", same, N);
	free(x);
	free(word);
}

/* Two laws at total variation d under the same noise: at most 2d/(1+d) of the
 * draws differ (an inverse CDF: half of them). */
static void
check_coupling(void)
{
	enum { K = 2000, N = DRAWS / 50 };
	static float a[K], b[K];
	double p[K], sum = 0, d = 0.01;
	int differ = 0;

	fill_row(K, a, 99, 6);
	for (int j = 0; j < K; j++)
		sum += exp((double)a[j]);
	for (int j = 0; j < K; j++)
		p[j] = exp((double)a[j]) / sum;
	/* move mass d from the even tokens to the odd ones */
	double even = 0;
	for (int j = 0; j < K; j += 2)
		even += p[j];
	for (int j = 0; j < K; j++) {
		double q = j % 2 ? p[j] * (1 + d / (1 - even)) : p[j] * (1 - d / even);
		a[j] = (float)log(p[j]);
		b[j] = (float)log(q);
	}
	for (int i = 0; i < N; i++) {
		struct noise n = { 5, (uint32_t)i, 0, 17, 0 };
		differ += vocab_draw(K, a, &n, STAGE_TOKEN) != vocab_draw(K, b, &n, STAGE_TOKEN);
	}
	double share = (double)differ / N, bound = 2 * d / (1 + d), slack = 4 * sqrt(bound / N);
	CHECK(share <= bound + slack && share > d / 4, "total variation %g: %.4f of the draws differ, at most %.4f",
	    d, share, bound);
}

int
main(void)
{
	for (int j = 0; j < MOST; j++) {
		logit_c[j] = (float)(2 * sin(1.7 * j) + .3 * (j % 5));
		logit_u[j] = (float)(1.5 * cos(2.3 * j));
	}
	check_loops();
	check_far_tail();
	check_coupling();
	check_laws();
	check_causes();
	return check_done();
}
