/*
 * sweep.h: `psiview sweep`: the cells of a grid of recipes, each drawn from the
 * same seeds, measured.  Many (recipe, seed) walked by the same step(); no
 * state is kept.  The noise is named by seed, step, sample and position, so two
 * cells share it, and differences between cells are paired.  Main thread.
 */
#ifndef PSI_RUN_SWEEP_H
#define PSI_RUN_SWEEP_H

#include "run/grid.h"
#include "run/likelihood.h"
#include "run/outfile.h"
#include "run/rules.h"
#include "run/score.h"
#include "run/walk.h"

#define SWEEP_RUNS 1000000           /* cells times seeds at most */

struct sweep_row {                   /* one (cell, seed) */
	bool done;
	struct recipe recipe;            /* that draws its samples */
	double entropy;                  /* nats; this and the following are means over the samples */
	double calls, rows, ms;          /* network calls, head rows, time */
	long valid;                      /* samples that obey the rules */
	long tokens;                     /* counted by the scorer, and their negative log likelihood */
	double nll;
	double bound, bound_error;       /* Psi-NELBO of the held-out samples of this seed, nats per token */
};

struct sweep_progress {
	int run, runs;                   /* run of runs, from 0 */
	int cell, seed;
	struct walk_progress walk;
	double seconds, eta;             /* since the start; to the end, < 0: not known yet */
};

struct sweep_setup {
	const struct opened *o;
	const struct grid *grid;
	const struct recipe *cell;       /* [grid->cells], all checked (sweep_check); their seed is the first one */
	int seeds, count;                /* seeds, and samples for each */
	int batch;                       /* samples at a time; 0: what suits the model */
	const struct edit *clamp;
	int n_clamp;
	struct rules rules;
	struct scorer *scorer;           /* borrowed; NULL: no perplexity */
	struct samples held;             /* [seeds * bound], borrowed: so many for each seed, the same for all cells */
	int bound;                       /* 0: no bound */
	void (*progress)(void *arg, const struct sweep_progress *p);    /* NULL: nobody looks */
	void *arg;
	const atomic_int *stop;      /* NULL: never */
};

struct sweep {
	const struct sweep_setup *setup; /* borrowed */
	int done;                        /* rows */
	struct sweep_row *row;           /* [cells,seeds], owned */
	struct likelihood nelbo;         /* of all held-out samples, in continuous time */
};

/* Can this recipe be drawn at all, and has it a bound if one is asked for?
 * Before any work. */
enum status sweep_check(const struct opened *o, const struct recipe *r, bool bound, struct error *e);

/* *out is filled with what was done, whatever the status; ST_CANCELLED: stopped. */
enum status sweep_run(const struct sweep_setup *s, struct sweep *out, struct error *e);
void sweep_done(struct sweep *s);

/* The rows that are done, cell by cell, as CSV (RFC 4180) or JSON lines. */
enum status sweep_write(const struct sweep *s, bool jsonl, struct outfile *out, struct error *e);
/* A line for each cell: means over the seeds with 95% intervals, then the
 * differences to the first cell; malloced, NULL: out of memory. */
char *sweep_table(const struct sweep *s);

#endif
