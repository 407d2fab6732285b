/*
 * step.c: see step.h.  Deal, features, rows, draw, node (architecture.md
 * section 2).  Runs on the caller's thread; rows are shared out over the
 * model's pool.  What a position gets depends on its own noise and row only.
 */
#include "psi/step.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/classifier.h"
#include "psi/deal.h"
#include "psi/draw.h"

#define ROWS_IN_FLIGHT 128       /* both conditions together: 26 MB at V = 50258 */
#define POOL_WORTH (1 << 16)     /* numbers in a block below which sharing it out costs more than it saves */

struct work {
	struct move v;
	struct model *m;
	const struct state *in;
	struct state *out;
	struct cancel *cancel;
	uint8_t *part;           /* [S*L] */
	double *kappa, *p;       /* [L] of one sample */
	int *need;               /* [L] positions of one sample that need a row, ascending */
	struct feat_want *want;	 /* [STEP_WANTS S] */
	int *want_at;            /* [S] first want of a sample; -1: none */
	int block;               /* rows in flight, of each condition */
	float *feat, *logit, *logit_u, *ratio; /* [block,F], [block,V] */
	struct draw_scratch *scratch;   /* [threads] */
	int threads;
	double net_ms;
	struct step_counts *each;/* [S] counts of each sample; NULL: not asked for */
	/* the block being settled */
	int sample;
	const int *list;         /* positions */
	bool only_p;             /* fill p instead of drawing */
	atomic_int bad;          /* a position + 1 whose row held NaN */
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void
work_done(struct work *w)
{
	for (int i = 0; w->scratch && i < w->threads; i++) {
		free(w->scratch[i].order);
		for (int k = 0; k < 3; k++)
			free(w->scratch[i].law[k]);
	}
	free(w->scratch);
	free(w->part);
	free(w->kappa);
	free(w->p);
	free(w->need);
	free(w->want);
	free(w->want_at);
	mem_free(w->feat);
	mem_free(w->logit);
	mem_free(w->logit_u);
	mem_free(w->ratio);
}

static enum status
no_memory(struct error *e)
{
	return error_set(e, ST_MEMORY, "out of memory for a step");
}

/* What the deal needs. */
static enum status
work_init(struct work *w, struct model *m, const struct leg *l, int step, const struct plan_row *row,
    const struct state *in, struct error *e)
{
	size_t S = (size_t)in->S, L = (size_t)in->L;

	memset(w, 0, sizeof *w);
	atomic_init(&w->bad, 0);
	move_init(&w->v, m, &l->r, step, row);
	w->m = m;
	w->in = in;
	w->part = mem_calloc(S * L, 1);
	w->kappa = mem_calloc(L, sizeof *w->kappa);
	w->p = mem_calloc(L, sizeof *w->p);
	w->need = mem_calloc(L, sizeof *w->need);
	w->want = mem_calloc(STEP_WANTS * S, sizeof *w->want);
	w->want_at = mem_calloc(S, sizeof *w->want_at);
	return w->part && w->kappa && w->p && w->need && w->want && w->want_at ? ST_OK : no_memory(e);
}

/* Floats that the classifier has to say about a position. */
static size_t
cls_width(const struct work *w)
{
	return (size_t)(w->v.r->cls_how == CLS_EXACT ? w->m->V : w->m->guide->F);
}

/* What rows need, for at most `rows` of one sample at a time. */
static enum status
work_rows(struct work *w, int rows, struct error *e)
{
	size_t V = (size_t)w->m->V, F = (size_t)w->m->F, n;
	int most = ROWS_IN_FLIGHT / (1 + w->v.two + w->v.cls);

	w->block = rows < most ? rows : most;
	n = (size_t)w->block;
	w->threads = pool_threads(w->m->pool);
	if (w->v.cls)
		F = cls_width(w) > F ? cls_width(w) : F;
	w->feat = mem_aligned(n * F, sizeof *w->feat);
	w->logit = mem_aligned(n * V, sizeof *w->logit);
	w->logit_u = w->v.two ? mem_aligned(n * V, sizeof *w->logit_u) : NULL;
	w->ratio = w->v.cls ? mem_aligned(n * V, sizeof *w->ratio) : NULL;
	w->scratch = mem_calloc((size_t)w->threads, sizeof *w->scratch);
	if (!w->feat || !w->logit || !w->scratch || (w->v.two && !w->logit_u) || (w->v.cls && !w->ratio))
		return no_memory(e);
	for (int i = 0; i < w->threads; i++) {
		w->scratch[i].order = mem_calloc(V, sizeof(int));
		if (!w->scratch[i].order)
			return no_memory(e);
		for (int k = 0; k < 3 && w->v.explicit_draw; k++) {
			w->scratch[i].law[k] = mem_calloc(V, sizeof(double));
			if (!w->scratch[i].law[k])
				return no_memory(e);
		}
	}
	return ST_OK;
}

static uint8_t *
parts_of(const struct work *w, int sample)
{
	return w->part + (size_t)sample * (size_t)w->in->L;
}

/* Deal all samples (not for `informed`, which needs rows first); returns the
 * most rows that one sample needs. */
static int
deal_all(struct work *w)
{
	int most = 0;

	for (int k = 0; k < w->in->S; k++) {
		deal_kappa(&w->v, w->in, k, NULL, w->kappa);
		int n = deal_sample(&w->v, w->in, k, w->kappa, parts_of(w, k));
		w->want_at[k] = n > 0 ? 0 : -1;
		most = n > most ? n : most;
	}
	return most;
}

/* `informed`: every position that is not clamped needs a row. */
static int
want_all(struct work *w)
{
	int most = 0;

	for (int k = 0; k < w->in->S; k++) {
		const uint8_t *fixed = w->in->fixed + (size_t)k * (size_t)w->in->L;
		int n = 0;
		for (int i = 0; i < w->in->L; i++)
			n += !fixed[i];
		w->want_at[k] = n > 0 ? 0 : -1;
		most = n > most ? n : most;
	}
	return most;
}

/* Fill want[] for the samples with want_at >= 0; returns how many. */
static int
list_wants(const struct work *w, struct feat_want *want)
{
	int n = 0, label[2];

	for (int k = 0; k < w->in->S; k++) {
		if (w->want_at[k] < 0)
			continue;
		w->want_at[k] = n;
		int labels = deal_labels(&w->v, k, label);
		for (int c = 0; c < labels; c++)
			want[n++] = (struct feat_want){
				.tok = w->in->tok + (size_t)k * (size_t)w->in->L,
				.sigma = w->v.sigma,
				.label = label[c],
				.len = w->m->out == OUT_CAUSAL ? w->v.step + 1 : 0,
				.sample = k,
			};
		if (w->v.cls)
			want[n++] = (struct feat_want){
				.tok = w->in->tok + (size_t)k * (size_t)w->in->L,
				.sigma = w->v.sigma_t,
				.label = deal_class(&w->v, k),
				.what = w->v.r->cls_how == CLS_EXACT ? WANT_EXACT : WANT_GRADIENT,
				.sample = k,
			};
	}
	return n;
}

int
step_wants(const struct model *m, const struct leg *l, int step, const struct state *in, struct feat_want *want)
{
	const struct plan_row *row = leg_row(l, step);
	struct work w;
	int n = 0;

	if (!row)
		return 0;
	/* the model is not touched: the deal reads its description only */
	if (work_init(&w, (struct model *)(uintptr_t)m, l, step, row, in, NULL) == ST_OK) {
		if ((w.v.informed ? want_all(&w) : deal_all(&w)) > 0)
			n = list_wants(&w, want);
	}
	work_done(&w);
	return n;
}

/* Remember the lowest position of a row with NaN. */
static void
note_bad(struct work *w, int pos)
{
	int was = atomic_load(&w->bad);

	while ((was == 0 || pos + 1 < was) && !atomic_compare_exchange_weak(&w->bad, &was, pos + 1))
		;
}

/* One row of the block: a pool item. */
static void
settle_item(void *arg, int item, int worker)
{
	struct work *w = arg;
	size_t V = (size_t)w->m->V, row = (size_t)item * V;
	int pos = w->list[item];
	size_t at = (size_t)w->sample * (size_t)w->in->L + (size_t)pos;
	struct said said = { w->logit + row, w->v.two ? w->logit_u + row : NULL, w->v.cls ? w->ratio + row : NULL };
	struct draw_scratch *s = &w->scratch[worker];

	if (w->only_p) {
		w->p[pos] = draw_p_held(&w->v, &said, w->in->tok[at], s);
		if (isnan(w->p[pos]))
			note_bad(w, pos);
		return;
	}
	struct drawn d = {
		.part = (enum part)w->part[at],
		.z = w->in->tok[at],
		.noise = move_noise(&w->v, w->in, w->sample, pos),
		.prob = w->in->prob[at],
	};
	if (!draw_row(&w->v, &said, &d, s)) {
		note_bad(w, pos);
		return;
	}
	w->out->tok[at] = d.tok;
	w->out->cause[at] = (uint8_t)d.cause;
	w->out->prob[at] = d.prob;
}

/* What the classifier says of n positions. */
static enum status
cls_rows(struct work *w, const struct feat_want *want, int n, struct error *e)
{
	size_t F = cls_width(w);
	float *to = want->what == WANT_EXACT ? w->ratio : w->feat;

	for (int i = 0; i < n; i++)
		memcpy(to + (size_t)i * F, want->feat + (size_t)w->list[i] * F, F * sizeof *to);
	return want->what == WANT_EXACT ? ST_OK : w->m->guide->rows(w->m->guide, n, w->feat, w->ratio, w->cancel, e);
}

/* Head rows of n positions from one want's features. */
static enum status
head_rows(struct work *w, const struct feat_want *want, int n, float *logit, struct error *e)
{
	size_t F = (size_t)w->m->F;

	for (int i = 0; i < n; i++)
		memcpy(w->feat + (size_t)i * F, want->len ? want->feat : want->feat + (size_t)w->list[i] * F,
		    F * sizeof *w->feat);
	return w->m->rows(w->m, n, w->feat, logit, w->cancel, e);
}

/* Rows and draws of the n positions of need[], a block at a time.  A call of
 * the head never mixes samples, so that its shape depends on the sample only. */
static enum status
settle(struct work *w, int sample, int n, bool only_p, struct error *e)
{
	const struct feat_want *want = &w->want[w->want_at[sample]];
	enum status st = ST_OK;

	w->sample = sample;
	w->only_p = only_p;
	for (int first = 0; first < n && st == ST_OK; first += w->block) {
		int m = n - first < w->block ? n - first : w->block;
		double start = now_ms();
		w->list = w->need + first;
		st = head_rows(w, want, m, w->logit, e);
		if (st == ST_OK && w->v.two)
			st = head_rows(w, want + 1, m, w->logit_u, e);
		if (st == ST_OK && w->v.cls)
			st = cls_rows(w, want + 1 + w->v.two, m, e);
		w->net_ms += now_ms() - start;
		if (st != ST_OK)
			break;
		struct pool *pool = (size_t)m * (size_t)w->m->V >= POOL_WORTH ? w->m->pool : NULL;
		st = pool_run(pool, w->m->background ? POOL_TRAIN : POOL_SAMPLE, m, settle_item, w, w->cancel);
		int bad = atomic_load(&w->bad);
		if (st == ST_OK && bad)
			st = error_set(e, ST_NUMERIC,
			    "the network gave NaN or infinity (sample %d, position %d, step %d)",
			    w->v.r->first + sample, bad - 1, w->v.step);
	}
	return st;
}

/* `informed`: q(0|t) at the tokens held, kappa from it, then the deal. */
static enum status
deal_informed(struct work *w, int sample, int *rows, struct error *e)
{
	const uint8_t *fixed = w->in->fixed + (size_t)sample * (size_t)w->in->L;
	int n = 0;

	for (int i = 0; i < w->in->L; i++)
		if (!fixed[i])
			w->need[n++] = i;
	enum status st = n > 0 ? settle(w, sample, n, true, e) : ST_OK;
	*rows += n;
	if (st != ST_OK)
		return st;
	deal_kappa(&w->v, w->in, sample, w->p, w->kappa);
	deal_sample(&w->v, w->in, sample, w->kappa, parts_of(w, sample));
	return ST_OK;
}

/* Positions that need no row, then those that do. */
static enum status
move_sample(struct work *w, int sample, struct step_counts *counts, struct error *e)
{
	size_t at = (size_t)sample * (size_t)w->in->L;
	int n = 0, before = counts->rows;

	if (w->v.informed) {
		enum status st = deal_informed(w, sample, &counts->rows, e);
		if (st != ST_OK)
			return st;
	}
	for (int i = 0; i < w->in->L; i++, at++) {
		struct drawn d = { .part = (enum part)w->part[at], .z = w->in->tok[at], .prob = w->in->prob[at] };
		if (part_needs_row(d.part)) {
			w->need[n++] = i;
			continue;
		}
		d.noise = move_noise(&w->v, w->in, sample, i);
		draw_without_row(&w->v, &d);
		w->out->tok[at] = d.tok;
		w->out->cause[at] = (uint8_t)d.cause;
		w->out->prob[at] = d.prob;
	}
	counts->rows += n;
	if (w->each)
		w->each[sample].rows = counts->rows - before;
	return n > 0 ? settle(w, sample, n, false, e) : ST_OK;
}

/* Features of all samples that need some, in one batch. */
static enum status
features(struct work *w, features_fn *get, void *ctx, struct step_counts *counts, struct error *e)
{
	int n = list_wants(w, w->want);
	double start = now_ms();

	if (n == 0)
		return ST_OK;
	enum status st = get(ctx, n, w->want, w->cancel, e);
	w->net_ms += now_ms() - start;
	for (int i = 0; i < n; i++) {
		counts->nfe += w->want[i].fresh;
		if (w->each)
			w->each[w->want[i].sample].nfe += w->want[i].fresh;
	}
	return st;
}

static enum status
run_step(struct work *w, struct step_counts *counts, features_fn *get, void *ctx, struct error *e)
{
	int rows = w->v.informed ? want_all(w) : deal_all(w);
	enum status st = ST_OK;

	if (rows > 0) {
		st = work_rows(w, rows, e);
		if (st == ST_OK)
			st = features(w, get, ctx, counts, e);
	}
	for (int k = 0; k < w->in->S && st == ST_OK; k++)
		st = move_sample(w, k, counts, e);
	return st;
}

static void
count_causes(const struct state *out, struct step_counts *counts, struct step_counts *each)
{
	for (int i = 0; i < out->S * out->L; i++) {
		counts->by_cause[out->cause[i]]++;
		if (each)
			each[i / out->L].by_cause[out->cause[i]]++;
	}
}

enum status
step_each(struct model *m, const struct leg *l, int step_number, const struct state *in, struct state *out,
    struct step_counts *counts, struct step_counts *each, features_fn *get, void *ctx, struct cancel *c,
        struct error *e)
{
	const struct plan_row *row = leg_row(l, step_number);
	struct work w;
	double start = now_ms();

	memset(counts, 0, sizeof *counts);
	if (each)
		memset(each, 0, (size_t)in->S * sizeof *each);
	if (!row)
		return error_set(e, ST_USAGE, "the run is at its end: there is no step %d", step_number);
	enum status st = work_init(&w, m, l, step_number, row, in, e);
	w.out = out;
	w.cancel = c;
	w.each = each;
	state_copy(out, in);
	if (st == ST_OK)
		st = run_step(&w, counts, get, ctx, e);
	if (st == ST_OK)
		count_causes(out, counts, each);
	counts->net_ms = w.net_ms;
	counts->rest_ms = now_ms() - start - w.net_ms;
	work_done(&w);
	return st;
}

enum status
step(struct model *m, const struct leg *l, int step_number, const struct state *in, struct state *out,
    struct step_counts *counts, features_fn *get, void *ctx, struct cancel *c, struct error *e)
{
	return step_each(m, l, step_number, in, out, counts, NULL, get, ctx, c, e);
}
