/*
 * test_golden_text.c: what the samplers make of a network's output, for every
 * text checkpoint with expected outputs below $PSIVIEW_GOLDEN: log x_theta,
 * one sampling step (step.*) and the NELBO of each token.  What a golden file
 * holds is read from its tensors' names and shapes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "golden.h"
#include "models/registry.h"
#include "psi/bound.h"
#include "psi/filter.h"
#include "psi/look.h"

#define NOTHING (-1e5)           /* log probabilities below are minus infinity */

static int cases;

/* A golden file, and one weight set run on its tokens. */
struct text {
	const char *name;
	const struct st_file *g;
	struct model *m;
	int B, L, V;
	int32_t *tok;
	double *sigma;               /* [B] */
	float *logit;                /* [B,L,V] */
};

static double *
values(const struct st_file *g, const char *name)
{
	const struct tensor *t = st_find(g, name);
	size_t n = t ? tensor_numel(t) : 0;
	double *v = t ? malloc((n ? n : 1) * sizeof *v) : NULL;

	if (v)
		tensor_to_f64(t, 0, n, v);
	return v;
}

/* The list of indices in a tensor, or 0..all-1. */
static int *
indices(const struct st_file *g, const char *name, int all, int *n)
{
	const struct tensor *t = st_find(g, name);
	double *v = values(g, name);
	int *out;

	*n = t ? (int)tensor_numel(t) : all;
	out = malloc((size_t)(*n ? *n : 1) * sizeof *out);
	for (int i = 0; i < *n; i++)
		out[i] = v ? (int)v[i] : i;
	free(v);
	return out;
}

static const float *
logit_row(const struct text *x, int b, int l)
{
	return x->logit + ((size_t)b * (size_t)x->L + (size_t)l) * (size_t)x->V;
}

/* Logits of all positions of all rows. */
static bool
run_network(struct text *x, const int *label)
{
	struct model *m = x->m;
	size_t L = (size_t)x->L, F = (size_t)m->F, V = (size_t)x->V;
	float *feat = malloc(L * F * sizeof *feat);
	struct error e = { 0 };
	enum status st = ST_OK;

	x->logit = malloc((size_t)x->B * L * V * sizeof *x->logit);
	for (int b = 0; b < x->B && st == ST_OK; b++) {
		st = m->trunk(m, 1, x->tok + (size_t)b * L, x->sigma + b, label ? label + b : NULL, feat, NULL, &e);
		for (size_t l = 0; l < L && st == ST_OK; l += 64)
			st = m->rows(m, L - l < 64 ? (int)(L - l) : 64, feat + l * F,
			    x->logit + ((size_t)b * L + l) * V, NULL, &e);
	}
	CHECK(st == ST_OK, "%s: runs %s", x->name, e.msg);
	free(feat);
	return st == ST_OK;
}

/* ---- log x_theta ---- */

struct worst { double value; int wrong, n; };

static void
note(struct worst *w, double got, double want)
{
	double d = want < NOTHING ? (got < NOTHING ? 0 : INFINITY) : fabs(got - want);

	w->n++;
	if (!(d <= w->value))
		w->value = d;
}

/* Row (b, l) of all V entries, in double and in float. */
static void
log_x_row(const struct text *x, int b, int l, double *out, float *out_f)
{
	int z = x->tok[b * x->L + l];

	filter_log_x_double(x->m, logit_row(x, b, l), z, x->sigma[b], out);
	filter_log_x(x->m, logit_row(x, b, l), z, x->sigma[b], out_f);
}

static void
check_log_x(const struct text *x, const char *prefix, const char *what)
{
	char name[80];
	int n_pos, n_col, *pos = indices(x->g, "positions", x->L, &n_pos), *col = indices(x->g, "columns", x->V,
	    &n_col);
	double tolerance = x->V > 10000 ? 5e-4 : 2e-4, *row = malloc((size_t)x->V * sizeof *row);
	float *row_f = malloc((size_t)x->V * sizeof *row_f);
	struct worst w = { 0 }, f = { 0 };

	snprintf(name, sizeof name, "%s%s", prefix, what);
	double *want = values(x->g, name);
	const struct tensor *t = st_find(x->g, name);
	if (want && CHECK(t->ndim == 3 && t->dim[0] == x->B && t->dim[1] == n_pos && t->dim[2] == n_col,
	    "%s: shape of %s",
	    x->name, name)) {
		cases++;
		for (int b = 0; b < x->B; b++)
			for (int p = 0; p < n_pos; p++) {
				log_x_row(x, b, pos[p], row, row_f);
				const double *v = want + ((size_t)b * (size_t)n_pos + (size_t)p) * (size_t)n_col;
				for (int c = 0; c < n_col; c++) {
					note(&w, row[col[c]], v[c]);
					note(&f, (double)row_f[col[c]], v[c]);
				}
			}
		CHECK(w.value <= tolerance && f.value <= tolerance, "%s: %s within %.1e, in float %.1e", x->name,
		    name, w.value,
		    f.value);
	}
	free(want);
	free(row);
	free(row_f);
	free(pos);
	free(col);
}

/* Figures over all V entries at `positions`: logsumexp, argmax. */
static void
check_whole_rows(const struct text *x, const char *prefix)
{
	char name[3][80];
	int n_pos, *pos = indices(x->g, "positions", x->L, &n_pos), wrong = 0;

	snprintf(name[0], sizeof *name, "%slog_x_theta_logsumexp", prefix);
	snprintf(name[1], sizeof *name, "%slog_x_theta_argmax", prefix);
	snprintf(name[2], sizeof *name, "%slogits_top2_gap", prefix);
	double *lse = values(x->g, name[0]), *best = values(x->g, name[1]), *gap = values(x->g, name[2]), worst = 0;
	double *row = malloc((size_t)x->V * sizeof *row);
	float *row_f = malloc((size_t)x->V * sizeof *row_f);
	for (int i = 0; lse && best && i < x->B * n_pos; i++) {
		double sum = 0;
		int top = 0;
		log_x_row(x, i / n_pos, pos[i % n_pos], row, row_f);
		for (int j = 0; j < x->V; j++) {
			sum += exp(row[j]);
			top = row[j] > row[top] ? j : top;
		}
		worst = fmax(worst, fabs(log(sum) - lse[i]));
		wrong += (!gap || gap[i] > 1e-3) && top != (int)best[i];
	}
	if (lse && best)
		CHECK(worst <= 1e-4 && wrong == 0, "%s: %s within %.1e, %d argmax differ", x->name, name[0], worst,
		    wrong);
	free(lse);
	free(best);
	free(gap);
	free(row);
	free(row_f);
	free(pos);
}

/* ---- one step ---- */

/* The name of the only tensor that begins with prefix; *number: what follows. */
static const char *
numbered(const struct st_file *g, const char *prefix, double *number)
{
	for (int i = 0; i < g->n; i++)
		if (strncmp(g->tensor[i].name, prefix, strlen(prefix)) == 0) {
			*number = strtod(g->tensor[i].name + strlen(prefix), NULL);
			return g->tensor[i].name;
		}
	return NULL;
}

static void
compare_step(const struct text *x, int r, int b, const struct plan_row *row, double top_p, double *const want[4],
    const double *margin, struct worst w[4])
{
	size_t V = (size_t)x->V;
	double *law = malloc(4 * V * sizeof *law);
	struct recipe recipe;
	int kept;

	recipe_init(&recipe);
	recipe.top_p = top_p;
	for (int l = 0; l < x->L; l++) {
		size_t at = (size_t)r * (size_t)x->L + (size_t)l;
		if (margin && margin[at] < 1e-4)
			continue; /* which tokens are kept is a matter of rounding there */
		look_laws(x->m, &recipe, row, x->tok[b * x->L + l], logit_row(x, b, l), NULL, NULL, law, law + V,
			  law + 2 * V, law + 3 * V, &kept, NULL);
		for (int k = 0; k < 4; k++)
			for (size_t j = 0; want[k] && j < V; j++)
				note(&w[k], law[(size_t)k * V + j], want[k][at * V + j]);
	}
	free(law);
}

static void
check_step(const struct text *x)
{
	static const char *const what[] = { "x_theta", "q_st", "q_0t", "psi" };
	double top_p = 1, kappa = 1;
	const char *x_name = numbered(x->g, "step.x_theta_top_p", &top_p), *psi_name = numbered(x->g,
	    "step.psi_kappa", &kappa);
	double *rows = values(x->g, "step.rows"), *s = values(x->g, "step.s"), *t = values(x->g, "t");
	double *margin = values(x->g, "step.top_p_margin");
	double *want[4] = { x_name ? values(x->g, x_name) : NULL, values(x->g, "step.q_st"), values(x->g, "step.q_0t"),
		psi_name ? values(x->g, psi_name) : NULL };
	struct worst w[4] = { { 0 } };

	for (int r = 0; rows && s && t && r < (int)tensor_numel(st_find(x->g, "step.rows")); r++) {
		int b = (int)rows[r];
		bool last = s[r] < 0;
		struct plan_row row = { t[b], last ? 0 : s[r], alpha_at(&x->m->alpha, t[b]),
			last ? 1 : alpha_at(&x->m->alpha, s[r]), kappa };
		compare_step(x, r, b, &row, top_p, want, margin, w);
	}
	for (int k = 0; k < 4; k++) {
		if (w[k].n > 0) {
			cases++;
			CHECK(w[k].value <= 2e-4, "%s: step.%s within %.1e", x->name, what[k], w[k].value);
		}
		free(want[k]);
	}
	free(rows);
	free(s);
	free(t);
	free(margin);
}

static void
check_nelbo(const struct text *x, const char *prefix)
{
	char name[80];
	double *t = values(x->g, "t"), *x0 = values(x->g, "x0"), worst = 0;
	double *row = malloc((size_t)x->V * sizeof *row);

	snprintf(name, sizeof name, "%snelbo_per_token", prefix);
	double *want = values(x->g, name);
	for (int i = 0; want && t && x0 && i < x->B * x->L; i++) {
		int b = i / x->L;
		filter_log_x_double(x->m, logit_row(x, b, i % x->L), x->tok[i], x->sigma[b], row);
		for (int j = 0; j < x->V; j++)
			row[j] = exp(row[j]);
		double v = bound_nelbo(x->V, x->m->mask, (int)x0[i], x->tok[i], row, alpha_at(&x->m->alpha, t[b]),
		    alpha_noise(&x->m->alpha, t[b]), alpha_slope(&x->m->alpha, t[b]));
		double d = fabs(v - want[i]) / (1e-3 + 2e-4 * fabs(want[i]));
		worst = d <= worst ? worst : d;
	}
	if (want) {
		cases++;
		CHECK(worst <= 1, "%s: %s, worst %.2g of the tolerance", x->name, name, worst);
	}
	free(t);
	free(x0);
	free(want);
	free(row);
}

/* ---- a file ---- */

static bool
any_with(const struct st_file *g, const char *prefix)
{
	static const char *const what[] = { "log_x_theta", "log_x_theta_f64", "log_probs", "nelbo_per_token" };
	char name[80];

	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		snprintf(name, sizeof name, "%s%s", prefix, what[i]);
		if (st_find(g, name))
			return true;
	}
	return false;
}

/* What the network was given: `sigma`, or what follows from `t`. */
static void
sigma_of(struct text *x)
{
	double *t = values(x->g, "t");

	free(x->sigma);
	x->sigma = values(x->g, "sigma");
	if (!x->sigma)
		x->sigma = calloc((size_t)x->B, sizeof *x->sigma);
	for (int b = 0; t && b < x->B && !st_find(x->g, "sigma"); b++)
		x->sigma[b] = x->m->timed || x->m->out == OUT_SCORE ? alpha_sigma(&x->m->alpha, t[b]) : 0;
	free(t);
}

/* stepped: these are the weights of the step.* tensors. */
static void
check_set(struct text *x, const struct ckpt *ck, const char *prefix, const int *label, bool stepped)
{
	struct error e = { 0 };

	if (!any_with(x->g, prefix) && !(stepped && st_find(x->g, "step.rows")))
		return;
	x->logit = NULL;
	if (!CHECK(model_open(ck, strcmp(prefix, "raw.") == 0, NULL, &x->m, &e) == ST_OK, "%s: opens %s", x->name,
	    e.msg))
		return;
	x->L = x->m->L;
	x->V = x->m->V;
	sigma_of(x);
	if (run_network(x, label)) {
		check_log_x(x, prefix, "log_x_theta");
		check_log_x(x, prefix, "log_x_theta_f64");
		check_log_x(x, prefix, "log_probs");
		check_whole_rows(x, prefix);
		check_nelbo(x, prefix);
		if (stepped)
			check_step(x);
	}
	free(x->logit);
	model_free(x->m);
}

static void
check_file(const char *golden, const char *checkpoint)
{
	struct text x = { .name = strrchr(checkpoint, '/') ? strrchr(checkpoint, '/') + 1 : checkpoint };
	struct config_override o;
	struct ckpt *ck;
	struct st_file *g;
	struct error e = { 0 };
	static const char *const prefix[] = { "raw.", "ema.", "" };

	config_override_init(&o);
	if (st_open(golden, &g, NULL) != ST_OK)
		return;
	const struct tensor *tok = st_find(g, "tokens");
	bool wanted = tok && tok->ndim == 2 && (any_with(g, "raw.") || any_with(g, "ema.") || any_with(g, "") ||
	    st_find(g, "step.rows"));
	if (!wanted || !CHECK(ckpt_open(checkpoint, &o, &ck, &e) == ST_OK, "%s: opens %s", x.name, e.msg)) {
		st_close(g);
		return;
	}
	if (ck->config.backbone == BACKBONE_UNET) {
		printf("# %s: pictures are looked at elsewhere\n", x.name);
		ckpt_close(ck);
		st_close(g);
		return;
	}
	int n_label, *label = st_find(g, "label") ? indices(g, "label", 0, &n_label) : NULL;
	x.g = g;
	x.B = (int)tok->dim[0];
	x.tok = malloc(tensor_numel(tok) * sizeof *x.tok);
	tensor_to_i32(tok, 0, tensor_numel(tok), x.tok, NULL);
	for (size_t i = 0; i < 3; i++) /* steps are made with EMA weights where there are any */
		check_set(&x, ck, prefix[i], label, i == (ck->n_ema > 0));
	free(label);
	free(x.tok);
	free(x.sigma);
	ckpt_close(ck);
	st_close(g);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	golden_walk(dir ? dir : "tests/golden", check_file);
	if (cases == 0)
		check_skip("no text checkpoint with its log x_theta below PSIVIEW_GOLDEN");
	return check_done();
}
