/*
 * test_probe.c: probe against the golden files of every pair in
 * $PSIVIEW_GOLDEN (both weight sets, with and without labels, one sampling
 * step), its posteriors against formulas written out here, and what it refuses.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "golden.h"
#include "run/open.h"
#include "run/probe.h"

static char in_path[256], out_path[256];

/* ---- arrays from files ---- */

struct array { double *v; size_t n; int ndim; int64_t dim[3]; };

static struct array
array_of(const struct st_file *f, const char *name)
{
	const struct tensor *t = st_find(f, name);
	struct array a = { 0 };

	if (!t || t->ndim > 3)
		return a;
	a.n = tensor_numel(t);
	a.ndim = t->ndim;
	memcpy(a.dim, t->dim, sizeof a.dim);
	a.v = mem_calloc(a.n, sizeof *a.v);
	tensor_to_f64(t, 0, a.n, a.v);
	return a;
}

/* ---- inputs ---- */

struct input { const char *name; enum dtype dtype; int ndim; int64_t dim[2]; const void *data; };

static void
write_in(int n, const struct input *in)
{
	struct st_writer *w = st_writer_new(in_path);

	for (int i = 0; i < n; i++)
		st_declare(w, in[i].name, in[i].dtype, in[i].ndim, in[i].dim, NULL);
	st_begin(w, NULL);
	for (int i = 0; i < n; i++) {
		size_t count = 1;
		for (int k = 0; k < in[i].ndim; k++)
			count *= (size_t)in[i].dim[k];
		st_write(w, in[i].data, count * dtype_size(in[i].dtype), NULL);
	}
	if (st_commit(w, NULL) != ST_OK)
		CHECK(false, "cannot write %s", in_path);
}

static enum status
ask(struct model *m, const char *in, const char *positions, struct st_file **out, struct error *e)
{
	struct probe_setup s = { .m = m, .in = in, .out = out_path, .positions = positions };
	enum status st = probe_model(&s, e);

	*out = NULL;
	if (st == ST_OK)
		st = st_open(out_path, out, e);
	return st;
}

/* ---- comparing with goldens ---- */

static double
distance(double a, double b)
{
	bool za = a < -1e5, zb = b < -1e5; /* zero probabilities, as the goldens write them */

	return za || zb ? (za && zb ? 0 : INFINITY) : fabs(a - b);
}

/* Largest distance of got [B,P,V] and want [B,P,C], columns [C] of V. */
static double
compare(const struct array *got, const struct array *want, const struct array *columns)
{
	double worst = 0;
	size_t V = (size_t)got->dim[2], C = (size_t)want->dim[2];

	if (got->ndim != 3 || want->ndim != 3 || got->dim[0] != want->dim[0] || got->dim[1] != want->dim[1])
		return INFINITY;
	for (size_t row = 0; row < (size_t)(want->dim[0] * want->dim[1]); row++)
		for (size_t c = 0; c < C; c++) {
			size_t j = columns->v ? (size_t)columns->v[c] : c;
			double d = distance(got->v[row * V + j], want->v[row * C + c]);
			worst = d > worst || isnan(d) ? d : worst;
		}
	return worst;
}

static double
log_sum(const double *x, size_t n)
{
	double top = -INFINITY, sum = 0;

	for (size_t j = 0; j < n; j++)
		top = fmax(top, x[j]);
	for (size_t j = 0; j < n; j++)
		sum += exp(x[j] - top);
	return top + log(sum);
}

static size_t
argmax(const double *x, size_t n)
{
	size_t best = 0;

	for (size_t j = 1; j < n; j++)
		if (x[j] > x[best])
			best = j;
	return best;
}

/* NAME_logsumexp and NAME_argmax (with NAME_top2_gap) of files that hold some columns only. */
static void
compare_rows(const struct st_file *g, const char *name, const char *base, const struct array *got)
{
	char key[120];
	size_t V = (size_t)got->dim[2], rows = got->n / V;

	snprintf(key, sizeof key, "%s_logsumexp", name);
	struct array lse = array_of(g, key);
	double worst = 0;
	for (size_t i = 0; lse.v && i < rows && lse.n == rows; i++)
		worst = fmax(worst, fabs(lse.v[i] - log_sum(got->v + i * V, V)));
	if (lse.v)
		CHECK(lse.n == rows && worst < 1e-4, "%s: %s within %.2g", base, key, worst);
	snprintf(key, sizeof key, "%s_argmax", name);
	struct array best = array_of(g, key);
	snprintf(key, sizeof key, "%s_top2_gap", name);
	struct array gap = array_of(g, key);
	int wrong = 0;
	for (size_t i = 0; best.v && gap.v && i < rows && best.n == rows && gap.n == rows; i++)
		wrong += gap.v[i] > 1e-3 && argmax(got->v + i * V, V) != (size_t)best.v[i];
	if (best.v && gap.v)
		CHECK(wrong == 0, "%s: %s_argmax", base, name);
	free(lse.v);
	free(best.v);
	free(gap.v);
}

/* All that the golden file says about one weight set. */
static void
compare_set(struct model *m, const char *golden, const struct st_file *g, const char *prefix, const char *base)
{
	static const struct { const char *golden, *ours; } names[] = {
		{ "logits", "logits" }, { "log_x_theta", "log_x_theta" }, { "log_probs", "log_x_theta" },
	};
	/* U-Nets: the published float32 head cancels in its tails, so the double one is the reference */
	bool twice = st_find(g, "float64.logits") != NULL;
	struct error e = { .code = ST_OK };
	struct st_file *out;
	char key[100];

	bool any = false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(key, sizeof key, "%s%s", prefix, names[i].golden);
		any = any || st_find(g, key);
	}
	if (!any)
		return;
	if (ask(m, golden, NULL, &out, &e) != ST_OK) {
		CHECK(false, "%s: %s", base, e.msg);
		return;
	}
	struct array columns = array_of(g, "columns");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(key, sizeof key, "%s%s%s", prefix, twice ? "float64." : "", names[i].golden);
		struct array want = array_of(g, key), got = array_of(out, names[i].ours);
		double d = want.v && got.v ? compare(&got, &want, &columns) : INFINITY;
		if (want.v)
			CHECK(d <= (twice ? 2e-3 : m->V > 1000 ? 5e-4 : 2e-4), "%s: %s within %.2g", base, key, d);
		if (want.v && got.v && i < 2)
			compare_rows(g, key, base, &got);
		free(want.v);
		free(got.v);
	}
	free(columns.v);
	st_close(out);
}

/* Inputs of a golden file again, rows list[0..n-1] of them (all: NULL). */
struct again { int n; int32_t *tok; double *t, *sigma; };

static struct again
rows_again(const struct st_file *g, int L, const struct array *list)
{
	struct array tok = array_of(g, "tokens"), t = array_of(g, "t"), sigma = array_of(g, "sigma");
	struct again a = { .n = list ? (int)list->n : (int)tok.dim[0] };
	size_t n = (size_t)a.n;

	a.tok = mem_calloc(n * (size_t)L, sizeof *a.tok);
	a.t = t.v ? mem_calloc(n, sizeof *a.t) : NULL;
	a.sigma = sigma.v ? mem_calloc(n, sizeof *a.sigma) : NULL;
	for (size_t i = 0; i < n; i++) {
		size_t row = list ? (size_t)list->v[i] : i;
		for (size_t j = 0; j < (size_t)L; j++)
			a.tok[i * (size_t)L + j] = (int32_t)tok.v[row * (size_t)L + j];
		if (t.v)
			a.t[i] = t.v[row];
		if (sigma.v)
			a.sigma[i] = sigma.v[row];
	}
	free(tok.v);
	free(t.v);
	free(sigma.v);
	return a;
}

static void
again_done(struct again *a)
{
	free(a->tok);
	free(a->t);
	free(a->sigma);
}

static void
compare_no_label(struct model *m, const struct st_file *g, const char *base)
{
	struct array want = array_of(g, "no_cond.logits"), none = { 0 };
	struct error e = { .code = ST_OK };
	struct st_file *out;

	if (!want.v)
		return;
	struct again a = rows_again(g, m->L, NULL);
	struct array pos = array_of(g, "positions");
	int32_t *list = mem_calloc(pos.n + 1, sizeof *list);
	for (size_t i = 0; i < pos.n; i++)
		list[i] = (int32_t)pos.v[i];
	struct input in[] = {
		{ "tokens", DT_I32, 2, { a.n, m->L }, a.tok },
		{ a.sigma ? "sigma" : "t", DT_F64, 1, { a.n }, a.sigma ? a.sigma : a.t },
		{ "positions", DT_I32, 1, { (int64_t)pos.n }, list },
	};
	write_in(pos.v ? 3 : 2, in);
	if (CHECK(ask(m, in_path, NULL, &out, &e) == ST_OK, "%s: without a label %s", base, e.msg)) {
		struct array got = array_of(out, "logits");
		double d = compare(&got, &want, &none);
		CHECK(d <= 2e-4, "%s: no label term, within %.2g", base, d);
		free(got.v);
		st_close(out);
	}
	again_done(&a);
	free(list);
	free(pos.v);
	free(want.v);
}

/* The tensor whose name begins with prefix; *number is what follows in its name. */
static const struct tensor *
named_with_number(const struct st_file *g, const char *prefix, double *number)
{
	for (int i = 0; i < g->n; i++) {
		const char *name = g->tensor[i].name;
		char *end;
		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		*number = strtod(name + strlen(prefix), &end);
		if (!*end && end > name + strlen(prefix))
			return &g->tensor[i];
	}
	return NULL;
}

static void
compare_step_tensor(const struct st_file *g, const struct st_file *out, const char *want_name, const char *got_name,
                    const struct array *margin, const char *base)
{
	struct array want = array_of(g, want_name), got = array_of(out, got_name);
	size_t V = (size_t)got.dim[2];

	if (!want.v) {
		free(got.v);
		return;
	}
	double worst = got.v && want.v && got.n == want.n ? 0 : INFINITY;

	for (size_t i = 0; worst < 1 && i < got.n; i++)
		if (!margin->v || margin->v[i / V] > 1e-4)
			worst = fmax(worst, fabs(got.v[i] - want.v[i]));
	CHECK(worst <= 1e-4, "%s: %s within %.2g", base, want_name, worst);
	free(want.v);
	free(got.v);
}

/* One sampling step of a detail golden. */
static void
compare_step(struct model *m, const struct st_file *g, const char *base)
{
	double top_p, kappa;
	const struct tensor *x = named_with_number(g, "step.x_theta_top_p", &top_p);
	const struct tensor *psi = named_with_number(g, "step.psi_kappa", &kappa);
	struct array rows = array_of(g, "step.rows"), s = array_of(g, "step.s"),
		     margin = array_of(g, "step.top_p_margin");
	struct error e = { .code = ST_OK };
	struct st_file *out;

	if (!x || !psi || !rows.v || s.n != rows.n)
		goto end;
	struct again a = rows_again(g, m->L, &rows);
	double *all = mem_calloc(rows.n, sizeof *all);
	for (size_t i = 0; i < rows.n; i++)
		all[i] = kappa;
	struct input in[] = {
		{ "tokens", DT_I32, 2, { a.n, m->L }, a.tok }, { "t", DT_F64, 1, { a.n }, a.t },
		{ "s", DT_F64, 1, { a.n }, s.v }, { "kappa", DT_F64, 1, { a.n }, all }, { "top_p", DT_F64, 1, { 1 },
			&top_p },
		{ "sigma", DT_F64, 1, { a.n }, a.sigma },
	};
	write_in(a.sigma ? 6 : 5, in);
	if (CHECK(ask(m, in_path, NULL, &out, &e) == ST_OK, "%s: a step %s", base, e.msg)) {
		compare_step_tensor(g, out, x->name, "x_theta", &margin, base);
		compare_step_tensor(g, out, "step.q_st", "q_st", &margin, base);
		compare_step_tensor(g, out, "step.q_0t", "q_0t", &margin, base);
		compare_step_tensor(g, out, psi->name, "psi", &margin, base);
		st_close(out);
	}
	free(all);
	again_done(&a);
end:
	free(rows.v);
	free(s.v);
	free(margin.v);
}

/* ---- the formulas ---- */

/* psi-samplers.md section 3, entry j, as it stands there; na, nb: 1 - a, 1 - b. */
static double
formula_q(const struct model *m, const double *x, int z, int j, double a, double na, double b, double nb)
{
	double K = m->V, r = a / b;

	if (m->mask >= 0)
		return z != m->mask ? j == z : ((b - a) * x[j] + nb * (j == m->mask)) / na;
	return ((K * a * x[z] + r - a) * (j == z) + (b - a) * x[j] + (1 - r) * nb / K) / (K * a * x[z] + na);
}

static double
formula_psi(const struct model *m, const double *x, int z, int j, double a, double na, double b, double nb,
	double kappa)
{
	double pi = m->mask >= 0 ? j == m->mask : 1. / m->V;

	return kappa * formula_q(m, x, z, j, a, na, b, nb) +
	       (1 - kappa) * (b * formula_q(m, x, z, j, a, na, 1, 0) + nb * pi);
}

/* Ask for a step at several times, and for noise removal, with every filter. */
static void
check_formulas(struct model *m, const struct st_file *g, const char *base)
{
	static const double s_of[] = { .4, 0, -1 }, kappa_of[] = { .7, 1, 0 };
	double filters[] = { .8, .9 }, worst[3] = { 0 }, most_kept = 0;
	int32_t top_k = 5, positions[] = { 3, 0, m->L - 1 };
	struct again a = rows_again(g, m->L, NULL);
	double *t = mem_calloc((size_t)a.n, sizeof *t), *s = mem_calloc((size_t)a.n, sizeof *s),
	       *k = mem_calloc((size_t)a.n, sizeof *k);
	struct error e = { .code = ST_OK };
	struct st_file *out;

	for (int i = 0; i < a.n; i++) {
		t[i] = .5 + .1 * (i % 4);
		s[i] = s_of[i % 3];
		k[i] = kappa_of[i % 3];
	}
	struct input in[] = {
		{ "tokens", DT_I32, 2, { a.n, m->L }, a.tok }, { "t", DT_F64, 1, { a.n }, t },
			{ "s", DT_F64, 1, { a.n }, s },
		{ "kappa", DT_F64, 1, { a.n }, k }, { "top_p", DT_F64, 1, { 1 }, &filters[0] },
		{ "temperature", DT_F64, 1, { 1 }, &filters[1] }, { "top_k", DT_I32, 1, { 1 }, &top_k },
		{ "positions", DT_I32, 1, { 3 }, positions }, { "unknown", DT_I32, 1, { 3 }, positions },
	};
	write_in(9, in);
	if (!CHECK(ask(m, in_path, NULL, &out, &e) == ST_OK, "%s: a step with filters %s", base, e.msg))
		goto end;
	struct array x = array_of(out, "x_theta"),
		     q[3] = { array_of(out, "q_st"), array_of(out, "q_0t"), array_of(out, "psi") };
	size_t V = (size_t)m->V;
	for (size_t row = 0; row < (size_t)a.n * 3; row++) {
		size_t i = row / 3, at = row * V;
		int z = a.tok[i * (size_t)m->L + (size_t)positions[row % 3]];
		double al = alpha_at(&m->alpha, t[i]), na = alpha_noise(&m->alpha, t[i]), kept = 0;
		double b = s[i] < 0 ? 1 : alpha_at(&m->alpha, s[i]), nb = s[i] < 0 ? 0 : alpha_noise(&m->alpha, s[i]);
		for (int j = 0; j < m->V; j++) {
			size_t n = at + (size_t)j;
			kept += x.v[n] > 0;
			worst[0] = fmax(worst[0], fabs(q[0].v[n] - formula_q(m, x.v + at, z, j, al, na, b, nb)));
			worst[1] = fmax(worst[1], fabs(q[1].v[n] - formula_q(m, x.v + at, z, j, al, na, 1, 0)));
			worst[2] =
				fmax(worst[2], fabs(q[2].v[n] - formula_psi(m, x.v + at, z, j, al, na, b, nb, k[i])));
		}
		most_kept = fmax(most_kept, kept);
	}
	CHECK(x.n == (size_t)a.n * 3 * V && x.dim[1] == 3, "%s: only the positions asked for", base);
	CHECK(most_kept <= top_k, "%s: top-k keeps %g of at most %d", base, most_kept, top_k);
	CHECK(worst[0] < 1e-12 && worst[1] < 1e-12 && worst[2] < 1e-12,
		"%s: q(s|t), q(0|t), Psi are those of the formulas (%.1g, %.1g, %.1g)", base, worst[0], worst[1],
		worst[2]);
	for (int i = 0; i < 3; i++)
		free(q[i].v);
	free(x.v);
	st_close(out);
end:
	again_done(&a);
	free(t);
	free(s);
	free(k);
}

/* ---- what is refused ---- */

static void
refused(struct model *m, int n, const struct input *in, const char *positions, const char *base, const char *what)
{
	struct error e = { .code = ST_OK };
	struct st_file *out;

	unlink(out_path);
	write_in(n, in);
	enum status st = ask(m, in_path, positions, &out, &e);
	CHECK((st == ST_CKPT || st == ST_USAGE) && strncmp(e.msg, in_path, strlen(in_path)) == 0 &&
			access(out_path, F_OK) != 0,
		"%s: %s is refused: %s", base, what, st == ST_OK ? "(no)" : e.msg + strlen(in_path) + 2);
	st_close(out);
}

static void
check_refusals(struct model *m, const struct st_file *g, const char *base)
{
	struct again a = rows_again(g, m->L, NULL);
	int64_t B = a.n, L = m->L;
	double *t = mem_calloc((size_t)B + 1, sizeof *t), *late = mem_calloc((size_t)B, sizeof *late), two = 2;
	int32_t keep = a.tok[1], *label = mem_calloc((size_t)B, sizeof *label);
	float *real = mem_calloc((size_t)(B * L), sizeof *real);
	bool causal = m->out == OUT_CAUSAL, steps = !causal && m->out != OUT_SCORE;

	for (int i = 0; i <= B; i++)
		t[i] = .5;
	late[0] = .9;
	struct input tokens = { "tokens", DT_I32, 2, { B, L }, a.tok }, time = { "t", DT_F64, 1, { B }, t };
	a.tok[1] = m->V;
	refused(m, 2, (struct input[]){ tokens, time }, NULL, base, "a token outside the vocabulary");
	a.tok[1] = -1;
	refused(m, 2, (struct input[]){ tokens, time }, NULL, base, "a negative token");
	a.tok[1] = keep;
	refused(m, 2, (struct input[]){ { "tokens", DT_I32, 2, { B, L - 1 }, a.tok }, time }, NULL, base,
		"another length");
	refused(m, 2, (struct input[]){ { "tokens", DT_F32, 2, { B, L }, real }, time }, NULL, base,
		"tokens that are no whole numbers");
	refused(m, 1, (struct input[]){ time }, NULL, base, "a file without tokens");
	refused(m, 2, (struct input[]){ tokens, time }, "0,99999999", base, "a position beyond the end");
	refused(m, 2, (struct input[]){ tokens, time }, "0,,1", base, "an empty position");
	refused(m, 3, (struct input[]){ tokens, time, { "top_p", DT_F64, 1, { 1 }, &two } }, NULL, base, "top_p 2");
	struct input step = { "s", DT_F64, 1, { B }, t }, kappa = { "kappa", DT_F64, 1, { B }, late };
	if (steps) {
		refused(m, 3, (struct input[]){ tokens, time, { "s", DT_F64, 1, { B }, late } }, NULL, base,
			"s after t");
		late[0] = 2;
		refused(m, 4, (struct input[]){ tokens, time, step, kappa }, NULL, base, "kappa 2");
		refused(m, 3, (struct input[]){ tokens, { "sigma", DT_F64, 1, { B }, t }, step }, NULL, base,
			"s without t");
	} else {
		refused(m, 3, (struct input[]){ tokens, time, step }, NULL, base, "a step of such a model");
	}
	if (!causal) {
		refused(m, 1, (struct input[]){ tokens }, NULL, base, "neither t nor sigma");
		refused(m, 2, (struct input[]){ tokens, { "t", DT_F64, 1, { B + 1 }, t } }, NULL, base,
			"t of another length");
	}
	label[0] = m->classes + 1;
	refused(m, 3, (struct input[]){ tokens, time, { "label", DT_I32, 1, { B }, label } }, NULL, base,
		"a label there is not");
	free(t);
	free(late);
	free(label);
	free(real);
	again_done(&a);
}

/* ---- pairs ---- */

static void
pair(const char *golden, const char *checkpoint)
{
	struct open_setup setup = { .path = checkpoint, .threads = 2 };
	const char *slash = strrchr(golden, '/'), *base = slash ? slash + 1 : golden;
	struct opened *o;
	struct st_file *g;
	struct error e = { .code = ST_OK };

	config_override_init(&setup.override);
	if (open_ckpt(&setup, &o, &e) != ST_OK || st_open(golden, &g, &e) != ST_OK) {
		CHECK(false, "%s: %s", base, e.msg);
		return;
	}
	bool known = o->ckpt->config.algo != ALGO_CLASSIFIER &&
		     (o->ckpt->config.backbone == BACKBONE_DIT || o->ckpt->config.backbone == BACKBONE_UNET);
	open_done(o);
	if (!known || !st_find(g, "tokens")) {
		check_skip("%s: no network of a diffusion model", base);
	} else if (CHECK(open_run(&setup, &o, &e) == ST_OK, "%s opens %s", base, e.msg)) {
		compare_set(o->ema, golden, g, "", base);
		compare_set(o->ema, golden, g, "ema.", base);
		compare_set(open_model(o, true), golden, g, "raw.", base);
		compare_no_label(o->ema, g, base);
		compare_step(o->ema, g, base);
		if (o->ema->out == OUT_MEAN || o->ema->out == OUT_SUBS)
			check_formulas(o->ema, g, base);
		check_refusals(o->ema, g, base);
		open_done(o);
	}
	st_close(g);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN"), *tmp = getenv("TMPDIR");

	snprintf(in_path, sizeof in_path, "%s/psiview-probe-%ld.in", tmp ? tmp : "/tmp", (long)getpid());
	snprintf(out_path, sizeof out_path, "%s/psiview-probe-%ld.out", tmp ? tmp : "/tmp", (long)getpid());
	if (!dir || golden_walk(dir, pair) == 0)
		check_skip("no pairs of golden file and checkpoint");
	unlink(in_path);
	unlink(out_path);
	return check_done();
}
