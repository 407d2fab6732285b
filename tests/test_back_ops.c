/*
 * test_back_ops.c: gradients of parameters, operation by operation, against
 * central differences: LINEAR with all that is fused to it, NORM, ATTEND,
 * EMBED, LABEL, HEAD, dropout; the same bits on any number of threads, the same
 * sums in any split.
 */
#include "back_util.h"

enum { L = 5, N = 3, V = 7, D = 12, MOD = 3 * D, COND = 6 };

static int32_t tok[N * L], idx[N * L * 2];
static float weight[N * L * 2], dense[N * L * V], prob[N * L * V];
static double sigma[N];
static int label[N] = { 1, -1, 2 };

static void
make_inputs(void)
{
	for (uint32_t i = 0; i < N * L; i++)
		tok[i] = (int32_t)((back_random(3, i) + 1) / 2 * V);
	for (uint32_t i = 0; i < N * L * 2; i++) {
		idx[i] = (int32_t)((back_random(4, i) + 1) / 2 * V);
		weight[i] = (float)back_random(5, i);
	}
	for (uint32_t i = 0; i < N * L * V; i++) {
		dense[i] = (float)(3 * back_random(6, i));
		prob[i] = (float)(.5 * back_random(8, i));
	}
	for (uint32_t i = 0; i < N; i++)
		sigma[i] = 2 + back_random(7, i);
}

static int
matrix(struct net *net, int n, int k, const char *name)
{
	int64_t dim[2] = { n, k };

	return net_param(net, 2, dim, "%s", name);
}

static int
vector(struct net *net, int n, const char *name)
{
	int64_t dim = n;

	return net_param(net, 1, &dim, "%s", name);
}

/* A case over tokens; *h: rows of the embedding [D]. */
static struct back_case
begin(const char *what, int *h)
{
	struct back_case c = { .what = what, .net = net_new(), .in = { .n = N, .tok = tok, .sigma = sigma } };
	struct net_op op = net_op_init(NET_EMBED);

	c.net->L = L;
	c.net->V = V;
	op.par[PAR_W] = matrix(c.net, V, D, "table");
	op.dim[DIM_K] = V;
	op.dim[DIM_N] = D;
	*h = net_append_to(c.net, op, net_value(c.net, D, false, "embedding"));
	return c;
}

/* Rows per sample: the noise level through a layer with silu. */
static int
condition(struct net *net)
{
	struct net_op time = net_op_init(NET_TIME);

	time.dim[TIME_WIDTH] = 8;
	time.dim[TIME_DIVISOR] = 4;
	net->timed = true;
	int v = net_append_to(net, time, net_value(net, 8, true, "time"));
	return net_append_to(net, net_linear(v, matrix(net, COND, 8, "condition"), vector(net, COND, "condition bias"),
		8, COND, AFTER_SILU), net_value(net, COND, true, "c"));
}

/* Shift, scale, gate of D columns each. */
static int
modulation(struct net *net)
{
	int c = condition(net);

	return net_append_to(net, net_linear(c, matrix(net, MOD, COND, "modulation"),
		vector(net, MOD, "modulation bias"), COND, MOD, AFTER_NONE), net_value(net, MOD, true, "mod"));
}

static void
finish(struct back_case *c, int v, int width)
{
	c->net->feature = v;
	c->net->F = width;
	back_check(c);
}

/* ---- LINEAR ---- */

enum { PLAIN, NORMED, NORMED_BIAS, MODULATED, SILU, N_BEFORE };

/* before() of op: what it reads beside the rows. */
static void
set_before(struct net *net, struct net_op *op, int before, int mod)
{
	if (before == SILU)
		op->before = BEFORE_SILU;
	if (before == PLAIN || before == SILU)
		return;
	op->before = BEFORE_LN_MODULATE;
	op->par[PAR_NORM] = vector(net, D, "norm");
	if (before == NORMED_BIAS)
		op->par[PAR_NORM_BIAS] = vector(net, D, "norm bias");
	if (before == MODULATED) {
		op->in[IN_MOD] = mod;
		op->dim[DIM_SHIFT] = 0;
		op->dim[DIM_SCALE] = D;
	}
}

static void
test_linear(int before, enum net_after after, bool bias, bool gate)
{
	static const char *const before_name[] = { "", "norm, ", "norm and bias, ", "modulated norm, ", "silu, " };
	static const char *const after_name[] = { "linear", "linear, silu", "linear, gelu", "linear, rotation",
		"linear, added" };
	char what[80];
	int h, n = after == AFTER_ROPE ? 2 * D : D;

	snprintf(what, sizeof what, "%s%s%s%s", before_name[before], bias ? "biased " : "", after_name[after],
		gate ? ", gated" : "");
	struct back_case c = begin(what, &h);
	int mod = before == MODULATED || gate ? modulation(c.net) : -1;
	struct net_op op = net_linear(h, matrix(c.net, n, D, "weight"), bias ? vector(c.net, n, "bias") : -1, D, n,
		after);
	set_before(c.net, &op, before, mod);
	if (after == AFTER_ROPE)
		op.dim[DIM_HEAD] = 4;
	if (after == AFTER_GATE_ADD)
		op.in[IN_RES] = h;
	if (gate) {
		op.in[IN_MOD] = mod;
		op.dim[DIM_GATE] = 2 * D;
	}
	finish(&c, net_append_to(c.net, op, net_value(c.net, n, false, "out")), n);
}

static void
test_linears(void)
{
	for (int before = 0; before < N_BEFORE; before++)
		for (int after = AFTER_NONE; after <= AFTER_GATE_ADD; after++)
			test_linear(before, (enum net_after)after, after != AFTER_ROPE || before == NORMED_BIAS, false);
	test_linear(PLAIN, AFTER_GATE_ADD, true, true);
	test_linear(PLAIN, AFTER_GATE_ADD, false, true);
	test_linear(MODULATED, AFTER_GATE_ADD, true, true);
	test_linear(PLAIN, AFTER_NONE, false, false);
}

/* ---- the others ---- */

static void
test_norm(int before, const char *what)
{
	int h;
	struct back_case c = begin(what, &h);
	struct net_op op = net_op_init(NET_NORM);

	op.in[IN_X] = h;
	set_before(c.net, &op, before, before == MODULATED ? modulation(c.net) : -1);
	finish(&c, net_append_to(c.net, op, net_value(c.net, D, false, "out")), D);
}

/* A projection to q, k, v, turned by position, and attention. */
static void
test_attend(bool causal, const char *what)
{
	int h;
	struct back_case c = begin(what, &h);
	struct net_op op = net_linear(h, matrix(c.net, 3 * 8, D, "projection"), -1, D, 3 * 8, AFTER_ROPE);

	op.dim[DIM_HEAD] = 4;
	int qkv = net_append_to(c.net, op, net_value(c.net, 3 * 8, false, "qkv"));
	op = net_op_init(NET_ATTEND);
	op.in[IN_X] = qkv;
	op.dim[ATT_HEADS] = 2;
	op.dim[ATT_DIM] = 4;
	op.dim[ATT_CAUSAL] = causal;
	c.net->causal = causal;
	c.in.sigma = NULL;
	finish(&c, net_append_to(c.net, op, net_value(c.net, 8, false, "out")), 8);
}

/* What the network gets: whole rows, mixtures of some or all, a softmax; a table of positions. */
static void
test_embed(const char *what, int kind, bool positions)
{
	static int32_t gaps[N * L];
	int h;
	struct back_case c = begin(what, &h);

	if (positions) {
		c.net->op[0].par[PAR_BIAS] = matrix(c.net, L, D, "positions");
		c.net->causal = true;
		for (int i = 0; i < N * L; i++)
			gaps[i] = i % 4 == 3 ? -1 : tok[i];
	}
	if (kind == 0)
		c.in = (struct net_input){ .n = N, .tok = positions ? gaps : tok };
	else if (kind == 1)
		c.in = (struct net_input){ .n = N, .k = 2, .idx = idx, .w = weight };
	else if (kind == 2)
		c.in = (struct net_input){ .n = N, .dense = dense };
	else
		c.in = (struct net_input){ .n = N, .prob = prob };
	int v = net_append_to(c.net, net_linear(h, matrix(c.net, D, D, "weight"), -1, D, D, AFTER_GELU),
		net_value(c.net, D, false, "out"));
	finish(&c, v, D);
}

/* The label's row joins the condition that modulates. */
static void
test_label(bool plain, const char *what)
{
	int h;
	struct back_case c = begin(what, &h);
	struct net_op op = net_op_init(NET_LABEL);
	int v = condition(c.net);

	c.net->classes = 3;
	c.in.label = label;
	op.in[IN_X] = v;
	op.par[PAR_W] = matrix(c.net, 4, COND, "labels");
	op.dim[DIM_K] = 4;
	op.dim[DIM_N] = COND;
	op.dim[LABEL_PLAIN] = plain;
	v = net_append_to(c.net, op, net_value(c.net, COND, true, "labelled"));
	op = net_linear(v, matrix(c.net, MOD, COND, "modulation"), -1, COND, MOD, AFTER_NONE);
	op.before = BEFORE_SILU;
	int mod = net_append_to(c.net, op, net_value(c.net, MOD, true, "mod"));
	op = net_op_init(NET_NORM);
	op.in[IN_X] = h;
	set_before(c.net, &op, MODULATED, mod);
	finish(&c, net_append_to(c.net, op, net_value(c.net, D, false, "out")), D);
}

static void
test_head(bool bias, bool some, const char *what)
{
	static uint8_t row[N * L];
	int h;
	struct back_case c = begin(what, &h);
	int v = net_append_to(c.net, net_linear(h, matrix(c.net, D, D, "weight"), -1, D, D, AFTER_GELU),
		net_value(c.net, D, false, "out"));
	struct net_op op = net_linear(v, matrix(c.net, V, D, "head"), bias ? vector(c.net, V, "head bias") : -1, D, V,
		AFTER_NONE);

	for (int i = 0; i < N * L; i++)
		row[i] = i % 3 != 1;
	op.kind = NET_HEAD;
	net_append(c.net, op);
	c.net->feature = v;
	c.net->F = D;
	c.row = some ? row : NULL;
	back_check(&c);
}

/* One table at both ends: terms from the head and from the embedding. */
static void
test_tied(void)
{
	int h;
	struct back_case c = begin("a head tied to the embedding", &h);
	int v = net_append_to(c.net, net_linear(h, matrix(c.net, D, D, "weight"), -1, D, D, AFTER_GELU),
		net_value(c.net, D, false, "out"));
	struct net_op op = net_linear(v, c.net->op[0].par[PAR_W], -1, D, V, AFTER_NONE);

	op.kind = NET_HEAD;
	net_append(c.net, op);
	c.net->feature = v;
	c.net->F = D;
	back_check(&c);
}

/* More rows than a block of the head has. */
static void
test_blocks(void)
{
	enum { LONG = 2 * LEARN_ROWS / N + 9 };
	static int32_t many[N * LONG];
	int h;
	struct back_case c = begin("three blocks of the head", &h);
	struct net_op op = net_linear(h, matrix(c.net, V, D, "head"), vector(c.net, V, "head bias"), D, V, AFTER_NONE);

	for (int i = 0; i < N * LONG; i++)
		many[i] = tok[i % (N * L)];
	op.kind = NET_HEAD;
	net_append(c.net, op);
	c.net->L = LONG;
	c.net->feature = h;
	c.net->F = D;
	c.in.tok = many;
	back_check(&c);
}

/* Dropout on two branches: a mask for each, the same on the way back. */
static void
test_dropout(void)
{
	static const struct learn_dropout drop = { .seed = 5, .step = 77, .first = 40 };
	int h;
	struct back_case c = begin("dropout", &h);
	int mod = modulation(c.net);

	for (int i = 0; i < 2; i++) {
		struct net_op op = net_linear(h, matrix(c.net, D, D, i ? "second" : "first"),
			vector(c.net, D, i ? "second bias" : "first bias"), D, D, AFTER_GATE_ADD);
		op.in[IN_RES] = h;
		op.in[IN_MOD] = i ? -1 : mod;
		op.dim[DIM_GATE] = D;
		op.drop = i ? .25f : .5f;
		h = net_append_to(c.net, op, net_value(c.net, D, false, "branch%d", i));
	}
	c.drop = &drop;
	finish(&c, h, D);
}

int
main(void)
{
	make_inputs();
	test_linears();
	test_norm(NORMED, "norm alone");
	test_norm(NORMED_BIAS, "norm and bias alone");
	test_norm(MODULATED, "modulated norm alone");
	test_attend(false, "attention");
	test_attend(true, "causal attention");
	test_embed("tokens", 0, false);
	test_embed("tokens and positions", 0, true);
	test_embed("mixtures", 1, false);
	test_embed("a softmax", 2, false);
	test_embed("weights of all rows", 3, false);
	test_label(false, "label with silu");
	test_label(true, "label");
	test_head(true, false, "head");
	test_head(false, true, "head without bias, some rows");
	test_tied();
	test_blocks();
	test_dropout();
	return check_done();
}
