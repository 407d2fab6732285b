/* line.h: a line of text being edited.  Pure; screen thread. */
#ifndef PSI_UI_LINE_H
#define PSI_UI_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/keys.h"

#define LINE_MAX_BYTES 4096

struct line {
	char text[LINE_MAX_BYTES];   /* UTF-8, NUL-terminated */
	size_t n, at;            /* bytes; of them before the cursor */
};

void line_set(struct line *l, const char *text);
/* At the cursor; control characters become blanks; what has no room is left out. */
void line_insert(struct line *l, const char *text, size_t bytes);
/* Remove bytes from..to. */
void line_cut(struct line *l, size_t from, size_t to);
/* Typing, Backspace, Del, arrows, Home, End and the usual C-a C-e C-b C-f C-d
 * C-h C-k C-u C-w A-b A-f; false: not one of these. */
bool line_key(struct line *l, const struct key *k);

#endif
