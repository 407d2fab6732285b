/*
 * test_text.c: tokenizers one by one: what they hold, what they refuse and in
 * which words; round trips of random text and random bytes; time that grows
 * no faster than the text.
 */
#include <time.h>
#include <unistr.h>

#include "base/rng.h"
#include "check.h"
#include "text/token.h"
#include "text_util.h"

static struct error err;

static bool
encodes(const struct tokenizer *t, bool lossy, const char *text, size_t bytes, const int32_t *want, size_t n_want)
{
	int32_t *id;
	size_t n;
	enum status st = (lossy ? tok_encode_lossy : tok_encode)(t, text, bytes, &id, &n, &err);

	if (st != ST_OK) {
		printf("# %s\n", err.msg);
		return false;
	}
	bool ok = n == n_want && (n == 0 || memcmp(id, want, n * sizeof *id) == 0);
	for (size_t i = 0; !ok && i < n; i++)
		printf("# got id %d\n", id[i]);
	free(id);
	return ok;
}

/* Encoding text is refused with status st and a message that holds `part`. */
static bool
refuses(const struct tokenizer *t, const char *text, size_t bytes, const char *part)
{
	int32_t *id;
	size_t n;
	enum status st = tok_encode(t, text, bytes, &id, &n, &err);

	if (st == ST_USAGE && strstr(err.msg, part))
		return true;
	printf("# status %d, message \"%s\"\n", st, st == ST_OK ? "" : err.msg);
	if (st == ST_OK)
		free(id);
	return false;
}

static bool
decodes(const struct tokenizer *t, const int32_t *id, size_t n, bool skip, const char *want)
{
	size_t bytes;
	char *s = tok_decode(t, id, n, skip, &bytes);
	bool ok = s && strlen(want) == bytes && memcmp(s, want, bytes) == 0;

	if (!ok)
		printf("# got \"%s\"\n", s ? s : "(null)");
	free(s);
	return ok;
}

/* Encode, decode, compare. */
static bool
goes_round(const struct tokenizer *t, const char *text, size_t bytes)
{
	int32_t *id;
	size_t n, back;

	if (tok_encode(t, text, bytes, &id, &n, &err) != ST_OK)
		return false;
	char *s = tok_decode(t, id, n, false, &back);
	bool ok = s && back == bytes && memcmp(s, text, bytes) == 0;
	free(s);
	free(id);
	return ok;
}

#define IDS(...) (const int32_t[]){ __VA_ARGS__ }, sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)

static void
test_text8(void)
{
	struct tokenizer *t = tok_text8();
	size_t n;

	CHECK(t->n == 35 && t->mask == 4 && t->bos == 2 && t->eos == 3 && t->pad == 5 && t->unk == 7,
	      "text8: its special tokens");
	CHECK(encodes(t, false, "Ab z", 4, IDS(8, 9, 34, 33)), "text8: lower-cases");
	CHECK(encodes(t, false, "a[MASK]b[mask", 8, IDS(8, 4, 9)), "text8: [MASK] written out");
	CHECK(encodes(t, true, "a1\xc3\xa9", 4, IDS(8, 7, 7)), "text8: unknown characters become [UNK] when lossy");
	CHECK(encodes(t, true, "\xc4\xb0", 2, IDS(16, 7)), "text8: U+0130 is an i and a dot");
	CHECK(encodes(t, false, "\xe2\x84\xaa", 3, IDS(18)), "text8: the Kelvin sign is a k");
	CHECK(encodes(t, false, "", 0, NULL, 0), "text8: no text, no ids");
	CHECK(refuses(t, "abc 7d", 6, "\"7\" (U+0037), character 5"), "text8: refuses a digit, with its place");
	CHECK(refuses(t, "\xc3\xa9", 2, "(U+00E9), character 1"), "text8: refuses an accent");
	CHECK(refuses(t, "ab\xff", 3, "byte 0xFF, character 3"), "text8: refuses a stray byte");
	CHECK(refuses(t, "a\0b", 3, "hold U+0000, character 2"), "text8: refuses NUL");
	CHECK(!strchr(err.msg, '\n'), "text8: the message is one line");
	CHECK(decodes(t, IDS(8, 34, -1, 9, 4, 99), false, "a b[MASK]<99>"),
	      "text8: decodes, undrawn tokens are nothing");
	CHECK(decodes(t, IDS(8, 7, 9, 4), true, "ab"), "text8: leaves special tokens out");
	CHECK(tok_special(t, 4) && !tok_special(t, 8) && !tok_special(t, -1), "text8: which are special");
	CHECK(!tok_bytes_of(t, 35, &n) && !tok_bytes_of(t, -1, &n), "text8: no token beyond the last");
	tok_free(t);
}

static void
test_chars(void)
{
	static const char json[] = "[\"a\",\"\\u00e9\",\"\\n\",\"[MASK]\",\"b\",\"\\u0000\",\"ab\"]";
	struct tokenizer *t;
	enum status st = tok_chars(json, sizeof json - 1, &t, &err);

	if (!CHECK(st == ST_OK && t->n == 7 && t->mask == 3, "characters: a vocabulary from JSON"))
		return;
	CHECK(encodes(t, false, "ab\xc3\xa9\n\0[MASK]", 12, IDS(6, 1, 2, 5, 3)), "characters: the longest entry wins");
	CHECK(refuses(t, "ac", 2, "\"c\" (U+0063), character 2"), "characters: refuses others");
	CHECK(encodes(t, true, "ac", 2, IDS(0)), "characters: drops others when lossy and without [UNK]");
	tok_free(t);
	static const char *const bad[] = { "", "[]", "{}", "[1]", "[\"a\"", "[\"a\"] x", "[[\"a\"]]", "\"a\"",
					   "[\"\xff\"]" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(tok_chars(bad[i], strlen(bad[i]), &t, &err) == ST_CKPT && !t, "characters: refuses %s", bad[i]);
}

static void
test_numbers(void)
{
	struct tokenizer *b = tok_bytes(), *p = tok_pixels(), *i = tok_ids(100);

	CHECK(encodes(b, false, "A\xff\0", 3, IDS(65, 255, 0)), "bytes: as they are");
	CHECK(encodes(p, false, "0 17,255", 8, IDS(0, 17, 255)), "pixels: numbers");
	CHECK(refuses(p, "1 256", 5, "\"256\", from character 3"), "pixels: refuses 256");
	CHECK(decodes(p, IDS(3, 255), false, "3 255"), "pixels: numbers with spaces");
	CHECK(encodes(i, false, "<7><99> 3", 9, IDS(7, 99, 3)), "ids: numbers");
	CHECK(refuses(i, "12 x", 4, "\"x\""), "ids: refuses letters");
	CHECK(refuses(i, "99999999999999999999999", 23, "999"), "ids: refuses what is too large");
	CHECK(decodes(i, IDS(7, 99), false, "<7><99>") && goes_round(i, "<1><2>", 6), "ids: shown in brackets");
	tok_free(b);
	tok_free(p);
	tok_free(i);
}

/* ---- a BPE by hand ---- */

#define BPE_HEAD "{\"version\":\"1.0\",\"added_tokens\":["
#define BPE_MODEL(pre, extra, vocab, merges) \
	"],\"normalizer\":null,\"pre_tokenizer\":" pre \
	",\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\"," extra "\"vocab\":{" vocab                 \
	"},\"merges\":[" merges "]}}"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define SMALL "\"a\":0,\"b\":1,\"c\":2,\"\\u0120\":3,\"ab\":4,\"bc\":5,\"abc\":6,\"\\u0120a\":7,\"aa\":8,\"aaa\":9"

static struct tokenizer *
from_json(const char *json)
{
	struct tokenizer *t;

	if (tok_from_json((const uint8_t *)json, strlen(json), &t, &err) == ST_OK)
		return t;
	printf("# %s\n", err.msg);
	return NULL;
}

static void
test_merges(void)
{
	struct tokenizer *t = from_json(
	    BPE_HEAD BPE_MODEL(BYTE_LEVEL, "", SMALL, "\"b c\",\"a b\",\"a bc\",\"\\u0120 a\",\"a a\",\"aa a\""));

	if (!CHECK(t != NULL, "bpe: a small one"))
		return;
	CHECK(encodes(t, false, "abc", 3, IDS(6)), "bpe: the lowest rank goes first");
	CHECK(encodes(t, false, "ab", 2, IDS(4)), "bpe: a pair");
	CHECK(encodes(t, false, " abc", 4, IDS(3, 6)), "bpe: a space in front");
	CHECK(encodes(t, false, " a  a", 5, IDS(7, 3, 7)), "bpe: the last space goes with the word");
	CHECK(encodes(t, false, "aaaaa", 5, IDS(8, 9)), "bpe: equal ranks from the left");
	CHECK(refuses(t, "ab\xc3\xa9", 4, "(U+00E9), character 3"),
	      "bpe: refuses a character whose bytes have no token");
	CHECK(encodes(t, true, "abx", 3, IDS(4)), "bpe: drops it when lossy");
	tok_free(t);
	t = from_json(BPE_HEAD BPE_MODEL(BYTE_LEVEL, "", SMALL, "[\"a\",\"a\"],[\"aa\",\"a\"]"));
	CHECK(t && encodes(t, false, "aaaaa", 5, IDS(8, 9)), "bpe: merges as pairs");
	tok_free(t);
	t = from_json(
	    BPE_HEAD BPE_MODEL("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "", SMALL, "\"\\u0120 a\""));
	CHECK(t && encodes(t, false, "ab", 2, IDS(7, 1)) && encodes(t, false, " a", 2, IDS(7)),
	      "bpe: add_prefix_space");
	CHECK(t && refuses(t, "ax", 2, "\"x\" (U+0078), character 2"),
	      "bpe: the place is right with a space put in front");
	tok_free(t);
	t = from_json(BPE_HEAD BPE_MODEL(BYTE_LEVEL, "\"ignore_merges\":true,", SMALL, "\"a b\""));
	CHECK(t && encodes(t, false, "abc", 3, IDS(6)), "bpe: ignore_merges takes whole words");
	tok_free(t);
	t = from_json(BPE_HEAD BPE_MODEL("{\"type\":\"Split\"}", "", SMALL, "\"a b\""));
	CHECK(t && decodes(t, IDS(7, 6), false, " aabc") && refuses(t, "a", 1, "pre-tokenizer (Split)"),
	      "bpe: with another pre-tokenizer it decodes only");
	tok_free(t);
}

static void
test_added(void)
{
	struct tokenizer *t = from_json(
	    BPE_HEAD
	    "{\"id\":20,\"content\":\"<b>\",\"special\":true},"
	    "{\"id\":21,\"content\":\"ab\xc3\xa9\",\"single_word\":true},"
	    "{\"id\":22,\"content\":\"<m>\",\"lstrip\":true,\"rstrip\":true,\"special\":true,\"normalized\":true},"
	    "{\"id\":23,\"content\":\"<b>c\"}" BPE_MODEL(BYTE_LEVEL, "", SMALL, "\"a b\""));

	if (!CHECK(t != NULL && t->n == 24, "added tokens: read"))
		return;
	CHECK(encodes(t, false, "ab<b>ab<b><b>c", 14, IDS(4, 20, 4, 20, 23)),
	      "added tokens: cut out, the longest first");
	CHECK(encodes(t, false, "a ab\xc3\xa9 a", 8, IDS(0, 3, 21, 3, 0)), "added tokens: a single word");
	CHECK(encodes(t, true, "aab\xc3\xa9", 5, IDS(0, 4)), "added tokens: not inside a word");
	CHECK(encodes(t, false, "a  <m>\n\tb", 9, IDS(0, 22, 1)), "added tokens: eat the spaces around");
	CHECK(decodes(t, IDS(21, 20, 0), false, "ab\xc3\xa9<b>a") &&
		  decodes(t, IDS(21, 20, 3, 0), true, "ab\xc3\xa9 a"),
	      "added tokens: only special ones are left out");
	CHECK(!tok_bytes_of(t, 15, &(size_t){ 0 }), "added tokens: ids may have gaps");
	tok_free(t);
}

static void
test_wordpiece(void)
{
	struct tokenizer *t = from_json(
	    "{\"added_tokens\":[{\"id\":9,\"content\":\"X Y\",\"special\":false},"
	    "{\"id\":12,\"content\":\"\\u00c9b\",\"normalized\":true}],"
	    "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	    "\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
	    "\"max_input_chars_per_word\":5,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##bb\":3,\".\":4,\"c\":5,"
	    "\"ab\":6,\"i\":7,\"e\":8}}}");

	if (!CHECK(t != NULL && t->kind == TOK_WORDPIECE && t->unk == 0, "wordpiece: a small one"))
		return;
	static const char accent[] = { 'A', '\xcc', '\x81', 'B', 'B', 'B', '.', ' ', 'c' };
	CHECK(encodes(t, false, accent, sizeof accent, IDS(6, 3, 4, 5)), "wordpiece: normalises, longest piece first");
	CHECK(encodes(t, true, "ad a", 4, IDS(0, 1)) && refuses(t, "a ad.", 5, "\"ad.\", from character 3"),
	      "wordpiece: an unknown word is [UNK], or refused with its place");
	CHECK(encodes(t, true, "abbbbb abbbb", 12, IDS(0, 6, 3, 2)), "wordpiece: a long word is [UNK]");
	CHECK(encodes(t, false, "aX Yc", 5, IDS(1, 9, 5)), "wordpiece: an added token");
	CHECK(encodes(t, false, "aE\xcc\x81" "Bc", 6, IDS(1, 12, 5)), "wordpiece: an added token in normalised text");
	CHECK(encodes(t, false, "\xc4\xb0", 2, IDS(7)), "wordpiece: U+0130 loses its dot");
	CHECK(decodes(t, IDS(1, 2, 5, 4, 2), false, "ab c.b"), "wordpiece: decodes with spaces");
	CHECK(decodes(t, IDS(2, 5), false, "##b c"), "wordpiece: a piece at the start keeps its mark");
	CHECK(tok_glue(t, 2) && !tok_glue(t, 1) && !tok_spaced(t, 4) && tok_spaced(t, 1),
	      "wordpiece: which pieces stick");
	tok_free(t);
}

/* ---- text functions ---- */

static void
test_repair(void)
{
	static const struct {
		const char *in, *out;
	} c[] = {
		{ "a\xffz", "a\xef\xbf\xbdz" },
		{ "\xe6\x97", "\xef\xbf\xbd" },                                              /* cut */
		{ "\xe6\x97x", "\xef\xbf\xbdx" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },                  /* surrogate */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },                                  /* overlong */
		{ "\xf0\x9f\x91\xf0\x9f\x91\xa9", "\xef\xbf\xbd\xf0\x9f\x91\xa9" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },  /* above U+10FFFF */
		{ "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};
	bool ok = true;
	size_t n;

	for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
		char *s = utf8_repair(c[i].in, strlen(c[i].in), &n);
		ok &= s && n == strlen(s) && strcmp(s, c[i].out) == 0;
		free(s);
	}
	CHECK(ok, "utf8_repair: one U+FFFD for each maximal invalid part");
	static const char dirty[] = "I do n't , you 're . 'It 's' ' x ' !";
	char *s = tok_clean_up(dirty, strlen(dirty), &n);
	CHECK(strcmp(s, "I don't, you're. 'It's''x '!") == 0 && n == strlen(s), "tok_clean_up");
	free(s);
}

/* ---- properties ---- */

static struct noise where = { .seed = 7 };

static unsigned
rnd(unsigned n)
{
	where.pos = (where.pos + 1) & 0xffffff;
	where.step += where.pos == 0;
	return (unsigned)noise_token(&where, STAGE_DATA, (int)n);
}

static size_t
random_text(char *out, size_t chars)
{
	static const uint32_t range[][2] = { { 0x20, 0x5f },	{ 0, 0x80 },	    { 0x80, 0x780 },
					     { 0x800, 0xd000 }, { 0xe000, 0x2000 }, { 0x10000, 0x100000 } };
	size_t n = 0;

	for (size_t i = 0; i < chars; i++) {
		unsigned k = rnd(6);
		uint32_t ch = range[k][0] + rnd(range[k][1]);
		n += (size_t)u8_uctomb((uint8_t *)out + n, ch, 6);
	}
	return n;
}

static void
test_properties(const char *name, const struct tokenizer *t, bool text, bool bytes)
{
	int bad_text = 0, bad_bytes = 0, bad_ids = 0;
	char s[1024];
	int32_t id[64];
	size_t n;

	for (int k = 0; k < 500; k++) {
		n = random_text(s, rnd(80));
		bad_text += text && !goes_round(t, s, n);
		for (n = 0; n < 64; n++)
			s[n] = (char)rnd(256);
		bad_bytes += bytes && !goes_round(t, s, rnd(64));
		for (n = 0; n < 64; n++)
			id[n] = rnd(8) ? (int32_t)rnd((unsigned)t->n) : (int32_t)(rnd(1u << 30) * 4u - (1u << 30));
		char *out = tok_decode(t, id, 64, k & 1, &n);
		bad_ids += !out || out[n] != '\0';
		free(out);
	}
	if (text)
		CHECK(!bad_text, "%s: random text comes back (%d of 500 do not)", name, bad_text);
	if (bytes)
		CHECK(!bad_bytes, "%s: random bytes come back (%d of 500 do not)", name, bad_bytes);
	CHECK(!bad_ids, "%s: any ids decode", name);
}

static double
seconds(const struct tokenizer *t, char c, size_t n)
{
	struct timespec a, b;
	char *s = malloc(n);
	int32_t *id;
	size_t k;

	memset(s, c, n);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	enum status st = tok_encode_lossy(t, s, n, &id, &k, &err);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	free(s);
	free(st == ST_OK ? id : NULL);
	return st == ST_OK ? (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec) : 1e9;
}

/* Ten times the text may take 30 times as long (n log n, caches), not 100 times. */
static void
test_time(const char *name, const struct tokenizer *t)
{
	static const char c[] = { 'a', ' ', '-', 'e' };

	for (size_t i = 0; i < sizeof c; i++) {
		double small = seconds(t, c[i], 40000), large = seconds(t, c[i], 400000);
		CHECK(large < 30 * small + .05, "%s: a run of 400000 \"%c\" takes %.3f s, 40000 %.3f s", name, c[i],
		      large, small);
	}
}

static void
test_files(const char *golden)
{
	struct paths files = { 0 };
	struct tokenizer *t;
	int n = 0;

	find_files(golden, &files);
	for (size_t i = 0; i < files.n; i++) {
		const char *p = files.p[i], *name = base_name(p);
		if (!ends_with(p, "tokenizer.json") || strstr(p, "/hostile/") || tok_open(p, &t, &err) != ST_OK)
			continue;
		test_properties(name, t, t->kind == TOK_BPE, t->kind == TOK_BPE);
		test_time(name, t);
		tok_free(t);
		n++;
	}
	if (!n)
		check_skip("no tokenizer.json in %s", golden);
	free_paths(&files);
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN");
	struct tokenizer *t;

	test_text8();
	test_chars();
	test_numbers();
	test_merges();
	test_added();
	test_wordpiece();
	test_repair();
	test_properties("text8", t = tok_text8(), false, false);
	tok_free(t);
	test_properties("bytes", t = tok_bytes(), true, true);
	tok_free(t);
	test_properties("pixels", t = tok_pixels(), false, false);
	tok_free(t);
	test_properties("ids", t = tok_ids(500), false, false);
	tok_free(t);
	test_files(golden ? golden : "tests/golden");
	return check_done();
}
