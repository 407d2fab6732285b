/*
 * parallel.h: processes that share the samples of a step, started together by
 * mpirun: the reduce of stepper.h over MPI.  Built without --with-mpi there is
 * one process, and the same functions.
 *
 * Begun and ended by the main thread, once; in between the trainer's thread
 * alone reduces.
 */
#ifndef PSI_TRAIN_PARALLEL_H
#define PSI_TRAIN_PARALLEL_H

#include "train/stepper.h"

/* out->size 1: this process is alone.  ST_USAGE: it is not, but cannot speak to the others. */
enum status parallel_begin(struct reduce *out, struct error *e);
/* All processes; after a run that all of them ended. */
void parallel_end(struct reduce *r);
/* End the whole job with this status, whatever the others do.  Returns at once
 * if this process is alone. */
void parallel_give_up(struct reduce *r, int status);

/* Where all processes come by: did one of them fail at what all of them did?
 * ST_OK: none.  Else one that failed keeps its status and error, the first
 * process before others; for the rest ST_CANCELLED.  r may be NULL. */
enum status parallel_agree(const struct reduce *r, enum status st, struct error *e);

#endif
