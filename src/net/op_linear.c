/*
 * op_linear.c: y = after(before(x) W^T + bias), the fused product.  A work
 * item prepares its rows, then multiplies and finishes a strip of columns at a
 * time while they are in cache.
 */
#include "net/exec.h"

#define ITEM_FLOP 1e8           /* about a millisecond; BLAS is given more, it repacks the weights per call */
#define BLAS_FLOP 4e8
#define BIG_MATRIX 1e7          /* weights that no cache holds: read them for as many rows as possible */
#define SMALL_FLOP 5e5          /* below this an item is not worth handing out */

static int
gcd(int a, int b)
{
	while (b) {
		int t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static int
round_up(int a, int unit)
{
	return (a + unit - 1) / unit * unit;
}

static int
clamp(double v, int low, int high)
{
	return v < low ? low : v > high ? high : (int)v;
}

void
linear_shape(struct linear *l)
{
	bool blas = !l->b.packed;
	int n = l->b.n, k = l->b.k, unit = blas ? 16 : l->kern->nr;

	if (l->after == AFTER_ROPE)
		unit = unit / gcd(unit, l->head_dim) * l->head_dim;
	if (blas)
		l->rb = l->rows >= 512 ? 512 : round_up((l->rows + 1) / 2, 16);
	else if ((double)n * k > BIG_MATRIX)
		l->rb = 128;
	else
		l->rb = l->rows >= 384 ? 48 : 24;
	if (l->rb > l->rows)
		l->rb = l->rows;
	double per_column = 2. * l->rb * k;
	double want = (blas ? BLAS_FLOP : ITEM_FLOP) / per_column, least = SMALL_FLOP / per_column;
	if (want > n / 16. && l->rows <= l->rb)
		want = n / 16. > least ? n / 16. : least; /* few rows: share out the columns */
	int columns = round_up(n, unit);
	l->cb = clamp(want, unit, columns) / unit * unit;
	l->strip = blas ? l->cb : clamp(256, unit, l->cb) / unit * unit;
	l->row_blocks = (l->rows + l->rb - 1) / l->rb;
	l->col_blocks = (n + l->cb - 1) / l->cb;
}

/* Rows of the prepared input: a stride that is no large power of two. */
static size_t
prepared_ld(int k)
{
	return (size_t)round_up(k, 16) + 16;
}

size_t
linear_scratch(const struct linear *l)
{
	size_t a = l->before != BEFORE_NONE ? (size_t)l->rb * prepared_ld(l->b.k) : 0;

	return a + (size_t)l->rb * (size_t)l->strip;
}

static const float *
modulation(const struct linear *l, int sample, int row)
{
	return l->mod ? l->mod + (size_t)(l->merged ? row : sample) * l->ldmod : NULL;
}

/* before(): m rows of a sample from x into a. */
static void
prepare(const struct linear *l, int sample, int row, int m, const float *x, float *a, size_t lda)
{
	for (int i = 0; i < m; i++) {
		const float *mod = modulation(l, sample, row + i);
		if (l->before == BEFORE_SILU) {
			l->kern->silu(l->b.k, x + (size_t)i * l->ldx, NULL, a + (size_t)i * lda);
			continue;
		}
		l->kern->norm(l->b.k, x + (size_t)i * l->ldx, l->norm, mod ? mod + l->shift : l->norm_bias,
			              mod ? mod + l->scale : NULL, a + (size_t)i * lda);
	}
}

static void
rotate(const struct linear *l, int row, int j0, int j1, float *out)
{
	int half = l->head_dim / 2, end = l->b.n / 3 * 2;
	const float *cosine = l->cosine + (size_t)row * (size_t)half, *sine = l->sine + (size_t)row * (size_t)half;

	for (int j = j0; j < j1 && j < end; j += l->head_dim)
		l->kern->rope(half, cosine, sine, out + (j - j0));
}

/* x + bias of a row in place, with some of it dropped. */
static void
drop_row(const struct linear *l, int sample, int row, int j0, int n, float *tile)
{
	l->kern->add(n, tile, l->bias ? l->bias + j0 : NULL, tile);
	if (l->merged)
		dropout_apply(&l->drop, l->in_first + row, 0, j0, n, tile);
	else
		dropout_apply(&l->drop, l->in_first + sample, row, j0, n, tile);
}

/* after(): columns j0..j1 of one row, from the tile to where it belongs. */
static void
finish_row(const struct linear *l, int sample, int row, int j0, int j1, float *tile)
{
	const struct kern *kern = l->kern;
	float *out = l->out + (size_t)sample * l->step_out + (size_t)row * l->ldout + j0;
	const float *bias = l->bias ? l->bias + j0 : NULL, *mod = modulation(l, sample, row);
	int n = j1 - j0;

	if (l->drop.limit) {
		drop_row(l, sample, row, j0, n, tile);
		bias = NULL;
	}
	switch (l->after) {
	case AFTER_GELU:
	case AFTER_SILU:
		if (l->before_out) {
			float *before = l->before_out + (out - l->out);
			kern->add(n, tile, bias, before);
			tile = before;
			bias = NULL;
		}
		(l->after == AFTER_GELU ? kern->gelu : kern->silu)(n, tile, bias, out);
		break;
	case AFTER_GATE_ADD:
		kern->gate_add(n, tile, bias, mod ? mod + l->gate + j0 : NULL,
		               l->res + (size_t)sample * l->step_res + (size_t)row * l->ldres + j0, out);
		break;
	case AFTER_ROPE:
		kern->add(n, tile, bias, out);
		rotate(l, row, j0, j1, out);
		break;
	default:
		kern->add(n, tile, bias, out);
	}
}

static void
linear_item(void *arg, int item, int worker)
{
	const struct linear *l = arg;
	int row = item % l->row_blocks * l->rb, col = item / l->row_blocks % l->col_blocks * l->cb;
	int sample = item / l->row_blocks / l->col_blocks;
	int m = l->rows - row < l->rb ? l->rows - row : l->rb, end = l->b.n - col < l->cb ? l->b.n : col + l->cb;
	const float *a = l->x + (size_t)sample * l->step_x + (size_t)row * l->ldx;
	float *tile = l->scratch + (size_t)worker * l->scratch_floats;
	size_t lda = l->ldx;

	if (l->before != BEFORE_NONE) {
		float *mine = tile + (size_t)l->rb * (size_t)l->strip;
		lda = prepared_ld(l->b.k);
		prepare(l, sample, row, m, a, mine, lda);
		a = mine;
	}
	for (int j = col; j < end; j += l->strip) {
		int j1 = end - j < l->strip ? end : j + l->strip;
		gemm_mul(l->kern, m, a, lda, &l->b, j, j1, l->kc, tile, (size_t)l->strip);
		for (int i = 0; i < m; i++)
			finish_row(l, sample, row + i, j, j1, tile + (size_t)i * (size_t)l->strip);
	}
}

enum status
linear_run(struct linear *l, struct pool *pool, enum pool_priority prio, struct cancel *c)
{
	return pool_run(pool, prio, l->samples * l->row_blocks * l->col_blocks, linear_item, l, c);
}

/* What the shape depends on.  A value with one row per sample is one matrix
 * for the tile kernels, and one call per sample for BLAS. */
static void
lay_out(const struct exec *x, const struct net_op *op, struct linear *l)
{
	bool per_sample = x->net->value[op->in[IN_X]].per_sample;

	*l = (struct linear){ .kern = x->kern, .before = op->before, .after = op->after,
		.head_dim = op->dim[DIM_HEAD] };
	l->merged = per_sample && !x->kern->blas;
	l->samples = l->merged ? 1 : x->n;
	l->rows = l->merged ? x->n : exec_rows(x, op->in[IN_X]);
	l->b.n = op->dim[DIM_N];
	l->b.k = op->dim[DIM_K];
	l->b.packed = !x->kern->blas;
	linear_shape(l);
}

size_t
op_linear_scratch(const struct exec *x, const struct net_op *op)
{
	struct linear l;

	lay_out(x, op, &l);
	return linear_scratch(&l);
}

enum status
op_linear(struct exec *x, const struct net_op *op, struct error *e)
{
	struct linear l;
	enum status st;

	lay_out(x, op, &l);
	if ((st = weights_matrix(x->w, op->par[PAR_W], !x->kern->blas, x->pool, x->cancel, &l.b, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_BIAS], &l.bias, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_NORM], &l.norm, e)) != ST_OK ||
	    (st = weights_vector(x->w, op->par[PAR_NORM_BIAS], &l.norm_bias, e)) != ST_OK)
		return st;
	l.x = exec_value(x, op->in[IN_X]);
	l.ldx = exec_ld(x, op->in[IN_X]);
	l.step_x = exec_step(x, op->in[IN_X]);
	l.mod = exec_value(x, op->in[IN_MOD]);
	l.ldmod = l.mod ? exec_ld(x, op->in[IN_MOD]) : 0;
	l.shift = op->dim[DIM_SHIFT];
	l.scale = op->dim[DIM_SCALE];
	l.gate = op->dim[DIM_GATE];
	if (op->after == AFTER_GATE_ADD) {
		l.res = exec_value(x, op->in[IN_RES]);
		l.ldres = exec_ld(x, op->in[IN_RES]);
		l.step_res = exec_step(x, op->in[IN_RES]);
	}
	l.out = exec_value(x, op->out);
	l.before_out = exec_before(x, op->out);
	l.ldout = exec_ld(x, op->out);
	l.step_out = exec_step(x, op->out);
	if (op->after == AFTER_ROPE) {
		l.cosine = x->cosine + (size_t)x->row0 * (size_t)x->half;
		l.sine = x->sine + (size_t)x->row0 * (size_t)x->half;
	}
	l.drop = dropout_of(x, op);
	l.in_first = x->in_first;
	l.scratch = x->scratch;
	l.scratch_floats = x->scratch_floats;
	return linear_run(&l, x->pool, x->prio, x->cancel);
}
