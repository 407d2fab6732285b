/* error.c: see error.h.  Any thread. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
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
