/*
 * view_image.c: the pane of pictures: samples side by side, and the keys and
 * clicks that move over their pixels.  Screen thread only.
 */
#include "ui/view_image.h"

#include <stdlib.h>

#include "base/mem.h"

struct image_page *
image_page_new(const struct app *a)
{
	struct image_page *p = mem_calloc(1, sizeof *p);
	size_t pixels = (size_t)a->side * (size_t)a->side;

	if (!p)
		return NULL;
	p->rgb = mem_calloc(pixels, sizeof *p->rgb);
	p->style = mem_calloc(pixels, 1);
	p->age = mem_calloc(a->priv->size, sizeof *p->age);
	p->times = mem_calloc(a->priv->size, sizeof *p->times);
	if (!p->rgb || !p->style || !p->age || !p->times) {
		image_page_free(p);
		return NULL;
	}
	return p;
}

void
image_page_free(struct image_page *p)
{
	if (!p)
		return;
	free(p->rgb);
	free(p->style);
	free(p->age);
	free(p->times);
	free(p);
}

static void
pane_title(const struct app *a, const struct image_grid *g, char *buf, size_t size)
{
	const struct app_private *p = a->priv;
	const struct node *n = a->cursor.node;
	char which[64] = "";

	if (n && g->n < p->S && g->n > 1)
		snprintf(which, sizeof which, "pictures %d-%d of %d", g->first + 1, g->first + g->n, p->S);
	else if (n && g->n < p->S)
		snprintf(which, sizeof which, "picture %d of %d", g->first + 1, p->S);
	else
		snprintf(which, sizeof which, p->S > 1 ? "pictures" : "picture");
	if (n && p->preview)
		snprintf(buf, size, "preview of step %d (s keeps, Esc drops)", n->step + 1);
	else if (n && a->cursor.reveal >= 0)
		snprintf(buf, size, "step %d: %d of %d values", n->step, a->cursor.reveal, p->n_touched);
	else if (a->colouring != COLOUR_PLAIN)
		snprintf(buf, size, "%s, coloured by %s", which, colouring_name(a->colouring));
	else
		snprintf(buf, size, "%s", which);
}

/* Where the cursor's pixel is: a marker left of its row and one above its column. */
static void
mark_cursor(const struct app *a, struct canvas *c, const struct image_page *p, struct rect at)
{
	int pixel = a->cursor.pos % (a->side * a->side), x, y;
	enum style s = a->focus == FOCUS_SAMPLE ? STYLE_KEY : STYLE_DIM;
	const struct cell *above;

	picture_cell_of(&p->device, p->grid.zoom, pixel % a->side, pixel / a->side, &x, &y);
	canvas_char(c, canvas_all(c), at.x - 1, at.y + y, s, c->utf8 ? 0x25b8 : '>');
	/* not over the pane's title, nor over another picture */
	above = &c->cell[(at.y - 1) * c->w + at.x + x];
	if (p->grid.caption || above->ch[0] == 0x2500 || above->ch[0] == '-')
		canvas_char(c, canvas_all(c), at.x + x, at.y - 1, s, c->utf8 ? 0x25be : 'v');
}

/* The line above a picture: its number and class, out of the marker's way. */
static void
draw_caption(const struct app *a, struct canvas *c, const struct image_page *p, int sample, struct rect at)
{
	struct rect line = { at.x, at.y - 1, at.w, 1 };
	bool here = sample == a->cursor.sample;
	char number[16], words[40];
	int x = 0, y, n = snprintf(number, sizeof number, "%d", a->recipe.first + sample + 1), w;

	label_words(a, sample, words, sizeof words);
	w = n + (*words ? 1 + (int)strlen(words) : 0);
	if (w > at.w) {
		*words = 0;
		w = n;
	}
	if (here) {
		int pixel = a->cursor.pos % (a->side * a->side);

		picture_cell_of(&p->device, p->grid.zoom, pixel % a->side, pixel / a->side, &x, &y);
		x = x <= w && at.w - w > x ? at.w - w : 0;
	}
	x += canvas_put(c, line, x, 0, here ? STYLE_BOLD : STYLE_DIM, number) + 1;
	canvas_put(c, line, x, 0, here ? STYLE_TEXT : STYLE_DIM, words);
}

static void
draw_sample(struct app *a, struct canvas *c, struct image_page *p, int sample)
{
	struct rect at = image_grid_at(&p->grid, sample);
	struct picture pic = { .w = a->side, .h = a->side, .rgb = p->rgb, .zoom = p->grid.zoom, .style = p->style };

	image_paint(a, p, sample);
	picture_put(c, at, 0, 0, &pic);
	if (p->grid.caption)
		draw_caption(a, c, p, sample, at);
	if (sample == a->cursor.sample && p->device.kind != PICTURE_OFF)
		mark_cursor(a, c, p, at);
}

void
image_draw(struct app *a, struct canvas *c, struct rect r)
{
	enum style border = a->focus == FOCUS_SAMPLE ? STYLE_FOCUS : STYLE_BORDER;
	struct image_page *p = a->priv->image;
	struct rect in = { r.x + 1, r.y + 1, r.w > 2 ? r.w - 2 : 0, r.h > 2 ? r.h - 2 : 0 };
	char title[80];

	if (!p && !(p = a->priv->image = image_page_new(a)))
		return;
	p->device = picture_device_of(c);
	image_grid_make(&p->device, a->side, a->priv->S, a->cursor.sample, in, &p->grid);
	pane_title(a, &p->grid, title, sizeof title);
	canvas_frame(c, r, a->priv->preview ? STYLE_PREVIEW : border, title);
	if (!a->cursor.node) {
		canvas_put(c, in, 1, 0, STYLE_DIM, "starting ...");
		return;
	}
	for (int i = p->grid.first; i < p->grid.first + p->grid.n; i++)
		draw_sample(a, c, p, i);
	if (p->device.kind == PICTURE_OFF)
		canvas_put(c, in, 1, 1, STYLE_DIM, "pictures are off (--images=off)");
	if (a->colouring != COLOUR_PLAIN && r.w > 20) {
		struct rect legend = { r.x + 2, r.y + r.h - 1, r.w - 4, 1 };

		canvas_clear(c, legend);
		colour_legend(a, c, legend, 1, 0);
	}
}

/* --- keys --- */

static void
go_sample(struct app *a, int sample)
{
	int S = a->priv->S;

	sample = sample < 0 ? 0 : sample >= S ? S - 1 : sample;
	if (sample == a->cursor.sample)
		return;
	a->cursor.sample = sample;
	a->cursor.reveal = -1;
	a->priv->moved = true;
	cursor_refresh(a);
	ask_answers(a);
}

static void
go_pixel(struct app *a, int x, int y)
{
	int side = a->side, channel = a->cursor.pos / (side * side);

	x = x < 0 ? 0 : x >= side ? side - 1 : x;
	y = y < 0 ? 0 : y >= side ? side - 1 : y;
	cursor_pos(a, channel * side * side + y * side + x);
}

bool
image_click(struct app *a, int x, int y, bool drag)
{
	const struct image_page *p = a->priv->image;
	int px, py;

	(void)drag;
	if (!p || !a->cursor.node)
		return false;
	for (int i = p->grid.first; i < p->grid.first + p->grid.n; i++) {
		struct rect at = image_grid_at(&p->grid, i);

		if (x < at.x || x >= at.x + at.w || y < at.y || y >= at.y + at.h)
			continue;
		picture_pixel_at(&p->device, p->grid.zoom, x - at.x, y - at.y, &px, &py);
		a->focus = FOCUS_SAMPLE;
		go_sample(a, i);
		go_pixel(a, px, py);
		return true;
	}
	return false;
}

bool
image_key(struct app *a, const struct key *k, int count)
{
	const char *n = k->name;
	int by = count > 0 ? count : 1, pixel = a->cursor.pos % (a->side * a->side), x = pixel % a->side,
	    y = pixel / a->side;

	if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		go_pixel(a, x - by, y);
	else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		go_pixel(a, x + by, y);
	else if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		go_pixel(a, x, y - by);
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		go_pixel(a, x, y + by);
	else if (strcmp(n, "<Home>") == 0)
		go_pixel(a, 0, y);
	else if (strcmp(n, "<End>") == 0)
		go_pixel(a, a->side - 1, y);
	else if (strcmp(n, "<PgUp>") == 0 || strcmp(n, "<WheelUp>") == 0)
		go_sample(a, a->cursor.sample - by);
	else if (strcmp(n, "<PgDn>") == 0 || strcmp(n, "<WheelDown>") == 0)
		go_sample(a, a->cursor.sample + by);
	else
		return false;
	return true;
}
