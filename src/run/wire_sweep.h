/*
 * wire_sweep.h: `psiview sweep` from its settings to its files and its table.
 * Main thread.
 */
#ifndef PSI_RUN_WIRE_SWEEP_H
#define PSI_RUN_WIRE_SWEEP_H

#include <stdatomic.h>

#include "run/settings.h"
#include "run/sweep.h"

/* Run it and write its rows; *table (malloced) is what is to be printed, NULL:
 * nothing.  However it ends, what was done is written: after Ctrl-C
 * (ST_CANCELLED), after an error. */
enum status wire_sweep(const struct settings *s, void (*progress)(void *arg, const struct sweep_progress *p), void *arg,
	const atomic_int *stop, char **table, struct error *e);

#endif
