/*
 * score.h: generative perplexity of texts under GPT-2, as the published code
 * counts it, and never without the entropy of the samples: `psiview eval`.
 * One thread at a time.
 */
#ifndef PSI_RUN_SCORE_H
#define PSI_RUN_SCORE_H

#include <stdio.h>

#include "run/open.h"

/* Which targets row[1..L-1] count: all that are not `end`, and those at which
 * exactly one `end` has been seen in the row (so the first one itself).  Text
 * behind it counts as well.  counted [L-1]; returns how many. */
int score_counted(int L, const int32_t *row, int32_t end, bool *counted);

/* Negative log likelihood (nats) of row[i+1] given row[0..i]; nll [L-1], at the
 * targets in `counted` only, NULL: at all.  m is causal. */
enum status score_row(struct model *m, const int32_t *row, const bool *counted, double *nll, struct cancel *c,
                      struct error *e);

/* One text at a time. */
struct scorer;
struct scored {
	long tokens;                     /* counted targets */
	double nll;                      /* sum over them, nats */
	double entropy;                  /* of the scorer's tokens, nats */
	bool cut;                        /* the text is longer than the scorer reads */
};
/* o, borrowed, is a GPT-2 with its tokenizer; else ST_USAGE. */
enum status scorer_new(const struct opened *o, struct scorer **out, struct error *e);
void scorer_free(struct scorer *s);      /* NULL is fine */
enum status scorer_text(struct scorer *s, const char *text, size_t bytes, struct scored *out, struct cancel *c,
			struct error *e);

struct score {
	int texts, cut;                  /* scored; of them longer than the scorer reads: their ends are left out */
	int dropped;                     /* by whole_batches */
	long tokens;                     /* counted targets */
	double nll;                      /* sum over them */
	double entropy;                  /* mean over texts, nats */
	bool own_tokens;                 /* entropy is that of the samples' own tokens, else of the scorer's */
};
double score_perplexity(const struct score *s);

/* Texts are JSON lines with "text" and, from `sample`, "tokens"; other lines are
 * skipped.  whole_batches > 0: in batches of so many, the last one only if it is
 * whole (as published).  o is a GPT-2 with its tokenizer.  Errors name the line. */
enum status score_stream(const struct opened *o, FILE *in, int whole_batches, struct score *out, struct error *e);

/* The result as text or JSON, malloced; NULL: out of memory. */
char *score_text(const struct score *s, const char *scorer, bool json);

#endif
