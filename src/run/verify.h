/*
 * verify.h: psiview verify: everything about a checkpoint that opening does
 * not look at.
 */
#ifndef PSI_RUN_VERIFY_H
#define PSI_RUN_VERIFY_H

#include <stdio.h>

#include "base/pool.h"
#include "ckpt/ckpt.h"

/* Print one line per check: tensors against the network, CRCs, finite weights
 * and, where reference vectors lie beside the file (NAME.golden.safetensors for
 * NAME.ckpt or the folder NAME), the largest differences of the logits to
 * them.  Other errors than those of opening come after the lines: ST_CKPT for a
 * CRC, ST_NUMERIC for a weight, ST_FAIL for a difference beyond rounding. */
enum status verify_run(FILE *out, const char *path, const struct config_override *over, struct pool *pool,
    struct error *e);

#endif
