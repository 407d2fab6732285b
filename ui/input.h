/*
 * input.h: bytes from a terminal -> keys, pasted text, and the terminal's
 * answers to questions (which are never keys).  Knows no curses; screen thread.
 */
#ifndef PSI_UI_INPUT_H
#define PSI_UI_INPUT_H

#include <stddef.h>

#include "ui/keys.h"

enum input_kind { INPUT_KEY, INPUT_PASTE, INPUT_REPLY };

struct input_event {
	enum input_kind kind;
	struct key key;
	const char *text;        /* PASTE: the text; REPLY: the whole sequence.  Valid until the next call */
	size_t bytes;
};

#define INPUT_SEQUENCES 48

struct input {
	unsigned char buf[4096];
	size_t n, used;          /* bytes in buf; of those, handed out */
	bool pasting;
	char *paste;
	size_t paste_n, paste_cap;
	bool expecting;          /* an answer may be on its way: an Esc waits longer for its rest */
	int n_seq;
	struct { char seq[14], key[10]; } seq[INPUT_SEQUENCES];    /* this terminal's own keys (terminfo) */
};

void input_init(struct input *in);
void input_done(struct input *in);
/* A sequence of this terminal; one of a single printable character, or too long, is not taken. */
void input_learn(struct input *in, const char *seq, const char *key);

/* Room for more bytes: read up to *room bytes to the returned place, then
 * input_got(n). */
unsigned char *input_room(struct input *in, size_t *room);
void input_got(struct input *in, size_t n);
/* The next event.  waited: nothing came for input_wait_ms, so what looks like
 * the beginning of something is all there is. */
bool input_next(struct input *in, bool waited, struct input_event *out);
/* Take the answers out of what has come, and leave the rest to input_next. */
void input_answers(struct input *in, void (*answer)(void *arg, const char *text, size_t bytes), void *arg);
/* How long to wait for the rest of what is there; -1: nothing is there. */
int input_wait_ms(const struct input *in);

#endif
