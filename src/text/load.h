/*
 * load.h: tokenizer files, taken apart.  Private to src/text.
 */
#ifndef PSI_TEXT_LOAD_H
#define PSI_TEXT_LOAD_H

#include "base/json.h"
#include "text/private.h"

#define LOAD_DEPTH 128               /* nested JSON: what the `tokenizers` library reads itself */

/* A tokenizer file being read. */
struct loading {
	struct tokenizer *t;
	const json_t *vocab;         /* token -> id */
	struct words added;          /* by text; flags of word_flags, and: */
#define ADDED_NORMAL 256             /* looked for after normalisation */
	char *buf;                   /* scratch */
	size_t buf_cap;
	struct error *e;
};

/* load_json.c.  A tokenizer.json into l->t. */
enum status load_whole(struct loading *l, const json_t *root);
/* Release l; what was read goes to *out if st says so. */
enum status load_end(struct loading *l, enum status st, struct tokenizer **out);
enum status load_memory(struct loading *l);
enum status load_bool(struct loading *l, const json_t *o, const char *key, bool absent, bool *out);
/* An id: an integer from 0 to 2^31 - 2. */
enum status load_id(struct loading *l, const json_t *v, const char *token, int32_t *id);
/* "type" of a component, "" when it is null, absent or has none. */
const char *load_type(const json_t *component);

/* load_bpe.c: merges is a JSON list, or lines of text. */
struct merges {
	const json_t *list;
	const char *lines;
	size_t bytes;
};
enum status load_bpe(struct loading *l, const json_t *root, const json_t *model, const struct merges *m);
/* load_wordpiece.c */
enum status load_wordpiece(struct loading *l, const json_t *root, const json_t *model);
enum status load_vocab_txt(struct loading *l, const char *text, size_t bytes);

#endif
