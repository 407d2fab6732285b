/* wire_sweep.c: see wire_sweep.h. */
#include "run/wire_sweep.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/held.h"
#include "run/wire.h"

/* What a sweep is made from; all of it owned. */
struct parts {
	struct opened *o, *scorer;
	struct grid grid;
	struct recipe *cell;
	struct edit *clamp;
	struct samples held;
	struct outfile *out;             /* NULL: rows are not written */
	bool jsonl;
};

static void
parts_done(struct parts *p)
{
	outfile_abort(p->out);
	open_done(p->scorer);
	open_done(p->o);
	grid_done(&p->grid);
	free(p->cell);
	free(p->clamp);
	samples_done(&p->held);
}

static enum status
grid_for(const struct settings *s, struct grid *g, struct error *e)
{
	enum status st = ST_OK;

	grid_init(g);
	for (size_t i = 0; i < s->n && st == ST_OK; i++)
		if (s->set[i].option == OPT_GRID)
			st = grid_add(g, s->set[i].value, e);
	return st;
}

/* Rows go to -o FILE, or with --format alone to standard output. */
static enum status
open_rows(const struct settings *s, struct parts *p, struct error *e)
{
	const char *path = settings_text(s, OPT_OUTPUT), *format = settings_text(s, OPT_ROWS);
	const char *dot = path ? strrchr(path, '.') : NULL;

	p->jsonl = format ? strcmp(format, "jsonl") == 0 : dot && strcmp(dot, ".jsonl") == 0;
	return path || format ? outfile_open(path, &p->out, e) : ST_OK;
}

/* The recipe of each cell, checked. */
static enum status
make_cells(const struct settings *s, struct parts *p, bool bound, struct error *e)
{
	const struct grid *g = &p->grid;
	enum status st = ST_OK;

	p->cell = mem_calloc((size_t)g->cells, sizeof *p->cell);
	if (!p->cell)
		return error_set(e, ST_MEMORY, "out of memory for the grid");
	for (int i = 0; i < g->cells && st == ST_OK; i++) {
		struct recipe *r = &p->cell[i];
		st = wire_recipe(s, p->o, grid_preset(g, i), r, e);
		if (st == ST_OK)
			st = grid_set(g, i, r, e);
		if (st == ST_OK)
			st = sweep_check(p->o, r, bound, e);
	}
	return st;
}

/* The held-out samples of all seeds. */
static enum status
find_held(const struct settings *s, struct parts *p, struct sweep_setup *setup, struct error *e)
{
	const char *data = settings_text(s, OPT_DATA);
	long n = settings_int(s, OPT_BOUND, 0);

	if (n == 0)
		return data ? error_set(e, ST_USAGE, "--data: what for? (--bound N)") : ST_OK;
	if (!data && !rules_any(&setup->rules))
		return error_set(e, ST_USAGE, "--bound: on which data? (--data PATH)");
	if (n > INT_MAX / setup->seeds)
		return error_set(e, ST_USAGE, "--bound %ld for each of %d seeds: too many samples", n, setup->seeds);
	setup->bound = (int)n;
	enum status st = held_data(p->o, &setup->rules, data, settings_text(s, OPT_TOKENIZER), (int)n * setup->seeds,
		&p->held, e);
	setup->held = p->held;
	return st;
}

static enum status
set_up(const struct settings *s, struct parts *p, struct sweep_setup *setup, struct error *e)
{
	const char *by = settings_text(s, OPT_SCORER);
	enum status st = make_cells(s, p, settings_text(s, OPT_BOUND) != NULL, e);

	if (st == ST_OK)
		st = wire_clamps(s, p->o, &p->clamp, &setup->n_clamp, e);
	if (st == ST_OK)
		st = rules_find(settings_text(s, OPT_VALID), p->o->ckpt, p->o->ema, &setup->rules, e);
	if (st == ST_OK)
		st = find_held(s, p, setup, e);
	if (st == ST_OK && by)
		st = wire_open_also(s, by, &p->scorer, e);
	if (st == ST_OK && by && (st = scorer_new(p->scorer, &setup->scorer, e)) != ST_OK)
		error_prefix(e, by);
	setup->o = p->o;
	setup->grid = &p->grid;
	setup->cell = p->cell;
	setup->clamp = p->clamp;
	return st;
}

/* Write what there is.  An error of the sweep itself is told before one of this. */
static enum status
write_rows(struct parts *p, const struct sweep *result, enum status st, struct error *e)
{
	struct error own = { .code = ST_OK };
	enum status written = ST_OK;

	if (result->done > 0 && p->out) {
		written = sweep_write(result, p->jsonl, p->out, &own);
		if (written == ST_OK) {
			written = outfile_commit(p->out, &own);
			p->out = NULL;
		}
	}
	if (written != ST_OK && (st == ST_OK || st == ST_CANCELLED)) {
		*e = own;
		return written;
	}
	return st;
}

enum status
wire_sweep(const struct settings *s, void (*progress)(void *arg, const struct sweep_progress *p), void *arg,
	const atomic_int *stop, char **table, struct error *e)
{
	struct sweep_setup setup = { .seeds = (int)settings_int(s, OPT_SEEDS, 4),
		.count = (int)settings_int(s, OPT_COUNT_N, 16), .batch = (int)settings_int(s, OPT_BATCH, 0),
		.progress = progress, .arg = arg, .stop = stop };
	struct parts p = { 0 };
	struct sweep result = { 0 };
	bool rows_only = settings_text(s, OPT_ROWS) && !settings_text(s, OPT_OUTPUT);
	enum status st = grid_for(s, &p.grid, e);

	*table = NULL;
	if (st == ST_OK)
		st = open_rows(s, &p, e);
	if (st == ST_OK)
		st = wire_open(s, &p.o, e);
	if (st == ST_OK)
		st = set_up(s, &p, &setup, e);
	if (st == ST_OK) {
		st = sweep_run(&setup, &result, e);
		st = write_rows(&p, &result, st, e);
	}
	if (result.done > 0 && !rows_only && !(*table = sweep_table(&result)) && st == ST_OK)
		st = error_set(e, ST_MEMORY, "out of memory for the table");
	sweep_done(&result);
	scorer_free(setup.scorer);
	parts_done(&p);
	return st;
}
