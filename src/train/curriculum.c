/* curriculum.c: see curriculum.h. */
#include "train/curriculum.h"

#include <math.h>

#include "train/normal.h"

enum status
curriculum_check(const struct curriculum *c, struct error *e)
{
	if (!(c->tau > 0) || isinf(c->tau))
		return error_set(e, ST_USAGE, "tau must be above 0, not %g", c->tau);
	if (c->k < 1 || c->k > c->K - 1 || c->k > CURRICULUM_K_MAX)
		return error_set(e, ST_USAGE, "the curriculum keeps 1 to %d of %d tokens, not %d",
		    c->K - 1 < CURRICULUM_K_MAX ? c->K - 1 : CURRICULUM_K_MAX, c->K, c->k);
	return ST_OK;
}

struct curriculum_time
curriculum_time_at(double gamma)
{
	return (struct curriculum_time){ sqrt(1 / (1 + exp(gamma))), sqrt(1 / (1 + exp(-gamma))) };
}

/* Uniform in (0,1), symmetric, from 52 bits. */
static double
open_unit(const uint32_t *w)
{
	uint64_t bits = ((uint64_t)w[0] << 32 | w[1]) >> 12;

	return ((double)bits + 0.5) * 0x1p-52;
}

void
curriculum_chances(const struct curriculum *c, const struct noise *n, struct curriculum_chance *out)
{
	uint32_t w[4];

	noise_words(n, STAGE_FORWARD, 0, 4, w);
	out->eps = normal_quantile(open_unit(w));
	for (int i = 0; i < c->k; i++) {
		noise_words(n, STAGE_FORWARD, 4 * (i + 1), 4, w);
		out->r[i] = open_unit(w);
		out->q[i] = (double)(((uint64_t)w[2] << 32 | w[3]) >> 11) * 0x1p-53;
	}
}

/* The k largest of N uniforms, as logarithms: the largest is r^(1/N), the next
 * that times r^(1/(N-1)), and so on; then their normal quantiles. */
static void
largest(int k, int N, double s, const double *r, double *log_u, double *g)
{
	double sum = 0;

	for (int i = 0; i < k; i++) {
		sum += log(r[i]) / (N - i);
		log_u[i] = sum;
		g[i] = s * normal_quantile_log(sum);
	}
}

/* k of the N ids that are not x, without replacement and in random order: the
 * j-th of those that are left.  sorted [k] is scratch. */
static void
choose_ids(int k, int N, int x, const double *q, int32_t *ids, int32_t *sorted)
{
	for (int i = 0; i < k; i++) {
		int32_t j = (int32_t)(q[i] * (N - i));
		int p = 0;
		for (; p < i && j >= sorted[p]; p++)
			j++;
		for (int m = i; m > p; m--)
			sorted[m] = sorted[m - 1];
		sorted[p] = j;
		ids[i] = j + (j >= x);
	}
}

/* Floyd's sample, as published: a set without a random order. */
static void
floyd_ids(int k, int N, int x, const double *q, int32_t *ids)
{
	for (int t = 0; t < k; t++) {
		int i = N - k + t;
		int32_t j = (int32_t)(q[t] * (i + 1));
		for (int m = 0; m < t; m++)
			if (ids[m] == j) {
				j = i;
				break;
			}
		ids[t] = j;
	}
	for (int t = 0; t < k; t++)
		ids[t] += ids[t] >= x;
}

/* log of a sum of exponentials, term by term. */
static double
log_add(double sum, double term)
{
	double top = sum > term ? sum : term, low = sum > term ? term : sum;

	return top == -INFINITY ? top : top + log1p(exp(low - top));
}

/* Everything sampled is known; only the K-1-k others are averaged, given that
 * they are below the smallest sampled one. */
static double
log_norm(const struct curriculum *c, double s, const double *g, double w)
{
	double sum = w / c->tau;
	int rest = c->K - 1 - c->k;

	for (int i = 0; i < c->k; i++)
		sum = log_add(sum, g[i] / c->tau);
	if (rest > 0)
		sum = log_add(sum, log(rest) + normal_log_mean_exp(s, c->tau, g[c->k - 1]));
	return sum;
}

/* As published: what the true token pushed out is averaged with the rest, and
 * the bound is the smallest zero-mean value kept. */
static double
log_norm_published(const struct curriculum *c, double s, const double *g, double w, int rank)
{
	bool inside = rank <= c->k;
	int kept = c->k - inside, rest = c->K - 1 - kept;
	double sum = w / c->tau;

	for (int i = 0; i < kept; i++)
		sum = log_add(sum, g[i] / c->tau);
	if (rest > 0)
		sum = log_add(sum, log(rest) + normal_log_mean_exp(s, c->tau, g[kept ? kept - 1 : 0]));
	return sum;
}

/* The k kept: the zero-mean ones with the true token in the place `at`
 * (0-based; k: it is not among them), which drops the last. */
static void
insert(int k, int at, int x, struct curriculum_draw *d)
{
	for (int i = 0; i < k; i++) {
		int from = i > at ? i - 1 : i;
		d->value[i] = i == at ? d->w_true : d->g[from];
		d->index[i] = i == at ? x : d->ids[from];
	}
}

void
curriculum_draw(const struct curriculum *c, const struct curriculum_time *t, const struct curriculum_chance *in, int x,
    struct curriculum_draw *d)
{
	int k = c->k, N = c->K - 1, rank = 1;

	largest(k, N, t->s, in->r, d->log_u, d->g);
	d->w_true = t->a + t->s * in->eps;
	while (rank <= k && d->g[rank - 1] > d->w_true)
		rank++;
	d->rank = rank;
	if (c->compat) {
		floyd_ids(k, N, x, in->q, d->ids);
		for (int i = 0; i < k; i++) {
			bool own = i == k - 1 && rank <= k;
			d->value[i] = own ? d->w_true : d->g[i];
			d->index[i] = own ? x : d->ids[i];
		}
		d->z = rank <= k ? x : d->ids[0];
		d->log_norm = log_norm_published(c, t->s, d->g, d->w_true, rank);
	} else {
		choose_ids(k, N, x, in->q, d->ids, d->index);
		insert(k, rank - 1, x, d);
		d->z = rank == 1 ? x : d->ids[0];
		d->log_norm = log_norm(c, t->s, d->g, d->w_true);
	}
	for (int i = 0; i < k; i++)
		d->weight[i] = exp(d->value[i] / c->tau - d->log_norm);
}

/* Four normals from four words (Box and Muller). */
static void
normals(const uint32_t w[4], double out[4])
{
	for (int i = 0; i < 4; i += 2) {
		double radius = sqrt(-2 * log(((double)w[i] + 0.5) * 0x1p-32));
		double angle = 2 * M_PI * ((double)w[i + 1] + 0.5) * 0x1p-32;
		out[i] = radius * cos(angle);
		out[i + 1] = radius * sin(angle);
	}
}

int
curriculum_simple(const struct curriculum *c, const struct curriculum_time *t, const struct noise *n, int x,
    float *input, double *norm)
{
	double e[4], top = -INFINITY, sum = 0;
	uint32_t w[4];
	int z = 0;

	for (int j = 0; j < c->K; j++) {
		if (j % 4 == 0) {
			noise_words(n, STAGE_FORWARD, j, 4, w);
			normals(w, e);
		}
		double v = t->s * e[j % 4] + (j == x ? t->a : 0);
		input[j] = (float)v;
		if (v > top) {
			top = v;
			z = j;
		}
	}
	for (int j = 0; j < c->K; j++) {
		double v = j == z ? 1 : exp(((double)input[j] - top) / c->tau);
		input[j] = (float)v;
		sum += v;
	}
	for (int j = 0; j < c->K; j++)
		input[j] = (float)((double)input[j] / sum);
	if (norm)
		*norm = top / c->tau + log(sum);
	return z;
}
