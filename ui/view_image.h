/*
 * view_image.h: the pane of pictures: how they stand in it and what colour each
 * pixel has.  Screen thread.
 */
#ifndef PSI_UI_VIEW_IMAGE_H
#define PSI_UI_VIEW_IMAGE_H

#include "ui/app_private.h"
#include "ui/picture.h"

/* Pictures in rows; each slot is a column for the marker, the picture, and
 * perhaps a line above it that says what it is. */
struct image_grid {
	struct rect area;
	int first, n;            /* samples shown */
	int cols, rows, zoom;    /* zoom 0: there is no room */
	int tile_w, tile_h;      /* cells of a picture */
	bool caption;
};

/* As many of S pictures as stand in area, as large as they can be, `sample` among them. */
void image_grid_make(const struct picture_device *d, int side, int S, int sample, struct rect area,
	struct image_grid *g);
/* The cells of the picture of a sample that is shown. */
struct rect image_grid_at(const struct image_grid *g, int sample);

struct image_page {
	struct image_grid grid;
	struct picture_device device;    /* of the last frame: the mouse */
	uint32_t *rgb;           /* [side*side] */
	uint8_t *style;          /* [side*side] */
	int *age, *times;        /* [S*L] */
	const struct node *history_of;
};

struct image_page *image_page_new(const struct app *a);  /* NULL: out of memory */
void image_page_free(struct image_page *p);              /* NULL is fine */

/* image_paint.c: fill p->rgb and p->style with a sample of the state shown, in
 * the colouring chosen. */
void image_paint(struct app *a, struct image_page *p, int sample);
/* The colour of three channels; a channel without a value (mask, not drawn) is < 0. */
uint32_t image_colour(const int value[3], int x, int y);
/* The brightness of a token; -1: the mask, or not drawn. */
int image_value(const struct app *a, int32_t tok);

#endif
