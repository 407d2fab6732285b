/*
 * test_tokenizer_find.c: where tokenizers are looked for, in which order, and
 * what is said when there is none.  Works in a folder of its own under /tmp.
 */
#include <unistd.h>

#include "check.h"
#include "run/open.h"
#include "run/tokenizer.h"
#include "text_util.h"

static char folder[] = "/tmp/psiview-find-XXXXXX";
static char note[300];
static struct error err;

static const char small_json[] =
    "{\"added_tokens\":[{\"id\":3,\"content\":\"[X]\",\"special\":true}],\"pre_tokenizer\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}";

/* A path below the folder; made with its parents, or removed when text is NULL. */
static const char *
file(const char *name, const char *text)
{
	static char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!text) {
		unlink(path);
		return path;
	}
	for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(path, 0700);
	}
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
	return path;
}

static void
checkpoint(struct ckpt *c, int vocab, int mask, const char *name)
{
	static char dir[200], path[200];

	snprintf(dir, sizeof dir, "%s/ckpt", folder);
	snprintf(path, sizeof path, "%s/ckpt/some.model.ckpt", folder);
	memset(c, 0, sizeof *c);
	c->dir = dir;
	c->path = path;
	c->config.vocab = vocab;
	c->config.mask = mask;
	snprintf(c->config.tokenizer_name, sizeof c->config.tokenizer_name, "%s", name);
}

/* The search ends with a tokenizer of that kind and size, and a note that holds part. */
static bool
finds(const struct ckpt *c, const char *option, enum tok_kind kind, int n, int mask, const char *part)
{
	struct tokenizer *t;
	enum status st = tokenizer_find(c, option, &t, note, sizeof note, &err);

	if (st != ST_OK) {
		printf("# status %d: %s\n", st, err.msg);
		return false;
	}
	bool ok = t->kind == kind && t->n == n && t->mask == mask && strstr(note, part) && !strchr(note, '\n');
	if (!ok)
		printf("# %s, %d tokens, mask %d: %s\n", tok_kind_name(t->kind), t->n, t->mask, note);
	tok_free(t);
	return ok;
}

static bool
refuses(const struct ckpt *c, const char *option, const char *part)
{
	struct tokenizer *t;
	enum status st = tokenizer_find(c, option, &t, note, sizeof note, &err);

	if (st == ST_CKPT && !t && strstr(err.msg, part))
		return true;
	printf("# status %d: %s\n", st, st == ST_OK ? note : err.msg);
	tok_free(t);
	return false;
}

static void
test_option(void)
{
	struct ckpt c;

	checkpoint(&c, 35, -1, "");
	CHECK(finds(&c, "text8", TOK_TEXT8, 35, 4, "text8"), "option: a built-in one");
	CHECK(finds(&c, "ids", TOK_IDS, 35, -1, "ids"), "option: ids");
	CHECK(refuses(&c, "bytes", "bytes has 256 tokens, the checkpoint 35"),
	      "option: one that is too large is refused");
	CHECK(finds(&c, file("x/tokenizer.json", small_json), TOK_BPE, 4, -1, "only 4 tokens"),
	      "option: a path; a small one is said to be so");
	CHECK(refuses(&c, "/nowhere/x", "/nowhere/x"), "option: a path that is not there");
	CHECK(refuses(&c, file("x/bad.json", "{"), "bad JSON"), "option: a file that cannot be used");
	file("data/psiview/tokenizers/mine.json", small_json);
	CHECK(finds(&c, "mine", TOK_BPE, 4, -1, "mine.json"), "option: a name among the user's own");
	file("data/psiview/tokenizers/mine.json", "{");
	CHECK(refuses(&c, "mine", "bad JSON"), "option: a name whose file cannot be used");
	file("data/psiview/tokenizers/mine.json", NULL);
	file("x/bad.json", NULL);
	file("x/tokenizer.json", NULL);
}

static void
test_inside(void)
{
	struct ckpt c;

	checkpoint(&c, 35, 4, "");
	c.tok_kind = CKPT_TOK_JSON;
	c.tok_data = (const uint8_t *)small_json;
	c.tok_bytes = sizeof small_json - 1;
	CHECK(finds(&c, NULL, TOK_BPE, 4, 4, "from the checkpoint"),
	      "inside: a tokenizer.json; the mask is the model's");
	c.tok_bytes -= 10;
	CHECK(finds(&c, NULL, TOK_IDS, 35, 4, "inside the checkpoint: bad JSON"),
	      "inside: a broken one, ids are shown");
	c.tok_bytes += 10;
	c.config.vocab = 3;
	CHECK(finds(&c, NULL, TOK_IDS, 3, 4, "has 4 tokens, the checkpoint 3"), "inside: one that is too large");
	checkpoint(&c, 35, 4, "");
	c.tok_kind = CKPT_TOK_TEXT8;
	CHECK(finds(&c, NULL, TOK_TEXT8, 35, 4, "from the checkpoint"), "inside: text8");
	static const char chars[] = "[\"x\",\"y\"]";
	c.tok_kind = CKPT_TOK_CHARS;
	c.tok_data = (const uint8_t *)chars;
	c.tok_bytes = sizeof chars - 1;
	CHECK(finds(&c, NULL, TOK_CHARS, 2, 4, "from the checkpoint"), "inside: characters");
	c.tok_kind = CKPT_TOK_BYTES;
	c.config.vocab = 257;
	CHECK(finds(&c, NULL, TOK_BYTES, 256, 4, "from the checkpoint"), "inside: bytes");
	checkpoint(&c, 36, 35, "text8");
	CHECK(finds(&c, NULL, TOK_TEXT8, 35, 35, "named by"), "inside: named by the configuration");
	checkpoint(&c, 256, -1, "");
	snprintf(c.config.modality, sizeof c.config.modality, "images");
	CHECK(finds(&c, NULL, TOK_PIXELS, 256, -1, "pictures"), "inside: pictures");
}

static void
test_around(void)
{
	struct ckpt c;

	checkpoint(&c, 5, -1, "lab/small");
	CHECK(finds(&c, NULL, TOK_IDS, 5, -1, "the tokenizer.json of small"), "nothing: says which file would help");
	file("data/psiview/tokenizers/small/tokenizer.json", small_json);
	CHECK(finds(&c, NULL, TOK_BPE, 4, -1, "tokenizers/small"), "the user's own, by the last part of the name");
	file("data/psiview/tokenizers/lab/small.txt", "[UNK]\na\n##b\nc\n");
	CHECK(finds(&c, NULL, TOK_WORDPIECE, 4, -1, "lab/small.txt"), "the user's own, by the whole name");
	file("ckpt/vocab.txt", "[UNK]\na\n##b\n");
	CHECK(finds(&c, NULL, TOK_WORDPIECE, 3, -1, "ckpt/vocab.txt"), "beside comes before the user's own");
	file("ckpt/some.model.tokenizer.json", small_json);
	CHECK(finds(&c, NULL, TOK_BPE, 4, -1, "some.model.tokenizer.json"), "beside, by the checkpoint's name");
	file("ckpt/some.model.tokenizer.json", NULL);
	file("ckpt/vocab.txt", NULL);
	checkpoint(&c, 5000, -1, "lab/small");
	CHECK(finds(&c, NULL, TOK_IDS, 5000, -1, "has 4 tokens, the checkpoint 5000"),
	      "one that is far too small is not taken");
	file("secret/tokenizer.json", small_json);
	checkpoint(&c, 5, -1, "../../../secret");
	CHECK(finds(&c, NULL, TOK_IDS, 5, -1, "ids are shown"), "a name in the file does not lead out of the folder");
	file("secret/tokenizer.json", NULL);
	file("data/psiview/tokenizers/lab/small.txt", NULL);
	file("data/psiview/tokenizers/small/tokenizer.json", NULL);
	checkpoint(&c, 50258, -1, "");
	CHECK(finds(&c, NULL, TOK_IDS, 50258, -1, "gpt2"), "GPT-2 is asked for by its size");
	checkpoint(&c, 35, 4, "");
	CHECK(finds(&c, NULL, TOK_TEXT8, 35, 4, "guessed"), "35 tokens are taken for text8, and it is said");
	checkpoint(&c, 77, -1, "");
	CHECK(finds(&c, NULL, TOK_IDS, 77, -1, "77 tokens"), "nothing known: says how many tokens");
}

/* Real checkpoints: what they carry is found, in every one that opens. */
static void
test_checkpoints(const char *golden)
{
	struct paths files = { 0 };
	struct config_override none;
	struct tokenizer *t;
	struct ckpt *c;

	config_override_init(&none);
	find_files(golden, &files);
	for (size_t i = 0; i < files.n; i++) {
		const char *p = files.p[i];
		if (!ends_with(p, ".ckpt") || strstr(p, "/hostile/") || ckpt_open(p, &none, &c, &err) != ST_OK)
			continue;
		enum status st = tokenizer_find(c, NULL, &t, note, sizeof note, &err);
		bool inside = c->tok_kind != CKPT_TOK_NONE;
		CHECK(st == ST_OK && t->n <= c->config.vocab &&
			  (!inside || (t->kind != TOK_IDS && strstr(note, "from the checkpoint"))),
		      "%s: %s", base_name(p), st == ST_OK ? note : err.msg);
		tok_free(st == ST_OK ? t : NULL);
		ckpt_close(c);
	}
	free_paths(&files);
}

/* Causal and ignore_bos models begin with the tokenizer's own [BOS], wherever it stands. */
static void
test_bos(const char *golden)
{
	struct paths files = { 0 };
	struct opened *o;
	struct open_setup setup = { .threads = 1 };
	char path[200];
	bool done = false;

	snprintf(path, sizeof path, "%s", file("x/tokenizer.json",
	    "{\"added_tokens\":[{\"id\":3,\"content\":\"[BOS]\",\"special\":true}],\"pre_tokenizer\":"
	    "{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},"
	    "\"merges\":[\"a b\"]}}"));
	config_override_init(&setup.override);
	find_files(golden, &files);
	for (size_t i = 0; i < files.n && !done; i++) {
		setup.path = files.p[i];
		setup.tokenizer = NULL;
		if (!ends_with(setup.path, ".ckpt") || strstr(setup.path, "/hostile/") ||
		    open_run(&setup, &o, &err) != ST_OK)
			continue;
		bool text8 = o->tok && o->tok->kind == TOK_TEXT8;
		if (text8)
			CHECK(o->ema->bos == 2, "%s begins with text8's [BOS]", base_name(setup.path));
		open_done(o);
		setup.tokenizer = path;
		done = text8 && CHECK(open_run(&setup, &o, &err) == ST_OK, "opens with another tokenizer");
		if (done) {
			CHECK(o->ema->bos == 3, "with that one's [BOS]: %d", o->ema->bos);
			open_done(o);
		}
	}
	if (!done)
		check_skip("no text8 checkpoint to open with another tokenizer");
	file("x/tokenizer.json", NULL);
	free_paths(&files);
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN");
	char data[64];

	if (!mkdtemp(folder)) {
		check_skip("no folder can be made in /tmp");
		return check_done();
	}
	snprintf(data, sizeof data, "%s/data", folder);
	setenv("XDG_DATA_HOME", data, 1);
	test_option();
	test_inside();
	test_around();
	test_checkpoints(golden ? golden : "tests/golden");
	test_bos(golden ? golden : "tests/golden");
	static const char *const made[] = { "data/psiview/tokenizers/small", "data/psiview/tokenizers/lab",
					    "data/psiview/tokenizers", "data/psiview", "data", "x", "ckpt",
					    "secret", "" };
	int left = 0;
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		left += rmdir(file(made[i], NULL)) != 0;
	CHECK(!left, "nothing is left behind");
	return check_done();
}
