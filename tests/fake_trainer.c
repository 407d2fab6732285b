/*
 * fake_trainer.c: a trainer of the tests, in place of the true one: no thread
 * and no network, fixed numbers; steps are made when a test says so.
 */
#include "tests/fake_trainer.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define POINTS 2000

struct trainer {
	struct trainer_progress now;
	struct trainer_point point[POINTS];
	int n_point, fd[2];
	struct tokenizer *tok;
	bool asked;
};

static struct trainer *last;
struct fake_trainer_setup fake_trainer = { .n = 2 };

const char *
trainer_phase_name(enum trainer_phase p)
{
	static const char *const name[] = { "opening", "running", "validating", "sampling", "saving",
					    "paused",  "done",	  "stopped",	"failed" };

	return name[p];
}

static void
event(struct trainer *t)
{
	if (write(t->fd[1], "", 1) < 0)
		return;
}

enum status
trainer_new(const struct trainer_setup *s, struct trainer **out, struct error *e)
{
	struct trainer *t = mem_calloc(1, sizeof *t);

	*out = NULL;
	if (fake_trainer.fails) {
		free(t);
		return error_set(e, ST_FAIL, "%s: No such file or directory", s->job.path);
	}
	if (!t || pipe2(t->fd, O_NONBLOCK | O_CLOEXEC) != 0) {
		free(t);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	t->now.job = s->job;
	t->now.phase = TRAINER_OPENING;
	t->now.bound_step = t->now.saved_step = t->now.best_step = -1;
	t->now.eta = -1;
	t->now.last = (struct step_numbers){ .step = s->resume ? 400 : 0, .loss = NAN, .grad_norm = NAN, .lr = NAN,
		.gamma = NAN };
	fake_trainer.paused = s->paused;
	last = *out = t;
	event(t);
	return ST_OK;
}

void
trainer_free(struct trainer *t)
{
	if (!t)
		return;
	close(t->fd[0]);
	close(t->fd[1]);
	tok_free(t->tok);
	if (last == t)
		last = NULL;
	free(t);
}

/* Data and network are there. */
void
fake_trainer_open(void)
{
	struct trainer *t = last;

	t->now.phase = fake_trainer.paused ? TRAINER_PAUSED : TRAINER_RUNNING;
	t->now.source = fake_trainer.source;
	t->now.parameters = 1250000;
	t->now.plan = (struct stepper_plan){ .micro = 32, .passes = 1, .bytes = 84000000 };
	t->tok = fake_trainer.tok ? fake_trainer.tok() : NULL;
	event(t);
}

/* n steps, a validation and a checkpoint at every hundredth. */
void
fake_trainer_steps(int n)
{
	struct trainer *t = last;
	const struct job *j = &t->now.job;

	for (int i = 0; i < n && t->now.phase == TRAINER_RUNNING; i++) {
		struct step_numbers *s = &t->now.last;
		int64_t k = ++s->step;

		s->loss = .6 + 1.8 * exp(-(double)k / 150) + .06 * sin((double)k * 1.7) * cos((double)k * .31);
		s->grad_norm = .4 + 2 * exp(-(double)k / 80) + .1 * sin((double)k);
		s->lr = j->adam.lr * fmin(1, (double)k / 100);
		s->gamma =
		    k <= j->adam.steps / 2 && j->curriculum != JOB_PLAIN ? -3.05 + 2.85 * (double)(k % 97) / 97 : NAN;
		s->alpha = .5 + .4 * cos((double)k);
		s->kept = .93;
		t->now.tokens_per_second = 12300 + 400 * sin((double)k / 9);
		t->now.eta = (double)(j->adam.steps - k) * .065;
		if (t->n_point < POINTS)
			t->point[t->n_point++] =
			    (struct trainer_point){ k, s->loss, NAN, s->lr, s->grad_norm, t->now.tokens_per_second };
		if (k % 100 == 0) {
			t->now.bound = (struct bound_numbers){
				.nats = s->loss * .97 + .02, .error = .004, .samples = 64, .accuracy = NAN
			};
			t->point[t->n_point - 1].bound = t->now.bound.nats;
			t->now.bound_step = t->now.saved_step = k;
			t->now.best = t->now.bound.nats;
			t->now.best_step = k;
			t->now.n_samples++;
		}
		if (k == j->adam.steps) {
			t->now.phase = TRAINER_DONE;
			t->now.saved_step = k;
		}
	}
	event(t);
}

void
fake_trainer_fail(const char *why)
{
	last->now.phase = TRAINER_FAILED;
	error_set(&last->now.error, ST_NUMERIC, "%s", why);
	event(last);
}

int
trainer_fd(const struct trainer *t)
{
	return t->fd[0];
}

void
trainer_drain(struct trainer *t)
{
	char byte[64];

	while (read(t->fd[0], byte, sizeof byte) > 0)
		;
}

static void
to(struct trainer *t, enum trainer_phase p)
{
	if (t->now.phase <= TRAINER_PAUSED)
		t->now.phase = p;
	event(t);
}

void
trainer_pause(struct trainer *t)
{
	to(t, TRAINER_PAUSED);
}

void
trainer_resume(struct trainer *t)
{
	to(t, TRAINER_RUNNING);
}

void
trainer_save(struct trainer *t)
{
	t->now.saved_step = t->now.last.step;
	event(t);
}

void
trainer_stop(struct trainer *t)
{
	fake_trainer.stops++;
	if (fake_trainer.slow_stop)
		return;
	t->now.saved_step = t->now.last.step;
	to(t, TRAINER_STOPPED);
}

void
trainer_wait(struct trainer *t)
{
	t->now.phase = TRAINER_STOPPED;
}

void
trainer_progress(struct trainer *t, struct trainer_progress *out)
{
	*out = t->now;
}

int
trainer_points(struct trainer *t, struct trainer_point *out, int max)
{
	int n = t->n_point < max ? t->n_point : max;

	for (int i = 0; i < n; i++)
		out[i] = t->point[(long)i * t->n_point / n];
	for (int i = 0; i < t->n_point && n; i++)
		if (isfinite(t->point[i].bound))
			out[(long)i * n / t->n_point].bound = t->point[i].bound;
	return n;
}

bool
trainer_samples(struct trainer *t, int i, int64_t *step, int *S, int32_t **tok)
{
	if (i < 0 || i >= t->now.n_samples)
		return false;
	*step = (i + 1) * 100;
	*S = fake_trainer.n;
	*tok = mem_calloc((size_t)*S * (size_t)t->now.source.L, sizeof **tok);
	for (int s = 0; s < *S; s++)
		fake_trainer.sample(s, i, *tok + (size_t)s * (size_t)t->now.source.L);
	return true;
}

const struct tokenizer *
trainer_tokenizer(struct trainer *t)
{
	return t->tok;
}

void
trainer_snapshot_ask(struct trainer *t)
{
	t->asked = true;
	event(t);
}

bool
trainer_snapshot_take(struct trainer *t, struct trainer_snapshot *out)
{
	if (!t->asked || !fake_trainer.model)
		return false;
	t->asked = false;
	*out = (struct trainer_snapshot){ .model = fake_trainer.model, .step = t->now.last.step };
	fake_trainer.open_copies++;
	return true;
}

void
trainer_snapshot_done(struct trainer_snapshot *s)
{
	(void)s;
	fake_trainer.open_copies--;
}
