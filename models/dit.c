/*
 * dit.c: the diffusion transformer of the text models, uniform, masked, D3PM,
 * score and causal (tensor names and order as published: networks.md).
 */
#include "models/describe.h"
#include "models/init.h"

#define SIGMA_WIDTH 256         /* 128 frequencies */
#define MOST 1000000000         /* no dimension of a real network comes near */

static int
matrix(struct net *net, int64_t n, int64_t k, const char *name)
{
	int64_t dim[2] = { n, k };

	return net_param(net, 2, dim, "%s", name);
}

static int
vector(struct net *net, int64_t n, const char *name)
{
	return net_param(net, 1, &n, "%s", name);
}

static int
block_matrix(struct net *net, int64_t n, int64_t k, int block, const char *name)
{
	int64_t dim[2] = { n, k };

	return net_param(net, 2, dim, "blocks.%d.%s", block, name);
}

static int
block_vector(struct net *net, int64_t n, int block, const char *name)
{
	return net_param(net, 1, &n, "blocks.%d.%s", block, name);
}

/* Layer norm and, if there is a modulation, shift and scale from its columns. */
static void
modulated(struct net_op *op, int norm, int mod, int shift, int scale)
{
	op->before = BEFORE_LN_MODULATE;
	op->par[PAR_NORM] = norm;
	op->in[IN_MOD] = mod;
	op->dim[DIM_SHIFT] = shift;
	op->dim[DIM_SCALE] = scale;
}

/* sigma (and label) -> the condition c, one row per sample. */
static int
condition(const struct config *c, struct net *net)
{
	int cond = c->cond_dim;
	int w0 = matrix(net, cond, SIGMA_WIDTH, "sigma_map.mlp.0.weight"),
	    b0 = vector(net, cond, "sigma_map.mlp.0.bias");
	int w2 = matrix(net, cond, cond, "sigma_map.mlp.2.weight"), b2 = vector(net, cond, "sigma_map.mlp.2.bias");
	struct net_op time = net_op_init(NET_TIME);

	init_linear(net, w0, b0, SIGMA_WIDTH);
	init_linear(net, w2, b2, cond);
	time.dim[TIME_WIDTH] = SIGMA_WIDTH;
	time.dim[TIME_DIVISOR] = SIGMA_WIDTH / 2;
	int v = net_append_to(net, time, net_value(net, SIGMA_WIDTH, true, "sigma_embedding"));

	v = net_append_to(net, net_linear(v, w0, b0, SIGMA_WIDTH, cond, AFTER_SILU),
	                      net_value(net, cond, true, "sigma_hidden"));
	v = net_append_to(net, net_linear(v, w2, b2, cond, cond, AFTER_SILU),
	           net_value(net, cond, true, net->classes ? "c_sigma" : "c"));
	if (net->classes) {
		struct net_op op = net_op_init(NET_LABEL);
		op.in[IN_X] = v;
		op.par[PAR_W] = matrix(net, c->classes + 1, cond, "cond_map.embedding_table.weight");
		init_table(net, op.par[PAR_W]);
		op.dim[DIM_K] = c->classes + 1;
		op.dim[DIM_N] = cond;
		v = net_append_to(net, op, net_value(net, cond, true, "c"));
	}
	return v;
}

/* Operations of block b over h, given its parameters. */
struct block_par { int norm1, qkv, out, norm2, w0, b0, w2, b2, ada, ada_bias; };

static int
block_ops(const struct config *c, struct net *net, int b, int h, int cond, const struct block_par *p)
{
	int d = c->hidden, hd = d / c->n_heads, m = -1;
	struct net_op op;

	if (cond >= 0)
		m = net_append_to(net, net_linear(cond, p->ada, p->ada_bias, c->cond_dim, 6 * d, AFTER_NONE),
		           net_value(net, 6 * d, true, "block%d.modulation", b));
	op = net_linear(h, p->qkv, -1, d, 3 * d, AFTER_ROPE);
	op.dim[DIM_HEAD] = hd;
	modulated(&op, p->norm1, m, 0, d);
	int qkv = net_append_to(net, op, net_value(net, 3 * d, false, "block%d.qkv", b));

	op = net_op_init(NET_ATTEND);
	op.in[IN_X] = qkv;
	op.dim[ATT_HEADS] = c->n_heads;
	op.dim[ATT_DIM] = hd;
	op.dim[ATT_CAUSAL] = net->causal;
	int att = net_append_to(net, op, net_value(net, d, false, "block%d.attention", b));

	op = net_linear(att, p->out, -1, d, d, AFTER_GATE_ADD);
	op.in[IN_MOD] = m;
	op.in[IN_RES] = h;
	op.dim[DIM_GATE] = 2 * d;
	op.drop = (float)c->dropout;
	h = net_append_to(net, op, net_value(net, d, false, "block%d.after_attention", b));

	op = net_linear(h, p->w0, p->b0, d, 4 * d, AFTER_GELU);
	modulated(&op, p->norm2, m, 3 * d, 4 * d);
	int hidden = net_append_to(net, op, net_value(net, 4 * d, false, "block%d.hidden", b));

	op = net_linear(hidden, p->w2, p->b2, 4 * d, d, AFTER_GATE_ADD);
	op.in[IN_MOD] = m;
	op.in[IN_RES] = h;
	op.dim[DIM_GATE] = 5 * d;
	op.drop = (float)c->dropout;
	return net_append_to(net, op, net_value(net, d, false, "block%d.out", b));
}

static int
block(const struct config *c, struct net *net, int b, int h, int cond)
{
	int d = c->hidden;
	struct block_par p;

	p.norm1 = block_vector(net, d, b, "norm1.weight");
	p.qkv = block_matrix(net, 3 * d, d, b, "attn_qkv.weight");
	p.out = block_matrix(net, d, d, b, "attn_out.weight");
	p.norm2 = block_vector(net, d, b, "norm2.weight");
	p.w0 = block_matrix(net, 4 * d, d, b, "mlp.0.weight");
	p.b0 = block_vector(net, 4 * d, b, "mlp.0.bias");
	p.w2 = block_matrix(net, d, 4 * d, b, "mlp.2.weight");
	p.b2 = block_vector(net, d, b, "mlp.2.bias");
	p.ada = cond < 0 ? -1 : block_matrix(net, 6 * d, c->cond_dim, b, "adaLN_modulation.weight");
	p.ada_bias = cond < 0 ? -1 : block_vector(net, 6 * d, b, "adaLN_modulation.bias");
	init_norm(net, p.norm1);
	init_norm(net, p.norm2);
	init_linear(net, p.qkv, -1, d);
	init_linear(net, p.out, -1, d);
	init_linear(net, p.w0, p.b0, d);
	init_linear(net, p.w2, p.b2, 4. * d);
	return block_ops(c, net, b, h, cond, &p);
}

/* The final norm, which makes the features. */
static void
final_norm(const struct config *c, struct net *net, int h, int cond, int norm)
{
	int d = c->hidden, m = -1;

	if (cond >= 0) {
		int ada = matrix(net, 2 * d, c->cond_dim, "output_layer.adaLN_modulation.weight");
		int ada_bias = vector(net, 2 * d, "output_layer.adaLN_modulation.bias");
		m = net_append_to(net, net_linear(cond, ada, ada_bias, c->cond_dim, 2 * d, AFTER_NONE),
		           net_value(net, 2 * d, true, "output.modulation"));
	}
	struct net_op op = net_op_init(NET_NORM);
	init_norm(net, norm);
	op.in[IN_X] = h;
	modulated(&op, norm, m, 0, d);
	net->feature = net_append_to(net, op, net_value(net, d, false, "feature"));
}

/* Feature rows times a matrix: the last operation. */
static void
head(const struct config *c, struct net *net, int w, int bias)
{
	net_append(net, net_linear(net->feature, w, bias, c->hidden, c->vocab, AFTER_NONE));
	if (!net->failed)
		net->op[net->n_op - 1].kind = NET_HEAD;
}

static enum status
check(const struct config *c, struct error *e)
{
	if (c->hidden < 1 || c->hidden > MOST / 6 || c->vocab < 2 || c->vocab > MOST || c->length < 1 ||
		c->length > MOST)
		return error_set(e, ST_CKPT, "hidden_size %d, vocabulary %d, length %d make no network", c->hidden,
			c->vocab, c->length);
	if (c->n_heads < 1 || c->hidden % c->n_heads != 0 || c->hidden / c->n_heads % 2 != 0)
		return error_set(e, ST_CKPT, "n_heads %d does not divide hidden_size %d into even parts (--heads N)",
			c->n_heads, c->hidden);
	if (c->n_blocks < 1 || c->n_blocks > 100000)
		return error_set(e, ST_CKPT, "n_blocks %d makes no network", c->n_blocks);
	if (!c->causal && (c->cond_dim < 1 || c->cond_dim > MOST))
		return error_set(e, ST_CKPT, "cond_dim %d makes no network", c->cond_dim);
	if (!c->causal && c->label_cond && (c->classes < 1 || c->classes > MOST))
		return error_set(e, ST_CKPT, "a label table, but %d classes", c->classes);
	return ST_OK;
}

/* Everything but the end; *embedding: its table. */
static enum status
blocks(const struct config *c, struct net *net, int *h, int *cond, int *embedding, struct error *e)
{
	enum status st = check(c, e);

	if (st != ST_OK)
		return st;
	net->L = c->length;
	net->V = c->vocab;
	net->F = c->hidden;
	net->causal = c->causal == 1;
	net->timed = c->timed && !net->causal;
	net->classes = c->label_cond == 1 && !net->causal ? c->classes : 0;

	struct net_op op = net_op_init(NET_EMBED);
	op.par[PAR_W] = *embedding = matrix(net, c->vocab, c->hidden, "vocab_embed.embedding");
	init_linear(net, *embedding, -1, c->hidden);
	op.dim[DIM_K] = c->vocab;
	op.dim[DIM_N] = c->hidden;
	*h = net_append_to(net, op, net_value(net, c->hidden, false, "embedding"));
	*cond = net->causal ? -1 : condition(c, net);
	for (int b = 0; b < c->n_blocks && !net->failed; b++)
		*h = block(c, net, b, *h, *cond);
	return ST_OK;
}

enum status
dit_describe(const struct config *c, struct net *net, struct error *e)
{
	int h, cond, embedding;
	enum status st = blocks(c, net, &h, &cond, &embedding, e);

	if (st != ST_OK)
		return st;
	int norm = vector(net, c->hidden, "output_layer.norm_final.weight");
	int w = matrix(net, c->vocab, c->hidden, "output_layer.linear.weight"),
	    bias = vector(net, c->vocab, "output_layer.linear.bias");
	final_norm(c, net, h, cond, norm);
	head(c, net, w, bias);
	return ST_OK;
}

enum status
dit_trunk(const struct config *c, struct net *net, struct error *e)
{
	int h, cond, embedding;
	enum status st = blocks(c, net, &h, &cond, &embedding, e);

	if (st != ST_OK)
		return st;
	final_norm(c, net, h, cond, vector(net, c->hidden, "output_layer.norm_final.weight"));
	head(c, net, embedding, -1);
	return ST_OK;
}
