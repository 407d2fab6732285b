/*
 * test_learn.c: parameters in one array (flat.h): layout, tensors, initial
 * values; and what a learning pass promises beside its numbers (learn.h):
 * memory known before, weights that change, fewer samples than there is room
 * for, cancellation, inputs that make no sense.
 */
#include "back_util.h"
#include "models/describe.h"

static struct config
small_dit(int length, int hidden, double dropout)
{
	return (struct config){ .backbone = BACKBONE_DIT, .vocab = 19, .length = length, .hidden = hidden,
		.n_blocks = 2, .n_heads = 2, .cond_dim = 8, .timed = true, .mask = -1, .dropout = dropout };
}

static struct config
small_unet(void)
{
	return (struct config){ .backbone = BACKBONE_UNET, .vocab = 16, .length = 3 * 64, .mask = -1, .ch = 8,
		.ch_mult = { 1, 2 }, .num_scales = 2, .num_res_blocks = 1, .attn_scale = 1, .unet_time = 1,
		.timed = true, .time_embed_dim = 8, .time_scale_factor = 1000, .skip_rescale = 1, .label_cond = 1,
		.classes = 3 };
}

static struct net *
described(const struct config *c)
{
	struct net *net = net_new();
	struct error e = { 0 };
	enum status st = c->backbone == BACKBONE_UNET ? unet_describe(c, net, &e) : dit_describe(c, net, &e);

	if (st == ST_OK)
		st = net_finish(net, &e);
	CHECK(st == ST_OK, "described %s", e.msg);
	return net;
}

/* ---- one array ---- */

static void
test_layout(void)
{
	struct config c = small_dit(6, 20, 0);
	struct net *net = described(&c);
	struct flat f;
	struct error e = { 0 };
	bool apart = true, same = true;

	CHECK(flat_make(net, &f, &e) == ST_OK, "laid out");
	float *data = flat_new(&f), *again = flat_new(&f);
	struct tensor *t = calloc((size_t)net->n_par, sizeof *t);
	flat_tensors(&f, data, t);
	for (int i = 0; i < net->n_par; i++) {
		apart &= f.at[i] % 16 == 0 && (i == 0 || f.at[i] >= f.at[i - 1] + f.numel[i - 1]);
		same &= tensor_numel(&t[i]) == f.numel[i] && t[i].data == (const uint8_t *)(data + f.at[i]) &&
			t[i].name == net->par[i].name;
		for (size_t k = 0; k < f.numel[i]; k++)
			data[f.at[i] + k] = (float)(1000 * i + (int)k);
	}
	CHECK(apart && f.floats >= net_parameters(net) && f.floats % 16 == 0,
		"each at a multiple of 16, none over another");
	CHECK(same, "tensors of the array");
	struct tensor first = t[0];
	t[0] = t[net->n_par - 1];
	t[net->n_par - 1] = first;
	CHECK(flat_read(&f, t, net->n_par, "weights", again, &e) == ST_OK &&
		memcmp(data, again, f.floats * sizeof *data) == 0, "read back, in another order");
	CHECK(flat_read(&f, t, net->n_par - 1, "weights", again, &e) == ST_CKPT &&
		strstr(e.msg, net->par[0].name), "a missing tensor is named");
	free(t);
	mem_free(data);
	mem_free(again);
	flat_done(&f);
	net_free(net);
}

/* Mean, mean square and largest of one parameter's values. */
static void
moments(const struct flat *f, const float *data, int p, double *mean, double *square, double *top)
{
	*mean = *square = *top = 0;
	for (size_t i = 0; i < f->numel[p]; i++) {
		double v = (double)data[f->at[p] + i];
		*mean += v / (double)f->numel[p];
		*square += v * v / (double)f->numel[p];
		*top = fmax(*top, fabs(v));
	}
}

static void
test_initial(void)
{
	struct net *net = net_new();
	int64_t dim[2] = { 300, 500 };
	struct flat f;
	struct error e = { 0 };
	double mean, square, top;

	net_param_init(net, net_param(net, 2, dim, "uniform"), INIT_UNIFORM, .25);
	net_param_init(net, net_param(net, 2, dim, "normal"), INIT_NORMAL, 2);
	net_param_init(net, net_param(net, 1, dim, "ones"), INIT_CONSTANT, 1);
	net_param(net, 1, dim, "zeros");
	CHECK(flat_make(net, &f, &e) == ST_OK, "laid out");
	float *a = flat_new(&f), *b = flat_new(&f);
	flat_init(&f, 7, a);
	/* five standard errors of n = 150,000 */
	moments(&f, a, 0, &mean, &square, &top);
	CHECK(fabs(mean) < 5 * .25 / sqrt(3 * 150e3) && fabs(square * 3 / .0625 - 1) < 5 * sqrt(.8 / 150e3) &&
		top <= .25 && top > .2499, "uniform: mean %.5f, largest %.5f", mean, top);
	moments(&f, a, 1, &mean, &square, &top);
	CHECK(fabs(mean) < 5 * 2 / sqrt(150e3) && fabs(square / 4 - 1) < 5 * sqrt(2 / 150e3) && top > 7 && top < 13,
		"normal: mean %.5f, variance %.4f, largest %.2f", mean, square, top);
	moments(&f, a, 2, &mean, &square, &top);
	CHECK(fabs(mean - 1) < 1e-12 && top == 1, "ones");
	moments(&f, a, 3, &mean, &square, &top);
	CHECK(top == 0, "zeros");
	flat_init(&f, 7, b);
	CHECK(memcmp(a, b, f.floats * sizeof *a) == 0, "the same seed, the same values");
	flat_init(&f, 8, b);
	int alike = 0;
	for (size_t i = 0; i < 2 * f.numel[0]; i++)
		alike += a[i] == b[i];
	CHECK(alike < 100, "another seed, other values: %d alike", alike);
	mem_free(a);
	mem_free(b);
	flat_done(&f);
	net_free(net);
}

/* ---- passes ---- */

struct room {
	struct config c;
	struct net *net;
	struct flat flat;
	float *param, *grad;
	struct pool *pool;
	struct learn *learn;
	int32_t *tok;
	double sigma[5];
	int label[5];
	struct net_input in;
	int calls, rows;                /* of the loss */
	struct cancel *stop;            /* the loss asks for it */
};

static enum status
some_loss(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct room *r = arg;

	(void)c;
	(void)e;
	r->calls++;
	r->rows += n;
	for (int i = 0; i < n; i++)
		for (int v = 0; v < r->net->V; v++)
			logit[i * r->net->V + v] = (float)(1e-3 * back_random(9, (uint32_t)(at[i] * 7 + v)));
	if (r->stop)
		atomic_store(&r->stop->asked, 1);
	return ST_OK;
}

static void
room_open(struct room *r, struct config c, const char *kernel, int n, bool backward)
{
	struct error e = { 0 };

	*r = (struct room){ .c = c, .net = described(&c) };
	flat_make(r->net, &r->flat, &e);
	r->param = flat_new(&r->flat);
	r->grad = flat_new(&r->flat);
	for (int p = 0; p < r->net->n_par; p++)
		for (size_t i = 0; i < r->flat.numel[p]; i++)
			r->param[r->flat.at[p] + i] = (float)(.2 * back_random(STREAM_PAR + (uint32_t)p, (uint32_t)i));
	r->pool = pool_new(2);
	r->tok = calloc((size_t)(n * r->net->L), sizeof *r->tok);
	for (int i = 0; i < n * r->net->L; i++)
		r->tok[i] = (int32_t)((back_random(3, (uint32_t)i) + 1) / 2 * r->net->V);
	for (int i = 0; i < 5; i++) {
		r->sigma[i] = 1 + .3 * i;
		r->label[i] = i % 3;
	}
	r->in = (struct net_input){ .n = n, .tok = r->tok, .sigma = r->sigma, .label = c.classes ? r->label : NULL };
	struct learn_setup s = { .flat = &r->flat, .param = r->param, .kern = kern_named(kernel), .pool = r->pool,
		.n = n, .backward = backward };
	CHECK(learn_new(&s, &r->learn, &e) == ST_OK, "%s: room for %d samples %s", kernel, n, e.msg);
}

static void
room_close(struct room *r)
{
	learn_free(r->learn);
	pool_free(r->pool);
	flat_done(&r->flat);
	net_free(r->net);
	mem_free(r->param);
	mem_free(r->grad);
	free(r->tok);
}

static enum status
room_pass(struct room *r, bool backward, struct cancel *c, struct error *e)
{
	struct learn_pass p = { .in = &r->in, .loss = some_loss, .arg = r, .grad = backward ? r->grad : NULL };

	r->calls = r->rows = 0;
	memset(r->grad, 0, r->flat.floats * sizeof *r->grad);
	return learn_pass(r->learn, &p, c, e);
}

/* What is measured without making anything is what is held in the end. */
static void
test_memory(const char *kernel, struct config c, bool backward, const char *what)
{
	struct room r;
	struct error e = { 0 };
	uint64_t bytes = 0;

	room_open(&r, c, kernel, 3, backward);
	enum status st = learn_measure(r.net, kern_named(kernel), 2, 3, backward, &bytes, &e);
	CHECK(st == ST_OK && room_pass(&r, backward, NULL, &e) == ST_OK, "%s, %s: passes %s", what, kernel, e.msg);
	size_t held = learn_bytes(r.learn);
	CHECK(held <= bytes && (double)bytes < 1.1 * (double)held,
		"%s, %s: %zu bytes held, %llu measured", what, kernel, held, (unsigned long long)bytes);
	learn_changed(r.learn);
	CHECK(room_pass(&r, backward, NULL, &e) == ST_OK && learn_bytes(r.learn) == held,
		"%s, %s: no more in a second pass", what, kernel);
	room_close(&r);
}

/* Other weights in the same array: as if they had been there from the start. */
static void
test_changed(const char *kernel)
{
	struct room a, b;
	struct error e = { 0 };
	struct config c = small_dit(6, 20, 0);

	room_open(&a, c, kernel, 3, true);
	room_open(&b, c, kernel, 3, true);
	room_pass(&a, true, NULL, &e);
	for (size_t i = 0; i < a.flat.floats; i++)
		a.param[i] = b.param[i] *= 1.5f;
	learn_changed(a.learn);
	CHECK(room_pass(&a, true, NULL, &e) == ST_OK && room_pass(&b, true, NULL, &e) == ST_OK &&
		memcmp(a.grad, b.grad, a.flat.floats * sizeof *a.grad) == 0, "%s: changed weights count", kernel);
	room_close(&a);
	room_close(&b);
}

/* Two samples where there is room for five: as in a room of their own. */
static void
test_fewer(const char *kernel)
{
	struct room a, b;
	struct error e = { 0 };

	room_open(&a, small_dit(6, 20, 0), kernel, 5, true);
	room_open(&b, small_dit(6, 20, 0), kernel, 2, true);
	room_pass(&a, true, NULL, &e);
	a.in.n = 2;
	CHECK(room_pass(&a, true, NULL, &e) == ST_OK && a.rows == 2 * 6 && room_pass(&b, true, NULL, &e) == ST_OK &&
		memcmp(a.grad, b.grad, a.flat.floats * sizeof *a.grad) == 0, "%s: fewer samples than room", kernel);
	a.in.n = 6;
	CHECK(room_pass(&a, true, NULL, &e) == ST_FAIL && a.calls == 0, "more samples than room");
	room_close(&a);
	room_close(&b);
}

static void
test_refusals(void)
{
	struct room r;
	struct error e = { 0 };
	struct cancel stop = { 0 };

	room_open(&r, small_dit(6, 20, 0), "portable", 3, false);
	CHECK(room_pass(&r, true, NULL, &e) == ST_FAIL, "no gradients where there is no room for them");
	CHECK(room_pass(&r, false, NULL, &e) == ST_OK && r.rows == 18, "forward only");
	r.tok[4] = 19;
	CHECK(room_pass(&r, false, NULL, &e) == ST_USAGE && strstr(e.msg, "19"), "a token beyond the vocabulary");
	r.tok[4] = -1;
	CHECK(room_pass(&r, false, NULL, &e) == ST_USAGE, "a token below it");
	room_close(&r);
	room_open(&r, small_dit(100, 20, 0), "portable", 3, true);
	atomic_store(&stop.asked, 1);
	CHECK(room_pass(&r, true, &stop, &e) == ST_CANCELLED && r.calls == 0, "cancelled before it begins");
	atomic_store(&stop.asked, 0);
	r.stop = &stop;
	CHECK(room_pass(&r, true, &stop, &e) == ST_CANCELLED && r.calls == 1,
		"cancelled after the first block of rows");
	atomic_store(&stop.asked, 0);
	r.stop = NULL;
	CHECK(room_pass(&r, true, &stop, &e) == ST_OK && r.calls == 2 && r.rows == 300, "and a whole pass after that");
	room_close(&r);
}

int
main(void)
{
	test_layout();
	test_initial();
	for (int k = 0; k < BACK_KERNELS; k++) {
		const char *kernel = back_kernels[k];
		if (!kern_named(kernel))
			continue;
		test_memory(kernel, small_dit(64, 64, .1), true, "transformer");
		test_memory(kernel, small_dit(64, 64, .1), false, "transformer, forward only");
		test_memory(kernel, small_unet(), true, "U-Net");
		test_memory(kernel, small_unet(), false, "U-Net, forward only");
		test_changed(kernel);
		test_fewer(kernel);
	}
	test_refusals();
	return check_done();
}
