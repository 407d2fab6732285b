/*
 * test_tree.c: the tree of states against plain full copies, and one writer
 * beside several readers (run it under ThreadSanitizer).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "psi/metric.h"
#include "psi/tree.h"

enum { S = 2, L = 40, N = S * L, MOST = 700 };

static uint64_t seed = 12345;

static unsigned
draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

/* What the tree should say, kept the plain way. */
struct plain {
	struct node *node;
	int up;                      /* -1: a start */
	struct state s;
	bool gone;
};

static struct plain plain[MOST];
static int n_plain;
static struct leg *legs[3];

/* A leg with 1000 steps, told from others by its seed. */
static struct leg *
make_leg(uint64_t leg_seed)
{
	struct leg *l = mem_calloc(1, sizeof *l);

	l->n = l->total = 1000;
	l->row = mem_calloc(1000, sizeof *l->row);
	l->zone = mem_calloc(1000, 1);
	l->r.seed = leg_seed;
	return l;
}

/* Change some positions of s as a step would. */
static void
touch(struct state *s, unsigned positions)
{
	memset(s->cause, CAUSE_UNTOUCHED, N);
	for (unsigned k = 0; k < positions; k++) {
		unsigned i = draw(N);
		s->cause[i] = (uint8_t)(1 + draw(CAUSE_COUNT - 1));
		s->tok[i] = (int32_t)draw(5) - 1;
		s->prob[i] = (float)draw(1000) / 1000;
	}
	if (draw(10) == 0)
		s->fixed[draw(N)] ^= 1;
	if (draw(20) == 0)
		s->nonce[draw(N)]++;
}

static void
grow(struct tree *t, int up)
{
	struct plain *p = &plain[n_plain];
	struct leg *leg = legs[draw(3)];
	bool start = up < 0;

	state_init(&p->s, S, L, NULL);
	p->up = up;
	p->gone = false;
	if (start)
		touch(&p->s, N);
	else
		state_copy(&p->s, &plain[up].s);
	if (!start)
		touch(&p->s, draw(8) == 0 ? N : draw(12));
	p->node = tree_add(t, start ? NULL : plain[up].node, start ? NULL : leg, leg,
		start ? 0 : plain[up].node->step + 1, .5, &p->s, NULL, NULL);
	n_plain++;
}

static bool
same_state(const struct state *a, const struct state *b)
{
	return memcmp(a->tok, b->tok, N * sizeof *a->tok) == 0 && memcmp(a->cause, b->cause, N) == 0 &&
	       memcmp(a->prob, b->prob, N * sizeof *a->prob) == 0 && memcmp(a->fixed, b->fixed, N) == 0 &&
	       memcmp(a->nonce, b->nonce, N * sizeof *a->nonce) == 0;
}

static int
count_wrong(struct tree *t)
{
	struct state s;
	int wrong = 0;

	state_init(&s, S, L, NULL);
	for (int i = 0; i < n_plain; i++) {
		if (plain[i].gone)
			continue;
		memset(s.tok, 0x55, N * sizeof *s.tok);
		tree_read(t, plain[i].node, &s);
		wrong += !same_state(&s, &plain[i].s);
	}
	state_done(&s);
	return wrong;
}

/* Age and times of position i of plain state k, the plain way. */
static void
plain_history(int k, int i, int *age, int *times)
{
	int step = plain[k].node->step;

	*age = step;
	*times = 0;
	for (bool first = true; plain[k].up >= 0; k = plain[k].up) {
		if (plain[k].s.tok[i] == plain[plain[k].up].s.tok[i])
			continue;
		if (first)
			*age = step - plain[k].node->step;
		first = false;
		(*times)++;
	}
}

static int
count_wrong_histories(struct tree *t)
{
	int wrong = 0, all_age[N], all_times[N];

	for (int k = 0; k < n_plain; k += 7) {
		if (plain[k].gone)
			continue;
		tree_history_all(t, plain[k].node, all_age, all_times, NULL);
		for (int i = 0; i < N; i += 3) {
			int age, times, want_age, want_times;
			tree_history(t, plain[k].node, i, &age, &times);
			plain_history(k, i, &want_age, &want_times);
			wrong += age != want_age || times != want_times || all_age[i] != want_age ||
			         all_times[i] != want_times;
			const struct node *c = tree_last_change(t, plain[k].node, i);
			wrong += (c == NULL) != (want_times == 0) || (c && plain[k].node->step - c->step != want_age);
		}
	}
	return wrong;
}

static bool
is_under(int k, int top)
{
	while (k >= 0 && k != top)
		k = plain[k].up;
	return k == top;
}

static void
drop(struct tree *t, int top)
{
	tree_drop(t, plain[top].node);
	for (int i = 0; i < n_plain; i++)
		if (!plain[i].gone && is_under(i, top))
			plain[i].gone = true;
}

static int
reachable(const struct tree *t)
{
	int n = 0;

	for (struct node *start = tree_first(t); start; start = start->next) {
		struct node *at = start;
		for (;;) {
			n++;
			if (at->down) {
				at = at->down;
				continue;
			}
			while (at != start && !at->next)
				at = at->up;
			if (at == start)
				break;
			at = at->next;
		}
	}
	return n;
}

static int
alive(void)
{
	int n = 0;

	for (int i = 0; i < n_plain; i++)
		n += !plain[i].gone;
	return n;
}

static void
test_random(void)
{
	struct tree *t = tree_new(S, L);

	for (int i = 0; i < 3; i++)
		tree_own_leg(t, legs[i] = make_leg((uint64_t)i), NULL);
	size_t empty = tree_bytes(t);
	grow(t, -1);
	for (int i = 1; i < 500; i++) /* long chains with branches, and now and then a new start */
		grow(t, draw(90) == 0 ? -1 : draw(6) == 0 ? (int)draw((unsigned)n_plain) : n_plain - 1);
	CHECK(count_wrong(t) == 0, "500 states of a random tree read back");
	CHECK(count_wrong_histories(t) == 0, "age, times changed, last change");
	CHECK(reachable(t) == alive(), "every state can be reached from the starts");
	CHECK(plain[7].node->entropy > 0, "entropy is noted");
	for (int k = 0; k < 25; k++) {
		int top = 1 + (int)draw((unsigned)n_plain - 1);
		if (!plain[top].gone)
			drop(t, top);
		int up = (int)draw((unsigned)n_plain);
		for (int i = 0; i < 5 && !plain[up].gone && n_plain < MOST; i++, up = n_plain - 1)
			grow(t, up);
	}
	CHECK(alive() > 1 && alive() < n_plain, "%d of %d states left after dropping branches", alive(), n_plain);
	CHECK(count_wrong(t) == 0, "the others still read back");
	CHECK(reachable(t) == alive(), "and nothing else can be reached");
	for (int i = 0; i < n_plain; i++)
		if (!plain[i].gone && plain[i].up < 0)
			drop(t, i);
	CHECK(tree_first(t) == NULL && tree_bytes(t) < empty + 40 * N, "all dropped: %zu bytes left", tree_bytes(t));
	for (int i = 0; i < n_plain; i++)
		state_done(&plain[i].s);
	n_plain = 0;
	tree_free(t);
}

static void
test_children(void)
{
	struct tree *t = tree_new(S, L);

	for (int i = 0; i < 3; i++)
		tree_own_leg(t, legs[i] = make_leg((uint64_t)i), NULL);
	struct state s;
	state_init(&s, S, L, NULL);
	struct node *top = tree_add(t, NULL, NULL, legs[0], 0, 1, &s, NULL, NULL);
	struct node *a = tree_add(t, top, legs[0], legs[0], 1, .9, &s, NULL, NULL);
	struct node *b = tree_add(t, top, legs[1], legs[1], 1, .9, &s, NULL, NULL);
	struct node *edit = tree_add(t, top, NULL, legs[0], 0, 1, &s, NULL, NULL);
	struct leg *like = make_leg(1);
	CHECK(tree_child(top, legs[0]) == a && tree_child(top, legs[1]) == b, "the child made by a leg");
	CHECK(tree_child(top, like) == b, "or by a leg with an equal recipe");
	CHECK(tree_child(top, legs[2]) == NULL && tree_child(a, legs[0]) == NULL, "and none otherwise");
	CHECK(top->down == edit && edit->next == b && b->next == a && !a->next, "newest child first");
	struct node *end = tree_add(t, a, legs[0], legs[0], 1000, 0, &s, NULL, NULL);
	CHECK(end->done && !a->done, "the last state knows it");
	CHECK(top->id == 1 && end->id == 5, "numbers in order of making");
	tree_own_leg(t, like, NULL);
	state_done(&s);
	tree_free(t);
}

/* A headless run: interior states go; memory does not grow. */
static void
test_splice(void)
{
	struct tree *t = tree_new(S, L);
	struct state s, got;
	size_t most = 0;
	bool same = true;

	tree_own_leg(t, legs[0] = make_leg(0), NULL);
	state_init(&s, S, L, NULL);
	state_init(&got, S, L, NULL);
	touch(&s, N);
	struct node *top = tree_add(t, NULL, NULL, legs[0], 0, 1, &s, NULL, NULL), *at = top;
	for (int i = 1; i <= 200; i++) {
		touch(&s, 9);
		struct node *next = tree_add(t, at, legs[0], legs[0], i, 1, &s, NULL, NULL);
		if (at != top)
			same &= tree_splice(t, at, NULL) == ST_OK;
		at = next;
		tree_read(t, at, &got);
		same &= same_state(&s, &got) && at->up == top && top->down == at && !at->next;
		if (i == 20)
			most = tree_bytes(t);
	}
	CHECK(same, "states of a run whose interior states are freed");
	CHECK(tree_bytes(t) < most + most / 2, "its memory stays flat: %zu, then %zu", most, tree_bytes(t));
	state_done(&s);
	state_done(&got);
	tree_free(t);
}

/* ---- one writer, several readers ---- */

enum { READERS = 3, WRITES = 600 };

static _Atomic(struct node *) newest;
static atomic_bool stop;
static struct tree *shared;

/* A state is right if its entropy is the one the writer noted beside it. */
static void *
reader(void *arg)
{
	struct state s;
	long bad = 0, reads = 0;

	(void)arg;
	state_init(&s, S, L, NULL);
	while (!atomic_load(&stop) || reads < 50) {
		struct node *n = atomic_load(&newest);
		for (struct node *start = tree_first(shared); start; start = start->next)
			for (struct node *c = start->down; c; c = c->next)
				bad += c->up != start;
		for (int k = 0; n && k < 20; k++, n = n->up) {
			tree_read(shared, n, &s);
			double h = (metric_entropy(L, s.tok) + metric_entropy(L, s.tok + L)) / 2;
			bad += h < n->entropy - 1e-9 || h > n->entropy + 1e-9;
			reads++;
		}
		int age, times;
		if (n)
			tree_history(shared, n, 3, &age, &times);
	}
	state_done(&s);
	return (void *)(intptr_t)bad;
}

/* A sibling that comes and goes; what is cut is kept until the readers are gone. */
static struct node *cut[WRITES];
static int n_cut;

static void
replace_sibling(const struct state *s)
{
	static struct node *aside;

	if (aside) {
		tree_cut(shared, aside);
		cut[n_cut++] = aside;
	}
	aside = tree_add(shared, tree_first(shared), NULL, legs[0], 0, 1, s, NULL, NULL);
}

static void
test_readers(void)
{
	pthread_t id[READERS];
	struct state s;
	intptr_t bad = 0;

	shared = tree_new(S, L);
	tree_own_leg(shared, legs[0] = make_leg(0), NULL);
	state_init(&s, S, L, NULL);
	touch(&s, N);
	struct node *at = tree_add(shared, NULL, NULL, legs[0], 0, 1, &s, NULL, NULL);
	atomic_store(&newest, at);
	for (int i = 0; i < READERS; i++)
		pthread_create(&id[i], NULL, reader, NULL);
	for (int i = 0; i < WRITES; i++) {
		if (i % 50 == 49) { /* jump back: a branch */
			for (int k = 0; k < 30 && at->up; k++)
				at = at->up;
			tree_read(shared, at, &s);
		}
		touch(&s, 6);
		at = tree_add(shared, at, legs[0], legs[0], at->step + 1, 1, &s, NULL, NULL);
		atomic_store(&newest, at);
		if (i % 10 == 0)
			replace_sibling(&s);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++) {
		void *out;
		pthread_join(id[i], &out);
		bad += (intptr_t)out;
	}
	while (n_cut > 0)
		tree_release(cut[--n_cut]);
	CHECK(bad == 0, "%d readers beside a writer of %d states saw whole states only", READERS, WRITES);
	state_done(&s);
	tree_free(shared);
}

int
main(void)
{
	test_children();
	test_random();
	test_splice();
	test_readers();
	return check_done();
}
