/*
 * wire.h: from what the user asked for (settings.h) to what commands work
 * with: the open model, a recipe that suits it, clamps, a sink.  Main thread.
 */
#ifndef PSI_RUN_WIRE_H
#define PSI_RUN_WIRE_H

#include "run/open.h"
#include "run/sampler.h"
#include "run/settings.h"
#include "run/sink.h"

struct open_setup wire_setup(const struct settings *s);
enum status wire_open(const struct settings *s, struct opened **o, struct error *e);
/* Another file, opened as FILE would be without any option about files. */
enum status wire_open_also(const struct settings *s, const char *path, struct opened **o, struct error *e);

/* Samples are pictures. */
bool wire_pictures(const struct opened *o);

/* The recipe of the settings over what suits the model; preset (NULL: none)
 * goes before all other settings.  Not checked. */
enum status wire_recipe(const struct settings *s, const struct opened *o, const char *preset, struct recipe *r,
	struct error *e);
/* The recipe line given names another checkpoint. */
bool wire_foreign_recipe(const struct settings *s, const struct opened *o, const struct recipe *r);

/* *edit is malloced. */
enum status wire_clamps(const struct settings *s, const struct opened *o, struct edit **edit, int *n,
	struct error *e);

/* Where `count` samples of recipe r go that are neither text nor JSON lines;
 * *out NULL: those. */
enum status wire_sink(const struct settings *s, const struct opened *o, const struct recipe *r, int count,
	enum sink_format format, struct outfile *file, struct sink **out, struct error *e);

#endif
