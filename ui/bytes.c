/* bytes.c: bytes that grow (sixel.h). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/sixel.h"

bool
bytes_add(struct bytes *b, const void *what, size_t n)
{
	char *p = mem_grow(b->p, &b->cap, b->n + n + 1, 1);

	if (!p)
		return false;
	b->p = p;
	memcpy(p + b->n, what, n);
	b->n += n;
	p[b->n] = 0;
	return true;
}

bool
bytes_print(struct bytes *b, const char *fmt, ...)
{
	char s[160];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(s, sizeof s, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof s && bytes_add(b, s, (size_t)n);
}
