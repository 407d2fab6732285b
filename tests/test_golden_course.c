/*
 * test_golden_course.c: recorded courses of an optimiser below
 * $PSIVIEW_GOLDEN, on every kernel path of this CPU: from the same weights and
 * batches, the loss, the gradient's norm and the scalars of every step, sums
 * over every tensor after it, and all weights and averages at the end.
 */
#include "learn_util.h"
#include "psi/alpha.h"
#include "train/adam.h"

static int courses;

struct course {
	struct recorded r;
	struct adam a;
	struct loss l;
	struct alpha al;                /* the noise's schedule */
	int steps, B, L;
	double *x, *z, *t;              /* [steps,B,L], [steps,B] */
	float *m, *v, *ema;
	struct learn *learn;
	int at;                         /* step now, from 0 */
	double total;
};

static double
meta(const struct golden *g, const char *key, double otherwise)
{
	const char *s = st_meta(g->f, key);

	return s ? strtod(s, NULL) : otherwise;
}

static double
time_of(const struct course *c, int s)
{
	return c->t[c->at * c->B + s];
}

static enum status
course_loss(void *arg, int n, const int *at, float *logit, struct cancel *cancel, struct error *e)
{
	struct course *c = arg;
	size_t V = (size_t)c->l.V, first = (size_t)c->at * (size_t)(c->B * c->L);
	double *row = malloc(2 * V * sizeof *row), weight = 1.0 / (c->B * c->L);

	(void)cancel;
	(void)e;
	for (int i = 0; i < n; i++, logit += V) {
		double t = time_of(c, at[i] / c->L);
		struct loss_time time = { .a = alpha_at(&c->al, t), .na = alpha_noise(&c->al, t),
			.slope = alpha_slope(&c->al, t) };
		for (size_t v = 0; v < V; v++)
			row[v] = (double)logit[v];
		c->total += weight * loss_row_double(&c->l, &time, (int)c->x[first + (size_t)at[i]],
			(int)c->z[first + (size_t)at[i]], row, weight, row + V);
		for (size_t v = 0; v < V; v++)
			logit[v] = (float)row[V + v];
	}
	free(row);
	return ST_OK;
}

/* One step; *norm and *s: what it did. */
static enum status
course_step(struct course *c, double *norm, struct adam_step *s, struct error *e)
{
	size_t n = (size_t)c->B * (size_t)c->L, floats = c->r.flat.floats;
	int32_t *tok = tokens(n, c->z + (size_t)c->at * n);
	double *sigma = malloc((size_t)c->B * sizeof *sigma);
	struct net_input in = { .n = c->B, .tok = tok, .sigma = c->l.kind == LOSS_MDLM ? NULL : sigma };
	struct learn_pass p = { .in = &in, .loss = course_loss, .arg = c, .grad = c->r.grad };

	for (int i = 0; i < c->B; i++)
		sigma[i] = -log(alpha_at(&c->al, time_of(c, i)));
	memset(c->r.grad, 0, floats * sizeof *c->r.grad);
	c->total = 0;
	enum status st = learn_pass(c->learn, &p, NULL, e);
	*norm = sqrt(adam_squares(floats, c->r.grad));
	if (st == ST_OK)
		st = adam_begin(&c->a, c->at + 1, *norm, s, e);
	if (st == ST_OK) {
		adam_update(&c->a, s, floats, c->r.param, c->m, c->v, c->ema, c->r.grad);
		learn_changed(c->learn);
	}
	free(tok);
	free(sigma);
	return st;
}

/* Sums over a tensor after this step, against prefix.NAME and prefixsq.NAME [steps]. */
static void
compare_sums(const struct golden *g, const struct course *c, const char *prefix, const float *data, struct tally_of *t)
{
	char name[2][96];

	for (int i = 0; i < c->r.net->n_par; i++) {
		const float *p = data + c->r.flat.at[i];
		size_t n = c->r.flat.numel[i];
		double sum[2] = { 0 };
		for (size_t k = 0; k < n; k++) {
			sum[0] += (double)p[k];
			sum[1] += (double)p[k] * (double)p[k];
		}
		snprintf(name[0], sizeof name[0], "%s.%s", prefix, c->r.net->par[i].name);
		snprintf(name[1], sizeof name[1], "%ssq.%s", prefix, c->r.net->par[i].name);
		for (int k = 0; k < 2; k++) {
			struct values keep = { 0 };
			double *want = get(g, &keep, name[k]);
			if (want && size_of(g, name[k], -1) == c->steps)
				compare(t, sum[k], want[c->at], 5e-6 * (double)n, 0);
			values_done(&keep);
		}
	}
}

static void
compare_final(const struct golden *g, const struct course *c, const char *prefix, const float *data, double tolerance,
              struct tally_of *t)
{
	char name[180];

	for (int i = 0; i < c->r.net->n_par; i++) {
		struct values keep = { 0 };
		snprintf(name, sizeof name, "%s.%s", prefix, c->r.net->par[i].name);
		double *want = get(g, &keep, name);
		for (size_t k = 0; want && k < c->r.flat.numel[i]; k++)
			compare(t, (double)data[c->r.flat.at[i] + k], want[k], tolerance, 0);
		values_done(&keep);
	}
}

static void
run_course(struct golden *g, struct course *c, struct values *k, const char *kernel)
{
	double *loss = get(g, k, "loss"), *norm = get(g, k, "grad_norm"), *lr = get(g, k, "lr"),
	       *clip = get(g, k, "clip_factor"), *decay = get(g, k, "ema_decay");
	struct tally_of scalars = { 0 }, sums = { 0 }, final = { 0 }, moments = { 0 };
	struct error e = { 0 };
	enum status st = ST_OK;

	for (c->at = 0; st == ST_OK && c->at < c->steps; c->at++) {
		struct adam_step s;
		double size;
		if ((st = course_step(c, &size, &s, &e)) != ST_OK)
			break;
		compare(&scalars, c->total, loss[c->at], 0, 1e-5);
		compare(&scalars, size, norm[c->at], 0, 1e-5);
		compare(&scalars, s.clip_factor, clip[c->at], 0, 1e-5);
		compare(&scalars, s.lr, lr[c->at], 0, 1e-10);
		compare(&scalars, s.ema, decay[c->at], 0, 1e-10);
		compare_sums(g, c, "sum", c->r.param, &sums);
		compare_sums(g, c, "ema_sum", c->ema, &sums);
	}
	compare_final(g, c, "final", c->r.param, 1e-5, &final);
	compare_final(g, c, "final_ema", c->ema, 1e-5, &final);
	compare_final(g, c, "adam_m", c->m, 1e-5, &moments);
	compare_final(g, c, "adam_v", c->v, 1e-5, &moments);
	CHECK(st == ST_OK, "%s, %s: %d steps %s", short_name(g), kernel, c->steps, e.msg);
	TALLY(scalars, "%s, %s: loss, norm, rate, clipping, averaging", short_name(g), kernel);
	TALLY(sums, "%s, %s: sums over every tensor after every step", short_name(g), kernel);
	TALLY(final, "%s, %s: weights and averages at the end", short_name(g), kernel);
	if (moments.n > 0)
		TALLY(moments, "%s, %s: moments at the end", short_name(g), kernel);
}

static bool
course_find(struct golden *g, struct values *k, struct course *c)
{
	const char *betas = st_meta(g->f, "betas"), *cosine = st_meta(g->f, "schedule");

	c->a = adam_usual();
	c->a.lr = meta(g, "lr", c->a.lr);
	c->a.warmup = (int64_t)meta(g, "warmup_steps", 0);
	c->a.weight_decay = meta(g, "weight_decay", 0);
	c->a.clip = meta(g, "clip", 1);
	c->a.ema = meta(g, "ema_decay", c->a.ema);
	c->a.eps = meta(g, "eps", c->a.eps);
	c->a.beta1 = meta(g, "betas", c->a.beta1);
	c->a.beta2 = betas && strchr(betas, ',') ? strtod(strchr(betas, ',') + 1, NULL) : c->a.beta2;
	c->al = (struct alpha){ cosine && strcmp(cosine, "cosine") == 0 ? ALPHA_COSINE : ALPHA_LOGLINEAR, 1e-3 };
	c->steps = size_of(g, "in.x", 0);
	c->B = size_of(g, "in.x", 1);
	c->L = size_of(g, "in.x", 2);
	c->x = get(g, k, "in.x");
	c->z = get(g, k, "in.z");
	c->t = get(g, k, "in.t");
	return what_loss(g, &c->l) && c->x && c->z && c->t && c->steps == size_of(g, "loss", -1);
}

static void
course_kernel(struct golden *g, const char *kernel)
{
	struct values k = { 0 };
	struct course c = { 0 };
	struct pool *pool = pool_new(2);
	struct error e = { 0 };

	if (course_find(g, &k, &c) && recorded_open(g, "param.", &c.r)) {
		struct learn_setup s = { .flat = &c.r.flat, .param = c.r.param, .kern = kern_named(kernel),
			.pool = pool, .n = c.B, .backward = true };
		courses++;
		c.l.V = c.r.c.vocab;
		c.m = flat_new(&c.r.flat);
		c.v = flat_new(&c.r.flat);
		c.ema = flat_new(&c.r.flat);
		memcpy(c.ema, c.r.param, c.r.flat.floats * sizeof *c.ema);
		if (CHECK(learn_new(&s, &c.learn, &e) == ST_OK, "%s, %s: room %s", short_name(g), kernel, e.msg))
			run_course(g, &c, &k, kernel);
		learn_free(c.learn);
		mem_free(c.m);
		mem_free(c.v);
		mem_free(c.ema);
		recorded_close(&c.r);
	}
	pool_free(pool);
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	if (has_some(g, "param.") && has(g, "in.x") && has(g, "in.t") && has(g, "grad_norm") && has(g, "lr") &&
		has(g, "clip_factor") && has(g, "ema_decay"))
		for (size_t i = 0; i < KERNELS; i++)
			if (kern_named(kernels[i]))
				course_kernel(g, kernels[i]);
}

int
main(void)
{
	each_golden(check_file);
	if (courses == 0)
		check_skip("no recorded optimisers below PSIVIEW_GOLDEN");
	return check_done();
}
