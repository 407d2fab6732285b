/* alphabet.c: see alphabet.h. */
#include "train/alphabet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/mem.h"
#include "train/data_text.h"

#define MOST (1 << 18)	 /* tokens: what the random numbers can name */
#define EMBED (16 << 20) /* bytes of a tokenizer.json that travels in a checkpoint */

static enum status
no_memory(struct error *e)
{
	return error_set(e, ST_MEMORY, "out of memory for a vocabulary");
}

void
alphabet_done(struct alphabet *a)
{
	if (a->show != a->encode)
		tok_free(a->show);
	tok_free(a->encode);
	free(a->vocabulary);
	*a = (struct alphabet){ 0 };
}

/* ---- ids ---- */

/* n: ids of the tokenizer that the text is read with; own: its special tokens. */
static void
number(const struct job *j, const struct tokenizer *own, int n, struct alphabet *a)
{
	bool pieces = own->kind == TOK_BPE || own->kind == TOK_WORDPIECE;

	a->V = n;
	a->mask = a->bos = -1;
	if (job_causal(j)) {
		a->bos = own->bos >= 0 ? own->bos : a->V++;
		a->mask = own->mask >= 0 ? own->mask : a->V++;
		a->begin = !text_data_wraps(own);
	} else if (job_masked(j)) {
		a->mask = own->mask >= 0 ? own->mask : a->V++;
	} else if (pieces && own->pad < 0) {
		a->V++;
	}
	if (own->kind == TOK_CHARS && own->n > a->V)
		a->V = own->n;
	a->K = a->mask >= 0 ? a->V - 1 : a->V;
}

/* A list of strings as a tokenizer; the list is given up. */
static enum status
list_tokenizer(json_t *list, char **text, struct tokenizer **out, struct error *e)
{
	char *s = list ? json_dumps(list, JSON_COMPACT) : NULL;
	enum status st = s ? tok_chars(s, strlen(s), out, e) : no_memory(e);

	json_decref(list);
	if (text && st == ST_OK)
		*text = s;
	else
		free(s);
	return st;
}

/* plain: the characters that text is read with; special tokens are put behind them.  plain is given up. */
static enum status
from_characters(const struct job *j, json_t *plain, struct alphabet *a, struct error *e)
{
	json_t *all = plain ? json_copy(plain) : NULL;
	enum status st = list_tokenizer(plain, NULL, &a->encode, e);
	bool ok = all != NULL;

	if (ok && job_causal(j))
		ok = !json_array_append_new(all, json_string("[BOS]"));
	if (ok && (job_causal(j) || job_masked(j)))
		ok = !json_array_append_new(all, json_string("[MASK]"));
	a->key = "vocabulary";
	if (st == ST_OK && ok)
		return list_tokenizer(all, &a->vocabulary, &a->show, e);
	json_decref(all);
	return st == ST_OK ? no_memory(e) : st;
}

/* ---- characters ---- */

static size_t
utf8_of(uint32_t ch, char *out)
{
	int more = ch < 0x80 ? 0 : ch < 0x800 ? 1 : ch < 0x10000 ? 2 : 3;
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };

	for (int i = more; i > 0; i--, ch >>= 6)
		out[i] = (char)(0x80 | (ch & 0x3f));
	out[0] = (char)(lead[more] | ch);
	return (size_t)more + 1;
}

/* Every character of the text, in the order of Unicode. */
static enum status
characters(const struct job *j, const struct cancel *c, struct alphabet *a, struct error *e)
{
	uint8_t *seen = malloc(TEXT_CHARACTERS / 8);
	enum status st = seen ? text_data_characters(j->path, c, seen, e) : no_memory(e);
	json_t *list = json_array();
	bool ok = list != NULL;
	char s[4];

	for (uint32_t ch = 0; ok && st == ST_OK && ch < TEXT_CHARACTERS; ch++)
		if (seen[ch / 8] >> ch % 8 & 1)
			ok = !json_array_append_new(list, json_stringn(s, utf8_of(ch, s)));
	free(seen);
	if (st == ST_OK && ok && !json_array_size(list))
		st = error_set(e, ST_USAGE, "%s: there is no text", j->path);
	if (st == ST_OK && ok) {
		snprintf(a->name, sizeof a->name, "characters");
		return from_characters(j, list, a, e);
	}
	json_decref(list);
	return st == ST_OK ? no_memory(e) : st;
}

/* The vocabulary of a checkpoint: its special tokens stay what they are. */
static enum status
saved_characters(const char *text, size_t bytes, struct alphabet *a, struct error *e)
{
	enum status st = tok_chars(text, bytes, &a->show, e);
	json_t *plain = NULL;
	int n = 0;

	if (st != ST_OK)
		return st;
	while (n < a->show->n && !tok_special(a->show, n))
		n++;
	plain = json_loadb(text, bytes, JSON_ALLOW_NUL, NULL);
	while (plain && json_array_size(plain) > (size_t)n)
		if (json_array_remove(plain, (size_t)n))
			break;
	a->vocabulary = mem_strndup(text, bytes);
	a->key = "vocabulary";
	snprintf(a->name, sizeof a->name, "characters");
	if (a->vocabulary)
		return list_tokenizer(plain, NULL, &a->encode, e);
	json_decref(plain);
	return no_memory(e);
}

/* ---- files ---- */

/* The text of a file of reasonable size, NULL if it is none (or no text). */
static char *
file_text(const char *path)
{
	FILE *f = fopen(path, "rbe");
	struct stat sb;
	char *s = NULL;

	if (f && !fstat(fileno(f), &sb) && S_ISREG(sb.st_mode) && sb.st_size > 0 && sb.st_size <= EMBED) {
		size_t n = (size_t)sb.st_size;
		if ((s = malloc(n + 1)) && fread(s, 1, n, f) == n && !memchr(s, 0, n)) {
			s[n] = '\0';
		} else {
			free(s);
			s = NULL;
		}
	}
	if (f)
		fclose(f);
	return s;
}

static bool
exists(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0;
}

/* The path that the job's tokenizer means: itself, or one of the user's own by that name; malloced. */
static char *
place(const char *name)
{
	char *path[TOK_PLACES], *found = NULL;
	int n = exists(name) ? 0 : tok_places(name, path);

	for (int i = 0; i < n; i++)
		if (!found && exists(path[i]))
			found = path[i];
		else
			free(path[i]);
	return found ? found : mem_strdup(name);
}

/* A tokenizer.json travels in the checkpoints; of the others only the name does. */
static enum status
from_path(const char *path, struct alphabet *a, struct error *e)
{
	char *inside = mem_printf("%s/tokenizer.json", path), *text = inside ? file_text(inside) : NULL;
	struct tokenizer *whole = NULL;

	free(inside);
	if (!text)
		text = file_text(path);
	enum status st = tok_open(path, &a->encode, e);
	if (st == ST_OK && text && tok_from_json((const uint8_t *)text, strlen(text), &whole, NULL) == ST_OK) {
		a->key = "tokenizer.json";
		a->vocabulary = text;
		text = NULL;
	}
	tok_free(whole);
	free(text);
	return st;
}

static enum status
from_name(const char *name, struct alphabet *a, struct error *e)
{
	char *path = place(name);
	enum status st = path ? from_path(path, a, e) : no_memory(e);
	size_t n = strlen(name);

	if (st == ST_CKPT && !exists(path) && !strchr(name, '/'))
		st = error_set(e, ST_USAGE, "tokenizer \"%s\" is neither chars, bytes, text8 nor a file here or in "
			       "$XDG_DATA_HOME/psiview/tokenizers", name);
	free(path);
	while (n && name[n - 1] == '/')
		n--;
	const char *last = memrchr(name, '/', n), *from = last ? last + 1 : name;
	snprintf(a->name, sizeof a->name, "%.*s", (int)(name + n - from), from);
	return st;
}

static enum status
built_in(const char *name, struct tokenizer *t, struct alphabet *a, struct error *e)
{
	a->encode = t;
	a->key = "tokenizer";
	a->vocabulary = mem_strdup(name);
	snprintf(a->name, sizeof a->name, "%s", name);
	return t && a->vocabulary ? ST_OK : no_memory(e);
}

/* *found: the checkpoint holds a tokenizer for text. */
static enum status
from_checkpoint(const struct ckpt *k, struct alphabet *a, bool *found, struct error *e)
{
	enum status st = ST_OK;

	*found = true;
	switch (k->tok_kind) {
	case CKPT_TOK_TEXT8:
		return built_in("text8", tok_text8(), a, e);
	case CKPT_TOK_BYTES:
		return built_in("bytes", tok_bytes(), a, e);
	case CKPT_TOK_CHARS:
		st = saved_characters((const char *)k->tok_data, k->tok_bytes, a, e);
		break;
	case CKPT_TOK_JSON:
		st = tok_from_json(k->tok_data, k->tok_bytes, &a->encode, e);
		a->key = "tokenizer.json";
		a->vocabulary = mem_strndup((const char *)k->tok_data, k->tok_bytes);
		snprintf(a->name, sizeof a->name, "%s", k->config.tokenizer_name);
		if (st == ST_OK && !a->vocabulary)
			st = no_memory(e);
		break;
	case CKPT_TOK_NONE:
	case CKPT_TOK_PIXELS:
		*found = false;
		break;
	}
	return st == ST_CKPT ? error_prefix(e, "the tokenizer inside the checkpoint") : st;
}

static enum status
end(const struct job *j, struct alphabet *a, enum status st, struct error *e)
{
	if (st == ST_OK) {
		a->show = a->show ? a->show : a->encode;
		number(j, a->show, a->encode->n, a);
		if (a->V > MOST)
			st = error_set(e, ST_USAGE, "a vocabulary of %d tokens; at most %d can be trained", a->V, MOST);
	}
	if (st != ST_OK)
		alphabet_done(a);
	return st;
}

enum status
alphabet_open(const struct job *j, const struct ckpt *like, const struct cancel *c, struct alphabet *out,
	      struct error *e)
{
	enum status st = ST_OK;
	bool found = false;

	*out = (struct alphabet){ 0 };
	if (like)
		st = from_checkpoint(like, out, &found, e);
	if (st != ST_OK || found)
		return end(j, out, st, e);
	if (!strcmp(j->tokenizer, "chars"))
		st = characters(j, c, out, e);
	else if (!strcmp(j->tokenizer, "text8"))
		st = built_in("text8", tok_text8(), out, e);
	else if (!strcmp(j->tokenizer, "bytes"))
		st = built_in("bytes", tok_bytes(), out, e);
	else
		st = from_name(j->tokenizer, out, e);
	return end(j, out, st, e);
}

enum status
alphabet_sudoku(const struct job *j, struct alphabet *out, struct error *e)
{
	json_t *list = json_array();
	bool ok = list != NULL;
	char digit[16];

	*out = (struct alphabet){ .key = "vocabulary" };
	for (int i = 1; ok && i <= j->sudoku; i++) {
		snprintf(digit, sizeof digit, "%d", i);
		ok = !json_array_append_new(list, json_string(digit));
	}
	ok = ok && !json_array_append_new(list, json_string("[BOS]"));
	if (ok && (job_masked(j) || job_causal(j)))
		ok = !json_array_append_new(list, json_string("[MASK]"));
	snprintf(out->name, sizeof out->name, "sudoku%d", j->sudoku);
	enum status st = ok ? list_tokenizer(list, &out->vocabulary, &out->encode, e) : no_memory(e);
	if (!ok)
		json_decref(list);
	st = end(j, out, st, e);
	out->bos = j->sudoku;
	out->begin = false;
	return st;
}

enum status
alphabet_pixels(const struct job *j, struct alphabet *out, struct error *e)
{
	*out = (struct alphabet){ 0 };
	enum status st = built_in("pixels", tok_pixels(), out, e);
	snprintf(out->name, sizeof out->name, "raw_pixels");
	return end(j, out, st, e);
}
