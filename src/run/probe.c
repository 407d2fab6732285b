/*
 * probe.c: see probe.h.  The trunk is called once for each row of tokens and
 * the features of the wanted positions are kept; each tensor of OUT is then one
 * pass of the head over them, a block of rows at a time, so that nothing of
 * size V is ever kept.
 */
#include "run/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "psi/filter.h"
#include "psi/posterior.h"
#include "run/probe_in.h"

#define ROWS 32                      /* of the head at a time */

enum what { LOGITS, LOG_X_THETA, X_THETA, Q_ST, Q_0T, PSI, WHAT_COUNT };

static const struct { const char *name; enum dtype dtype; } whats[WHAT_COUNT] = {
	[LOGITS] = { "logits", DT_F32 }, [LOG_X_THETA] = { "log_x_theta", DT_F32 }, [X_THETA] = { "x_theta", DT_F64 },
	[Q_ST] = { "q_st", DT_F64 }, [Q_0T] = { "q_0t", DT_F64 }, [PSI] = { "psi", DT_F64 },
};

/* One block of rows of one tensor. */
struct pass {
	struct model *m;
	const struct probe_in *in;
	enum what what;
	int b, first;                /* row of tokens; index of the first position */
	const float *feat;           /* [B,P,F] */
	float *logit;                /* [ROWS,V] */
	float *narrow;               /* [ROWS,V] */
	double *wide;                /* [ROWS,V] */
	double *scratch;             /* [threads,3,V] */
	int *order;                  /* [threads,V] */
};

/* q(s|t) of one row, or q(0|t) where clean. */
static void
posterior(const struct pass *p, const double *x, int z, bool clean, double *out)
{
	const struct alpha *al = &p->m->alpha;
	double t = p->in->t[p->b], s = p->in->s[p->b];

	clean |= s == -1;
	posterior_q(p->m->V, p->m->mask, x, z, alpha_at(al, t), alpha_noise(al, t), clean ? 1 : alpha_at(al, s),
	            clean ? 0 : alpha_noise(al, s), out);
}

static void
psi_row(const struct pass *p, const double *x, int z, double *q, double *out)
{
	const struct alpha *al = &p->m->alpha;
	double s = p->in->s[p->b], b = s == -1 ? 1 : alpha_at(al, s), nb = s == -1 ? 0 : alpha_noise(al, s);
	double *q_0t = q + p->m->V;

	posterior(p, x, z, false, q);
	posterior(p, x, z, true, q_0t);
	posterior_psi(p->m->V, p->m->mask, q, q_0t, b, nb, p->in->kappa[p->b], out);
}

/* One row of the block: a pool item. */
static void
probe_row(void *arg, int row, int worker)
{
	struct pass *p = arg;
	const struct probe_in *in = p->in;
	size_t V = (size_t)p->m->V, at = (size_t)row * V;
	int z = in->tok[(size_t)p->b * (size_t)p->m->L + (size_t)in->pos[p->first + row]];
	double *x = p->scratch + 3 * V * (size_t)worker, *out = p->wide + at;

	filter_log_x_double(p->m, p->logit + at, z, in->noise[p->b], x);
	if (p->what == LOG_X_THETA) {
		for (size_t j = 0; j < V; j++)
			p->narrow[at + j] = x[j] < -1e6 ? -1e6f : (float)x[j];
		return;
	}
	filter_apply_double(p->m->V, x, in->temperature, in->top_p, in->top_k, p->order + V * (size_t)worker);
	for (size_t j = 0; j < V; j++)
		x[j] = exp(x[j]);
	if (p->what == X_THETA)
		memcpy(out, x, V * sizeof *out);
	else if (p->what == PSI)
		psi_row(p, x, z, x + V, out);
	else
		posterior(p, x, z, p->what == Q_0T, out);
}

/* Make and write the n rows of the block. */
static enum status
write_block(struct pass *p, struct st_writer *w, int n, struct error *e)
{
	size_t F = (size_t)p->m->F, count = (size_t)n * (size_t)p->m->V;
	const float *feat = p->feat + ((size_t)p->b * (size_t)p->in->P + (size_t)p->first) * F;
	enum status st = p->m->rows(p->m, n, feat, p->logit, NULL, e);

	if (st != ST_OK)
		return st;
	if (p->what == LOGITS)
		return st_write(w, p->logit, count * sizeof *p->logit, e);
	pool_run(p->m->pool, POOL_SAMPLE, n, probe_row, p, NULL);
	if (p->what == LOG_X_THETA)
		return st_write(w, p->narrow, count * sizeof *p->narrow, e);
	return st_write(w, p->wide, count * sizeof *p->wide, e);
}

static bool
wanted(const struct probe_in *in, enum what what)
{
	return what <= LOG_X_THETA || (what == X_THETA ? in->filtered : in->s != NULL);
}

static enum status
write_tensors(struct pass *p, struct st_writer *w, struct error *e)
{
	enum status st = ST_OK;

	for (int k = 0; k < WHAT_COUNT; k++) {
		p->what = (enum what)k;
		if (!wanted(p->in, p->what))
			continue;
		for (p->b = 0; p->b < p->in->B; p->b++)
			for (p->first = 0; p->first < p->in->P && st == ST_OK; p->first += ROWS) {
				int left = p->in->P - p->first;
				st = write_block(p, w, left < ROWS ? left : ROWS, e);
			}
	}
	return st;
}

static enum status
declare(const struct pass *p, struct st_writer *w, struct error *e)
{
	int64_t dim[3] = { p->in->B, p->in->P, p->m->V };
	enum status st = ST_OK;

	for (int k = 0; k < WHAT_COUNT && st == ST_OK; k++)
		if (wanted(p->in, (enum what)k))
			st = st_declare(w, whats[k].name, whats[k].dtype, 3, dim, e);
	return st == ST_OK ? st_begin(w, e) : st;
}

static enum status
write_out(struct pass *p, const char *path, struct error *e)
{
	struct st_writer *w = st_writer_new(path);
	enum status st;

	if (!w)
		return error_set(e, ST_MEMORY, "out of memory");
	st = declare(p, w, e);
	if (st == ST_OK)
		st = write_tensors(p, w, e);
	if (st == ST_OK)
		return st_commit(w, e);
	st_abort(w);
	return st;
}

/* Features of the wanted positions: feat [B,P,F]. */
static enum status
run_trunk(struct model *m, const struct probe_in *in, float *feat, struct error *e)
{
	size_t L = (size_t)m->L, F = (size_t)m->F;
	float *all = mem_aligned(L * F, sizeof *all);
	enum status st = all ? ST_OK : error_set(e, ST_MEMORY, "out of memory for the features");

	for (int b = 0; b < in->B && st == ST_OK; b++) {
		st = m->trunk(m, 1, in->tok + (size_t)b * L, &in->sigma[b], in->label ? &in->label[b] : NULL, all, NULL,
			e);
		for (int k = 0; k < in->P && st == ST_OK; k++, feat += F)
			memcpy(feat, all + (size_t)in->pos[k] * F, F * sizeof *feat);
	}
	mem_free(all);
	return st;
}

static enum status
probe(const struct probe_setup *s, const struct probe_in *in, struct error *e)
{
	struct model *m = s->m;
	size_t V = (size_t)m->V, threads = (size_t)pool_threads(m->pool), n = 0;
	float *feat = NULL;
	struct pass p = { .m = m, .in = in };
	enum status st;

	if (mem_mul((size_t)in->B * (size_t)in->P, (size_t)m->F, &n))
		p.feat = feat = mem_aligned(n, sizeof *feat);
	p.logit = mem_aligned(ROWS * V, sizeof *p.logit);
	p.narrow = mem_aligned(ROWS * V, sizeof *p.narrow);
	p.wide = mem_aligned(ROWS * V, sizeof *p.wide);
	p.scratch = mem_aligned(threads * 3 * V, sizeof *p.scratch);
	p.order = mem_aligned(threads * V, sizeof *p.order);
	if (!feat || !p.logit || !p.narrow || !p.wide || !p.scratch || !p.order)
		st = error_set(e, ST_MEMORY, "out of memory for %d rows of %d positions", in->B, in->P);
	else
		st = run_trunk(m, in, feat, e);
	if (st == ST_OK && (st = write_out(&p, s->out, e)) != ST_OK)
		error_prefix(e, s->out);
	mem_free(feat);
	mem_free(p.logit);
	mem_free(p.narrow);
	mem_free(p.wide);
	mem_free(p.scratch);
	mem_free(p.order);
	return st;
}

enum status
probe_model(const struct probe_setup *s, struct error *e)
{
	struct probe_in in;
	enum status st = probe_in_read(s->in, s->m, s->positions, &in, e);

	if (st != ST_OK && st != ST_MEMORY)
		error_prefix(e, s->in);
	if (st == ST_OK)
		st = probe(s, &in, e);
	probe_in_done(&in);
	return st;
}
