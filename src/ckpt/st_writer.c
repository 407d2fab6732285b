/*
 * st_writer.c: writing safetensors.  See safetensors.h.  One thread per
 * writer.  The file appears under its name only when it is complete: it is
 * written to a temporary name in the same folder, then fsync, rename, fsync of
 * the folder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/safetensors.h"

struct st_writer {
	char *path, *temp;        /* temp NULL until st_begin */
	json_t *root, *meta;
	int fd;
	uint64_t want, have;      /* bytes of data declared, written */
};

static void
writer_free(struct st_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	json_decref(w->root);
	json_decref(w->meta);
	free(w->path);
	free(w->temp);
	free(w);
}

struct st_writer *
st_writer_new(const char *path)
{
	struct st_writer *w = mem_calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->fd = -1;
	w->path = realpath(path, NULL);      /* a link stays a link: its target is replaced */
	if (!w->path)
		w->path = mem_strdup(path);
	w->root = json_object();
	w->meta = json_object();
	if (w->path && w->root && w->meta)
		return w;
	writer_free(w);
	return NULL;
}

enum status
st_declare(struct st_writer *w, const char *name, enum dtype dtype, int ndim, const int64_t *dim, struct error *e)
{
	struct tensor t = { .dtype = dtype, .ndim = ndim };
	json_t *shape = json_array();
	size_t bytes;
	bool ok = shape && ndim >= 0 && ndim <= TENSOR_DIMS;

	for (int i = 0; ok && i < ndim; i++) {
		t.dim[i] = dim[i];
		ok = !json_array_append_new(shape, json_integer(dim[i]));
	}
	if (!ok || !tensor_lay_out(&t, &bytes) || json_object_get(w->root, name)) {
		json_decref(shape);
		return error_set(e, ST_FAIL, "tensor %s cannot be declared", name);
	}
	json_t *v = json_pack("{s:s, s:o, s:[I, I]}", "dtype", st_dtype_code(dtype), "shape", shape, "data_offsets",
	    (json_int_t)w->want, (json_int_t)(w->want + bytes));
	if (!v || json_object_set_new(w->root, name, v))
		return error_set(e, ST_MEMORY, "out of memory");
	w->want += bytes;
	return ST_OK;
}

enum status
st_metadata(struct st_writer *w, const char *key, const char *value, struct error *e)
{
	if (json_object_set_new(w->meta, key, json_string(value)))
		return error_set(e, ST_FAIL, "metadata %s is not UTF-8 text", key);
	return ST_OK;
}

static enum status
write_all(int fd, const void *data, size_t bytes, struct error *e)
{
	const char *p = data;

	while (bytes) {
		ssize_t n = write(fd, p, bytes < 1 << 30 ? bytes : 1 << 30);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
		p += n;
		bytes -= (size_t)n;
	}
	return ST_OK;
}

/* The header, padded with spaces so that the data begins at a multiple of 8. */
static enum status
write_header(struct st_writer *w, struct error *e)
{
	json_t *all = json_object();
	enum status st = ST_MEMORY;
	char *text = NULL, *out = NULL;

	if (all && (!json_object_size(w->meta) || !json_object_set(all, "__metadata__", w->meta)) &&
	    !json_object_update(all, w->root))
		text = json_dumps(all, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (text) {
		size_t n = strlen(text), padded = (n + 7) & ~(size_t)7;

		out = malloc(8 + padded);
		if (out) {
			for (int i = 0; i < 8; i++)
				out[i] = (char)((uint64_t)padded >> 8 * i);
			memset(out + 8, ' ', padded);
			memcpy(out + 8, text, n);
			st = write_all(w->fd, out, 8 + padded, e);
		}
	}
	free(out);
	free(text);
	json_decref(all);
	return st == ST_MEMORY ? error_set(e, ST_MEMORY, "out of memory") : st;
}

/* Is name what a writer of `base` calls its file: BASE.PID-N.tmp? */
static bool
is_temp(const char *name, const char *base)
{
	size_t n = strlen(base);
	int end = 0;

	return !strncmp(name, base, n) && sscanf(name + n, ".%*u-%*u.tmp%n", &end) == 0 && end > 0 && !name[n + end];
}

/* Remove the file if nobody holds it any more: a writer keeps its own locked. */
static void
remove_left(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		unlinkat(dir, name, 0);
	if (fd >= 0)
		close(fd);
}

/* What writers of this path that were killed have left behind. */
static void
clean_up(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
	DIR *dir = folder ? opendir(folder) : NULL;

	for (struct dirent *d; dir && (d = readdir(dir)); )
		if (is_temp(d->d_name, slash ? slash + 1 : path))
			remove_left(dirfd(dir), d->d_name);
	if (dir)
		closedir(dir);
	free(folder);
}

/* The file of that name, new and locked; -1 with errno.  Another process may
 * take it for a dead one's between its birth and its lock: then once more. */
static int
create_locked(const char *name)
{
	struct stat is = { .st_nlink = 0 };
	int fd = -1, bad;

	while (!is.st_nlink) {
		if (fd >= 0)
			close(fd);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd < 0)
			break;
		while ((bad = flock(fd, LOCK_EX)) && errno == EINTR)
			;
		if (bad || fstat(fd, &is))
			break; /* a file system without locks: nobody takes it away there */
	}
	return fd;
}

/* A new file beside w->path; open() applies the umask. */
static enum status
open_temp(struct st_writer *w, struct error *e)
{
	for (int i = 0; i < 100; i++) {
		char *name = mem_printf("%s.%ld-%d.tmp", w->path, (long)getpid(), i);

		if (!name)
			return error_set(e, ST_MEMORY, "out of memory");
		w->fd = create_locked(name);
		if (w->fd >= 0) {
			w->temp = name;
			return ST_OK;
		}
		int why = errno;
		free(name);
		errno = why;
		if (why != EEXIST)
			break;
	}
	return error_set(e, ST_FAIL, "cannot be written: %s", strerror(errno));
}

enum status
st_begin(struct st_writer *w, struct error *e)
{
	struct stat was;
	bool exists = !stat(w->path, &was);

	if (exists && !S_ISREG(was.st_mode))
		return error_set(e, ST_FAIL, "is not a regular file");
	clean_up(w->path);
	enum status st = open_temp(w, e);
	if (st)
		return st;
	if (exists && fchmod(w->fd, was.st_mode & 0777))
		return error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
	return write_header(w, e);
}

enum status
st_write(struct st_writer *w, const void *data, size_t bytes, struct error *e)
{
	if (bytes > w->want - w->have)
		return error_set(e, ST_FAIL, "more data than was declared");
	w->have += bytes;
	return write_all(w->fd, data, bytes, e);
}

static enum status
sync_folder(const char *path)
{
	char *dir = mem_strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return ST_FAIL;
	int bad = fsync(fd) && errno != EINVAL && errno != EROFS;
	close(fd);
	return bad ? ST_FAIL : ST_OK;
}

enum status
st_commit(struct st_writer *w, struct error *e)
{
	enum status st = ST_OK;

	if (w->have != w->want)
		st = error_set(e, ST_FAIL, "less data than was declared");
	else if (fsync(w->fd) && errno != EINVAL)
		st = error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
	if (!st) {
		int bad = close(w->fd);

		w->fd = -1;
		if (bad || rename(w->temp, w->path))
			st = error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
	}
	if (st) {
		st_abort(w);
		return st;
	}
	if (sync_folder(w->path))
		st = error_set(e, ST_FAIL, "the folder cannot be synced: %s", strerror(errno));
	writer_free(w);
	return st;
}

void
st_abort(struct st_writer *w)
{
	if (w && w->temp)
		unlink(w->temp);
	writer_free(w);
}
