/* run_private.h: what run.c, head.c and extend.c share. */
#ifndef PSI_NET_RUN_PRIVATE_H
#define PSI_NET_RUN_PRIVATE_H

#include "net/back.h"

struct prefix;                  /* extend.c: what is kept of one sample */

struct net_run {
	const struct net *net;
	struct weights *w;
	const struct kern *kern;
	struct pool *pool;
	bool keep;
	float *cosine, *sine;   /* [L, half]; made at the first pass */
	int half;
	float *scratch;         /* [threads][scratch_floats]: trunk and extension */
	size_t scratch_floats;
	struct exec trunk, tail;        /* whole samples; the new rows of one sample */
	float *tail_feat;       /* [tail rows, F] */
	struct back back;	/* made at the first walk back */
	int back_n;		/* samples the gradients have room for */
	struct prefix *prefix;  /* owned list, latest used first */
	float *head_scratch;    /* [threads][head_floats] */
	size_t head_floats;
};

/* Rotation tables and scratch for n samples of `rows` positions. */
enum status run_prepare(struct net_run *r, struct exec *x, int n, int rows, struct error *e);
/* Half the dimension of the heads that are rotated; 0: none. */
int run_half(const struct net *net);
/* Are tokens and labels within the tables? */
enum status run_check_input(const struct net *net, const struct net_input *in, struct error *e);
/* The head's scratch per worker for n rows, in floats; its memory. */
size_t run_head_scratch(const struct net *net, const struct kern *kern, int n);
enum status run_head_reserve(struct net_run *r, int n, struct error *e);
void prefix_free_all(struct net_run *r);
size_t prefix_bytes(const struct net_run *r);

#endif
