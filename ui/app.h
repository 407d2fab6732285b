/*
 * app.h: the screen's state, and what a view is.  Screen thread only; it never
 * computes and never waits for the model.
 *
 * From a key to a changed run: term -> keys -> command text -> app changes the
 * cursor or its recipe -> request -> sampler -> node -> wake-up -> view.
 */
#ifndef PSI_UI_APP_H
#define PSI_UI_APP_H

#include <limits.h>

#include "ckpt/ckpt.h"
#include "run/command.h"
#include "run/sampler.h"
#include "text/token.h"
#include "ui/board.h"
#include "ui/canvas.h"
#include "ui/keys.h"

enum focus { FOCUS_SAMPLE, FOCUS_KNOBS, FOCUS_TIMELINE, FOCUS_COUNT };
enum colouring {
	COLOUR_CAUSE, COLOUR_CONFIDENCE, COLOUR_ENTROPY, COLOUR_AGE, COLOUR_TIMES, COLOUR_DENOISER, COLOUR_DIFFERENCE,
	COLOUR_PLAIN, COLOUR_GUIDANCE, COLOUR_COUNT
};

struct app;
struct desk;
struct menu;
struct train;
struct prompt;

/* A view: a full-screen page.  The table of views is in app.c: Sample,
 * Inspect, Tree, Train, Log, Help; Compare, Sweep, Lessons join it there. */
struct view {
	const char *name;
	void (*draw)(struct app *a, struct canvas *c, struct rect r);
	bool (*key)(struct app *a, const struct key *k, int count);   /* true: taken; else the global keys */
	const char *help;
};

/* A pane on top of the view that takes keys until it closes (menu, prompt, help). */
struct popup {
	void (*draw)(struct app *a, struct canvas *c, struct rect r);
	bool (*key)(struct app *a, const struct key *k, int count);   /* false: close it */
	void (*close)(struct app *a);
	void (*paste)(struct app *a, const char *text, size_t bytes);   /* NULL: pasted text is refused */
	bool quiet;                  /* its keys are not recorded, only the commands it runs */
};

/* Where a view looks. */
struct cursor {
	struct node *node;
	int reveal;              /* touched positions of node shown so far; -1: all */
	int sample, pos;
	int select_from;         /* -1: no selection */
};

struct app {
	/* what is looked at, borrowed; desk.c changes it */
	const struct ckpt *ckpt;
	struct model *model, *model_raw;
	const struct tokenizer *tok;
	struct sampler *sampler;
	char name[NAME_MAX + 1];     /* file name shown */
	int side;                    /* pictures: L = 3 side side, by channel, row, column; 0: text */
	struct layout layout;        /* how its tokens want to stand */

	struct cursor cursor;
	struct recipe recipe;        /* the knobs as they are now */
	enum focus focus;
	enum colouring colouring;
	int knob;                    /* chosen knob (index of recipe_knob) */
	int view;                    /* index in the table of views */
	struct popup popup;          /* draw NULL: none */
	bool playing; double play_rate;      /* steps a second */
	bool grid_layout, quit;
	bool reveal_by_confidence;   /* pictures: not row by row */
	/* Wishes for the terminal loop, which fulfils and clears them. */
	bool redraw, suspend;        /* redraw: everything is sent anew */
	char *copy;                  /* text for the clipboard (OSC 52); free() it */
	bool mouse;
	char theme[12];              /* "auto", "dark", "light", "mono"; a change shows in redraw */
	char message[240]; bool message_is_error;
	/* Called with every command line that was executed, by key or typed; NULL: nobody listens. */
	void (*on_command)(void *arg, const char *line); void *on_command_arg;
	/* Called with every line that goes into the log; NULL: nobody listens. */
	void (*on_log)(void *arg, bool error, const char *text); void *on_log_arg;
	struct prompt *prompt;       /* NULL until first opened; app_free calls prompt_free, menu_free */
	struct menu *menu;
	int help_top, help_rows;     /* first line of the help shown; lines in sight */
	struct app_private *priv;    /* desk.c: visited nodes, reports, buffers */
	struct desk *under;          /* the model that waits under this one; NULL: none */
	struct train *train;         /* train.h: what trains beside */
};

struct app_setup {
	const struct ckpt *ckpt; struct model *model, *model_raw; const struct tokenizer *tok;
	struct sampler *sampler; struct recipe recipe; const char *name;
	int side;                    /* of pictures; 0: text */
	struct layout layout;        /* board.h */
	const char *about;           /* family and size, where there is no checkpoint to ask; NULL: nothing */
	struct pool *pool;           /* what a training shares with the sampler; NULL: one of its own */
	const char *path;            /* of the checkpoint; NULL: none */
	const struct edit *clamp; int n_clamp;
	const char *tok_note;        /* where the tokenizer came from, or why ids are shown */
};

enum status app_new(const struct app_setup *s, struct app **out, struct error *e);
void app_free(struct app *a);

/* Drive it without a terminal (tests, --plain, scripts): */
void app_key(struct app *a, const struct key *k);
enum status app_command(struct app *a, const char *line, struct error *e);
void app_reports(struct app *a);                     /* take what the sampler has */
int app_train_fd(const struct app *a);               /* readable when the training has news; -1: there is none */
bool app_train_news(struct app *a);                  /* look at it; true: the screen may have changed */
void app_leave(struct app *a);                       /* quit, at once or when the training is saved */
void app_end(struct app *a);                         /* a signal ended the program: save the training, waiting for it */
bool app_tick(struct app *a, double now_s);          /* play; true: something changed */
double app_next_tick(const struct app *a, double now_s);   /* seconds until app_tick wants a call; < 0: never */
void app_draw(struct app *a, struct canvas *c);      /* everything: header, view, popup, message */
void app_say(struct app *a, bool error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void app_popup(struct app *a, struct popup p);
void app_status_line(const struct app *a, char *buf, size_t size);   /* one line about the state, for --plain */
int app_view_count(void);
const struct view *app_view(int i);
/* Completion: the i-th "view", "colour", "knob", "preset", "branch"; NULL at the end. */
const char *app_word(const char *what, int i);
/* Something asked of the sampler has not been answered yet: scripts and --plain wait for it. */
bool app_busy(const struct app *a);
/* Steps come by themselves: of a run, or played. */
bool app_runs(const struct app *a);

/* Opened by commands; ui/menu.c, ui/prompt.c, ui/view_help.c */
void menu_open(struct app *a);
void menu_free(struct menu *m);
void prompt_open(struct app *a, const char *initial);
void prompt_free(struct prompt *p);
extern const struct view view_sample, view_inspect, view_tree, view_train, view_log, view_help;

/* The terminal loop (ui/loop.c): returns the program's status, or 128 + N when
 * signal N ended it (main then raises N again).  Restores the terminal on every
 * way out.  main calls term_locale (ui/term.h) before it starts a thread. */
struct term_options {
	bool no_probe, plain, mouse;
	const char *theme;           /* "auto", "dark", "light", "mono" */
	const char *images;          /* "auto", "sixel", "half", "ascii", "off"; NULL: auto */
	const char *record, *play;   /* files; NULL: none */
};
int term_run(struct app *a, const struct term_options *o, struct error *e);

#endif
