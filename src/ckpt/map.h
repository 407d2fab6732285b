/*
 * map.h: a regular file, mapped read-only.  Nothing else may be opened: a
 * folder, a device or a fifo is an error, and opening never blocks.
 */
#ifndef PSI_CKPT_MAP_H
#define PSI_CKPT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct map {
	const uint8_t *p;     /* NULL when the file is empty */
	size_t bytes;
};

/* Errors: ST_CKPT with the reason, without the path. */
enum status map_open(const char *path, struct map *m, struct error *e);
/* Expect a few bytes here and there (true), or stretches (false, at first). */
void map_scattered(const struct map *m, bool scattered);
/* These bytes of a map will not be read again soon: their pages need not stay
 * in memory.  Read again, they come back from the file. */
void map_forget(const void *p, size_t bytes);
void map_done(struct map *m);

#endif
