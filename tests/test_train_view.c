/*
 * test_train_view.c: the Train view over a trainer of fixed numbers: the form,
 * starting, pausing, the copy that is opened, leaving, and golden screens (as
 * test_screens.c).
 */
#include "tests/check.h"

#include <unistd.h>

#include "tests/app_util.h"
#include "tests/board_util.h"
#include "tests/fake_trainer.h"
#include "tests/screen_golden.h"
#include "ui/train.h"

static struct board_model learned;

static struct tokenizer *
digits(void)
{
	return board_tok(6, false);
}

/* Better from checkpoint to checkpoint. */
static void
draw_board(int s, int set, int32_t *tok)
{
	tok[0] = 6;
	for (int i = 0; i < 36; i++)
		tok[i + 1] = (i * 7 + s * 5) % 11 < 2 + 2 * set ? board_digit(&learned, i / 6, i % 6) : (i * i + s) % 7;
}

static void
draw_text(int s, int set, int32_t *tok)
{
	for (int i = 0; i < SENT_L; i++)
		tok[i] = (i * 7 + s * 5) % 11 < 3 + 2 * set ? letter(SENTENCE[i]) : 8 + (i * i + s) % 26;
}

static void
draw_picture(int s, int set, int32_t *tok)
{
	for (int i = 0; i < 3 * 16 * 16; i++) {
		int x = i % 16, y = i / 16 % 16, c = i / 256,
		    inside = (x - 8) * (x - 8) + (y - 8) * (y - 8) < 20 + 9 * s;

		tok[i] = (i * 37 + s) % 7 > set + 2 ? (i * 91) % 256 : inside ? (c == s % 3 ? 230 : 60) : 20 + 8 * y;
	}
}

static void
boards(void)
{
	board_model_init(&learned, 6, false);
	fake_trainer.source = (struct source_info){ .L = 37, .V = 7, .K = 7, .mask = -1, .bos = 6, .columns = 6 };
	fake_trainer.tok = digits;
	fake_trainer.sample = draw_board;
	fake_trainer.model = &learned.model;
	fake_trainer.n = 4;
}

static void
texts(void)
{
	fake_trainer.source = (struct source_info){ .L = SENT_L, .V = 35, .K = 35, .mask = -1, .bos = -1 };
	fake_trainer.tok = tok_text8;
	fake_trainer.sample = draw_text;
	fake_trainer.model = NULL;
	fake_trainer.n = 3;
}

/* The same, by the Gaussian curriculum: the first half of the steps. */
static void
curriculum(void)
{
	texts();
}

static void
pictures(void)
{
	fake_trainer.source =
	    (struct source_info){ .L = 3 * 256, .V = 257, .K = 256, .mask = 256, .bos = -1, .side = 16, .classes = 10 };
	fake_trainer.tok = tok_pixels;
	fake_trainer.sample = draw_picture;
	fake_trainer.model = NULL;
	fake_trainer.n = 4;
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

/* What the loop does when the trainer says something. */
static void
news(struct bench *b)
{
	app_train_news(b->app);
}

/* Numbers that a golden screen shows, whatever the preset says today. */
static void
settings(struct bench *b)
{
	static const char *const line[] = { "hidden 96", "blocks 3", "heads 4", "batch 64", "lr 0.0005",
					    "warmup 100", "steps 1000", "seed 3", "save-every 100",
					    "valid-every 100", "length 128", "ch 32" };

	for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
		char text[60];

		snprintf(text, sizeof text, "train set %s", line[i]);
		command(b, text);
	}
}

/* A training of a preset under way. */
static void
begin(struct bench *b, const char *preset, void (*what)(void))
{
	char line[80];

	fake_trainer.fails = fake_trainer.slow_stop = false;
	fake_trainer.stops = 0;
	snprintf(line, sizeof line, "train preset %s", preset);
	command(b, line);
	settings(b);
	command(b, "train set data corpus.txt");
	command(b, "train out none/run.safetensors");
	command(b, what == curriculum ? "train set curriculum efficient" : "train set curriculum none");
	CHECK(command(b, "train start"), "%s starts: %s", preset, b->app->message);
	fake_trainer_open();
	news(b);
	*b->app->message = 0;
}

/* ---- golden screens ---- */

static const struct {
	const char *name;
	void (*what)(void); /* NULL: nothing trains, the form */
	const char *preset;
	int steps;
	const char *keys;
	int w, h;
	bool utf8;
} screens[] = {
	{ "train-form-80x24", NULL, "sudoku6", 0, "<Down><Down>", 80, 24, true },
	{ "train-form-80x24-ascii", NULL, "text-small", 0, "<Down><Down><Down>", 80, 24, false },
	{ "train-form-40x12", NULL, "text-tiny", 0, "9<Down>", 40, 12, true },
	{ "train-sudoku-80x24", boards, "sudoku6", 430, "", 80, 24, true },
	{ "train-sudoku-80x24-ascii", boards, "sudoku6", 430, "", 80, 24, false },
	{ "train-sudoku-120x40", boards, "sudoku6", 760, "<Left><Left>", 120, 40, true },
	{ "train-sudoku-40x12", boards, "sudoku6", 430, "", 40, 12, true },
	{ "train-sudoku-40x12-ascii", boards, "sudoku6", 430, "", 40, 12, false },
	{ "train-samples-40x12", boards, "sudoku6", 430, "<Tab><Home>", 40, 12, true },
	{ "train-settings-40x12", boards, "sudoku6", 430, "<Tab><Tab><Down>", 40, 12, true },
	{ "train-text-80x24", texts, "text-small", 320, "", 80, 24, true },
	{ "train-text-samples-80x24", texts, "text-small", 320, "<Tab><Left>", 80, 24, true },
	{ "train-pictures-120x40", pictures, "cifar10-small", 320, "", 120, 40, true },
	{ "train-curriculum-80x24", curriculum, "text-small", 320, "", 80, 24, true },
	{ "train-curriculum-40x12", curriculum, "text-small", 320, "", 40, 12, true },
	{ "train-new-80x24", boards, "sudoku6", 0, "", 80, 24, true },
	{ "train-paused-80x24", boards, "sudoku6", 120, "<Space>", 80, 24, true },
	{ "train-done-80x24", boards, "sudoku6", 1000, "", 80, 24, true },
	{ "train-200x60", texts, "text-small", 900, "", 200, 60, true },
};

static void
test_screens(void)
{
	const char *src = getenv("SRCDIR"), *mode = getenv("PSIVIEW_SCREENS");
	bool write = mode && strcmp(mode, "write") == 0;

	for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
		struct bench b;
		char path[500], *got, line[80];

		bench_open(&b, false, NULL);
		if (screens[i].what) {
			screens[i].what();
			begin(&b, screens[i].preset, screens[i].what);
			fake_trainer_steps(screens[i].steps);
			news(&b);
		} else {
			snprintf(line, sizeof line, "train preset %s", screens[i].preset);
			command(&b, line);
			settings(&b);
		}
		command(&b, "view train");
		*b.app->message = 0;
		free(screen(&b, screens[i].w, screens[i].h, screens[i].utf8, true));
		type(&b, screens[i].keys);
		news(&b);
		got = screen(&b, screens[i].w, screens[i].h, screens[i].utf8, true);
		snprintf(path, sizeof path, "%s/tests/golden/screens/%s.txt", src ? src : ".", screens[i].name);
		CHECK(screen_golden(path, got, write), "%s", screens[i].name);
		free(got);
		bench_close(&b);
	}
}

/* ---- what keys and commands do ---- */

static bool
on_screen(struct bench *b, const char *what)
{
	char *text = screen(b, 80, 24, true, false);
	bool there = text && strstr(text, what);

	free(text);
	return there;
}

static void
test_form(void)
{
	struct bench b;
	struct train *t;

	bench_open(&b, false, NULL);
	t = b.app->train;
	type(&b, "<A-5>");
	CHECK(app_view(b.app->view) == &view_train, "Alt-5 shows the form");
	char first[24];
	snprintf(first, sizeof first, "%s", t->job.preset);
	type(&b, "<Right>");
	CHECK(strcmp(t->job.preset, first) != 0, "right takes the next preset: %s after %s", t->job.preset, first);
	type(&b, "<Left>");
	CHECK(strcmp(t->job.preset, first) == 0, "left the one before");
	command(&b, "train set batch 32");
	CHECK(t->job.batch == 32, "a setting by name");
	CHECK(!command(&b, "train set batch 0") && t->job.batch == 32, "one that cannot be: %s", b.app->message);
	CHECK(!command(&b, "train set nonsense 1"), "one there is not: %s", b.app->message);
	CHECK(!command(&b, "train nonsense"), "nor such a verb: %s", b.app->message);
	CHECK(!command(&b, "train pause"), "nothing to pause: %s", b.app->message);
	type(&b, ":train preset su<Tab>");
	CHECK(on_screen(&b, ":train preset sudoku6"), "Tab completes presets");
	type(&b, "<Esc>:train set save-<Tab>");
	CHECK(on_screen(&b, ":train set save-every"), "and settings");
	type(&b, "<Esc>");
	/* every row can be nudged both ways and typed into without a setting going wrong */
	command(&b, "train preset text-small");
	type(&b, "<End><Enter>");
	for (int k = 0; k < 60; k++) {
		struct error e = { 0 };

		type(&b, k % 2 ? "<Right>" : "<Left>");
		type(&b, "<Up>");
		*t->job.path = 'x';
		if (job_check(&t->job, &e) != ST_OK && !strstr(e.msg, "curriculum") && !strstr(e.msg, "goal") &&
		    !strstr(e.msg, "heads") && !strstr(e.msg, "loss") && !strstr(e.msg, "backbone"))
			CHECK(false, "row %d: %s", t->row, e.msg);
	}
	CHECK(t->row == 0, "up leads to the first row");
	type(&b, "<Down><Enter>");
	CHECK(on_screen(&b, ":train out text-small.safetensors"), "Enter opens the line to type");
	type(&b, "<Esc><Esc>");
	CHECK(b.app->view == 0, "Esc goes back to the sample");
	bench_close(&b);
}

static void
test_run(void)
{
	struct bench b;
	struct app *a;

	boards();
	bench_open(&b, false, NULL);
	a = b.app;
	begin(&b, "sudoku6", boards);
	type(&b, "<F5>");
	CHECK(!train_busy(a) && train_live(a), "it runs");
	fake_trainer_steps(120);
	news(&b);
	CHECK(a->train->now.last.step == 120 && strstr(a->priv->log[a->priv->n_log - 1].text, "saved"),
	      "a checkpoint is told in the log: %s", a->priv->log[a->priv->n_log - 1].text);
	app_key(a, &(struct key){ "<Space>" });
	news(&b);
	CHECK(a->train->now.phase == TRAINER_PAUSED && strstr(a->message, "paused"), "space pauses: %s", a->message);
	fake_trainer_steps(10);
	news(&b);
	CHECK(a->train->now.last.step == 120, "nothing happens while it is paused");
	type(&b, "<Space>");
	CHECK(a->train->now.phase == TRAINER_RUNNING, "and goes on");
	CHECK(!command(&b, "train start") && strstr(a->message, "being trained"), "one at a time: %s", a->message);
	fake_trainer_steps(200);
	news(&b);
	free(screen(&b, 80, 24, true, false));
	CHECK(a->train->set_step == 300, "the newest samples are shown: step %lld", (long long)a->train->set_step);
	type(&b, "<Left>");
	free(screen(&b, 80, 24, true, false));
	CHECK(a->train->set_step == 200, "left goes back in time: step %lld", (long long)a->train->set_step);
	fake_trainer_steps(100);
	news(&b);
	free(screen(&b, 80, 24, true, false));
	CHECK(a->train->set_step == 200, "and stays there while it trains on");
	type(&b, "<End>");
	free(screen(&b, 80, 24, true, false));
	CHECK(a->train->set_step == 400, "End follows it again: step %lld", (long long)a->train->set_step);
	command(&b, "train wait 450");
	CHECK(app_busy(a), "a script waits for a step");
	fake_trainer_steps(60);
	news(&b);
	CHECK(!app_busy(a), "until it is done");
	fake_trainer_fail("step 480: the loss is not finite (nan)");
	news(&b);
	CHECK(a->message_is_error && strstr(a->message, "not finite") && !train_live(a), "a failure is one line: %s",
	      a->message);
	CHECK(!command(&b, "train pause") && !command(&b, "train save") && !command(&b, "train open"),
	      "nothing more can be asked of it: %s", a->message);
	type(&b, "n");
	CHECK(a->train->page == TRAIN_SETTINGS, "n shows the form again");
	bench_close(&b);
}

static void
test_open(void)
{
	struct bench b;
	struct app *a;
	struct node *node;
	char name[sizeof((struct app *)0)->name];

	boards();
	bench_open(&b, false, NULL);
	a = b.app;
	type(&b, "5s<Right><Right>");
	node = a->cursor.node;
	snprintf(name, sizeof name, "%s", a->name);
	begin(&b, "sudoku6", boards);
	fake_trainer.model = NULL; /* it is in the middle of a step */
	fake_trainer_steps(50);
	command(&b, "train open");
	news(&b);
	CHECK(app_busy(a) && a->model->L == SENT_L, "the copy comes at the end of a step");
	fake_trainer.model = &learned.model;
	fake_trainer_steps(1);
	news(&b);
	CHECK(settle(&b) && a->model == &learned.model && a->view == 0, "then it is in the Sample view");
	CHECK(strstr(a->name, "step 51 of training"), "the header says so: %s", a->name);
	type(&b, "7s");
	CHECK(a->cursor.node && a->cursor.node->step == 7 && a->layout.columns == 6 && a->grid_layout,
	      "it is sampled, as a board");
	char *text = screen(&b, 80, 24, true, false);
	CHECK(strstr(text, "run.safetensors, step 51 of training"), "and drawn");
	free(text);
	fake_trainer_steps(50);
	command(&b, "train open");
	settle(&b);
	CHECK(strstr(a->name, "step 101") && fake_trainer.open_copies == 1, "a newer copy takes its place: %s",
	      a->name);
	command(&b, "train close");
	settle(&b);
	CHECK(a->cursor.node == node && a->cursor.pos == 2 && strcmp(a->name, name) == 0 &&
		  fake_trainer.open_copies == 0,
	      "closing it leads back to where one was: %s", a->name);
	type(&b, "3s");
	CHECK(a->cursor.node->step == 8, "which goes on");
	CHECK(!command(&b, "train close"), "%s", a->message);
	command(&b, "train open");
	settle(&b);
	CHECK(!command(&b, "train start over"), "a training that runs is not replaced: %s", a->message);
	fake_trainer_fail("out of memory");
	news(&b);
	CHECK(!command(&b, "train start") && strstr(a->message, "train close"), "its copy is not lost unasked: %s",
	      a->message);
	type(&b, "<F5>");
	type(&b, "2s");
	bench_close(&b); /* with a copy open */
	CHECK(fake_trainer.open_copies == 0, "everything is given back at the end");
}

/* What cannot begin leads back to the form, where it can be mended. */
static void
test_no_start(void)
{
	struct bench b;
	char *text;

	bench_open(&b, false, NULL);
	type(&b, "<F5>");
	command(&b, "train preset text-tiny");
	command(&b, "train set data nowhere.txt");
	command(&b, "train out none/run.safetensors");
	CHECK(command(&b, "train start"), "it starts: %s", b.app->message);
	fake_trainer_fail("nowhere.txt: No such file or directory");
	news(&b);
	text = screen(&b, 80, 24, true, false);
	CHECK(strstr(text, "a new training") && strstr(text, "training: nowhere.txt: No such"), "the form again: %s",
	      b.app->message);
	free(text);
	command(&b, "train set data corpus.txt");
	type(&b, "s");
	fake_trainer_open();
	fake_trainer_steps(1);
	news(&b);
	CHECK(train_live(b.app) && b.app->train->page != TRAIN_SETTINGS, "mended there, s starts: %s",
	      b.app->message);
	bench_close(&b);
}

/* Whoever goes on with what is done is asked how far. */
static void
test_more(void)
{
	struct bench b;
	char *text;
	int64_t steps;

	boards();
	bench_open(&b, false, NULL);
	type(&b, "<F5>");
	begin(&b, "sudoku6", boards);
	steps = b.app->train->now.job.adam.steps;
	fake_trainer_steps((int)steps);
	news(&b);
	CHECK(b.app->train->now.phase == TRAINER_DONE, "all steps are done");
	CHECK(!command(&b, "train continue") && strstr(b.app->message, "steps are done"),
	      "there is nothing to do: %s", b.app->message);
	type(&b, "r");
	text = screen(&b, 80, 24, true, false);
	CHECK(strstr(text, "go on with a training") && strstr(text, "> steps"), "r asks for more: %s", b.app->message);
	free(text);
	type(&b, "s");
	CHECK(!train_live(b.app) && b.app->message_is_error, "as many are not enough: %s", b.app->message);
	type(&b, "<Right>s");
	fake_trainer_open();
	news(&b);
	CHECK(train_live(b.app), "with more of them it goes on: %s", b.app->message);
	bench_close(&b);
}

/* A classifier makes no samples, and is no model to open. */
static void
test_classifier(void)
{
	struct bench b;
	char *text;

	bench_open(&b, false, NULL);
	command(&b, "train preset cifar10-small");
	command(&b, "train set goal classifier");
	command(&b, "train set data pictures");
	command(&b, "train out none/class.safetensors");
	CHECK(command(&b, "train start"), "a classifier starts: %s", b.app->message);
	fake_trainer.model = &learned.model;
	fake_trainer_open();
	fake_trainer_steps(30);
	news(&b);
	CHECK(!command(&b, "train open") && strstr(b.app->message, "--classifier class.safetensors"),
	      "it is not opened: %s", b.app->message);
	*b.app->message = 0;
	type(&b, "<F5>");
	text = screen(&b, 80, 24, true, false);
	CHECK(strstr(text, "a classifier guides others") && strstr(text, "step 30/"), "and shows no samples");
	CHECK(!strstr(text, "draws nothing"), "the refusal does not stay");
	free(text);
	bench_close(&b);
}

static void
test_leave(void)
{
	struct bench b;
	struct app *a;

	boards();
	bench_open(&b, false, NULL);
	a = b.app;
	begin(&b, "sudoku6", boards);
	fake_trainer_steps(30);
	news(&b);
	fake_trainer.slow_stop = true;
	app_key(a, &(struct key){ "q" });
	news(&b);
	CHECK(!a->quit && fake_trainer.stops == 1 && strstr(a->message, "again"), "q first saves: %s", a->message);
	CHECK(app_busy(a), "which takes a while");
	app_key(a, &(struct key){ "q" });
	CHECK(a->quit, "q again leaves at once");
	bench_close(&b);

	bench_open(&b, false, NULL);
	a = b.app;
	begin(&b, "sudoku6", boards);
	app_key(a, &(struct key){ "q" });
	news(&b);
	CHECK(a->quit && fake_trainer.stops == 1, "when it is saved the program ends");
	bench_close(&b);

	bench_open(&b, false, NULL);
	a = b.app;
	begin(&b, "sudoku6", boards);
	fake_trainer_steps(5);
	app_end(a);
	news(&b);
	CHECK(fake_trainer.stops == 1 && train_over(a), "a signal saves it too");
	type(&b, "q");
	CHECK(a->quit, "nothing keeps a session without a training");
	bench_close(&b);

	bench_open(&b, false, NULL);
	a = b.app;
	begin(&b, "sudoku6", boards);
	fake_trainer.slow_stop = true;
	app_key(a, &(struct key){ "q" });
	news(&b);
	fake_trainer_fail("run.safetensors: cannot write: No space left on device");
	news(&b);
	CHECK(!a->quit && a->message_is_error && strstr(a->message, "not saved: run.safetensors: cannot write"),
	      "what cannot be saved keeps it open, and says so: %s", a->message);
	type(&b, "q");
	CHECK(a->quit, "until it is asked again");
	bench_close(&b);

	bench_open(&b, false, NULL);
	fake_trainer.fails = true;
	command(&b, "train set sudoku 6");
	command(&b, "train out none/run.safetensors");
	CHECK(!command(&b, "train start") && !train_live(b.app), "a start that fails is one line: %s", b.app->message);
	fake_trainer.fails = false;
	bench_close(&b);
}

static void
test_lost(void)
{
	struct bench b;
	char path[] = "train-view-XXXXXX", line[80];
	int fd = mkstemp(path);

	boards();
	bench_open(&b, false, NULL);
	command(&b, "train preset sudoku6");
	snprintf(line, sizeof line, "train out %s", path);
	command(&b, line);
	CHECK(fd >= 0 && !command(&b, "train start") && strstr(b.app->message, "start over"), "a file is not lost: %s",
	      b.app->message);
	type(&b, "<F5>s");
	CHECK(b.app->popup.draw && !train_live(b.app), "the key asks");
	char *text = screen(&b, 80, 24, false, false);
	CHECK(strstr(text, "Replace it?"), "in words");
	free(text);
	type(&b, "n");
	CHECK(!b.app->popup.draw && !train_live(b.app), "no: nothing happens");
	app_key(b.app, &(struct key){ "s" });
	app_key(b.app, &(struct key){ "y" });
	CHECK(train_live(b.app), "yes: it starts");
	close(fd);
	unlink(path);
	bench_close(&b);
}

static void
test_words(void)
{
	static const struct {
		double s;
		const char *want;
	} d[] = { { 0, "0:00" },       { 42.4, "0:42" },	 { 3600, "1:00:00" },
		  { 7390, "2:03:10" }, { 90061, "1 d 1:01:01" }, { -1, "0:00" } };
	static const struct {
		double v;
		const char *want;
	} l[] = { { 0, "0" }, { 999, "999" }, { 12345, "12.3k" }, { 1.25e6, "1.25M" }, { 3.4e9, "3.40G" } };
	char buf[32];

	for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
		say_duration(d[i].s, buf, sizeof buf);
		CHECK(strcmp(buf, d[i].want) == 0, "%g s: %s", d[i].s, buf);
	}
	for (size_t i = 0; i < sizeof l / sizeof *l; i++) {
		say_large(l[i].v, buf, sizeof buf);
		CHECK(strcmp(buf, l[i].want) == 0, "%g: %s", l[i].v, buf);
	}
}

int
main(void)
{
	test_words();
	test_screens();
	test_form();
	test_run();
	test_open();
	test_no_start();
	test_more();
	test_classifier();
	test_leave();
	test_lost();
	return check_done();
}
