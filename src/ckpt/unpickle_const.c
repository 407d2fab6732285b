/*
 * unpickle_const.c: opcodes that carry their value: numbers and texts.  See
 * unpickle_impl.h.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/mem.h"
#include "ckpt/unpickle_impl.h"

#define LINE_MAX_BYTES 4096          /* of a line that holds a whole number */

/* ---- arguments ---- */

bool
pr_bytes(struct reader *r, size_t n, const uint8_t **out)
{
	if ((size_t)(r->end - r->at) < n)
		return pr_fail(r, "an argument runs over the end");
	*out = r->at;
	r->at += n;
	return true;
}

/* A little-endian number of n bytes. */
bool
pr_number(struct reader *r, int n, uint64_t *out)
{
	const uint8_t *b;

	if (!pr_bytes(r, (size_t)n, &b))
		return false;
	*out = 0;
	for (int i = n - 1; i >= 0; i--)
		*out = *out << 8 | b[i];
	return true;
}

bool
pr_line(struct reader *r, const char **s, size_t *n)
{
	const uint8_t *nl = memchr(r->at, '\n', (size_t)(r->end - r->at));

	if (!nl)
		return pr_fail(r, "a line without an end");
	*s = (const char *)r->at;
	*n = (size_t)(nl - r->at);
	r->at = nl + 1;
	return true;
}

/* A line as a whole number; *fits false: a number, but beyond 64 bits. */
bool
pr_integer(struct reader *r, const char *s, size_t n, int64_t *out, bool *fits)
{
	char buf[LINE_MAX_BYTES + 1], *stop;

	if (n == 0 || n > LINE_MAX_BYTES || memchr(s, '\0', n) || (*s != '-' && *s != '+' && (*s < '0' || *s > '9')))
		return pr_fail(r, "a text that is no number");
	memcpy(buf, s, n);
	buf[n] = '\0';
	errno = 0;
	*out = strtoll(buf, &stop, 10);
	*fits = errno != ERANGE;
	return (stop != buf && *stop == '\0') || pr_fail(r, "a text that is no number");
}

/* ---- numbers ---- */

bool
op_none(struct reader *r)
{
	return pr_push(r, PK_NONE);
}

bool
op_true(struct reader *r)
{
	return pr_push(r, PK_TRUE);
}

bool
op_false(struct reader *r)
{
	return pr_push(r, PK_FALSE);
}

bool
op_binint(struct reader *r)
{
	uint64_t x;

	return pr_number(r, 4, &x) && pr_push(r, pickle_add_int(r->p, (int32_t)(uint32_t)x));
}

bool
op_binint1(struct reader *r)
{
	uint64_t x;

	return pr_number(r, 1, &x) && pr_push(r, pickle_add_int(r->p, (int64_t)x));
}

bool
op_binint2(struct reader *r)
{
	uint64_t x;

	return pr_number(r, 2, &x) && pr_push(r, pickle_add_int(r->p, (int64_t)x));
}

bool
op_int(struct reader *r)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!pr_line(r, &s, &n))
		return false;
	if (n == 2 && s[0] == '0' && (s[1] == '0' || s[1] == '1'))
		return pr_push(r, s[1] == '1' ? PK_TRUE : PK_FALSE);
	return pr_integer(r, s, n, &x, &fits) &&
	    pr_push(r, fits ? pickle_add_int(r->p, x) : pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
}

bool
op_long(struct reader *r)
{
	const char *s;
	size_t n;
	int64_t x;
	bool fits;

	if (!pr_line(r, &s, &n))
		return false;
	if (n && s[n - 1] == 'L')
		n--;
	return pr_integer(r, s, n, &x, &fits) &&
	    pr_push(r, fits ? pickle_add_int(r->p, x) : pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
}

/* Two's complement, little-endian, n bytes. */
static bool
long_bytes(struct reader *r, size_t n)
{
	const uint8_t *b;
	uint64_t x = 0;

	if (!pr_bytes(r, n, &b))
		return false;
	uint8_t sign = n && b[n - 1] & 0x80 ? 0xff : 0;
	for (size_t i = 8; i < n; i++)
		if (b[i] != sign || (b[7] & 0x80) != (sign & 0x80))
			return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_BIG }));
	for (size_t i = 8; i-- > 0;)
		x = x << 8 | (i < n ? b[i] : sign);
	return pr_push(r, pickle_add_int(r->p, (int64_t)x));
}

bool
op_long1(struct reader *r)
{
	uint64_t n;

	return pr_number(r, 1, &n) && long_bytes(r, (size_t)n);
}

bool
op_long4(struct reader *r)
{
	uint64_t n;

	if (!pr_number(r, 4, &n))
		return false;
	return n <= INT32_MAX ? long_bytes(r, (size_t)n) : pr_fail(r, "a negative length");
}

bool
op_float(struct reader *r)
{
	const char *s;
	char buf[64], *stop, *dot;
	size_t n;

	if (!pr_line(r, &s, &n))
		return false;
	if (n == 0 || n >= sizeof buf || memchr(s, '\0', n))
		return pr_fail(r, "a text that is no number");
	memcpy(buf, s, n);
	buf[n] = '\0';
	dot = strchr(buf, '.');
	if (dot)                         /* strtod follows the locale, pickles do not */
		*dot = *localeconv()->decimal_point;
	double f = strtod(buf, &stop);
	if (stop == buf || *stop)
		return pr_fail(r, "a text that is no number");
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = PK_FLOAT, .f = f }));
}

bool
op_binfloat(struct reader *r)
{
	const uint8_t *b;
	uint64_t bits = 0;
	struct pk_value v = { .type = PK_FLOAT };

	if (!pr_bytes(r, 8, &b))
		return false;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | b[i];
	memcpy(&v.f, &bits, 8);
	return pr_push(r, pickle_add(r->p, v));
}

/* ---- texts ---- */

/* UTF-8 as Python writes it: surrogates may stand alone. */
bool
pr_text_ok(const uint8_t *s, size_t n)
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
		return pr_fail(r, "a text runs over the end");
	r->at += n;
	if (type == PK_STR && !pr_text_ok(b, (size_t)n))
		return pr_fail(r, "a text that is not UTF-8");
	return pr_push(r, pickle_add(r->p, (struct pk_value){ .type = (uint8_t)type, .n = (uint32_t)n,
	    .a = (uint32_t)(b - r->p->in) }));
}

static bool
sized_text(struct reader *r, enum pk_type type, int length_bytes)
{
	uint64_t n;

	return pr_number(r, length_bytes, &n) && push_text(r, type, n);
}

bool
op_short_binunicode(struct reader *r)
{
	return sized_text(r, PK_STR, 1);
}

bool
op_binunicode(struct reader *r)
{
	return sized_text(r, PK_STR, 4);
}

bool
op_binunicode8(struct reader *r)
{
	return sized_text(r, PK_STR, 8);
}

bool
op_short_binbytes(struct reader *r)
{
	return sized_text(r, PK_BYTES, 1);
}

bool
op_binbytes(struct reader *r)
{
	return sized_text(r, PK_BYTES, 4);
}

bool
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

bool
op_binstring(struct reader *r)
{
	uint64_t n;

	if (!pr_number(r, 4, &n))
		return false;
	return n <= INT32_MAX ? old_string(r, n) : pr_fail(r, "a negative length");
}

bool
op_short_binstring(struct reader *r)
{
	uint64_t n;

	return pr_number(r, 1, &n) && old_string(r, n);
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

bool
op_string(struct reader *r)
{
	const char *s, *end;
	size_t n, k = 0;
	bool ascii = true;

	if (!pr_line(r, &s, &n))
		return false;
	if (n < 2 || (*s != '\'' && *s != '"') || s[n - 1] != *s)
		return pr_fail(r, "a string without quotes");
	end = s + n - 1;
	char *buf = malloc(n);
	if (!buf)
		return pr_no_memory(r);
	for (s++; s < end; k++) {
		buf[k] = *s++;
		if (buf[k] == '\\' && (s == end || !unescape(&s, end, &buf[k]))) {
			free(buf);
			return pr_fail(r, "a bad escape in a string");
		}
		ascii &= !(buf[k] & 0x80);
	}
	pk v = pickle_add_text(r->p, ascii ? PK_STR : PK_BYTES, buf, k);
	free(buf);
	return pr_push(r, v);
}

/* UNICODE: raw-unicode-escape, that is Latin-1 with \uXXXX and \UXXXXXXXX. */
bool
op_unicode(struct reader *r)
{
	const char *s, *end;
	size_t n, k = 0;
	uint32_t x;

	if (!pr_line(r, &s, &n))
		return false;
	uint8_t *buf = malloc(2 * n + 1);
	if (!buf)
		return pr_no_memory(r);
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
			return pr_fail(r, "a bad escape in a text");
		}
		k += (size_t)w;
	}
	pk v = pickle_add_text(r->p, PK_STR, (char *)buf, k);
	free(buf);
	return pr_push(r, v);
}
