/* line.c: see line.h. */
#include "ui/line.h"

#include <string.h>

#include <unistr.h>

#include "ui/canvas.h"

void
line_cut(struct line *l, size_t from, size_t to)
{
	memmove(l->text + from, l->text + to, l->n - to + 1);
	l->n -= to - from;
	if (l->at >= to)
		l->at -= to - from;
	else if (l->at > from)
		l->at = from;
}

void
line_insert(struct line *l, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ucs4_t ch;
		int used = u8_mbtouc(&ch, (const uint8_t *)text, bytes);
		uint8_t put[6] = { ' ' };
		int n = ch < 0x20 || ch == 0x7f ? 1 : u8_uctomb(put, ch, sizeof put);
		if (n < 1 || l->n + (size_t)n >= sizeof l->text)
			return;
		memmove(l->text + l->at + n, l->text + l->at, l->n - l->at + 1);
		memcpy(l->text + l->at, put, (size_t)n);
		l->n += (size_t)n;
		l->at += (size_t)n;
		text += used;
		bytes -= (size_t)used;
	}
}

void
line_set(struct line *l, const char *text)
{
	l->n = l->at = 0;
	l->text[0] = 0;
	line_insert(l, text, strlen(text));
}

/* One character left or right of at, its combining ones included. */
static size_t
left_of(const struct line *l, size_t at)
{
	ucs4_t ch = 0;

	while (at > 0) {
		do
			at--;
		while (at > 0 && ((unsigned char)l->text[at] & 0xc0) == 0x80);
		u8_mbtouc(&ch, (const uint8_t *)l->text + at, l->n - at);
		if (char_width(ch) > 0)
			break;
	}
	return at;
}

static size_t
right_of(const struct line *l, size_t at)
{
	bool first = true;

	while (at < l->n) {
		ucs4_t ch;
		int used = u8_mbtouc(&ch, (const uint8_t *)l->text + at, l->n - at);
		if (!first && char_width(ch) > 0)
			break;
		first = false;
		at += (size_t)used;
	}
	return at;
}

static bool
separates(char c)
{
	return c == ' ' || c == '=' || c == '/' || c == ',';
}

static size_t
word_left(const struct line *l, size_t at)
{
	while (at > 0 && separates(l->text[at - 1]))
		at--;
	while (at > 0 && !separates(l->text[at - 1]))
		at--;
	return at;
}

static size_t
word_right(const struct line *l, size_t at)
{
	while (at < l->n && separates(l->text[at]))
		at++;
	while (at < l->n && !separates(l->text[at]))
		at++;
	return at;
}

static bool
is(const struct key *k, const char *a, const char *b)
{
	return strcmp(k->name, a) == 0 || strcmp(k->name, b) == 0;
}

static bool
move(struct line *l, const struct key *k)
{
	if (is(k, "<Left>", "<C-b>"))
		l->at = left_of(l, l->at);
	else if (is(k, "<Right>", "<C-f>"))
		l->at = right_of(l, l->at);
	else if (is(k, "<Home>", "<C-a>"))
		l->at = 0;
	else if (is(k, "<End>", "<C-e>"))
		l->at = l->n;
	else if (is(k, "<A-b>", "<C-Left>"))
		l->at = word_left(l, l->at);
	else if (is(k, "<A-f>", "<C-Right>"))
		l->at = word_right(l, l->at);
	else
		return false;
	return true;
}

bool
line_key(struct line *l, const struct key *k)
{
	const char *text = key_text(k);

	if (text)
		line_insert(l, text, strlen(text));
	else if (move(l, k))
		return true;
	else if (is(k, "<Backspace>", "<C-h>"))
		line_cut(l, left_of(l, l->at), l->at);
	else if (is(k, "<Del>", "<C-d>"))
		line_cut(l, l->at, right_of(l, l->at));
	else if (is(k, "<C-w>", "<A-Backspace>"))
		line_cut(l, word_left(l, l->at), l->at);
	else if (is(k, "<C-u>", "<C-u>"))
		line_cut(l, 0, l->at);
	else if (is(k, "<C-k>", "<C-k>"))
		line_cut(l, l->at, l->n);
	else
		return false;
	return true;
}
