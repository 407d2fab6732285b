/*
 * spool.h: a corpus made once and then read at random: bytes are appended to a
 * file without a name and mapped when all are there.  It may be larger than
 * memory, nobody can change it underneath, and it is gone when it is closed or
 * the program dies.  One thread writes; mapped, any thread reads.
 */
#ifndef PSI_TRAIN_SPOOL_H
#define PSI_TRAIN_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct spool {
	int fd;
	const char *dir;             /* for messages; the caller's */
	size_t bytes, used;          /* written; waiting in `buffer` */
	const uint8_t *map;
	uint8_t *buffer;
};

/* dir NULL: $TMPDIR, or else /var/tmp.  spool_done also after a failure. */
enum status spool_init(struct spool *s, const char *dir, struct error *e);
enum status spool_write(struct spool *s, const void *data, size_t bytes, struct error *e);
/* After the last byte: s->map, s->bytes.  Nothing written: s->map stays NULL. */
enum status spool_map(struct spool *s, struct error *e);
void spool_done(struct spool *s);

#endif
