/* encode.c: from text to ids, what all tokenizers have in common. */
#include <stdlib.h>
#include <string.h>
#include <unictype.h>

#include "base/mem.h"
#include "text/bpe.h"
#include "text/private.h"
#include "text/utf8.h"

enum status
encode_memory(struct encoding *c)
{
	return error_set(c->e, ST_MEMORY, "out of memory while encoding %zu bytes of text", c->bytes);
}

enum status
encode_id(struct encoding *c, int32_t id)
{
	int32_t *p = mem_grow(c->id, &c->cap, c->n + 1, sizeof *p);

	if (!p)
		return encode_memory(c);
	c->id = p;
	p[c->n++] = id;
	return ST_OK;
}

enum status
encode_unknown(struct encoding *c, const char *s, size_t n)
{
	uint32_t ch;

	if (c->lossy)
		return c->t->unk >= 0 ? encode_id(c, c->t->unk) : ST_OK;
	size_t place = utf8_count(c->text, (size_t)(s - c->text)) + 1;
	const char *name = tok_kind_name(c->t->kind);
	size_t len = n ? utf8_next(s, n, &ch) : 0;
	if (len == n && n && ch != UTF8_BAD && uc_is_general_category(ch, UC_OTHER))
		return error_set(c->e, ST_USAGE, "the %s tokenizer cannot hold U+%04X, character %zu of the text", name,
				 ch, place);
	if (len == n && n && ch != UTF8_BAD)
		return error_set(c->e, ST_USAGE,
				 "the %s tokenizer cannot hold \"%.*s\" (U+%04X), character %zu of the text", name,
				 (int)n, s, ch, place);
	if (len == n)
		return error_set(c->e, ST_USAGE, "the %s tokenizer cannot hold byte 0x%02X, character %zu of the text",
				 name, n ? (unsigned char)s[0] : 0, place);
	size_t show = 0;
	while (show < n && show < 60)
		show += utf8_next(s + show, n - show, &ch);
	return error_set(c->e, ST_USAGE, "the %s tokenizer cannot hold \"%.*s%s\", from character %zu of the text",
			 name, (int)show, s, show < n ? "..." : "", place);
}

/* \w of the published matcher: letters with their marks, decimal digits, connecting punctuation, joiners. */
static bool
in_word(uint32_t ch)
{
	return ch != UTF8_BAD &&
	       (uc_is_property(ch, UC_PROPERTY_ALPHABETIC) || uc_is_general_category(ch, UC_MARK) ||
		uc_is_general_category(ch, UC_DECIMAL_DIGIT_NUMBER) ||
		uc_is_general_category(ch, UC_CONNECTOR_PUNCTUATION) || ch == 0x200c || ch == 0x200d);
}

/* A token that stands alone has no letter or digit on either side of s[from..to-1]. */
static bool
stands_alone(const char *s, size_t n, size_t from, size_t to)
{
	uint32_t ch;

	if (from > 0 && (utf8_prev(s, from, &ch), in_word(ch)))
		return false;
	return to >= n || (utf8_next(s + to, n - to, &ch), !in_word(ch));
}

static size_t
white_before(const char *s, size_t from, size_t least)
{
	uint32_t ch;
	size_t len;

	while (from > least && (len = utf8_prev(s, from, &ch), utf8_white(ch)) && from - len >= least)
		from -= len;
	return from;
}

static size_t
white_after(const char *s, size_t n, size_t to)
{
	uint32_t ch;
	size_t len;

	while (to < n && (len = utf8_next(s + to, n - to, &ch), utf8_white(ch)))
		to += len;
	return to;
}

enum status
encode_cut(struct encoding *c, const struct cutset *set, const char *s, size_t n, piece_fn *fn)
{
	size_t done = 0;             /* s[0..done-1] has been encoded */
	enum status st = ST_OK;

	for (size_t i = 0; set->w.n && st == ST_OK && i < n;) {
		unsigned char first = (unsigned char)s[i];
		const struct word *w = NULL;
		if (set->first[first / 64] >> first % 64 & 1)
			w = words_longest(&set->w, s + i, n - i);
		if (!w) {
			i++;
			continue;
		}
		size_t from = i, to = i + w->len;
		i = to;
		if (w->flags & WORD_ALONE && !stands_alone(s, n, from, to))
			continue;
		if (w->flags & WORD_EAT_LEFT)
			from = white_before(s, from, done);
		if (w->flags & WORD_EAT_RIGHT)
			i = to = white_after(s, n, to);
		if (from > done)
			st = fn(c, s + done, from - done);
		if (st == ST_OK)
			st = encode_id(c, w->id);
		done = to;
	}
	return st == ST_OK && done < n ? fn(c, s + done, n - done) : st;
}

static enum status
bytes_encode(struct encoding *c, const char *s, size_t n)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = encode_id(c, (unsigned char)s[i]);
	return st;
}

static enum status
bpe_piece(struct encoding *c, const char *s, size_t n)
{
	return encode_cut(c, &c->t->priv->normal, s, n, bpe_encode);
}

static enum status
encode(const struct tokenizer *t, bool lossy, const char *text, size_t bytes, int32_t **ids, size_t *n, struct error *e)
{
	static piece_fn *const by_kind[] = {
		[TOK_IDS] = numbers_encode, [TOK_TEXT8] = chars_encode, [TOK_CHARS] = chars_encode,
		[TOK_BYTES] = bytes_encode, [TOK_PIXELS] = numbers_encode, [TOK_BPE] = bpe_piece,
		[TOK_WORDPIECE] = wordpiece_encode,
	};
	struct encoding c = { .t = t, .lossy = lossy, .text = text, .bytes = bytes, .e = e };

	*ids = NULL;
	*n = 0;
	if (t->priv->no_encode[0])
		return error_set(e, ST_USAGE, "this tokenizer can show text but not read it: %s", t->priv->no_encode);
	enum status st = encode_cut(&c, &t->priv->raw, text, bytes, by_kind[t->kind]);
	bpe_scratch_free(c.bpe);
	free(c.ch);
	free(c.word);
	if (st == ST_OK && !c.id && !(c.id = mem_calloc(1, sizeof *c.id)))
		st = encode_memory(&c);
	if (st != ST_OK) {
		free(c.id);
		return st;
	}
	*ids = c.id;
	*n = c.n;
	return ST_OK;
}

enum status
tok_encode(const struct tokenizer *t, const char *text, size_t bytes, int32_t **ids, size_t *n, struct error *e)
{
	return encode(t, false, text, bytes, ids, n, e);
}

enum status
tok_encode_lossy(const struct tokenizer *t, const char *text, size_t bytes, int32_t **ids, size_t *n, struct error *e)
{
	return encode(t, true, text, bytes, ids, n, e);
}
