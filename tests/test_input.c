/* test_input.c: bytes of a terminal -> keys, pastes and answers; the line editor. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ui/input.h"
#include "ui/line.h"
#include "ui/probe.h"

static void
feed(struct input *in, const char *s, size_t n)
{
	size_t room;
	unsigned char *to = input_room(in, &room);

	if (n > room)
		n = room;
	memcpy(to, s, n);
	input_got(in, n);
}

/* What comes out, joined by blanks: keys, paste[...], reply. */
static void
drain(struct input *in, bool waited, char *out, size_t size)
{
	struct input_event ev;

	while (input_next(in, waited, &ev)) {
		size_t n = strlen(out);
		if (n)
			n += (size_t)snprintf(out + n, size - n, " ");
		if (ev.kind == INPUT_KEY)
			snprintf(out + n, size - n, "%s", ev.key.name);
		else if (ev.kind == INPUT_PASTE)
			snprintf(out + n, size - n, "paste[%.*s]", (int)ev.bytes, ev.text);
		else
			snprintf(out + n, size - n, "reply");
	}
}

/* bytes give want, whole and byte by byte. */
static void
gives(const char *bytes, size_t n, const char *want)
{
	struct input in;
	char whole[2000] = "", single[2000] = "";

	input_init(&in);
	feed(&in, bytes, n);
	drain(&in, false, whole, sizeof whole);
	drain(&in, true, whole, sizeof whole);
	input_done(&in);
	input_init(&in);
	for (size_t i = 0; i < n; i++) {
		feed(&in, bytes + i, 1);
		drain(&in, false, single, sizeof single);
	}
	drain(&in, true, single, sizeof single);
	input_done(&in);
	bool ok = strcmp(whole, want) == 0 && strcmp(single, want) == 0;
	CHECK(ok, "%s", want);
	if (!ok)
		printf("# whole: %s\n# bytewise: %s\n", whole, single);
}

#define GIVES(bytes, want) gives(bytes, sizeof(bytes) - 1, want)

static void
test_keys(void)
{
	GIVES("aS<> \r\t\x7f\x0c\x03\x1c", "a S <lt> > <Space> <Enter> <Tab> <Backspace> <C-l> <C-c> <C-\\>");
	GIVES("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x99\x82", "é 漢 🙂");
	GIVES("\x1b[A\x1b[B\x1b[C\x1b[D\x1bOA\x1bOD", "<Up> <Down> <Right> <Left> <Up> <Left>");
	GIVES("\x1b[1;5D\x1b[1;2A\x1b[3;3~\x1b[Z", "<C-Left> <S-Up> <A-Del> <S-Tab>");
	GIVES("\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[5~\x1b[6~\x1b[2~\x1b[3~",
	    "<Home> <End> <Home> <End> <PgUp> <PgDn> <Ins> <Del>");
	GIVES("\x1bOP\x1bOQ\x1b[15~\x1b[24~\x1b[[A\x1b[[E\x1b[1;2P", "<F1> <F2> <F5> <F12> <F1> <F5> <S-F1>");
	GIVES("\x1b" "1\x1b" "8\x1b\xc3\xa9\x1b\r", "<A-1> <A-8> <A-é> <A-Enter>");
	GIVES("\x1bOj\x1bOy\x1bOM", "* 9 <Enter>");
	GIVES("\x1b[97;5u\x1b[27;5;105~\x1b[13;2u\x1b[65;2u", "<C-a> <Tab> <S-Enter> A");
	GIVES("\x1b[<0;12;30M\x1b[<0;12;30m\x1b[<64;1;1M\x1b[<65;1;1M\x1b[<32;300;100M",
	    "<Click:12,30> reply <WheelUp> <WheelDown> <Drag:300,100>");
}

static void
test_escape(void)
{
	struct input in;
	char out[200] = "";

	GIVES("\x1b", "<Esc>");
	GIVES("\x1b\x1b", "<Esc> <Esc>");
	GIVES("\x1b\x1b[A", "<Esc> <Up>");
	GIVES("\x1b[", "<A-[>");
	GIVES("\x1bO", "<A-O>");
	GIVES("a\xff\xc3(b\xe6\xbc", "a ( b");
	input_init(&in);
	CHECK(input_wait_ms(&in) < 0, "nothing to wait for");
	feed(&in, "\x1b", 1);
	drain(&in, false, out, sizeof out);
	CHECK(!*out && input_wait_ms(&in) > 0 && input_wait_ms(&in) < 50, "Esc waits for its rest, not long");
	in.expecting = true;
	CHECK(input_wait_ms(&in) > 100, "longer while an answer may come");
	drain(&in, true, out, sizeof out);
	CHECK(strcmp(out, "<Esc>") == 0, "then it is Esc");
	input_learn(&in, "\x1b[11^", "<F9>");
	input_learn(&in, "x", "<F9>");
	input_learn(&in, "\x1b[averylongsequence", "<F9>");
	*out = 0;
	feed(&in, "\x1b[11^x", 6);
	drain(&in, false, out, sizeof out);
	CHECK(strcmp(out, "<F9> x") == 0, "a sequence of this terminal; no printable character becomes a key");
	input_done(&in);
}

static void
test_answers(void)
{
	struct input in;
	struct probe p = { .background = -1 };
	char out[2000] = "";

	GIVES("\x1b[?62;4c", "reply");
	GIVES("\x1b]11;rgb:0000/0000/0000\x07", "reply");
	GIVES("\x1b]11;rgb:0000/0000/0000\x1b\\q", "reply q");
	GIVES("\x1bP1$r0m\x1b\\\x1b[6;20;10t\x1b[24;80R\x1b[I\x1b[O\x1b[?2026;2$y",
	    "reply reply reply reply reply reply");
	GIVES("\x1b[?62;4", "");
	GIVES("\x1b]11;rgb:00", "");
	GIVES("\x1b[1\n", "reply <Enter>");
	char *big = calloc(1, 5001);
	memset(big, 'x', 5000);
	memcpy(big, "\x1b]52;", 5);
	input_init(&in);
	feed(&in, big, 4000);
	drain(&in, false, out, sizeof out);
	feed(&in, big + 4000, 96);
	drain(&in, false, out, sizeof out);
	CHECK(*out == 0, "a string without end becomes no keys");
	feed(&in, "q", 1);
	drain(&in, false, out, sizeof out);
	CHECK(strcmp(out, "q") == 0, "and does not stop what follows");
	input_done(&in);
	free(big);

	probe_reply(&p, "\x1b[?62;4;22c", 11);
	CHECK(p.answered && p.sixel && strcmp(p.da1, "62;4;22") == 0, "DA1 with sixel");
	p.sixel = false;
	probe_reply(&p, "\x1b[?64;22c", 9);
	CHECK(!p.sixel, "64 is not 4");
	probe_reply(&p, "\x1b[?4c", 5);
	CHECK(!p.sixel, "the first parameter is the class");
	probe_reply(&p, "\x1b]11;rgb:ffff/8080/0000\x1b\\", 25);
	CHECK(p.background == 0xff8000, "background");
	probe_reply(&p, "\x1b]11;rgb:f/8/0\x07", 15);
	CHECK(p.background == 0xff8800, "background in short");
	probe_reply(&p, "\x1b]11;rgb:zz/8/0\x07", 16);
	CHECK(p.background == 0xff8800, "nonsense changes nothing");
	probe_reply(&p, "\x1b[6;20;10t", 10);
	CHECK(p.cell_w == 10 && p.cell_h == 20, "pixels of a cell");
	CHECK(probe_knows("xterm-256color") && probe_knows("tmux-256color") && probe_knows("vte-256color") &&
	    !probe_knows("vt100") && !probe_knows("linux") && !probe_knows("dumb") && !probe_knows(NULL),
	    "who is asked");
}

static void
collect(void *arg, const char *text, size_t n)
{
	snprintf((char *)arg + strlen(arg), 200 - strlen(arg), "%.*s|", (int)n - 1, text + 1);
}

static void
test_typed_ahead(void)
{
	static const char mixed[] = "s\x1b[?62;4ct\x1b[A\x1b[6;20;10tu\x1b[";
	struct input in;
	char answers[200] = "", keys[200] = "";

	input_init(&in);
	feed(&in, mixed, sizeof mixed - 1);
	input_answers(&in, collect, answers);
	CHECK(strcmp(answers, "[?62;4c|[6;20;10t|") == 0, "answers are taken out");
	feed(&in, "B", 1);
	drain(&in, false, keys, sizeof keys);
	CHECK(strcmp(keys, "s t <Up> u <Down>") == 0, "keys typed meanwhile stay, in order");
	input_done(&in);
}

static void
test_paste(void)
{
	struct input in;
	char out[300] = "";

	GIVES("a\x1b[200~q\x1b[31m\rz\x1b[201~b", "a paste[q\x1b[31m\rz] b");
	GIVES("\x1b[200~\x1b[201~x", "paste[] x");
	GIVES("\x1b[200~abc", "paste[abc]");
	input_init(&in);
	feed(&in, "\x1b[200~", 6);
	char block[1000];
	memset(block, 'p', sizeof block);
	for (int i = 0; i < 2000; i++) {
		feed(&in, block, sizeof block);
		drain(&in, false, out, sizeof out);
	}
	CHECK(in.paste_n <= 1u << 20 && !*out, "a huge paste is cut, not kept");
	feed(&in, "\x1b[201~k", 7);
	struct input_event ev;
	CHECK(input_next(&in, false, &ev) && ev.kind == INPUT_PASTE && ev.bytes > 1000000, "it ends");
	CHECK(input_next(&in, false, &ev) && strcmp(ev.key.name, "k") == 0, "keys go on");
	input_done(&in);
}

/* Any bytes at all: it ends, and makes no names that are no keys. */
static void
test_noise(void)
{
	struct input in;
	unsigned s = 7;
	bool ok = true;

	input_init(&in);
	input_learn(&in, "\x1bOA", "<Up>");
	for (int i = 0; i < 200000; i++) {
		s = s * 1103515245u + 12345u;
		char c = "\x1b[]OP?;0:9<mMcAu~\x07\\\xc3\xff\x80\r"[s >> 16 & 31 ? (s >> 16) % 24 : 0];
		struct input_event ev;
		feed(&in, &c, 1);
		while (input_next(&in, i % 50 == 0, &ev))
			ok &= ev.kind != INPUT_KEY || (ev.key.name[0] && strlen(ev.key.name) < sizeof ev.key.name);
	}
	CHECK(ok, "noise");
	input_done(&in);
}

static struct line edited;

/* The line after keys is want. */
static bool
line_is(const char *keys, const char *want, size_t at)
{
	struct key k;

	while (keys_next(&keys, &k))
		line_key(&edited, &k);
	if (strcmp(edited.text, want) != 0 || edited.at != at)
		printf("# got '%s' at %zu\n", edited.text, edited.at);
	return strcmp(edited.text, want) == 0 && edited.at == at && edited.n == strlen(want);
}

static void
test_line(void)
{
	struct key k = { "<F1>" };

	line_set(&edited, "");
	CHECK(line_is("set kappa .9", "set kappa .9", 12), "typing");
	CHECK(line_is("<Home><Del>S<End><BS>8", "Set kappa .8", 12), "Home, Del, End, Backspace");
	CHECK(line_is("<C-w><C-w>", "Set ", 4), "C-w");
	CHECK(line_is("<C-a><C-f><C-k>", "S", 1), "C-k");
	CHECK(line_is("<C-u>", "", 0), "C-u");
	CHECK(line_is("e\xcc\x81漢x<Left><Left><BS>", "漢x", 0), "a combining character goes with its base");
	CHECK(line_is("<Right><BS><BS><BS>", "x", 0), "Backspace at the start");
	CHECK(line_is("<C-u><C-k>one two=3<C-Left><C-Left><C-Left>-<C-Right>+", "-one+ two=3", 5), "words");
	CHECK(!line_key(&edited, &k), "no editing key");
	line_set(&edited, "a\nb\x1b[c\xff");
	CHECK(strcmp(edited.text, "a b [c\xef\xbf\xbd") == 0, "control characters and bad bytes");
	for (int i = 0; i < 5000; i++)
		line_insert(&edited, "漢", 3);
	CHECK(edited.n < LINE_MAX_BYTES && edited.n > LINE_MAX_BYTES - 4 && edited.text[edited.n] == 0,
	    "a line has an end");
}

int
main(void)
{
	test_keys();
	test_escape();
	test_answers();
	test_typed_ahead();
	test_paste();
	test_noise();
	test_line();
	return check_done();
}
