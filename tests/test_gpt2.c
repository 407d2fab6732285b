/*
 * test_gpt2.c: GPT-2 against plain double loops, and scoring: against rules
 * written out by hand, and against every golden folder (config.json,
 * golden.json, golden.safetensors) below $PSIVIEW_GOLDEN.
 */
#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "ckpt/safetensors.h"
#include "models/describe.h"
#include "net/netmodel.h"
#include "psi/metric.h"
#include "run/score.h"
#include "tests/check.h"

/* ---- a small random one ---- */

static struct config
small_config(void)
{
	struct config c;

	config_init(&c);
	c.backbone = BACKBONE_GPT2;
	c.algo = ALGO_GPT2;
	c.causal = 1;
	c.vocab = 61;
	c.hidden = 20;
	c.n_heads = 4;
	c.n_blocks = 3;
	c.length = 70; /* more than one block of rows */
	return c;
}

struct weights_of { struct tensor *t; float **data; int n; };

static double
uniform(uint64_t *s)
{
	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return (double)(*s >> 11) / 9007199254740992.0 * 2 - 1;
}

static struct weights_of
random_weights(const struct net *net)
{
	struct weights_of w = { mem_calloc((size_t)net->n_par, sizeof *w.t), mem_calloc((size_t)net->n_par,
		sizeof *w.data),
		net->n_par };
	uint64_t seed = 11;

	for (int i = 0; i < net->n_par; i++) {
		struct tensor *t = &w.t[i];
		size_t bytes;
		t->name = mem_strdup(net->par[i].name);
		t->dtype = DT_F32;
		t->ndim = net->par[i].ndim;
		memcpy(t->dim, net->par[i].dim, sizeof net->par[i].dim);
		tensor_lay_out(t, &bytes);
		w.data[i] = mem_calloc(1, bytes);
		bool gain = strstr(t->name, "ln_") && strstr(t->name, "weight");
		for (size_t k = 0; k < tensor_numel(t); k++)
			w.data[i][k] = (float)(gain + .4 * uniform(&seed));
		t->data = (const uint8_t *)w.data[i];
	}
	return w;
}

static void
free_weights(struct weights_of *w)
{
	for (int i = 0; i < w->n; i++) {
		free(w->t[i].name);
		free(w->data[i]);
	}
	free(w->t);
	free(w->data);
}

static const float *
par(const struct weights_of *w, int block, const char *name)
{
	char full[80];

	if (block >= 0)
		snprintf(full, sizeof full, "h.%d.%s", block, name);
	else
		snprintf(full, sizeof full, "%s", name);
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->t[i].name, full) == 0)
			return w->data[i];
	return NULL;
}

static void
layer_norm(int d, const double *x, const float *w, const float *b, double *out)
{
	double mean = 0, var = 0;

	for (int i = 0; i < d; i++)
		mean += x[i] / d;
	for (int i = 0; i < d; i++)
		var += (x[i] - mean) * (x[i] - mean) / d;
	for (int i = 0; i < d; i++)
		out[i] = (x[i] - mean) / sqrt(var + 1e-5) * (double)w[i] + (double)b[i];
}

/* out = x W + b, W [k,n] */
static void
conv1d(int k, int n, const double *x, const float *w, const float *b, double *out)
{
	for (int j = 0; j < n; j++) {
		out[j] = (double)b[j];
		for (int i = 0; i < k; i++)
			out[j] += x[i] * (double)w[i * n + j];
	}
}

static void
attend(int d, int heads, int p, const double *qkv, double *out)
{
	int hd = d / heads;

	for (int h = 0; h < heads; h++) {
		const double *q = qkv + (size_t)p * 3 * (size_t)d + h * hd;
		double sum = 0, weight[128];
		for (int u = 0; u <= p; u++) {
			const double *k = qkv + (size_t)u * 3 * (size_t)d + d + h * hd;
			double s = 0;
			for (int i = 0; i < hd; i++)
				s += q[i] * k[i];
			sum += weight[u] = exp(s / sqrt(hd));
		}
		for (int i = 0; i < hd; i++) {
			out[h * hd + i] = 0;
			for (int u = 0; u <= p; u++)
				out[h * hd + i] += weight[u] / sum * qkv[(size_t)(3 * u + 2) * (size_t)d + h * hd + i];
		}
	}
}

static double
gelu(double x)
{
	return .5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + .044715 * x * x * x)));
}

/* Logits [L,V] in double. */
static void
reference(const struct config *c, const struct weights_of *w, const int32_t *tok, double *logit)
{
	int d = c->hidden, L = c->length;
	double *h = mem_calloc((size_t)(L * d), sizeof *h), *qkv = mem_calloc((size_t)(3 * L * d), sizeof *qkv);
	double a[64], b[64], wide[256];

	for (int i = 0; i < L * d; i++)
		h[i] = (double)par(w, -1, "wte.weight")[tok[i / d] * d + i % d] + (double)par(w, -1, "wpe.weight")[i];
	for (int n = 0; n < c->n_blocks; n++) {
		for (int p = 0; p < L; p++) {
			layer_norm(d, h + p * d, par(w, n, "ln_1.weight"), par(w, n, "ln_1.bias"), a);
			conv1d(d, 3 * d, a, par(w, n, "attn.c_attn.weight"), par(w, n, "attn.c_attn.bias"),
				qkv + p * 3 * d);
		}
		for (int p = 0; p < L; p++) {
			double *x = h + p * d;
			attend(d, c->n_heads, p, qkv, a);
			conv1d(d, d, a, par(w, n, "attn.c_proj.weight"), par(w, n, "attn.c_proj.bias"), b);
			for (int i = 0; i < d; i++)
				x[i] += b[i];
			layer_norm(d, x, par(w, n, "ln_2.weight"), par(w, n, "ln_2.bias"), a);
			conv1d(d, 4 * d, a, par(w, n, "mlp.c_fc.weight"), par(w, n, "mlp.c_fc.bias"), wide);
			for (int i = 0; i < 4 * d; i++)
				wide[i] = gelu(wide[i]);
			conv1d(4 * d, d, wide, par(w, n, "mlp.c_proj.weight"), par(w, n, "mlp.c_proj.bias"), b);
			for (int i = 0; i < d; i++)
				x[i] += b[i];
		}
	}
	for (int p = 0; p < L; p++) {
		layer_norm(d, h + p * d, par(w, -1, "ln_f.weight"), par(w, -1, "ln_f.bias"), a);
		for (int v = 0; v < c->vocab; v++) {
			double s = 0;
			for (int i = 0; i < d; i++)
				s += a[i] * (double)par(w, -1, "wte.weight")[v * d + i];
			logit[p * c->vocab + v] = s;
		}
	}
	free(h);
	free(qkv);
}

static struct model *
small_model(const struct config *c, const struct weights_of *w, const struct kern *kern, struct error *e)
{
	struct net *net = net_new();
	struct model *m = NULL;

	if (gpt2_describe(c, net, e) != ST_OK || net_finish(net, e) != ST_OK) {
		net_free(net);
		return NULL;
	}
	net_model_new(net, w->t, w->n, "weights", kern, NULL, false, &m, e);
	return m;
}

static void
test_kernel(const struct config *c, const struct weights_of *w, const char *name)
{
	const struct kern *kern = kern_named(name);
	struct error e = { .code = ST_OK };
	size_t L = (size_t)c->length, F = (size_t)c->hidden, V = (size_t)c->vocab;

	if (!kern) {
		check_skip("%s: not on this processor", name);
		return;
	}
	struct model *m = small_model(c, w, kern, &e);
	if (!CHECK(m != NULL, "%s: made (%s)", name, e.msg))
		return;
	int32_t *tok = mem_calloc(2 * L, sizeof *tok);
	float *feat = mem_calloc(2 * L * F, sizeof *feat), *one = mem_calloc(L * F, sizeof *one);
	float *logit = mem_calloc(L * V, sizeof *logit);
	double *want = mem_calloc(L * V, sizeof *want), sigma[2] = { 0, 0 }, worst = 0;
	for (size_t i = 0; i < 2 * L; i++)
		tok[i] = (int32_t)((i * i * 7 + i) % V);
	reference(c, w, tok + L, want);
	enum status st = m->trunk(m, 2, tok, sigma, NULL, feat, NULL, &e);
	if (st == ST_OK)
		st = m->rows(m, (int)L, feat + L * F, logit, NULL, &e);
	for (size_t i = 0; i < L * V; i++)
		worst = fmax(worst, fabs((double)logit[i] - want[i]));
	CHECK(st == ST_OK && worst < 2e-5, "%s: logits as of plain loops, within %.1e", name, worst);
	st = m->trunk(m, 1, tok + L, sigma, NULL, one, NULL, &e);
	CHECK(st == ST_OK && memcmp(one, feat + L * F, L * F * sizeof *one) == 0, "%s: alone as in company", name);
	worst = 0;
	for (int len = 1; len <= c->length && st == ST_OK; len += 3) {
		st = m->extend(m, 0, len, tok + L, one, NULL, &e);
		for (size_t i = 0; i < F; i++)
			worst = fmax(worst, fabs((double)one[i] - (double)feat[L * F + (size_t)(len - 1) * F + i]));
	}
	CHECK(st == ST_OK && worst < 1e-5, "%s: row by row the same, within %.1e", name, worst);
	free(tok);
	free(feat);
	free(one);
	free(logit);
	free(want);
	model_free(m);
}

static void
test_small(void)
{
	static const char *const kernels[] = { "portable", "avx2", "avx512" };
	struct config c = small_config();
	struct error e = { .code = ST_OK };
	struct net *net = net_new();

	CHECK(gpt2_describe(&c, net, &e) == ST_OK && net_finish(net, &e) == ST_OK, "a description");
	struct weights_of w = random_weights(net);
	net_free(net);
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
		test_kernel(&c, &w, kernels[i]);

	int64_t rows = w.t[1].dim[0];
	w.t[1].dim[0]--;
	CHECK(!small_model(&c, &w, kern_best(), &e) && e.code == ST_CKPT && strstr(e.msg, "wpe.weight"),
		"a wrong shape: %s", e.msg);
	w.t[1].dim[0] = rows;
	w.n--;
	CHECK(!small_model(&c, &w, kern_best(), &e) && e.code == ST_CKPT, "a missing tensor: %s", e.msg);
	w.n++;
	struct config bad = c;
	bad.n_heads = 3;
	CHECK(!small_model(&bad, &w, kern_best(), &e) && e.code == ST_CKPT, "heads that do not divide: %s", e.msg);
	bad = c;
	bad.n_blocks = 2;
	CHECK(!small_model(&bad, &w, kern_best(), &e) && e.code == ST_CKPT, "a layer too many: %s", e.msg);
	free_weights(&w);
}

/* ---- which targets count ---- */

static void
test_counted(void)
{
	static const struct { int32_t row[8]; bool want[7]; } cases[] = {
		{ { 1, 2, 3, 9, 9, 9, 9, 9 }, { 1, 1, 1, 0, 0, 0, 0 } },       /* padding: its first counts */
		{ { 1, 2, 9, 3, 4, 9, 5, 9 }, { 1, 1, 1, 1, 0, 1, 0 } },       /* text behind an end counts too */
		{ { 9, 1, 2, 9, 3, 9, 9, 4 }, { 1, 1, 0, 1, 0, 0, 1 } },
			      /* an end at the very beginning is the first */
		{ { 1, 2, 3, 4, 5, 6, 7, 8 }, { 1, 1, 1, 1, 1, 1, 1 } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool counted[7];
		int n = 0;
		for (int k = 0; k < 7; k++)
			n += cases[i].want[k];
		CHECK(score_counted(8, cases[i].row, 9, counted) == n && memcmp(counted, cases[i].want,
			sizeof counted) == 0,
		      "counted targets, case %zu", i + 1);
	}
}

/* ---- goldens ---- */

struct golden { struct opened *o; struct st_file *st; json_t *j; };

static double
number(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* What stands behind padding is not defined: the reference hides padding from it. */
static void
check_nll(const struct golden *g)
{
	const struct tensor *ids = st_find(g->st, "input_ids"), *want = st_find(g->st, "nll_float64"),
	                    *valid = st_find(g->st, "valid");
	struct error e = { .code = ST_OK };
	size_t n = (size_t)ids->dim[0], L = (size_t)ids->dim[1];
	int32_t *row = mem_calloc(n * L, sizeof *row), *ok = mem_calloc(n * L, sizeof *ok);
	int32_t *read = mem_calloc(n * L, sizeof *read);
	double *nll = mem_calloc(L, sizeof *nll), *truth = mem_calloc(n * L, sizeof *truth), worst = 0;
	bool *counted = mem_calloc(L, sizeof *counted), same = true;
	enum status st = ST_OK;

	if (L != (size_t)g->o->ema->L) {
		check_skip("texts of another length than the scorer's");
	} else {
		tensor_to_i32(ids, 0, n * L, row, NULL);
		tensor_to_i32(valid, 0, n * (L - 1), ok, NULL);
		if (st_find(g->st, "attention_mask"))
			tensor_to_i32(st_find(g->st, "attention_mask"), 0, n * L, read, NULL);
		tensor_to_f64(want, 0, n * (L - 1), truth);
		for (size_t i = 0; i < n && st == ST_OK; i++) {
			st = score_row(g->o->ema, row + i * L, NULL, nll, NULL, &e);
			score_counted((int)L, row + i * L, g->o->ema->bos, counted);
			for (size_t k = 0; k + 1 < L; k++) {
				if (read[i * L + k] || counted[k])
					worst = fmax(worst, fabs(nll[k] - truth[i * (L - 1) + k]));
				same &= counted[k] == (ok[i * (L - 1) + k] != 0);
			}
		}
		CHECK(st == ST_OK && worst < 2e-4, "nll of every target behind text, within %.1e", worst);
		CHECK(same, "the same targets count");
	}
	free(row);
	free(ok);
	free(read);
	free(nll);
	free(truth);
	free(counted);
}

static void
check_rows(const struct golden *g)
{
	const struct tensor *ids = st_find(g->st, "input_ids"), *at = st_find(g->st, "rows"),
		*want = st_find(g->st, "logits_rows");
	struct model *m = g->o->ema;
	size_t n = (size_t)at->dim[0], L = (size_t)m->L, V = (size_t)m->V, F = (size_t)m->F;
	int32_t *place = mem_calloc(2 * n, sizeof *place), *row = mem_calloc(L, sizeof *row);
	float *feat = mem_calloc(L * F, sizeof *feat), *logit = mem_calloc(V, sizeof *logit),
		*truth = mem_calloc(V, sizeof *truth);
	double worst = 0, sigma = 0;
	enum status st = tensor_to_i32(at, 0, 2 * n, place, NULL);

	for (size_t i = 0; i < n && st == ST_OK; i++) {
		tensor_to_i32(ids, (size_t)place[2 * i] * L, L, row, NULL);
		tensor_to_f32(want, i * V, V, truth);
		st = m->trunk(m, 1, row, &sigma, NULL, feat, NULL, NULL);
		if (st == ST_OK)
			st = m->rows(m, 1, feat + (size_t)place[2 * i + 1] * F, logit, NULL, NULL);
		for (size_t v = 0; v < V; v++)
			worst = fmax(worst, fabs((double)logit[v] - (double)truth[v]));
	}
	CHECK(st == ST_OK && worst < 1e-4, "rows of logits, within %.1e", worst);
	free(place);
	free(row);
	free(feat);
	free(logit);
	free(truth);
}

static void
check_entropy(const struct golden *g)
{
	const struct tensor *t = st_find(g->st, "entropy_samples");
	const json_t *want = json_object_get(g->j, "sample_entropy_each");
	size_t n = (size_t)t->dim[0], L = (size_t)t->dim[1];
	int32_t *row = mem_calloc(L, sizeof *row);
	double worst = 0;

	for (size_t i = 0; i < n; i++) {
		tensor_to_i32(t, i * L, L, row, NULL);
		worst = fmax(worst, fabs(metric_entropy((int)L, row) - json_number_value(json_array_get(want, i))));
	}
	CHECK(worst < 1e-5, "entropy of each sample, within %.1e", worst);
	free(row);
}

/* The texts as `sample --format jsonl` writes them, scored. */
static enum status
score_texts(const struct golden *g, int batch, struct score *out, struct error *e)
{
	const json_t *texts = json_object_get(g->j, "texts");
	const struct tensor *t = st_find(g->st, "entropy_samples");
	size_t L = (size_t)t->dim[1];
	int32_t *row = mem_calloc(L, sizeof *row);
	FILE *f = tmpfile();

	for (size_t i = 0; f && i < json_array_size(texts); i++) {
		json_t *line = json_object(), *tokens = json_array();
		if ((int64_t)i < t->dim[0])
			tensor_to_i32(t, i * L, L, row, NULL);
		for (size_t k = 0; k < L; k++)
			json_array_append_new(tokens, json_integer(row[k]));
		json_object_set(line, "text", json_array_get(texts, i));
		json_object_set_new(line, "tokens", tokens);
		json_dumpf(line, f, JSON_COMPACT);
		fputc('\n', f);
		json_decref(line);
	}
	free(row);
	if (!f)
		return error_set(e, ST_FAIL, "no temporary file");
	rewind(f);
	enum status st = score_stream(g->o, f, batch, out, e);
	fclose(f);
	return st;
}

static void
check_perplexity(const struct golden *g, const char *key, const char *counted, int batch)
{
	double want = number(g->j, key), tokens = number(g->j, counted);
	struct score s = { 0 };
	struct error e = { .code = ST_OK };

	if (isnan(want)) {
		check_skip("no %s", key);
		return;
	}
	enum status st = score_texts(g, batch, &s, &e);
	double off = fabs(score_perplexity(&s) / want - 1);
	CHECK(st == ST_OK && off < 1e-4, "%s: %.6g, within %.1e (%s)", key, score_perplexity(&s), off, e.msg);
	CHECK(isnan(tokens) || (double)s.tokens == tokens, "%s", counted);
	if (batch == 0)
		CHECK(fabs(s.entropy - number(g->j, "sample_entropy_mean")) < 1e-5, "mean entropy");
}

static void
check_ids(const struct golden *g)
{
	const json_t *texts = json_object_get(g->j, "texts"), *ids = json_object_get(g->j, "ids");
	size_t same = 0;

	for (size_t i = 0; i < json_array_size(texts); i++) {
		const json_t *text = json_array_get(texts, i), *want = json_array_get(ids, i);
		int32_t *got = NULL;
		size_t n = 0;
		bool ok = tok_encode(g->o->tok, json_string_value(text), json_string_length(text), &got, &n,
			NULL) == ST_OK &&
		          n == json_array_size(want);
		for (size_t k = 0; ok && k < n; k++)
			ok = got[k] == json_integer_value(json_array_get(want, k));
		same += ok;
		free(got);
	}
	CHECK(same == json_array_size(texts), "tokens of all %zu texts", same);
}

static json_t *
read_json(const char *path)
{
	return json_load_file(path, 0, NULL);
}

static void
check_folder(const char *dir)
{
	struct open_setup setup = { .path = dir };
	struct error e = { .code = ST_OK };
	struct golden g = { 0 };
	char path[4200];

	config_override_init(&setup.override);
	snprintf(path, sizeof path, "%s/golden.json", dir);
	g.j = read_json(path);
	snprintf(path, sizeof path, "%s/golden.safetensors", dir);
	if (CHECK(st_open(path, &g.st, &e) == ST_OK && g.j, "goldens of %s", strrchr(dir, '/') + 1) &&
	    CHECK(open_run(&setup, &g.o, &e) == ST_OK, "opens (%s)", e.msg)) {
		check_ids(&g);
		check_nll(&g);
		check_rows(&g);
		check_entropy(&g);
		check_perplexity(&g, "generative_perplexity_batch8_float64", "tokens_counted_batch8", 0);
		check_perplexity(&g, "generative_perplexity_batch8", "tokens_counted_batch8", 8);
		check_perplexity(&g, "generative_perplexity_batch3", "tokens_counted_batch3", 3);
	}
	open_done(g.o);
	st_close(g.st);
	json_decref(g.j);
}

static int
walk(const char *dir)
{
	static const char *const parts[] = { "config.json", "golden.json", "golden.safetensors" };
	char path[4096];
	struct stat sb;
	int found = 0, have = 0;
	DIR *d = opendir(dir);

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
		have += stat(path, &sb) == 0;
	}
	if (have == 3) {
		check_folder(dir);
		found++;
	}
	for (struct dirent *e; d && (e = readdir(d));) {
		int n = snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && n < (int)sizeof path && stat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
			found += walk(path);
	}
	if (d)
		closedir(d);
	return found;
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	test_small();
	test_counted();
	if (!dir || walk(dir) == 0)
		check_skip("golden folders of GPT-2: none in PSIVIEW_GOLDEN");
	return check_done();
}
