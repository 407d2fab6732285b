/*
 * test_app.c: the screen's logic without a terminal: steps, the reveal, knobs and
 * branches, undo, runs, colourings, and that nothing is computed twice.
 */
#include "tests/check.h"

#include <unistd.h>

#include "tests/app_util.h"
#include "ui/view_text.h"

static long
calls(struct bench *b)
{
	struct sampler_progress g;

	sampler_progress(b->sampler, &g);
	return g.nfe;
}

static bool
command(struct bench *b, const char *line)
{
	struct error e = { 0 };
	bool ok = app_command(b->app, line, &e) == ST_OK;

	return settle(b) && ok;
}

static void
text_now(const struct bench *b, char out[SENT_L + 1])
{
	for (int i = 0; i < SENT_L; i++) {
		int32_t t = b->app->priv->tok[i];

		out[i] = t == 34 ? ' ' : t >= 8 && t < 34 ? (char)('a' + t - 8) : '#';
	}
	out[SENT_L] = 0;
}

static void
test_steps(void)
{
	struct bench b;
	struct app *a;
	struct node *three;
	char first[SENT_L + 1], again[SENT_L + 1];
	long before;

	CHECK(bench_open(&b, false, NULL), "an app opens and starts a run");
	a = b.app;
	CHECK(a->cursor.node && a->cursor.node->step == 0, "at step 0");
	type(&b, "s");
	CHECK(a->cursor.node->step == 1, "s: one step");
	type(&b, "2s");
	CHECK(a->cursor.node->step == 3, "2s: two more");
	three = a->cursor.node;
	text_now(&b, first);
	type(&b, "S");
	CHECK(a->cursor.node->step == 2 && a->cursor.node == three->up, "S: back along the same states");
	before = calls(&b);
	type(&b, "s");
	text_now(&b, again);
	CHECK(a->cursor.node == three && strcmp(first, again) == 0, "s: forward to the state that was there");
	CHECK(calls(&b) == before, "without a network call");
	type(&b, "g");
	CHECK(a->cursor.node->step == 0, "g: the first state");
	type(&b, "10g");
	CHECK(a->cursor.node->step == 10, "10g: step 10, made on the way");
	type(&b, "f");
	CHECK(a->cursor.node->done, "f: to the end");
	type(&b, "s");
	CHECK(a->message_is_error && strstr(a->message, "end"), "s at the end says so: %s", a->message);
	type(&b, "g");
	type(&b, "G");
	CHECK(a->cursor.node->done, "G: the last state");
	text_now(&b, first);
	CHECK(strstr(SENTENCE, "quick") && strstr(first, "quick"), "the sample says what the model knows: %.40s",
		first);
	type(&b, "4g3S");
	CHECK(a->cursor.node->step == 1, "4g3S");
	type(&b, "9S");
	CHECK(a->cursor.node->step == 0, "back stops at the first state");
	type(&b, "S");
	CHECK(a->message_is_error, "and says so after that");
	bench_close(&b);
}

static void
test_reveal(void)
{
	struct bench b;
	struct app *a;
	struct app_private *p;
	struct node *n;
	int order = 0, seen = 0;
	int32_t want;

	bench_open(&b, false, "psi kappa=.9 steps=40 seed=3");
	a = b.app;
	p = a->priv;
	type(&b, "10s");
	n = a->cursor.node;
	type(&b, ".");
	CHECK(a->cursor.node->up == n && a->cursor.reveal == 1, ". makes the next step and shows one token of it");
	CHECK(p->n_touched > 3, "there are %d touched positions", p->n_touched);
	CHECK(a->cursor.pos == p->touched[0], "the cursor stands on it");
	CHECK(strstr(a->message, "token"), "and a sentence says how it was drawn: %s", a->message);
	for (int i = 0; i < p->n_touched; i++) {
		enum cause c = (enum cause)p->now.cause[p->touched[i]];
		int group = c >= CAUSE_CORR_SAME && c <= CAUSE_REMASK;

		order += group < seen;
		seen = group > seen ? group : seen;
	}
	CHECK(order == 0 && seen == 1, "predictor first, then corrector");
	for (int i = 1; i < p->n_touched; i++) {
		int pos = p->touched[i];
		if (p->tok[pos] != p->before.tok[pos])
			order++;
	}
	CHECK(order == 0, "what is not revealed shows the state before");
	type(&b, ".");
	want = p->now.tok[p->touched[1]];
	CHECK(a->cursor.reveal == 2 && p->tok[p->touched[1]] == want, "the second token");
	type(&b, ",");
	CHECK(a->cursor.reveal == 1, ", hides it again");
	type(&b, ",");
	CHECK(a->cursor.node == n && a->cursor.reveal == -1, ", before the first: the state before");
	type(&b, ".");
	for (int i = a->cursor.reveal; i >= 0 && i < p->n_touched; i++)
		type(&b, ".");
	CHECK(a->cursor.node->up == n && a->cursor.reveal == -1, "after the last token the step is whole");
	type(&b, ",");
	CHECK(a->cursor.reveal == p->n_touched - 1, ", from a whole step hides its last token");
	type(&b, "<Esc>");
	CHECK(a->cursor.reveal == -1, "Esc shows the whole step");
	bench_close(&b);
}

static void
test_knobs(void)
{
	struct bench b;
	struct app *a;
	struct app_private *p;
	struct node *at, *old;
	char preview[SENT_L + 1], kept[SENT_L + 1];
	long before;

	bench_open(&b, false, NULL);
	a = b.app;
	p = a->priv;
	type(&b, "20s");
	old = a->cursor.node;
	type(&b, "5S");
	at = a->cursor.node;
	before = calls(&b);
	CHECK(p->has_next && p->next_node, "at a past state the next one is known");
	CHECK(command(&b, "set kappa .3"), "set kappa .3");
	CHECK(p->held && p->preview && a->cursor.node == at, "a preview is shown, the cursor stays");
	CHECK(calls(&b) == before, "without a network call");
	text_now(&b, preview);
	CHECK(p->plan && leg_row(p->plan, at->step)->kappa == .3, "the plan is laid out anew");
	type(&b, "s");
	text_now(&b, kept);
	CHECK(a->cursor.node->up == at && !p->held && !p->preview, "s keeps it");
	CHECK(strcmp(preview, kept) == 0, "as it was previewed");
	CHECK(branch_of(a, a->cursor.node) >= 0 && branch_of(a, old) == -1, "on a branch of its own");
	type(&b, "S");
	type(&b, "s");
	CHECK(branch_of(a, a->cursor.node) == 0, "back and forth stays on the branch");
	type(&b, "2S");
	CHECK(!p->held && recipe_equal(&a->recipe, &old->on->r), "before the fork the knobs are the old ones");
	type(&b, "uu");
	CHECK(a->cursor.node == at, "u: visited states backwards");
	type(&b, "<C-r>");
	CHECK(branch_of(a, a->cursor.node) == 0, "Ctrl-R: forwards");
	command(&b, " set  top-p=.5 ");
	CHECK(p->held && a->recipe.top_p == .5, "another knob, written with =");
	type(&b, "<Esc>");
	CHECK(!p->held && !p->preview, "Esc drops it");
	CHECK(command(&b, "set kappa") && !p->held && strstr(a->message, "kappa is"), "set NAME: %s", a->message);
	CHECK(!command(&b, "set kappa 2") && !p->held, "kappa 2 is refused");
	CHECK(!command(&b, "set nonsense 1"), "an unknown knob is refused");
	CHECK(!command(&b, "set steps 3"), "fewer steps than were made are refused");
	CHECK(command(&b, "set steps 90") && p->held, "more steps are laid out over the rest");
	type(&b, "f");
	CHECK(a->cursor.node->done && node_steps(a->cursor.node) == 90, "and run");
	CHECK(command(&b, "set kappa .7") && p->held && !p->preview && strstr(a->message, "go back"), "at the end: %s",
		a->message);
	type(&b, "g");
	CHECK(p->held && p->preview, "at the first state it is previewed");
	type(&b, "3s");
	CHECK(a->cursor.node->step == 3 && a->cursor.node->on->r.zone[0].value == .7 && !p->held, "and kept by steps");
	bench_close(&b);
}

static void
test_focus(void)
{
	struct bench b;
	struct app *a;
	double kappa;

	bench_open(&b, false, "psi kappa=.9 steps=40 seed=3");
	a = b.app;
	free(screen(&b, 80, 24, true, false));
	type(&b, "<Right><Right><Down>");
	CHECK(a->cursor.pos == 2 + a->priv->page->cols, "arrows move over the text: position %d", a->cursor.pos);
	type(&b, "<End><Right>");
	CHECK(a->cursor.pos == SENT_L - 1, "End, and no further");
	type(&b, "<Home>");
	CHECK(a->cursor.pos == 0, "Home");
	type(&b, "v<Right><Right>");
	CHECK(a->cursor.select_from == 0 && a->cursor.pos == 2, "v selects");
	type(&b, "y");
	CHECK(a->copy && strlen(a->copy) >= 3 && a->cursor.select_from == -1, "y copies the selection: '%s'", a->copy);
	type(&b, "<Tab>");
	CHECK(a->focus == FOCUS_KNOBS, "Tab: knobs");
	kappa = a->recipe.zone[0].value;
	type(&b, "<Down>");
	CHECK(a->recipe.zone[0].value < kappa && a->priv->held, "down nudges kappa");
	type(&b, "<Up>");
	CHECK(!a->priv->held, "up takes it back: nothing is held");
	type(&b, "<Right>");
	CHECK(strcmp(recipe_knob(a->knob)->name, "steps") == 0,
		"right: the next knob of the bar (no cfg without labels)");
	type(&b, "<Tab>");
	CHECK(a->focus == FOCUS_TIMELINE, "Tab: timeline");
	type(&b, "<Right><Right><Left>");
	CHECK(a->cursor.node->step == 1, "its arrows step");
	type(&b, "<Down>");
	CHECK(a->cursor.reveal == 1 && a->cursor.node->step == 2, "down reveals a token");
	type(&b, "<Up>");
	CHECK(a->cursor.node->step == 1, "up takes it back");
	type(&b, "<S-Tab>");
	CHECK(a->focus == FOCUS_KNOBS, "S-Tab: back");
	bench_close(&b);
}

static void
test_runs(void)
{
	struct bench b;
	struct app *a;
	struct node *first;
	char x[SENT_L + 1], y[SENT_L + 1], name[8];

	bench_open(&b, true, NULL);
	a = b.app;
	type(&b, "30s");
	first = a->cursor.node;
	text_now(&b, x);
	CHECK(command(&b, "seed 8") && a->cursor.node->step == 0, "seed 8: a run of its own");
	CHECK(run_of(a, a->cursor.node) == 2 && run_of(a, first) == 1, "run 2");
	type(&b, "30s");
	text_now(&b, y);
	CHECK(strcmp(x, y) != 0, "other noise");
	CHECK(command(&b, "seed 7") && run_of(a, a->cursor.node) == 1, "seed 7: the run that was there");
	type(&b, "30g");
	CHECK(a->cursor.node == first, "with its states");
	CHECK(command(&b, "sample 3") && a->recipe.first == 2 && run_of(a, a->cursor.node) == 3,
		"sample 3: a run of its own");
	CHECK(!command(&b, "weights raw"), "no raw weights: refused");
	CHECK(command(&b, "preset ancestral") && a->priv->held, "preset ancestral acts from here");
	type(&b, "3s");
	branch_name(a, branch_of(a, a->cursor.node), name);
	CHECK(strcmp(name, "a") == 0, "nothing was there to branch from");
	CHECK(command(&b, "recipe psi steps=20 seed=9") && a->cursor.node->step == 0 && a->recipe.seed == 9,
		"recipe LINE");
	type(&b, "T");
	CHECK(app_view(a->view) == &view_tree, "T: the tree");
	type(&b, "<Home><Up><Up><Up><Up><End><Enter>");
	CHECK(a->view == 0 && run_of(a, a->cursor.node) == 1, "Enter goes to the chosen state");
	type(&b, "10g:set kappa .5<Enter>5s");
	CHECK(branch_of(a, a->cursor.node) >= 0, "a branch from step 10 on");
	type(&b, "T<Up><Up><Up><Up><Up><Home><Right><Right><Enter>");
	CHECK(a->cursor.node->step == 2 && branch_of(a, a->cursor.node) == -1,
		"step 2 of branch a, chosen in the tree");
	type(&b, "20s");
	CHECK(a->cursor.node->step == 22 && branch_of(a, a->cursor.node) == -1, "goes on along branch a");
	bench_close(&b);
}

static void
test_samples(void)
{
	struct bench b;
	struct app *a;
	struct node *n;
	char one[SENT_L + 1], two[SENT_L + 1];

	CHECK(bench_open(&b, false, "psi steps=20 seed=3 samples=3"), "three samples side by side");
	a = b.app;
	type(&b, "8s");
	n = a->cursor.node;
	text_now(&b, one);
	CHECK(command(&b, "sample 2") && a->cursor.sample == 1 && a->cursor.node == n,
		"sample 2 is looked at, no new run");
	text_now(&b, two);
	CHECK(strcmp(one, two) != 0, "and is another one");
	for (int i = 0; i < COLOUR_COUNT; i++) {
		command(&b, "colour");
		free(screen(&b, 100, 30, true, true));
	}
	type(&b, ".,.S");
	CHECK(a->cursor.sample == 1 && a->cursor.node == n, "steps stay on it");
	CHECK(command(&b, "sample") && a->cursor.sample == 2, "sample alone: the next one");
	CHECK(command(&b, "sample 1") && a->cursor.sample == 0, "sample 1");
	text_now(&b, two);
	CHECK(strcmp(one, two) == 0, "as it was");
	bench_close(&b);
	bench_open(&b, false, "psi steps=20 seed=3");
	type(&b, "8s");
	text_now(&b, two);
	CHECK(strcmp(one, two) == 0, "as alone");
	bench_close(&b);
}

static void
test_play(void)
{
	struct bench b;
	struct app *a;
	struct key space = { "<Space>" };

	bench_open(&b, false, "psi steps=12 seed=3");
	a = b.app;
	CHECK(app_next_tick(a, b.now) < 0, "at rest nothing is due");
	app_key(a, &space);
	CHECK(a->playing && app_next_tick(a, b.now) >= 0, "space plays");
	for (int i = 0; i < 2000 && !(a->playing == false && !app_busy(a)); i++) {
		struct pollfd f = { .fd = sampler_fd(b.sampler), .events = POLLIN };

		app_reports(a);
		b.now += .05;
		app_tick(a, b.now);
		poll(&f, 1, 1);
	}
	CHECK(a->cursor.node->done && !a->playing, "to the end, and stops there");
	app_key(a, &space);
	CHECK(a->playing && a->cursor.node->step == 0, "space at the end plays again from the first state");
	app_key(a, &space);
	CHECK(!a->playing, "space pauses");
	bench_close(&b);
}

static void
test_stop(void)
{
	struct bench b;
	struct app *a;
	struct key f = { "f" }, stop = { "<C-c>" };
	int before;

	bench_open(&b, false, "psi steps=64 seed=3");
	a = b.app;
	b.model.slow_ms = 20;
	app_key(a, &f);
	for (int i = 0; i < 400 && a->cursor.node->step < 2; i++) {
		struct timespec ms = { 0, 2000000 };

		app_reports(a);
		nanosleep(&ms, NULL);
	}
	app_key(a, &stop);
	CHECK(settle(&b), "Ctrl-C ends the run");
	before = a->cursor.node->step;
	CHECK(before >= 2 && before < 64, "at step %d; its states are kept", before);
	b.model.slow_ms = 0;
	type(&b, "s");
	CHECK(a->cursor.node->step == before + 1, "and goes on from there");
	b.model.slow_ms = 20;
	app_command(a, "step 5", NULL);
	app_command(a, "set kappa .6", NULL);
	CHECK(settle(&b) && a->cursor.node->step == before + 6,
		"a knob turned while steps run: they go on, no more of them");
	CHECK(a->cursor.node->on->r.zone[0].value == .6 && !a->priv->held, "with it");
	bench_close(&b);
}

static void
test_write(void)
{
	struct bench b;
	char path[] = "/tmp/psiview-test-XXXXXX", line[160], got[200] = "";
	int fd = mkstemp(path);
	FILE *f;

	bench_open(&b, false, NULL);
	type(&b, "f");
	snprintf(line, sizeof line, "write %s", path);
	CHECK(fd >= 0 && command(&b, line), "write FILE");
	f = fopen(path, "r");
	CHECK(f && fgets(got, sizeof got, f) && strstr(got, "quick"), "the text is in it");
	if (f)
		fclose(f);
	remove(path);
	snprintf(line, sizeof line, "write %s.jsonl", path);
	CHECK(command(&b, line), "write FILE.jsonl");
	f = fopen(line + 6, "r");
	CHECK(f && fgets(got, sizeof got, f) && got[0] == '{', "lines of JSON");
	for (fd = 1; f && fgets(got, sizeof got, f);)
		fd += strchr(got, '\n') != NULL;
	CHECK(fd > 65, "one for each state and more: %d", fd);
	if (f)
		fclose(f);
	remove(line + 6);
	CHECK(command(&b, "copy recipe") && strstr(b.app->copy, "psi "), "copy recipe: %s", b.app->copy);
	CHECK(!command(&b, "write /nonexistent/x"), "a folder that is not there is an error");
	if (access("/dev/full", W_OK) == 0)
		CHECK(!command(&b, "write /dev/full"), "so is a full disk");
	bench_close(&b);
}

static void
test_commands(void)
{
	struct bench b;
	struct error e = { 0 };

	bench_open(&b, true, NULL);
	CHECK(app_command(b.app, "frobnicate", &e) == ST_USAGE && strstr(e.msg, "frobnicate"), "unknown: %s", e.msg);
	CHECK(app_command(b.app, "", &e) == ST_OK, "nothing is nothing");
	CHECK(command(&b, "help step") && strstr(b.app->message, "step"), "help step: %s", b.app->message);
	type(&b, "20s");
	type(&b, "n");
	CHECK(cause_changed((enum cause)b.app->priv->cause[b.app->cursor.pos]), "n goes to a change");
	type(&b, "g");
	CHECK(!command(&b, "next") && !command(&b, "next 3"), "which the first state has not");
	for (int i = 0; i < COLOUR_COUNT; i++) {
		char line[40];

		snprintf(line, sizeof line, "colour %s", app_word("colour", i));
		if (i == COLOUR_GUIDANCE) {
			CHECK(!command(&b, line) && b.app->colouring != COLOUR_GUIDANCE, "no %s without labels", line);
			continue;
		}
		CHECK(command(&b, line) && b.app->colouring == (enum colouring)i, "%s", line);
		free(screen(&b, 80, 24, true, false));
	}
	CHECK(app_word("colour", COLOUR_COUNT) == NULL, "and no more");
	for (int i = 0; i < app_view_count(); i++) {
		char line[40];

		snprintf(line, sizeof line, "view %s", app_word("view", i));
		CHECK(command(&b, line) && b.app->view == i, "%s", line);
		free(screen(&b, 80, 24, true, false));
		type(&b, "<Esc>");
		CHECK(b.app->view == 0 || i == 0, "Esc goes back");
	}
	for (int i = 0; i < CMD_COUNT; i++)
		if (strcmp(command_list[i].args, "") != 0 && command_list[i].id != CMD_KEYS &&
			command_list[i].id != CMD_WAIT) {
			char line[64];

			e.msg[0] = 0;
			snprintf(line, sizeof line, "%s no-such-thing", command_list[i].name);
			if (command_list[i].id == CMD_WRITE || command_list[i].id == CMD_COPY ||
				command_list[i].id == CMD_HELP)
				continue;
			CHECK(app_command(b.app, line, &e) != ST_OK && *e.msg, "%s: %s", line, e.msg);
		}
	bench_close(&b);
}

/* Whatever is typed, the cursor stands on a state of the tree, inside it; and
 * the same recipe still ends in the same tokens. */
static void
test_random(bool masked)
{
	static const char *const keys[] = { "s", "S", ".", ",", "<Tab>", "<S-Tab>", "<Up>", "<Down>", "<Left>",
		"<Right>", "g", "G", "n", "N", "u", "<C-r>", "t", "v", "<Esc>", "T", "<Enter>", "<Home>", "<End>",
		"<Backspace>", "[", "]", "+", "-", "<Space>", "<C-c>", "3", "f", "C", "y", "R", "<PgDn>", "<F2>",
		"<F6>", "<Click:30,10>", "<Drag:20,4>", "<Click:40,19>", "<Click:30,22>", "<WheelDown>" };
	static const char *const commands[] = { "set kappa .8", "set steps 40", "set top-p .7", "seed 5", "seed 7",
		"layout", "sample", "preset pc", "preset cap-0.01", "restart", "colour difference", "goto 17",
		"set temperature 1.5", "view sample" };
	struct bench b;
	struct app *a;
	unsigned r = masked ? 7 : 11;
	int outside = 0, astray = 0;
	char straight[SENT_L + 1], after[SENT_L + 1];

	bench_open(&b, masked, "psi kappa=.9 steps=24 seed=7");
	a = b.app;
	type(&b, "f");
	text_now(&b, straight);
	for (int i = 0; i < 1500; i++) {
		struct key k;
		struct error e = { 0 };

		r = r * 1664525u + 1013904223u;
		if ((r >> 8) % 12 == 0) {
			app_command(a, commands[(r >> 16) % (sizeof commands / sizeof *commands)], &e);
		} else {
			snprintf(k.name, sizeof k.name, "%s", keys[(r >> 16) % (sizeof keys / sizeof *keys)]);
			app_key(a, &k);
		}
		if ((r >> 4) % 3 == 0) { /* else more keys come before the answers */
			app_reports(a);
			app_tick(a, b.now += .2);
		}
		if ((r >> 5) % 4 == 0)
			free(screen(&b, (r >> 7) % 2 ? 80 : 40, (r >> 7) % 2 ? 24 : 12, true, false));
		outside += a->cursor.pos < 0 || a->cursor.pos >= SENT_L || a->cursor.sample != 0 ||
			a->view >= app_view_count();
		astray += a->cursor.node != a->priv->line.at[a->priv->at] || a->cursor.reveal > a->priv->n_touched;
	}
	CHECK(outside == 0 && astray == 0, "1500 keys at random: the cursor is where it should be");
	a->playing = false;
	command(&b, "stop");
	type(&b, "<Esc><Esc><Esc><Esc>");
	CHECK(command(&b, "recipe psi kappa=.9 steps=24 seed=7"), "the first recipe again");
	settle(&b);
	command(&b, "first");
	CHECK(command(&b, "recipe psi kappa=.9 steps=24 seed=7"), "from the first state on");
	command(&b, "finish");
	text_now(&b, after);
	CHECK(a->cursor.node->done && strcmp(straight, after) == 0, "ends in the same tokens");
	bench_close(&b);
}

static void
test_sizes(void)
{
	static const int size[][2] = { { 1, 1 }, { 10, 3 }, { 40, 12 }, { 41, 13 }, { 80, 24 }, { 120, 40 },
		{ 300, 100 } };
	struct bench b;

	bench_open(&b, false, NULL);
	type(&b, "12s");
	for (size_t i = 0; i < sizeof size / sizeof *size; i++)
		for (int v = 0; v < app_view_count(); v++) {
			char *s;

			b.app->view = v;
			s = screen(&b, size[i][0], size[i][1], i & 1, true);
			CHECK(s && strlen(s) > 0, "%dx%d %s", size[i][0], size[i][1], app_view(v)->name);
			free(s);
		}
	bench_close(&b);
}

int
main(void)
{
	test_steps();
	test_reveal();
	test_knobs();
	test_focus();
	test_runs();
	test_samples();
	test_play();
	test_stop();
	test_write();
	test_commands();
	test_random(false);
	test_random(true);
	test_sizes();
	return check_done();
}
