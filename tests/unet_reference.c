/* unet_reference.c: see unet_reference.h. */
#include "unet_reference.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config
unet_config(int side, int V, int ch, int scales, const int *mult, int blocks, int attn, int classes)
{
	struct config c = { .algo = V % 2 ? ALGO_MDLM : ALGO_DUO,
			    .backbone = BACKBONE_UNET,
			    .vocab = V,
			    .length = 3 * side * side,
			    .mask = V % 2 ? V - 1 : -1,
			    .ch = ch,
			    .num_scales = scales,
			    .num_res_blocks = blocks,
			    .attn_scale = attn,
			    .unet_time = 1,
			    .timed = true,
			    .time_embed_dim = 8,
			    .time_scale_factor = 1000,
			    .skip_rescale = 1,
			    .label_cond = classes > 0,
			    .classes = classes,
			    .eps = 1e-3,
			    .schedule = SCHEDULE_COSINE };

	memcpy(c.ch_mult, mult, (size_t)scales * sizeof *mult);
	return c;
}

/* An image [C][side][side]; owned by whoever got it. */
struct image {
	int C, side;
	double *p;
};

struct ref {
	const struct config *c;
	const struct random_weights *w;
	double *temb; /* [4 T]; NULL: none */
	const char *module;
	int i;
};

static struct image
image_new(int C, int side)
{
	struct image m = { C, side, calloc((size_t)(C * side * side), sizeof(double)) };

	return m;
}

static struct image
image_copy(struct image a)
{
	struct image m = image_new(a.C, a.side);

	memcpy(m.p, a.p, (size_t)(a.C * a.side * a.side) * sizeof *m.p);
	return m;
}

/* A parameter as doubles, freed by the caller; NULL: there is none. */
__attribute__((format(printf, 2, 3))) static double *
par(const struct ref *r, const char *fmt, ...)
{
	char name[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	for (int i = 0; i < r->w->n; i++)
		if (strcmp(r->w->t[i].name, name) == 0) {
			size_t n = tensor_numel(&r->w->t[i]);
			double *out = malloc(n * sizeof *out);
			tensor_to_f64(&r->w->t[i], 0, n, out);
			return out;
		}
	return NULL;
}

static double *
own(const struct ref *r, const char *name)
{
	return par(r, "%s.%d.%s", r->module, r->i, name);
}

static double
silu(double x)
{
	return x / (1 + exp(-x));
}

static void
norm(const struct ref *r, const char *name, struct image x, bool act)
{
	char full[64];
	int groups = x.C / 4 < 32 ? x.C / 4 : 32, per = x.C / groups, n = x.side * x.side;

	snprintf(full, sizeof full, "%s%sweight", name, *name ? "." : "");
	double *w = own(r, full);
	snprintf(full, sizeof full, "%s%sbias", name, *name ? "." : "");
	double *b = own(r, full);
	for (int g = 0; g < groups; g++) {
		double *p = x.p + g * per * n, mean = 0, var = 0;
		for (int i = 0; i < per * n; i++)
			mean += p[i] / (per * n);
		for (int i = 0; i < per * n; i++)
			var += (p[i] - mean) * (p[i] - mean) / (per * n);
		for (int i = 0; i < per * n; i++) {
			int c = g * per + i / n;
			p[i] = (p[i] - mean) / sqrt(var + 1e-6) * w[c] + b[c];
			p[i] = act ? silu(p[i]) : p[i];
		}
	}
	free(w);
	free(b);
}

/* 3x3; pad: zeros on all sides, or (stride 2) right and bottom alone.  Takes
 * w and b over. */
static struct image
conv3(struct image x, int N, int stride, double *w, double *b)
{
	int S = x.side, O = S / stride, pad = stride == 1;
	struct image y = image_new(N, O);

	for (int n = 0; n < N; n++)
		for (int i = 0; i < O; i++)
			for (int j = 0; j < O; j++) {
				double s = b[n];
				for (int c = 0; c < x.C; c++)
					for (int t = 0; t < 9; t++) {
						int u = i * stride - pad + t / 3, v = j * stride - pad + t % 3;
						if (u >= 0 && v >= 0 && u < S && v < S)
							s += w[(n * x.C + c) * 9 + t] * x.p[(c * S + u) * S + v];
					}
				y.p[(n * O + i) * O + j] = s;
			}
	free(w);
	free(b);
	return y;
}

/* w [C, N]; takes w and b over. */
static struct image
nin(struct image x, int N, double *w, double *b)
{
	struct image y = image_new(N, x.side);
	int n = x.side * x.side;

	for (int j = 0; j < N; j++)
		for (int i = 0; i < n; i++) {
			double s = b[j];
			for (int c = 0; c < x.C; c++)
				s += x.p[c * n + i] * w[c * N + j];
			y.p[j * n + i] = s;
		}
	free(w);
	free(b);
	return y;
}

/* (a + b) / sqrt 2, into a; b is freed. */
static void
join(const struct ref *r, struct image a, struct image b)
{
	for (int i = 0; i < a.C * a.side * a.side; i++)
		a.p[i] = (a.p[i] + b.p[i]) * (r->c->skip_rescale ? M_SQRT1_2 : 1);
	free(b.p);
}

/* Takes h over. */
static struct image
res_block(const struct ref *r, struct image h, int N)
{
	struct image a = image_copy(h), g;
	int n = h.side * h.side, T = 4 * r->c->time_embed_dim;

	norm(r, "groupnorm0", a, true);
	g = conv3(a, N, 1, own(r, "conv0.weight"), own(r, "conv0.bias"));
	free(a.p);
	double *w = own(r, "dense0.weight"), *b = own(r, "dense0.bias");
	for (int j = 0; w && j < N; j++) {
		double s = b[j];
		for (int k = 0; k < T; k++)
			s += w[j * T + k] * silu(r->temb[k]);
		for (int i = 0; i < n; i++)
			g.p[j * n + i] += s;
	}
	free(w);
	free(b);
	norm(r, "groupnorm1", g, true);
	a = conv3(g, N, 1, own(r, "conv1.weight"), own(r, "conv1.bias"));
	free(g.p);
	if (h.C != N) {
		g = nin(h, N, own(r, "nin.W"), own(r, "nin.b"));
		free(h.p);
		h = g;
	}
	join(r, a, h);
	return a;
}

/* Takes h over. */
static struct image
attn_block(const struct ref *r, struct image h)
{
	struct image a = image_copy(h), q, k, v;
	int C = h.C, n = h.side * h.side;
	double *p = malloc((size_t)n * sizeof *p);

	norm(r, "GroupNorm_0", a, false);
	q = nin(a, C, own(r, "NIN_0.W"), own(r, "NIN_0.b"));
	k = nin(a, C, own(r, "NIN_1.W"), own(r, "NIN_1.b"));
	v = nin(a, C, own(r, "NIN_2.W"), own(r, "NIN_2.b"));
	for (int i = 0; i < n; i++) {
		double sum = 0, top = -INFINITY;
		for (int j = 0; j < n; j++) {
			p[j] = 0;
			for (int c = 0; c < C; c++)
				p[j] += q.p[c * n + i] * k.p[c * n + j] / sqrt(C);
			top = fmax(top, p[j]);
		}
		for (int j = 0; j < n; j++)
			sum += p[j] = exp(p[j] - top);
		for (int c = 0; c < C; c++) {
			a.p[c * n + i] = 0;
			for (int j = 0; j < n; j++)
				a.p[c * n + i] += p[j] / sum * v.p[c * n + j];
		}
	}
	free(q.p);
	free(k.p);
	free(v.p);
	free(p);
	q = nin(a, C, own(r, "NIN_3.W"), own(r, "NIN_3.b"));
	free(a.p);
	join(r, q, h);
	return q;
}

/* h, then skip; both are freed. */
static struct image
concat(struct image h, struct image skip)
{
	struct image m = image_new(h.C + skip.C, h.side);
	size_t n = (size_t)(h.side * h.side);

	memcpy(m.p, h.p, (size_t)h.C * n * sizeof *m.p);
	memcpy(m.p + (size_t)h.C * n, skip.p, (size_t)skip.C * n * sizeof *m.p);
	free(h.p);
	free(skip.p);
	return m;
}

static struct image
doubled(struct image h)
{
	struct image m = image_new(h.C, 2 * h.side);

	for (int c = 0; c < h.C; c++)
		for (int i = 0; i < m.side; i++)
			for (int j = 0; j < m.side; j++)
				m.p[(c * m.side + i) * m.side + j] = h.p[(c * h.side + i / 2) * h.side + j / 2];
	free(h.p);
	return m;
}

static double *
time_embedding(const struct ref *r, double sigma, int label)
{
	int T = r->c->time_embed_dim, W = 4 * T;
	double *e = malloc((size_t)T * sizeof *e), *h = malloc((size_t)W * sizeof *h),
	       *out = malloc((size_t)W * sizeof *out);
	double *w0 = par(r, "temb_modules.0.weight"), *b0 = par(r, "temb_modules.0.bias");
	double *w1 = par(r, "temb_modules.1.weight"), *b1 = par(r, "temb_modules.1.bias");
	double *table = par(r, "cond_map.embedding_table.weight");

	for (int k = 0; k < T / 2; k++) {
		double f = exp(-log(10000) * k / (T / 2 - 1)) * sigma * r->c->time_scale_factor;
		e[k] = sin(f);
		e[T / 2 + k] = cos(f);
	}
	for (int i = 0; i < W; i++) {
		h[i] = b0[i];
		for (int k = 0; k < T; k++)
			h[i] += w0[i * T + k] * e[k];
	}
	for (int i = 0; i < W; i++) {
		out[i] = b1[i] + (table && label >= 0 ? table[label * W + i] : 0);
		for (int k = 0; k < W; k++)
			out[i] += w1[i * W + k] * silu(h[k]);
	}
	free(e);
	free(h);
	free(w0);
	free(b0);
	free(w1);
	free(b1);
	free(table);
	return out;
}

static struct image
body(struct ref *r, struct image x)
{
	const struct config *c = r->c;
	struct image skip[64], h = conv3(x, c->ch, 1, par(r, "input_conv.weight"), par(r, "input_conv.bias"));
	int skips = 0;

	skip[skips++] = image_copy(h);
	r->module = "downsampling_modules";
	r->i = 0;
	for (int s = 0; s < c->num_scales; s++) {
		for (int b = 0; b < c->num_res_blocks; b++) {
			h = res_block(r, h, c->ch * c->ch_mult[s]);
			r->i++;
			if (s == c->attn_scale) {
				h = attn_block(r, h);
				r->i++;
			}
			skip[skips++] = image_copy(h);
		}
		if (s < c->num_scales - 1) {
			struct image d = conv3(h, h.C, 2, own(r, "conv.weight"), own(r, "conv.bias"));
			free(h.p);
			h = d;
			r->i++;
			skip[skips++] = image_copy(h);
		}
	}
	r->module = "middle_modules";
	for (r->i = 0; r->i < 3; r->i++)
		h = r->i == 1 ? attn_block(r, h) : res_block(r, h, h.C);
	r->module = "upsampling_modules";
	r->i = 0;
	for (int s = c->num_scales - 1; s >= 0; s--) {
		for (int b = 0; b <= c->num_res_blocks; b++) {
			h = res_block(r, concat(h, skip[--skips]), c->ch * c->ch_mult[s]);
			r->i++;
			if (s == c->attn_scale) {
				h = attn_block(r, h);
				r->i++;
			}
		}
		if (s > 0) {
			h = doubled(h);
			struct image u = conv3(h, h.C, 1, own(r, "conv.weight"), own(r, "conv.bias"));
			free(h.p);
			h = u;
			r->i++;
		}
	}
	return h;
}

static long double
log_sigmoid(long double x)
{
	return (x < 0 ? x : 0) - log1pl(expl(-fabsl(x)));
}

void
logistic_reference(int n, double mu, double log_scale, bool fix, double *out)
{
	long double inv = expl(-((long double)log_scale - 2)), w = 2.L / n;

	for (int j = 0; j < n; j++) {
		long double c = -1 + w / 2 + w * j, a = (c - w / 2 - mu) * inv, b = (c + w / 2 - mu) * inv;
		long double l = log_sigmoid(a), r = log_sigmoid(b), one = r + log1pl(-expl(l - r) + 1e-6L);
		l = log_sigmoid(-b);
		r = log_sigmoid(-a);
		long double two = r + log1pl(-expl(l - r) + 1e-6L);
		out[j] = (double)(fix && two < one ? two : one);
	}
}

void
unet_reference(const struct config *c, const struct random_weights *w, const int32_t *tok, double sigma, int label,
	       double *feature, double *logit)
{
	struct ref r = { .c = c, .w = w };
	int side = (int)lround(sqrt(c->length / 3)), n = side * side;
	struct image x = image_new(3, side), h, o;

	for (int i = 0; i < c->length; i++)
		x.p[i] = 2. * tok[i] / c->vocab - 1;
	if (c->unet_time)
		r.temb = time_embedding(&r, c->timed ? sigma : 0, label);
	h = body(&r, x);
	r.module = "output_modules";
	r.i = 0;
	norm(&r, "", h, true);
	o = conv3(h, 6, 1, par(&r, "output_modules.1.weight"), par(&r, "output_modules.1.bias"));
	for (int i = 0; i < c->length; i++) {
		feature[2 * i] = tanh(x.p[i] + o.p[i]);
		feature[2 * i + 1] = o.p[3 * n + i];
		logistic_reference(c->vocab, feature[2 * i], feature[2 * i + 1], c->fix_logistic,
				   logit + (size_t)i * (size_t)c->vocab);
	}
	free(x.p);
	free(h.p);
	free(o.p);
	free(r.temb);
}
