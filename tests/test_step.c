/*
 * test_step.c: what step() asks for, what it leaves alone, and that a result
 * depends on nothing but state, leg and step: not on threads, not on samples
 * beside it.
 */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "psi/deal.h"
#include "psi/metric.h"
#include "psi_fake.h"

/* Logits that differ by position, [L,V]. */
static float *
table(int L, int V, double phase)
{
	float *x = malloc((size_t)L * (size_t)V * sizeof *x);

	for (int i = 0; i < L * V; i++)
		x[i] = (float)(3 * sin(phase + 0.37 * i + 1e-4 * i * (i % 7)));
	return x;
}

static struct leg *
lay(struct fake *f, const char *line)
{
	struct recipe r;
	struct error e;
	struct leg *l = NULL;

	if (recipe_parse(line, &r, &e) != ST_OK || leg_new(&r, &f->m, NULL, 0, 1, &l, &e) != ST_OK)
		printf("# %s: %s\n", line, e.msg);
	return l;
}

/* A run from its start; states 0..n of the leg, states[] of its own. */
static enum status
run(struct fake *f, const struct leg *l, struct state *a, struct state *b, struct step_counts *sum)
{
	struct step_counts c;

	memset(sum, 0, sizeof *sum);
	step_start(&f->m, &l->r, a);
	for (int i = 0; i < l->total; i++) {
		enum status st = step(&f->m, l, i, a, b, &c, fake_features, f, NULL, NULL);
		if (st != ST_OK)
			return st;
		state_copy(a, b);
		sum->nfe += c.nfe;
		sum->rows += c.rows;
	}
	return ST_OK;
}

/* ---- independence ---- */

static void
check_threads(void)
{
	enum { L = 200, V = 1200 };
	static const char *const lines[] = {
		"steps=6 kappa=.5 top-p=.9 seed=3", "steps=6 kappa=.9 per=informed seed=4 temperature=.8",
		"steps=6 kappa=.8 cfg=2 label=rows cfg-mix=posterior seed=5",
	};
	static const int threads[] = { 1, 2, 5 };
	float *c = table(L, V, 0), *u = table(L, V, 1);

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct state first, s, t;
		struct step_counts counts;
		bool same = true;
		state_init(&first, 1, L, NULL);
		state_init(&s, 1, L, NULL);
		state_init(&t, 1, L, NULL);
		for (int k = 0; k < 3; k++) {
			struct fake f;
			fake_init(&f, OUT_MEAN, L, V, -1, c);
			f.feat_u = u;
			f.m.classes = i == 2 ? 4 : 0;
			f.m.pool = pool_new(threads[k]);
			struct leg *l = lay(&f, lines[i]);
			same = same && run(&f, l, &s, &t, &counts) == ST_OK;
			if (k == 0)
				state_copy(&first, &s);
			same = same && memcmp(first.tok, s.tok, L * sizeof *s.tok) == 0 &&
			    memcmp(first.prob, s.prob, L * sizeof *s.prob) == 0 && memcmp(first.cause, s.cause, L) == 0;
			leg_free(l);
			pool_free(f.m.pool);
		}
		CHECK(same, "1, 2 and 5 threads give the same: %s", lines[i]);
		state_done(&first);
		state_done(&s);
		state_done(&t);
	}
	free(c);
	free(u);
}

static void
check_batch(void)
{
	enum { L = 24, V = 30, S = 7 };
	float *x = table(L, V, .4);
	struct fake f;
	struct state all, one, t, t1;
	struct step_counts counts;
	bool same = true;

	fake_init(&f, OUT_SUBS, L, V, V - 1, x);
	struct leg *l = lay(&f, "steps=9 kappa=.8 per=conf seed=11 first=40 samples=7");
	state_init(&all, S, L, NULL);
	state_init(&t, S, L, NULL);
	state_init(&one, 1, L, NULL);
	state_init(&t1, 1, L, NULL);
	run(&f, l, &all, &t, &counts);
	leg_free(l);
	for (int k = 0; k < S; k++) {
		char line[80];
		snprintf(line, sizeof line, "steps=9 kappa=.8 per=conf seed=11 first=%d", 40 + k);
		l = lay(&f, line);
		run(&f, l, &one, &t1, &counts);
		same = same && memcmp(one.tok, all.tok + k * L, L * sizeof *one.tok) == 0;
		leg_free(l);
	}
	CHECK(same, "samples side by side are what they are alone");
	state_done(&all);
	state_done(&t);
	state_done(&one);
	state_done(&t1);
	free(x);
}

/* Two runs whose kappa differs by .01 share their noise: they part slowly. */
static void
check_near_runs(void)
{
	enum { L = 256, V = 60 };
	float *x = table(L, V, .9);
	struct fake f;
	struct state s[2], t;
	struct step_counts c;
	int differ = 0;

	fake_init(&f, OUT_MEAN, L, V, -1, x);
	struct leg *l[2] = { lay(&f, "steps=64 kappa=.9 seed=2"), lay(&f, "steps=64 kappa=.91 seed=2") };
	state_init(&t, 1, L, NULL);
	for (int k = 0; k < 2; k++) {
		state_init(&s[k], 1, L, NULL);
		step_start(&f.m, &l[k]->r, &s[k]);
		for (int i = 0; i < 8; i++) {
			step(&f.m, l[k], i, &s[k], &t, &c, fake_features, &f, NULL, NULL);
			state_copy(&s[k], &t);
		}
	}
	for (int i = 0; i < L; i++)
		differ += s[0].tok[i] != s[1].tok[i];
	CHECK(differ < L / 8, "kappa .90 and .91 after 8 steps: %d of %d tokens differ", differ, L);
	for (int k = 0; k < 2; k++) {
		state_done(&s[k]);
		leg_free(l[k]);
	}
	state_done(&t);
	free(x);
}

/* ---- what is asked ---- */

static void
check_asks(void)
{
	enum { L = 40, V = 12, S = 3 };
	static const struct { enum output out; const char *line; int classes; } list[] = {
		{ OUT_MEAN, "steps=12 seed=1", 0 }, { OUT_MEAN, "steps=12 kappa=.5 seed=2 removal=none", 0 },
		{ OUT_MEAN, "steps=12 kappa=.7 per=informed seed=3", 0 }, { OUT_SUBS, "steps=60 seed=4", 0 },
		{ OUT_SUBS, "steps=12 kappa=.2 seed=5 removal=greedy", 0 }, { OUT_SUBS, "steps=12 per=conf seed=6", 0 },
		{ OUT_MEAN, "steps=12 cfg=2 label=rows seed=7", 3 }, { OUT_MEAN, "steps=12 cfg=0 label=1 seed=8", 3 },
		{ OUT_SCORE, "steps=12 seed=9", 0 }, { OUT_D3PM, "steps=12 d3pm-compat=on seed=10", 0 },
		{ OUT_MEAN, "preset=loop-0.01 steps=40 seed=11", 0 }, { OUT_CAUSAL, "seed=12", 0 },
	};
	float *x = table(L, V, 0);
	struct feat_want want[STEP_WANTS * S];

	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct fake f;
		struct state a, b;
		struct step_counts c;
		bool agree = true, quiet = true, once = true;
		int idle = 0;
		fake_init(&f, list[i].out, L, V, list[i].out == OUT_MEAN ? -1 : V - 1, x);
		f.m.classes = list[i].classes;
		f.m.bos = 2;
		struct leg *l = lay(&f, list[i].line);
		state_init(&a, S, L, NULL);
		state_init(&b, S, L, NULL);
		step_start(&f.m, &l->r, &a);
		for (int n = 0; n < l->total; n++) {
			int wants = step_wants(&f.m, l, n, &a, want), calls = f.calls, rows = f.rows;
			f.last_wants = 0;
			agree = agree && step(&f.m, l, n, &a, &b, &c, fake_features, &f, NULL, NULL) == ST_OK &&
			    wants == f.last_wants && c.nfe == wants;
			once = once && f.calls - calls <= 1;
			if (wants == 0) {
				quiet = quiet && f.calls == calls && f.rows == rows && c.rows == 0;
				idle++;
			}
			state_copy(&a, &b);
		}
		CHECK(agree && once, "step_wants says what step asks, in one batch: %s", list[i].line);
		CHECK(quiet, "a step that needs no row asks for nothing (%d of %d)", idle, l->total);
		leg_free(l);
		state_done(&a);
		state_done(&b);
	}
	free(x);
}

/* Few rows: at 128 steps and kappa .95 about a tenth of them. */
static void
check_few_rows(void)
{
	enum { L = 512, V = 40 };
	float *x = table(L, V, .2);
	struct fake f;
	struct state a, b;
	struct step_counts c;

	fake_init(&f, OUT_MEAN, L, V, -1, x);
	struct leg *l = lay(&f, "steps=128 kappa=.95 seed=1 removal=none");
	state_init(&a, 1, L, NULL);
	state_init(&b, 1, L, NULL);
	run(&f, l, &a, &b, &c);
	double share = (double)c.rows / (128.0 * L);
	CHECK(share > .02 && share < .15, "head rows at kappa .95: %.3f of all", share);
	leg_free(l);
	state_done(&a);
	state_done(&b);
	free(x);
}

/* The informed kappa, by hand. */
static void
check_informed(void)
{
	struct model m = { .L = 4, .V = 5, .F = 5, .mask = -1, .out = OUT_MEAN, .alpha = { ALPHA_LOGLINEAR, 1e-3 } };
	struct recipe r;
	struct state s;
	struct move v;
	struct plan_row row = { .5, .4, .5, .6, .8 };
	double p[4] = { .9, .5, .2, .6 }, k[4];

	recipe_init(&r);
	r.per = PER_INFORMED;
	state_init(&s, 1, 4, NULL);
	s.fixed[3] = 1;
	move_init(&v, &m, &r, 0, &row);
	deal_kappa(&v, &s, 0, p, k);
	CHECK(fabs(k[0] - (1 - .2 * 3 * .1 / 1.4)) < 1e-12 && fabs(k[2] - (1 - .2 * 3 * .8 / 1.4)) < 1e-12,
	    "informed: 1 - kappa in proportion to 1 - p over unclamped positions");
	p[0] = p[1] = p[2] = 1;
	deal_kappa(&v, &s, 0, p, k);
	CHECK(k[1] == .8, "informed: all certain, kappa as it is");
	state_done(&s);
}

/* ---- clamps, removal, start ---- */

static void
check_clamps(void)
{
	enum { L = 20, V = 9 };
	static const char *const lines[] = { "steps=10 kappa=.3 seed=1", "steps=10 kappa=.3 seed=1 per=informed" };
	float *x = table(L, V, 0);

	for (int masked = 0; masked < 2; masked++) {
		struct fake f;
		struct state a, b;
		struct step_counts c;
		bool kept = true;
		fake_init(&f, masked ? OUT_SUBS : OUT_MEAN, L, V, masked ? V - 1 : -1, x);
		f.m.bos_fixed = true;
		f.m.bos = 6;
		struct leg *l = lay(&f, lines[masked ? 0 : 1]);
		state_init(&a, 1, L, NULL);
		state_init(&b, 1, L, NULL);
		a.fixed[7] = 1;
		a.tok[7] = 3;
		step_start(&f.m, &l->r, &a);
		kept = a.tok[7] == 3 && a.cause[7] == CAUSE_CLAMP && a.fixed[0] && a.tok[0] == 6;
		for (int i = 0; i < l->total && kept; i++) {
			kept = step(&f.m, l, i, &a, &b, &c, fake_features, &f, NULL, NULL) == ST_OK && b.tok[7] == 3 &&
			    b.tok[0] == 6 && b.cause[7] == CAUSE_CLAMP && b.prob[7] == 1 &&
			    c.by_cause[CAUSE_CLAMP] == 2;
			state_copy(&a, &b);
		}
		CHECK(kept, "%s: a clamped token and [BOS] stay", masked ? "masked" : "uniform");
		leg_free(l);
		state_done(&a);
		state_done(&b);
	}
	free(x);
}

/* Causes are exact: what is said to have changed has, and the rest has not. */
static void
check_causes(void)
{
	enum { L = 300, V = 11 };
	float *x = table(L, V, 0);

	for (int masked = 0; masked < 2; masked++) {
		struct fake f;
		struct state a, b;
		struct step_counts c;
		bool ok = true, left = false;
		fake_init(&f, masked ? OUT_SUBS : OUT_MEAN, L, V, masked ? V - 1 : -1, x);
		struct leg *l = lay(&f, "steps=16 kappa=.6 seed=8");
		state_init(&a, 1, L, NULL);
		state_init(&b, 1, L, NULL);
		step_start(&f.m, &l->r, &a);
		for (int n = 0; n < l->total; n++) {
			step(&f.m, l, n, &a, &b, &c, fake_features, &f, NULL, NULL);
			for (int i = 0; i < L; i++) {
				enum cause why = (enum cause)b.cause[i];
				ok = ok && cause_changed(why) == (a.tok[i] != b.tok[i]);
				ok = ok && (why != CAUSE_UNTOUCHED || a.prob[i] == b.prob[i]);
				ok = ok && (why != CAUSE_REMASK || (masked && b.tok[i] == V - 1 && b.prob[i] == 0));
				ok = ok && (!masked || (why != CAUSE_PRED_NOISE && why != CAUSE_CORR_NOISE));
				ok = ok && (why != CAUSE_REMOVAL || n == l->total - 1);
			}
			state_copy(&a, &b);
		}
		for (int i = 0; i < L; i++)
			left = left || a.tok[i] < 0 || (masked && a.tok[i] == V - 1);
		CHECK(ok, "%s: every change has its cause", masked ? "masked" : "uniform");
		CHECK(!left, "%s: no mask is left after noise removal", masked ? "masked" : "uniform");
		leg_free(l);
		state_done(&a);
		state_done(&b);
	}
	free(x);
}

/* Explicit draws: the part that was dealt gives the cause, changed or same. */
static void
check_explicit_causes(void)
{
	enum { L = 400, V = 7 };
	float *c = table(L, V, 0), *u = table(L, V, 2);
	struct fake f;
	struct state a, b;
	struct step_counts counts;
	struct move v;
	double kappa[L];
	uint8_t part[L];
	bool ok = true;

	fake_init(&f, OUT_MEAN, L, V, -1, c);
	f.feat_u = u;
	f.m.classes = 2;
	struct leg *l = lay(&f, "steps=8 kappa=.5 cfg=2 label=0 cfg-mix=posterior seed=6");
	state_init(&a, 1, L, NULL);
	state_init(&b, 1, L, NULL);
	step_start(&f.m, &l->r, &a);
	step(&f.m, l, 5, &a, &b, &counts, fake_features, &f, NULL, NULL);
	move_init(&v, &f.m, &l->r, 5, leg_row(l, 5));
	deal_kappa(&v, &a, 0, NULL, kappa);
	deal_sample(&v, &a, 0, kappa, part);
	for (int i = 0; i < L; i++) {
		bool same = a.tok[i] == b.tok[i];
		enum cause want = part[i] == PART_PRED ? same ? CAUSE_PRED_SAME : CAUSE_PRED
		    : part[i] == PART_CLEAN ? same ? CAUSE_CORR_SAME : CAUSE_CORR
		    : same ? CAUSE_CORR_SAME : CAUSE_CORR_NOISE;
		ok = ok && b.cause[i] == want;
	}
	CHECK(ok && counts.by_cause[CAUSE_CORR_SAME] > 0 && counts.by_cause[CAUSE_PRED] > 0,
	    "explicit draws: causes by the part dealt");
	leg_free(l);
	state_done(&a);
	state_done(&b);
	free(c);
	free(u);
}

static void
check_greedy(void)
{
	enum { L = 30, V = 8 };
	float *x = table(L, V, 0);
	struct fake f;
	struct state a, b;
	struct step_counts c;
	bool best = true;

	fake_init(&f, OUT_MEAN, L, V, -1, x);
	struct leg *l = lay(&f, "preset=greedy-tail steps=3");
	state_init(&a, 1, L, NULL);
	state_init(&b, 1, L, NULL);
	run(&f, l, &a, &b, &c);
	for (int i = 0; i < L; i++)
		for (int j = 0; j < V; j++)
			best = best && x[i * V + j] <= x[i * V + a.tok[i]];
	CHECK(best, "greedy removal takes the most probable token everywhere");
	leg_free(l);
	state_done(&a);
	state_done(&b);
	free(x);
}

static void
check_causal(void)
{
	enum { L = 12, V = 9 };
	float *x = table(L, V, 0);
	struct fake f;
	struct state a, b;
	struct step_counts c;
	struct feat_want want[STEP_WANTS];
	bool one = true;

	fake_init(&f, OUT_CAUSAL, L, V, 4, x);
	f.m.bos = 2;
	struct leg *l = lay(&f, "seed=5 top-k=1");
	state_init(&a, 1, L, NULL);
	state_init(&b, 1, L, NULL);
	a.fixed[6] = 1;
	a.tok[6] = 1;
	step_start(&f.m, &l->r, &a);
	CHECK(a.tok[0] == 2 && a.tok[1] == -1 && l->total == L - 1, "left to right starts with [BOS] and nothing");
	for (int n = 0; n < l->total; n++) {
		int wants = step_wants(&f.m, l, n, &a, want);
		one = one && wants == (n + 1 != 6) && (!wants || want[0].len == n + 1);
		one = one && step(&f.m, l, n, &a, &b, &c, fake_features, &f, NULL, NULL) == ST_OK && c.rows == wants;
		for (int i = 0; i < L; i++)
			one = one && (b.tok[i] >= 0) == (i <= n + 1 || i == 6);
		/* top-k 1: the best token of row n that is not the mask */
		for (int j = 0; j < V && n + 1 != 6; j++)
			one = one && (j == 4 || x[n * V + j] <= x[n * V + b.tok[n + 1]]) && b.tok[n + 1] != 4;
		state_copy(&a, &b);
	}
	CHECK(one && a.tok[6] == 1, "each step draws one token from one row; a clamped one costs nothing");
	leg_free(l);
	state_done(&a);
	state_done(&b);
	free(x);
}

/* ---- failures ---- */

static enum status
no_features(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	(void)ctx;
	(void)n;
	(void)w;
	(void)c;
	return error_set(e, ST_MEMORY, "no features");
}

static void
check_failures(void)
{
	enum { L = 8, V = 7 };
	float *x = table(L, V, 0);
	struct fake f;
	struct state a, b;
	struct step_counts c;
	struct error e = { 0 };
	struct cancel stop = { .between = NULL };

	fake_init(&f, OUT_MEAN, L, V, -1, x);
	struct leg *l = lay(&f, "steps=4 kappa=0");
	state_init(&a, 1, L, NULL);
	state_init(&b, 1, L, NULL);
	step_start(&f.m, &l->r, &a);
	CHECK(step(&f.m, l, 3, &a, &b, &c, no_features, NULL, NULL, &e) == ST_MEMORY && strcmp(e.msg,
	    "no features") == 0,
	    "what the features say is passed on");
	CHECK(step(&f.m, l, 5, &a, &b, &c, fake_features, &f, NULL, &e) == ST_USAGE, "past the end: %s", e.msg);
	atomic_store(&stop.asked, 1);
	CHECK(step(&f.m, l, 3, &a, &b, &c, fake_features, &f, &stop, &e) == ST_CANCELLED, "cancel is obeyed");
	for (int i = 0; i < L; i++)
		x[i * V + 2] = NAN;
	CHECK(step(&f.m, l, 3, &a, &b, &c, fake_features, &f, NULL, &e) == ST_NUMERIC, "NaN: %s", e.msg);
	leg_free(l);
	f.m.out = OUT_SCORE;
	f.m.mask = V - 1;
	l = lay(&f, "steps=4");
	step_start(&f.m, &l->r, &a);
	CHECK(step(&f.m, l, 3, &a, &b, &c, fake_features, &f, NULL, &e) == ST_NUMERIC, "NaN in a score: %s", e.msg);
	leg_free(l);
	state_done(&a);
	state_done(&b);
	CHECK(state_init(&a, 1 << 20, 1 << 20, &e) == ST_USAGE, "a state that is too large: %s", e.msg);
	free(x);
}

static void
check_entropy(void)
{
	int32_t t[] = { 3, 3, 5, 5, -1, 9, 9, 9, 9 };

	CHECK(fabs(metric_entropy(9, t) - (.25 * log(4) * 2 + .5 * log(2))) < 1e-12, "entropy of token counts");
	CHECK(metric_entropy(0, t) == 0, "of nothing");
}

int
main(void)
{
	check_threads();
	check_batch();
	check_near_runs();
	check_asks();
	check_few_rows();
	check_informed();
	check_clamps();
	check_causes();
	check_explicit_causes();
	check_greedy();
	check_causal();
	check_failures();
	check_entropy();
	return check_done();
}
