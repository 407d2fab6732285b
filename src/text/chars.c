/*
 * chars.c: tokenizers without a model behind them: text8, characters, bytes,
 * pixel values, and plain ids.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>

#include "base/json.h"
#include "base/mem.h"
#include "text/private.h"
#include "text/utf8.h"

/* Finish a table that is right by construction: only memory can fail. */
static struct tokenizer *
finish(struct tokenizer *t, bool ok)
{
	if (ok && tok_finish(t, NULL) == ST_OK)
		return t;
	tok_free(t);
	return NULL;
}

struct tokenizer *
tok_text8(void)
{
	static const char *const special[] = { "[CLS]", "[SEP]", "[BOS]", "[EOS]", "[MASK]", "[PAD]", "[RESERVED]",
					       "[UNK]" };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz ";
	struct tokenizer *t = tok_new(TOK_TEXT8);
	bool ok = t != NULL;

	for (int i = 0; ok && i < 8; i++)
		ok = tok_add(t, i, special[i], strlen(special[i]), WORD_SPECIAL) &&
		     cutset_add(&t->priv->raw, i, special[i], strlen(special[i]), 0);
	for (int i = 0; ok && letters[i]; i++)
		ok = tok_add(t, 8 + i, &letters[i], 1, 0) && words_add(&t->priv->by_text, 8 + i, &letters[i], 1, 0);
	return finish(t, ok);
}

struct tokenizer *
tok_bytes(void)
{
	struct tokenizer *t = tok_new(TOK_BYTES);
	bool ok = t != NULL;

	for (int i = 0; ok && i < 256; i++)
		ok = tok_add(t, i, &(char){ (char)i }, 1, 0);
	return finish(t, ok);
}

struct tokenizer *
tok_pixels(void)
{
	struct tokenizer *t = tok_new(TOK_PIXELS);
	bool ok = t != NULL;

	for (int i = 0; ok && i < 256; i++) {
		char s[8];
		ok = tok_add(t, i, s, (size_t)snprintf(s, sizeof s, "%d", i), 0);
	}
	return finish(t, ok);
}

struct tokenizer *
tok_ids(int n)
{
	struct tokenizer *t = tok_new(TOK_IDS);

	if (t)
		t->n = n;
	return t;
}

/* "[MASK]", "<pad>", "<|endoftext|>": a name in brackets, not a character. */
static bool
looks_special(const char *s, size_t n)
{
	if (n < 3 || !((s[0] == '[' && s[n - 1] == ']') || (s[0] == '<' && s[n - 1] == '>')))
		return false;
	for (size_t i = 1; i + 1 < n; i++)
		if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || strchr("|/_-", s[i])) || !s[i])
			return false;
	return true;
}

static enum status
add_entry(struct tokenizer *t, int32_t id, const json_t *v, struct error *e)
{
	if (!json_is_string(v))
		return error_set(e, ST_CKPT, "entry %d of the list of characters is not a string", id);
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);
	unsigned flags = looks_special(s, n) ? WORD_SPECIAL : 0;
	if (!tok_add(t, id, s, n, flags) || (n && !words_add(&t->priv->by_text, id, s, n, flags)))
		return error_set(e, ST_MEMORY, "out of memory for a list of characters");
	return ST_OK;
}

enum status
tok_chars(const char *json, size_t bytes, struct tokenizer **out, struct error *e)
{
	json_t *list, *v;
	struct tokenizer *t = NULL;
	enum status st;
	size_t i;

	*out = NULL;
	st = json_parse((const uint8_t *)json, bytes, 4, &list, e);
	if (st != ST_OK)
		return st;
	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > INT32_MAX)
		st = error_set(e, ST_CKPT, "the vocabulary of characters is not a list of strings");
	else if (!(t = tok_new(TOK_CHARS)))
		st = error_set(e, ST_MEMORY, "out of memory for a list of characters");
	if (st == ST_OK)
		json_array_foreach(list, i, v) {
			st = add_entry(t, (int32_t)i, v, e);
			if (st != ST_OK)
				break;
		}
	json_decref(list);
	if (st == ST_OK)
		st = tok_finish(t, e);
	if (st == ST_OK)
		*out = t;
	else
		tok_free(t);
	return st;
}

/* Text8 lower-cases, as published; the full mapping of U+0130 is "i" and a dot that it does not have. */
static const struct word *
text8_letter(const struct tokenizer *t, uint32_t ch)
{
	char s[4];

	if (ch == UTF8_BAD || ch == 0x130)
		return NULL;
	return words_exact(&t->priv->by_text, s, utf8_put(s, uc_tolower(ch)));
}

enum status
chars_encode(struct encoding *c, const char *s, size_t n)
{
	enum status st = ST_OK;
	const struct word *w;
	uint32_t ch;

	for (size_t i = 0, len; st == ST_OK && i < n; i += len) {
		len = utf8_next(s + i, n - i, &ch);
		if (c->t->kind == TOK_TEXT8)
			w = text8_letter(c->t, ch);
		else if ((w = words_longest(&c->t->priv->by_text, s + i, n - i)))
			len = w->len;
		if (c->lossy && c->t->kind == TOK_TEXT8 && ch == 0x130)
			st = encode_id(c, 'i' - 'a' + 8);
		if (st == ST_OK)
			st = w ? encode_id(c, w->id) : encode_unknown(c, s + i, len);
	}
	return st;
}

/* "12", "<12>", separated by spaces or commas. */
enum status
numbers_encode(struct encoding *c, const char *s, size_t n)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < n;) {
		if (strchr(" \t\n,<>", s[i]) && s[i]) {
			i++;
			continue;
		}
		size_t from = i;
		long v = 0;
		while (i < n && s[i] >= '0' && s[i] <= '9' && v < c->t->n)
			v = v * 10 + (s[i++] - '0');
		if (i == from || v >= c->t->n || (i < n && (!s[i] || !strchr(" \t\n,<>", s[i])))) {
			while (i < n && s[i] && !strchr(" \t\n,<>", s[i]))
				i++;
			st = encode_unknown(c, s + from, i > from ? i - from : 1);
			i += i == from;
		} else {
			st = encode_id(c, (int32_t)v);
		}
	}
	return st;
}
