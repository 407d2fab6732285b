/*
 * test_same_tokens.c: over a small fake network, the same recipe gives the
 * same tokens whatever the number of threads, the size of the batch and the
 * way one got to a state; and a recipe nearby gives nearly the same.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sampler_util.h"


/* A whole run of `samples` samples from number `first`, straight. */
static void
straight(const struct kind *k, int threads, int samples, int first, int32_t *out)
{
	struct pool *pool = pool_new(threads);
	struct fake *f = fake_new(k->out, k->mask, 0, pool);
	struct sampler *s = sampler_of(f, samples, 0);
	struct recipe r = recipe_of(&f->model, 20, k->kappa);

	r.first = first;
	copy_tokens(s, steps(s, start(s, &r), &r, INT_MAX), samples, out);
	sampler_free(s);
	model_free(&f->model);
	pool_free(pool);
}

/* The same run with jumps back and forth, other knobs, previews and edits in
 * between, and a cache that keeps hardly anything. */
static void
jumping(const struct kind *k, int jumps, int32_t *out)
{
	struct pool *pool = pool_new(2);
	struct fake *f = fake_new(k->out, k->mask, 0, pool);
	struct sampler *s = sampler_of(f, 1, 2000);
	struct recipe r = recipe_of(&f->model, 20, k->kappa), other = r;
	struct node *at = start(s, &r), *top = at;

	recipe_set(&other, "temperature", "1.5", NULL);
	for (int i = 0; i < jumps; i++) {
		at = steps(s, at, &r, 1 + draw(3));
		for (int back = draw(5); back > 0 && at->up; back--)
			at = at->up;
		if (draw(3) == 0)
			steps(s, at, &other, 1 + draw(4));
		struct report a = ask(s, (struct request){ .kind = RQ_PREVIEW, .node = at,
			.recipe = draw(2) ? r : other,
			.compute = draw(2) });
		report_done(&a);
		struct edit *e = mem_calloc(1, sizeof *e);
		*e = (struct edit){ .i = draw(FAKE_L), .tok = 1, .clamp = -1 };
		a = ask(s, (struct request){ .kind = RQ_EDIT, .node = at, .edit = e, .n_edit = 1 });
		steps(s, a.node, &r, 1);
		report_done(&a);
	}
	at = steps(s, at, &r, INT_MAX);
	copy_tokens(s, at, 1, out);
	CHECK(at == steps(s, top, &r, INT_MAX), "%s: the run is kept: stepping through it again ends at the same state",
		k->name);
	sampler_free(s);
	model_free(&f->model);
	pool_free(pool);
}

static void
test_same_tokens(const struct kind *k)
{
	static int32_t one[FAKE_L], many[7 * FAKE_L], again[7 * FAKE_L];
	const size_t row = FAKE_L * sizeof *one;

	straight(k, 1, 1, 0, one);
	straight(k, 1, 7, 0, many);
	CHECK(memcmp(one, many, row) == 0, "%s: one sample or seven at a time", k->name);
	CHECK(memcmp(many, many + FAKE_L, row) != 0, "%s: two samples differ", k->name);
	for (int i = 0; i < 3; i++) {
		static const int threads[] = { 2, 5, 1 };
		straight(k, threads[i], 7, 0, again);
		CHECK(memcmp(many, again, 7 * row) == 0, "%s: %d threads", k->name, threads[i]);
	}
	straight(k, 2, 1, 5, again);
	CHECK(memcmp(many + 5 * FAKE_L, again, row) == 0, "%s: sample 5 alone", k->name);
	jumping(k, 40, again);
	CHECK(memcmp(one, again, row) == 0, "%s: after 40 jumps back and forth", k->name);
}

/* Runs that differ by .01 in kappa share their noise: early on few tokens differ. */
static void
test_near_kappa(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 8, 0);
	struct recipe a = recipe_of(&f->model, 50, ".90"), b = recipe_of(&f->model, 50, ".91");
	static int32_t ta[8 * FAKE_L], tb[8 * FAKE_L];
	struct node *na = start(s, &a), *nb = start(s, &b);

	for (int i = 1; i <= 50; i++) {
		int differ = 0;
		na = steps(s, na, &a, 1);
		nb = steps(s, nb, &b, 1);
		copy_tokens(s, na, 8, ta);
		copy_tokens(s, nb, 8, tb);
		for (int j = 0; j < 8 * FAKE_L; j++)
			differ += ta[j] != tb[j];
		if (i == 5 || i == 50)
			printf("# kappa .90 and .91: %d of %d tokens differ after %d steps\n", differ, 8 * FAKE_L, i);
		if (i == 5)
			CHECK(differ <= 8 * FAKE_L / 10, "few tokens differ early");
	}
	sampler_free(s);
	model_free(&f->model);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		test_same_tokens(&kinds[i]);
	test_near_kappa();
	return check_done();
}
