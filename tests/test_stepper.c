/*
 * test_stepper.c: optimiser steps as a whole: the same bits with any number of
 * threads, the same numbers however a step is cut or shared among processes,
 * curricula and their end, dropout, the first position, clipping, what stops a
 * run, validation.  Losses and gradients have tests of their own.
 */
#include <math.h>
#include <pthread.h>

#include "stepper_util.h"
#include "train/stepper_private.h"

enum { STEPS = 3 };

/* Largest difference of weights, in units of the largest change a step makes. */
static double
difference(const struct train_state *a, const struct train_state *b)
{
	double most = 0;

	for (size_t i = 0; i < a->flat.floats; i++)
		most = fmax(most, fabs((double)a->param[i] - (double)b->param[i]));
	return most;
}

/* ---- threads ---- */

static void
check_threads(const char *what, const struct job *j)
{
	struct rig one, more;
	struct step_numbers a[STEPS], b[STEPS];

	if (!CHECK(rig_new(&one, j, 1, NULL) == ST_OK && rig_run(&one, STEPS, a) == ST_OK, "%s: %d steps", what,
		STEPS))
		return rig_done(&one);
	CHECK(isfinite(a[0].loss) && a[0].loss > 0 && a[0].loss < 20 && a[0].grad_norm > 0 && a[0].lr == 0,
		"%s: loss %.3f, gradient %.3f, no learning rate in the first step", what, a[0].loss, a[0].grad_norm);
	for (int threads = 2; threads <= 3; threads++) {
		bool ok = rig_new(&more, j, threads, NULL) == ST_OK && rig_run(&more, STEPS, b) == ST_OK;
		CHECK(ok && same_bits(one.state, more.state) && a[2].loss == b[2].loss &&
			a[2].grad_norm == b[2].grad_norm, "%s: %d threads, the same bits", what, threads);
		rig_done(&more);
	}
	rig_done(&one);
}

static void
check_all_threads(void)
{
	static const enum loss_kind kinds[] = { LOSS_MDLM, LOSS_DUO, LOSS_AR, LOSS_SEDD, LOSS_D3PM };
	struct job j;
	struct rig r;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		j = tiny_job(kinds[i]);
		check_threads(loss_name(kinds[i]), &j);
	}
	j = tiny_job(LOSS_DUO);
	j.curriculum = JOB_SIMPLE;
	check_threads("simple", &j);
	j.curriculum = JOB_EFFICIENT;
	check_threads("efficient", &j);
	j.cur.degree = 9;
	check_threads("efficient by a polynomial", &j);
	if (rig_new(&r, &j, 1, NULL) == ST_OK) {
		struct stepper_plan p = stepper_plan(r.stepper);
		CHECK(p.window.min < p.window.max && p.error_alpha > 0 && p.error_alpha < 1e-3 && p.error_slope > 0,
			"gamma %.3f to %.3f, alpha within %.1e", p.window.min, p.window.max, p.error_alpha);
	}
	rig_done(&r);
	j.cur.compat = true;
	check_threads("efficient as published", &j);
}

/* ---- micro-batches ---- */

static void
check_cut(enum loss_kind kind, enum job_curriculum curriculum)
{
	struct job j = tiny_job(kind);
	struct rig whole, cut;
	struct step_numbers a[STEPS], b[STEPS];

	j.curriculum = curriculum;
	if (!CHECK(rig_new(&whole, &j, 2, NULL) == ST_OK && rig_run(&whole, STEPS, a) == ST_OK, "%s: a batch at once",
		loss_name(kind)))
		return rig_done(&whole);
	struct stepper_plan all = stepper_plan(whole.stepper), plan = all;
	for (int want = 3; want >= 1; want -= 2) {
		while (plan.micro > want) {
			j.memory = plan.bytes - 1;
			if (rig_new(&cut, &j, 2, NULL) != ST_OK)
				break;
			plan = stepper_plan(cut.stepper);
			if (plan.micro > want)
				rig_done(&cut);
		}
		bool ok = plan.micro == want && rig_run(&cut, STEPS, b) == ST_OK;
		CHECK(ok && plan.bytes < all.bytes && plan.passes == j.batch / want,
			"%s: %d at once in %d passes, %llu bytes", loss_name(kind), plan.micro, plan.passes,
			(unsigned long long)plan.bytes);
		CHECK(ok && fabs(a[0].loss - b[0].loss) < 1e-5 && fabs(a[2].loss - b[2].loss) < 1e-4 &&
			fabs(a[0].grad_norm / b[0].grad_norm - 1) < 1e-5 && difference(whole.state, cut.state) < 2e-5,
			"%s: the same step, loss %.7f and %.7f, weights within %.1e", loss_name(kind), a[2].loss,
			b[2].loss, difference(whole.state, cut.state));
		rig_done(&cut);
	}
	j.memory = plan.bytes / 2;
	CHECK(rig_new(&cut, &j, 2, NULL) == ST_MEMORY && strstr(cut.e.msg, "MB"), "%s: too little for one: %s",
		loss_name(kind), cut.e.msg);
	rig_done(&cut);
	rig_done(&whole);
}

/* ---- two processes ---- */

struct meeting {
	pthread_barrier_t all;
	float *x[2];
	double *y[2];
};

struct member {
	struct meeting *m;
	int rank;
	struct rig rig;
	struct reduce reduce;
	struct step_numbers last[STEPS];
	struct bound_numbers bound;
	enum status st;
};

static enum status
sum_floats(void *arg, float *x, size_t n, struct error *e)
{
	struct member *me = arg;
	struct meeting *m = me->m;

	(void)e;
	m->x[me->rank] = x;
	pthread_barrier_wait(&m->all);
	if (me->rank == 0)
		for (size_t i = 0; i < n; i++)
			m->x[0][i] = m->x[1][i] = m->x[0][i] + m->x[1][i];
	pthread_barrier_wait(&m->all);
	return ST_OK;
}

static enum status
sum_doubles(void *arg, double *x, size_t n, struct error *e)
{
	struct member *me = arg;
	struct meeting *m = me->m;

	(void)e;
	m->y[me->rank] = x;
	pthread_barrier_wait(&m->all);
	if (me->rank == 0)
		for (size_t i = 0; i < n; i++)
			m->y[0][i] = m->y[1][i] = m->y[0][i] + m->y[1][i];
	pthread_barrier_wait(&m->all);
	return ST_OK;
}

static void *
member_main(void *arg)
{
	struct member *me = arg;

	me->st = rig_run(&me->rig, STEPS, me->last);
	if (me->st == ST_OK)
		me->st = stepper_valid(me->rig.stepper, false, &me->bound, NULL, &me->rig.e);
	return NULL;
}

static void
check_processes(void)
{
	struct job j = tiny_job(LOSS_DUO);
	struct meeting m;
	struct member two[2] = { 0 };
	struct rig alone;
	struct step_numbers a[STEPS];
	struct bound_numbers b;
	pthread_t thread[2];
	bool ok = true;

	j.batch = 7;
	j.valid_samples = 9;
	ok = rig_new(&alone, &j, 1, NULL) == ST_OK && rig_run(&alone, STEPS, a) == ST_OK &&
	     stepper_valid(alone.stepper, false, &b, NULL, NULL) == ST_OK;
	pthread_barrier_init(&m.all, NULL, 2);
	for (int i = 0; i < 2; i++) {
		two[i].m = &m;
		two[i].rank = i;
		two[i].reduce = (struct reduce){ i, 2, sum_floats, sum_doubles, &two[i] };
		ok = ok && rig_new(&two[i].rig, &j, 1, &two[i].reduce) == ST_OK;
	}
	for (int i = 0; ok && i < 2; i++)
		pthread_create(&thread[i], NULL, member_main, &two[i]);
	for (int i = 0; ok && i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK(ok && two[0].st == ST_OK && two[1].st == ST_OK && same_bits(two[0].rig.state, two[1].rig.state),
		"two processes stay the same");
	CHECK(ok && fabs(two[0].last[2].loss - a[2].loss) < 1e-4 && fabs(two[0].last[0].loss - a[0].loss) < 1e-6 &&
		difference(alone.state, two[0].rig.state) < 2e-5 && fabs(two[0].bound.nats - b.nats) < 1e-4 &&
		fabs(two[0].bound.error - b.error) < 1e-4,
		"two processes and one: loss %.7f, %.7f; bound %.6f, %.6f", two[0].last[2].loss, a[2].loss,
		two[0].bound.nats, b.nats);
	for (int i = 0; i < 2; i++)
		rig_done(&two[i].rig);
	rig_done(&alone);
	pthread_barrier_destroy(&m.all);
}

/* ---- curricula, dropout, the first position ---- */

static void
check_end(void)
{
	struct job j = tiny_job(LOSS_DUO), plain = j;
	struct step_numbers n[6];
	struct rig r, other;

	j.curriculum = JOB_EFFICIENT;
	j.adam.steps = 8; /* the curriculum ends after 4 */
	if (!CHECK(rig_new(&r, &j, 1, NULL) == ST_OK && rig_run(&r, 6, n) == ST_OK, "across a curriculum's end"))
		return rig_done(&r);
	CHECK(n[3].gamma > r.stepper->window.min && n[3].gamma < r.stepper->window.max && n[3].alpha > .05 &&
		n[3].alpha < .95 && n[3].kept > .9 && n[3].kept < 1.001, "step 4: gamma %.3f, alpha %.3f, kept %.5f",
		n[3].gamma, n[3].alpha, n[3].kept);
	CHECK(isnan(n[4].gamma) && isnan(n[4].kept), "step 5 has none");
	CHECK(rig_new(&other, &plain, 1, NULL) == ST_OK, "a plain run");
	other.state->step = r.state->step;
	memcpy(other.state->param, r.state->param, r.state->flat.floats * sizeof(float));
	learn_changed(other.stepper->learn);
	bool ok = rig_run(&r, 1, n) == ST_OK && rig_run(&other, 1, n + 1) == ST_OK;
	CHECK(ok && n[0].loss == n[1].loss && n[0].grad_norm == n[1].grad_norm, "then it is duo_base: %.7f, %.7f",
		n[0].loss, n[1].loss);
	rig_done(&other);
	rig_done(&r);
}

static void
check_dropout(void)
{
	struct job j = tiny_job(LOSS_MDLM);
	struct step_numbers n[3];
	struct rig r;

	for (int i = 0; i < 3; i++) {
		j.net.dropout = i < 2 ? 0.5 : 0;
		CHECK(rig_new(&r, &j, 1, NULL) == ST_OK, "dropout %g", j.net.dropout);
		/* gates and head are 0 at first: nothing that is dropped would show */
		const struct flat *f = &r.state->flat;
		for (int p = 0; p < r.state->net->n_par; p++)
			for (size_t k = f->at[p]; k < f->at[p] + f->numel[p]; k++)
				r.state->param[k] += 0.05f * (float)sin((double)k);
		CHECK(rig_run(&r, 1, &n[i]) == ST_OK, "a step");
		rig_done(&r);
	}
	CHECK(n[0].loss == n[1].loss && n[0].grad_norm == n[1].grad_norm, "the same draws again");
	CHECK(n[0].loss != n[2].loss, "and they matter");
}

static void
check_anchor(enum loss_kind kind, enum job_curriculum curriculum)
{
	struct job j = tiny_job(kind);
	struct rig r;
	bool fixed = true, moved = false;

	j.curriculum = curriculum;
	if (!CHECK(rig_new(&r, &j, 1, NULL) == ST_OK && rig_run(&r, 1, NULL) == ST_OK, "a step"))
		return rig_done(&r);
	const struct batch *b = &r.stepper->batch;
	for (int i = 0; i < r.stepper->plan.micro; i++)
		for (int l = 0; l < r.stepper->info.L; l++) {
			int at = i * r.stepper->info.L + l;
			if (l == 0)
				fixed &= b->z[at] == 4 && b->x[at] == 4 && !b->row[at] && b->loss[at] == 0;
			moved |= l > 0 && b->z[at] != b->x[at];
		}
	CHECK(r.job.net.ignore_bos == 1 && fixed && moved && r.stepper->counted == 16,
		"%s, curriculum %d: the first position stays and does not count", loss_name(kind), curriculum);
	rig_done(&r);
}

/* ---- what stops a run; clipping ---- */

static void
check_stops(void)
{
	struct job j = tiny_job(LOSS_DUO);
	struct cancel c = { .asked = 1 };
	struct step_numbers n;
	struct rig r, same;

	if (!CHECK(rig_new(&r, &j, 2, NULL) == ST_OK && rig_new(&same, &j, 2, NULL) == ST_OK &&
		rig_run(&r, 2, NULL) == ST_OK && rig_run(&same, 2, NULL) == ST_OK, "two runs"))
		return;
	CHECK(stepper_run(r.stepper, &n, &c, &r.e) == ST_CANCELLED && same_bits(r.state, same.state),
		"a step given up changes nothing");
	r.state->param[3] = NAN;
	same.state->param[3] = NAN;
	learn_changed(r.stepper->learn);
	CHECK(stepper_run(r.stepper, &n, NULL, &r.e) == ST_NUMERIC && strstr(r.e.msg, "step 3") &&
		same_bits(r.state, same.state), "a NaN stops it: %s", r.e.msg);
	rig_done(&r);
	rig_done(&same);
}

static void
check_clip(void)
{
	struct job j = tiny_job(LOSS_MDLM);
	struct step_numbers n[2];
	struct rig r;

	j.adam.clip = 1e-3;
	if (CHECK(rig_new(&r, &j, 1, NULL) == ST_OK && rig_run(&r, 2, n) == ST_OK, "clipping"))
		CHECK(n[1].grad_norm > 1e-3 && fabs(n[1].clip_factor - 1e-3 / (n[1].grad_norm + 1e-6)) < 1e-12,
			"norm %.4f, factor %.2e", n[1].grad_norm, n[1].clip_factor);
	rig_done(&r);
}

/* ---- validation ---- */

static void
check_valid(enum loss_kind kind)
{
	struct job j = tiny_job(kind);
	struct bound_numbers a, again, raw;
	struct rig r, same;

	bool ok = rig_new(&r, &j, 2, NULL) == ST_OK && rig_run(&r, 3, NULL) == ST_OK &&
		  stepper_valid(r.stepper, false, &a, NULL, NULL) == ST_OK &&
		  stepper_valid(r.stepper, false, &again, NULL, NULL) == ST_OK &&
		  stepper_valid(r.stepper, true, &raw, NULL, NULL) == ST_OK && rig_run(&r, 1, NULL) == ST_OK;
	CHECK(ok && a.nats == again.nats && a.error == again.error && a.nats != raw.nats && a.samples == 16,
		"%s: bound %.4f +- %.4f, the same again; raw %.4f", loss_name(kind), a.nats, a.error, raw.nats);
	ok = rig_new(&same, &j, 2, NULL) == ST_OK && rig_run(&same, 4, NULL) == ST_OK;
	CHECK(ok && same_bits(r.state, same.state), "%s: a run does not notice validations", loss_name(kind));
	rig_done(&r);
	rig_done(&same);
}

/* ---- learning ---- */

static void
check_learns(enum loss_kind kind, double below)
{
	struct job j = tiny_job(kind);
	struct bound_numbers before, after;
	struct rig r;

	j.net.hidden = 32;
	j.net.n_blocks = 2;
	j.net.dropout = 0;
	j.batch = 32;
	j.adam.lr = 4e-3;
	j.adam.warmup = 20;
	j.adam.ema = 0.95;
	j.valid_samples = 128;
	bool ok = rig_new(&r, &j, 2, NULL) == ST_OK && stepper_valid(r.stepper, false, &before, NULL, NULL) == ST_OK &&
		  rig_run(&r, 150, NULL) == ST_OK && stepper_valid(r.stepper, false, &after, NULL, NULL) == ST_OK;
	CHECK(ok && before.nats > 1.2 && after.nats < below, "%s learns: bound %.3f, then %.3f", loss_name(kind),
		before.nats, after.nats);
	rig_done(&r);
}

int
main(void)
{
	check_all_threads();
	check_cut(LOSS_MDLM, JOB_PLAIN);
	check_cut(LOSS_DUO, JOB_EFFICIENT);
	check_processes();
	check_end();
	check_dropout();
	check_anchor(LOSS_MDLM, JOB_PLAIN);
	check_anchor(LOSS_DUO, JOB_SIMPLE);
	check_anchor(LOSS_DUO, JOB_EFFICIENT);
	check_stops();
	check_clip();
	check_valid(LOSS_MDLM);
	check_valid(LOSS_DUO);
	check_learns(LOSS_MDLM, 1.2);
	check_learns(LOSS_DUO, 1.2);
	return check_done();
}
