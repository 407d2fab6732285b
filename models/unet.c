/*
 * unet.c: the U-Net of the picture models, uniform and masked (tensor names
 * and order as published: networks.md).  Activations are pixels by channels;
 * the concatenation of a skip is two inputs of the operations that read it.
 */
#include "models/describe.h"
#include "models/init.h"

#define MOST_CHANNELS 65536
#define MOST_LENGTH (3 * 1024 * 1024)
#define MOST_BLOCKS 64
#define MOST_SKIPS (CONFIG_SCALES * (MOST_BLOCKS + 1) + 1)
#define TOGETHER 8 /* samples in one pass: enough that the weights of small images are read once for many */

/* The network as far as it is described. */
struct unet {
	const struct config *c;
	struct net *net;
	int temb, temb_width; /* value, -1: none */
	int h, width, side;   /* the activation now */
	int skip[MOST_SKIPS], skips;
};

static int
pixel_value(const struct unet *u, int width, int side, const char *module, int n, const char *what)
{
	return net_pixel_value(u->net, width, side * side, "%s.%d%s", module, n, what);
}

static int
vector(struct net *net, int64_t n, const char *module, int i, const char *name)
{
	return net_param(net, 1, &n, "%s.%d.%s", module, i, name);
}

static int
matrix(struct net *net, int64_t a, int64_t b, const char *module, int i, const char *name)
{
	int64_t dim[2] = { a, b };

	return net_param(net, 2, dim, "%s.%d.%s", module, i, name);
}

static int
kernel(struct net *net, int64_t n, int64_t k, const char *module, int i, const char *name)
{
	int64_t dim[4] = { n, k, 3, 3 };

	return net_param(net, 4, dim, "%s.%d.%s", module, i, name);
}

static struct net_op
conv(int x, int w, int bias, int k, int n, int side, int size)
{
	struct net_op op = net_op_init(NET_CONV);

	op.in[IN_X] = x;
	op.par[PAR_W] = w;
	op.par[PAR_BIAS] = bias;
	op.dim[CONV_K] = k;
	op.dim[CONV_N] = n;
	op.dim[CONV_SIDE] = side;
	op.dim[CONV_SIZE] = size;
	return op;
}

/* (h + x) / sqrt(2), or without the root. */
static void
add(const struct unet *u, struct net_op *op, int h)
{
	op->after = AFTER_ADD;
	op->in[IN_RES] = h;
	op->factor = u->c->skip_rescale ? 0.70710678118654752440 : 1;
}

/* Group norm of x (and cat), `channels` in all: what the next convolution applies. */
static int
group_norm(const struct unet *u, int x, int cat, int channels, int gamma, int beta, const char *module, int i,
	   const char *what)
{
	struct net_op op = net_op_init(NET_GROUP);

	op.in[IN_X] = x;
	op.in[IN_CAT] = cat;
	op.par[PAR_NORM] = gamma;
	op.par[PAR_BIAS] = beta;
	op.dim[GROUP_N] = channels;
	op.dim[GROUP_COUNT] = channels / 4 < 32 ? channels / 4 : 32;
	return net_append_to(u->net, op, net_value(u->net, 2 * channels, true, "%s.%d%s", module, i, what));
}

/* sigma (and label) -> temb, one row per sample. */
static void
time_embedding(struct unet *u)
{
	const struct config *c = u->c;
	struct net *net = u->net;
	int t = c->time_embed_dim, wide = 4 * t;
	int w0 = matrix(net, wide, t, "temb_modules", 0, "weight"), b0 = vector(net, wide, "temb_modules", 0, "bias");
	int w1 = matrix(net, wide, wide, "temb_modules", 1, "weight"),
	    b1 = vector(net, wide, "temb_modules", 1, "bias");
	struct net_op op = net_op_init(NET_TIME);

	init_linear(net, w0, -1, t);
	init_linear(net, w1, -1, wide);
	op.factor = c->time_scale_factor;
	op.dim[TIME_WIDTH] = t;
	op.dim[TIME_DIVISOR] = t / 2 - 1;
	op.dim[TIME_SINE_FIRST] = 1;
	int v = net_append_to(net, op, net_value(net, t, true, "time_embedding"));
	v = net_append_to(net, net_linear(v, w0, b0, t, wide, AFTER_SILU), net_value(net, wide, true, "temb_hidden"));
	v = net_append_to(net, net_linear(v, w1, b1, wide, wide, AFTER_NONE),
		   net_value(net, wide, true, net->classes ? "temb_sigma" : "temb"));
	if (net->classes) {
		op = net_op_init(NET_LABEL);
		op.in[IN_X] = v;
		op.dim[DIM_K] = net->classes + 1;
		op.dim[DIM_N] = wide;
		op.dim[LABEL_PLAIN] = 1;
		v = net_append_to(net, op, net_value(net, wide, true, "temb")); /* its table comes last: label_table */
	}
	u->temb = v;
	u->temb_width = wide;
}

static void
label_table(struct net *net, int width)
{
	int64_t dim[2] = { net->classes + 1, width };

	for (int i = 0; net->classes && i < net->n_op; i++)
		if (net->op[i].kind == NET_LABEL) {
			net->op[i].par[PAR_W] = net_param(net, 2, dim, "cond_map.embedding_table.weight");
			init_table(net, net->op[i].par[PAR_W]);
		}
}

/* ResBlock over h and, if cat >= 0, cat_width channels more. */
static void
res_block(struct unet *u, int cat, int cat_width, int n, const char *module, int i)
{
	struct net *net = u->net;
	int k = u->width + cat_width, h = u->h, row = -1;
	int g0 = vector(net, k, module, i, "groupnorm0.weight"), s0 = vector(net, k, module, i, "groupnorm0.bias");
	int w0 = kernel(net, n, k, module, i, "conv0.weight"), b0 = vector(net, n, module, i, "conv0.bias");

	init_norm(net, g0);
	init_linear(net, w0, b0, 9. * k);
	if (u->temb >= 0) {
		int w = matrix(net, n, u->temb_width, module, i, "dense0.weight"),
		    b = vector(net, n, module, i, "dense0.bias");
		struct net_op op = net_linear(u->temb, w, b, u->temb_width, n, AFTER_NONE);
		init_linear(net, w, -1, u->temb_width);
		op.before = BEFORE_SILU;
		row = net_append_to(net, op, net_value(net, n, true, "%s.%d.dense0", module, i));
	}
	int g1 = vector(net, n, module, i, "groupnorm1.weight"), s1 = vector(net, n, module, i, "groupnorm1.bias");
	int w1 = kernel(net, n, n, module, i, "conv1.weight"), b1 = vector(net, n, module, i, "conv1.bias");

	init_norm(net, g1);
	init_linear(net, w1, b1, 9. * n);
	struct net_op op = conv(h, w0, b0, k, n, u->side, 3);
	op.in[IN_CAT] = cat;
	op.in[IN_MOD] = group_norm(u, h, cat, k, g0, s0, module, i, ".norm0");
	op.before = BEFORE_GROUPNORM_SILU;
	if (row >= 0) {
		op.after = AFTER_ADD;
		op.in[IN_RES] = row;
	}
	int g = net_append_to(net, op, pixel_value(u, n, u->side, module, i, ".conv0"));
	if (k != n) {
		int w = matrix(net, k, n, module, i, "nin.W"), b = vector(net, n, module, i, "nin.b");
		init_nin(net, w, k, n, .1);
		op = conv(h, w, b, k, n, u->side, 1);
		op.in[IN_CAT] = cat;
		h = net_append_to(net, op, pixel_value(u, n, u->side, module, i, ".nin"));
	}
	op = conv(g, w1, b1, n, n, u->side, 3);
	op.in[IN_MOD] = group_norm(u, g, -1, n, g1, s1, module, i, ".norm1");
	op.before = BEFORE_GROUPNORM_SILU;
	op.drop = (float)u->c->dropout;
	add(u, &op, h);
	u->h = net_append_to(net, op, pixel_value(u, n, u->side, module, i, ""));
	u->width = n;
}

static void
attn_block(struct unet *u, const char *module, int i)
{
	static const char *const name[3][2] = { { "NIN_0.W", "NIN_0.b" },
						{ "NIN_1.W", "NIN_1.b" },
						{ "NIN_2.W", "NIN_2.b" } };
	struct net *net = u->net;
	int n = u->width, gamma = vector(net, n, module, i, "GroupNorm_0.weight"),
	    beta = vector(net, n, module, i, "GroupNorm_0.bias");
	init_norm(net, gamma);
	int norm = group_norm(u, u->h, -1, n, gamma, beta, module, i, ".norm");
	int qkv = pixel_value(u, 3 * n, u->side, module, i, ".qkv");
	struct net_op op;

	for (int k = 0; k < 3; k++) {
		int w = matrix(net, n, n, module, i, name[k][0]), b = vector(net, n, module, i, name[k][1]);
		init_nin(net, w, n, n, .1);
		op = conv(u->h, w, b, n, n, u->side, 1);
		op.in[IN_MOD] = norm;
		op.before = BEFORE_GROUPNORM;
		op.dim[CONV_COLUMN] = k * n;
		net_append_to(net, op, qkv);
	}
	op = net_op_init(NET_ATTEND);
	op.in[IN_X] = qkv;
	op.dim[ATT_HEADS] = 1;
	op.dim[ATT_DIM] = n;
	int att = net_append_to(net, op, pixel_value(u, n, u->side, module, i, ".attention"));
	int w = matrix(net, n, n, module, i, "NIN_3.W"), b = vector(net, n, module, i, "NIN_3.b");
	init_nin(net, w, n, n, 1e-10);
	op = conv(att, w, b, n, n, u->side, 1);
	add(u, &op, u->h);
	u->h = net_append_to(net, op, pixel_value(u, n, u->side, module, i, ""));
}

static void
resample(struct unet *u, int step, const char *module, int i)
{
	int w = kernel(u->net, u->width, u->width, module, i, "conv.weight"),
	    b = vector(u->net, u->width, module, i, "conv.bias");
	struct net_op op = conv(u->h, w, b, u->width, u->width, u->side, 3);

	init_linear(u->net, w, b, 9. * u->width);
	op.dim[CONV_STEP] = step;
	u->side = step == CONV_HALVE ? u->side / 2 : u->side * 2;
	u->h = net_append_to(u->net, op, pixel_value(u, u->width, u->side, module, i, ""));
}

static void
down(struct unet *u)
{
	const struct config *c = u->c;
	int i = 0;

	u->skip[u->skips++] = u->h;
	for (int s = 0; s < c->num_scales && !u->net->failed; s++) {
		for (int r = 0; r < c->num_res_blocks; r++) {
			res_block(u, -1, 0, c->ch * c->ch_mult[s], "downsampling_modules", i++);
			if (s == c->attn_scale)
				attn_block(u, "downsampling_modules", i++);
			u->skip[u->skips++] = u->h;
		}
		if (s == c->num_scales - 1)
			break;
		resample(u, CONV_HALVE, "downsampling_modules", i++);
		u->skip[u->skips++] = u->h;
	}
}

static void
up(struct unet *u)
{
	const struct config *c = u->c;
	int i = 0;

	for (int s = c->num_scales - 1; s >= 0 && !u->net->failed; s--) {
		for (int r = 0; r <= c->num_res_blocks && !u->net->failed; r++) {
			int cat = u->skip[--u->skips];
			res_block(u, cat, u->net->value[cat].width, c->ch * c->ch_mult[s], "upsampling_modules", i++);
			if (s == c->attn_scale)
				attn_block(u, "upsampling_modules", i++);
		}
		if (s > 0)
			resample(u, CONV_DOUBLE, "upsampling_modules", i++);
	}
}

static bool
has_groups(int channels)
{
	int groups = channels / 4 < 32 ? channels / 4 : 32;

	return channels >= 4 && channels % groups == 0;
}

/* Every number of channels that a group norm sees; scales and sides that fit. */
static enum status
check_channels(const struct config *c, int side, struct error *e)
{
	int width = c->ch, skip[MOST_SKIPS], skips = 0;
	bool ok = has_groups(width);

	skip[skips++] = width;
	for (int s = 0; s < c->num_scales; s++) {
		if (c->ch_mult[s] < 1 || c->ch_mult[s] > MOST_CHANNELS / c->ch)
			return error_set(e, ST_CKPT, "ch %d times ch_mult %d makes no network", c->ch, c->ch_mult[s]);
		width = c->ch * c->ch_mult[s];
		ok &= has_groups(width);
		for (int r = 0; r < c->num_res_blocks + (s < c->num_scales - 1); r++)
			skip[skips++] = width;
	}
	for (int s = c->num_scales - 1; s >= 0; s--)
		for (int r = 0; r <= c->num_res_blocks; r++) {
			ok &= has_groups(width + skip[--skips]);
			width = c->ch * c->ch_mult[s];
		}
	if (!ok)
		return error_set(e, ST_CKPT, "ch %d and ch_mult do not divide into groups for group norm", c->ch);
	if (side % (1 << (c->num_scales - 1)) != 0)
		return error_set(e, ST_CKPT, "num_scales %d: pictures of %dx%d cannot be halved so often",
				 c->num_scales, side, side);
	return ST_OK;
}

static enum status
check(const struct config *c, int *side, struct error *e)
{
	int s = 0;

	if (c->length < 3 || c->length > MOST_LENGTH || c->vocab < 2 || c->vocab > MOST_CHANNELS)
		return error_set(e, ST_CKPT, "length %d, vocabulary %d make no U-Net", c->length, c->vocab);
	while (3 * s * s < c->length)
		s++;
	if (3 * s * s != c->length)
		return error_set(e, ST_CKPT, "length %d is not that of a square picture of 3 channels (--length N)",
				 c->length);
	if (c->num_scales < 1 || c->num_scales > CONFIG_SCALES || c->num_res_blocks < 1 ||
	    c->num_res_blocks > MOST_BLOCKS)
		return error_set(e, ST_CKPT, "num_scales %d, num_res_blocks %d make no U-Net", c->num_scales,
				 c->num_res_blocks);
	if (c->ch < 1 || c->ch > MOST_CHANNELS)
		return error_set(e, ST_CKPT, "ch %d makes no U-Net", c->ch);
	if (c->unet_time && (c->time_embed_dim < 4 || c->time_embed_dim % 2 != 0 || c->time_embed_dim > MOST_CHANNELS))
		return error_set(e, ST_CKPT, "time_embed_dim %d makes no time embedding", c->time_embed_dim);
	if (c->label_cond == 1 && (c->classes < 1 || c->classes > MOST_LENGTH))
		return error_set(e, ST_CKPT, "a label table, but %d classes", c->classes);
	if (c->label_cond == 1 && !c->unet_time)
		return error_set(e, ST_CKPT,
				 "a label table, but model.time_conditioning is off: labels go in with the time");
	*side = s;
	return check_channels(c, s, e);
}

/* tokens -> pixels -> input_conv */
static void
input(struct unet *u, int pixels)
{
	struct net *net = u->net;
	int64_t dim[4] = { u->c->ch, 3, 3, 3 };
	int w = net_param(net, 4, dim, "input_conv.weight"), b = net_param(net, 1, dim, "input_conv.bias");
	struct net_op op = conv(pixels, w, b, 3, u->c->ch, u->side, 3);

	init_linear(net, w, b, 9 * 3);
	u->width = u->c->ch;
	u->h = net_append_to(net, op, net_pixel_value(net, u->width, u->side * u->side, "input_conv"));
}

enum status
unet_trunk(const struct config *c, struct net *net, struct unet_end *end, struct error *e)
{
	struct unet u = { .c = c, .net = net, .temb = -1 };
	enum status st = check(c, &u.side, e);

	if (st != ST_OK)
		return st;
	net->L = c->length;
	net->V = c->vocab;
	net->timed = c->timed;
	net->classes = c->label_cond == 1 ? c->classes : 0;
	net->together = TOGETHER;
	int pixels = net_append_to(net, net_op_init(NET_PIXELS), net_pixel_value(net, 3, u.side * u.side, "pixels"));
	if (c->unet_time)
		time_embedding(&u);
	input(&u, pixels);
	down(&u);
	res_block(&u, -1, 0, u.width, "middle_modules", 0);
	attn_block(&u, "middle_modules", 1);
	res_block(&u, -1, 0, u.width, "middle_modules", 2);
	up(&u);
	*end = (struct unet_end){ .value = u.h, .width = u.width, .side = u.side, .pixels = pixels };
	return ST_OK;
}

enum status
unet_describe(const struct config *c, struct net *net, struct error *e)
{
	struct unet_end end;
	enum status st = unet_trunk(c, net, &end, e);
	struct unet u = { .c = c, .net = net };

	if (st != ST_OK)
		return st;
	int gamma = vector(net, end.width, "output_modules", 0, "weight"),
	    beta = vector(net, end.width, "output_modules", 0, "bias");
	int w = kernel(net, 6, end.width, "output_modules", 1, "weight"),
	    b = vector(net, 6, "output_modules", 1, "bias");
	struct net_op op = conv(end.value, w, b, end.width, 6, end.side, 3);
	init_norm(net, gamma);
	init_linear(net, w, b, 9. * end.width);
	op.in[IN_MOD] = group_norm(&u, end.value, -1, end.width, gamma, beta, "output_modules", 0, ".norm");
	op.before = BEFORE_GROUPNORM_SILU;
	int out = net_append_to(net, op, net_pixel_value(net, 6, end.side * end.side, "output_conv"));

	op = net_op_init(NET_MU);
	op.in[IN_X] = out;
	op.in[IN_RES] = end.pixels;
	net->F = 2;
	net->feature = net_append_to(net, op, net_value(net, net->F, false, "feature"));
	op = net_op_init(NET_LOGISTIC);
	op.in[IN_X] = net->feature;
	op.dim[LOGISTIC_FIX] = c->fix_logistic == 1;
	net_append(net, op);
	label_table(net, 4 * c->time_embed_dim);
	return ST_OK;
}
