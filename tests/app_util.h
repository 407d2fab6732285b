/*
 * app_util.h: an app without a terminal for tests.  Its model knows one
 * sentence: every position prefers that sentence's letter, a little less sure
 * beside wrong neighbours.
 */
#ifndef PSI_TESTS_APP_UTIL_H
#define PSI_TESTS_APP_UTIL_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "ui/app_private.h"

#define SENTENCE "the quick brown fox jumps over the lazy dog and runs into the dark green wood where nobody ever "
enum { SENT_L = 96, SENT_V = 35 };

/* F = V: features are the logits, the head copies them. */
struct sentence { struct model model; int32_t want[SENT_L]; int slow_ms; };

static int32_t
letter(char c)
{
	return c == ' ' ? 34 : 8 + (c - 'a');
}

static enum status
sentence_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
               struct cancel *c, struct error *e)
{
	struct sentence *s = (struct sentence *)m;

	(void)sigma;
	(void)label;
	for (int wait = 0; wait < s->slow_ms; wait++) {
		struct timespec ms = { 0, 1000000 };

		if (cancel_asked(c))
			return error_set(e, ST_CANCELLED, "cancelled");
		if (c && c->between)
			c->between(c->arg);
		nanosleep(&ms, NULL);
	}
	for (int i = 0; i < n * SENT_L; i++) {
		int pos = i % SENT_L;
		const int32_t *row = tok + i - pos;
		bool left = pos == 0 || row[pos - 1] == s->want[pos - 1];
		bool right = pos == SENT_L - 1 || row[pos + 1] == s->want[pos + 1];

		for (int v = 0; v < SENT_V; v++)
			feat[(size_t)i * SENT_V + (size_t)v] = (v == s->want[pos] ? 3.f + 1.5f * (left + right) : 0) +
			    (v < 8 ? -4.f : (float)((v * 7 + pos * 3) % 11) * .125f);
	}
	return ST_OK;
}

static enum status
sentence_rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	(void)m;
	(void)c;
	(void)e;
	memcpy(logit, feat, (size_t)n * SENT_V * sizeof *logit);
	return ST_OK;
}

static void
sentence_init(struct sentence *s, bool masked)
{
	memset(s, 0, sizeof *s);
	s->model = (struct model){ .L = SENT_L, .V = SENT_V, .F = SENT_V, .mask = masked ? 4 : -1,
		.out = masked ? OUT_SUBS : OUT_MEAN, .bos = 2, .alpha = { ALPHA_LOGLINEAR, 1e-3 }, .timed = !masked,
		.trunk = sentence_trunk, .rows = sentence_rows };
	for (int i = 0; i < SENT_L; i++)
		s->want[i] = letter(SENTENCE[i]);
}

struct bench {
	struct sentence model;
	struct tokenizer *tok;
	struct sampler *sampler;
	struct app *app;
	struct canvas canvas;
	double now;
};

/* Take reports and let time pass until nothing is outstanding; false: it took too long. */
static bool
settle(struct bench *b)
{
	for (int i = 0; i < 4000; i++) {
		struct pollfd f = { .fd = sampler_fd(b->sampler), .events = POLLIN };

		app_reports(b->app);
		app_train_news(b->app);
		b->now += .05;
		app_tick(b->app, b->now);
		if (!app_busy(b->app) && !b->app->playing)
			return true;
		poll(&f, 1, 5);
	}
	return false;
}

/* Over a model; tok is taken over. */
static bool
bench_open_model(struct bench *b, struct model *m, const char *recipe, struct tokenizer *tok, const char *layout)
{
	struct error e = { 0 };
	struct app_setup s = { 0 };

	b->tok = tok;
	recipe_default(m, false, &s.recipe);
	s.recipe.seed = 7;
	if (recipe && recipe_parse(recipe, &s.recipe, &e))
		return false;
	b->sampler = sampler_new(&(struct sampler_setup){ .ema = m, .samples = s.recipe.samples }, &e);
	s.model = m;
	s.tok = b->tok;
	s.sampler = b->sampler;
	s.layout = layout_read(layout, m->L);
	s.name = m->mask >= 0 ? "masked.ckpt" : "uniform.ckpt";
	if (!b->sampler || app_new(&s, &b->app, &e))
		return false;
	b->app->priv->fixed_ms = 5;
	return settle(b);
}

/* tok is taken over. */
__attribute__((unused)) static bool
bench_open_with(struct bench *b, bool masked, const char *recipe, struct tokenizer *tok)
{
	memset(b, 0, sizeof *b);
	sentence_init(&b->model, masked);
	return bench_open_model(b, &b->model.model, recipe, tok, NULL);
}

__attribute__((unused)) static bool
bench_open(struct bench *b, bool masked, const char *recipe)
{
	return bench_open_with(b, masked, recipe, tok_text8());
}

static void
bench_close(struct bench *b)
{
	app_free(b->app);
	sampler_free(b->sampler);
	tok_free(b->tok);
	canvas_done(&b->canvas);
}

/* Type keys, in the notation of keys.h; waits for what they ask for. */
__attribute__((unused)) static bool
type(struct bench *b, const char *text)
{
	struct key k;
	bool ok = true;

	while (keys_next(&text, &k)) {
		app_key(b->app, &k);
		ok &= settle(b);
	}
	return ok;
}

/* The screen as text, malloced; attrs: the attribute plane too. */
__attribute__((unused)) static char *
screen(struct bench *b, int w, int h, bool utf8, bool attrs)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);

	b->canvas.utf8 = utf8;
	canvas_resize(&b->canvas, w, h);
	app_draw(b->app, &b->canvas);
	canvas_dump(&b->canvas, f, attrs);
	fclose(f);
	return text;
}

#endif
