/* load_json.c: tokenizer.json as written by the `tokenizers` library; its parts that BPE and WordPiece share. */
#include "text/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum status
load_memory(struct loading *l)
{
	return error_set(l->e, ST_MEMORY, "out of memory for a tokenizer");
}

enum status
load_bool(struct loading *l, const json_t *o, const char *key, bool absent, bool *out)
{
	const json_t *v = json_object_get(o, key);

	*out = absent;
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_boolean(v))
		return error_set(l->e, ST_CKPT, "%s is neither true nor false", key);
	*out = json_is_true(v);
	return ST_OK;
}

enum status
load_id(struct loading *l, const json_t *v, const char *token, int32_t *id)
{
	if (!json_is_integer(v))
		return error_set(l->e, ST_CKPT, "the id of token \"%.60s\" is not an integer", token);
	json_int_t i = json_integer_value(v);
	if (i < 0 || i >= INT32_MAX)
		return error_set(l->e, ST_CKPT, "the id of token \"%.60s\" is out of range: %" JSON_INTEGER_FORMAT,
				 token, i);
	*id = (int32_t)i;
	return ST_OK;
}

const char *
load_type(const json_t *component)
{
	const char *s = json_string_value(json_object_get(component, "type"));

	return s ? s : "";
}

static enum status
load_added_one(struct loading *l, const json_t *v)
{
	static const struct {
		const char *key;
		unsigned flag;
	} field[] = {
		{ "special", WORD_SPECIAL }, { "single_word", WORD_ALONE }, { "lstrip", WORD_EAT_LEFT },
		{ "rstrip", WORD_EAT_RIGHT }, { "normalized", ADDED_NORMAL },
	};
	const json_t *content = json_object_get(v, "content");
	enum status st;
	unsigned flags = 0;
	int32_t id;
	bool on;

	if (!json_is_string(content))
		return error_set(l->e, ST_CKPT, "an added token has no content");
	const char *s = json_string_value(content);
	st = load_id(l, json_object_get(v, "id"), s, &id);
	for (size_t i = 0; st == ST_OK && i < sizeof field / sizeof field[0]; i++) {
		st = load_bool(l, v, field[i].key, false, &on);
		flags |= on ? field[i].flag : 0;
	}
	if (st == ST_OK && !words_add(&l->added, id, s, json_string_length(content), flags))
		st = load_memory(l);
	return st;
}

/* One text with two ids cannot be; the same token twice counts once. */
static enum status
check_added(struct loading *l)
{
	struct words *a = &l->added;
	size_t k = 0;

	words_sort_by_text(a);
	for (size_t i = 0; i < a->n; i++) {
		struct word *w = &a->w[i];
		if (k && a->w[k - 1].len == w->len &&
		    memcmp(words_text(a, &a->w[k - 1]), words_text(a, w), w->len) == 0) {
			if (a->w[k - 1].id != w->id)
				return error_set(l->e, ST_CKPT, "the added token \"%.*s\" has two ids, %d and %d",
						 (int)(w->len < 60 ? w->len : 60), words_text(a, w), a->w[k - 1].id,
						 w->id);
			continue;
		}
		a->w[k++] = *w;
	}
	a->n = k;
	return ST_OK;
}

static enum status
load_added(struct loading *l, const json_t *root)
{
	const json_t *list = json_object_get(root, "added_tokens"), *v;
	enum status st = ST_OK;
	size_t i;

	if (!list || json_is_null(list))
		return ST_OK;
	if (!json_is_array(list))
		return error_set(l->e, ST_CKPT, "added_tokens is not a list");
	json_array_foreach(list, i, v)
		if ((st = load_added_one(l, v)) != ST_OK)
			return st;
	return check_added(l);
}

enum status
load_whole(struct loading *l, const json_t *root)
{
	const json_t *model = json_object_get(root, "model");

	if (!json_is_object(root))
		return error_set(l->e, ST_CKPT, "not a tokenizer.json: the outermost value is not an object");
	if (!json_is_object(model))
		return error_set(l->e, ST_CKPT, "not a tokenizer.json: it has no model");
	l->vocab = json_object_get(model, "vocab");
	if (!json_is_object(l->vocab) && strcmp(load_type(model), "Unigram") != 0)
		return error_set(l->e, ST_CKPT, "the vocabulary (model.vocab) is %s",
				 l->vocab ? "not an object" : "missing");
	if (json_is_object(l->vocab) && !json_object_size(l->vocab))
		return error_set(l->e, ST_CKPT, "the vocabulary (model.vocab) is empty");
	enum status st = load_added(l, root);
	if (st != ST_OK)
		return st;
	/* files of old versions do not name the type */
	const char *type = load_type(model);
	if (!*type)
		type = json_object_get(model, "merges") ? "BPE" : "WordPiece";
	if (strcmp(type, "BPE") == 0)
		return load_bpe(l, root, model, &(struct merges){ .list = json_object_get(model, "merges") });
	if (strcmp(type, "WordPiece") == 0)
		return load_wordpiece(l, root, model);
	return error_set(l->e, ST_CKPT, "a tokenizer of type %.40s; byte-level BPE and WordPiece can be read", type);
}

enum status
load_end(struct loading *l, enum status st, struct tokenizer **out)
{
	words_done(&l->added);
	free(l->buf);
	if (st == ST_OK)
		*out = l->t;
	else
		tok_free(l->t);
	return st;
}

enum status
tok_from_json(const uint8_t *json, size_t bytes, struct tokenizer **out, struct error *e)
{
	struct loading l = { .e = e };
	json_t *root;

	*out = NULL;
	enum status st = json_parse(json, bytes, LOAD_DEPTH, &root, e);
	if (st != ST_OK)
		return st;
	st = load_whole(&l, root);
	json_decref(root);
	return load_end(&l, st, out);
}
