/*
 * test_image.c: the view of pictures, without a terminal: its cells carry the
 * sampled pictures, keys move over pixels and pictures, the inspector has the
 * distributions, and golden screens (as test_screens.c; PSIVIEW_SCREENS=write).
 *
 * The model here prefers a soft gradient of its own for each class.
 */
#include "tests/check.h"

#include <math.h>

#include "tests/app_util.h"
#include "tests/screen_golden.h"
#include "ui/picture.h"
#include "ui/view_image.h"

enum { SIDE = 16, PIX_L = 3 * SIDE * SIDE, CLASSES = 10 };

static int
wanted(int class, int pos)
{
	int ch = pos / (SIDE * SIDE), x = pos % SIDE, y = pos / SIDE % SIDE;

	return (x * 9 + y * 5 * (ch + 1) + class * 23 + ch * 40) % 256;
}

/* F = 1: the value preferred. */
static enum status
gradient_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
	       struct cancel *c, struct error *e)
{
	(void)m, (void)tok, (void)sigma, (void)c, (void)e;
	for (int i = 0; i < n * PIX_L; i++)
		feat[i] = (float)wanted(label ? label[i / PIX_L] : 0, i % PIX_L);
	return ST_OK;
}

static enum status
gradient_rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	(void)c, (void)e;
	for (int i = 0; i < n; i++)
		for (int v = 0; v < m->V; v++) {
			float d = ((float)v - feat[i]) / 20;

			logit[(size_t)i * (size_t)m->V + (size_t)v] = v < 256 ? -d * d : -20;
		}
	return ST_OK;
}

static bool
image_open(struct bench *b, bool masked, int samples)
{
	struct error e = { 0 };
	struct app_setup s = { .model = &b->model.model,
			       .name = masked ? "masked.ckpt" : "pictures.ckpt",
			       .side = SIDE };

	memset(b, 0, sizeof *b);
	b->model.model = (struct model){ .L = PIX_L,
					 .V = 256 + masked,
					 .F = 1,
					 .mask = masked ? 256 : -1,
					 .classes = CLASSES,
					 .out = masked ? OUT_SUBS : OUT_MEAN,
					 .alpha = { ALPHA_LOGLINEAR, 1e-3 },
					 .timed = !masked,
					 .trunk = gradient_trunk,
					 .rows = gradient_rows };
	b->tok = tok_pixels();
	recipe_default(&b->model.model, true, &s.recipe);
	s.recipe.seed = 7;
	s.recipe.steps = 32;
	s.recipe.samples = samples;
	b->sampler = sampler_new(&(struct sampler_setup){ .ema = &b->model.model, .samples = samples }, &e);
	s.tok = b->tok;
	s.sampler = b->sampler;
	if (!b->sampler || app_new(&s, &b->app, &e)) {
		printf("# %s\n", e.msg);
		return false;
	}
	b->app->priv->fixed_ms = 5;
	return settle(b);
}

static void
draw_at(struct bench *b, int w, int h)
{
	b->canvas.utf8 = true;
	canvas_resize(&b->canvas, w, h);
	app_draw(b->app, &b->canvas);
}

/* Cells of the picture of a sample that do not carry its pixels exactly; -1: it is not shown. */
static int
wrong_cells(struct bench *b, int sample)
{
	const struct image_grid *g = &b->app->priv->image->grid;
	struct rect at = image_grid_at(g, sample);
	const int32_t *tok = b->app->priv->now.tok + (size_t)sample * PIX_L;
	int bad = 0;

	if (sample < g->first || sample >= g->first + g->n || g->zoom < 1)
		return -1;
	for (int y = 0; y < at.h; y++)
		for (int x = 0; x < at.w; x++) {
			const struct cell *k = &b->canvas.cell[(at.y + y) * b->canvas.w + at.x + x];
			uint32_t want[2];

			for (int half = 0; half < 2; half++) {
				int i = (2 * y + half) / g->zoom * SIDE + x / g->zoom;

				want[half] = CELL_RGB | (uint32_t)(tok[i] << 16 | tok[i + SIDE * SIDE] << 8 |
								   tok[i + 2 * SIDE * SIDE]);
			}
			bad += k->ch[0] != 0x2580 || k->fg != want[0] || k->bg != want[1];
		}
	return bad;
}

static void
test_cells(void)
{
	struct bench b;
	static const int size[][2] = { { 80, 24 }, { 120, 40 }, { 200, 60 }, { 300, 100 } };

	if (!CHECK(image_open(&b, false, 4), "opens"))
		return;
	draw_at(&b, 80, 24);
	CHECK(type(&b, "12s"), "12 steps");
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		draw_at(&b, size[i][0], size[i][1]);
		for (int k = 0; k < 4; k++)
			CHECK(wrong_cells(&b, k) == 0, "%dx%d: picture %d stands there pixel by pixel", size[i][0],
			      size[i][1], k);
	}
	CHECK(b.app->priv->image->grid.zoom >= 3, "and grows with the terminal: zoom %d",
	      b.app->priv->image->grid.zoom);
	bench_close(&b);
}

static void
test_grid(void)
{
	struct picture_device d = { PICTURE_HALF, 10, 20, 0 };
	struct image_grid g;
	int last = 0, bad = 0;

	for (int S = 1; S <= 64; S++)
		for (int w = 4; w < 200; w += 7)
			for (int h = 2; h < 70; h += 5) {
				image_grid_make(&d, 32, S, S - 1, (struct rect){ 1, 2, w, h }, &g);
				bad += g.n > 0 && (S - 1 < g.first || S - 1 >= g.first + g.n);
				for (int k = g.first; k < g.first + g.n; k++) {
					struct rect at = image_grid_at(&g, k);

					bad += at.x < 2 || at.y < 2 || at.x + at.w > 1 + w || at.y + at.h > 2 + h;
				}
			}
	CHECK(!bad, "the cursor's picture is shown, and all are inside: %d are not", bad);
	for (int h = 20; h < 200; h++) {
		image_grid_make(&d, 32, 64, 0, (struct rect){ 0, 0, 2 * h, h }, &g);
		bad += g.n < last;
		last = g.n;
	}
	CHECK(!bad && last == 64, "64 pictures come into sight as the terminal grows: %d", last);
}

static void
test_keys(void)
{
	struct bench b;
	struct app *a;
	int at[3];
	char cell[32];
	struct error e = { 0 };

	if (!CHECK(image_open(&b, false, 4), "opens"))
		return;
	a = b.app;
	draw_at(&b, 200, 60);
	CHECK(type(&b, "20s<Right>3<Down>"), "moves");
	CHECK(app_positions(a, at) == 3 && at[0] == 3 * SIDE + 1 && at[1] == at[0] + SIDE * SIDE &&
		  at[2] == at[1] + SIDE * SIDE,
	      "the cursor has three positions");
	type(&b, "<PgDn>");
	CHECK(a->cursor.sample == 1, "PgDn: the next picture");
	type(&b, "<PgUp><PgUp><End>");
	CHECK(a->cursor.sample == 0 && a->cursor.pos == 3 * SIDE + SIDE - 1, "PgUp; End: end of the row");
	type(&b, "99<Up><Home>");
	CHECK(a->cursor.pos == 0, "never out of the picture");
	struct rect r = image_grid_at(&a->priv->image->grid, 2);
	int zoom = a->priv->image->grid.zoom;
	snprintf(cell, sizeof cell, "<Click:%d,%d>", r.x + 4 * zoom + 1, r.y + 3 * zoom + 1);
	type(&b, cell);
	CHECK(a->cursor.sample == 2 && a->cursor.pos == 6 * SIDE + 4, "a click takes the pixel: %d, %d",
	      a->cursor.sample, a->cursor.pos);
	CHECK(app_command(a, "label cat", &e) == ST_OK && settle(&b) && a->recipe.label == 3, "a class by its name");
	CHECK(app_command(a, "set label ship", &e) == ST_OK && a->recipe.label == 8, "as a knob too");
	CHECK(app_command(a, "label unicorn", &e) == ST_USAGE, "there is no such class");
	bench_close(&b);
}

static void
test_laws(void)
{
	struct bench b;
	const struct app_private *p;

	if (!CHECK(image_open(&b, false, 2), "opens"))
		return;
	draw_at(&b, 120, 40);
	type(&b, "20s2<Right>");
	p = b.app->priv;
	if (CHECK(p->has_look && p->law, "the three channels are looked at")) {
		for (int ch = 0; ch < 3; ch++) {
			const double *x = p->law + (size_t)ch * LAW_COUNT * 256;
			const struct look *l = ch ? &p->also[ch - 1] : &p->look;
			int z = p->tok[2 + ch * SIDE * SIDE], best = 0;

			for (int law = 0; law < LAW_COUNT; law++) {
				double sum = 0;

				for (int v = 0; v < 256; v++)
					sum += x[law * 256 + v];
				CHECK(fabs(sum - 1) < 1e-9, "channel %d, law %d: sums to 1", ch, law);
			}
			for (int v = 0; v < 256; v++)
				best = x[v] > x[best] ? v : best;
			CHECK(best == wanted(0, 2 + ch * SIDE * SIDE), "channel %d: x_theta is at the value wanted",
			      ch);
			CHECK(l->z == z && x[z] == l->p_now && x[512 + z] == l->psi_now,
			      "channel %d: of the value held", ch);
		}
	}
	bench_close(&b);
}

static void
test_reveal(void)
{
	struct bench b;
	struct app *a;
	int rows = 0, last = -1, bad = 0;
	struct error e = { 0 };

	if (!CHECK(image_open(&b, true, 1), "opens"))
		return;
	a = b.app;
	draw_at(&b, 80, 24);
	type(&b, "8s.");
	while (a->cursor.reveal >= 0 && rows < 1000) {
		int row = a->priv->touched[a->cursor.reveal - 1] % (SIDE * SIDE) / SIDE;

		bad += row <= last && rows < SIDE - 1 &&
		       a->priv->cause[a->priv->touched[a->cursor.reveal - 1]] == CAUSE_PRED &&
		       a->priv->cause[a->priv->touched[0]] != CAUSE_PRED;
		last = row;
		rows++;
		type(&b, ".");
	}
	CHECK(rows > 2 && rows <= 3 * SIDE && !bad, "a step is revealed row by row: %d rows", rows);
	CHECK(app_command(a, "reveal confidence", &e) == ST_OK && settle(&b), "by confidence");
	for (int i = 1; i < a->priv->n_touched; i++) {
		int u = a->priv->touched[i - 1], v = a->priv->touched[i];

		bad += a->priv->now.cause[u] == a->priv->now.cause[v] && a->priv->now.prob[v] > a->priv->now.prob[u];
	}
	CHECK(!bad, "the surest come first");
	bench_close(&b);
}

static void
check_tints(struct app *a)
{
	struct image_page *p = a->priv->image;
	int bad = 0;

	image_paint(a, p, 0);
	for (int i = 0; i < SIDE * SIDE; i++) {
		bool changed = false;
		uint32_t own = 0;

		for (int ch = 0; ch < 3; ch++) {
			changed |= cause_changed(a->priv->now.cause[ch * SIDE * SIDE + i]);
			own = own << 8 | (uint32_t)a->priv->now.tok[ch * SIDE * SIDE + i];
		}
		bad += changed != (p->rgb[i] != own);
	}
	CHECK(!bad, "the changed pixels are tinted, no other: %d", bad);
}

static void
test_overlays(void)
{
	struct bench b;
	struct app *a;
	struct image_page *p;
	struct error e = { 0 };
	int bad = 0;

	if (!CHECK(image_open(&b, false, 2), "opens"))
		return;
	a = b.app;
	draw_at(&b, 120, 40);
	type(&b, "20s");
	app_command(a, "colour difference", &e);
	settle(&b);
	draw_at(&b, 120, 40);
	p = a->priv->image;
	for (int k = 0; k < 2; k++) {
		image_paint(a, p, k);
		for (int i = 0; i < SIDE * SIDE; i++)
			for (int ch = 0; ch < 3; ch++) {
				size_t at = (size_t)(k * PIX_L + ch * SIDE * SIDE + i);

				bad += (int)(p->rgb[i] >> (16 - 8 * ch) & 255) !=
				       abs(a->priv->now.tok[at] - a->priv->before.tok[at]);
			}
	}
	CHECK(!bad, "|difference| to the step before");
	app_command(a, "colour denoiser", &e);
	settle(&b);
	image_paint(a, p, 1);
	for (int i = 0; i < SIDE * SIDE; i++)
		bad += (int)(p->rgb[i] >> 16) != wanted(1, i);
	CHECK(!bad, "what the denoiser would say now");
	app_command(a, "colour cause", &e);
	settle(&b);
	check_tints(a);
	for (enum colouring k = COLOUR_CONFIDENCE; k <= COLOUR_TIMES; k++) {
		uint32_t first;

		a->colouring = k;
		ask_answers(a);
		settle(&b);
		image_paint(a, p, 1);
		first = p->rgb[0];
		for (int i = bad = 0; i < SIDE * SIDE; i++)
			bad += p->rgb[i] != first;
		/* here the model is as unsure of every pixel */
		CHECK(k == COLOUR_ENTROPY ? bad < SIDE * SIDE : bad > 0, "%s is a map", colouring_name(k));
	}
	bench_close(&b);
}

/* --- golden screens --- */

static const struct {
	const char *name;
	bool masked;
	int samples;
	const char *keys, *command;
	int w, h;
	bool utf8;
} cases[] = {
	{ "image-start-80x24", false, 4, "", NULL, 80, 24, true },
	{ "image-steps-80x24", false, 4, "20s<Right><Down>", NULL, 80, 24, true },
	{ "image-steps-80x24-ascii", false, 4, "20s<Right><Down>", NULL, 80, 24, false },
	{ "image-steps-120x40", false, 9, "20s<PgDn>", NULL, 120, 40, true },
	{ "image-masked-80x24", true, 2, "12s", NULL, 80, 24, true },
	{ "image-cause-80x24-ascii", true, 2, "12s", "colour cause", 80, 24, false },
	{ "image-entropy-80x24", false, 4, "12s", "colour entropy", 80, 24, true },
	{ "image-steps-40x12", false, 4, "20s", NULL, 40, 12, true },
	{ "image-inspect-120x40", false, 4, "f3<Right><Enter>", NULL, 120, 40, true },
	{ "image-inspect-80x24-ascii", false, 4, "f3<Right><Enter>", NULL, 80, 24, false },
	{ "image-reveal-80x24", false, 4, "20s...", NULL, 80, 24, true },
};

static void
test_screens(void)
{
	const char *src = getenv("SRCDIR"), *mode = getenv("PSIVIEW_SCREENS");

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		struct error e = { 0 };
		char path[500], *got;
		bool ok = image_open(&b, cases[i].masked, cases[i].samples);

		if (!CHECK(ok, "%s: opens", cases[i].name))
			continue;
		free(screen(&b, cases[i].w, cases[i].h, cases[i].utf8, true));
		ok = type(&b, cases[i].keys);
		if (cases[i].command)
			ok &= app_command(b.app, cases[i].command, &e) == ST_OK && settle(&b);
		got = screen(&b, cases[i].w, cases[i].h, cases[i].utf8, true);
		snprintf(path, sizeof path, "%s/tests/golden/screens/%s.txt", src ? src : ".", cases[i].name);
		ok &= screen_golden(path, got, mode && strcmp(mode, "write") == 0);
		CHECK(ok, "%s", cases[i].name);
		free(got);
		bench_close(&b);
	}
}

int
main(void)
{
	test_grid();
	test_cells();
	test_keys();
	test_laws();
	test_reveal();
	test_overlays();
	test_screens();
	return check_done();
}
