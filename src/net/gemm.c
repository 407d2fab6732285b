/* gemm.c: see gemm.h.  The only file that includes cblas. */
#include "config.h"

#include "net/gemm.h"

#include <cblas.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define KC 512

static void
one_thread(void)
{
#ifdef HAVE_OPENBLAS
	openblas_set_num_threads(1);
#endif
}

void
gemm_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, one_thread);
}

size_t
gemm_packed_floats(const struct kern *kern, int n, int k)
{
	size_t nr = (size_t)kern->nr, cols = ((size_t)n + nr - 1) / nr * nr, size;

	return mem_mul(cols, (size_t)k, &size) ? size : SIZE_MAX;
}

/* Panel of `cols` columns from [n,ld]: a transposition, four k at a time so
 * that whole cache lines are read. */
static void
pack_columns(int nr, const float *src, size_t ld, int k, int cols, float *out)
{
	for (int p = 0; p < k; p += 16) {
		int end = p + 16 < k ? p + 16 : k;
		for (int j = 0; j < cols; j++) {
			const float *s = src + (size_t)j * ld;
			for (int q = p; q < end; q++)
				out[(size_t)q * (size_t)nr + (size_t)j] = s[q];
		}
	}
	for (int p = 0; cols < nr && p < k; p++)
		memset(out + (size_t)p * (size_t)nr + cols, 0, (size_t)(nr - cols) * sizeof *out);
}

/* A whole panel of rows; `size` is a constant where this is used. */
static inline __attribute__((always_inline)) void
copy_rows(const size_t size, const float *src, size_t ld, int k, float *out)
{
	for (int p = 0; p < k; p++, out += size, src += ld)
		memcpy(out, src, size * sizeof *out);
}

static void
pack_rows(int nr, const float *src, size_t ld, int k, int cols, float *out)
{
	if (cols == nr && (nr == 16 || nr == 32)) {
		if (nr == 32)
			copy_rows(32, src, ld, k, out);
		else
			copy_rows(16, src, ld, k, out);
		return;
	}
	for (int p = 0; p < k; p++, out += nr, src += ld) {
		memcpy(out, src, (size_t)cols * sizeof *out);
		memset(out + cols, 0, (size_t)(nr - cols) * sizeof *out);
	}
}

void
gemm_pack(const struct kern *kern, const float *src, size_t ld, bool by_column, int k, int j0, int j1, float *out)
{
	int nr = kern->nr;

	for (int j = j0; j < j1; j += nr) {
		int cols = j1 - j < nr ? j1 - j : nr;
		float *panel = out + (size_t)j * (size_t)k;
		if (by_column)
			pack_columns(nr, src + (size_t)j * ld, ld, k, cols, panel);
		else
			pack_rows(nr, src + j, ld, k, cols, panel);
	}
}

static void
mul_tiles(const struct kern *kern, int m, const float *a, size_t lda, const struct gemm_b *b, int j0, int j1, int kc,
	  float *c, size_t ldc)
{
	int nr = kern->nr;

	for (int j = j0; j < j1; j += nr)
		for (int k0 = 0; k0 < b->k; k0 += kc) {
			const float *panel = b->p + (size_t)j * (size_t)b->k + (size_t)k0 * (size_t)nr;
			int k = b->k - k0 < kc ? b->k - k0 : kc;
			for (int i = 0; i < m; i += kern->mr)
				kern->tile(m - i < kern->mr ? m - i : kern->mr, k, a + (size_t)i * lda + k0, lda, panel,
				           c + (size_t)i * ldc + (j - j0), ldc, k0 > 0);
		}
}

void
gemm_mul(const struct kern *kern, int m, const float *a, size_t lda, const struct gemm_b *b, int j0, int j1, int kc,
	 float *c, size_t ldc)
{
	if (b->packed) {
		mul_tiles(kern, m, a, lda, b, j0, j1, kc ? kc : KC, c, ldc);
		return;
	}
	if (!kc)
		kc = b->k;
	for (int k0 = 0; k0 < b->k; k0 += kc) {
		int k = b->k - k0 < kc ? b->k - k0 : kc;
		const float *p = b->by_column ? b->p + (size_t)j0 * b->ld + k0 : b->p + (size_t)k0 * b->ld + j0;
		cblas_sgemm(CblasRowMajor, CblasNoTrans, b->by_column ? CblasTrans : CblasNoTrans, m, j1 - j0, k, 1,
			a + k0, (int)lda, p, (int)b->ld, k0 > 0, c, (int)ldc);
	}
}

#define MOST_TILE 512 /* floats of the largest tile */

/* One strip of d's columns times all panels; the last may be wider than c. */
static void
outer_strip(const struct kern *kern, int rows, int m, int k, const float *d, size_t ldd, const float *panels, float *c,
	    size_t ldc, bool add)
{
	float edge[MOST_TILE];
	int nr = kern->nr;

	for (int j = 0; j < k; j += nr, panels += (size_t)nr * (size_t)rows) {
		if (k - j >= nr) {
			kern->outer(m, rows, d, ldd, panels, c + j, ldc, add);
			continue;
		}
		kern->outer(m, rows, d, ldd, panels, edge, (size_t)nr, false);
		for (int i = 0; i < m; i++)
			for (int q = j; q < k; q++) {
				float *to = c + (size_t)i * ldc + q, v = edge[i * nr + q - j];
				*to = add ? *to + v : v;
			}
	}
}

void
gemm_outer(const struct kern *kern, int rows, int n, int k, const float *d, size_t ldd, const float *a, size_t lda,
	   float *c, size_t ldc, bool add, float *scratch)
{
	for (int r = 0; r < rows; r += GEMM_OUTER_ROWS) {
		int m = rows - r < GEMM_OUTER_ROWS ? rows - r : GEMM_OUTER_ROWS;
		const float *dr = d + (size_t)r * ldd, *ar = a + (size_t)r * lda;
		if (kern->blas) {
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, dr, (int)ldd, ar, (int)lda,
				    add || r > 0, c, (int)ldc);
			continue;
		}
		gemm_pack(kern, ar, lda, false, m, 0, k, scratch);
		for (int i = 0; i < n; i += kern->mr)
			outer_strip(kern, m, n - i < kern->mr ? n - i : kern->mr, k, dr + i, ldd, scratch,
				    c + (size_t)i * ldc, ldc, add || r > 0);
	}
}

size_t
gemm_outer_floats(const struct kern *kern, int k)
{
	return kern->blas ? 0 : gemm_packed_floats(kern, k, GEMM_OUTER_ROWS);
}
