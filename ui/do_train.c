/*
 * do_train.c: `:train VERB`: everything that can be asked of a training.  What
 * would lose something needs a word more here ("start over"); the keys of the
 * view ask before they give it.
 */
#include "ui/train.h"

#include <stdlib.h>

#include "ckpt/ckpt.h"

typedef enum status verb_fn(struct app *a, const char *args, struct error *e);

static enum status
need_trainer(const struct app *a, struct error *e)
{
	if (!a->train->t)
		return error_set(e, ST_USAGE, "nothing is trained (train start)");
	if (train_over(a))
		return error_set(e, ST_USAGE, "the training has ended (train continue goes on with %s)",
				 train_base(a->train->path));
	return ST_OK;
}

static enum status
do_start(struct app *a, const char *args, struct error *e)
{
	bool over = strcmp(args, "over") == 0, paused = strcmp(args, "paused") == 0;

	if (*args && !over && !paused)
		return error_set(e, ST_USAGE, "train start, train start over, train start paused");
	return train_start(a, over, paused, e);
}

/* Go on with a checkpoint of a training: the file of the form, or another. */
static enum status
do_continue_training(struct app *a, const char *args, struct error *e)
{
	struct train *t = a->train;

	if (train_live(a))
		return error_set(e, ST_USAGE, "%s is being trained: train stop first", train_base(t->path));
	if (*args) {
		t->own = strcmp(t->out, args) == 0 && t->own;
		snprintf(t->out, sizeof t->out, "%.*s", (int)sizeof t->out - 1, args);
	} else if (!t->resume && t->t) {
		t->own = strcmp(t->out, t->path) == 0;
		snprintf(t->out, sizeof t->out, "%s", t->path);
		t->resume_step = t->now.last.step;
	}
	if (!*args && t->own && t->resume_step >= t->job.adam.steps)
		return error_set(e, ST_USAGE, "all %lld steps are done: train set steps N first, a larger number",
				 (long long)t->resume_step);
	t->resume = true;
	return train_start(a, false, false, e);
}

static enum status
do_pause(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_trainer(a, e))
		return ST_USAGE;
	a->train->want = WANT_PAUSE;
	trainer_pause(a->train->t);
	return ST_OK;
}

static enum status
do_resume(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_trainer(a, e))
		return ST_USAGE;
	a->train->want = WANT_RESUME;
	trainer_resume(a->train->t);
	return ST_OK;
}

static enum status
do_save(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_trainer(a, e))
		return ST_USAGE;
	a->train->want = WANT_SAVE;
	a->train->want_step = a->train->now.last.step;
	*a->train->told_error.msg = 0; /* the same trouble again is worth a word */
	trainer_save(a->train->t);
	return ST_OK;
}

static enum status
do_stop_training(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (need_trainer(a, e))
		return ST_USAGE;
	a->train->want = WANT_STOP;
	trainer_stop(a->train->t);
	return ST_OK;
}

/* The average as it is now, in the Sample view. */
static enum status
do_open(struct app *a, const char *args, struct error *e)
{
	struct train *t = a->train;

	(void)args;
	if (!t->t || t->now.phase == TRAINER_FAILED || t->now.phase == TRAINER_OPENING)
		return error_set(e, ST_USAGE, "there are no weights to open yet");
	if (t->now.job.goal == JOB_CLASSIFIER)
		return error_set(e, ST_USAGE, "a classifier draws nothing itself: it guides (--classifier %s)",
				 train_base(t->path));
	t->opening = true;
	trainer_snapshot_ask(t->t);
	return ST_OK;
}

static enum status
do_close(struct app *a, const char *args, struct error *e)
{
	(void)args;
	if (!a->train->snap.model)
		return error_set(e, ST_USAGE, "no copy of a training lies open");
	train_close_snapshot(a);
	app_say(a, false, "back to %s", a->name);
	return ST_OK;
}

static enum status
do_set_job(struct app *a, const char *args, struct error *e)
{
	struct train *t = a->train;
	struct job j = t->job;
	char line[JOB_PATH + 64], *value;
	enum status st;
	int field;

	snprintf(line, sizeof line, "%s", args);
	value = line + strcspn(line, " \t=");
	while (*value && strchr(" \t=", *value))
		*value++ = 0;
	field = job_field_find(line);
	if (field < 0)
		return error_set(e, ST_USAGE, "no setting '%s' (Tab after 'train set ' lists them)", line);
	if (!*value && job_field(field)->type != JOB_TEXTUAL) {
		app_say(a, false, "%s: %s", line, job_field(field)->help);
		return ST_OK;
	}
	st = job_set(&j, field, value, e);
	if (st == ST_OK)
		t->job = j;
	return st;
}

static enum status
do_preset_job(struct app *a, const char *args, struct error *e)
{
	struct job probe;
	enum status st = job_preset(args, &probe, e);

	if (st == ST_OK) {
		train_preset(a->train, args);
		for (int i = 0; i < job_preset_count(); i++)
			if (strcmp(job_preset_name(i), args) == 0)
				app_say(a, false, "%s: %s", args, job_preset_help(i));
	}
	return st;
}

static enum status
do_data(struct app *a, const char *args, struct error *e)
{
	char line[JOB_PATH + 8];

	snprintf(line, sizeof line, "data %s", args);
	return do_set_job(a, line, e);
}

static enum status
do_out(struct app *a, const char *args, struct error *e)
{
	struct train *t = a->train;

	if (!*args || strlen(args) >= sizeof t->out)
		return error_set(e, ST_USAGE, "train out FILE: where the checkpoint is written");
	snprintf(t->out, sizeof t->out, "%s", args);
	t->resume = false;
	return ST_OK;
}

/* The form again, after the end. */
static enum status
do_new(struct app *a, const char *args, struct error *e)
{
	struct train *t = a->train;

	(void)args;
	if (train_live(a))
		return error_set(e, ST_USAGE, "%s is being trained: train stop first", train_base(t->path));
	t->page = TRAIN_SETTINGS;
	t->resume = false;
	t->row = 0;
	return ST_OK;
}

/* Scripts: until STEP, or the end. */
static enum status
do_wait(struct app *a, const char *args, struct error *e)
{
	long step;

	if (need_trainer(a, e))
		return a->train->t ? ST_OK : ST_USAGE;
	if (one_number(args, 0, LONG_MAX, LONG_MAX, &step, e))
		return ST_USAGE;
	a->train->wait = step;
	return ST_OK;
}

static enum status
do_status(struct app *a, const char *args, struct error *e)
{
	char line[220];

	(void)args;
	(void)e;
	train_status(a, line, sizeof line);
	app_say(a, false, "%s", line);
	return ST_OK;
}

static const struct { const char *name; verb_fn *fn; } verbs[] = {
	{ "start", do_start }, { "pause", do_pause }, { "resume", do_resume }, { "save", do_save },
	{ "stop", do_stop_training }, { "open", do_open }, { "close", do_close }, { "set", do_set_job },
	{ "preset", do_preset_job }, { "data", do_data }, { "out", do_out }, { "continue", do_continue_training },
	{ "new", do_new }, { "wait", do_wait }, { "status", do_status },
};

/* Without a verb: the view. */
enum status
do_train(struct app *a, const char *args, struct error *e)
{
	char line[JOB_PATH + 80], *rest;

	args_trim(args, line, sizeof line);
	if (!*line)
		return do_view(a, "train", e);
	rest = line + strcspn(line, " \t");
	while (*rest == ' ' || *rest == '\t')
		*rest++ = 0;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(line, verbs[i].name) == 0) {
			enum status st = verbs[i].fn(a, rest, e);

			train_events(a);
			return st;
		}
	return error_set(e, ST_USAGE, "train what? (start, pause, resume, save, stop, open, close, set, wait ...)");
}

const char *
train_word(const char *verb, int i)
{
	static const char *const how[] = { "over", "paused" };

	if (strcmp(verb, "set") == 0)
		return i < job_field_count() ? job_field(i)->name : NULL;
	if (strcmp(verb, "preset") == 0)
		return i < job_preset_count() ? job_preset_name(i) : NULL;
	if (strcmp(verb, "start") == 0)
		return i < 2 ? how[i] : NULL;
	return NULL;
}
