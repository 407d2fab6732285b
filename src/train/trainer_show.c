/*
 * trainer_show.c: models over the average.  Samples are drawn straight from it,
 * by the sampler's own step and at the trainer's priority; a snapshot stands on
 * a copy and outlives the run.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/registry.h"
#include "net/netmodel.h"
#include "psi/step.h"
#include "train/trainer_private.h"

/* A model over weights laid out as `flat` says.  tensor [n_par] and data are
 * borrowed. */
static enum status
model_over(const struct config *c, const struct flat *flat, const struct tensor *tensor, struct pool *pool,
    struct model **out, struct error *e)
{
	struct net *net;
	struct model *m = NULL;
	enum status st = model_describe(c, &net, e);

	*out = NULL;
	if (st == ST_OK)
		st = net_model_new(net, tensor, flat->net->n_par, "EMA weights", kern_best(), pool, false, &m, e);
	if (st == ST_OK)
		st = model_configure(c, m, e);
	if (st != ST_OK) {
		model_free(m);
		return st;
	}
	*out = m;
	return ST_OK;
}

/* ---- snapshots ---- */

struct train_copy {
	struct net *net;                 /* whose names the tensors borrow */
	struct flat flat;
	float *data;
	struct tensor *tensor;
};

static void
copy_free(struct train_copy *c)
{
	if (!c)
		return;
	free(c->tensor);
	mem_free(c->data);
	flat_done(&c->flat);
	net_free(c->net);
	free(c);
}

static enum status
copy_new(const struct config *c, const float *data, struct train_copy **out, struct error *e)
{
	struct train_copy *k = mem_calloc(1, sizeof *k);
	enum status st = k ? model_describe(c, &k->net, e) : error_set(e, ST_MEMORY, "out of memory for a copy");

	*out = k;
	if (st == ST_OK)
		st = flat_make(k->net, &k->flat, e);
	if (st != ST_OK)
		return st;
	k->data = flat_new(&k->flat);
	k->tensor = mem_calloc((size_t)k->net->n_par, sizeof *k->tensor);
	if (!k->data || !k->tensor)
		return error_set(e, ST_MEMORY, "out of memory for a copy of the weights");
	memcpy(k->data, data, k->flat.floats * sizeof *data);
	flat_tensors(&k->flat, k->data, k->tensor);
	return ST_OK;
}

enum status
snapshot_make(struct trainer *t, struct trainer_snapshot *out, struct error *e)
{
	struct trainer_snapshot s = { .step = t->state->step };
	enum status st = copy_new(&t->job.net, t->state->ema, &s.copy, e);

	if (st == ST_OK)
		st = model_over(&t->job.net, &s.copy->flat, s.copy->tensor, t->pool, &s.model, e);
	if (st != ST_OK) {
		trainer_snapshot_done(&s);
		return st;
	}
	*out = s;
	return ST_OK;
}

void
trainer_snapshot_done(struct trainer_snapshot *s)
{
	model_free(s->model);
	copy_free(s->copy);
	*s = (struct trainer_snapshot){ 0 };
}

/* ---- samples ---- */

/* Where a run of the sampler gets features from: the trunk, every time. */
struct looking {
	struct model *m;
	float *feat;                     /* [room,L,F] */
	size_t room;
	int32_t *tok;                    /* [room,L] */
	double *sigma;
	int *label;
};

static bool
looking_room(struct looking *k, size_t n)
{
	size_t L = (size_t)k->m->L, all;

	if (n <= k->room)
		return true;
	if (k->feat || !mem_mul(n * L, (size_t)k->m->F, &all))
		return false;
	k->feat = mem_aligned(all, sizeof *k->feat);
	k->tok = mem_calloc(n * L, sizeof *k->tok);
	k->sigma = mem_calloc(n, sizeof *k->sigma);
	k->label = mem_calloc(n, sizeof *k->label);
	k->room = n;
	return k->feat && k->tok && k->sigma && k->label;
}

static void
looking_done(struct looking *k)
{
	mem_free(k->feat);
	free(k->tok);
	free(k->sigma);
	free(k->label);
}

/* A features_fn. */
static enum status
look(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	struct looking *k = ctx;
	size_t L = (size_t)k->m->L, F = (size_t)k->m->F;
	enum status st = ST_OK;
	bool labels = false;

	for (int i = 0; i < n; i++) {
		float *feat = k->feat + (size_t)i * L * F;
		w[i].feat = feat;
		w[i].fresh = true;
		if (w[i].len > 0) {
			if ((st = k->m->extend(k->m, w[i].sample, w[i].len, w[i].tok, feat, c, e)) != ST_OK)
				return st;
			continue;
		}
		memcpy(k->tok + (size_t)i * L, w[i].tok, L * sizeof *k->tok);
		k->sigma[i] = w[i].sigma;
		k->label[i] = w[i].label;
		labels |= w[i].label != LABEL_NONE;
	}
	if (n == 0 || w[0].len > 0)
		return st;
	return k->m->trunk(k->m, n, k->tok, k->sigma, labels ? k->label : NULL, k->feat, c, e);
}

/* All steps of a run, from state s[0] on; the last state is s[*end]. */
static enum status
walk(struct model *m, const struct leg *l, struct state s[2], int *end, struct cancel *c, struct error *e)
{
	struct looking k = { .m = m };
	struct step_counts counts;
	enum status st = ST_OK;

	if (!looking_room(&k, (size_t)s[0].S * STEP_WANTS))
		st = error_set(e, ST_MEMORY, "out of memory for samples");
	for (*end = 0; st == ST_OK && leg_row(l, *end); ++*end)
		st = step(m, l, *end, &s[*end & 1], &s[~*end & 1], &counts, look, &k, c, e);
	*end &= 1;
	looking_done(&k);
	return st;
}

static enum status
draw(struct model *m, const struct job *j, int32_t **tok, struct cancel *c, struct error *e)
{
	struct state s[2] = { 0 };
	struct recipe r;
	struct leg *l = NULL;
	size_t all = (size_t)j->show_samples * (size_t)m->L;
	int end = 0;

	recipe_default(m, j->data == JOB_IMAGES, &r);
	r.steps = j->show_steps;
	r.samples = j->show_samples;
	r.seed = j->seed;
	*tok = NULL;
	enum status st = recipe_check(&r, m, e);
	for (int i = 0; i < 2 && st == ST_OK; i++)
		st = state_init(&s[i], r.samples, m->L, e);
	if (st == ST_OK)
		st = leg_new(&r, m, NULL, 0, 1, &l, e);
	if (st == ST_OK) {
		step_start(m, &r, &s[0]);
		st = walk(m, l, s, &end, c, e);
	}
	if (st == ST_OK && !(*tok = mem_calloc(all, sizeof **tok)))
		st = error_set(e, ST_MEMORY, "out of memory for samples");
	if (st == ST_OK)
		memcpy(*tok, s[end].tok, all * sizeof **tok);
	leg_free(l);
	state_done(&s[0]);
	state_done(&s[1]);
	return st;
}

enum status
show_samples(struct trainer *t, struct sample_set *out, struct error *e)
{
	struct train_state *k = t->state;
	struct tensor *tensor = mem_calloc((size_t)k->net->n_par, sizeof *tensor);
	struct model *m = NULL;
	enum status st;

	if (!tensor)
		return error_set(e, ST_MEMORY, "out of memory for samples");
	*out = (struct sample_set){ .step = k->step, .S = t->job.show_samples, .L = k->net->L };
	flat_tensors(&k->flat, k->ema, tensor);
	st = model_over(&t->job.net, &k->flat, tensor, t->pool, &m, e);
	if (st == ST_OK) {
		net_model_background(m);
		st = draw(m, &t->job, &out->tok, &t->cancel, e);
	}
	model_free(m);
	free(tensor);
	return st;
}
