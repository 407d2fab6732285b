/*
 * open.h: from a path to everything that is needed to run a model: the
 * checkpoint, its tokenizer, its weight sets, the pool.  One struct with one
 * owner.  Nothing of the weights is read here.  Immutable after opening but
 * for the models' own scratch.
 */
#ifndef PSI_RUN_OPEN_H
#define PSI_RUN_OPEN_H

#include "ckpt/ckpt.h"
#include "net/model.h"
#include "psi/recipe.h"
#include "text/token.h"

struct open_setup {
	const char *path;                /* NULL: the bundled demo */
	const char *tokenizer;           /* --tokenizer; NULL: look for it */
	struct config_override override;
	const char *classifier;		 /* --classifier; NULL: none */
	int threads;                     /* 0: one for each processor */
};

struct opened {
	char *path;
	struct ckpt *ckpt;
	struct tokenizer *tok;
	char tok_note[240];              /* where the tokenizer came from, or why ids are shown */
	struct pool *pool;
	struct model *ema;               /* EMA weights, or the only ones there are */
	struct model *raw;               /* NULL: no second set */
	struct classifier *guide;	 /* what guides both; NULL: nothing */
};

/* Errors carry the path: "FILE: reason". */
enum status open_run(const struct open_setup *s, struct opened **out, struct error *e);
/* Only map the file, read its configuration and find its tokenizer: the
 * network is not looked at, pool and models stay NULL. */
enum status open_ckpt(const struct open_setup *s, struct opened **out, struct error *e);
void open_done(struct opened *o);

/* The model of a weight set; raw where there is no such set: the only one. */
struct model *open_model(const struct opened *o, bool raw);

/* The bundled demo: in $PSIVIEW_DATADIR, in the folder `make install` puts it
 * in, or in the data folder of the source tree when run uninstalled.  malloced;
 * ST_FAIL with a line that says where it was looked for. */
enum status open_demo(char **path, struct error *e);

#endif
