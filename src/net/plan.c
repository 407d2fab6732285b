/* plan.c: see plan.h.  First fit by order of making. */
#include "net/plan.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

struct life {
	int first, last;        /* operations that make and last read it */
	size_t size;
	int same_as;            /* shares this value's place (GATE_ADD and LABEL work in place), or -1 */
};

/* A row stride that is a multiple of 16 floats, and of no large power of two:
 * rows that fall on the same cache sets are slow to walk together. */
static size_t
row_stride(int width)
{
	size_t ld = ((size_t)width + 15) / 16 * 16;

	return ld % 256 == 0 ? ld + 16 : ld;
}

static size_t
value_rows(const struct net_value *v, int rows)
{
	return v->per_sample ? 1 : v->rows ? (size_t)v->rows : (size_t)rows;
}

static bool
sizes(const struct net *net, int n, int rows, struct plan *p, struct life *life)
{
	size_t sum = 0;

	for (int v = 0; v < net->n_value; v++) {
		size_t count;
		p->ld[v] = v == net->feature ? (size_t)net->value[v].width : row_stride(net->value[v].width);
		life[v] = (struct life){ .first = INT_MAX, .last = -1, .same_as = -1 };
		if (!mem_mul((size_t)n, value_rows(&net->value[v], rows), &count) ||
		    !mem_mul(count, p->ld[v], &life[v].size) || !mem_add(sum, life[v].size, &sum))
			return false;
	}
	return sum <= SIZE_MAX / 4 / sizeof(float);
}

static void
lives(const struct net *net, struct life *life)
{
	for (int i = 0; i < net->n_op; i++) {
		const struct net_op *op = &net->op[i];
		for (int k = 0; k < NET_INS; k++)
			if (op->in[k] >= 0)
				life[op->in[k]].last = i;
		if (op->out >= 0 && life[op->out].first == INT_MAX)
			life[op->out].first = i;
	}
	for (int v = 0; v < net->n_value; v++)
		if (life[v].last < life[v].first)
			life[v].last = life[v].first;
}

/* The value whose place operation i may write its result to, or -1. */
static int
in_place(const struct net_op *op, int i, const struct life *life)
{
	int v = -1;

	if (op->kind == NET_CONV && op->after == AFTER_ADD && op->in[IN_RES] != op->in[IN_X] &&
		op->in[IN_RES] != op->in[IN_CAT])
		v = op->in[IN_RES];
	if (op->kind == NET_LINEAR && op->after == AFTER_GATE_ADD)
		v = op->in[IN_RES];
	if (op->kind == NET_LABEL)
		v = op->in[IN_X];
	if (v < 0 || op->out < 0 || life[v].last != i || life[v].size != life[op->out].size)
		return -1;
	return v;
}

/* Values that share a place live as one: the first of them carries the span. */
static void
join(const struct net *net, struct life *life)
{
	for (int i = 0; i < net->n_op; i++) {
		const struct net_op *op = &net->op[i];
		int v = in_place(op, i, life);
		if (v < 0)
			continue;
		int root = life[v].same_as >= 0 ? life[v].same_as : v;
		life[op->out].same_as = root;
	}
	for (int v = 0; v < net->n_value; v++)
		if (life[v].same_as >= 0 && life[v].last > life[life[v].same_as].last)
			life[life[v].same_as].last = life[v].last;
}

static bool
overlap(const struct life *a, const struct life *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* The lowest place for v that no placed value living at the same time takes. */
static size_t
first_fit(const struct net *net, const struct plan *p, const struct life *life, const bool *placed, int v)
{
	size_t at = 0;

	for (bool moved = true; moved;) {
		moved = false;
		for (int u = 0; u < net->n_value; u++) {
			if (!placed[u] || !overlap(&life[u], &life[v]))
				continue;
			if (at < p->offset[u] + life[u].size && p->offset[u] < at + life[v].size) {
				at = p->offset[u] + life[u].size;
				moved = true;
			}
		}
	}
	return at;
}

static void
place(const struct net *net, enum plan_kind kind, struct plan *p, const struct life *life, bool *placed)
{
	for (int v = 0; v < net->n_value; v++) {
		if (v == net->feature || life[v].same_as >= 0)
			continue;
		bool share = kind == PLAN_INFER || kind == PLAN_GRADIENTS;
		p->offset[v] = !share ? p->floats : first_fit(net, p, life, placed, v);
		placed[v] = true;
		if (p->offset[v] + life[v].size > p->floats)
			p->floats = p->offset[v] + life[v].size;
	}
	for (int v = 0; v < net->n_value; v++)
		if (life[v].same_as >= 0)
			p->offset[v] = p->offset[life[v].same_as];
}

/* Room for what activations are applied to, behind everything else. */
static void
place_before(const struct net *net, const struct life *life, struct plan *p)
{
	for (int i = 0; i < net->n_op; i++) {
		const struct net_op *op = &net->op[i];
		if (op->kind != NET_LINEAR || (op->after != AFTER_GELU && op->after != AFTER_SILU) ||
			op->out == net->feature)
			continue;
		p->before[op->out] = p->floats;
		p->floats += life[op->out].size;
	}
}

enum status
plan_make(const struct net *net, int n, int rows, enum plan_kind kind, struct plan *out, struct error *e)
{
	struct life *life = mem_calloc((size_t)net->n_value, sizeof *life);
	bool *placed = mem_calloc((size_t)net->n_value, sizeof *placed);
	enum status st = ST_OK;

	*out = (struct plan){ 0 };
	out->offset = mem_calloc((size_t)net->n_value, sizeof *out->offset);
	out->ld = mem_calloc((size_t)net->n_value, sizeof *out->ld);
	out->before = mem_calloc((size_t)net->n_value, sizeof *out->before);
	if (!life || !placed || !out->offset || !out->ld || !out->before)
		st = error_set(e, ST_MEMORY, "out of memory");
	else if (!sizes(net, n, rows, out, life))
		st = error_set(e, ST_MEMORY, "the network needs more memory than there can be");
	if (st == ST_OK) {
		lives(net, life);
		for (int v = 0; v < net->n_value; v++)
			out->before[v] = PLAN_NONE;
		if (kind == PLAN_INFER)
			join(net, life);
		place(net, kind, out, life, placed);
		if (kind == PLAN_LEARN)
			place_before(net, life, out);
	} else {
		plan_done(out);
	}
	free(life);
	free(placed);
	return st;
}

void
plan_done(struct plan *p)
{
	free(p->offset);
	free(p->ld);
	free(p->before);
	*p = (struct plan){ 0 };
}
