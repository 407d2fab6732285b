/*
 * token.h: tokenizers.  A token is a string of bytes; ids without one show as
 * "<123>".  Immutable after opening: any thread.
 */
#ifndef PSI_TEXT_TOKEN_H
#define PSI_TEXT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum tok_kind {
	TOK_IDS,                     /* no tokenizer: "<id>" */
	TOK_TEXT8, TOK_CHARS, TOK_BYTES, TOK_PIXELS, TOK_BPE, TOK_WORDPIECE
};

struct tokenizer {
	enum tok_kind kind;
	int n;                       /* ids 0..n-1 have an entry (there may be gaps) */
	int mask, bos, eos, pad, unk;/* -1: none */
	struct tok_private *priv;
};

/* From bytes of a tokenizer.json (byte-level BPE or WordPiece). */
enum status tok_from_json(const uint8_t *json, size_t bytes, struct tokenizer **out, struct error *e);
/* From a path: tokenizer.json, vocab.txt, vocab.json (merges.txt beside it),
 * encoder.json (vocab.bpe beside it), or a folder that holds one of them. */
enum status tok_open(const char *path, struct tokenizer **out, struct error *e);
/* The paths that a name may mean below $XDG_DATA_HOME/psiview/tokenizers, best
 * first, whether there is something or not; malloced.  Returns how many: 0 also
 * if the name leads out of that folder. */
#define TOK_PLACES 4
int tok_places(const char *name, char *path[TOK_PLACES]);
struct tokenizer *tok_text8(void);
struct tokenizer *tok_bytes(void);
struct tokenizer *tok_pixels(void);
struct tokenizer *tok_ids(int n);
/* chars: JSON array of strings, entry i = token i. */
enum status tok_chars(const char *json, size_t bytes, struct tokenizer **out, struct error *e);
void tok_free(struct tokenizer *t);
const char *tok_kind_name(enum tok_kind k);

/* Ids of text (UTF-8, may hold NUL), without special tokens added; a special
 * token written out in the text ("[MASK]") becomes that token.  *ids is
 * malloced.  ST_USAGE when the tokenizer cannot hold it, naming the character
 * and its place.  Text8 and uncased WordPiece lower-case silently. */
enum status tok_encode(const struct tokenizer *t, const char *text, size_t bytes, int32_t **ids, size_t *n,
                       struct error *e);
/* The same, but what cannot be held becomes [UNK], or nothing where there is
 * no [UNK], as in the published tokenizers: for corpora and scoring. */
enum status tok_encode_lossy(const struct tokenizer *t, const char *text, size_t bytes, int32_t **ids, size_t *n,
                             struct error *e);

/* The bytes of one token as it appears in running text (WordPiece: without
 * the leading "##"; see tok_glue).  NULL: no such id.  Not NUL-terminated. */
const char *tok_bytes_of(const struct tokenizer *t, int32_t id, size_t *bytes);
bool tok_special(const struct tokenizer *t, int32_t id);
/* WordPiece: true if id continues the word before it (no space between). */
bool tok_glue(const struct tokenizer *t, int32_t id);

/* WordPiece: true if a space stands between id and a word before it. */
bool tok_spaced(const struct tokenizer *t, int32_t id);

/* Running text of n ids: malloced, NUL-terminated, *bytes its length.  Raw
 * bytes, not checked for UTF-8.  id -1 (undrawn) gives nothing, an id without
 * an entry "<id>", the mask token "[MASK]".  NULL: out of memory. */
char *tok_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, size_t *bytes);
/* transformers' clean_up_tokenization_spaces on UTF-8 text (" ." -> "." ...),
 * malloced and NUL-terminated. */
char *tok_clean_up(const char *text, size_t bytes, size_t *out_bytes);
/* Replace each maximal invalid UTF-8 part by U+FFFD; malloced. */
char *utf8_repair(const char *s, size_t bytes, size_t *out_bytes);

#endif
