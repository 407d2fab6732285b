/*
 * test_data_text.c: text as training data: the tokens are those of the whole
 * text whatever piece it is read in (also with every tokenizer found below
 * $PSIVIEW_GOLDEN), windows, the held-out part, folders, errors, and a folder
 * that vanishes.
 */
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "text_util.h"
#include "train/data_text.h"

static char scratch[] = "/tmp/psiview-test-XXXXXX";
static char path[4200];

static const char *
file(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", scratch, name);
	return path;
}

static bool
put_file(const char *name, const char *text, size_t bytes)
{
	FILE *f = fopen(file(name), "wb");
	bool ok = f && fwrite(text, 1, bytes, f) == bytes;

	return f && fclose(f) == 0 && ok;
}

/* Words, blanks and line ends of every kind, more than two pieces of it. */
static char *
long_text(size_t bytes)
{
	static const char *const word[] = { "the", " ", "  ", "\n", "\n\n", " it's", "Na\xc3\xafve ",
		"\xe6\xbc\xa2\xe5\xad\x97", " 1984", ", ", "don't ", "\t", " unbelievable", "... ", " a", " b" };
	char *s = malloc(bytes + 32);
	size_t n = 0;
	unsigned seed = 1;

	while (n < bytes) {
		seed = seed * 1664525u + 1013904223u;
		const char *w = word[seed >> 28];
		n += (size_t)snprintf(s + n, 32, "%s", w);
	}
	s[n] = '\0';
	return s;
}

/* Every token of d by windows of one: the held-out part, and that training
 * draws come from the rest. */
static void
check_tokens(const char *name, const struct tokenizer *t, const char *text)
{
	struct text_options o = { .L = text_data_wraps(t) ? 3 : 1, .held_out = 0.9, .spool = scratch };
	struct text_data *d;
	struct error e = { 0 };
	int32_t *id = NULL, out[3];
	size_t n = 0, bad = 0, first = text_data_wraps(t);

	if (tok_encode_lossy(t, text, strlen(text), &id, &n, NULL) != ST_OK)
		return;
	if (!CHECK(text_data_open(file("long"), t, &o, NULL, &d, &e) == ST_OK, "%s: open", name)) {
		printf("# %s\n", e.msg);
		free(id);
		return;
	}
	CHECK(text_data_tokens(d) == n + first, "%s: %zu tokens", name, n);
	size_t held = text_data_tokens(d) - text_data_train(d);
	for (size_t i = 0; i < held && text_data_tokens(d) == n + first; i++) {
		text_data_held_out(d, i, held, out);
		size_t at = text_data_train(d) + i;
		bad += out[first] != (at < n ? id[at] : t->eos);
		bad += first && (out[0] != t->bos || out[2] != t->eos);
	}
	CHECK(bad == 0, "%s: read in pieces as in one", name);
	text_data_close(d);
	free(id);
}

static void
check_tokenizers(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");
	struct paths files = { 0 };
	char *text = long_text(2300000);
	struct tokenizer *t = tok_bytes();
	int found = 0;

	CHECK(put_file("long", text, strlen(text)), "a long text");
	check_tokens("bytes", t, text);
	tok_free(t);
	t = tok_text8();
	check_tokens("text8", t, text);
	tok_free(t);
	find_files(dir ? dir : "tests/golden", &files);
	for (size_t i = 0; i < files.n && found < 3; i++) {
		if (!ends_with(files.p[i], ".json") || strstr(files.p[i], "/hostile/") ||
		    tok_open(files.p[i], &t, NULL) != ST_OK)
			continue;
		if (t->kind == TOK_BPE || t->kind == TOK_WORDPIECE) {
			check_tokens(base_name(files.p[i]), t, text);
			found++;
		}
		tok_free(t);
	}
	if (!found)
		check_skip("no tokenizers below PSIVIEW_GOLDEN");
	free_paths(&files);
	free(text);
}

/* ---- windows ---- */

static void
check_windows(void)
{
	struct text_options o = { .L = 8, .held_out = 0.2, .spool = scratch };
	struct tokenizer *t = tok_bytes();
	struct text_data *d;
	char text[200];
	int32_t out[8], again[8];
	int bad = 0, low = 99, high = -1;

	for (int i = 0; i < 100; i++)
		text[i] = (char)(i + 20);
	mkdir(file("folder"), 0700);
	mkdir(file("folder/b"), 0700);
	put_file("folder/b/late", text + 60, 40);
	put_file("folder/a", text, 60);
	put_file("folder/.hidden", text, 60);
	if (!CHECK(text_data_open(file("folder"), t, &o, NULL, &d, NULL) == ST_OK, "a folder"))
		return;
	CHECK(text_data_tokens(d) == 100 && text_data_train(d) == 80,
	    "files in the order of their names, hidden ones left out");
	unlink(file("folder/a"));
	unlink(file("folder/b/late"));
	unlink(file("folder/.hidden"));
	rmdir(file("folder/b"));
	rmdir(file("folder"));
	for (uint32_t i = 0; i < 3000; i++) {
		struct noise n = { .seed = 4, .step = i / 50, .sample = i };
		text_data_draw(d, &n, out);
		text_data_draw(d, &n, again);
		bad += memcmp(out, again, sizeof out) != 0;
		low = out[0] < low ? out[0] : low;
		high = out[7] > high ? out[7] : high;
		for (int j = 1; j < 8; j++)
			bad += out[j] != out[0] + j;
	}
	CHECK(bad == 0, "windows are runs of the text, and the folder may vanish");
	CHECK(low == 20 && high == 99, "training windows reach from the first token to the last, and no further");
	text_data_held_out(d, 0, 5, out);
	text_data_held_out(d, 4, 5, again);
	CHECK(out[0] == 100 && again[7] == 119, "held-out windows reach from the first token to the last");
	text_data_close(d);
	tok_free(t);
}

static void
refused(const char *p, struct text_options o, const struct cancel *c, enum status want, const char *what)
{
	struct tokenizer *t = tok_bytes();
	struct text_data *d = NULL;
	struct error e = { 0 };
	enum status st = text_data_open(p, t, &o, c, &d, &e);

	CHECK(st == want && d == NULL && e.msg[0], "%s is refused", what);
	printf("#  %s\n", e.msg);
	tok_free(t);
}

static void
check_errors(void)
{
	struct text_options o = { .L = 8, .held_out = 0.1, .spool = scratch }, off = o, nowhere = o, zero = o;
	struct cancel c = { 0 };

	off.held_out = 1;
	zero.L = 0;
	nowhere.spool = "/nonexistent";
	put_file("small", "0123456789", 10);
	put_file("empty", "", 0);
	refused(file("absent"), o, NULL, ST_FAIL, "what is not there");
	refused(file("small"), o, NULL, ST_USAGE, "a text that is too short");
	refused(file("empty"), o, NULL, ST_USAGE, "an empty text");
	refused("/dev/null", o, NULL, ST_USAGE, "a device");
	refused(file("long"), off, NULL, ST_USAGE, "everything held out");
	refused(file("long"), zero, NULL, ST_USAGE, "a window of nothing");
	refused(file("long"), nowhere, NULL, ST_FAIL, "a spool nowhere");
	atomic_store(&c.asked, 1);
	refused(file("long"), o, &c, ST_CANCELLED, "a cancelled opening");
}

int
main(void)
{
	if (!CHECK(mkdtemp(scratch) != NULL, "scratch"))
		return check_done();
	check_tokenizers();
	check_windows();
	check_errors();
	unlink(file("long"));
	unlink(file("small"));
	unlink(file("empty"));
	CHECK(rmdir(scratch) == 0, "spools leave nothing behind");
	return check_done();
}
