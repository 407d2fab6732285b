/*
 * trainer_note.c: what is remembered of a run.  In memory points and sets of
 * samples get sparser as the run grows; in the files beside the checkpoint
 * every line stays.  Lines are JSON; a run that goes on reads its own back.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/trainer_private.h"

/* ---- points ---- */

/* b joins a; wa, wb: steps in each. */
static void
point_join(struct trainer_point *a, const struct trainer_point *b, double wa, double wb)
{
	double part = wb / (wa + wb);

	a->step = b->step;
	a->loss += (b->loss - a->loss) * part;
	a->grad_norm += (b->grad_norm - a->grad_norm) * part;
	a->lr = b->lr;
	a->tokens_per_second = b->tokens_per_second;
	if (!isnan(b->bound))
		a->bound = b->bound;
}

static void
points_halve(struct points *p)
{
	for (int i = 0; i < POINTS / 2; i++) {
		struct trainer_point both = p->at[2 * i];
		point_join(&both, &p->at[2 * i + 1], 1, 1);
		p->at[i] = both;
	}
	p->n = POINTS / 2;
	p->stride *= 2;
}

void
points_add(struct points *p, const struct trainer_point *at)
{
	if (p->stride == 0)
		p->stride = 1;
	if (p->part > 0) {
		point_join(&p->at[p->n - 1], at, (double)p->part, 1);
		p->part = (p->part + 1) % p->stride;
		return;
	}
	if (p->n == POINTS)
		points_halve(p);
	p->at[p->n++] = *at;
	p->part = 1 % p->stride;
}

/* The bound of the steps up to this one, at the last point. */
void
points_bound(struct points *p, int64_t step, double bound)
{
	if (p->n > 0 && p->at[p->n - 1].step <= step)
		p->at[p->n - 1].bound = bound;
}

/* A run that goes on from before these points drops them. */
static void
points_cut(struct points *p, int64_t step)
{
	while (p->n > 0 && p->at[p->n - 1].step >= step) {
		p->n--;
		p->part = 0;
	}
}

int
points_spread(const struct points *p, struct trainer_point *out, int max)
{
	int n = p->n < max ? p->n : max;

	for (int i = 0; i < n; i++) {
		int first = (int)((int64_t)i * p->n / n), end = (int)((int64_t)(i + 1) * p->n / n);
		out[i] = p->at[first];
		for (int k = first + 1; k < end; k++)
			point_join(&out[i], &p->at[k], k - first, 1);
	}
	return n;
}

/* ---- sets of samples ---- */

static void
sets_halve(struct sets *s)
{
	int n = 0;

	for (int i = 0; i < s->n; i++)
		if (i % 2 == 0)
			s->at[n++] = s->at[i];
		else
			free(s->at[i].tok);
	s->n = n;
}

void
sets_add(struct sets *s, int64_t step, int S, int L, int32_t *tok)
{
	while (s->n > 0 && s->at[s->n - 1].step >= step)
		free(s->at[--s->n].tok);
	if (s->n == SETS)
		sets_halve(s);
	s->at[s->n++] = (struct sample_set){ step, S, L, tok };
}

void
sets_free(struct sets *s)
{
	while (s->n > 0)
		free(s->at[--s->n].tok);
}

/* ---- writing ---- */

/* One line; takes it over.  What cannot be written is said once, and the run
 * goes on. */
static void
put(struct trainer *t, FILE *f, const char *path, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(10));
	struct error e;

	json_decref(line);
	if (!text || !f)
		return free(text);
	clearerr(f);
	bool ok = fputs(text, f) >= 0 && fputc('\n', f) != EOF && fflush(f) == 0;
	if (!ok) {
		error_set(&e, ST_FAIL, "%s: %s", path, strerror(errno));
		trainer_trouble(t, &e);
	}
	free(text);
}

static json_t *
line_new(const struct trainer *t, const char *event)
{
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string(event));
	if (t->state)
		json_object_set_new(o, "step", json_integer(t->state->step));
	return o;
}

/* Numbers that are not finite are left out. */
static void
put_real(json_t *o, const char *key, double v)
{
	if (isfinite(v))
		json_object_set_new(o, key, json_real(v));
}

static double
rate_of(double tokens, double seconds)
{
	return seconds > 0 ? tokens / seconds : 0;
}

void
note_step(struct trainer *t, const struct step_numbers *n)
{
	struct since *s = &t->since;

	s->n++;
	s->loss += n->loss;
	s->norm += n->grad_norm;
	s->seconds += n->seconds;
	s->tokens += n->tokens;
	t->seconds += n->seconds;
	bool due = t->job.log_every > 0 && n->step % t->job.log_every == 0;
	if (!t->log || (!due && n->step < t->job.adam.steps))
		return;
	json_t *o = line_new(t, "step");
	put_real(o, "loss", s->loss / (double)s->n);
	put_real(o, "grad_norm", s->norm / (double)s->n);
	put_real(o, "lr", n->lr);
	put_real(o, "tokens_per_second", rate_of(s->tokens, s->seconds));
	put_real(o, "seconds", t->seconds);
	put_real(o, "gamma", n->gamma);
	put_real(o, "alpha", n->alpha);
	put_real(o, "kept", n->kept);
	put(t, t->log, t->log_path, o);
	*s = (struct since){ 0 };
}

void
note_bound(struct trainer *t, const struct bound_numbers *b)
{
	json_t *o = line_new(t, "valid");

	put_real(o, "nats", b->nats);
	put_real(o, "error", b->error);
	put_real(o, "bits", b->nats / M_LN2);
	put_real(o, "accuracy", b->accuracy);
	json_object_set_new(o, "samples", json_integer(b->samples));
	put_real(o, "seconds", t->seconds);
	put(t, t->log, t->log_path, o);
}

void
note_event(struct trainer *t, const char *event, const char *key, const char *text)
{
	json_t *o = line_new(t, event);

	if (text)
		json_object_set_new(o, key, json_string_nocheck(text));
	put(t, t->log, t->log_path, o);
}

void
note_samples(struct trainer *t, const struct sample_set *set)
{
	json_t *o = line_new(t, "samples"), *all = json_array();
	int valid = 0;

	for (int i = 0; i < set->S; i++) {
		const int32_t *tok = set->tok + (size_t)i * (size_t)set->L;
		json_t *one = json_array();
		for (int l = 0; l < set->L; l++)
			json_array_append_new(one, json_integer(tok[l]));
		json_array_append_new(all, one);
		if (source_has_rules(t->source))
			valid += source_valid(t->source, tok);
	}
	if (source_has_rules(t->source))
		json_object_set_new(o, "valid", json_integer(valid));
	json_object_set_new(o, "tokens", all);
	put(t, t->samples, t->samples_path, o);
}

/* ---- reading back ---- */

static double
real_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static void
read_step(struct trainer *t, const json_t *o, int64_t step)
{
	struct trainer_point p = { .step = step, .loss = real_of(o, "loss"), .bound = NAN, .lr = real_of(o, "lr"),
		.grad_norm = real_of(o, "grad_norm"), .tokens_per_second = real_of(o, "tokens_per_second") };

	if (isnan(p.loss))
		return;
	points_cut(&t->points, step);
	points_add(&t->points, &p);
	t->seconds = fmax(real_of(o, "seconds"), 0);
}

static void
read_bound(struct trainer *t, const json_t *o, int64_t step)
{
	const json_t *n = json_object_get(o, "samples");
	struct bound_numbers b = { .nats = real_of(o, "nats"), .error = real_of(o, "error"),
		.samples = (int)json_integer_value(n), .accuracy = real_of(o, "accuracy") };

	if (isnan(b.nats))
		return;
	points_bound(&t->points, step, b.nats);
	t->shown.bound = b;
	t->shown.bound_step = step;
}

static void
read_samples(struct trainer *t, const json_t *o, int64_t step)
{
	const json_t *all = json_object_get(o, "tokens");
	int S = (int)json_array_size(all), L = source_info(t->source).L, V = source_info(t->source).V;
	int32_t *tok = S > 0 && S <= 4096 ? mem_calloc((size_t)S * (size_t)L, sizeof *tok) : NULL;

	for (int i = 0; tok && i < S * L; i++) {
		const json_t *v = json_array_get(json_array_get(all, (size_t)(i / L)), (size_t)(i % L));
		json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
		if (id < 0 || id >= V) {
			free(tok);
			return;
		}
		tok[i] = (int32_t)id;
	}
	if (tok)
		sets_add(&t->sets, step, S, L, tok);
}

/* Lines that a kill cut short, and what came after the checkpoint, are passed
 * over. */
static void
read_back(struct trainer *t, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t cap = 0;
	char *line = NULL;

	while (f && getline(&line, &cap, f) > 0) {
		json_t *o = json_loads(line, 0, NULL);
		const char *event = json_string_value(json_object_get(o, "event"));
		int64_t step = json_integer_value(json_object_get(o, "step"));
		if (event && step > 0 && step <= t->state->step) {
			if (strcmp(event, "step") == 0)
				read_step(t, o, step);
			else if (strcmp(event, "valid") == 0)
				read_bound(t, o, step);
			else if (strcmp(event, "samples") == 0)
				read_samples(t, o, step);
		}
		json_decref(o);
	}
	free(line);
	if (f)
		fclose(f);
}

static enum status
open_file(const char *path, bool resume, FILE **out, struct error *e)
{
	*out = fopen(path, resume ? "a+e" : "we");
	if (!*out)
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	/* a line that a kill cut short stays one by itself */
	bool cut = resume && fseek(*out, -1, SEEK_END) == 0 && fgetc(*out) != '\n';
	fseek(*out, 0, SEEK_END);
	if (cut)
		fputc('\n', *out);
	return ST_OK;
}

/* The curriculum's window, and what its polynomial costs. */
static void
note_window(struct trainer *t)
{
	struct stepper_plan p = stepper_plan(t->stepper);
	json_t *o;

	if (p.window.min == p.window.max)
		return;
	o = line_new(t, "window");
	put_real(o, "gamma_min", p.window.min);
	put_real(o, "gamma_max", p.window.max);
	if (p.error_alpha > 0) {
		put_real(o, "error_alpha", p.error_alpha);
		put_real(o, "error_slope", p.error_slope);
	}
	put(t, t->log, t->log_path, o);
}

enum status
note_open(struct trainer *t, struct error *e)
{
	bool resume = t->setup.resume;

	if (resume) {
		pthread_mutex_lock(&t->lock);
		read_back(t, t->log_path);
		read_back(t, t->samples_path);
		t->shown.n_samples = t->sets.n;
		pthread_mutex_unlock(&t->lock);
	}
	enum status st = open_file(t->log_path, resume, &t->log, e);
	if (st == ST_OK && t->job.show_samples > 0)
		st = open_file(t->samples_path, resume, &t->samples, e);
	if (st == ST_OK) {
		note_event(t, resume ? "resume" : "start", "out", t->out);
		note_window(t);
	}
	return st;
}

void
note_close(struct trainer *t)
{
	if (t->log)
		fclose(t->log);
	if (t->samples)
		fclose(t->samples);
}
