/*
 * tiles.h: what a frame's pictures cost the line: only what changed is sent,
 * after the text, in one write, and never a second frame behind one that the
 * line has not taken yet.  Screen thread only.
 */
#ifndef PSI_UI_TILES_H
#define PSI_UI_TILES_H

#include "ui/picture.h"
#include "ui/tty.h"

struct tiles;

struct tiles *tiles_new(void);                    /* NULL: out of memory */
/* direct: half-blocks are sent here, in 24 bits; else they are part of the text. */
void tiles_direct(struct tiles *t, bool direct);
void tiles_free(struct tiles *t);
/* Before the text of a frame goes out.  true: an image lies where another will,
 * and all cells must be sent anew so that it goes.  (Where there will be text,
 * the text's own cells erase it.) */
bool tiles_stale(const struct tiles *t, const struct canvas *c);
/* term_after_fn: send what changed. */
void tiles_after(void *arg, struct tty *tty, const struct canvas *c, bool rewritten);
/* Bytes of an image still wait for the line: draw nothing meanwhile. */
bool tiles_waiting(const struct tiles *t);
int tiles_fd(const struct tiles *t);              /* to poll for POLLOUT meanwhile */
/* The line takes more: go on.  false: the terminal is gone. */
bool tiles_go_on(struct tiles *t);
/* Before the terminal is left: an unfinished image is ended (CAN, ST). */
void tiles_end(struct tiles *t, struct tty *tty);

#endif
