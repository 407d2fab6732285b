/*
 * train.c: see train.h.  Starts the trainer, looks at it when it says that
 * something happened, says what that was, opens a frozen copy of the average.
 */
#include "ui/train.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum status
train_new(struct app *a, const struct app_setup *s, struct error *e)
{
	struct train *t = a->train = mem_calloc(1, sizeof *t);

	if (!t || !(t->point = mem_calloc(TRAIN_POINTS, sizeof *t->point)))
		return error_set(e, ST_MEMORY, "out of memory");
	t->pool = s->pool;
	t->wait = t->set = t->loaded = -1;
	job_init(&t->job);
	train_preset(t, job_preset_count() ? job_preset_name(0) : "");
	if (s->ckpt && s->ckpt->job && s->path && job_from_json(s->ckpt->job, &t->job, NULL) == ST_OK) {
		t->resume = t->own = true;
		t->resume_step = s->ckpt->config.step;
		snprintf(t->out, sizeof t->out, "%s", s->path);
	}
	return ST_OK;
}

void
train_offer(struct app *a)
{
	const struct train *t = a->train;

	if (t->resume)
		app_say(a, false, "F5 goes on with this training, at step %lld of %lld",
			(long long)t->resume_step, (long long)t->job.adam.steps);
}

const char *
train_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void
train_preset(struct train *t, const char *name)
{
	char path[JOB_PATH];

	snprintf(path, sizeof path, "%s", t->job.path);
	if (job_preset(name, &t->job, NULL) != ST_OK)
		return;
	if (t->job.data != JOB_SUDOKU && !*t->job.path)
		snprintf(t->job.path, sizeof t->job.path, "%s", path);
	if (!t->resume)
		snprintf(t->out, sizeof t->out, "%.80s.safetensors", name);
	t->resume = t->own = false;
}

/* ---- the frozen copy ---- */

void
train_close_snapshot(struct app *a)
{
	struct train *t = a->train;

	if (!t->snap.model)
		return;
	desk_close(a);
	sampler_free(t->sampler);
	trainer_snapshot_done(&t->snap);
	t->sampler = NULL;
	memset(&t->snap, 0, sizeof t->snap);
}

/* How tokens stand: as source_info and the job say. */
struct layout
train_layout(const struct train *t)
{
	const struct source_info *s = &t->now.source;
	struct layout l = { .columns = s->columns, .first = s->columns && s->bos >= 0 };

	if (s->columns && t->now.job.data == JOB_SUDOKU) {
		l.box_rows = t->now.job.sudoku == 9 ? 3 : 2;
		l.box_columns = t->now.job.sudoku / l.box_rows;
	}
	return l;
}

static enum status
open_copy(struct app *a, const char *name, const char *about, struct error *e)
{
	struct train *t = a->train;
	struct model *m = t->snap.model;
	const struct tokenizer *tok = trainer_tokenizer(t->t);
	struct sampler_setup ss = { .ema = m, .samples = t->now.source.side ? 4 : 1 };
	struct app_setup s = { .model = m,
			       .tok = tok,
			       .name = name,
			       .about = about,
			       .side = t->now.source.side,
			       .layout = train_layout(t) };

	if (!tok)
		return error_set(e, ST_FAIL, "the training has no tokenizer yet");
	if (tok->bos >= 0 && tok->bos < m->V)
		m->bos = tok->bos;
	recipe_default(m, s.side > 0, &s.recipe);
	s.recipe.seed = a->recipe.seed;
	s.recipe.samples = ss.samples;
	t->sampler = s.sampler = sampler_new(&ss, e);
	return t->sampler ? desk_open(a, &s, e) : e->code;
}

/* The copy that was asked for, if it is there: it takes the place of the one
 * before.  trouble: something has gone wrong, perhaps this. */
static void
take_snapshot(struct app *a, bool trouble)
{
	struct train *t = a->train;
	struct trainer_snapshot snap;
	struct error e = { 0 };
	char name[120], size[16], about[80];

	if (!t->opening)
		return;
	if (!trainer_snapshot_take(t->t, &snap)) {
		if (trouble || t->now.phase == TRAINER_FAILED)
			t->opening = false;
		return;
	}
	t->opening = false;
	train_close_snapshot(a);
	t->snap = snap;
	snprintf(t->file, sizeof t->file, "%s", a->name);
	snprintf(name, sizeof name, "%.60s, step %lld of training", train_base(t->path), (long long)snap.step);
	say_large((double)t->now.parameters, size, sizeof size);
	snprintf(about, sizeof about, "%s %s", algo_name(t->now.job.net.algo), size);
	if (open_copy(a, name, about, &e) != ST_OK) {
		sampler_free(t->sampler);
		trainer_snapshot_done(&t->snap);
		t->sampler = NULL;
		memset(&t->snap, 0, sizeof t->snap);
		app_say(a, true, "%s", e.msg);
		return;
	}
	a->view = 0;
	app_say(a, false, "the average at step %lld; :train close goes back to %s", (long long)snap.step, t->file);
}

/* ---- life ---- */

bool
train_over(const struct app *a)
{
	enum trainer_phase p = a->train->now.phase;

	return p == TRAINER_DONE || p == TRAINER_STOPPED || p == TRAINER_FAILED;
}

bool
train_live(const struct app *a)
{
	return a->train && a->train->t && !train_over(a);
}

int
app_train_fd(const struct app *a)
{
	return a->train && a->train->t ? trainer_fd(a->train->t) : -1;
}

bool
train_busy(const struct app *a)
{
	const struct train *t = a->train;

	return t && t->t && (t->want != WANT_NOTHING || t->opening || t->wait >= 0);
}

static void
forget_trainer(struct train *t)
{
	trainer_free(t->t);
	t->t = NULL;
	free(t->tok);
	t->tok = NULL;
	t->set = t->loaded = t->wait = -1;
	t->n_sample = t->n_point = t->sample = 0;
	t->want = WANT_NOTHING;
	t->opening = false;
	*t->told_error.msg = 0;
	t->told_warning = false;
}

enum status
train_start(struct app *a, bool over, bool paused, struct error *e)
{
	struct train *t = a->train;
	struct trainer_setup s = { .job = t->job,
				   .out = t->path,
				   .resume = t->resume,
				   .data = t->own && *t->job.path ? t->job.path : NULL,
				   .steps = t->own ? t->job.adam.steps : 0,
				   .pool = t->pool,
				   .paused = paused };
	enum status st;

	if (train_live(a))
		return error_set(e, ST_USAGE, "%s is being trained: train stop first", train_base(t->path));
	if (!*t->out)
		return error_set(e, ST_USAGE, "out names no file for the checkpoint (train out FILE)");
	if (!t->resume && (st = job_check(&t->job, e)) != ST_OK)
		return st;
	if (!t->resume && !over && access(t->out, F_OK) == 0)
		return error_set(e, ST_USAGE,
				 "%s is there: 'train start over' replaces it, 'train continue' goes on with it",
				 t->out);
	if (t->snap.model && !over)
		return error_set(e, ST_USAGE,
				 "the copy that lies open belongs to the training before: train close first");
	train_close_snapshot(a);
	forget_trainer(t);
	snprintf(t->path, sizeof t->path, "%s", t->out);
	st = trainer_new(&s, &t->t, e);
	if (st != ST_OK) {
		t->t = NULL;
		return st;
	}
	t->want = WANT_START;
	t->told_bound = t->told_saved = -1;
	t->told = TRAINER_OPENING;
	trainer_progress(t->t, &t->now);
	t->page = TRAIN_CHARTS;
	return ST_OK;
}

void
train_free(struct app *a)
{
	struct train *t = a->train;

	if (!t)
		return;
	train_close_snapshot(a);
	forget_trainer(t);
	free(t->point);
	free(t);
	a->train = NULL;
}

void
app_leave(struct app *a)
{
	struct train *t = a->train;

	if (!train_live(a) || t->leaving) {
		a->quit = true;
		return;
	}
	t->leaving = true;
	t->want = WANT_STOP;
	trainer_stop(t->t);
	app_say(a, false, "the training is being stopped and saved; q again leaves at once");
}

void
app_end(struct app *a)
{
	if (!train_live(a))
		return;
	trainer_stop(a->train->t);
	trainer_wait(a->train->t);
}

/* ---- what happened ---- */

/* It is open: what it is now, whatever was asked for. */
static void
settle(struct train *t)
{
	const struct job *j = &t->now.job;

	t->job = *j;
	*t->job.like = 0; /* the next one need not fit this one's checkpoint */
	t->resume = false;
	t->window = j->cur.window;
	if (j->curriculum != JOB_PLAIN && t->window.min == t->window.max) /* chosen from K */
		t->window = operator_window_for(t->now.source.K);
}

/* What was asked has happened, or cannot happen any more. */
static bool
satisfied(const struct app *a)
{
	const struct train *t = a->train;
	enum trainer_phase p = t->now.phase;

	if (train_over(a))
		return true;
	switch (t->want) {
	case WANT_START:
		return p != TRAINER_OPENING;
	case WANT_PAUSE:
		return p == TRAINER_PAUSED;
	case WANT_RESUME:
		return p != TRAINER_PAUSED;
	case WANT_SAVE:
		return t->now.saved_step >= t->want_step || strcmp(t->told_error.msg, t->now.error.msg) != 0;
	case WANT_STOP:
		return false;
	case WANT_NOTHING:
		break;
	}
	return true;
}

/* Lines of the log: validations, checkpoints, the end. */
static void
tell(struct app *a)
{
	struct train *t = a->train;
	const struct trainer_progress *n = &t->now;
	char line[240], loss[16], bound[16];

	if (n->bound_step > t->told_bound) {
		say_number(n->last.loss, loss, sizeof loss);
		say_number(n->bound.nats, bound, sizeof bound);
		snprintf(line, sizeof line, "training: step %lld of %lld: loss %s, bound %s", (long long)n->bound_step,
			 (long long)n->job.adam.steps, loss, bound);
		app_log(a, false, line);
		t->told_bound = n->bound_step;
	}
	if (n->saved_step > t->told_saved && n->phase != TRAINER_DONE && n->phase != TRAINER_STOPPED) {
		snprintf(line, sizeof line, "training: step %lld is saved in %.120s", (long long)n->saved_step,
			 t->path);
		app_log(a, false, line);
	}
	if (n->saved_step > t->told_saved)
		t->told_saved = n->saved_step;
	if (strcmp(t->told_error.msg, n->error.msg) != 0 && *n->error.msg)
		app_say(a, true, "training: %s", n->error.msg);
	t->told_error = n->error;
	if (*n->warning.msg && !t->told_warning)
		app_say(a, true, "training: %s", n->warning.msg);
	t->told_warning = *n->warning.msg;
	if (n->phase == t->told)
		return;
	if (n->phase == TRAINER_PAUSED || (t->told == TRAINER_PAUSED && n->phase < TRAINER_PAUSED))
		app_say(a, false, "training: %s at step %lld", n->phase == TRAINER_PAUSED ? "paused" : "goes on",
			(long long)n->last.step);
	if (n->phase == TRAINER_FAILED && n->last.step < 1 && n->saved_step < 0)
		t->page = TRAIN_SETTINGS; /* it never began: something in the form is wrong */
	if (n->phase == TRAINER_DONE || n->phase == TRAINER_STOPPED)
		app_say(a, false, "training: %s at step %lld, saved in %s",
			n->phase == TRAINER_DONE ? "done" : "stopped", (long long)n->last.step, t->path);
	t->told = n->phase;
}

void
train_events(struct app *a)
{
	struct train *t = a->train;
	bool trouble;

	if (!t || !t->t)
		return;
	trainer_drain(t->t);
	trainer_progress(t->t, &t->now);
	trouble = *t->now.error.msg && strcmp(t->told_error.msg, t->now.error.msg) != 0;
	t->n_point = trainer_points(t->t, t->point, TRAIN_POINTS);
	if (t->want != WANT_NOTHING && satisfied(a)) {
		if (t->want == WANT_START && t->now.phase != TRAINER_FAILED)
			settle(t);
		t->want = WANT_NOTHING;
	}
	tell(a);
	if (t->wait >= 0 && (train_over(a) || t->now.last.step >= t->wait))
		t->wait = -1;
	take_snapshot(a, trouble);
	if (!t->leaving || !train_over(a))
		return;
	t->leaving = false;
	if (t->now.phase != TRAINER_FAILED)
		a->quit = true;
	else
		app_say(a, true, "not saved: %.160s; q leaves all the same", t->now.error.msg);
}

bool
app_train_news(struct app *a)
{
	char before[sizeof a->message];
	int view = a->view;

	memcpy(before, a->message, sizeof before);
	train_events(a);
	return app_view(view) == &view_train || a->view != view || strcmp(before, a->message) != 0;
}

/* ---- samples along training time ---- */

void
train_load_set(struct app *a)
{
	struct train *t = a->train;
	int want = t->set >= 0 && t->set < t->now.n_samples ? t->set : t->now.n_samples - 1;

	if (!t->t || want < 0 || want == t->loaded)
		return;
	free(t->tok);
	t->tok = NULL;
	t->loaded = -1;
	if (trainer_samples(t->t, want, &t->set_step, &t->n_sample, &t->tok))
		t->loaded = want;
}

/* ---- words ---- */

void
say_duration(double seconds, char *buf, size_t size)
{
	long s = seconds < 0 ? 0 : seconds > 1e9 ? 1000000000 : lround(seconds);

	if (s >= 86400)
		snprintf(buf, size, "%ld d %ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	else if (s >= 3600)
		snprintf(buf, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, size, "%ld:%02ld", s / 60, s % 60);
}

void
say_large(double v, char *buf, size_t size)
{
	static const char unit[] = " kMGT";
	int u = 0;

	for (; v >= 999.5 && u < 4; u++)
		v /= 1000;
	if (u == 0)
		snprintf(buf, size, "%.0f", v);
	else
		snprintf(buf, size, v < 9.995 ? "%.2f%c" : v < 99.95 ? "%.1f%c" : "%.0f%c", v, unit[u]);
}

void
say_bytes(uint64_t bytes, char *buf, size_t size)
{
	double mb = (double)bytes / 1e6;

	if (mb >= 9950)
		snprintf(buf, size, "%.0f GB", mb / 1e3);
	else if (mb >= 1000)
		snprintf(buf, size, "%.1f GB", mb / 1e3);
	else
		snprintf(buf, size, mb < 10 ? "%.1f MB" : "%.0f MB", mb);
}

void
train_status(const struct app *a, char *buf, size_t size)
{
	const struct train *t = a->train;
	const struct trainer_progress *n = &t->now;
	char loss[16], bound[16] = "-", rate[16], left[32] = "";

	if (!t->t) {
		snprintf(buf, size, "nothing is trained (train start)");
		return;
	}
	say_number(n->last.loss, loss, sizeof loss);
	if (n->bound_step >= 0)
		say_number(n->bound.nats, bound, sizeof bound);
	say_large(n->tokens_per_second, rate, sizeof rate);
	if (n->eta >= 0 && !train_over(a))
		say_duration(n->eta, left, sizeof left);
	snprintf(buf, size, "training: %s, step %lld of %lld, loss %s, bound %s, %s tokens/s%s%s%s",
		 trainer_phase_name(n->phase), (long long)n->last.step, (long long)n->job.adam.steps, loss, bound, rate,
		 *left ? ", " : "", left, *left ? " left" : "");
}
