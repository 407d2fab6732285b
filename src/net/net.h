/*
 * net.h: the description of a network, and what follows from it.
 *
 * A description is one list of operations over values (activations) and one
 * table of parameters in published order.  A file in models/ appends to both;
 * everything else is derived: the check of a checkpoint, the inference plan,
 * the training plan.  A description holds no weights and no activations.  It
 * is built on one thread and constant afterwards.
 */
#ifndef PSI_NET_NET_H
#define PSI_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ckpt/tensor.h"

enum net_kind {
	NET_EMBED,      /* tokens -> rows of par W */
	NET_TIME,       /* sigma -> [cos, sin] of sigma * f_k, one row per sample */
	NET_LABEL,      /* in[X] += silu(row `label` of par W), one row per sample; nothing for label -1 */
	NET_LINEAR,     /* after(before(in[X]) W^T + bias) */
	NET_PIXELS,     /* tokens (channel, row, column) -> rows of 3 channels, 2 x / V - 1 */
	/* group norm of in[X] (and in[CAT]) as a scale and a shift per channel: one row [scale, shift] per sample */
	NET_GROUP,
	NET_CONV,       /* after(conv(before(in[X], in[CAT])) + bias) over a square image */
	NET_ATTEND,     /* in[X] holds q, k, v side by side; softmax(q k^T / sqrt(head dim)) v */
	NET_NORM,       /* before(in[X]) alone */
	NET_MU,         /* in[X] holds 3 values of mu (before tanh) and 3 log scales a pixel, in[RES] the pixels
	                   -> rows (tanh(pixel + mu), log scale) in the order of the tokens */
	NET_HEAD,       /* feature rows -> logits: in[X] W^T + bias; the last operation */
	NET_LOGISTIC    /* feature rows (mu, log scale) -> logits of a truncated logistic; the last operation */
};

enum net_before {
	BEFORE_NONE,
	BEFORE_LN_MODULATE,     /* layer norm * par NORM, then (1 + scale) and shift from in[MOD] if given,
	                           else + par NORM_BIAS if given */
	BEFORE_SILU,            /* LINEAR over rows per sample */
	BEFORE_GROUPNORM,       /* CONV: scale and shift from in[MOD], made by GROUP */
	BEFORE_GROUPNORM_SILU
};

enum net_after {
	AFTER_NONE,
	AFTER_SILU,
	AFTER_GELU,             /* the tanh form */
	AFTER_ROPE,             /* rotate the first two thirds (q and k) by position */
	AFTER_GATE_ADD,         /* in[RES] + gate * x; gate from in[MOD], else 1 */
	AFTER_ADD               /* CONV: (in[RES] + x) factor; in[RES] may be one row per sample */
};

/* Places in net_op.in, .par and .dim. */
enum { IN_X, IN_MOD, IN_RES, IN_CAT, NET_INS };     /* CAT: channels that follow those of X */
/* EMBED: row p of BIAS, if given, is added at position p. */
enum { PAR_W, PAR_BIAS, PAR_NORM, PAR_NORM_BIAS };
enum {
	DIM_K, DIM_N,                       /* LINEAR, HEAD: inputs and outputs; EMBED, LABEL: rows and width */
	DIM_SHIFT, DIM_SCALE, DIM_GATE,     /* columns of in[MOD] where they begin */
	DIM_HEAD                            /* ROPE: head dimension */
};
enum { TIME_WIDTH, TIME_DIVISOR, TIME_SINE_FIRST };  /* f_k = 10000^(-k / divisor); cosines first, or sines */
enum { LABEL_PLAIN = 2 };                            /* LABEL: 1: the row itself, without silu */
enum { GROUP_N, GROUP_COUNT };                       /* GROUP: channels, groups */
/* CONV: as DIM_K, DIM_N; side of the image that goes in; 1x1 (par W is [in, out]) or 3x3 ([out, in, 3, 3]); 1,
 * CONV_HALVE (stride 2, padded right and bottom) or CONV_DOUBLE (every pixel twice first); columns of `out` before
 * those written here. */
enum { CONV_K, CONV_N, CONV_SIDE, CONV_SIZE, CONV_STEP, CONV_COLUMN };
enum { CONV_HALVE = 2, CONV_DOUBLE = 3 };
enum { LOGISTIC_FIX };                               /* LOGISTIC: the smaller of the expression and its mirror image */
enum { ATT_HEADS, ATT_DIM, ATT_CAUSAL, ATT_LAYER };   /* ATTEND; layer: which keys and values to keep */

struct net_op {
	enum net_kind kind;
	uint8_t before, after;
	int in[NET_INS];        /* values, -1: none */
	int out;
	int par[4];             /* rows of the parameter table, -1: none */
	int dim[6];
	float drop;             /* training: dropout on the branch before GATE_ADD, or after BEFORE_GROUPNORM_SILU */
	double factor;          /* TIME: of sigma; AFTER_ADD: of the sum */
};

#define NET_DIMS 4

/* Initial values for training: uniform in +- scale, normal with this deviation, or all alike. */
enum net_init { INIT_CONSTANT, INIT_UNIFORM, INIT_NORMAL };

struct net_param {
	char *name;             /* as published, without `backbone.` */
	int ndim;
	int64_t dim[NET_DIMS];
	bool transposed;        /* a matrix that the file holds as [in, out] (as dim says), used as [out, in] */
	enum net_init init;
	double scale;
};

struct net_value {
	char *name;             /* what tests and the trainer call it */
	int width;              /* floats per row */
	bool per_sample;        /* one row per sample, else one per position */
	int rows;               /* pixels: so many rows per sample, whatever the length; else 0 */
};

struct net {
	int L, V, F;            /* length, vocabulary, features per position */
	bool timed, causal;
	int classes;            /* rows of the label table, less the no-label row */
	struct net_op *op;
	int n_op;
	struct net_param *par;
	int n_par;
	struct net_value *value;
	int n_value;
	int feature;            /* the value the head reads: written straight into the caller's array */
	int layers;             /* ATTEND operations */
	int together;           /* samples that go through at once; 0: by length */
	size_t cap_op, cap_par, cap_value;
	bool failed;            /* out of memory while building: net_finish says so */
};

/* Building.  Nothing is reported until net_finish: ST_MEMORY, or ST_FAIL for
 * a description that makes no sense (our own mistake). */
struct net *net_new(void);
void net_free(struct net *net);
int net_param(struct net *net, int ndim, const int64_t *dim, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void net_param_transpose(struct net *net, int par);
int net_value(struct net *net, int width, bool per_sample, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Initial values of a parameter; without a call: zeros. */
void net_param_init(struct net *net, int par, enum net_init init, double scale);
/* A value with so many rows per sample. */
int net_pixel_value(struct net *net, int width, int rows, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* An operation with all of in, out and par at -1: fill in the rest. */
struct net_op net_op_init(enum net_kind kind);
void net_append(struct net *net, struct net_op op);
/* The same with `out` filled in, which it returns. */
int net_append_to(struct net *net, struct net_op op, int out);
/* A product without anything before it: x W^T + bias (n outputs of k inputs), then `after`. */
struct net_op net_linear(int x, int w, int bias, int k, int n, enum net_after after);
enum status net_finish(struct net *net, struct error *e);

int net_find_value(const struct net *net, const char *name);   /* -1: none */
int net_find_param(const struct net *net, const char *name);

/* Does a list of tensors hold what the description wants: every parameter
 * once, of this shape, of a floating type?  Tensors that the description does
 * not know are an error only if they belong to a numbered part (blocks.9.)
 * beyond those it has: the configuration counts wrong then.  what: "weights" or
 * "EMA weights", for the message.  match [n_par] or NULL receives the tensors. */
enum status net_match(const struct net *net, const struct tensor *t, int n, const char *what,
		      const struct tensor **match, struct error *e);

uint64_t net_par_numel(const struct net_param *p);
uint64_t net_parameters(const struct net *net);

#endif
