/* load_wordpiece.c: WordPiece from tokenizer.json, or from vocab.txt. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/mem.h"
#include "text/load.h"
#include "text/wordpiece.h"

static enum status
add_token(struct loading *l, int32_t id, const char *s, size_t n, unsigned flags)
{
	struct wordpiece *w = l->t->priv->wp;
	size_t p = strlen(wordpiece_prefix(w));

	if (!wordpiece_add(w, id, s, n))
		return load_memory(l);
	if (n > p && memcmp(s, wordpiece_prefix(w), p) == 0) {
		s += p;
		n -= p;
		flags |= WORD_GLUE;
	}
	return tok_add(l->t, id, s, n, flags) ? ST_OK : load_memory(l);
}

/* An added token is looked for as written, or (`normalized`) in normalised text in its own normalised form. */
static enum status
cut_added(struct loading *l, const struct word *a)
{
	struct tok_private *p = l->t->priv;
	size_t n;

	if (!(a->flags & ADDED_NORMAL))
		return cutset_add(&p->raw, a->id, words_text(&l->added, a), a->len, a->flags) ? ST_OK : load_memory(l);
	char *s = wordpiece_normal(p->wp, words_text(&l->added, a), a->len, &n);
	bool ok = s && cutset_add(&p->normal, a->id, s, n, a->flags);
	free(s);
	return ok ? ST_OK : load_memory(l);
}

static enum status
add_vocab(struct loading *l)
{
	enum status st = ST_OK;
	const char *key;
	json_t *v;
	int32_t id;

	json_object_foreach((json_t *)l->vocab, key, v) {
		const struct word *a = words_exact(&l->added, key, strlen(key));
		st = load_id(l, v, key, &id);
		if (st == ST_OK && a && a->id != id)
			st = error_set(l->e, ST_CKPT, "the added token \"%.60s\" has id %d, but %d in the vocabulary",
				       key, a->id, id);
		if (st == ST_OK)
			st = add_token(l, id, key, strlen(key), a ? a->flags & WORD_SPECIAL : 0);
		if (st != ST_OK)
			return st;
	}
	for (size_t i = 0; st == ST_OK && i < l->added.n; i++) {
		const struct word *a = &l->added.w[i];
		char *s = mem_strndup(words_text(&l->added, a), a->len);
		if (!s)
			return load_memory(l);
		if (!json_object_get(l->vocab, s) && !tok_add(l->t, a->id, s, a->len, a->flags & WORD_SPECIAL))
			st = load_memory(l);
		free(s);
		if (st == ST_OK)
			st = cut_added(l, a);
	}
	return st;
}

static enum status
read_normalizer(struct loading *l, const json_t *norm, struct wordpiece_options *o)
{
	enum status st;

	if (strcmp(load_type(norm), "BertNormalizer") != 0) {
		snprintf(l->t->priv->no_encode, sizeof l->t->priv->no_encode,
			 "its normalizer (%.40s) is not the one of BERT", *load_type(norm) ? load_type(norm) : "none");
		return ST_OK;
	}
	st = load_bool(l, norm, "clean_text", true, &o->clean);
	if (st == ST_OK)
		st = load_bool(l, norm, "handle_chinese_chars", true, &o->chinese);
	if (st == ST_OK)
		st = load_bool(l, norm, "lowercase", true, &o->lower);
	if (st == ST_OK)
		st = load_bool(l, norm, "strip_accents", o->lower, &o->strip);
	return st;
}

static enum status
read_model(struct loading *l, const json_t *model, struct wordpiece_options *o)
{
	const json_t *prefix = json_object_get(model, "continuing_subword_prefix");
	const json_t *max = json_object_get(model, "max_input_chars_per_word");
	const json_t *unk = json_object_get(model, "unk_token");

	if (prefix && !json_is_string(prefix))
		return error_set(l->e, ST_CKPT, "continuing_subword_prefix is not a string");
	if (prefix)
		o->prefix = json_string_value(prefix);
	if (max && (!json_is_integer(max) || json_integer_value(max) < 0))
		return error_set(l->e, ST_CKPT, "max_input_chars_per_word is not a number from 0 on");
	if (max)
		o->max_chars = (size_t)json_integer_value(max);
	if (unk && !json_is_string(unk))
		return error_set(l->e, ST_CKPT, "unk_token is not a string");
	const json_t *id = json_object_get(l->vocab, unk ? json_string_value(unk) : "[UNK]");
	return id ? load_id(l, id, "unk_token", &l->t->unk) : ST_OK;
}

static enum status
read_options(struct loading *l, const json_t *root, const json_t *model, struct wordpiece_options *o)
{
	const json_t *pre = json_object_get(root, "pre_tokenizer"), *decoder = json_object_get(root, "decoder");
	enum status st = read_model(l, model, o);

	if (st == ST_OK)
		st = read_normalizer(l, json_object_get(root, "normalizer"), o);
	if (st == ST_OK && strcmp(load_type(pre), "BertPreTokenizer") != 0)
		snprintf(l->t->priv->no_encode, sizeof l->t->priv->no_encode,
			 "its pre-tokenizer (%.40s) is not the one of BERT", *load_type(pre) ? load_type(pre) : "none");
	if (st == ST_OK && strcmp(load_type(decoder), "WordPiece") == 0)
		st = load_bool(l, decoder, "cleanup", true, &o->hug);
	return st;
}

static enum status
begin(struct loading *l, const struct wordpiece_options *o)
{
	return (l->t->priv->wp = wordpiece_new(o)) ? ST_OK : load_memory(l);
}

enum status
load_wordpiece(struct loading *l, const json_t *root, const json_t *model)
{
	struct wordpiece_options o = { .prefix = "##", .max_chars = 100 };

	if (!(l->t = tok_new(TOK_WORDPIECE)))
		return load_memory(l);
	enum status st = read_options(l, root, model, &o);
	if (st == ST_OK)
		st = begin(l, &o);
	if (st == ST_OK)
		st = add_vocab(l);
	if (st != ST_OK)
		return st;
	wordpiece_finish(l->t->priv->wp);
	return tok_finish(l->t, l->e);
}

/* One line of vocab.txt: the five names of BERT are special. */
static enum status
add_line(struct loading *l, int32_t id, const char *s, size_t n)
{
	static const char *const name[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
	unsigned flags = 0;

	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
		if (n == strlen(name[i]) && memcmp(s, name[i], n) == 0)
			flags = WORD_SPECIAL;
	if (u8_check((const uint8_t *)s, n))
		return error_set(l->e, ST_CKPT, "line %d of the vocabulary is not UTF-8", id + 1);
	if (flags && !cutset_add(&l->t->priv->raw, id, s, n, 0))
		return load_memory(l);
	return add_token(l, id, s, n, flags);
}

enum status
load_vocab_txt(struct loading *l, const char *text, size_t bytes)
{
	struct wordpiece_options o = { .prefix = "##", .max_chars = 100, .clean = true, .chinese = true, .strip = true,
				       .lower = true, .hug = true };
	enum status st = ST_OK;
	int32_t id = 0;

	if (!(l->t = tok_new(TOK_WORDPIECE)))
		return load_memory(l);
	st = begin(l, &o);
	for (size_t i = 0, len; st == ST_OK && i < bytes; i += len + 1, id++) {
		const char *end = memchr(text + i, '\n', bytes - i);
		len = end ? (size_t)(end - text) - i : bytes - i;
		size_t n = len && text[i + len - 1] == '\r' ? len - 1 : len;
		st = id < INT32_MAX - 1 ? add_line(l, id, text + i, n) : error_set(l->e, ST_CKPT, "too many lines");
	}
	if (st != ST_OK)
		return st;
	wordpiece_finish(l->t->priv->wp);
	st = tok_finish(l->t, l->e);
	if (st == ST_OK && l->t->unk < 0)
		st = error_set(l->e, ST_CKPT, "not a WordPiece vocabulary: no line is [UNK]");
	return st;
}
