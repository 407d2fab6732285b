/*
 * bpe.h: byte-level byte-pair encoding (Sennrich et al. 2016; the byte level
 * is GPT-2's).  Private to src/text.  Built by one thread, then only read.
 */
#ifndef PSI_TEXT_BPE_H
#define PSI_TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct bpe;
struct bpe_scratch;          /* of one encoding */

struct bpe_options {
	bool split;              /* cut into words by GPT-2's pattern first */
	bool prefix_space;       /* put a space before a text that does not begin with one */
	bool whole_words;        /* a word that is a token is not looked at further (`ignore_merges`) */
};

/* merges: how many will be added at most. */
enum status bpe_new(const struct bpe_options *o, size_t merges, struct bpe **out, struct error *e);
void bpe_free(struct bpe *b);

/* The token of a single byte. */
void bpe_set_byte(struct bpe *b, unsigned char byte, int32_t id);
/* left + right -> product; a lower rank goes first.  A pair given twice keeps its last rank. */
void bpe_merge(struct bpe *b, int32_t left, int32_t right, int32_t product, uint32_t rank);

/* Vocabulary files spell bytes as printable characters: 0x21..7E, A1..AC and
 * AE..FF as the character of that number, the others from U+0100 on. */
uint32_t bpe_char_of(unsigned char byte);
/* Bytes of a spelled token, at most n of them; a token that is not spelled so
 * (an added one) stands for its own UTF-8. */
size_t bpe_unspell(const char *s, size_t n, char *out);

void bpe_scratch_free(struct bpe_scratch *s);

#endif
