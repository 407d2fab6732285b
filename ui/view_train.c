/*
 * view_train.c: the Train view: the form before a training, and how it goes:
 * its step, its numbers, charts, and samples along training time.  Screen
 * thread only.
 */
#include "ui/train.h"

#include <math.h>
#include <stdarg.h>

/* ---- the first lines: where it stands ---- */

/* Numbers one after the other, on as many lines as there are. */
struct numbers {
	struct canvas *c;
	struct rect r;
	int x, y;
};

static void __attribute__((format(printf, 3, 4)))
number(struct numbers *n, const char *label, const char *fmt, ...)
{
	char value[80];
	va_list ap;
	int w;

	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	w = text_width(label, strlen(label)) + 1 + text_width(value, strlen(value));
	if (n->x > 1 && n->x + w > n->r.w) {
		n->x = 1;
		n->y++;
	}
	if (n->y >= n->r.h)
		return;
	n->x += canvas_put(n->c, n->r, n->x, n->y, STYLE_DIM, label) + 1;
	n->x += canvas_put(n->c, n->r, n->x, n->y, STYLE_TEXT, value) + 2;
}

static const char *
short_number(double v, char buf[16])
{
	say_number(v, buf, 16);
	return buf;
}

/* The numbers of the last step, what matters most first; returns lines used. */
static int
draw_numbers(const struct app *a, struct canvas *c, struct rect r)
{
	const struct trainer_progress *p = &a->train->now;
	struct numbers n = { c, r, 1, 0 };
	char b[16], b2[16], size[24];

	if (trainer_stepped(p))
		number(&n, "loss", "%s", short_number(p->last.loss, b));
	if (p->bound_step >= 0 && isfinite(p->bound.accuracy))
		number(&n, "bound", "%s, %.0f%% right at %lld", short_number(p->bound.nats, b), 100 * p->bound.accuracy,
		       (long long)p->bound_step);
	else if (p->bound_step >= 0 && !isfinite(p->bound.error)) /* one held-out sample tells none */
		number(&n, "bound", "%s at %lld", short_number(p->bound.nats, b), (long long)p->bound_step);
	else if (p->bound_step >= 0)
		number(&n, "bound", "%s %s %s at %lld", short_number(p->bound.nats, b), c->utf8 ? "±" : "+-",
		       short_number(p->bound.error, b2), (long long)p->bound_step);
	if (trainer_stepped(p)) {
		number(&n, "lr", "%.3g", p->last.lr);
		number(&n, "gradient", "%s", short_number(p->last.grad_norm, b));
	}
	if (p->tokens_per_second > 0) {
		say_large(p->tokens_per_second, size, sizeof size);
		number(&n, "tokens/s", "%s", size);
	}
	if (p->plan.bytes) {
		say_bytes(p->plan.bytes, size, sizeof size);
		number(&n, "memory", "%s", size);
	}
	if (p->parameters) {
		say_large((double)p->parameters, size, sizeof size);
		number(&n, "parameters", "%s", size);
	}
	if (p->plan.passes > 1)
		number(&n, "batch", "%d in %d passes", p->job.batch, p->plan.passes);
	if (p->best_step > 0 && p->best_step != p->bound_step)
		number(&n, "best", "%s at %lld", short_number(p->best, b), (long long)p->best_step);
	if (p->saved_step >= 0)
		number(&n, "saved", "step %lld", (long long)p->saved_step);
	return n.y < r.h ? n.y + (n.x > 1) : r.h;
}

/* The curriculum: its window, where this step was in it. */
static bool
draw_curriculum(const struct app *a, struct canvas *c, struct rect r, int y)
{
	const struct trainer_progress *p = &a->train->now;
	const struct job *j = &p->job;
	char gamma[16], alpha[16], kept[16];
	int64_t end = j->cur.end >= 0 ? j->cur.end : j->adam.steps / 2;

	if (j->curriculum == JOB_PLAIN || j->goal != JOB_MODEL || !trainer_stepped(p))
		return false;
	if (!isfinite(p->last.gamma)) {
		canvas_printf(c, r, 1, y, STYLE_DIM, "curriculum ended at step %lld", (long long)end);
		return true;
	}
	say_number(p->last.alpha, alpha, sizeof alpha);
	say_number(p->last.kept, kept, sizeof kept);
	snprintf(gamma, sizeof gamma, "%.2f", p->last.gamma);
	if (r.w < 76)
		canvas_printf(c, r, 1, y, STYLE_DIM, "gamma %s  alpha %s  kept %s", gamma, alpha, kept);
	else
		canvas_printf(c, r, 1, y, STYLE_DIM,
			      "curriculum to %lld: gamma %s in %.2f..%.2f  alpha %s  softmax kept %s",
			      (long long)end, gamma, a->train->window.min, a->train->window.max, alpha, kept);
	return true;
}

/* running  step 1200/4000  ########------  30%  0:42 left */
static void
draw_bar(const struct app *a, struct canvas *c, struct rect r)
{
	const struct trainer_progress *p = &a->train->now;
	int64_t all = p->job.adam.steps;
	double part = all > 0 ? (double)p->last.step / (double)all : 0;
	char left[40] = "", span[24];
	int x = 1, w;

	x += 2 + canvas_put(c, r, x, 0, p->phase == TRAINER_FAILED ? STYLE_ERROR : STYLE_BOLD,
			    trainer_phase_name(p->phase));
	x += canvas_printf(c, r, x, 0, STYLE_TEXT, "step %lld/%lld", (long long)p->last.step, (long long)all) + 2;
	if (p->eta >= 0 && !train_over(a)) {
		say_duration(p->eta, span, sizeof span);
		snprintf(left, sizeof left, "  %s left", span);
	}
	w = r.w - x - 6 - (int)strlen(left);
	if (w >= 6) {
		canvas_bar(c, r, x, 0, w, STYLE_BAR, part);
		x += w + 1;
	}
	if (*left && x + 4 + (int)strlen(left) > r.w) /* the time says more than the share */
		canvas_put(c, r, x, 0, STYLE_TEXT, left + 2);
	else
		canvas_printf(c, r, x, 0, STYLE_TEXT, "%3.0f%%%s", 100 * part, left);
}

/* Returns the lines it took. */
static int
draw_status(const struct app *a, struct canvas *c, struct rect r)
{
	const struct trainer_progress *p = &a->train->now;
	int most = r.h >= 20 ? 3 : 2, y = 1;

	draw_bar(a, c, r);
	y += draw_numbers(a, c, (struct rect){ r.x, r.y + y, r.w, most });
	y += draw_curriculum(a, c, r, y);
	if (*p->error.msg || *p->warning.msg)
		canvas_put(c, r, 1, y++, STYLE_ERROR, *p->error.msg ? p->error.msg : p->warning.msg);
	return y;
}

/* ---- the page ---- */

/* Charts, and below them as much of the samples as they need and there is room for. */
static void
draw_overview(struct app *a, struct canvas *c, struct rect r)
{
	int left = r.h, shots = 0, want = train_shots_rows(a, r.w) + 2;

	if (r.h >= 16)
		shots = r.h * 9 / 20 < 7 ? 7 : r.h * 9 / 20;
	shots = shots > want ? want : shots;
	left -= shots;
	train_chart_draw(a, c, (struct rect){ r.x, r.y, r.w, left });
	if (shots)
		train_shots_draw(a, c, (struct rect){ r.x, r.y + left, r.w, shots });
}

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	struct train *t = a->train;
	int y;

	if (!t->t || t->page == TRAIN_SETTINGS) {
		train_form_draw(a, c, r);
		return;
	}
	y = draw_status(a, c, r);
	r.y += y;
	r.h -= y;
	if (t->page == TRAIN_SHOTS)
		train_shots_draw(a, c, r);
	else
		draw_overview(a, c, r);
}

/* ---- keys ---- */

static void
run(struct app *a, const char *line)
{
	struct error e = { 0 };

	if (app_command(a, line, &e) != ST_OK)
		app_say(a, true, "%s", e.msg);
}

static void
go_set(struct app *a, int to)
{
	struct train *t = a->train;
	int n = t->now.n_samples;

	t->set = to >= n - 1 ? -1 : to < 0 ? 0 : to;
}

static bool
shots_key(struct app *a, const char *n, int by)
{
	struct train *t = a->train;
	int now = t->set >= 0 ? t->set : t->now.n_samples - 1;

	if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0)
		go_set(a, now - by);
	else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0)
		go_set(a, now + by);
	else if (strcmp(n, "<Home>") == 0)
		go_set(a, 0);
	else if (strcmp(n, "<End>") == 0)
		t->set = -1;
	else if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0)
		t->sample -= by;
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0)
		t->sample += by;
	else
		return false;
	t->sample = t->sample >= t->n_sample ? t->n_sample - 1 : t->sample;
	t->sample = t->sample < 0 ? 0 : t->sample;
	return true;
}

/* Keys that stand for a command. */
static bool
command_key(struct app *a, const char *n)
{
	const struct train *t = a->train;
	bool live = train_live(a);

	if (strcmp(n, "<Space>") == 0)
		run(a, !live ? "train status" : t->now.phase == TRAINER_PAUSED ? "train resume" : "train pause");
	else if (strcmp(n, "o") == 0 && t->snap.model)
		confirm_open(a, "The copy that lies open gives way to a newer one, with all its states?", "train open");
	else if (strcmp(n, "o") == 0)
		run(a, "train open");
	else if (strcmp(n, "w") == 0)
		run(a, "train save");
	else if (strcmp(n, "x") == 0)
		run(a, "train stop");
	else if (strcmp(n, "b") == 0 && t->snap.model)
		confirm_open(a, "Close the copy that lies open, with all its states?", "train close");
	else if (strcmp(n, "n") == 0 && !live)
		run(a, "train new");
	else if (strcmp(n, "r") == 0 && t->now.phase == TRAINER_DONE)
		train_form_more(a);
	else if (strcmp(n, "r") == 0 && !live)
		run(a, "train continue");
	else
		return false;
	return true;
}

static bool
key(struct app *a, const struct key *k, int count)
{
	struct train *t = a->train;
	const char *n = k->name;
	bool form = !t->t || t->page == TRAIN_SETTINGS;

	if (strcmp(n, "<Esc>") == 0) {
		a->view = 0;
		return true;
	}
	if (t->t && (strcmp(n, "<Tab>") == 0 || strcmp(n, "<S-Tab>") == 0)) {
		t->page = (enum train_page)((t->page + (n[1] == 'T' ? 1 : TRAIN_PAGES - 1)) % TRAIN_PAGES);
		return true;
	}
	if (form && train_form_key(a, k, count))
		return true;
	if (!t->t)
		return false;
	return (!form && shots_key(a, n, count > 0 ? count : 1)) || command_key(a, n);
}

static const char *const hints_form[] = { "up down", "choose", "left right", "change", "Enter", "type", "s", "start",
	"p", "start paused", "Esc", "back", "?", "help", NULL };
static const char *const hints_fixed[] = { "up down", "look", "Tab", "charts", "Esc", "back", "?", "help", NULL };
static const char *const hints_live[] = { "space", "pause", "o", "open it", "Tab", "page", "left right", "samples", "w",
	"save", "x", "stop", "Esc", "back", "?", "help", NULL };
static const char *const hints_paused[] = { "space", "go on", "o", "open it", "Tab", "page", "left right", "samples",
	"w", "save", "x", "stop", "Esc", "back", "?", "help", NULL };
static const char *const hints_over[] = { "o", "open it", "Tab", "page", "left right", "samples", "n", "a new one", "r",
	"go on with it", "Esc", "back", "?", "help", NULL };

const char *const *
train_hints(const struct app *a)
{
	const struct train *t = a->train;

	if (!t->t || (t->page == TRAIN_SETTINGS && train_over(a)))
		return hints_form;
	if (t->page == TRAIN_SETTINGS)
		return hints_fixed;
	return train_over(a) ? hints_over : t->now.phase == TRAINER_PAUSED ? hints_paused : hints_live;
}

const struct view view_train = { "Train", draw, key,
	"a training beside the sampling: start it, watch it, open what it has learned" };
