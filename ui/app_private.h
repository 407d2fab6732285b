/*
 * app_private.h: what the files of the screen's logic share (app.c, cursor.c,
 * reports.c, do_*.c) and the views read.  Screen thread only.
 *
 * Text and pictures differ in the view and in app_positions(): nothing else
 * here asks which it is.
 */
#ifndef PSI_UI_APP_PRIVATE_H
#define PSI_UI_APP_PRIVATE_H

#include <limits.h>
#include <string.h>

#include "text/show.h"
#include "ui/app.h"

/* Nodes in an array of our own; the nodes are the tree's. */
struct nodes { struct node **at; int n; size_t cap; };

/* One line of the log. */
struct log_line { char *text; bool error; };

struct app_private {
	struct keys keys;
	size_t size;                 /* S * L */
	int S, L;

	struct edit *clamp;          /* of the command line; every run of this session starts with them */
	int n_clamp;

	/* States, each filled from the tree or by a report. */
	struct state now, before;    /* of the cursor's node; of the one above it (now again at a start) */
	struct state next;           /* one step on at these knobs */
	bool has_next, next_missing;
	const struct node *next_of;  /* the state it follows */
	struct node *next_node;      /* that state is in the tree already; NULL: a preview */
	struct step_counts next_counts;
	struct state other;          /* what COLOUR_DIFFERENCE compares with */
	bool has_other;
	int other_branch;            /* index in branches, -1: the state before */

	/* What the pane shows: now, partly before (reveal), or next (preview). [L] of the cursor's sample. */
	int32_t *tok;
	uint8_t *cause;
	float *prob;
	bool preview;                /* it is next */

	/* Positions touched by the step that made the cursor's node, in the order
	 * of the reveal: predictor, corrector, the rest.  rank [L]: index in touched, -1. */
	int *touched, n_touched, *rank;

	/* Steps since a position changed and how often it did, of the cursor's
	 * sample at history_node; kept up step by step. */
	int *age, *times;
	const struct node *history_node;
	int history_sample;

	struct nodes line;           /* the states the timeline shows, from a start to a leaf */
	int at;                      /* the cursor's node in it */
	struct nodes visited;        /* undo, redo */
	int visited_at;
	bool merge;                  /* the next visit replaces the last: steps of one command are one visit */
	struct nodes runs, branches; /* starts; first node of each branch but the first of a run; by age */
	struct place { const struct node *node; int run, branch; } place; /* last asked for; node NULL: none */

	/* Answers of the sampler for the cursor as it is. */
	struct look look;
	bool has_look, look_missing;
	struct look also[2];         /* pictures: of the other channels of the pixel, as app_positions gives them */
	double *law;                 /* pictures: [3][LAW_COUNT][V] of the three, owned; NULL: none */
	char look_note[120];         /* why there is none */
	const struct node *look_of;  /* the state it was asked for: while a step is revealed, the one before */
	float *value;                /* [S*L] */
	int32_t *said;               /* [S*L] the denoiser's argmax */
	bool has_value, has_said, paint_missing;
	uint64_t preview_ticket, look_ticket, paint_ticket, ahead_ticket;

	/* Steps under way. */
	uint64_t step_ticket, start_ticket;
	bool stepping;               /* asked for, not all there; the cursor follows them */
	int steps_left;              /* of those; INT_MAX: to the end */
	int more;                    /* steps to ask for after those */
	bool again;                  /* they were stopped for other knobs: ask for those that are left */
	bool reveal_next;            /* arriving, show the first touched position only */
	bool held;                   /* knobs were changed and no step was made with them */
	struct leg *plan;            /* while held: how they lay out the rest of the run; owned */

	bool moved;                  /* since the last tick: look ahead when the cursor rests */
	bool need_ahead;
	const struct node *ahead_node;       /* its features were asked for, under ahead_recipe */
	struct recipe ahead_recipe;
	double rest_at, play_at;     /* seconds; < 0: not set */
	/* seconds: of the last tick; since when the cursor waits for the sampler, < 0: just now */
	double clock, waiting_since;

	int bound;                   /* bound of the zones chosen in the timeline: 0 high|middle, 1 middle|low */
	struct state past;           /* of the line's earlier states, one at a time */
	struct show_buf past_buf;
	struct text_page *page;      /* view_text.h; made by the first frame */
	struct image_page *image;    /* view_image.h; likewise */
	int text_rows, text_lines;   /* of the pane as last drawn; of the text */
	int text_top;                /* first line shown */
	struct rect text_area, plot_area, knob_area; /* as last drawn, for the mouse */
	int knob_end[16], knob_id[16], n_knob;       /* where each knob of the bar ends */
	int *row_of, *col_of;        /* [L] where each token was last drawn (line of the text, cell) */
	int tree_at, tree_top, tree_step;    /* chosen row of the tree view; first row shown; chosen step */
	int look_top;                /* first entry of the top list shown in the full view */
	int log_back, log_rows;      /* lines scrolled back from the end; lines shown */
	struct log_line *log;
	int n_log;
	size_t log_cap;
	char file_line[128], dtype[16];      /* family, size, L, V; type of the weights: the header */
	double fixed_ms;             /* >= 0: shown in place of measured times (golden screens) */
};

/* desk.c: what is looked at */
/* Look at another model; the one before waits under it (one at most: close it before the next). */
enum status desk_open(struct app *a, const struct app_setup *s, struct error *e);
void desk_close(struct app *a);                              /* back to the one that waits, as it was; none: nothing */
void desk_free(struct app *a);

/* cursor.c: where the screen looks */
void cursor_go(struct app *a, struct node *n);               /* look at n; a visit */
void cursor_go_along(struct app *a, struct node *n);         /* and let the line go on with n's own branch */
void cursor_refresh(struct app *a);                          /* after reveal, sample or knobs changed */
void cursor_reveal(struct app *a, int reveal);
void cursor_pos(struct app *a, int pos);                     /* clipped */
void cursor_undo(struct app *a, int by, struct error *e);
struct node *cursor_child(const struct app *a);              /* the state one step on at these knobs, if it was made */
bool cursor_at_end(const struct app *a);
const struct recipe *cursor_recipe(const struct app *a);     /* the recipe of the line at the cursor */
void cursor_born(struct app *a, struct node *n);             /* a node was made: note runs and branches */
int run_of(const struct app *a, const struct node *n);       /* 1.. */
int branch_of(const struct app *a, const struct node *n);    /* index in branches, -1: the first of its run */
void branch_name(const struct app *a, int branch, char out[8]);
struct node *branch_node(const struct app *a, int branch, int step);   /* on that branch at that step, NULL */
int app_positions(const struct app *a, int out[3]);          /* places of the state the cursor stands on */
int node_steps(const struct node *n);                        /* steps of its run, noise removal not counted */
void cursor_history(struct app *a);                          /* bring age and times up to date */
bool nodes_add(struct nodes *v, struct node *n);

/* reveal.c: how a step is shown part by part */
int reveal_group(const struct app_private *p, size_t i);     /* 0 predictor, 1 corrector, 2 the rest, -1: untouched */
void reveal_order(struct app *a);                            /* put the touched positions in the order of the reveal */
int reveal_next(const struct app *a, int k);                 /* how many are shown after k, and before */
int reveal_prev(const struct app *a, int k);

/* reports.c: questions to the sampler and what comes back */
void ask_answers(struct app *a);                             /* preview, inspector, colouring for the cursor as it is */
void ask_ahead(struct app *a);                               /* features of a state the cursor rests on, if they miss */
void ask_steps(struct app *a, int count);
void ask_start(struct app *a, const struct edit *clamp, int n);
void stop_steps(struct app *a);

/* do_*.c: commands.  Each returns a status and fills e. */
typedef enum status do_fn(struct app *a, const char *args, struct error *e);
do_fn do_step, do_back, do_next_token, do_prev_token, do_continue, do_continue_back, do_finish, do_stop, do_play,
	do_slower, do_faster, do_first, do_last, do_goto, do_next_hit, do_prev_hit, do_undo, do_redo;
do_fn do_set, do_seed, do_sample, do_weights, do_preset, do_recipe, do_label, do_restart;
do_fn do_tree, do_colour, do_layout, do_reveal, do_view, do_focus, do_focus_back, do_inspect, do_menu, do_help,
    do_command, do_copy, do_write, do_redraw, do_suspend, do_mouse, do_theme, do_select, do_train, do_quit;
enum status need_node(const struct app *a, struct error *e); /* ST_FAIL while there is no state yet */
const char *args_trim(const char *args, char *buf, size_t size);     /* without blanks at the ends; returns buf */
enum status one_number(const char *args, long lo, long hi, long fallback, long *out, struct error *e);
/* Take r as the knobs; a preview of the step follows at once.  ST_USAGE: it makes no sense for this model. */
enum status knobs_take(struct app *a, const struct recipe *r, struct error *e);
void knobs_said(struct app *a, const char *name);            /* say what that knob is now, and what becomes of it */
void knobs_plan(struct app *a);                              /* lay out the held knobs anew, from where the cursor is */
void knobs_drop(struct app *a);                              /* back to the line's recipe */
void reveal_first(struct app *a);                            /* show only the first touched position of this step */
int play_steps(struct app *a);                               /* the steps of one beat; 0: none left */

/* labels.c: classes by name */
const char *label_name(const struct app *a, int label);      /* NULL: it has none */
bool label_find(const struct app *a, const char *name, char out[16]);  /* its number, as a knob takes it */
/* "3 cat", of a sample; "" without classes */
void label_words(const struct app *a, int sample, char *buf, size_t size);
/* value shown */
void knob_words(const struct app *a, const char *knob, const struct recipe *r, char *buf, size_t size);

/* header.c: first and last line */
void header_describe(struct app *a, const char *about);      /* family, size, L, V; about: without a checkpoint */
void header_draw(struct app *a, struct canvas *c, struct rect r);
void hints_draw(struct app *a, struct canvas *c, struct rect r);

/* words.c: sentences and numbers */
void say_state(const struct app *a, char *buf, size_t size); /* one line about the state: step, counts, times */
void say_position(const struct app *a, int pos, char *buf, size_t size); /* how this position got its token */
void say_token(const struct app *a, int32_t tok, char *buf, size_t size); /* quoted, printable */
void say_number(double v, char *buf, size_t size);           /* .71, 1.32, 12.3, 123 */
void say_change(double v, char *buf, size_t size);	     /* +.31, -.05, 0 */
void say_counts(const struct step_counts *n, char *buf, size_t size);     /* +24 .3 ~3 !2 same 9 */
void app_log(struct app *a, bool error, const char *text);
void log_step(struct app *a);                                /* the step that made the cursor's node */

/* colour.c */
enum style cause_style(enum cause c);
const char *cause_word(enum cause c);                        /* one word */
struct painted { enum style style; char mark; };             /* mark 0: none */
struct painted cause_paint(const struct app *a, enum cause c, int32_t tok, bool fixed);
void colour_row(struct app *a, struct painted *out);         /* [L] for the state shown */
int32_t colour_token(const struct app *a, int pos);          /* the token to draw there */
void colour_legend(struct app *a, struct canvas *c, struct rect r, int x, int y);
const char *colouring_name(enum colouring k);
bool confidence_when_drawn(const struct app *a);             /* and not as x_theta sees it now */
bool colouring_paint(const struct app *a, enum paint *out);  /* needs a RQ_PAINT, which */
/* What guidance did to the token that is there (in a reveal, to the one drawn); NULL: nothing. */
const struct look_guided *look_steered(const struct app *a, const struct look *l);
bool colouring_fits(const struct app *a, enum colouring k);  /* has something to show for this model */

/* Parts of the Sample view; each draws into r. */
void text_draw(struct app *a, struct canvas *c, struct rect r);
bool text_key(struct app *a, const struct key *k, int count);
bool text_click(struct app *a, int x, int y, bool drag);     /* cells of the screen; false: not there */
void image_draw(struct app *a, struct canvas *c, struct rect r);
bool image_key(struct app *a, const struct key *k, int count);
bool image_click(struct app *a, int x, int y, bool drag);
void pixel_draw(struct app *a, struct canvas *c, struct rect r, bool full);   /* the inspector of a pixel */
void inspect_draw(struct app *a, struct canvas *c, struct rect r, bool full);
void knobs_draw(struct app *a, struct canvas *c, struct rect r);
bool knobs_key(struct app *a, const struct key *k, int count);
bool knobs_click(struct app *a, int x, int y);
bool knob_matters(const struct app *a, int knob);
const struct leg *coming_leg(const struct app *a);           /* the plan the next step follows; NULL: none */
void timeline_draw(struct app *a, struct canvas *c, struct rect r);       /* causes and kappa, r.h >= 2 */
void timeline_status(struct app *a, struct canvas *c, struct rect r);     /* step, t, counts: r.h 1 or 2 */
bool timeline_key(struct app *a, const struct key *k, int count);
bool timeline_click(struct app *a, int x, int y);
/* whether this model's steps mix predictor and corrector */
bool has_kappa(const struct app *a);

#endif
