/* features.c: see features.h. */
#include "run/features.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/classifier.h"

static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct cache_key
key_of(const struct model *m, const struct feat_want *w)
{
	return (struct cache_key){ .weights = w->what == WANT_MODEL ? m->weights : -(int)w->what,
				   .label = w->label,
				   .sigma = w->sigma,
				   .last_only = w->len > 0,
				   .len = w->len > 0 ? w->len : m->L,
				   .tok = w->tok };
}

static bool
hold(struct features *f, struct cache_entry *entry)
{
	struct cache_entry **p = mem_grow(f->held, &f->cap_held, f->n_held + 1, sizeof *p);

	if (!p) {
		cache_drop(f->cache, entry);
		return false;
	}
	f->held = p;
	f->held[f->n_held++] = entry;
	return true;
}

void
features_done(struct features *f)
{
	while (f->n_held > 0)
		cache_drop(f->cache, f->held[--f->n_held]);
	free(f->held);
	f->held = NULL;
	f->cap_held = 0;
}

static void
note_time(struct features_stats *s, double ms, int calls)
{
	double per = ms / calls;

	s->nfe += calls;
	s->net_ms = s->net_ms > 0 ? s->net_ms + (per - s->net_ms) / 4 : per;
}

/* A causal model's prefixes, one by one: keys and values are kept, so each is
 * one row. */
static enum status
call_extend(struct features *f, int n, struct feat_want *const *w, struct cache_entry *const *entry, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; i < n && st == ST_OK; i++)
		st = f->m->extend(f->m, w[i]->sample, w[i]->len, w[i]->tok, entry[i]->feat, f->cancel, e);
	return st;
}

/* All n whole-sample pieces in one call of the trunk. */
static enum status
call_trunk(struct features *f, int n, struct feat_want *const *w, struct cache_entry *const *entry, struct error *e)
{
	const struct model *m = f->m;
	size_t L = (size_t)m->L, each = L * (size_t)m->F, count = (size_t)n;
	int32_t *tok = mem_calloc(count * L, sizeof *tok);
	double *sigma = mem_calloc(count, sizeof *sigma);
	int *label = mem_calloc(count, sizeof *label);
	float *feat = n == 1 ? entry[0]->feat : mem_aligned(count * each, sizeof *feat);
	enum status st;
	bool labels = false;

	if (!tok || !sigma || !label || !feat) {
		st = error_set(e, ST_MEMORY, "out of memory for the features of %d samples", n);
		goto out;
	}
	for (int i = 0; i < n; i++) {
		for (size_t j = 0; j < L; j++)
			/* undrawn: behind what is looked at */
			tok[(size_t)i * L + j] = w[i]->tok[j] < 0 ? 0 : w[i]->tok[j];
		sigma[i] = w[i]->sigma;
		label[i] = w[i]->label;
		labels |= w[i]->label != LABEL_NONE;
	}
	st = f->m->trunk(f->m, n, tok, sigma, labels ? label : NULL, feat, f->cancel, e);
	for (int i = 0; n > 1 && st == ST_OK && i < n; i++)
		memcpy(entry[i]->feat, feat + (size_t)i * each, each * sizeof *feat);
out:
	if (n > 1)
		mem_free(feat);
	free(tok);
	free(sigma);
	free(label);
	return st;
}

static enum status
call_classifier(struct features *f, const struct feat_want *w, float *feat, struct error *e)
{
	struct classifier *c = f->m->guide;

	if (w->what == WANT_EXACT)
		return classifier_exact(c, w->tok, w->sigma, w->label, f->m->mask, feat, f->cancel, e);
	return c->gradient(c, 1, w->tok, &w->sigma, &w->label, feat, f->cancel, e);
}

/* What the classifier has to say comes first, a sample at a time; the rest in
 * one batch. */
static enum status
call(struct features *f, int n, struct feat_want **w, struct cache_entry **entry, struct error *e)
{
	enum status st = ST_OK;
	int k = 0;

	for (int i = 0; i < n && st == ST_OK; i++) {
		if (w[i]->what != WANT_MODEL) {
			st = call_classifier(f, w[i], entry[i]->feat, e);
			continue;
		}
		struct feat_want *want = w[i];
		struct cache_entry *room = entry[i];
		w[i] = w[k];
		entry[i] = entry[k];
		w[k] = want;
		entry[k++] = room;
	}
	if (st != ST_OK || k == 0)
		return st;
	return w[0]->len > 0 ? call_extend(f, k, w, entry, e) : call_trunk(f, k, w, entry, e);
}

/* Fill the entries of the n wants that are not kept. */
static enum status
compute(struct features *f, int n, struct feat_want **w, struct cache_entry **entry, struct error *e)
{
	double start = now_ms();
	enum status st = call(f, n, w, entry, e);

	if (st != ST_OK)
		return st;
	note_time(f->stats, now_ms() - start, n);
	for (int i = 0; i < n; i++)
		cache_commit(f->cache, entry[i]);
	return ST_OK;
}

/* Floats per position. */
static size_t
width(const struct model *m, const struct feat_want *w)
{
	return (size_t)(w->what == WANT_MODEL ? m->F : w->what == WANT_EXACT ? m->V : m->guide->F);
}

/* Hold the entry of each want: kept ones, and fresh room for the others, which
 * are gathered in todo/room. */
static enum status
gather(struct features *f, int n, struct feat_want *w, struct feat_want **todo, struct cache_entry **room, int *n_todo,
       struct error *e)
{
	for (int i = 0; i < n; i++) {
		struct cache_key key = key_of(f->m, &w[i]);
		struct cache_entry *entry = cache_find(f->cache, &key);
		w[i].fresh = false;
		if (entry) {
			w[i].fresh = f->step && !entry->counted;
		} else if (!f->compute) {
			f->missing = true;
			return ST_CANCELLED;
		} else {
			size_t count = width(f->m, &w[i]) * (w[i].len > 0 ? 1 : (size_t)f->m->L);
			entry = cache_reserve(f->cache, &key, count);
			if (!entry)
				return error_set(e, ST_MEMORY, "out of memory for features");
			w[i].fresh = true;
			todo[*n_todo] = &w[i];
			room[(*n_todo)++] = entry;
		}
		if (!hold(f, entry))
			return error_set(e, ST_MEMORY, "out of memory for features");
		entry->counted |= f->step;
		w[i].feat = entry->feat;
	}
	return ST_OK;
}

enum status
features_get(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	struct features *f = ctx;
	struct feat_want **todo = mem_calloc((size_t)n, sizeof *todo);
	struct cache_entry **room = mem_calloc((size_t)n, sizeof *room);
	int n_todo = 0;
	enum status st;

	(void)c;
	if (!todo || !room)
		st = error_set(e, ST_MEMORY, "out of memory for features");
	else
		st = gather(f, n, w, todo, room, &n_todo, e);
	if (st == ST_OK && n_todo > 0)
		st = compute(f, n_todo, todo, room, e);
	free(todo);
	free(room);
	return st;
}

/* The class of a sample, of so many. */
static int
class_of(const struct recipe *r, int sample, int classes)
{
	return r->label == LABEL_ROWS ? (int)(((unsigned)r->first + (unsigned)sample) % (unsigned)classes) : r->label;
}

int
features_wants(const struct model *m, const struct recipe *r, double t, const struct state *s, int sample, int pos,
               struct feat_want *w)
{
	double sigma = alpha_sigma(&m->alpha, t);
	bool labels = m->classes > 0 && r->label != LABEL_NONE;
	int label = labels ? class_of(r, sample, m->classes) : LABEL_NONE;
	int n = 0, len = 0;

	if (m->out == OUT_CAUSAL && pos >= 0) {
		if (pos == 0)
			return 0;
		len = pos;
	}
	struct feat_want base = { .tok = s->tok + (size_t)sample * (size_t)s->L,
				  .label = label,
				  .len = len,
				  .sample = sample,
				  .sigma = m->timed && m->out != OUT_CAUSAL ? sigma : 0 };
	if (labels && r->cfg == 0)
		base.label = m->classes;
	w[n++] = base;
	if (labels && r->cfg != 0 && r->cfg != 1 && label != m->classes) {
		base.label = m->classes;
		w[n++] = base;
	}
	if (m->guide && r->cls != 0 && r->label != LABEL_NONE && r->label < m->guide->classes) {
		base.label = class_of(r, sample, m->guide->classes);
		base.sigma = sigma;
		base.what = r->cls_how == CLS_EXACT ? WANT_EXACT : WANT_GRADIENT;
		w[n++] = base;
	}
	return n;
}
