/*
 * unpickle.c: the opcodes of a pickle, one small function each, after Python's
 * Lib/pickletools.py.  See pickle.h.
 *
 * The stack holds numbers of values.  An opcode may not reach below the last
 * mark.  A call (REDUCE, INST, OBJ, NEWOBJ) gives an inert object, except for
 * dict, OrderedDict, defaultdict, AttributeDict, set and frozenset, which are
 * plain containers, and _codecs.encode(text, 'latin1'), which is how protocol
 * 2 writes bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/unpickle_impl.h"

#define INPUT_MAX ((size_t)1 << 30)

void
pr_report(struct reader *r, enum status code, const char *why)
{
	if (code == ST_MEMORY)
		error_set(r->e, code, "%s", why);
	else
		error_set(r->e, code, "pickle, byte %zu: %s", (size_t)(r->at - r->p->in), why);
}

bool
pr_push(struct reader *r, pk v)
{
	pk *q = mem_grow(r->stack, &r->depth_cap, r->depth + 1, sizeof *q);

	if (!q || v == PK_ABSENT)
		return pr_no_memory(r);
	r->stack = q;
	q[r->depth++] = v;
	return true;
}

/* Are there n values above the last mark? */
bool
pr_need(struct reader *r, size_t n)
{
	size_t floor = r->marks ? r->mark[r->marks - 1] : 0;

	return r->depth - floor >= n || pr_fail(r, "the stack is empty");
}

static pk
top(const struct reader *r)
{
	return r->stack[r->depth - 1];
}

bool
pr_take_mark(struct reader *r, size_t *from)
{
	if (!r->marks)
		return pr_fail(r, "no mark");
	*from = r->mark[--r->marks];
	return true;
}

/* ---- containers ---- */

static bool
op_empty_tuple(struct reader *r)
{
	return pr_push(r, PK_EMPTY);
}

static bool
op_empty_list(struct reader *r)
{
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_LIST }));
}

static bool
op_empty_dict(struct reader *r)
{
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_DICT }));
}

static bool
op_empty_set(struct reader *r)
{
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_SET }));
}

/* The values from stack[from] on become one container. */
bool
pr_gather(struct reader *r, enum pk_type type, size_t from)
{
	size_t n = r->depth - from;
	pk v = !n && type == PK_TUPLE ? PK_EMPTY : pickle_add_items(r->p, type, r->stack + from, n);

	r->depth = from;
	return pr_push(r, v);
}

static bool
op_tuple1(struct reader *r)
{
	return pr_need(r, 1) && pr_gather(r, PK_TUPLE, r->depth - 1);
}

static bool
op_tuple2(struct reader *r)
{
	return pr_need(r, 2) && pr_gather(r, PK_TUPLE, r->depth - 2);
}

static bool
op_tuple3(struct reader *r)
{
	return pr_need(r, 3) && pr_gather(r, PK_TUPLE, r->depth - 3);
}

static bool
op_tuple(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && pr_gather(r, PK_TUPLE, from);
}

static bool
op_list(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && pr_gather(r, PK_LIST, from);
}

static bool
op_frozenset(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && pr_gather(r, PK_SET, from);
}

/* Put the values from stack[from] on into the container below them. */
static bool
fill(struct reader *r, enum pk_type type, size_t from)
{
	size_t floor = r->marks ? r->mark[r->marks - 1] : 0, n = r->depth - from, per = type == PK_DICT ? 2 : 1;

	if (from <= floor)
		return pr_fail(r, "nothing to put a value into");
	pk box = r->stack[from - 1];
	struct pk_value *v = &r->p->value[box];
	if (v->type != type && v->type != PK_OBJECT)
		return pr_fail(r, "a value is put into something that holds none");
	if (n % per)
		return pr_fail(r, "a key without a value");
	for (size_t i = 0; type == PK_DICT && i < n; i += 2) {
		enum pk_type k = pk_type(r->p, r->stack[from + i]);

		if (k == PK_LIST || k == PK_DICT || k == PK_SET)
			return pr_fail(r, "a key that cannot be one");
	}
	/* An inert object stays as it is; so does a set made by a call. */
	bool inert = v->type == PK_OBJECT || (type == PK_SET && v->flag & FLAG_CALLED);
	if (!inert && !pickle_append(r->p, box, r->stack + from, n / per))
		return pr_no_memory(r);
	r->depth = from;
	return true;
}

static bool
op_append(struct reader *r)
{
	return pr_need(r, 2) && fill(r, PK_LIST, r->depth - 1);
}

static bool
op_appends(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && fill(r, PK_LIST, from);
}

static bool
op_setitem(struct reader *r)
{
	return pr_need(r, 3) && fill(r, PK_DICT, r->depth - 2);
}

static bool
op_setitems(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && fill(r, PK_DICT, from);
}

static bool
op_additems(struct reader *r)
{
	size_t from;

	return pr_take_mark(r, &from) && fill(r, PK_SET, from);
}

static bool
op_dict(struct reader *r)
{
	size_t from;

	if (!pr_take_mark(r, &from))
		return false;
	size_t n = r->depth - from;
	if (n % 2)
		return pr_fail(r, "a key without a value");
	pk v = pickle_add(r->p, (struct pk_value){ .type = PK_DICT });
	if (v == PK_ABSENT || !pickle_append(r->p, v, r->stack + from, n / 2))
		return pr_no_memory(r);
	r->depth = from;
	return pr_push(r, v);
}

/* ---- stack and memo ---- */

static bool
op_mark(struct reader *r)
{
	uint32_t *q = mem_grow(r->mark, &r->marks_cap, r->marks + 1, sizeof *q);

	if (!q)
		return pr_no_memory(r);
	r->mark = q;
	q[r->marks++] = (uint32_t)r->depth;
	return true;
}

static bool
op_pop(struct reader *r)
{
	if (r->marks && r->mark[r->marks - 1] == r->depth) {
		r->marks--;
		return true;
	}
	if (!pr_need(r, 1))
		return false;
	r->depth--;
	return true;
}

static bool
op_pop_mark(struct reader *r)
{
	return pr_take_mark(r, &r->depth);
}

static bool
op_dup(struct reader *r)
{
	return pr_need(r, 1) && pr_push(r, top(r));
}

/* A memo number is below the size of the input: writers count from 0. */
static bool
memo_put(struct reader *r, uint64_t i)
{
	if (!pr_need(r, 1))
		return false;
	if (i > r->p->in_bytes)
		return pr_fail(r, "a memo number beyond the size of the file");
	pk *q = mem_grow(r->memo, &r->memo_cap, (size_t)i + 1, sizeof *q);
	if (!q)
		return pr_no_memory(r);
	r->memo = q;
	while (r->memo_n <= i)
		q[r->memo_n++] = PK_ABSENT;
	r->memo_count += q[i] == PK_ABSENT;
	q[i] = top(r);
	return true;
}

static bool
memo_get(struct reader *r, uint64_t i)
{
	if (i >= r->memo_n || r->memo[i] == PK_ABSENT)
		return pr_fail(r, "a memo number that was never stored");
	return pr_push(r, r->memo[i]);
}

static bool
memo_line(struct reader *r, uint64_t *i)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!pr_line(r, &s, &n) || !pr_integer(r, s, n, &x, &fits))
		return false;
	*i = (uint64_t)x;
	return x >= 0 || pr_fail(r, "a negative memo number");
}

static bool
op_put(struct reader *r)
{
	uint64_t i;

	return memo_line(r, &i) && memo_put(r, i);
}

static bool
op_binput(struct reader *r)
{
	uint64_t i;

	return pr_number(r, 1, &i) && memo_put(r, i);
}

static bool
op_long_binput(struct reader *r)
{
	uint64_t i;

	return pr_number(r, 4, &i) && memo_put(r, i);
}

static bool
op_memoize(struct reader *r)
{
	return memo_put(r, r->memo_count);
}

static bool
op_get(struct reader *r)
{
	uint64_t i;

	return memo_line(r, &i) && memo_get(r, i);
}

static bool
op_binget(struct reader *r)
{
	uint64_t i;

	return pr_number(r, 1, &i) && memo_get(r, i);
}

static bool
op_long_binget(struct reader *r)
{
	uint64_t i;

	return pr_number(r, 4, &i) && memo_get(r, i);
}

static bool
op_proto(struct reader *r)
{
	uint64_t v;

	return pr_number(r, 1, &v) && (v <= 5 || pr_fail(r, "an unknown protocol"));
}

static bool
op_frame(struct reader *r)
{
	uint64_t n;

	return pr_number(r, 8, &n) && (n <= (size_t)(r->end - r->at) || pr_fail(r, "a frame runs over the end"));
}

static bool
op_stop(struct reader *r)
{
	if (!pr_need(r, 1))
		return false;
	r->p->root = top(r);
	r->stop = true;
	return true;
}

static bool (*const opcode[256])(struct reader *) = {
	['('] = op_mark, ['.'] = op_stop, ['0'] = op_pop, ['1'] = op_pop_mark, ['2'] = op_dup, ['F'] = op_float,
	['I'] = op_int, ['J'] = op_binint, ['K'] = op_binint1, ['L'] = op_long, ['M'] = op_binint2, ['N'] = op_none,
	['P'] = op_persid, ['Q'] = op_binpersid, ['R'] = op_reduce, ['S'] = op_string, ['T'] = op_binstring,
	['U'] = op_short_binstring, ['V'] = op_unicode, ['X'] = op_binunicode, ['a'] = op_append, ['b'] = op_build,
	['c'] = op_global, ['d'] = op_dict, ['}'] = op_empty_dict, ['e'] = op_appends, ['g'] = op_get,
	['h'] = op_binget, ['i'] = op_inst, ['j'] = op_long_binget, ['l'] = op_list, [']'] = op_empty_list,
	['o'] = op_obj, ['p'] = op_put, ['q'] = op_binput, ['r'] = op_long_binput, ['s'] = op_setitem,
	['t'] = op_tuple, [')'] = op_empty_tuple, ['u'] = op_setitems, ['G'] = op_binfloat, ['B'] = op_binbytes,
	['C'] = op_short_binbytes,
	[0x80] = op_proto, [0x81] = op_reduce, [0x82] = op_ext, [0x83] = op_ext, [0x84] = op_ext, [0x85] = op_tuple1,
	[0x86] = op_tuple2, [0x87] = op_tuple3, [0x88] = op_true, [0x89] = op_false, [0x8a] = op_long1,
	[0x8b] = op_long4, [0x8c] = op_short_binunicode, [0x8d] = op_binunicode8, [0x8e] = op_binbytes8,
	[0x8f] = op_empty_set, [0x90] = op_additems, [0x91] = op_frozenset, [0x92] = op_newobj_ex,
	[0x93] = op_stack_global, [0x94] = op_memoize, [0x95] = op_frame, [0x96] = op_binbytes8, [0x97] = op_buffer,
	[0x98] = op_buffer,
};

static bool
run(struct reader *r)
{
	while (!r->stop) {
		if (r->at == r->end)
			return pr_fail(r, "no end (the file is cut short)");
		bool (*op)(struct reader *) = opcode[*r->at];
		if (!op)
			return pr_fail(r, "an unknown opcode");
		r->at++;
		if (!op(r))
			return false;
	}
	return true;
}

enum status
pickle_read(const uint8_t *p, size_t bytes, struct pickle **out, struct error *e)
{
	struct error mine = { .code = ST_OK };
	struct reader r = { .at = p, .end = p + bytes, .e = e ? e : &mine };

	*out = NULL;
	if (bytes > INPUT_MAX)
		return error_set(e, ST_CKPT, "pickle: larger than %zu MB", INPUT_MAX >> 20);
	r.p = pickle_new(p, bytes);
	bool ok = r.p ? run(&r) : pr_no_memory(&r);
	free(r.stack);
	free(r.mark);
	free(r.memo);
	if (ok) {
		*out = r.p;
		return ST_OK;
	}
	pickle_free(r.p);
	return r.e->code;
}
