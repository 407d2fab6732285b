/* image_grid.c: how many pictures stand in a pane, and where.  Pure. */
#include "ui/view_image.h"

/* Zoom at which all S pictures stand in cols columns; 0: they do not, or only made smaller. */
static int
zoom_in(const struct picture_device *d, int side, int S, int cols, struct rect area, bool caption)
{
	int rows = (S + cols - 1) / cols, z;

	z = picture_zoom(d, side, side, area.w / cols - 1, (area.h + !caption) / rows - 1);
	return z > 0 ? z : 0;
}

/* The best number of columns for all S; returns the zoom. */
static int
best_columns(const struct picture_device *d, int side, int S, struct rect area, bool caption, int *cols)
{
	int best = 0, spare = 0;

	for (int k = 1; k <= S && k <= area.w / 2; k++) {
		int z = zoom_in(d, side, S, k, area, caption), left = (S + k - 1) / k * k - S;

		if (z > best || (z == best && z > 0 && left < spare)) {
			best = z;
			spare = left;
			*cols = k;
		}
	}
	return best;
}

/* Not all of them: a page of those that stand there in their own size. */
static void
page(const struct picture_device *d, int side, int S, int sample, struct image_grid *g)
{
	struct rect area = g->area;
	int w, h;

	g->zoom = picture_zoom(d, side, side, area.w - 1, area.h - 1);
	g->caption = g->zoom > 0;
	if (!g->caption)
		g->zoom = picture_zoom(d, side, side, area.w - 1, area.h);
	if (!g->zoom)
		return;
	if (g->zoom > 1)
		g->zoom = 1;
	picture_cells(d, side, side, g->zoom, &w, &h);
	g->caption = g->caption && area.h / (h + 1) == (area.h + 1) / (h + 1);
	g->cols = area.w / (w + 1);
	g->rows = (area.h + !g->caption) / (h + 1);
	g->n = g->cols * g->rows;
	if (g->n > S)
		g->n = S;
	g->first = sample / g->n * g->n;
	if (g->first + g->n > S)
		g->first = S - g->n;
}

void
image_grid_make(const struct picture_device *d, int side, int S, int sample, struct rect area, struct image_grid *g)
{
	int with_cols = 1, without_cols = 1;
	int with = best_columns(d, side, S, area, true, &with_cols);
	int without = best_columns(d, side, S, area, false, &without_cols);

	*g = (struct image_grid){ .area = area, .n = S,
		.caption = with == without || (with > 2 && with + 1 >= without) };
	g->zoom = g->caption ? with : without;
	g->cols = g->caption ? with_cols : without_cols;
	if (g->zoom)
		g->rows = (S + g->cols - 1) / g->cols;
	else
		page(d, side, S, sample, g);
	if (g->zoom)
		picture_cells(d, side, side, g->zoom, &g->tile_w, &g->tile_h);
	else
		g->n = 0;
}

struct rect
image_grid_at(const struct image_grid *g, int sample)
{
	/* a line above each row of pictures, but for the first where there are no captions */
	int k = sample - g->first, slot_h = g->tile_h + 1, used = g->rows * slot_h - !g->caption;
	/* what is left over stands between them, at most a few cells */
	int gap_x = (g->area.w - g->cols * (g->tile_w + 1)) / (g->cols + 1), gap_y = (g->area.h - used) / (g->rows + 1);

	gap_x = gap_x > 2 ? 2 : gap_x;
	gap_y = gap_y > 1 ? 1 : gap_y;
	return (struct rect){ g->area.x + gap_x + k % g->cols * (g->tile_w + 1 + gap_x) + 1,
		g->area.y + gap_y + k / g->cols * (slot_h + gap_y) + g->caption, g->tile_w, g->tile_h };
}
