/* open.c: find out which kind of tokenizer a path is, and read it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "text/load.h"

/* No tokenizer is larger; what is read is held in memory a few times over. */
#define LARGEST (64u << 20)

struct file {
	char *text;
	size_t bytes;
};

/* As many of the f->bytes as there are. */
static bool
read_all(int fd, struct file *f)
{
	size_t n = 0;

	while (n < f->bytes) {
		ssize_t got = read(fd, f->text + n, f->bytes - n);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			return false;
	}
	f->bytes = n;
	return true;
}

/* Read a regular file; f->text is malloced. */
static enum status
read_file(const char *path, struct file *f, struct error *e)
{
	struct stat sb;
	enum status st = ST_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a fifo must not hang */

	*f = (struct file){ 0 };
	if (fd < 0)
		return error_set(e, ST_CKPT, "%s: %s", path, strerror(errno));
	if (fstat(fd, &sb) < 0 || !S_ISREG(sb.st_mode))
		st = error_set(e, ST_CKPT, "%s: not a regular file", path);
	else if (sb.st_size > LARGEST)
		st = error_set(e, ST_CKPT, "%s: too large for a tokenizer (over %u MB)", path, LARGEST >> 20);
	else if (!(f->text = malloc((size_t)sb.st_size + 1)))
		st = error_set(e, ST_MEMORY, "%s: out of memory", path);
	f->bytes = st == ST_OK ? (size_t)sb.st_size : 0;
	if (st == ST_OK && !read_all(fd, f))
		st = error_set(e, ST_CKPT, "%s: %s", path, strerror(errno));
	close(fd);
	if (st != ST_OK)
		free(f->text);
	return st;
}

static bool
exists(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0;
}

static bool
is_folder(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The merges that go with a vocabulary: "Xvocab.json" has "Xmerges.txt" beside
 * it, "Xencoder.json" has "Xvocab.bpe", any other name either of the two.
 * Malloced; NULL: there is none. */
static char *
merges_beside(const char *path)
{
	static const char *const pair[][2] = { { "vocab.json", "merges.txt" },
					       { "encoder.json", "vocab.bpe" },
					       { "", "merges.txt" },
					       { "", "vocab.bpe" } };
	const char *slash = strrchr(path, '/');
	size_t n = strlen(path), dir = slash ? (size_t)(slash - path) + 1 : 0;

	for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
		size_t k = strlen(pair[i][0]), keep = k && n - dir >= k ? n - k : dir;
		if (k && (n - dir < k || strcmp(path + n - k, pair[i][0]) != 0))
			continue;
		char *other = mem_printf("%.*s%s", (int)keep, path, pair[i][1]);
		if (other && exists(other))
			return other;
		free(other);
	}
	return NULL;
}

/* Tokens that end texts in GPT-2's files, or those of its descendants; nothing in vocab.json says so. */
static bool
add_known_specials(struct loading *l)
{
	static const char *const later[] = { "<s>", "<pad>", "</s>", "<unk>", "<mask>" };
	static const char *const gpt2[] = { "<|endoftext|>" };
	bool old = json_object_get(l->vocab, gpt2[0]) != NULL, ok = true;
	const char *const *name = old ? gpt2 : later;

	for (size_t i = 0; ok && i < (old ? 1 : 5); i++) {
		const json_t *id = json_object_get(l->vocab, name[i]);
		if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) < INT32_MAX)
			ok = words_add(&l->added, (int32_t)json_integer_value(id), name[i], strlen(name[i]),
				       WORD_SPECIAL);
	}
	words_sort_by_text(&l->added);
	return ok;
}

/* vocab.json (root) and its merges. */
static enum status
open_pair(const char *path, const json_t *root, struct loading *l)
{
	struct file f;
	char *other = merges_beside(path);

	if (!other)
		return error_set(l->e, ST_CKPT, "neither a tokenizer.json nor a vocab.json with merges.txt beside it");
	enum status st = read_file(other, &f, l->e);
	free(other);
	if (st != ST_OK)
		return st;
	l->vocab = root;
	st = !json_object_size(root) ? error_set(l->e, ST_CKPT, "the vocabulary is empty") :
	     !add_known_specials(l) ? load_memory(l) :
	     load_bpe(l, NULL, NULL, &(struct merges){ .lines = f.text, .bytes = f.bytes });
	free(f.text);
	return st;
}

static enum status
open_json(const char *path, const struct file *f, struct tokenizer **out, struct error *e)
{
	struct loading l = { .e = e };
	json_t *root;
	enum status st = json_parse((const uint8_t *)f->text, f->bytes, LOAD_DEPTH, &root, e);

	if (st != ST_OK)
		return st;
	/* in a vocab.json every value is a number, and "model" and "version" are words too */
	bool whole = !json_is_object(root) || json_is_object(json_object_get(root, "model")) ||
		     json_is_string(json_object_get(root, "version")) ||
		     json_is_array(json_object_get(root, "added_tokens"));
	st = whole ? load_whole(&l, root) : open_pair(path, root, &l);
	json_decref(root);
	return load_end(&l, st, out);
}

static enum status
open_vocab_txt(const struct file *f, struct tokenizer **out, struct error *e)
{
	struct loading l = { .e = e };

	return load_end(&l, load_vocab_txt(&l, f->text, f->bytes), out);
}

static enum status
open_file(const char *path, struct tokenizer **out, struct error *e)
{
	struct file f;
	enum status st = read_file(path, &f, e);
	size_t i = 0;

	if (st != ST_OK)
		return st;
	while (i < f.bytes && strchr(" \t\r\n", f.text[i]) && f.text[i])
		i++;
	size_t n = strlen(path);
	bool json = (i < f.bytes && f.text[i] == '{') || (n > 5 && strcmp(path + n - 5, ".json") == 0);
	/* '[' begins a list of characters, but also a vocab.txt ("[PAD]") */
	if (i == f.bytes)
		st = error_set(e, ST_CKPT, "the file is empty");
	else if (json && f.text[i] != '[')
		st = open_json(path, &f, out, e);
	else if (f.text[i] == '[' && (json || (i + 1 < f.bytes && (f.text[i + 1] == '"' || f.text[i + 1] == '\n'))))
		st = tok_chars(f.text, f.bytes, out, e);
	else
		st = open_vocab_txt(&f, out, e);
	free(f.text);
	if (st != ST_OK)
		error_prefix(e, path);
	return st;
}

enum status
tok_open(const char *path, struct tokenizer **out, struct error *e)
{
	static const char *const name[] = { "tokenizer.json", "vocab.json", "encoder.json", "vocab.txt" };


	*out = NULL;
	if (!is_folder(path))
		return open_file(path, out, e);
	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
		char *file = mem_printf("%s/%s", path, name[i]);
		if (!file)
			return error_set(e, ST_MEMORY, "%s: out of memory", path);
		bool there = exists(file);
		enum status st = there ? open_file(file, out, e) : ST_OK;
		free(file);
		if (there)
			return st;
	}
	return error_set(e, ST_CKPT,
			 "%s: no tokenizer in this folder (tokenizer.json, vocab.json with merges.txt, or vocab.txt)",
			 path);
}
