/*
 * test_psi_bound.c: guidance, bounds, SEDD and the exact denoiser against
 * recorded numbers, found as in test_psi_golden.c.
 */
#include "models/oracle.h"
#include "psi/bound.h"
#include "psi/guide.h"
#include "psi/posterior.h"
#include "psi_util.h"

static int cases;

/* ---- guidance ---- */

struct guided {
	double *c, *u, *z, *w;       /* x_cond, x_uncond [P,K]; weights [W] */
	int P, K, W, mask;
	double a, b;
};

static void
logs(int n, const double *x, double *out)
{
	for (int i = 0; i < n; i++)
		out[i] = log(x[i]);
}

/* Row p of weight w: x mixed, then the posteriors of it; and the published mix
 * of posteriors.  All compared with the tensors of the group. */
static void
compare_guided(struct golden *g, const struct guided *d, int w, int p, struct tally_of *mix, struct tally_of *pub)
{
	struct values k = { 0 };
	int K = d->K, z = (int)d->z[p];
	size_t row = ((size_t)w * (size_t)d->P + (size_t)p) * (size_t)K;
	const double *c = d->c + p * K, *u = d->u + p * K;
	double *x = malloc(4 * (size_t)K * sizeof *x), *q = x + K, *q_c = x + 2 * K, *q_u = x + 3 * K;

	logs(K, c, q_c);
	logs(K, u, q_u);
	guide_mix_double(K, q_c, q_u, d->w[w], x);
	for (int j = 0; j < K; j++)
		x[j] = exp(x[j]);
	compare_row(mix, K, x, get(g, &k, "x_guided") + row);
	for (int clean = 0; clean < 2; clean++) {
		double b = clean ? 1 : d->b;
		const double *published = get(g, &k, clean ? "q_0t_mix_posterior" : "q_st_mix_posterior");
		posterior_q(K, d->mask, x, z, d->a, 1 - d->a, b, 1 - b, q);
		compare_row(mix, K, q, get(g, &k, clean ? "q_0t" : "q_st") + row);
		posterior_q(K, d->mask, c, z, d->a, 1 - d->a, b, 1 - b, q_c);
		posterior_q(K, d->mask, u, z, d->a, 1 - d->a, b, 1 - b, q_u);
		guide_mix_law(K, q_c, q_u, d->w[w], q);
		if (published)
			compare_row(pub, K, q, published + row);
	}
	free(x);
	values_done(&k);
}

static void
compare_guided_psi(struct golden *g, const struct guided *d, const char *psi_name, const char *mix,
    struct tally_of *t)
{
	struct values k = { 0 };
	char st_name[40], zero_name[40];
	double *kappa = get(g, &k, "psi_kappa"), *psi = get(g, &k, psi_name);
	size_t n = (size_t)d->W * (size_t)d->P, K = (size_t)d->K;

	snprintf(st_name, sizeof st_name, "q_st%s", mix);
	snprintf(zero_name, sizeof zero_name, "q_0t%s", mix);
	const double *q_st = get(g, &k, st_name), *q_0t = get(g, &k, zero_name);
	double *out = malloc(K * sizeof *out);
	for (int i = 0; kappa && psi && q_st && q_0t && i < size_of(g, "psi_kappa", -1); i++)
		for (size_t r = 0; r < n; r++) {
			posterior_psi(d->K, d->mask, q_st + r * K, q_0t + r * K, d->b, 1 - d->b, kappa[i], out);
			compare_row(t, d->K, out, psi + ((size_t)i * n + r) * K);
		}
	free(out);
	values_done(&k);
}

static void
check_guidance(struct golden *g)
{
	struct values k = { 0 };
	struct golden top = { g->path, g->f, "" };
	struct tally_of mix = { 0 }, pub = { 0 }, f = { 0 };
	struct guided d = { get(g, &k, "x_cond"), get(g, &k, "x_uncond"), get(g, &k, "z"), get(&top, &k, "weights"),
		size_of(g, "x_cond", 0), size_of(g, "x_cond", 1), size_of(&top, "weights", -1), 0, 0, 0 };
	double *want = get(g, &k, "x_guided");

	if (!d.w || !has(g, "q_st"))
		return;
	cases++;
	d.mask = (int)get(g, &k, "mask")[0];
	d.a = get(g, &k, "alpha_t")[0];
	d.b = get(g, &k, "alpha_s")[0];
	float *c = malloc(2 * (size_t)d.K * sizeof *c), *u = c + d.K;
	for (int w = 0; w < d.W; w++)
		for (int p = 0; p < d.P; p++) {
			compare_guided(g, &d, w, p, &mix, &pub);
			for (int j = 0; j < d.K; j++) {
				c[j] = (float)log(d.c[p * d.K + j]);
				u[j] = (float)log(d.u[p * d.K + j]);
			}
			guide_mix(d.K, c, u, d.w[w], c);
			for (int j = 0; j < d.K; j++)
				compare(&f, exp((double)c[j]), want[(w * d.P + p) * d.K + j], 5e-6, 0);
		}
	compare_guided_psi(g, &d, "psi", "", &mix);
	compare_guided_psi(g, &d, "psi_mix_posterior", "_mix_posterior", &pub);
	TALLY(mix, "guidance %s%s", short_name(g), g->group);
	TALLY(pub, "the published mix of posteriors");
	TALLY(f, "guidance in float");
	free(c);
	values_done(&k);
}

/* ---- bounds ---- */

static void
check_nelbo(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	struct golden base = *g;
	double *a = get(g, &k, "alpha"), *slope = get(g, &k, "dalpha"), *want = get(g, &k, "nelbo");

	if (!a || !slope || !*g->group)
		return;
	base.group[strlen(base.group) - 1] = '\0';
	char *slash = strrchr(base.group, '/');
	if (!slash)
		return;
	slash[1] = '\0';
	double *x0 = get(&base, &k, "x0"), *z = get(&base, &k, "z"), *x = get(&base, &k, "x_theta");
	double *mask = get(&base, &k, "mask");
	int P = size_of(&base, "x_theta", 0), K = size_of(&base, "x_theta", 1);
	cases++;
	for (int p = 0; p < P; p++) {
		double v = bound_nelbo(K, (int)mask[0], (int)x0[p], (int)z[p], x + p * K, a[p], 1 - a[p], slope[p]);
		compare(&t, v, want[p], 1e-12, 1e-10);
		compare(&t, v >= 0, 1, 0, 0);
	}
	TALLY(t, "NELBO %s%s", short_name(g), g->group);
	values_done(&k);
}

static double
capped(double v)
{
	return isinf(v) ? 1e300 : v;
}

static void
check_psi_nelbo(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *a = get(g, &k, "alpha"), *kappa = get(g, &k, "kappa"), *x = get(g, &k, "x_theta");
	double *q_t = get(g, &k, "q_t"), *kl = get(g, &k, "kl"), *terms = get(g, &k, "step_terms");
	double *per_z = get(g, &k, "reconstruction_per_z"), *rec = get(g, &k, "reconstruction");
	double *total = get(g, &k, "total"), *mask = get(g, &k, "mask"), *x0 = get(g, &k, "x0");
	double *prior = get(g, &k, "prior_kl");
	int N = size_of(g, "kl", 0), K = size_of(g, "kl", 1), x_id = (int)x0[0];
	double *scratch = malloc(6 * (size_t)K * sizeof *scratch), sum = 0, mean = 0;

	cases++;
	for (int i = 0; i < N; i++) {
		double term = 0;
		for (int z = 0; z < K; z++) {
			double v = bound_psi_step(K, (int)mask[0], x_id, z, x + (i * K + z) * K, a[i], 1 - a[i],
			    a[i + 1],
			    1 - a[i + 1], kappa[i], scratch);
			compare(&t, capped(v), kl[i * K + z], 1e-12, 1e-10);
			term += q_t[i * K + z] > 0 ? q_t[i * K + z] * v : 0;
		}
		compare(&t, term, terms[i], 1e-12, 1e-10);
		sum += term;
	}
	for (int z = 0; z < K; z++) {
		double v = bound_reconstruction(K, (int)mask[0], x_id, z, x + (N * K + z) * K, a[N], 1 - a[N], scratch);
		compare(&t, capped(v), per_z[z], 1e-12, 1e-10);
		mean += q_t[N * K + z] > 0 ? q_t[N * K + z] * v : 0;
	}
	compare(&t, mean, rec[0], 1e-12, 1e-10);
	compare(&t, sum + mean, total[0], 1e-12, 1e-10);
	if (prior)
		compare(&t, capped(bound_prior(K, (int)mask[0], a[0], 1 - a[0])), capped(prior[0]), 1e-12, 1e-9);
	TALLY(t, "Psi-NELBO %s%s", short_name(g), g->group);
	free(scratch);
	values_done(&k);
}

/* One denoiser table for all times, kappa 1, on [1e-3, 1]: sums of N steps tend
 * to the integral of the NELBO. */
static double
sum_of_steps(int K, int mask, int x0, const double *x, int N)
{
	struct alpha al = { ALPHA_LOGLINEAR, 1e-3 };
	double *scratch = malloc(6 * (size_t)K * sizeof *scratch), sum = 0;

	for (int i = 0; i < N; i++) {
		double t = 1 - (1 - 1e-3) * i / N, s = 1 - (1 - 1e-3) * (i + 1) / N;
		double a = alpha_at(&al, t), b = alpha_at(&al, s), na = alpha_noise(&al, t), nb = alpha_noise(&al, s);
		for (int z = 0; z < K; z++) {
			double q = mask >= 0 ? (z == mask ? na : z == x0 ? a : 0) : a * (z == x0) + na / K;
			if (q > 0)
				sum += q * bound_psi_step(K, mask, x0, z, x + z * K, a, na, b, nb, 1, scratch);
		}
	}
	free(scratch);
	return sum;
}

static void
check_limit(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	double *x = get(g, &k, "x_theta"), *N = get(g, &k, "N"), *sums = get(g, &k, "sum_of_step_terms");
	double *integral = get(g, &k, "integral_of_nelbo");
	int K = size_of(g, "x_theta", 1), n = size_of(g, "N", -1), mask = -1;

	/* masked: some row of the table is one-hot, and the mask's own has no mass there */
	for (int z = 0; z < K; z++)
		if (strstr(g->group, "masked") && x[z * K + z] == 0)
			mask = z;
	cases++;
	double first = 0, last = 0;
	for (int i = 0; i < n; i++) {
		last = sum_of_steps(K, mask, 1, x, (int)N[i]);
		first = i ? first : last;
		compare(&t, last, sums[i], 1e-12, 1e-9);
	}
	CHECK(fabs(last - integral[0]) <= fabs(first - integral[0]) + 1e-9 &&
	    fabs(last - integral[0]) < 2e-3 * integral[0],
	    "the sum of %g steps is near the integral of the NELBO", N[n - 1]);
	TALLY(t, "Psi-NELBO %s%s", short_name(g), g->group);
	values_done(&k);
}

/* ---- SEDD, D3PM ---- */

static void
check_sedd(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	struct golden base = *g;
	double *score = get(g, &k, "score"), *x = get(g, &k, "x"), *probs = get(g, &k, "probs");
	double *final = get(g, &k, "final_probs"), *st = get(g, &k, "sigma_t"), *ss = get(g, &k, "sigma_s");
	int P = size_of(g, "score", 0), K = size_of(g, "score", 1);

	if (!probs || !final || !*g->group)
		return;
	base.group[strlen(base.group) - 1] = '\0';
	char *slash = strrchr(base.group, '/');
	base.group[slash ? slash + 1 - base.group : 0] = '\0';
	int mask = (int)get(&base, &k, "mask")[0];
	double *q = malloc((size_t)K * sizeof *q);
	cases++;
	for (int p = 0; p < P; p++) {
		logs(K, score + p * K, score + p * K);
		posterior_sedd(K, mask, score + p * K, (int)x[p], st[0], ss[0], 0, q);
		compare_row(&t, K, q, probs + p * K);
		posterior_sedd(K, mask, score + p * K, (int)x[p], st[0], 0, 1, q);
		compare_row(&t, K, q, final + p * K);
	}
	TALLY(t, "SEDD %s%s", short_name(g), g->group);
	free(q);
	values_done(&k);
}

/* D3PM's diffusion term: T KL( q(s|t) || the plug-in posterior ), s = t - 1/T. */
static void
check_d3pm(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	struct alpha al = { ALPHA_LOGLINEAR, 1e-3 };
	double *x = get(g, &k, "log_x_theta"), *z = get(g, &k, "z"), *x0 = get(g, &k, "x0"), *time = get(g, &k, "t");
	double *T = get(g, &k, "T"), *mask = get(g, &k, "mask"), *want = get(g, &k, "diffusion_term");
	int P = size_of(g, "log_x_theta", 0), K = size_of(g, "log_x_theta", 1);
	double *scratch = malloc(6 * (size_t)K * sizeof *scratch);

	cases++;
	for (int p = 0; p < P; p++) {
		double s = time[p] - 1 / T[0], a = alpha_at(&al, time[p]), b = alpha_at(&al, s);
		for (int j = 0; j < K; j++)
			x[p * K + j] = exp(x[p * K + j]);
		double na = alpha_noise(&al, time[p]), nb = alpha_noise(&al, s), *q = scratch, *plug = scratch + K;
		for (int j = 0; j < K; j++)
			plug[j] = j == (int)x0[p];
		posterior_q(K, (int)mask[0], plug, (int)z[p], a, na, b, nb, q);
		posterior_q_bayes(K, (int)mask[0], x + p * K, (int)z[p], a, na, b, nb, plug);
		compare(&t, T[0] * bound_kl(K, q, plug), want[p], 1e-12, 1e-10);
	}
	TALLY(t, "D3PM %s%s", short_name(g), g->group);
	free(scratch);
	values_done(&k);
}

/* ---- the exact denoiser ---- */

static void
compare_oracle(struct golden *g, bool masked, int symbols, const int32_t *data, int n, int L)
{
	struct values k = { 0 };
	struct tally_of t = { 0 };
	struct model *m;
	struct alpha al = { ALPHA_LOGLINEAR, 1e-3 };
	double *z = get(g, &k, "z"), *a = get(g, &k, "alpha"), *want = get(g, &k, "x_theta");
	double *full = get(g, &k, "posterior_full");
	int rows = size_of(g, "z", 0), V = size_of(g, "x_theta", 2);
	size_t size = (size_t)L * (size_t)V;

	if (!want || oracle_new(n, L, symbols, data, masked, &al, &m, NULL) != ST_OK)
		return;
	cases++;
	double *x = malloc((size + oracle_scratch(m) + (size_t)V) * sizeof *x), *q = x + size + oracle_scratch(m);
	int32_t *tok = malloc((size_t)L * sizeof *tok);
	for (int r = 0; r < rows && m->V == V; r++) {
		for (int l = 0; l < L; l++)
			tok[l] = (int32_t)z[r * L + l];
		oracle_x_theta(m, tok, a[r], 1 - a[r], x, x + size);
		compare_row(&t, (int)size, x, want + (size_t)r * size);
		for (int l = 0; full && l < L; l++) {
			posterior_q(V, -1, x + l * V, tok[l], a[r], 1 - a[r], 1, 0, q);
			compare_row(&t, V, q, full + (size_t)r * size + (size_t)(l * V));
		}
	}
	TALLY(t, "exact denoiser %s%s", short_name(g), g->group);
	free(x);
	free(tok);
	model_free(m);
	values_done(&k);
}

static void
check_oracle(struct golden *g)
{
	struct values k = { 0 };
	double *data = get(g, &k, "data"), *mask = get(g, &k, "mask");
	int n = size_of(g, "data", 0), L = size_of(g, "data", 1);
	int32_t *tok = malloc((size_t)n * (size_t)L * sizeof *tok);
	int symbols = 0;

	for (int i = 0; i < n * L; i++) {
		tok[i] = (int32_t)data[i];
		symbols = tok[i] + 1 > symbols ? tok[i] + 1 : symbols;
	}
	if (mask)
		symbols = (int)mask[0];
	for (int masked = 0; masked < 2; masked++) {
		struct golden sub = *g;
		strncat(sub.group, masked ? "masked/" : "uniform/", sizeof sub.group - strlen(sub.group) - 1);
		compare_oracle(&sub, masked, symbols, tok, n, L);
	}
	free(tok);
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	each_group(g, "x_cond", check_guidance);
	each_group(g, "nelbo", check_nelbo);
	each_group(g, "reconstruction_per_z", check_psi_nelbo);
	each_group(g, "sum_of_step_terms", check_limit);
	each_group(g, "score", check_sedd);
	each_group(g, "diffusion_term", check_d3pm);
	each_group(g, "data", check_oracle);
}

int
main(void)
{
	each_golden(check_file);
	if (cases == 0)
		check_skip("no cases of guidance, bounds or the exact denoiser below PSIVIEW_GOLDEN");
	return check_done();
}
