/*
 * private.h: the inside of a tokenizer, and of an encoding under way.
 * For src/text only.
 */
#ifndef PSI_TEXT_PRIVATE_H
#define PSI_TEXT_PRIVATE_H

#include "text/token.h"
#include "text/words.h"

struct bpe;
struct wordpiece;

/* Tokens cut out of a text before anything else looks at it. */
struct cutset {
	struct words w;              /* by text */
	uint64_t first[4];           /* bit c: one of them begins with byte c */
};

struct tok_private {
	struct words by_id;          /* every token, as it appears in running text */
	struct words by_text;        /* CHARS, TEXT8: the same, to encode with */
	struct cutset raw, normal;   /* cut out of the text as given, and after normalisation */
	struct bpe *bpe;
	struct wordpiece *wp;
	char no_encode[200];         /* why it can only decode; "": it can encode */
};

/* token.c.  A tokenizer without tokens, NULL: out of memory. */
struct tokenizer *tok_new(enum tok_kind kind);
bool tok_add(struct tokenizer *t, int32_t id, const char *s, size_t len, unsigned flags);
bool cutset_add(struct cutset *c, int32_t id, const char *s, size_t len, unsigned flags);
/* After the last token: sort, count, find mask, bos, eos, pad and unk by their
 * names among the special tokens.  ST_CKPT: two tokens with one id. */
enum status tok_finish(struct tokenizer *t, struct error *e);

/* An encoding under way: one call of tok_encode. */
struct encoding {
	const struct tokenizer *t;
	bool lossy;
	const char *text;            /* the whole text, for the place in messages */
	size_t bytes;
	int32_t *id;                 /* result */
	size_t n, cap;
	struct error *e;
	/* scratch, grown as needed */
	struct bpe_scratch *bpe;
	uint32_t *ch;
	size_t ch_cap;
	char *word;
	size_t word_cap;
	const char *raw;             /* WordPiece: the stretch of text that is being normalised */
	size_t raw_n;
};

typedef enum status piece_fn(struct encoding *c, const char *s, size_t n);

/* encode.c */
enum status encode_id(struct encoding *c, int32_t id);
/* There is no token for s[0..n-1], part of c->text: [UNK] when lossy, else ST_USAGE. */
enum status encode_unknown(struct encoding *c, const char *s, size_t n);
/* Emit the tokens of set found in s, and call fn for what lies between. */
enum status encode_cut(struct encoding *c, const struct cutset *set, const char *s, size_t n, piece_fn *fn);
enum status encode_memory(struct encoding *c);

/* chars.c, bpe.c, wordpiece.c: a stretch without special tokens. */
piece_fn chars_encode, numbers_encode, bpe_encode, wordpiece_encode;

#endif
