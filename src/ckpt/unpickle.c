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
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/mem.h"
#include "ckpt/pickle_impl.h"

#define INPUT_MAX ((size_t)1 << 30)
#define LINE_MAX_BYTES 4096          /* of an opcode whose argument is a line of text that holds a number */

struct reader {
	struct pickle *p;
	const uint8_t *at, *end;
	pk *stack;
	size_t depth, depth_cap;
	uint32_t *mark;              /* depths of the stack */
	size_t marks, marks_cap;
	pk *memo;                    /* PK_ABSENT: never stored */
	size_t memo_n, memo_cap, memo_count;
	bool stop;
	struct error *e;
};

static bool
fail(struct reader *r, const char *why)
{
	error_set(r->e, ST_CKPT, "pickle: %s at byte %zu", why, (size_t)(r->at - r->p->in));
	return false;
}

static bool
no_memory(struct reader *r)
{
	error_set(r->e, ST_MEMORY, "out of memory");
	return false;
}

static bool
push(struct reader *r, pk v)
{
	pk *q = mem_grow(r->stack, &r->depth_cap, r->depth + 1, sizeof *q);

	if (!q || v == PK_ABSENT)
		return no_memory(r);
	r->stack = q;
	q[r->depth++] = v;
	return true;
}

/* Are there n values above the last mark? */
static bool
need(struct reader *r, size_t n)
{
	size_t floor = r->marks ? r->mark[r->marks - 1] : 0;

	return r->depth - floor >= n || fail(r, "the stack is empty");
}

static pk
top(const struct reader *r)
{
	return r->stack[r->depth - 1];
}

static bool
take_mark(struct reader *r, size_t *from)
{
	if (!r->marks)
		return fail(r, "no mark");
	*from = r->mark[--r->marks];
	return true;
}

/* ---- arguments ---- */

static bool
bytes_arg(struct reader *r, size_t n, const uint8_t **out)
{
	if ((size_t)(r->end - r->at) < n)
		return fail(r, "an argument runs over the end");
	*out = r->at;
	r->at += n;
	return true;
}

/* A little-endian number of n bytes. */
static bool
number_arg(struct reader *r, int n, uint64_t *out)
{
	const uint8_t *b;

	if (!bytes_arg(r, (size_t)n, &b))
		return false;
	*out = 0;
	for (int i = n - 1; i >= 0; i--)
		*out = *out << 8 | b[i];
	return true;
}

static bool
line_arg(struct reader *r, const char **s, size_t *n)
{
	const uint8_t *nl = memchr(r->at, '\n', (size_t)(r->end - r->at));

	if (!nl)
		return fail(r, "a line without an end");
	*s = (const char *)r->at;
	*n = (size_t)(nl - r->at);
	r->at = nl + 1;
	return true;
}

/* A line as a whole number; *fits false: a number, but beyond 64 bits. */
static bool
integer_line(struct reader *r, const char *s, size_t n, int64_t *out, bool *fits)
{
	char buf[LINE_MAX_BYTES + 1], *stop;

	if (n == 0 || n > LINE_MAX_BYTES || memchr(s, '\0', n) || (*s != '-' && *s != '+' && (*s < '0' || *s > '9')))
		return fail(r, "a text that is no number");
	memcpy(buf, s, n);
	buf[n] = '\0';
	errno = 0;
	*out = strtoll(buf, &stop, 10);
	*fits = errno != ERANGE;
	return (stop != buf && *stop == '\0') || fail(r, "a text that is no number");
}

/* ---- constants ---- */

static bool
op_none(struct reader *r)
{
	return push(r, PK_NONE);
}

static bool
op_true(struct reader *r)
{
	return push(r, PK_TRUE);
}

static bool
op_false(struct reader *r)
{
	return push(r, PK_FALSE);
}

static bool
op_binint(struct reader *r)
{
	uint64_t x;

	return number_arg(r, 4, &x) && push(r, pickle_add_int(r->p, (int32_t)(uint32_t)x));
}

static bool
op_binint1(struct reader *r)
{
	uint64_t x;

	return number_arg(r, 1, &x) && push(r, pickle_add_int(r->p, (int64_t)x));
}

static bool
op_binint2(struct reader *r)
{
	uint64_t x;

	return number_arg(r, 2, &x) && push(r, pickle_add_int(r->p, (int64_t)x));
}

static bool
op_int(struct reader *r)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!line_arg(r, &s, &n))
		return false;
	if (n == 2 && s[0] == '0' && (s[1] == '0' || s[1] == '1'))
		return push(r, s[1] == '1' ? PK_TRUE : PK_FALSE);
	return integer_line(r, s, n, &x, &fits) &&
	    push(r, fits ? pickle_add_int(r->p, x) : pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
}

static bool
op_long(struct reader *r)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!line_arg(r, &s, &n))
		return false;
	if (n && s[n - 1] == 'L')
		n--;
	return integer_line(r, s, n, &x, &fits) &&
	    push(r, fits ? pickle_add_int(r->p, x) : pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
}

/* Two's complement, little-endian, n bytes. */
static bool
long_bytes(struct reader *r, size_t n)
{
	const uint8_t *b;
	uint64_t x = 0;

	if (!bytes_arg(r, n, &b))
		return false;
	uint8_t sign = n && b[n - 1] & 0x80 ? 0xff : 0;
	for (size_t i = 8; i < n; i++)
		if (b[i] != sign || (b[7] & 0x80) != (sign & 0x80))
			return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
	for (size_t i = 8; i-- > 0;)
		x = x << 8 | (i < n ? b[i] : sign);
	return push(r, pickle_add_int(r->p, (int64_t)x));
}

static bool
op_long1(struct reader *r)
{
	uint64_t n;

	return number_arg(r, 1, &n) && long_bytes(r, (size_t)n);
}

static bool
op_long4(struct reader *r)
{
	uint64_t n;

	if (!number_arg(r, 4, &n))
		return false;
	return n <= INT32_MAX ? long_bytes(r, (size_t)n) : fail(r, "a negative length");
}

static bool
op_float(struct reader *r)
{
	const char *s;
	char buf[64], *stop, *dot;
	size_t n;

	if (!line_arg(r, &s, &n))
		return false;
	if (n == 0 || n >= sizeof buf || memchr(s, '\0', n))
		return fail(r, "a text that is no number");
	memcpy(buf, s, n);
	buf[n] = '\0';
	dot = strchr(buf, '.');
	if (dot)                         /* strtod follows the locale, pickles do not */
		*dot = *localeconv()->decimal_point;
	double f = strtod(buf, &stop);
	if (stop == buf || *stop)
		return fail(r, "a text that is no number");
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_FLOAT, .f = f }));
}

static bool
op_binfloat(struct reader *r)
{
	const uint8_t *b;
	uint64_t bits = 0;
	struct pk_value v = { .type = PK_FLOAT };

	if (!bytes_arg(r, 8, &b))
		return false;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | b[i];
	memcpy(&v.f, &bits, 8);
	return push(r, pickle_add(r->p, v));
}

/* ---- texts ---- */

/* UTF-8 as Python writes it: surrogates may stand alone. */
static bool
text_ok(const uint8_t *s, size_t n)
{
	for (;;) {
		const uint8_t *bad = u8_check(s, n);

		if (!bad)
			return true;
		n -= (size_t)(bad - s);
		if (n < 3 || bad[0] != 0xed || bad[1] < 0xa0 || bad[1] > 0xbf || (bad[2] & 0xc0) != 0x80)
			return false;
		s = bad + 3;
		n -= 3;
	}
}

static bool
push_text(struct reader *r, enum pk_type type, uint64_t n)
{
	const uint8_t *b = r->at;

	if (n > (size_t)(r->end - r->at))
		return fail(r, "a text runs over the end");
	r->at += n;
	if (type == PK_STR && !text_ok(b, (size_t)n))
		return fail(r, "a text that is not UTF-8");
	return push(r, pickle_add(r->p, (struct pk_value){ .type = (uint8_t)type, .n = (uint32_t)n,
	    .a = (uint32_t)(b - r->p->in) }));
}

static bool
sized_text(struct reader *r, enum pk_type type, int length_bytes)
{
	uint64_t n;

	return number_arg(r, length_bytes, &n) && push_text(r, type, n);
}

static bool
op_short_binunicode(struct reader *r)
{
	return sized_text(r, PK_STR, 1);
}

static bool
op_binunicode(struct reader *r)
{
	return sized_text(r, PK_STR, 4);
}

static bool
op_binunicode8(struct reader *r)
{
	return sized_text(r, PK_STR, 8);
}

static bool
op_short_binbytes(struct reader *r)
{
	return sized_text(r, PK_BYTES, 1);
}

static bool
op_binbytes(struct reader *r)
{
	return sized_text(r, PK_BYTES, 4);
}

static bool
op_binbytes8(struct reader *r)      /* also BYTEARRAY8 */
{
	return sized_text(r, PK_BYTES, 8);
}

/* Strings of Python 2: text where they are ASCII, else bytes. */
static bool
old_string(struct reader *r, uint64_t n)
{
	bool ascii = n <= (size_t)(r->end - r->at);

	for (uint64_t i = 0; ascii && i < n; i++)
		ascii = r->at[i] < 0x80;
	return push_text(r, ascii ? PK_STR : PK_BYTES, n);
}

static bool
op_binstring(struct reader *r)
{
	uint64_t n;

	if (!number_arg(r, 4, &n))
		return false;
	return n <= INT32_MAX ? old_string(r, n) : fail(r, "a negative length");
}

static bool
op_short_binstring(struct reader *r)
{
	uint64_t n;

	return number_arg(r, 1, &n) && old_string(r, n);
}

static int
hex_digits(const char *s, const char *end, int n, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		const char *k = s + i < end && s[i] ? strchr("0123456789abcdefABCDEF", s[i]) : NULL;

		if (!k)
			return 0;
		*out = *out << 4 | (uint32_t)((*k | 32) >= 'a' ? (*k | 32) - 'a' + 10 : *k - '0');
	}
	return n;
}

/* One escape of a Python 2 string literal: *s behind the backslash. */
static bool
unescape(const char **s, const char *end, char *out)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *k = **s ? strchr(from, **s) : NULL;
	uint32_t x = 0;

	if (k) {
		(*s)++;
		*out = to[k - from];
		return true;
	}
	if (**s == 'x') {
		int n = hex_digits(*s + 1, end, 2, &x);

		*s += 1 + n;
		*out = (char)x;
		return n == 2;
	}
	int n = 0;
	for (; n < 3 && *s < end && **s >= '0' && **s <= '7'; n++)
		x = x << 3 | (uint32_t)(*(*s)++ - '0');
	*out = (char)x;
	return n > 0;
}

static bool
op_string(struct reader *r)
{
	const char *s, *end;
	size_t n, k = 0;
	bool ascii = true;

	if (!line_arg(r, &s, &n))
		return false;
	if (n < 2 || (*s != '\'' && *s != '"') || s[n - 1] != *s)
		return fail(r, "a string without quotes");
	end = s + n - 1;
	char *buf = malloc(n);
	if (!buf)
		return no_memory(r);
	for (s++; s < end; k++) {
		buf[k] = *s++;
		if (buf[k] == '\\' && (s == end || !unescape(&s, end, &buf[k]))) {
			free(buf);
			return fail(r, "a bad escape in a string");
		}
		ascii &= !(buf[k] & 0x80);
	}
	pk v = pickle_add_text(r->p, ascii ? PK_STR : PK_BYTES, buf, k);
	free(buf);
	return push(r, v);
}

/* UNICODE: raw-unicode-escape, that is Latin-1 with \uXXXX and \UXXXXXXXX. */
static bool
op_unicode(struct reader *r)
{
	const char *s, *end;
	size_t n, k = 0;
	uint32_t x;

	if (!line_arg(r, &s, &n))
		return false;
	uint8_t *buf = malloc(2 * n + 1);
	if (!buf)
		return no_memory(r);
	for (end = s + n; s < end;) {
		int digits = 0, w;

		if (*s == '\\' && s + 1 < end && (s[1] == 'u' || s[1] == 'U'))
			digits = hex_digits(s + 2, end, s[1] == 'u' ? 4 : 8, &x);
		if (!digits)
			x = (uint8_t)*s;
		s += digits ? digits + 2 : 1;
		w = u8_uctomb(buf + k, x, (ptrdiff_t)(2 * n + 1 - k));
		if (w < 0) {                 /* a surrogate or beyond Unicode */
			free(buf);
			return fail(r, "a bad escape in a text");
		}
		k += (size_t)w;
	}
	pk v = pickle_add_text(r->p, PK_STR, (char *)buf, k);
	free(buf);
	return push(r, v);
}

/* ---- containers ---- */

static bool
op_empty_tuple(struct reader *r)
{
	return push(r, PK_EMPTY);
}

static bool
op_empty_list(struct reader *r)
{
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_LIST }));
}

static bool
op_empty_dict(struct reader *r)
{
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_DICT }));
}

static bool
op_empty_set(struct reader *r)
{
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_SET }));
}

/* The values from stack[from] on become one container. */
static bool
gather(struct reader *r, enum pk_type type, size_t from)
{
	size_t n = r->depth - from;
	pk v = !n && type == PK_TUPLE ? PK_EMPTY : pickle_add_items(r->p, type, r->stack + from, n);

	r->depth = from;
	return push(r, v);
}

static bool
op_tuple1(struct reader *r)
{
	return need(r, 1) && gather(r, PK_TUPLE, r->depth - 1);
}

static bool
op_tuple2(struct reader *r)
{
	return need(r, 2) && gather(r, PK_TUPLE, r->depth - 2);
}

static bool
op_tuple3(struct reader *r)
{
	return need(r, 3) && gather(r, PK_TUPLE, r->depth - 3);
}

static bool
op_tuple(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && gather(r, PK_TUPLE, from);
}

static bool
op_list(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && gather(r, PK_LIST, from);
}

static bool
op_frozenset(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && gather(r, PK_SET, from);
}

/* Put the values from stack[from] on into the container below them. */
static bool
fill(struct reader *r, enum pk_type type, size_t from)
{
	size_t floor = r->marks ? r->mark[r->marks - 1] : 0, n = r->depth - from, per = type == PK_DICT ? 2 : 1;

	if (from <= floor)
		return fail(r, "nothing to put a value into");
	pk box = r->stack[from - 1];
	struct pk_value *v = &r->p->value[box];
	if (v->type != type && v->type != PK_OBJECT)
		return fail(r, "a value is put into something that holds none");
	if (n % per)
		return fail(r, "a key without a value");
	for (size_t i = 0; type == PK_DICT && i < n; i += 2) {
		enum pk_type k = pk_type(r->p, r->stack[from + i]);

		if (k == PK_LIST || k == PK_DICT || k == PK_SET)
			return fail(r, "a key that cannot be one");
	}
	/* An inert object stays as it is; so does a set made by a call. */
	bool inert = v->type == PK_OBJECT || (type == PK_SET && v->flag & FLAG_CALLED);
	if (!inert && !pickle_append(r->p, box, r->stack + from, n / per))
		return no_memory(r);
	r->depth = from;
	return true;
}

static bool
op_append(struct reader *r)
{
	return need(r, 2) && fill(r, PK_LIST, r->depth - 1);
}

static bool
op_appends(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && fill(r, PK_LIST, from);
}

static bool
op_setitem(struct reader *r)
{
	return need(r, 3) && fill(r, PK_DICT, r->depth - 2);
}

static bool
op_setitems(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && fill(r, PK_DICT, from);
}

static bool
op_additems(struct reader *r)
{
	size_t from;

	return take_mark(r, &from) && fill(r, PK_SET, from);
}

static bool
op_dict(struct reader *r)
{
	size_t from;

	if (!take_mark(r, &from))
		return false;
	size_t n = r->depth - from;
	if (n % 2)
		return fail(r, "a key without a value");
	pk v = pickle_add(r->p, (struct pk_value){ .type = PK_DICT });
	if (v == PK_ABSENT || !pickle_append(r->p, v, r->stack + from, n / 2))
		return no_memory(r);
	r->depth = from;
	return push(r, v);
}

/* ---- classes and calls ---- */

static bool
push_global(struct reader *r, pk module, pk name)
{
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_GLOBAL, .a = module, .b = name }));
}

/* Two lines: module and name; their values go onto the stack. */
static bool
push_global_lines(struct reader *r)
{
	for (int i = 0; i < 2; i++) {
		const char *s;
		size_t n;

		if (!line_arg(r, &s, &n))
			return false;
		if (!text_ok((const uint8_t *)s, n))
			return fail(r, "a name that is not UTF-8");
		if (!push(r, pickle_add(r->p, (struct pk_value){ .type = PK_STR, .n = (uint32_t)n,
		    .a = (uint32_t)((const uint8_t *)s - r->p->in) })))
			return false;
	}
	r->depth -= 2;
	return push_global(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

static bool
op_stack_global(struct reader *r)
{
	if (!need(r, 2))
		return false;
	pk name = r->stack[r->depth - 1], module = r->stack[r->depth - 2];
	if (pk_type(r->p, name) != PK_STR || pk_type(r->p, module) != PK_STR)
		return fail(r, "the name of a class is no text");
	r->depth -= 2;
	return push_global(r, module, name);
}

/* Take n from what may be copied from one value to another, so that a file
 * cannot multiply a value it holds once. */
static bool
spend(struct reader *r, size_t n)
{
	if (n > r->p->budget)
		return fail(r, "values are copied beyond the size of the file");
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
		return no_memory(r);
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
	return *out != PK_ABSENT || no_memory(r);
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
		return no_memory(r);
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
			return fail(r, "a dict is made of something else than pairs");
		}
		if (!pickle_append(p, v, pair, 1))
			return no_memory(r);
	}
	return push(r, v);
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
	return push(r, pickle_add(r->p, v));
}

static bool
call(struct reader *r, pk callable, pk args)
{
	enum pk_type t = pk_type(r->p, callable);
	pk v;

	if (t != PK_GLOBAL && t != PK_OBJECT)
		return fail(r, "something is called that is no function");
	if (pk_type(r->p, args) != PK_TUPLE)
		return fail(r, "the arguments of a call are no tuple");
	if (is_dict_class(r->p, callable))
		return new_dict(r, args);
	if (is_set_class(r->p, callable))
		return new_set(r, args);
	if (pk_global_is(r->p, callable, "_codecs", "encode")) {
		if (!latin1(r, args, &v))
			return false;
		if (v != PK_NONE)
			return push(r, v);
	}
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_OBJECT, .n = PK_NONE, .a = callable,
	    .b = args }));
}

static bool
op_reduce(struct reader *r)          /* also NEWOBJ */
{
	if (!need(r, 2))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

static bool
op_newobj_ex(struct reader *r)
{
	if (!need(r, 3))
		return false;
	if (pk_type(r->p, top(r)) != PK_DICT)
		return fail(r, "the named arguments of a call are no dict");
	r->depth -= 3;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

static bool
op_inst(struct reader *r)
{
	size_t from;

	if (!take_mark(r, &from) || !gather(r, PK_TUPLE, from) || !push_global_lines(r))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth + 1], r->stack[r->depth]);
}

static bool
op_obj(struct reader *r)
{
	size_t from;

	if (!take_mark(r, &from))
		return false;
	if (r->depth == from)
		return fail(r, "the stack is empty");
	if (!gather(r, PK_TUPLE, from + 1))
		return false;
	r->depth -= 2;
	return call(r, r->stack[r->depth], r->stack[r->depth + 1]);
}

static bool
op_build(struct reader *r)
{
	if (!need(r, 2))
		return false;
	pk state = r->stack[--r->depth];
	struct pk_value *v = &r->p->value[top(r)];
	if (v->type == PK_OBJECT)
		v->n = state;
	else if (v->type != PK_DICT || !(v->flag & FLAG_CALLED))     /* state_dict's _metadata: not needed */
		return fail(r, "a state is set on something that has none");
	return true;
}

static bool
op_binpersid(struct reader *r)
{
	if (!need(r, 1))
		return false;
	pk id = r->stack[--r->depth];
	return push(r, pickle_add(r->p, (struct pk_value){ .type = PK_PERSISTENT, .a = id }));
}

static bool
op_persid(struct reader *r)
{
	const char *s;
	size_t n;

	if (!line_arg(r, &s, &n))
		return false;
	pk id = pickle_add_text(r->p, PK_BYTES, s, n);
	return id != PK_ABSENT ? push(r, pickle_add(r->p, (struct pk_value){ .type = PK_PERSISTENT, .a = id }))
	    : no_memory(r);
}

static bool
op_ext(struct reader *r)
{
	return fail(r, "an extension code, which only the writer knows");
}

static bool
op_buffer(struct reader *r)
{
	return fail(r, "a buffer that is not in the file");
}

/* ---- stack and memo ---- */

static bool
op_mark(struct reader *r)
{
	uint32_t *q = mem_grow(r->mark, &r->marks_cap, r->marks + 1, sizeof *q);

	if (!q)
		return no_memory(r);
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
	if (!need(r, 1))
		return false;
	r->depth--;
	return true;
}

static bool
op_pop_mark(struct reader *r)
{
	return take_mark(r, &r->depth);
}

static bool
op_dup(struct reader *r)
{
	return need(r, 1) && push(r, top(r));
}

/* A memo number is below the size of the input: writers count from 0. */
static bool
memo_put(struct reader *r, uint64_t i)
{
	if (!need(r, 1))
		return false;
	if (i > r->p->in_bytes)
		return fail(r, "a memo number beyond the size of the file");
	pk *q = mem_grow(r->memo, &r->memo_cap, (size_t)i + 1, sizeof *q);
	if (!q)
		return no_memory(r);
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
		return fail(r, "a memo number that was never stored");
	return push(r, r->memo[i]);
}

static bool
memo_line(struct reader *r, uint64_t *i)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!line_arg(r, &s, &n) || !integer_line(r, s, n, &x, &fits))
		return false;
	*i = (uint64_t)x;
	return x >= 0 || fail(r, "a negative memo number");
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

	return number_arg(r, 1, &i) && memo_put(r, i);
}

static bool
op_long_binput(struct reader *r)
{
	uint64_t i;

	return number_arg(r, 4, &i) && memo_put(r, i);
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

	return number_arg(r, 1, &i) && memo_get(r, i);
}

static bool
op_long_binget(struct reader *r)
{
	uint64_t i;

	return number_arg(r, 4, &i) && memo_get(r, i);
}

static bool
op_proto(struct reader *r)
{
	uint64_t v;

	return number_arg(r, 1, &v) && (v <= 5 || fail(r, "an unknown protocol"));
}

static bool
op_frame(struct reader *r)
{
	uint64_t n;

	return number_arg(r, 8, &n) && (n <= (size_t)(r->end - r->at) || fail(r, "a frame runs over the end"));
}

static bool
op_stop(struct reader *r)
{
	if (!need(r, 1))
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
	['c'] = push_global_lines, ['d'] = op_dict, ['}'] = op_empty_dict, ['e'] = op_appends, ['g'] = op_get,
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
			return fail(r, "no end (the file is cut short)");
		bool (*op)(struct reader *) = opcode[*r->at];
		if (!op)
			return fail(r, "an unknown opcode");
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
	bool ok = r.p ? run(&r) : no_memory(&r);
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
