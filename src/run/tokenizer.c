/* tokenizer.c: the places where a tokenizer may be; see tokenizer.h. */
#include "run/tokenizer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"

struct search {
	const struct ckpt *c;
	int V;
	bool named;                  /* the user named it */
	struct tokenizer *t;         /* found, and fits */
	char *note;
	size_t note_size;
	char refused[240];           /* why a tokenizer that was there was not taken; "" : none was */
	bool no_memory;
};

__attribute__((format(printf, 2, 3))) static void
say(struct search *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->note_size)
		return;
	va_start(ap, fmt);
	vsnprintf(s->note, s->note_size, fmt, ap);
	va_end(ap);
}

/* A model may have a few ids more than its tokenizer ([MASK], [PAD], padding to
 * a round number), never fewer.  How many more is asked of one that was merely
 * lying about, not of one that came inside the file or that the user named. */
static bool
fits(const struct tokenizer *t, int V, bool named)
{
	return t->kind == TOK_IDS || (t->n <= V && (named || V - t->n <= t->n / 8 + 8));
}

static bool
exists(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0;
}

/* Take t if it fits; else free it and remember why. */
static bool
take(struct search *s, struct tokenizer *t, bool inside, const char *where)
{
	if (!t) {
		s->no_memory = true;
		return false;
	}
	if (fits(t, s->V, inside || s->named)) {
		s->t = t;
		return true;
	}
	snprintf(s->refused, sizeof s->refused, "%.100s has %d tokens, the checkpoint %d", where, t->n, s->V);
	tok_free(t);
	return false;
}

/* A file or folder, if it is there. */
static bool
try_path(struct search *s, const char *path)
{
	struct tokenizer *t;
	struct error e;

	if (!path) {
		s->no_memory = true;
		return false;
	}
	if (!exists(path))
		return false;
	enum status st = tok_open(path, &t, &e);
	if (st == ST_MEMORY)
		s->no_memory = true;
	else if (st != ST_OK)
		snprintf(s->refused, sizeof s->refused, "%.200s", e.msg);
	return st == ST_OK && take(s, t, false, path);
}

static bool
try_owned(struct search *s, char *path)
{
	bool ok = try_path(s, path);

	if (ok)
		say(s, "tokenizer: %s", path);
	free(path);
	return ok;
}

/* ---- 2: inside ---- */

static bool
from_inside(struct search *s)
{
	const struct ckpt *c = s->c;
	struct tokenizer *t = NULL;
	struct error e = { .msg = "" };
	enum status st = ST_OK;

	switch (c->tok_kind) {
	case CKPT_TOK_NONE:
		return false;
	case CKPT_TOK_JSON:
		st = tok_from_json(c->tok_data, c->tok_bytes, &t, &e);
		break;
	case CKPT_TOK_CHARS:
		st = tok_chars((const char *)c->tok_data, c->tok_bytes, &t, &e);
		break;
	case CKPT_TOK_TEXT8:
		t = tok_text8();
		break;
	case CKPT_TOK_BYTES:
		t = tok_bytes();
		break;
	case CKPT_TOK_PIXELS:
		t = tok_pixels();
		break;
	}
	if (st != ST_OK) {
		snprintf(s->refused, sizeof s->refused, "the tokenizer inside the checkpoint: %.190s", e.msg);
		s->no_memory |= st == ST_MEMORY;
		return false;
	}
	if (!take(s, t, true, "the tokenizer inside the checkpoint"))
		return false;
	say(s, "tokenizer: %s, from the checkpoint", tok_kind_name(t->kind));
	return true;
}

static bool
builtin(struct search *s, struct tokenizer *t, const char *why)
{
	if (!take(s, t, false, "the built-in tokenizer"))
		return false;
	say(s, "tokenizer: %s, %s", tok_kind_name(t->kind), why);
	return true;
}

static bool
from_config(struct search *s)
{
	const struct config *g = &s->c->config;
	bool image = strncasecmp(g->modality, "image", 5) == 0 || strcasecmp(g->tokenizer_name, "raw_pixels") == 0 ||
		     g->backbone == BACKBONE_UNET;

	if (image)
		return builtin(s, tok_pixels(), "as the checkpoint holds pictures");
	if (strncasecmp(g->tokenizer_name, "text8", 5) == 0)
		return builtin(s, tok_text8(), "named by the checkpoint");
	return false;
}

/* ---- 3: beside ---- */

static bool
from_beside(struct search *s)
{
	const char *path = s->c->path ? s->c->path : "", *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	static const char *const name[] = { "tokenizer.json", "vocab.json", "encoder.json", "vocab.txt" };

	if (dot && (!slash || dot > slash + 1) &&
	    try_owned(s, mem_printf("%.*s.tokenizer.json", (int)(dot - path), path)))
		return true;
	for (size_t i = 0; s->c->dir && i < sizeof name / sizeof name[0]; i++)
		if (try_owned(s, mem_printf("%s/%s", s->c->dir, name[i])))
			return true;
	return false;
}

/* ---- 4: the user's own ---- */

static bool
from_data(struct search *s, const char *name)
{
	char *path[TOK_PLACES];
	int n = tok_places(name, path);
	bool found = false;

	for (int i = 0; i < n; i++)
		if (found)
			free(path[i]);
		else
			found = try_owned(s, path[i]);
	return found;
}

/* The tokenizer that a vocabulary of this size most likely has; NULL: no idea. */
static const char *
usual_name(int V)
{
	if (V >= 50257 && V <= 50304)
		return "gpt2";
	return V >= 30522 && V <= 30528 ? "bert-base-uncased" : NULL;
}

static bool
from_names(struct search *s)
{
	const char *name = s->c->config.tokenizer_name, *last = strrchr(name, '/'), *usual = usual_name(s->V);

	return from_data(s, name) || (last && from_data(s, last + 1)) ||
	       (usual && strcmp(usual, name) != 0 && from_data(s, usual));
}

/* ---- none ---- */

static void
say_what_helps(struct search *s)
{
	const char *name = s->c->config.tokenizer_name, *last = strrchr(name, '/'), *usual = usual_name(s->V);

	name = last ? last + 1 : name;
	name = *name ? name : usual;
	if (s->refused[0])
		say(s, "ids are shown: %s; --tokenizer names another", s->refused);
	else if (name)
		say(s, "ids are shown: no tokenizer found; give the tokenizer.json of %s by --tokenizer, or put it in "
		       "$XDG_DATA_HOME/psiview/tokenizers/%s", name, name);
	else
		say(s, "ids are shown: no tokenizer found; give one of %d tokens by --tokenizer", s->V);
}

static void
without(struct search *s)
{
	const struct config *g = &s->c->config;

	if (s->V == 35 && (g->mask == 4 || g->mask < 0) && !g->tokenizer_name[0] && !s->refused[0] &&
	    builtin(s, tok_text8(), "guessed from a vocabulary of 35 (--tokenizer ids shows numbers)"))
		return;
	say_what_helps(s);
	s->t = tok_ids(s->V);
	s->no_memory |= !s->t;
}

static enum status
from_option(struct search *s, const char *option, struct error *e)
{
	static const struct {
		const char *name;
		struct tokenizer *(*make)(void);
	} made[] = { { "text8", tok_text8 }, { "bytes", tok_bytes }, { "pixels", tok_pixels } };
	struct tokenizer *t = NULL;
	enum status st = ST_OK;

	for (size_t i = 0; !t && i < sizeof made / sizeof made[0]; i++)
		if (strcmp(option, made[i].name) == 0 && !(t = made[i].make()))
			return error_set(e, ST_MEMORY, "out of memory");
	if (!t && strcmp(option, "ids") == 0)
		t = tok_ids(s->V);
	else if (!t && !exists(option) && from_data(s, option))
		return ST_OK;            /* a name among the user's own */
	else if (!t && !exists(option) && s->refused[0])
		return error_set(e, ST_CKPT, "--tokenizer: %s", s->refused);
	else if (!t)
		st = tok_open(option, &t, e);
	if (st != ST_OK)
		return st;
	if (!take(s, t, false, option))
		return s->no_memory ? error_set(e, ST_MEMORY, "out of memory")
				    : error_set(e, ST_CKPT, "--tokenizer: %s", s->refused);
	if (s->t->n < s->V - s->t->n / 8 - 8)
		say(s, "tokenizer: %s (only %d tokens, the checkpoint has %d)", option, s->t->n, s->V);
	else
		say(s, "tokenizer: %s", option);
	return ST_OK;
}

enum status
tokenizer_find(const struct ckpt *c, const char *option, struct tokenizer **out, char *note, size_t note_size,
	       struct error *e)
{
	struct search s = {
		.c = c, .V = c->config.vocab, .named = option != NULL, .note = note, .note_size = note ? note_size : 0
	};
	enum status st = ST_OK;

	*out = NULL;
	if (option)
		st = from_option(&s, option, e);
	else if (!from_inside(&s) && !from_config(&s) && !from_beside(&s) && !from_names(&s))
		without(&s);
	if (st == ST_OK && !s.t)
		st = error_set(e, ST_MEMORY, "out of memory for a tokenizer");
	if (st == ST_OK && c->config.mask >= 0)
		s.t->mask = c->config.mask;
	*out = s.t;
	return st;
}
