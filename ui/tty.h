/*
 * tty.h: the terminal as a device: where keys come from, its modes, its size,
 * and signals, which become bytes in a pipe.  Screen thread, except the handlers.
 */
#ifndef PSI_UI_TTY_H
#define PSI_UI_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/error.h"

struct tty {
	int in, out;             /* keys: standard input, or /dev/tty if that is no terminal */
	bool own_in;
	struct termios before;   /* as we found it */
	int wake[2];             /* [0] readable: numbers of signals, a byte each */
	bool signals;
};

enum status tty_open(struct tty *t, struct error *e);
void tty_close(struct tty *t);                     /* modes and signals as before */
/* Bytes as they are typed, no echo, no signals from keys. */
void tty_raw(struct tty *t);
void tty_restore(struct tty *t);
/* Columns, rows and pixels; false and nothing changed if the device does not say. */
bool tty_size(const struct tty *t, int *w, int *h, int *px, int *py);
/* All of it, waiting where the device is slow; false: the terminal is gone. */
bool tty_write(const struct tty *t, const void *bytes, size_t n);

/* From now on: WINCH, TSTP, CONT, TERM, HUP, INT, QUIT write to the pipe (those
 * that were ignored stay so); a crash (SEGV, BUS, FPE, ILL, ABRT) first gives
 * the terminal back, then goes its usual way. */
enum status tty_signals(struct tty *t, struct error *e);
/* What a crash sends besides setting the modes of `before`; copied. */
void tty_at_crash(const char *leave, size_t n);
/* The next signal that came, 0: none. */
int tty_signal(struct tty *t);
/* Stop this process (typed: its whole group, as the terminal would); returns
 * when it goes on. */
void tty_stop(struct tty *t, bool typed);

#endif
