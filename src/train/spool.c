/* spool.c: see spool.h. */
#include "train/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#define BUFFER (1 << 18)

enum status
spool_init(struct spool *s, const char *dir, struct error *e)
{
	const char *tmp = getenv("TMPDIR");

	*s = (struct spool){ .fd = -1, .dir = dir ? dir : tmp && *tmp ? tmp : "/var/tmp" };
	char *name = mem_printf("%s/.psiview-data-XXXXXX", s->dir);
	s->buffer = malloc(BUFFER);
	if (!name || !s->buffer) {
		free(name);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	s->fd = mkstemp(name);
	if (s->fd >= 0)
		unlink(name);
	free(name);
	if (s->fd < 0)
		return error_set(e, ST_FAIL, "%s: no place for the prepared data: %s", s->dir, strerror(errno));
	return ST_OK;
}

static enum status
flush(struct spool *s, struct error *e)
{
	for (size_t at = 0; at < s->used;) {
		ssize_t n = write(s->fd, s->buffer + at, s->used - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(e, ST_FAIL, "%s: no place for the prepared data: %s", s->dir,
			    n ? strerror(errno) : "nothing was written");
		at += (size_t)n;
	}
	s->used = 0;
	return ST_OK;
}

enum status
spool_write(struct spool *s, const void *data, size_t bytes, struct error *e)
{
	const uint8_t *from = data;

	s->bytes += bytes;
	while (bytes) {
		size_t n = bytes < BUFFER - s->used ? bytes : BUFFER - s->used;
		memcpy(s->buffer + s->used, from, n);
		s->used += n;
		from += n;
		bytes -= n;
		enum status st = s->used == BUFFER ? flush(s, e) : ST_OK;
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

enum status
spool_map(struct spool *s, struct error *e)
{
	enum status st = flush(s, e);

	if (st != ST_OK || s->bytes == 0)
		return st;
	void *p = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, s->fd, 0);
	if (p == MAP_FAILED)
		return error_set(e, ST_FAIL, "%s: the prepared data cannot be mapped: %s", s->dir, strerror(errno));
	s->map = p;
	return ST_OK;
}

void
spool_done(struct spool *s)
{
	if (s->map)
		munmap((void *)(uintptr_t)s->map, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
	free(s->buffer);
	*s = (struct spool){ .fd = -1 };
}
