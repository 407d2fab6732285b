/*
 * words.h: a list of byte strings with ids, looked up by id or by text.
 * Private to src/text.  Filled once, sorted once, then only read: any thread.
 */
#ifndef PSI_TEXT_WORDS_H
#define PSI_TEXT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum word_flags {
	WORD_SPECIAL = 1,
	WORD_GLUE = 2,               /* goes on with a word */
	WORD_ALONE = 4,              /* found in a text only between words */
	WORD_EAT_LEFT = 8,           /* takes the white space before it along */
	WORD_EAT_RIGHT = 16,
};

struct word {
	int32_t id;
	uint32_t at, len;        /* in words.text */
	uint32_t flags;
};

struct words {                   /* starts zeroed */
	struct word *w;
	size_t n, cap;
	char *text;
	size_t used, text_cap;
};

void words_done(struct words *l);
/* Copies s.  false: out of memory, or 4 GB of text. */
bool words_add(struct words *l, int32_t id, const char *s, size_t len, unsigned flags);
static inline const char *
words_text(const struct words *l, const struct word *w)
{
	return l->text + w->at;
}

/* Sort for words_by_id, or for words_longest and words_exact.  Equal keys end
 * side by side, in the order they were added. */
void words_sort_by_id(struct words *l);
void words_sort_by_text(struct words *l);

const struct word *words_by_id(const struct words *l, int32_t id);
/* The longest word that text begins with; NULL: none.  Time: the word's length
 * times log n. */
const struct word *words_longest(const struct words *l, const char *text, size_t bytes);
const struct word *words_exact(const struct words *l, const char *text, size_t bytes);

#endif
