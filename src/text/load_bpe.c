/* load_bpe.c: byte-level BPE from tokenizer.json, or from vocab.json and merges.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/bpe.h"
#include "text/load.h"
#include "text/utf8.h"

static enum status
reserve(struct loading *l, size_t n)
{
	char *p = mem_grow(l->buf, &l->buf_cap, n, 1);

	if (!p)
		return load_memory(l);
	l->buf = p;
	return ST_OK;
}

/* Where an added token is looked for. */
static enum status
cut_added(struct loading *l, const struct word *w)
{
	struct tok_private *p = l->t->priv;
	struct cutset *set = w->flags & ADDED_NORMAL ? &p->normal : &p->raw;

	return cutset_add(set, w->id, words_text(&l->added, w), w->len, w->flags) ? ST_OK : load_memory(l);
}

static enum status
add_token(struct loading *l, const char *key, int32_t id)
{
	size_t n = strlen(key);
	const struct word *a = words_exact(&l->added, key, n);

	if (a && a->id != id)
		return error_set(l->e, ST_CKPT, "the added token \"%.60s\" has id %d, but %d in the vocabulary", key,
				 a->id, id);
	if (a)
		return ST_OK;        /* comes with the added ones */
	enum status st = reserve(l, n + 1);
	if (st != ST_OK)
		return st;
	return tok_add(l->t, id, l->buf, bpe_unspell(key, n, l->buf), 0) ? ST_OK : load_memory(l);
}

static enum status
add_vocab(struct loading *l)
{
	enum status st = ST_OK;
	const char *key;
	json_t *v;
	int32_t id;

	json_object_foreach((json_t *)l->vocab, key, v) {
		st = load_id(l, v, key, &id);
		if (st == ST_OK)
			st = add_token(l, key, id);
		if (st != ST_OK)
			return st;
	}
	for (size_t i = 0; st == ST_OK && i < l->added.n; i++) {
		const struct word *w = &l->added.w[i];
		if (!tok_add(l->t, w->id, words_text(&l->added, w), w->len, w->flags & WORD_SPECIAL))
			return load_memory(l);
		st = cut_added(l, w);
	}
	return st;
}

static bool
id_of(const struct loading *l, const char *token, int32_t *id)
{
	const json_t *v = json_object_get(l->vocab, token);

	if (v)
		*id = (int32_t)json_integer_value(v);
	return v != NULL;
}

/* The merge of a[0..na-1] and b[0..nb-1], spelled as in the vocabulary. */
static enum status
add_merge(struct loading *l, const char *a, size_t na, const char *b, size_t nb, uint32_t rank)
{
	int32_t left, right, product;
	size_t n;

	if (!mem_add(na, nb, &n) || !mem_add(n, 1, &n))
		return load_memory(l);
	enum status st = reserve(l, n);
	if (st != ST_OK)
		return st;
	memcpy(l->buf, a, na);
	l->buf[na] = '\0';
	bool ok = id_of(l, l->buf, &left);
	memcpy(l->buf, b, nb);
	l->buf[nb] = '\0';
	ok = ok && id_of(l, l->buf, &right);
	if (!ok)
		return error_set(l->e, ST_CKPT,
				 "merge %u joins \"%.*s\" and \"%.*s\", which are not both in the vocabulary", rank + 1,
				 (int)(na < 40 ? na : 40), a, (int)(nb < 40 ? nb : 40), b);
	memcpy(l->buf, a, na);
	memcpy(l->buf + na, b, nb);
	l->buf[na + nb] = '\0';
	if (!id_of(l, l->buf, &product))
		return error_set(l->e, ST_CKPT, "the product \"%.60s\" of merge %u is not in the vocabulary", l->buf,
				 rank + 1);
	bpe_merge(l->t->priv->bpe, left, right, product, rank);
	return ST_OK;
}

/* "left right" */
static enum status
add_merge_line(struct loading *l, const char *s, size_t n, uint32_t rank)
{
	const char *space = memchr(s, ' ', n);
	size_t left = space ? (size_t)(space - s) : 0;

	if (!space || !left || left + 1 == n || memchr(space + 1, ' ', n - left - 1))
		return error_set(l->e, ST_CKPT, "merge %u is not two tokens with a space between: \"%.*s\"", rank + 1,
				 (int)(n < 60 ? n : 60), s);
	return add_merge(l, s, left, space + 1, n - left - 1, rank);
}

static enum status
add_merge_json(struct loading *l, const json_t *v, uint32_t rank)
{
	if (json_is_string(v))
		return add_merge_line(l, json_string_value(v), json_string_length(v), rank);
	const json_t *a = json_array_get(v, 0), *b = json_array_get(v, 1);
	if (json_array_size(v) != 2 || !json_is_string(a) || !json_is_string(b))
		return error_set(l->e, ST_CKPT, "merge %u is neither a string nor a pair of strings", rank + 1);
	return add_merge(l, json_string_value(a), json_string_length(a), json_string_value(b), json_string_length(b),
			 rank);
}

static enum status
add_merges_json(struct loading *l, const json_t *list)
{
	enum status st = ST_OK;
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if ((st = add_merge_json(l, v, (uint32_t)i)) != ST_OK)
			break;
	return st;
}

static enum status
add_merges_text(struct loading *l, const char *s, size_t bytes)
{
	enum status st = ST_OK;
	uint32_t rank = 0;

	for (size_t i = 0, len; st == ST_OK && i < bytes; i += len + 1) {
		const char *end = memchr(s + i, '\n', bytes - i);
		len = end ? (size_t)(end - s) - i : bytes - i;
		size_t n = len && s[i + len - 1] == '\r' ? len - 1 : len;
		if (!n || (i == 0 && n >= 8 && memcmp(s, "#version", 8) == 0))
			continue;
		st = add_merge_line(l, s + i, n, rank++);
	}
	return st;
}

/* The ByteLevel part of a pre-tokenizer or decoder: itself, or a member of a Sequence; NULL: none. */
static const json_t *
byte_level(const json_t *component, const char *members)
{
	const json_t *list = json_object_get(component, members), *v;
	size_t i;

	if (strcmp(load_type(component), "ByteLevel") == 0)
		return component;
	json_array_foreach(list, i, v)
		if (strcmp(load_type(v), "ByteLevel") == 0)
			return v;
	return NULL;
}

/* What encoding needs to know; a tokenizer that cuts words in another way than
 * GPT-2 can still decode. */
static enum status
read_options(struct loading *l, const json_t *root, const json_t *model, struct bpe_options *o)
{
	const json_t *pre = json_object_get(root, "pre_tokenizer"), *level = byte_level(pre, "pretokenizers");
	const json_t *norm = json_object_get(root, "normalizer");
	const json_t *decoder = byte_level(json_object_get(root, "decoder"), "decoders");
	enum status st;

	if (!level && !decoder)
		return error_set(l->e, ST_CKPT,
				 "this BPE is not byte-level: neither its pre_tokenizer nor its decoder is ByteLevel");
	for (size_t i = 0; i < 2; i++) {
		const char *key = i ? "end_of_word_suffix" : "continuing_subword_prefix";
		const json_t *v = json_object_get(model, key);
		if (v && !json_is_null(v) && (!json_is_string(v) || json_string_length(v)))
			return error_set(l->e, ST_CKPT, "this BPE is not byte-level: it has a %s", key);
	}
	st = load_bool(l, level, "add_prefix_space", false, &o->prefix_space);
	if (st == ST_OK)
		st = load_bool(l, level, "use_regex", true, &o->split);
	if (st == ST_OK)
		st = load_bool(l, model, "ignore_merges", false, &o->whole_words);
	char *why = l->t->priv->no_encode;
	size_t room = sizeof l->t->priv->no_encode;
	if (!level || (level != pre && json_array_size(json_object_get(pre, "pretokenizers")) != 1))
		snprintf(why, room, "its pre-tokenizer (%.40s) is not the one of GPT-2",
			 *load_type(pre) ? load_type(pre) : "none");
	else if (norm && !json_is_null(norm))
		snprintf(why, room, "byte-level BPE with a normalizer (%.40s)", load_type(norm));
	return st;
}

/* Tokens of single bytes, and whole words if the model looks for them first. */
static enum status
add_bytes(struct loading *l, bool whole_words)
{
	struct words *all = &l->t->priv->by_id;
	int32_t id;

	for (int i = 0; i < 256; i++) {
		char s[5];
		s[utf8_put(s, bpe_char_of((unsigned char)i))] = '\0';
		if (id_of(l, s, &id))
			bpe_set_byte(l->t->priv->bpe, (unsigned char)i, id);
	}
	for (size_t i = 0; whole_words && i < all->n; i++)
		if (!words_add(&l->t->priv->by_text, all->w[i].id, words_text(all, &all->w[i]), all->w[i].len, 0))
			return load_memory(l);
	return ST_OK;
}

static enum status
load_unknown(struct loading *l, const json_t *model)
{
	const json_t *v = json_object_get(model, "unk_token");
	int32_t id;

	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_string(v))
		return error_set(l->e, ST_CKPT, "unk_token is not a string");
	if (id_of(l, json_string_value(v), &id))
		l->t->unk = id;
	return ST_OK;
}

enum status
load_bpe(struct loading *l, const json_t *root, const json_t *model, const struct merges *m)
{
	struct bpe_options o = { .split = true };
	size_t n = m->list ? json_array_size(m->list) : m->bytes / 4 + 1;    /* a line has 4 bytes at least */
	enum status st = ST_OK;

	if (!(l->t = tok_new(TOK_BPE)))
		return load_memory(l);
	if (!m->lines && !json_is_array(m->list))
		return error_set(l->e, ST_CKPT, "the merges (model.merges) are %s", m->list ? "not a list" : "missing");
	if (root)
		st = read_options(l, root, model, &o);
	if (st == ST_OK)
		st = add_vocab(l);
	if (st == ST_OK)
		st = bpe_new(&o, n, &l->t->priv->bpe, l->e);
	if (st == ST_OK)
		st = m->lines ? add_merges_text(l, m->lines, m->bytes) : add_merges_json(l, m->list);
	if (st == ST_OK)
		st = add_bytes(l, o.whole_words);
	if (st == ST_OK)
		st = load_unknown(l, model);
	return st == ST_OK ? tok_finish(l->t, l->e) : st;
}
