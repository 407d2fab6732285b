/* mem.c: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE (2 * LARGE_PAGE)

void
mem_setup(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 1 << 20); /* fixed: by itself it grows with what is freed */
#endif
}

void *
mem_calloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size ? size : 1);
}

void *
mem_grow(void *p, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap : 8, bytes;

	if (want <= *cap && p)
		return p;
	while (n < want)
		if (!mem_mul(n, 2, &n))
			return NULL;
	if (!mem_mul(n, size, &bytes))
		return NULL;
	void *q = realloc(p, bytes);
	if (q)
		*cap = n;
	return q;
}

/* With large pages, if the system has some to give: rows far apart are read
 * faster, and there are fewer pages to fault in. */
static void *
large(size_t bytes)
{
	void *p;

	if (posix_memalign(&p, LARGE_PAGE, bytes) != 0) /* of any size; aligned_alloc wants whole pages */
		return NULL;
#ifdef MADV_HUGEPAGE
	madvise(p, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#endif
	return p;
}

void *
mem_aligned(size_t n, size_t size)
{
	size_t bytes;

	if (!mem_mul(n, size, &bytes) || !mem_add(bytes, 63, &bytes))
		return NULL;
	bytes &= ~(size_t)63;
	if (bytes >= LARGE)
		return large(bytes);
	return aligned_alloc(64, bytes ? bytes : 64);
}

void
mem_free(void *p)
{
	free(p);
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = malloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

char *
mem_printf(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		p = NULL;
	va_end(ap);
	return p;
}
