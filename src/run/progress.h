/*
 * progress.h: a line on a terminal that is written over again and again, and
 * never wider than the terminal.  One thread at a time.
 */
#ifndef PSI_RUN_PROGRESS_H
#define PSI_RUN_PROGRESS_H

#include <stdio.h>

/* `width`: of the line that stands there, in columns; 0: none.  ASCII only. */
void progress_line(FILE *f, const char *line, int *width);
void progress_clear(FILE *f, int *width);

#endif
