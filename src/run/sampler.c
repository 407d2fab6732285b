/*
 * sampler.c: see sampler.h.  The queue of requests, the queue of reports and
 * the thread; the work itself is in serve.c.
 */
#include "run/sampler_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

int
sampler_rank(enum request_kind kind)
{
	static const int rank[] = {
		[RQ_START] = 0, [RQ_EDIT] = 0, [RQ_PREVIEW] = 1, [RQ_INSPECT] = 2, [RQ_PAINT] = 3,
		[RQ_STEP] = 4, [RQ_AHEAD] = 5, [RQ_FREE] = 6,
	};

	return rank[kind];
}

/* ---- reports ---- */

void
sampler_report(struct sampler *s, struct item *it)
{
	it->next = NULL;
	pthread_mutex_lock(&s->lock);
	if (s->last)
		s->last->next = it;
	else
		s->first = it;
	s->last = it;
	if (s->first == it) /* the pipe holds one byte at most: this cannot block */
		while (write(s->fd[1], "", 1) < 0 && errno == EINTR)
			;
	pthread_cond_signal(&s->news);
	pthread_mutex_unlock(&s->lock);
}

/* Take the first report; with the lock held. */
static void
take_first(struct sampler *s, struct report *out)
{
	struct item *it = s->first;
	char byte;

	s->first = it->next;
	if (!s->first) {
		s->last = NULL;
		while (read(s->fd[0], &byte, 1) < 0 && errno == EINTR)
			;
	}
	*out = it->report;
	free(it);
}

bool
sampler_take(struct sampler *s, struct report *out)
{
	pthread_mutex_lock(&s->lock);
	bool any = s->first != NULL;
	if (any)
		take_first(s, out);
	pthread_mutex_unlock(&s->lock);
	return any;
}

void
sampler_wait(struct sampler *s, struct report *out)
{
	pthread_mutex_lock(&s->lock);
	while (!s->first)
		pthread_cond_wait(&s->news, &s->lock);
	take_first(s, out);
	pthread_mutex_unlock(&s->lock);
}

void
report_done(struct report *r)
{
	state_done(&r->preview);
	free(r->each);
	free(r->value);
	free(r->token);
	free(r->law);
	tree_release(r->cut);
	r->each = NULL;
	r->value = NULL;
	r->token = NULL;
	r->law = NULL;
	r->cut = NULL;
}

int
sampler_fd(const struct sampler *s)
{
	return s->fd[0];
}

/* ---- requests ---- */

static void
pending_free(struct pending *p)
{
	free(p->r.edit);
	free(p->final);
	free(p);
}

void
sampler_finish(struct sampler *s, struct pending *p, enum status st, const struct error *e)
{
	struct item *it = p->final;

	p->final = NULL;
	it->report.status = st;
	if (e && st != ST_OK)
		it->report.error = *e;
	it->report.last = true;
	sampler_report(s, it);
}

static struct pending *
pending_new(const struct request *r)
{
	struct pending *p = mem_calloc(1, sizeof *p);
	struct item *it = mem_calloc(1, sizeof *it);

	if (!p || !it) {
		free(p);
		free(it);
		return NULL;
	}
	p->r = *r;
	p->final = it;
	it->report = (struct report){ .kind = r->kind, .node = r->node, .recipe = r->recipe, .sample = r->sample,
		.pos = r->pos, .paint = r->paint };
	return p;
}

/* Take the requests that match out of the queue; with the lock held. */
static struct pending *
extract(struct sampler *s, bool (*match)(const struct pending *p, const void *arg), const void *arg)
{
	struct pending *out = NULL, **end = &out, **at = &s->queue;

	while (*at) {
		struct pending *p = *at;
		if (!match(p, arg)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		p->next = NULL;
		*end = p;
		end = &p->next;
	}
	return out;
}

static void
cancel_all(struct sampler *s, struct pending *list)
{
	while (list) {
		struct pending *next = list->next;
		sampler_finish(s, list, ST_CANCELLED, NULL);
		pending_free(list);
		list = next;
	}
}

static bool
is_kind(const struct pending *p, const void *arg)
{
	return p->r.kind == *(const enum request_kind *)arg;
}

static bool
is_step_or_ahead(const struct pending *p, const void *arg)
{
	(void)arg;
	return p->r.kind == RQ_STEP || p->r.kind == RQ_AHEAD;
}

static bool
replaces(enum request_kind k)
{
	return k == RQ_PREVIEW || k == RQ_INSPECT || k == RQ_PAINT || k == RQ_AHEAD;
}

static void
ask_cancel(struct sampler *s)
{
	atomic_store(&s->plain.asked, 1);
	atomic_store(&s->trunk.asked, 1);
}

/* A look-ahead gives way to a network call for other features. */
static bool
in_the_way(const struct sampler *s, const struct request *r)
{
	const struct recipe *a = &s->doing_recipe, *b = &r->recipe;

	if (!s->busy || s->doing != RQ_AHEAD || !(r->kind == RQ_STEP || r->kind == RQ_AHEAD || r->compute))
		return false;
	return r->node != s->doing_node || a->raw != b->raw || a->label != b->label || (a->cfg == 1) != (b->cfg == 1) ||
	       (a->cfg == 0) != (b->cfg == 0);
}

uint64_t
sampler_ask(struct sampler *s, struct request *r)
{
	struct pending *p = pending_new(r), *old = NULL, **at;

	if (!p) {
		free(r->edit);
		r->edit = NULL;
		return 0;
	}
	r->edit = NULL;
	pthread_mutex_lock(&s->lock);
	uint64_t ticket = p->ticket = p->final->report.ticket = ++s->tickets;
	if (replaces(r->kind))
		old = extract(s, is_kind, &r->kind);
	for (at = &s->queue; *at; at = &(*at)->next)
		;
	*at = p;
	if (in_the_way(s, r))
		ask_cancel(s);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	cancel_all(s, old);
	return ticket;
}

void
sampler_stop(struct sampler *s)
{
	pthread_mutex_lock(&s->lock);
	struct pending *old = extract(s, is_step_or_ahead, NULL);
	if (s->busy && (s->doing == RQ_STEP || s->doing == RQ_AHEAD))
		ask_cancel(s);
	pthread_mutex_unlock(&s->lock);
	cancel_all(s, old);
}

bool
sampler_newer(struct sampler *s, enum request_kind kind)
{
	bool any = false;

	pthread_mutex_lock(&s->lock);
	for (const struct pending *p = s->queue; p; p = p->next)
		any |= p->r.kind == kind;
	pthread_mutex_unlock(&s->lock);
	return any;
}

/* ---- the thread ---- */

/* The first request of the lowest rank below `below` that can be served now;
 * taken out of the queue, with the lock held. */
static struct pending *
next_request(struct sampler *s, int below)
{
	struct pending **best = NULL;

	for (struct pending **at = &s->queue; *at; at = &(*at)->next) {
		int rank = sampler_rank((*at)->r.kind);
		if (rank >= below || (s->in_trunk && (*at)->needs_trunk))
			continue;
		if (!best || rank < sampler_rank((*best)->r.kind))
			best = at;
	}
	if (!best)
		return NULL;
	struct pending *p = *best;
	*best = p->next;
	p->next = NULL;
	return p;
}

static void
put_back(struct sampler *s, struct pending *p)
{
	pthread_mutex_lock(&s->lock);
	bool newer = false;
	for (struct pending *q = s->queue; q; q = q->next)
		newer |= replaces(p->r.kind) && q->r.kind == p->r.kind;
	if (!newer) {
		p->needs_trunk = true;
		p->next = s->queue;
		s->queue = p;
	}
	pthread_mutex_unlock(&s->lock);
	if (newer)
		cancel_all(s, p);
}

static void
publish_progress(struct sampler *s)
{
	s->progress.net_ms = s->stats.net_ms;
	s->progress.nfe = s->stats.nfe;
	s->progress.cache_bytes = cache_bytes(s->cache);
	s->progress.tree_bytes = tree_bytes(s->tree);
}

void
sampler_serve_above(struct sampler *s, int below)
{
	for (;;) {
		pthread_mutex_lock(&s->lock);
		struct pending *p = s->quit ? NULL : next_request(s, below);
		publish_progress(s);
		pthread_mutex_unlock(&s->lock);
		if (!p)
			return;
		s->depth++;
		bool served = serve(s, p);
		s->depth--;
		if (served)
			pending_free(p);
		else
			put_back(s, p);
	}
}

/* cancel->between of the trunk. */
static void
beside_trunk(void *arg)
{
	struct sampler *s = arg;

	if (s->depth > 0)
		return; /* already beside something: its buffers are in use */
	s->in_trunk = true;
	sampler_serve_above(s, sampler_rank(RQ_STEP));
	s->in_trunk = false;
}

static void
run_one(struct sampler *s, struct pending *p)
{
	serve(s, p);
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	s->doing_node = NULL;
	publish_progress(s);
	pthread_mutex_unlock(&s->lock);
	pending_free(p);
}

static void *
sampler_main(void *arg)
{
	struct sampler *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		struct pending *p = next_request(s, INT_MAX);
		if (!p) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		atomic_store(&s->plain.asked, 0);
		atomic_store(&s->trunk.asked, 0);
		s->busy = true;
		s->doing = p->r.kind;
		s->doing_node = p->r.node;
		s->doing_recipe = p->r.recipe;
		pthread_mutex_unlock(&s->lock);
		run_one(s, p);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void
sampler_progress(struct sampler *s, struct sampler_progress *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->progress;
	out->busy = s->busy;
	out->doing = s->doing;
	pthread_mutex_unlock(&s->lock);
}

const struct tree *
sampler_tree(const struct sampler *s)
{
	return s->tree;
}

/* ---- life ---- */

static size_t
default_cache(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	size_t most = (size_t)2 << 30;

	if (pages <= 0 || size <= 0)
		return most / 8;
	size_t quarter = (size_t)pages / 4 * (size_t)size;
	return quarter < most ? quarter : most;
}

static bool
buffers_init(struct sampler *s)
{
	for (int i = 0; i < 2; i++)
		if (state_init(&s->in[i], s->S, s->L, NULL) != ST_OK ||
			state_init(&s->out[i], s->S, s->L, NULL) != ST_OK)
			return false;
	return true;
}

static void
destroy(struct sampler *s)
{
	for (int i = 0; i < 2; i++) {
		state_done(&s->in[i]);
		state_done(&s->out[i]);
	}
	tree_free(s->tree);
	cache_free(s->cache);
	for (int i = 0; i < 2; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct sampler *
sampler_new(const struct sampler_setup *setup, struct error *e)
{
	struct sampler *s = mem_calloc(1, sizeof *s);

	if (!s) {
		error_set(e, ST_MEMORY, "out of memory for the sampler");
		return NULL;
	}
	s->ema = setup->ema;
	s->raw = setup->raw;
	s->S = setup->samples;
	s->L = setup->ema->L;
	s->fd[0] = s->fd[1] = -1;
	s->trunk.between = beside_trunk;
	s->trunk.arg = s;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->news, NULL);
	s->tree = tree_new(s->S, s->L);
	s->cache = cache_new(setup->cache_bytes ? setup->cache_bytes : default_cache());
	s->cursor.cache = s->cache;
	if (!s->tree || !s->cache || !buffers_init(s)) {
		error_set(e, ST_MEMORY, "out of memory for the sampler");
	} else if (pipe2(s->fd, O_NONBLOCK | O_CLOEXEC) != 0) {
		error_set(e, ST_FAIL, "pipe: %s", strerror(errno));
	} else if (!thread_start(&s->thread, sampler_main, s)) {
		error_set(e, ST_FAIL, "cannot start the sampler thread");
	} else {
		return s;
	}
	destroy(s);
	return NULL;
}

void
sampler_free(struct sampler *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->quit = true;
	ask_cancel(s);
	atomic_store(&s->beside.asked, 1);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (s->queue) {
		struct pending *p = s->queue;
		s->queue = p->next;
		pending_free(p);
	}
	while (s->first) {
		struct report r;
		take_first(s, &r);
		report_done(&r);
	}
	features_done(&s->cursor);
	destroy(s);
}
