/*
 * test_guidance.c: guidance end to end over the sampler thread: which network
 * calls a turned scale or class costs, the colouring of what guidance did
 * against the inspector's numbers, and guidance by a classifier whose gradient
 * is exact.
 */
#include <limits.h>
#include <math.h>

#include "check.h"
#include "net/classifier.h"
#include "sampler_util.h"

static struct recipe
guided(const struct model *m, const char *label, const char *cfg)
{
	struct recipe r = recipe_of(m, 8, m->mask < 0 ? ".7" : "1");

	recipe_set(&r, "label", label, NULL);
	recipe_set(&r, "cfg", cfg, NULL);
	return r;
}

static struct fake *
labelled(enum output out, int mask)
{
	struct fake *f = fake_new(out, mask, 0, NULL);

	f->model.classes = 3;
	return f;
}

/* Calls that a look-ahead under r makes. */
static int
calls_of(struct sampler *s, struct fake *f, struct node *n, const struct recipe *r)
{
	int before = atomic_load(&f->calls);
	struct report a = ask(s, (struct request){ .kind = RQ_AHEAD, .node = n, .recipe = *r });

	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_PREVIEW, .node = n, .recipe = *r });
	bool there = a.status == ST_OK && !a.missing;
	report_done(&a);
	return there ? atomic_load(&f->calls) - before : -1;
}

static void
test_calls(void)
{
	static const struct {
		const char *label, *cfg;
		int calls;
	} turn[] = {
		{ "1", "2", 2 }, { "1", "3.5", 0 }, { "1", "-1", 0 }, { "1", "1", 0 },
		{ "1", "0", 0 }, { "2", "3.5", 1 }, { "2", "1", 0 },  { "3", "2", 0 },
	};
	struct fake *f = labelled(OUT_MEAN, -1);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r = guided(&f->model, "1", "2");
	struct node *n = start(s, &r);

	for (size_t i = 0; i < sizeof turn / sizeof *turn; i++) {
		r = guided(&f->model, turn[i].label, turn[i].cfg);
		int calls = calls_of(s, f, n, &r);
		CHECK(calls == turn[i].calls, "label %s, cfg %s: %d calls more", turn[i].label, turn[i].cfg, calls);
	}
	sampler_free(s);
	model_free(&f->model);
}

/* The colouring says what the inspector says of each position. */
static void
compare_paint(struct sampler *s, struct node *from, struct request q, const int32_t *drawn, const char *what)
{
	double off = 0, most = 0;
	struct report p = ask(s, q);

	if (!CHECK(p.status == ST_OK && p.value, "%s: painted", what))
		return;
	for (int i = 0; i < FAKE_L; i++) {
		struct report a = ask(s, (struct request){ .kind = RQ_INSPECT,
							   .node = from,
							   .recipe = q.recipe,
							   .pos = i,
							   .drawn = true,
							   .tok = { drawn[i] },
							   .compute = true });
		const struct look_guided *g = &a.look.drawn;
		bool masked = drawn[i] == 12;
		double want = a.status == ST_OK && a.look.guided && !masked ? g->guided - g->cond : 0;
		off = fmax(off, fabs(want - (double)p.value[i]));
		most = fmax(most, fabs(want));
		report_done(&a);
	}
	CHECK(off < 1e-5, "%s: the inspector's numbers (%.1e, up to %.2f)", what, off, most);
	CHECK(most > 1e-3, "%s: guidance did something", what);
	report_done(&p);
}

static void
test_paint(enum output out, int mask, const char *name)
{
	struct fake *f = labelled(out, mask);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r = guided(&f->model, "1", "3"), other = guided(&f->model, "2", "4"),
		      plain = guided(&f->model, "1", "1");
	struct node *n = start(s, &r), *k = steps(s, n, &r, 3);
	int32_t tok[FAKE_L];

	copy_tokens(s, k, 1, tok);
	struct request q = { .kind = RQ_PAINT, .node = k, .recipe = r, .paint = PAINT_GUIDANCE, .compute = true };
	compare_paint(s, k->up, q, tok, name);
	struct report a = ask(s, (struct request){ .kind = RQ_PREVIEW, .node = k, .recipe = other, .compute = true });
	memcpy(tok, a.preview.tok, sizeof tok);
	report_done(&a);
	q.recipe = other;
	q.coming = true;
	compare_paint(s, k, q, tok, "the coming step");
	q.recipe = plain;
	a = ask(s, q);
	bool zero = a.status == ST_OK && a.value;
	for (int i = 0; zero && i < FAKE_L; i++)
		zero = a.value[i] == 0;
	CHECK(zero, "%s: at cfg 1 nothing is guided", name);
	report_done(&a);
	sampler_free(s);
	model_free(&f->model);
}

/* ---- a classifier whose log p is a sum over positions ---- */

static double
say(int label, int l, int v)
{
	return fake_mix((unsigned)(l * 31 + label), (unsigned)(v + 7));
}

static enum status
table_log_p(struct classifier *c, int n, const int32_t *tok, const double *sigma, double *out, struct cancel *cancel,
	    struct error *e)
{
	(void)sigma;
	(void)cancel;
	(void)e;
	for (int i = 0; i < n; i++)
		for (int y = 0; y < c->classes; y++) {
			double *to = &out[i * c->classes + y];
			*to = 0;
			for (int l = 0; l < FAKE_L; l++)
				*to += say(y, l, tok[i * FAKE_L + l]);
		}
	return ST_OK;
}

static enum status
table_gradient(struct classifier *c, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
	       struct cancel *cancel, struct error *e)
{
	(void)tok;
	(void)sigma;
	(void)cancel;
	(void)e;
	for (int i = 0; i < n * FAKE_L; i++)
		for (int v = 0; v < FAKE_V; v++)
			feat[i * c->F + v] = (float)say(label[i / FAKE_L], i % FAKE_L, v);
	return ST_OK;
}

static enum status
table_rows(struct classifier *c, int n, const float *feat, float *grad, struct cancel *cancel, struct error *e)
{
	(void)cancel;
	(void)e;
	memcpy(grad, feat, (size_t)n * (size_t)c->V * sizeof *grad);
	return ST_OK;
}

/* The token that the classifier wants at l; -1: by too little to decide alone. */
static int
best(int label, int l, int mask)
{
	int at = -1;

	for (int v = 0; v < FAKE_V; v++)
		if (v != mask && (at < 0 || say(label, l, v) > say(label, l, at)))
			at = v;
	for (int v = 0; v < FAKE_V; v++)
		if (v != mask && v != at && say(label, l, v) > say(label, l, at) - .1)
			return -1;
	return at;
}

static void
test_classifier(enum output out, int mask, const char *name)
{
	struct classifier c = { .L = FAKE_L,
				.V = FAKE_V,
				.classes = 4,
				.F = FAKE_V,
				.log_p = table_log_p,
				.gradient = table_gradient,
				.rows = table_rows };
	struct fake *f = fake_new(out, mask, 0, NULL);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r;
	int32_t first[FAKE_L], exact[FAKE_L], none[FAKE_L];
	int hits = 0, sure = 0;

	f->model.guide = &c;
	r = guided(&f->model, "2", "1");
	recipe_set(&r, "top-p", "1", NULL);
	recipe_set(&r, "cls", "2", NULL);
	copy_tokens(s, steps(s, start(s, &r), &r, INT_MAX), 1, first);
	recipe_set(&r, "guide", "exact", NULL);
	copy_tokens(s, steps(s, start(s, &r), &r, INT_MAX), 1, exact);
	recipe_set(&r, "guide", "first", NULL);
	recipe_set(&r, "cls", "0", NULL);
	copy_tokens(s, steps(s, start(s, &r), &r, INT_MAX), 1, none);
	CHECK(memcmp(first, exact, sizeof first) == 0, "%s: first order is exact for what is linear", name);
	CHECK(memcmp(first, none, sizeof first) != 0, "%s: the classifier changes the sample", name);
	recipe_set(&r, "cls", "500", NULL);
	copy_tokens(s, steps(s, start(s, &r), &r, INT_MAX), 1, first);
	for (int l = 0; l < FAKE_L; l++) {
		sure += best(2, l, mask) >= 0;
		hits += first[l] == best(2, l, mask);
	}
	CHECK(sure >= 8 && hits == sure, "%s: a strong one decides alone (%d of %d)", name, hits, sure);

	recipe_set(&r, "cls", "2", NULL);
	struct node *k = steps(s, start(s, &r), &r, 2);
	copy_tokens(s, k, 1, first);
	compare_paint(
	    s, k->up,
	    (struct request){ .kind = RQ_PAINT, .node = k, .recipe = r, .paint = PAINT_GUIDANCE, .compute = true },
	    first, name);
	sampler_free(s);
	model_free(&f->model);
}

int
main(void)
{
	test_calls();
	test_paint(OUT_MEAN, -1, "uniform");
	test_paint(OUT_SUBS, 12, "masked");
	test_classifier(OUT_MEAN, -1, "uniform, classifier");
	test_classifier(OUT_SUBS, 12, "masked, classifier");
	return check_done();
}
