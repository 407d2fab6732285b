/*
 * show.h: tokens as a screen can draw them.
 *
 * The bytes of a row of tokens are one stream of characters.  A character
 * belongs to the token that holds its first byte: a character split over
 * several tokens is drawn by the first of them as one, the others draw
 * nothing and name it as their owner.  A combining mark belongs to the
 * character it stands on.  Undrawn (-1) and special tokens end the stream, so
 * nothing is joined across them.
 *
 * What a terminal cannot or must not draw has a stand-in: control characters
 * as control pictures (ASCII: ^A), invalid bytes as U+FFFD (ASCII: ?), one for each
 * maximal invalid part, invisible and direction-changing characters as <200B>.
 *
 * Reads only the tokenizer: any thread.
 */
#ifndef PSI_TEXT_SHOW_H
#define PSI_TEXT_SHOW_H

#include "text/token.h"

enum show_flags {
	SHOW_ASCII = 1,          /* stand-ins in ASCII; other characters stay UTF-8 */
	SHOW_NEWLINE_MARK = 2,   /* a visible mark before each line break */
};

struct shown {
	const char *text;        /* printable UTF-8, bytes long, no NUL at the end; holds '\n' for a line break and
	                            no other control character; lives in the show_buf */
	size_t bytes;            /* 0: draws nothing (undrawn, or part of its owner's character, or just a space) */
	int owner;               /* index of the token that draws this one's first character; itself as a rule */
	bool space_before;       /* begins with a space, which is not in text: draw one cell before it, blank or
	                            the mark */
	bool newline_after;      /* text ends with a line break */
	bool special;            /* a special token; text is its name, [MASK] is "[M]" */
	bool undrawn;            /* id -1 */
	bool stand_in;           /* something in text stands for what cannot be drawn */
};

/* Owned by the caller, starts zeroed, is kept from frame to frame so that drawing does not allocate. */
struct show_buf {
	char *text;
	size_t cap;
};
void show_buf_done(struct show_buf *b);

/* Fill out[0..n-1] for n ids; texts point into buf and hold until its next
 * use.  false: out of memory. */
bool show_tokens(const struct tokenizer *t, const int32_t *ids, int n, unsigned flags, struct shown *out,
                 struct show_buf *buf);

/* One token by itself, for lists and messages, on one line: its space kept,
 * line break and tab as \n and \t, incomplete bytes as \xE6.  Writes at most size - 1
 * bytes of whole characters and a NUL; returns bytes written. */
size_t show_one(const struct tokenizer *t, int32_t id, unsigned flags, char *out, size_t size);

/* Cut shown text into what takes a place of its own: a character with its
 * combining marks, or a line break.  Advances *p; false at end. */
struct glyph {
	const char *text;
	size_t bytes;
	int cells;               /* 1 or 2; 0 for a line break.  By Unicode, whatever the locale */
	bool newline;
};
bool show_glyph(const char **p, const char *end, struct glyph *out);

#endif
