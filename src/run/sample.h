/*
 * sample.h: headless runs: `psiview sample`: walks (walk.h) written as text,
 * JSON lines or into a sink.
 */
#ifndef PSI_RUN_SAMPLE_H
#define PSI_RUN_SAMPLE_H

#include "run/outfile.h"
#include "run/sink.h"
#include "run/walk.h"

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
	void (*progress)(void *arg, const struct walk_progress *p);   /* a few times a second; NULL: nobody looks */
	void *arg;
	const atomic_int *stop;   /* set by a signal: ends with ST_CANCELLED; NULL: never */
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
