/* classifier.c: see classifier.h. */
#include "net/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TOGETHER 8 /* inputs in one call */

void
classifier_free(struct classifier *c)
{
	if (c)
		c->free(c);
}

struct exact {
	struct classifier *c;
	int label, n;
	int32_t *tok;	     /* [TOGETHER,L] */
	double *sigma, *p;   /* [TOGETHER], [TOGETHER,classes] */
	float *at[TOGETHER]; /* where the answers go */
	double base;	     /* log p(label | tok) */
};

static enum status
flush(struct exact *x, struct cancel *cancel, struct error *e)
{
	enum status st = x->n > 0 ? x->c->log_p(x->c, x->n, x->tok, x->sigma, x->p, cancel, e) : ST_OK;

	for (int i = 0; st == ST_OK && i < x->n; i++)
		*x->at[i] = (float)(x->p[(size_t)i * (size_t)x->c->classes + (size_t)x->label] - x->base);
	x->n = 0;
	return st;
}

static enum status
all_positions(struct exact *x, const int32_t *tok, int mask, float *out, struct cancel *cancel, struct error *e)
{
	size_t L = (size_t)x->c->L, V = (size_t)x->c->V;
	enum status st = ST_OK;

	for (size_t l = 0; l < L; l++)
		for (size_t j = 0; j < V && st == ST_OK; j++) {
			if ((mask >= 0 && tok[l] != mask) || tok[l] == (int32_t)j)
				continue;
			int32_t *row = x->tok + (size_t)x->n * L;
			memcpy(row, tok, L * sizeof *row);
			row[l] = (int32_t)j;
			x->at[x->n++] = &out[l * V + j];
			if (x->n == TOGETHER)
				st = flush(x, cancel, e);
		}
	return st == ST_OK ? flush(x, cancel, e) : st;
}

enum status
classifier_exact(struct classifier *c, const int32_t *tok, double sigma, int label, int mask, float *out,
		 struct cancel *cancel, struct error *e)
{
	size_t L = (size_t)c->L, classes = (size_t)c->classes;
	struct exact x = { .c = c,
			   .label = label,
			   .tok = mem_calloc(TOGETHER * L, sizeof *x.tok),
			   .sigma = mem_calloc(TOGETHER, sizeof *x.sigma),
			   .p = mem_calloc(TOGETHER * classes, sizeof *x.p) };
	enum status st;

	memset(out, 0, L * (size_t)c->V * sizeof *out);
	if (!x.tok || !x.sigma || !x.p) {
		st = error_set(e, ST_MEMORY, "out of memory for a classifier");
	} else {
		for (int i = 0; i < TOGETHER; i++)
			x.sigma[i] = sigma;
		st = c->log_p(c, 1, tok, x.sigma, x.p, cancel, e);
		x.base = x.p[label];
		if (st == ST_OK)
			st = all_positions(&x, tok, mask, out, cancel, e);
	}
	free(x.tok);
	free(x.sigma);
	free(x.p);
	return st;
}
