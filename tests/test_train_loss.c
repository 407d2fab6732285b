/*
 * test_train_loss.c: losses and their gradients with respect to the logits,
 * against recorded numbers: rows from alpha = 1e-6 to 1 - 1e-6, recorded
 * networks (every token's loss; the gradient through that of the last layer's
 * bias, which is its sum over positions), and finite differences.
 */
#include "psi/alpha.h"
#include "psi_util.h"
#include "train/loss.h"

static int cases;

/* ---- the uniform NELBO near both ends ---- */

struct worst {
	struct tally_of loss, grad, loss_f, grad_f;
};

static void
extreme_row(const struct loss *l, const struct loss_time *at, int x, int z, const double *logit, double loss,
    const double *grad, struct worst *w)
{
	int K = l->V;
	double *g = malloc((size_t)K * sizeof *g), top = 0;
	float *f = malloc(2 * (size_t)K * sizeof *f);

	for (int j = 0; j < K; j++) {
		f[j] = (float)logit[j];
		top = fmax(top, fabs(grad[j]));
	}
	compare(&w->loss, loss_row_double(l, at, x, z, logit, 1, g), loss, 1e-24, 1e-12);
	for (int j = 0; j < K; j++)
		compare(&w->grad, g[j], grad[j], 1e-12 * (top + 1e-12), 0);
	compare(&w->loss_f, loss_row(l, at, x, z, f, 1, f + K), loss, 1e-14, 1e-5);
	for (int j = 0; j < K; j++)
		compare(&w->grad_f, (double)f[K + j], grad[j], 1e-5 * (top + 1e-12), 0);
	free(g);
	free(f);
}

static void
extreme_group(struct golden *g)
{
	struct values k = { 0 };
	struct worst w = { 0 };
	double *a = get(g, &k, "alpha"), *na = get(g, &k, "one_minus_alpha"), *x = get(g, &k, "x"),
	       *z = get(g, &k, "z");
	double *logit = get(g, &k, "logits"), *loss = get(g, &k, "loss"), *grad = get(g, &k, "grad_logits");
	int n = size_of(g, "logits", 0), K = size_of(g, "logits", 1);
	struct loss l = { .kind = LOSS_DUO, .V = K, .mask = -1 };

	if (a && na && x && z && logit && loss && grad) {
		cases++;
		for (int i = 0; i < n; i++) {
			/* whichever of the two is small is exact */
			struct loss_time at = { .slope = -1, .a = a[i] > 0.5 ? 1 - na[i] : a[i], .na = na[i] };
			extreme_row(&l, &at, (int)x[i], (int)z[i], logit + i * K, loss[i], grad + i * K, &w);
		}
		TALLY(w.loss, "%s %s loss, double", short_name(g), g->group);
		TALLY(w.grad, "%s %s gradient, double", short_name(g), g->group);
		TALLY(w.loss_f, "%s %s loss, float", short_name(g), g->group);
		TALLY(w.grad_f, "%s %s gradient, float", short_name(g), g->group);
	}
	values_done(&k);
}

/* ---- recorded networks ---- */

/* The loss that a file is about, from its metadata and tensors; false: none that is known. */
static bool
what_loss(const struct golden *g, struct loss *l)
{
	const char *name = st_meta(g->f, "loss"), *mask = st_meta(g->f, "mask"), *steps = st_meta(g->f, "T");
	const char *subs = st_meta(g->f, "subs_masking");

	*l = (struct loss){ .mask = mask ? atoi(mask) : -1, .steps = steps ? atoi(steps) : 0,
		.subs = subs && strcmp(subs, "True") == 0 };
	if (!name)
		return false;
	if (strstr(name, "curriculum"))
		l->kind = LOSS_DUO;
	else if (loss_by_name(name, &l->kind, NULL) != ST_OK)
		return false;
	if (l->kind == LOSS_DUO)
		l->mask = -1;
	return true;
}

struct network {
	struct loss l;
	int B, L, rows;              /* rows: positions with a loss per sequence */
	double *x, *z, *a, *na, *slope, *b, *s, *per_token;
};

static bool
network_find(struct golden *g, struct values *k, struct network *n)
{
	if (!what_loss(g, &n->l) || !has(g, "loss_per_token"))
		return false;
	n->B = size_of(g, "in.x", 0);
	n->L = size_of(g, "in.x", 1);
	n->rows = size_of(g, "loss_per_token", 1);
	n->x = get(g, k, "in.x");
	n->z = get(g, k, "in.z");
	n->a = get(g, k, "in.alpha");
	n->na = get(g, k, "in.one_minus_alpha");
	n->slope = get(g, k, "in.dalpha");
	n->b = get(g, k, "in.alpha_s");
	n->s = get(g, k, "in.s");
	n->per_token = get(g, k, "loss_per_token");
	return n->x && n->per_token && (n->l.kind == LOSS_AR || (n->z && n->a));
}

static struct loss_time
time_of(const struct network *n, int i)
{
	struct loss_time at = { 0 };

	if (n->l.kind == LOSS_AR)
		return at;
	at.a = n->a[i];
	at.na = n->na ? n->na[i] : 1 - n->a[i];
	at.slope = n->slope ? n->slope[i] : 0;
	at.b = n->b ? n->b[i] : 1;
	at.nb = 1 - at.b;
	return at;
}

static void
network_row(const struct network *n, int i, int p, const double *logit, double *grad, struct tally_of *d,
    struct tally_of *f, double top, double precision)
{
	int V = n->l.V, ar = n->l.kind == LOSS_AR, x = (int)n->x[i * n->L + p + ar];
	struct loss_time at = time_of(n, i);
	float *row = malloc((size_t)V * sizeof *row);
	int z = ar ? x : (int)n->z[i * n->L + p];
	double want = n->per_token[i * n->rows + p];

	for (int j = 0; j < V; j++)
		row[j] = (float)logit[j];
	compare(d, loss_row_double(&n->l, &at, x, z, logit, 1.0 / (n->B * n->rows), grad), want, precision * 0.01 * top,
	    precision);
	compare(f, loss_row(&n->l, &at, x, z, row, 1.0 / (n->B * n->rows), row), want, 1e-6 * top, 1e-4);
	for (int j = 0; j < V; j++)
		compare(f, (double)row[j], grad[j], 1e-9 + 1e-5 / (n->B * n->rows), 1e-4);
	free(row);
}

static double
largest(const double *v, int n)
{
	double top = 0;

	for (int i = 0; i < n; i++)
		top = fmax(top, fabs(v[i]));
	return top;
}

static void
check_network(struct golden *g)
{
	struct values k = { 0 };
	struct network n;
	struct tally_of t = { 0 }, f = { 0 }, bias = { 0 };
	double *logit = get(g, &k, "out.logits"), *want = get(g, &k, "grad.output_layer.linear.bias");

	if (!logit || !network_find(g, &k, &n)) {
		values_done(&k);
		return;
	}
	cases++;
	int V = n.l.V = size_of(g, "out.logits", 2);
	double *grad = calloc(2 * (size_t)V, sizeof *grad), *sum = grad + V, top = largest(n.per_token, n.B * n.rows);
	for (int i = 0; i < n.B; i++)
		for (int p = 0; p < n.rows; p++) {
			network_row(&n, i, p, logit + (i * n.rows + p) * V, grad, &t, &f, top, 1e-10);
			for (int j = 0; j < V; j++)
				sum[j] += grad[j];
		}
	TALLY(t, "%s losses, double", short_name(g));
	TALLY(f, "%s losses and gradients, float", short_name(g));
	if (want) {
		for (int j = 0; j < V; j++)
			compare(&bias, sum[j], want[j], 1e-9 * largest(want, V), 0);
		TALLY(bias, "%s gradient of the last bias", short_name(g));
	}
	free(grad);
	values_done(&k);
}

/* Networks whose logits are recorded at some positions only, in float. */
static void
check_positions(struct golden *g)
{
	struct values k = { 0 };
	struct network n;
	struct tally_of t = { 0 }, f = { 0 };
	double *pos = get(g, &k, "out.logits_positions"), *logit = get(g, &k, "out.logits_at_positions");
	int P = size_of(g, "out.logits_positions", -1);

	if (pos && logit && network_find(g, &k, &n)) {
		cases++;
		n.l.V = size_of(g, "out.logits_at_positions", 2);
		double *grad = malloc((size_t)n.l.V * sizeof *grad), top = largest(n.per_token, n.B * n.rows);
		for (int i = 0; i < n.B; i++)
			for (int p = 0; p < P; p++)
				network_row(&n, i, (int)pos[p], logit + (i * P + p) * n.l.V, grad, &t, &f, top, 1e-4);
		TALLY(t, "%s losses at %d positions", short_name(g), P);
		TALLY(f, "%s losses and gradients there, float", short_name(g));
		free(grad);
	}
	values_done(&k);
}

/* ---- distillation ---- */

static void
distill_way(struct golden *g, bool backward, const char *loss, const char *bias)
{
	struct values k = { 0 };
	struct tally_of t = { 0 }, f = { 0 };
	double *s = get(g, &k, "log_student"), *q = get(g, &k, "log_teacher"), *want = get(g, &k, loss);
	double *total = get(g, &k, bias);
	int n = size_of(g, loss, -1), V = size_of(g, "log_student", 2);

	if (want && total) {
		cases++;
		double *grad = calloc(2 * (size_t)V, sizeof *grad), *sum = grad + V;
		float *row = malloc(2 * (size_t)V * sizeof *row);
		for (int i = 0; i < n; i++) {
			compare(&t, loss_distill_double(V, backward, s + i * V, q + i * V, 1.0 / n, grad), want[i],
				1e-12, 1e-10);
			for (int j = 0; j < V; j++) {
				sum[j] += grad[j];
				row[j] = (float)s[i * V + j];
				row[V + j] = (float)q[i * V + j];
			}
			compare(&f, loss_distill(V, backward, row, row + V, 1.0 / n, row), want[i], 1e-6, 1e-5);
			for (int j = 0; j < V; j++)
				compare(&f, (double)row[j], grad[j], 1e-5 / n, 0);
		}
		for (int j = 0; j < V; j++)
			compare(&t, sum[j], total[j], 1e-7 * largest(total, V), 0);
		TALLY(t, "%s %s", short_name(g), loss);
		TALLY(f, "%s %s, float", short_name(g), loss);
		free(grad);
		free(row);
	}
	values_done(&k);
}

static void
check_file(struct golden *g)
{
	for (int i = 0; i < g->f->n; i++) {
		const char *name = g->f->tensor[i].name, *end = strstr(name, "grad_logits");
		if (end && (end == name || end[-1] == '.') && (size_t)(end - name) < sizeof g->group) {
			snprintf(g->group, sizeof g->group, "%.*s", (int)(end - name), name);
			extreme_group(g);
			g->group[0] = '\0';
		}
	}
	check_network(g);
	check_positions(g);
	if (has(g, "log_student") && has(g, "log_teacher")) {
		distill_way(g, true, "loss_bwd_per_token", "grad_bwd.output_layer.linear.bias");
		distill_way(g, false, "loss_fwd_per_token", "grad_fwd.output_layer.linear.bias");
	}
}

/* ---- what needs no file ---- */

static double
some(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (double)(*seed >> 8) / (1 << 24);
}

/* Central differences of the loss against its gradient. */
static void
check_difference(const struct loss *l, const struct loss_time *at, unsigned seed)
{
	struct tally_of t = { 0 };
	double logit[9], grad[9], scratch[9];

	for (int z = 0; z < l->V; z++)
		for (int x = 0; x < l->V; x++) {
			if (!loss_counts(l, z) || x == l->mask)
				continue;
			for (int j = 0; j < l->V; j++)
				logit[j] = 4 * some(&seed) - 2;
			loss_row_double(l, at, x, z, logit, 0.25, grad);
			for (int j = 0; j < l->V; j++) {
				double keep = logit[j], h = 1e-4;
				logit[j] = keep + h;
				double up = loss_row_double(l, at, x, z, logit, 1, scratch);
				logit[j] = keep - h;
				double down = loss_row_double(l, at, x, z, logit, 1, scratch);
				logit[j] = keep;
				compare(&t, grad[j], (up - down) / (2 * h) / 4, 1e-7, 1e-6);
			}
		}
	TALLY(t, "%s: gradient against differences at alpha %g", loss_name(l->kind), at->a);
}

static void
check_differences(void)
{
	static const double times[] = { 0.05, 0.5, 0.97 };
	struct alpha al = { ALPHA_LOGLINEAR, 1e-3 };

	for (int k = 0; k < LOSS_KINDS; k++)
		for (int i = 0; i < 3; i++) {
			struct loss l = { .kind = (enum loss_kind)k, .V = 9, .mask = k == LOSS_DUO ? -1 : 3,
				.steps = 20 };
			double t = times[i], s = t - 0.05;
			struct loss_time at = { alpha_at(&al, t), alpha_noise(&al, t), alpha_slope(&al, t),
				alpha_at(&al, s), i ? alpha_noise(&al, s) : 0 };
			check_difference(&l, &at, (unsigned)(10 * k + i + 1));
		}
}

static void
check_small(void)
{
	struct loss l = { .kind = LOSS_MDLM, .V = 3, .mask = 2 };
	struct loss_time at = { 0.25, 0.75, -1, 1, 0 };
	double logit[3] = { 0, 0, 9 }, g[3];
	enum loss_kind kind;
	struct error e = { 0 };

	CHECK(fabs(loss_row_double(&l, &at, 0, 2, logit, 1, g) - log(2) / 0.75) < 1e-15 && g[2] == 0,
	    "mdlm: even odds, the mask's logit removed");
	CHECK(loss_row_double(&l, &at, 0, 1, logit, 1, g) == 0 && g[0] == 0 && g[1] == 0 && g[2] == 0,
	    "mdlm: no loss where nothing is masked");
	l.kind = LOSS_DUO;
	l.mask = -1;
	CHECK(loss_row_double(&l, &at, 1, 1, (double[]){ 0, 800, 0 }, 1, g) == 0, "duo_base: 0 for the right answer");
	CHECK(loss_by_name("sedd", &kind, &e) == ST_OK && kind == LOSS_SEDD, "a loss by its name");
	CHECK(loss_by_name("hinge", &kind, &e) == ST_USAGE && strstr(e.msg, "hinge"), "an unknown loss");
}

int
main(void)
{
	each_golden(check_file);
	if (cases == 0)
		check_skip("no cases of losses below PSIVIEW_GOLDEN");
	check_differences();
	check_small();
	return check_done();
}
