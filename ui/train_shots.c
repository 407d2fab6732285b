/*
 * train_shots.c: the samples that a training draws at its checkpoints, from the
 * same noise each time: as text, as boards, as pictures.  Screen thread only.
 */
#include "ui/train.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ui/view_image.h"

/* ---- text ---- */

struct pad {
	struct canvas *c;
	struct rect r;
	int x, y;
};

static void
pad_put(struct pad *p, enum style s, const char *text, size_t bytes, int cells)
{
	if (p->x + cells > p->r.w) {
		p->x = 0;
		p->y++;
	}
	if (p->y < p->r.h)
		canvas_putn(p->c, p->r, p->x, p->y, s, text, bytes);
	p->x += cells;
}

/* One sample as running text from the top of r; returns the lines it took. */
static int
draw_text(const struct tokenizer *tok, struct canvas *c, struct rect r, const int32_t *ids, int n, struct show_buf *buf)
{
	struct shown *shown = mem_calloc((size_t)n, sizeof *shown);
	struct pad p = { .c = c, .r = r };

	if (!shown || !show_tokens(tok, ids, n, c->utf8 ? 0 : SHOW_ASCII, shown, buf)) {
		free(shown);
		return 1;
	}
	for (int i = 0; i < n && p.y < r.h; i++) {
		const char *at = shown[i].text, *end = at + shown[i].bytes;
		struct glyph g;

		if (shown[i].space_before && p.x > 0)
			pad_put(&p, STYLE_TEXT, " ", 1, 1);
		while (shown[i].bytes && show_glyph(&at, end, &g)) {
			if (g.newline) {
				p.x = 0;
				p.y++;
				continue;
			}
			pad_put(&p, shown[i].special ? STYLE_DIM : STYLE_TEXT, g.text, g.bytes, g.cells);
		}
	}
	free(shown);
	return p.y + 1;
}

static void
draw_texts(struct app *a, const struct tokenizer *tok, struct canvas *c, struct rect r)
{
	struct train *t = a->train;
	struct show_buf buf = { 0 };
	int L = t->now.source.L, y = 0;

	for (int i = t->sample; i < t->n_sample && y < r.h; i++) {
		canvas_printf(c, r, 0, y, STYLE_DIM, "%3d", i + 1);
		y += draw_text(tok, c, (struct rect){ r.x + 4, r.y + y, r.w - 5, r.h - y },
			       t->tok + (size_t)i * (size_t)L, L, &buf);
	}
	show_buf_done(&buf);
}

/* ---- boards ---- */

static void
draw_board(const struct tokenizer *tok, struct canvas *c, struct rect r, const struct board *b, const int32_t *ids,
	   int n)
{
	board_lines(b, c, r, 0);
	for (int i = b->l.first; i < n; i++) {
		char text[24];
		const char *at = text;
		struct glyph g;
		int x, y;

		size_t bytes = show_one(tok, ids[i], c->utf8 ? 0 : SHOW_ASCII, text, sizeof text);
		bool special = tok_special(tok, ids[i]) || ids[i] == tok->mask;
		board_at(b, i, &x, &y);
		if (special && bytes > 1 && *text == '[')
			at++;
		if (show_glyph(&at, text + bytes, &g) && !g.newline)
			canvas_putn(c, r, x + 1, y, special ? STYLE_MASK : STYLE_TEXT, g.text, g.bytes);
	}
}

/* As many beside and below each other as there is room for. */
static void
draw_boards(struct app *a, const struct tokenizer *tok, struct canvas *c, struct rect r, const struct board *b)
{
	struct train *t = a->train;
	int L = t->now.source.L, y = 0;

	for (int i = t->sample; i < t->n_sample && y < r.h;) {
		for (int x = 1; i < t->n_sample && x + b->w <= r.w; x += b->w + 3, i++)
			draw_board(tok, c, (struct rect){ r.x + x, r.y + y, b->w, r.h - y }, b,
				   t->tok + (size_t)i * (size_t)L, L);
		y += b->h + 1;
	}
}

/* ---- pictures ---- */

static void
draw_picture(struct canvas *c, struct rect at, const int32_t *ids, int side, int zoom, uint32_t *rgb)
{
	struct picture pic = { .w = side, .h = side, .rgb = rgb, .zoom = zoom };
	int pixels = side * side;

	for (int i = 0; i < pixels; i++) {
		int v[3];

		for (int k = 0; k < 3; k++)
			v[k] = ids[k * pixels + i] < 256 ? ids[k * pixels + i] : -1;
		rgb[i] = image_colour(v, i % side, i / side);
	}
	picture_put(c, at, 0, 0, &pic);
}

static void
draw_pictures(struct app *a, struct canvas *c, struct rect r)
{
	struct train *t = a->train;
	struct picture_device d = picture_device_of(c);
	int side = t->now.source.side;
	uint32_t *rgb = mem_calloc((size_t)side * (size_t)side, sizeof *rgb);
	struct image_grid g;

	if (!rgb || d.kind == PICTURE_OFF) {
		canvas_put(c, r, 1, 0, STYLE_DIM, "pictures are off (--images=off)");
		free(rgb);
		return;
	}
	image_grid_make(&d, side, t->n_sample, t->sample, r, &g);
	for (int i = g.first; i < g.first + g.n; i++)
		draw_picture(c, image_grid_at(&g, i), t->tok + (size_t)i * (size_t)(3 * side * side), side, g.zoom,
			     rgb);
	free(rgb);
}

/* ---- the pane ---- */

int
train_shots_rows(struct app *a, int w)
{
	struct train *t = a->train;
	const struct source_info *s = &t->now.source;
	struct layout l = train_layout(t);
	const struct tokenizer *tok = t->t ? trainer_tokenizer(t->t) : NULL;
	struct board b;

	train_load_set(a);
	if (t->loaded < 0 || !tok)
		return 5;
	if (s->side)
		return INT_MAX / 2;
	if (board_make(&l, s->L, w - 4, INT_MAX, &b)) {
		int per = (w - 4) / (b.w + 3) > 0 ? (w - 4) / (b.w + 3) : 1;

		return (t->n_sample + per - 1) / per * (b.h + 1) - 1;
	}
	/* a piece of a word has about four letters */
	return t->n_sample * (s->L * (tok->kind == TOK_BPE || tok->kind == TOK_WORDPIECE ? 5 : 1) / (w - 7) + 1);
}

void
train_shots_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct train *t = a->train;
	const struct tokenizer *tok = t->t ? trainer_tokenizer(t->t) : NULL;
	struct layout l = train_layout(t);
	struct rect in;
	struct board b;
	char title[80];

	train_load_set(a);
	if (t->loaded < 0)
		snprintf(title, sizeof title, "samples");
	else
		snprintf(title, sizeof title,
			 r.w >= 60 ? "samples at step %lld: checkpoint %d of %d, always the same noise"
				   : "samples at step %lld, %d of %d",
			 (long long)t->set_step, t->loaded + 1, t->now.n_samples);
	in = canvas_frame(c, r, t->page == TRAIN_SHOTS ? STYLE_FOCUS : STYLE_BORDER, title);
	if (t->loaded < 0 || !tok)
		canvas_put(c, in, 1, 0, STYLE_DIM, t->now.job.goal == JOB_CLASSIFIER
			   ? "none: a classifier guides others" : "none yet: they are drawn at every checkpoint");
	else if (t->now.source.side)
		draw_pictures(a, c, in);
	else if (board_make(&l, t->now.source.L, in.w - 2, in.h, &b))
		draw_boards(a, tok, c, in, &b);
	else
		draw_texts(a, tok, c, in);
}
