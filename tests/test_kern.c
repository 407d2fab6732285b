/*
 * test_kern.c: every kernel of every path that this CPU has, and the products
 * of gemm.h, against plain double loops.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "net/gemm.h"

#define MOST 150                /* longest row */
#define GUARD 123.5f            /* behind every output: must survive */

static uint32_t draw;

static float
random_float(double scale)
{
	struct noise n = { .seed = 3, .step = draw++ };

	return (float)(scale * (2 * noise_scalar(&n, STAGE_DATA) - 1));
}

static void
fill(float *x, int n, double scale)
{
	for (int i = 0; i < n; i++)
		x[i] = random_float(scale);
}

/* The largest error of n results, in units of 1 + |want|. */
static double
error_of(const float *x, const double *want, int n)
{
	double worst = 0;

	for (int i = 0; i < n; i++) {
		double d = fabs((double)x[i] - want[i]) / (1 + fabs(want[i]));
		worst = isfinite(d) ? fmax(worst, d) : INFINITY;
	}
	return worst;
}

/* Functions of (x, bias): gelu, silu, add; and rows of every length. */
static void
test_rows(const struct kern *k)
{
	float x[MOST], b[MOST], g[MOST], r[MOST], out[MOST + 1];
	double gelu[MOST], silu[MOST], add[MOST], gate[MOST], scaled[MOST];
	double worst[6] = { 0 };
	bool kept = true;

	for (int n = 1; n < MOST; n++) {
		bool bias = n % 2;
		fill(x, n, n % 3 ? 4 : 60);
		fill(b, n, 2);
		fill(g, n, 2);
		fill(r, n, 10);
		for (int i = 0; i < n; i++) {
			double v = bias ? (double)x[i] + (double)b[i] : (double)x[i];
			gelu[i] = .5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + .044715 * v * v * v)));
			silu[i] = v / (1 + exp(-v));
			add[i] = v;
			gate[i] = (double)r[i] + (double)g[i] * v;
			scaled[i] = .37f * (double)x[i];
		}
		out[n] = GUARD;
		k->gelu(n, x, bias ? b : NULL, out);
		worst[0] = fmax(worst[0], error_of(out, gelu, n));
		kept &= out[n] == GUARD;
		k->silu(n, x, bias ? b : NULL, out);
		worst[1] = fmax(worst[1], error_of(out, silu, n));
		kept &= out[n] == GUARD;
		k->add(n, x, bias ? b : NULL, out);
		worst[2] = fmax(worst[2], error_of(out, add, n));
		kept &= out[n] == GUARD;
		k->gate_add(n, x, bias ? b : NULL, g, r, out);
		worst[3] = fmax(worst[3], error_of(out, gate, n));
		kept &= out[n] == GUARD;
		k->scale(n, .37f, x, out);
		worst[4] = fmax(worst[4], error_of(out, scaled, n));
		kept &= out[n] == GUARD;
		for (int i = 0; i < n; i++)
			gate[i] = (double)r[i] + add[i];
		k->gate_add(n, x, bias ? b : NULL, NULL, r, r);
		worst[5] = fmax(worst[5], error_of(r, gate, n));
	}
	CHECK(worst[0] < 4e-7, "%s: gelu (%.1e)", k->name, worst[0]);
	CHECK(worst[1] < 4e-7, "%s: silu (%.1e)", k->name, worst[1]);
	CHECK(worst[2] < 2e-7 && worst[4] < 2e-7, "%s: bias and scale", k->name);
	CHECK(worst[3] < 1e-5 && worst[5] < 1e-5, "%s: gate and residual, in place too", k->name);
	CHECK(kept, "%s: nothing is written behind a row", k->name);
}

static void
norm_wanted(int n, const float *x, const float *w, const float *shift, const float *scale, double *want)
{
	double mean = 0, var = 0;

	for (int i = 0; i < n; i++)
		mean += (double)x[i] / n;
	for (int i = 0; i < n; i++)
		var += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
	for (int i = 0; i < n; i++) {
		want[i] = ((double)x[i] - mean) / sqrt(var + 1e-5) * (double)w[i];
		if (scale)
			want[i] = want[i] * (1 + (double)scale[i]) + (double)shift[i];
	}
}

static void
test_norm(const struct kern *k)
{
	float x[MOST], w[MOST], a[MOST], b[MOST], out[MOST + 1];
	double want[MOST], worst = 0;
	bool kept = true;

	for (int n = 1; n < MOST; n++) {
		fill(x, n, 100);
		for (int i = 0; i < n; i++)
			x[i] += 50;
		fill(w, n, 2);
		fill(a, n, 2);
		fill(b, n, 2);
		out[n] = GUARD;
		norm_wanted(n, x, w, a, n % 2 ? b : NULL, want);
		k->norm(n, x, w, n % 2 ? a : NULL, n % 2 ? b : NULL, out);
		worst = fmax(worst, error_of(out, want, n));
		kept &= out[n] == GUARD;
	}
	CHECK(worst < 2e-6 && kept, "%s: layer norm and modulation (%.1e)", k->name, worst);
}

/* Functions of the way back: slopes of the activations, sums. */
static void
test_slopes(const struct kern *k)
{
	float x[MOST], b[MOST], d[MOST], g[MOST + 1];
	double gelu[MOST], silu[MOST], sum[MOST], worst[4] = { 0 };
	bool kept = true;

	for (int n = 1; n < MOST; n++) {
		double dot = 0, size = 0;
		bool bias = n % 2;
		fill(x, n, n % 3 ? 4 : 60);
		fill(b, n, 2);
		fill(d, n, 2);
		for (int i = 0; i < n; i++) {
			double v = bias ? (double)x[i] + (double)b[i] : (double)x[i];
			double c = sqrt(2 / M_PI), t = tanh(c * (v + .044715 * v * v * v)), s = 1 / (1 + exp(-v));
			double slope = .5 * (1 + t) + .5 * v * (1 - t * t) * c * (1 + 3 * .044715 * v * v);
			gelu[i] = (double)d[i] * slope;
			silu[i] = (double)d[i] * (s + v * s * (1 - s));
			sum[i] = (double)b[i] + (double).37f * (double)x[i];
			dot += (double)x[i] * (double)d[i];
			size += fabs((double)x[i] * (double)d[i]);
		}
		g[n] = GUARD;
		memcpy(g, d, (size_t)n * sizeof *g);
		k->gelu_back(n, x, bias ? b : NULL, g);
		worst[0] = fmax(worst[0], error_of(g, gelu, n));
		memcpy(g, d, (size_t)n * sizeof *g);
		k->silu_back(n, x, bias ? b : NULL, g);
		worst[1] = fmax(worst[1], error_of(g, silu, n));
		memcpy(g, b, (size_t)n * sizeof *g);
		k->axpy(n, .37f, x, g);
		worst[2] = fmax(worst[2], error_of(g, sum, n));
		worst[3] = fmax(worst[3], fabs((double)k->dot(n, x, d) - dot) / size);
		kept &= g[n] == GUARD;
	}
	CHECK(worst[0] < 1e-6, "%s: slope of gelu (%.1e)", k->name, worst[0]);
	CHECK(worst[1] < 1e-6, "%s: slope of silu (%.1e)", k->name, worst[1]);
	CHECK(worst[2] < 1e-6 && worst[3] < 3e-7, "%s: multiples and products of rows", k->name);
	CHECK(kept, "%s: nothing is written behind a row on the way back", k->name);
}

/* Masks of dropout, bit for bit as rng.h has the words. */
static void
test_mask(const struct kern *k)
{
	struct noise at = { .seed = 0x123456789abcdef0, .step = 7, .sample = 0xfffffff0, .pos = 12345, .nonce = 999 };
	uint32_t key[2] = { 0x9abcdef0, 0x12345678 }, word[128], limit = 20000;
	float out[257];
	bool same = true;

	for (int first = 0; first < 80; first += 8)
		for (int n = 1; n <= 256; n += n < 40 ? 1 : 23) {
			uint32_t ctr[4] = { 12345u | STAGE_DROPOUT << 24, (uint32_t)first / 8 | 999u << 16, 7,
				0xfffffff0 };
			noise_words(&at, STAGE_DROPOUT, first / 2, 128, word);
			out[n] = GUARD;
			k->mask(ctr, key, limit, 1.5f, n, out);
			for (int i = 0; i < n; i++)
				same &= out[i] == ((word[i / 2] >> (i % 2 * 16) & 0xffff) < limit ? 0 : 1.5f);
			same &= out[n] == GUARD;
		}
	CHECK(same, "%s: masks of dropout", k->name);
}

/* Against the derivative of the formula in double. */
static void
test_norm_back(const struct kern *k)
{
	float x[MOST], w[MOST], a[MOST], dy[MOST], dx[MOST + 1], p[MOST], q[MOST];
	double want[MOST], wp[MOST], wq[MOST], worst[3] = { 0 };
	bool kept = true;

	for (int n = 1; n < MOST; n++) {
		double mean = 0, var = 0, m1 = 0, m2 = 0;
		const float *scale = n % 2 ? a : NULL;
		fill(x, n, 3);
		fill(w, n, 2);
		fill(a, n, 2);
		fill(dy, n, 2);
		fill(dx, n, 1);
		fill(p, n, 1);
		fill(q, n, 1);
		dx[n] = GUARD;
		for (int i = 0; i < n; i++)
			mean += (double)x[i] / n;
		for (int i = 0; i < n; i++)
			var += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
		double rstd = 1 / sqrt(var + 1e-5);
		for (int i = 0; i < n; i++) {
			double g = (double)dy[i] * (double)w[i] * (scale ? 1 + (double)scale[i] : 1);
			m1 += g / n;
			m2 += g * ((double)x[i] - mean) * rstd / n;
		}
		for (int i = 0; i < n; i++) {
			double h = ((double)x[i] - mean) * rstd;
			double g = (double)dy[i] * (double)w[i] * (scale ? 1 + (double)scale[i] : 1);
			want[i] = (double)dx[i] + rstd * (g - m1 - h * m2);
			wp[i] = (double)p[i] + (double)dy[i];
			wq[i] = (double)q[i] + (double)dy[i] * h;
		}
		k->norm_back(n, x, w, scale, dy, dx, n % 4 ? p : NULL, n % 4 ? q : NULL);
		worst[0] = n > 2 ? fmax(worst[0], error_of(dx, want, n)) : worst[0];
		worst[1] = n % 4 ? fmax(worst[1], error_of(p, wp, n)) : worst[1];
		worst[2] = n % 4 ? fmax(worst[2], error_of(q, wq, n)) : worst[2];
		kept &= dx[n] == GUARD;
	}
	CHECK(worst[0] < 2e-6 && worst[1] < 2e-6 && worst[2] < 2e-6 && kept, "%s: layer norm backwards (%.1e)", k->name,
	      worst[0]);
}

static void
test_softmax(const struct kern *k)
{
	float x[MOST + 1];
	double want[MOST], worst = 0, sums = 0;
	bool zero = true, kept = true;

	for (int n = 1; n < MOST; n++) {
		double top = -INFINITY, sum = 0;
		fill(x, n, n % 3 ? 20 : 400);
		for (int i = 1; n % 2 && i < n; i += 3)
			x[i] = -INFINITY;
		x[n] = GUARD;
		for (int i = 0; i < n; i++)
			top = fmax(top, (double)x[i]);
		for (int i = 0; i < n; i++)
			sum += want[i] = exp(.25 * ((double)x[i] - top));
		double got = k->softmax(n, x, .25f);
		worst = fmax(worst, error_of(x, want, n));
		sums = fmax(sums, fabs(got - sum) / sum);
		for (int i = 0; i < n; i++)
			zero &= want[i] > 2e-38 || x[i] <= 2.1e-38f;
		for (int i = 1; n % 2 && i < n; i += 3)
			zero &= x[i] == 0;
		kept &= x[n] == GUARD;
	}
	CHECK(worst < 3e-6 && sums < 3e-6 && zero && kept, "%s: softmax (%.1e)", k->name, worst);
	x[0] = 1;
	x[1] = NAN;
	k->softmax(2, x, 1);
	CHECK(isnan(x[1]), "%s: NaN stays NaN", k->name);
}

/* exp over the range that softmax uses, relative: through one-element rows
 * beside a zero. */
static void
test_exp(const struct kern *k)
{
	double worst = 0;

	for (int i = 0; i < 20000; i++) {
		float x[2] = { 0, (float)(-87. * i / 20000) };
		double want = exp((double)x[1]);
		k->softmax(2, x, 1);
		worst = fmax(worst, fabs((double)x[1] - want) / want);
	}
	CHECK(worst < 2 * (double)FLT_EPSILON, "%s: exp within %.2f epsilon", k->name, worst / (double)FLT_EPSILON);
}

static void
test_rope(const struct kern *k)
{
	double worst = 0;

	for (int half = 1; half < MOST / 2; half++) {
		float x[MOST + 1], c[MOST], s[MOST];
		double want[MOST];
		fill(x, 2 * half, 3);
		x[2 * half] = GUARD;
		for (int i = 0; i < half; i++) {
			double angle = (double)random_float(100);
			c[i] = (float)cos(angle);
			s[i] = (float)sin(angle);
			want[i] = (double)x[i] * cos(angle) - (double)x[half + i] * sin(angle);
			want[half + i] = (double)x[half + i] * cos(angle) + (double)x[i] * sin(angle);
		}
		k->rope(half, c, s, x);
		worst = fmax(worst, x[2 * half] == GUARD ? error_of(x, want, 2 * half) : INFINITY);
	}
	CHECK(worst < 4e-7, "%s: rotation (%.1e)", k->name, worst);
}

/* One product of gemm.h: m x n x k, from column j0 on, against double. */
static double
product_error(const struct kern *kern, bool packed, bool by_column, int m, int n, int k, int kc, int j0)
{
	size_t lda = (size_t)k + 3, ld = (size_t)(by_column ? k : n) + 5, ldc = (size_t)n + 64;
	size_t b_floats = ld * (size_t)(by_column ? n : k);
	float *a = mem_aligned((size_t)m * lda, sizeof *a), *b = mem_aligned(b_floats, sizeof *b);
	float *c = mem_aligned((size_t)(m + 1) * ldc, sizeof *c),
	      *p = mem_aligned(gemm_packed_floats(kern, n, k), sizeof *p);
	struct gemm_b rhs = { .n = n, .k = k, .p = b, .by_column = by_column, .ld = ld };
	double worst = 0;

	fill(a, m * (int)lda, 1);
	fill(b, (int)b_floats, 1);
	for (size_t i = 0; i < ldc; i++)
		c[(size_t)m * ldc + i] = GUARD;
	if (packed) {
		gemm_pack(kern, b, ld, by_column, k, 0, n, p);
		rhs.p = p;
		rhs.packed = true;
	}
	gemm_mul(kern, m, a, lda, &rhs, j0, n, kc, c, ldc);
	for (int i = 0; i < m; i++)
		for (int j = j0; j < n; j++) {
			double sum = 0, size = 0;
			for (int q = 0; q < k; q++) {
				double v = (double)a[(size_t)i * lda + (size_t)q] *
					(double)(by_column ? b[(size_t)j * ld + (size_t)q]
							   : b[(size_t)q * ld + (size_t)j]);
				sum += v;
				size += fabs(v);
			}
			worst = fmax(worst, fabs(sum - (double)c[(size_t)i * ldc + (size_t)(j - j0)]) / size);
		}
	for (size_t i = 0; i < ldc; i++)
		worst = c[(size_t)m * ldc + i] == GUARD ? worst : INFINITY;
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(p);
	return worst;
}

static void
test_products(const struct kern *kern)
{
	static const int sizes[] = { 1, 2, 5, 12, 13, 31, 33, 64, 70 };
	double worst[2] = { 0 };
	int n_sizes = (int)(sizeof sizes / sizeof *sizes);

	for (int i = 0; i < n_sizes * n_sizes * n_sizes; i++) {
		int m = sizes[i % n_sizes], n = sizes[i / n_sizes % n_sizes], k = sizes[i / n_sizes / n_sizes];
		for (int packed = 0; packed < 2; packed++) {
			int j0 = n > 32 && i % 2 ? 32 : 0, kc = i % 3 == 2 ? 16 : 0;
			worst[packed] = fmax(worst[packed], product_error(kern, packed, i % 4 < 2, m, n, k, kc, j0));
		}
	}
	worst[1] = fmax(worst[1], product_error(kern, true, true, 25, 100, 1300, 0, 0));
	CHECK(worst[0] < 3e-7, "%s: products by BLAS (%.1e)", kern->name, worst[0]);
	CHECK(worst[1] < 3e-7, "%s: products by tiles (%.1e)", kern->name, worst[1]);
	CHECK(gemm_packed_floats(kern, 1 << 30, 1 << 30) == (size_t)1 << 60, "%s: size of a packed matrix", kern->name);
}

/* The left-hand side turned gives the tile's bits. */
static void
test_outer(const struct kern *kern)
{
	int k = 77, nr = kern->nr;
	float a[16 * 77], t[77 * 19], *b = mem_aligned((size_t)(nr * k), sizeof *b), c[16 * 32], d[16 * 32];
	bool same = true;

	fill(a, 16 * k, 1);
	fill(b, nr * k, 1);
	for (int p = 0; p < k; p++)
		for (int i = 0; i < 16; i++)
			t[p * 19 + i] = a[i * k + p];
	for (int m = 1; m <= kern->mr; m++)
		for (int add = 0; add < 2; add++) {
			fill(c, 16 * 32, 1);
			memcpy(d, c, sizeof c);
			kern->tile(m, k, a, (size_t)k, b, c, (size_t)nr, add);
			kern->outer(m, k, t, 19, b, d, (size_t)nr, add);
			same &= memcmp(c, d, (size_t)(m * nr) * sizeof *c) == 0;
		}
	CHECK(same, "%s: outer products", kern->name);
	mem_free(b);
}

/* d^T a over many rows against double, and nothing beside the result touched. */
static double
outer_error(const struct kern *kern, int rows, int n, int k, bool add)
{
	size_t ldd = (size_t)n + 3, lda = (size_t)k + 5, ldc = (size_t)k + 1;
	float *d = mem_aligned((size_t)rows * ldd, sizeof *d), *a = mem_aligned((size_t)rows * lda, sizeof *a);
	float *c = mem_aligned((size_t)n * ldc, sizeof *c);
	float *scratch = mem_aligned(gemm_outer_floats(kern, k) + 1, sizeof *scratch);
	double worst = 0;

	fill(d, rows * (int)ldd, 1);
	fill(a, rows * (int)lda, 1);
	for (size_t i = 0; i < (size_t)n * ldc; i++)
		c[i] = i % ldc == (size_t)k ? GUARD : 2;
	gemm_outer(kern, rows, n, k, d, ldd, a, lda, c, ldc, add, scratch);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++) {
			double sum = add ? 2 : 0, size = sum;
			for (int r = 0; r < rows; r++) {
				double v = (double)d[(size_t)r * ldd + (size_t)i];
				v *= (double)a[(size_t)r * lda + (size_t)j];
				sum += v;
				size += fabs(v);
			}
			worst = fmax(worst, fabs(sum - (double)c[(size_t)i * ldc + (size_t)j]) / size);
		}
	for (int i = 0; i < n; i++)
		worst = c[(size_t)i * ldc + (size_t)k] == GUARD ? worst : INFINITY;
	mem_free(d);
	mem_free(a);
	mem_free(c);
	mem_free(scratch);
	return worst;
}

static void
test_sums(const struct kern *kern)
{
	static const int sizes[] = { 1, 5, 12, 33, 70 }, rows[] = { 1, 7, 256, 600 };
	double worst = 0;

	for (int i = 0; i < 25; i++)
		for (int r = 0; r < 4; r++)
			worst = fmax(worst, outer_error(kern, rows[r], sizes[i % 5], sizes[i / 5], r % 2));
	CHECK(worst < 3e-7, "%s: sums of outer products (%.1e)", kern->name, worst);
}

/* A row of a tile has the same bits whatever rows are beside it. */
static void
test_tile_rows(const struct kern *kern)
{
	int k = 77, nr = kern->nr, mr = kern->mr;
	float a[16 * 77], *b = mem_aligned((size_t)(nr * k), sizeof *b), c[16 * 32], one[32];
	bool same = true;

	fill(a, 16 * k, 1);
	fill(b, nr * k, 1);
	for (int m = 1; m <= mr; m++) {
		kern->tile(m, k, a, (size_t)k, b, c, (size_t)nr, false);
		for (int i = 0; i < m; i++) {
			kern->tile(1, k, a + i * k, (size_t)k, b, one, (size_t)nr, false);
			same &= memcmp(one, c + i * nr, (size_t)nr * sizeof *one) == 0;
		}
	}
	CHECK(same, "%s: rows of a tile in any company", kern->name);
	mem_free(b);
}

int
main(void)
{
	static const char *const paths[] = { "portable", "avx2", "avx512" };

	setenv("PSIVIEW_KERNEL", "portable", 1);
	CHECK(kern_best() == &kern_portable && kern_named("no such") == NULL, "a path asked for by the environment");
	gemm_start();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		const struct kern *k = kern_named(paths[i]);
		if (!k) {
			check_skip("this CPU has no %s", paths[i]);
			continue;
		}
		test_rows(k);
		test_norm(k);
		test_slopes(k);
		test_mask(k);
		test_norm_back(k);
		test_softmax(k);
		test_exp(k);
		test_rope(k);
		test_products(k);
		test_sums(k);
		test_tile_rows(k);
		test_outer(k);
	}
	return check_done();
}
