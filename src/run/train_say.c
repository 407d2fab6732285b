/*
 * train_say.c: a training run in words: what it is, how far it is, how it
 * ended.  See train.h.  Pure functions, any thread.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "run/train.h"

#define LN2 0.693147180559945309

/* Append to the text in buf, as far as it fits. */
static void __attribute__((format(printf, 3, 4)))
add(char *buf, size_t size, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + n, size - n, fmt, ap);
	va_end(ap);
}

/* 1234567 as "1,234,567". */
static void
add_count(char *buf, size_t size, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

	for (int i = 0; i < len; i++)
		add(buf, size, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

static void
add_bytes(char *buf, size_t size, uint64_t bytes)
{
	if (bytes < 1000000000)
		add(buf, size, "%.1f MB", (double)bytes / 1e6);
	else
		add(buf, size, "%.2f GB", (double)bytes / 1e9);
}

/* 3723 seconds as "1:02:03"; from two days on "3 days". */
static void
add_time(char *buf, size_t size, double seconds)
{
	long long s = (long long)(seconds + .5);

	if (s >= 2 * 86400)
		add(buf, size, "%.1f days", seconds / 86400);
	else if (s >= 3600)
		add(buf, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		add(buf, size, "%lld:%02lld", s / 60, s % 60);
}

void
train_say_job(const struct job *j, char *buf, size_t size)
{
	static const char *const goal[] = { [JOB_MODEL] = "", [JOB_CLASSIFIER] = ", a classifier",
		[JOB_DISTILL] = ", distilled" };
	static const char *const curriculum[] = { [JOB_PLAIN] = "", [JOB_SIMPLE] = ", simple curriculum",
		[JOB_EFFICIENT] = ", efficient curriculum" };

	*buf = '\0';
	if (*j->preset)
		add(buf, size, "%s, ", j->preset);
	if (j->data == JOB_SUDOKU)
		add(buf, size, "Sudoku %d x %d", j->sudoku, j->sudoku);
	else
		add(buf, size, "%s of %s", j->data == JOB_TEXT ? "text" : "pictures", j->path);
	if (j->goal != JOB_CLASSIFIER)
		add(buf, size, ", %s", loss_name(j->loss));
	add(buf, size, "%s%s", goal[j->goal], curriculum[j->curriculum]);
}

void
train_say_plan(const struct job *j, uint64_t parameters, const struct stepper_plan *plan, char *buf, size_t size)
{
	*buf = '\0';
	add_count(buf, size, parameters);
	add(buf, size, " parameters; %d sample%s a step, ", j->batch, j->batch == 1 ? "" : "s");
	if (plan->passes > 1)
		add(buf, size, "in %d passes of %d; ", plan->passes, plan->micro);
	else
		add(buf, size, "all at once; ");
	add_bytes(buf, size, plan->bytes);
	add(buf, size, " of memory");
	if (plan->window.min < plan->window.max)
		add(buf, size, "; gamma %.2f to %.2f", plan->window.min, plan->window.max);
	if (plan->error_alpha > 0)
		add(buf, size, ", by a polynomial (alpha within %.1e)", plan->error_alpha);
}

static void
add_left(char *buf, size_t size, const struct trainer_progress *p)
{
	if (p->phase != TRAINER_RUNNING) {
		add(buf, size, "  %s", trainer_phase_name(p->phase));
	} else if (p->eta >= 0) {
		add(buf, size, "  ");
		add_time(buf, size, p->eta);
		add(buf, size, " left");
	}
}

void
train_say_progress(const struct trainer_progress *p, char *buf, size_t size)
{
	*buf = '\0';
	add(buf, size, "step ");
	add_count(buf, size, (uint64_t)p->last.step);
	add(buf, size, "/");
	add_count(buf, size, (uint64_t)p->job.adam.steps);
	if (trainer_stepped(p))
		add(buf, size, "  loss %.4f", p->last.loss);
	if (p->bound_step >= 0)
		add(buf, size, "  bound %.4f", p->bound.nats);
	if (p->tokens_per_second > 0) {
		add(buf, size, "  ");
		add_count(buf, size, (uint64_t)(p->tokens_per_second + .5));
		add(buf, size, " tokens/s");
	}
	add_left(buf, size, p);
}

static void
add_bound(char *buf, size_t size, const struct trainer_progress *p)
{
	const char *unit = p->job.data == JOB_IMAGES ? "dim" : "token";

	if (p->job.goal == JOB_CLASSIFIER)
		add(buf, size, ", held-out loss %.4f, right %.1f %%", p->bound.nats, 100 * p->bound.accuracy);
	else
		add(buf, size, ", bound %.4f nats (%.4f bits) a %s", p->bound.nats, p->bound.nats / LN2, unit);
	if (isfinite(p->best) && p->best < p->bound.nats) {
		add(buf, size, ", best %.4f at step ", p->best);
		add_count(buf, size, (uint64_t)p->best_step);
	}
}

void
train_say_end(const struct trainer_progress *p, double seconds, const char *out, char *buf, size_t size)
{
	bool done = p->phase == TRAINER_DONE;

	*buf = '\0';
	if (done && !trainer_stepped(p)) {
		add(buf, size, "nothing to do: %s is at step ", out);
		add_count(buf, size, (uint64_t)p->last.step);
		add(buf, size, " already (--steps N goes on)");
		return;
	}
	add(buf, size, "%s step ", done ? "done:" : "stopped at");
	add_count(buf, size, (uint64_t)p->last.step);
	if (!done) {
		add(buf, size, " of ");
		add_count(buf, size, (uint64_t)p->job.adam.steps);
	}
	add(buf, size, " after ");
	add_time(buf, size, seconds);
	if (trainer_stepped(p))
		add(buf, size, ", loss %.4f", p->last.loss);
	if (p->bound_step >= 0)
		add_bound(buf, size, p);
	if (p->saved_step != p->last.step)
		add(buf, size, "; nothing is saved");
	else
		add(buf, size, done ? "; %s is written" : "; %s is written (--resume goes on from it)", out);
}

void
train_say_settings(FILE *f, const struct job *j)
{
	char value[JOB_PATH];

	for (int i = 0; i < job_field_count(); i++)
		fprintf(f, "%s = %s\n", job_field(i)->name, job_get(j, i, value, sizeof value));
}
