/*
 * test_net.c: descriptions, plans and forward passes of src/net against plain
 * double loops, on every kernel path of this CPU; and that a result depends on
 * nothing but its own sample.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "dit_reference.h"
#include "models/describe.h"
#include "net/exec.h"
#include "net/netmodel.h"

static const char *const paths[] = { "portable", "avx2", "avx512" };

static double
uniform(uint32_t i)
{
	struct noise n = { .seed = 11, .step = i };

	return noise_scalar(&n, STAGE_DATA);
}

struct setup {
	struct config c;
	struct random_weights w;
	struct model *m;
	struct pool *pool;
};

static struct net *
described(const struct config *c)
{
	struct net *net = net_new();
	struct error e;

	if (dit_describe(c, net, &e) != ST_OK || net_finish(net, &e) != ST_OK) {
		CHECK(false, "describe: %s", e.msg);
		exit(1);
	}
	return net;
}

static void
set_up(struct setup *s, struct config c, const char *path, int threads, bool keep, enum dtype dtype)
{
	struct net *net = described(&c);
	struct error e;

	s->c = c;
	random_weights_init(&s->w, net, 5, dtype);
	s->pool = pool_new(threads);
	if (net_model_new(net, s->w.t, s->w.n, "weights", kern_named(path), s->pool, keep, &s->m, &e) != ST_OK) {
		CHECK(false, "model: %s", e.msg);
		exit(1);
	}
}

static void
tear_down(struct setup *s)
{
	model_free(s->m);
	pool_free(s->pool);
	random_weights_done(&s->w);
}

/* n samples of random tokens, noise levels, labels. */
static void
inputs(const struct config *c, int n, int32_t *tok, double *sigma, int *label)
{
	for (int i = 0; i < n * c->length; i++)
		tok[i] = (int32_t)(uniform((uint32_t)i) * c->vocab);
	for (int i = 0; i < n; i++) {
		sigma[i] = 7 * uniform(100000u + (uint32_t)i);
		label[i] = i % (c->classes + 2) - 1;
	}
}

static double
worst(size_t n, const float *a, const double *b)
{
	double w = 0;

	for (size_t i = 0; i < n; i++)
		w = fmax(w, isfinite(a[i]) ? fabs((double)a[i] - b[i]) : INFINITY);
	return w;
}

static void
test_forward(const char *path, struct config c, enum dtype dtype, const char *what)
{
	struct setup s;
	struct error e = { 0 };
	size_t L = (size_t)c.length, V = (size_t)c.vocab, F = (size_t)c.hidden;
	int32_t *tok = malloc(3 * L * sizeof *tok);
	double sigma[3], *f = malloc(L * F * sizeof *f), *want = malloc(L * V * sizeof *want), bad = 0, bad_f = 0;
	int label[3];
	float *feat = malloc(3 * L * F * sizeof *feat), *logit = malloc(3 * L * V * sizeof *logit);

	set_up(&s, c, path, 2, false, dtype);
	inputs(&c, 3, tok, sigma, label);
	enum status st = s.m->trunk(s.m, 3, tok, sigma, label, feat, NULL, &e);
	CHECK(st == ST_OK && s.m->rows(s.m, (int)(3 * L), feat, logit, NULL, &e) == ST_OK, "%s, %s: runs %s", path,
		what, e.msg);
	for (size_t i = 0; i < 3; i++) {
		dit_reference(&c, &s.w, tok + i * L, NULL, sigma[i], label[i], f, want);
		bad_f = fmax(bad_f, worst(L * F, feat + i * L * F, f));
		bad = fmax(bad, worst(L * V, logit + i * L * V, want));
	}
	CHECK(bad < 4e-5 && bad_f < 4e-5, "%s, %s: features within %.1e, logits within %.1e of double", path, what,
		bad_f, bad);
	tear_down(&s);
	free(tok);
	free(f);
	free(want);
	free(feat);
	free(logit);
}

/* The curriculum's inputs: weighted rows, and softmax over the vocabulary. */
static void
test_mixtures(const char *path)
{
	struct config c = dit_config(29, 19, 32, 1, 2, 8, 0);
	size_t L = 19, V = 29;
	struct setup s;
	struct error e = { 0 };
	int32_t idx[19 * 3];
	float w[19 * 3], dense[19 * 29], feat[19 * 32], logit[19 * 29];
	double *x = calloc(L * V, sizeof *x), *want = malloc(L * V * sizeof *want), sigma = .7;

	set_up(&s, c, path, 2, false, DT_F32);
	for (size_t i = 0; i < 19 * 3; i++) {
		idx[i] = (int32_t)(uniform((uint32_t)i) * 29);
		w[i] = (float)uniform((uint32_t)(500 + i));
		x[i / 3 * V + (size_t)idx[i]] += (double)w[i];
	}
	struct net_input in = { .n = 1, .k = 3, .idx = idx, .w = w, .sigma = &sigma };
	enum status st = net_run_trunk(net_model_run(s.m), &in, feat, NULL, &e);
	if (st == ST_OK)
		st = s.m->rows(s.m, 19, feat, logit, NULL, &e);
	dit_reference(&c, &s.w, NULL, x, sigma, -1, NULL, want);
	CHECK(st == ST_OK && worst(L * V, logit, want) < 2e-5, "%s: weighted rows as input", path);
	for (size_t p = 0; p < L; p++) {
		double sum = 0;
		for (size_t v = 0; v < V; v++) {
			dense[p * V + v] = (float)(9 * uniform((uint32_t)(1000 + p * V + v)));
			sum += x[p * V + v] = exp((double)dense[p * V + v]);
		}
		for (size_t v = 0; v < V; v++)
			x[p * V + v] /= sum;
	}
	in = (struct net_input){ .n = 1, .dense = dense, .sigma = &sigma };
	st = net_run_trunk(net_model_run(s.m), &in, feat, NULL, &e);
	if (st == ST_OK)
		st = s.m->rows(s.m, 19, feat, logit, NULL, &e);
	dit_reference(&c, &s.w, NULL, x, sigma, -1, NULL, want);
	CHECK(st == ST_OK && worst(L * V, logit, want) < 2e-5, "%s: a softmax as input", path);
	for (size_t i = 0; i < L * V; i++)
		dense[i] = (float)x[i];
	in = (struct net_input){ .n = 1, .prob = dense, .sigma = &sigma };
	st = net_run_trunk(net_model_run(s.m), &in, feat, NULL, &e);
	if (st == ST_OK)
		st = s.m->rows(s.m, 19, feat, logit, NULL, &e);
	CHECK(st == ST_OK && worst(L * V, logit, want) < 2e-5, "%s: its values as input", path);
	tear_down(&s);
	free(x);
	free(want);
}

#define SAMPLES 7

/* Seven samples at once, one by one, with 1, 2 and 5 threads: the same bits. */
static void
test_company(const char *path)
{
	struct config c = dit_config(35, 100, 64, 2, 2, 16, 2);
	size_t n = (size_t)(100 * 64);
	int32_t *tok = malloc(SAMPLES * 100 * sizeof *tok);
	float *all = malloc(SAMPLES * n * sizeof *all), *other = malloc(SAMPLES * n * sizeof *other);
	double sigma[SAMPLES];
	int label[SAMPLES];
	static const int threads[] = { 1, 2, 5 };

	inputs(&c, SAMPLES, tok, sigma, label);
	for (int t = 0; t < 3; t++) {
		struct setup s;
		set_up(&s, c, path, threads[t], t == 2, DT_F32);
		s.m->trunk(s.m, SAMPLES, tok, sigma, label, t ? other : all, NULL, NULL);
		if (t)
			CHECK(memcmp(all, other, SAMPLES * n * sizeof *all) == 0, "%s: %d threads as 1%s", path,
				threads[t], t == 2 ? ", every value kept" : "");
		bool same = true;
		for (int i = 0; i < SAMPLES; i++) {
			s.m->trunk(s.m, 1, tok + 100 * i, sigma + i, label + i, other, NULL, NULL);
			same &= memcmp(all + (size_t)i * n, other, n * sizeof *all) == 0;
		}
		CHECK(same, "%s, %d threads: a sample alone as among seven", path, threads[t]);
		tear_down(&s);
	}
	free(tok);
	free(all);
	free(other);
}

/* A row of the head alone, and in companies of other sizes and places. */
static void
test_head_company(const char *path)
{
	struct config c = dit_config(1003, 64, 80, 1, 2, 8, 0);
	size_t V = 1003, F = 80;
	struct setup s;
	float *feat = malloc(130 * F * sizeof *feat), *alone = malloc(130 * V * sizeof *alone),
	      *many = malloc(130 * V * sizeof *many);
	static const int sizes[] = { 2, 3, 5, 7, 11, 12, 13, 16, 17, 47, 48, 49, 96, 128 };
	bool same = true;

	set_up(&s, c, path, 2, false, DT_F32);
	for (size_t i = 0; i < 130 * F; i++)
		feat[i] = (float)(6 * uniform((uint32_t)i) - 3);
	for (size_t i = 0; i < 130; i++)
		s.m->rows(s.m, 1, feat + i * F, alone + i * V, NULL, NULL);
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
		for (size_t first = 0; first + (size_t)sizes[k] <= 130; first += 1 + (size_t)sizes[k] / 3) {
			s.m->rows(s.m, sizes[k], feat + first * F, many, NULL, NULL);
			same &= memcmp(many, alone + first * V, (size_t)sizes[k] * V * sizeof *many) == 0;
		}
	CHECK(same, "%s: a head row in any company", path);
	tear_down(&s);
	free(feat);
	free(alone);
	free(many);
}

/* Causal: prefixes that grow, shrink and change, against a fresh model. */
static void
test_extend(const char *path)
{
	struct config c = dit_config(35, 100, 48, 2, 3, 0, 0);
	struct setup s, fresh;
	int32_t tok[100];
	float feat[48], again[48], *all = malloc(100 * 48 * sizeof *all);
	double sigma = 0, far = 0;
	int label = -1;
	bool same = true, ok = true;

	set_up(&s, c, path, 2, false, DT_F32);
	inputs(&c, 1, tok, &sigma, &label);
	ok &= s.m->trunk(s.m, 1, tok, &sigma, NULL, all, NULL, NULL) == ST_OK;
	for (int len = 1; len <= 100; len++) {
		ok &= s.m->extend(s.m, 3, len, tok, feat, NULL, NULL) == ST_OK;
		for (int i = 0; i < 48; i++)
			far = fmax(far, fabs((double)feat[i] - (double)all[(len - 1) * 48 + i]));
		if (strcmp(path, "portable") != 0)
			same &= memcmp(feat, all + (len - 1) * 48, sizeof feat) == 0;
	}
	CHECK(ok && far < 2e-5 && same, "%s: row by row as all at once (within %.1e)", path, far);
	same = true;
	for (int i = 0; i < 12; i++) {
		int len = 1 + (int)(100 * uniform(7000u + (uint32_t)i)), at = (int)(len * uniform(8000u + (uint32_t)i));
		tok[at] = (tok[at] + 1) % 35;
		ok &= s.m->extend(s.m, i % 3, len, tok, feat, NULL, NULL) == ST_OK;
		set_up(&fresh, c, path, 1, false, DT_F32);
		ok &= fresh.m->extend(fresh.m, 0, len, tok, again, NULL, NULL) == ST_OK;
		same &= memcmp(feat, again, sizeof feat) == 0;
		tear_down(&fresh);
	}
	CHECK(ok && same, "%s: the same bits whatever was kept", path);
	tok[50] = -1;
	for (int i = 51; i < 100; i++)
		tok[i] = -1;
	float *some = malloc(100 * 48 * sizeof *some);
	ok = s.m->trunk(s.m, 1, tok, &sigma, NULL, some, NULL, NULL) == ST_OK;
	ok &= s.m->extend(s.m, 0, 50, tok, feat, NULL, NULL) == ST_OK;
	far = 0;
	for (int i = 0; i < 48; i++)
		far = fmax(far, fabs((double)feat[i] - (double)some[49 * 48 + i]));
	CHECK(ok && far < 2e-5, "%s: positions not drawn yet change nothing", path);
	free(some);
	free(all);
	tear_down(&s);
}

struct watch {
	struct cancel c;
	int calls, stop_at;
	struct model *m;
	const float *feat;
	float *logit;
	bool ok;
};

static void
count(void *arg)
{
	struct watch *w = arg;

	if (++w->calls == w->stop_at)
		atomic_store(&w->c.asked, 1);
	if (w->m && w->calls % 5 == 0)
		w->ok &= w->m->rows(w->m, 9, w->feat, w->logit, NULL, NULL) == ST_OK;
}

/* After a cancel no more than the items in hand are finished; and the head
 * answers between the items of a trunk. */
static void
test_cancel(const char *path)
{
	struct config c = dit_config(35, 128, 64, 2, 2, 16, 0);
	struct setup s;
	struct watch w = { .stop_at = -1, .ok = true };
	int32_t tok[128];
	float *feat = malloc(128 * 64 * sizeof *feat), *other = malloc(128 * 64 * sizeof *other), logit[9 * 35],
	      want[9 * 35];
	double sigma;
	int label;

	set_up(&s, c, path, 2, false, DT_F32);
	inputs(&c, 1, tok, &sigma, &label);
	w.c = (struct cancel){ .between = count, .arg = &w };
	s.m->trunk(s.m, 1, tok, &sigma, NULL, feat, &w.c, NULL);
	s.m->rows(s.m, 9, feat, want, NULL, NULL);
	int all = w.calls;
	w.calls = 0;
	w.stop_at = 3; /* early: how many items this thread gets is the scheduler's choice */
	enum status st = s.m->trunk(s.m, 1, tok, &sigma, NULL, other, &w.c, NULL);
	CHECK(all > 10 && st == ST_CANCELLED && w.calls <= w.stop_at + 1, "%s: %d of %d items, cancelled at %d", path,
		w.calls, all, w.stop_at);
	w = (struct watch){ .c = { .between = count, .arg = &w },
		.stop_at = -1, .m = s.m, .feat = feat, .logit = logit, .ok = true };
	st = s.m->trunk(s.m, 1, tok, &sigma, NULL, other, &w.c, NULL);
	CHECK(st == ST_OK && w.ok && w.calls >= 5 && memcmp(feat, other, 128 * 64 * sizeof *feat) == 0 &&
		memcmp(logit, want, sizeof want) == 0, "%s: rows asked for while a trunk runs", path);
	tear_down(&s);
	free(feat);
	free(other);
}

/* Work items of a network of 170 million parameters stay below 0.5 GFLOP. */
static void
test_item_size(const char *path)
{
	static const int shape[][2] = { { 2304, 768 }, { 768, 768 }, { 3072, 768 }, { 768, 3072 }, { 4096, 1024 },
		{ 50258, 768 } };
	bool ok = true;

	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
		for (int rows = 1; rows <= 1024; rows += 341) {
			struct linear l = { .kern = kern_named(path), .samples = 1, .rows = rows };
			l.b = (struct gemm_b){ .n = shape[i][0], .k = shape[i][1], .packed = i == 5 || !l.kern->blas };
			linear_shape(&l);
			ok &= 2. * l.rb * l.cb * shape[i][1] < 5e8 && l.rb * l.row_blocks >= rows &&
				l.cb * l.col_blocks >= shape[i][0];
			ok &= rows == 1 || l.row_blocks * l.col_blocks > 1;
		}
	CHECK(ok, "%s: work items are small and cover the work", path);
}

static void
test_plan(void)
{
	struct config c = dit_config(35, 128, 64, 6, 2, 16, 0);
	struct net *net = described(&c);
	struct plan shared, kept;
	struct error e;

	CHECK(plan_make(net, 1, 128, PLAN_INFER, &shared, &e) == ST_OK &&
	      plan_make(net, 1, 128, PLAN_KEEP, &kept, &e) == ST_OK,
		"plans");
	CHECK(shared.floats * 4 < kept.floats, "values share memory: %zu floats, %zu without", shared.floats,
		kept.floats);
	int h = net_find_value(net, "embedding"), out = net_find_value(net, "block5.out"),
	    q = net_find_value(net, "block0.qkv");
	CHECK(shared.offset[h] == shared.offset[out] && shared.offset[q] != shared.offset[h] &&
			kept.offset[h] != kept.offset[out],
		"the residual stream stays in place");
	plan_done(&shared);
	plan_done(&kept);
	c.length = 1000000000;
	c.hidden = 64 * 1000000;
	struct net *huge = net_new();
	CHECK(dit_describe(&c, huge, &e) == ST_OK && net_finish(huge, &e) == ST_OK, "a huge description");
	CHECK(plan_make(huge, 1 << 30, c.length, PLAN_INFER, &shared, &e) == ST_MEMORY,
		"a plan beyond all memory is refused");
	net_free(huge);
	net_free(net);
}

static void
refused(const struct net *net, struct random_weights *w, int n, const char *word)
{
	struct error e = { 0 };
	enum status st = net_match(net, w->t, n, "weights", NULL, &e);

	CHECK(st == ST_CKPT && strstr(e.msg, word), "refused: %s", e.msg);
}

static void
test_match(void)
{
	struct config c = dit_config(35, 16, 4, 1, 2, 2, 0);
	struct net *net = described(&c);
	struct random_weights w;
	struct error e;

	random_weights_init(&w, net, 1, DT_F32);
	struct tensor last = w.t[w.n - 1], *qkv = &w.t[net_find_param(net, "blocks.0.attn_qkv.weight")];
	CHECK(net_match(net, w.t, w.n, "weights", NULL, &e) == ST_OK, "a whole set of tensors");
	CHECK(strcmp(net->par[0].name, "vocab_embed.embedding") == 0 &&
			strcmp(net->par[1].name, "sigma_map.mlp.0.weight") == 0 &&
			strcmp(net->par[w.n - 1].name, "output_layer.adaLN_modulation.bias") == 0,
		"published order");
	refused(net, &w, w.n - 1, "is missing");
	w.t[w.n - 1].name = (char *)(uintptr_t) "blocks.1.norm1.weight";
	refused(net, &w, w.n, "is missing");
	w.t[w.n - 1] = last;
	qkv->dim[0]++;
	refused(net, &w, w.n, "[13, 4]");
	qkv->dim[0]--;
	qkv->ndim = 1;
	refused(net, &w, w.n, "[12]");
	qkv->ndim = 2;
	qkv->dtype = DT_I64;
	refused(net, &w, w.n, "i64");
	qkv->dtype = DT_F32;
	struct random_weights more = w;
	more.t = calloc((size_t)w.n + 1, sizeof *more.t);
	memcpy(more.t, w.t, (size_t)w.n * sizeof *w.t);
	more.t[w.n] = (struct tensor){ .name = (char *)(uintptr_t) "blocks.5.norm1.weight", .ndim = 1, .dim = { 4 } };
	refused(net, &more, w.n + 1, "only 1 blocks");
	more.t[w.n].name = (char *)(uintptr_t) "something.else";
	CHECK(net_match(net, more.t, w.n + 1, "weights", NULL, &e) == ST_OK, "a tensor nobody knows is no matter");
	free(more.t);
	random_weights_done(&w);
	c.n_heads = 3;
	struct net *odd = net_new();
	CHECK(dit_describe(&c, odd, &e) == ST_CKPT && strstr(e.msg, "n_heads"), "refused: %s", e.msg);
	net_free(odd);
	net_free(net);
}

static void
test_bad_input(void)
{
	struct config c = dit_config(35, 16, 4, 1, 2, 2, 3);
	struct setup s;
	struct error e;
	int32_t tok[16] = { 0 };
	double sigma = 1;
	int label = 4;
	float feat[64];

	set_up(&s, c, "portable", 1, false, DT_F32);
	CHECK(s.m->trunk(s.m, 1, tok, &sigma, &label, feat, NULL, &e) == ST_USAGE, "label: %s", e.msg);
	tok[7] = 35;
	CHECK(s.m->trunk(s.m, 1, tok, &sigma, NULL, feat, NULL, &e) == ST_USAGE, "token: %s", e.msg);
	tok[7] = -1;
	CHECK(s.m->trunk(s.m, 1, tok, &sigma, NULL, feat, NULL, &e) == ST_USAGE, "token: %s", e.msg);
	tear_down(&s);
}

int
main(void)
{
	test_plan();
	test_match();
	test_bad_input();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (!kern_named(paths[i])) {
			check_skip("this CPU has no %s", paths[i]);
			continue;
		}
		test_forward(paths[i], dit_config(35, 37, 32, 2, 2, 16, 0), DT_F32, "text");
		test_forward(paths[i], dit_config(35, 16, 4, 1, 2, 2, 0), DT_F32, "tiny");
		test_forward(paths[i], dit_config(40, 33, 48, 2, 3, 8, 3), DT_F32, "labels");
		test_forward(paths[i], dit_config(35, 61, 80, 2, 2, 0, 0), DT_F32, "causal, heads of 40");
		test_forward(paths[i], dit_config(331, 130, 64, 1, 1, 16, 0), DT_BF16, "bf16, 130 positions");
		test_mixtures(paths[i]);
		test_company(paths[i]);
		test_head_company(paths[i]);
		test_extend(paths[i]);
		test_cancel(paths[i]);
		test_item_size(paths[i]);
	}
	return check_done();
}
