/*
 * test_show.c: what of a row of tokens is drawn, and by which token.  A row is
 * written as one line: each token in | |, '_' for the cell of its leading
 * space, "<k" when token k draws its first character, '*' special, '?' holds a
 * stand-in, '.' undrawn, '/' a line break.
 */
#include <unistr.h>

#include "base/rng.h"
#include "check.h"
#include "text/show.h"
#include "text_util.h"

static struct show_buf buf;

static void
describe(const struct shown *s, int n, char *out, size_t size)
{
	size_t k = 0;

	for (int i = 0; i < n && k + 64 < size; i++) {
		k += (size_t)snprintf(out + k, size - k, "|%s", s[i].space_before ? "_" : "");
		for (size_t j = 0; j < s[i].bytes && k + 64 < size; j++)
			out[k++] = s[i].text[j] == '\n' ? '/' : s[i].text[j];
		if (s[i].owner != i)
			k += (size_t)snprintf(out + k, size - k, "<%d", s[i].owner);
		k += (size_t)snprintf(out + k, size - k, "%s%s%s", s[i].special ? "*" : "", s[i].stand_in ? "?" : "",
				      s[i].undrawn ? "." : "");
	}
	snprintf(out + k, size - k, "|");
}

static bool
shows(const struct tokenizer *t, const int32_t *id, int n, unsigned flags, const char *want)
{
	struct shown out[64];
	char got[2048];

	if (!show_tokens(t, id, n, flags, out, &buf))
		return false;
	describe(out, n, got, sizeof got);
	bool ok = strcmp(got, want) == 0;
	if (!ok)
		printf("# got  %s\n# want %s\n", got, want);
	return ok;
}

/* The bytes of s as tokens of the byte tokenizer. */
static bool
shows_bytes(const struct tokenizer *t, const char *s, unsigned flags, const char *want)
{
	int32_t id[64];
	int n = 0;

	for (; s[n] && n < 64; n++)
		id[n] = (unsigned char)s[n];
	return shows(t, id, n, flags, want);
}

#define IDS(...) (const int32_t[]){ __VA_ARGS__ }, (int)(sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t))

static void
test_split(void)
{
	struct tokenizer *t = tok_bytes();

	CHECK(shows_bytes(t, "a\xc3\xa9z", 0, "|a|\xc3\xa9|<1|z|"),
	      "a character over two tokens is drawn by the first");
	CHECK(shows_bytes(t, "\xf0\x9f\x91\xa9", 0, "|\xf0\x9f\x91\xa9|<0|<0|<0|"), "over four");
	CHECK(shows_bytes(t, "\xe6\x97x", 0, "|\xef\xbf\xbd?|<0|x|"), "an incomplete one is one U+FFFD");
	CHECK(shows_bytes(t, "\xe6\x97x", SHOW_ASCII, "|??|<0|x|"), "an incomplete one in ASCII");
	CHECK(shows(t, IDS(0xc3, -1, 0xa9), 0, "|\xef\xbf\xbd?|.|\xef\xbf\xbd?|"), "an undrawn token ends the stream");
	CHECK(shows_bytes(t, "e\xcc\x81!", 0, "|e\xcc\x81|<0|<0|!|"), "a combining mark is drawn on its character");
	CHECK(shows_bytes(t, " \xcc\x81", 0, "|_|\xe2\x97\x8c\xcc\x81?|<1|"), "or on a dotted circle");
	CHECK(shows_bytes(t, "\xcc\x81", SHOW_ASCII, "|<301>?|<0|"), "in ASCII by its number");
	CHECK(shows_bytes(t, "x\xe2\x80\x8dy", 0, "|x|<0|<0|<0|y|"), "a joiner after a character draws nothing");
	CHECK(shows_bytes(t, "\xe2\x80\x8d", 0, "|<200D>?|<0|<0|"), "alone it has a stand-in");
	CHECK(shows_bytes(t, "\xe2\x80\xae", 0, "|<202E>?|<0|<0|"), "a change of direction never reaches the terminal");
	CHECK(shows_bytes(t, "a b", 0, "|a|_|b|"), "a space is the cell of its token");
	CHECK(shows_bytes(t, "a\nb\n", 0, "|a|/|b|/|"), "line breaks");
	CHECK(shows_bytes(t, "\n", SHOW_NEWLINE_MARK, "|\xe2\x86\xb5/|") &&
		  shows_bytes(t, "\n", SHOW_NEWLINE_MARK | SHOW_ASCII, "|$/|"),
	      "line breaks with a mark");
	CHECK(shows_bytes(t, "\t\x1b\x7f", 0, "|\xe2\x90\x89?|\xe2\x90\x9b?|\xe2\x90\xa1?|"), "control characters");
	CHECK(shows_bytes(t, "\t\x1b\x7f", SHOW_ASCII, "|^I?|^[?|^??|"), "control characters in ASCII");
	CHECK(shows(t, IDS(0, 256, 65), 0, "|\xe2\x90\x80?|<256>|A|"), "NUL, and an id without an entry");
	tok_free(t);
}

static void
test_kinds(void)
{
	struct tokenizer *t = tok_text8(), *i = tok_ids(50), *p = tok_pixels();

	CHECK(shows(t, IDS(8, 34, 4, 9, 2), 0, "|a|_|[M]*|b|[BOS]*|"), "text8: a space, [MASK], a special token");
	t->mask = 35;
	CHECK(shows(t, IDS(35, 4), 0, "|[M]*|[MASK]*|"), "the mask may be an id that the tokenizer does not have");
	CHECK(shows(i, IDS(7, 49, -1, 3), 0, "|7|_49|.|_3|"), "ids: numbers with spaces");
	CHECK(shows(p, IDS(7, 255), 0, "|7|_255|"), "pixels: numbers with spaces");
	tok_free(t);
	tok_free(i);
	tok_free(p);
	static const char json[] =
	    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	    "\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":1,"
	    "\"##b\":2,\".\":3}}}";
	if (CHECK(tok_from_json((const uint8_t *)json, sizeof json - 1, &t, NULL) == ST_OK, "a small WordPiece")) {
		CHECK(shows(t, IDS(1, 2, 1, 3, 9), 0, "|a|b|_a|.|_<9>|"), "wordpiece: spaces between words only");
		tok_free(t);
	}
}

static void
test_one(void)
{
	static const char json[] =
	    "[\" lazy\",\"\\n\\t\",\"e\\u0301\",\"\\u0301\",\"\\u200b\",\"[MASK]\",\"\xf0\x9f\x91\xa9\"]";
	static const char *const want[] = { " lazy", "\\n\\t", "e\xcc\x81", "\xe2\x97\x8c\xcc\x81", "<200B>",
					    "[MASK]", "\xf0\x9f\x91\xa9" };
	struct tokenizer *t, *b = tok_bytes();
	char s[32];
	int bad = 0;

	if (!CHECK(tok_chars(json, sizeof json - 1, &t, NULL) == ST_OK, "a vocabulary to show one by one"))
		return;
	for (int i = 0; i < 7; i++)
		bad += show_one(t, i, 0, s, sizeof s) != strlen(want[i]) || strcmp(s, want[i]) != 0;
	CHECK(!bad, "show_one");
	show_one(b, 0xe6, 0, s, sizeof s);
	CHECK(strcmp(s, "\\xE6") == 0, "show_one: an incomplete character");
	CHECK(show_one(t, 6, 0, s, 4) == 0 && !s[0] && show_one(t, 0, 0, s, 4) == 3 && strcmp(s, " la") == 0,
	      "show_one: cuts at characters");
	CHECK(show_one(t, -1, 0, s, sizeof s) == 0 && show_one(t, 77, 0, s, sizeof s) == 4,
	      "show_one: undrawn, unknown");
	tok_free(t);
	tok_free(b);
}

static void
test_glyph(void)
{
	static const char text[] = "a\xe4\xb8\x80" "e\xcc\x81\n\xef\xbf\xbd";
	static const struct {
		size_t bytes;
		int cells;
	} want[] = { { 1, 1 }, { 3, 2 }, { 3, 1 }, { 1, 0 }, { 3, 1 } };
	const char *p = text, *end = text + sizeof text - 1;
	struct glyph g;
	size_t n = 0;
	bool ok = true;

	for (; show_glyph(&p, end, &g); n++)
		ok &= n < 5 && g.bytes == want[n].bytes && g.cells == want[n].cells && g.newline == (n == 3);
	CHECK(ok && n == 5, "show_glyph cuts text into cells");
}

/* Whatever the ids: valid UTF-8, no control characters but line breaks, owners that draw. */
static int
sound(const struct shown *s, int n)
{
	int bad = 0;

	for (int i = 0; i < n; i++) {
		bad += u8_check((const uint8_t *)s[i].text, s[i].bytes) != NULL;
		for (size_t k = 0; k < s[i].bytes; k++)
			bad += (unsigned char)s[i].text[k] < 0x20 && s[i].text[k] != '\n';
		bad += s[i].owner < 0 || s[i].owner > i || (s[i].owner != i && (s[i].bytes || !s[s[i].owner].bytes));
		bad += s[i].newline_after != (s[i].bytes && s[i].text[s[i].bytes - 1] == '\n');
	}
	return bad;
}

static void
test_random(const char *name, const struct tokenizer *t)
{
	struct noise w = { .seed = 11 };
	struct shown out[64];
	int32_t id[64];
	int bad = 0;

	for (int k = 0; k < 400; k++) {
		for (int i = 0; i < 64; i++) {
			w.pos = (uint32_t)(k * 64 + i);
			id[i] = noise_token(&w, STAGE_DATA, t->n + 8) - 4;
		}
		bad += !show_tokens(t, id, 64, (unsigned)k & 3, out, &buf) || sound(out, 64);
	}
	CHECK(!bad, "%s: random ids show soundly", name);
}

static void
test_files(const char *golden)
{
	struct paths files = { 0 };
	struct tokenizer *t;

	find_files(golden, &files);
	for (size_t i = 0; i < files.n; i++)
		if (ends_with(files.p[i], "tokenizer.json") && !strstr(files.p[i], "/hostile/") &&
		    tok_open(files.p[i], &t, NULL) == ST_OK) {
			test_random(base_name(files.p[i]), t);
			tok_free(t);
		}
	free_paths(&files);
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN");
	struct tokenizer *t = tok_bytes();

	test_split();
	test_kinds();
	test_one();
	test_glyph();
	test_random("bytes", t);
	tok_free(t);
	test_files(golden ? golden : "tests/golden");
	show_buf_done(&buf);
	return check_done();
}
