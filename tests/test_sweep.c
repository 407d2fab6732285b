/*
 * test_sweep.c: grids of knobs, rules of the data, and whole sweeps over a fake
 * model of 4 x 4 Sudoku that knows one grid: it is sure of all cells but the
 * last, which it gets right with a known probability.
 */
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "run/sweep.h"

/* ---- grids ---- */

static struct error last;

static bool
refused(const char *spec)
{
	struct grid g;

	grid_init(&g);
	bool ok = grid_add(&g, "steps=1,2", NULL) == ST_OK && grid_add(&g, spec, &last) == ST_USAGE && g.n == 1 &&
		g.cells == 2;
	grid_done(&g);
	return ok;
}

static void
test_grid(void)
{
	static const char *const bad[] = {
		"", "kappa", "=1", "kappa=", "kappa=1,", "kappa=,1", "kappa=2", "kappa=x", "nothing=1", "seed=1,2",
		"samples=3", "first=1", "steps=4", "preset=nothing", "kappa=0:1", "kappa=0:1:0", "kappa=0:1:x",
		"kappa=1:0:.5", "kappa=0:1:1e-9", "top-k=0:1e9:1", "kappa=0:1:nan", "removal=0:1:1", "top-p=0:1:.5",
	};
	struct grid g;
	struct recipe r;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(refused(bad[i]), "refused: %s (%s)", bad[i], last.msg);
	grid_init(&g);
	CHECK(g.cells == 1, "no axis: one cell");
	CHECK(grid_add(&g, "kappa=0,cap(.01)", NULL) == ST_OK && grid_add(&g, "temp=.5:1.5:.5", NULL) == ST_OK &&
		grid_add(&g, "preset=pc,ancestral", NULL) == ST_OK && g.cells == 12, "three axes");
	CHECK(strcmp(g.axis[1].name, "temperature") == 0, "by its own name");
	CHECK(strcmp(grid_value(&g, 0, 0), "0") == 0 && strcmp(grid_value(&g, 5, 0), "0") == 0 &&
		strcmp(grid_value(&g, 6, 0), "cap(.01)") == 0, "the first axis changes slowest");
	CHECK(strcmp(grid_value(&g, 3, 1), "1") == 0 && strcmp(grid_preset(&g, 3), "ancestral") == 0,
		"the last fastest");
	recipe_init(&r);
	CHECK(grid_set(&g, 11, &r, NULL) == ST_OK && r.zone[0].mode == KAPPA_CAP && r.zone[2].value == .01 &&
		r.temperature == 1.5, "a cell's knobs");
	grid_done(&g);
	CHECK(grid_add(&g, "kappa=0:1:.1", NULL) == ST_OK && g.cells == 11 && strcmp(g.axis[0].value[3], "0.3") == 0 &&
		strcmp(g.axis[0].value[10], "1") == 0, "a range has both ends, and short numbers");
	for (int i = 0; i < 4; i++) {
		static const char *const more[] = { "top-k=0:99:1", "steps=1:100:1", "temperature=1:2:.1", "cfg=1,2" };
		enum status st = grid_add(&g, more[i], NULL);
		CHECK(st == (i == 1 ? ST_USAGE : ST_OK), "at most %d cells (%d)",
			GRID_CELLS, g.cells);
	}
	grid_done(&g);
}

/* ---- the fake ---- */

enum { L = 17, V = 5 };
static const int32_t the_grid[L] = { 4, 0, 1, 2, 3, 2, 3, 0, 1, 1, 0, 3, 2, 3, 2, 1, 0 };

struct fake {
	struct model m;          /* first */
	float wrong;             /* log odds of another digit in the last cell */
	int fail;                /* calls until one fails; negative: never */
	atomic_int *stop;
	int stop_at;             /* calls until stop is set */
};

static enum status
fake_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
	struct cancel *c, struct error *e)
{
	struct fake *f = (struct fake *)m;

	(void)tok, (void)sigma, (void)label, (void)c;
	if (f->fail-- == 0)
		return error_set(e, ST_NUMERIC, "the fake network was told to fail");
	if (f->stop && f->stop_at-- == 0)
		*f->stop = SIGINT;
	for (int i = 0; i < n * L; i++)
		for (int v = 0; v < V; v++)
			feat[i * V + v] = v == the_grid[i % L] ? 0 : i % L == L - 1 && v == 1 ? f->wrong : -60;
	return ST_OK;
}

static enum status
fake_rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	(void)c, (void)e;
	memcpy(logit, feat, (size_t)n * (size_t)m->V * sizeof *logit);
	return ST_OK;
}

static struct fake
fake_of(float wrong)
{
	return (struct fake){ .m = { .L = L, .V = V, .F = V, .mask = -1, .out = OUT_MEAN, .bos_fixed = true, .bos = 4,
		.alpha = { ALPHA_LOGLINEAR, 1e-3 }, .timed = true, .trunk = fake_trunk, .rows = fake_rows },
		.wrong = wrong, .fail = -1 };
}

/* ---- rules ---- */

static void
test_rules(void)
{
	struct fake f = fake_of(-60);
	struct ckpt with = { .layout = "{\"columns\": 4}" }, without = { 0 }, odd = { .layout = "[\"columns\"]" };
	struct rules r;
	int32_t tok[L];

	CHECK(rules_find(NULL, &with, &f.m, &r, NULL) == ST_OK && rules_any(&r) && !strcmp(rules_name(&r), "sudoku4"),
		"found from the layout");
	memcpy(tok, the_grid, sizeof tok);
	CHECK(rules_valid(&r, tok), "a valid grid");
	tok[5] = 3;
	CHECK(!rules_valid(&r, tok), "a digit twice in a column");
	tok[5] = 4;
	CHECK(!rules_valid(&r, tok), "a cell that holds [BOS]");
	CHECK(rules_find(NULL, &without, &f.m, &r, NULL) == ST_OK && !rules_any(&r) && !rules_valid(&r, the_grid),
		"no layout: no rules");
	CHECK(rules_find(NULL, &odd, &f.m, &r, NULL) == ST_OK && !rules_any(&r), "a layout that says nothing");
	CHECK(rules_find("sudoku4", &without, &f.m, &r, NULL) == ST_OK && rules_any(&r), "asked for by name");
	CHECK(rules_find("sudoku6", &without, &f.m, &r, NULL) == ST_USAGE, "of another size");
	f.m.V = 6;
	f.m.mask = 5;
	CHECK(rules_find(NULL, &with, &f.m, &r, NULL) == ST_OK && rules_any(&r), "with a mask");
	f.m.mask = 4;
	CHECK(rules_find(NULL, &with, &f.m, &r, NULL) == ST_OK && !rules_any(&r), "with another mask: none");
}

/* ---- sweeps ---- */

struct made { struct opened o; struct grid g; struct recipe *cell; struct sweep_setup setup; };

static void
make(struct made *x, struct fake *f, const char *grid, int seeds, int count)
{
	memset(x, 0, sizeof *x);
	x->o.ema = &f->m;
	grid_init(&x->g);
	grid_add(&x->g, grid, NULL);
	x->cell = mem_calloc((size_t)x->g.cells, sizeof *x->cell);
	for (int i = 0; i < x->g.cells; i++) {
		recipe_init(&x->cell[i]);
		x->cell[i].steps = 6;
		x->cell[i].seed = 7;
		grid_set(&x->g, i, &x->cell[i], NULL);
	}
	x->setup = (struct sweep_setup){ .o = &x->o, .grid = &x->g, .cell = x->cell, .seeds = seeds, .count = count };
	sudoku_open(4, &x->setup.rules.sudoku, NULL);
}

static void
unmake(struct made *x)
{
	grid_done(&x->g);
	free(x->cell);
}

static void
test_shares(void)
{
	static const float odds[] = { -60, 0, -1.0986f };
	static const double want[] = { 1, .5, .75 };
	enum { SEEDS = 4, COUNT = 200 };

	for (int i = 0; i < 3; i++) {
		struct fake f = fake_of(odds[i]);
		struct made x;
		struct sweep s;
		make(&x, &f, "kappa=1,.5,0", SEEDS, COUNT);
		CHECK(sweep_run(&x.setup, &s, NULL) == ST_OK && s.done == 3 * SEEDS, "a sweep");
		for (int cell = 0; cell < 3; cell++) {
			long valid = 0;
			for (int k = 0; k < SEEDS; k++)
				valid += s.row[cell * SEEDS + k].valid;
			double share = valid / (double)(SEEDS * COUNT);
			double se = sqrt(want[i] * (1 - want[i]) / SEEDS / COUNT);
			CHECK(fabs(share - want[i]) <= 4 * se, "valid %.3f of about %.2f", share, want[i]);
		}
		CHECK(s.row[0].recipe.seed == 7 && s.row[SEEDS - 1].recipe.seed == 10 && s.row[0].calls >= 6 &&
			s.row[0].rows >= 16, "seeds in turn, calls and rows");
		char *table = sweep_table(&s);
		CHECK(table && strstr(table, "kappa") && strstr(table, i == 0 ? "1.000 [0.995, 1.000]" : "valid") &&
			strstr(table, "Differences"), "a table");
		free(table);
		sweep_done(&s);
		unmake(&x);
	}
}

/* Equal cells draw equal samples; where they differ, from the same noise. */
static void
test_paired(void)
{
	struct fake f = fake_of(0);
	struct made x;
	struct sweep a, b;

	make(&x, &f, "kappa=1,1,.9", 3, 50);
	CHECK(sweep_run(&x.setup, &a, NULL) == ST_OK, "three cells");
	bool same = true, near = true;
	for (int k = 0; k < 3; k++) {
		same &= a.row[k].valid == a.row[3 + k].valid && a.row[k].entropy == a.row[3 + k].entropy;
		near &= labs(a.row[k].valid - a.row[6 + k].valid) < 25;
	}
	CHECK(same, "the same recipe twice: the same numbers");
	CHECK(near, "a small change: mostly the same samples");
	x.setup.batch = 7;
	CHECK(sweep_run(&x.setup, &b, NULL) == ST_OK, "again, in batches of seven");
	same = true;
	for (int i = 0; i < 9; i++)
		same &= a.row[i].valid == b.row[i].valid && a.row[i].entropy == b.row[i].entropy &&
			a.row[i].calls == b.row[i].calls && a.row[i].rows == b.row[i].rows;
	CHECK(same, "the same numbers");
	sweep_done(&a);
	sweep_done(&b);
	unmake(&x);
}

/* What was done before an error or a signal stays. */
static void
test_cut(void)
{
	struct fake f = fake_of(0);
	struct made x;
	struct sweep s;
	struct error e = { .code = ST_OK };
	atomic_int stop = 0;

	make(&x, &f, "kappa=1,.5", 3, 1);
	f.fail = 4 * 7 + 3; /* seven calls a run */
	CHECK(sweep_run(&x.setup, &s, &e) == ST_NUMERIC && e.code == ST_NUMERIC, "an error ends it");
	CHECK(s.done >= 4 && s.done < 6, "%d of 6 runs are done", s.done);
	CHECK(s.row[0].done && s.row[3].done, "both cells of the first seed");
	char *table = sweep_table(&s);
	CHECK(table && strstr(table, "stopped: "), "the table says so");
	free(table);
	sweep_done(&s);
	f.fail = -1;
	f.stop = &stop;
	f.stop_at = 2 * 7 + 3;
	x.setup.stop = &stop;
	CHECK(sweep_run(&x.setup, &s, &e) == ST_CANCELLED && s.done >= 2 && s.done < 6, "a signal ends it");
	sweep_done(&s);
	stop = 0;
	x.setup.seeds = SWEEP_RUNS;
	f.stop = NULL;
	CHECK(sweep_run(&x.setup, &s, &e) == ST_USAGE && s.done == 0 && !s.row, "too many runs");
	sweep_done(&s);
	unmake(&x);
}

int
main(void)
{
	test_grid();
	test_rules();
	test_shares();
	test_paired();
	test_cut();
	return check_done();
}
