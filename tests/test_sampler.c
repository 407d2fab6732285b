/*
 * test_sampler.c: the sampler thread over a small fake network: the tree,
 * the order of service, look-ahead, errors, and storms of requests (run it
 * under ThreadSanitizer).
 */
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sampler_util.h"

/* ---- the tree ---- */

static int
children(const struct node *n)
{
	int k = 0;

	for (struct node *c = n->down; c; c = c->next)
		k++;
	return k;
}

static void
test_branches(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe a = recipe_of(&f->model, 10, ".9"), b = recipe_of(&f->model, 10, ".5");
	struct node *top = start(s, &a), *x = steps(s, top, &a, 3);

	CHECK(x && x->step == 3 && x->up->up->up == top && x->leg == x->on && x->leg == top->on,
		"three steps of one leg");
	CHECK(steps(s, top, &a, 3) == x && children(top) == 1, "asked again, the same states");
	struct node *y = steps(s, x->up, &b, 1);
	CHECK(y && y != x && y->up == x->up && children(x->up) == 2, "another recipe makes a branch");
	CHECK(y->leg != x->leg && y->leg->r.zone[0].value == .5 && y->leg->first == 2, "a leg of its own from there");
	struct recipe same = recipe_of(&f->model, 10, ".50");
	CHECK(steps(s, x->up, &same, 1) == y, "an equal recipe finds it");
	struct node *end = steps(s, y, &b, INT_MAX);
	CHECK(end && end->done && !y->done, "to the end");
	struct report r = ask(s, (struct request){ .kind = RQ_STEP, .node = end, .recipe = b, .count = 1 });
	CHECK(r.status == ST_OK && r.node == end && r.last, "nothing follows the end");
	report_done(&r);

	struct edit *e = mem_calloc(2, sizeof *e);
	e[0] = (struct edit){ .i = 4, .tok = 7, .clamp = 1 };
	e[1] = (struct edit){ .i = 5, .tok = 8, .clamp = -1 };
	r = ask(s, (struct request){ .kind = RQ_EDIT, .node = x, .edit = e, .n_edit = 2 });
	CHECK(r.status == ST_OK && r.node->up == x && !r.node->leg && r.node->on == x->on && r.node->step == 3,
		"an edit is a child");
	struct state st;
	state_init(&st, 1, FAKE_L, NULL);
	tree_read(sampler_tree(s), r.node, &st);
	CHECK(st.tok[4] == 7 && st.fixed[4] && st.cause[4] == CAUSE_CLAMP && st.tok[5] == 8 &&
			st.cause[5] == CAUSE_EDIT && !st.fixed[5],
		"with its causes");
	struct node *after = steps(s, r.node, &a, INT_MAX);
	tree_read(sampler_tree(s), after, &st);
	CHECK(st.tok[4] == 7 && st.fixed[4], "a clamp holds to the end");
	report_done(&r);
	e = mem_calloc(1, sizeof *e);
	e[0] = (struct edit){ .i = 6, .tok = 9, .clamp = -1 };
	r = ask(s, (struct request){ .kind = RQ_EDIT, .node = after, .edit = e, .n_edit = 1 });
	tree_read(sampler_tree(s), r.node, &st);
	CHECK(st.cause[4] == CAUSE_CLAMP && st.cause[6] == CAUSE_EDIT && st.cause[7] == CAUSE_UNTOUCHED,
		"an edit leaves clamps alone");
	report_done(&r);
	e = mem_calloc(1, sizeof *e);
	e[0] = (struct edit){ .i = 4, .tok = -1, .clamp = 0 };
	r = ask(s, (struct request){ .kind = RQ_EDIT, .node = r.node, .edit = e, .n_edit = 1 });
	tree_read(sampler_tree(s), r.node, &st);
	CHECK(st.cause[4] == CAUSE_UNTOUCHED && !st.fixed[4] && st.tok[4] == 7, "a clamp can be taken off");
	report_done(&r);

	size_t before = tree_bytes(sampler_tree(s));
	r = ask(s, (struct request){ .kind = RQ_FREE, .node = y });
	CHECK(r.status == ST_OK && children(x->up) == 1 && tree_bytes(sampler_tree(s)) < before, "a branch is freed");
	report_done(&r);
	state_done(&st);
	sampler_free(s);
	model_free(&f->model);
}

static void
test_clamped_start(void)
{
	struct fake *f = fake_new(OUT_SUBS, 12, 0, NULL);
	struct sampler *s = sampler_of(f, 2, 0);
	struct recipe r = recipe_of(&f->model, 10, NULL);
	struct edit *e = mem_calloc(1, sizeof *e);

	*e = (struct edit){ .i = FAKE_L + 3, .tok = 6, .clamp = 1 };
	struct report a = ask(s, (struct request){ .kind = RQ_START, .recipe = r, .edit = e, .n_edit = 1 });
	struct state st;
	state_init(&st, 2, FAKE_L, NULL);
	tree_read(sampler_tree(s), a.node, &st);
	CHECK(st.tok[FAKE_L + 3] == 6 && st.fixed[FAKE_L + 3] && st.tok[3] == 12 && !st.fixed[3],
		"a run may start with clamps");
	struct node *end = steps(s, a.node, &r, INT_MAX);
	tree_read(sampler_tree(s), end, &st);
	CHECK(st.tok[FAKE_L + 3] == 6 && st.tok[3] != 12, "and keeps them");
	report_done(&a);
	state_done(&st);
	sampler_free(s);
	model_free(&f->model);
}

/* ---- network calls ---- */

static void
test_look_ahead(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r = recipe_of(&f->model, 10, ".5"), other = recipe_of(&f->model, 10, ".2");
	struct node *n = start(s, &r);

	struct report a = ask(s, (struct request){ .kind = RQ_PREVIEW, .node = n, .recipe = r });
	CHECK(a.status == ST_OK && a.missing && f->calls == 0, "no preview without kept features");
	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_INSPECT, .node = n, .recipe = r, .pos = 3 });
	CHECK(a.missing && f->calls == 0, "nor the inspector");
	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_AHEAD, .node = n, .recipe = r });
	CHECK(a.status == ST_OK && f->calls == 1, "look-ahead calls the network");
	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_PREVIEW, .node = n, .recipe = r });
	CHECK(a.status == ST_OK && !a.missing && a.preview.tok && f->calls == 1, "then the preview needs no call");
	struct node *next = steps(s, n, &r, 1);
	struct state st;
	state_init(&st, 1, FAKE_L, NULL);
	tree_read(sampler_tree(s), next, &st);
	CHECK(memcmp(st.tok, a.preview.tok, FAKE_L * sizeof *st.tok) == 0 &&
	      memcmp(st.cause, a.preview.cause, FAKE_L) == 0, "the preview is what the step makes");
	CHECK(f->calls == 1 && next->counts.nfe == 1, "the step uses the features; the call counts once");
	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_STEP, .node = n, .recipe = other, .count = 1 });
	CHECK(f->calls == 1 && a.counts.nfe == 0 && a.node != next, "another kappa re-draws from kept features");
	report_done(&a);
	a = ask(s, (struct request){ .kind = RQ_INSPECT, .node = n, .recipe = other, .pos = 3 });
	CHECK(a.status == ST_OK && !a.missing && a.look.z >= 0 && a.look.n > 0 && f->calls == 1, "the inspector, too");
	report_done(&a);
	struct sampler_progress p;
	sampler_progress(s, &p);
	CHECK(p.nfe == 1 && p.net_ms > 0 && p.cache_bytes > 0, "progress: %ld call, %.3f ms", p.nfe, p.net_ms);
	state_done(&st);
	sampler_free(s);
	model_free(&f->model);
}

static void
test_paint(const struct kind *k)
{
	struct pool *pool = pool_new(2);
	struct fake *f = fake_new(k->out, k->mask, 0, pool);
	struct sampler *s = sampler_of(f, 2, 0);
	struct recipe r = recipe_of(&f->model, 12, k->kappa);
	struct node *n = steps(s, start(s, &r), &r, 8);
	struct report a = ask(s, (struct request){ .kind = RQ_PAINT, .node = n, .recipe = r, .paint = PAINT_ARGMAX,
		.compute = true });
	struct report h = ask(s, (struct request){ .kind = RQ_PAINT, .node = n, .recipe = r, .paint = PAINT_ENTROPY });
	struct report c = ask(s, (struct request){ .kind = RQ_PAINT, .node = n, .recipe = r,
		.paint = PAINT_CONFIDENCE });
	int wrong = 0, looked = 0;

	CHECK(a.status == ST_OK && h.status == ST_OK && c.status == ST_OK && !h.missing, "%s: three paintings",
		k->name);
	for (int i = k->out == OUT_CAUSAL; i < 2 * FAKE_L && a.token && h.value && c.value; i += 5) {
		int pos = i % FAKE_L;
		if (k->out == OUT_CAUSAL && (pos == 0 || pos > 8))
			continue;
		struct report l = ask(s, (struct request){ .kind = RQ_INSPECT, .node = n, .recipe = r,
			.sample = i / FAKE_L,
			.pos = pos, .compute = true });
		looked++;
		wrong += l.status != ST_OK || l.look.n < 1 || l.look.top[0].tok != a.token[i] ||
			fabs(l.look.entropy - (double)h.value[i]) > 1e-4 ||
			fabs(l.look.p_now - (double)c.value[i]) > 1e-4;
		report_done(&l);
	}
	CHECK(looked > 2 && wrong == 0, "%s: they say what the inspector says (%d of %d differ)", k->name, wrong,
		looked);
	report_done(&a);
	report_done(&h);
	report_done(&c);
	sampler_free(s);
	model_free(&f->model);
	pool_free(pool);
}

/* ---- headless runs ---- */

static void
test_flat(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 3, 1);
	struct recipe r = recipe_of(&f->model, 100, ".9");
	struct node *top = start(s, &r);
	struct request q = { .kind = RQ_STEP, .node = top, .recipe = r, .count = INT_MAX, .flat = true, .each = true };
	uint64_t ticket = sampler_ask(s, &q);
	struct node *end = NULL;
	int reports = 0, wrong = 0, nfe = 0;

	for (bool last = false; !last; ) {
		struct report a;
		sampler_wait(s, &a);
		last = a.last;
		reports++;
		wrong += a.ticket != ticket || a.status != ST_OK || (a.node != NULL) != a.last || !a.each ||
			a.step != reports;
		for (int k = 0; k < CAUSE_COUNT && a.each; k++)
			wrong += a.counts.by_cause[k] !=
				a.each[0].by_cause[k] + a.each[1].by_cause[k] + a.each[2].by_cause[k];
		wrong += a.counts.nfe != a.each[0].nfe + a.each[1].nfe + a.each[2].nfe;
		wrong += a.counts.rows != a.each[0].rows + a.each[1].rows + a.each[2].rows;
		nfe += a.counts.nfe;
		end = a.node;
		report_done(&a);
	}
	CHECK(wrong == 0 && reports == end->step && end->done, "every state of a flat run is reported (%d)", reports);
	CHECK(nfe == f->calls, "its network calls are counted: %d", nfe);
	CHECK(end->up == top && top->down == end, "only the first and the last are kept");
	struct sampler *t = sampler_of(f, 3, 0);
	static int32_t a[3 * FAKE_L], b[3 * FAKE_L];
	copy_tokens(s, end, 3, a);
	copy_tokens(t, steps(t, start(t, &r), &r, INT_MAX), 3, b);
	CHECK(memcmp(a, b, sizeof a) == 0, "with the same tokens as a kept run");
	sampler_free(t);
	sampler_free(s);
	model_free(&f->model);
}

/* ---- order, cancel, errors ---- */

/* While a slow trunk runs, an edit and a preview are answered before it ends. */
static void
test_beside(int threads)
{
	struct pool *pool = pool_new(threads);
	struct fake *f = fake_new(OUT_MEAN, -1, 0, pool);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r = recipe_of(&f->model, 10, ".5");
	struct node *top = start(s, &r), *next = steps(s, top, &r, 1);
	struct report a;
	enum request_kind order[4];

	f->item_us = 10000;
	struct request q = { .kind = RQ_STEP, .node = next, .recipe = r, .count = 1 };
	sampler_ask(s, &q);
	while (f->calls < 2)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	q = (struct request){ .kind = RQ_PREVIEW, .node = top, .recipe = r };
	sampler_ask(s, &q);
	struct edit *e = mem_calloc(1, sizeof *e);
	*e = (struct edit){ .i = 1, .tok = 1, .clamp = 1 };
	q = (struct request){ .kind = RQ_EDIT, .node = top, .edit = e, .n_edit = 1 };
	sampler_ask(s, &q);
	q = (struct request){ .kind = RQ_INSPECT, .node = top, .recipe = r, .pos = 2 };
	sampler_ask(s, &q);
	for (int i = 0; i < 4; i++) {
		sampler_wait(s, &a);
		order[i] = a.kind;
		if (a.status != ST_OK || a.missing)
			order[i] = RQ_FREE;
		report_done(&a);
	}
	bool steps_last = order[3] == RQ_STEP;
	for (int i = 0; i < 3; i++)
		steps_last &= order[i] == RQ_EDIT || order[i] == RQ_PREVIEW || order[i] == RQ_INSPECT;
	CHECK(steps_last, "%d threads: preview, edit and inspector are served beside a running trunk", threads);
	sampler_free(s);
	model_free(&f->model);
	pool_free(pool);
}

static void
test_stop(int threads)
{
	struct pool *pool = pool_new(threads);
	struct fake *f = fake_new(OUT_MEAN, -1, 0, pool);
	struct sampler *s = sampler_of(f, 4, 0);
	struct recipe r = recipe_of(&f->model, 10, ".5");
	struct node *top = start(s, &r);
	double worst = 0;
	int wrong = 0;

	f->item_us = 5000; /* 96 of them: half a second on one thread */
	for (int i = 0; i < 5; i++) {
		int before = f->calls;
		struct request q = { .kind = RQ_STEP, .node = top, .recipe = r, .count = INT_MAX };
		uint64_t ticket = sampler_ask(s, &q);
		while (f->calls == before)
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
		nanosleep(&(struct timespec){ 0, 1000000L * i }, NULL);
		double begin = now_ms();
		sampler_stop(s);
		struct report a = answer(s, ticket);
		worst = fmax(worst, now_ms() - begin);
		wrong += a.status != ST_CANCELLED || a.node != top;
		report_done(&a);
	}
	CHECK(wrong == 0, "%d threads: a stopped step says so", threads);
	CHECK(worst < 50, "%d threads: obeyed within %.1f ms", threads, worst);
	f->item_us = 0;
	CHECK(steps(s, top, &r, INT_MAX) != NULL, "and the run can go on");
	sampler_free(s);
	model_free(&f->model);
	pool_free(pool);
}

static void
test_errors(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 1, 0);
	struct recipe r = recipe_of(&f->model, 10, ".5");
	struct node *top = start(s, &r);

	atomic_store(&f->fail, 1);
	struct report a = ask(s, (struct request){ .kind = RQ_STEP, .node = top, .recipe = r, .count = INT_MAX });
	CHECK(a.status == ST_NUMERIC && strstr(a.error.msg, "told to fail") && a.node && a.node->step >= 1,
	      "a failing network is reported; the states before it stay: %s", a.error.msg);
	CHECK(steps(s, a.node, &r, 1) != NULL, "and it can be tried again");
	report_done(&a);
	static const struct edit bad[] = { { .i = -1, .tok = 1 }, { .i = FAKE_L, .tok = 1 },
		{ .i = 0, .tok = FAKE_V } };
	for (int i = 0; i < 3; i++) {
		struct edit *e = mem_calloc(1, sizeof *e);
		*e = bad[i];
		a = ask(s, (struct request){ .kind = RQ_EDIT, .node = top, .edit = e, .n_edit = 1 });
		CHECK(a.status == ST_USAGE && a.error.msg[0], "refused: %s", a.error.msg);
		report_done(&a);
	}
	struct recipe wrong = r;
	wrong.raw = true;
	a = ask(s, (struct request){ .kind = RQ_STEP, .node = top, .recipe = wrong, .count = 1 });
	CHECK(a.status == ST_USAGE, "refused: %s", a.error.msg);
	report_done(&a);
	wrong = r;
	wrong.per = PER_CONF;
	wrong.steps = 0;
	a = ask(s, (struct request){ .kind = RQ_START, .recipe = wrong });
	CHECK(a.status == ST_USAGE, "refused: %s", a.error.msg);
	report_done(&a);
	sampler_free(s);
	model_free(&f->model);
}

static void
test_weight_sets(void)
{
	struct fake *ema = fake_new(OUT_MEAN, -1, 0, NULL), *raw = fake_new(OUT_MEAN, -1, 1, NULL);
	struct sampler_setup setup = { .ema = &ema->model, .raw = &raw->model, .samples = 1 };
	struct sampler *s = sampler_new(&setup, NULL);
	struct recipe a = recipe_of(&ema->model, 10, ".5"), b = a;

	b.raw = true;
	struct node *top = start(s, &a), *x = steps(s, top, &a, 10), *y = steps(s, top, &b, 10);
	static int32_t tx[FAKE_L], ty[FAKE_L];
	copy_tokens(s, x, 1, tx);
	copy_tokens(s, y, 1, ty);
	CHECK(ema->calls > 0 && raw->calls > 0 && memcmp(tx, ty, sizeof tx) != 0, "raw weights are another network");
	sampler_free(s);
	model_free(&ema->model);
	model_free(&raw->model);
}

/* ---- a storm ---- */

struct storm { struct sampler *s; struct node *node[512]; int n, open, wrong; struct recipe recipe[3]; };

static void
storm_request(struct storm *w)
{
	struct node *n = w->node[draw(w->n)];
	struct request q = { .node = n, .recipe = w->recipe[draw(3)], .count = 1 + draw(3), .pos = draw(FAKE_L),
		.sample = draw(2), .compute = draw(2), .paint = (enum paint)draw(3) };
	static const enum request_kind often[] = { RQ_STEP, RQ_STEP, RQ_STEP, RQ_PREVIEW, RQ_PREVIEW, RQ_INSPECT,
		RQ_PAINT, RQ_AHEAD, RQ_EDIT, RQ_START };

	q.kind = often[draw(10)];
	if (q.kind == RQ_START)
		q.node = NULL;
	if (q.kind == RQ_EDIT) {
		q.edit = mem_calloc(1, sizeof *q.edit);
		*q.edit = (struct edit){ .i = draw(2 * FAKE_L), .tok = draw(FAKE_V),
			.clamp = (signed char)(draw(3) - 1), .again = draw(2) };
		q.n_edit = 1;
	}
	sampler_ask(w->s, &q);
	w->open++;
}

static void
storm_reports(struct storm *w, bool all)
{
	struct report r;
	struct state st;

	state_init(&st, 2, FAKE_L, NULL);
	for (;;) {
		if (all && w->open > 0)
			sampler_wait(w->s, &r);
		else if (!sampler_take(w->s, &r))
			break;
		w->open -= r.last;
		w->wrong += r.status != ST_OK && r.status != ST_CANCELLED && r.status != ST_USAGE;
		if (r.node) {
			tree_read(sampler_tree(w->s), r.node, &st);
			for (int i = 0; i < 2 * FAKE_L; i++)
				w->wrong += st.tok[i] < 0 || st.tok[i] >= FAKE_V;
			if (w->n < 512)
				w->node[w->n++] = r.node;
		}
		report_done(&r);
	}
	state_done(&st);
}

static void
test_storm(int threads, size_t cache)
{
	struct pool *pool = pool_new(threads);
	struct fake *f = fake_new(OUT_MEAN, -1, 0, pool);
	struct storm w = { .s = sampler_of(f, 2, cache) };

	f->item_us = 20;
	for (int i = 0; i < 3; i++)
		w.recipe[i] = recipe_of(&f->model, 8, (const char *[]){ ".3", ".6", "1" }[i]);
	w.node[w.n++] = start(w.s, &w.recipe[0]);
	for (int i = 0; i < 400; i++) {
		storm_request(&w);
		if (draw(4) == 0)
			storm_reports(&w, false);
		if (draw(20) == 0)
			sampler_stop(w.s);
		if (draw(10) == 0)
			nanosleep(&(struct timespec){ 0, 300000 }, NULL);
	}
	storm_reports(&w, true);
	struct pollfd p = { .fd = sampler_fd(w.s), .events = POLLIN };
	CHECK(w.wrong == 0 && w.open == 0, "%d threads: 400 requests, each answered to its end; %d states seen",
		threads, w.n);
	CHECK(poll(&p, 1, 0) == 0, "no reports, nothing to read");
	for (int i = 0; i < 30; i++) /* leave in the middle of it */
		storm_request(&w);
	sampler_free(w.s);
	model_free(&f->model);
	pool_free(pool);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		test_paint(&kinds[i]);
	test_branches();
	test_clamped_start();
	test_look_ahead();
	test_flat();
	test_beside(1);
	test_beside(2);
	test_stop(1);
	test_stop(3);
	test_errors();
	test_weight_sets();
	test_storm(1, 0);
	test_storm(3, 20000);
	return check_done();
}
