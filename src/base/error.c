/* error.c: see error.h.  Any thread. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at s that begins with a byte above ASCII; 0: it is
 * not UTF-8, as when a message was cut, or a C1 control, which some terminals
 * obey. */
static size_t
wide_char(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : n;
}

static void
make_printable(char *s)
{
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = c < 0x80 ? c >= 0x20 && c != 0x7f : wide_char((const unsigned char *)s);

		if (n == 0)
			*s = '?';
		s += n ? n : 1;
	}
}

enum status
error_set(struct error *e, enum status code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		make_printable(e->msg);
	}
	return code;
}

enum status
error_prefix(struct error *e, const char *prefix)
{
	char old[sizeof e->msg];

	if (!e)
		return ST_FAIL;
	memcpy(old, e->msg, sizeof old);
	size_t n = (size_t)snprintf(e->msg, sizeof e->msg, "%s: ", prefix);
	if (n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - n, "%s", old);
	make_printable(e->msg);
	return e->code;
}
