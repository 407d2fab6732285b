/*
 * trainer.c: see trainer.h.  Requests are flags, answers a struct copied under
 * the lock; the thread (trainer_run.c) looks at the flags between two steps.
 */
#include "train/trainer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "train/trainer_private.h"

static const char *const phase_names[] = {
	[TRAINER_OPENING] = "opening", [TRAINER_RUNNING] = "running", [TRAINER_VALIDATING] = "validating",
	[TRAINER_SAMPLING] = "sampling", [TRAINER_SAVING] = "saving", [TRAINER_PAUSED] = "paused",
	[TRAINER_DONE] = "done", [TRAINER_STOPPED] = "stopped", [TRAINER_FAILED] = "failed",
};

const char *
trainer_phase_name(enum trainer_phase p)
{
	return phase_names[p];
}

/* ---- what the thread says ---- */

void
trainer_notify(struct trainer *t)
{
	while (write(t->fd[1], "", 1) < 0 && errno == EINTR)
		;
}

void
trainer_phase(struct trainer *t, enum trainer_phase p)
{
	pthread_mutex_lock(&t->lock);
	bool news = t->shown.phase != p;
	t->shown.phase = p;
	if (news)
		pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
	if (news)
		trainer_notify(t);
}

void
trainer_trouble(struct trainer *t, const struct error *e)
{
	pthread_mutex_lock(&t->lock);
	t->shown.error = e ? *e : (struct error){ 0 };
	pthread_mutex_unlock(&t->lock);
	trainer_notify(t);
}

/* ---- what others ask ---- */

int
trainer_fd(const struct trainer *t)
{
	return t->fd[0];
}

void
trainer_drain(struct trainer *t)
{
	char waste[256];

	for (;;) {
		ssize_t n = read(t->fd[0], waste, sizeof waste);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
}

static void
ask(struct trainer *t, bool *flag, bool value, bool give_up)
{
	pthread_mutex_lock(&t->lock);
	*flag = value;
	if (give_up)
		atomic_store(&t->cancel.asked, 1);
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
}

void
trainer_pause(struct trainer *t)
{
	ask(t, &t->pause, true, false);
}

void
trainer_resume(struct trainer *t)
{
	ask(t, &t->pause, false, false);
}

void
trainer_save(struct trainer *t)
{
	ask(t, &t->save, true, false);
}

void
trainer_stop(struct trainer *t)
{
	ask(t, &t->stop, true, true);
}

void
trainer_snapshot_ask(struct trainer *t)
{
	ask(t, &t->snapshot, true, false);
}

static bool
ended(enum trainer_phase p)
{
	return p == TRAINER_DONE || p == TRAINER_STOPPED || p == TRAINER_FAILED;
}

void
trainer_wait(struct trainer *t)
{
	pthread_mutex_lock(&t->lock);
	while (!ended(t->shown.phase))
		pthread_cond_wait(&t->change, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

bool
trainer_snapshot_take(struct trainer *t, struct trainer_snapshot *out)
{
	pthread_mutex_lock(&t->lock);
	bool any = t->has_taken;
	if (any) {
		*out = t->taken;
		t->taken = (struct trainer_snapshot){ 0 };
		t->has_taken = false;
	}
	pthread_mutex_unlock(&t->lock);
	return any;
}

/* ---- what others see ---- */

void
trainer_progress(struct trainer *t, struct trainer_progress *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->shown;
	pthread_mutex_unlock(&t->lock);
}

int
trainer_points(struct trainer *t, struct trainer_point *out, int max)
{
	pthread_mutex_lock(&t->lock);
	int n = points_spread(&t->points, out, max);
	pthread_mutex_unlock(&t->lock);
	return n;
}

bool
trainer_samples(struct trainer *t, int i, int64_t *step, int *S, int32_t **tok)
{
	bool ok = false;

	pthread_mutex_lock(&t->lock);
	if (i >= 0 && i < t->sets.n) {
		const struct sample_set *s = &t->sets.at[i];
		size_t all = (size_t)s->S * (size_t)s->L;
		*step = s->step;
		*S = s->S;
		if ((*tok = mem_calloc(all, sizeof **tok)) != NULL) {
			memcpy(*tok, s->tok, all * sizeof **tok);
			ok = true;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return ok;
}

const struct tokenizer *
trainer_tokenizer(struct trainer *t)
{
	pthread_mutex_lock(&t->lock);
	const struct tokenizer *tok = t->tokenizer;
	pthread_mutex_unlock(&t->lock);
	return tok;
}

/* ---- life ---- */

/* "run.safetensors" -> "run" + end, beside it. */
static char *
beside(const char *out, const char *end)
{
	static const char usual[] = ".safetensors";
	size_t n = strlen(out), m = sizeof usual - 1;

	if (n > m && strcmp(out + n - m, usual) == 0 && out[n - m - 1] != '/')
		n -= m;
	return mem_printf("%.*s%s", (int)n, out, end);
}

static bool
paths(struct trainer *t)
{
	const struct trainer_setup *s = &t->setup;

	t->out = mem_strdup(s->out);
	t->best = beside(s->out, ".best.safetensors");
	t->log_path = s->log ? mem_strdup(s->log) : beside(s->out, ".log.jsonl");
	t->samples_path = beside(s->out, ".samples.jsonl");
	if (s->resume && s->data && *s->data && !(t->data = mem_strdup(s->data)))
		return false;
	return t->out && t->best && t->log_path && t->samples_path;
}

/* Everything but the thread. */
static void
destroy(struct trainer *t)
{
	note_close(t);
	stepper_free(t->stepper);
	state_free(t->state);
	source_close(t->source);
	trainer_snapshot_done(&t->taken);
	sets_free(&t->sets);
	pool_free(t->own);
	for (int i = 0; i < 2; i++)
		if (t->fd[i] >= 0)
			close(t->fd[i]);
	free(t->out);
	free(t->data);
	free(t->best);
	free(t->log_path);
	free(t->samples_path);
	pthread_cond_destroy(&t->change);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

enum status
trainer_new(const struct trainer_setup *setup, struct trainer **out, struct error *e)
{
	struct trainer *t = mem_calloc(1, sizeof *t);
	enum status st = ST_OK;

	*out = NULL;
	if (!t)
		return error_set(e, ST_MEMORY, "out of memory for the trainer");
	t->setup = *setup;
	t->job = t->shown.job = setup->job;
	t->pause = setup->paused;
	t->cancel.between = trainer_hold;
	t->cancel.arg = t;
	t->fd[0] = t->fd[1] = -1;
	t->shown.bound_step = t->shown.saved_step = t->shown.best_step = -1;
	t->shown.best = INFINITY;
	t->shown.eta = -1;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->change, NULL);
	if (!setup->pool)
		t->own = pool_new(setup->threads);
	t->pool = setup->pool ? setup->pool : t->own;
	if (!t->pool || !paths(t))
		st = error_set(e, ST_MEMORY, "out of memory for the trainer");
	else if (pipe2(t->fd, O_NONBLOCK | O_CLOEXEC) != 0)
		st = error_set(e, ST_FAIL, "pipe: %s", strerror(errno));
	else if (!thread_start(&t->thread, trainer_main, t))
		st = error_set(e, ST_FAIL, "cannot start the trainer thread");
	if (st != ST_OK) {
		destroy(t);
		return st;
	}
	*out = t;
	return ST_OK;
}

void
trainer_free(struct trainer *t)
{
	if (!t)
		return;
	ask(t, &t->quit, true, true);
	pthread_join(t->thread, NULL);
	destroy(t);
}
