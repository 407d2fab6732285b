/* utf8.c: see utf8.h; also the two text functions of token.h that need no tokenizer. */
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/token.h"

/* What may follow a lead byte: how many bytes, and the range of the first of them. */
struct lead {
	unsigned char n, lo, hi;
};

static struct lead
lead_of(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return (struct lead){ 1, 0x80, 0xbf };
	if (c >= 0xe0 && c <= 0xef)
		return (struct lead){ 2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
	if (c >= 0xf0 && c <= 0xf4)
		return (struct lead){ 3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
	return (struct lead){ 0, 1, 0 };
}

size_t
utf8_next(const char *s, size_t n, uint32_t *ch)
{
	const unsigned char *p = (const unsigned char *)s;

	*ch = p[0];
	if (p[0] < 0x80)
		return 1;
	*ch = UTF8_BAD;
	struct lead l = lead_of(p[0]);
	if (!l.n)
		return 1;
	uint32_t v = p[0] & (0x3fu >> l.n);
	for (size_t i = 1; i <= l.n; i++) {
		if (i >= n || p[i] < (i == 1 ? l.lo : 0x80) || p[i] > (i == 1 ? l.hi : 0xbf))
			return i;
		v = v << 6 | (p[i] & 0x3f);
	}
	*ch = v;
	return l.n + 1u;
}

size_t
utf8_prev(const char *s, size_t n, uint32_t *ch)
{
	for (size_t back = 1; back <= 4 && back <= n; back++)
		if (utf8_next(s + n - back, back, ch) == back && *ch != UTF8_BAD)
			return back;
	*ch = UTF8_BAD;
	return 1;
}

size_t
utf8_put(char *out, uint32_t ch)
{
	if (ch < 0x80) {
		out[0] = (char)ch;
		return 1;
	}
	size_t n = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	static const unsigned char first[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n - 1; i > 0; i--, ch >>= 6)
		out[i] = (char)(0x80 | (ch & 0x3f));
	out[0] = (char)(first[n] | ch);
	return n;
}

size_t
utf8_count(const char *s, size_t n)
{
	size_t count = 0;
	uint32_t ch;

	for (size_t i = 0; i < n; i += utf8_next(s + i, n - i, &ch))
		count++;
	return count;
}

bool
utf8_white(uint32_t ch)
{
	return (ch >= 9 && ch <= 13) || ch == 0x20 || ch == 0x85 || ch == 0xa0 || ch == 0x1680 ||
	       (ch >= 0x2000 && ch <= 0x200a) || ch == 0x2028 || ch == 0x2029 || ch == 0x202f || ch == 0x205f ||
	       ch == 0x3000;
}

char *
utf8_repair(const char *s, size_t bytes, size_t *out_bytes)
{
	size_t max, n = 0;
	uint32_t ch;

	if (!mem_mul(bytes, 3, &max) || !mem_add(max, 1, &max))
		return NULL;
	char *out = malloc(max);
	for (size_t i = 0, len; out && i < bytes; i += len) {
		len = utf8_next(s + i, bytes - i, &ch);
		if (ch == UTF8_BAD) {
			n += utf8_put(out + n, 0xfffd);
		} else {
			memcpy(out + n, s + i, len);
			n += len;
		}
	}
	if (out)
		out[n] = '\0';
	*out_bytes = n;
	return out;
}

/* Replace every `from` by `to` (not longer) in place, left to right without overlap; returns the new length. */
static size_t
replace_all(char *s, size_t n, const char *from, const char *to)
{
	size_t nf = strlen(from), nt = strlen(to), w = 0;

	for (size_t i = 0; i < n;) {
		if (n - i >= nf && memcmp(s + i, from, nf) == 0) {
			memcpy(s + w, to, nt);
			w += nt;
			i += nf;
		} else {
			s[w++] = s[i++];
		}
	}
	return w;
}

char *
tok_clean_up(const char *text, size_t bytes, size_t *out_bytes)
{
	/* one after the other over the whole text, in this order, as the published decoder does */
	static const char *const rule[][2] = {
		{ " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" },
		{ " n't", "n't" }, { " 'm", "'m" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
	};
	char *out = malloc(bytes + 1);

	if (!out)
		return NULL;
	if (bytes)
		memcpy(out, text, bytes);
	for (size_t i = 0; i < sizeof rule / sizeof rule[0]; i++)
		bytes = replace_all(out, bytes, rule[i][0], rule[i][1]);
	out[bytes] = '\0';
	*out_bytes = bytes;
	return out;
}
