/*
 * test_golden_net.c: every text checkpoint with expected outputs below
 * $PSIVIEW_GOLDEN, on every kernel path of this CPU: logits with raw and EMA
 * weights, with and without labels, mixtures as input, the stages inside the
 * network.  What a golden file holds is read from its tensors' names and
 * shapes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "golden.h"
#include "models/describe.h"
#include "models/registry.h"
#include "net/netmodel.h"

static const char *const paths[] = { "portable", "avx2", "avx512" };
static int cases;

struct gold {
	const char *name, *path;        /* for messages */
	const struct ckpt *ck;
	const struct st_file *g;
	struct model *m;
	struct pool *pool;
	int B, L, V, F;
	int32_t *tok;
	double *sigma;
	int *label;                     /* NULL: no label term */
	int n_pos, *pos;                /* golden `positions`, or all */
	int n_col, *col;                /* golden `columns`, or all */
};

static const struct tensor *
find(const struct gold *k, const char *prefix, const char *name)
{
	char full[128];

	snprintf(full, sizeof full, "%s%s", prefix, name);
	return st_find(k->g, full);
}

static double *
values(const struct tensor *t)
{
	size_t n = tensor_numel(t);
	double *v = malloc((n ? n : 1) * sizeof *v);

	if (dtype_is_float(t->dtype)) {
		tensor_to_f64(t, 0, n, v);
		return v;
	}
	int32_t *i = malloc((n ? n : 1) * sizeof *i);
	tensor_to_i32(t, 0, n, i, NULL);
	for (size_t k = 0; k < n; k++)
		v[k] = i[k];
	free(i);
	return v;
}

static int *
ints(const struct gold *k, const char *name, int all, int *n)
{
	const struct tensor *t = st_find(k->g, name);
	double *v = t ? values(t) : NULL;
	int *out;

	*n = t ? (int)tensor_numel(t) : all;
	out = malloc((size_t)*n * sizeof *out);
	for (int i = 0; i < *n; i++)
		out[i] = v ? (int)v[i] : i;
	free(v);
	return out;
}

/* A model over the checkpoint for one kernel path. */
static struct model *
model_of(const struct gold *k, bool ema, bool keep)
{
	struct net *net = net_new();
	struct model *m = NULL;
	struct error e = { 0 };
	enum status st = dit_describe(&k->ck->config, net, &e);

	if (st == ST_OK)
		st = net_finish(net, &e);
	if (st != ST_OK)
		net_free(net);
	else
		st = net_model_new(net, ema ? k->ck->ema : k->ck->raw, ema ? k->ck->n_ema : k->ck->n_raw, "weights",
			kern_named(k->path), k->pool, keep, &m, &e);
	CHECK(st == ST_OK, "%s, %s: model %s", k->name, k->path, e.msg);
	return m;
}

/* Largest difference of logits of rows (b, pos[i]) from want [B,P,C]. */
static double
compare(const struct gold *k, const float *logit, int n_pos, const int *pos, int n_col, const int *col,
	const double *want)
{
	double worst = 0;

	for (int b = 0; b < k->B; b++)
		for (int i = 0; i < n_pos; i++)
			for (int j = 0; j < n_col; j++) {
				double x = (double)logit[((size_t)b * (size_t)k->L + (size_t)pos[i]) * (size_t)k->V +
					(size_t)col[j]];
				double d = fabs(x - *want++);
				worst = isfinite(d) ? fmax(worst, d) : INFINITY;
			}
	return worst;
}

static void
check_logits(const struct gold *k, const char *prefix, const char *name, const float *logit, double tolerance)
{
	const struct tensor *t = find(k, prefix, name);

	if (!t)
		return;
	bool fits = t->ndim == 3 && t->dim[0] == k->B && t->dim[1] == k->n_pos && t->dim[2] == k->n_col;
	double *want = values(t);
	double d = fits ? compare(k, logit, k->n_pos, k->pos, k->n_col, k->col, want) : INFINITY;

	CHECK(d < tolerance, "%s, %s: %s%s within %.1e", k->name, k->path, prefix, name, d);
	free(want);
}

/* [B,P] figures over the whole vocabulary; P is all positions or `positions`. */
static void
check_rows(const struct gold *k, const char *prefix, const float *logit, const char *lse, const char *argmax,
	const char *gap, double least_gap)
{
	const struct tensor *t = find(k, prefix, lse), *a = find(k, prefix, argmax), *g = find(k, prefix, gap);

	if (!t || !a || !g)
		return;
	int P = (int)t->dim[1], wrong = 0;
	double *want = values(t), *best = values(a), *margin = values(g), worst = 0;
	for (int i = 0; i < k->B * P; i++) {
		int p = P == k->n_pos ? k->pos[i % P] : i % P, top = 0;
		const float *row = logit + ((size_t)(i / P) * (size_t)k->L + (size_t)p) * (size_t)k->V;
		double sum = 0;
		for (int v = 1; v < k->V; v++)
			top = row[v] > row[top] ? v : top;
		for (int v = 0; v < k->V; v++)
			sum += exp((double)row[v] - (double)row[top]);
		double d = fabs((double)row[top] + log(sum) - want[i]);
		worst = isfinite(d) ? fmax(worst, d) : INFINITY;
		wrong += margin[i] > least_gap && top != (int)best[i];
	}
	CHECK(worst < 1e-4 && wrong == 0, "%s, %s: %s%s within %.1e, %d of %d argmax differ", k->name, k->path, prefix,
		lse, worst, wrong, k->B * P);
	free(want);
	free(best);
	free(margin);
}

/* Logits of all positions of an input. */
static bool
logits_of(const struct gold *k, struct model *m, const struct net_input *in, float *logit)
{
	size_t rows = (size_t)in->n * (size_t)k->L;
	float *feat = malloc(rows * (size_t)k->F * sizeof *feat);
	struct error e = { 0 };
	enum status st = net_run_trunk(net_model_run(m), in, feat, NULL, &e);

	for (size_t i = 0; st == ST_OK && i < rows; i += 128)
		st = m->rows(m, rows - i < 128 ? (int)(rows - i) : 128, feat + i * (size_t)k->F,
			logit + i * (size_t)k->V, NULL, &e);
	CHECK(st == ST_OK, "%s, %s: runs %s", k->name, k->path, e.msg);
	free(feat);
	return st == ST_OK;
}

/* One set of expected logits: raw., ema., no_cond. or without prefix. */
static void
check_set(const struct gold *k, const char *prefix, bool ema, const int *label)
{
	size_t n = (size_t)k->B * (size_t)k->L * (size_t)k->V;
	bool folder = strcmp(prefix, "") == 0 || strcmp(prefix, "no_cond.") == 0;
	struct net_input in = { .n = k->B, .tok = k->tok, .sigma = k->ck->config.timed ? k->sigma : NULL,
		.label = label };
	struct model *m = find(k, prefix, "logits") ? model_of(k, ema, false) : NULL;
	float *logit = m ? malloc(n * sizeof *logit) : NULL;

	if (m && logits_of(k, m, &in, logit)) {
		check_logits(k, prefix, "logits", logit, folder ? 1e-4 : k->V > 10000 ? 5e-4 : 2e-4);
		check_logits(k, prefix, "logits_f64", logit, 1e-4);
		if (folder)
			check_rows(k, prefix, logit, "logsumexp", "argmax", "argmax_margin", 2e-4);
		else
			check_rows(k, prefix, logit, "logits_logsumexp", "logits_argmax", "logits_top2_gap", 1e-3);
	}
	free(logit);
	model_free(m);
}

static void
check_mixtures(const struct gold *k, bool ema)
{
	const struct tensor *idx = st_find(k->g, "soft.indices"), *w = st_find(k->g, "soft.weights"),
			    *s = st_find(k->g, "soft.logits");
	const struct tensor *x = st_find(k->g, "dense.input"), *d = st_find(k->g, "dense.logits");
	size_t n = (size_t)k->B * (size_t)k->L * (size_t)k->V;
	float *logit = malloc(n * sizeof *logit), *f = NULL;
	int32_t *i = NULL;
	struct gold one = *k;

	if (idx && w && s) {
		struct net_input in = { .n = k->B, .k = (int)idx->dim[2], .sigma = k->sigma };
		size_t m = tensor_numel(idx);
		in.idx = i = malloc(m * sizeof *i);
		in.w = f = malloc(m * sizeof *f);
		tensor_to_i32(idx, 0, m, i, NULL);
		tensor_to_f32(w, 0, m, f);
		struct model *model = model_of(k, ema, false);
		if (model && logits_of(k, model, &in, logit))
			check_logits(k, "soft.", "logits", logit, 2e-4);
		model_free(model);
		free(i);
		free(f);
	}
	if (x && d) {
		size_t m = tensor_numel(x);
		one.B = (int)x->dim[0];
		f = malloc(m * sizeof *f);
		tensor_to_f32(x, 0, m, f);
		struct net_input in = { .n = one.B, .dense = f, .sigma = k->sigma };
		struct model *model = model_of(&one, ema, false);
		if (model && logits_of(&one, model, &in, logit))
			check_logits(&one, "dense.", "logits", logit, 2e-4);
		model_free(model);
		free(f);
	}
	free(logit);
}

/* The columns first..first+width of a value as [rows,width]; NULL if there is
 * none of that name. */
static float *
stage_value(struct model *m, const char *name, int rows, int first, int width)
{
	size_t ld;
	const float *v = net_run_value(net_model_run(m), name, &ld);
	float *out = v ? malloc((size_t)rows * (size_t)width * sizeof *out) : NULL;

	for (int r = 0; v && r < rows; r++)
		memcpy(out + (size_t)r * (size_t)width, v + (size_t)r * ld + first, (size_t)width * sizeof *out);
	return out;
}

/* block0.modulated1 is made and used inside one operation: the same kernel
 * makes it here from what goes in. */
static float *
modulated(const struct gold *k, struct model *m, bool ema)
{
	const struct tensor *w = ckpt_find(k->ck, ema, "blocks.0.norm1.weight");
	float *x = stage_value(m, "embedding", k->L, 0, k->F),
	      *mod = stage_value(m, "block0.modulation", 1, 0, 2 * k->F);
	float *norm = malloc((size_t)k->F * sizeof *norm), *out = malloc((size_t)k->L * (size_t)k->F * sizeof *out);

	tensor_to_f32(w, 0, (size_t)k->F, norm);
	for (int r = 0; x && r < k->L; r++)
		kern_named(k->path)->norm(k->F, x + r * k->F, norm, mod, mod ? mod + k->F : NULL, out + r * k->F);
	free(x);
	free(mod);
	free(norm);
	return out;
}

static float *
stage(const struct gold *k, struct model *m, bool ema, const char *name)
{
	static const char *const part[] = { "block0.q", "block0.k", "block0.v" };
	char last[32];

	for (int i = 0; i < 3; i++)
		if (strcmp(name, part[i]) == 0)
			return stage_value(m, "block0.qkv", k->L, i * k->F, k->F);
	if (strcmp(name, "block0.modulated1") == 0)
		return modulated(k, m, ema);
	if (strcmp(name, "last_block.out") == 0) {
		snprintf(last, sizeof last, "block%d.out", k->ck->config.n_blocks - 1);
		name = last;
	}
	int v = net_find_value(net_model_net(m), name);
	const struct net_value *value = v < 0 ? NULL : &net_model_net(m)->value[v];
	return value ? stage_value(m, name, value->per_sample ? 1 : k->L, 0, value->width) : NULL;
}

/* Tensor t holds a stage of sample b, of all samples or of this one alone. */
static void
check_stage(const struct gold *k, struct model *m, const struct tensor *t, const char *name, bool ema, int b)
{
	bool all = t->dim[0] == k->B;
	size_t n = tensor_numel(t) / (size_t)t->dim[0];
	float *got = stage(k, m, ema, name);
	double *want = values(t), size = 0, worst = 0;
	const double *w = want + (all ? (size_t)b * n : 0);

	for (size_t i = 0; i < n; i++)
		size = fmax(size, fabs(w[i]));
	for (size_t i = 0; got && i < n; i++)
		worst = fmax(worst, isfinite(got[i]) ? fabs((double)got[i] - w[i]) : INFINITY);
	CHECK(got && worst < 5e-5 * size, "%s, %s: stage %s of sample %d within %.1e of %.1f", k->name, k->path, name,
		b, worst, size);
	free(want);
	free(got);
}

static void
check_stages(const struct gold *k, const char *prefix, bool ema)
{
	struct model *m = NULL;
	float *feat = malloc((size_t)k->L * (size_t)k->F * sizeof *feat);
	int row = k->B > 1 ? 1 : 0;

	for (int b = 0; b < k->B; b++)
		for (int i = 0; i < k->g->n; i++) {
			const struct tensor *t = &k->g->tensor[i];
			if (strncmp(t->name, prefix, strlen(prefix)) != 0 || (t->dim[0] != k->B && b != row))
				continue;
			if (!m && !(m = model_of(k, ema, true)))
				break;
			if (m->trunk(m, 1, k->tok + (size_t)b * (size_t)k->L, k->sigma + b, NULL, feat, NULL, NULL) ==
				ST_OK)
				check_stage(k, m, t, t->name + strlen(prefix), ema, b);
		}
	free(feat);
	model_free(m);
}

/* What model_open makes of the file, against the golden file's metadata; its
 * features are those of the sets above, bit for bit. */
static void
check_open(struct gold *k)
{
	struct model *m = NULL;
	struct model_size size;
	struct error e = { 0 };
	const char *mask = st_meta(k->g, "mask"), *length = st_meta(k->g, "length"), *eps = st_meta(k->g, "eps");

	if (!CHECK(model_check(k->ck, &e) == ST_OK && model_open(k->ck, false, k->pool, &m, &e) == ST_OK,
		    "%s: opens %s", k->name, e.msg))
		return;
	CHECK(model_measure(k->ck, &size, &e) == ST_OK && size.parameters > 0 && size.weight_bytes >= size.parameters &&
		size.scratch_bytes > 0, "%s: %.2f million parameters", k->name, (double)size.parameters / 1e6);
	CHECK((!mask || m->mask == atoi(mask)) && (!length || m->L == atoi(length)) &&
			(!eps || fabs(m->alpha.eps - atof(eps)) < 1e-12) && m->V == k->V,
		"%s: mask %d, length %d, eps %g, vocabulary %d", k->name, m->mask, m->L, m->alpha.eps, m->V);
	size_t n = (size_t)k->L * (size_t)k->F;
	float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
	k->path = kern_best()->name;
	struct model *other = model_of(k, k->ck->n_ema > 0, false);
	enum status st = m->trunk(m, 1, k->tok, k->sigma, k->label, a, NULL, &e);
	if (st == ST_OK && other)
		st = other->trunk(other, 1, k->tok, k->sigma, k->label, b, NULL, &e);
	CHECK(st == ST_OK && other && memcmp(a, b, n * sizeof *a) == 0, "%s: model_open runs the default weights",
		k->name);
	model_free(m);
	model_free(other);
	free(a);
	free(b);
}

/* Everything that a file has, on one kernel path. */
static void
check_path(struct gold *k)
{
	bool ema = k->ck->n_ema > 0;

	check_set(k, "raw.", false, k->label);
	check_set(k, "ema.", true, k->label);
	check_set(k, "", ema, k->label);
	check_set(k, "no_cond.", ema, NULL);
	check_mixtures(k, ema);
	check_stages(k, "ema.f64.", true);
	check_stages(k, "raw.f64.", false);
}

static bool
read_inputs(struct gold *k)
{
	const struct tensor *tok = st_find(k->g, "tokens"), *sigma = st_find(k->g, "sigma"),
			    *label = st_find(k->g, "label");

	if (!tok || tok->ndim != 2 || tok->dim[1] != k->L)
		return false;
	k->B = (int)tok->dim[0];
	k->tok = calloc((size_t)k->B * (size_t)k->L, sizeof *k->tok);
	k->sigma = calloc((size_t)k->B, sizeof *k->sigma);
	tensor_to_i32(tok, 0, (size_t)k->B * (size_t)k->L, k->tok, NULL);
	const struct tensor *from = sigma ? sigma : st_find(k->g, "t");
	if (from && (from->ndim != 1 || from->dim[0] != k->B))
		return false;
	if (from)
		tensor_to_f64(from, 0, (size_t)k->B, k->sigma);
	for (int b = 0; b < k->B && from && !sigma; b++)
		k->sigma[b] = alpha_sigma(&(struct alpha){ k->ck->config.schedule == SCHEDULE_COSINE ? ALPHA_COSINE :
			ALPHA_LOGLINEAR, k->ck->config.eps }, k->sigma[b]);
	if (label) {
		k->label = calloc((size_t)k->B, sizeof *k->label);
		tensor_to_i32(label, 0, (size_t)k->B, k->label, NULL);
	}
	k->pos = ints(k, "positions", k->L, &k->n_pos);
	k->col = ints(k, "columns", k->V, &k->n_col);
	return true;
}

/* Does the file hold anything that a network puts out? */
static bool
has_output(const struct st_file *g)
{
	static const char *const prefix[] = { "", "raw.", "ema.", "no_cond.", "soft.", "dense." };
	char name[32];

	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
		snprintf(name, sizeof name, "%slogits", prefix[i]);
		if (st_find(g, name))
			return true;
	}
	for (int i = 0; i < g->n; i++)
		if (strncmp(g->tensor[i].name, "ema.f64.", 8) == 0 || strncmp(g->tensor[i].name, "raw.f64.", 8) == 0)
			return true;
	return false;
}

static void
check_case(const char *golden, const char *checkpoint)
{
	struct config_override o;
	struct ckpt *ck = NULL;
	struct st_file *g = NULL;
	struct error e = { 0 };
	struct gold k = { .name = strrchr(golden, '/') + 1 };

	config_override_init(&o);
	if (st_open(golden, &g, &e) != ST_OK) {
		CHECK(false, "%s: %s", golden, e.msg);
		return;
	}
	bool ours = st_find(g, "tokens") && has_output(g);
	if (!ours || !CHECK(ckpt_open(checkpoint, &o, &ck, &e) == ST_OK, "%s: opens %s", checkpoint, e.msg)) {
		st_close(g);
		return;
	}
	k.ck = ck;
	k.g = g;
	k.L = ck->config.length;
	k.V = ck->config.vocab;
	k.F = ck->config.hidden;
	k.pool = pool_new(2);
	if (ck->config.backbone == BACKBONE_DIT && CHECK(read_inputs(&k), "%s: inputs fit the model", k.name)) {
		cases++;
		for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
			k.path = paths[i];
			if (kern_named(paths[i]))
				check_path(&k);
		}
		check_open(&k);
	}
	pool_free(k.pool);
	free(k.tok);
	free(k.sigma);
	free(k.label);
	free(k.pos);
	free(k.col);
	ckpt_close(ck);
	st_close(g);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	if (dir)
		golden_walk(dir, check_case);
	if (cases == 0)
		check_skip("no text checkpoint with golden outputs in %s", dir ? dir : "PSIVIEW_GOLDEN");
	return check_done();
}
