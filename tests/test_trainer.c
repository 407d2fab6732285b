/*
 * test_trainer.c: the trainer's thread: a whole run with everything it leaves
 * behind, going on from a checkpoint bit by bit, pausing, failing saves and
 * data, snapshots beside training, storms of requests (for ThreadSanitizer).
 */
#include <dirent.h>
#include <math.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "stepper_util.h"
#include "train/trainer_private.h"

static char folder[64];

static const char *
in_folder(const char *name)
{
	static char path[4][512];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static bool
exists(const char *name)
{
	return access(in_folder(name), F_OK) == 0;
}

/* Lines of a file that hold the text. */
static int
lines_with(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "r");
	size_t cap = 0;
	char *line = NULL;
	int n = 0;

	while (f && getline(&line, &cap, f) > 0)
		n += strstr(line, text) != NULL;
	free(line);
	if (f)
		fclose(f);
	return n;
}

static struct job
run_job(int64_t steps)
{
	struct job j = tiny_job(LOSS_DUO);

	j.curriculum = JOB_EFFICIENT;
	job_settle(&j);
	j.cur.end = 4;
	j.adam.steps = steps;
	j.save_every = 4;
	j.valid_every = 2;
	j.log_every = 1;
	j.valid_samples = 4;
	j.show_samples = 2;
	j.show_steps = 4;
	return j;
}

static struct trainer *
start(const struct job *j, const char *name, int threads, struct trainer_setup more)
{
	struct trainer *t = NULL;
	struct error e;

	more.job = *j;
	more.out = in_folder(name);
	more.threads = threads;
	if (trainer_new(&more, &t, &e) != ST_OK)
		printf("# %s\n", e.msg);
	return t;
}

/* Wait, say what went wrong if anything did, free. */
static enum trainer_phase
see_out(struct trainer *t)
{
	struct trainer_progress p;

	trainer_wait(t);
	trainer_progress(t, &p);
	if (p.error.code)
		printf("# %s\n", p.error.msg);
	trainer_free(t);
	return p.phase;
}

/* Until something happens; false: nothing did for long. */
static bool
event(struct trainer *t)
{
	struct pollfd fd = { .fd = trainer_fd(t), .events = POLLIN };

	if (poll(&fd, 1, 60000) < 1)
		return false;
	trainer_drain(t);
	return true;
}

static bool
wait_phase(struct trainer *t, enum trainer_phase want)
{
	struct trainer_progress p;

	do
		trainer_progress(t, &p);
	while (p.phase != want && p.phase != TRAINER_DONE && p.phase != TRAINER_FAILED && event(t));
	return p.phase == want;
}

/* ---- a whole run ---- */

static void
check_progress(struct trainer *t)
{
	struct trainer_progress p;
	struct trainer_point at[64];
	int64_t step = 0;
	int32_t *tok = NULL;
	int S = 0, bounds = 0;

	trainer_progress(t, &p);
	CHECK(p.phase == TRAINER_DONE && p.last.step == 10 && p.saved_step == 10 && p.bound_step == 10 && !p.error.code,
		"done, saved and validated: step %lld", (long long)p.last.step);
	CHECK(p.source.L == 17 && p.job.net.vocab == 5 && p.parameters > 1000 && p.plan.micro == 6 && p.eta == 0 &&
		p.tokens_per_second > 0 && p.best <= p.bound.nats && p.best_step > 0, "what the screen shows");
	int n = trainer_points(t, at, 64);
	for (int i = 0; i < n; i++)
		bounds += !isnan(at[i].bound);
	CHECK(n == 10 && at[0].step == 1 && at[9].step == 10 && bounds == 5, "%d points, %d bounds", n, bounds);
	n = trainer_points(t, at, 4);
	CHECK(n == 4 && at[3].step == 10, "and fewer");
	CHECK(p.n_samples == 3 && trainer_samples(t, 2, &step, &S, &tok), "three sets of samples");
	bool ok = step == 10 && S == 2;
	for (int i = 0; i < S * 17; i++)
		ok &= tok[i] >= 0 && tok[i] < 5;
	CHECK(ok && tok[0] == 4 && tok[17] == 4, "of this step, of tokens, after the first one");
	free(tok);
	CHECK(!trainer_samples(t, 3, &step, &S, &tok) && trainer_tokenizer(t), "no fourth; a tokenizer");
}

static void
check_run(void)
{
	struct job j = run_job(10);
	struct trainer *t = start(&j, "run.safetensors", 2, (struct trainer_setup){ 0 });

	if (!CHECK(t != NULL, "a run begins"))
		return;
	trainer_wait(t);
	CHECK(event(t), "its descriptor says so");
	check_progress(t);
	trainer_snapshot_ask(t);
	struct trainer_snapshot s = { 0 };
	while (!trainer_snapshot_take(t, &s) && event(t))
		;
	CHECK(s.model && s.step == 10 && s.model->V == 5, "the average can be had after the end");
	trainer_snapshot_done(&s);
	trainer_free(t);
	CHECK(exists("run.safetensors") && exists("run.best.safetensors"), "checkpoints");
	CHECK(lines_with("run.log.jsonl", "\"event\":\"step\"") == 10 &&
		lines_with("run.log.jsonl", "\"event\":\"valid\"") == 5 &&
		lines_with("run.log.jsonl", "\"event\":\"save\"") == 3 &&
		lines_with("run.log.jsonl", "\"event\":\"done\"") == 1 &&
		lines_with("run.log.jsonl", "\"gamma_min\":") == 1 &&
		lines_with("run.samples.jsonl", "\"valid\":") == 3, "the log has a line for each thing");
}

/* ---- going on ---- */

static bool
same_files(const char *a, const char *b)
{
	struct train_state *x = NULL, *y = NULL;
	struct job j;
	bool same = state_load(in_folder(a), &j, &x, NULL) == ST_OK &&
		    state_load(in_folder(b), &j, &y, NULL) == ST_OK &&
		    same_bits(x, y) && x->best == y->best && x->best_step == y->best_step;

	state_free(x);
	state_free(y);
	return same;
}

static void
check_resume(void)
{
	struct job j = run_job(5);
	struct trainer_progress p;
	struct trainer_point at[16];

	CHECK(see_out(start(&j, "five.safetensors", 1, (struct trainer_setup){ 0 })) == TRAINER_DONE, "five steps");
	FILE *f = fopen(in_folder("five.log.jsonl"), "a");
	if (f) {
		fputs("{\"event\":\"step\",\"step\":4,\"cut", f);
		fclose(f);
	}
	struct trainer *t = start(&j, "five.safetensors", 3, (struct trainer_setup){ .resume = true, .steps = 10,
			.paused = true });
	bool paused = wait_phase(t, TRAINER_PAUSED);
	trainer_progress(t, &p);
	CHECK(paused && p.last.step == 5 && p.saved_step == 5 && p.bound_step == 5 && p.n_samples == 2 &&
		trainer_points(t, at, 16) == 5 && at[3].step == 4 && !isnan(at[3].bound),
		"what was known is known again");
	trainer_resume(t);
	CHECK(see_out(t) == TRAINER_DONE, "five more, on other threads");
	CHECK(same_files("run.safetensors", "five.safetensors"), "bit by bit what ten at once give");
	CHECK(lines_with("five.log.jsonl", "\"event\":\"step\"") == 11 && lines_with("five.log.jsonl", "cut{") == 0 &&
		lines_with("five.log.jsonl", "\"event\":\"resume\"") == 1 &&
		lines_with("five.samples.jsonl", "tokens") == 4, "one log");
	CHECK(see_out(start(&j, "five.safetensors", 1, (struct trainer_setup){ .resume = true })) == TRAINER_DONE &&
		lines_with("five.log.jsonl", "\"event\":\"save\"") == 4, "nothing to do: nothing is written");
}

/* Half of the steps with the curriculum; then more steps, without it. */
static void
check_longer(void)
{
	struct job j = run_job(6);

	j.cur.end = -1;
	bool ok = see_out(start(&j, "long.safetensors", 1, (struct trainer_setup){ 0 })) == TRAINER_DONE &&
		  see_out(start(&j, "long.safetensors", 1, (struct trainer_setup){ .resume = true, .steps = 10 })) ==
		  TRAINER_DONE &&
		  see_out(start(&j, "long.safetensors", 1, (struct trainer_setup){ .resume = true, .steps = 30 })) ==
		  TRAINER_DONE;
	CHECK(ok && lines_with("long.log.jsonl", "\"event\":\"step\"") == 30 &&
		lines_with("long.log.jsonl", "\"gamma\":") == 3, "a curriculum that is over stays so");
}

/* Stopped wherever it was, again and again. */
static void
check_stops(void)
{
	struct job j = run_job(10);
	struct trainer_progress p = { 0 };
	int times = 0;

	for (enum trainer_phase end = TRAINER_STOPPED; end == TRAINER_STOPPED && times < 50; times++) {
		struct trainer *t = start(&j, "stops.safetensors", 2, (struct trainer_setup){ .resume = times > 0 });
		if (times > 0)
			for (int64_t from = -1; p.phase != TRAINER_DONE && (from < 0 || p.last.step < from + 2);) {
				event(t);
				trainer_progress(t, &p);
				from = from < 0 && p.phase != TRAINER_OPENING ? p.last.step : from;
			}
		else
			wait_phase(t, TRAINER_RUNNING);
		trainer_stop(t);
		end = see_out(t);
	}
	CHECK(times > 1 && same_files("run.safetensors", "stops.safetensors"), "the same in %d pieces", times);
}

/* Held in the middle of a step, which then gives what it gives otherwise. */
static void
check_hold(void)
{
	struct job j = run_job(2);
	struct trainer_snapshot s = { 0 };
	struct trainer_progress p;

	j.batch = 150;
	CHECK(see_out(start(&j, "free.safetensors", 2, (struct trainer_setup){ 0 })) == TRAINER_DONE, "two long steps");
	struct trainer *t = start(&j, "held.safetensors", 2, (struct trainer_setup){ 0 });
	bool paused = true;
	for (int i = 0; i < 5; i++) {
		wait_phase(t, TRAINER_RUNNING);
		trainer_pause(t);
		do
			trainer_progress(t, &p);
		while (p.phase != TRAINER_PAUSED && p.phase != TRAINER_DONE && event(t));
		paused &= p.phase == TRAINER_PAUSED || p.last.step == 2;
		trainer_save(t);
		trainer_snapshot_ask(t);
		while (!trainer_snapshot_take(t, &s) && event(t))
			;
		paused &= s.model && s.step == p.last.step;
		trainer_snapshot_done(&s);
		trainer_resume(t);
		if (p.phase == TRAINER_DONE)
			break;
	}
	CHECK(see_out(t) == TRAINER_DONE && paused, "paused where it was, snapshots taken there");
	CHECK(same_files("free.safetensors", "held.safetensors"), "and the same in the end");
}

/* ---- what fails ---- */

static void
check_failing_save(void)
{
	struct job j = run_job(8);
	struct trainer *t = start(&j, "taken.safetensors", 1, (struct trainer_setup){ .paused = true });
	struct trainer_progress p;

	mkdir(in_folder("taken.safetensors"), 0755);
	mkdir(in_folder("taken.safetensors/full"), 0755);
	bool ok = wait_phase(t, TRAINER_PAUSED);
	trainer_save(t);
	do
		trainer_progress(t, &p);
	while (!p.error.code && event(t));
	CHECK(ok && p.error.code && p.saved_step == -1 && strstr(p.error.msg, "taken.safetensors"),
		"a save that fails: %s", p.error.msg);
	trainer_resume(t);
	for (int64_t step = 0; step < 1 && event(t); step = p.last.step)
		trainer_progress(t, &p);
	CHECK(p.last.step > 0, "training goes on");
	trainer_pause(t);
	rmdir(in_folder("taken.safetensors/full"));
	rmdir(in_folder("taken.safetensors"));
	trainer_resume(t);
	trainer_wait(t);
	trainer_progress(t, &p);
	CHECK(p.phase == TRAINER_DONE && p.saved_step == 8 && !p.error.code, "the next one succeeds: %s", p.error.msg);
	trainer_free(t);
	CHECK(lines_with("taken.log.jsonl", "save failed") > 0, "the log has it");
}

static void
check_failures(void)
{
	struct job j = run_job(4);
	struct trainer_progress p;
	FILE *f = fopen(in_folder("text.safetensors"), "w");

	j.data = JOB_TEXT;
	snprintf(j.path, sizeof j.path, "%s", in_folder("nowhere"));
	struct trainer *t = start(&j, "no.safetensors", 1, (struct trainer_setup){ 0 });
	trainer_wait(t);
	trainer_progress(t, &p);
	CHECK(p.phase == TRAINER_FAILED && strstr(p.error.msg, "nowhere") && !exists("no.safetensors"), "no data: %s",
		p.error.msg);
	trainer_snapshot_ask(t);
	trainer_save(t);
	trainer_free(t);
	fputs("no checkpoint", f);
	fclose(f);
	t = start(&j, "text.safetensors", 1, (struct trainer_setup){ .resume = true });
	trainer_wait(t);
	trainer_progress(t, &p);
	CHECK(p.phase == TRAINER_FAILED && p.error.code == ST_CKPT, "nothing to go on from: %s", p.error.msg);
	trainer_free(t);
	j = run_job(4);
	t = start(&j, "missing/out.safetensors", 1, (struct trainer_setup){ 0 });
	trainer_wait(t);
	trainer_progress(t, &p);
	CHECK(p.phase == TRAINER_FAILED && strstr(p.error.msg, "missing"), "nowhere to write: %s", p.error.msg);
	trainer_free(t);
}

/* ---- snapshots ---- */

static enum status
look(struct model *m)
{
	int32_t tok[17] = { 4, 0, 1, 2, 3 };
	float *feat = mem_calloc((size_t)m->L * (size_t)m->F, sizeof *feat), logit[5];
	double sigma = 0.3;

	enum status st = m->trunk(m, 1, tok, &sigma, NULL, feat, NULL, NULL);
	if (st == ST_OK)
		st = m->rows(m, 1, feat + 3 * m->F, logit, NULL, NULL);
	free(feat);
	return st;
}

static void
check_snapshots(void)
{
	struct job j = run_job(100000);
	struct pool *pool = pool_new(2);
	struct trainer *t = start(&j, "long.safetensors", 0, (struct trainer_setup){ .pool = pool });
	struct trainer_snapshot s = { 0 };
	struct trainer_progress p;
	int64_t before = 0;
	bool ok = true;

	for (int i = 0; i < 4; i++) {
		trainer_snapshot_ask(t);
		while (!trainer_snapshot_take(t, &s) && event(t))
			;
		ok = ok && s.model && look(s.model) == ST_OK && s.step >= before;
		before = s.step;
		if (i < 3)
			trainer_snapshot_done(&s);
	}
	trainer_progress(t, &p);
	CHECK(ok && p.phase != TRAINER_FAILED, "the average, looked at while training goes on, up to step %lld",
		(long long)before);
	trainer_stop(t);
	CHECK(see_out(t) == TRAINER_STOPPED && exists("long.safetensors"), "stopped and saved");
	CHECK(look(s.model) == ST_OK, "it outlives the trainer");
	trainer_snapshot_done(&s);
	pool_free(pool);
}

/* ---- storms ---- */

struct storm {
	struct trainer *t;
	uint64_t seed;
	int n;
};

static void *
storm_main(void *arg)
{
	struct storm *s = arg;
	struct trainer_progress p;
	struct trainer_point at[8];
	struct trainer_snapshot snap;
	int64_t step;
	int32_t *tok;
	int S;

	for (int i = 0; i < s->n; i++) {
		struct noise n = { .seed = s->seed, .step = (uint32_t)i };
		switch (noise_token(&n, STAGE_DATA, 8)) {
		case 0:
			trainer_pause(s->t);
			break;
		case 1:
			trainer_resume(s->t);
			break;
		case 2:
			trainer_save(s->t);
			break;
		case 3:
			trainer_snapshot_ask(s->t);
			break;
		case 4:
			if (trainer_snapshot_take(s->t, &snap))
				trainer_snapshot_done(&snap);
			break;
		case 5:
			trainer_points(s->t, at, 8);
			if (trainer_samples(s->t, 0, &step, &S, &tok))
				free(tok);
			break;
		case 6:
			trainer_drain(s->t);
			trainer_tokenizer(s->t);
			break;
		default:
			trainer_progress(s->t, &p);
			usleep(500);
		}
	}
	return NULL;
}

static void
check_storms(void)
{
	struct job j = run_job(100000);
	bool ok = true;

	for (int round = 0; round < 6; round++) {
		struct trainer *t = start(&j, "storm.safetensors", 2, (struct trainer_setup){ .resume = round > 0 });
		struct storm s[2] = { { t, 2 * (uint64_t)round, 150 }, { t, 2 * (uint64_t)round + 1, 150 } };
		pthread_t other[2];
		for (int i = 0; i < 2; i++)
			pthread_create(&other[i], NULL, storm_main, &s[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(other[i], NULL);
		if (round == 3) {
			trainer_free(t); /* in the middle of whatever it does */
			continue;
		}
		trainer_stop(t);
		enum trainer_phase end = see_out(t);
		ok = ok && end == TRAINER_STOPPED;
	}
	CHECK(ok && exists("storm.safetensors"), "storms of pause, resume, save, snapshot, stop");
}

/* ---- memory that does not grow ---- */

static void
check_thinning(void)
{
	struct points *p = mem_calloc(1, sizeof *p);
	struct sets *s = mem_calloc(1, sizeof *s);
	struct trainer_point at[100];
	int bounds = 0;
	bool ok = true;

	for (int64_t i = 1; i <= 100000; i++) {
		points_add(p, &(struct trainer_point){ .step = i, .loss = (double)i, .bound = NAN });
		if (i % 1000 == 0)
			points_bound(p, i, 1);
	}
	int n = points_spread(p, at, 100);
	for (int i = 0; i < n; i++) {
		bounds += !isnan(at[i].bound);
		ok &= i == 0 || (at[i].step > at[i - 1].step && at[i].loss > at[i - 1].loss &&
			at[i].loss <= (double)at[i].step && at[i].loss > (double)at[i - 1].step);
	}
	CHECK(ok && n == 100 && at[99].step == 100000 && bounds > 50,
		"100,000 steps in %d points, means in order, %d bounds", p->n, bounds);
	for (int64_t i = 1; i <= 1000; i++)
		sets_add(s, i, 1, 1, mem_calloc(1, sizeof(int32_t)));
	ok = s->n <= SETS && s->n >= SETS / 4 && s->at[0].step == 1 && s->at[s->n - 1].step == 1000;
	CHECK(ok, "1,000 sets of samples in %d", s->n);
	sets_free(s);
	free(s);
	free(p);
}

static void
remove_folder(void)
{
	DIR *d = opendir(folder);

	for (struct dirent *f; d && (f = readdir(d));)
		unlink(in_folder(f->d_name));
	if (d)
		closedir(d);
	rmdir(folder);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%.40s/trainer-XXXXXX", tmp ? tmp : "/tmp");
	if (!CHECK(mkdtemp(folder) != NULL, "a folder"))
		return check_done();
	check_run();
	check_resume();
	check_longer();
	check_stops();
	check_hold();
	check_failing_save();
	check_failures();
	check_snapshots();
	check_storms();
	check_thinning();
	remove_folder();
	return check_done();
}
