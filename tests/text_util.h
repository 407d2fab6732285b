/*
 * text_util.h: for the tests of src/text: walking the golden directory and
 * reading (xz) text files.
 */
#ifndef PSI_TESTS_TEXT_UTIL_H
#define PSI_TESTS_TEXT_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct paths {
	char **p;
	size_t n, cap;
};

__attribute__((unused)) static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

__attribute__((unused)) static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every file below folder, sorted. */
__attribute__((unused)) static void
find_files(const char *folder, struct paths *out)
{
	DIR *d = opendir(folder);
	struct dirent *ent;
	struct stat sb;
	char path[4096];

	while (d && (ent = readdir(d))) {
		if (ent->d_name[0] == '.' ||
		    snprintf(path, sizeof path, "%s/%s", folder, ent->d_name) >= (int)sizeof path ||
		    stat(path, &sb) < 0)
			continue;
		if (S_ISDIR(sb.st_mode)) {
			find_files(path, out);
			continue;
		}
		if (out->n == out->cap) {
			out->cap = out->cap ? 2 * out->cap : 64;
			out->p = realloc(out->p, out->cap * sizeof *out->p);
		}
		out->p[out->n++] = strdup(path);
	}
	if (d)
		closedir(d);
	if (out->n)
		qsort(out->p, out->n, sizeof *out->p, compare_paths);
}

__attribute__((unused)) static void
free_paths(struct paths *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->p[i]);
	free(l->p);
}

static char *
read_stream(FILE *f, size_t *bytes)
{
	size_t cap = 1 << 16, n = 0, got;
	char *s = malloc(cap);

	while ((got = fread(s + n, 1, cap - n - 1, f)) > 0) {
		n += got;
		if (cap - n < cap / 2)
			s = realloc(s, cap *= 2);
	}
	s[n] = '\0';
	*bytes = n;
	return s;
}

/* The file, unpacked if its name ends in .xz; malloced; NULL: cannot be read. */
__attribute__((unused)) static char *
read_text(const char *path, size_t *bytes)
{
	char cmd[8300] = "xz -dc -- '", *s;
	size_t n = strlen(cmd);
	bool packed = ends_with(path, ".xz");

	for (const char *p = path; *p && n < sizeof cmd - 8; p++)
		n += (size_t)snprintf(cmd + n, sizeof cmd - n, *p == '\'' ? "'\\''" : "%c", *p);
	snprintf(cmd + n, sizeof cmd - n, "'");
	FILE *f = packed ? popen(cmd, "r") : fopen(path, "rb");
	if (!f)
		return NULL;
	s = read_stream(f, bytes);
	if (packed ? pclose(f) != 0 : fclose(f) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

#endif
