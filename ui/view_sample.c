/*
 * view_sample.c: the Sample view: the text pane (pictures get a pane of their
 * own beside it), the inspector where there is room, timeline, status, knobs.
 * Screen thread only.
 */
#include "ui/app_private.h"
#include "ui/picture.h"

/* Rows of the parts below the panes, by the height of the view. */
struct rows { int plot, status, inspector; };

static struct rows
rows_for(const struct app *a, struct rect r, bool images)
{
	struct rows n = { .plot = 1, .status = 1, .inspector = 0 };

	if (r.h >= 14)
		n.status = 2;
	if (r.h >= 16)
		n.plot = 2;
	if (r.h >= 20)
		n.plot = 3;
	if (r.h >= 28)
		n.status = 3;
	if (r.h >= 32)
		n.plot = 5;
	if (r.h >= 52)
		n.plot = 7;
	if (a->side && r.h < (images ? 28 : 48)) /* pictures want the rows more, above all where a row is two pixels */
		n.plot = n.status = 1;
	if (r.w >= 72)
		n.inspector = r.w >= 180 ? 60 : r.w >= 140 ? 48 : r.w >= 100 ? 40 : 32;
	return n;
}

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	struct rows n = rows_for(a, r, picture_device_of(c).kind == PICTURE_SIXEL);
	int below = n.plot + n.status + 1, y = r.y + r.h - below;
	struct rect panes = { r.x, r.y, r.w, r.h - below };

	if (n.inspector) {
		panes.w -= n.inspector;
		inspect_draw(a, c, (struct rect){ r.x + panes.w, panes.y, n.inspector, panes.h }, false);
	}
	if (a->side)
		image_draw(a, c, panes);
	else
		text_draw(a, c, panes);
	timeline_draw(a, c, (struct rect){ r.x, y, r.w, n.plot });
	timeline_status(a, c, (struct rect){ r.x, y + n.plot, r.w, n.status });
	knobs_draw(a, c, (struct rect){ r.x, y + n.plot + n.status, r.w, 1 });
}

static bool
sample_click(struct app *a, int x, int y, bool drag)
{
	return a->side ? image_click(a, x, y, drag) : text_click(a, x, y, drag);
}

/* A click goes to what was drawn there; true: it was a click. */
static bool
mouse(struct app *a, const struct key *k)
{
	int x, y;

	if (key_at(k, "Drag", &x, &y)) {
		sample_click(a, x, y, true);
		return true;
	}
	if (!key_at(k, "Click", &x, &y))
		return false;
	if (!sample_click(a, x, y, false) && !timeline_click(a, x, y))
		knobs_click(a, x, y);
	return true;
}

static bool
key(struct app *a, const struct key *k, int count)
{
	if (strcmp(k->name, "<Esc>") == 0) {
		if (a->cursor.select_from >= 0)
			a->cursor.select_from = -1;
		else if (a->priv->held)
			knobs_drop(a);
		else if (a->cursor.reveal >= 0)
			cursor_reveal(a, -1);
		else
			a->focus = FOCUS_SAMPLE;
		return true;
	}
	if (mouse(a, k))
		return true;
	switch (a->focus) {
	case FOCUS_KNOBS:
		return knobs_key(a, k, count);
	case FOCUS_TIMELINE:
		return timeline_key(a, k, count);
	default:
		return a->side ? image_key(a, k, count) : text_key(a, k, count);
	}
}

const struct view view_sample = { "Sample", draw, key,
	"the sample as it is now, the token under the cursor, the timeline and the knobs" };
