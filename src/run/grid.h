/*
 * grid.h: the cells of a sweep: every combination of the values of some knobs.
 * Pure data, any thread.
 */
#ifndef PSI_RUN_GRID_H
#define PSI_RUN_GRID_H

#include "psi/recipe.h"

#define GRID_AXES 8
#define GRID_CELLS 100000            /* at most */

struct grid_axis {
	char name[24];                   /* a knob's own name, or "preset" */
	int n;
	char **value;                    /* [n], owned */
};

struct grid {
	int n;
	struct grid_axis axis[GRID_AXES];/* the first one changes slowest */
	int cells;                       /* their product; 1 without an axis */
};

void grid_init(struct grid *g);
void grid_done(struct grid *g);

/* "KNOB=A,B,C", KNOB being any but seed, samples and first, or "preset"; a
 * number may also be a range FROM:TO:BY, both ends included.  ST_USAGE, with
 * the grid as it was. */
enum status grid_add(struct grid *g, const char *spec, struct error *e);

/* The value of a cell on an axis. */
const char *grid_value(const struct grid *g, int cell, int axis);
/* Its preset; NULL: the grid has no such axis. */
const char *grid_preset(const struct grid *g, int cell);
/* Set all knobs but the preset, which comes before anything else. */
enum status grid_set(const struct grid *g, int cell, struct recipe *r, struct error *e);

#endif
