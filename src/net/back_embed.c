/*
 * back_embed.c: gradients of what goes into a network: the rows of EMBED's
 * table and of its positions, and those of LABEL's.  A table row gets terms
 * from anywhere in the batch, so parts of the table are shared out, never
 * positions: each element is added to in ascending order of position.
 */
#include "net/back.h"

#include <math.h>

#define COLUMNS 16              /* of the table: a cache line of a row */
#define TOKENS 192              /* rows of the table, dense input: whole tiles of every kernel */
#define POSITIONS GEMM_OUTER_ROWS       /* of a dense item at a time */

struct embed_back {
	const struct back *b;
	const struct exec *x;
	const struct net_op *op;
	size_t d, V, L;
	float *table, *position;        /* gradients; NULL: not asked */
	float *top, *inverse;           /* dense: [n L] the largest logit of a position; 1 / sum of exp of the rest */
};

/* Gradient of position l of sample s. */
static const float *
row_of(const struct embed_back *j, size_t s, size_t l)
{
	int v = j->op->out;

	return back_value(j->b, v) + s * exec_step(j->x, v) + l * exec_ld(j->x, v);
}

static void
add_scaled(size_t n, float w, const float *from, float *to)
{
	for (size_t i = 0; i < n; i++)
		to[i] += w * from[i];
}

/* Columns of the table: whole rows, or weighted ones. */
static void
columns_item(void *arg, int item, int worker)
{
	const struct embed_back *j = arg;
	const struct net_input *in = j->x->in;
	size_t c = (size_t)item * COLUMNS, m = j->d - c < COLUMNS ? j->d - c : COLUMNS, k = in->tok ? 1 : (size_t)in->k;

	(void)worker;
	for (size_t s = 0; s < (size_t)j->x->n; s++)
		for (size_t l = 0; l < j->L; l++) {
			size_t at = ((size_t)j->x->in_first + s) * j->L + l;
			const float *g = row_of(j, s, l) + c;
			for (size_t i = at * k; i < (at + 1) * k; i++) {
				int32_t id = in->tok ? in->tok[i] : in->idx[i];
				if (id >= 0)
					add_scaled(m, in->tok ? 1 : in->w[i], g, j->table + (size_t)id * j->d + c);
			}
		}
}

/* Of one sample: what the probabilities of its positions are computed from. */
static void
softmax_item(void *arg, int item, int worker)
{
	const struct embed_back *j = arg;

	(void)worker;
	for (size_t l = 0; l < j->L; l++) {
		size_t at = (size_t)item * j->L + l;
		const float *x = j->x->in->dense + ((size_t)j->x->in_first * j->L + at) * j->V;
		double top = -INFINITY, sum = 0;
		for (size_t v = 0; v < j->V; v++)
			top = fmax(top, (double)x[v]);
		for (size_t v = 0; v < j->V; v++)
			sum += exp((double)x[v] - top);
		j->top[at] = (float)top;
		j->inverse[at] = (float)(1 / sum);
	}
}

/* Rows of the table get every position's gradient times their probability: P^T dy, P (of logits) made again in
 * parts. */
static void
tokens_item(void *arg, int item, int worker)
{
	const struct embed_back *j = arg;
	size_t first = (size_t)item * TOKENS, m = j->V - first < TOKENS ? j->V - first : TOKENS,
	       n = (size_t)j->x->n * j->L, ld = exec_ld(j->x, j->op->out);
	float *p = back_scratch(j->b, worker), *pack = p + POSITIONS * TOKENS;

	for (size_t at = 0; at < n; at += POSITIONS) {
		size_t rows = n - at < POSITIONS ? n - at : POSITIONS;
		const float *prob = j->x->in->prob;
		for (size_t i = 0; !prob && i < rows; i++) {
			const float *x = j->x->in->dense + ((size_t)j->x->in_first * j->L + at + i) * j->V + first;
			for (size_t v = 0; v < m; v++)
				p[i * TOKENS + v] = expf(x[v] - j->top[at + i]) * j->inverse[at + i];
		}
		if (prob)
			prob += ((size_t)j->x->in_first * j->L + at) * j->V + first;
		gemm_outer(j->x->kern, (int)rows, (int)m, (int)j->d, prob ? prob : p, prob ? j->V : TOKENS,
			   row_of(j, 0, at), ld, j->table + first * j->d, j->d, true, pack);
	}
}

static void
position_item(void *arg, int item, int worker)
{
	const struct embed_back *j = arg;

	(void)worker;
	for (size_t s = 0; s < (size_t)j->x->n; s++)
		add_scaled(j->d, 1, row_of(j, s, (size_t)item), j->position + (size_t)item * j->d);
}

static size_t
dense_scratch(const struct exec *x, const struct net_op *op)
{
	return POSITIONS * TOKENS + gemm_outer_floats(x->kern, op->dim[DIM_N]);
}

/* The first worker's also holds two numbers of every position, for all. */
size_t
back_embed_scratch(const struct exec *x, const struct net_op *op)
{
	return dense_scratch(x, op) + 2 * (size_t)x->plan_n * (size_t)x->plan_rows;
}

enum status
back_embed(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	struct embed_back j = { .b = b,
				.x = x,
				.op = op,
				.d = (size_t)op->dim[DIM_N],
				.V = (size_t)op->dim[DIM_K],
				.L = (size_t)x->rows,
				.table = back_par(b, op->par[PAR_W]),
				.position = back_par(b, op->par[PAR_BIAS]) };
	enum status st = ST_OK;

	(void)e;
	if (j.position)
		st = pool_run(x->pool, x->prio, (int)j.L, position_item, &j, x->cancel);
	if (!j.table || st != ST_OK)
		return st;
	if (x->in->tok || x->in->idx)
		return pool_run(x->pool, x->prio, (int)((j.d + COLUMNS - 1) / COLUMNS), columns_item, &j, x->cancel);
	j.top = back_scratch(b, 0) + dense_scratch(x, op);
	j.inverse = j.top + (size_t)x->n * j.L;
	if (!x->in->prob)
		st = pool_run(x->pool, x->prio, x->n, softmax_item, &j, x->cancel);
	if (st == ST_OK)
		st = pool_run(x->pool, x->prio, (int)((j.V + TOKENS - 1) / TOKENS), tokens_item, &j, x->cancel);
	return st;
}

/* One row per sample, few of them: on the calling thread, samples ascending. */
enum status
back_label(struct back *b, const struct net_op *op, struct error *e)
{
	const struct exec *x = b->x;
	int in = op->in[IN_X], d = op->dim[DIM_N];
	float *table = back_par(b, op->par[PAR_W]), *row = back_scratch(b, 0);

	(void)e;
	for (int s = 0; s < x->n; s++) {
		const float *g = back_value(b, op->out) + (size_t)s * exec_ld(x, op->out);
		float *dx = back_value(b, in);
		int label = x->in->label ? x->in->label[x->in_first + s] : -1;
		if (dx)
			add_scaled((size_t)d, 1, g, dx + (size_t)s * exec_ld(x, in));
		if (!table || label < 0)
			continue;
		float *to = table + (size_t)label * (size_t)d;
		weights_row(x->w, op->par[PAR_W], label, row);
		for (int i = 0; i < d; i++)
			to[i] += op->dim[LABEL_PLAIN] ? g[i] : g[i] * slope_silu(row[i]);
	}
	return ST_OK;
}

size_t
back_label_scratch(const struct exec *x, const struct net_op *op)
{
	(void)x;
	return (size_t)op->dim[DIM_N];
}
