/* train.c: see train.h. */
#include "run/train.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "run/progress.h"
#include "train/parallel.h"

#define POLL_MS 100                  /* a signal and the progress line wait at most so long */
#define DRAW_S .1                    /* seconds between two looks of the progress line, at least */
#define LINE_S 10                    /* seconds between plain lines; a new bound has one of its own */

/* What has been told so far. */
struct teller {
	const struct train_io *io;
	bool tty, begun;
	int width;                       /* of the progress line that stands there */
	double told;                     /* when, in seconds */
	int64_t bound_step;
	char error[sizeof ((struct error *)0)->msg], warning[sizeof ((struct error *)0)->msg];
};

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- what is asked for ---- */

/* Could OUT be written?  Told before hours are spent. */
static enum status
check_out(const char *out, bool may_be_there, struct error *e)
{
	struct stat is;
	char *copy = mem_strdup(out);
	const char *dir = copy ? dirname(copy) : NULL;
	enum status st = ST_OK;

	if (!dir)
		st = error_set(e, ST_MEMORY, "out of memory");
	else if (stat(out, &is) == 0 && !S_ISREG(is.st_mode))
		st = error_set(e, ST_FAIL, "%s: is not a regular file", out);
	else if (stat(out, &is) == 0 && !may_be_there)
		st = error_set(e, ST_USAGE, "%s is there already: --resume goes on from it, --force writes over it",
			       out);
	else if (access(dir, W_OK | X_OK) != 0)
		st = error_set(e, ST_FAIL, "%s cannot be written: %s: %s", out, dir, strerror(errno));
	free(copy);
	return st;
}

/* The job in the metadata of a checkpoint. */
static enum status
read_job(const char *path, struct job *j, struct error *e)
{
	struct st_file *f;
	enum status st = st_open(path, &f, e);

	if (st == ST_OK) {
		const char *json = st_meta(f, "job");
		st = json ? job_from_json(json, j, e)
			  : error_set(e, ST_CKPT, "is no checkpoint of a training run: there is nothing to resume");
		st_close(f);
	}
	return st == ST_OK ? st : error_prefix(e, path);
}

/* A resumed run keeps its settings; the same ones may be given again. */
static enum status
resumed_job(const struct settings *s, const char *out, struct job *want, struct error *e)
{
	static const char *const free_to[] = { "data", "steps" };
	const char *preset = settings_text(s, OPT_JOB);
	char a[JOB_PATH], b[JOB_PATH];
	struct job was;
	enum status st = read_job(out, &was, e);

	*want = was;
	if (st == ST_OK)
		st = settings_job_fields(s, want, e);
	if (st != ST_OK)
		return st;
	if (preset && strcmp(preset, was.preset) != 0)
		return error_set(e, ST_USAGE, "--preset is %s, but the run in %s began as %s", preset, out,
				 *was.preset ? was.preset : "none");
	for (int i = 0; i < job_field_count(); i++) {
		const char *name = job_field(i)->name;
		bool ok = !strcmp(name, free_to[0]) || !strcmp(name, free_to[1]);
		if (!ok && settings_job_text(s, name) &&
		    strcmp(job_get(&was, i, a, sizeof a), job_get(want, i, b, sizeof b)) != 0)
			return error_set(e, ST_USAGE, "--%s is %s, but the run in %s has %s, and keeps it", name, b,
					 out, a);
	}
	return ST_OK;
}

/* job_check, of options: "heads is ..." becomes "--heads is ...". */
static enum status
check_job(const struct job *j, struct error *e)
{
	struct error mine = { .code = ST_OK };
	char name[32];

	if (job_check(j, &mine) == ST_OK)
		return ST_OK;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(mine.msg, " :"), mine.msg);
	return error_set(e, mine.code, "%s%s", job_field_find(name) >= 0 ? "--" : "", mine.msg);
}

/* A job that goes on: where its data lies now, and how far it goes. */
static enum status
prepare_resumed(const struct settings *s, struct trainer_setup *t, struct error *e)
{
	const char *steps = settings_job_text(s, "steps");

	t->resume = true;
	t->data = settings_job_text(s, "data");
	t->steps = steps ? strtoll(steps, NULL, 10) : 0;
	return resumed_job(s, s->file, &t->job, e);
}

static enum status
prepare(const struct settings *s, struct trainer_setup *t, struct error *e)
{
	bool dry = settings_flag(s, OPT_DRY_RUN), resume = settings_flag(s, OPT_RESUME);
	enum status st = ST_OK;

	*t = (struct trainer_setup){ .out = s->file, .log = settings_text(s, OPT_LOG),
		.threads = (int)settings_int(s, OPT_THREADS, 0) };
	if (!s->file && (resume || !dry))
		return error_set(e, ST_USAGE, "where to? (psiview train %s)", subcommand_list[SUB_TRAIN].args);
	if (s->file && !dry)
		st = check_out(s->file, resume || settings_flag(s, OPT_FORCE), e);
	if (st == ST_OK)
		st = resume ? prepare_resumed(s, t, e) : settings_job(s, &t->job, e);
	return st == ST_OK ? check_job(&t->job, e) : st;
}

/* ---- telling ---- */

static void
tell_line(struct teller *t, const char *line)
{
	progress_clear(t->io->say, &t->width);
	fprintf(t->io->say, "%s\n", line);
	fflush(t->io->say);
}

static void
tell_progress(struct teller *t, const struct trainer_progress *p)
{
	char line[240];

	train_say_progress(p, line, sizeof line);
	if (t->tty) {
		if (now_s() - t->told < DRAW_S)
			return;
		t->told = now_s();
		progress_line(t->io->say, line, &t->width);
	} else if (p->bound_step != t->bound_step || now_s() - t->told >= LINE_S) {
		tell_line(t, line);
		t->told = now_s();
	}
	t->bound_step = p->bound_step;
}

/* Once, as long as it stays. */
static void
warn(struct teller *t, const struct error *e, char *told)
{
	if (!t->io->warn || e->code == ST_OK || strcmp(e->msg, told) == 0)
		return;
	snprintf(told, sizeof e->msg, "%s", e->msg);
	if (t->io->say)
		progress_clear(t->io->say, &t->width);
	fprintf(t->io->warn, "psiview: warning: %s\n", e->msg);
	fflush(t->io->warn);
}

/* What has failed while the run goes on.  Not yet where it may be about to end by it. */
static void
tell_trouble(struct teller *t, const struct trainer_progress *p)
{
	warn(t, &p->warning, t->warning);
	if (p->phase != TRAINER_SAVING)
		warn(t, &p->error, t->error);
}

static void
tell(struct teller *t, const struct trainer_progress *p)
{
	char job[JOB_PATH + 160], line[JOB_PATH + 400];

	if (p->phase == TRAINER_FAILED)
		return;
	tell_trouble(t, p);
	if (!t->io->say || p->phase == TRAINER_OPENING)
		return;
	if (!t->begun) {
		train_say_job(&p->job, job, sizeof job);
		train_say_plan(&p->job, p->parameters, &p->plan, line, sizeof line);
		fprintf(t->io->say, "%s: %s\n", job, line);
		t->begun = true;
		t->told = t->tty ? 0 : now_s();
	}
	if (p->phase != TRAINER_DONE && p->phase != TRAINER_STOPPED)
		tell_progress(t, p);
}

/* ---- a run ---- */

static bool
has_ended(enum trainer_phase p)
{
	return p == TRAINER_DONE || p == TRAINER_STOPPED || p == TRAINER_FAILED;
}

static void
follow(struct trainer *t, struct teller *teller, struct trainer_progress *p)
{
	struct pollfd fd = { .fd = trainer_fd(t), .events = POLLIN };
	bool asked = false;

	do {
		poll(&fd, 1, POLL_MS);
		trainer_drain(t);
		if (*teller->io->stop && !asked) {
			trainer_stop(t);
			asked = true;
		}
		trainer_progress(t, p);
		tell(teller, p);
	} while (!has_ended(p->phase));
	trainer_wait(t);
}

static enum status
train(const struct trainer_setup *setup, const struct train_io *io, struct error *e)
{
	struct teller teller = { .io = io, .tty = io->say && isatty(fileno(io->say)), .bound_step = -1 };
	struct trainer_progress p;
	struct trainer *t = NULL;
	char line[JOB_PATH + 400];
	double begin = now_s();
	enum status st = trainer_new(setup, &t, e);

	if (st != ST_OK)
		return st;
	follow(t, &teller, &p);
	if (io->say)
		progress_clear(io->say, &teller.width);
	trainer_free(t);
	if (p.phase == TRAINER_FAILED) {
		if (e)
			*e = p.error;
		return p.error.code;
	}
	train_say_end(&p, now_s() - begin, setup->out, line, sizeof line);
	if (io->say)
		tell_line(&teller, line);
	return p.phase == TRAINER_DONE ? ST_OK : ST_CANCELLED;
}

/* ---- a dry run ---- */

static uint64_t
parameters(const struct flat *f)
{
	uint64_t n = 0;

	for (int i = 0; i < f->net->n_par; i++)
		n += f->numel[i];
	return n;
}

/* Everything but the training: data opened, network and plan made. */
static enum status
plan(struct job *j, int threads, const struct train_io *io, struct error *e)
{
	FILE *out = io->out;
	struct source *source = NULL;
	struct train_state *state = NULL;
	struct stepper *stepper = NULL;
	struct pool *pool = pool_new(threads);
	char text[JOB_PATH + 400];
	enum status st = pool ? source_open(j, NULL, &source, e) : error_set(e, ST_MEMORY, "out of memory");

	if (st == ST_OK)
		st = state_new(j, &state, e);
	if (st == ST_OK) {
		struct stepper_setup setup = { .job = j, .source = source, .state = state, .pool = pool,
			.reduce = io->reduce };
		st = stepper_new(&setup, &stepper, e);
	}
	if (st == ST_OK && io->out) {
		struct stepper_plan p = stepper_plan(stepper);
		train_say_job(j, text, sizeof text);
		fprintf(out, "# %s\n", text);
		train_say_plan(j, parameters(&state->flat), &p, text, sizeof text);
		fprintf(out, "# %s\n", text);
		train_say_settings(out, j);
		if (fflush(out) != 0)
			st = error_set(e, ST_FAIL, "standard output cannot be written");
	}
	stepper_free(stepper);
	state_free(state);
	source_close(source);
	pool_free(pool);
	return st;
}

enum status
train_run(const struct settings *s, const struct train_io *io, struct error *e)
{
	struct trainer_setup setup;
	enum status st = parallel_agree(io->reduce, prepare(s, &setup, e), e);

	if (st != ST_OK)
		return st;
	setup.reduce = io->reduce;
	if (settings_flag(s, OPT_DRY_RUN))
		return plan(&setup.job, setup.threads, io, e);
	return train(&setup, io, e);
}
