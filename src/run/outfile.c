/* outfile.c: see outfile.h. */
#include "run/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define BUFFER 65536

struct outfile {
	int fd;
	char *name;              /* for messages */
	char *path, *temp;       /* NULL: written in place */
	size_t fill;
	char buf[BUFFER];
};

static enum status
failed(const char *name, const char *why, struct error *e)
{
	return error_set(e, ST_FAIL, "%s: %s", name, why);
}

static void
outfile_free(struct outfile *o)
{
	free(o->name);
	free(o->path);
	free(o->temp);
	free(o);
}

/* A device, a pipe: written in place.  A fifo without a reader is an error
 * instead of a wait. */
static enum status
open_in_place(struct outfile *o, struct error *e)
{
	o->fd = open(o->name, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (o->fd < 0)
		return failed(o->name, errno == ENXIO ? "nobody reads this fifo" : strerror(errno), e);
	int flags = fcntl(o->fd, F_GETFL);
	if (flags < 0 || fcntl(o->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return failed(o->name, strerror(errno), e);
	return ST_OK;
}

static enum status
open_temp(struct outfile *o, bool exists, struct error *e)
{
	o->path = exists ? realpath(o->name, NULL) : mem_strdup(o->name); /* what a link points to is replaced */
	if (!o->path)
		return failed(o->name, strerror(errno), e);
	if (exists && access(o->path, W_OK) != 0)
		return failed(o->name, strerror(errno), e);
	for (int i = 0; i < 100; i++) {
		free(o->temp);
		o->temp = mem_printf("%s.%ld-%d.part", o->path, (long)getpid(), i);
		if (!o->temp)
			return error_set(e, ST_MEMORY, "out of memory for the output");
		o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (o->fd >= 0)
			return ST_OK;
		if (errno != EEXIST)
			break;
	}
	enum status st = failed(o->name, strerror(errno), e);
	free(o->temp);
	o->temp = NULL;
	return st;
}

static enum status
open_path(struct outfile *o, struct error *e)
{
	struct stat sb;
	bool exists = stat(o->name, &sb) == 0;

	if (exists && S_ISDIR(sb.st_mode))
		return failed(o->name, "is a directory", e);
	if (exists && !S_ISREG(sb.st_mode))
		return open_in_place(o, e);
	return open_temp(o, exists, e);
}

enum status
outfile_open(const char *path, struct outfile **out, struct error *e)
{
	struct outfile *o = mem_calloc(1, sizeof *o);
	enum status st = ST_OK;

	if (!o || !(o->name = mem_strdup(path ? path : "standard output"))) {
		free(o);
		return error_set(e, ST_MEMORY, "out of memory for the output");
	}
	o->fd = STDOUT_FILENO;
	if (path)
		st = open_path(o, e);
	if (st != ST_OK) {
		outfile_free(o);
		return st;
	}
	*out = o;
	return ST_OK;
}

static enum status
write_all(struct outfile *o, const char *data, size_t bytes, struct error *e)
{
	while (bytes > 0) {
		ssize_t n = write(o->fd, data, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			return error_set(e, ST_CANCELLED, "%s: %s", o->name, strerror(errno));
		if (n < 0)
			return failed(o->name, strerror(errno), e);
		data += n;
		bytes -= (size_t)n;
	}
	return ST_OK;
}

enum status
outfile_flush(struct outfile *o, struct error *e)
{
	enum status st = write_all(o, o->buf, o->fill, e);

	o->fill = 0;
	return st;
}

enum status
outfile_write(struct outfile *o, const void *data, size_t bytes, struct error *e)
{
	if (bytes > BUFFER - o->fill) {
		enum status st = outfile_flush(o, e);
		if (st != ST_OK)
			return st;
		if (bytes >= BUFFER)
			return write_all(o, data, bytes, e);
	}
	memcpy(o->buf + o->fill, data, bytes);
	o->fill += bytes;
	return ST_OK;
}

/* So that the new name survives a crash; a folder that cannot be synced is no
 * reason to fail. */
static void
sync_folder(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

enum status
outfile_commit(struct outfile *o, struct error *e)
{
	enum status st = outfile_flush(o, e);

	if (st == ST_OK && o->temp && fsync(o->fd) != 0)
		st = failed(o->name, strerror(errno), e);
	if (o->fd != STDOUT_FILENO && close(o->fd) != 0 && st == ST_OK)
		st = failed(o->name, strerror(errno), e);
	o->fd = STDOUT_FILENO;
	if (st == ST_OK && o->temp && rename(o->temp, o->path) != 0)
		st = failed(o->name, strerror(errno), e);
	if (st != ST_OK) {
		outfile_abort(o);
		return st;
	}
	if (o->temp)
		sync_folder(o->path);
	outfile_free(o);
	return ST_OK;
}

void
outfile_abort(struct outfile *o)
{
	if (!o)
		return;
	if (o->fd != STDOUT_FILENO)
		close(o->fd);
	if (o->temp)
		unlink(o->temp);
	outfile_free(o);
}
