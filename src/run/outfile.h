/*
 * outfile.h: a text file being written, or standard output.  A regular file is
 * written under a temporary name in the same folder and renamed when it is
 * whole; a failure leaves nothing behind and the old file as it was.  One
 * thread at a time.
 */
#ifndef PSI_RUN_OUTFILE_H
#define PSI_RUN_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct outfile;

/* path NULL: standard output.  What cannot be written to (a folder, a
 * read-only place) is refused here, before any work is done. */
enum status outfile_open(const char *path, struct outfile **out, struct error *e);
/* ST_FAIL with "PATH: reason".  ST_CANCELLED: the reader of a pipe has gone. */
enum status outfile_write(struct outfile *o, const void *data, size_t bytes, struct error *e);
enum status outfile_flush(struct outfile *o, struct error *e);
/* Both free o. */
enum status outfile_commit(struct outfile *o, struct error *e);
void outfile_abort(struct outfile *o);

#endif
