/*
 * held.h: samples of the data of a model, to measure it by: the held-out part
 * of a text or of pictures, fresh grids of Sudoku, or lines that `sample` wrote.
 * Main thread.
 */
#ifndef PSI_RUN_HELD_H
#define PSI_RUN_HELD_H

#include <stdio.h>

#include "run/likelihood.h"
#include "run/open.h"
#include "run/rules.h"

/* n samples spread over the held-out part of the file or folder `path`, through
 * the model's own tokenizer (tokenizer: where it has none; NULL).  path NULL:
 * grids that obey the rules, which must have some.  Errors name the file. */
enum status held_data(const struct opened *o, const struct rules *rules, const char *path, const char *tokenizer, int n,
	struct samples *out, struct error *e);

/* JSON lines with "tokens", or with a "text" of just the model's length; other
 * lines are skipped.  Errors name the line. */
enum status held_lines(const struct opened *o, FILE *in, struct samples *out, struct error *e);

#endif
