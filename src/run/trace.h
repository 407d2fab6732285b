/*
 * trace.h: runs as JSON lines: what `sample --format=jsonl` writes for each
 * sample, and a branch of the tree state by state.  All json_t are new
 * references; NULL when out of memory.  One thread at a time.
 */
#ifndef PSI_RUN_TRACE_H
#define PSI_RUN_TRACE_H

#include <jansson.h>

#include "psi/tree.h"
#include "run/outfile.h"
#include "text/token.h"

/* {"predictor": 12, ...}: the causes that occur, by name. */
json_t *trace_counts(const struct step_counts *c);

/* One step: number, times, kappa, counts by cause, network calls, head rows. */
json_t *trace_step(int number, const struct plan_row *row, const struct step_counts *c);

/* A finished sample (or the state it is in): "tokens", "text", "entropy".
 * tok may be NULL (no text). */
json_t *trace_tokens(int L, const int32_t *ids, const struct tokenizer *tok);

/* Recipe line of one sample of a recipe, followed by ckpt=HASH if hash is not
 * NULL: the same line gives the same sample. */
void trace_recipe(const struct recipe *r, int sample, const char *hash, char *buf, size_t size);

/* Text of ids that any terminal can show and any UTF-8 reader can read:
 * invalid bytes become U+FFFD, control characters but line breaks and tabs get
 * their pictures.  malloced; NULL: out of memory. */
char *trace_text(const struct tokenizer *tok, const int32_t *ids, int n, size_t *bytes);

/* Write v on a line of its own and release it; NULL v: ST_MEMORY. */
enum status trace_write(struct outfile *o, json_t *v, struct error *e);

/* The branch that ends in n, from its start: a line "run", then one line for
 * each state with its touched positions ("at", "tokens", "causes",
 * "probabilities"), then a line per sample with its tokens and text. */
enum status trace_branch(struct outfile *o, const struct tree *t, const struct node *n, int S, int L,
                         const struct tokenizer *tok, const char *file, const char *hash, struct error *e);

#endif
