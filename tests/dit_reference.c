/* dit_reference.c: see dit_reference.h. */
#include "dit_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static uint16_t
bf16_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return (uint16_t)(u >> 16);
}

/* Weights of the size that a trained network has: 1/sqrt(k) for matrices,
 * around 1 for norms, small biases. */
void
random_weights_init(struct random_weights *w, const struct net *net, uint64_t seed, enum dtype dtype)
{
	w->n = net->n_par;
	w->t = calloc((size_t)w->n, sizeof *w->t);
	w->data = calloc((size_t)w->n, sizeof *w->data);
	for (int i = 0; i < w->n; i++) {
		const struct net_param *p = &net->par[i];
		size_t in = 1;
		for (int d = 1; d < p->ndim; d++)
			in *= (size_t)p->dim[d];
		size_t n = (size_t)p->dim[0] * in;
		struct noise r = { .seed = seed, .step = (uint32_t)i };
		float *f = malloc(n * sizeof *f);
		uint32_t *word = malloc((n + 4) * sizeof *word);
		double size = p->ndim > 1 ? sqrt(3. / (double)in) : .2;
		if (strstr(p->name, "embedding"))
			size = 1;
		for (size_t at = 0; at < n; at += 65536) {
			r.sample = (uint32_t)(at / 65536);
			noise_words(&r, STAGE_DATA, 0, (int)(n - at < 65536 ? n - at : 65536), word + at);
		}
		for (size_t k = 0; k < n; k++)
			f[k] = (float)(size * (2 * ((double)word[k] + .5) * 0x1p-32 - 1) +
				(strstr(p->name, "norm") ? 1 : 0));
		free(word);
		w->t[i] = (struct tensor){ .name = p->name, .dtype = dtype, .ndim = p->ndim,
			.data = (const uint8_t *)f };
		int64_t stride = 1;
		for (int d = p->ndim - 1; d >= 0; d--) {
			w->t[i].dim[d] = p->dim[d];
			w->t[i].stride[d] = stride;
			stride *= p->dim[d];
		}
		w->data[i] = f;
		for (size_t k = 0; dtype == DT_BF16 && k < n; k++)
			((uint16_t *)(void *)f)[k] = bf16_of(f[k]);
	}
}

void
random_weights_done(struct random_weights *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->data[i]);
	free(w->data);
	free(w->t);
}

struct config
dit_config(int V, int L, int d, int blocks, int heads, int cond, int classes)
{
	struct config c = { .algo = ALGO_DUO, .backbone = BACKBONE_DIT, .vocab = V, .length = L, .hidden = d,
		.n_blocks = blocks,
		.n_heads = heads, .cond_dim = cond, .causal = cond == 0, .timed = cond > 0, .label_cond = classes > 0,
		.classes = classes, .mask = -1, .eps = 1e-3, .schedule = SCHEDULE_LOGLINEAR };

	return c;
}

struct table {
	const struct random_weights *w;
	int block;
};

/* A parameter widened; freed by the caller; NULL if there is none. */
static double *
par(const struct table *t, const char *name)
{
	char full[96];

	if (t->block >= 0)
		snprintf(full, sizeof full, "blocks.%d.%s", t->block, name);
	else
		snprintf(full, sizeof full, "%s", name);
	for (int i = 0; i < t->w->n; i++)
		if (strcmp(t->w->t[i].name, full) == 0) {
			size_t n = tensor_numel(&t->w->t[i]);
			double *out = malloc(n * sizeof *out);
			tensor_to_f64(&t->w->t[i], 0, n, out);
			return out;
		}
	return NULL;
}

/* out [rows,n] = x [rows,k] W^T + bias */
static void
linear(const struct table *t, const char *weight, const char *bias, int rows, int n, int k, const double *x,
	double *out)
{
	double *w = par(t, weight), *b = bias ? par(t, bias) : NULL;

	for (int r = 0; r < rows; r++)
		for (int j = 0; j < n; j++) {
			double s = b ? b[j] : 0;
			for (int i = 0; i < k; i++)
				s += x[r * k + i] * w[j * k + i];
			out[r * n + j] = s;
		}
	free(w);
	free(b);
}

static double
silu(double x)
{
	return x / (1 + exp(-x));
}

static void
norm(const struct table *t, const char *weight, int rows, int d, const double *x, const double *shift,
	const double *scale, double *out)
{
	double *w = par(t, weight);

	for (int r = 0; r < rows; r++, x += d, out += d) {
		double mean = 0, var = 0;
		for (int i = 0; i < d; i++)
			mean += x[i] / d;
		for (int i = 0; i < d; i++)
			var += (x[i] - mean) * (x[i] - mean) / d;
		for (int i = 0; i < d; i++) {
			out[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[i];
			if (scale)
				out[i] = out[i] * (1 + scale[i]) + shift[i];
		}
	}
	free(w);
}

static void
rope(int L, int heads, int hd, double *qkv)
{
	int d = heads * hd;

	for (int p = 0; p < L; p++)
		for (int h = 0; h < 2 * heads; h++)
			for (int i = 0; i < hd / 2; i++) {
				double *x = qkv + p * 3 * d + h * hd + i, a = x[0], b = x[hd / 2];
				double angle = p * pow(10000, -2. * i / hd);
				x[0] = a * cos(angle) - b * sin(angle);
				x[hd / 2] = b * cos(angle) + a * sin(angle);
			}
}

static void
attend(int L, int heads, int hd, bool causal, const double *qkv, double *out)
{
	int d = heads * hd;
	double *p = malloc((size_t)L * sizeof *p);

	for (int h = 0; h < heads; h++)
		for (int q = 0; q < L; q++) {
			int keys = causal ? q + 1 : L;
			double top = -INFINITY, sum = 0;
			for (int k = 0; k < keys; k++) {
				p[k] = 0;
				for (int i = 0; i < hd; i++)
					p[k] += qkv[q * 3 * d + h * hd + i] * qkv[k * 3 * d + d + h * hd + i] /
						sqrt(hd);
				top = fmax(top, p[k]);
			}
			for (int k = 0; k < keys; k++)
				sum += p[k] = exp(p[k] - top);
			for (int i = 0; i < hd; i++) {
				double s = 0;
				for (int k = 0; k < keys; k++)
					s += p[k] / sum * qkv[k * 3 * d + 2 * d + h * hd + i];
				out[q * d + h * hd + i] = s;
			}
		}
	free(p);
}

static void
block(const struct config *c, const struct table *t, const double *cond, double *h)
{
	int d = c->hidden, L = c->length;
	size_t n = (size_t)L * (size_t)d;
	double *a = malloc(n * sizeof *a), *wide = malloc(4 * n * sizeof *wide),
	       *m = malloc((size_t)(6 * d) * sizeof *m);

	if (cond)
		linear(t, "adaLN_modulation.weight", "adaLN_modulation.bias", 1, 6 * d, c->cond_dim, cond, m);
	norm(t, "norm1.weight", L, d, h, m, cond ? m + d : NULL, a);
	linear(t, "attn_qkv.weight", NULL, L, 3 * d, d, a, wide);
	rope(L, c->n_heads, d / c->n_heads, wide);
	attend(L, c->n_heads, d / c->n_heads, c->causal, wide, a);
	linear(t, "attn_out.weight", NULL, L, d, d, a, wide);
	for (size_t i = 0; i < n; i++)
		h[i] += (cond ? m[2 * d + (int)(i % (size_t)d)] : 1) * wide[i];
	norm(t, "norm2.weight", L, d, h, m + 3 * d, cond ? m + 4 * d : NULL, a);
	linear(t, "mlp.0.weight", "mlp.0.bias", L, 4 * d, d, a, wide);
	for (size_t i = 0; i < 4 * n; i++)
		wide[i] = .5 * wide[i] * (1 + tanh(sqrt(2 / M_PI) * (wide[i] + .044715 * pow(wide[i], 3))));
	linear(t, "mlp.2.weight", "mlp.2.bias", L, d, 4 * d, wide, a);
	for (size_t i = 0; i < n; i++)
		h[i] += (cond ? m[5 * d + (int)(i % (size_t)d)] : 1) * a[i];
	free(a);
	free(wide);
	free(m);
}

static void
condition(const struct config *c, const struct table *t, double sigma, int label, double *out)
{
	int n = c->cond_dim;
	double e[256], *mid = malloc((size_t)n * sizeof *mid);

	for (int k = 0; k < 128; k++) {
		double f = exp(-log(10000) * k / 128);
		e[k] = cos(sigma * f);
		e[128 + k] = sin(sigma * f);
	}
	linear(t, "sigma_map.mlp.0.weight", "sigma_map.mlp.0.bias", 1, n, 256, e, mid);
	for (int i = 0; i < n; i++)
		mid[i] = silu(mid[i]);
	linear(t, "sigma_map.mlp.2.weight", "sigma_map.mlp.2.bias", 1, n, n, mid, out);
	double *table = c->label_cond ? par(t, "cond_map.embedding_table.weight") : NULL;
	for (int i = 0; i < n; i++)
		out[i] = silu(out[i]) + (table && label >= 0 ? silu(table[label * n + i]) : 0);
	free(table);
	free(mid);
}

static void
embed(const struct config *c, const struct table *t, const int32_t *tok, const double *x, double *h)
{
	int d = c->hidden;
	double *table = par(t, "vocab_embed.embedding");

	for (int p = 0; p < c->length; p++)
		for (int i = 0; i < d; i++) {
			h[p * d + i] = tok ? table[tok[p] * d + i] : 0;
			for (int v = 0; !tok && v < c->vocab; v++)
				h[p * d + i] += x[p * c->vocab + v] * table[v * d + i];
		}
	free(table);
}

void
dit_reference(const struct config *c, const struct random_weights *w, const int32_t *tok, const double *x, double sigma,
	int label, double *feature, double *logit)
{
	struct table t = { w, -1 };
	int d = c->hidden, L = c->length;
	size_t n = (size_t)L * (size_t)d;
	double *h = malloc(n * sizeof *h), *f = malloc(n * sizeof *f), *m = malloc((size_t)(2 * d) * sizeof *m);
	double *cond = c->causal ? NULL : malloc((size_t)c->cond_dim * sizeof *cond);

	embed(c, &t, tok, x, h);
	if (cond)
		condition(c, &t, c->timed ? sigma : 0, label, cond);
	for (t.block = 0; t.block < c->n_blocks; t.block++)
		block(c, &t, cond, h);
	t.block = -1;
	if (cond)
		linear(&t, "output_layer.adaLN_modulation.weight", "output_layer.adaLN_modulation.bias", 1, 2 * d,
			c->cond_dim, cond, m);
	norm(&t, "output_layer.norm_final.weight", L, d, h, m, cond ? m + d : NULL, f);
	linear(&t, "output_layer.linear.weight", "output_layer.linear.bias", L, c->vocab, d, f, logit);
	if (feature)
		memcpy(feature, f, n * sizeof *f);
	free(h);
	free(f);
	free(m);
	free(cond);
}
