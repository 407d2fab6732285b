/*
 * data_text.h: plain text as training data: a file, or every file below a
 * folder in the order of their names, through a tokenizer.  The tokens are
 * written once to a spool (spool.h), 1, 2 or 4 bytes each, so that a corpus
 * larger than memory works and the text may vanish afterwards.  Opened by one
 * thread; then immutable: any thread.
 */
#ifndef PSI_TRAIN_DATA_TEXT_H
#define PSI_TRAIN_DATA_TEXT_H

#include "base/pool.h"
#include "base/rng.h"
#include "text/token.h"

struct text_data;

struct text_options {
	int L;                       /* length of a window */
	double held_out;             /* share of the tokens, at the end, kept for validation; 0 < . < 1 */
	const char *spool;           /* folder for the spool; NULL: as spool.h */
};

/* Whether a tokenizer's windows are [BOS] ... [EOS], as published for BPE and
 * word pieces: then a window has L - 2 tokens of text, and [EOS] stands
 * between files.  Characters, bytes and text8 go without. */
bool text_data_wraps(const struct tokenizer *t);

/* The characters of the text that text_data_open would read: bit ch of seen
 * [TEXT_CHARACTERS / 8] is set; what is not UTF-8 has none. */
#define TEXT_CHARACTERS 0x110000
enum status text_data_characters(const char *path, const struct cancel *c, uint8_t *seen, struct error *e);

/* What t cannot hold becomes [UNK] or nothing; a file with a zero byte is no
 * text (ST_FAIL), but for bytes.  Errors name the file. */
enum status text_data_open(const char *path, const struct tokenizer *t, const struct text_options *o,
                           const struct cancel *c, struct text_data **out, struct error *e);
void text_data_close(struct text_data *d);

size_t text_data_tokens(const struct text_data *d);    /* in all */
size_t text_data_train(const struct text_data *d);     /* of them for training */

/* A random window [L] of the training part; the noise's seed, step and sample name it. */
void text_data_draw(const struct text_data *d, const struct noise *n, int32_t *out);
/* Window i of n [L], spread evenly over the held-out part. */
void text_data_held_out(const struct text_data *d, size_t i, size_t n, int32_t *out);

#endif
