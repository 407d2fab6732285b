/*
 * test_golden_input.c: what recorded passes below $PSIVIEW_GOLDEN go in with,
 * as a trainer makes it: alpha, its slope and sigma at the recorded times, by
 * the noise's schedule or by the operator T, and Gaussian latents with their
 * largest entries.  Cases are recognised by their tensors and metadata.
 */
#include "psi/alpha.h"
#include "psi_util.h"
#include "train/curriculum.h"
#include "train/operator.h"

static int cases;

static double
meta(const struct golden *g, const char *key, double otherwise)
{
	const char *s = st_meta(g->f, key);

	return s ? strtod(s, NULL) : otherwise;
}

/* "in." + what + end, [n]; NULL: not recorded. */
static double *
recorded(struct golden *g, struct values *k, const char *what, const char *end, int n)
{
	char name[40];

	snprintf(name, sizeof name, "in.%s%s", what, end);
	return size_of(g, name, -1) == n ? get(g, k, name) : NULL;
}

/* ---- the schedule of the noise ---- */

static void
check_schedule(struct golden *g)
{
	const char *name = st_meta(g->f, "schedule");
	bool cosine = name && strcmp(name, "cosine") == 0;
	struct alpha al = { cosine ? ALPHA_COSINE : ALPHA_LOGLINEAR, meta(g, "eps", 1e-3) };
	struct tally_of d = { 0 };
	struct values k = { 0 };
	int n = size_of(g, "in.t", -1);
	double *t = recorded(g, &k, "t", "", n), *a = recorded(g, &k, "alpha", "", n), *s = recorded(g, &k, "s", "", n);
	double *slope = recorded(g, &k, "dalpha", "", n), *sigma = recorded(g, &k, "sigma", "", n);
	double *earlier = recorded(g, &k, "alpha_s", "", n);

	if (t && a && (cosine || (name && strcmp(name, "log-linear") == 0))) {
		for (int i = 0; i < n; i++) {
			compare(&d, alpha_at(&al, t[i]), a[i], 1e-13, 0);
			if (slope)
				compare(&d, alpha_slope(&al, t[i]), slope[i], 0, 1e-12);
			if (sigma && sigma[i] != 0) /* 0: the network is told no time */
				compare(&d, alpha_sigma(&al, t[i]), sigma[i], 0, 1e-11);
			if (s && earlier)
				compare(&d, s[i] > 0 ? alpha_at(&al, s[i]) : 1, earlier[i], 1e-13, 0);
		}
		cases++;
		TALLY(d, "%s: alpha by time, %s", short_name(g), name);
	}
	values_done(&k);
}

/* ---- Gaussian latents ---- */

struct latent {
	struct golden *g;
	int K, B, L;
	double min, max;                /* of gamma */
	const double *x, *eps;          /* [B,L], [B,L,K] or NULL */
};

/* Latents w [B,L,K] at gamma [B], and their largest entries z [B,L]; any but gamma may be NULL. */
static void
compare_latents(const struct latent *l, const double *gamma, const double *w, const double *z, struct tally_of *d)
{
	size_t K = (size_t)l->K;

	for (int i = 0; i < l->B * l->L; i++) {
		struct curriculum_time at = curriculum_time_at(gamma[i / l->L]);
		const double *row = w ? w + (size_t)i * K : NULL, *eps = l->eps ? l->eps + (size_t)i * K : NULL;
		int top = 0;
		for (int v = 0; row && v < l->K; v++) {
			top = row[v] > row[top] ? v : top;
			if (eps) /* recorded in single precision */
				compare(d, at.s * eps[v] + (v == (int)l->x[i] ? at.a : 0), row[v], 1e-6, 1e-6);
		}
		if (row && z)
			compare(d, top, z[i], 0, 0);
	}
}

/* One time of each sample: `end` is "" or, of a trajectory, "_t" or "_s". */
static void
check_time(const struct latent *l, const char *end)
{
	struct golden *g = l->g;
	struct tally_of d = { 0 };
	struct values k = { 0 };
	char w[8], z[8];
	double *gamma = recorded(g, &k, "gamma", end, l->B), *a = recorded(g, &k, "alpha", end, l->B);
	double *na = *end ? NULL : get(g, &k, "in.one_minus_alpha"), *slope = *end ? NULL : get(g, &k, "in.dalpha");
	double *sigma = recorded(g, &k, "sigma", end, l->B), *t = get(g, &k, strcmp(end, "_s") ? "in.t" : "in.s");

	snprintf(w, sizeof w, *end ? "w%s" : "in.w", end);
	snprintf(z, sizeof z, *end ? "z%s" : "in.z", end);
	for (int i = 0; gamma && a && i < l->B; i++) {
		struct operator_value v;
		operator_at(l->K, gamma[i], &v);
		compare(&d, v.alpha, a[i], 1e-13, 0);
		if (na)
			compare(&d, v.noise, na[i], 0, 1e-12);
		if (slope)
			compare(&d, v.slope * (l->max - l->min), slope[i], 1e-13 * (l->max - l->min), 0);
		if (sigma)
			compare(&d, operator_sigma(&v), sigma[i], 0, 1e-11);
		if (t)
			compare(&d, l->min + t[i] * (l->max - l->min), gamma[i], 1e-12, 0);
	}
	if (d.n > 0) {
		compare_latents(l, gamma, get(g, &k, w), get(g, &k, z), &d);
		cases++;
		TALLY(d, "%s: alpha by the operator%s%s, latents", short_name(g), *end ? " at " : "",
			*end ? end + 1 : "");
	}
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	struct values k = { 0 };
	struct latent l = { .g = g, .K = (int)meta(g, "K", 0), .B = size_of(g, "in.x", 0), .L = size_of(g, "in.x", 1),
		.min = meta(g, "gamma_min", 0), .max = meta(g, "gamma_max", 0), .x = get(g, &k, "in.x") };

	l.eps = l.B > 0 && size_of(g, "in.eps", 2) == l.K ? get(g, &k, "in.eps") : NULL;
	if (l.x && has(g, "in.t") && l.min < l.max && l.K > 1) {
		check_time(&l, "");
		check_time(&l, "_t");
		check_time(&l, "_s");
	} else if (l.x) {
		check_schedule(g);
	}
	values_done(&k);
}

int
main(void)
{
	each_golden(check_file);
	if (cases == 0)
		check_skip("no recorded training below PSIVIEW_GOLDEN");
	return check_done();
}
