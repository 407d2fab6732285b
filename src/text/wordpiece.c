/* wordpiece.c: see wordpiece.h. */
#include "text/wordpiece.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unictype.h>

#include "base/mem.h"
#include "text/private.h"
#include "text/utf8.h"

struct wordpiece {
	struct wordpiece_options o;
	char *prefix;
	struct words start, more;    /* pieces that begin a word, and that go on with one (without the prefix) */
};

struct wordpiece *
wordpiece_new(const struct wordpiece_options *o)
{
	struct wordpiece *w = mem_calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->o = *o;
	w->prefix = mem_strdup(o->prefix);
	w->o.prefix = w->prefix;
	if (!w->prefix) {
		free(w);
		return NULL;
	}
	return w;
}

void
wordpiece_free(struct wordpiece *w)
{
	if (!w)
		return;
	words_done(&w->start);
	words_done(&w->more);
	free(w->prefix);
	free(w);
}

bool
wordpiece_add(struct wordpiece *w, int32_t id, const char *s, size_t n)
{
	size_t p = strlen(w->prefix);

	if (n > p && memcmp(s, w->prefix, p) == 0 && !words_add(&w->more, id, s + p, n - p, 0))
		return false;
	return words_add(&w->start, id, s, n, 0);
}

void
wordpiece_finish(struct wordpiece *w)
{
	words_sort_by_text(&w->start);
	words_sort_by_text(&w->more);
}

const char *
wordpiece_prefix(const struct wordpiece *w)
{
	return w->prefix;
}

bool
wordpiece_hugs(const struct wordpiece *w, const char *s, size_t n)
{
	static const char *const hug[] = { ".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re" };

	for (size_t i = 0; w->o.hug && i < sizeof hug / sizeof hug[0]; i++)
		if (n >= strlen(hug[i]) && memcmp(s, hug[i], strlen(hug[i])) == 0)
			return true;
	return false;
}

/* ---- normalisation ---- */

static bool
is_other(uint32_t ch)
{
	return uc_is_general_category(ch, UC_OTHER);
}

/* Ends a stretch: white space that cleaning does not drop. */
static bool
is_break(const struct wordpiece *w, uint32_t ch)
{
	if (ch == UTF8_BAD || !utf8_white(ch))
		return false;
	return !w->o.clean || ch == '\t' || ch == '\n' || ch == '\r' || !is_other(ch);
}

static bool
is_dropped(const struct wordpiece *w, uint32_t ch)
{
	return ch == UTF8_BAD || (w->o.clean && (ch == 0 || ch == 0xfffd || is_other(ch)));
}

/* The blocks the published code lists; kana and Hangul are not among them. */
static bool
is_ideograph(uint32_t ch)
{
	return (ch >= 0x4e00 && ch <= 0x9fff) || (ch >= 0x3400 && ch <= 0x4dbf) || (ch >= 0x20000 && ch <= 0x2a6df) ||
	       (ch >= 0x2a700 && ch <= 0x2b73f) || (ch >= 0x2b740 && ch <= 0x2b81f) ||
	       (ch >= 0x2b920 && ch <= 0x2ceaf) || (ch >= 0xf900 && ch <= 0xfaff) || (ch >= 0x2f800 && ch <= 0x2fa1f);
}

static bool
is_punctuation(uint32_t ch)
{
	if (ch < 0x80)
		return (ch >= 33 && ch <= 47) || (ch >= 58 && ch <= 64) || (ch >= 91 && ch <= 96) ||
		       (ch >= 123 && ch <= 126);
	return uc_is_general_category(ch, UC_PUNCTUATION);
}

/* The characters of s that stay, in out (room for 3n), ideographs between
 * spaces; returns how many.  *plain: all ASCII. */
static size_t
clean(const struct wordpiece *w, const char *s, size_t n, uint32_t *out, bool *plain)
{
	size_t k = 0;
	uint32_t ch;

	*plain = true;
	for (size_t i = 0; i < n;) {
		i += utf8_next(s + i, n - i, &ch);
		if (is_dropped(w, ch))
			continue;
		*plain &= ch < 0x80;
		bool apart = w->o.chinese && is_ideograph(ch);
		if (apart)
			out[k++] = ' ';
		out[k++] = ch;
		if (apart)
			out[k++] = ' ';
	}
	return k;
}

/* NFD without non-spacing marks, in place of *ch (capacity *cap, grown).  false: out of memory. */
static bool
decompose(uint32_t **ch, size_t *cap, size_t *n)
{
	size_t len, k = 0;
	uint32_t *d = u32_normalize(UNINORM_NFD, *ch, *n, NULL, &len);

	if (!d)
		return *n == 0;
	uint32_t *p = mem_grow(*ch, cap, len, sizeof *p);
	if (p) {
		*ch = p;
		for (size_t i = 0; i < len; i++)
			if (!uc_is_general_category(d[i], UC_NON_SPACING_MARK))
				p[k++] = d[i];
		*n = k;
	}
	free(d);
	return p != NULL;
}

/* Lower case character by character (a capital sigma has one lower case);
 * only U+0130 becomes two: i and a dot above.  Room for 2n. */
static size_t
lower(uint32_t *ch, size_t n)
{
	size_t more = 0;

	for (size_t i = 0; i < n; i++)
		more += ch[i] == 0x130;
	for (size_t i = n, k = n + more; i-- > 0;) {
		uint32_t c = ch[i];
		if (c == 0x130)
			ch[--k] = 0x307;
		ch[--k] = uc_tolower(c);
	}
	return n + more;
}

/* Normalise a stretch into *ch.  false: out of memory. */
static bool
normalise(const struct wordpiece *w, const char *s, size_t n, uint32_t **ch, size_t *cap, size_t *out_n)
{
	bool plain;
	size_t want;

	uint32_t *p = mem_mul(n, 3, &want) ? mem_grow(*ch, cap, want, sizeof *p) : NULL;
	if (!p)
		return false;
	*ch = p;
	*out_n = clean(w, s, n, p, &plain);
	if (w->o.strip && !plain && !decompose(ch, cap, out_n))
		return false;
	if (!w->o.lower)
		return true;
	p = mem_grow(*ch, cap, 2 * *out_n, sizeof *p);
	if (!p)
		return false;
	*ch = p;
	*out_n = lower(p, *out_n);
	return true;
}

char *
wordpiece_normal(const struct wordpiece *w, const char *s, size_t n, size_t *out_n)
{
	uint32_t *ch = NULL;
	size_t cap = 0, len = 0;
	char *out = NULL;

	*out_n = 0;
	if (normalise(w, s, n, &ch, &cap, &len) && (out = malloc(4 * len + 1)))
		for (size_t i = 0; i < len; i++)
			*out_n += utf8_put(out + *out_n, ch[i]);
	free(ch);
	return out;
}

/* ---- words and pieces ---- */

/* Longest pieces first, from left to right; false: there is a rest that no piece fits. */
static enum status
pieces(struct encoding *c, const char *s, size_t n, bool *fits)
{
	const struct wordpiece *w = c->t->priv->wp;
	size_t before = c->n;
	enum status st = ST_OK;

	*fits = utf8_count(s, n) <= w->o.max_chars;
	for (size_t i = 0; *fits && st == ST_OK && i < n;) {
		const struct word *p = words_longest(i ? &w->more : &w->start, s + i, n - i);
		*fits = p != NULL;
		if (p) {
			st = encode_id(c, p->id);
			i += p->len;
		}
	}
	if (!*fits)
		c->n = before;
	return st;
}

static enum status
word(struct encoding *c, const char *s, size_t n)
{
	bool fits;
	enum status st = pieces(c, s, n, &fits);

	return st == ST_OK && !fits ? encode_unknown(c, c->raw, c->raw_n) : st;
}

/* Normalised text without tokens in it: cut at white space and around each
 * punctuation character. */
static enum status
words_of(struct encoding *c, const char *s, size_t n)
{
	enum status st = ST_OK;
	size_t from = 0;
	uint32_t ch;

	for (size_t i = 0, len; st == ST_OK && i < n; i += len) {
		len = utf8_next(s + i, n - i, &ch);
		bool punct = is_punctuation(ch);
		if (!punct && !utf8_white(ch))
			continue;
		if (i > from)
			st = word(c, s + from, i - from);
		if (st == ST_OK && punct)
			st = word(c, s + i, len);
		from = i + len;
	}
	return st == ST_OK && from < n ? word(c, s + from, n - from) : st;
}

static enum status
encode_stretch(struct encoding *c, const char *s, size_t n)
{
	const struct wordpiece *w = c->t->priv->wp;
	size_t len, k = 0;

	c->raw = s;
	c->raw_n = n;
	if (!normalise(w, s, n, &c->ch, &c->ch_cap, &len))
		return encode_memory(c);
	char *p = mem_grow(c->word, &c->word_cap, 4 * len, 1);
	if (!p)
		return encode_memory(c);
	c->word = p;
	for (size_t i = 0; i < len; i++)
		k += utf8_put(p + k, c->ch[i]);
	return encode_cut(c, &c->t->priv->normal, p, k, words_of);
}

/* Cut at white space first: normalisation does not look across it, scratch
 * stays small, and a message can say where a word stood. */
enum status
wordpiece_encode(struct encoding *c, const char *s, size_t n)
{
	const struct wordpiece *w = c->t->priv->wp;
	enum status st = ST_OK;
	size_t from = 0;
	uint32_t ch;

	for (size_t i = 0, len; st == ST_OK && i < n; i += len) {
		len = utf8_next(s + i, n - i, &ch);
		if (ch == UTF8_BAD && !c->lossy)
			return encode_unknown(c, s + i, len);
		if (!is_break(w, ch))
			continue;
		if (i > from)
			st = encode_stretch(c, s + from, i - from);
		from = i + len;
	}
	return st == ST_OK && from < n ? encode_stretch(c, s + from, n - from) : st;
}
