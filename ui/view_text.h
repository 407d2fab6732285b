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
	bool utf8, tight;        /* tight: an alphabet, one cell a token */
	int32_t *ids;            /* [n] */
	struct shown *shown;     /* [n] */
	struct painted *painted; /* [n] */
	struct show_buf buf;
};

struct text_page *text_page_new(const struct app *a);    /* NULL: out of memory */
void text_page_free(struct text_page *t);                /* NULL is fine */
bool text_page_fill(struct text_page *t, struct app *a, bool utf8, int width);
bool text_tight(const struct app *a);

#endif
