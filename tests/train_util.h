/*
 * train_util.h: for the tests of src/train: tables of numbers (tab-separated,
 * one header line), found anywhere below $PSIVIEW_GOLDEN by their columns.
 */
#ifndef PSI_TESTS_TRAIN_UTIL_H
#define PSI_TESTS_TRAIN_UTIL_H

#include "psi_util.h"

struct table {
	const char *path;
	char *text, *head[64], **cell;   /* cell [rows, columns]; into text */
	int rows, columns;
};

/* Cut at c, also where a field is empty; NULL at the end. */
static char *
next_field(char **at, char c)
{
	char *field = *at, *end = field ? strchr(field, c) : NULL;

	if (end)
		*end = '\0';
	*at = end ? end + 1 : NULL;
	return field;
}

static bool
table_read(const char *path, struct table *t)
{
	size_t bytes;
	int lines = 0;

	*t = (struct table){ .path = path };
	if (!(t->text = read_text(path, &bytes)))
		return false;
	for (size_t i = 0; i < bytes; i++)
		lines += t->text[i] == '\n';
	char *at = t->text, *line = next_field(&at, '\n');
	for (char *f; t->columns < 64 && (f = next_field(&line, '\t'));)
		t->head[t->columns++] = f;
	t->cell = calloc((size_t)(lines + 1) * (size_t)t->columns, sizeof *t->cell);
	while ((line = next_field(&at, '\n')) && *line && t->rows < lines) {
		for (int c = 0; c < t->columns; c++) {
			char *f = next_field(&line, '\t');
			t->cell[t->rows * t->columns + c] = f ? f : t->text + bytes;
		}
		t->rows++;
	}
	return true;
}

/* -1: no such column. */
__attribute__((unused)) static int
column(const struct table *t, const char *name)
{
	for (int c = 0; c < t->columns; c++)
		if (strcmp(t->head[c], name) == 0)
			return c;
	return -1;
}

__attribute__((unused)) static const char *
cell(const struct table *t, int row, const char *name)
{
	int c = column(t, name);

	return c < 0 ? "" : t->cell[row * t->columns + c];
}

/* The number in a column, or in the one `after` columns to its right; NAN: none. */
__attribute__((unused)) static double
number(const struct table *t, int row, const char *name, int after)
{
	int c = column(t, name);

	return c < 0 || c + after >= t->columns ? NAN : strtod(t->cell[row * t->columns + c + after], NULL);
}

/* Call fn for every table below $PSIVIEW_GOLDEN. */
__attribute__((unused)) static void
each_table(void (*fn)(const struct table *t))
{
	const char *dir = getenv("PSIVIEW_GOLDEN");
	struct paths files = { 0 };

	find_files(dir ? dir : "tests/golden", &files);
	for (size_t i = 0; i < files.n; i++) {
		struct table t;
		if (ends_with(files.p[i], ".tsv") && !strstr(files.p[i], "/hostile/") && table_read(files.p[i], &t)) {
			fn(&t);
			free(t.cell);
			free(t.text);
		}
	}
	free_paths(&files);
}

#endif
