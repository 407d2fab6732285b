/*
 * safetensors.h: the safetensors format, reading over a map and writing in
 * blocks.  Used for checkpoints, for probe's IN and OUT, and by the tests for
 * golden files.
 */
#ifndef PSI_CKPT_SAFETENSORS_H
#define PSI_CKPT_SAFETENSORS_H

#include <stddef.h>

#include "ckpt/tensor.h"

struct st_file {                  /* immutable after opening */
	int n;
	struct tensor *tensor;        /* in the order of their data */
	int n_meta;
	char **meta_key, **meta_value;
	const uint8_t *map;
	size_t bytes;
};

/* Map and check path.  Errors: ST_CKPT with the reason, without the path. */
enum status st_open(const char *path, struct st_file **out, struct error *e);
void st_close(struct st_file *f);
const struct tensor *st_find(const struct st_file *f, const char *name);
const char *st_meta(const struct st_file *f, const char *key);
const char *st_dtype_code(enum dtype d);      /* "F32", "BF16", ... */

/* Writing: declare every tensor, then st_begin, then fill them in the order of
 * declaration, any number of bytes at a time.  Written to a temporary name in
 * the same folder; st_commit does fsync, rename, fsync of the folder; st_abort
 * removes it.  Both free w.  st_begin removes what writers that died left of
 * earlier attempts at the same path. */
struct st_writer;
struct st_writer *st_writer_new(const char *path);
enum status st_declare(struct st_writer *w, const char *name, enum dtype dtype, int ndim, const int64_t *dim,
    struct error *e);
enum status st_metadata(struct st_writer *w, const char *key, const char *value, struct error *e);
enum status st_begin(struct st_writer *w, struct error *e);
enum status st_write(struct st_writer *w, const void *data, size_t bytes, struct error *e);
enum status st_commit(struct st_writer *w, struct error *e);
void st_abort(struct st_writer *w);

#endif
