/* plan.c: see plan.h.  Grids of times and their zones, then kappa. */
#include "psi/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A grid of times 0..n-1 of a run, and the zone each belongs to. */
struct grid {
	int n;
	double *time;
	unsigned char *zone;
};

static void
grid_done(struct grid *g)
{
	free(g->time);
	free(g->zone);
}

static enum status
grid_init(struct grid *g, int n, struct error *e)
{
	g->n = n;
	g->time = mem_calloc((size_t)n, sizeof *g->time);
	g->zone = mem_calloc((size_t)n, sizeof *g->zone);
	if (g->time && g->zone)
		return ST_OK;
	grid_done(g);
	return error_set(e, ST_MEMORY, "out of memory for a plan of %d steps", n);
}

/* Point i of n from a to b; a single one is a. */
static double
lin(double a, double b, int n, int i)
{
	if (n > 1 && i == n - 1)
		return b;
	return n > 1 ? a + (b - a) * i / (n - 1) : a;
}

double
kappa_of(enum kappa_mode mode, double value, double a, double b, double *sigma)
{
	double cap = (1 - b) / a, s = 0, kappa = 1;

	switch (mode) {
	case KAPPA_POSTERIOR: kappa = 1; break;
	case KAPPA_PC: kappa = 0; break;
	case KAPPA_CONSTANT: kappa = value; break;
	case KAPPA_CAP: s = fmin(value, cap); break;
	case KAPPA_RESCALE: s = value * fmin(1, cap); break;
	case KAPPA_RESCALE_DUO: s = value * fmin(value, cap); break;
	case KAPPA_LOOP: s = value; break;
	}
	if (mode <= KAPPA_CONSTANT)
		s = (1 - kappa) * (1 - b);
	else
		kappa = s == 0 ? 1 : b < 1 ? fmin(fmax(1 - s / (1 - b), 0), 1) : 0;
	if (sigma)
		*sigma = s;
	return kappa;
}

void
kappa_conf(int L, double a, double nb, double *x)
{
	double sum = 0, sigma_max = fmin(1, nb / a);

	for (int i = 0; i < L; i++)
		sum += isnan(x[i]) ? 0 : exp(-x[i]);
	for (int i = 0; i < L; i++) {
		double sigma = isnan(x[i]) ? 0 : sigma_max * exp(-x[i]) / sum;
		x[i] = sigma == 0 ? 1 : fmin(fmax(1 - sigma / nb, 0), 1);
	}
}

/* The middle time of a linear-constant-linear profile. */
static enum status
middle_time(const struct recipe *r, const struct alpha *alpha, double *c, struct error *e)
{
	*c = 0;
	if (r->profile == PROFILE_LINEAR)
		return ST_OK;
	*c = r->given == GIVEN_TIME ? r->c
	    : r->given == GIVEN_ALPHA ? alpha_time(alpha, r->c) : alpha_time_published(alpha, r->c);
	if (*c > PLAN_LAST_TIME && *c < 1)
		return ST_OK;
	return error_set(e, ST_USAGE, "profile: its middle time %g is not between %g and 1", *c, PLAN_LAST_TIME);
}

/* Times in each part and zone; half to even. */
static enum status
count_parts(const struct recipe *r, int n, int part[3], struct error *e)
{
	part[0] = (int)rint(r->high_frac * n);
	part[1] = (int)rint(r->middle_frac * n);
	part[2] = n - part[0] - part[1];
	if (part[2] < 0)
		return error_set(e, ST_USAGE, "%d steps are %d times: %d high and %d middle leave %d for the low part; "
		    "change steps, high or middle", r->steps, n, part[0], part[1], part[2]);
	if (r->profile == PROFILE_LCL && part[0] == 0)
		return error_set(e, ST_USAGE,
		    "the first part of the profile has none of the %d times: raise high or steps", n);
	return ST_OK;
}

/* The whole run of a recipe. */
static enum status
full_grid(const struct recipe *r, const struct alpha *alpha, struct grid *g, struct error *e)
{
	int n = r->steps + 1, part[3];
	double c;
	enum status st = middle_time(r, alpha, &c, e);

	if (st == ST_OK)
		st = count_parts(r, n, part, e);
	if (st == ST_OK)
		st = grid_init(g, n, e);
	if (st != ST_OK)
		return st;
	for (int i = 0; i < n; i++) {
		int z = i < part[0] ? 0 : i < part[0] + part[1] ? 1 : 2;
		g->zone[i] = (unsigned char)z;
		if (r->profile == PROFILE_LINEAR)
			g->time[i] = lin(1, PLAN_LAST_TIME, n, i);
		else if (z == 1)
			g->time[i] = c;
		else if (z == 0)
			g->time[i] = lin(1, c, part[0], i);
		else
			g->time[i] = lin(c, PLAN_LAST_TIME, part[2], i - part[0] - part[1]);
	}
	return ST_OK;
}

/* Part of a grid, from time number `at` on. */
static enum status
tail(const struct grid *from, int at, struct grid *g, struct error *e)
{
	int n = from->n - at;
	enum status st = grid_init(g, n > 0 ? n : 0, e);

	if (st != ST_OK || n <= 0)
		return st;
	memcpy(g->time, from->time + at, (size_t)n * sizeof *g->time);
	memcpy(g->zone, from->zone + at, (size_t)n);
	return ST_OK;
}

/* Share m steps among three parts that had left[] times (plan.h). */
static void
share_out(int m, const int left[3], int share[3])
{
	int sum = left[0] + left[1] + left[2], last = left[2] ? 2 : left[1] ? 1 : 0, used = 0;

	for (int z = 0; z < 3; z++) {
		share[z] = z < last ? (int)rint((double)m * left[z] / sum) : 0;
		used += share[z];
	}
	share[last] = m - used;
}

/* Times after t in a linear-constant-linear profile, part by part. */
static void
fill_lcl(struct grid *g, const int share[3], double t, double c, double end, bool single_low)
{
	bool in_low = g->zone[0] == 2;
	int i = 1;

	for (int j = 1; j <= share[0]; j++)
		g->time[i++] = lin(t, c, share[0] + 1, j);
	for (int j = 0; j < share[1]; j++)
		g->time[i++] = c;
	for (int j = 0; j < share[2]; j++) {
		if (in_low)
			g->time[i++] = lin(t, end, share[2] + 1, j + 1);
		else if (share[2] == 1)
			g->time[i++] = single_low ? c : end;
		else
			g->time[i++] = lin(c, end, share[2], j);
	}
}

/* The rest of a run of r from time number `at`, standing at t, with the parts
 * that `base` has left there. */
static enum status
rest_grid(const struct recipe *r, const struct alpha *alpha, const struct grid *base, int base_at, int at, double t,
    struct grid *g, struct error *e)
{
	int left[3] = { 0, 0, 0 }, share[3], m = r->steps - at;
	double c;
	enum status st = middle_time(r, alpha, &c, e);

	for (int i = base_at + 1; i < base->n; i++)
		left[base->zone[i]]++;
	if (st != ST_OK)
		return st;
	if (m < 1)
		return error_set(e, ST_USAGE, "steps %d: this state is already at step %d", r->steps, at);
	if (left[0] + left[1] + left[2] == 0)
		return error_set(e, ST_USAGE, "steps: this state is at the last time of its run");
	share_out(m, left, share);
	double end = base->time[base->n - 1];
	bool lcl = r->profile == PROFILE_LCL;
	if (lcl && t < c && left[0] + left[1] > 0)
		return error_set(e, ST_USAGE, "profile: its middle time %g is past, this state is at %g", c, t);
	if (lcl && left[2] > 0 && share[2] == 0 && end < c)
		return error_set(e, ST_USAGE, "steps %d: none is left for the last part of the profile", r->steps);
	if (t < end)
		return error_set(e, ST_USAGE, "steps: this state is past the last time %g", end);
	st = grid_init(g, m + 1, e);
	if (st != ST_OK)
		return st;
	g->time[0] = t;
	g->zone[0] = base->zone[base_at];
	for (int z = 0, i = 1; z < 3; z++)
		for (int j = 0; j < share[z]; j++)
			g->zone[i++] = (unsigned char)z;
	if (lcl)
		fill_lcl(g, share, t, c, end, left[2] == 1 && end == c);
	else
		for (int i = 1; i <= m; i++)
			g->time[i] = lin(t, end, m + 1, i);
	return ST_OK;
}

/* Times and zones of a new leg (plan.h). */
static enum status
choose_grid(const struct recipe *r, const struct model *m, const struct leg *from, int at, double t, struct grid *g,
    struct error *e)
{
	struct grid base;
	enum status st;

	if (from) {
		bool same = recipe_same_grid(r, &from->r);
		struct recipe only_steps = *r;
		only_steps.steps = from->r.steps;
		base = (struct grid){ from->times, from->time, from->time_zone };
		if (same)
			return tail(&base, at - from->first, g, e);
		if (at - from->first >= from->times)
			return error_set(e, ST_USAGE, "steps: this state is at the end of its run");
		if (recipe_same_grid(&only_steps, &from->r))
			return rest_grid(r, &m->alpha, &base, at - from->first, at, t, g, e);
	}
	st = full_grid(r, &m->alpha, &base, e);
	if (st != ST_OK)
		return st;
	if (!from || (at < base.n && base.time[at] == t))
		st = tail(&base, at, g, e);
	else if (at >= base.n - 1)
		st = error_set(e, ST_USAGE, "steps %d: this state is already at step %d", r->steps, at);
	else
		st = rest_grid(r, &m->alpha, &base, at, at, t, g, e);
	grid_done(&base);
	return st;
}

static void
fill_rows(struct leg *l, const struct alpha *alpha)
{
	for (int i = 0; i + 1 < l->times; i++) {
		struct plan_row *row = &l->row[i];
		const struct zone *z = &l->r.zone[l->time_zone[i]];
		bool last_of_zone = l->time_zone[i + 1] != l->time_zone[i];
		row->t = l->time[i];
		row->s = l->time[i + 1];
		row->a = alpha_at(alpha, row->t);
		row->b = alpha_at(alpha, row->s);
		row->kappa = kappa_of(z->mode, z->value, row->a, row->b, NULL);
		if (z->mode > KAPPA_CONSTANT && last_of_zone)
			row->kappa = 1;
		l->zone[i] = l->time_zone[i];
		l->part_left[l->time_zone[i + 1]]++;
	}
	if (l->n > 0 && l->n == l->times) {
		double t = l->time[l->times - 1];
		l->row[l->n - 1] = (struct plan_row){ t, 0, alpha_at(alpha, t), 1, 1 };
		l->zone[l->n - 1] = 3;
	}
}

/* Left to right: one position a step; t for display only. */
static enum status
causal_rows(struct leg *l, const struct model *m, int at, struct error *e)
{
	int all = m->L - 1;

	l->n = at < all ? all - at : 0;
	l->row = mem_calloc((size_t)l->n, sizeof *l->row);
	l->zone = mem_calloc((size_t)l->n, 1);
	if (!l->row || !l->zone)
		return error_set(e, ST_MEMORY, "out of memory for a plan of %d steps", l->n);
	for (int i = 0; i < l->n; i++) {
		double t = 1 - (double)(at + i) / all, s = 1 - (double)(at + i + 1) / all;
		l->row[i] = (struct plan_row){ t, s, alpha_at(&m->alpha, t), alpha_at(&m->alpha, s), 1 };
	}
	return ST_OK;
}

static enum status
grid_rows(struct leg *l, const struct model *m, const struct leg *from, int at, double t, struct error *e)
{
	struct grid g;
	double c;
	enum status st = choose_grid(&l->r, m, from, at, t, &g, e);

	if (st != ST_OK)
		return st;
	l->times = g.n;
	l->time = g.time;
	l->time_zone = g.zone;
	l->n = g.n > 0 ? g.n - 1 + (l->r.removal != REMOVAL_NONE) : 0;
	l->row = mem_calloc((size_t)l->n, sizeof *l->row);
	l->zone = mem_calloc((size_t)l->n, 1);
	if (!l->row || !l->zone)
		return error_set(e, ST_MEMORY, "out of memory for a plan of %d steps", l->n);
	fill_rows(l, &m->alpha);
	st = middle_time(&l->r, &m->alpha, &c, e);
	l->grid_ends_at_c = l->r.profile == PROFILE_LCL && g.n > 0 && g.time[g.n - 1] == c;
	return st;
}

enum status
leg_new(const struct recipe *r, const struct model *m, const struct leg *from, int at, double t, struct leg **out,
    struct error *e)
{
	enum status st = recipe_check(r, m, e);

	*out = NULL;
	if (st != ST_OK)
		return st;
	struct leg *l = mem_calloc(1, sizeof *l);
	if (!l)
		return error_set(e, ST_MEMORY, "out of memory for a plan");
	l->r = *r;
	l->first = at;
	l->first_t = t;
	st = m->out == OUT_CAUSAL ? causal_rows(l, m, at, e) : grid_rows(l, m, from, at, t, e);
	l->total = l->first + l->n;
	if (st != ST_OK) {
		leg_free(l);
		return st;
	}
	*out = l;
	return ST_OK;
}

void
leg_free(struct leg *l)
{
	if (!l)
		return;
	free(l->row);
	free(l->zone);
	free(l->time);
	free(l->time_zone);
	free(l);
}

const struct plan_row *
leg_row(const struct leg *l, int step)
{
	return step >= l->first && step < l->total ? &l->row[step - l->first] : NULL;
}
