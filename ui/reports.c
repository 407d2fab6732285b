/*
 * reports.c: questions to the sampler and what comes back.  Nothing waits
 * here: a question is queued, its answer is taken after a wake-up and matched
 * by its ticket.  Screen thread only.
 */
#include "ui/train.h"

#include <stdlib.h>

#include "base/mem.h"

/* Something the pane shows needs features that are not kept: look ahead once
 * the cursor rests, but not again for what was computed and dropped. */
static void
features_miss(struct app *a)
{
	struct app_private *p = a->priv;

	if (p->ahead_node == a->cursor.node && recipe_equal(&p->ahead_recipe, &a->recipe))
		return;
	p->need_ahead = true;
	if (p->rest_at < 0)
		p->moved = true;
}

static void
ask_next(struct app *a)
{
	struct app_private *p = a->priv;
	struct request r = { .kind = RQ_PREVIEW, .node = a->cursor.node, .recipe = a->recipe };
	struct node *c = cursor_child(a);

	p->next_node = NULL;
	if (c) {
		tree_read(sampler_tree(a->sampler), c, &p->next);
		p->next_counts = c->counts;
		p->next_node = c;
		p->next_of = a->cursor.node;
		p->has_next = true;
		p->next_missing = false;
	} else if (cursor_at_end(a)) {
		p->has_next = p->next_missing = false;
	} else if (!p->stepping) {
		p->preview_ticket = sampler_ask(a->sampler, &r);
	}
}

void
ask_answers(struct app *a)
{
	struct app_private *p = a->priv;
	struct request r = { .kind = RQ_INSPECT, .node = a->cursor.node, .recipe = a->recipe,
		.sample = a->cursor.sample };
	int at[3];

	if (!a->cursor.node)
		return;
	if (app_positions(a, at) == 3) {
		r.n_also = 2;
		r.also[0] = at[1];
		r.also[1] = at[2];
		r.laws = true;
	}
	r.pos = at[0];
	ask_next(a);
	/* While a step is revealed the inspector shows the draws that made it. */
	if (a->cursor.reveal >= 0 && a->cursor.node->up && a->cursor.node->leg) {
		r.node = a->cursor.node->up;
		r.recipe = a->cursor.node->leg->r;
	}
	r.drawn = true;
	for (int i = 0; i <= r.n_also; i++)
		r.tok[i] = p->now.tok[r.sample * p->L + (i ? r.also[i - 1] : r.pos)];
	p->look_of = r.node;
	p->look_ticket = sampler_ask(a->sampler, &r);
	if (colouring_paint(a, &r.paint)) {
		r.kind = RQ_PAINT;
		r.node = a->cursor.node;
		r.recipe = a->recipe;
		/* of the state before, which the cursor may have left long ago */
		r.compute = r.paint == PAINT_GUIDANCE;
		r.coming = p->held;
		p->paint_ticket = sampler_ask(a->sampler, &r);
	}
	cursor_refresh(a);
}

void
ask_ahead(struct app *a)
{
	struct app_private *p = a->priv;
	struct request r = { .kind = RQ_AHEAD, .node = a->cursor.node, .recipe = a->recipe };

	if (!p->need_ahead || p->stepping || !a->cursor.node)
		return;
	p->need_ahead = false;
	p->ahead_node = a->cursor.node;
	p->ahead_recipe = a->recipe;
	p->waiting_since = -1;
	p->ahead_ticket = sampler_ask(a->sampler, &r);
}

void
ask_steps(struct app *a, int count)
{
	struct app_private *p = a->priv;
	struct request r = { .kind = RQ_STEP, .node = a->cursor.node, .recipe = a->recipe, .count = count };

	if (p->stepping) {
		p->more = count > INT_MAX - p->more ? INT_MAX : p->more + count;
		return;
	}
	p->stepping = true;
	p->waiting_since = -1;
	p->steps_left = count;
	p->step_ticket = sampler_ask(a->sampler, &r);
	if (!p->step_ticket) {
		p->stepping = a->playing = false;
		app_say(a, true, "out of memory");
	}
}

void
ask_start(struct app *a, const struct edit *clamp, int n)
{
	struct app_private *p = a->priv;
	struct request r = { .kind = RQ_START, .recipe = a->recipe };

	if (n > 0) {
		r.edit = mem_calloc((size_t)n, sizeof *r.edit);
		if (!r.edit) {
			app_say(a, true, "out of memory");
			return;
		}
		memcpy(r.edit, clamp, (size_t)n * sizeof *clamp);
		r.n_edit = n;
	}
	p->start_ticket = sampler_ask(a->sampler, &r);
}

void
stop_steps(struct app *a)
{
	a->playing = false;
	a->priv->more = 0;
	a->priv->again = a->priv->reveal_next = false;
	if (a->priv->stepping)
		sampler_stop(a->sampler);
}

/* A step was made: if it follows the cursor, the cursor follows it. */
static void
take_step(struct app *a, const struct report *r)
{
	struct app_private *p = a->priv;

	if (r->node && !r->status) {
		if (!r->kept)
			cursor_born(a, r->node);
		if (p->steps_left != INT_MAX && p->steps_left > 0)
			p->steps_left--;
		p->waiting_since = -1;
		if (r->ticket == p->step_ticket && r->node->up == a->cursor.node) {
			p->held = p->held && !recipe_equal(&a->recipe, &r->recipe);
			if (r->last)
				p->stepping = false;
			cursor_go(a, r->node);
			if (p->reveal_next)
				reveal_first(a);
			p->reveal_next = false;
		}
	}
	if (r->ticket != p->step_ticket || !r->last)
		return;
	p->step_ticket = 0;
	p->stepping = false;
	p->reveal_next = false;
	if (r->status && r->status != ST_CANCELLED) {
		a->playing = p->again = false;
		p->more = 0;
		app_say(a, true, "%s", r->error.msg);
	}
	if (p->again && p->steps_left > 0)
		p->more = p->steps_left > INT_MAX - p->more ? INT_MAX : p->more + p->steps_left;
	p->again = false;
	if (p->more > 0 && !cursor_at_end(a)) {
		int more = p->more;

		p->more = 0;
		ask_steps(a, more);
		return;
	}
	p->more = 0;
	ask_answers(a);
}

static void
take_preview(struct app *a, struct report *r)
{
	struct app_private *p = a->priv;

	if (r->ticket != p->preview_ticket)
		return;
	p->preview_ticket = 0;
	if (r->status == ST_CANCELLED)
		return;
	p->next_missing = r->missing;
	p->has_next = !r->missing && !r->status;
	if (r->status)
		app_say(a, true, "%s", r->error.msg);
	if (r->missing)
		features_miss(a);
	if (p->has_next) {
		state_copy(&p->next, &r->preview);
		p->next_counts = r->counts;
		p->next_of = a->cursor.node;
	}
	cursor_refresh(a);
}

static void
take_look(struct app *a, struct report *r)
{
	struct app_private *p = a->priv;

	if (r->ticket != p->look_ticket)
		return;
	p->look_ticket = 0;
	if (r->status == ST_CANCELLED)
		return;
	p->look_missing = r->missing;
	p->has_look = !r->missing && !r->status;
	snprintf(p->look_note, sizeof p->look_note, "%.100s", r->status ? r->error.msg : "");
	if (r->missing)
		features_miss(a);
	if (!p->has_look)
		return;
	p->look = r->look;
	memcpy(p->also, r->also, sizeof p->also);
	free(p->law);
	p->law = r->law;
	r->law = NULL;
}

static void
take_paint(struct app *a, const struct report *r)
{
	struct app_private *p = a->priv;

	if (r->ticket != p->paint_ticket)
		return;
	p->paint_ticket = 0;
	if (r->status == ST_CANCELLED)
		return;
	p->paint_missing = r->missing;
	p->has_value = !r->missing && !r->status && r->value;
	p->has_said = !r->missing && !r->status && r->token;
	if (r->missing)
		features_miss(a);
	if (p->has_value)
		memcpy(p->value, r->value, p->size * sizeof *p->value);
	if (p->has_said)
		memcpy(p->said, r->token, p->size * sizeof *p->said);
}

static void
take_start(struct app *a, const struct report *r)
{
	bool mine = r->ticket == a->priv->start_ticket;

	if (mine)
		a->priv->start_ticket = 0;
	if (r->status) {
		if (r->status != ST_CANCELLED)
			app_say(a, true, "%s", r->error.msg);
		return;
	}
	cursor_born(a, r->node);
	if (!mine)
		return;
	a->priv->held = false;
	cursor_go(a, r->node);
}

static void
take_ahead(struct app *a, const struct report *r)
{
	struct app_private *p = a->priv;

	if (r->ticket != p->ahead_ticket)
		return;
	p->ahead_ticket = 0;
	if (r->status)
		p->ahead_node = NULL;
	if (r->status == ST_OK)
		ask_answers(a);
	else if (r->status != ST_CANCELLED)
		app_say(a, true, "%s", r->error.msg);
}

bool
app_runs(const struct app *a)
{
	return a->playing || (a->priv->stepping && a->priv->steps_left > 1);
}

bool
app_busy(const struct app *a)
{
	const struct app_private *p = a->priv;

	return p->stepping || p->start_ticket || p->preview_ticket || p->look_ticket || p->paint_ticket ||
		p->ahead_ticket || (p->need_ahead && (p->moved || p->rest_at >= 0)) || train_busy(a);
}

void
app_reports(struct app *a)
{
	struct report r;

	while (sampler_take(a->sampler, &r)) {
		switch (r.kind) {
		case RQ_START:
			take_start(a, &r);
			break;
		case RQ_EDIT: /* a state of its own, one visit */
			if (!r.status && r.node) {
				cursor_born(a, r.node);
				cursor_go(a, r.node);
			} else if (r.status != ST_CANCELLED) {
				app_say(a, true, "%s", r.error.msg);
			}
			break;
		case RQ_STEP:
			take_step(a, &r);
			break;
		case RQ_PREVIEW:
			take_preview(a, &r);
			break;
		case RQ_INSPECT:
			take_look(a, &r);
			break;
		case RQ_PAINT:
			take_paint(a, &r);
			break;
		case RQ_AHEAD:
			take_ahead(a, &r);
			break;
		case RQ_FREE:
			break;
		}
		report_done(&r);
	}
}
