/*
 * extend.c: causal networks, one row at a time.  Keys and values of each
 * sample's prefix are kept; a call computes only the rows after the part of
 * the prefix that is still the same.
 *
 * On the BLAS path rows are computed one by one, else in blocks; either way a
 * row's bits do not depend on what was kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/run_private.h"

#define TAIL_ROWS 48
#define KEPT_BYTES ((size_t)1 << 30)    /* the least recently used samples beyond this are forgotten */

struct prefix {
	int sample, len;        /* len: positions whose keys and values are held */
	int32_t *tok;           /* [L] */
	struct kept kept;
	void *memory;           /* what kept points into, owned */
	size_t bytes;
	struct prefix *next;
};

static void
prefix_free(struct prefix *p)
{
	free(p->tok);
	free(p->memory);
	free(p);
}

void
prefix_free_all(struct net_run *r)
{
	while (r->prefix) {
		struct prefix *next = r->prefix->next;
		prefix_free(r->prefix);
		r->prefix = next;
	}
}

size_t
prefix_bytes(const struct net_run *r)
{
	size_t sum = 0;

	for (const struct prefix *p = r->prefix; p; p = p->next)
		sum += p->bytes;
	return sum;
}

static const struct net_op *
first_attend(const struct net *net)
{
	for (int i = 0; i < net->n_op; i++)
		if (net->op[i].kind == NET_ATTEND)
			return &net->op[i];
	return NULL;
}

/* Zeroed memory, so that panels not yet filled multiply to zero; pages that
 * are never reached cost nothing. */
static struct prefix *
prefix_new(const struct net_run *r, int sample)
{
	const struct net_op *op = first_attend(r->net);
	int L = r->net->L, dim = op->dim[ATT_DIM];
	size_t heads = (size_t)r->net->layers * (size_t)op->dim[ATT_HEADS], floats;
	struct prefix *p = mem_calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->sample = sample;
	p->kept.k_head = r->kern->blas ? (size_t)L * (size_t)dim : gemm_packed_floats(r->kern, L, dim);
	p->kept.v_head = r->kern->blas ? (size_t)L * (size_t)dim : gemm_packed_floats(r->kern, dim, L);
	p->tok = mem_calloc((size_t)L, sizeof *p->tok);
	if (mem_mul(heads, p->kept.k_head + p->kept.v_head, &floats) && mem_mul(floats, sizeof(float), &p->bytes) &&
	    mem_add(p->bytes, 64, &p->bytes))
		p->memory = mem_calloc(p->bytes, 1);
	if (!p->tok || !p->memory) {
		prefix_free(p);
		return NULL;
	}
	p->kept.k = (float *)(((uintptr_t)p->memory + 63) & ~(uintptr_t)63);
	p->kept.v = p->kept.k + heads * p->kept.k_head;
	return p;
}

/* Forget the least recently used samples beyond the limit, never the first. */
static void
forget(struct net_run *r)
{
	size_t sum = 0;

	for (struct prefix *p = r->prefix; p; p = p->next) {
		sum += p->bytes;
		while (p->next && sum + p->next->bytes > KEPT_BYTES) {
			struct prefix *old = p->next;
			p->next = old->next;
			prefix_free(old);
		}
	}
}

/* The sample's prefix, moved to the front of the list; new if need be. */
static struct prefix *
find(struct net_run *r, int sample)
{
	struct prefix **at = &r->prefix, *p;

	while (*at && (*at)->sample != sample)
		at = &(*at)->next;
	p = *at;
	if (p)
		*at = p->next;
	else if (!(p = prefix_new(r, sample)))
		return NULL;
	p->next = r->prefix;
	r->prefix = p;
	forget(r);
	return p;
}

/* Rows from..to-1, at most TAIL_ROWS. */
static enum status
run_rows(struct net_run *r, struct prefix *p, int from, int to, const int32_t *tok, struct cancel *c, struct error *e)
{
	struct net_input in = { .n = 1, .tok = tok };
	struct exec *x = &r->tail;
	enum status st = exec_reserve(x, 1, TAIL_ROWS, r->keep, e);

	x->row0 = from;
	x->kept = &p->kept;
	x->in = &in;
	x->cancel = c;
	x->feat = r->tail_feat;
	if (st == ST_OK)
		st = run_prepare(r, x, 1, to - from, e);
	if (st == ST_OK)
		st = exec_run(x, e);
	if (st != ST_OK)
		return st;
	memcpy(p->tok + from, tok + from, (size_t)(to - from) * sizeof *tok);
	p->len = to;
	return ST_OK;
}

enum status
net_run_extend(struct net_run *r, int sample, int len, const int32_t *tok, float *feat, struct cancel *c,
	struct error *e)
{
	int same = 0, block = r->kern->blas ? 1 : TAIL_ROWS, from = 0;
	size_t F = (size_t)r->net->F;

	if (len < 1 || len > r->net->L)
		return error_set(e, ST_USAGE, "a prefix of %d tokens, the model has %d positions", len, r->net->L);
	for (int i = 0; i < len; i++)
		if (tok[i] < 0 || tok[i] >= r->net->V)
			return error_set(e, ST_USAGE, "token %d is outside the vocabulary of %d", (int)tok[i],
				r->net->V);
	struct prefix *p = find(r, sample);
	if (!r->tail_feat)
		r->tail_feat = mem_calloc(TAIL_ROWS * F, sizeof *r->tail_feat);
	if (!p || !r->tail_feat)
		return error_set(e, ST_MEMORY, "out of memory for the keys and values of a sample");
	while (same < p->len && same < len - 1 && p->tok[same] == tok[same])
		same++;
	p->len = same;
	for (from = same; from < len; from += block) {
		int to = len - from < block ? len : from + block;
		enum status st = run_rows(r, p, from, to, tok, c, e);
		if (st != ST_OK)
			return st;
		if (to == len)
			memcpy(feat, r->tail_feat + (size_t)(to - 1 - from) * F, F * sizeof *feat);
	}
	return ST_OK;
}
