/*
 * psi_fake.h: a model for the tests of src/psi whose features are a table
 * given by the test, whatever the tokens: F = V, the head a copy.
 */
#ifndef PSI_TESTS_PSI_FAKE_H
#define PSI_TESTS_PSI_FAKE_H

#include <string.h>

#include "psi/step.h"

struct fake {
	struct model m;
	const float *feat;       /* [L,V] logits, conditional */
	const float *feat_u;     /* the same for label == classes; NULL: feat */
	int calls, wanted;       /* of the features callback */
	int rows, calls_rows;    /* of the head */
	int last_wants;
};

static enum status
fake_rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	struct fake *f = m->priv;

	(void)c;
	(void)e;
	f->rows += n;
	f->calls_rows++;
	memcpy(logit, feat, (size_t)n * (size_t)m->V * sizeof *logit);
	return ST_OK;
}

static enum status
fake_features(void *ctx, int n, struct feat_want *w, struct cancel *c, struct error *e)
{
	struct fake *f = ctx;

	(void)c;
	(void)e;
	f->calls++;
	f->wanted += n;
	f->last_wants = n;
	for (int i = 0; i < n; i++) {
		bool u = f->feat_u && w[i].label == f->m.classes;
		w[i].feat = (u ? f->feat_u : f->feat) + (w[i].len ? (size_t)(w[i].len - 1) * (size_t)f->m.V : 0);
		w[i].fresh = true;
	}
	return ST_OK;
}

static void
fake_init(struct fake *f, enum output out, int L, int V, int mask, const float *feat)
{
	memset(f, 0, sizeof *f);
	f->m = (struct model){ .L = L, .V = V, .F = V, .mask = mask, .out = out, .timed = out != OUT_SUBS };
	f->m.alpha = (struct alpha){ ALPHA_LOGLINEAR, 1e-3 };
	f->m.rows = fake_rows;
	f->m.priv = f;
	f->feat = feat;
}

#endif
