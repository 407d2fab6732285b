/*
 * screen_golden.h: a drawn screen against the file that holds what it should be.
 */
#ifndef PSI_TESTS_SCREEN_GOLDEN_H
#define PSI_TESTS_SCREEN_GOLDEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
read_all(const char *path)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = fopen(path, "r"), *out;
	int ch;

	if (!f)
		return NULL;
	out = open_memstream(&text, &bytes);
	while ((ch = getc(f)) != EOF)
		putc(ch, out);
	fclose(f);
	fclose(out);
	return text;
}

static bool
write_all(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fputs(text, f);
	return fclose(f) == 0;
}

/* The first line that differs, as comments. */
static void
explain(const char *want, const char *got)
{
	for (int line = 1; *want || *got; line++) {
		int n = (int)strcspn(want, "\n"), m = (int)strcspn(got, "\n");

		if (n != m || memcmp(want, got, (size_t)n) != 0) {
			printf("# line %d\n# want: %.*s\n# got:  %.*s\n", line, n, want, m, got);
			return;
		}
		want += n + (want[n] != 0);
		got += m + (got[m] != 0);
	}
}

/* Compare got with the file, or write the file anew.  Says the first line that differs. */
static bool
screen_golden(const char *path, const char *got, bool write)
{
	char *want;
	bool ok;

	if (write)
		return got && write_all(path, got);
	want = read_all(path);
	ok = want && got && strcmp(want, got) == 0;
	if (!ok)
		explain(want ? want : "", got ? got : "");
	free(want);
	return ok;
}

#endif
