/*
 * exec.h: running a description, private to src/net.
 *
 * An exec is one forward pass in progress: where its values lie, what its
 * inputs are, who works.  Operations are functions over it.  One thread drives
 * it; work items run on the pool and share nothing but constant inputs and
 * their own scratch.
 */
#ifndef PSI_NET_EXEC_H
#define PSI_NET_EXEC_H

#include "net/dropout.h"
#include "net/learn.h"
#include "net/plan.h"
#include "net/run.h"
#include "net/weights.h"

/* Keys and values of one sample's prefix, all layers (extend.c). */
struct kept {
	/* [layer][head], each head k_head, v_head floats: gemm_pack's panels, or [L,dim] for BLAS */
	float *k, *v;
	size_t k_head, v_head;
};

struct exec {
	const struct net *net;
	struct weights *w;
	const struct kern *kern;
	struct pool *pool;
	struct cancel *cancel;
	struct plan plan;
	int plan_n, plan_rows;  /* what the plan has room for */
	float *base;            /* the plan's memory */
	bool learn;             /* values are kept for gradients of parameters: PLAN_LEARN */
	float *feat;            /* the feature value: [n,rows,F] */
	int n, rows, row0;      /* samples; positions per sample and the first of them */
	const struct net_input *in;
	int in_first;           /* sample of `in` that is sample 0 here */
	enum pool_priority prio;        /* of every loop */
	const struct learn_dropout *drop;       /* training: dropout is on; else NULL (learn.h) */
	struct kept *kept;      /* causal, one sample: attend to what is kept as well; else NULL */
	const float *cosine, *sine;     /* [L, head dim / 2] */
	int half;
	float *scratch;         /* [threads][scratch_floats] */
	size_t scratch_floats;
};

float *exec_value(const struct exec *x, int v);         /* first row of sample 0; v -1: NULL */
float *exec_before(const struct exec *x, int v);        /* what its activation was applied to; NULL: not kept */
size_t exec_ld(const struct exec *x, int v);
size_t exec_step(const struct exec *x, int v);          /* floats from one sample to the next */
int exec_rows(const struct exec *x, int v);             /* rows per sample */
float *exec_scratch(const struct exec *x, int worker);

/* A LINEAR (or HEAD) laid out as work items: blocks of rows by blocks of
 * columns, by shape alone. */
struct linear {
	const struct kern *kern;
	int before, after;
	struct gemm_b b;        /* .n, .k and .packed say how to lay out */
	const float *bias, *norm, *norm_bias;
	int samples, rows;      /* row blocks lie inside a sample */
	bool merged;            /* one row per sample, all taken as rows of one */
	int rb, cb, strip;      /* rows and columns of an item; columns at a time */
	int row_blocks, col_blocks;
	int kc;
	const float *x, *mod, *res;
	size_t ldx, step_x, ldmod, ldres, step_res;
	float *out;
	float *before_out;      /* as out: what the activation is applied to; NULL: not kept */
	size_t ldout, step_out;
	int shift, scale, gate; /* columns of mod */
	int head_dim;
	const float *cosine, *sine;     /* of the first row */
	struct dropout drop;    /* before GATE_ADD */
	int in_first;
	float *scratch;
	size_t scratch_floats;
};
/* Fill in rb .. col_blocks from kern, b, rows, after and head_dim. */
void linear_shape(struct linear *l);
size_t linear_scratch(const struct linear *l);          /* floats per worker */
enum status linear_run(struct linear *l, struct pool *pool, enum pool_priority prio, struct cancel *c);

/* Make the plan for n samples of `rows` positions, and its memory, unless there
 * is room already. */
enum status exec_reserve(struct exec *x, int n, int rows, bool keep, struct error *e);
/* Scratch floats per worker for n samples of `rows` positions. */
size_t exec_scratch_need(const struct exec *x, int n, int rows);
/* All operations but the head. */
enum status exec_run(struct exec *x, struct error *e);
void exec_done(struct exec *x);

enum status op_linear(struct exec *x, const struct net_op *op, struct error *e);
enum status op_attend(struct exec *x, const struct net_op *op, struct error *e);
enum status op_norm(struct exec *x, const struct net_op *op, struct error *e);
enum status op_embed(struct exec *x, const struct net_op *op, struct error *e);
enum status op_time(struct exec *x, const struct net_op *op, struct error *e);
enum status op_label(struct exec *x, const struct net_op *op, struct error *e);
enum status op_pixels(struct exec *x, const struct net_op *op, struct error *e);
enum status op_mu(struct exec *x, const struct net_op *op, struct error *e);
enum status op_group(struct exec *x, const struct net_op *op, struct error *e);
enum status op_conv(struct exec *x, const struct net_op *op, struct error *e);

/* GROUP: of channels c0..c1 of in[X] and in[CAT] side by side: means, and sums of squares about them, [c1-c0] each. */
void group_moments(const struct exec *x, const struct net_op *op, int sample, int c0, int c1, double *mean, double *m2);

/* Scratch floats per worker that an operation needs for `rows` positions. */
size_t op_linear_scratch(const struct exec *x, const struct net_op *op);
size_t op_attend_scratch(const struct exec *x, const struct net_op *op);
size_t op_conv_scratch(const struct exec *x, const struct net_op *op);

#endif
