/*
 * rules.h: whether a sample obeys the rules of the data a checkpoint was
 * trained on, where these have rules: Sudoku.  Pure, any thread.
 */
#ifndef PSI_RUN_RULES_H
#define PSI_RUN_RULES_H

#include "ckpt/ckpt.h"
#include "net/model.h"
#include "train/data_sudoku.h"

struct rules {
	struct sudoku sudoku;            /* N 0: the data have no rules */
};

/* By name ("sudoku6"), or NULL: what the checkpoint's layout, length and
 * vocabulary say.  ST_USAGE: the model's samples are no such grids. */
enum status rules_find(const char *name, const struct ckpt *c, const struct model *m, struct rules *out,
	struct error *e);
static inline bool
rules_any(const struct rules *r)
{
	return r->sudoku.N > 0;
}
/* "sudoku6"; "" without rules. */
const char *rules_name(const struct rules *r);
/* tok [L] of such a model; false without rules. */
bool rules_valid(const struct rules *r, const int32_t *tok);

#endif
