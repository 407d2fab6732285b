/* keys.c: see keys.h.  Screen thread; pure functions. */
#include "ui/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#define COUNT_MAX 999999

int
keys_feed(struct keys *k, const struct key *in, int *count)
{
	char c = in->name[0];

	if (in->name[1] == 0 && isdigit((unsigned char)c) && (c != '0' || k->count)) {
		int n = k->count * 10 + (c - '0');
		k->count = n > COUNT_MAX ? COUNT_MAX : n;
		return false;
	}
	*count = k->count;
	k->count = 0;
	return true;
}

static const struct { const char *alias, *name; } aliases[] = {
	{ "<BS>", "<Backspace>" }, { "<CR>", "<Enter>" }, { "<Return>", "<Enter>" }, { "<Delete>", "<Del>" },
	{ "<Insert>", "<Ins>" }, { "<PageUp>", "<PgUp>" }, { "<PageDown>", "<PgDn>" }, { "<Escape>", "<Esc>" },
	{ "<gt>", ">" }, { " ", "<Space>" }, { "\n", "<Enter>" }, { "\t", "<Tab>" }, { "<", "<lt>" },
};

static void
take(struct key *out, const char *s, size_t n)
{
	memcpy(out->name, s, n);
	out->name[n] = 0;
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(out->name, aliases[i].alias) == 0)
			snprintf(out->name, sizeof out->name, "%s", aliases[i].name);
}

/* Length of the "<...>" that begins at s, 0 if none does. */
static size_t
bracketed(const char *s)
{
	size_t n = 1 + strcspn(s + 1, "> <\n");

	return *s == '<' && s[n] == '>' && n > 1 && n + 1 < sizeof ((struct key *)0)->name ? n + 1 : 0;
}

bool
keys_next(const char **text, struct key *out)
{
	const char *s = *text;

	if (*s == 0)
		return false;
	size_t n = bracketed(s);
	if (n == 0) {
		ucs4_t ch;
		int used = u8_mbtouc(&ch, (const uint8_t *)s, strlen(s));
		n = used > 0 ? (size_t)used : 1;
	}
	take(out, s, n);
	*text = s + n;
	return true;
}

bool
key_at(const struct key *k, const char *what, int *x, int *y)
{
	size_t n = strlen(what);
	char end;

	if (k->name[0] != '<' || strncmp(k->name + 1, what, n) != 0 || k->name[n + 1] != ':')
		return false;
	if (sscanf(k->name + n + 2, "%d,%d%c", x, y, &end) != 3 || end != '>')
		return false;
	--*x;
	--*y;
	return true;
}

const char *
key_text(const struct key *k)
{
	if (strcmp(k->name, "<Space>") == 0)
		return " ";
	if (strcmp(k->name, "<lt>") == 0)
		return "<";
	return k->name[0] == '<' || k->name[0] == 0 ? NULL : k->name;
}

void
key_show(const char *name, char *buf, size_t size)
{
	size_t n = strlen(name);
	const char *mod = "";

	if (strcmp(name, "<lt>") == 0) {
		snprintf(buf, size, "<");
		return;
	}
	if (n < 3 || name[0] != '<') {
		snprintf(buf, size, "%s", name);
		return;
	}
	name++;
	n -= 2;
	if (n > 2 && name[1] == '-') {
		mod = *name == 'C' ? "Ctrl-" : *name == 'A' ? "Alt-" : "Shift-";
		name += 2;
		n -= 2;
	}
	snprintf(buf, size, "%s%.*s", mod, (int)n, name);
	if (n == 1 && *mod == 'C' && size > 5)
		buf[5] = (char)toupper((unsigned char)buf[5]);
}
