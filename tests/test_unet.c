/*
 * test_unet.c: the U-Net of src/net and models against plain double loops, on
 * every kernel path of this CPU; that a result depends on nothing but its own
 * sample; the size of work items; configurations and tensors that make no
 * network.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "ckpt/ckpt.h"
#include "models/describe.h"
#include "models/registry.h"
#include "net/conv.h"
#include "net/netmodel.h"
#include "unet_reference.h"

static const char *const paths[] = { "portable", "avx2", "avx512" };

static double
uniform(uint32_t i)
{
	struct noise n = { .seed = 17, .step = i };

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
	struct error e = { 0 };

	if (unet_describe(c, net, &e) != ST_OK || net_finish(net, &e) != ST_OK) {
		CHECK(false, "describe: %s", e.msg);
		exit(1);
	}
	return net;
}

static void
set_up(struct setup *s, struct config c, const char *path, int threads, bool keep, enum dtype dtype)
{
	struct net *net = described(&c);
	struct error e = { 0 };

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

static void
test_forward(const char *path, struct config c, enum dtype dtype, const char *what)
{
	struct setup s;
	struct error e = { 0 };
	size_t L = (size_t)c.length, V = (size_t)c.vocab;
	int32_t *tok = malloc(2 * L * sizeof *tok);
	float *feat = malloc(4 * L * sizeof *feat), *logit = malloc(2 * L * V * sizeof *logit);
	double sigma[2], *f = malloc(2 * L * sizeof *f), *want = malloc(L * V * sizeof *want), bad_f = 0, bad = 0;
	int label[2];

	set_up(&s, c, path, 2, false, dtype);
	inputs(&c, 2, tok, sigma, label);
	enum status st = s.m->trunk(s.m, 2, tok, sigma, label, feat, NULL, &e);
	if (st == ST_OK)
		st = s.m->rows(s.m, (int)(2 * L), feat, logit, NULL, &e);
	CHECK(st == ST_OK, "%s, %s: runs %s", path, what, e.msg);
	for (size_t b = 0; b < 2; b++) {
		unet_reference(&c, &s.w, tok + b * L, sigma[b], label[b], f, want);
		for (size_t i = 0; i < 2 * L; i++) {
			double d = fabs((double)feat[2 * b * L + i] - f[i]) / fmax(1, fabs(f[i]));
			bad_f = fmax(bad_f, isfinite(d) ? d : INFINITY);
		}
		for (size_t i = 0; i < L * V; i++) {
			double d = fabs((double)logit[b * L * V + i] - want[i]) / fmax(1, fabs(want[i]));
			bad = fmax(bad, isfinite(d) ? d : INFINITY);
		}
	}
	CHECK(bad_f < 1e-4 && bad < 1e-2, "%s, %s: features within %.1e, logits within %.1e of double", path, what,
	      bad_f, bad);
	tear_down(&s);
	free(tok);
	free(feat);
	free(logit);
	free(f);
	free(want);
}

/* The head alone, from scales that make a point of the logistic to flat ones. */
static void
test_logistic(const char *path)
{
	static const double mus[] = { -1, -.999, -.3, 0, 1. / 256, .7071, .99, 1 };
	static const int bins[] = { 2, 5, 16, 37, 256, 257, 300 };
	const struct kern_image *kern = kern_named(path)->image;
	double worst = 0, want[300];
	float out[300 + 1];

	for (size_t b = 0; b < sizeof bins / sizeof *bins; b++)
		for (size_t i = 0; i < sizeof mus / sizeof *mus; i++)
			for (double s = -9; s < 9; s += .75)
				for (int fix = 0; fix < 2; fix++) {
					out[bins[b]] = 42;
					kern->logistic(bins[b], mus[i], s, fix, out);
					logistic_reference(bins[b], mus[i], s, fix, want);
					for (int j = 0; j < bins[b]; j++) {
						double d = fabs((double)out[j] - want[j]) / fmax(1, fabs(want[j]));
						worst = fmax(worst, isfinite(d) ? d : INFINITY);
					}
					if (out[bins[b]] != 42)
						worst = INFINITY;
				}
	CHECK(worst < 2e-7, "%s: truncated logistic within %.1e", path, worst);
	kern->logistic(16, .5, -1e30, false, out);
	bool finite = true;
	for (int j = 0; j < 16; j++)
		finite &= isfinite(out[j]) != 0 || out[j] == -INFINITY;
	kern->logistic(16, (double)NAN, 0, true, out);
	CHECK(finite && isnan(out[0]) && isnan(out[15]), "%s: a scale beyond all bounds; what is no number stays none",
	      path);
}

static void
test_moments(const char *path)
{
	const struct kern_image *kern = kern_named(path)->image;
	int rows = 131, n = 37, ld = 45;
	float *x = malloc((size_t)(rows * ld) * sizeof *x), scale[37], shift[37], out[37], bias[37];
	double mean[37], m2[37], worst = 0;

	for (int i = 0; i < rows * ld; i++)
		x[i] = (float)(100 + uniform((uint32_t)i));
	for (int j = 0; j < n; j++) {
		scale[j] = (float)uniform((uint32_t)(90000 + j));
		shift[j] = (float)(-3 - 20 * uniform((uint32_t)(95000 + j)));
		bias[j] = (float)uniform((uint32_t)(97000 + j));
	}
	kern->moments(rows, n, x, (size_t)ld, mean, m2);
	for (int j = 0; j < n; j++) {
		double m = 0, q = 0;
		for (int i = 0; i < rows; i++)
			m += (double)x[i * ld + j] / rows;
		for (int i = 0; i < rows; i++)
			q += ((double)x[i * ld + j] - m) * ((double)x[i * ld + j] - m);
		worst = fmax(worst, fmax(fabs(mean[j] - m) / m, fabs(m2[j] - q) / q));
	}
	CHECK(worst < 1e-5, "%s: moments within %.1e", path, worst);
	worst = 0;
	for (int k = 0; k < 3; k++) {
		if (k == 2)
			kern->add(n, x, bias, shift, .5f, out);
		else
			(k ? kern->affine_silu : kern->affine)(n, x, scale, shift, out);
		for (int j = 0; j < n; j++) {
			double v = (double)x[j] * (double)scale[j] + (double)shift[j], want = k ? v / (1 + exp(-v)) : v;
			if (k == 2)
				want = .5 * ((double)x[j] + (double)bias[j] + (double)shift[j]);
			worst = fmax(worst, fabs((double)out[j] - want) / fmax(1, fabs(want)));
		}
	}
	CHECK(worst < 1e-5, "%s: scale, shift, silu, sums within %.1e", path, worst);
	free(x);
}

#define SAMPLES 7

/* Seven samples at once, one by one, with 1, 2 and 5 threads: the same bits. */
static void
test_company(const char *path, int side, int mult, const char *what)
{
	struct config c = unet_config(side, 16, 8, 2, (const int[]){ 1, mult }, 1, 1, 2);
	size_t L = (size_t)c.length, n = 2 * L;
	int32_t *tok = malloc(SAMPLES * L * sizeof *tok);
	float *all = malloc(SAMPLES * n * sizeof *all), *other = malloc(SAMPLES * n * sizeof *other);
	double sigma[SAMPLES];
	int label[SAMPLES];
	static const int threads[] = { 1, 2, 5 };

	inputs(&c, SAMPLES, tok, sigma, label);
	for (int t = 0; t < 3; t++) {
		struct setup s;
		set_up(&s, c, path, threads[t], t == 2, DT_F32);
		bool same = s.m->trunk(s.m, SAMPLES, tok, sigma, label, t ? other : all, NULL, NULL) == ST_OK;
		if (t)
			CHECK(same && memcmp(all, other, SAMPLES * n * sizeof *all) == 0, "%s, %s: %d threads as 1%s",
			      path, what, threads[t], t == 2 ? ", every value kept" : "");
		for (size_t i = 0; t < 2 && i < SAMPLES; i++) {
			same &= s.m->trunk(s.m, 1, tok + L * i, sigma + i, label + i, other, NULL, NULL) == ST_OK;
			same &= memcmp(all + i * n, other, n * sizeof *all) == 0;
		}
		if (t < 2)
			CHECK(same, "%s, %s, %d threads: a sample alone as among seven", path, what, threads[t]);
		tear_down(&s);
	}
	free(tok);
	free(all);
	free(other);
}

static void
test_head_company(const char *path)
{
	struct config c = unet_config(8, 257, 8, 1, (const int[]){ 1 }, 1, -1, 0);
	struct setup s;
	float feat[130 * 2], *alone = malloc((size_t)130 * 257 * sizeof *alone),
			     *many = malloc((size_t)130 * 257 * sizeof *many);
	bool same = true;

	set_up(&s, c, path, 2, false, DT_F32);
	for (int i = 0; i < 260; i++)
		feat[i] = (float)(2 * uniform((uint32_t)i) - 1);
	for (int i = 0; i < 130; i++)
		s.m->rows(s.m, 1, feat + 2 * i, alone + 257 * i, NULL, NULL);
	for (int n = 1; n <= 128; n += 9)
		for (int first = 0; first + n <= 130; first += 1 + n / 2) {
			s.m->rows(s.m, n, feat + 2 * first, many, NULL, NULL);
			same &= memcmp(many, alone + 257 * first, (size_t)n * 257 * sizeof *many) == 0;
		}
	CHECK(same, "%s: a head row in any company", path);
	tear_down(&s);
	free(alone);
	free(many);
}

struct watch {
	struct cancel c;
	int calls, stop_at;
};

static void
count(void *arg)
{
	struct watch *w = arg;

	if (++w->calls == w->stop_at)
		atomic_store(&w->c.asked, 1);
}

static void
test_cancel(const char *path)
{
	struct config c = unet_config(16, 16, 8, 2, (const int[]){ 1, 2 }, 1, 1, 0);
	struct setup s;
	struct watch w = { .stop_at = 3 };
	int32_t tok[3 * 256];
	float feat[2 * 3 * 256];
	double sigma = 1;
	int label;
	struct error e = { 0 };

	set_up(&s, c, path, 2, false, DT_F32);
	inputs(&c, 1, tok, &sigma, &label);
	s.m->trunk(s.m, 1, tok, &sigma, NULL, feat, NULL, NULL);
	w.c = (struct cancel){ .between = count, .arg = &w };
	enum status st = s.m->trunk(s.m, 1, tok, &sigma, NULL, feat, &w.c, &e);
	CHECK(st == ST_CANCELLED && w.calls <= w.stop_at + 1, "%s: cancelled after %d items", path, w.calls);
	tear_down(&s);
}

static struct config
published(void)
{
	struct config c = unet_config(32, 256, 128, 4, (const int[]){ 1, 2, 2, 2 }, 2, 1, 10);

	c.time_embed_dim = 128;
	return c;
}

/* Work items of the published size stay below 0.5 GFLOP and cover the work. */
static void
test_item_size(const char *path)
{
	struct config c = published();
	struct net *net = described(&c);
	struct exec x = { .net = net, .kern = kern_named(path), .rows = c.length };
	bool ok = true;
	double most = 0;

	for (x.n = 1; x.n <= 8; x.n += 7)
		for (int i = 0; i < net->n_op; i++) {
			struct conv v;
			if (net->op[i].kind != NET_CONV)
				continue;
			conv_lay_out(&x, &net->op[i], &v);
			double products = v.winograd ? 36. / 16 : v.taps * v.taps;
			double flop = 2. * v.samples * v.rows * v.out_side * v.k * products * v.cb;
			most = fmax(most, flop);
			ok &= v.samples * v.sample_blocks >= x.n && v.rows * v.row_blocks >= v.out_side &&
			      v.cb * v.col_blocks >= v.n;
			ok &= v.winograd ? v.rows % 4 == 0 : v.strip > 0;
		}
	CHECK(ok && most < 5e8, "%s: work items of at most %.2f GFLOP cover the work", path, most / 1e9);
	net_free(net);
}

static void
test_description(void)
{
	struct config c = published();
	struct net *net = described(&c);
	struct plan shared, kept;
	struct error e = { 0 };

	CHECK(net_parameters(net) == 35755398, "the published size has %.6f million parameters",
	      (double)net_parameters(net) / 1e6);
	CHECK(strcmp(net->par[0].name, "temb_modules.0.weight") == 0 &&
		  strcmp(net->par[4].name, "input_conv.weight") == 0 &&
		  strcmp(net->par[net->n_par - 1].name, "cond_map.embedding_table.weight") == 0 &&
		  strcmp(net->par[net->n_par - 2].name, "output_modules.1.bias") == 0,
	      "published order");
	enum status st = plan_make(net, 1, c.length, PLAN_INFER, &shared, &e);
	CHECK(st == ST_OK && plan_make(net, 1, c.length, PLAN_KEEP, &kept, &e) == ST_OK, "plans");
	CHECK(shared.floats * 4 < kept.floats, "values share memory: %zu floats, %zu without", shared.floats,
	      kept.floats);
	plan_done(&shared);
	plan_done(&kept);
	net_free(net);
	net = net_new();
	struct unet_end end;
	CHECK(unet_trunk(&c, net, &end, &e) == ST_OK && end.width == 128 && end.side == 32 &&
		  net->value[end.value].rows == 1024,
	      "the part before the output stands by itself");
	net_free(net);
}

/* One damage to a configuration; field by field. */
static void
refused_config(const char *what, void (*damage)(struct config *))
{
	struct config c = unet_config(8, 16, 8, 2, (const int[]){ 1, 2 }, 1, 1, 3);
	struct net *net = net_new();
	struct error e = { 0 };

	damage(&c);
	CHECK(unet_describe(&c, net, &e) == ST_CKPT && *e.msg && !strchr(e.msg, '\n'), "%s is refused: %s", what,
	      e.msg);
	net_free(net);
}

#define DAMAGES                                                                                                        \
	D(ch_0, c->ch = 0)                                                                                             \
	D(ch_negative, c->ch = -8) D(ch_odd, c->ch = 9) D(ch_huge, c->ch = INT_MAX) D(mult_0, c->ch_mult[1] = 0)       \
	    D(mult_huge, c->ch_mult[0] = INT_MAX) D(mult_min, c->ch_mult[1] = INT_MIN) D(scales_0, c->num_scales = 0)  \
		D(scales_40, c->num_scales = 40)                                                                       \
		    D(scales_5, c->num_scales = 5; c->ch_mult[2] = c->ch_mult[3] = c->ch_mult[4] = 1)                  \
			D(blocks_0, c->num_res_blocks = 0) D(blocks_huge, c->num_res_blocks = INT_MAX)                 \
			    D(length_odd, c->length = 191) D(length_0, c->length = 0)                                  \
				D(length_huge, c->length = INT_MAX) D(length_unset, c->length = CONFIG_UNSET)          \
				    D(vocab_1, c->vocab = 1) D(vocab_huge, c->vocab = INT_MAX)                         \
					D(time_0, c->time_embed_dim = 0) D(time_2, c->time_embed_dim = 2)              \
					    D(time_odd, c->time_embed_dim = 9) D(classes_0, c->classes = 0)            \
						D(classes_huge, c->classes = INT_MAX)                                  \
						    D(labels_untimed, c->unet_time = 0)

#define D(name, change)                                                                                                \
	static void name(struct config *c)                                                                             \
	{                                                                                                              \
		change;                                                                                                \
	}
DAMAGES
#undef D

static void
test_refused(void)
{
#define D(name, change) refused_config(#name, name);
	DAMAGES
#undef D
	struct config c = unet_config(8, 16, 8, 2, (const int[]){ 1, 2 }, 1, 1, 3);
	struct net *net = described(&c);
	struct random_weights w;
	struct error e = { 0 };

	random_weights_init(&w, net, 1, DT_F32);
	CHECK(net_match(net, w.t, w.n, "weights", NULL, &e) == ST_OK, "a whole set of tensors");
	int wrong = 0;
	for (int i = 0; i < w.n; i++) {
		struct tensor t = w.t[i];
		w.t[i].dim[t.ndim - 1]++;
		wrong += net_match(net, w.t, w.n, "weights", NULL, &e) != ST_CKPT || !strstr(e.msg, t.name);
		w.t[i] = t;
		w.t[i].ndim = t.ndim == 1 ? 2 : t.ndim - 1;
		wrong += net_match(net, w.t, w.n, "weights", NULL, &e) != ST_CKPT;
		w.t[i] = t;
		w.t[i].dtype = DT_I64;
		wrong += net_match(net, w.t, w.n, "weights", NULL, &e) != ST_CKPT;
		w.t[i] = t;
		w.t[i].name = (char *)(uintptr_t) "nothing";
		wrong += net_match(net, w.t, w.n, "weights", NULL, &e) != ST_CKPT || !strstr(e.msg, "is missing");
		w.t[i] = t;
	}
	CHECK(wrong == 0, "each of %d tensors missing, misshapen, of integers: refused (%d were not)", w.n, wrong);
	struct tensor *more = calloc((size_t)w.n + 1, sizeof *more);
	memcpy(more, w.t, (size_t)w.n * sizeof *more);
	more[w.n] =
	    (struct tensor){ .name = (char *)(uintptr_t) "upsampling_modules.40.conv0.bias", .ndim = 1, .dim = { 4 } };
	CHECK(net_match(net, more, w.n + 1, "weights", NULL, &e) == ST_CKPT && strstr(e.msg, "upsampling_modules.40"),
	      "refused: %s", e.msg);
	free(more);
	random_weights_done(&w);
	net_free(net);
}

int
main(void)
{
	test_description();
	test_refused();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (!kern_named(paths[i])) {
			check_skip("this CPU has no %s", paths[i]);
			continue;
		}
		struct config c = unet_config(8, 16, 8, 2, (const int[]){ 1, 2 }, 1, 1, 3);
		test_forward(paths[i], c, DT_F32, "labels");
		c.skip_rescale = 0;
		c.fix_logistic = 1;
		test_forward(paths[i], c, DT_BF16, "no rescaling, fixed logistic, bf16");
		c = unet_config(16, 17, 12, 3, (const int[]){ 1, 3, 2 }, 2, 2, 0);
		c.timed = false;
		test_forward(paths[i], c, DT_F32, "masked, 12, 36, 24 channels");
		c = unet_config(4, 16, 20, 1, (const int[]){ 1 }, 2, -1, 0);
		c.unet_time = 0;
		c.timed = false;
		test_forward(paths[i], c, DT_F32, "without time, one scale, attention in the middle alone");
		test_forward(paths[i], unet_config(32, 16, 20, 1, (const int[]){ 1 }, 1, -1, 0), DT_F32, "32x32");
		test_forward(paths[i], unet_config(2, 16, 32, 2, (const int[]){ 9, 18 }, 1, 0, 0), DT_F32,
			     "288 and 576 channels");
		test_logistic(paths[i]);
		test_moments(paths[i]);
		test_company(paths[i], 8, 5, "8x8");
		test_company(paths[i], 32, 2, "32x32");
		test_head_company(paths[i]);
		test_cancel(paths[i]);
		test_item_size(paths[i]);
	}
	return check_done();
}
