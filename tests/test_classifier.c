/*
 * test_classifier.c: noisy classifiers: log p and its gradient against what
 * PyTorch's autograd says (every pair below the golden folder whose expected
 * values have a gradient), exact ratios against the definition, files that
 * are something else.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "golden.h"
#include "models/classifier.h"
#include "net/kern.h"

static int cases;

static double *
doubles(const struct st_file *g, const char *name, size_t n)
{
	const struct tensor *t = st_find(g, name);
	double *out = t && tensor_numel(t) == n ? mem_calloc(n, sizeof *out) : NULL;

	if (out)
		tensor_to_f64(t, 0, n, out);
	return out;
}

/* ||a - b|| / ||b|| of rows whose constant does not count; the largest of the rows' own against the largest row. */
static double
distance(size_t rows, size_t V, const float *a, const double *b)
{
	double d = 0, norm = 0;

	for (size_t r = 0; r < rows; r++) {
		double shift = 0;
		for (size_t v = 0; v < V; v++)
			shift += ((double)a[r * V + v] - b[r * V + v]) / (double)V;
		for (size_t v = 0; v < V; v++) {
			double e = (double)a[r * V + v] - shift - b[r * V + v];
			d += e * e;
			norm += b[r * V + v] * b[r * V + v];
		}
	}
	return sqrt(d / norm);
}

/* The largest error of a single number against the largest of its sample. */
static double
worst(size_t n, const float *a, const double *b)
{
	double d = 0, top = 0;

	for (size_t i = 0; i < n; i++) {
		d = fmax(d, fabs((double)a[i] - b[i]));
		top = fmax(top, fabs(b[i]));
	}
	return d / top;
}

struct golden_input {
	int n;
	int32_t *tok, *label;
	double *sigma, *log_p, *gradient;
};

static void
check_numbers(struct classifier *c, const struct golden_input *g, const char *name)
{
	size_t L = (size_t)c->L, V = (size_t)c->V, K = (size_t)c->classes, n = (size_t)g->n;
	double *p = mem_calloc(n * K, sizeof *p), off = 0, far = 0, most = 0;
	float *feat = mem_aligned(n * L * (size_t)c->F, sizeof *feat), *grad = mem_aligned(n * L * V, sizeof *grad);
	struct error e = { 0 };

	CHECK(c->log_p(c, g->n, g->tok, g->sigma, p, NULL, &e) == ST_OK, "%s: log p %s", name, e.msg);
	for (size_t i = 0; i < n * K; i++)
		off = fmax(off, fabs(p[i] - g->log_p[i]));
	CHECK(off < 1e-5, "%s: log p within 1e-5 of PyTorch's (%.1e)", name, off);
	CHECK(c->gradient(c, g->n, g->tok, g->sigma, g->label, feat, NULL, &e) == ST_OK &&
		  c->rows(c, (int)(n * L), feat, grad, NULL, &e) == ST_OK,
	      "%s: gradient %s", name, e.msg);
	for (size_t i = 0; i < n; i++) {
		far = fmax(far, distance(L, V, grad + i * L * V, g->gradient + i * L * V));
		most = fmax(most, worst(L * V, grad + i * L * V, g->gradient + i * L * V));
	}
	CHECK(far < 1e-4 && most < 1e-4, "%s: gradient within 1e-4 of autograd's (%.1e, single ones %.1e)", name, far,
	      most);
	free(p);
	mem_free(feat);
	mem_free(grad);
}

/* exact[l,j] is the change of log p; small ones agree with the first order. */
static void
check_exact(struct classifier *c, const struct golden_input *g, const char *name)
{
	size_t L = (size_t)c->L, V = (size_t)c->V, K = (size_t)c->classes;
	float *ratio = mem_calloc(L * V, sizeof *ratio);
	double *p = mem_calloc(2 * K, sizeof *p), off = 0;
	int32_t *tok = mem_calloc(L, sizeof *tok);
	int y = g->label[0];
	bool held = true;

	if (L * V > 4096) {
		check_skip("%s: exact ratios of so many tokens", name);
	} else {
		CHECK(classifier_exact(c, g->tok, g->sigma[0], y, -1, ratio, NULL, NULL) == ST_OK, "%s: exact ratios",
		      name);
		c->log_p(c, 1, g->tok, g->sigma, p, NULL, NULL);
		for (size_t l = 0; l < L; l += 5) {
			size_t j = (l * 7 + 3) % V;
			memcpy(tok, g->tok, L * sizeof *tok);
			tok[l] = (int32_t)j;
			c->log_p(c, 1, tok, g->sigma, p + K, NULL, NULL);
			off = fmax(off, fabs(p[K + (size_t)y] - p[y] - (double)ratio[l * V + j]));
			held = held && ratio[l * V + (size_t)g->tok[l]] == 0;
		}
		CHECK(off < 1e-6 && held, "%s: they are differences of log p (%.1e), 0 at the token held", name, off);
		classifier_exact(c, g->tok, g->sigma[0], y, g->tok[3], ratio, NULL, NULL);
		for (size_t i = 0; i < L * V; i++)
			held = held && (ratio[i] == 0 || g->tok[i / V] == g->tok[3]);
		CHECK(held, "%s: with a mask, of masked positions only", name);
	}
	free(ratio);
	free(p);
	free(tok);
}

static void
check_case(const char *golden, const char *checkpoint)
{
	struct st_file *f = NULL;
	struct classifier *c = NULL;
	struct error e = { 0 };
	const char *name = strrchr(golden, '/') + 1;

	if (st_open(golden, &f, &e) != ST_OK || !st_find(f, "gradient") || !st_find(f, "log_p")) {
		st_close(f);
		return;
	}
	cases++;
	struct pool *pool = pool_new(2);
	if (CHECK(classifier_open(checkpoint, pool, &c, &e) == ST_OK, "%s opens %s", name, e.msg)) {
		const struct tensor *t = st_find(f, "tokens");
		struct golden_input g = { .n = (int)t->dim[0] };
		size_t n = (size_t)g.n, all = n * (size_t)c->L;
		g.tok = mem_calloc(all, sizeof *g.tok);
		g.label = mem_calloc(n, sizeof *g.label);
		bool ok = tensor_numel(t) == all && tensor_to_i32(t, 0, all, g.tok, NULL) == ST_OK &&
			  tensor_to_i32(st_find(f, "label"), 0, n, g.label, NULL) == ST_OK;
		g.sigma = doubles(f, "sigma", n);
		g.log_p = doubles(f, "log_p", n * (size_t)c->classes);
		g.gradient = doubles(f, "gradient", all * (size_t)c->V);
		if (CHECK(ok && g.sigma && g.log_p && g.gradient, "%s: shapes are those of the file", name)) {
			check_numbers(c, &g, name);
			check_exact(c, &g, name);
		}
		free(g.tok);
		free(g.label);
		free(g.sigma);
		free(g.log_p);
		free(g.gradient);
	}
	classifier_free(c);
	pool_free(pool);
	st_close(f);
}

/* ---- files that are something else ---- */

struct variant {
	const char *family, *base, *leave_out;
	int cut;
	const char *says;
};

/* A copy of a classifier with something wrong. */
static void
write_variant(const struct st_file *f, const struct variant *v, const char *path)
{
	struct st_writer *w = st_writer_new(path);

	for (int i = 0; i < f->n; i++) {
		const struct tensor *t = &f->tensor[i];
		int64_t dim[TENSOR_DIMS];
		memcpy(dim, t->dim, sizeof dim);
		if (v->leave_out && strcmp(t->name, v->leave_out) == 0 && !v->cut)
			continue;
		if (v->leave_out && strcmp(t->name, v->leave_out) == 0)
			dim[0] -= v->cut;
		st_declare(w, t->name, t->dtype, t->ndim, dim, NULL);
	}
	st_metadata(w, "config", st_meta(f, "config"), NULL);
	if (v->family)
		st_metadata(w, "family", v->family, NULL);
	if (v->base)
		st_metadata(w, "base", v->base, NULL);
	st_begin(w, NULL);
	for (int i = 0; i < f->n; i++) {
		const struct tensor *t = &f->tensor[i];
		bool named = v->leave_out && strcmp(t->name, v->leave_out) == 0;
		size_t row = tensor_numel(t) / (size_t)t->dim[0] * dtype_size(t->dtype);
		if (!named || v->cut)
			st_write(w, t->data, row * (size_t)(t->dim[0] - (named ? v->cut : 0)), NULL);
	}
	st_commit(w, NULL);
}

static void
check_hostile(const char *path)
{
	static const struct variant list[] = {
		{ "classifier", "dit", "classifier.weight", 0, "classifier.weight" },
		{ "classifier", "dit", "classifier.bias", 0, "classifier.bias" },
		{ "classifier", "dit", "classifier.bias", 1, "classifier.bias" },
		{ "classifier", "dit", "blocks.1.mlp.2.weight", 0, "blocks.1.mlp.2.weight" },
		{ "classifier", "dit", "blocks.0.attn_qkv.weight", 2, "blocks.0.attn_qkv.weight" },
		{ "classifier", "dit", "output_layer.norm_final.weight", 0, "norm_final" },
		{ "classifier", "unet", NULL, 0, "dit" },
		{ "classifier", "gpt2", NULL, 0, "dit or unet" },
		{ "classifier", NULL, NULL, 0, "dit or unet" },
		{ NULL, "dit", NULL, 0, "family" },
	};
	char out[64];
	struct st_file *f = NULL;

	snprintf(out, sizeof out, "classifier-%d.safetensors", (int)getpid());
	if (st_open(path, &f, NULL) != ST_OK)
		return;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct classifier *c = NULL;
		struct error e = { 0 };
		write_variant(f, &list[i], out);
		enum status st = classifier_open(out, NULL, &c, &e);
		CHECK(st == ST_CKPT && !c && strstr(e.msg, list[i].says), "refused: %s", e.msg);
		classifier_free(c);
	}
	unlink(out);
	st_close(f);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN"), *src = getenv("SRCDIR");
	char path[4096];

	snprintf(path, sizeof path, "%s/tests/golden/classifier", src ? src : ".");
	golden_walk(path, check_case);
	CHECK(cases > 0, "classifiers with their gradients in the tests' own folder");
	if (dir)
		golden_walk(dir, check_case);
	snprintf(path, sizeof path, "%s/tests/golden/classifier/dit.safetensors", src ? src : ".");
	check_hostile(path);
	return check_done();
}
