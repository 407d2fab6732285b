/*
 * test_dropout.c: what dropout drops: the right share, everything else scaled
 * up; another mask for every seed, step, operation, sample, row and column, and
 * the same one however a row or a batch is cut; on the branch alone, never on
 * what it is added to.
 */
#include "back_util.h"
#include "net/dropout.h"
#include "net/exec.h"

enum { WIDE = 512, ROWS = 64 };

static double
share(const float *mask, size_t n)
{
	size_t gone = 0;

	for (size_t i = 0; i < n; i++)
		gone += mask[i] == 0;
	return (double)gone / (double)n;
}

/* Five standard errors. */
static double
room_for(double rate, double n)
{
	return 5 * sqrt(rate * (1 - rate) / n);
}

static struct dropout
mask_of(double rate)
{
	struct net net = { 0 };
	struct net_op op = net_op_init(NET_LINEAR);
	struct learn_dropout on = { .seed = 3, .step = 9, .first = 2 };
	struct exec x = { .net = &net, .kern = kern_best(), .drop = &on };

	net.op = &op;
	op.drop = (float)rate;
	return dropout_of(&x, &op);
}

static void
test_shares(void)
{
	static const double rates[] = { .1, .25, .5, .9 };
	static float mask[ROWS * WIDE];

	for (int r = 0; r < 4; r++) {
		struct dropout d = mask_of(rates[r]);
		bool two = true;
		for (int i = 0; i < ROWS; i++)
			dropout_mask(&d, 0, i, 0, WIDE, mask + i * WIDE);
		for (int i = 0; i < ROWS * WIDE; i++)
			two &= mask[i] == 0 || mask[i] == d.keep;
		double gone = share(mask, ROWS * WIDE);
		CHECK(two && fabs((double)d.keep * (1 - rates[r]) - 1) < 1e-4, "rate %g: 0 or %.4f", rates[r],
			(double)d.keep);
		CHECK(fabs(gone - rates[r]) < room_for(rates[r], ROWS * WIDE) + 1e-5, "rate %g: %.4f are gone",
			rates[r], gone);
	}
	struct dropout none = mask_of(0);
	CHECK(none.limit == 0, "rate 0: nothing");
}

/* Two masks of rate 1/2 that have nothing to do with each other agree in half of their elements. */
static bool
unlike(const float *a, const float *b)
{
	int same = 0;

	for (int i = 0; i < WIDE; i++)
		same += a[i] == b[i];
	return fabs(same / (double)WIDE - .5) < room_for(.5, WIDE);
}

static void
test_names(void)
{
	struct dropout d = mask_of(.5), other;
	float mask[WIDE], part[WIDE], apply[WIDE];
	bool same = true;

	dropout_mask(&d, 1, 7, 0, WIDE, mask);
	for (int j = 0; j < WIDE; j += 24)
		dropout_mask(&d, 1, 7, j, WIDE - j < 24 ? WIDE - j : 24, part + j);
	CHECK(memcmp(mask, part, sizeof mask) == 0, "a row cut into pieces has the same mask");
	dropout_mask(&d, 1, 8, 0, WIDE, part);
	CHECK(unlike(mask, part), "another row, another mask");
	dropout_mask(&d, 2, 7, 0, WIDE, part);
	CHECK(unlike(mask, part), "another sample");
	other = d;
	other.first++;
	dropout_mask(&other, 0, 7, 0, WIDE, part);
	CHECK(memcmp(mask, part, sizeof mask) == 0, "the same global sample, elsewhere in its pass");
	other = d;
	other.step++;
	dropout_mask(&other, 1, 7, 0, WIDE, part);
	CHECK(unlike(mask, part), "another step");
	other = d;
	other.seed++;
	dropout_mask(&other, 1, 7, 0, WIDE, part);
	CHECK(unlike(mask, part), "another seed");
	other = d;
	other.op++;
	dropout_mask(&other, 1, 7, 0, WIDE, part);
	CHECK(unlike(mask, part), "another operation");
	for (int i = 0; i < WIDE; i++)
		apply[i] = (float)back_random(1, (uint32_t)i);
	dropout_apply(&d, 1, 7, 0, WIDE, apply);
	for (int i = 0; i < WIDE; i++)
		same &= apply[i] == (float)back_random(1, (uint32_t)i) * mask[i];
	CHECK(same, "applied");
}

/* ---- in a pass ---- */

enum { L = 40, N = 3, V = 7, D = 16 };

static float seen[3][N * L * D];
static int looks;

static enum status
look(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *c, struct error *e)
{
	(void)arg;
	(void)d_feat;
	(void)grad;
	(void)c;
	(void)e;
	memcpy(seen[looks++], feat, sizeof seen[0]);
	return ST_OK;
}

/* x + gate (x W^T + bias), dropped at a quarter; weights of 0: what is left is x. */
static struct net *
branch(void)
{
	struct net *net = net_new();
	int64_t table[2] = { V, D }, weight[2] = { D, D }, bias = D;
	struct net_op op = net_op_init(NET_EMBED);

	op.par[PAR_W] = net_param(net, 2, table, "table");
	op.dim[DIM_K] = V;
	op.dim[DIM_N] = D;
	int h = net_append_to(net, op, net_value(net, D, false, "embedding"));
	int w = net_param(net, 2, weight, "weight"), b = net_param(net, 1, &bias, "bias");
	op = net_linear(h, w, b, D, D, AFTER_GATE_ADD);
	op.in[IN_RES] = h;
	op.drop = .25f;
	net->feature = net_append_to(net, op, net_value(net, D, false, "out"));
	net->L = L;
	net->V = V;
	net->F = D;
	return net;
}

static void
test_pass(const char *kernel)
{
	static int32_t tok[N * L];
	struct learn_dropout drop = { .seed = 1, .step = 4 };
	struct back_case c = { .what = "a branch", .net = branch(), .in = { .n = N, .tok = tok } };
	struct learn_pass p = { .in = &c.in, .features = look };
	struct error e = { 0 };
	int gone = 0, kept = 0;

	for (int i = 0; i < N * L; i++)
		tok[i] = i % V;
	if (!CHECK(net_finish(c.net, &e) == ST_OK && back_open(&c, kernel, 2), "%s: a branch %s", kernel, e.msg))
		return;
	looks = 0;
	learn_pass(c.learn, &p, NULL, &e);
	p.drop = &drop;
	learn_pass(c.learn, &p, NULL, &e);
	p.drop = NULL;
	/* the branch alone is gone: the residual is what a branch of weight 0 leaves */
	memset(c.param + c.flat.at[1], 0, (c.flat.floats - c.flat.at[1]) * sizeof *c.param);
	learn_changed(c.learn);
	learn_pass(c.learn, &p, NULL, &e);
	for (int i = 0; looks == 3 && i < N * L * D; i++) {
		double rest = (double)seen[2][i], full = (double)seen[0][i] - rest, left = (double)seen[1][i] - rest;
		gone += fabs(left) < 1e-6 && fabs(full) > 1e-5;
		kept += fabs(left - full / .75) < 1e-5;
	}
	double n = N * L * D;
	CHECK(gone + kept >= n && gone + kept < n + 10 && fabs(gone / n - .25) < room_for(.25, n),
		"%s: %d elements of the branch dropped, %d scaled", kernel, gone, kept);
	back_close(&c);
	net_free(c.net);
}

int
main(void)
{
	test_shares();
	test_names();
	for (int k = 0; k < BACK_KERNELS; k++)
		if (kern_named(back_kernels[k]))
			test_pass(back_kernels[k]);
	return check_done();
}
