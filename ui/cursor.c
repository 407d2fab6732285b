/*
 * cursor.c: where the screen looks.  Moves the cursor over states that exist,
 * fills the buffers that views draw from, and keeps the line of the timeline,
 * the visited states, and the names of runs and branches.  Screen thread only.
 */
#include "ui/app_private.h"

#include <stdlib.h>

#include "base/mem.h"

bool
nodes_add(struct nodes *v, struct node *n)
{
	struct node **at = mem_grow(v->at, &v->cap, (size_t)v->n + 1, sizeof *v->at);

	if (!at)
		return false;
	v->at = at;
	v->at[v->n++] = n;
	return true;
}

int
app_positions(const struct app *a, int out[3])
{
	int pixels = a->side * a->side;

	out[0] = a->cursor.pos;
	if (!pixels)
		return 1;
	for (int c = 0; c < 3; c++)
		out[c] = a->cursor.pos % pixels + c * pixels;
	return 3;
}

int
node_steps(const struct node *n)
{
	const struct leg *l = n->on;

	if (!l)
		return n->step;
	return l->total - (l->n > 0 && l->zone && l->zone[l->n - 1] == 3);
}

/* --- runs and branches --- */

/* Whether n begins a branch: its parent had a child before. */
static bool
begins_branch(const struct node *n)
{
	return n->up && n->next;
}

static const struct node *
root_of(const struct node *n)
{
	while (n->up)
		n = n->up;
	return n;
}

void
cursor_born(struct app *a, struct node *n)
{
	struct app_private *p = a->priv;

	if (!n->up)
		nodes_add(&p->runs, n);
	else if (begins_branch(n))
		nodes_add(&p->branches, n);
}

static int
index_of(const struct nodes *v, const struct node *n)
{
	for (int i = 0; i < v->n; i++)
		if (v->at[i] == n)
			return i;
	return -1;
}

/* Long lines are asked about at every step: a child goes on with its parent's
 * run and, unless it begins one, branch.  Nodes of both lists stay. */
static const struct place *
place_of(const struct app *a, const struct node *n)
{
	struct place *at = &a->priv->place;
	const struct node *first = n;

	if (at->node && (n == at->node || (n->up == at->node && !begins_branch(n)))) {
		at->node = n;
		return at;
	}
	while (first->up && !begins_branch(first))
		first = first->up;
	*at = (struct place){ n, index_of(&a->priv->runs, root_of(first)) + 1, index_of(&a->priv->branches, first) };
	if (at->run == 0 || (first->up && at->branch < 0))
		at->node = NULL; /* not born yet */
	return at;
}

int
run_of(const struct app *a, const struct node *n)
{
	return place_of(a, n)->run;
}

int
branch_of(const struct app *a, const struct node *n)
{
	return place_of(a, n)->branch;
}

/* a is the first of its run; b.., z, then 27, 28 ... */
void
branch_name(const struct app *a, int branch, char out[8])
{
	const struct nodes *b = &a->priv->branches;
	const struct node *root;
	int rank = 0;

	if (branch >= 0) {
		root = root_of(b->at[branch]);
		for (int i = 0; i <= branch; i++)
			rank += root_of(b->at[i]) == root;
	}
	if (rank < 26)
		snprintf(out, 8, "%c", 'a' + rank);
	else
		snprintf(out, 8, "%d", rank % 1000000 + 1);
}

/* The child that goes on with n's own branch: the oldest. */
static struct node *
own_child(const struct node *n)
{
	struct node *c = atomic_load_explicit(&n->down, memory_order_acquire);

	while (c && c->next)
		c = c->next;
	return c;
}

struct node *
branch_node(const struct app *a, int branch, int step)
{
	struct node *n = branch >= 0 ? a->priv->branches.at[branch] : NULL;

	if (!n)
		n = a->cursor.node;
	if (branch < 0)
		while (n && n->up)
			n = n->up;
	while (n && n->step > step)
		n = n->up;
	for (struct node *c; n && (c = own_child(n)) && c->step <= step;)
		n = c;
	return n && n->step == step ? n : NULL;
}

/* --- the line of the timeline --- */

static void
line_rebuild(struct app_private *p, struct node *n)
{
	int depth = 0;

	p->line.n = 0;
	for (struct node *u = n; u; u = u->up)
		if (!nodes_add(&p->line, u))
			break;
	depth = p->line.n;
	for (int i = 0, j = depth - 1; i < j; i++, j--) {
		struct node *t = p->line.at[i];

		p->line.at[i] = p->line.at[j];
		p->line.at[j] = t;
	}
	p->at = depth - 1;
	for (struct node *c = own_child(n); c; c = own_child(c))
		if (!nodes_add(&p->line, c))
			break;
}

static void
line_move(struct app_private *p, struct node *n)
{
	int i = p->at + 1 < p->line.n && p->line.at[p->at + 1] == n ? p->at + 1 :
		p->line.n && p->line.at[p->line.n - 1] == n->up ? -1 : index_of(&p->line, n);

	if (i >= 0) {
		p->at = i;
		return;
	}
	if (p->line.n && n->up == p->line.at[p->at] && !n->down) {
		p->line.n = p->at + 1;
		if (nodes_add(&p->line, n))
			p->at++;
		return;
	}
	line_rebuild(p, n);
}

const struct recipe *
cursor_recipe(const struct app *a)
{
	const struct app_private *p = a->priv;
	const struct node *n = a->cursor.node;

	if (n && p->at + 1 < p->line.n && p->line.at[p->at + 1]->on)
		return &p->line.at[p->at + 1]->on->r;
	return n && n->on ? &n->on->r : &a->recipe;
}

struct node *
cursor_child(const struct app *a)
{
	const struct app_private *p = a->priv;
	struct node *n = a->cursor.node;

	if (!n)
		return NULL;
	if (!p->held && p->at + 1 < p->line.n)
		return p->line.at[p->at + 1];
	for (struct node *c = atomic_load_explicit(&n->down, memory_order_acquire); c; c = c->next)
		if (c->leg && recipe_equal(&c->leg->r, &a->recipe))
			return c;
	return NULL;
}

bool
cursor_at_end(const struct app *a)
{
	return a->cursor.node && a->cursor.node->done;
}

/* --- what the pane shows --- */

/* 0 predictor, 1 corrector, 2 the rest, -1: untouched. */
int
reveal_group(const struct app_private *p, size_t i)
{
	switch ((enum cause)p->now.cause[i]) {
	case CAUSE_PRED_SAME:
	case CAUSE_PRED:
	case CAUSE_PRED_NOISE:
		return 0;
	case CAUSE_CORR_SAME:
	case CAUSE_CORR:
	case CAUSE_CORR_NOISE:
	case CAUSE_REMASK:
		return 1;
	case CAUSE_REMOVAL:
	case CAUSE_EDIT:
		return 2;
	case CAUSE_CLAMP: /* clamps are imposed at every step: touched when that changed something */
		return p->now.tok[i] != p->before.tok[i] || p->now.fixed[i] != p->before.fixed[i] ? 2 : -1;
	default:
		return -1;
	}
}

static void
find_touched(struct app *a)
{
	struct app_private *p = a->priv;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;

	p->n_touched = 0;
	for (int i = 0; i < p->L; i++)
		p->rank[i] = -1;
	if (!a->cursor.node->up)
		return;
	for (int group = 0; group < 3; group++)
		for (int i = 0; i < p->L; i++)
			if (reveal_group(p, off + (size_t)i) == group) {
				p->rank[i] = p->n_touched;
				p->touched[p->n_touched++] = i;
			}
	reveal_order(a);
}

static void
fill_shown(struct app *a)
{
	struct app_private *p = a->priv;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;
	const struct state *s;

	p->preview = p->held && p->has_next && !p->next_node && p->next_of == a->cursor.node;
	s = p->preview ? &p->next : &p->now;
	for (int i = 0; i < p->L; i++) {
		size_t k = off + (size_t)i;
		bool hidden = !p->preview && a->cursor.reveal >= 0 && p->rank[i] >= a->cursor.reveal;

		p->tok[i] = hidden ? p->before.tok[k] : s->tok[k];
		p->prob[i] = hidden ? p->before.prob[k] : s->prob[k];
		p->cause[i] = hidden ? CAUSE_UNTOUCHED : s->cause[k];
	}
}

/* What COLOUR_DIFFERENCE compares with: the other branch at this step. */
static void
fill_other(struct app *a)
{
	struct app_private *p = a->priv;
	const struct node *n = NULL;

	p->has_other = false;
	if (a->colouring != COLOUR_DIFFERENCE)
		return;
	if (p->other_branch == -1)
		n = a->cursor.node->up;
	else
		n = branch_node(a, p->other_branch == -2 ? -1 : p->other_branch, a->cursor.node->step);
	if (!n)
		return;
	tree_read(sampler_tree(a->sampler), n, &p->other);
	p->has_other = true;
}

void
cursor_refresh(struct app *a)
{
	if (!a->cursor.node)
		return;
	find_touched(a);
	fill_shown(a);
	fill_other(a);
}

/* --- moves --- */

static void
visit(struct app *a, struct node *n)
{
	struct app_private *p = a->priv;

	if (p->merge && p->visited.n) {
		p->visited.at[p->visited_at] = n;
		return;
	}
	if (p->visited.n)
		p->visited.n = p->visited_at + 1;
	if (nodes_add(&p->visited, n))
		p->visited_at = p->visited.n - 1;
	p->merge = true;
}

static void
look_at_node(struct app *a, struct node *n)
{
	struct app_private *p = a->priv;
	const struct tree *t = sampler_tree(a->sampler);

	a->cursor.node = n;
	a->cursor.reveal = -1;
	line_move(p, n);
	tree_read(t, n, &p->now);
	tree_read(t, n->up ? n->up : n, &p->before);
	if (!p->held)
		a->recipe = *cursor_recipe(a);
	knobs_plan(a);
	p->has_next = false;
	p->moved = true;
	cursor_refresh(a);
	ask_answers(a);
}

void
cursor_go(struct app *a, struct node *n)
{
	if (!n || n == a->cursor.node)
		return;
	visit(a, n);
	look_at_node(a, n);
	log_step(a);
}

void
cursor_go_along(struct app *a, struct node *n)
{
	a->priv->line.n = 0;
	if (n == a->cursor.node)
		look_at_node(a, n);
	else
		cursor_go(a, n);
}

void
cursor_undo(struct app *a, int by, struct error *e)
{
	struct app_private *p = a->priv;
	int to = p->visited_at + by;

	if (to < 0 || to >= p->visited.n) {
		error_set(e, ST_FAIL,
			by < 0 ? "no state was visited before this one" : "no state was visited after this one");
		return;
	}
	p->visited_at = to;
	look_at_node(a, p->visited.at[to]);
	log_step(a);
	p->merge = false;
}

void
cursor_reveal(struct app *a, int reveal)
{
	struct app_private *p = a->priv;

	a->cursor.reveal = reveal >= 0 && reveal < p->n_touched ? reveal : -1;
	p->moved = true;
	fill_shown(a);
	ask_answers(a);
}

void
cursor_pos(struct app *a, int pos)
{
	int L = a->priv->L, first = a->grid_layout ? a->layout.first : 0;

	pos = pos < first ? first : pos >= L ? L - 1 : pos;
	if (pos == a->cursor.pos)
		return;
	a->cursor.pos = pos;
	a->priv->moved = true;
	ask_answers(a);
}

/* --- history of positions --- */

static void
history_add(struct app_private *p, const struct state *s, size_t off)
{
	for (int i = 0; i < p->L; i++) {
		if (cause_changed(s->cause[off + (size_t)i])) {
			p->age[i] = 0;
			p->times[i]++;
		} else {
			p->age[i]++;
		}
	}
}

/* Bring age and times to the cursor's node: one state when it moved one step
 * on, else every state of the line up to it. */
void
cursor_history(struct app *a)
{
	struct app_private *p = a->priv;
	size_t off = (size_t)a->cursor.sample * (size_t)p->L;
	bool same = p->history_node && p->history_sample == a->cursor.sample;

	if (!a->cursor.node || (same && p->history_node == a->cursor.node))
		return;
	if (same && p->history_node == a->cursor.node->up) {
		history_add(p, &p->now, off);
	} else {
		memset(p->age, 0, (size_t)p->L * sizeof *p->age);
		memset(p->times, 0, (size_t)p->L * sizeof *p->times);
		for (int i = 1; i <= p->at; i++) {
			/* other is free here: it is filled again below */
			tree_read(sampler_tree(a->sampler), p->line.at[i], &p->other);
			history_add(p, &p->other, off);
		}
		fill_other(a);
	}
	p->history_node = a->cursor.node;
	p->history_sample = a->cursor.sample;
}
