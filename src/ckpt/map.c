/* map.c: see map.h.  Any thread. */
#include "ckpt/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
what_it_is(mode_t mode)
{
	return S_ISDIR(mode) ? "is a folder" : S_ISFIFO(mode) ? "is a pipe" : S_ISSOCK(mode) ? "is a socket"
	    : "is a device";
}

static enum status
map_fd(int fd, struct map *m, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(e, ST_CKPT, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(e, ST_CKPT, "%s, not a file", what_it_is(st.st_mode));
	if (st.st_size == 0)
		return ST_OK;
	if ((uintmax_t)st.st_size > SIZE_MAX / 2)
		return error_set(e, ST_CKPT, "too large for this machine's addresses");
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return error_set(e, errno == ENOMEM ? ST_MEMORY : ST_CKPT, "cannot be mapped: %s", strerror(errno));
	m->p = p;
	m->bytes = (size_t)st.st_size;
	return ST_OK;
}

enum status
map_open(const char *path, struct map *m, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*m = (struct map){ NULL, 0 };
	if (fd < 0)
		return error_set(e, ST_CKPT, "%s", strerror(errno));
	enum status st = map_fd(fd, m, e);
	close(fd);
	return st;
}

void
map_scattered(const struct map *m, bool scattered)
{
	if (m->p)
		madvise((void *)(uintptr_t)m->p, m->bytes, scattered ? MADV_RANDOM : MADV_NORMAL);
}

void
map_forget(const void *p, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)p + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)p + bytes) / page * page;

	if (end > first)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

void
map_done(struct map *m)
{
	if (m->p)
		munmap((void *)(uintptr_t)m->p, m->bytes);
	*m = (struct map){ NULL, 0 };
}
