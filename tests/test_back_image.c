/*
 * test_back_image.c: gradients of the parameters of every operation that image
 * networks are made of, against differences of the loss, on every kernel path
 * of this CPU: convolutions in each form, group norm, mu and log scale, the
 * truncated logistic; and of a whole noisy classifier.  The bits do not depend
 * on the number of threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "ckpt/config.h"
#include "models/describe.h"
#include "net/classifier.h"
#include "net/learn.h"
#include "unet_reference.h"

static const char *const paths[] = { "portable", "avx2", "avx512" };
#define SAMPLES 2
#define DIRECTIONS 4

static uint32_t drawn;

static double
uniform(void)
{
	struct noise n = { .seed = 23, .step = drawn++ };

	return 2 * noise_scalar(&n, STAGE_DATA) - 1;
}

/* ---- a network with one operation that counts, and a loss on its features ---- */

struct form {
	const char *name;
	int side, k, cat, n, size, step, before, groups;
	int residual;	/* 1: pixel by pixel, 2: one row per sample */
	float drop;
	bool column;	/* two of them side by side in one value */
};

struct bench {
	const char *name;
	struct net *net;
	struct flat flat;
	float *param, *grad;
	struct net_input in;
	struct learn_dropout drop;
	double *by;	/* [n,L,F] (or [n,L,V]): the loss is the sum of by times the features (or logits) */
	int by_width;
	size_t rows;	/* features of a sample that exist */
	double loss;
	double each[SAMPLES];
};

static int
param(struct net *net, int ndim, int a, int b, int size, const char *name)
{
	int64_t dim[4] = { a, b, size, size };
	int p = net_param(net, ndim, dim, "%s", name);

	net_param_init(net, p, INIT_UNIFORM, ndim == 1 ? .7 : 1.5 / sqrt((double)b * size * size));
	return p;
}

static struct net_op
conv(struct net *net, int x, int cat, int k, int n, int side, int size, const char *name)
{
	struct net_op op = net_op_init(NET_CONV);
	char bias[40];

	snprintf(bias, sizeof bias, "%s.bias", name);
	op.in[IN_X] = x;
	op.in[IN_CAT] = cat;
	op.par[PAR_W] = size == 1 ? param(net, 2, k, n, 1, name) : param(net, 4, n, k, size, name);
	op.par[PAR_BIAS] = param(net, 1, n, 1, 1, bias);
	op.dim[CONV_K] = k;
	op.dim[CONV_N] = n;
	op.dim[CONV_SIDE] = side;
	op.dim[CONV_SIZE] = size;
	return op;
}

/* One row per sample of the label's; width is even. */
static int
label_rows(struct net *net, int width)
{
	struct net_op op = net_op_init(NET_TIME);

	op.factor = 1;
	op.dim[TIME_WIDTH] = width;
	op.dim[TIME_DIVISOR] = width / 2;
	int time = net_append_to(net, op, net_value(net, width, true, "time"));
	net->classes = 3;
	op = net_op_init(NET_LABEL);
	op.in[IN_X] = time;
	op.par[PAR_W] = param(net, 2, 4, width, 1, "labels");
	op.dim[DIM_K] = 4;
	op.dim[DIM_N] = width;
	op.dim[LABEL_PLAIN] = 1;
	return net_append_to(net, op, net_value(net, width, true, "label"));
}

static int
group(struct net *net, const struct form *f, int x, int cat)
{
	struct net_op op = net_op_init(NET_GROUP);
	int all = f->k + f->cat;

	op.in[IN_X] = x;
	op.in[IN_CAT] = cat;
	op.par[PAR_NORM] = param(net, 1, all, 1, 1, "gamma");
	op.par[PAR_BIAS] = param(net, 1, all, 1, 1, "beta");
	op.dim[GROUP_N] = all;
	op.dim[GROUP_COUNT] = f->groups;
	return net_append_to(net, op, net_value(net, 2 * all, true, "norm"));
}

static int
out_side(const struct form *f)
{
	return f->step == CONV_HALVE ? f->side / 2 : f->step == CONV_DOUBLE ? 2 * f->side : f->side;
}

/* The operation under test over x and cat, into `out` from `column` on. */
static void
append_form(struct net *net, const struct form *f, int x, int cat, int norm, int pixels, int out, int column)
{
	int made = out_side(f);
	struct net_op op = conv(net, x, cat, f->k + f->cat, f->n, f->side, f->size, column ? "other" : "conv");

	op.dim[CONV_STEP] = f->step;
	op.dim[CONV_COLUMN] = column;
	op.before = (uint8_t)f->before;
	op.drop = f->drop;
	op.in[IN_MOD] = norm;
	if (f->residual) {
		op.after = AFTER_ADD;
		op.factor = .8;
	}
	if (f->residual == 1)
		op.in[IN_RES] = net_append_to(net, conv(net, pixels, -1, 3, f->n, made, 1, "residual"),
					      net_pixel_value(net, f->n, made * made, "residual"));
	if (f->residual == 2)
		op.in[IN_RES] = label_rows(net, f->n);
	net_append_to(net, op, out);
}

static struct net *
describe_form(const struct form *f)
{
	struct net *net = net_new();
	int square = f->side * f->side, side = out_side(f), made = side * side, cat = -1, norm = -1;

	net->L = 3 * square;
	net->V = 256;
	int pixels = net_append_to(net, net_op_init(NET_PIXELS), net_pixel_value(net, 3, square, "pixels"));
	int x = net_append_to(net, conv(net, pixels, -1, 3, f->k, f->side, 3, "before"),
			      net_pixel_value(net, f->k, square, "x"));
	if (f->cat)
		cat = net_append_to(net, conv(net, pixels, -1, 3, f->cat, f->side, 1, "beside"),
				    net_pixel_value(net, f->cat, square, "cat"));
	net->F = f->column ? 2 * f->n : f->n;
	int out = net_pixel_value(net, net->F, made, "out");
	if (f->before != BEFORE_NONE)
		norm = group(net, f, x, cat);
	append_form(net, f, x, cat, norm, pixels, out, 0);
	if (f->column)
		append_form(net, f, x, cat, norm, pixels, out, f->n);
	if (made > net->L) { /* more pixels than features may have */
		struct net_op op = conv(net, out, -1, f->n, f->n, side, 3, "behind");
		op.dim[CONV_STEP] = CONV_HALVE;
		out = net_append_to(net, op, net_pixel_value(net, f->n, made / 4, "half"));
	}
	net->feature = out;
	return net;
}

/* mu and log scale of a picture, and the logits of a truncated logistic. */
static struct net *
describe_end(int side, int V, bool fix)
{
	struct net *net = net_new();
	int square = side * side;

	net->L = 3 * square;
	net->V = V;
	net->F = 2;
	int pixels = net_append_to(net, net_op_init(NET_PIXELS), net_pixel_value(net, 3, square, "pixels"));
	int raw = net_append_to(net, conv(net, pixels, -1, 3, 6, side, 3, "conv"),
				net_pixel_value(net, 6, square, "raw"));
	struct net_op op = net_op_init(NET_MU);
	op.in[IN_X] = raw;
	op.in[IN_RES] = pixels;
	net->feature = net_append_to(net, op, net_value(net, 2, false, "feature"));
	op = net_op_init(NET_LOGISTIC);
	op.in[IN_X] = net->feature;
	op.dim[LOGISTIC_FIX] = fix;
	net_append(net, op);
	return net;
}

static bool
set_up(struct bench *b, const char *name, struct net *net, int by_width)
{
	struct error e = { 0 };
	size_t L = (size_t)net->L;
	int32_t *tok = malloc(SAMPLES * L * sizeof *tok);
	double *sigma = malloc(SAMPLES * sizeof *sigma);
	int *label = malloc(SAMPLES * sizeof *label);

	*b = (struct bench){ .name = name, .net = net, .by_width = by_width };
	b->drop = (struct learn_dropout){ .seed = 7, .step = 5, .first = 3 };
	for (size_t i = 0; i < SAMPLES * L; i++)
		tok[i] = (int32_t)((uniform() + 1) / 2 * net->V);
	for (int i = 0; i < SAMPLES; i++) {
		sigma[i] = 1 + uniform();
		label[i] = (i + 1) % 3;
	}
	b->in = (struct net_input){ .n = SAMPLES, .tok = tok, .sigma = sigma, .label = label };
	if (!CHECK(net_finish(net, &e) == ST_OK && flat_make(net, &b->flat, &e) == ST_OK, "%s: %s", name, e.msg))
		return false;
	b->param = flat_new(&b->flat);
	b->grad = flat_new(&b->flat);
	flat_init(&b->flat, 11, b->param);
	int rows = net->value[net->feature].rows;
	b->rows = (size_t)(rows ? rows : net->L);
	b->by = malloc(SAMPLES * L * (size_t)by_width * sizeof *b->by);
	for (size_t i = 0; i < SAMPLES * L * (size_t)by_width; i++)
		b->by[i] = uniform();
	return true;
}

static void
tear_down(struct bench *b)
{
	free((void *)b->in.tok);
	free((void *)b->in.sigma);
	free((void *)b->in.label);
	free(b->by);
	mem_free(b->param);
	mem_free(b->grad);
	flat_done(&b->flat);
	net_free(b->net);
}

static enum status
sum_of_features(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *c, struct error *e)
{
	struct bench *b = arg;
	size_t sample = (size_t)b->net->L * (size_t)b->net->F;

	(void)grad;
	(void)c;
	(void)e;
	for (size_t s = 0; s < SAMPLES; s++)
		for (size_t i = s * sample; i < s * sample + b->rows * (size_t)b->net->F; i++) {
			b->loss += b->by[i] * (double)feat[i];
			if (d_feat)
				d_feat[i] = (float)b->by[i];
		}
	return ST_OK;
}

static enum status
sum_of_logits(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct bench *b = arg;
	size_t V = (size_t)b->net->V;

	(void)c;
	(void)e;
	for (size_t i = 0; i < (size_t)n; i++)
		for (size_t v = 0; v < V; v++) {
			double by = b->by[(size_t)at[i] * V + v];
			b->loss += by * (double)logit[i * V + v];
			logit[i * V + v] = (float)by;
		}
	return ST_OK;
}

static enum status
cross_entropy(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *c, struct error *e)
{
	struct bench *b = arg;
	int right;
	enum status st = classifier_loss(&b->flat, b->param, SAMPLES, feat, b->in.label, .5, b->each, &right, d_feat,
					 grad, e);

	(void)c;
	for (int i = 0; i < SAMPLES; i++)
		b->loss += .5 * b->each[i];
	return st;
}

static struct learn_pass
pass_of(struct bench *b)
{
	struct learn_pass p = { .in = &b->in, .drop = &b->drop, .arg = b };

	if (b->by_width == 0)
		p.features = cross_entropy;
	else if (b->by_width == b->net->F)
		p.features = sum_of_features;
	else
		p.loss = sum_of_logits;
	return p;
}

static struct learn *
learn_of(struct bench *b, const char *path, struct pool *pool)
{
	struct learn_setup s = { .flat = &b->flat, .param = b->param, .kern = kern_named(path), .pool = pool,
				 .n = SAMPLES, .backward = true };
	struct learn *l;
	struct error e = { 0 };

	CHECK(learn_new(&s, &l, &e) == ST_OK, "%s, %s: room %s", path, b->name, e.msg);
	return l;
}

static double
loss_of(struct bench *b, struct learn *l)
{
	struct learn_pass p = pass_of(b);

	b->loss = 0;
	learn_changed(l);
	return learn_pass(l, &p, NULL, NULL) == ST_OK ? b->loss : NAN;
}

/* The tensor's gradient along random directions and along itself, in units of
 * what a direction can be expected to show; total: the norm of all gradients
 * (those of keys' biases are rounding alone). */
static double
off(struct bench *b, struct learn *l, int par, double total)
{
	size_t n = b->flat.numel[par];
	float *p = b->param + b->flat.at[par], *keep = malloc(n * sizeof *keep);
	const float *g = b->grad + b->flat.at[par];
	double *way = malloc(n * sizeof *way), norm = 0, size = 0, worst = 0;

	memcpy(keep, p, n * sizeof *keep);
	for (size_t i = 0; i < n; i++) {
		norm += (double)g[i] * (double)g[i];
		size += (double)p[i] * (double)p[i] / (double)n;
	}
	norm = sqrt(norm);
	double step = .01 * sqrt(size) + 1e-3;
	for (int d = 0; d <= DIRECTIONS; d++) {
		double want = 0, got[2];
		for (size_t i = 0; i < n; i++)
			way[i] = step * (d ? copysign(1, uniform()) : norm > 0 ? (double)g[i] / norm : 0);
		for (int side = 0; side < 2; side++) {
			for (size_t i = 0; i < n; i++)
				p[i] = (float)((double)keep[i] + (side ? way[i] : -way[i]));
			got[side] = loss_of(b, l);
		}
		for (size_t i = 0; i < n; i++) /* of the step as it was rounded */
			want += (double)g[i] * ((double)(float)((double)keep[i] + way[i]) -
						(double)(float)((double)keep[i] - way[i]));
		double miss = fabs(got[1] - got[0] - want) / (2 * step * (norm + .001 * total));
		worst = miss <= worst ? worst : miss;
	}
	memcpy(p, keep, n * sizeof *keep);
	free(keep);
	free(way);
	return isfinite(worst) ? worst : INFINITY;
}

static void
check_threads(struct bench *b, const char *path)
{
	size_t bytes = b->flat.floats * sizeof *b->grad;
	float *first = malloc(bytes);
	bool same = true;

	memcpy(first, b->grad, bytes);
	for (int threads = 1; threads <= 3; threads += 2) {
		struct pool *pool = pool_new(threads);
		struct learn *l = learn_of(b, path, pool);
		struct learn_pass p = pass_of(b);
		memset(b->grad, 0, bytes);
		p.grad = b->grad;
		same &= learn_pass(l, &p, NULL, NULL) == ST_OK && memcmp(first, b->grad, bytes) == 0;
		learn_free(l);
		pool_free(pool);
	}
	CHECK(same, "%s, %s: the same bits on 1, 2 and 3 threads", path, b->name);
	free(first);
}

static void
check_gradients(struct bench *b, const char *path, double tolerance)
{
	struct pool *pool = pool_new(2);
	struct learn *l = learn_of(b, path, pool);
	struct learn_pass p = pass_of(b);
	struct error e = { 0 };
	double worst = 0, total = 0;
	int which = 0;

	memset(b->grad, 0, b->flat.floats * sizeof *b->grad);
	p.grad = b->grad;
	if (CHECK(l && learn_pass(l, &p, NULL, &e) == ST_OK, "%s, %s: a pass %s", path, b->name, e.msg)) {
		for (size_t i = 0; i < b->flat.floats; i++)
			total += (double)b->grad[i] * (double)b->grad[i];
		for (int i = 0; i < b->net->n_par; i++) {
			double miss = off(b, l, i, sqrt(total));
			which = miss > worst ? i : which;
			worst = fmax(worst, miss);
		}
		CHECK(worst < tolerance, "%s, %s: %d gradients within %.1e of differences (%s)", path, b->name,
		      b->net->n_par, worst, b->net->par[which].name);
	}
	learn_free(l);
	pool_free(pool);
	if (l)
		check_threads(b, path);
}

static void
check_form(const struct form *f, const char *path)
{
	struct bench b;
	struct net *net = describe_form(f);

	if (set_up(&b, f->name, net, net->F))
		check_gradients(&b, path, .01);
	tear_down(&b);
}

static void
check_end(const char *path, int V, bool fix)
{
	struct bench b;
	char name[60];

	snprintf(name, sizeof name, "logistic of %d bins%s", V, fix ? ", fixed" : "");
	if (set_up(&b, name, describe_end(5, V, fix), V))
		check_gradients(&b, path, .01);
	tear_down(&b);
}

/* The logistic alone, from scales that make a point of it to flat ones. */
static void
check_logistic(const char *path, int V, bool fix)
{
	static const double mus[] = { -1, -.987, -.3, .013, .7071, .99, 1 };
	double a[2][300], b[2][300], worst = 0;
	float by[300];

	for (size_t i = 0; i < sizeof mus / sizeof *mus; i++)
		for (double s = -3; s < 7; s += .7) {
			double d_mu, d_scale, want[2] = { 0 }, size[2] = { 1e-9, 1e-9 };
			double h = 1e-4, move = h * exp(s - 2);
			for (int side = 0; side < 2; side++) {
				logistic_reference(V, mus[i] + (side ? move : -move), s, fix, a[side]);
				logistic_reference(V, mus[i], s + (side ? h : -h), fix, b[side]);
			}
			for (int j = 0; j < V; j++) {
				/* fix: at the mean the two expressions meet in a kink */
				bool kink = fabs((2. * j + 1) / V - 1 - mus[i]) <= 2 * move;
				by[j] = fix && kink ? 0 : (float)uniform();
				double slope[2] = { (a[1][j] - a[0][j]) / (2 * move), (b[1][j] - b[0][j]) / (2 * h) };
				for (int k = 0; k < 2; k++) {
					want[k] += (double)by[j] * slope[k];
					size[k] += fabs((double)by[j] * slope[k]);
				}
			}
			kern_named(path)->image->logistic_back(V, mus[i], s, fix, by, &d_mu, &d_scale);
			worst = fmax(worst, fabs(d_mu - want[0]) / size[0]);
			worst = fmax(worst, fabs(d_scale - want[1]) / size[1]);
		}
	CHECK(worst < 1e-6, "%s: truncated logistic of %d bins, back: within %.1e", path, V, worst);
}

static void
check_classifier(const char *path, enum backbone kind)
{
	struct config c = { .algo = ALGO_CLASSIFIER, .backbone = kind, .vocab = 17,
			    .length = kind == BACKBONE_UNET ? 192 : 12, .mask = -1, .classes = 3, .hidden = 16,
			    .n_blocks = 1, .n_heads = 2, .cond_dim = 8,
			    .timed = true, .time_input = true, .ch = 8, .num_scales = 2, .ch_mult = { 1, 2 },
			    .num_res_blocks = 1, .attn_scale = 1, .unet_time = 1, .time_embed_dim = 8,
			    .time_scale_factor = 1000, .skip_rescale = 1 };
	struct net *net = net_new();
	struct bench b;
	struct error e = { 0 };

	CHECK(classifier_describe(&c, net, &e) == ST_OK, "%s: a classifier %s", path, e.msg);
	if (set_up(&b, kind == BACKBONE_UNET ? "U-Net classifier" : "DiT classifier", net, 0)) {
		for (size_t i = 0; i < b.flat.floats; i++) /* no zeros, and no ones alone */
			b.param[i] += (float)(.1 * uniform());
		check_gradients(&b, path, .02);
	}
	tear_down(&b);
}

static const struct form forms[] = {
	{ .name = "3x3", .side = 6, .k = 12, .n = 20, .size = 3 },
	{ .name = "3x3 with few inputs", .side = 5, .k = 3, .n = 7, .size = 3 },
	{ .name = "3x3 of many channels", .side = 4, .k = 70, .n = 200, .size = 3 },
	{ .name = "3x3 by Winograd", .side = 32, .k = 9, .n = 10, .size = 3 },
	{ .name = "3x3 by Winograd, a sample at a time", .side = 96, .k = 8, .n = 9, .size = 3 },
	{ .name = "3x3 by Winograd, all that is fused", .side = 32, .k = 16, .cat = 24, .n = 34, .size = 3,
	  .before = BEFORE_GROUPNORM_SILU, .groups = 10, .residual = 1, .drop = .2f },
	{ .name = "halving", .side = 10, .k = 12, .n = 9, .size = 3, .step = CONV_HALVE },
	{ .name = "doubling", .side = 5, .k = 12, .n = 9, .size = 3, .step = CONV_DOUBLE },
	{ .name = "doubling by Winograd", .side = 16, .k = 8, .n = 9, .size = 3, .step = CONV_DOUBLE },
	{ .name = "1x1 over two inputs", .side = 6, .k = 12, .cat = 5, .n = 20, .size = 1 },
	{ .name = "1x1 side by side after group norm", .side = 4, .k = 40, .n = 16, .size = 1,
	  .before = BEFORE_GROUPNORM, .groups = 10, .column = true },
	{ .name = "3x3 after group norm and silu", .side = 8, .k = 24, .cat = 16, .n = 14, .size = 3,
	  .before = BEFORE_GROUPNORM_SILU, .groups = 10, .residual = 2 },
	{ .name = "dropout", .side = 8, .k = 24, .n = 16, .size = 3, .before = BEFORE_GROUPNORM_SILU, .groups = 6,
	  .residual = 1, .drop = .3f },
};

int
main(void)
{
	for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
		if (!kern_named(paths[p])) {
			check_skip("%s: not on this CPU", paths[p]);
			continue;
		}
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
			check_form(&forms[i], paths[p]);
		for (int fix = 0; fix < 2; fix++) {
			check_end(paths[p], 37, fix);
			check_end(paths[p], 256, fix);
			check_logistic(paths[p], 16, fix);
			check_logistic(paths[p], 256, fix);
			check_logistic(paths[p], 257, fix);
		}
		check_classifier(paths[p], BACKBONE_UNET);
		check_classifier(paths[p], BACKBONE_DIT);
	}
	return check_done();
}
