/*
 * sink.h: where finished samples go when they are not text or JSON lines:
 * a sheet of pictures, a picture a file, an animation of the steps, an array of
 * tokens.  Every file appears whole or not at all.  One thread at a time.
 */
#ifndef PSI_RUN_SINK_H
#define PSI_RUN_SINK_H

#include <stdbool.h>

#include "psi/recipe.h"
#include "psi/tree.h"
#include "run/outfile.h"

enum sink_format { SINK_AUTO, SINK_TEXT, SINK_JSONL, SINK_PNG, SINK_PNG_EACH, SINK_GIF, SINK_NPY, SINK_SAFETENSORS };

/* What --format (NULL: not given) and the file's name (NULL: standard output)
 * say.  ST_USAGE: they make no sense together. */
enum status sink_choose(const char *format, const char *path, enum sink_format *out, struct error *e);
/* The same once the model is known: SINK_AUTO becomes text, or JSON lines for
 * pictures.  ST_USAGE: it cannot hold such samples; tty: standard output is a
 * terminal, where neither pictures nor arrays go. */
enum status sink_decide(enum sink_format *format, bool picture, const char *path, bool tty, struct error *e);
/* Whether it writes files by their own names, not through an outfile. */
static inline bool
sink_by_name(enum sink_format f)
{
	return f == SINK_PNG_EACH || f == SINK_SAFETENSORS;
}

struct sink_setup {
	enum sink_format format;
	const char *path;
	struct outfile *out;             /* borrowed; unless sink_by_name */
	const char *hash;                /* of the checkpoint; NULL: not known.  Copied, as is the recipe */
	const struct recipe *recipe;     /* of all samples, its `samples` is their number */
	int L;
	int columns, zoom, gap;          /* of a sheet; 0: as square as can be */
};
struct sink;
/* Everything that can be refused is refused here, before any work. */
enum status sink_new(const struct sink_setup *s, struct sink **out, struct error *e);
bool sink_wants_steps(const struct sink *s);
/* Sample number i (from 0, in order), tok [L]. */
enum status sink_sample(struct sink *s, int i, const int32_t *tok, struct error *e);
/* All states up to `end` of samples first..first+S-1, if sink_wants_steps. */
enum status sink_steps(struct sink *s, const struct tree *t, const struct node *end, int first, int S, struct error *e);
/* Write what waits for the last sample. */
enum status sink_finish(struct sink *s, struct error *e);
/* Removes what is not finished.  NULL is fine. */
void sink_free(struct sink *s);

#endif
