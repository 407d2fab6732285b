/*
 * golden.h: finding golden cases in $PSIVIEW_GOLDEN: pairs of
 * X.golden.safetensors and the checkpoint X.ckpt, X.safetensors or folder X
 * beside it, or the one that its metadata name, whatever they are called.
 */
#ifndef PSI_TESTS_GOLDEN_H
#define PSI_TESTS_GOLDEN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ckpt/safetensors.h"

typedef void golden_fn(const char *golden, const char *checkpoint);

/* The file beside it that the golden file's metadata name as its checkpoint. */
__attribute__((unused)) static bool
golden_named(const char *golden, char *out, size_t size)
{
	const char *slash = strrchr(golden, '/');
	int folder = slash ? (int)(slash + 1 - golden) : 0, n = 0;
	struct st_file *g;
	struct stat st;

	if (st_open(golden, &g, NULL) != ST_OK)
		return false;
	const char *name = st_meta(g, "checkpoint");
	if (name && *name && !strchr(name, '/'))
		n = snprintf(out, size, "%.*s%s", folder, golden, name);
	st_close(g);
	return n > 0 && (size_t)n < size && stat(out, &st) == 0;
}

/* The checkpoint that belongs to a golden file; false: there is none. */
__attribute__((unused)) static bool
golden_partner(const char *golden, char *out, size_t size)
{
	static const char *const ends[] = { ".ckpt", ".safetensors", "" };
	int stem = (int)(strlen(golden) - strlen(".golden.safetensors"));
	struct stat st;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		int n = snprintf(out, size, "%.*s%s", stem, golden, ends[i]);
		if (n > 0 && (size_t)n < size && stat(out, &st) == 0)
			return true;
	}
	return golden_named(golden, out, size);
}

static int
golden_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Call fn for every pair below dir, in alphabetical order; returns how many. */
__attribute__((unused)) static int
golden_walk(const char *dir, golden_fn *fn)
{
	DIR *d = opendir(dir);
	char **name = NULL, path[4096], partner[4096];
	size_t n = 0, cap = 0;
	int found = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			name = realloc(name, cap * sizeof *name);
		}
		name[n++] = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	if (n)
		qsort(name, n, sizeof *name, golden_order);
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		size_t len = strlen(name[i]), end = strlen(".golden.safetensors");
		snprintf(path, sizeof path, "%s/%s", dir, name[i]);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			found += golden_walk(path, fn);
		else if (len > end && strcmp(name[i] + len - end, ".golden.safetensors") == 0 &&
			golden_partner(path, partner, sizeof partner)) {
			fn(path, partner);
			found++;
		}
		free(name[i]);
	}
	free(name);
	return found;
}

#endif
