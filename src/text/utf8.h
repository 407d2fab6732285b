/*
 * utf8.h: walking UTF-8 that may be broken, and the character classes that
 * the tokenizers share; src/train counts characters by it.  Pure functions,
 * any thread.
 */
#ifndef PSI_TEXT_UTF8_H
#define PSI_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD UINT32_MAX

/* The character at s (n > 0 bytes); returns its length.  Not a character:
 * *ch = UTF8_BAD and the length of the maximal invalid part (Unicode 15,
 * section 3.9, "substitution of maximal subparts"). */
size_t utf8_next(const char *s, size_t n, uint32_t *ch);
/* Length of the character (or invalid byte) that ends at s + n, n > 0. */
size_t utf8_prev(const char *s, size_t n, uint32_t *ch);
/* Writes 1..4 bytes. */
size_t utf8_put(char *out, uint32_t ch);
/* Characters in s, an invalid part counting as one. */
size_t utf8_count(const char *s, size_t n);

/* Unicode property White_Space, written out: PCRE2's \s and C's isspace differ. */
bool utf8_white(uint32_t ch);

#endif
