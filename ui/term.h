/*
 * term.h: canvas -> terminal.  term.c is the only file that includes curses.
 * Screen thread.
 */
#ifndef PSI_UI_TERM_H
#define PSI_UI_TERM_H

#include "ui/canvas.h"
#include "ui/input.h"
#include "ui/theme.h"
#include "ui/tty.h"

struct terminal;

/* What terminfo says. */
struct term_facts {
	char name[64];           /* TERM, "" if unset */
	bool known, moves;       /* there is an entry; it can place its cursor */
	int colours;             /* 0: none.  COLORTERM=truecolor: see direct */
	bool direct;             /* takes 24-bit colours */
	bool talks;              /* takes xterm's private sequences: paste, clipboard, mouse */
};

/* The locale of the environment, numbers excepted; a UTF-8 one where its name
 * says UTF-8 but its data are missing.  Call once, before there are threads. */
void term_locale(void);
bool term_utf8(void);

void term_facts(int fd, struct term_facts *f);
/* Why this terminal cannot show a screen: ST_FAIL. */
enum status term_usable(const struct term_facts *f, struct error *e);

/* Start the screen; takes over modes and signals of tty (borrowed).  in learns
 * this terminal's keys. */
enum status term_open(struct tty *tty, const struct term_facts *f, struct input *in, struct terminal **out,
                      struct error *e);
void term_close(struct terminal *t);

/* The size of the device now. */
void term_size(struct terminal *t, int *w, int *h);
void term_theme(struct terminal *t, const struct theme *theme);
/* Send what is different from the last canvas drawn, in one go; all: everything. */
void term_draw(struct terminal *t, const struct canvas *c, bool all);
void term_mouse(struct terminal *t, bool on);
void term_copy(struct terminal *t, const char *text);    /* to the clipboard (OSC 52), where the terminal can */
/* Give the terminal back, and take it again, around a stop. */
void term_leave(struct terminal *t);
void term_enter(struct terminal *t);

/* Called at the end of each term_draw, when all text is out: images go here, in
 * one write between save and restore cursor.  rewritten: the cells were sent
 * anew (resize, Ctrl-L, SIGCONT), so that all images are gone. */
typedef void term_after_fn(void *arg, struct tty *tty, const struct canvas *c, bool rewritten);
void term_after(struct terminal *t, term_after_fn *fn, void *arg);

/* Whether what is called after the text draws cells that have colours of their
 * own (canvas_halves); else they get the nearest of the palette. */
void term_direct(struct terminal *t, bool direct);

/* What `--terminal-info` prints: what was found out about this terminal. */
enum status term_info(bool no_probe, FILE *out, struct error *e);

#endif
