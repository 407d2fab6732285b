/* view_log.c: the Log view: messages and steps, newest last.  Screen thread only. */
#include "ui/app_private.h"

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	struct app_private *p = a->priv;
	struct rect in = canvas_frame(c, r, STYLE_FOCUS, "log");
	int from;

	if (p->log_back > p->n_log - in.h)
		p->log_back = p->n_log > in.h ? p->n_log - in.h : 0;
	p->log_rows = in.h;
	from = p->n_log - in.h - p->log_back;
	if (from < 0)
		from = 0;
	for (int i = 0; i < in.h && from + i < p->n_log; i++)
		canvas_put(c, in, 1, i, p->log[from + i].error ? STYLE_ERROR : STYLE_TEXT, p->log[from + i].text);
	if (p->n_log == 0)
		canvas_put(c, in, 1, 0, STYLE_DIM, "nothing yet");
}

static bool
key(struct app *a, const struct key *k, int count)
{
	struct app_private *p = a->priv;
	const char *n = k->name;
	int by = count > 0 ? count : 1, page = p->log_rows > 1 ? p->log_rows - 1 : 1;

	if (strcmp(n, "<Esc>") == 0)
		a->view = 0;
	else if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		p->log_back += by;
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		p->log_back -= by;
	else if (strcmp(n, "<PgUp>") == 0)
		p->log_back += page;
	else if (strcmp(n, "<PgDn>") == 0)
		p->log_back -= page;
	else if (strcmp(n, "<Home>") == 0)
		p->log_back = p->n_log;
	else if (strcmp(n, "<End>") == 0)
		p->log_back = 0;
	else
		return false;
	if (p->log_back < 0)
		p->log_back = 0;
	return true;
}

const struct view view_log = { "Log", draw, key, "what happened: messages and every step with its counts" };
