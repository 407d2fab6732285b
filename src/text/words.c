/* words.c: see words.h. */
#include "text/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
words_done(struct words *l)
{
	free(l->w);
	free(l->text);
	memset(l, 0, sizeof *l);
}

bool
words_add(struct words *l, int32_t id, const char *s, size_t len, unsigned flags)
{
	size_t end;

	if (!mem_add(l->used, len, &end) || end > UINT32_MAX)
		return false;
	struct word *w = mem_grow(l->w, &l->cap, l->n + 1, sizeof *w);
	if (!w)
		return false;
	l->w = w;
	char *text = mem_grow(l->text, &l->text_cap, end, 1);
	if (!text)
		return false;
	l->text = text;
	if (len)
		memcpy(text + l->used, s, len);
	l->w[l->n++] = (struct word){ .id = id, .at = (uint32_t)l->used, .len = (uint32_t)len, .flags = flags };
	l->used = end;
	return true;
}

/* Positions in the text grow in the order of adding, so they make both orders total. */
static int
order_of_adding(const struct word *a, const struct word *b)
{
	return (a->at > b->at) - (a->at < b->at);
}

static int
compare_ids(const void *pa, const void *pb)
{
	const struct word *a = pa, *b = pb;
	int c = (a->id > b->id) - (a->id < b->id);

	return c ? c : order_of_adding(a, b);
}

static int
compare_bytes(const char *a, size_t na, const char *b, size_t nb)
{
	size_t n = na < nb ? na : nb;
	int c = n ? memcmp(a, b, n) : 0;

	return c ? c : (na > nb) - (na < nb);
}

static int
compare_texts(const void *pa, const void *pb, void *text)
{
	const struct word *a = pa, *b = pb;
	const char *t = text;
	int c = compare_bytes(t + a->at, a->len, t + b->at, b->len);

	return c ? c : order_of_adding(a, b);
}

void
words_sort_by_id(struct words *l)
{
	if (l->n)
		qsort(l->w, l->n, sizeof *l->w, compare_ids);
}

void
words_sort_by_text(struct words *l)
{
	if (l->n)
		qsort_r(l->w, l->n, sizeof *l->w, compare_texts, l->text);
}

const struct word *
words_by_id(const struct words *l, int32_t id)
{
	size_t lo = 0, hi = l->n;

	if (id < 0)
		return NULL;
	if ((size_t)id < l->n && l->w[id].id == id)   /* no gaps below: the usual case */
		return &l->w[id];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->w[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->w[lo].id == id ? &l->w[lo] : NULL;
}

/* First word in [lo, hi), all longer than k and equal before byte k, whose byte k is >= c. */
static size_t
lower(const struct words *l, size_t lo, size_t hi, size_t k, unsigned c)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if ((unsigned char)l->text[l->w[mid].at + k] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct word *
words_longest(const struct words *l, const char *text, size_t bytes)
{
	const struct word *best = NULL;
	size_t lo = 0, hi = l->n;

	for (size_t k = 0;; k++) {
		/* [lo, hi) are the words that begin with text[0..k-1]; those of length k stand first */
		if (lo < hi && l->w[lo].len == k && k > 0)
			best = &l->w[lo];
		while (lo < hi && l->w[lo].len == k)
			lo++;
		if (lo >= hi || k >= bytes)
			return best;
		unsigned c = (unsigned char)text[k];
		lo = lower(l, lo, hi, k, c);
		hi = lower(l, lo, hi, k, c + 1);
	}
}

const struct word *
words_exact(const struct words *l, const char *text, size_t bytes)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct word *w = &l->w[mid];
		if (compare_bytes(l->text + w->at, w->len, text, bytes) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < l->n && compare_bytes(l->text + l->w[lo].at, l->w[lo].len, text, bytes) == 0)
		return &l->w[lo];
	return NULL;
}
