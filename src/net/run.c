/* run.c: see run.h. */
#include "net/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/run_private.h"

#define GROUP_ROWS 1024         /* positions that go through together */

int
run_half(const struct net *net)
{
	for (int i = 0; i < net->n_op; i++)
		if (net->op[i].kind == NET_LINEAR && net->op[i].after == AFTER_ROPE)
			return net->op[i].dim[DIM_HEAD] / 2;
	return 0;
}

enum status
net_run_new(const struct net *net, struct weights *w, const struct kern *kern, struct pool *pool, bool keep,
	    struct net_run **out, struct error *e)
{
	struct net_run *r = mem_calloc(1, sizeof *r);

	*out = r;
	if (!r)
		return error_set(e, ST_MEMORY, "out of memory");
	gemm_start();
	r->net = net;
	r->w = w;
	r->kern = kern;
	r->pool = pool;
	r->keep = keep;
	r->half = run_half(net);
	r->trunk = r->tail = (struct exec){ .net = net, .w = w, .kern = kern, .pool = pool, .prio = POOL_SAMPLE };
	return ST_OK;
}

void
net_run_free(struct net_run *r)
{
	if (!r)
		return;
	prefix_free_all(r);
	exec_done(&r->trunk);
	exec_done(&r->tail);
	back_done(&r->back);
	free(r->tail_feat);
	mem_free(r->cosine);
	mem_free(r->sine);
	mem_free(r->scratch);
	mem_free(r->head_scratch);
	free(r);
}

void
net_run_priority(struct net_run *r, enum pool_priority prio)
{
	r->trunk.prio = r->tail.prio = prio;
	weights_priority(r->w, prio);
}

/* Angles pos * 10000^(-i/half), i < half, in double. */
static enum status
rotations(struct net_run *r, struct error *e)
{
	size_t half = (size_t)r->half, n = (size_t)r->net->L * half;

	if (r->cosine || !half)
		return ST_OK;
	float *c = mem_aligned(n, sizeof *c), *s = mem_aligned(n, sizeof *s);
	if (!c || !s) {
		mem_free(c);
		mem_free(s);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	for (size_t i = 0; i < half; i++) {
		double f = pow(10000., -(double)i / (double)half);
		for (size_t p = 0; p < (size_t)r->net->L; p++) {
			c[p * half + i] = (float)cos((double)p * f);
			s[p * half + i] = (float)sin((double)p * f);
		}
	}
	r->cosine = c;
	r->sine = s;
	return ST_OK;
}

enum status
run_prepare(struct net_run *r, struct exec *x, int n, int rows, struct error *e)
{
	enum status st = rotations(r, e);

	if (st == ST_OK)
		st = exec_reserve(x, n, rows, r->keep, e);
	if (st != ST_OK)
		return st;
	size_t need = exec_scratch_need(x, n, rows);
	if (need > r->scratch_floats) {
		size_t all;
		float *p = mem_mul(need, (size_t)pool_threads(r->pool), &all) ? mem_aligned(all, sizeof *p) : NULL;
		if (!p)
			return error_set(e, ST_MEMORY, "out of memory");
		mem_free(r->scratch);
		r->scratch = p;
		r->scratch_floats = need;
	}
	x->cosine = r->cosine;
	x->sine = r->sine;
	x->half = r->half;
	x->scratch = r->scratch;
	x->scratch_floats = r->scratch_floats;
	x->n = n;
	x->rows = rows;
	return ST_OK;
}

static enum status
check_tokens(const struct net *net, size_t n, const int32_t *tok, int least, struct error *e)
{
	for (size_t i = 0; i < n; i++)
		if (tok[i] < least || tok[i] >= net->V)
			return error_set(e, ST_USAGE, "token %d is outside the vocabulary of %d", (int)tok[i], net->V);
	return ST_OK;
}

enum status
run_check_input(const struct net *net, const struct net_input *in, struct error *e)
{
	size_t n = (size_t)in->n * (size_t)net->L;

	for (int i = 0; in->label && i < in->n; i++)
		if (net->classes > 0 && (in->label[i] < -1 || in->label[i] > net->classes))
			return error_set(e, ST_USAGE, "label %d: the model has labels 0 to %d, and %d for none",
				in->label[i], net->classes - 1, net->classes);
	if (in->tok)
		return check_tokens(net, n, in->tok, net->causal ? -1 : 0, e);
	return in->idx ? check_tokens(net, n * (size_t)in->k, in->idx, 0, e) : ST_OK;
}

enum status
net_run_trunk(struct net_run *r, const struct net_input *in, float *feat, struct cancel *c, struct error *e)
{
	int by_rows = GROUP_ROWS / r->net->L > 1 ? GROUP_ROWS / r->net->L : 1,
	    group = r->net->together ? r->net->together : by_rows;
	struct exec *x = &r->trunk;
	enum status st = run_check_input(r->net, in, e);

	for (int s = 0; st == ST_OK && s < in->n; s += group) {
		int n = in->n - s < group ? in->n - s : group;
		if ((st = run_prepare(r, x, n, r->net->L, e)) != ST_OK)
			return st;
		x->cancel = c;
		x->in = in;
		x->in_first = s;
		x->feat = feat + (size_t)s * (size_t)r->net->L * (size_t)r->net->F;
		st = exec_run(x, e);
	}
	return st;
}

enum status
net_run_back(struct net_run *r, float *feat, float *input, struct cancel *c, struct error *e)
{
	enum status st = ST_OK;

	if (!r->keep || !r->trunk.base)
		return error_set(e, ST_FAIL, "no kept values to walk back over");
	r->trunk.cancel = c;
	if (r->back_n != r->trunk.plan_n) {
		st = back_reserve(&r->back, &r->trunk, false, e);
		r->back_n = st == ST_OK ? r->trunk.plan_n : 0;
	}
	return st == ST_OK ? back_run(&r->back, feat, input, e) : st;
}

const float *
net_run_value(const struct net_run *r, const char *name, size_t *ld)
{
	int v = net_find_value(r->net, name);

	if (v < 0 || !r->trunk.base)
		return NULL;
	*ld = exec_ld(&r->trunk, v);
	return exec_value(&r->trunk, v);
}

enum status
net_run_measure(const struct net *net, const struct kern *kern, int threads, uint64_t *bytes, struct error *e)
{
	struct exec x = { .net = net, .kern = kern };
	struct plan plan;
	enum status st = plan_make(net, 1, net->L, PLAN_INFER, &plan, e);

	if (st != ST_OK)
		return st;
	size_t scratch = exec_scratch_need(&x, 1, net->L);
	*bytes = (uint64_t)sizeof(float) * (plan.floats + (size_t)threads * scratch);
	plan_done(&plan);
	return ST_OK;
}

size_t
net_run_bytes(const struct net_run *r)
{
	size_t threads = (size_t)pool_threads(r->pool);
	size_t floats = r->trunk.plan.floats + r->tail.plan.floats + threads * (r->scratch_floats + r->head_floats) +
	                2 * (r->cosine ? (size_t)r->net->L * (size_t)r->half : 0);

	return floats * sizeof(float) + prefix_bytes(r);
}
