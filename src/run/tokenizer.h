/*
 * tokenizer.h: which tokenizer goes with a checkpoint.
 */
#ifndef PSI_RUN_TOKENIZER_H
#define PSI_RUN_TOKENIZER_H

#include "ckpt/ckpt.h"
#include "text/token.h"

/*
 * Find the tokenizer of c, in this order:
 *   1. option (--tokenizer; NULL: not given): text8, bytes, pixels, ids, a path, or a name
 *      in $XDG_DATA_HOME/psiview/tokenizers;
 *   2. inside the checkpoint, or named there and built in (text8, pixels);
 *   3. beside it: STEM.tokenizer.json, or a tokenizer file in its folder;
 *   4. $XDG_DATA_HOME/psiview/tokenizers/NAME (also NAME.json, NAME.tokenizer.json), NAME
 *      being what the checkpoint or its vocabulary's size says.
 * Else tok_ids, and the note says which file would help.  note (may be NULL)
 * gets one line: where the tokenizer came from, or why ids are shown.
 *
 * The mask of *out is the one of the model if that has one.  *out is the
 * caller's (tok_free).  Errors: only about the option (ST_CKPT: it cannot be
 * read or does not fit the vocabulary) and ST_MEMORY.
 */
enum status tokenizer_find(const struct ckpt *c, const char *option, struct tokenizer **out, char *note,
                           size_t note_size, struct error *e);

#endif
