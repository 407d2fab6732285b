/* open.c: see open.h. */
#include "run/open.h"

#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "models/classifier.h"
#include "models/registry.h"
#include "run/tokenizer.h"

/* ---- the demo ---- */

/* The first demo checkpoint in dir; NULL: there is none. */
static char *
demo_in(const char *dir)
{
	char *pattern = mem_printf("%s/*.safetensors", dir), *path = NULL;
	glob_t g;

	if (pattern && glob(pattern, 0, NULL, &g) == 0) {
		path = mem_strdup(g.gl_pathv[0]); /* sorted by name */
		globfree(&g);
	}
	free(pattern);
	return path;
}

/* The folder the program lies in, malloced; NULL: not known. */
static char *
program_folder(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	return mem_strdup(dirname(exe));
}

enum status
open_demo(char **path, struct error *e)
{
	/* beside the program: installed, built in the source tree, built below it */
	static const char *const beside[] = { "../share/psiview", "data", "../data" };
	const char *env = getenv("PSIVIEW_DATADIR");
	char *folder = program_folder();

	*path = env && *env ? demo_in(env) : NULL;
	for (size_t i = 0; folder && !*path && i < sizeof beside / sizeof *beside; i++) {
		char *dir = mem_printf("%s/%s", folder, beside[i]);
		*path = dir ? demo_in(dir) : NULL;
		free(dir);
	}
	free(folder);
	if (!*path)
		*path = demo_in(PSIVIEW_DATADIR);
	if (!*path)
		return error_set(e, ST_FAIL, "the bundled demo is not in %s (PSIVIEW_DATADIR names another folder)",
		                 env && *env ? env : PSIVIEW_DATADIR);
	return ST_OK;
}

/* ---- opening ---- */

void
open_done(struct opened *o)
{
	if (!o)
		return;
	model_free(o->raw);
	model_free(o->ema);
	classifier_free(o->guide);
	pool_free(o->pool);
	tok_free(o->tok);
	ckpt_close(o->ckpt);
	free(o->path);
	free(o);
}

static enum status
open_file(const struct open_setup *s, struct opened *o, struct error *e)
{
	enum status st;

	if (!s->path) {
		if ((st = open_demo(&o->path, e)) != ST_OK)
			return st;
	} else if (!(o->path = mem_strdup(s->path))) {
		return error_set(e, ST_MEMORY, "out of memory");
	}
	st = ckpt_open(o->path, &s->override, &o->ckpt, e);
	if (st != ST_OK)
		error_prefix(e, o->path);
	return st;
}

/* The classifier must have been made for these tokens. */
static enum status
open_guide(const struct open_setup *s, struct opened *o, struct error *e)
{
	const struct model *m = o->ema;
	enum status st = classifier_open(s->classifier, o->pool, &o->guide, e);
	const struct classifier *c = o->guide;

	if (st == ST_OK && (c->L != m->L || c->V != m->V))
		st = error_set(e, ST_CKPT, "length %d and vocabulary %d are not those of the model (%d, %d)", c->L,
			       c->V, m->L, m->V);
	if (st != ST_OK) {
		error_prefix(e, s->classifier);
		return st;
	}
	o->ema->guide = o->guide;
	if (o->raw)
		o->raw->guide = o->guide;
	return ST_OK;
}

static enum status
open_models(const struct open_setup *s, struct opened *o, struct error *e)
{
	bool has_ema = o->ckpt->n_ema > 0, has_raw = o->ckpt->n_raw > 0;
	enum status st;

	o->pool = pool_new(s->threads);
	if (!o->pool)
		return error_set(e, ST_MEMORY, "out of memory for the worker threads");
	st = model_check(o->ckpt, e);
	if (st == ST_OK)
		st = model_open(o->ckpt, !has_ema, o->pool, &o->ema, e);
	if (st == ST_OK && has_ema && has_raw)
		st = model_open(o->ckpt, true, o->pool, &o->raw, e);
	if (st != ST_OK) {
		error_prefix(e, o->path);
		return st;
	}
	return s->classifier ? open_guide(s, o, e) : ST_OK;
}

/* The tokenizer knows its own [BOS]; without one it is guessed from the
 * vocabulary's size. */
static void
adopt_bos(struct opened *o)
{
	if (!o->tok || o->tok->bos < 0 || o->tok->bos >= o->ema->V)
		return;
	o->ema->bos = o->tok->bos;
	if (o->raw)
		o->raw->bos = o->tok->bos;
}

static enum status
open_some(const struct open_setup *s, bool all, struct opened **out, struct error *e)
{
	struct opened *o = mem_calloc(1, sizeof *o);
	enum status st;

	if (!o)
		return error_set(e, ST_MEMORY, "out of memory");
	st = open_file(s, o, e);
	if (st == ST_OK)
		st = tokenizer_find(o->ckpt, s->tokenizer, &o->tok, o->tok_note, sizeof o->tok_note, e);
	if (st == ST_OK && all)
		st = open_models(s, o, e);
	if (st != ST_OK) {
		open_done(o);
		return st;
	}
	if (all)
		adopt_bos(o);
	*out = o;
	return ST_OK;
}

enum status
open_run(const struct open_setup *s, struct opened **out, struct error *e)
{
	return open_some(s, true, out, e);
}

enum status
open_ckpt(const struct open_setup *s, struct opened **out, struct error *e)
{
	return open_some(s, false, out, e);
}

struct model *
open_model(const struct opened *o, bool raw)
{
	return raw && o->raw ? o->raw : o->ema;
}
