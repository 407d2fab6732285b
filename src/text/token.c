/* token.c: the table of tokens and running text; see token.h. */
#include "text/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/bpe.h"
#include "text/private.h"
#include "text/wordpiece.h"

const char *
tok_kind_name(enum tok_kind k)
{
	static const char *const name[] = { "ids", "text8", "chars", "bytes", "pixels", "bpe", "wordpiece" };

	return name[k];
}

struct tokenizer *
tok_new(enum tok_kind kind)
{
	struct tokenizer *t = mem_calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->priv = mem_calloc(1, sizeof *t->priv);
	if (!t->priv) {
		free(t);
		return NULL;
	}
	t->kind = kind;
	t->mask = t->bos = t->eos = t->pad = t->unk = -1;
	return t;
}

void
tok_free(struct tokenizer *t)
{
	if (!t)
		return;
	words_done(&t->priv->by_id);
	words_done(&t->priv->by_text);
	words_done(&t->priv->raw.w);
	words_done(&t->priv->normal.w);
	bpe_free(t->priv->bpe);
	wordpiece_free(t->priv->wp);
	free(t->priv);
	free(t);
}

bool
tok_add(struct tokenizer *t, int32_t id, const char *s, size_t len, unsigned flags)
{
	return words_add(&t->priv->by_id, id, s, len, flags);
}

bool
cutset_add(struct cutset *c, int32_t id, const char *s, size_t len, unsigned flags)
{
	if (!len)
		return true;
	unsigned char first = (unsigned char)s[0];
	c->first[first / 64] |= (uint64_t)1 << first % 64;
	return words_add(&c->w, id, s, len, flags);
}

/* The first of the names that is a special token of t; -1: none. */
static int
special_named(const struct tokenizer *t, const char *const name[])
{
	const struct words *l = &t->priv->by_id;

	for (; *name; name++)
		for (size_t i = 0; i < l->n; i++)
			if (l->w[i].flags & WORD_SPECIAL && l->w[i].len == strlen(*name) &&
			    memcmp(words_text(l, &l->w[i]), *name, l->w[i].len) == 0)
				return l->w[i].id;
	return -1;
}

static void
name_specials(struct tokenizer *t)
{
	static const char *const mask[] = { "[MASK]", "<mask>", "<|mask|>", "<MASK>", NULL };
	static const char *const bos[] = { "[BOS]", "<s>", "<bos>", "<|endoftext|>", "[CLS]", NULL };
	static const char *const eos[] = { "[EOS]", "</s>", "<eos>", "<|endoftext|>", "[SEP]", NULL };
	static const char *const pad[] = { "[PAD]", "<pad>", "<|pad|>", NULL };
	static const char *const unk[] = { "[UNK]", "<unk>", NULL };

	t->mask = special_named(t, mask);
	t->bos = special_named(t, bos);
	t->eos = special_named(t, eos);
	t->pad = special_named(t, pad);
	if (t->unk < 0)
		t->unk = special_named(t, unk);
}

enum status
tok_finish(struct tokenizer *t, struct error *e)
{
	struct tok_private *p = t->priv;
	const struct word *w;

	words_sort_by_id(&p->by_id);
	words_sort_by_text(&p->by_text);
	words_sort_by_text(&p->raw.w);
	words_sort_by_text(&p->normal.w);
	w = p->by_id.w;
	for (size_t i = 1; i < p->by_id.n; i++)
		if (w[i].id == w[i - 1].id)
			return error_set(e, ST_CKPT, "tokens \"%.*s\" and \"%.*s\" have the same id %d",
					 (int)(w[i - 1].len < 60 ? w[i - 1].len : 60), words_text(&p->by_id, &w[i - 1]),
					 (int)(w[i].len < 60 ? w[i].len : 60), words_text(&p->by_id, &w[i]), w[i].id);
	t->n = p->by_id.n ? w[p->by_id.n - 1].id + 1 : 0;
	name_specials(t);
	return ST_OK;
}

const char *
tok_bytes_of(const struct tokenizer *t, int32_t id, size_t *bytes)
{
	const struct word *w = words_by_id(&t->priv->by_id, id);

	*bytes = w ? w->len : 0;
	return w ? words_text(&t->priv->by_id, w) : NULL;
}

static unsigned
flags_of(const struct tokenizer *t, int32_t id)
{
	const struct word *w = words_by_id(&t->priv->by_id, id);

	return w ? w->flags : 0;
}

bool
tok_special(const struct tokenizer *t, int32_t id)
{
	return id >= 0 && (id == t->mask || flags_of(t, id) & WORD_SPECIAL);
}

bool
tok_glue(const struct tokenizer *t, int32_t id)
{
	return flags_of(t, id) & WORD_GLUE;
}

bool
tok_spaced(const struct tokenizer *t, int32_t id)
{
	size_t n;

	if (t->kind != TOK_WORDPIECE)
		return t->kind == TOK_PIXELS;
	const char *s = tok_bytes_of(t, id, &n);
	return !s || !(tok_glue(t, id) || wordpiece_hugs(t->priv->wp, s, n));
}

/* A text that grows; failed stays set, so that only the end needs a look. */
struct text {
	char *s;
	size_t n, cap;
	bool failed;
};

static void
put(struct text *o, const char *s, size_t n)
{
	size_t want;

	if (o->failed)
		return;
	char *p = mem_add(o->n, n, &want) && mem_add(want, 1, &want) ? mem_grow(o->s, &o->cap, want, 1) : NULL;
	if (!p) {
		o->failed = true;
		return;
	}
	o->s = p;
	if (n)
		memcpy(p + o->n, s, n);
	o->n += n;
	p[o->n] = '\0';
}

static void
put_token(const struct tokenizer *t, struct text *o, int32_t id)
{
	char name[24];
	size_t n;
	const char *s = tok_bytes_of(t, id, &n);

	if (o->n && tok_spaced(t, id))
		put(o, " ", 1);
	else if (!o->n && tok_glue(t, id))
		put(o, wordpiece_prefix(t->priv->wp), strlen(wordpiece_prefix(t->priv->wp)));
	if (!s) {
		n = (size_t)snprintf(name, sizeof name, id == t->mask ? "[MASK]" : "<%d>", id);
		s = name;
	}
	put(o, s, n);
}

char *
tok_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, size_t *bytes)
{
	struct text o = { 0 };

	put(&o, "", 0);
	for (size_t i = 0; i < n; i++)
		if (ids[i] != -1 && !(skip_special && tok_special(t, ids[i])))
			put_token(t, &o, ids[i]);
	*bytes = o.n;
	if (o.failed) {
		free(o.s);
		return NULL;
	}
	return o.s;
}
