/*
 * pool.h: the one pool of worker threads, and cancellation.
 *
 * A parallel loop is items 0..n-1, handed out one by one; the calling thread
 * works too.  One loop runs at a time; a loop of higher priority goes before a
 * waiting one of lower priority, and a running low-priority loop gives way
 * between two items.  An item is at most 0.5 GFLOP of work (a few ms): cancel,
 * priority and cancel->between are looked at before each item.
 *
 * Results must not depend on which worker runs an item.
 */
#ifndef PSI_BASE_POOL_H
#define PSI_BASE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/* Handed down through everything that may take long.  NULL: cannot be cancelled. */
struct cancel {
	atomic_int asked;            /* any thread sets it; the loop ends with ST_CANCELLED */
	/* If set, called on the thread that called pool_run, between two of its own
	 * items: the sampler serves previews there.  A pool_run from inside it runs
	 * its items on the calling thread alone. */
	void (*between)(void *arg);
	void *arg;
};

static inline bool
cancel_asked(const struct cancel *c)
{
	return c && atomic_load_explicit(&c->asked, memory_order_relaxed);
}

enum pool_priority { POOL_TRAIN = 0, POOL_SAMPLE = 1 };

struct pool;

/* threads: workers in all, the caller counted; 0: one per CPU this process may
 * use.  NULL when out of memory.  pool_free joins the helpers. */
struct pool *pool_new(int threads);
void pool_free(struct pool *p);
int pool_threads(const struct pool *p);

/* Work item number `item`, run by worker 0..threads-1 (index of scratch). */
typedef void pool_fn(void *arg, int item, int worker);

/* Run fn for items 0..n-1; returns when all are done (ST_OK) or, after a
 * cancel, when no item runs any more (ST_CANCELLED).  p NULL: on the calling
 * thread.  Called from inside an item (nested), or one item alone: on the
 * calling thread, at once. */
enum status pool_run(struct pool *p, enum pool_priority prio, int n, pool_fn *fn, void *arg, struct cancel *c);

#endif
