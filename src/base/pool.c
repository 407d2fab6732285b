/*
 * pool.c: see pool.h.  The pool owns its helper threads.  A job (one call of
 * pool_run) lives on the caller's stack; jobs wait in two slots by priority.
 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/mem.h"

struct job {
	int n;
	int next;          /* first item not handed out */
	int running;       /* items being run */
	pool_fn *fn;
	void *arg;
	struct cancel *cancel;
	enum pool_priority prio;
	struct job *below; /* next waiting job */
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct job *jobs;  /* waiting or running, highest priority first */
	int threads;
	bool quit;
	bool spin;         /* a CPU for each thread: wait a moment before sleeping */
	atomic_uint events;/* counts what a waiting thread may wait for; changed with the lock held */
	pthread_t *helper;
	int helpers;
};

struct helper_arg {
	struct pool *pool;
	int worker;
};

static _Thread_local int in_item;

/* The job that goes first, if it has an item to hand out. */
static struct job *
first_job(struct pool *p)
{
	for (struct job *j = p->jobs; j; j = j->below) {
		if (j->next < j->n && !cancel_asked(j->cancel))
			return j;
		if (j->running)
			return NULL; /* its last items are still going: one loop at a time */
	}
	return NULL;
}

/* About 20 microseconds: operations of small networks follow each other faster
 * than a sleeping thread wakes. */
#define SPINS 400

static void
relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void
wake(struct pool *p, pthread_cond_t *cond)
{
	atomic_fetch_add_explicit(&p->events, 1, memory_order_release);
	pthread_cond_broadcast(cond);
}

/* Wait for a wake; may return without one.  With the lock held on entry and
 * exit. */
static void
wait_for(struct pool *p, pthread_cond_t *cond)
{
	unsigned seen = atomic_load_explicit(&p->events, memory_order_relaxed);

	if (p->spin) {
		pthread_mutex_unlock(&p->lock);
		for (int i = 0; i < SPINS && atomic_load_explicit(&p->events, memory_order_acquire) == seen; i++)
			relax();
		pthread_mutex_lock(&p->lock);
	}
	if (atomic_load_explicit(&p->events, memory_order_relaxed) == seen)
		pthread_cond_wait(cond, &p->lock);
}

/* Run one item of j with the lock held on entry and exit. */
static void
run_item(struct pool *p, struct job *j, int worker)
{
	int item = j->next++;

	j->running++;
	pthread_mutex_unlock(&p->lock);
	in_item++;
	j->fn(j->arg, item, worker);
	in_item--;
	pthread_mutex_lock(&p->lock);
	j->running--;
	if (j->running == 0)
		wake(p, &p->done);
	if (j->next >= j->n)
		wake(p, &p->work); /* the next job may go on */
}

static void *
helper_main(void *arg)
{
	struct helper_arg a = *(struct helper_arg *)arg;
	struct pool *p = a.pool;

	free(arg);
	pthread_mutex_lock(&p->lock);
	while (!p->quit) {
		struct job *j = first_job(p);
		if (j)
			run_item(p, j, a.worker);
		else
			wait_for(p, &p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int
cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return CPU_COUNT(&set);
	return 1;
}

struct pool *
pool_new(int threads)
{
	struct pool *p = mem_calloc(1, sizeof *p);

	if (!p)
		return NULL;
	if (threads <= 0)
		threads = cpus();
	p->threads = threads;
	p->spin = threads <= cpus();
	p->helper = mem_calloc((size_t)threads, sizeof *p->helper);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	for (int i = 1; p->helper && i < threads; i++) {
		struct helper_arg *a = mem_calloc(1, sizeof *a);
		if (!a)
			break;
		*a = (struct helper_arg){ p, i };
		if (pthread_create(&p->helper[p->helpers], NULL, helper_main, a) != 0) {
			free(a);
			break;
		}
		p->helpers++;
	}
	if (!p->helper) {
		pool_free(p);
		return NULL;
	}
	return p;
}

void
pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	wake(p, &p->work);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->helpers; i++)
		pthread_join(p->helper[i], NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->helper);
	free(p);
}

int
pool_threads(const struct pool *p)
{
	return p ? p->threads : 1;
}

static void
between(struct cancel *c)
{
	if (c && c->between) {
		in_item++;
		c->between(c->arg);
		in_item--;
	}
}

static enum status
run_alone(int n, pool_fn *fn, void *arg, struct cancel *c)
{
	for (int i = 0; i < n; i++) {
		if (cancel_asked(c))
			return ST_CANCELLED;
		in_item++;
		fn(arg, i, 0);
		in_item--;
		if (!in_item)
			between(c);
	}
	return cancel_asked(c) ? ST_CANCELLED : ST_OK;
}

static void
push(struct pool *p, struct job *j)
{
	struct job **at = &p->jobs;

	while (*at && (*at)->prio >= j->prio)
		at = &(*at)->below;
	j->below = *at;
	*at = j;
	wake(p, &p->work);
}

static void
pop(struct pool *p, struct job *j)
{
	struct job **at = &p->jobs;

	while (*at != j)
		at = &(*at)->below;
	*at = j->below;
	wake(p, &p->work);
}

enum status
pool_run(struct pool *p, enum pool_priority prio, int n, pool_fn *fn, void *arg, struct cancel *c)
{
	if (!p || in_item || p->threads == 1 || n <= 1)
		return run_alone(n, fn, arg, c);

	struct job j = { .n = n, .fn = fn, .arg = arg, .cancel = c, .prio = prio };
	pthread_mutex_lock(&p->lock);
	push(p, &j);
	for (;;) {
		bool stopped = cancel_asked(c);
		if (j.running == 0 && (j.next >= j.n || stopped))
			break;
		if (first_job(p) == &j) {
			run_item(p, &j, 0);
			if (c && c->between) {
				pthread_mutex_unlock(&p->lock);
				between(c);
				pthread_mutex_lock(&p->lock);
			}
		} else if (j.next < j.n && !stopped) {
			wait_for(p, &p->work);
		} else {
			wait_for(p, &p->done);
		}
	}
	bool all = j.next >= j.n;
	pop(p, &j);
	pthread_mutex_unlock(&p->lock);
	return all && !cancel_asked(c) ? ST_OK : ST_CANCELLED;
}
