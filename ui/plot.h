/*
 * plot.h: small charts in cells: stacked columns and lines, in blocks and
 * braille, or in ASCII.  Know nothing of models.  Screen thread only.
 */
#ifndef PSI_UI_PLOT_H
#define PSI_UI_PLOT_H

#include "ui/canvas.h"

/* n columns of `parts` stacked values each, value[i * parts + k] >= 0, drawn
 * from the bottom of r up in the order k, one cell wide each, from column x;
 * a column of sum `top` fills r.h.  style [parts].  Whatever is above zero
 * shows at least an eighth of a cell. */
void plot_columns(struct canvas *c, struct rect r, int x, int n, int parts, const double *value, const enum style *style,
                  double top);

/* A line through n values, one a cell, lo at the bottom and hi at the top of
 * r; NAN: a gap. */
void plot_line(struct canvas *c, struct rect r, int x, int n, const double *value, enum style s, double lo, double hi);

#endif
