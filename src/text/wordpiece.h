/*
 * wordpiece.h: WordPiece with BERT's normalisation.  Private to src/text.
 */
#ifndef PSI_TEXT_WORDPIECE_H
#define PSI_TEXT_WORDPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wordpiece;

struct wordpiece_options {
	const char *prefix;      /* of a piece that continues a word, usually "##"; copied */
	size_t max_chars;        /* a longer word is [UNK] */
	bool clean;              /* drop control characters */
	bool chinese;            /* spaces around CJK ideographs */
	bool strip;              /* NFD, and drop non-spacing marks */
	bool lower;
	bool hug;                /* decoded ".", "?", "!", "," and "n't", "'s" ... stand next to the word before */
};

/* NULL: out of memory. */
struct wordpiece *wordpiece_new(const struct wordpiece_options *o);
void wordpiece_free(struct wordpiece *w);
/* A token as spelled in the vocabulary. */
bool wordpiece_add(struct wordpiece *w, int32_t id, const char *s, size_t n);
void wordpiece_finish(struct wordpiece *w);

const char *wordpiece_prefix(const struct wordpiece *w);
/* Decoded text has no space before this token. */
bool wordpiece_hugs(const struct wordpiece *w, const char *s, size_t n);
/* The normalised form, malloced: of an added token that is looked for in normalised text. */
char *wordpiece_normal(const struct wordpiece *w, const char *s, size_t n, size_t *out_n);

#endif
