/*
 * desk.c: what is looked at: a model, its run, and the screen's state over them
 * (struct app_private).  A second model can be laid on top of the first, which
 * waits as it was until that one is taken away.  Screen thread only.
 */
#include "ui/view_image.h"
#include "ui/view_text.h"

#include <stdlib.h>

#include "base/mem.h"

/* What belongs to one model, of struct app. */
struct desk {
	const struct ckpt *ckpt;
	struct model *model, *model_raw;
	const struct tokenizer *tok;
	struct sampler *sampler;
	char name[NAME_MAX + 1];
	int side;
	struct layout layout;
	struct cursor cursor;
	struct recipe recipe;
	enum focus focus;
	enum colouring colouring;
	int knob;
	bool grid_layout, reveal_by_confidence;
	struct app_private *priv;
};

static bool
priv_arrays(struct app_private *p, int S, int L)
{
	p->S = S;
	p->L = L;
	p->size = (size_t)S * (size_t)L;
	p->tok = mem_calloc((size_t)L, sizeof *p->tok);
	p->cause = mem_calloc((size_t)L, sizeof *p->cause);
	p->prob = mem_calloc((size_t)L, sizeof *p->prob);
	p->touched = mem_calloc((size_t)L, sizeof *p->touched);
	p->rank = mem_calloc((size_t)L, sizeof *p->rank);
	p->age = mem_calloc((size_t)L, sizeof *p->age);
	p->times = mem_calloc((size_t)L, sizeof *p->times);
	p->row_of = mem_calloc((size_t)L, sizeof *p->row_of);
	p->col_of = mem_calloc((size_t)L, sizeof *p->col_of);
	p->value = mem_calloc(p->size, sizeof *p->value);
	p->said = mem_calloc(p->size, sizeof *p->said);
	return p->tok && p->cause && p->prob && p->touched && p->rank && p->age && p->times && p->row_of && p->col_of &&
	    p->value && p->said;
}

static enum status
priv_new(const struct app_setup *s, struct app_private **out, struct error *e)
{
	struct app_private *p = mem_calloc(1, sizeof *p);
	int S = s->recipe.samples, L = s->model->L;

	*out = p;
	if (!p)
		return error_set(e, ST_MEMORY, "out of memory");
	p->other_branch = -1;
	p->rest_at = p->play_at = p->waiting_since = -1;
	p->fixed_ms = -1;
	p->history_sample = -1;
	if (!priv_arrays(p, S, L) || state_init(&p->now, S, L, e) || state_init(&p->before, S, L, e) ||
	    state_init(&p->next, S, L, e) || state_init(&p->other, S, L, e) ||
	    state_init(&p->past, S, L, e))
		return error_set(e, ST_MEMORY, "out of memory");
	if (s->n_clamp > 0) {
		p->clamp = mem_calloc((size_t)s->n_clamp, sizeof *p->clamp);
		if (!p->clamp)
			return error_set(e, ST_MEMORY, "out of memory");
		memcpy(p->clamp, s->clamp, (size_t)s->n_clamp * sizeof *p->clamp);
		p->n_clamp = s->n_clamp;
	}
	return ST_OK;
}

static void
priv_free(struct app_private *p)
{
	if (!p)
		return;
	state_done(&p->now);
	state_done(&p->before);
	state_done(&p->next);
	state_done(&p->other);
	state_done(&p->past);
	show_buf_done(&p->past_buf);
	text_page_free(p->page);
	image_page_free(p->image);
	free(p->law);
	leg_free(p->plan);
	free(p->clamp);
	free(p->tok);
	free(p->cause);
	free(p->prob);
	free(p->touched);
	free(p->rank);
	free(p->age);
	free(p->times);
	free(p->row_of);
	free(p->col_of);
	free(p->value);
	free(p->said);
	free(p->line.at);
	free(p->visited.at);
	free(p->runs.at);
	free(p->branches.at);
	for (int i = 0; i < p->n_log; i++)
		free(p->log[i].text);
	free(p->log);
	free(p);
}

static void
desk_put(struct app *a, struct desk *d)
{
	*d = (struct desk){ .ckpt = a->ckpt, .model = a->model, .model_raw = a->model_raw, .tok = a->tok,
		.sampler = a->sampler, .side = a->side, .layout = a->layout, .cursor = a->cursor, .recipe = a->recipe,
		.focus = a->focus, .colouring = a->colouring, .knob = a->knob, .grid_layout = a->grid_layout,
		.reveal_by_confidence = a->reveal_by_confidence, .priv = a->priv };
	snprintf(d->name, sizeof d->name, "%s", a->name);
}

static void
desk_take(struct app *a, const struct desk *d)
{
	a->ckpt = d->ckpt;
	a->model = d->model;
	a->model_raw = d->model_raw;
	a->tok = d->tok;
	a->sampler = d->sampler;
	a->side = d->side;
	a->layout = d->layout;
	a->cursor = d->cursor;
	a->recipe = d->recipe;
	a->focus = d->focus;
	a->colouring = d->colouring;
	a->knob = d->knob;
	a->grid_layout = d->grid_layout;
	a->reveal_by_confidence = d->reveal_by_confidence;
	a->priv = d->priv;
	snprintf(a->name, sizeof a->name, "%s", d->name);
}

/* What is the session's and not the model's goes over. */
static void
inherit(struct app_private *to, struct app_private *from)
{
	to->keys = from->keys;
	to->log = from->log;
	to->n_log = from->n_log;
	to->log_cap = from->log_cap;
	to->log_back = from->log_back;
	to->clock = from->clock;
	to->fixed_ms = from->fixed_ms;
	from->log = NULL;
	from->n_log = 0;
	from->log_cap = 0;
}

enum status
desk_open(struct app *a, const struct app_setup *s, struct error *e)
{
	struct app_private *priv;
	struct desk *under = NULL;
	enum status st;

	if (a->priv && !(under = mem_calloc(1, sizeof *under)))
		return error_set(e, ST_MEMORY, "out of memory");
	st = priv_new(s, &priv, e);
	if (st != ST_OK) {
		priv_free(priv);
		free(under);
		return st;
	}
	if (under) {
		stop_steps(a);
		inherit(priv, a->priv);
		desk_put(a, under);
		a->under = under;
	}
	desk_take(a, &(struct desk){ .ckpt = s->ckpt, .model = s->model, .model_raw = s->model_raw, .tok = s->tok,
		.sampler = s->sampler, .side = s->side, .layout = s->layout, .recipe = s->recipe, .priv = priv,
		.colouring = s->side ? COLOUR_PLAIN : COLOUR_CAUSE, .grid_layout = s->layout.columns > 0,
		.cursor = { .reveal = -1, .select_from = -1, .pos = s->layout.first } });
	snprintf(a->name, sizeof a->name, "%s", s->name ? s->name : "demo");
	header_describe(a, s->about);
	ask_start(a, priv->clamp, priv->n_clamp);
	return ST_OK;
}

void
desk_close(struct app *a)
{
	struct desk *d = a->under;

	if (!d)
		return;
	stop_steps(a);
	inherit(d->priv, a->priv);
	priv_free(a->priv);
	desk_take(a, d);
	a->under = NULL;
	free(d);
}

void
desk_free(struct app *a)
{
	desk_close(a);
	priv_free(a->priv);
	a->priv = NULL;
}
