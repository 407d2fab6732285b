/*
 * export.h: an inference-only copy of a checkpoint: psiview export.
 */
#ifndef PSI_RUN_EXPORT_H
#define PSI_RUN_EXPORT_H

#include <stdbool.h>

#include "ckpt/ckpt.h"

struct export_options {
	bool raw;                /* state_dict weights instead of EMA */
	int dtype;               /* DT_F32, DT_BF16, DT_F16; -1: as stored */
	bool config_json;        /* also a config.json in the published style beside it */
};

void export_options_init(struct export_options *o);
/* "f32", "bf16", "f16" (also "float32", ...); false: none of them. */
bool export_dtype(const char *name, int *out);

/* Write out (a file; or a folder, if one of that name is there or the name
 * ends in '/': then model.safetensors and config.json in it).  The file
 * appears complete or not at all. */
enum status export_write(const struct ckpt *c, const char *out, const struct export_options *o, struct error *e);

/* Open path, check it against its network, write.  *in_error (may be NULL):
 * true if the error is about path, false if it is about out. */
enum status export_run(const char *path, const char *out, const struct config_override *over,
    const struct export_options *o, bool *in_error, struct error *e);

#endif
