/* bpe.c: see bpe.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/bpe.h"

#include <limits.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/mem.h"
#include "text/private.h"
#include "text/utf8.h"

/* White_Space of Unicode, written out: \s of PCRE2 under UCP holds U+180E too. */
#define WHITE \
	"\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/* GPT-2's words: contractions, letters, numbers and the rest, each with the one
 * space before it; of a run of white space the last goes to what follows. */
static const char word_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WHITE "\\p{L}\\p{N}]+|[" WHITE "]+(?![^" WHITE "])|[" WHITE "]+";

struct merge {
	uint64_t key;            /* left << 32 | right; EMPTY: free slot */
	uint32_t rank;
	int32_t product;
};
#define EMPTY UINT64_MAX

struct bpe {
	struct bpe_options o;
	int32_t byte_id[256];    /* -1: none */
	struct merge *slot;      /* open addressing, at most half full */
	size_t mask;
	pcre2_code *words;
};

struct symbol {                  /* a stretch of the word that is one token so far; gone: id -1 */
	int32_t id;
	uint32_t prev, next;     /* neighbours; n at both ends */
};

struct candidate {               /* a pair that can be merged: the symbol at pos with the next one */
	uint32_t rank, pos;
	int32_t left, right, product;
};

struct bpe_scratch {
	pcre2_match_data *match;
	struct symbol *symbol;
	size_t symbol_cap;
	struct candidate *heap;
	size_t heap_n, heap_cap;
	char *copy;              /* the stretch with a space put before it */
	size_t copy_cap;
	const char *buf, *raw;   /* a place in the stretch, and the same place in the text */
};

static enum status
compile(struct bpe *b, struct error *e)
{
	int code;
	PCRE2_SIZE at;

	b->words = pcre2_compile((PCRE2_SPTR)word_pattern, PCRE2_ZERO_TERMINATED,
				 PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &at, NULL);
	if (!b->words)
		return error_set(e, code == PCRE2_ERROR_HEAP_FAILED ? ST_MEMORY : ST_FAIL,
				 "PCRE2 does not take the word pattern (error %d); it needs Unicode support", code);
	/* without a compiler for this machine matching is slower, not different */
	(void)pcre2_jit_compile(b->words, PCRE2_JIT_COMPLETE);
	return ST_OK;
}

enum status
bpe_new(const struct bpe_options *o, size_t merges, struct bpe **out, struct error *e)
{
	struct bpe *b = mem_calloc(1, sizeof *b);
	size_t slots = 16, want;

	*out = NULL;
	if (!b || !mem_mul(merges, 2, &want)) {
		free(b);
		return error_set(e, ST_MEMORY, "out of memory for a tokenizer");
	}
	b->o = *o;
	while (slots < want)
		slots *= 2;
	for (int i = 0; i < 256; i++)
		b->byte_id[i] = -1;
	b->slot = mem_calloc(slots, sizeof *b->slot);
	b->mask = slots - 1;
	enum status st = b->slot ? compile(b, e) : error_set(e, ST_MEMORY, "out of memory for %zu merges", merges);
	if (st != ST_OK) {
		bpe_free(b);
		return st;
	}
	for (size_t i = 0; i < slots; i++)
		b->slot[i].key = EMPTY;
	*out = b;
	return ST_OK;
}

void
bpe_free(struct bpe *b)
{
	if (!b)
		return;
	pcre2_code_free(b->words);
	free(b->slot);
	free(b);
}

void
bpe_set_byte(struct bpe *b, unsigned char byte, int32_t id)
{
	b->byte_id[byte] = id;
}

/* The slot of a pair, or the free one where it would be. */
static struct merge *
find(const struct bpe *b, int32_t left, int32_t right)
{
	uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, h = key;

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	for (size_t i = (size_t)(h ^ h >> 31) & b->mask;; i = (i + 1) & b->mask)
		if (b->slot[i].key == key || b->slot[i].key == EMPTY)
			return &b->slot[i];
}

void
bpe_merge(struct bpe *b, int32_t left, int32_t right, int32_t product, uint32_t rank)
{
	*find(b, left, right) = (struct merge){
		.key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, .rank = rank, .product = product
	};
}

static bool
spelled_by_itself(unsigned c)
{
	return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

uint32_t
bpe_char_of(unsigned char byte)
{
	uint32_t n = 0;

	if (spelled_by_itself(byte))
		return byte;
	for (unsigned c = 0; c < byte; c++)
		n += !spelled_by_itself(c);
	return 0x100 + n;
}

static int
byte_of(uint32_t ch)
{
	if (ch < 0x100)
		return spelled_by_itself(ch) ? (int)ch : -1;
	if (ch <= 0x120)
		return (int)(ch - 0x100);
	if (ch <= 0x142)
		return (int)(ch - 0x121 + 0x7f);
	return ch == 0x143 ? 0xad : -1;
}

size_t
bpe_unspell(const char *s, size_t n, char *out)
{
	size_t len = 0;
	uint32_t ch;

	for (size_t i = 0; i < n;) {
		i += utf8_next(s + i, n - i, &ch);
		int byte = byte_of(ch);
		if (byte < 0) {
			memcpy(out, s, n);
			return n;
		}
		out[len++] = (char)byte;
	}
	return len;
}

/* ---- merging one word ---- */

static bool
before(const struct candidate *a, const struct candidate *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->pos < b->pos;
}

static bool
heap_push(struct bpe_scratch *s, struct candidate c)
{
	struct candidate *h = mem_grow(s->heap, &s->heap_cap, s->heap_n + 1, sizeof *h);

	if (!h)
		return false;
	s->heap = h;
	size_t i = s->heap_n++;
	for (; i > 0 && before(&c, &h[(i - 1) / 2]); i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = c;
	return true;
}

static struct candidate
heap_pop(struct bpe_scratch *s)
{
	struct candidate *h = s->heap, top = h[0], c = h[--s->heap_n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < s->heap_n) {
		if (k + 1 < s->heap_n && before(&h[k + 1], &h[k]))
			k++;
		if (!before(&h[k], &c))
			break;
		h[i] = h[k];
		i = k;
	}
	h[i] = c;
	return top;
}

/* Remember that the symbol at pos can be merged with the next one, if it can. */
static bool
consider(const struct bpe *b, struct bpe_scratch *s, uint32_t pos, uint32_t n)
{
	uint32_t next = pos < n ? s->symbol[pos].next : n;

	if (next >= n)
		return true;
	const struct merge *m = find(b, s->symbol[pos].id, s->symbol[next].id);
	struct candidate c = { .rank = m->rank, .pos = pos, .left = s->symbol[pos].id, .right = s->symbol[next].id,
			       .product = m->product };
	return m->key == EMPTY || heap_push(s, c);
}

/* Merge symbols 0..n-1 until nothing is left to merge: always the pair of the
 * lowest rank, of equal ones the leftmost.  n log n. */
static bool
merge_all(const struct bpe *b, struct bpe_scratch *s, uint32_t n)
{
	s->heap_n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!consider(b, s, i, n))
			return false;
	while (s->heap_n) {
		struct candidate c = heap_pop(s);
		struct symbol *left = &s->symbol[c.pos];
		if (left->id != c.left || left->next >= n || s->symbol[left->next].id != c.right)
			continue;        /* one of the two has been merged since */
		struct symbol *right = &s->symbol[left->next];
		left->id = c.product;
		left->next = right->next;
		right->id = -1;
		if (left->next < n)
			s->symbol[left->next].prev = c.pos;
		if (!consider(b, s, left->prev, n) || !consider(b, s, c.pos, n))
			return false;
	}
	return true;
}

/* No token for the byte at p: name the character it belongs to. */
static enum status
unknown_byte(struct encoding *c, const char *p)
{
	const char *raw = c->bpe->raw + (p - c->bpe->buf);
	uint32_t ch;

	for (int i = 0; i < 3 && raw > c->text && ((unsigned char)*raw & 0xc0) == 0x80; i++)
		raw--;
	if (raw < c->text)
		return error_set(c->e, ST_USAGE, "the bpe tokenizer has no token for the space it puts before a text");
	return encode_unknown(c, raw, utf8_next(raw, (size_t)(c->text + c->bytes - raw), &ch));
}

/* A word: its bytes, merged. */
static enum status
encode_word(struct encoding *c, const char *s, size_t n)
{
	const struct bpe *b = c->t->priv->bpe;
	struct bpe_scratch *x = c->bpe;
	enum status st = ST_OK;
	const struct word *w;
	uint32_t count = 0;

	if (b->o.whole_words && (w = words_exact(&c->t->priv->by_text, s, n)))
		return encode_id(c, w->id);
	if (n > INT_MAX)
		return error_set(c->e, ST_USAGE, "a word of more than %d bytes", INT_MAX);
	struct symbol *sym = mem_grow(x->symbol, &x->symbol_cap, n, sizeof *sym);
	if (!sym)
		return encode_memory(c);
	x->symbol = sym;
	for (size_t i = 0; i < n; i++) {
		int32_t id = b->byte_id[(unsigned char)s[i]];
		if (id < 0) {
			st = unknown_byte(c, s + i);
			if (st != ST_OK)
				return st;
			if (c->t->unk < 0)
				continue;
			c->n--;          /* [UNK] takes part in merges, so it goes out with the word */
			id = c->t->unk;
		}
		sym[count] = (struct symbol){ .id = id, .prev = count - 1, .next = count + 1 };
		count++;
	}
	if (count > 1 && !merge_all(b, x, count))
		return encode_memory(c);
	for (uint32_t i = 0; st == ST_OK && i < count; i = sym[i].next)
		st = encode_id(c, sym[i].id);
	return st;
}

/* Valid UTF-8: its words, one after the other. */
static enum status
encode_words(struct encoding *c, const char *s, size_t n)
{
	const struct bpe *b = c->t->priv->bpe;
	enum status st = ST_OK;
	size_t done = 0;

	if (!b->o.split)
		return n ? encode_word(c, s, n) : ST_OK;
	while (st == ST_OK && done < n) {
		int rc = pcre2_match(b->words, (PCRE2_SPTR)s, n, done, PCRE2_NO_UTF_CHECK, c->bpe->match, NULL);
		if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
			rc = pcre2_match(b->words, (PCRE2_SPTR)s, n, done, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
					 c->bpe->match, NULL);
		if (rc < 0)
			return error_set(c->e, rc == PCRE2_ERROR_NOMEMORY ? ST_MEMORY : ST_FAIL,
					 "cutting a text into words failed (PCRE2 error %d)", rc);
		size_t end = pcre2_get_ovector_pointer(c->bpe->match)[1];
		st = encode_word(c, s + done, end - done);
		done = end;
	}
	return st;
}

static struct bpe_scratch *
scratch_new(const struct bpe *b)
{
	struct bpe_scratch *s = mem_calloc(1, sizeof *s);

	if (s && !(s->match = pcre2_match_data_create_from_pattern(b->words, NULL))) {
		free(s);
		return NULL;
	}
	return s;
}

void
bpe_scratch_free(struct bpe_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->match);
	free(s->symbol);
	free(s->heap);
	free(s->copy);
	free(s);
}

enum status
bpe_encode(struct encoding *c, const char *s, size_t n)
{
	const struct bpe *b = c->t->priv->bpe;
	enum status st = ST_OK;
	uint32_t ch;

	if (!c->bpe && !(c->bpe = scratch_new(b)))
		return encode_memory(c);
	c->bpe->buf = c->bpe->raw = s;
	if (b->o.prefix_space && n && s[0] != ' ') {
		char *copy = mem_grow(c->bpe->copy, &c->bpe->copy_cap, n + 1, 1);
		if (!copy)
			return encode_memory(c);
		copy[0] = ' ';
		memcpy(copy + 1, s, n);
		c->bpe->copy = copy;
		c->bpe->buf = copy + 1;
		s = copy;
		n++;
	}
	/* The pattern is for characters; a byte that is part of none is a word of its own. */
	while (st == ST_OK && n) {
		const uint8_t *bad = u8_check((const uint8_t *)s, n);
		size_t good = bad ? (size_t)((const char *)bad - s) : n;
		if (good)
			st = encode_words(c, s, good);
		s += good;
		n -= good;
		if (st == ST_OK && n) {
			size_t len = utf8_next(s, n, &ch);
			st = encode_word(c, s, len);
			s += len;
			n -= len;
		}
	}
	return st;
}
