/* filter.c: see filter.h. */
#include "psi/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "psi/vocab.h"

/* The mask's entry that the output's meaning takes away; -1: none. */
static int
barred(const struct model *m)
{
	if (m->out == OUT_SUBS || m->out == OUT_CAUSAL || (m->out == OUT_D3PM && m->subs_masking))
		return m->mask;
	return -1;
}

void
filter_log_x(const struct model *m, const float *logit, int z, double sigma, float *out)
{
	int V = m->V, bar = barred(m);

	if (m->out == OUT_SUBS && z != m->mask) {
		for (int j = 0; j < V; j++)
			out[j] = -INFINITY;
		out[z] = 0;
		return;
	}
	if (out != logit)
		memcpy(out, logit, (size_t)V * sizeof *out);
	if (m->out == OUT_SCORE) {
		vocab_shift(V, out, log(expm1(sigma)) + log(V - 1));
		out[z] = 0;
		return;
	}
	if (bar >= 0)
		out[bar] = -INFINITY;
	vocab_shift(V, out, vocab_log_sum(V, out));
}

static double
log_sum_double(int V, const double *x)
{
	double top = -INFINITY, sum = 0;

	for (int j = 0; j < V; j++)
		top = x[j] > top ? x[j] : top;
	if (!(top > -INFINITY && top < INFINITY))
		return NAN;
	for (int j = 0; j < V; j++)
		sum += exp(x[j] - top);
	return top + log(sum);
}

static void
shift_double(int V, double *x, double by)
{
	for (int j = 0; j < V; j++)
		x[j] -= by;
}

void
filter_log_x_double(const struct model *m, const float *logit, int z, double sigma, double *out)
{
	int V = m->V, bar = barred(m);

	if (m->out == OUT_SUBS && z != m->mask) {
		for (int j = 0; j < V; j++)
			out[j] = -INFINITY;
		out[z] = 0;
		return;
	}
	for (int j = 0; j < V; j++)
		out[j] = (double)logit[j];
	if (m->out == OUT_SCORE) {
		shift_double(V, out, log(expm1(sigma)) + log(V - 1));
		out[z] = 0;
		return;
	}
	if (bar >= 0)
		out[bar] = -INFINITY;
	shift_double(V, out, log_sum_double(V, out));
}

bool
filter_off(double temperature, double top_p, int top_k)
{
	return temperature == 1 && top_p >= 1 && top_k <= 0;
}

/*
 * Where to cut a row: tokens above x, and those at x with ids up to id, stay.
 */
struct cut {
	float x;
	int id;
};

static bool
stays(struct cut c, float x, int id)
{
	return x > c.x || (x == c.x && id <= c.id);
}

#define BUCKETS 1024
#define BUCKETS_SMALL 64         /* for rows up to this long */
#define NATS 32                  /* what all buckets together span */

/* A row seen through buckets of log x: the key rises as x falls. */
struct buckets {
	const float *x;
	float top, scale;
	int n;
	double mass[BUCKETS];
};

static float
key_of(const struct buckets *b, float x)
{
	return (b->top - x) * b->scale;
}

static int
bucket_of(const struct buckets *b, float key)
{
	return key < (float)(b->n - 1) ? (int)key : b->n - 1;
}

/* The first bucket with which the sum reaches target (the last one that holds
 * anything, if rounding leaves the sum below it); *before: the sum without it. */
static int
crossing(const struct buckets *b, double target, double *before)
{
	int last = 0;

	for (int i = 0; i < b->n; i++) {
		if (b->mass[i] == 0)
			continue;
		last = i;
		if (*before + b->mass[i] >= target)
			return i;
		*before += b->mass[i];
	}
	*before -= b->mass[last];
	return last;
}

static int
by_value(const void *a, const void *b, void *arg)
{
	const float *x = arg;
	int i = *(const int *)a, j = *(const int *)b;

	if (x[i] != x[j])
		return x[i] > x[j] ? -1 : 1;
	return (i > j) - (i < j);
}

static double
weight(float x, bool count)
{
	return count ? 1 : exp((double)x);
}

/* Sort what is left of the candidates and take from the top. */
static struct cut
cut_sorted(const float *x, int *list, int n, double sum, double target, bool count)
{
	qsort_r(list, (size_t)n, sizeof *list, by_value, (void *)(uintptr_t)x);
	int i = 0;
	for (; i < n - 1; i++) {
		sum += weight(x[list[i]], count);
		if (sum >= target)
			break;
	}
	return (struct cut){ x[list[i]], list[i] };
}

/* Mass of each bucket of the whole row, and their sum. */
static double
fill(struct buckets *b, int V, bool count)
{
	float w[VOCAB_BLOCK];
	double total = 0;

	memset(b->mass, 0, (size_t)b->n * sizeof *b->mass);
	for (int first = 0; first < V; first += VOCAB_BLOCK) {
		int n = V - first < VOCAB_BLOCK ? V - first : VOCAB_BLOCK;
		vocab_exp(n, b->x + first, w);
		for (int i = 0; i < n; i++) {
			float x = b->x[first + i];
			if (x > -INFINITY)
				b->mass[bucket_of(b, key_of(b, x))] += count ? 1 : (double)w[i];
		}
	}
	for (int i = 0; i < b->n; i++)
		total += b->mass[i];
	return total;
}

/* Narrow the candidates (all of one bucket) once more: each bucket in as many
 * as there are.  Keeps the crossing one's in list; returns how many. */
static int
refine(struct buckets *b, int *list, int n, int bucket, double *before, double target, bool count)
{
	int kept = 0;

	memset(b->mass, 0, (size_t)b->n * sizeof *b->mass);
	for (int i = 0; i < n; i++) {
		float key = (key_of(b, b->x[list[i]]) - (float)bucket) * (float)b->n;
		b->mass[bucket_of(b, key)] += weight(b->x[list[i]], count);
	}
	int fine = crossing(b, target, before);
	for (int i = 0; i < n; i++) {
		float key = (key_of(b, b->x[list[i]]) - (float)bucket) * (float)b->n;
		if (bucket_of(b, key) == fine)
			list[kept++] = list[i];
	}
	return kept;
}

/* The cut that keeps the smallest set whose mass (or count) reaches share of
 * the row's mass (or count of tokens).  list: V ints of scratch. */
static struct cut
find_cut(int V, const float *x, double share, bool count, int *list)
{
	struct buckets b; /* its masses are cleared as far as they are used */
	double before = 0;
	int n = 0;

	b.x = x;
	b.top = -INFINITY;
	b.n = V <= BUCKETS_SMALL ? BUCKETS_SMALL : BUCKETS;
	b.scale = (float)b.n / NATS;
	for (int j = 0; j < V; j++)
		b.top = x[j] > b.top ? x[j] : b.top;
	double total = fill(&b, V, count);
	double target = count ? share : (share - 1e-6) * total;
	if (count && total <= share)
		return (struct cut){ -INFINITY, V };
	int bucket = crossing(&b, target, &before);
	for (int j = 0; j < V; j++)
		if (x[j] > -INFINITY && bucket_of(&b, key_of(&b, x[j])) == bucket)
			list[n++] = j;
	if (n == 0)
		return (struct cut){ -INFINITY, V };
	if (n > 64 && bucket < b.n - 1)
		n = refine(&b, list, n, bucket, &before, target, count);
	return cut_sorted(x, list, n, before, target, count);
}

static void
apply_cut(int V, float *x, struct cut c)
{
	for (int j = 0; j < V; j++)
		if (!stays(c, x[j], j))
			x[j] = -INFINITY;
}

int
filter_apply(int V, float *log_x, double temperature, double top_p, int top_k, int *scratch)
{
	int kept = 0;

	if (temperature != 1) {
		float inverse = (float)(1 / temperature);
		float top = -INFINITY;
		for (int j = 0; j < V; j++)
			top = log_x[j] > top ? log_x[j] : top;
		for (int j = 0; j < V; j++)
			log_x[j] = (log_x[j] - top) * inverse;
		vocab_shift(V, log_x, vocab_log_sum(V, log_x));
	}
	if (top_p < 1)
		apply_cut(V, log_x, find_cut(V, log_x, top_p, false, scratch));
	if (top_k > 0 && top_k < V)
		apply_cut(V, log_x, find_cut(V, log_x, top_k, true, scratch));
	if (top_p < 1 || (top_k > 0 && top_k < V))
		vocab_shift(V, log_x, vocab_log_sum(V, log_x));
	for (int j = 0; j < V; j++)
		kept += log_x[j] > -INFINITY;
	return kept;
}

static int
by_value_double(const void *a, const void *b, void *arg)
{
	const double *x = arg;
	int i = *(const int *)a, j = *(const int *)b;

	if (x[i] != x[j])
		return x[i] > x[j] ? -1 : 1;
	return (i > j) - (i < j);
}

/* How many of the tokens stay, the first ones in the given order. */
static int
keep_double(int V, const double *x, const int *order, double top_p, int top_k)
{
	double sum = 0;
	int n = 0;

	while (n < V && x[order[n]] > -INFINITY) {
		sum += exp(x[order[n++]]);
		if (top_p < 1 && sum >= top_p - 1e-12)
			break;
	}
	return top_k > 0 && top_k < n ? top_k : n;
}

int
filter_apply_double(int V, double *log_x, double temperature, double top_p, int top_k, int *scratch)
{
	if (temperature != 1) {
		double top = -INFINITY;
		for (int j = 0; j < V; j++)
			top = log_x[j] > top ? log_x[j] : top;
		for (int j = 0; j < V; j++)
			log_x[j] = (log_x[j] - top) / temperature;
		shift_double(V, log_x, log_sum_double(V, log_x));
	}
	if (top_p >= 1 && top_k <= 0) {
		int finite = 0;
		for (int j = 0; j < V; j++)
			finite += log_x[j] > -INFINITY;
		return finite;
	}
	for (int j = 0; j < V; j++)
		scratch[j] = j;
	qsort_r(scratch, (size_t)V, sizeof *scratch, by_value_double, log_x);
	int n = keep_double(V, log_x, scratch, top_p, top_k);
	for (int i = n; i < V; i++)
		log_x[scratch[i]] = -INFINITY;
	shift_double(V, log_x, log_sum_double(V, log_x));
	return n;
}

double
filter_entropy(int V, const float *log_x)
{
	float w[VOCAB_BLOCK];
	double sum = 0;

	for (int first = 0; first < V; first += VOCAB_BLOCK) {
		int n = V - first < VOCAB_BLOCK ? V - first : VOCAB_BLOCK;
		vocab_exp(n, log_x + first, w);
		for (int i = 0; i < n; i++)
			if (w[i] > 0)
				sum -= (double)w[i] * (double)log_x[first + i];
	}
	return sum;
}
