/*
 * alphabet.h: the tokens of text data: a tokenizer, the ids that a network has
 * besides ([BOS], [MASK], [PAD]), and what a checkpoint says about them.
 * Opened by one thread; then immutable: any thread.
 */
#ifndef PSI_TRAIN_ALPHABET_H
#define PSI_TRAIN_ALPHABET_H

#include "base/pool.h"
#include "ckpt/ckpt.h"
#include "text/token.h"
#include "train/job.h"

struct alphabet {
	struct tokenizer *encode;    /* owned; what the text is read with: no special token of ours */
	struct tokenizer *show;      /* owned, or encode */
	char *vocabulary;            /* owned: what a checkpoint carries; NULL: nothing */
	const char *key;             /* under this name in the metadata */
	char name[128];              /* of the tokenizer, in the configuration */
	int V, K, mask, bos;         /* as in source_info; bos -1: none */
	bool begin;                  /* ar: the data put `bos` before a window */
};

/*
 * The tokenizer of the job (also where it is called chars: the characters of
 * the text itself), or that of the checkpoint `like` where it holds one (like
 * may be NULL).  Ids, where n are the tokenizer's:
 *   masked   the tokenizer's own mask, or n
 *   ar       its own [BOS] and mask, or n and n + 1 (the mask is reserved, never used)
 *   uniform  BPE and word pieces without a [PAD] get one, n, as published (GPT-2: 50258 tokens)
 */
enum status alphabet_open(const struct job *j, const struct ckpt *like, const struct cancel *c, struct alphabet *out,
			  struct error *e);
/* Of N x N Sudoku: digits shown as 1..N, [BOS], and the mask where the noise or the loss has one. */
enum status alphabet_sudoku(const struct job *j, struct alphabet *out, struct error *e);
/* Of pictures: values 0..255, and the mask. */
enum status alphabet_pixels(const struct job *j, struct alphabet *out, struct error *e);
void alphabet_done(struct alphabet *a);

#endif
