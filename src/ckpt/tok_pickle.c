/*
 * tok_pickle.c: the pickled tokenizer of a Lightning checkpoint: the table of
 * a Text8Tokenizer, the tokenizer.json inside a fast tokenizer of
 * transformers, the pixel tokenizer.  See checkpoints.md sections 1 and 4.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

#define TEXT8_IDS 35

/* The class of an inert object; copyreg._reconstructor(cls, ...) too. */
static pk
class_of(const struct pickle *p, pk v)
{
	pk c = pk_callable(p, v);

	if ((pk_global_is(p, c, "copyreg", "_reconstructor") || pk_global_is(p, c, "copy_reg", "_reconstructor")) &&
	    pk_count(p, pk_args(p, v)))
		c = pk_item(p, pk_args(p, v), 0);
	return pk_global_name(p, c);
}

/* Is `table` (text -> id) the published text8 vocabulary? */
static bool
is_text8(const struct pickle *p, pk table)
{
	static const char *const special[] = { "[CLS]", "[SEP]", "[BOS]", "[EOS]", "[MASK]", "[PAD]", "[RESERVED]",
	    "[UNK]" };
	bool same = pk_count(p, table) == TEXT8_IDS;

	for (int i = 0; same && i < TEXT8_IDS; i++) {
		char letter[2] = { i == 34 ? ' ' : (char)('a' + i - 8), '\0' };
		pk id = pk_get(p, table, i < 8 ? special[i] : letter);

		same = pk_type(p, id) == PK_INT && pk_int(p, id) == i;
	}
	return same;
}

/* Another table of the same class: a JSON array of its strings by id. */
static enum status
copy_table(struct opener *o, const struct pickle *p, pk table)
{
	size_t n = pk_count(p, table), k;
	json_t *list = json_array();
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < n; i++)
		ok = !json_array_append_new(list, json_null());
	for (size_t i = 0; ok && i < n; i++) {
		pk key = pk_key(p, table, i), id = pk_item(p, table, i);

		ok = pk_type(p, key) == PK_STR && pk_type(p, id) == PK_INT && pk_int(p, id) >= 0 &&
		    (size_t)pk_int(p, id) < n;
		if (!ok)
			break;
		const char *s = pk_text(p, key, &k);
		ok = !json_array_set_new(list, (size_t)pk_int(p, id), json_stringn(s, k));
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = json_is_string(json_array_get(list, i));
	o->p->tok = ok && n ? (uint8_t *)json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	if (!o->p->tok) {
		ckpt_warn(o->c, "the tokenizer in the file has no usable table: ids are shown");
		return ST_OK;
	}
	o->c->tok_kind = CKPT_TOK_CHARS;
	o->c->tok_data = o->p->tok;
	o->c->tok_bytes = strlen((const char *)o->p->tok);
	return ST_OK;
}

static enum status
open_text8(struct opener *o, const struct pickle *p, pk v)
{
	pk table = pk_attr(p, v, "_vocab_str_to_int"), mask = pk_get(p, table, "[MASK]");

	if (table == PK_ABSENT || is_text8(p, table)) {
		o->c->tok_kind = CKPT_TOK_TEXT8;
		o->hint.mask = 4;
		return ST_OK;
	}
	o->hint.mask = pk_type(p, mask) == PK_INT && pk_int(p, mask) >= 0 && pk_int(p, mask) < INT_MAX
	    ? (int)pk_int(p, mask) : -1;
	return copy_table(o, p, table);
}

/* The text of a special token: a string or an AddedToken; PK_ABSENT. */
static pk
token_text(const struct pickle *p, pk v)
{
	if (pk_type(p, v) == PK_OBJECT)
		v = pk_attr(p, v, "content");
	return pk_type(p, v) == PK_STR ? v : PK_ABSENT;
}

static pk
mask_text(const struct pickle *p, pk v)
{
	pk t = token_text(p, pk_attr(p, v, "_mask_token"));

	if (t == PK_ABSENT)
		t = token_text(p, pk_get(p, pk_attr(p, v, "_special_tokens_map"), "mask_token"));
	return t != PK_ABSENT ? t : token_text(p, pk_get(p, pk_attr(p, v, "init_kwargs"), "mask_token"));
}

/* Its id according to the tokenizer.json; -1: not there. */
static int
id_of(const json_t *root, const char *text, size_t n)
{
	const json_t *added = json_object_get(root, "added_tokens"), *id = NULL;

	for (size_t i = 0; !id && i < json_array_size(added); i++) {
		const json_t *t = json_array_get(added, i), *content = json_object_get(t, "content");

		if (json_is_string(content) && json_string_length(content) == n &&
		    !memcmp(json_string_value(content), text, n))
			id = json_object_get(t, "id");
	}
	if (!id)
		id = json_object_getn(json_path(root, "model.vocab"), text, n);
	return json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) < INT_MAX
	    ? (int)json_integer_value(id) : -1;
}

static enum status
open_fast(struct opener *o, const struct pickle *p, pk v, pk json)
{
	size_t n, k;
	const char *s = pk_text(p, json, &n);
	pk mask = mask_text(p, v);
	json_t *root;

	o->p->tok = malloc(n + 1);
	if (!o->p->tok)
		return error_set(o->e, ST_MEMORY, "out of memory");
	memcpy(o->p->tok, s, n);
	o->c->tok_kind = CKPT_TOK_JSON;
	o->c->tok_data = o->p->tok;
	o->c->tok_bytes = n;
	o->hint.mask = -1;
	if (mask == PK_ABSENT || json_parse(o->p->tok, n, 64, &root, NULL))
		return ST_OK;
	s = pk_text(p, mask, &k);
	o->hint.mask = id_of(root, s, k);
	json_decref(root);
	return ST_OK;
}

enum status
open_tokenizer(struct opener *o, const struct pickle *p, pk v)
{
	pk class = class_of(p, v), inner = pk_attr(p, v, "_tokenizer"), json = pk_state(p, inner), mask;
	size_t n = 0;
	const char *s = class == PK_ABSENT ? "" : pk_text(p, class, &n);

	if (v == PK_ABSENT || pk_type(p, v) == PK_TYPE_NONE)
		return ST_OK;
	if (pk_is(p, class, "Text8Tokenizer"))
		return open_text8(o, p, v);
	if (pk_is(p, class, "RawPixelsVisionTokenizer")) {
		o->c->tok_kind = CKPT_TOK_PIXELS;
		mask = pk_attr(p, v, "mask_token_id");
		o->hint.mask = pk_type(p, mask) == PK_INT && pk_int(p, mask) >= 0 && pk_int(p, mask) < INT_MAX
		    ? (int)pk_int(p, mask) : -1;
		return ST_OK;
	}
	if (inner != PK_ABSENT && (pk_type(p, json) == PK_BYTES || pk_type(p, json) == PK_STR))
		return open_fast(o, p, v, json);
	ckpt_warn(o->c,
	    "the tokenizer in the file (%.*s) is not one psiview knows: ids are shown unless --tokenizer names one",
	    (int)(n < 60 ? n : 60), n ? s : "no class");
	return ST_OK;
}
