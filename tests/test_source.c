/*
 * test_source.c: training samples of every kind: vocabularies for each noise,
 * windows, labels, grids, what is held out, the completed network, and data
 * that must fit a checkpoint.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "check.h"
#include "train/source.h"

static char scratch[] = "/tmp/psiview-test-XXXXXX";
static char path[300];
static struct error e;

static const char *
file(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", scratch, name);
	return path;
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "wb");

	if (!f || fputs(text, f) < 0 || fclose(f))
		printf("# %s cannot be written\n", path);
}

static void
put_png(const char *name, int side, int shade)
{
	png_image png = { .version = PNG_IMAGE_VERSION,
			  .width = (unsigned)side,
			  .height = (unsigned)side,
			  .format = PNG_FORMAT_RGB };
	uint8_t *rgb = malloc(3 * (size_t)side * (size_t)side);

	for (int i = 0; i < 3 * side * side; i++)
		rgb[i] = (uint8_t)(shade + i % 5);
	png_image_write_to_file(&png, file(name), 0, rgb, 0, NULL);
	free(rgb);
}

static struct job
job_of(const char *data, enum loss_kind loss, const char *tokenizer, int length)
{
	struct job j;

	job_init(&j);
	if (data)
		snprintf(j.path, sizeof j.path, "%s", data);
	snprintf(j.tokenizer, sizeof j.tokenizer, "%s", tokenizer);
	j.loss = loss;
	j.net.length = length;
	job_settle(&j);
	return j;
}

/* The text of n ids, in static memory. */
static const char *
shown(const struct source *s, const int32_t *tok, int n)
{
	static char buf[600];
	size_t bytes;
	char *text = tok_decode(source_tokenizer(s), tok, (size_t)n, false, &bytes);

	snprintf(buf, sizeof buf, "%s", text ? text : "");
	free(text);
	return buf;
}

static bool
opens(struct job *j, struct source **s, const char *what)
{
	enum status st = source_open(j, NULL, s, &e);

	return CHECK(st == ST_OK, "%s: opens%s%s", what, st ? ": " : "", st ? e.msg : "");
}

static const char bpe[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\","
    "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3},\"merges\":[\"a b\"]},\"added_tokens\":[{\"id\":4,"
    "\"content\":\"<|endoftext|>\",\"special\":true}]}";
static const char corpus[] = "To be, or not to be: that is the question.\n"
			     "Na\xc3\xafve \xe2\x82\xac \xf0\x9f\x99\x82 zebras, and many more words than windows.\n";

static int
different(void)
{
	int n = 0;

	for (size_t i = 0; i < sizeof corpus - 1; i++)
		if ((corpus[i] & 0xc0) != 0x80)
			n += memmem(corpus, i, corpus + i, (unsigned char)corpus[i] < 0x80 ? 1 : 2) == NULL;
	return n;
}

static void
test_characters(void)
{
	static const struct {
		enum loss_kind loss;
		int more, mask, bos;
	} want[] = {
		{ LOSS_DUO, 0, -1, CONFIG_UNSET },
		{ LOSS_MDLM, 1, 0, CONFIG_UNSET },
		{ LOSS_SEDD, 1, 0, CONFIG_UNSET },
		{ LOSS_D3PM, 1, 0, CONFIG_UNSET },
		{ LOSS_AR, 2, 1, 0 },
	};
	int n = different(), tok[16];
	struct source *s;
	const char *key;

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct job j = job_of(file("corpus"), want[i].loss, "chars", 16);
		const char *name = loss_name(want[i].loss);
		if (!opens(&j, &s, name))
			continue;
		struct source_info in = source_info(s);
		bool ar = want[i].loss == LOSS_AR;
		CHECK(in.V == n + want[i].more && in.K == (in.mask < 0 ? in.V : in.V - 1) && in.L == 16 &&
			  in.bos == -1 && in.mask == (want[i].mask < 0 ? -1 : n + want[i].mask),
		      "%s: V %d, mask %d", name, in.V, in.mask);
		CHECK(j.net.vocab == in.V && j.net.mask == in.mask && j.net.length == 16 && !j.net.ignore_bos &&
			  j.net.bos == (ar ? n : CONFIG_UNSET),
		      "%s: the network is completed", name);
		source_draw(s, 1, 2, 3, tok);
		CHECK(ar ? tok[0] == n && memmem(corpus, sizeof corpus, shown(s, tok + 1, 15), 15)
			 : memmem(corpus, sizeof corpus, shown(s, tok, 16), 16) != NULL,
		      "%s: a window: %s", name, shown(s, tok, 16));
		source_held(s, 4, 5, tok);
		CHECK(!strcmp(shown(s, tok + ar, 16 - ar), corpus + sizeof corpus - 1 - (16 - ar)),
		      "%s: the end is held out", name);
		CHECK(source_vocabulary(s, &key) && !strcmp(key, "vocabulary") && !source_layout(s) &&
			  !source_has_rules(s),
		      "%s: the vocabulary travels", name);
		if (in.mask >= 0)
			CHECK(!strcmp(shown(s, &in.mask, 1), "[MASK]"), "%s: the mask shows as itself", name);
		source_close(s);
	}
}

/* Text that holds "[MASK]" is six characters, not a mask. */
static void
test_brackets(void)
{
	struct job j = job_of(file("brackets"), LOSS_MDLM, "chars", 8);
	struct source *s;
	int tok[8], masks = 0;

	if (!opens(&j, &s, "brackets"))
		return;
	for (uint32_t i = 0; i < 50; i++) {
		source_draw(s, 1, i, 0, tok);
		for (int k = 0; k < 8; k++)
			masks += tok[k] == source_info(s).mask;
	}
	CHECK(masks == 0, "[MASK] in a text is no mask");
	source_close(s);
}

static void
test_tokenizers(void)
{
	static const struct {
		const char *tokenizer;
		enum loss_kind loss;
		int V, K, mask, bos;
		const char *key, *name;
	} w[] = {
		{ "text8", LOSS_DUO, 35, 35, -1, CONFIG_UNSET, "tokenizer", "text8" },
		{ "text8", LOSS_MDLM, 35, 34, 4, CONFIG_UNSET, "tokenizer", "text8" },
		{ "text8", LOSS_AR, 35, 34, 4, 2, "tokenizer", "text8" },
		{ "bytes", LOSS_DUO, 256, 256, -1, CONFIG_UNSET, "tokenizer", "bytes" },
		{ "bytes", LOSS_MDLM, 257, 256, 256, CONFIG_UNSET, "tokenizer", "bytes" },
		{ "bytes", LOSS_AR, 258, 257, 257, 256, "tokenizer", "bytes" },
		{ "words", LOSS_DUO, 9, 9, -1, CONFIG_UNSET, "tokenizer.json", "words" },
		{ "words", LOSS_MDLM, 9, 8, 4, CONFIG_UNSET, "tokenizer.json", "words" },
		{ "vocab.txt", LOSS_MDLM, 9, 8, 4, CONFIG_UNSET, NULL, "vocab.txt" },
		{ "bpe.json", LOSS_DUO, 6, 6, -1, CONFIG_UNSET, "tokenizer.json", "bpe.json" },
		{ "bpe.json", LOSS_MDLM, 6, 5, 5, CONFIG_UNSET, "tokenizer.json", "bpe.json" },
		{ "bpe.json", LOSS_AR, 6, 5, 5, 4, "tokenizer.json", "bpe.json" },
	};
	char tokenizer[300], data[300];
	struct source *s;

	for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
		bool path_wanted = !w[i].key || !strcmp(w[i].key, "tokenizer.json");
		snprintf(tokenizer, sizeof tokenizer, "%s", path_wanted ? file(w[i].tokenizer) : w[i].tokenizer);
		snprintf(data, sizeof data, "%s", file("abba"));
		struct job j = job_of(data, w[i].loss, tokenizer, 8);
		if (!opens(&j, &s, w[i].tokenizer))
			continue;
		struct source_info in = source_info(s);
		const char *key, *text = source_vocabulary(s, &key);
		CHECK(in.V == w[i].V && in.K == w[i].K && in.mask == w[i].mask && j.net.bos == w[i].bos,
		      "%s, %s: V %d, K %d, mask %d, bos %d", w[i].tokenizer, loss_name(w[i].loss), in.V, in.K, in.mask,
		      j.net.bos);
		CHECK(!text == !w[i].key && (!text || !strcmp(key, w[i].key)) &&
			  !strcmp(j.net.tokenizer_name, w[i].name),
		      "%s: called %s, travels as %s", w[i].tokenizer, j.net.tokenizer_name, text ? key : "its name");
		source_close(s);
	}
}

/* One of the user's own, by name. */
static void
test_named(void)
{
	struct job j = job_of(file("abba"), LOSS_DUO, "mine", 8);
	struct source *s;
	const char *key;

	mkdir(file("psiview"), 0777);
	mkdir(file("psiview/tokenizers"), 0777);
	setenv("XDG_DATA_HOME", scratch, 1);
	put_file("psiview/tokenizers/mine.json", bpe);
	if (!opens(&j, &s, "mine"))
		return;
	CHECK(source_info(s).V == 6 && !strcmp(j.net.tokenizer_name, "mine") && source_vocabulary(s, &key) &&
		  !strcmp(key, "tokenizer.json"),
	      "a tokenizer by its name");
	source_close(s);
}

static void
test_sudoku(void)
{
	struct source *s;
	int tok[82], other[82], valid = 0;

	for (int N = 4; N <= 9; N += N == 4 ? 2 : 3)
		for (int masked = 0; masked < 2; masked++) {
			struct job j = job_of(NULL, masked ? LOSS_MDLM : LOSS_DUO, "chars", 5);
			job_set(&j, job_field_find("sudoku"), N == 4 ? "4" : N == 6 ? "6" : "9", NULL);
			if (!opens(&j, &s, "sudoku"))
				continue;
			struct source_info in = source_info(s);
			CHECK(in.L == N * N + 1 && in.V == N + 1 + masked && in.K == N + 1 && in.bos == N &&
				  in.columns == N && in.mask == (masked ? N + 1 : -1) && j.net.ignore_bos == 1 &&
				  j.net.bos == N && j.net.length == in.L,
			      "%d rows: V %d, mask %d", N, in.V, in.mask);
			CHECK(source_has_rules(s) && source_layout(s) && strstr(source_layout(s), "\"first\":1"), "%s",
			      source_layout(s));
			for (uint32_t i = 0; i < 20; i++) {
				source_draw(s, 7, i, 1, tok);
				valid += source_valid(s, tok);
			}
			source_held(s, 0, 1, other);
			source_draw(s, 7, 0, 0, tok);
			CHECK(valid == 20 && source_valid(s, other) && memcmp(tok, other, (size_t)in.L * sizeof *tok),
			      "grids obey the rules; those held out are others");
			CHECK(shown(s, tok + 1, 1)[0] == (char)('1' + tok[1]), "digits show from 1");
			tok[1] = tok[2];
			CHECK(!source_valid(s, tok), "two alike in a row");
			tok[1] = N;
			CHECK(!source_valid(s, tok), "a cell that holds [BOS]");
			valid = 0;
			source_close(s);
		}
	struct job j = job_of(NULL, LOSS_AR, "chars", 5);
	job_set(&j, job_field_find("sudoku"), "4", NULL);
	if (opens(&j, &s, "sudoku, ar"))
		CHECK(source_info(s).V == 6 && j.net.bos == 4 && source_info(s).mask == 5 && source_info(s).bos == -1 &&
			  j.net.ignore_bos == 0,
		      "ar: the grid follows its [BOS]");
	source_close(s);
}

static void
test_images(void)
{
	struct source *s;
	int32_t tok[3 * 8 * 8];

	mkdir(file("pictures"), 0777);
	mkdir(file("pictures/cat"), 0777);
	mkdir(file("pictures/dog"), 0777);
	for (int i = 0; i < 6; i++) {
		char name[60];
		snprintf(name, sizeof name, "pictures/%s/%d.png", i % 2 ? "dog" : "cat", i);
		put_png(name, 8, 20 * i);
	}
	for (int masked = 0; masked < 2; masked++)
		for (int kind = 0; kind < 3; kind++) {
			struct job j = job_of(file("pictures"), masked ? LOSS_MDLM : LOSS_DUO, "chars", 5);
			job_set(&j, job_field_find("task"), "images", NULL);
			j.held_out = 0.34;
			j.labels = kind != 1;
			j.goal = kind == 2 ? JOB_CLASSIFIER : JOB_MODEL;
			job_settle(&j);
			if (!opens(&j, &s, "pictures"))
				continue;
			struct source_info in = source_info(s);
			CHECK(in.side == 8 && in.L == 192 && in.V == 256 + masked && in.K == 256 && in.train == 4 &&
				  in.held == 2 && in.mask == (masked ? 256 : -1),
			      "pictures of 8x8, V %d", in.V);
			CHECK(in.classes == (kind == 1 ? 0 : 2) && j.net.classes == in.classes &&
				  j.net.label_cond == (kind == 0),
			      "classes %d, label table %d", in.classes, j.net.label_cond);
			int label = source_draw(s, 1, 1, 1, tok), held = source_held(s, 1, 2, tok);
			CHECK(kind == 1 ? label == -1 && held == -1 : label >= 0 && label < 2 && held == 1,
			      "labels %d, %d", label, held);
			CHECK(kind == 1 || !strcmp(source_class(s, 1), "dog"), "a class has its name");
			source_close(s);
		}
}

static void
refused(struct job j, enum status want, const char *has)
{
	struct source *s = NULL;
	enum status st = source_open(&j, NULL, &s, &e);

	CHECK(st == want && !s && strstr(e.msg, has) && !strchr(e.msg, '\n'), "%s", e.msg);
	source_close(s);
}

static void
test_refused(void)
{
	struct job j = job_of(file("no such"), LOSS_DUO, "chars", 16);

	refused(j, ST_FAIL, "no such");
	refused(job_of(file("empty"), LOSS_DUO, "chars", 16), ST_USAGE, "empty");
	refused(job_of(file("corpus"), LOSS_DUO, "chars", 160), ST_USAGE, "corpus");
	refused(job_of(file("corpus"), LOSS_DUO, "/no/such.json", 16), ST_CKPT, "such.json");
	refused(job_of(file("corpus"), LOSS_DUO, "nobody", 16), ST_USAGE, "nobody");
	refused(job_of(file("corpus"), LOSS_AR, "text8", 1), ST_USAGE, "too short");
	j = job_of(file("corpus"), LOSS_DUO, "text8", 16);
	j.curriculum = JOB_EFFICIENT;
	j.cur.k = 35;
	refused(j, ST_USAGE, "35");
	j = job_of(file("corpus"), LOSS_DUO, "text8", 16);
	snprintf(j.init, sizeof j.init, "%s", file("no.safetensors"));
	refused(j, ST_CKPT, "no.safetensors");
	struct cancel c = { .asked = 1 };
	struct source *s;
	j = job_of(file("corpus"), LOSS_DUO, "chars", 16);
	CHECK(source_open(&j, &c, &s, &e) == ST_CANCELLED && !s, "it can be cancelled");
}

static bool
same(const struct source *a, const struct source *b)
{
	int32_t x[16], y[16];

	source_draw(a, 5, 5, 5, x);
	source_draw(b, 5, 5, 5, y);
	return !memcmp(x, y, sizeof x);
}

static void
test_again(void)
{
	struct job j = job_of(file("corpus"), LOSS_DUO, "chars", 16), k = j;
	struct source *a, *b;

	if (opens(&j, &a, "once") && opens(&k, &b, "twice")) {
		CHECK(same(a, b), "the same sample by the same name");
		source_close(b);
	}
	source_close(a);
}

int
main(void)
{
	if (!mkdtemp(scratch))
		return 99;
	put_file("corpus", corpus);
	put_file("empty", "");
	put_file("brackets", "[MASK] [BOS] and so on [MASK] [MASK] [MASK] [MASK]");
	put_file("abba", "ab ba ab ab ba bb aa ab ba ab ab ba bb aa ab ba ab ab ba bb aa");
	put_file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\n");
	mkdir(file("words"), 0777);
	put_file(
	    "words/tokenizer.json",
	    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},\"pre_tokenizer\":{\"type\":"
	    "\"BertPreTokenizer\"},\"model\":{\"type\":"
	    "\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":"
	    "100,"
	    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"a\":5,\"b\":6,\"##a\":7,\"##b\":"
	    "8}},"
	    "\"added_tokens\":[{\"id\":0,\"content\":\"[PAD]\",\"special\":true},{\"id\":1,\"content\":\"[UNK]\","
	    "\"special\":"
	    "true},{\"id\":2,\"content\":\"[CLS]\",\"special\":true},{\"id\":3,\"content\":\"[SEP]\",\"special\":true},"
	    "{\"id\":4,\"content\":\"[MASK]\",\"special\":true}]}");
	put_file("bpe.json", bpe);
	test_characters();
	test_brackets();
	test_tokenizers();
	test_named();
	test_sudoku();
	test_images();
	test_refused();
	test_again();
	snprintf(path, sizeof path, "rm -rf %s", scratch);
	CHECK(system(path) == 0, "cleared away");
	return check_done();
}
