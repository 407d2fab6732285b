/* oracle.c: see oracle.h.  The data are read only; trunk and rows may be called from any thread. */
#include "models/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct oracle {
	struct model m;
	int n, symbols;
	int32_t *data;           /* [n,L] */
};

static const struct oracle *
oracle_of(const struct model *m)
{
	return m->priv;
}

size_t
oracle_scratch(const struct model *m)
{
	return (size_t)oracle_of(m)->n * ((size_t)m->L + 1);
}

static void
normalise(double *x, int n)
{
	double sum = 0;

	for (int j = 0; j < n; j++)
		sum += x[j];
	for (int j = 0; j < n; j++)
		x[j] = sum > 0 ? x[j] / sum : 1.0 / n;
}

/* log of the product of q_t(z^m | x^m) over all m but l, for each string, into
 * [n,L]: sums before l and after l, so that nothing is subtracted. */
static void
leave_one_out(const struct oracle *o, const int32_t *z, double hit, double miss, double *w)
{
	int L = o->m.L;

	for (int i = 0; i < o->n; i++) {
		const int32_t *x = o->data + (size_t)i * (size_t)L;
		double *row = w + (size_t)i * (size_t)L, sum = 0;
		for (int l = 0; l < L; l++) {
			row[l] = sum;
			sum += x[l] == z[l] ? hit : miss;
		}
		sum = 0;
		for (int l = L - 1; l >= 0; l--) {
			row[l] += sum;
			sum += x[l] == z[l] ? hit : miss;
		}
	}
}

static void
uniform_x(const struct oracle *o, const int32_t *z, double alpha, double noise, double *x, double *w)
{
	int L = o->m.L, K = o->symbols;

	leave_one_out(o, z, log(alpha + noise / K), log(noise / K), w);
	for (int l = 0; l < L; l++) {
		double *out = x + (size_t)l * (size_t)K, top = -INFINITY;
		const double *of = w + l; /* [n] at stride L */
		for (int i = 0; i < o->n; i++)
			top = fmax(top, of[(size_t)i * (size_t)L]);
		for (int i = 0; i < o->n && top > -INFINITY; i++)
			out[o->data[(size_t)i * (size_t)L + (size_t)l]] += exp(of[(size_t)i * (size_t)L] - top);
		normalise(out, K);
	}
}

static bool
fits(const int32_t *x, const int32_t *z, int L, int mask)
{
	for (int l = 0; l < L; l++)
		if (z[l] != mask && z[l] != x[l])
			return false;
	return true;
}

static void
masked_x(const struct oracle *o, const int32_t *z, double *x)
{
	int L = o->m.L, V = o->m.V;

	for (int i = 0; i < o->n; i++) {
		const int32_t *s = o->data + (size_t)i * (size_t)L;
		if (fits(s, z, L, o->m.mask))
			for (int l = 0; l < L; l++)
				x[(size_t)l * (size_t)V + (size_t)s[l]]++;
	}
	for (int l = 0; l < L; l++) {
		double *out = x + (size_t)l * (size_t)V;
		if (z[l] == o->m.mask) {
			normalise(out, o->symbols);
		} else {
			memset(out, 0, (size_t)V * sizeof *out);
			out[z[l]] = 1;
		}
	}
}

void
oracle_x_theta(const struct model *m, const int32_t *z, double alpha, double noise, double *x, double *scratch)
{
	memset(x, 0, (size_t)m->L * (size_t)m->V * sizeof *x);
	if (m->mask >= 0)
		masked_x(oracle_of(m), z, x);
	else
		uniform_x(oracle_of(m), z, alpha, noise, x, scratch);
}

static enum status
trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat, struct cancel *c,
      struct error *e)
{
	size_t size = (size_t)m->L * (size_t)m->V;
	double *x = mem_calloc(size + oracle_scratch(m), sizeof *x);

	(void)label;
	if (!x)
		return error_set(e, ST_MEMORY, "out of memory for the exact denoiser");
	for (int i = 0; i < n && !cancel_asked(c); i++) {
		oracle_x_theta(m, tok + (size_t)i * (size_t)m->L, exp(-sigma[i]), -expm1(-sigma[i]), x, x + size);
		for (size_t j = 0; j < size; j++)
			feat[(size_t)i * size + j] = (float)log(x[j]);
	}
	free(x);
	return cancel_asked(c) ? ST_CANCELLED : ST_OK;
}

static enum status
rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	(void)c;
	(void)e;
	memcpy(logit, feat, (size_t)n * (size_t)m->F * sizeof *logit);
	return ST_OK;
}

static void
free_oracle(struct model *m)
{
	struct oracle *o = m->priv;

	free(o->data);
	free(o);
}

enum status
oracle_new(int n, int L, int symbols, const int32_t *data, bool masked, const struct alpha *alpha, struct model **out,
           struct error *e)
{
	size_t count;

	*out = NULL;
	if (n < 1 || L < 1 || symbols < 2 || !mem_mul((size_t)n, (size_t)L, &count))
		return error_set(e, ST_USAGE, "no exact denoiser of %d strings of length %d over %d symbols", n, L,
		    symbols);
	for (size_t i = 0; i < count; i++)
		if (data[i] < 0 || data[i] >= symbols)
			return error_set(e, ST_USAGE, "symbol %d is not one of %d", (int)data[i], symbols);
	struct oracle *o = mem_calloc(1, sizeof *o);
	if (o)
		o->data = mem_calloc(count, sizeof *o->data);
	if (!o || !o->data) {
		free(o);
		return error_set(e, ST_MEMORY, "out of memory for the exact denoiser");
	}
	memcpy(o->data, data, count * sizeof *data);
	o->n = n;
	o->symbols = symbols;
	int V = symbols + masked;
	o->m = (struct model){ .L = L, .V = V, .F = V, .mask = masked ? symbols : -1,
		.out = masked ? OUT_SUBS : OUT_MEAN, .alpha = *alpha, .timed = !masked, .trunk = trunk, .rows = rows,
		    .free = free_oracle, .priv = o };
	*out = &o->m;
	return ST_OK;
}
