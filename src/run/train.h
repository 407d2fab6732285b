/*
 * train.h: psiview train: a training run without a screen, over the trainer's
 * thread (train/trainer.h).  The calling thread waits, reports, and asks it to
 * stop.
 */
#ifndef PSI_RUN_TRAIN_H
#define PSI_RUN_TRAIN_H

#include <stdatomic.h>
#include <stdio.h>

#include "run/settings.h"
#include "train/trainer.h"

struct train_io {
	FILE *out;                           /* what a dry run finds out; NULL: nowhere */
	FILE *say;                           /* progress; NULL: none */
	FILE *warn;                          /* what fails while the run goes on; NULL: nowhere */
	const struct reduce *reduce;         /* processes that train together; NULL: alone */
	const atomic_int *stop;   /* set by a signal: stop and save */
};

/* The run that the command line describes, to its end.  ST_CANCELLED: stopped
 * on request, and saved; ST_USAGE, ST_FAIL and the like with one line otherwise,
 * and no checkpoint that was there is touched. */
enum status train_run(const struct settings *s, const struct train_io *io, struct error *e);

/* ---- in words (train_say.c) ---- */

/* "sudoku6, Sudoku 6 x 6, duo_base". */
void train_say_job(const struct job *j, char *buf, size_t size);
/* "1,402,345 parameters; 128 samples a step in 2 passes of 64; 123.4 MB". */
void train_say_plan(const struct job *j, uint64_t parameters, const struct stepper_plan *plan, char *buf, size_t size);
/* "step 1,234/3,000  loss 1.2345  bound 0.5360  12,345 tokens/s  1:02:03 left". */
void train_say_progress(const struct trainer_progress *p, char *buf, size_t size);
/* One line about a run that has ended, well or on request. */
void train_say_end(const struct trainer_progress *p, double seconds, const char *out, char *buf, size_t size);
/* Every setting of a job, one `name = value` a line. */
void train_say_settings(FILE *f, const struct job *j);

#endif
