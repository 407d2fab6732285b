/*
 * test_text_golden.c: the tokenizers against recorded results.
 *
 * Everything is found by walking $PSIVIEW_GOLDEN: tokenizers by their names
 * (*tokenizer.json, *vocab.txt, *vocab.json and *encoder.json with merges),
 * cases by their keys: {text, ids}, {text, fast, slow}, {ids, text, hex,
 * text_cleaned, text_skip_special}; one JSON object per line, or golden.json
 * (texts, ids), or tokenizers.json (one list of cases per tokenizer).
 */
#include <jansson.h>

#include "check.h"
#include "text/token.h"
#include "text_util.h"

struct known {
	const char *path;            /* NULL: built in */
	struct tokenizer *t;
};

static struct known tok[64];
static int n_tok;
static struct paths files;

static bool
is_tokenizer_file(const char *p)
{
	return ends_with(p, "tokenizer.json") || ends_with(p, "vocab.txt") || ends_with(p, "vocab.json") ||
	       ends_with(p, "encoder.json");
}

static bool
same_folder(const char *a, const char *b)
{
	size_t n = (size_t)(base_name(a) - a);

	return n == (size_t)(base_name(b) - b) && memcmp(a, b, n) == 0;
}

static void
find_tokenizers(void)
{
	struct error e;

	tok[n_tok++].t = tok_text8();
	for (size_t i = 0; i < files.n && n_tok < 64; i++) {
		if (!is_tokenizer_file(files.p[i]) || strstr(files.p[i], "/hostile/"))
			continue;
		struct known *k = &tok[n_tok];
		enum status st = tok_open(files.p[i], &k->t, &e);
		if (CHECK(st == ST_OK, "%s opens", base_name(files.p[i]))) {
			k->path = files.p[i];
			n_tok++;
		} else {
			printf("# %s\n", e.msg);
		}
	}
}

/* ---- one case ---- */

struct tally {
	int n, bad;
};

static void
differs(struct tally *y, const json_t *c, const char *what, const char *got, size_t n)
{
	char *s = json_dumps(c, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (y->bad++ < 3)
		printf("# %s differs: %.300s\n#  got \"%.*s\"\n", what, s ? s : "?", (int)(n < 200 ? n : 200), got);
	free(s);
}

static bool
ids_equal(const int32_t *id, size_t n, const json_t *want)
{
	if (json_array_size(want) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (json_integer_value(json_array_get(want, i)) != id[i])
			return false;
	return true;
}

static void
encode_case(const struct tokenizer *t, const json_t *c, const json_t *text, const json_t *want, const json_t *either,
	    struct tally *y)
{
	struct error e;
	int32_t *id;
	size_t n;
	char got[256] = "";

	y->n++;
	if (tok_encode_lossy(t, json_string_value(text), json_string_length(text), &id, &n, &e) != ST_OK) {
		differs(y, c, "encoding", e.msg, strlen(e.msg));
		return;
	}
	for (size_t i = 0, k = 0; i < n && k < sizeof got - 16; i++)
		k += (size_t)snprintf(got + k, sizeof got - k, "%d ", id[i]);
	bool ok = ids_equal(id, n, want) || (either && ids_equal(id, n, either)), unk = false;
	if (!ok)
		differs(y, c, "encoding", got, strlen(got));
	for (size_t i = 0; i < n; i++)
		unk |= id[i] == t->unk;
	free(id);
	/* strict encoding gives the same, unless it refuses */
	enum status st = tok_encode(t, json_string_value(text), json_string_length(text), &id, &n, &e);
	bool same = st == ST_OK && (ids_equal(id, n, want) || (either && ids_equal(id, n, either)));
	if (ok && !same && !(st == ST_USAGE && unk))
		differs(y, c, "strict encoding", st == ST_OK ? "" : e.msg, st == ST_OK ? 0 : strlen(e.msg));
	if (st == ST_OK)
		free(id);
}

/* Compare malloced bytes with a JSON string (missing: no comparison). */
static void
compare(struct tally *y, const json_t *c, const char *what, char *got, size_t n, const json_t *want)
{
	if (want && (!got || n != json_string_length(want) || memcmp(got, json_string_value(want), n) != 0))
		differs(y, c, what, got ? got : "", n);
	free(got);
}

static int32_t *
ids_of(const json_t *list, size_t *n)
{
	*n = json_array_size(list);
	int32_t *id = calloc(*n + 1, sizeof *id);

	for (size_t i = 0; i < *n; i++)
		id[i] = (int32_t)json_integer_value(json_array_get(list, i));
	return id;
}

static void
decode_case(const struct tokenizer *t, const json_t *c, struct tally *y)
{
	const json_t *hex = json_object_get(c, "hex"), *text = json_object_get(c, "text");
	const json_t *cleaned = json_object_get(c, "text_cleaned");
	size_t n, bytes, fixed, clean, k = 0;
	int32_t *id = ids_of(json_object_get(c, "ids"), &n);
	char *raw = tok_decode(t, id, n, false, &bytes);
	char *shown = utf8_repair(raw, bytes, &fixed);

	y->n++;
	if (hex) {
		char *h = malloc(2 * bytes + 1);
		for (size_t i = 0; i < bytes; i++)
			k += (size_t)snprintf(h + k, 3, "%02x", (unsigned char)raw[i]);
		compare(y, c, "bytes", h, k, hex);
	}
	char *cl = tok_clean_up(shown, fixed, &clean);
	compare(y, c, "cleaned text", cl, clean, cleaned ? cleaned : hex ? text : NULL);
	compare(y, c, "text", shown, fixed, text);
	free(raw);
	raw = tok_decode(t, id, n, true, &bytes);
	shown = utf8_repair(raw, bytes, &fixed);
	compare(y, c, "text without special tokens", shown, fixed, json_object_get(c, "text_skip_special"));
	free(raw);
	free(id);
}

/* ---- files of lines ---- */

static void
lines_file(const struct known *k, const char *path)
{
	size_t bytes;
	char *s = read_text(path, &bytes);
	struct tally y = { 0 };
	json_error_t why;

	if (!s) {
		check_skip("%s cannot be unpacked (is xz there?)", base_name(path));
		return;
	}
	bool decode = strstr(s, "\"hex\":") || strstr(s, "\"text_cleaned\":");
	for (char *line = s, *end; line < s + bytes; line = end + 1) {
		end = memchr(line, '\n', bytes - (size_t)(line - s));
		end = end ? end : s + bytes;
		json_t *c = end > line ? json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, &why) : NULL;
		const json_t *text = json_object_get(c, "text"), *fast = json_object_get(c, "fast");
		if (!c && end > line)
			differs(&y, NULL, why.text, line, (size_t)(end - line));
		else if (fast)
			encode_case(k->t, c, text, fast, json_object_get(c, "slow"), &y);
		else if (decode && c)
			decode_case(k->t, c, &y);
		else if (c)
			encode_case(k->t, c, text, json_object_get(c, "ids"), NULL, &y);
		json_decref(c);
	}
	free(s);
	CHECK(y.n > 0 && !y.bad, "%s with %s: %d of %d cases", base_name(path), base_name(k->path), y.n - y.bad, y.n);
}

/* Tokenizers beside path whose name begins with the first len bytes of its name, up to a
 * separator (or ends there); runs the file with each. */
static int
with_stem(const char *path, size_t len)
{
	int n = 0;

	for (int i = 0; i < n_tok; i++)
		if (tok[i].path && same_folder(tok[i].path, path) &&
		    strncmp(base_name(tok[i].path), base_name(path), len) == 0 &&
		    strchr("-._", base_name(tok[i].path)[len])) {
			lines_file(&tok[i], path);
			n++;
		}
	return n;
}

/* Any tokenizer as large as GPT-2's. */
static const struct known *
gpt2(int vocab)
{
	for (int i = 0; i < n_tok; i++)
		if (tok[i].t->kind == TOK_BPE && (tok[i].t->n == vocab || tok[i].t->n + 1 == vocab))
			return &tok[i];
	return NULL;
}

/* "gpt2-bpe.jsonl.xz" goes with "gpt2-bpe*", else with "gpt2*", else with GPT-2's wherever it is. */
static void
lines(const char *path)
{
	const char *name = base_name(path);
	size_t len = (size_t)(strstr(name, ".jsonl") - name);

	while (len) {
		if (with_stem(path, len))
			return;
		while (len && name[len - 1] != '-' && name[len - 1] != '.')
			len--;
		len -= len > 0;
	}
	const struct known *k = gpt2(50258) ? gpt2(50258) : gpt2(50257);
	if (k)
		lines_file(k, path);
	else
		check_skip("%s: no tokenizer for it", name);
}

/* ---- whole files ---- */

static void
texts_file(const char *path, const json_t *root)
{
	const json_t *texts = json_object_get(root, "texts"), *ids = json_object_get(root, "ids"), *v;
	const struct known *k = NULL;
	struct tally y = { 0 };
	size_t i;

	for (int j = 0; j < n_tok && !k; j++)
		if (tok[j].path && same_folder(tok[j].path, path))
			k = &tok[j];
	if (!k && !(k = gpt2(50257))) {
		check_skip("%s: no tokenizer for it", path);
		return;
	}
	json_array_foreach(texts, i, v)
		encode_case(k->t, v, v, json_array_get(ids, i), NULL, &y);
	CHECK(y.n > 0 && !y.bad, "%s: %d of %d texts", path, y.n - y.bad, y.n);
}

static void
token_bytes(const struct tokenizer *t, const json_t *c, struct tally *y)
{
	const json_t *hex = json_object_get(c, "token_bytes_hex"), *v;
	size_t i, n;

	json_array_foreach(hex, i, v) {
		char h[256] = "";
		const char *s =
		    tok_bytes_of(t, (int32_t)json_integer_value(json_array_get(json_object_get(c, "ids"), i)), &n);
		for (size_t j = 0; s && j < n && j < 127; j++)
			snprintf(h + 2 * j, 3, "%02x", (unsigned char)s[j]);
		if (strcmp(h, json_string_value(v)) != 0)
			differs(y, c, "bytes of a token", h, strlen(h));
	}
}

static void
cases_file(const char *path, const char *name, const json_t *list, const struct tokenizer *t)
{
	struct tally y = { 0 };
	const json_t *c;
	size_t i, n, bytes;

	json_array_foreach(list, i, c) {
		encode_case(t, c, json_object_get(c, "text"), json_object_get(c, "ids"), NULL, &y);
		token_bytes(t, c, &y);
		int32_t *id = ids_of(json_object_get(c, "ids"), &n);
		char *s = tok_decode(t, id, n, false, &bytes);
		compare(&y, c, "decoded text", s, bytes, json_object_get(c, "decoded"));
		free(id);
	}
	CHECK(y.n > 0 && !y.bad, "%s, %s: %d of %d cases", base_name(path), name, y.n - y.bad, y.n);
}

static void
tokenizers_file(const char *path, const json_t *root)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)root, name, v) {
		const json_t *cases = json_object_get(v, "cases");
		int vocab = (int)json_integer_value(json_object_get(v, "vocab"));
		const struct known *k = strcmp(name, "text8") == 0 ? &tok[0] : gpt2(vocab);
		if (json_is_array(cases) && k)
			cases_file(path, name, cases, k->t);
		else if (json_is_array(cases))
			check_skip("%s, %s: no tokenizer of %d tokens", path, name, vocab);
	}
}

static int
whole(const char *path)
{
	json_error_t why;
	json_t *root = json_load_file(path, JSON_ALLOW_NUL, &why);
	int n = 0;

	if (json_is_array(json_object_get(root, "texts")) && json_is_array(json_object_get(root, "ids"))) {
		texts_file(path, root);
		n = 1;
	} else if (ends_with(path, "tokenizers.json") && json_is_object(root)) {
		tokenizers_file(path, root);
		n = 1;
	}
	json_decref(root);
	return n;
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN");
	int n = 0;

	find_files(golden ? golden : "tests/golden", &files);
	find_tokenizers();
	for (size_t i = 0; i < files.n; i++) {
		const char *p = files.p[i];
		if (strstr(p, "/hostile/"))
			continue;
		if (ends_with(p, ".jsonl.xz") || ends_with(p, ".jsonl")) {
			lines(p);
			n++;
		} else if (ends_with(p, "golden.json") || ends_with(p, "tokenizers.json")) {
			n += whole(p);
		}
	}
	if (!n)
		check_skip("no recorded tokenizations in %s", golden ? golden : "tests/golden");
	for (int i = 0; i < n_tok; i++)
		tok_free(tok[i].t);
	free_paths(&files);
	return check_done();
}
