/* progress.c: see progress.h. */
#include "run/progress.h"

#include <string.h>
#include <sys/ioctl.h>

/* Columns of the terminal, less the one where the cursor waits. */
static int
columns(FILE *f)
{
	struct winsize w;

	return ioctl(fileno(f), TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1 : 200;
}

void
progress_line(FILE *f, const char *line, int *width)
{
	int n = (int)strlen(line), max = columns(f);

	n = n < max ? n : max;
	fprintf(f, "\r%.*s%*s", n, line, *width > n ? *width - n : 0, "");
	fflush(f);
	*width = n;
}

void
progress_clear(FILE *f, int *width)
{
	if (*width > 0)
		fprintf(f, "\r%*s\r", *width, "");
	*width = 0;
}
