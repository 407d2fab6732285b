/*
 * view_text.h: a page of text as the text pane lays it out.  Screen thread.
 */
#ifndef PSI_UI_VIEW_TEXT_H
#define PSI_UI_VIEW_TEXT_H

#include "text/show.h"
#include "ui/app_private.h"

/* What one frame draws; kept from frame to frame, owned by the app. */
struct text_page {
	int n, cols;             /* tokens; tokens a line (grid, alphabets) */
	bool on_board;           /* as the checkpoint's layout says */
	struct board board;
	bool utf8, tight;        /* tight: an alphabet, one cell a token */
	int32_t *ids;            /* [n] */
	struct shown *shown;     /* [n] */
	struct painted *painted; /* [n] */
	struct show_buf buf;
};

/* Where drawing stands; c NULL: only measured. */
struct pen {
	struct canvas *c;
	struct rect r;           /* text area */
	int x, y;                /* of the text: y 0 is its first line */
	int top;                 /* first line shown */
	int width;
};

struct text_page *text_page_new(const struct app *a);    /* NULL: out of memory */
void text_page_free(struct text_page *t);                /* NULL is fine */
/* Read the tokens and their colours for this frame of w x h; false: out of memory. */
bool text_page_fill(struct text_page *t, struct app *a, bool utf8, int w, int h);
/* Draw it, or measure it; notes where each token is in row_of and col_of of the
 * app.  Returns the number of lines. */
int text_page_draw(struct app *a, struct text_page *t, struct pen *p);
/* The sign of special token i in an alphabet: one cell, as every other token. */
uint32_t text_special_sign(const struct app *a, const struct text_page *t, int i, bool utf8);
bool text_tight(const struct app *a);                    /* an alphabet: one cell a token */

#endif
