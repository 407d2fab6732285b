/*
 * fake_model.h: a model of the tests: features that depend on every token, on
 * sigma and on the label in a fixed way, and a small linear head.  Its trunk
 * runs in the pool and may be made slow.
 */
#ifndef PSI_TESTS_FAKE_MODEL_H
#define PSI_TESTS_FAKE_MODEL_H

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/model.h"

enum { FAKE_L = 24, FAKE_V = 13, FAKE_F = 6 };

struct fake {
	struct model model;          /* first */
	atomic_int calls;            /* samples that went through the trunk */
	atomic_int fail;             /* calls left until one fails; negative: never */
	int item_us;                 /* time of a work item */
	float head[FAKE_V][FAKE_F];
};

static double
fake_mix(unsigned a, unsigned b)
{
	uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	h ^= h >> 32;
	return (double)(h >> 11) * 0x1p-53 * 2 - 1;
}

struct fake_call { struct fake *f; const int32_t *tok; const double *sigma; const int *label; float *feat; };

/* One item: one position of one sample. */
static void
fake_item(void *arg, int item, int worker)
{
	struct fake_call *c = arg;
	int i = item / FAKE_L, pos = item % FAKE_L;
	const int32_t *tok = c->tok + (size_t)i * FAKE_L;
	bool causal = c->f->model.out == OUT_CAUSAL;

	(void)worker;
	if (c->f->item_us > 0) {
		struct timespec ts = { 0, c->f->item_us * 1000L };
		nanosleep(&ts, NULL);
	}
	for (int k = 0; k < FAKE_F; k++) {
		double sum = c->sigma[i] * .1 + (c->label ? c->label[i] : -1) * .2;
		for (int j = 0; j < FAKE_L; j++)
			if (!causal || j <= pos)
				sum += fake_mix((unsigned)(tok[j] * 64 + k), (unsigned)(j - pos + 100));
		c->feat[(size_t)item * FAKE_F + (size_t)k] = (float)sin(sum + k);
	}
}

__attribute__((unused)) static enum status
fake_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
           struct cancel *c, struct error *e)
{
	struct fake *f = (struct fake *)m;
	struct fake_call call = { f, tok, sigma, label, feat };

	if (atomic_load(&f->fail) >= 0 && atomic_fetch_sub(&f->fail, 1) == 0)
		return error_set(e, ST_NUMERIC, "the fake network was told to fail");
	atomic_fetch_add(&f->calls, n);
	return pool_run(m->pool, POOL_SAMPLE, n * FAKE_L, fake_item, &call, c);
}

__attribute__((unused)) static enum status
fake_extend(struct model *m, int sample, int len, const int32_t *tok, float *feat, struct cancel *c, struct error *e)
{
	int32_t all[FAKE_L] = { 0 };
	float whole[FAKE_L * FAKE_F];
	double sigma = 0;

	(void)sample;
	memcpy(all, tok, (size_t)len * sizeof *tok);
	enum status st = fake_trunk(m, 1, all, &sigma, NULL, whole, c, e);
	if (st == ST_OK)
		memcpy(feat, whole + (size_t)(len - 1) * FAKE_F, FAKE_F * sizeof *feat);
	return st;
}

struct fake_rows { struct fake *f; const float *feat; float *logit; };

static void
fake_row(void *arg, int item, int worker)
{
	struct fake_rows *r = arg;

	(void)worker;
	for (int v = 0; v < FAKE_V; v++) {
		double sum = 0;
		for (int k = 0; k < FAKE_F; k++)
			sum += r->f->head[v][k] * r->feat[(size_t)item * FAKE_F + (size_t)k];
		r->logit[(size_t)item * FAKE_V + (size_t)v] = (float)sum;
	}
}

__attribute__((unused)) static enum status
fake_head(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	struct fake_rows r = { (struct fake *)m, feat, logit };

	(void)e;
	return pool_run(m->pool, POOL_SAMPLE, n, fake_row, &r, c);
}

static void
fake_free(struct model *m)
{
	free(m);
}

/* mask -1: uniform noise.  weights: number of the weight set. */
__attribute__((unused)) static struct fake *
fake_new(enum output out, int mask, int weights, struct pool *pool)
{
	struct fake *f = mem_calloc(1, sizeof *f);

	f->model = (struct model){ .L = FAKE_L, .V = FAKE_V, .F = FAKE_F, .mask = mask, .out = out, .bos = 2,
		.alpha = { ALPHA_LOGLINEAR, 1e-3 }, .timed = out == OUT_MEAN, .has_raw_and_ema = true,
		.weights = weights, .trunk = fake_trunk, .rows = fake_head, .free = fake_free, .pool = pool,
		.extend = out == OUT_CAUSAL ? fake_extend : NULL };
	atomic_init(&f->fail, -1);
	for (int v = 0; v < FAKE_V; v++)
		for (int k = 0; k < FAKE_F; k++)
			f->head[v][k] = (float)(3 * fake_mix((unsigned)(v + 1000 * (weights + 1)), (unsigned)k));
	return f;
}

#endif
