/*
 * op_embed.c: what goes into a network: tokens (or mixtures of tokens), the
 * noise level, the label.
 */
#include "net/exec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ITEM_ROWS 16

struct embed {
	const struct exec *x;
	const struct net_op *op;
	int blocks;
	float *row;             /* mixtures: [threads][d] one row of the table */
	double *sum;            /* mixtures: [threads][d] */
	const float *position;  /* [L,d], NULL: none */
};

static void
mix(const struct embed *j, int worker, int64_t id, double weight)
{
	size_t d = (size_t)j->op->dim[DIM_N];
	float *row = j->row + (size_t)worker * d;
	double *sum = j->sum + (size_t)worker * d;

	if (weight == 0)
		return;
	weights_row(j->x->w, j->op->par[PAR_W], id, row);
	for (size_t c = 0; c < d; c++)
		sum[c] += weight * (double)row[c];
}

/* sum_i w_i embedding[idx_i], prob @ embedding, or softmax(dense) @ embedding; `at` counts
 * positions over all samples. */
static void
mix_position(const struct embed *j, int worker, size_t at, float *out)
{
	const struct net_input *in = j->x->in;
	size_t d = (size_t)j->op->dim[DIM_N], V = (size_t)j->op->dim[DIM_K];
	double *sum = j->sum + (size_t)worker * d, top = -INFINITY, total = 0;

	memset(sum, 0, d * sizeof *sum);
	if (in->idx) {
		for (size_t i = at * (size_t)in->k; i < (at + 1) * (size_t)in->k; i++)
			mix(j, worker, in->idx[i], (double)in->w[i]);
	} else if (in->prob) {
		for (size_t v = 0; v < V; v++)
			mix(j, worker, (int64_t)v, (double)in->prob[at * V + v]);
	} else {
		const float *x = in->dense + at * V;
		for (size_t v = 0; v < V; v++)
			top = fmax(top, (double)x[v]);
		for (size_t v = 0; v < V; v++)
			total += exp((double)x[v] - top);
		for (size_t v = 0; v < V; v++)
			mix(j, worker, (int64_t)v, exp((double)x[v] - top) / total);
	}
	for (size_t c = 0; c < d; c++)
		out[c] = (float)sum[c];
}

static void
embed_item(void *arg, int item, int worker)
{
	const struct embed *j = arg;
	const struct exec *x = j->x;
	int sample = item / j->blocks, first = item % j->blocks * ITEM_ROWS;
	int end = first + ITEM_ROWS < x->rows ? first + ITEM_ROWS : x->rows;
	float *out = exec_value(x, j->op->out) + (size_t)sample * exec_step(x, j->op->out);

	for (int i = first; i < end; i++) {
		size_t at = (size_t)(x->in_first + sample) * (size_t)x->net->L + (size_t)(x->row0 + i);
		float *row = out + (size_t)i * exec_ld(x, j->op->out);
		if (!x->in->tok)
			mix_position(j, worker, at, row);
		else if (x->in->tok[at] >= 0)
			weights_row(x->w, j->op->par[PAR_W], x->in->tok[at], row);
		else
			memset(row, 0, (size_t)j->op->dim[DIM_N] * sizeof *row);
		if (j->position)
			x->kern->add(j->op->dim[DIM_N], row,
				j->position + (size_t)(x->row0 + i) * (size_t)j->op->dim[DIM_N], row);
	}
}

enum status
op_embed(struct exec *x, const struct net_op *op, struct error *e)
{
	struct embed j = { .x = x, .op = op, .blocks = (x->rows + ITEM_ROWS - 1) / ITEM_ROWS };
	size_t room = (size_t)pool_threads(x->pool) * (size_t)op->dim[DIM_N];
	enum status st = weights_vector(x->w, op->par[PAR_BIAS], &j.position, e);

	if (st == ST_OK && !x->in->tok) {
		j.row = mem_calloc(room, sizeof *j.row);
		j.sum = mem_calloc(room, sizeof *j.sum);
		if (!j.row || !j.sum)
			st = error_set(e, ST_MEMORY, "out of memory");
	}
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, x->n * j.blocks, embed_item, &j, x->cancel);
	free(j.row);
	free(j.sum);
	return st;
}

/* cos(sigma factor f_k) and sin, in double: the phase may reach thousands of
 * radians. */
enum status
op_time(struct exec *x, const struct net_op *op, struct error *e)
{
	int half = op->dim[TIME_WIDTH] / 2, cosines = op->dim[TIME_SINE_FIRST] ? half : 0;

	(void)e;
	for (int s = 0; s < x->n; s++) {
		float *out = exec_value(x, op->out) + (size_t)s * exec_ld(x, op->out);
		double sigma = x->in->sigma ? op->factor * x->in->sigma[x->in_first + s] : 0;
		for (int k = 0; k < half; k++) {
			double angle = sigma * exp(-log(10000.) * k / op->dim[TIME_DIVISOR]);
			out[cosines + k] = (float)cos(angle);
			out[half - cosines + k] = (float)sin(angle);
		}
	}
	return ST_OK;
}

enum status
op_label(struct exec *x, const struct net_op *op, struct error *e)
{
	int d = op->dim[DIM_N];
	float *row = mem_calloc((size_t)d, sizeof *row);

	if (!row)
		return error_set(e, ST_MEMORY, "out of memory");
	for (int s = 0; s < x->n; s++) {
		const float *c = exec_value(x, op->in[IN_X]) + (size_t)s * exec_ld(x, op->in[IN_X]);
		float *out = exec_value(x, op->out) + (size_t)s * exec_ld(x, op->out);
		int label = x->in->label ? x->in->label[x->in_first + s] : -1;
		memmove(out, c, (size_t)d * sizeof *out);
		if (label < 0)
			continue;
		weights_row(x->w, op->par[PAR_W], label, row);
		for (int i = 0; i < d; i++)
			out[i] += op->dim[LABEL_PLAIN] ? row[i] : (float)((double)row[i] / (1 + exp(-(double)row[i])));
	}
	free(row);
	return ST_OK;
}
