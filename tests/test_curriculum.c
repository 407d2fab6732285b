/*
 * test_curriculum.c: draws of the Gaussian curricula: fixed uniforms against
 * recorded draws; simulated means against recorded ones, with 4 standard
 * errors, where a miss (p = 6e-5 for each number) is drawn again with another
 * seed and 16 times the draws before it counts (p = 4e-9); the uniform choice
 * of ids by chi-square.
 */
#include "chi_square.h"
#include "train/curriculum.h"
#include "train_util.h"

#define MOST_KEPT 64            /* k of a column of the published rule */

static int cases;

/* Arrays of a draw for any k. */
struct room {
	struct curriculum_chance in;
	struct curriculum_draw d;
	double *block;
	int32_t *ids;
};

static void
room_new(struct room *r, int k)
{
	size_t n = (size_t)k;

	r->block = calloc(6 * n, sizeof *r->block);
	r->ids = calloc(2 * n, sizeof *r->ids);
	r->in = (struct curriculum_chance){ r->block, r->block + n, 0 };
	r->d = (struct curriculum_draw){ .log_u = r->block + 2 * n, .g = r->block + 3 * n, .value = r->block + 4 * n,
		.weight = r->block + 5 * n, .ids = r->ids, .index = r->ids + n };
}

static void
room_free(struct room *r)
{
	free(r->block);
	free(r->ids);
}

/* ---- recorded draws ---- */

struct recorded {
	struct tally_of exact, log_u, value, norm, weight;
};

static double *
row_of(struct golden *g, struct values *k, const char *name, int i, int width)
{
	double *v = get(g, k, name);

	return v ? v + i * width : NULL;
}

static void
compare_ints(struct tally_of *t, const int32_t *a, const double *want, int n)
{
	for (int i = 0; want && i < n; i++)
		compare(t, a[i], want[i], 0, 0);
}

static void
compare_draw(struct golden *g, int i, const struct curriculum *c, const struct curriculum_draw *d, struct recorded *r)
{
	struct values k = { 0 };
	int n = c->k, pub = c->compat;
	double *log_u = row_of(g, &k, "log_u", i, n), *gs = row_of(g, &k, "g", i, n);
	double *value = row_of(g, &k, "value", i, n), *weight = row_of(g, &k, pub ? "pub_weight" : "weight_b", i, n);
	double *norm = row_of(g, &k, pub ? "log_norm_a" : "log_norm_b", i, 1), *w = row_of(g, &k, "w_true", i, 1);
	double *z = row_of(g, &k, pub ? "pub_z" : "z", i, 1), *rank = row_of(g, &k, "rank", i, 1);

	compare_ints(&r->exact, d->ids, row_of(g, &k, pub ? "floyd" : "ids", i, n), n);
	compare_ints(&r->exact, d->index, row_of(g, &k, pub ? "pub_index" : "index", i, n), n);
	compare(&r->exact, d->z, z[0], 0, 0);
	compare(&r->exact, d->rank, rank[0], 0, 0);
	compare(&r->value, d->w_true, w[0], 1e-11, 0);
	compare(&r->norm, d->log_norm, norm[0], 0, 1e-10);
	for (int j = 0; j < n; j++) {
		compare(&r->log_u, d->log_u[j], log_u[j], 0, 1e-14);
		compare(&r->value, d->g[j], gs[j], 1e-11, 0);
		if (!pub)
			compare(&r->value, d->value[j], value[j], 1e-11, 0);
		compare(&r->weight, d->weight[j], weight[j], c->tau <= 0.01 ? 1e-7 : 1e-9, 0);
	}
	values_done(&k);
}

static void
check_draws(struct golden *g)
{
	struct values k = { 0 };
	double *in_r = get(g, &k, "in.r"), *in_q = get(g, &k, "in.q");
	double *eps = get(g, &k, "in.eps"), *x = get(g, &k, "in.x");
	double *K = get(g, &k, "K"), *kept = get(g, &k, "k"), *tau = get(g, &k, "tau"), *gamma = get(g, &k, "gamma");
	int n = size_of(g, "in.r", 0);

	if (!in_r || !in_q || !eps || !x || !K || !kept || !tau || !gamma || !has(g, "log_norm_b")) {
		values_done(&k);
		return;
	}
	cases++;
	for (int compat = 0; compat < 2; compat++) {
		struct curriculum c = { (int)K[0], (int)kept[0], tau[0], compat };
		struct curriculum_time t = curriculum_time_at(gamma[0]);
		struct recorded r = { 0 };
		struct room m;
		room_new(&m, c.k);
		for (int i = 0; i < n; i++) {
			struct curriculum_chance in = { in_r + i * c.k, in_q + i * c.k, eps[i] };
			curriculum_draw(&c, &t, &in, (int)x[i], &m.d);
			compare_draw(g, i, &c, &m.d, &r);
		}
		const char *how = compat ? "published" : "";
		TALLY(r.exact, "%s %s ids, index, rank, z %s", short_name(g), g->group, how);
		TALLY(r.log_u, "%s %s log u", short_name(g), g->group);
		TALLY(r.value, "%s %s values", short_name(g), g->group);
		TALLY(r.norm, "%s %s log norm %s", short_name(g), g->group, how);
		TALLY(r.weight, "%s %s weights %s", short_name(g), g->group, how);
		room_free(&m);
	}
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	for (int i = 0; i < g->f->n; i++) {
		const char *name = g->f->tensor[i].name;
		size_t n = strlen(name);
		if (n >= 4 && strcmp(name + n - 4, "in.r") == 0 && n - 4 < sizeof g->group) {
			snprintf(g->group, sizeof g->group, "%.*s", (int)(n - 4), name);
			check_draws(g);
			g->group[0] = '\0';
		}
	}
}

/* ---- simulated means ---- */

enum { ON_TRUE, KEPT, NORM, HIT, MEANS };   /* weight on x, sum of weights, log norm, z = x */

struct moments {
	double sum[MEANS], square[MEANS];
	int n;
};

static void
moment(struct moments *m, const double v[MEANS])
{
	for (int i = 0; i < MEANS; i++) {
		m->sum[i] += v[i];
		m->square[i] += v[i] * v[i];
	}
	m->n++;
}

/* n draws, efficient or (simple) all coordinates, the k largest summed. */
static void
simulate(const struct curriculum *c, double gamma, bool simple, int n, uint64_t seed, struct moments *m)
{
	struct curriculum_time t = curriculum_time_at(gamma);
	float *input = simple ? malloc((size_t)c->K * sizeof *input) : NULL;
	struct room r;

	*m = (struct moments){ 0 };
	room_new(&r, c->k);
	for (int i = 0; i < n; i++) {
		struct noise at = { .seed = seed, .sample = (uint32_t)i };
		int x = i % c->K;
		double v[MEANS] = { 0 };
		if (simple) {
			v[HIT] = curriculum_simple(c, &t, &at, x, input, &v[NORM]) == x;
			v[ON_TRUE] = (double)input[x];
			for (int j = 0; j < c->K; j++)
				v[KEPT] = fmax(v[KEPT], (double)input[j]);
		} else {
			curriculum_chances(c, &at, &r.in);
			curriculum_draw(c, &t, &r.in, x, &r.d);
			v[HIT] = r.d.z == x;
			v[NORM] = r.d.log_norm;
			for (int j = 0; j < c->k; j++) {
				v[KEPT] += r.d.weight[j];
				v[ON_TRUE] += r.d.index[j] == x ? r.d.weight[j] : 0;
			}
		}
		moment(m, v);
	}
	room_free(&r);
	free(input);
}

/* How far a mean is off, in units of what is allowed.  A share that hardly
 * ever differs from 0 or 1 has a long tail that few draws see. */
static double
off(const struct moments *m, int what, double want, double se)
{
	double n = m->n, mean = m->sum[what] / n, var = fmax(m->square[what] / n - mean * mean, 0);
	double allowed = 4 * sqrt(se * se + var / n) + 1e-12 * fabs(want);

	if (what != NORM) {
		double rare = fmin(fabs(want), fabs(1 - want));
		allowed += rare * n < 16 ? rare : 0;
		if (what == KEPT && fabs(1 - want) < 1e-2)
			allowed += 0.1 * fabs(1 - want);
	}
	return fabs(mean - want) / allowed;
}

struct wanted {
	double mean[MEANS], se[MEANS];   /* NAN: not recorded */
};

static double
worst_off(const struct curriculum *c, double gamma, bool simple, int n, uint64_t seed, const struct wanted *w)
{
	struct moments m;
	double worst = 0;

	simulate(c, gamma, simple, n, seed, &m);
	for (int i = 0; i < MEANS; i++)
		if (!isnan(w->mean[i]))
			worst = fmax(worst, off(&m, i, w->mean[i], isnan(w->se[i]) ? 0 : w->se[i]));
	return worst;
}

static void
compare_means(struct tally_of *t, const struct curriculum *c, double gamma, bool simple, int n, uint64_t seed,
    const struct wanted *w)
{
	double d = worst_off(c, gamma, simple, n, seed, w);

	if (d > 1)
		d = worst_off(c, gamma, simple, 16 * n, seed ^ 0x5bd1e995, w);
	if (d > 1)
		printf("# K %d k %d tau %g gamma %g %s\n", c->K, c->k, c->tau, gamma, c->compat ? "published" : "");
	compare(t, d, 0, 1, 0);
}

/* Weight on the true token, kept mass, log norm: efficient, or simple. */
static void
check_means(const struct table *t)
{
	struct tally_of d = { 0 };
	bool simple = column(t, "k") < 0;

	for (int i = 0; i < t->rows; i++) {
		struct curriculum c = { (int)number(t, i, "K", 0), simple ? 1 : (int)number(t, i, "k", 0),
			number(t, i, "tau", 0), strcmp(cell(t, i, "rule"), "A") == 0 };
		const char *kept = simple ? "E_top1" : "E_w_sum";
		struct wanted w = {
			{ number(t, i, "E_w_true", 0), number(t, i, kept, 0), number(t, i, "E_logZ", 0), NAN },
			{ number(t, i, "E_w_true", 1), number(t, i, kept, 1), number(t, i, "E_logZ", 1), NAN },
		};
		if (simple && c.K > 1000)
			continue;
		compare_means(&d, &c, number(t, i, "gamma", 0), simple, simple ? 1500 : 4000, (uint64_t)i, &w);
	}
	cases++;
	TALLY(d, "%s: means of %s draws", base_name(t->path), simple ? "simple" : "efficient");
}

/* P(z_t = x) of simple, of efficient for several k, and of the published rule. */
static void
check_ranks(const struct table *t)
{
	struct tally_of right = { 0 }, simple = { 0 }, published = { 0 };

	for (int i = 0; i < t->rows; i++) {
		double gamma = number(t, i, "gamma", 0);
		struct wanted w = { { NAN, NAN, NAN, number(t, i, "P_rank1", 0) }, { 0 } };
		struct curriculum c = { (int)number(t, i, "K", 0), 1, 0.1, false };
		if (c.K <= 1000)
			compare_means(&simple, &c, gamma, true, 1500, (uint64_t)i, &w);
		for (c.k = 1; c.k <= MOST_KEPT && c.k < c.K; c.k++) {
			char name[40];
			struct curriculum pub = c;
			snprintf(name, sizeof name, "P_z_true_published_k%d", c.k);
			if (c.k > 5 && column(t, name) < 0)
				continue;
			compare_means(&right, &c, gamma, false, 8000, (uint64_t)i, &w);
			struct wanted biased = { { NAN, NAN, NAN, number(t, i, name, 0) }, { 0 } };
			pub.compat = true;
			if (!isnan(biased.mean[HIT]))
				compare_means(&published, &pub, gamma, false, 8000, (uint64_t)i, &biased);
		}
	}
	cases++;
	TALLY(right, "%s: P(z_t = x), efficient, k = 1..5 and more", base_name(t->path));
	TALLY(published, "%s: P(z_t = x) as published", base_name(t->path));
	TALLY(simple, "%s: P(z_t = x), simple", base_name(t->path));
}

static void
check_table(const struct table *t)
{
	if (column(t, "E_w_true") >= 0 && column(t, "E_logZ") >= 0 &&
	    (column(t, "k") < 0 ? column(t, "E_top1") >= 0 : column(t, "E_w_sum") >= 0 && column(t, "rule") >= 0))
		check_means(t);
	if (column(t, "P_rank1") >= 0)
		check_ranks(t);
}

/* ---- what needs no file ---- */

/* k = K-1 keeps everything: the weights sum to 1. */
static void
check_all_kept(void)
{
	struct tally_of t = { 0 };
	struct curriculum c = { 6, 5, 0.7, false };
	struct curriculum_time at = curriculum_time_at(0.3);
	struct room r;

	room_new(&r, c.k);
	for (int i = 0; i < 200; i++) {
		struct noise n = { .seed = 5, .pos = (uint32_t)i };
		double sum = 0, lost;
		curriculum_chances(&c, &n, &r.in);
		curriculum_draw(&c, &at, &r.in, i % 6, &r.d);
		for (int j = 0; j < c.k; j++)
			sum += r.d.weight[j];
		lost = r.d.rank > c.k ? r.d.w_true : r.d.g[c.k - 1];
		compare(&t, sum + exp(lost / c.tau - r.d.log_norm), 1, 1e-13, 0);
	}
	TALLY(t, "k = K-1: all K weights sum to 1");
	room_free(&r);
}

/* Slots 1 and 2 of the ids: every ordered pair alike (p > 1e-4, seeded). */
static void
check_ids(void)
{
	enum { K = 6, N = 60000 };
	struct curriculum c = { K, 2, 0.1, false };
	struct curriculum_time at = curriculum_time_at(8);   /* hardly any signal */
	long count[K * K] = { 0 };
	double law[K * K];
	struct room r;

	room_new(&r, c.k);
	for (int i = 0; i < N; i++) {
		struct noise n = { .seed = 9, .sample = (uint32_t)i };
		curriculum_chances(&c, &n, &r.in);
		curriculum_draw(&c, &at, &r.in, 2, &r.d);
		count[r.d.ids[0] * K + r.d.ids[1]]++;
	}
	for (int a = 0; a < K; a++)
		for (int b = 0; b < K; b++)
			law[a * K + b] = a == b || a == 2 || b == 2 ? 0 : 1.0 / ((K - 1) * (K - 2));
	double p = chi_square_p(K * K, law, count, N);
	CHECK(p > 1e-4, "ids are ordered pairs without replacement: p = %.3f", p);
	room_free(&r);
}

static void
check_usage(void)
{
	struct curriculum c = { 27, 2, 1e-3, false };
	struct error e;

	CHECK(curriculum_check(&c, &e) == ST_OK, "a usual curriculum");
	c.k = 27;
	CHECK(curriculum_check(&c, &e) == ST_USAGE && strstr(e.msg, "not 27"), "k too large");
	c.k = -1;
	CHECK(curriculum_check(&c, &e) == ST_USAGE && strstr(e.msg, "not -1"), "k below 1");
	c.k = 1;
	c.tau = 0;
	CHECK(curriculum_check(&c, &e) == ST_USAGE && strstr(e.msg, "tau"), "tau of 0");
	struct curriculum_time t = curriculum_time_at(-2);
	CHECK(fabs(t.a * t.a + t.s * t.s - 1) < 1e-15 && fabs(t.a / t.s - exp(1)) < 1e-14, "a^2 + s^2 = 1");
}

int
main(void)
{
	each_golden(check_file);
	each_table(check_table);
	if (cases == 0)
		check_skip("no cases of the curricula below PSIVIEW_GOLDEN");
	check_all_kept();
	check_ids();
	check_usage();
	return check_done();
}
