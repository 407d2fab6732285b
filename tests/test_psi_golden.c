/*
 * test_psi_golden.c: schedules, posteriors, filters and ReMDM against recorded
 * numbers.  Every safetensors file below $PSIVIEW_GOLDEN is opened; its groups
 * are recognised by their tensors.
 */
#include "psi/filter.h"
#include "psi/plan.h"
#include "psi/posterior.h"
#include "psi_util.h"

static int cases;

/* What a group's path says: the number after the last `tag` in it. */
static double
number_in(const char *s, const char *tag)
{
	const char *at = NULL;

	for (const char *p = s; (p = strstr(p, tag)); p++)
		at = p;
	return at ? strtod(at + strlen(tag), NULL) : NAN;
}

/* ---- schedules ---- */

static void
check_schedule(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 }, inv = { 0 }, pub = { 0 };
	struct golden top = { g->path, g->f, "" };
	double *time = get(&top, &k, "t"), *alpha = get(g, &k, "alpha"), *slope = get(g, &k, "dalpha");
	double *sigma = get(g, &k, "sigma"), *inv_alpha = get(g, &k, "inv_alpha"), *inv_t = get(g, &k, "inv_t");
	double *inv_pub = get(g, &k, "inv_t_published");
	struct alpha a = { strstr(g->group, "cosine") ? ALPHA_COSINE : ALPHA_LOGLINEAR, number_in(g->group, "eps") };

	cases++;
	for (int i = 0; time && slope && sigma && i < size_of(g, "alpha", -1); i++) {
		compare(&t, alpha_at(&a, time[i]), alpha[i], 1e-12, 1e-10);
		compare(&t, alpha_noise(&a, time[i]), 1 - alpha[i], 1e-12, 1e-10);
		compare(&t, alpha_slope(&a, time[i]), slope[i], 1e-12, 1e-10);
		/* a last bit of 1, lost in 1 - cos, is that part of a small alpha */
		compare(&t, alpha_sigma(&a, time[i]), sigma[i], 1e-12 + 3e-16 / alpha[i], 1e-10);
	}
	for (int i = 0; i < size_of(g, "inv_alpha", -1); i++) {
		compare(&inv, alpha_time(&a, inv_alpha[i]), inv_t[i], 1e-12, 1e-10);
		compare(&inv, alpha_at(&a, alpha_time(&a, inv_alpha[i])), inv_alpha[i], 1e-14, 0);
		if (inv_pub)
			compare(&pub, alpha_time_published(&a, inv_alpha[i]), inv_pub[i], 1e-12, 1e-10);
	}
	TALLY(t, "schedule %s%s", short_name(g), g->group);
	TALLY(inv, "its inverse");
	if (inv_pub)
		TALLY(pub, "the published inverse");
	values_done(&k);
}

/* ---- posteriors ---- */

/* Which of the group's kappas psi holds: all, or those that the metadata name. */
static int
kappa_index(struct golden *g, int K, int stored, int all, int i)
{
	char key[40];

	if (stored == all)
		return i;
	snprintf(key, sizeof key, "psi_kappa_%d", K);
	const char *s = st_meta(g->f, key);
	for (int n = 0; s && *s; s += strspn(s, "0123456789")) {
		s += strcspn(s, "0123456789");
		if (*s && n++ == i)
			return atoi(s);
	}
	return i;
}

static void
compare_posteriors(struct golden *g, struct golden *base, const double *x, struct tally_of *t)
{
	struct values k = { 0 };
	double *z = get(base, &k, "z"), *a = get(base, &k, "alpha_t"), *b = get(base, &k, "alpha_s");
	double *mask = get(base, &k, "mask"), *q_st = get(g, &k, "q_st"), *q_0t = get(g, &k, "q_0t");
	double *psi = get(g, &k, "psi"), *kappa = get(base, &k, "kappa");
	struct golden top = { g->path, g->f, "" };
	if (!kappa)
		kappa = get(&top, &k, "kappa");
	int C = size_of(g, "q_st", 0), P = size_of(g, "q_st", 1), K = size_of(g, "q_st", 2), n = size_of(g, "psi", 1);
	int all = has(base, "kappa") ? size_of(base, "kappa", -1) : size_of(&top, "kappa", -1);
	double *q = malloc(3 * (size_t)K * sizeof *q), *q0 = q + K, *mix = q + 2 * K;

	for (int c = 0; c < C; c++)
		for (int p = 0; p < P; p++) {
			const double *row = x + (size_t)p * (size_t)K;
			size_t at = ((size_t)c * (size_t)P + (size_t)p) * (size_t)K;
			posterior_q(K, (int)mask[0], row, (int)z[p], a[c], 1 - a[c], b[c], 1 - b[c], q);
			posterior_q(K, (int)mask[0], row, (int)z[p], a[c], 1 - a[c], 1, 0, q0);
			compare_row(t, K, q, q_st + at);
			compare_row(t, K, q0, q_0t + at);
			if (a[c] == b[c])
				for (int j = 0; j < K; j++)
					compare(t, q[j], j == (int)z[p], 0, 0);
			for (int i = 0; psi && kappa && i < n; i++) {
				double kap = kappa[kappa_index(g, K, n, all, i)];
				posterior_psi(K, (int)mask[0], q, q0, b[c], 1 - b[c], kap, mix);
				compare_row(t, K, mix,
				    psi + (((size_t)c * (size_t)n + (size_t)i) * (size_t)P + (size_t)p) * (size_t)K);
			}
		}
	free(q);
	values_done(&k);
}

/* A group top_p<p>/ below a group of posteriors: x_theta filtered, then the
 * posteriors of it; the float filter beside the double one. */
static void
compare_top_p(struct golden *g, struct golden *base, const double *x, int P, int K)
{
	struct values k = { 0 };
	struct tally_of t = { 0 }, f = { 0 };
	double *want = get(g, &k, "x_theta"), p = number_in(g->group, "top_p");
	double *row = malloc((size_t)K * sizeof *row), *all = malloc((size_t)P * (size_t)K * sizeof *all);
	float *row_f = malloc((size_t)K * sizeof *row_f);
	int *scratch = malloc((size_t)K * sizeof *scratch);

	for (int i = 0; i < P; i++) {
		for (int j = 0; j < K; j++)
			row_f[j] = (float)(row[j] = log(x[i * K + j]));
		filter_apply_double(K, row, 1, p, 0, scratch);
		filter_apply(K, row_f, 1, p, 0, scratch);
		for (int j = 0; j < K; j++) {
			all[i * K + j] = exp(row[j]);
			compare(&f, exp((double)row_f[j]), want[i * K + j], 2e-6, 0);
		}
	}
	compare_row(&t, P * K, all, want);
	if (has(g, "q_st"))
		compare_posteriors(g, base, all, &t);
	TALLY(t, "top-p %s", g->group);
	TALLY(f, "the same in float");
	free(row);
	free(all);
	free(row_f);
	free(scratch);
	values_done(&k);
}

static void
check_posteriors(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *x = get(g, &k, "x_theta");
	int P = size_of(g, "x_theta", 0), K = size_of(g, "x_theta", 1);

	if (strstr(g->group, "top_p") || !has(g, "q_st") || !has(g, "z") || !has(g, "mask") ||
	    find(g, "q_st")->ndim != 3) {
		values_done(&k);
		return;
	}
	cases++;
	compare_posteriors(g, g, x, &t);
	TALLY(t, "posteriors %s%s", short_name(g), g->group);
	for (int i = 0; i < g->f->n; i++) {
		struct golden sub = *g;
		const char *name = g->f->tensor[i].name, *end = strrchr(name, '/');
		if (!end || strcmp(end, "/x_theta") != 0 || strncmp(name, g->group, strlen(g->group)) != 0 ||
		    strncmp(name + strlen(g->group), "top_p", 5) != 0)
			continue;
		snprintf(sub.group, sizeof sub.group, "%.*s", (int)(end + 1 - name), name);
		compare_top_p(&sub, g, x, P, K);
	}
	values_done(&k);
}

static void
check_mask_mass(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *x = get(g, &k, "x_theta"), *z = get(g, &k, "z"), *a = get(g, &k, "alpha_t"), *b = get(g, &k, "alpha_s");
	double *mask = get(g, &k, "mask"), *spec = get(g, &k, "q_st_spec");
	double *published = get(g, &k, "q_st_published_effective"), *bayes = get(g, &k, "q_st_bayes_plugin");
	int P = size_of(g, "x_theta", 0), K = size_of(g, "x_theta", 1);
	double *q = malloc((size_t)K * sizeof *q);

	cases++;
	for (int p = 0; p < P; p++) {
		posterior_q(K, (int)mask[0], x + p * K, (int)z[p], a[0], 1 - a[0], b[0], 1 - b[0], q);
		compare_row(&t, K, q, spec + p * K);
		posterior_q_published(K, (int)mask[0], x + p * K, (int)z[p], a[0], 1 - a[0], b[0], 1 - b[0], q);
		compare_row(&t, K, q, published + p * K);
		posterior_q_bayes(K, (int)mask[0], x + p * K, (int)z[p], a[0], 1 - a[0], b[0], 1 - b[0], q);
		compare_row(&t, K, q, bayes + p * K);
	}
	TALLY(t, "mass on the mask %s", short_name(g));
	free(q);
	values_done(&k);
}

/* ---- filters ---- */

/* One tensor K<k>/T<T>/..., its settings in its name. */
static void
compare_filter(const struct golden *g, const struct tensor *want, const double *logit, int P, int K)
{
	struct tally_of t = { 0 }, f = { 0 };
	const char *name = want->name + strlen(g->group);
	double temperature = number_in(name, "T"), top_p = number_in(name, "top_p"), top_k = number_in(name, "top_k");
	double *row = malloc((size_t)K * sizeof *row), *v = malloc((size_t)P * (size_t)K * sizeof *v);
	float *row_f = malloc((size_t)K * sizeof *row_f);
	int *scratch = malloc((size_t)K * sizeof *scratch);
	struct model m = { .V = K, .mask = -1, .out = OUT_MEAN };

	tensor_to_f64(want, 0, (size_t)P * (size_t)K, v);
	for (int i = 0; i < P; i++) {
		double top = -INFINITY, sum = 0;
		for (int j = 0; j < K; j++)
			top = fmax(top, logit[i * K + j]);
		for (int j = 0; j < K; j++)
			sum += exp(logit[i * K + j] - top);
		for (int j = 0; j < K; j++) {
			row[j] = logit[i * K + j] - top - log(sum);
			row_f[j] = (float)logit[i * K + j];
		}
		filter_log_x(&m, row_f, 0, 0, row_f);
		filter_apply_double(K, row, temperature, isnan(top_p) ? 1 : top_p, isnan(top_k) ? 0 : (int)top_k,
		    scratch);
		filter_apply(K, row_f, temperature, isnan(top_p) ? 1 : top_p, isnan(top_k) ? 0 : (int)top_k, scratch);
		for (int j = 0; j < K; j++) {
			compare(&t, exp(row[j]), v[i * K + j], 1e-12, 1e-10);
			compare(&f, exp((double)row_f[j]), v[i * K + j], 2e-6, 0);
		}
	}
	CHECK(t.bad == 0 && f.bad == 0, "filter %s", want->name);
	free(row);
	free(v);
	free(row_f);
	free(scratch);
}

static void
check_filters(struct golden *g)
{
	struct values k = { 0 };
	double *logit = get(g, &k, "logits");
	int P = size_of(g, "logits", 0), K = size_of(g, "logits", 1), n = 0;

	for (int i = 0; i < g->f->n; i++) {
		const struct tensor *t = &g->f->tensor[i];
		if (strncmp(t->name, g->group, strlen(g->group)) != 0 || t->name[strlen(g->group)] != 'T' ||
		    t->ndim != 2 || t->dim[0] != P || t->dim[1] != K || !strchr(t->name + strlen(g->group), '/'))
			continue;
		compare_filter(g, t, logit, P, K);
		n++;
	}
	cases += n > 0;
	values_done(&k);
}

/* ---- ReMDM ---- */

static void
check_sigma(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	char mode[32] = "";
	struct golden base = *g;
	struct zone z;
	struct recipe r;
	char text[64];

	if (!has(g, "kappa") || sscanf(strchr(g->group, '/') ? strchr(g->group, '/') + 1 : "", "%31[^/]", mode) != 1 ||
	    isnan(number_in(g->group, "eta")))
		return;
	cases++;
	snprintf(text, sizeof text, "%s(%.17g)", mode, number_in(g->group, "eta"));
	recipe_init(&r);
	CHECK(recipe_set(&r, "kappa", text, NULL) == ST_OK, "zone %s", text);
	z = r.zone[0];
	snprintf(base.group, sizeof base.group, "%.*s", (int)(strchr(g->group, '/') + 1 - g->group), g->group);
	double *a = get(&base, &k, "alpha_t"), *b = get(&base, &k, "alpha_s");
	double *sigma = get(g, &k, "sigma"), *kappa = get(g, &k, "kappa"), s;
	for (int i = 0; a && b && i < size_of(g, "sigma", -1); i++) {
		compare(&t, kappa_of(z.mode, z.value, a[i], b[i], &s), kappa[i], 1e-9, 0);
		compare(&t, s, sigma[i], 1e-12, 1e-10);
	}
	TALLY(t, "ReMDM %s%s", short_name(g), g->group);
	values_done(&k);
}

static void
check_conf(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *a = get(g, &k, "alpha_t"), *b = get(g, &k, "alpha_s"), *conf = get(g, &k, "confidence");
	double *decoded = get(g, &k, "decoded"), *kappa = get(g, &k, "kappa");
	int n = size_of(g, "confidence", 0), L = size_of(g, "confidence", 1);

	cases++;
	for (int i = 0; i < n; i++) {
		double *x = conf + i * L;
		for (int j = 0; j < L; j++)
			if (!decoded[i * L + j])
				x[j] = NAN;
		kappa_conf(L, a[i], 1 - b[i], x);
		for (int j = 0; j < L; j++)
			compare(&t, x[j], kappa[i * L + j], 1e-9, 0);
	}
	TALLY(t, "ReMDM conf %s", short_name(g));
	values_done(&k);
}

/* The posterior written with sigma is Psi with kappa. */
static void
check_remdm_posterior(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *a = get(g, &k, "alpha_t"), *b = get(g, &k, "alpha_s"), *x = get(g, &k, "x_theta"), *z = get(g, &k, "z");
	double *kappa = get(g, &k, "kappa"), *want = get(g, &k, "remdm");
	int P = size_of(g, "remdm", 0), K = size_of(g, "remdm", 1), mask = K - 1;
	double *q = malloc(3 * (size_t)K * sizeof *q);

	cases++;
	for (int p = 0; p < P; p++) /* the mask: a token held that x_theta never gives */
		if (x[p * K + (int)z[p]] == 0)
			mask = (int)z[p];
	for (int p = 0; p < P; p++) {
		posterior_q(K, mask, x + p * K, (int)z[p], a[0], 1 - a[0], b[0], 1 - b[0], q);
		posterior_q(K, mask, x + p * K, (int)z[p], a[0], 1 - a[0], 1, 0, q + K);
		posterior_psi(K, mask, q, q + K, b[0], 1 - b[0], kappa[0], q + 2 * K);
		compare_row(&t, K, q + 2 * K, want + p * K);
	}
	TALLY(t, "ReMDM posterior %s", short_name(g));
	free(q);
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	each_group(g, "inv_alpha", check_schedule);
	each_group(g, "x_theta", check_posteriors);
	each_group(g, "q_st_spec", check_mask_mass);
	each_group(g, "logits", check_filters);
	each_group(g, "sigma", check_sigma);
	each_group(g, "decoded", check_conf);
	each_group(g, "remdm", check_remdm_posterior);
}

int
main(void)
{
	each_golden(check_file);
	if (cases == 0)
		check_skip("no cases of sampler mathematics below PSIVIEW_GOLDEN");
	return check_done();
}
