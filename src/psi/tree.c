/*
 * tree.c: see tree.h.  Written by one thread, read by any.
 *
 * A node is a delta against the node above it: the positions that were touched
 * or whose token or probability differ.  Every TREE_FULL_EVERY nodes, and
 * where a delta would be larger, all positions are stored.  Clamps and nonces
 * hardly ever change: whole arrays, shared with the node above while equal.
 */
#include "psi/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "psi/metric.h"

/* An array that several nodes hold; the count falls on the thread that
 * releases a cut branch, too. */
struct shared {
	atomic_int refs;
	size_t bytes;
	unsigned char data[];
};

struct node_packed {
	bool full;
	int depth;                 /* nodes up to the next full one */
	int n;                     /* entries */
	int32_t *idx;              /* [n] ascending; NULL if full: entry i is position i */
	int32_t *tok;              /* [n] */
	float *prob;               /* [n] */
	uint8_t *cause;            /* [n] */
	struct shared *fixed;      /* uint8_t [S*L]; NULL: all 0 */
	struct shared *nonce;      /* uint16_t [S*L]; NULL: all 0 */
	size_t bytes;              /* of this node, without shared arrays */
};

struct tree {
	int S, L, n;               /* n = S*L */
	_Atomic(struct node *) first;
	atomic_size_t bytes;
	unsigned next_id;
	struct leg **leg;
	size_t n_leg, cap_leg;
	struct node *last;         /* the node whose state `state` holds, NULL: none */
	struct state state;        /* writer's scratch: the parent of what is added next */
};

struct tree *
tree_new(int S, int L)
{
	struct tree *t = mem_calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->S = S;
	t->L = L;
	t->n = S * L;
	if (state_init(&t->state, S, L, NULL) != ST_OK) {
		free(t);
		return NULL;
	}
	return t;
}

static void
shared_drop(struct shared *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}

static void
node_free(struct node *n)
{
	if (n->packed) {
		shared_drop(n->packed->fixed);
		shared_drop(n->packed->nonce);
		free(n->packed);
	}
	free(n);
}

/* Free n and all below without recursion: children are moved in front. */
void
tree_release(struct node *cut)
{
	struct node *todo = cut;

	if (cut)
		atomic_store(&cut->next, NULL);
	while (todo) {
		struct node *n = todo, *down = n->down;
		todo = n->next;
		while (down) {
			struct node *next = down->next;
			down->next = todo;
			todo = down;
			down = next;
		}
		node_free(n);
	}
}

void
tree_free(struct tree *t)
{
	if (!t)
		return;
	for (struct node *n = t->first; n; ) {
		struct node *next = n->next;
		tree_release(n);
		n = next;
	}
	for (size_t i = 0; i < t->n_leg; i++)
		leg_free(t->leg[i]);
	free(t->leg);
	state_done(&t->state);
	free(t);
}

enum status
tree_own_leg(struct tree *t, struct leg *l, struct error *e)
{
	struct leg **p = mem_grow(t->leg, &t->cap_leg, t->n_leg + 1, sizeof *p);

	if (!p) {
		leg_free(l);
		return error_set(e, ST_MEMORY, "out of memory for a leg");
	}
	t->leg = p;
	t->leg[t->n_leg++] = l;
	atomic_fetch_add(&t->bytes, sizeof *l + (size_t)l->n * (sizeof *l->row + sizeof *l->zone));
	return ST_OK;
}

/* The array for a new node: the parent's if equal, NULL if all zero.  *ok is
 * cleared when out of memory. */
static struct shared *
share(struct tree *t, struct shared *parent, const void *data, size_t bytes, bool *ok)
{
	const unsigned char *p = data;

	if (parent && memcmp(parent->data, data, bytes) == 0) {
		atomic_fetch_add(&parent->refs, 1);
		return parent;
	}
	if (bytes == 0 || (p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0))
		return NULL;
	struct shared *s = malloc(sizeof *s + bytes);
	if (!s) {
		*ok = false;
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->bytes = bytes;
	memcpy(s->data, data, bytes);
	atomic_fetch_add(&t->bytes, bytes);
	return s;
}

static bool
same_float(float a, float b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

/* Whether position i of s must be stored, up being the state before it. */
static bool
differs(const struct state *s, const struct state *up, int i)
{
	return s->cause[i] != CAUSE_UNTOUCHED || s->tok[i] != up->tok[i] || !same_float(s->prob[i], up->prob[i]);
}

/* Room for n entries (full: without indices) in one block. */
static struct node_packed *
packed_new(int n, bool full)
{
	size_t head = sizeof(struct node_packed), count = (size_t)n;
	size_t bytes = head + count * ((full ? 0 : sizeof(int32_t)) + sizeof(int32_t) + sizeof(float) + 1);
	struct node_packed *p = malloc(bytes);

	if (!p)
		return NULL;
	*p = (struct node_packed){ .full = full, .n = n, .bytes = bytes };
	char *at = (char *)p + head;
	if (!full) {
		p->idx = (int32_t *)(void *)at;
		at += count * sizeof(int32_t);
	}
	p->tok = (int32_t *)(void *)at;
	at += count * sizeof(int32_t);
	p->prob = (float *)(void *)at;
	at += count * sizeof(float);
	p->cause = (uint8_t *)at;
	return p;
}

static struct node_packed *
pack(const struct tree *t, const struct state *s, const struct state *up, int depth)
{
	int n = 0;

	for (int i = 0; up && i < t->n; i++)
		n += differs(s, up, i);
	bool full = !up || depth >= TREE_FULL_EVERY || n > t->n / 2;
	struct node_packed *p = packed_new(full ? t->n : n, full);
	if (!p)
		return NULL;
	p->depth = full ? 0 : depth;
	for (int i = 0, k = 0; i < t->n; i++) {
		if (!full && !differs(s, up, i))
			continue;
		if (!full)
			p->idx[k] = i;
		p->tok[k] = s->tok[i];
		p->prob[k] = s->prob[i];
		p->cause[k] = s->cause[i];
		k++;
	}
	return p;
}

static double
mean_entropy(const struct state *s)
{
	double sum = 0;

	for (int i = 0; i < s->S; i++)
		sum += metric_entropy(s->L, s->tok + (size_t)i * (size_t)s->L);
	return s->S ? sum / s->S : 0;
}

/* Make the node's packed form; the writer's scratch then holds s. */
static bool
node_pack(struct tree *t, struct node *n, const struct state *s)
{
	bool ok = true;
	size_t count = (size_t)t->n;

	if (n->up && t->last != n->up)
		tree_read(t, n->up, &t->state);
	t->last = NULL;
	n->packed = pack(t, s, n->up ? &t->state : NULL, n->up ? n->up->packed->depth + 1 : 0);
	if (!n->packed)
		return false;
	n->packed->fixed = share(t, n->up ? n->up->packed->fixed : NULL, s->fixed, count * sizeof *s->fixed, &ok);
	n->packed->nonce = share(t, n->up ? n->up->packed->nonce : NULL, s->nonce, count * sizeof *s->nonce, &ok);
	if (ok) {
		state_copy(&t->state, s);
		t->last = n;
	}
	return ok;
}

struct node *
tree_add(struct tree *t, struct node *up, const struct leg *made_by, const struct leg *on, int step, double time,
         const struct state *s, const struct step_counts *counts, struct error *e)
{
	struct node *n = mem_calloc(1, sizeof *n);

	if (!n) {
		error_set(e, ST_MEMORY, "out of memory for a state");
		return NULL;
	}
	n->up = up;
	n->leg = made_by;
	n->on = on;
	n->step = step;
	n->t = time;
	n->id = t->next_id + 1;
	n->done = on && !leg_row(on, step);
	if (counts)
		n->counts = *counts;
	n->entropy = mean_entropy(s);
	if (!node_pack(t, n, s)) {
		node_free(n);
		error_set(e, ST_MEMORY, "out of memory for a state");
		return NULL;
	}
	t->next_id++;
	atomic_fetch_add(&t->bytes, sizeof *n + n->packed->bytes);
	_Atomic(struct node *) *list = up ? &up->down : &t->first;
	atomic_store_explicit(&n->next, atomic_load_explicit(list, memory_order_relaxed), memory_order_relaxed);
	atomic_store_explicit(list, n, memory_order_release);
	return n;
}

static size_t
shared_bytes(const struct shared *s, const struct shared *above)
{
	return s && s != above ? s->bytes : 0;
}

/* Bytes of n, with the arrays that it is the first to hold. */
static size_t
node_bytes(const struct node *n)
{
	const struct node_packed *p = n->packed, *up = n->up ? n->up->packed : NULL;

	return sizeof *n + p->bytes + shared_bytes(p->fixed, up ? up->fixed : NULL) +
	       shared_bytes(p->nonce, up ? up->nonce : NULL);
}

/* Bytes of n and all below, and forget a scratch state that is among them. */
static size_t
branch_bytes(struct tree *t, struct node *top)
{
	size_t sum = 0;
	struct node *n = top;

	for (;;) {
		sum += node_bytes(n);
		if (t->last == n)
			t->last = NULL;
		if (n->down) {
			n = n->down;
			continue;
		}
		while (n != top && !n->next)
			n = n->up;
		if (n == top)
			return sum;
		n = n->next;
	}
}

void
tree_cut(struct tree *t, struct node *n)
{
	_Atomic(struct node *) *at = n->up ? &n->up->down : &t->first;

	while (*at != n)
		at = &(*at)->next;
	atomic_store_explicit(at, n->next, memory_order_release);
	atomic_fetch_sub(&t->bytes, branch_bytes(t, n));
}

void
tree_drop(struct tree *t, struct node *n)
{
	tree_cut(t, n);
	tree_release(n);
}

enum status
tree_splice(struct tree *t, struct node *n, struct error *e)
{
	struct node *c = n->down;
	struct state s;
	enum status st = state_init(&s, t->S, t->L, e);

	if (st != ST_OK)
		return st;
	tree_read(t, c, &s);
	struct node_packed *p = pack(t, &s, NULL, 0);
	state_done(&s);
	if (!p)
		return error_set(e, ST_MEMORY, "out of memory for a state");
	p->fixed = c->packed->fixed;
	p->nonce = c->packed->nonce;
	size_t before = node_bytes(n) + node_bytes(c);
	free(c->packed);
	c->packed = p;
	c->up = n->up;
	atomic_fetch_sub(&t->bytes, before - node_bytes(c));
	_Atomic(struct node *) *at = n->up ? &n->up->down : &t->first;
	while (*at != n)
		at = &(*at)->next;
	atomic_store(&c->next, n->next);
	atomic_store_explicit(at, c, memory_order_release);
	if (t->last == n)
		t->last = NULL;
	node_free(n);
	return ST_OK;
}

static void
apply(const struct node_packed *p, struct state *s)
{
	for (int k = 0; k < p->n; k++) {
		int i = p->idx ? p->idx[k] : k;
		s->tok[i] = p->tok[k];
		s->prob[i] = p->prob[k];
	}
}

static void
spread(const struct shared *sh, void *out, size_t bytes)
{
	if (sh)
		memcpy(out, sh->data, bytes);
	else
		memset(out, 0, bytes);
}

void
tree_read(const struct tree *t, const struct node *n, struct state *s)
{
	const struct node *path[TREE_FULL_EVERY + 1];
	const struct node_packed *p = n->packed;
	size_t count = (size_t)t->n;
	int depth = 0;

	for (const struct node *at = n; ; at = at->up) {
		path[depth++] = at;
		if (at->packed->full)
			break;
	}
	while (depth > 0)
		apply(path[--depth]->packed, s);
	memset(s->cause, CAUSE_UNTOUCHED, count);
	for (int k = 0; k < p->n; k++)
		s->cause[p->idx ? p->idx[k] : k] = p->cause[k];
	spread(p->fixed, s->fixed, count * sizeof *s->fixed);
	spread(p->nonce, s->nonce, count * sizeof *s->nonce);
}

struct node *
tree_child_of(const struct node *n, const struct recipe *r)
{
	for (struct node *c = atomic_load_explicit(&n->down, memory_order_acquire); c;
	     c = atomic_load_explicit(&c->next, memory_order_acquire))
		if (c->leg && recipe_equal(&c->leg->r, r))
			return c;
	return NULL;
}

struct node *
tree_child(const struct node *n, const struct leg *l)
{
	return tree_child_of(n, &l->r);
}

struct node *
tree_first(const struct tree *t)
{
	return atomic_load_explicit(&t->first, memory_order_acquire);
}

size_t
tree_bytes(const struct tree *t)
{
	return atomic_load(&t->bytes);
}

/* The entry of position i in p, -1: none. */
static int
entry(const struct node_packed *p, int i)
{
	int lo = 0, hi = p->n - 1;

	if (!p->idx)
		return i;
	while (lo <= hi) {
		int mid = lo + (hi - lo) / 2;
		if (p->idx[mid] == i)
			return mid;
		if (p->idx[mid] < i)
			lo = mid + 1;
		else
			hi = mid - 1;
	}
	return -1;
}

static int32_t
token_at(const struct node *n, int i)
{
	for (;; n = n->up) {
		int k = entry(n->packed, i);
		if (k >= 0)
			return n->packed->tok[k];
	}
}

/* Whether making n changed the token at position i. */
static bool
changed(const struct node *n, int i)
{
	int k;

	return n->up && (k = entry(n->packed, i)) >= 0 && n->packed->tok[k] != token_at(n->up, i);
}

const struct node *
tree_last_change(const struct tree *t, const struct node *n, int i)
{
	(void)t;
	while (n && !changed(n, i))
		n = n->up;
	return n;
}

void
tree_history(const struct tree *t, const struct node *n, int i, int *age, int *times)
{
	const struct node *c = tree_last_change(t, n, i);

	*age = c ? n->step - c->step : n->step;
	*times = 0;
	for (; c; c = tree_last_change(t, c->up, i))
		(*times)++;
}

enum status
tree_history_all(const struct tree *t, const struct node *n, int *age, int *times, struct error *e)
{
	size_t depth = 0, at = 0, count = (size_t)t->n;

	for (const struct node *p = n; p; p = p->up)
		depth++;
	const struct node **path = mem_calloc(depth, sizeof(void *));
	int32_t *tok = mem_calloc(count, sizeof *tok);
	if (!path || !tok) {
		free(path);
		free(tok);
		return error_set(e, ST_MEMORY, "out of memory for the history of a state");
	}
	for (const struct node *p = n; p; p = p->up)
		path[at++] = p;
	for (int i = 0; i < t->n; i++) {
		age[i] = n->step;
		times[i] = 0;
	}
	while (at-- > 0) {
		const struct node_packed *p = path[at]->packed;
		for (int k = 0; k < p->n; k++) {
			int i = p->idx ? p->idx[k] : k;
			if (path[at]->up && tok[i] != p->tok[k]) {
				age[i] = n->step - path[at]->step;
				times[i]++;
			}
			tok[i] = p->tok[k];
		}
	}
	free(path);
	free(tok);
	return ST_OK;
}
