/*
 * back_norm.c: backward of layer norm and modulation, by itself (NORM) or
 * before a product.  Sums over the rows of a block are left by the block's item
 * and added up afterwards, samples and blocks ascending.
 */
#include "net/back.h"

#include <string.h>

#define ITEM_ROWS 48
#define COLUMNS 64

size_t
back_norm_floats(int blocks, int k)
{
	return 2 * (size_t)blocks * (size_t)k;
}

enum status
back_norm_start(struct norm_back *m, const struct back *b, const struct net_op *op, int samples, int blocks,
		struct error *e)
{
	*m = (struct norm_back){ .b = b, .op = op, .k = b->x->net->value[op->in[IN_X]].width, .samples = samples,
				 .blocks = blocks };
	enum status st = weights_vector(b->x->w, op->par[PAR_NORM], &m->w, e);

	return st == ST_OK ? weights_vector(b->x->w, op->par[PAR_NORM_BIAS], &m->bias, e) : st;
}

static const float *
scale_of(const struct norm_back *m, int sample)
{
	const struct exec *x = m->b->x;
	int v = m->op->in[IN_MOD];

	return v < 0 ? NULL : exec_value(x, v) + (size_t)sample * exec_ld(x, v) + m->op->dim[DIM_SCALE];
}

float *
back_norm_part(const struct norm_back *m, int block)
{
	if (!m->part)
		return NULL;
	float *p = m->part + 2 * (size_t)block * (size_t)m->k;
	memset(p, 0, 2 * (size_t)m->k * sizeof *p);
	return p;
}

void
back_norm_row(const struct norm_back *m, int sample, const float *x, const float *dy, float *dx, float *part)
{
	m->b->x->kern->norm_back(m->k, x, m->w, scale_of(m, sample), dy, dx, part, part ? part + m->k : NULL);
}

/* Some columns: per sample the sums over its blocks of dy and of dy times the
 * normed input, and what follows from them. */
static void
sums_item(void *arg, int item, int worker)
{
	const struct norm_back *m = arg;
	const struct back *b = m->b;
	int first = item * COLUMNS, n = m->k - first < COLUMNS ? m->k - first : COLUMNS, v = m->op->in[IN_MOD];
	float *dw = back_par(b, m->op->par[PAR_NORM]), *dbias = v < 0 ? back_par(b, m->op->par[PAR_NORM_BIAS]) : NULL;
	float *dmod = back_value(b, v);

	(void)worker;
	for (int s = 0; s < m->samples; s++) {
		float p[COLUMNS] = { 0 }, q[COLUMNS] = { 0 };
		const float *scale = scale_of(m, s);
		const float *part = m->part + 2 * (size_t)s * (size_t)m->blocks * (size_t)m->k + first;
		for (int i = 0; i < m->blocks; i++, part += 2 * m->k) {
			b->x->kern->add(n, p, part, p);
			b->x->kern->add(n, q, part + m->k, q);
		}
		float *to = dmod ? dmod + (size_t)s * exec_ld(b->x, v) + first : NULL;
		for (int j = 0; j < n; j++) {
			if (to) {
				to[m->op->dim[DIM_SHIFT] + j] += p[j];
				to[m->op->dim[DIM_SCALE] + j] += q[j] * m->w[first + j];
			}
			if (dw)
				dw[first + j] += scale ? (1 + scale[first + j]) * q[j] : q[j];
			if (dbias)
				dbias[first + j] += p[j];
		}
	}
}

enum status
back_norm_sums(struct norm_back *m)
{
	const struct exec *x = m->b->x;

	return pool_run(x->pool, x->prio, (m->k + COLUMNS - 1) / COLUMNS, sums_item, m, x->cancel);
}

static void
norm_item(void *arg, int item, int worker)
{
	const struct norm_back *m = arg;
	const struct exec *x = m->b->x;
	int in = m->op->in[IN_X], out = m->op->out, rows = exec_rows(x, in);
	int sample = item / m->blocks, first = item % m->blocks * ITEM_ROWS;
	int end = rows - first < ITEM_ROWS ? rows : first + ITEM_ROWS;
	const float *d = back_value(m->b, out) + (size_t)sample * exec_step(x, out);
	const float *src = exec_value(x, in) + (size_t)sample * exec_step(x, in);
	float *dx = back_value(m->b, in) + (size_t)sample * exec_step(x, in), *part = back_norm_part(m, item);

	(void)worker;
	for (size_t i = (size_t)first; i < (size_t)end; i++) {
		if (m->b->fresh[in])
			memset(dx + i * exec_ld(x, in), 0, (size_t)m->k * sizeof *dx);
		back_norm_row(m, sample, src + i * exec_ld(x, in), d + i * exec_ld(x, out), dx + i * exec_ld(x, in),
			      part);
	}
}

static int
blocks_of(const struct exec *x, const struct net_op *op)
{
	return (exec_rows(x, op->in[IN_X]) + ITEM_ROWS - 1) / ITEM_ROWS;
}

size_t
back_norm_shared(const struct exec *x, const struct net_op *op)
{
	return back_norm_floats(x->plan_n * blocks_of(x, op), x->net->value[op->in[IN_X]].width);
}

enum status
back_norm(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct norm_back m;
	enum status st = back_norm_start(&m, b, op, x->n, blocks_of(x, op), e);

	if (st != ST_OK)
		return st;
	m.part = b->par ? b->shared : NULL;
	st = pool_run(x->pool, x->prio, x->n * m.blocks, norm_item, &m, x->cancel);
	return st == ST_OK && m.part ? back_norm_sums(&m) : st;
}
