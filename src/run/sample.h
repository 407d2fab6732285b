/*
 * sample.h: headless runs: `psiview sample`.  The same sampler thread and the
 * same step() as on the screen, without keeping the states in between.
 */
#ifndef PSI_RUN_SAMPLE_H
#define PSI_RUN_SAMPLE_H

#include <signal.h>

#include "run/open.h"
#include "run/outfile.h"
#include "run/sampler.h"
#include "run/sink.h"

struct sample_progress {
	int first, samples, total;       /* samples first..first+samples-1 of total are being drawn */
	int step, steps;
	double seconds, eta;             /* since the start; to the end, < 0: not known yet */
};

struct sample_setup {
	const struct opened *o;
	struct recipe recipe;            /* its `first` is the number of the first sample */
	int count;
	int batch;                       /* samples at a time; 0: what suits the model */
	const struct edit *clamp;        /* of one sample: i < L */
	int n_clamp;
	bool jsonl;
	bool text;                       /* JSON lines say the text too */
	struct outfile *out;             /* borrowed */
	struct sink *sink;               /* borrowed; NULL: text or JSON lines go to out */
	void (*progress)(void *arg, const struct sample_progress *p);   /* a few times a second; NULL: nobody looks */
	void *arg;
	const volatile sig_atomic_t *stop;   /* set by a signal: ends with ST_CANCELLED; NULL: never */
};

struct sample_summary { int samples; double entropy, seconds; long nfe, rows; };

/* Draw and write all samples.  *sum (may be NULL) is filled as far as it got. */
enum status sample_run(const struct sample_setup *s, struct sample_summary *sum, struct error *e);

/* "POS:TEXT": edits that clamp TEXT from position POS on, appended to *edit
 * (malloced).  ST_USAGE: no such position, no room, text the tokenizer cannot
 * hold. */
enum status sample_clamp(const char *spec, const struct tokenizer *tok, int L, struct edit **edit, int *n,
	struct error *e);

#endif
