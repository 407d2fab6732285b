/*
 * test_train_app.c: the screen over the true trainer, a tiny Sudoku: start,
 * pause, open, close, stop, go on, and a storm of all of these while a model is
 * sampled; nothing may hang, and what was saved opens.  PSIVIEW_STORM: how many
 * commands (150).
 */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/app_util.h"
#include "ui/train.h"

#define PATIENCE 60.             /* seconds: sanitizers and busy machines are slow */

static char out[] = "train-app-XXXXXX.safetensors";

static const char *const settings[] = { "preset sudoku6", "set sudoku 4", "set hidden 16", "set blocks 1",
	"set heads 2", "set cond 8", "set batch 4", "set steps 100000", "set save-every 9", "set valid-every 7",
	"set valid-samples 4", "set show-samples 2", "set show-steps 4", "set ema 0.99" };

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What the loop does, for so many milliseconds. */
static void
turn(struct bench *b, int ms)
{
	struct pollfd f[2] = { { .fd = sampler_fd(b->app->sampler), .events = POLLIN },
			       { .fd = app_train_fd(b->app), .events = POLLIN } };

	poll(f, 2, ms);
	app_reports(b->app);
	app_train_news(b->app);
	b->now += .05;
	app_tick(b->app, b->now);
}

/* Until nothing is outstanding; false: it took too long. */
static bool
rest(struct bench *b)
{
	double end = seconds() + PATIENCE;

	do {
		turn(b, 5);
		if (!app_busy(b->app))
			return true;
	} while (seconds() < end);
	return false;
}

static bool
command(struct bench *b, const char *line)
{
	struct error e = { 0 };

	if (app_command(b->app, line, &e) == ST_OK)
		return true;
	app_say(b->app, true, "%s", e.msg);
	return false;
}

static void
set_up(struct bench *b)
{
	char line[80];

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		snprintf(line, sizeof line, "train %s", settings[i]);
		if (!command(b, line))
			printf("# %s: %s\n", line, b->app->message);
	}
	snprintf(line, sizeof line, "train out %s", out);
	command(b, line);
}

static bool
is_digits(const struct app *a)
{
	char text[8];

	say_token(a, 0, text, sizeof text);
	return strcmp(text, "\"1\"") == 0;
}

static void
test_course(void)
{
	struct bench b;
	struct app *a;
	struct train *t;
	int64_t at;
	char line[40];

	CHECK(bench_open(&b, false, NULL), "an app");
	a = b.app;
	t = a->train;
	set_up(&b);
	CHECK(command(&b, "train start") && rest(&b), "it starts: %s", a->message);
	CHECK(t->now.source.L == 17 && t->now.parameters > 0 && t->now.plan.bytes > 0, "and tells its size");
	command(&b, "train wait 30");
	CHECK(rest(&b) && t->now.last.step >= 30, "it trains beside: step %lld", (long long)t->now.last.step);
	command(&b, "train pause");
	CHECK(rest(&b) && t->now.phase == TRAINER_PAUSED, "it pauses: %s", a->message);
	at = t->now.last.step;
	type(&b, "3s");
	CHECK(a->cursor.node->step == 3 && t->now.last.step == at, "while the file is sampled");
	CHECK(command(&b, "train open") && rest(&b) && a->model->L == 17, "a copy opens: %s", a->message);
	CHECK(t->snap.step == at && is_digits(a) && a->layout.columns == 4, "of that step, with digits, as a grid");
	type(&b, "f");
	CHECK(a->cursor.node->done, "and is sampled");
	command(&b, "train resume");
	command(&b, "train wait 60");
	type(&b, "g5s");
	CHECK(rest(&b) && t->now.last.step >= 60 && a->cursor.node->step == 5, "while it trains on");
	CHECK(command(&b, "train close") && rest(&b) && a->model->L == SENT_L && a->cursor.node->step == 3,
		"closing it leads back");
	command(&b, "view train");
	free(screen(&b, 80, 24, true, false));
	CHECK(t->n_sample == 2 && t->loaded >= 0 && t->n_point > 5, "samples and charts are there");
	CHECK(command(&b, "train stop") && rest(&b) && t->now.phase == TRAINER_STOPPED, "it stops: %s", a->message);
	at = t->now.last.step;
	CHECK(t->now.saved_step == at, "saved");
	CHECK(command(&b, "train open") && rest(&b) && t->snap.step == at, "its last weights open after the end");
	type(&b, "2s");
	command(&b, "train close");
	CHECK(command(&b, "train continue") && rest(&b), "it goes on: %s", a->message);
	snprintf(line, sizeof line, "train wait %lld", (long long)at + 2);
	command(&b, line);
	rest(&b);
	app_leave(a);
	CHECK(rest(&b) && a->quit && t->now.saved_step > at, "leaving saves: step %lld after %lld",
		(long long)t->now.saved_step, (long long)at);
	bench_close(&b);
}

/* A checkpoint that is opened is offered to be gone on with. */
static void
test_offer(void)
{
	struct ckpt *c;
	struct error e = { 0 };
	struct config_override none;
	struct bench b = { 0 };
	struct app_setup s = { .name = out, .path = out };

	config_override_init(&none);
	if (!CHECK(ckpt_open(out, &none, &c, &e) == ST_OK, "what was saved opens: %s", e.msg))
		return;
	sentence_init(&b.model, false);
	recipe_default(&b.model.model, false, &s.recipe);
	b.sampler = sampler_new(&(struct sampler_setup){ .ema = &b.model.model, .samples = 1 }, &e);
	b.tok = tok_text8();
	s.ckpt = c;
	s.model = &b.model.model;
	s.tok = b.tok;
	s.sampler = b.sampler;
	CHECK(app_new(&s, &b.app, &e) == ST_OK && rest(&b), "an app over it");
	CHECK(b.app->train->resume && strstr(b.app->message, "F5"), "offers it: %s", b.app->message);
	CHECK(b.app->train->job.sudoku == 4 && b.app->train->job.batch == 4, "its settings are known");
	type(&b, "<F5>");
	char *text = screen(&b, 80, 24, true, false);
	CHECK(strstr(text, "go on with a training") && strstr(text, "[ go on from step"), "the form says so");
	free(text);
	app_key(b.app, &(struct key){ "s" });
	CHECK(rest(&b) && b.app->train->now.last.step >= b.app->train->resume_step, "and it goes on at step %lld",
		(long long)b.app->train->now.last.step);
	app_end(b.app);
	CHECK(train_over(b.app) || (app_train_news(b.app), train_over(b.app)), "a signal's end waits for it");
	bench_close(&b);
	ckpt_close(c);
}

static void
test_storm(void)
{
	static const char *const verbs[] = { "train pause", "train resume", "train save", "train stop", "train open",
		"train close", "train start over", "train continue", "train status", "view train", "view sample",
		"step 3", "seed", "train resume", "train open", "finish", "train start paused" };
	const char *many = getenv("PSIVIEW_STORM");
	int n = many && atoi(many) > 0 ? atoi(many) : 150, worked = 0;
	unsigned x = 12345;
	struct bench b;
	struct error e = { 0 };
	struct config_override none;
	struct ckpt *c;

	bench_open(&b, false, NULL);
	set_up(&b);
	command(&b, "train start over");
	for (int i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		worked += command(&b, verbs[(x >> 20) % (sizeof verbs / sizeof *verbs)]);
		if (x >> 8 & 1)
			turn(&b, (int)(x >> 12 & 7));
		if ((x >> 9 & 7) == 0)
			free(screen(&b, 80, 24, true, false));
	}
	CHECK(worked > n / 4, "%d of %d commands of a storm could be done", worked, n);
	CHECK(rest(&b), "it comes to rest");
	command(&b, "train close");
	if (!train_live(b.app))
		command(&b, "train continue");
	CHECK(rest(&b) && command(&b, "train stop") && rest(&b), "and stops: %s", b.app->message);
	bench_close(&b);
	config_override_init(&none);
	if (CHECK(ckpt_open(out, &none, &c, &e) == ST_OK, "what is left opens: %s", e.msg))
		ckpt_close(c);
}

static void
clean_up(void)
{
	static const char *const end[] = { ".safetensors", ".best.safetensors", ".log.jsonl", ".samples.jsonl" };
	char path[80];

	for (size_t i = 0; i < sizeof end / sizeof *end; i++) {
		snprintf(path, sizeof path, "%.*s%s", (int)(sizeof out - sizeof ".safetensors"), out, end[i]);
		unlink(path);
	}
}

int
main(void)
{
	int fd = mkstemps(out, sizeof ".safetensors" - 1);

	if (fd >= 0)
		close(fd);
	clean_up();
	test_course();
	test_offer();
	test_storm();
	clean_up();
	return check_done();
}
