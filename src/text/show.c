/* show.c: see show.h. */
#include "text/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uniwidth.h>

#include "base/mem.h"
#include "text/utf8.h"

void
show_buf_done(struct show_buf *b)
{
	free(b->text);
	b->text = NULL;
	b->cap = 0;
}

/* ---- what a character looks like ---- */

enum look {
	LOOK_PLAIN,              /* itself */
	LOOK_JOINS,              /* drawn on the character before it */
	LOOK_NOTHING,            /* a joiner or variation selector: drawn as nothing when it follows a character */
	LOOK_STAND_IN,           /* must not reach a terminal */
};

static enum look
look_of(uint32_t ch)
{
	if (ch == UTF8_BAD || ch < 0x20 || ch == 0x7f)
		return LOOK_STAND_IN;
	if (ch < 0x7f)
		return LOOK_PLAIN;
	if (ch == 0x200c || ch == 0x200d || (ch >= 0xfe00 && ch <= 0xfe0f) || (ch >= 0xe0100 && ch <= 0xe01ef))
		return LOOK_NOTHING;
	/* controls, formats (bidi!), unassigned; private use is what fonts make of it */
	if (uc_is_general_category(ch, UC_OTHER) && !uc_is_general_category(ch, UC_PRIVATE_USE))
		return LOOK_STAND_IN;
	if (ch == 0x2028 || ch == 0x2029)
		return LOOK_STAND_IN;
	return uc_width((ucs4_t)ch, "UTF-8") == 0 ? LOOK_JOINS : LOOK_PLAIN;
}

/* The stand-in of ch in out (room for 12); returns its length. */
static size_t
stand_in(char *out, uint32_t ch, unsigned flags)
{
	if (ch == UTF8_BAD && flags & SHOW_ASCII)
		return (size_t)snprintf(out, 12, "?");
	if (ch == UTF8_BAD)
		return utf8_put(out, 0xfffd);
	if ((ch < 0x20 || ch == 0x7f) && flags & SHOW_ASCII)
		return (size_t)snprintf(out, 12, "^%c", (int)(ch ^ 0x40));
	if (ch < 0x20)
		return utf8_put(out, 0x2400 + ch);
	if (ch == 0x7f)
		return utf8_put(out, 0x2421);
	return (size_t)snprintf(out, 12, "<%02X>", ch);
}

/* ---- a row of tokens ---- */

struct showing {
	const struct tokenizer *t;
	const int32_t *id;
	int n;
	unsigned flags;
	struct shown *out;
	struct show_buf *buf;
	size_t used;
	int last;                /* token that drew the last character of this stream; -1: none yet */
	bool any;                /* something has been drawn */
	bool failed;
};

/* Append to the text of token i, the last that got any. */
static void
draw(struct showing *s, int i, const char *text, size_t n)
{
	size_t want;
	char *p = mem_add(s->used, n, &want) ? mem_grow(s->buf->text, &s->buf->cap, want, 1) : NULL;

	if (!p) {
		s->failed = true;
		return;
	}
	s->buf->text = p;
	memcpy(p + s->used, text, n);
	s->used = want;
	s->out[i].bytes += n;
}

static void
draw_newline(struct showing *s, int i)
{
	if (s->flags & SHOW_NEWLINE_MARK)
		draw(s, i, s->flags & SHOW_ASCII ? "$" : "\xe2\x86\xb5", s->flags & SHOW_ASCII ? 1 : 3);
	draw(s, i, "\n", 1);
	s->last = -1;
}

/* One character of the stream, its first byte in token i. */
static void
draw_char(struct showing *s, int i, uint32_t ch, const char *bytes, size_t n)
{
	char stand[12];
	enum look look = look_of(ch);

	if (ch == '\n') {
		draw_newline(s, i);
	} else if ((look == LOOK_JOINS || look == LOOK_NOTHING) && s->last >= 0) {
		if (look == LOOK_JOINS)
			draw(s, s->last, bytes, n);
		s->out[i].owner = s->out[i].bytes || s->out[i].space_before ? i : s->last;
		return;
	} else if (look == LOOK_JOINS && !(s->flags & SHOW_ASCII)) {
		draw(s, i, "\xe2\x97\x8c", 3);   /* a dotted circle to stand on */
		draw(s, i, bytes, n);
		s->out[i].stand_in = true;
		s->last = i;
	} else if (look == LOOK_PLAIN) {
		draw(s, i, bytes, n);
		s->last = i;
	} else {
		draw(s, i, stand, stand_in(stand, ch, s->flags));
		s->out[i].stand_in = true;
		s->last = -1;
	}
	s->out[i].owner = i;
}

static size_t
length(const struct showing *s, int i)
{
	size_t n;

	tok_bytes_of(s->t, s->id[i], &n);
	return n;
}

static bool
in_stream(const struct showing *s, int i)
{
	size_t n;

	return i < s->n && s->id[i] >= 0 && !tok_special(s->t, s->id[i]) && tok_bytes_of(s->t, s->id[i], &n);
}

/* A name instead of bytes: special tokens, ids without an entry. */
static void
draw_name(struct showing *s, int i)
{
	char name[16];
	size_t n;
	struct shown *o = &s->out[i];
	const char *text = tok_bytes_of(s->t, s->id[i], &n);

	o->special = tok_special(s->t, s->id[i]);
	if (s->id[i] == s->t->mask) {
		text = "[M]";
		n = 3;
	} else if (!text) {
		n = (size_t)snprintf(name, sizeof name, s->t->kind == TOK_IDS ? "%d" : "<%d>", s->id[i]);
		text = name;
	}
	for (size_t k = 0, len; k < n; k += len) {
		uint32_t ch;
		len = utf8_next(text + k, n - k, &ch);
		draw_char(s, i, ch == '\n' ? UTF8_BAD : ch, text + k, len);
	}
	s->last = -1;
}

/* Bytes of the stream from byte at of token i on, at most 4. */
static size_t
peek(const struct showing *s, int i, size_t at, char out[4])
{
	size_t k = 0, n;

	for (; k < 4 && in_stream(s, i); i++, at = 0) {
		const char *text = tok_bytes_of(s->t, s->id[i], &n);
		if (at == 0 && k && tok_spaced(s->t, s->id[i]))
			break;
		while (k < 4 && at < n)
			out[k++] = text[at++];
	}
	return k;
}

/* The space before token i, if there is one; returns the bytes of the token that it takes. */
static size_t
draw_space(struct showing *s, int i)
{
	size_t n;
	const char *text = tok_bytes_of(s->t, s->id[i], &n);
	bool own = n > 0 && text[0] == ' ' && in_stream(s, i);

	s->out[i].space_before = own || (s->any && (s->t->kind == TOK_IDS || tok_spaced(s->t, s->id[i])));
	if (s->out[i].space_before)
		s->last = -1;
	s->any = true;
	return own;
}

/* Draw the character at byte *at of token *i and step past it.  Tokens that it
 * runs through belong, so far, to the one that draws it. */
static void
draw_next(struct showing *s, int *i, size_t *at)
{
	char bytes[4];
	uint32_t ch;
	size_t k = peek(s, *i, *at, bytes), len = utf8_next(bytes, k, &ch);
	int first = *i;

	draw_char(s, first, ch, bytes, len);
	for (*at += len; *at > length(s, *i); (*i)++) {
		*at -= length(s, *i);
		s->out[*i + 1].owner = s->out[first].owner;
	}
}

static void
draw_row(struct showing *s)
{
	size_t at = 0;           /* bytes of token i that are done */

	for (int i = 0; i < s->n;) {
		bool stream = in_stream(s, i);
		if (s->id[i] < 0) {
			s->out[i].undrawn = true;
			s->last = -1;
		} else if (at == 0) {
			at = draw_space(s, i);
		}
		if (s->id[i] >= 0 && !stream)
			draw_name(s, i);
		if (stream && at < length(s, i))
			draw_next(s, &i, &at);
		if (!stream || at >= length(s, i)) {
			i++;
			at = 0;
		}
	}
}

bool
show_tokens(const struct tokenizer *t, const int32_t *ids, int n, unsigned flags, struct shown *out,
	    struct show_buf *buf)
{
	struct showing s = { .t = t, .id = ids, .n = n, .flags = flags, .out = out, .buf = buf, .last = -1 };
	size_t at = 0;

	for (int i = 0; i < n; i++)
		out[i] = (struct shown){ .owner = i };
	draw_row(&s);
	if (s.failed)
		return false;
	for (int i = 0; i < n; i++) {
		out[i].text = out[i].bytes ? buf->text + at : "";
		at += out[i].bytes;
		out[i].newline_after = out[i].bytes && buf->text[at - 1] == '\n';
	}
	return true;
}

/* ---- one token, one line ---- */

/* ch as show_one writes it, in out (room for 20); bytes, len: where it came from. */
static size_t
spell(char *out, uint32_t ch, const char *bytes, size_t len, bool first, unsigned flags)
{
	static const char letter[] = "\nn\tt\rr";
	enum look look = look_of(ch);
	size_t n = 0;

	for (size_t i = 0; ch < 0x20 && i < sizeof letter - 1; i += 2)
		if ((uint32_t)letter[i] == ch)
			return (size_t)snprintf(out, 20, "\\%c", letter[i + 1]);
	if (ch == UTF8_BAD) {
		for (size_t i = 0; i < len; i++)
			n += (size_t)snprintf(out + n, 20 - n, "\\x%02X", (unsigned char)bytes[i]);
		return n;
	}
	if (look == LOOK_JOINS && first && !(flags & SHOW_ASCII))
		n = utf8_put(out, 0x25cc);
	else if (look == LOOK_STAND_IN || look == LOOK_NOTHING || (look == LOOK_JOINS && first))
		return stand_in(out, ch, flags);
	memcpy(out + n, bytes, len);
	return n + len;
}

size_t
show_one(const struct tokenizer *t, int32_t id, unsigned flags, char *out, size_t size)
{
	char name[20];
	size_t n, used = 0;
	const char *text = tok_bytes_of(t, id, &n);
	uint32_t ch;

	if (!size)
		return 0;
	if (!text) {
		n = id < 0 ? 0 : (size_t)snprintf(name, sizeof name, id == t->mask ? "[MASK]" : "<%d>", id);
		text = name;
	}
	if (tok_glue(t, id) && size > 3) {
		memcpy(out, "##", 2);
		used = 2;
	}
	for (size_t i = 0, len; i < n; i += len) {
		char part[20];
		len = utf8_next(text + i, n - i, &ch);
		size_t k = spell(part, ch, text + i, len, i == 0, flags);
		if (k >= size - used)
			break;
		memcpy(out + used, part, k);
		used += k;
	}
	out[used] = '\0';
	return used;
}

bool
show_glyph(const char **p, const char *end, struct glyph *out)
{
	uint32_t ch;

	if (*p >= end)
		return false;
	size_t n = utf8_next(*p, (size_t)(end - *p), &ch);
	*out = (struct glyph){ .text = *p, .newline = ch == '\n' };
	if (!out->newline)
		out->cells = ch != UTF8_BAD && uc_width((ucs4_t)ch, "UTF-8") == 2 ? 2 : 1;
	for (*p += n; !out->newline && *p < end; *p += n) {
		n = utf8_next(*p, (size_t)(end - *p), &ch);
		if (look_of(ch) != LOOK_JOINS)
			break;
	}
	out->bytes = (size_t)(*p - out->text);
	return true;
}
