/*
 * test_adam.c: learning rates, clipping and averaging against recorded
 * numbers; updates against the formulas in double; stratified times.
 */
#include "train/adam.h"
#include "train/time.h"
#include "train_util.h"

static int cases;

static void
check_rates(const struct table *t)
{
	struct tally_of d = { 0 };

	if (column(t, "base_lr") < 0 || column(t, "step_index") < 0 || column(t, "lr") < 0)
		return;
	for (int i = 0; i < t->rows; i++) {
		struct adam a = adam_usual();
		a.schedule = strcmp(cell(t, i, "schedule"), "cosine") == 0 ? ADAM_COSINE : ADAM_CONSTANT;
		a.lr = number(t, i, "base_lr", 0);
		a.warmup = (int64_t)number(t, i, "warmup_steps", 0);
		a.steps = (int64_t)number(t, i, "max_steps", 0);
		compare(&d, adam_rate(&a, (int64_t)number(t, i, "step_index", 0)), number(t, i, "lr", 0), 1e-18, 1e-10);
	}
	cases++;
	TALLY(d, "%s rates", base_name(t->path));
}

static double
meta(const struct golden *g, const char *key, double otherwise)
{
	const char *s = st_meta(g->f, key);

	return s ? strtod(s, NULL) : otherwise;
}

/* The scalars of a recorded run of steps. */
static void
check_scalars(struct golden *g)
{
	struct values k = { 0 };
	struct tally_of d = { 0 };
	double *norm = get(g, &k, "grad_norm"), *lr = get(g, &k, "lr"), *clip = get(g, &k, "clip_factor");
	double *ema = get(g, &k, "ema_decay");
	struct adam a = adam_usual();

	if (norm && lr && clip && ema) {
		cases++;
		a.lr = meta(g, "lr", a.lr);
		a.warmup = (int64_t)meta(g, "warmup_steps", 0);
		a.weight_decay = meta(g, "weight_decay", 0);
		a.clip = meta(g, "clip", 1);
		a.ema = meta(g, "ema_decay", a.ema);
		for (int n = 1; n <= size_of(g, "lr", -1); n++) {
			struct adam_step s;
			if (adam_begin(&a, n, norm[n - 1], &s, NULL) != ST_OK)
				continue;
			compare(&d, s.lr, lr[n - 1], 0, 1e-10);
			compare(&d, s.clip_factor, clip[n - 1], 0, 1e-10);
			compare(&d, s.ema, ema[n - 1], 0, 1e-10);
		}
		TALLY(d, "%s rate, clipping, averaging", short_name(g));
	}
	values_done(&k);
}

/* ---- against the formulas ---- */

enum { SIZE = 37, STEPS = 40 };

struct state {
	double p[SIZE], m[SIZE], v[SIZE], ema[SIZE];
};

static double
some_gradient(int n, int i)
{
	return sin(3.7 * n + 1.3 * i) * exp(sin(0.9 * i) * 4) * (n % 3 ? 1 : 0.01);
}

static void
step_of_formulas(const struct adam *a, int n, const double *grad, double norm, struct state *s)
{
	double clip = fmin(1, a->clip / (norm + 1e-6)), lr = a->lr * fmin(1, (n - 1.0) / (double)a->warmup);
	double d = fmin(a->ema, (1.0 + n) / (10 + n));

	for (int i = 0; i < SIZE; i++) {
		double g = grad[i] * clip;
		s->p[i] *= 1 - lr * a->weight_decay;
		s->m[i] = 0.9 * s->m[i] + 0.1 * g;
		s->v[i] = 0.999 * s->v[i] + 0.001 * g * g;
		s->p[i] -= lr * (s->m[i] / (1 - pow(0.9, n))) / (sqrt(s->v[i] / (1 - pow(0.999, n))) + 1e-8);
		s->ema[i] = d * s->ema[i] + (1 - d) * s->p[i];
	}
}

static void
check_updates(void)
{
	struct adam a = adam_usual();
	struct state s = { 0 };
	struct tally_of t = { 0 }, first = { 0 }, norms = { 0 };
	float p[SIZE], m[SIZE] = { 0 }, v[SIZE] = { 0 }, ema[SIZE];
	int clipped = 0;

	a.lr = 1e-2;
	a.warmup = 7;
	a.weight_decay = 0.1;
	a.clip = 30;
	a.ema = 0.7;
	for (int i = 0; i < SIZE; i++)
		p[i] = ema[i] = (float)(s.p[i] = s.ema[i] = i / 8.0 - 2);
	for (int n = 1; n <= STEPS; n++) {
		double grad[SIZE], sum = 0;
		float g[SIZE];
		struct adam_step at;
		for (int i = 0; i < SIZE; i++) {
			g[i] = (float)some_gradient(n, i);
			grad[i] = (double)g[i];
			sum += grad[i] * grad[i];
		}
		compare(&norms, adam_squares(SIZE, g), sum, 0, 1e-14);
		if (adam_begin(&a, n, sqrt(sum), &at, NULL) != ST_OK)
			break;
		clipped += at.clip_factor < 1;
		adam_update(&a, &at, SIZE, p, m, v, ema, g);
		step_of_formulas(&a, n, grad, sqrt(sum), &s);
		for (int i = 0; i < SIZE; i++) {
			compare(&t, (double)p[i], s.p[i], 3e-6, 0);
			if (n == 1)
				compare(&first, (double)p[i], i / 8.0 - 2, 0, 0);
			compare(&t, (double)ema[i], s.ema[i], 3e-6, 0);
			compare(&t, (double)m[i], s.m[i], 1e-6, 1e-5);
			compare(&t, (double)v[i], s.v[i], 1e-9, 1e-5);
		}
	}
	TALLY(first, "the first step of a warm-up moves nothing");
	TALLY(t, "%d steps against the formulas", STEPS);
	TALLY(norms, "sums of squares");
	CHECK(clipped > 0 && clipped < STEPS, "both branches of clipping: %d of %d", clipped, STEPS);
}

static void
check_refusals(void)
{
	struct adam a = adam_usual();
	struct adam_step s;
	struct error e = { 0 };

	CHECK(adam_check(&a, NULL) == ST_OK, "the usual settings");
	CHECK(adam_begin(&a, 12, NAN, &s, &e) == ST_NUMERIC && strstr(e.msg, "step 12"), "not a number");
	CHECK(adam_begin(&a, 12, INFINITY, &s, &e) == ST_NUMERIC, "infinite");
	a.lr = 0;
	CHECK(adam_check(&a, &e) == ST_USAGE && strstr(e.msg, "learning rate"), "a rate of 0");
	a = adam_usual();
	a.ema = 1;
	CHECK(adam_check(&a, &e) == ST_USAGE, "an average that never moves");
	a = adam_usual();
	a.eps = 1e-60;
	CHECK(adam_check(&a, &e) == ST_USAGE && strstr(e.msg, "eps"), "an eps that is 0 as a float");
	a = adam_usual();
	a.schedule = ADAM_COSINE;
	CHECK(adam_check(&a, &e) == ST_USAGE && strstr(e.msg, "2500"), "a cosine without an end");
}

/* ---- times ---- */

static void
check_times(void)
{
	enum { N = 64 };
	struct tally_of t = { 0 }, again = { 0 };
	struct train_steps s;

	for (uint32_t step = 0; step < 50; step++)
		for (uint32_t i = 0; i < N; i++) {
			double v = train_time(3, step, i, N, 1e-3), u = (v - 1e-3) / 0.999 * N;
			compare(&t, u, i + 0.5, 0.5 + 1e-9, 0);
			compare(&again, train_time(3, step, i, N, 1e-3), v, 0, 0);
			compare(&again, v == train_time(4, step, i, N, 1e-3), 0, 0, 0);
		}
	TALLY(t, "each time in its own part of [1e-3, 1]");
	TALLY(again, "times belong to seed, step and sample");
	s = train_time_grid(1e-9, 10);
	CHECK(s.t == 0.1 && s.s == 0, "the first of 10 steps");
	s = train_time_grid(1, 10);
	CHECK(s.t == 1 && s.s == 0.9, "the last of 10 steps");
	s = train_time_grid(0.55, 10);
	CHECK(fabs(s.t - 0.6) < 1e-15 && s.s == 0.5, "a step between");
}

int
main(void)
{
	each_table(check_rates);
	each_golden(check_scalars);
	if (cases == 0)
		check_skip("no recorded optimisers below PSIVIEW_GOLDEN");
	check_updates();
	check_refusals();
	check_times();
	return check_done();
}
