/*
 * info.h: what a user is told about a checkpoint: psiview info.
 */
#ifndef PSI_RUN_INFO_H
#define PSI_RUN_INFO_H

#include <stdbool.h>
#include <stdio.h>

#include "ckpt/ckpt.h"

struct info_options {
	bool json;
	const char *tokenizer;       /* where a tokenizer was found outside the file; NULL: not looked for, or none */
};

/* Print an open checkpoint.  Errors: ST_CKPT when its tensors do not make the
 * network it says it is, ST_FAIL when out cannot be written. */
enum status info_print(FILE *out, const struct ckpt *c, const struct info_options *o, struct error *e);

/* Open path, then the same. */
enum status info_run(FILE *out, const char *path, const struct config_override *over, const struct info_options *o,
    struct error *e);

#endif
