/* grid.c: see grid.h. */
#include "run/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PRESET "preset"

void
grid_init(struct grid *g)
{
	*g = (struct grid){ .cells = 1 };
}

static void
axis_done(struct grid_axis *a)
{
	for (int i = 0; i < a->n; i++)
		free(a->value[i]);
	free(a->value);
	*a = (struct grid_axis){ 0 };
}

void
grid_done(struct grid *g)
{
	for (int i = 0; i < g->n; i++)
		axis_done(&g->axis[i]);
	grid_init(g);
}

/* ---- the values of an axis ---- */

static enum status
check_value(const char *name, const char *value, struct error *e)
{
	struct recipe scratch;

	recipe_init(&scratch);
	if (!*value)
		return error_set(e, ST_USAGE, "--grid: %s has an empty value", name);
	enum status st = strcmp(name, PRESET) == 0 ? recipe_preset(&scratch, value, e)
		: recipe_set(&scratch, name, value, e);
	return st == ST_OK ? ST_OK : error_prefix(e, "--grid");
}

/* Takes value over; NULL: out of memory. */
static enum status
append(struct grid_axis *a, size_t *cap, char *value, struct error *e)
{
	char **p = value ? mem_grow(a->value, cap, (size_t)a->n + 1, sizeof *p) : NULL;
	enum status st = ST_OK;

	if (p)
		a->value = p;
	if (!p)
		st = error_set(e, ST_MEMORY, "out of memory for the grid");
	else if (a->n == GRID_CELLS)
		st = error_set(e, ST_USAGE, "--grid: %s has more than %d values", a->name, GRID_CELLS);
	else
		st = check_value(a->name, value, e);
	if (st == ST_OK)
		a->value[a->n++] = value;
	else
		free(value);
	return st;
}

/* FROM:TO:BY, both ends included; the values are FROM + i BY, as short as they
 * can be written. */
static enum status
append_range(struct grid_axis *a, size_t *cap, const char *word, struct error *e)
{
	double from, to, by;
	int used = 0;
	char text[64];

	if (sscanf(word, "%lf:%lf:%lf%n", &from, &to, &by, &used) != 3 || word[used] || !isfinite(from) ||
		!isfinite(to) || !isfinite(by) || by == 0)
		return error_set(e, ST_USAGE, "--grid: '%.40s': a range is FROM:TO:BY, three numbers", word);
	double count = floor((to - from) / by + 1e-9) + 1;
	if (!(count >= 1 && count <= GRID_CELLS))
		return error_set(e, ST_USAGE, "--grid: the range '%.40s' has %s values", word,
			count < 1 ? "no" : "too many");
	enum status st = ST_OK;
	for (int i = 0; i < (int)count && st == ST_OK; i++) {
		/* twelve digits: 0:1:.1 shall hold .3, not .30000000000000004 */
		snprintf(text, sizeof text, "%.12g", from + i * by);
		st = append(a, cap, mem_strdup(text), e);
	}
	return st;
}

static enum status
parse_values(struct grid_axis *a, const char *list, struct error *e)
{
	enum status st = ST_OK;
	size_t cap = 0;

	for (const char *p = list; st == ST_OK; p++) {
		size_t len = strcspn(p, ",");
		char *word = mem_strndup(p, len);
		if (word && strchr(word, ':')) {
			st = append_range(a, &cap, word, e);
			free(word);
		} else {
			st = append(a, &cap, word, e);
		}
		p += len;
		if (!*p)
			break;
	}
	return st;
}

/* ---- axes ---- */

static enum status
axis_name(const struct grid *g, const char *spec, size_t len, struct grid_axis *a, struct error *e)
{
	char name[sizeof a->name];

	snprintf(name, sizeof name, "%.*s", (int)len, spec);
	const struct knob *k = len < sizeof name ? recipe_knob_find(name) : NULL;
	if (!k && strcmp(name, PRESET) != 0)
		return error_set(e, ST_USAGE, "--grid: there is no knob '%.40s'", name);
	snprintf(a->name, sizeof a->name, "%s", k ? k->name : PRESET);
	if (strcmp(a->name, "seed") == 0)
		return error_set(e, ST_USAGE, "--grid: seeds are counted by --seeds N, from --seed on");
	if (strcmp(a->name, "samples") == 0 || strcmp(a->name, "first") == 0)
		return error_set(e, ST_USAGE, "--grid: all cells draw the same samples (-n N, --first N)");
	for (int i = 0; i < g->n; i++)
		if (strcmp(g->axis[i].name, a->name) == 0)
			return error_set(e, ST_USAGE, "--grid: %s is given twice", a->name);
	return ST_OK;
}

enum status
grid_add(struct grid *g, const char *spec, struct error *e)
{
	struct grid_axis a = { 0 };
	const char *eq = strchr(spec, '=');

	if (!eq || eq == spec)
		return error_set(e, ST_USAGE, "--grid '%.60s': must be KNOB=VALUE,VALUE,...", spec);
	if (g->n == GRID_AXES)
		return error_set(e, ST_USAGE, "--grid: at most %d knobs", GRID_AXES);
	enum status st = axis_name(g, spec, (size_t)(eq - spec), &a, e);
	if (st == ST_OK)
		st = parse_values(&a, eq + 1, e);
	if (st == ST_OK && a.n > GRID_CELLS / g->cells)
		st = error_set(e, ST_USAGE, "--grid: more than %d cells", GRID_CELLS);
	if (st != ST_OK) {
		axis_done(&a);
		return st;
	}
	g->axis[g->n++] = a;
	g->cells *= a.n;
	return ST_OK;
}

/* ---- cells ---- */

const char *
grid_value(const struct grid *g, int cell, int axis)
{
	for (int i = g->n - 1; i > axis; i--)
		cell /= g->axis[i].n;
	return g->axis[axis].value[cell % g->axis[axis].n];
}

const char *
grid_preset(const struct grid *g, int cell)
{
	for (int i = 0; i < g->n; i++)
		if (strcmp(g->axis[i].name, PRESET) == 0)
			return grid_value(g, cell, i);
	return NULL;
}

enum status
grid_set(const struct grid *g, int cell, struct recipe *r, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; i < g->n && st == ST_OK; i++)
		if (strcmp(g->axis[i].name, PRESET) != 0)
			st = recipe_set(r, g->axis[i].name, grid_value(g, cell, i), e);
	return st;
}
