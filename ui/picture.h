/*
 * picture.h: pictures on a screen of cells.  A view measures a picture and puts
 * it into a rectangle of cells; how it gets there (sixel, half-blocks, a ramp
 * of characters) is the renderer's affair, chosen once for the terminal.
 * Screen thread only.
 */
#ifndef PSI_UI_PICTURE_H
#define PSI_UI_PICTURE_H

#include "ui/canvas.h"

enum picture_kind { PICTURE_OFF, PICTURE_ASCII, PICTURE_HALF, PICTURE_SIXEL, PICTURE_KINDS };

/* What a screen shows pictures with. */
struct picture_device {
	enum picture_kind kind;
	int cell_w, cell_h;      /* pixels of a cell */
	int registers;           /* colours of one sixel image */
};

/* A picture in the pixels of its own, enlarged (nearest neighbour) or, where
 * there is too little room, made smaller by averaging squares. */
struct picture {
	int w, h;
	const uint32_t *rgb;     /* [h*w] 0xrrggbb */
	int zoom;                /* >= 1: a pixel is a square of so many; < 0: -zoom pixels are one */
	const uint8_t *style;    /* [h*w] enum style, what the ramp of characters is drawn with; NULL: none */
};

/* One image of a frame that the terminal draws by itself, over blank cells. */
struct picture_tile {
	struct rect at;          /* cells */
	int w, h, zoom;
	uint32_t *rgb;           /* [h*w] owned */
};

/* The images of one frame. */
struct picture_set {
	struct picture_device device;
	struct picture_tile *tile;
	int n;
	size_t cap;
};

/* What a canvas is drawn for. */
struct picture_device picture_device_of(const struct canvas *c);
/* The largest zoom at which w x h pixels stand in cols x rows cells; 0: not even made smaller. */
int picture_zoom(const struct picture_device *d, int w, int h, int cols, int rows);
/* Cells that a picture takes at a zoom. */
void picture_cells(const struct picture_device *d, int w, int h, int zoom, int *cols, int *rows);
/* Where a pixel of a picture at x, y (cells) is drawn. */
void picture_cell_of(const struct picture_device *d, int zoom, int px, int py, int *x, int *y);
/* And which pixel is in a cell, the first one. */
void picture_pixel_at(const struct picture_device *d, int zoom, int x, int y, int *px, int *py);
/* Put it at x, y of r. */
void picture_put(struct canvas *c, struct rect r, int x, int y, const struct picture *p);

void picture_begin(struct picture_set *s);       /* a new frame: no images */
void picture_done(struct picture_set *s);

#endif
