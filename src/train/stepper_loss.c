/*
 * stepper_loss.c: from rows of logits to losses and gradients, shared out over
 * the pool.  A position's loss is kept by itself and added up in the order of
 * the positions, whoever worked on it.
 */
#include <string.h>

#include "net/classifier.h"
#include "train/stepper_private.h"

#define ITEM_LOGITS 16384                /* logits that one work item looks at, about */

struct rows {
	struct stepper *s;
	double weight;                   /* of the loss of one position */
	int n, block;                    /* rows; of a work item */
	const int *at;
	float *logit;                    /* [n,V]: becomes the gradient */
	const float *teacher;            /* [n,V] distillation */
};

static double
row_of(const struct rows *r, int i)
{
	struct stepper *s = r->s;
	struct batch *b = &s->batch;
	int V = s->info.V, at = r->at[i];
	float *logit = r->logit + (size_t)i * (size_t)V;

	if (r->teacher)
		return loss_distill(V, !s->job->distill.forward, logit, r->teacher + (size_t)i * (size_t)V, r->weight,
			logit);
	int x = b->x[s->loss.kind == LOSS_AR ? at + 1 : at];
	return loss_row(&s->loss, &b->at[at / s->info.L], x, b->z[at], logit, r->weight, logit);
}

static void
rows_item(void *arg, int item, int worker)
{
	const struct rows *r = arg;
	int first = item * r->block, end = first + r->block < r->n ? first + r->block : r->n;

	(void)worker;
	for (int i = first; i < end; i++)
		r->s->batch.loss[r->at[i]] = row_of(r, i);
}

/* learn_pass.loss */
static enum status
rows_loss(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct rows *r = arg;
	enum status st = ST_OK;

	r->n = n;
	r->at = at;
	r->logit = logit;
	r->block = ITEM_LOGITS / r->s->info.V > 1 ? ITEM_LOGITS / r->s->info.V : 1;
	if (r->s->batch.kind == BATCH_PAIR)
		st = teacher_rows(r->s, n, at, &r->teacher, c, e);
	return st == ST_OK ? pool_run(r->s->pool, POOL_TRAIN, (n + r->block - 1) / r->block, rows_item, r, c) : st;
}

/* learn_pass.features of a classifier: a sample's loss stands at its first position. */
struct classes {
	struct stepper *s;
	double weight;
	int *right;
};

static enum status
classes_loss(void *arg, const float *feat, float *d_feat, float *grad, struct cancel *c, struct error *e)
{
	struct classes *k = arg;
	struct stepper *s = k->s;
	struct batch *b = &s->batch;
	enum status st = classifier_loss(&s->state->flat, s->state->param, b->n, feat, b->label, k->weight, s->pooled,
		k->right, d_feat, grad, e);

	(void)c;
	for (int i = 0; i < b->n && st == ST_OK; i++)
		b->loss[(size_t)i * (size_t)s->info.L] = s->pooled[i];
	return st;
}

double
batch_loss(const struct stepper *s, int i)
{
	const double *loss = s->batch.loss + (size_t)i * (size_t)s->info.L;
	double sum = 0;

	for (int l = 0; l < s->info.L; l++)
		sum += loss[l];
	return sum;
}

enum status
batch_pass(struct stepper *s, double weight, float *grad, int *right, struct cancel *c, struct error *e)
{
	struct batch *b = &s->batch;
	struct rows rows = { .s = s, .weight = weight };
	struct net_input in = { .n = b->n, .tok = b->z, .sigma = s->state->net->timed ? b->sigma : NULL,
		.label = s->state->net->classes > 0 ? b->label : NULL };
	struct learn_dropout drop = { .seed = b->seed, .step = b->step, .first = (uint32_t)b->first };
	struct learn_pass p = { .in = &in, .drop = b->held ? NULL : &drop, .row = b->row, .loss = rows_loss,
		.arg = &rows, .grad = grad };
	struct classes classes = { .s = s, .weight = weight, .right = right };
	enum status st = ST_OK;

	*right = 0;
	if (s->job->goal == JOB_CLASSIFIER) {
		p.features = classes_loss;
		p.arg = &classes;
	}
	if (b->kind == BATCH_EFFICIENT) {
		in.tok = NULL;
		in.k = s->cur.k;
		in.idx = b->idx;
		in.w = b->w;
	} else if (b->kind == BATCH_SIMPLE) {
		in.tok = NULL;
		in.prob = b->dense;
	}
	memset(b->loss, 0, (size_t)b->n * (size_t)s->info.L * sizeof *b->loss);
	if (b->kind == BATCH_PAIR)
		st = teacher_look(s, c, e);
	return st == ST_OK ? learn_pass(s->learn, &p, c, e) : st;
}
