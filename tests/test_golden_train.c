/*
 * test_golden_train.c: recorded training passes below $PSIVIEW_GOLDEN, on
 * every kernel path of this CPU: a network's loss, that of every token, and the
 * gradient of every tensor; the same for distillation.  Cases are recognised by
 * their tensors and metadata, whatever the files are called.
 */
#include "learn_util.h"

static int networks;

/* ---- what a pass goes in with ---- */

struct batch {
	struct loss l;
	int B, L, rows;                 /* rows: positions with a loss, of each sequence */
	double *x, *z, *a, *na, *slope, *b, *per_token;
	bool recon;                     /* the clean text, of itself */
	int32_t *tok, *idx;
	float *w, *dense;
	double *sigma;
	int *label;
	uint8_t *row;
	int k;
	double *loss;                   /* out [B,L] */
	double total;
};

static void
batch_done(struct batch *b)
{
	free(b->tok);
	free(b->idx);
	free(b->w);
	free(b->dense);
	free(b->label);
	free(b->row);
	free(b->loss);
}

/* A softmax does not change when its row moves: in floats, the largest entries of w / tau keep their digits as
 * differences from the top only. */
static void
dense_rows(struct batch *b, const double *w, double tau)
{
	size_t V = (size_t)b->l.V, n = (size_t)b->B * (size_t)b->L;

	b->dense = malloc(n * V * sizeof *b->dense);
	for (size_t i = 0; i < n; i++) {
		double top = w[i * V];
		for (size_t v = 1; v < V; v++)
			top = fmax(top, w[i * V + v]);
		for (size_t v = 0; v < V; v++)
			b->dense[i * V + v] = (float)((w[i * V + v] - top) / tau);
	}
}

static void
batch_input(struct golden *g, struct values *k, struct batch *b)
{
	double *w = get(g, k, "in.w"), *tau = get(g, k, "in.tau"), *index = get(g, k, "in.index");
	double *weight = get(g, k, "in.weight"), *label = get(g, k, "in.label"), *from = b->z ? b->z : b->x;
	size_t n = (size_t)b->B * (size_t)b->L;

	b->loss = calloc(n, sizeof *b->loss);
	if (w && tau) {
		dense_rows(b, w, tau[0]);
	} else if (index && weight) {
		b->k = size_of(g, "in.index", 2);
		b->idx = malloc(n * (size_t)b->k * sizeof *b->idx);
		b->w = malloc(n * (size_t)b->k * sizeof *b->w);
		for (size_t i = 0; i < n * (size_t)b->k; i++) {
			b->idx[i] = (int32_t)index[i];
			b->w[i] = (float)weight[i];
		}
	} else {
		b->tok = malloc(n * sizeof *b->tok);
		for (size_t i = 0; i < n; i++)
			b->tok[i] = (int32_t)(b->recon ? b->x : from)[i];
	}
	if (label)
		b->label = malloc((size_t)b->B * sizeof *b->label);
	for (int i = 0; label && i < b->B; i++)
		b->label[i] = (int)label[i];
	b->sigma = b->recon ? NULL : get(g, k, "in.sigma");
	b->row = malloc(n);
	for (size_t i = 0; i < n; i++)
		b->row[i] = b->recon || ((int)(i % (size_t)b->L) < b->rows && loss_counts(&b->l, (int)from[i]));
}

/* false: no recorded pass in this file. */
static bool
batch_find(struct golden *g, struct values *k, int V, bool recon, struct batch *b)
{
	*b = (struct batch){ .recon = recon };
	if (!what_loss(g, &b->l))
		return false;
	b->l.V = V;
	b->B = size_of(g, "in.x", 0);
	b->L = size_of(g, "in.x", 1);
	b->x = get(g, k, "in.x");
	b->z = get(g, k, "in.z");
	b->a = get(g, k, "in.alpha");
	b->na = get(g, k, "in.one_minus_alpha");
	b->slope = get(g, k, "in.dalpha");
	b->b = get(g, k, "in.alpha_s");
	b->per_token = get(g, k, recon ? "recon_per_token" : "loss_per_token");
	b->rows = size_of(g, recon ? "recon_per_token" : "loss_per_token", 1);
	if (!b->x || !b->per_token || (b->l.kind != LOSS_AR && (!b->z || !b->a)))
		return false;
	batch_input(g, k, b);
	return true;
}

/* -log softmax(logit)[x], the mask's logit removed with subs. */
static double
recon_row(const struct loss *l, int x, const double *logit, double weight, double *grad)
{
	double top = -INFINITY, sum = 0;
	int gone = l->subs ? l->mask : -1;

	for (int v = 0; v < l->V; v++)
		top = v == gone ? top : fmax(top, logit[v]);
	for (int v = 0; v < l->V; v++)
		sum += v == gone ? 0 : exp(logit[v] - top);
	double lp = logit[x] - top - log(sum);
	for (int v = 0; v < l->V; v++)
		grad[v] = v == gone ? 0 : weight * (exp(logit[v] - top) / sum - (v == x));
	return -lp;
}

static enum status
batch_loss(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct batch *b = arg;
	size_t V = (size_t)b->l.V;
	double *row = malloc(2 * V * sizeof *row), weight = 1.0 / (b->B * b->rows), *grad = row + V;

	(void)c;
	(void)e;
	for (int i = 0; i < n; i++, logit += V) {
		int s = at[i] / b->L, ar = b->l.kind == LOSS_AR, x = (int)b->x[at[i] + ar];
		struct loss_time t = { .b = 1 };
		for (size_t v = 0; v < V; v++)
			row[v] = (double)logit[v];
		if (!ar) {
			t.a = b->a[s];
			t.na = b->na ? b->na[s] : 1 - b->a[s];
			t.slope = b->slope ? b->slope[s] : 0;
			t.b = b->b ? b->b[s] : 1;
			t.nb = 1 - t.b;
		}
		b->loss[at[i]] = b->recon ? recon_row(&b->l, x, row, weight, grad)
		    : loss_row_double(&b->l, &t, x, ar ? x : (int)b->z[at[i]], row, weight, grad);
		b->total += weight * b->loss[at[i]];
		for (size_t v = 0; v < V; v++)
			logit[v] = (float)grad[v];
	}
	free(row);
	return ST_OK;
}

static enum status
batch_pass(struct recorded *r, struct batch *b, const char *kernel, int threads, bool backward, struct error *e)
{
	struct net_input in = { .n = b->B, .tok = b->tok, .k = b->k, .idx = b->idx, .w = b->w, .dense = b->dense,
		.sigma = b->sigma, .label = b->label };
	struct learn_pass p = { .in = &in, .row = b->row, .loss = batch_loss, .arg = b,
		.grad = backward ? r->grad : NULL };

	b->total = 0;
	memset(b->loss, 0, (size_t)b->B * (size_t)b->L * sizeof *b->loss);
	return recorded_pass(r, kernel, threads, &p, e);
}

/* ---- against the record ---- */

static double
norm_of(size_t n, const double *a, const float *less)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double d = a[i] - (less ? (double)less[i] : 0);
		sum += d * d;
	}
	return sqrt(sum);
}

/* The worst tensor: ||g - ref|| in units of tolerance (||ref|| + 0.01 total). */
static double
worst_gradient(const struct golden *g, const struct recorded *r, const char *prefix, double tolerance, int *found,
               const char **which)
{
	char name[180];
	double total = 0, worst = 0;

	*found = 0;
	*which = "";
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < r->net->n_par; i++) {
			size_t n = r->flat.numel[i];
			snprintf(name, sizeof name, "%s%s", prefix, r->net->par[i].name);
			const struct tensor *t = find(g, name);
			if (!t || tensor_numel(t) != n)
				continue;
			double *ref = malloc(n * sizeof *ref), size, off;
			tensor_to_f64(t, 0, n, ref);
			size = norm_of(n, ref, NULL);
			off = norm_of(n, ref, r->grad + r->flat.at[i]) / (tolerance * (size + 0.01 * sqrt(total)));
			free(ref);
			if (pass == 0) {
				total += size * size;
				++*found;
			} else if (!(off <= worst)) {
				worst = off;
				*which = r->net->par[i].name;
			}
			if (pass == 1 && !(off <= 1))
				printf("#  %s: %.2g of the tolerance\n", r->net->par[i].name, off);
		}
	return worst;
}

static void
check_gradient(const struct golden *g, const struct recorded *r, const char *prefix, const char *kernel)
{
	int found;
	const char *which;
	double tolerance = r->c.backbone == BACKBONE_UNET ? 1e-4 : 1e-5;
	double worst = worst_gradient(g, r, prefix, tolerance, &found, &which);

	CHECK(found == r->net->n_par && worst <= 1, "%s, %s: %s* of %d tensors", short_name(g), kernel, prefix, found);
	printf("#  worst %.2g of the tolerance: %s\n", worst, which);
}

static void
check_losses(const struct golden *g, const struct batch *b, double want, const char *what, const char *kernel)
{
	struct tally_of t = { 0 }, all = { 0 };
	double top = 0;

	for (int i = 0; i < b->B * b->rows; i++)
		top = fmax(top, fabs(b->per_token[i]));
	for (int i = 0; i < b->B * b->rows; i++)
		compare(&t, b->loss[i / b->rows * b->L + i % b->rows], b->per_token[i], 1e-6 * top, 1e-4);
	compare(&all, b->total, want, 0, 1e-5);
	TALLY(t, "%s, %s: %s of every token", short_name(g), kernel, what);
	TALLY(all, "%s, %s: %s", short_name(g), kernel, what);
}

/* Gradients and losses are the same bits on 1 and 3 threads, and a pass without gradients has the same loss. */
static void
check_threads(const struct golden *g, struct recorded *r, struct batch *b, const char *kernel)
{
	size_t bytes = r->flat.floats * sizeof *r->grad;
	float *first = malloc(bytes);
	struct error e = { 0 };
	double total = b->total;

	memcpy(first, r->grad, bytes);
	for (int threads = 1; threads <= 3; threads += 2) {
		enum status st = batch_pass(r, b, kernel, threads, true, &e);
		CHECK(st == ST_OK && b->total == total && memcmp(first, r->grad, bytes) == 0,
		    "%s, %s: the same bits on %d threads as on 2 %s", short_name(g), kernel, threads, e.msg);
	}
	CHECK(batch_pass(r, b, kernel, 2, false, &e) == ST_OK && b->total == total,
	    "%s, %s: forward only, the same loss %s", short_name(g), kernel, e.msg);
	free(first);
}

static void
check_pass(struct golden *g, bool recon)
{
	struct values k = { 0 };
	struct recorded r;
	struct batch b = { 0 };
	double *want = get(g, &k, recon ? "recon" : "loss");
	const char *prefix = recon ? "recon_grad." : "grad.", *what = recon ? "reconstruction" : "loss";

	if (!want || !recorded_open(g, "param.", &r)) {
		values_done(&k);
		return;
	}
	bool found = batch_find(g, &k, r.c.vocab, recon, &b);
	for (size_t i = 0; found && i < KERNELS; i++) {
		struct error e = { 0 };
		if (!kern_named(kernels[i]))
			continue;
		networks++;
		if (!CHECK(batch_pass(&r, &b, kernels[i], 2, true, &e) == ST_OK, "%s, %s: a pass %s", short_name(g),
		    kernels[i], e.msg))
			continue;
		check_losses(g, &b, want[0], what, kernels[i]);
		if (has_some(g, prefix))
			check_gradient(g, &r, prefix, kernels[i]);
		if (i == 0 && !recon)
			check_threads(g, &r, &b, kernels[i]);
	}
	batch_done(&b);
	recorded_close(&r);
	values_done(&k);
}

/* ---- distillation ---- */

struct distill {
	int V, n;                       /* n: tokens */
	bool backward;
	float *teacher;                 /* [n,V] */
	double *per_token, total;
};

static enum status
keep_logits(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct distill *d = arg;
	size_t V = (size_t)d->V;

	(void)c;
	(void)e;
	for (int i = 0; i < n; i++)
		memcpy(d->teacher + (size_t)at[i] * V, logit + (size_t)i * V, V * sizeof *logit);
	return ST_OK;
}

static enum status
distill_loss(void *arg, int n, const int *at, float *logit, struct cancel *c, struct error *e)
{
	struct distill *d = arg;
	size_t V = (size_t)d->V;
	double *row = malloc(3 * V * sizeof *row), *grad = row + V, *teacher = grad + V;

	(void)c;
	(void)e;
	for (int i = 0; i < n; i++, logit += V) {
		for (size_t v = 0; v < V; v++) {
			row[v] = (double)logit[v];
			teacher[v] = (double)d->teacher[(size_t)at[i] * V + v];
		}
		double loss = loss_distill_double(d->V, d->backward, row, teacher, 1.0 / d->n, grad);
		d->per_token[at[i]] = loss;
		d->total += loss / d->n;
		for (size_t v = 0; v < V; v++)
			logit[v] = (float)grad[v];
	}
	free(row);
	return ST_OK;
}

/* One way of it, the teacher's logits being there. */
static void
distill_way(struct golden *g, struct recorded *r, struct distill *d, const struct net_input *in, const char *kernel)
{
	const char *loss = d->backward ? "loss_bwd" : "loss_fwd",
		   *prefix = d->backward ? "grad_bwd." : "grad_fwd.";
	struct values k = { 0 };
	struct learn_pass p = { .in = in, .loss = distill_loss, .arg = d, .grad = r->grad };
	struct tally_of t = { 0 }, all = { 0 };
	struct error e = { 0 };
	char name[40];

	snprintf(name, sizeof name, "%s_per_token", loss);
	double *want = get(g, &k, loss), *each = get(g, &k, name), top = 0;
	d->total = 0;
	if (want && each && CHECK(recorded_pass(r, kernel, 2, &p, &e) == ST_OK, "%s, %s: %s, a pass %s",
	    short_name(g), kernel, loss, e.msg)) {
		for (int i = 0; i < d->n; i++)
			top = fmax(top, fabs(each[i]));
		for (int i = 0; i < d->n; i++)
			compare(&t, d->per_token[i], each[i], 1e-6 * top, 1e-4);
		compare(&all, d->total, want[0], 0, 1e-5);
		TALLY(t, "%s, %s: %s of every token", short_name(g), kernel, loss);
		TALLY(all, "%s, %s: %s", short_name(g), kernel, loss);
		check_gradient(g, r, prefix, kernel);
	}
	values_done(&k);
}

static void
distill_kernel(struct golden *g, struct recorded *student, struct recorded *teacher, struct values *k,
               const char *kernel)
{
	double *z_t = get(g, k, "z_t"), *z_s = get(g, k, "z_s"), *sigma_t = get(g, k, "in.sigma_t"),
	       *sigma_s = get(g, k, "in.sigma_s");
	struct distill d = { .V = student->c.vocab, .n = size_of(g, "z_t", -1) };
	size_t n = (size_t)d.n;
	struct error e = { 0 };

	if (!z_t || !z_s || !sigma_t || !sigma_s)
		return;
	d.teacher = malloc(n * (size_t)d.V * sizeof *d.teacher);
	d.per_token = malloc(n * sizeof *d.per_token);
	int32_t *from = tokens(n, z_s), *to = tokens(n, z_t);
	struct net_input in = { .n = d.n / student->c.length, .tok = from, .sigma = sigma_s };
	struct learn_pass p = { .in = &in, .loss = keep_logits, .arg = &d };
	if (CHECK(recorded_pass(teacher, kernel, 2, &p, &e) == ST_OK, "%s, %s: the teacher %s", short_name(g),
	    kernel, e.msg)) {
		in.tok = to;
		in.sigma = sigma_t;
		for (int way = 0; way < 2; way++) {
			d.backward = way == 0;
			distill_way(g, student, &d, &in, kernel);
		}
		networks++;
	}
	free(from);
	free(to);
	free(d.teacher);
	free(d.per_token);
}

static void
check_distill(struct golden *g)
{
	struct recorded student, teacher;

	if (!recorded_open(g, "param.", &student))
		return;
	if (recorded_open(g, "teacher.", &teacher)) {
		for (size_t i = 0; i < KERNELS; i++) {
			struct values k = { 0 };
			if (kern_named(kernels[i]))
				distill_kernel(g, &student, &teacher, &k, kernels[i]);
			values_done(&k);
		}
		recorded_close(&teacher);
	}
	recorded_close(&student);
}

static void
check_file(struct golden *g)
{
	if (!has_some(g, "param.") || !has(g, "in.x"))
		return;
	if (has(g, "loss_per_token"))
		check_pass(g, false);
	if (has(g, "recon_per_token"))
		check_pass(g, true);
	if (has_some(g, "teacher."))
		check_distill(g);
}

int
main(void)
{
	each_golden(check_file);
	if (networks == 0)
		check_skip("no recorded training below PSIVIEW_GOLDEN");
	return check_done();
}
