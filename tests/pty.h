/*
 * pty.h: a program in a pseudo-terminal with a small emulator behind it, for
 * tests: what ncurses sends to xterm-256color, tmux, linux and vt100, no more.
 *
 * The program is the foreground job of a shell-like leader, so that it can be
 * stopped and go on.
 */
#ifndef PSI_TESTS_PTY_H
#define PSI_TESTS_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

struct pty {
	int fd;                      /* our end */
	int slave;                   /* kept open, to look at its modes */
	pid_t leader, pid;           /* of the leader; of the program */
	int events;                  /* from the leader: statuses of waitpid */
	struct termios before;

	int w, h;
	uint32_t *cell;              /* [h*w] characters; 0: blank */
	bool *reverse;               /* [h*w] */
	int x, y, saved_x, saved_y, top, bottom;
	bool pending_wrap, is_reverse;
	uint32_t last;               /* for REP */

	/* modes the program set */
	bool alternate, hidden, paste, mouse, keypad, attributes;
	unsigned char seq[256];      /* an unfinished sequence */
	size_t seq_n;
	bool private_seen;           /* it sent sequences of xterm that vt100 does not have */
	bool high_seen;              /* it sent a byte above 127 */
	bool colours;                /* it set one */
	long bytes;                  /* sent in all */

	const char *da1;             /* answer to DA1, "62;4"; NULL: none */
	const char *background;      /* answer to OSC 11; NULL: none */
	double delay;                /* seconds until answers are given */
	char answer[256];            /* waiting */
	double answer_at;
	bool gone;                   /* the program's end was closed */
};

/* Start argv (searched as given); env: "A=B" to set, "A" to unset, NULL ends.
 * false: could not be started. */
bool pty_start(struct pty *p, int w, int h, const char *const *env, char *const *argv);
/* End what still runs, release everything. */
void pty_end(struct pty *p);

void pty_type(struct pty *p, const char *bytes);
void pty_typen(struct pty *p, const char *bytes, size_t n);
void pty_resize(struct pty *p, int w, int h);
/* Take what comes for `seconds`. */
void pty_run(struct pty *p, double seconds);
/* Wait until text is on the screen (in one row). */
bool pty_expect(struct pty *p, const char *text, double seconds);
/* Wait until it is not. */
bool pty_absent(struct pty *p, const char *text, double seconds);
bool pty_shows(const struct pty *p, const char *text);
/* Seconds from typing to the first byte that comes back; < 0: none within 2 s. */
double pty_latency(struct pty *p, const char *bytes);
/* Wait for the program to end or stop: its status as of waitpid; -1: neither. */
int pty_status(struct pty *p, double seconds);
/* What is not as before the program started, "" if everything is. */
const char *pty_unrestored(struct pty *p);
/* The screen, '#' before each line, on standard output: what a failing test prints. */
void pty_print(const struct pty *p);

#endif
