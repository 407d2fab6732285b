/*
 * train_form.c: the settings of a training as a form: of the next one, or to
 * read, of the one that runs.  Screen thread only.
 */
#include "ui/train.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

enum row_kind { ROW_PRESET, ROW_OUT, ROW_FIELD, ROW_MORE, ROW_START, ROW_OTHER };
struct row {
	enum row_kind kind;
	int field;
};

#define ROWS_MAX 96
#define LABEL 18
#define HELP_BESIDE 100 /* columns from which on help stands beside the values */

struct rows {
	struct row at[ROWS_MAX];
	int n;
};

/* Settings that have a meaning only beside others: the first that matches decides. */
static bool
named(const char *name, const char *list)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
			return true;
	return false;
}

bool
train_setting_matters(const struct job *j, int field)
{
	const char *n = job_field(field)->name;

	if (named(n, "sudoku"))
		return j->data == JOB_SUDOKU;
	if (named(n, "data"))
		return j->data != JOB_SUDOKU;
	if (named(n, "held-out"))
		return j->data != JOB_SUDOKU;
	if (named(n, "tokenizer length"))
		return j->data == JOB_TEXT;
	if (named(n, "mirror labels label-dropout backbone"))
		return j->data == JOB_IMAGES;
	if (named(n, "hidden blocks heads cond"))
		return j->net.backbone == BACKBONE_DIT;
	if (named(n, "ch ch-mult res-blocks attention-scale"))
		return j->net.backbone == BACKBONE_UNET;
	if (named(n, "curriculum"))
		return j->loss == LOSS_DUO && j->net.backbone == BACKBONE_DIT && j->goal == JOB_MODEL;
	if (named(n, "k curriculum-compat"))
		return j->curriculum == JOB_EFFICIENT;
	if (named(n, "tau gamma-min gamma-max operator-degree curriculum-end"))
		return j->curriculum != JOB_PLAIN;
	if (named(n, "d3pm-steps"))
		return j->loss == LOSS_D3PM;
	if (named(n, "teacher distill-every distill-steps forward-kl"))
		return j->goal == JOB_DISTILL;
	return true;
}

/* The settings that are read rather than made: those of what runs. */
static bool
fixed(const struct app *a)
{
	return a->train->t && !train_over(a);
}

static const struct job *
job_shown(const struct app *a)
{
	return fixed(a) ? &a->train->now.job : &a->train->job;
}

static void
add(struct rows *v, enum row_kind kind, int field)
{
	if (v->n < ROWS_MAX)
		v->at[v->n++] = (struct row){ kind, field };
}

static void
add_fields(const struct app *a, struct rows *v, bool main)
{
	for (int i = 0; i < job_field_count(); i++)
		if (job_field(i)->main == main && train_setting_matters(job_shown(a), i))
			add(v, ROW_FIELD, i);
}

static void
collect(const struct app *a, struct rows *v)
{
	const struct train *t = a->train;

	v->n = 0;
	if (t->resume && !fixed(a)) { /* what may differ when going on */
		add(v, ROW_OUT, 0);
		if (train_setting_matters(&t->job, job_field_find("data")))
			add(v, ROW_FIELD, job_field_find("data"));
		add(v, ROW_FIELD, job_field_find("steps"));
		add(v, ROW_START, 0);
		add(v, ROW_OTHER, 0);
		return;
	}
	add(v, ROW_PRESET, 0);
	add(v, ROW_OUT, 0);
	add_fields(a, v, true);
	if (!fixed(a))
		add(v, ROW_START, 0);
	if (t->all || fixed(a))
		add_fields(a, v, false);
	if (!fixed(a))
		add(v, ROW_MORE, 0);
}

/* ---- drawing ---- */

static const char *
row_words(const struct app *a, const struct row *r, char *label, char *value, size_t size)
{
	const struct train *t = a->train;
	const struct job *j = job_shown(a);

	*value = 0;
	switch (r->kind) {
	case ROW_PRESET:
		snprintf(label, LABEL, "preset");
		snprintf(value, size, "%s", *j->preset ? j->preset : "none");
		for (int i = 0; i < job_preset_count(); i++)
			if (strcmp(job_preset_name(i), j->preset) == 0)
				return job_preset_help(i);
		return "settings to begin with";
	case ROW_OUT:
		snprintf(label, LABEL, t->resume ? "checkpoint" : "out");
		snprintf(value, size, "%s", fixed(a) ? t->path : t->out);
		return t->resume ? "it stands there and is written there" : "file that the checkpoints are written to";
	case ROW_FIELD:
		snprintf(label, LABEL, "%s", job_field(r->field)->name);
		job_get(j, r->field, value, size);
		return job_field(r->field)->help;
	case ROW_MORE:
		snprintf(label, LABEL, t->all ? "fewer settings" : "more settings");
		return "all that a training can be told";
	case ROW_START:
		snprintf(label, LABEL, t->resume ? "go on" : "start");
		if (t->resume)
			snprintf(value, size, "from step %lld", (long long)t->resume_step);
		return "Enter or s";
	case ROW_OTHER:
		snprintf(label, LABEL, "another one");
		return "a new training instead";
	}
	return "";
}

static void
draw_row(const struct app *a, struct canvas *c, struct rect in, int y, const struct row *r, bool chosen)
{
	char label[LABEL], value[JOB_PATH];
	const char *help = row_words(a, r, label, value, sizeof value);
	bool button = r->kind == ROW_START || r->kind == ROW_MORE || r->kind == ROW_OTHER;
	int help_x = in.w >= HELP_BESIDE ? LABEL + 24 : 0, room = (help_x ? help_x : in.w) - LABEL - 2;
	int w = text_width(value, strlen(value));
	const char *shown = value;

	canvas_char(c, in, 0, y, STYLE_FOCUS, chosen ? '>' : ' ');
	if (button)
		canvas_printf(c, in, 1, y, chosen ? STYLE_BOLD : STYLE_KEY, "[ %s%s%s ]", label, *value ? " " : "",
			      value);
	else
		canvas_put(c, in, 2, y, chosen ? STYLE_BOLD : STYLE_DIM, label);
	if (!button && w > room && room > 4) { /* of a path its end tells more */
		shown = value + strlen(value) - (size_t)(room - 1);
		while (((unsigned char)*shown & 0xc0) == 0x80)
			shown++;
		canvas_char(c, in, LABEL, y, STYLE_DIM, 0x2026);
		w = room;
	}
	if (!button)
		canvas_put(c, (struct rect){ in.x, in.y, LABEL + room, in.h }, LABEL + (shown != value), y,
			   chosen ? STYLE_BOLD : STYLE_TEXT, *value ? shown : "-");
	if (chosen && !button)
		canvas_cursor(c, in, LABEL, y, w > 0 ? w : 1);
	if (help_x)
		canvas_put(c, in, help_x, y, STYLE_DIM, help);
}

void
train_form_draw(struct app *a, struct canvas *c, struct rect r)
{
	struct train *t = a->train;
	struct rows v;
	char title[120], label[LABEL], value[JOB_PATH];
	struct rect in;
	int h;

	collect(a, &v);
	if (fixed(a))
		snprintf(title, sizeof title, "settings of %.80s", train_base(t->path));
	else
		snprintf(title, sizeof title, t->resume ? "go on with a training" : "a new training");
	in = canvas_frame(c, r, STYLE_FOCUS, title);
	t->row = t->row >= v.n ? v.n - 1 : t->row < 0 ? 0 : t->row;
	h = in.w >= HELP_BESIDE ? in.h : in.h - 1;
	t->top = t->top > t->row ? t->row : t->top < t->row - h + 1 ? t->row - h + 1 : t->top;
	t->top = t->top > v.n - h ? v.n - h : t->top;
	t->top = t->top < 0 ? 0 : t->top;
	for (int i = 0; i < h && t->top + i < v.n; i++)
		draw_row(a, c, in, i, &v.at[t->top + i], t->top + i == t->row);
	if (h < in.h)
		canvas_put(c, in, 1, in.h - 1, STYLE_DIM, row_words(a, &v.at[t->row], label, value, sizeof value));
	if (t->top > 0)
		canvas_char(c, r, r.w - 1, 1, STYLE_FOCUS, 0x2191);
	if (t->top + h < v.n)
		canvas_char(c, r, r.w - 1, h, STYLE_FOCUS, 0x2193);
}

/* ---- keys ---- */

static void
run(struct app *a, const char *line)
{
	struct error e = { 0 };

	if (app_command(a, line, &e) != ST_OK)
		app_say(a, true, "%s", e.msg);
}

/* The choice after (or before) the one that is; "a|b|c". */
static void
next_choice(const char *choices, const char *now, int by, char *out, size_t size)
{
	const char *at[32];
	int n = 0, here = 0;

	for (const char *p = choices; p && n < 32; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
		if (strlen(now) == strcspn(p, "|") && strncmp(p, now, strlen(now)) == 0)
			here = n;
		at[n++] = p;
	}
	here = n ? ((here + by) % n + n) % n : 0;
	snprintf(out, size, "%.*s", n ? (int)strcspn(at[here], "|") : 0, n ? at[here] : "");
}

/* 1, 2, 5, 10, 20 ..., or for powers of two the next one. */
static double
next_value(double v, int by, bool whole)
{
	static const double series[] = { 1, 2, 5, 10 };
	double scale, part;

	if (whole && (v < 8 || v != floor(v)))
		return v + by;
	if (whole && v == exp2(round(log2(v))))
		return by > 0 ? v * 2 : v / 2;
	if (v <= 0)
		return by > 0 ? 1e-4 : 0;
	scale = pow(10, floor(log10(v) + 1e-9));
	part = v / scale;
	for (int i = 0; i < 4; i++)
		if (by > 0 ? series[i] > part * (1 + 1e-9) : series[3 - i] < part * (1 - 1e-9))
			return (by > 0 ? series[i] : series[3 - i]) * scale;
	return by > 0 ? 10 * scale : .5 * scale;
}

static void
nudge_field(struct app *a, int field, int by)
{
	const struct job_field *f = job_field(field);
	static const int sizes[] = { 4, 6, 9 };
	struct job j = a->train->job;
	char value[JOB_PATH];

	job_get(&j, field, value, sizeof value);
	if (f->type == JOB_CHOICE)
		next_choice(f->choices, value, by, value, sizeof value);
	else if (f->type == JOB_FLAG)
		snprintf(value, sizeof value, "%s", strcmp(value, "true") == 0 ? "false" : "true");
	else if (f->type == JOB_INT || f->type == JOB_REAL)
		snprintf(value, sizeof value, f->type == JOB_INT ? "%.0f" : "%g",
			 strcmp(f->name, "seed") == 0 ? atof(value) + by
						      : next_value(atof(value), by, f->type == JOB_INT));
	else {
		app_say(a, false, "Enter types it");
		return;
	}
	if (strcmp(f->name, "sudoku") == 0) { /* only these there are */
		int here = j.sudoku == 9 ? 2 : j.sudoku == 6;

		snprintf(value, sizeof value, "%d", sizes[(here + by % 3 + 3) % 3]);
	}
	if (job_set(&j, field, value, NULL) == ST_OK)
		a->train->job = j;
}

static void
nudge(struct app *a, const struct row *r, int by)
{
	int n = job_preset_count(), here = 0;
	char line[64];

	if (r->kind == ROW_FIELD)
		nudge_field(a, r->field, by);
	if (r->kind != ROW_PRESET || n == 0)
		return;
	for (int i = 0; i < n; i++)
		if (strcmp(job_preset_name(i), a->train->job.preset) == 0)
			here = i;
	snprintf(line, sizeof line, "train preset %s", job_preset_name(((here + by) % n + n) % n));
	run(a, line);
}

static void
start(struct app *a, bool paused)
{
	struct train *t = a->train;
	struct error e = { 0 };
	char question[200];

	if (t->resume)
		run(a, "train continue");
	else if (app_command(a, paused ? "train start paused" : "train start", &e) != ST_OK) {
		if (strstr(e.msg, "start over")) { /* something would be lost: ask */
			snprintf(question, sizeof question, "%.100s is there. Replace it?", t->out);
			confirm_open(a, question, "train start over");
		} else {
			app_say(a, true, "%s", e.msg);
		}
	}
}

static void
enter(struct app *a, const struct row *r)
{
	char line[JOB_PATH + 64], value[JOB_PATH];

	switch (r->kind) {
	case ROW_PRESET:
		prompt_open(a, "train preset ");
		break;
	case ROW_OUT:
		snprintf(line, sizeof line, "train %s %s", a->train->resume ? "continue" : "out", a->train->out);
		prompt_open(a, line);
		break;
	case ROW_FIELD:
		snprintf(line, sizeof line, "train set %s %s", job_field(r->field)->name,
			 job_get(&a->train->job, r->field, value, sizeof value));
		prompt_open(a, line);
		break;
	case ROW_MORE:
		a->train->all = !a->train->all;
		break;
	case ROW_START:
		start(a, false);
		break;
	case ROW_OTHER:
		a->train->resume = false;
		a->train->row = 0;
		break;
	}
}

void
train_form_more(struct app *a)
{
	struct train *t = a->train;
	struct rows v;

	snprintf(t->out, sizeof t->out, "%s", t->path);
	t->resume = t->own = true;
	t->resume_step = t->now.last.step;
	t->page = TRAIN_SETTINGS;
	collect(a, &v);
	for (t->row = 0; t->row < v.n - 1; t->row++)
		if (v.at[t->row].kind == ROW_FIELD && v.at[t->row].field == job_field_find("steps"))
			break;
	app_say(a, false, "all %lld steps are done: take more of them, then s", (long long)t->resume_step);
}

bool
train_form_key(struct app *a, const struct key *k, int count)
{
	struct train *t = a->train;
	const char *n = k->name;
	int by = count > 0 ? count : 1;
	struct rows v;

	collect(a, &v);
	if (t->row >= v.n)
		t->row = v.n - 1;
	if (strcmp(n, "<Up>") == 0 || strcmp(n, "k") == 0 || strcmp(n, "<WheelUp>") == 0)
		t->row -= by;
	else if (strcmp(n, "<Down>") == 0 || strcmp(n, "j") == 0 || strcmp(n, "<WheelDown>") == 0)
		t->row += by;
	else if (strcmp(n, "<Home>") == 0)
		t->row = 0;
	else if (strcmp(n, "<End>") == 0)
		t->row = v.n - 1;
	else if (strcmp(n, "<PgUp>") == 0 || strcmp(n, "<PgDn>") == 0)
		t->row += n[3] == 'U' ? -8 : 8;
	else if (fixed(a))
		return false;
	else if (strcmp(n, "<Left>") == 0 || strcmp(n, "h") == 0 || strcmp(n, "-") == 0)
		nudge(a, &v.at[t->row], -1);
	else if (strcmp(n, "<Right>") == 0 || strcmp(n, "l") == 0 || strcmp(n, "+") == 0)
		nudge(a, &v.at[t->row], 1);
	else if (strcmp(n, "<Enter>") == 0)
		enter(a, &v.at[t->row]);
	else if (strcmp(n, "s") == 0 || strcmp(n, "p") == 0)
		start(a, n[0] == 'p');
	else
		return false;
	t->row = t->row < 0 ? 0 : t->row >= v.n ? v.n - 1 : t->row;
	return true;
}
