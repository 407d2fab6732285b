/*
 * unpickle_call.c: classes, and the objects that calling them leaves.  Nothing
 * is called.  See unpickle_impl.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/unpickle_impl.h"

static bool
push_global(struct reader *r, pk module, pk name)
{
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_GLOBAL, .a = module, .b = name }));
}

/* Two lines: module and name; their values go onto the stack. */
bool
op_global(struct reader *r)
{
	for (int i = 0; i < 2; i++) {
		const char *s;
		size_t n;

		if (!pr_line(r, &s, &n))
			return false;
		if (!pr_text_ok((const uint8_t *)s, n))
			return pr_fail(r, "a name that is not UTF-8");
		if (!pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_STR, .n = (uint32_t)n,
		    .a = (uint32_t)((const uint8_t *)s - r->p->in) })))
			return false;
	}
	r->depth -= 2;
	return push_global(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

bool
op_stack_global(struct reader *r)
{
	if (!pr_need(r, 2))
		return false;
	pk name = r->stack[r->depth - 1], module = r->stack[r->depth - 2];
	if (pk_type(r->p, name) != PK_STR || pk_type(r->p, module) != PK_STR)
		return pr_fail(r, "the name of a class is no text");
	r->depth -= 2;
	return push_global(r, module, name);
}

/* Take n from what may be copied from one value to another, so that a file
 * cannot multiply a value it holds once. */
static bool
spend(struct reader *r, size_t n)
{
	if (n > r->p->budget)
		return pr_fail(r, "values are copied beyond the size of the file");
	r->p->budget -= n;
	return true;
}

/* _codecs.encode(text, 'latin1') as bytes; PK_ABSENT: not that, or not Latin-1. */
static bool
latin1(struct reader *r, pk args, pk *out)
{
	size_t n, k = 0;

	*out = PK_NONE;
	if (pk_count(r->p, args) != 2 || pk_type(r->p, pk_item(r->p, args, 0)) != PK_STR ||
	    !pk_is(r->p, pk_item(r->p, args, 1), "latin1"))
		return true;
	const char *s = pk_text(r->p, pk_item(r->p, args, 0), &n);
	if (!spend(r, n))
		return false;
	char *buf = malloc(n + 1);
	if (!buf)
		return pr_no_memory(r);
	for (size_t i = 0; i < n; k++) {
		uint8_t c = (uint8_t)s[i];

		if (c < 0x80) {
			buf[k] = s[i++];
		} else if ((c == 0xc2 || c == 0xc3) && i + 1 < n) {
			buf[k] = (char)((c & 3) << 6 | (s[i + 1] & 0x3f));
			i += 2;
		} else {
			free(buf);
			return true;
		}
	}
	*out = pickle_add_text(r->p, PK_BYTES, buf, k);
	free(buf);
	return *out != PK_ABSENT || pr_no_memory(r);
}

static bool
is_dict_class(const struct pickle *p, pk c)
{
	return pk_global_is(p, c, "collections", "OrderedDict") || pk_global_is(p, c, "collections", "defaultdict") ||
	    pk_global_is(p, c, "builtins", "dict") || pk_global_is(p, c, "__builtin__", "dict") ||
	    pk_is(p, pk_global_name(p, c), "AttributeDict");
}

static bool
is_set_class(const struct pickle *p, pk c)
{
	return (pk_is(p, pk_global_module(p, c), "builtins") || pk_is(p, pk_global_module(p, c), "__builtin__")) &&
	    (pk_is(p, pk_global_name(p, c), "set") || pk_is(p, pk_global_name(p, c), "frozenset"));
}

/* OrderedDict([[key, value], ...]) as Python 2 wrote it, or dict({...}). */
static bool
new_dict(struct reader *r, pk args)
{
	struct pickle *p = r->p;
	pk v = pickle_add(p, (struct pk_value){ .type = PK_DICT, .flag = FLAG_CALLED });
	pk from = pk_count(p, args) ? pk_item(p, args, 0) : PK_NONE;
	size_t n = pk_count(p, from);

	if (v == PK_ABSENT)
		return pr_no_memory(r);
	if (!spend(r, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		pk e = pk_item(p, from, i), pair[2] = { PK_NONE, e };

		if (pk_type(p, from) == PK_DICT) {
			pair[0] = pk_key(p, from, i);
		} else if (pk_count(p, e) == 2 && pk_type(p, e) != PK_DICT) {
			pair[0] = pk_item(p, e, 0);
			pair[1] = pk_item(p, e, 1);
		} else {
			return pr_fail(r, "a dict is made of something else than pairs");
		}
		if (!pickle_append(p, v, pair, 1))
			return pr_no_memory(r);
	}
	return pr_push(r, v);
}

/* A set shares the entries of the list it is made from. */
static bool
new_set(struct reader *r, pk args)
{
	pk from = pk_count(r->p, args) ? pk_item(r->p, args, 0) : PK_EMPTY;
	struct pk_value v = r->p->value[from];

	if (v.type != PK_LIST && v.type != PK_TUPLE)
		v = (struct pk_value){ .n = 0 };
	v.type = PK_SET;
	v.flag = FLAG_CALLED;
	return pr_push(r, pickle_add(r->p, v));
}

static bool
call(struct reader *r, pk callable, pk args)
{
	enum pk_type t = pk_type(r->p, callable);
	pk v;

	if (t != PK_GLOBAL && t != PK_OBJECT)
		return pr_fail(r, "something is called that is no function");
	if (pk_type(r->p, args) != PK_TUPLE)
		return pr_fail(r, "the arguments of a call are no tuple");
	if (is_dict_class(r->p, callable))
		return new_dict(r, args);
	if (is_set_class(r->p, callable))
		return new_set(r, args);
	if (pk_global_is(r->p, callable, "_codecs", "encode")) {
		if (!latin1(r, args, &v))
			return false;
		if (v != PK_NONE)
			return pr_push(r, v);
	}
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_OBJECT, .n = PK_NONE, .a = callable,
	    .b = args }));
}

bool
op_reduce(struct reader *r)          /* also NEWOBJ */
{
	if (!pr_need(r, 2))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

bool
op_newobj_ex(struct reader *r)
{
	if (!pr_need(r, 3))
		return false;
	if (pk_type(r->p, r->stack[r->depth - 1]) != PK_DICT)
		return pr_fail(r, "the named arguments of a call are no dict");
	r->depth -= 3;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

bool
op_inst(struct reader *r)
{
	size_t from;

	if (!pr_take_mark(r, &from) || !pr_gather(r, PK_TUPLE, from) || !op_global(r))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth + 1], r->stack[r->depth]);
}

bool
op_obj(struct reader *r)
{
	size_t from;

	if (!pr_take_mark(r, &from))
		return false;
	if (r->depth == from)
		return pr_fail(r, "the stack is empty");
	if (!pr_gather(r, PK_TUPLE, from + 1))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

bool
op_build(struct reader *r)
{
	if (!pr_need(r, 2))
		return false;
	pk state = r->stack[--r->depth];
	struct pk_value *v = &r->p->value[r->stack[r->depth - 1]];
	if (v->type == PK_OBJECT)
		v->n = state;
	else if (v->type != PK_DICT || !(v->flag & FLAG_CALLED))     /* state_dict's _metadata: not needed */
		return pr_fail(r, "a state is set on something that has none");
	return true;
}

bool
op_binpersid(struct reader *r)
{
	if (!pr_need(r, 1))
		return false;
	pk id = r->stack[--r->depth];
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_PERSISTENT, .a = id }));
}

bool
op_persid(struct reader *r)
{
	const char *s;
	size_t n;

	if (!pr_line(r, &s, &n))
		return false;
	pk id = pickle_add_text(r->p, PK_BYTES, s, n);
	return id != PK_ABSENT ? pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_PERSISTENT, .a = id }))
	    : pr_no_memory(r);
}

bool
op_ext(struct reader *r)
{
	return pr_fail(r, "an extension code, which only the writer knows");
}

bool
op_buffer(struct reader *r)
{
	return pr_fail(r, "a buffer that is not in the file");
}
