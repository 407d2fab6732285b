/*
 * test_pickle.c: the pickle reader: every opcode's value, inertness, memory in
 * proportion to the input; configurations with interpolations over it.
 */
#include <math.h>

#include "check.h"
#include "ckpt/config_pickle.h"
#include "ckpt/pickle_impl.h"
#include "text_util.h"

/* Opcodes as a C string; its own length without the NUL. */
#define READ(out, text) read_pickle((text), sizeof (text) - 1, (out))

static char last_error[500];

static bool
read_pickle(const char *text, size_t n, struct pickle **out)
{
	struct error e = { .msg = "" };
	enum status st = pickle_read((const uint8_t *)text, n, out, &e);

	snprintf(last_error, sizeof last_error, "%s", e.msg);
	return st == ST_OK;
}

static void
is_int(const char *text, size_t n, long long want, const char *what)
{
	struct pickle *p = NULL;
	bool ok = read_pickle(text, n, &p);

	CHECK(ok && pk_type(p, pickle_root(p)) == PK_INT && pk_int(p, pickle_root(p)) == want, "%s is %lld %s", what,
	    want, last_error);
	pickle_free(p);
}

static void
is_text(const char *text, size_t n, enum pk_type type, const char *want, const char *what)
{
	struct pickle *p = NULL;
	bool ok = read_pickle(text, n, &p) && pk_type(p, pickle_root(p)) == type;
	size_t len = 0;
	const char *s = ok ? pk_text(p, pickle_root(p), &len) : "";

	CHECK(ok && len == strlen(want) && !memcmp(s, want, len), "%s %s", what, last_error);
	pickle_free(p);
}

#define IS_INT(text, want, what) is_int((text), sizeof (text) - 1, (want), (what))
#define IS_TEXT(text, type, want, what) is_text((text), sizeof (text) - 1, (type), (want), (what))

static void
check_constants(void)
{
	struct pickle *p;

	IS_INT("K\xff.", 255, "BININT1");
	IS_INT("M\x34\x12.", 0x1234, "BININT2");
	IS_INT("J\xfe\xff\xff\xff.", -2, "BININT");
	IS_INT("I-17\n.", -17, "INT");
	IS_INT("L123456789012L\n.", 123456789012, "LONG");
	IS_INT("\x8a\x00.", 0, "LONG1 of no bytes");
	IS_INT("\x8a\x01\x80.", -128, "LONG1 of one byte");
	IS_INT("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00.", INT64_MAX, "LONG1 with a sign byte");
	IS_INT("\x8b\x02\x00\x00\x00\x00\xff.", -256, "LONG4");
	IS_TEXT("X\x02\x00\x00\x00\xc3\xa9.", PK_STR, "\xc3\xa9", "BINUNICODE");
	IS_TEXT("\x8c\x03" "abc.", PK_STR, "abc", "SHORT_BINUNICODE");
	IS_TEXT("X\x03\x00\x00\x00\xed\xb3\xbf.", PK_STR, "\xed\xb3\xbf", "a surrogate that stands alone");
	IS_TEXT("V\\u00e9 \xe9\\U0001f600\n.", PK_STR, "\xc3\xa9 \xc3\xa9\xf0\x9f\x98\x80", "UNICODE with escapes");
	IS_TEXT("S'a\\n\\x41\\102\\''\n.", PK_STR, "a\nAB'", "STRING with escapes");
	IS_TEXT("S\"\\xff\"\n.", PK_BYTES, "\xff", "STRING beyond ASCII");
	IS_TEXT("U\x02hi.", PK_STR, "hi", "SHORT_BINSTRING");
	IS_TEXT("C\x02\xff\xfe.", PK_BYTES, "\xff\xfe", "SHORT_BINBYTES");
	IS_TEXT("c_codecs\nencode\n(X\x04\x00\x00\x00\xc3\xa9\xc3\xbfU\x06latin1tR.", PK_BYTES, "\xe9\xff",
	    "_codecs.encode");
	if (CHECK(READ(&p, "G\x3f\xf8\0\0\0\0\0\0."), "BINFLOAT reads"))
		CHECK(pk_float(p, pickle_root(p)) == 1.5, "BINFLOAT is 1.5");
	pickle_free(p);
	if (CHECK(READ(&p, "F-2.5e3\n."), "FLOAT reads"))
		CHECK(pk_float(p, pickle_root(p)) == -2500, "FLOAT is -2500");
	pickle_free(p);
	if (CHECK(READ(&p, "\x8a\x09\0\0\0\0\0\0\0\0\x01."), "LONG1 of 2^64 reads"))
		CHECK(pk_type(p, pickle_root(p)) == PK_BIG, "and is beyond 64 bits");
	pickle_free(p);
}

static void
check_containers(void)
{
	struct pickle *p;
	pk v;

	if (CHECK(READ(&p, "}(U\x01" "aK\x01U\x01" "bK\x02U\x01" "aK\x03u."), "a dict reads")) {
		v = pickle_root(p);
		CHECK(pk_count(p, v) == 3 && pk_int(p, pk_get(p, v, "a")) == 3 && pk_get(p, v, "c") == PK_ABSENT,
		    "the last value counts");
	}
	pickle_free(p);
	if (CHECK(READ(&p, "](K\x01K\x02" "eK\x03" "a."), "a list reads")) {
		v = pickle_root(p);
		CHECK(pk_count(p, v) == 3 && pk_int(p, pk_item(p, v, 2)) == 3, "and holds three");
	}
	pickle_free(p);
	if (CHECK(READ(&p, "]q\0h\0a."), "a list that contains itself reads"))
		CHECK(pk_item(p, pickle_root(p), 0) == pickle_root(p), "and does");
	pickle_free(p);
	if (CHECK(READ(&p, "ccollections\nOrderedDict\n)RU\x01xK\x05s}U\x09_metadataNsb."),
	    "an OrderedDict with a state reads"))
		CHECK(pk_int(p, pk_get(p, pickle_root(p), "x")) == 5, "and is a dict");
	pickle_free(p);
	if (CHECK(READ(&p, "ccollections\nOrderedDict\n(](](U\x01xK\x05" "eetR."), "an OrderedDict of pairs reads"))
		CHECK(pk_int(p, pk_get(p, pickle_root(p), "x")) == 5, "and is a dict");
	pickle_free(p);
}

static void
check_inert(void)
{
	struct pickle *p;
	pk v;

	if (CHECK(READ(&p, "cos\nsystem\n(U\x0etouch /tmp/nottR}U\x01kK\x07sb."), "a call of os.system reads")) {
		v = pickle_root(p);
		CHECK(pk_type(p, v) == PK_OBJECT && pk_global_is(p, pk_callable(p, v), "os", "system") &&
		    pk_is(p, pk_item(p, pk_args(p, v), 0), "touch /tmp/not") && pk_int(p, pk_attr(p, v, "k")) == 7,
		    "and is an object that remembers its call and state");
	}
	pickle_free(p);
	if (CHECK(READ(&p, "(ios\nsystem\n."), "INST reads"))
		CHECK(pk_type(p, pickle_root(p)) == PK_OBJECT, "and is inert");
	pickle_free(p);
	if (CHECK(READ(&p, "(cos\nsystem\nK\x01o."), "OBJ reads"))
		CHECK(pk_count(p, pk_args(p, pickle_root(p))) == 1, "and has one argument");
	pickle_free(p);
	CHECK(READ(&p, "cx\nY\n)\x81(U\x01" "aK\x01u."), "items for an inert object are taken and forgotten");
	pickle_free(p);
}

/* Bytes held, per byte of input. */
static double
cost(const struct pickle *p)
{
	size_t held = p->cap * sizeof *p->value + p->pool_cap * sizeof *p->pool + p->text_cap;

	return (double)held / (double)(p->in_bytes + 4096);
}

/* `unit` n times between head and tail: memory in proportion, or (refused: a
 * word of it) an error. */
static void
check_bomb(const char *refused, const char *what, const char *head, const char *unit, size_t unit_bytes,
    const char *tail, size_t n)
{
	size_t h = strlen(head), t = strlen(tail), bytes = h + n * unit_bytes + t;
	char *text = malloc(bytes);
	struct pickle *p;

	memcpy(text, head, h);
	for (size_t i = 0; i < n; i++)
		memcpy(text + h + i * unit_bytes, unit, unit_bytes);
	memcpy(text + h + n * unit_bytes, tail, t);
	if (read_pickle(text, bytes, &p))
		CHECK(!refused && cost(p) < 64, "%s: %.0f bytes for each of %zu", what, cost(p), bytes);
	else
		CHECK(refused && strstr(last_error, refused), "%s: %s", what, last_error);
	pickle_free(p);
	free(text);
}

static void
check_memory(void)
{
	char text[300] = "", *s = text;

	check_bomb(NULL, "empty dicts", "(", "}", 1, "t.", 100000);
	check_bomb(NULL, "lists of one", "(", "]Na", 3, "t.", 100000);
	check_bomb(NULL, "dicts of one", "(", "}NNs", 4, "t.", 100000);
	check_bomb(NULL, "tuples in tuples", "N", "\x85", 1, ".", 100000);
	check_bomb(NULL, "memo", "N", "\x94", 1, ".", 100000);
	check_bomb("empty", "marks", "N", "(", 1, "0.", 100000);
	check_bomb(NULL, "one list appended to", "]", "Na", 2, ".", 100000);
	check_bomb(NULL, "two lists in turn", "]q\1]q\2", "h\1Na0h\2Na0", 10, ".", 10000);
	/* Every call copies a text of 200 bytes: refused when the copies outgrow the file. */
	s += sprintf(s, "c_codecs\nencode\nq\1(V");
	for (int i = 0; i < 200; i++)
		*s++ = 'x';
	sprintf(s, "\nU\6latin1tq\2" "0");
	check_bomb("copied", "a text encoded again and again", text, "h\1h\2R0", 6, "N.", 100000);
	check_bomb(NULL, "a list made into dicts",
	    "ccollections\nOrderedDict\nq\1](](K\1K\2e](K\1K\2e](K\1K\2e](K\1K\2ee\x85q\2" "0",
	    "h\1h\2R0", 6, "N.", 100000);
	check_bomb(NULL, "a list made into sets", "cbuiltins\nset\nq\1](NNNNNNNNNNNNNNNNe\x85q\2" "0",
	    "h\1h\2R(N\x90" "0", 9, "N.", 100000);
}

/* A plain config: {model: {a: ${.b}, b: ${data.c}, u: ${..data.c}, r: ${eval:1}, m: ???}, data: {c: 8, l: [1, 2]}} */
static const char config_text[] =
    "}(U\5model}(U\1aU\5${.b}U\1bU\11${data.c}U\1uU\13${..data.c}U\1rU\11${eval:1}U\1mU\3???"
    "U\1xU\5${.y}U\1yU\5${.x}uU\4data}(U\1cK\10U\1l](K\1K\2eU\1sU\3tex"
    "U\1fG\x3f\xe0\0\0\0\0\0\0U\1nNuu.";

static void
check_config(void)
{
	struct pickle *p = NULL;
	struct pickled_config k;
	struct cv v;
	struct error e = { .msg = "" };

	if (!CHECK(READ(&p, config_text), "a config reads %s", last_error))
		return;
	k = (struct pickled_config){ p, pickle_root(p) };
	CHECK(!cv_get_pickle(&k, "data.c", &v, &e) && v.kind == CV_INT && v.i == 8, "a number");
	CHECK(!cv_get_pickle(&k, "model.b", &v, &e) && v.kind == CV_INT && v.i == 8, "an interpolation from the root");
	CHECK(!cv_get_pickle(&k, "model.a", &v, &e) && v.kind == CV_INT && v.i == 8,
	    "one beside it, that is one itself");
	CHECK(!cv_get_pickle(&k, "model.u", &v, &e) && v.kind == CV_INT && v.i == 8, "one from the section above");
	CHECK(!cv_get_pickle(&k, "model.r", &v, &e) && v.kind == CV_ABSENT, "a resolver is not run");
	CHECK(!cv_get_pickle(&k, "model.none.at.all", &v, &e) && v.kind == CV_ABSENT, "an absent section");
	CHECK(!cv_get_pickle(&k, "data.n", &v, &e) && v.kind == CV_ABSENT, "None");
	CHECK(!cv_get_pickle(&k, "data.l", &v, &e) && v.kind == CV_LIST && v.n == 2 && v.list[1] == 2, "a list");
	CHECK(!cv_get_pickle(&k, "data.s", &v, &e) && v.kind == CV_TEXT && !strcmp(v.text, "tex"), "a text");
	CHECK(cv_get_pickle(&k, "model.m", &v, &e) == ST_CKPT, "the missing marker: %s", e.msg);
	CHECK(cv_get_pickle(&k, "model.x", &v, &e) == ST_CKPT && strstr(e.msg, "never end"), "a circle: %s", e.msg);
	CHECK(cv_get_pickle(&k, "data.c.d", &v, &e) == ST_CKPT, "a number is no section: %s", e.msg);
	pickle_free(p);
}

int
main(void)
{
	check_constants();
	check_containers();
	check_inert();
	check_memory();
	check_config();
	return check_done();
}
