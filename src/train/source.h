/*
 * source.h: where training samples come from, whatever they are: text through
 * a tokenizer, pictures with labels, Sudoku grids.  Opened by one thread; then
 * immutable: any thread.
 */
#ifndef PSI_TRAIN_SOURCE_H
#define PSI_TRAIN_SOURCE_H

#include "base/pool.h"
#include "text/token.h"
#include "train/job.h"

struct source;

struct source_info {
	int L, V;                        /* of the network: V with the mask, if the noise is masked */
	int K;                           /* tokens of the data: what uniform noise draws from */
	int mask;                        /* -1: uniform noise */
	int classes;                     /* 0: no labels */
	int bos;                         /* token that position 0 always holds and never loses; -1: none.  Also -1
	                                    for ar, whose first token job.net.bos is */
	int columns;                     /* layout of the text view; 0: running text */
	int side;                        /* pictures: L = 3 side side; else 0 */
	size_t train, held;              /* samples (text: tokens); 0: made without end */
};

/* Errors name the file.  The job's network is completed: vocabulary, length,
 * mask, classes, ignore_bos; all of it from the checkpoint that the job begins
 * from, if it does.  The data must fit that checkpoint, or the run's own
 * (job.like), and then use its tokenizer where it holds one. */
enum status source_open(struct job *j, const struct cancel *c, struct source **out, struct error *e);
void source_close(struct source *s);
struct source_info source_info(const struct source *s);
/* Borrowed; it shows every token of the network (Sudoku: digits as 1..N). */
const struct tokenizer *source_tokenizer(const struct source *s);
/* Metadata for a checkpoint: key "tokenizer", "vocabulary" or "tokenizer.json" with its text; NULL: none. */
const char *source_vocabulary(const struct source *s, const char **key);
/* Metadata "layout" (ckpt/own.h); NULL: running text or pictures. */
const char *source_layout(const struct source *s);
/* The name of a class; NULL: it has none. */
const char *source_class(const struct source *s, int label);

/* Global sample `sample` of optimiser step `step`: tok [L]; returns its label (-1: none). */
int source_draw(const struct source *s, uint64_t seed, uint32_t step, uint32_t sample, int32_t *tok);
/* Held-out sample i of n, spread over all of them. */
int source_held(const struct source *s, size_t i, size_t n, int32_t *tok);
/* Does a sample obey the rules of the data?  Only where has_rules. */
bool source_has_rules(const struct source *s);
bool source_valid(const struct source *s, const int32_t *tok);

#endif
