/*
 * stepper_teacher.c: the teacher of a distillation: a frozen set of weights
 * looked at one step of the trajectory earlier.  It runs as in inference: the
 * trunk once for a micro-batch, its head for the rows that the student's loss
 * asks for.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "train/stepper_private.h"

struct teacher {
	struct tensor *tensor;           /* [n_par] of state->teacher */
	struct weights *w;
	struct net_run *run;
	float *feat;                     /* [micro,L,F] */
	float *row, *logit;              /* [LEARN_ROWS,F], [LEARN_ROWS,V] */
};

enum status
teacher_bytes(const struct stepper *s, int micro, uint64_t *out, struct error *e)
{
	const struct net *net = s->state->net;
	uint64_t run, F = (uint64_t)net->F, V = (uint64_t)net->V;
	enum status st = net_run_measure(net, kern_best(), pool_threads(s->pool), &run, e);

	if (st == ST_OK)
		*out = run + sizeof(float) * ((uint64_t)micro * (uint64_t)net->L * F + LEARN_ROWS * (F + V) +
		    s->state->flat.floats); /* the last: prepared forms */
	return st;
}

static enum status
make(struct teacher *t, struct stepper *s, int micro, struct error *e)
{
	const struct net *net = s->state->net;
	size_t F = (size_t)net->F, n = (size_t)micro * (size_t)net->L;

	t->tensor = mem_calloc((size_t)net->n_par, sizeof *t->tensor);
	t->feat = mem_aligned(n * F, sizeof *t->feat);
	t->row = mem_aligned(LEARN_ROWS * F, sizeof *t->row);
	t->logit = mem_aligned(LEARN_ROWS * (size_t)net->V, sizeof *t->logit);
	if (!t->tensor || !t->feat || !t->row || !t->logit)
		return error_set(e, ST_MEMORY, "out of memory for the teacher");
	flat_tensors(&s->state->flat, s->state->teacher, t->tensor);
	enum status st = weights_new(net, t->tensor, net->n_par, "the teacher's weights", kern_best(), &t->w, e);
	if (st == ST_OK)
		st = net_run_new(net, t->w, kern_best(), s->pool, false, &t->run, e);
	if (st == ST_OK)
		net_run_priority(t->run, POOL_TRAIN);
	return st;
}

enum status
teacher_new(struct stepper *s, int micro, struct teacher **out, struct error *e)
{
	struct teacher *t = mem_calloc(1, sizeof *t);

	*out = NULL;
	if (!t)
		return error_set(e, ST_MEMORY, "out of memory for the teacher");
	if (!s->state->teacher) {
		free(t);
		return error_set(e, ST_FAIL, "a distillation without a teacher");
	}
	enum status st = make(t, s, micro, e);
	if (st != ST_OK) {
		teacher_free(t);
		return st;
	}
	*out = t;
	return ST_OK;
}

void
teacher_free(struct teacher *t)
{
	if (!t)
		return;
	net_run_free(t->run);
	weights_free(t->w);
	free(t->tensor);
	mem_free(t->feat);
	mem_free(t->row);
	mem_free(t->logit);
	free(t);
}

void
teacher_changed(struct teacher *t)
{
	weights_changed(t->w);
}

enum status
teacher_look(struct stepper *s, struct cancel *c, struct error *e)
{
	struct batch *b = &s->batch;
	struct net_input in = { .n = b->n, .tok = b->earlier, .sigma = s->state->net->timed ? b->sigma_earlier : NULL,
		.label = s->state->net->classes > 0 ? b->label : NULL };

	return net_run_trunk(s->teacher->run, &in, s->teacher->feat, c, e);
}

enum status
teacher_rows(struct stepper *s, int n, const int *at, const float **logit, struct cancel *c, struct error *e)
{
	struct teacher *t = s->teacher;
	size_t F = (size_t)s->state->net->F;

	for (int i = 0; i < n; i++)
		for (size_t f = 0; f < F; f++)
			t->row[(size_t)i * F + f] = t->feat[(size_t)at[i] * F + f];
	*logit = t->logit;
	return net_run_head(t->run, n, t->row, t->logit, c, e);
}
