/*
 * plot.h: small charts in cells: stacked columns and lines, in blocks and
 * braille, or in ASCII.  Know nothing of models.  Screen thread only.
 */
#ifndef PSI_UI_PLOT_H
#define PSI_UI_PLOT_H

#include "ui/canvas.h"

/* What fills a part of a column: its style; where there are no block
 * characters, and more than one row, its sign. */
struct plot_part { enum style style; char sign; };

/* n columns of `parts` (at most 16) stacked values each, value[i * parts + k] >= 0,
 * drawn from the bottom of r up in the order k, one cell wide each, from column
 * x; a column of sum `top` fills r.h, more is cut off.  Whatever is above zero
 * shows at least an eighth of a cell. */
void plot_columns(struct canvas *c, struct rect r, int x, int n, int parts, const double *value,
	const struct plot_part *part, double top);

/* A line through n values, one a cell, lo at the bottom and hi at the top of
 * r; NAN: a gap.  In braille: four levels a cell; else three. */
void plot_line(struct canvas *c, struct rect r, int x, int n, const double *value, enum style s, double lo, double hi);

/* A distribution over n bins as an area from the bottom of r, all of its width;
 * the height goes with the root of the probability, the largest fills r.h.  In
 * braille, two columns and four levels a cell; else one and three.  The column
 * of bin `mark` (-1: none) is drawn in mark_style. */
void plot_bins(struct canvas *c, struct rect r, int n, const double *p, enum style s, int mark, enum style mark_style);

#endif
