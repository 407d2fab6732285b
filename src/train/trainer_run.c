/*
 * trainer_run.c: the trainer's thread: from a job, or the checkpoint of one, to
 * the last step.  What others asked for is done between two steps, or where a
 * step can be held.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "train/parallel.h"
#include "train/trainer_private.h"

static bool
writes(const struct trainer *t)
{
	return !t->setup.reduce || t->setup.reduce->rank == 0;
}

/* What gives up what is running.  Processes that share a step go through it
 * together: none of them can. */
static struct cancel *
cancel_of(struct trainer *t)
{
	return t->setup.reduce ? NULL : &t->cancel;
}

/* ---- opening ---- */

/* Of a run that has done some.  A curriculum for half of them that is over by now does not come back. */
static void
more_steps(struct job *j, int64_t done, int64_t steps)
{
	int64_t half = j->adam.steps / 2;

	if (j->curriculum != JOB_PLAIN && j->cur.end < 0 && done > half)
		j->cur.end = half;
	j->adam.steps = steps;
}

/* The job of a checkpoint, as far as this setup changes it. */
static enum status
resume_job(struct trainer *t, struct error *e)
{
	enum status st = state_load(t->out, &t->job, &t->state, e);

	if (st != ST_OK)
		return st;
	if (t->data && strlen(t->data) >= sizeof t->job.path)
		return error_set(e, ST_USAGE, "%.40s...: a path of this length cannot be kept", t->data);
	if (t->data)
		strcpy(t->job.path, t->data);
	if (t->setup.steps > 0)
		more_steps(&t->job, t->state->step, t->setup.steps);
	return ST_OK;
}

static enum status
open_all(struct trainer *t, struct error *e)
{
	enum status st = t->setup.resume ? resume_job(t, e) : ST_OK;

	if (st == ST_OK)
		st = job_check(&t->job, e);
	if (st == ST_OK)
		st = source_open(&t->job, cancel_of(t), &t->source, e);
	if (st == ST_OK && !t->state)
		st = state_new(&t->job, &t->state, e);
	if (st != ST_OK)
		return st;
	const struct net *net = t->state->net;
	struct source_info d = source_info(t->source);
	if (net->L != d.L || net->V != d.V)
		return error_set(e, ST_USAGE,
			"the data makes %d tokens of %d kinds; the checkpoint's network has %d of %d", d.L, d.V, net->L,
			net->V);
	struct stepper_setup s = { .job = &t->job, .source = t->source, .state = t->state, .pool = t->pool,
		.reduce = t->setup.reduce };
	st = stepper_new(&s, &t->stepper, e);
	return st == ST_OK && writes(t) ? note_open(t, e) : st;
}

/* The process that reads the log knows the last bound's step: it decides in all
 * of them whether one is due. */
static enum status
share_bound(struct trainer *t, struct error *e)
{
	const struct reduce *r = t->setup.reduce;

	if (!r || !r->doubles)
		return ST_OK;
	double step = writes(t) ? (double)t->shown.bound_step : 0;
	enum status st = r->doubles(r->arg, &step, 1, e);
	pthread_mutex_lock(&t->lock);
	t->shown.bound_step = (int64_t)step;
	pthread_mutex_unlock(&t->lock);
	return st;
}

/* A run goes on with whatever data there is; but who asked for the same run again should know. */
static void
compare_data(struct trainer *t)
{
	struct source_info d = source_info(t->source);
	unsigned long long was = t->state->data, is = d.train + d.held;

	if (!t->setup.resume || !was || was == is || !writes(t))
		return;
	pthread_mutex_lock(&t->lock);
	error_set(&t->shown.warning, ST_FAIL, "%s: the data has changed (%llu %s, now %llu): not as if the run had "
		"never stopped", t->job.path, was, d.side ? "pictures" : "tokens", is);
	pthread_mutex_unlock(&t->lock);
	trainer_notify(t);
}

static enum status
begin(struct trainer *t, struct error *e)
{
	enum status st = parallel_agree(t->setup.reduce, open_all(t, e), e);

	if (st == ST_OK)
		st = share_bound(t, e);
	pthread_mutex_lock(&t->lock);
	t->shown.job = t->job;
	if (st == ST_OK) {
		t->tokenizer = source_tokenizer(t->source);
		t->shown.source = source_info(t->source);
		t->shown.plan = stepper_plan(t->stepper);
		t->shown.parameters = net_parameters(t->state->net);
		t->shown.best = t->state->best;
		t->shown.best_step = t->state->best_step;
		t->shown.last = (struct step_numbers){ .step = t->state->step, .loss = NAN, .grad_norm = NAN, .lr = NAN,
			.gamma = NAN };
		t->shown.saved_step = t->setup.resume ? t->state->step : -1;
	}
	pthread_mutex_unlock(&t->lock);
	if (st == ST_OK)
		compare_data(t);
	return st;
}

/* ---- validation, checkpoints, samples ---- */

/* What could not be done is said, and the run goes on. */
static void
complain(struct trainer *t, const char *what, const struct error *e)
{
	trainer_trouble(t, e);
	note_event(t, what, "error", e->msg);
}

static void
keep_best(struct trainer *t)
{
	struct error e = { 0 };

	if (!writes(t))
		return;
	trainer_phase(t, TRAINER_SAVING);
	if (state_export(t->state, &t->job, t->source, DT_F32, t->best, &e) != ST_OK)
		complain(t, "best failed", &e);
	else
		note_event(t, "best", "path", t->best);
}

static enum status
validate(struct trainer *t, struct error *e)
{
	struct bound_numbers b;

	if (t->job.valid_samples < 1)
		return ST_OK;
	trainer_phase(t, TRAINER_VALIDATING);
	enum status st = stepper_valid(t->stepper, false, &b, cancel_of(t), e);
	if (st != ST_OK)
		return st;
	bool best = b.nats < t->state->best;
	if (best) {
		t->state->best = b.nats;
		t->state->best_step = t->state->step;
	}
	pthread_mutex_lock(&t->lock);
	t->shown.bound = b;
	t->shown.bound_step = t->state->step;
	t->shown.best = t->state->best;
	t->shown.best_step = t->state->best_step;
	points_bound(&t->points, t->state->step, b.nats);
	pthread_mutex_unlock(&t->lock);
	note_bound(t, &b);
	if (best)
		keep_best(t);
	return ST_OK;
}

/* Samples of the average, for those who watch; a failure is no more than said. */
static void
sample(struct trainer *t)
{
	struct sample_set set;
	struct error e = { 0 };

	if (t->job.show_samples < 1 || t->job.goal == JOB_CLASSIFIER || !writes(t))
		return;
	trainer_phase(t, TRAINER_SAMPLING);
	enum status st = show_samples(t, &set, &e);
	if (st == ST_CANCELLED)
		return;
	if (st != ST_OK) {
		complain(t, "samples failed", &e);
		return;
	}
	note_samples(t, &set);
	pthread_mutex_lock(&t->lock);
	sets_add(&t->sets, set.step, set.S, set.L, set.tok);
	t->shown.n_samples = t->sets.n;
	pthread_mutex_unlock(&t->lock);
}

static bool
finite_floats(const float *x, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] - x[i]; /* 0, or NaN */
	return sum == 0;
}

/* What is saved can be gone on from.  ST_NUMERIC otherwise: the loss of the next step would say it too late. */
static enum status
check_finite(const struct trainer *t, struct error *e)
{
	const struct train_state *s = t->state;

	if (finite_floats(s->param, s->flat.floats) && finite_floats(s->m, s->flat.floats) &&
	    finite_floats(s->v, s->flat.floats) && finite_floats(s->ema, s->flat.floats))
		return ST_OK;
	return error_set(e, ST_NUMERIC, "step %lld: not all weights are finite any more (loss %.4g, gradient "
			 "norm %.4g, learning rate %.3g); nothing is saved", (long long)s->step, t->shown.last.loss,
			 t->shown.last.grad_norm, t->shown.last.lr);
}

/* ST_NUMERIC ends the run; after any other failure it can be tried again. */
static enum status
save(struct trainer *t, struct error *e)
{
	enum status st = check_finite(t, e);

	if (st != ST_OK || !writes(t))
		return st;
	trainer_phase(t, TRAINER_SAVING);
	st = state_save(t->state, &t->job, t->source, t->out, e);
	if (st != ST_OK) {
		complain(t, "save failed", e);
		return st;
	}
	pthread_mutex_lock(&t->lock);
	t->shown.saved_step = t->state->step;
	pthread_mutex_unlock(&t->lock);
	trainer_trouble(t, NULL);
	note_event(t, "save", "path", t->out);
	return ST_OK;
}

/* ---- what others ask for ---- */

static void
take_snapshot(struct trainer *t)
{
	struct trainer_snapshot s = { 0 };
	struct error e = { 0 };
	enum status st = snapshot_make(t, &s, &e);

	pthread_mutex_lock(&t->lock);
	struct trainer_snapshot old = t->taken;
	t->taken = s;
	t->has_taken = st == ST_OK;
	pthread_mutex_unlock(&t->lock);
	trainer_snapshot_done(&old);
	if (st != ST_OK)
		trainer_trouble(t, &e);
	trainer_notify(t);
}

/* Do what was asked for; with the lock held on entry and exit.  false: nothing. */
static bool
serve_one(struct trainer *t)
{
	struct error e;
	bool snapshot = t->snapshot, saving = t->save;

	if (!snapshot && !saving)
		return false;
	t->snapshot = t->save = false;
	pthread_mutex_unlock(&t->lock);
	if (snapshot)
		take_snapshot(t);
	if (saving && t->shown.saved_step != t->state->step)
		save(t, &e);
	pthread_mutex_lock(&t->lock);
	return true;
}

/* Serve, wait while paused; false: the run is to end.  With the lock held. */
static bool
attend(struct trainer *t)
{
	while (!t->stop && !t->quit && (serve_one(t) || t->pause)) {
		if (!t->pause || t->stop || t->quit || t->snapshot || t->save)
			continue;
		if (t->shown.phase != TRAINER_PAUSED) {
			pthread_mutex_unlock(&t->lock);
			trainer_phase(t, TRAINER_PAUSED);
			pthread_mutex_lock(&t->lock);
			continue;
		}
		pthread_cond_wait(&t->change, &t->lock);
	}
	return !t->stop && !t->quit;
}

static bool
go_on(struct trainer *t)
{
	pthread_mutex_lock(&t->lock);
	bool on = attend(t);
	pthread_mutex_unlock(&t->lock);
	return on;
}

static double
now_s(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* cancel.between: in the middle of a step, whose weights are still those of the step before. */
void
trainer_hold(void *arg)
{
	struct trainer *t = arg;

	if (!t->stepping)
		return;
	pthread_mutex_lock(&t->lock);
	bool any = t->pause || t->snapshot || t->save, on = true;
	double start = any ? now_s() : 0;
	if (any)
		on = attend(t);
	pthread_mutex_unlock(&t->lock);
	if (any)
		t->held += now_s() - start;
	if (any && on)
		trainer_phase(t, TRAINER_RUNNING);
}

/* Processes end together: where one is to, all are asked to stop. */
static enum status
agree(struct trainer *t, bool *on, struct error *e)
{
	const struct reduce *r = t->setup.reduce;
	double ends = !*on;

	if (!r || !r->doubles)
		return ST_OK;
	enum status st = r->doubles(r->arg, &ends, 1, e);
	if (st == ST_OK && ends > 0) {
		pthread_mutex_lock(&t->lock);
		t->stop = true;
		pthread_mutex_unlock(&t->lock);
		*on = false;
	}
	return st;
}

static void
show_step(struct trainer *t, const struct step_numbers *n)
{
	int64_t left = t->job.adam.steps - n->step;
	struct trainer_point p = { .step = n->step, .loss = n->loss, .bound = NAN, .lr = n->lr,
		.grad_norm = n->grad_norm };

	t->step_seconds += (n->seconds - t->step_seconds) * (t->step_seconds > 0 ? 1. / 16 : 1);
	p.tokens_per_second = n->tokens / fmax(t->step_seconds, 1e-9);
	pthread_mutex_lock(&t->lock);
	t->shown.last = *n;
	t->shown.tokens_per_second = p.tokens_per_second;
	t->shown.eta = t->step_seconds * (double)left;
	points_add(&t->points, &p);
	pthread_mutex_unlock(&t->lock);
	note_step(t, n);
	trainer_notify(t);
}

static bool
due(int64_t step, int64_t every)
{
	return every > 0 && step % every == 0;
}

/* After a step: what it is time for. */
static enum status
care(struct trainer *t, struct error *e)
{
	int64_t step = t->state->step;
	struct error trouble;
	enum status st = ST_OK;

	if (due(step, t->job.valid_every))
		st = validate(t, e);
	if (st == ST_OK && due(step, t->job.save_every)) {
		st = save(t, &trouble);
		if (st == ST_NUMERIC) {
			*e = trouble;
			return st;
		}
		st = ST_OK; /* tried again at the next checkpoint */
		sample(t);
	}
	return st;
}

/* A run that was stopped in the middle of what a step was due does it now. */
static enum status
make_up(struct trainer *t, struct error *e)
{
	int64_t step = t->state->step;
	enum status st = ST_OK;

	if (step == 0 || step >= t->job.adam.steps)
		return ST_OK;
	if (due(step, t->job.valid_every) && t->shown.bound_step != step)
		st = validate(t, e);
	if (st == ST_OK && due(step, t->job.save_every) && (t->sets.n == 0 || t->sets.at[t->sets.n - 1].step != step))
		sample(t);
	return st;
}

static enum status
steps(struct trainer *t, struct error *e)
{
	struct step_numbers n = { 0 };
	enum status st = make_up(t, e);

	if (st == ST_CANCELLED)
		st = ST_OK;
	while (st == ST_OK && t->state->step < t->job.adam.steps) {
		bool on = go_on(t);
		st = agree(t, &on, e);
		if (st != ST_OK || !on)
			break;
		trainer_phase(t, TRAINER_RUNNING);
		t->stepping = true;
		t->held = 0;
		st = stepper_run(t->stepper, &n, cancel_of(t), e);
		t->stepping = false;
		n.seconds -= st == ST_OK ? t->held : 0;
		if (st == ST_OK) {
			show_step(t, &n);
			st = care(t, e);
		}
		if (st == ST_CANCELLED)
			st = ST_OK; /* go_on knows why */
	}
	return st;
}

/* All steps are done: the last bound, checkpoint and samples, unless they are
 * there.  ST_CANCELLED: not all of it, but it is saved. */
static enum status
finish(struct trainer *t, struct error *e)
{
	enum status bound = ST_OK, st = ST_OK;
	int64_t step = t->state->step;
	bool fresh = t->shown.bound_step != step;

	if (fresh)
		bound = validate(t, e);
	if (bound != ST_OK && bound != ST_CANCELLED)
		return bound;
	if (fresh || t->shown.saved_step != step) /* the best bound is part of it */
		st = save(t, e);
	if (st == ST_OK && (t->sets.n == 0 || t->sets.at[t->sets.n - 1].step != step))
		sample(t);
	return st == ST_OK ? bound : st;
}

/* And not only to go away. */
static bool
asked_to_stop(struct trainer *t)
{
	pthread_mutex_lock(&t->lock);
	bool stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

static enum trainer_phase
train(struct trainer *t, struct error *e)
{
	enum status st = begin(t, e);

	if (st == ST_OK)
		st = steps(t, e);
	if (st == ST_CANCELLED)
		return TRAINER_STOPPED;
	if (st == ST_OK && t->state->step >= t->job.adam.steps) {
		st = finish(t, e);
		return st == ST_OK ? TRAINER_DONE : st == ST_CANCELLED ? TRAINER_STOPPED : TRAINER_FAILED;
	}
	if (st == ST_OK && asked_to_stop(t) && t->shown.saved_step != t->state->step)
		st = save(t, e);
	return st == ST_OK ? TRAINER_STOPPED : TRAINER_FAILED;
}

void *
trainer_main(void *arg)
{
	struct trainer *t = arg;
	struct error e = { 0 };
	enum trainer_phase end = train(t, &e);

	if (end == TRAINER_FAILED)
		note_event(t, "failed", "error", e.msg);
	else
		note_event(t, trainer_phase_name(end), NULL, NULL);
	/* why it ended is there together with the end, whatever the log had to complain of */
	pthread_mutex_lock(&t->lock);
	if (end == TRAINER_FAILED)
		t->shown.error = e;
	t->shown.phase = end;
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
	trainer_notify(t);
	/* The average can still be asked for; what was saved stays as it is. */
	pthread_mutex_lock(&t->lock);
	while (!t->quit) {
		t->save = false;
		if (!t->stepper || !serve_one(t))
			pthread_cond_wait(&t->change, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}
