/*
 * input.c: see input.h.
 *
 * What comes is ECMA-48: ESC [ params final (CSI), ESC O final (SS3), strings
 * ESC ] P _ ^ X ... ST, and ESC char for Alt.  Whole unknown sequences are
 * swallowed, so that nothing a terminal says by itself acts as a key.
 */
#include "ui/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#include "base/mem.h"

#define ESC 0x1b
#define ESC_WAIT_MS 25           /* a lone Esc */
#define ANSWER_WAIT_MS 300       /* a lone Esc while an answer may be on its way */
#define SEQUENCE_WAIT_MS 500     /* a sequence that has begun */
#define PASTE_MAX (1u << 20)

static const char paste_end[] = "\x1b[201~";

void
input_init(struct input *in)
{
	memset(in, 0, sizeof *in);
}

void
input_done(struct input *in)
{
	free(in->paste);
	in->paste = NULL;
}

void
input_learn(struct input *in, const char *seq, const char *key)
{
	size_t n = strlen(seq);

	if (n == 0 || n >= sizeof in->seq[0].seq || strlen(key) >= sizeof in->seq[0].key ||
	    in->n_seq == INPUT_SEQUENCES)
		return;
	if (n == 1 && (unsigned char)*seq >= 0x20 && *seq != 0x7f)
		return;
	snprintf(in->seq[in->n_seq].seq, sizeof in->seq[0].seq, "%s", seq);
	snprintf(in->seq[in->n_seq++].key, sizeof in->seq[0].key, "%s", key);
}

unsigned char *
input_room(struct input *in, size_t *room)
{
	memmove(in->buf, in->buf + in->used, in->n - in->used);
	in->n -= in->used;
	in->used = 0;
	*room = sizeof in->buf - in->n;
	return in->buf + in->n;
}

void
input_got(struct input *in, size_t n)
{
	in->n += n;
}

int
input_wait_ms(const struct input *in)
{
	if (in->n == in->used || in->pasting)
		return in->pasting ? SEQUENCE_WAIT_MS : -1;
	if (in->n - in->used == 1)
		return in->expecting ? ANSWER_WAIT_MS : ESC_WAIT_MS;
	return in->buf[in->used] == ESC ? SEQUENCE_WAIT_MS : ESC_WAIT_MS;
}

/* A name with its modifiers: 1 Shift, 2 Alt, 4 Ctrl (xterm's parameter - 1). */
static void
name_key(struct key *k, int mod, const char *name)
{
	bool word = name[0] == '<';
	size_t n = strlen(name);

	if (mod == 0) {
		snprintf(k->name, sizeof k->name, "%s", name);
		return;
	}
	snprintf(k->name, sizeof k->name, "<%s%s%s%.*s>", mod & 4 ? "C-" : "", mod & 2 ? "A-" : "", mod & 1 ? "S-" : "",
	    (int)(word ? n - 2 : n), word ? name + 1 : name);
}

/* A character without a sequence, n bytes at s, perhaps with Alt. */
static void
name_char(struct key *k, int mod, const unsigned char *s, size_t n)
{
	char name[16];
	unsigned char c = *s;

	if (n > 1) {
		snprintf(name, sizeof name, "%.*s", (int)n, (const char *)s);
	} else if (c == '\r' || c == '\n') {
		strcpy(name, "<Enter>");
	} else if (c == '\t') {
		strcpy(name, "<Tab>");
	} else if (c == 0x7f || c == '\b') {
		strcpy(name, "<Backspace>");
	} else if (c == ESC) {
		strcpy(name, "<Esc>");
	} else if (c == ' ') {
		strcpy(name, "<Space>");
	} else if (c == '<') {
		strcpy(name, "<lt>");
	} else if (c < 0x20) {
		mod |= 4;
		snprintf(name, sizeof name, c == 0 ? "<Space>" : "%c", c >= 27 ? c + 64 : c + 96);
	} else {
		snprintf(name, sizeof name, "%c", c);
	}
	name_key(k, mod, name);
}

/* Numbers of a CSI: at most max, missing ones 0; returns how many. */
static int
csi_numbers(const unsigned char *s, const unsigned char *end, int *num, int max)
{
	int n = 0;

	memset(num, 0, sizeof *num * (size_t)max);
	for (; s < end && n < max; s++) {
		if (*s >= '0' && *s <= '9')
			num[n] = num[n] < 100000 ? num[n] * 10 + (*s - '0') : num[n];
		else if (*s == ';')
			n++;
		else if (*s == ':') /* a sub-parameter says nothing we need */
			while (s + 1 < end && s[1] != ';')
				s++;
	}
	return n < max ? n + 1 : max;
}

static const char *
letter_key(unsigned char final)
{
	switch (final) {
	case 'A': return "<Up>";
	case 'B': return "<Down>";
	case 'C': return "<Right>";
	case 'D': return "<Left>";
	case 'H': return "<Home>";
	case 'F': return "<End>";
	case 'P': return "<F1>";
	case 'Q': return "<F2>";
	case 'R': return "<F3>";
	case 'S': return "<F4>";
	case 'I': return "<Tab>";
	case 'M': return "<Enter>";
	default: return NULL;
	}
}

static const char *
tilde_key(int n)
{
	static const char *const name[] = {
		[1] = "<Home>", [2] = "<Ins>", [3] = "<Del>", [4] = "<End>", [5] = "<PgUp>", [6] = "<PgDn>",
		[7] = "<Home>", [8] = "<End>", [11] = "<F1>", [12] = "<F2>", [13] = "<F3>", [14] = "<F4>",
		[15] = "<F5>", [17] = "<F6>", [18] = "<F7>", [19] = "<F8>", [20] = "<F9>", [21] = "<F10>",
		[23] = "<F11>", [24] = "<F12>",
	};

	return n > 0 && n < (int)(sizeof name / sizeof *name) ? name[n] : NULL;
}

/* A key given by its code point and modifiers (CSI u, modifyOtherKeys). */
static bool
code_key(struct key *k, int code, int mod)
{
	uint8_t s[6];
	int n = u8_uctomb(s, (ucs4_t)code, sizeof s);

	if (n <= 0)
		return false;
	if (n == 1 && (mod & 4) && *s >= 'a' && *s <= 'z')
		*s &= 0x1f, mod &= ~4;
	if (n == 1 && *s > ' ' && *s < 0x7f)
		mod &= ~1; /* the character says it */
	name_char(k, mod, s, (size_t)n);
	return true;
}

/* SGR mouse: CSI < button ; x ; y M (m: let go). */
static bool
mouse_key(struct key *k, const int *num, unsigned char final)
{
	if (final != 'M' || num[1] < 1 || num[2] < 1 || num[1] > 999 || num[2] > 999)
		return false;
	if (num[0] == 64 || num[0] == 65)
		snprintf(k->name, sizeof k->name, "%s", num[0] == 64 ? "<WheelUp>" : "<WheelDown>");
	else if (num[0] == 0 || num[0] == 32)
		snprintf(k->name, sizeof k->name, "<%s:%d,%d>", num[0] ? "Drag" : "Click", num[1] % 1000,
		    num[2] % 1000);
	else
		return false;
	return true;
}

/* A whole CSI, n bytes from ESC on: true if it is a key. */
static bool
csi_key(struct key *k, const unsigned char *s, size_t n)
{
	unsigned char final = s[n - 1], lead = s[2];
	int num[4];
	int count = csi_numbers(s + 2, s + n - 1, num, 4);
	int mod = num[1] > 0 ? (num[1] - 1) & 7 : 0;
	const char *name = NULL;

	if (lead == '<')
		return mouse_key(k, (csi_numbers(s + 3, s + n - 1, num, 4), num), final);
	if (lead >= '=' && lead <= '?')
		return false;
	if (final == 'Z') {
		name = "<Tab>";
		mod |= 1;
	} else if (final == '~' && num[0] == 27 && count >= 3) {
		return code_key(k, num[2], mod);
	} else if (final == '~') {
		name = tilde_key(num[0]);
	} else if (final == 'u') {
		return code_key(k, num[0], mod);
	} else if (num[0] <= 1 && final != 'I' && final != 'M') {
		name = letter_key(final); /* "CSI row;column R" has a row above 1 or is no question of ours */
	}
	if (name)
		name_key(k, mod, name);
	return name != NULL;
}

/* A whole SS3; keypad keys are what is printed on them. */
static bool
ss3_key(struct key *k, const unsigned char *s, size_t n)
{
	static const char pad[] = "*+,-./0123456789";
	unsigned char final = s[n - 1];
	int mod = n > 3 && s[2] >= '2' && s[2] <= '8' ? s[2] - '1' : 0;
	const char *name = letter_key(final);

	if (!name && final >= 'j' && final <= 'y')
		name_char(k, mod, (const unsigned char *)&pad[final - 'j'], 1);
	else if (!name && final == 'X')
		name_key(k, mod, "=");
	else if (!name)
		return false;
	else
		name_key(k, mod, name);
	return true;
}

/* Length of the CSI at s, 0: not all there. */
static size_t
csi_length(const unsigned char *s, size_t n)
{
	if (n > 2 && s[2] == '[') /* function keys of the Linux console: ESC [ [ A */
		return n > 3 ? 4 : 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] >= 0x40 && s[i] <= 0x7e)
			return i + 1;
		if (s[i] < 0x20 || s[i] > 0x7e)
			return i; /* broken off */
	}
	return 0;
}

/* Length of the string (OSC, DCS, APC, PM, SOS) at s with its end, 0: not all there. */
static size_t
string_length(const unsigned char *s, size_t n)
{
	for (size_t i = 2; i < n; i++) {
		if (s[i] == 7 && s[1] == ']')
			return i + 1;
		if (s[i] == ESC && i + 1 < n)
			return s[i + 1] == '\\' ? i + 2 : i;
		if (s[i] == 0x18 || s[i] == 0x1a)
			return i + 1;
	}
	return 0;
}

/* What terminfo says of this terminal's keys; partial: it may become one. */
static const char *
learned(const struct input *in, const unsigned char *s, size_t n, size_t *used, bool *partial)
{
	for (int i = 0; i < in->n_seq; i++) {
		size_t len = strlen(in->seq[i].seq);
		if (len <= n && memcmp(s, in->seq[i].seq, len) == 0) {
			*used = len;
			return in->seq[i].key;
		}
		if (len > n && memcmp(s, in->seq[i].seq, n) == 0)
			*partial = true;
	}
	return NULL;
}

/* What a parser found: how many bytes, and whether they are an event. */
struct piece {
	size_t used;             /* 0: not all there */
	bool event;
};

/* Whether ESC begins something longer than Alt and a character. */
static bool
introduces(unsigned char c)
{
	return c != 0 && strchr("[O]P_^X", c) != NULL;
}

/* ESC and what follows. */
static struct piece
parse_escape(const unsigned char *s, size_t n, bool waited, struct input_event *out)
{
	struct piece p = { 0, false };

	out->kind = INPUT_KEY;
	if (n > 1 && s[1] == '[' && (p.used = csi_length(s, n))) {
		if (s[2] == '[' && p.used == 4) {
			snprintf(out->key.name, sizeof out->key.name, "<F%d>", s[3] - 'A' + 1);
			p.event = s[3] >= 'A' && s[3] <= 'E';
			return p;
		}
		if (csi_key(&out->key, s, p.used)) {
			p.event = true;
			return p;
		}
		out->kind = INPUT_REPLY;
	} else if (n > 2 && s[1] == 'O') {
		p.used = s[2] >= '1' && s[2] <= '8' ? n > 3 ? 4 : 0 : 3;
		p.event = p.used && ss3_key(&out->key, s, p.used);
		return p;
	} else if (n > 2 && s[1] != '[' && introduces(s[1]) && (p.used = string_length(s, n))) {
		out->kind = INPUT_REPLY;
	}
	if (p.used) {
		out->text = (const char *)s;
		out->bytes = p.used;
		p.event = true;
	} else if (n == 1 || s[1] == ESC) {
		/* Esc, or Esc before another sequence */
		p.used = n > 1 || waited;
		p.event = p.used > 0;
		name_char(&out->key, 0, s, 1);
	}
	return p;
}

static struct piece
parse_char(const unsigned char *s, size_t n, int mod, bool waited, struct input_event *out)
{
	ucs4_t ch;
	int len = *s < 0x80 ? 1 : u8_mbtoucr(&ch, s, n);

	if (len == -2 && !waited)
		return (struct piece){ 0, false };
	if (len <= 0)
		return (struct piece){ 1, false }; /* not UTF-8 */
	out->kind = INPUT_KEY;
	name_char(&out->key, mod, s, (size_t)len);
	return (struct piece){ (size_t)len, true };
}

static struct piece
parse(const struct input *in, bool waited, struct input_event *out)
{
	const unsigned char *s = in->buf + in->used;
	size_t n = in->n - in->used, used = 0;
	bool partial = false;
	const char *key = learned(in, s, n, &used, &partial);
	struct piece p;

	if (key) {
		out->kind = INPUT_KEY;
		snprintf(out->key.name, sizeof out->key.name, "%s", key);
		return (struct piece){ used, true };
	}
	if (partial && !waited)
		return (struct piece){ 0, false };
	if (*s != ESC)
		return parse_char(s, n, 0, waited, out);
	p = parse_escape(s, n, waited, out);
	if (p.used || n < 2)
		return p;
	if (introduces(s[1]) && !waited)
		return p;
	if (introduces(s[1]) && n > 2) {
		p.used = n; /* the rest never came: no key is made of it */
		return p;
	}
	p = parse_char(s + 1, n - 1, 2, waited, out);
	p.used += p.used > 0;
	return p;
}

/* Move what is pasted out of the buffer; true at its end. */
static bool
take_paste(struct input *in, bool waited)
{
	const unsigned char *s = in->buf + in->used;
	size_t n = in->n - in->used, len = sizeof paste_end - 1, keep = 0;
	const unsigned char *end = memmem(s, n, paste_end, len);

	if (!end && !waited) /* what may be the beginning of the end stays */
		for (keep = n < len ? n : len - 1; keep > 0 && memcmp(s + n - keep, paste_end, keep) != 0;)
			keep--;
	size_t text = end ? (size_t)(end - s) : n - keep;
	if (text && in->paste_n + text <= PASTE_MAX) {
		char *p = mem_grow(in->paste, &in->paste_cap, in->paste_n + text, 1);
		if (p) {
			in->paste = p;
			memcpy(p + in->paste_n, s, text);
			in->paste_n += text;
		}
	}
	in->used += text + (end ? len : 0);
	return end || waited;
}

bool
input_next(struct input *in, bool waited, struct input_event *out)
{
	while (in->used < in->n || in->pasting) {
		if (in->pasting) {
			if (!take_paste(in, waited))
				return false;
			in->pasting = false;
			*out = (struct input_event){ .kind = INPUT_PASTE, .text = in->paste ? in->paste : "",
				.bytes = in->paste_n };
			in->paste_n = 0;
			return true;
		}
		struct piece p = parse(in, waited, out);
		if (p.used == 0 && in->n - in->used == sizeof in->buf)
			p = (struct piece){ in->n - in->used, false }; /* a string without an end */
		if (p.used == 0)
			return false;
		in->used += p.used;
		if (!p.event)
			continue;
		if (out->kind == INPUT_REPLY && out->bytes == 6 && memcmp(out->text, "\x1b[200~", 6) == 0)
			in->pasting = true;
		else
			return true;
	}
	return false;
}

void
input_answers(struct input *in, void (*answer)(void *arg, const char *text, size_t bytes), void *arg)
{
	size_t start = in->used;

	while (in->used < in->n) {
		struct input_event ev;
		struct piece p = parse(in, false, &ev);
		if (p.used == 0)
			break;
		if (!p.event || ev.kind != INPUT_REPLY) {
			in->used += p.used;
			continue;
		}
		answer(arg, ev.text, ev.bytes);
		memmove(in->buf + in->used, in->buf + in->used + p.used, in->n - in->used - p.used);
		in->n -= p.used;
	}
	in->used = start;
}
