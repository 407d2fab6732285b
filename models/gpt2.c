/*
 * gpt2.c: GPT-2 (Hugging Face names, without `transformer.`): learned
 * positions, layer norm with a bias before each half of a block, products
 * stored as [in, out], the head tied to the embedding.
 */
#include "models/describe.h"
#include "models/init.h"

#define MOST 1000000000
#define SPREAD .02 /* deviation of initial values */

static int
table(struct net *net, int64_t n, int64_t k, const char *name)
{
	int64_t dim[2] = { n, k };
	int par = net_param(net, 2, dim, "%s", name);

	net_param_init(net, par, INIT_NORMAL, SPREAD);
	return par;
}

/* Layer norm, weight and bias; block -1: the last one. */
struct norm { int w, bias; };

static struct norm
norm(struct net *net, int d, int block, const char *name)
{
	int64_t n = d;
	struct norm p;

	if (block < 0) {
		p.w = net_param(net, 1, &n, "%s.weight", name);
		p.bias = net_param(net, 1, &n, "%s.bias", name);
	} else {
		p.w = net_param(net, 1, &n, "h.%d.%s.weight", block, name);
		p.bias = net_param(net, 1, &n, "h.%d.%s.bias", block, name);
	}
	init_norm(net, p.w);
	return p;
}

static void
normed(struct net_op *op, struct norm p)
{
	op->before = BEFORE_LN_MODULATE;
	op->par[PAR_NORM] = p.w;
	op->par[PAR_NORM_BIAS] = p.bias;
}

/* x W + bias, W stored as [k, n], then `after`. */
static struct net_op
product(struct net *net, int x, int k, int n, int block, int blocks, const char *name, enum net_after after)
{
	struct net_op op = net_op_init(NET_LINEAR);
	int64_t dim[2] = { k, n }, width = n;

	op.in[IN_X] = x;
	op.par[PAR_W] = net_param(net, 2, dim, "h.%d.%s.weight", block, name);
	net_param_transpose(net, op.par[PAR_W]);
	/* what is added to the residual is smaller the more blocks there are */
	net_param_init(net, op.par[PAR_W], INIT_NORMAL, after == AFTER_GATE_ADD ? SPREAD / sqrt(2. * blocks) : SPREAD);
	op.par[PAR_BIAS] = net_param(net, 1, &width, "h.%d.%s.bias", block, name);
	op.dim[DIM_K] = k;
	op.dim[DIM_N] = n;
	op.after = (uint8_t)after;
	return op;
}

static int
block(const struct config *c, struct net *net, int b, int h)
{
	int d = c->hidden;
	struct norm p = norm(net, d, b, "ln_1");
	struct net_op op = product(net, h, d, 3 * d, b, c->n_blocks, "attn.c_attn", AFTER_NONE);

	normed(&op, p);
	int qkv = net_append_to(net, op, net_value(net, 3 * d, false, "block%d.qkv", b));
	op = net_op_init(NET_ATTEND);
	op.in[IN_X] = qkv;
	op.dim[ATT_HEADS] = c->n_heads;
	op.dim[ATT_DIM] = d / c->n_heads;
	op.dim[ATT_CAUSAL] = 1;
	int att = net_append_to(net, op, net_value(net, d, false, "block%d.attention", b));

	op = product(net, att, d, d, b, c->n_blocks, "attn.c_proj", AFTER_GATE_ADD);
	op.in[IN_RES] = h;
	h = net_append_to(net, op, net_value(net, d, false, "block%d.after_attention", b));
	p = norm(net, d, b, "ln_2");
	op = product(net, h, d, 4 * d, b, c->n_blocks, "mlp.c_fc", AFTER_GELU);
	normed(&op, p);
	int hidden = net_append_to(net, op, net_value(net, 4 * d, false, "block%d.hidden", b));

	op = product(net, hidden, 4 * d, d, b, c->n_blocks, "mlp.c_proj", AFTER_GATE_ADD);
	op.in[IN_RES] = h;
	return net_append_to(net, op, net_value(net, d, false, "block%d.out", b));
}

static enum status
check(const struct config *c, struct error *e)
{
	if (c->hidden < 1 || c->hidden > MOST / 4 || c->vocab < 2 || c->vocab > MOST || c->length < 1 ||
		c->length > MOST)
		return error_set(e, ST_CKPT, "n_embd %d, vocabulary %d, n_positions %d make no network", c->hidden,
		                 c->vocab, c->length);
	if (c->n_heads < 1 || c->hidden % c->n_heads != 0)
		return error_set(e, ST_CKPT, "n_head %d does not divide n_embd %d (--heads N)", c->n_heads, c->hidden);
	if (c->n_blocks < 1 || c->n_blocks > 100000)
		return error_set(e, ST_CKPT, "n_layer %d makes no network", c->n_blocks);
	return ST_OK;
}

enum status
gpt2_describe(const struct config *c, struct net *net, struct error *e)
{
	enum status st = check(c, e);
	int d = c->hidden;

	if (st != ST_OK)
		return st;
	net->L = c->length;
	net->V = c->vocab;
	net->F = d;
	net->causal = true;

	int wte = table(net, c->vocab, d, "wte.weight");
	struct net_op op = net_op_init(NET_EMBED);
	op.par[PAR_W] = wte;
	op.par[PAR_BIAS] = table(net, c->length, d, "wpe.weight");
	op.dim[DIM_K] = c->vocab;
	op.dim[DIM_N] = d;
	int h = net_append_to(net, op, net_value(net, d, false, "embedding"));
	for (int b = 0; b < c->n_blocks && !net->failed; b++)
		h = block(c, net, b, h);

	op = net_op_init(NET_NORM);
	op.in[IN_X] = h;
	normed(&op, norm(net, d, -1, "ln_f"));
	net->feature = net_append_to(net, op, net_value(net, d, false, "feature"));
	op = net_op_init(NET_HEAD);
	op.in[IN_X] = net->feature;
	op.par[PAR_W] = wte;
	op.dim[DIM_K] = d;
	op.dim[DIM_N] = c->vocab;
	net_append(net, op);
	return ST_OK;
}
