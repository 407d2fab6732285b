/* net.c: see net.h.  Owns descriptions. */
#include "net/net.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct net *
net_new(void)
{
	struct net *net = mem_calloc(1, sizeof *net);

	if (net)
		net->feature = -1;
	return net;
}

void
net_free(struct net *net)
{
	if (!net)
		return;
	for (int i = 0; i < net->n_par; i++)
		free(net->par[i].name);
	for (int i = 0; i < net->n_value; i++)
		free(net->value[i].name);
	free(net->par);
	free(net->value);
	free(net->op);
	free(net);
}

/* Room for one more in an array; false once anything has failed. */
static bool
room(struct net *net, void **array, size_t *cap, int n, size_t size)
{
	if (net->failed)
		return false;
	void *p = mem_grow(*array, cap, (size_t)n + 1, size);
	if (!p) {
		net->failed = true;
		return false;
	}
	*array = p;
	return true;
}

__attribute__((format(printf, 2, 0))) static char *
name_of(struct net *net, const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0) {
		net->failed = true;
		return NULL;
	}
	return s;
}

int
net_param(struct net *net, int ndim, const int64_t *dim, const char *fmt, ...)
{
	struct net_param p = { .ndim = ndim };
	void *array = net->par;
	va_list ap;

	if (!room(net, &array, &net->cap_par, net->n_par, sizeof *net->par))
		return -1;
	net->par = array;
	memcpy(p.dim, dim, (size_t)ndim * sizeof *dim);
	va_start(ap, fmt);
	p.name = name_of(net, fmt, ap);
	va_end(ap);
	net->par[net->n_par] = p;
	return net->n_par++;
}

void
net_param_transpose(struct net *net, int par)
{
	if (par >= 0)
		net->par[par].transposed = true;
}

void
net_param_init(struct net *net, int par, enum net_init init, double scale)
{
	if (par >= 0) {
		net->par[par].init = init;
		net->par[par].scale = scale;
	}
}

int
net_value(struct net *net, int width, bool per_sample, const char *fmt, ...)
{
	struct net_value v = { .width = width, .per_sample = per_sample };
	void *array = net->value;
	va_list ap;

	if (!room(net, &array, &net->cap_value, net->n_value, sizeof *net->value))
		return -1;
	net->value = array;
	va_start(ap, fmt);
	v.name = name_of(net, fmt, ap);
	va_end(ap);
	net->value[net->n_value] = v;
	return net->n_value++;
}

int
net_pixel_value(struct net *net, int width, int rows, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *name = name_of(net, fmt, ap);
	va_end(ap);
	int v = name ? net_value(net, width, false, "%s", name) : -1;
	free(name);
	if (v >= 0)
		net->value[v].rows = rows;
	return v;
}

struct net_op
net_op_init(enum net_kind kind)
{
	struct net_op op = { .kind = kind, .in = { -1, -1, -1, -1 }, .out = -1, .par = { -1, -1, -1, -1 },
		.factor = 1 };

	return op;
}

void
net_append(struct net *net, struct net_op op)
{
	void *array = net->op;

	if (!room(net, &array, &net->cap_op, net->n_op, sizeof *net->op))
		return;
	net->op = array;
	if (op.kind == NET_ATTEND)
		op.dim[ATT_LAYER] = net->layers++;
	net->op[net->n_op++] = op;
}

int
net_append_to(struct net *net, struct net_op op, int out)
{
	op.out = out;
	net_append(net, op);
	return out;
}

struct net_op
net_linear(int x, int w, int bias, int k, int n, enum net_after after)
{
	struct net_op op = net_op_init(NET_LINEAR);

	op.in[IN_X] = x;
	op.par[PAR_W] = w;
	op.par[PAR_BIAS] = bias;
	op.dim[DIM_K] = k;
	op.dim[DIM_N] = n;
	op.after = (uint8_t)after;
	return op;
}

static bool
linear_fits(const struct net *net, const struct net_op *op)
{
	const struct net_value *x = &net->value[op->in[IN_X]];

	if (op->par[PAR_W] < 0 || x->width != op->dim[DIM_K])
		return false;
	if (op->kind == NET_HEAD)
		return op->in[IN_X] == net->feature;
	if (op->out < 0 || net->value[op->out].width != op->dim[DIM_N])
		return false;
	if (op->after == AFTER_GATE_ADD && op->in[IN_RES] < 0)
		return false;
	return op->after != AFTER_ROPE || (op->dim[DIM_HEAD] > 0 && op->dim[DIM_HEAD] % 2 == 0 &&
	                                   op->dim[DIM_N] % (3 * op->dim[DIM_HEAD]) == 0);
}

static int
width_of(const struct net *net, int v)
{
	return v < 0 ? 0 : net->value[v].width;
}

static bool
conv_fits(const struct net *net, const struct net_op *op)
{
	int side = op->dim[CONV_SIDE], made = side, step = op->dim[CONV_STEP], res = op->in[IN_RES];

	if (step == CONV_HALVE)
		made = side / 2;
	else if (step == CONV_DOUBLE)
		made = side * 2;
	if (op->par[PAR_W] < 0 || op->out < 0 || side < 1 || made < 1 ||
		(op->dim[CONV_SIZE] != 1 && op->dim[CONV_SIZE] != 3))
		return false;
	if (op->before != BEFORE_NONE && width_of(net, op->in[IN_MOD]) != 2 * op->dim[CONV_K])
		return false;
	if (op->after == AFTER_ADD && (res < 0 || net->value[res].width != op->dim[CONV_N]))
		return false;
	return width_of(net, op->in[IN_X]) + width_of(net, op->in[IN_CAT]) == op->dim[CONV_K] &&
	       net->value[op->in[IN_X]].rows == side * side && net->value[op->out].rows == made * made &&
	       op->dim[CONV_COLUMN] + op->dim[CONV_N] <= net->value[op->out].width;
}

/* Every value is made before it is read, and shapes agree. */
static bool
op_fits(const struct net *net, const struct net_op *op, const bool *made)
{
	for (int i = 0; i < NET_INS; i++)
		if (op->in[i] >= 0 && !made[op->in[i]])
			return false;
	if (op->kind == NET_LINEAR || op->kind == NET_HEAD)
		return op->in[IN_X] >= 0 && linear_fits(net, op);
	if (op->kind == NET_CONV)
		return op->in[IN_X] >= 0 && conv_fits(net, op);
	if (op->kind == NET_LOGISTIC)
		return op->in[IN_X] == net->feature && net->F == 2;
	return op->out >= 0;
}

enum status
net_finish(struct net *net, struct error *e)
{
	if (net->failed)
		return error_set(e, ST_MEMORY, "out of memory");
	bool *made = mem_calloc((size_t)net->n_value, sizeof *made);
	if (!made)
		return error_set(e, ST_MEMORY, "out of memory");
	const struct net_op *last = net->n_op > 0 ? &net->op[net->n_op - 1] : NULL;
	/* without a head the features are what is wanted (classifiers) */
	bool ok = last && net->feature >= 0 &&
		  (last->kind == NET_HEAD || last->kind == NET_LOGISTIC || last->out == net->feature);
	for (int i = 0; ok && i < net->n_op; i++) {
		ok = op_fits(net, &net->op[i], made);
		if (net->op[i].out >= 0)
			made[net->op[i].out] = true;
	}
	free(made);
	return ok ? ST_OK : error_set(e, ST_FAIL, "the network's description does not fit together");
}

int
net_find_value(const struct net *net, const char *name)
{
	for (int i = 0; i < net->n_value; i++)
		if (strcmp(net->value[i].name, name) == 0)
			return i;
	return -1;
}

int
net_find_param(const struct net *net, const char *name)
{
	for (int i = 0; i < net->n_par; i++)
		if (strcmp(net->par[i].name, name) == 0)
			return i;
	return -1;
}

static void
shape_text(int ndim, const int64_t *dim, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "[");

	for (int i = 0; i < ndim && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%" PRId64, i ? ", " : "", dim[i]);
	if (at < size)
		snprintf(buf + at, size - at, "]");
}

static enum status
check_one(const struct net_param *p, const struct tensor *t, const char *what, struct error *e)
{
	char want[96], have[96];

	if (!t)
		return error_set(e, ST_CKPT, "%s: tensor %s is missing", what, p->name);
	bool same = t->ndim == p->ndim;
	for (int d = 0; same && d < p->ndim; d++)
		same = t->dim[d] == p->dim[d];
	if (!same) {
		shape_text(p->ndim, p->dim, want, sizeof want);
		shape_text(t->ndim, t->dim, have, sizeof have);
		return error_set(e, ST_CKPT, "%s: tensor %s has shape %s, the configuration wants %s", what, p->name,
			have, want);
	}
	if (!dtype_is_float(t->dtype))
		return error_set(e, ST_CKPT, "%s: tensor %s is %s, not a floating-point type", what, p->name,
			dtype_name(t->dtype));
	return ST_OK;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct tensor *const *)a)->name, (*(const struct tensor *const *)b)->name);
}

static const struct tensor *
lookup(const struct tensor **sorted, int n, const char *name)
{
	struct tensor key = { .name = (char *)(uintptr_t)name };
	const struct tensor *k = &key;
	const struct tensor **hit = bsearch(&k, sorted, (size_t)n, sizeof *sorted, by_name);

	return hit ? *hit : NULL;
}

/* The number in "blocks.N.", or -1; *prefix: the length of "blocks.". */
static long
block_of(const char *name, size_t *prefix)
{
	const char *dot = strchr(name, '.');
	char *end;

	if (!dot || dot[1] < '0' || dot[1] > '9')
		return -1;
	long n = strtol(dot + 1, &end, 10);
	*prefix = (size_t)(dot + 1 - name);
	return *end == '.' ? n : -1;
}

/* The highest block of the description whose names begin like this; -1: none. */
static long
last_block(const struct net *net, const char *name, size_t prefix)
{
	long last = -1;

	for (int i = 0; i < net->n_par; i++) {
		size_t n = 0;
		long b = block_of(net->par[i].name, &n);
		if (b > last && n == prefix && strncmp(net->par[i].name, name, prefix) == 0)
			last = b;
	}
	return last;
}

/* A tensor of a block beyond the last one: the configuration counts wrong.
 * Neighbours in a file mostly share their prefix, so it is looked up once. */
static enum status
check_extra(const struct net *net, const struct tensor *t, int n, const char *what, struct error *e)
{
	const char *before = "";
	size_t length = 0;
	long last = -1;

	for (int i = 0; i < n; i++) {
		size_t prefix = 0;
		long b = block_of(t[i].name, &prefix);
		if (b < 0)
			continue;
		if (prefix != length || strncmp(before, t[i].name, prefix) != 0)
			last = last_block(net, t[i].name, prefix);
		before = t[i].name;
		length = prefix;
		if (last >= 0 && b > last)
			return error_set(e, ST_CKPT, "%s: tensor %s, but the configuration has only %ld %.*s", what,
				t[i].name, last + 1, (int)prefix - 1, t[i].name);
	}
	return ST_OK;
}

enum status
net_match(const struct net *net, const struct tensor *t, int n, const char *what, const struct tensor **match,
	struct error *e)
{
	const struct tensor **sorted = mem_calloc((size_t)n, sizeof *sorted);
	enum status st = ST_OK;

	if (!sorted)
		return error_set(e, ST_MEMORY, "out of memory");
	for (int i = 0; i < n; i++)
		sorted[i] = &t[i];
	qsort(sorted, (size_t)n, sizeof *sorted, by_name);
	for (int i = 0; st == ST_OK && i < net->n_par; i++) {
		const struct tensor *hit = lookup(sorted, n, net->par[i].name);
		st = check_one(&net->par[i], hit, what, e);
		if (match)
			match[i] = hit;
	}
	free(sorted);
	return st == ST_OK ? check_extra(net, t, n, what, e) : st;
}

uint64_t
net_par_numel(const struct net_param *p)
{
	uint64_t n = 1;

	for (int d = 0; d < p->ndim; d++)
		n *= (uint64_t)p->dim[d];
	return n;
}

uint64_t
net_parameters(const struct net *net)
{
	uint64_t sum = 0;

	for (int i = 0; i < net->n_par; i++)
		sum += net_par_numel(&net->par[i]);
	return sum;
}
