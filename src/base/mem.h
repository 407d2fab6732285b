/*
 * mem.h: allocation with overflow checks.  Any thread.
 *
 * All functions return NULL (or false) instead of aborting; the caller turns
 * that into ST_MEMORY.  What they return is released with mem_free (aligned
 * blocks) or free (the others).
 */
#ifndef PSI_BASE_MEM_H
#define PSI_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b; false on overflow. */
static inline bool
mem_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* *out = a + b; false on overflow. */
static inline bool
mem_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

/* Once, before the first thread: let blocks of a megabyte and more go back to
 * the system when they are freed.  A step's rows would otherwise leave holes
 * in the heap that the next step's do not fit, several times their size. */
void mem_setup(void);

/* n objects of size bytes, zeroed; free() releases them. */
void *mem_calloc(size_t n, size_t size);

/* Grow an array: p holds *cap objects of size bytes; make room for at least
 * want.  Doubles.  On failure returns NULL and leaves p valid. */
void *mem_grow(void *p, size_t *cap, size_t want, size_t size);

/* n * size bytes aligned to 64, not zeroed; mem_free releases them. */
void *mem_aligned(size_t n, size_t size);
void mem_free(void *p);

/* Copies of text; free() releases them. */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
