/* verify.c: see verify.h. */
#include "run/verify.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "models/registry.h"
#include "psi/alpha.h"

/* Reference vectors and what they are compared with. */
struct reference {
	struct st_file *file;
	const struct tensor *tokens, *sigma, *t, *label, *positions, *columns; /* sigma missing: from t */
	int B, L;
	double worst;               /* over all weight sets */
	double tolerance;
};

static void
print_finding(void *arg, const char *line)
{
	fprintf(arg, "  %s\n", line);
}

/* NAME.golden.safetensors for NAME.ckpt or the folder NAME; malloced. */
static char *
reference_path(const char *path)
{
	size_t n = strlen(path);
	const char *slash, *dot;

	while (n > 1 && path[n - 1] == '/')
		n--;
	slash = memrchr(path, '/', n);
	dot = memrchr(path, '.', n);
	if (dot && (!slash || dot > slash + 1))
		n = (size_t)(dot - path);
	return mem_printf("%.*s.golden.safetensors", (int)n, path);
}

/* The elements of a tensor of n whole numbers, or of 0..n-1 if there is none. */
static int32_t *
list_of(const struct tensor *t, int n)
{
	int32_t *v = mem_calloc((size_t)n, sizeof *v);

	for (int i = 0; v && i < n; i++)
		v[i] = i;
	if (v && t && tensor_to_i32(t, 0, (size_t)n, v, NULL)) {
		free(v);
		v = NULL;
	}
	return v;
}

/* One sample's features.  feat [L,F]. */
static enum status
run_trunk(struct model *m, const struct reference *r, int b, float *feat, struct error *e)
{
	int32_t *tok = mem_calloc((size_t)r->L, sizeof *tok);
	double sigma = 0;
	int32_t label = -1;
	enum status st = tok ? tensor_to_i32(r->tokens, (size_t)b * (size_t)r->L, (size_t)r->L, tok, e)
	    : error_set(e, ST_MEMORY, "out of memory");

	for (int i = 0; !st && i < r->L; i++)
		if (tok[i] < 0 || tok[i] >= m->V)
			st = error_set(e, ST_CKPT, "the reference vectors hold token %d", tok[i]);
	if (m->timed && (r->sigma || r->t))
		tensor_to_f64(r->sigma ? r->sigma : r->t, (size_t)b, 1, &sigma);
	if (m->timed && !r->sigma && r->t)
		sigma = alpha_sigma(&m->alpha, sigma);
	if (!st && r->label)
		st = tensor_to_i32(r->label, (size_t)b, 1, &label, e);
	int with = label;
	if (!st)
		st = m->trunk(m, 1, tok, &sigma, r->label ? &with : NULL, feat, NULL, e);
	free(tok);
	return st;
}

/* Largest difference of rows to want [B,P,C]; positions [P], columns [C]. */
static enum status
compare_rows(struct model *m, const struct reference *r, const struct tensor *want, double *worst, struct error *e)
{
	int P = (int)want->dim[1], C = (int)want->dim[2];
	int32_t *pos = list_of(r->positions, P), *col = list_of(r->columns, C);
	float *feat = mem_aligned((size_t)r->L * (size_t)m->F, sizeof *feat), *row;
	double *ref = mem_calloc((size_t)C, sizeof *ref);

	row = mem_aligned((size_t)m->V, sizeof *row);
	enum status st = pos && col && feat && row && ref ? ST_OK : error_set(e, ST_MEMORY, "out of memory");

	*worst = 0;
	for (int b = 0; !st && b < r->B; b++) {
		st = run_trunk(m, r, b, feat, e);
		for (int p = 0; !st && p < P; p++) {
			if (pos[p] < 0 || pos[p] >= r->L)
				st = error_set(e, ST_CKPT, "the reference vectors name position %d", pos[p]);
			if (!st)
				st = m->rows(m, 1, feat + (size_t)pos[p] * (size_t)m->F, row, NULL, e);
			if (st)
				break;
			tensor_to_f64(want, ((size_t)b * (size_t)P + (size_t)p) * (size_t)C, (size_t)C, ref);
			for (int i = 0; i < C; i++) {
				double d = col[i] >= 0 && col[i] < m->V ? fabs((double)row[col[i]] - ref[i]) : INFINITY;

				*worst = d > *worst || isnan(d) ? d : *worst;
			}
		}
	}
	free(pos);
	free(col);
	mem_free(feat);
	mem_free(row);
	free(ref);
	return st;
}

/* Are these the vectors of such a model? */
static bool
fits(const struct model *m, const struct reference *r, const struct tensor *want)
{
	int64_t P = r->positions ? r->positions->dim[0] : m->L, C = r->columns ? r->columns->dim[0] : m->V;

	return want->ndim == 3 && want->dim[0] == r->B && want->dim[1] == P && want->dim[2] == C;
}

static enum status
compare_set(FILE *out, const struct ckpt *c, struct reference *r, const char *name, bool raw, struct pool *pool,
    struct error *e)
{
	const struct tensor *want = st_find(r->file, name);
	struct model *m = NULL;
	double worst = 0;

	if (!want)
		return ST_OK;
	enum status st = model_open(c, raw, pool, &m, e);
	if (st)
		return st;
	r->tolerance = m->V > 1000 ? 5e-4 : 2e-4;
	if (m->L != r->L || !fits(m, r, want))
		st = error_set(e, ST_CKPT, "the reference vectors %s do not fit the model", name);
	else
		st = compare_rows(m, r, want, &worst, e);
	model_free(m);
	if (st)
		return st;
	fprintf(out, "  reference %s: largest difference %.2g %s\n", name, worst,
	    worst <= r->tolerance ? "(rounding)" : "(MORE THAN ROUNDING)");
	if (!(worst <= r->worst))
		r->worst = worst;
	return ST_OK;
}

static bool
vector(const struct tensor *t, int64_t n)
{
	return !t || (t->ndim == 1 && (n < 0 || t->dim[0] == n));
}

/* Nothing beside the file: ST_OK, nothing printed. */
static enum status
compare_reference(FILE *out, const struct ckpt *c, struct pool *pool, struct error *e)
{
	struct reference r = { .worst = 0 };
	char *path = reference_path(c->path);
	enum status st = ST_OK;

	if (!path || st_open(path, &r.file, NULL)) {
		free(path);
		return ST_OK;
	}
	free(path);
	r.tokens = st_find(r.file, "tokens");
	r.sigma = st_find(r.file, "sigma");
	r.t = st_find(r.file, "t");
	r.label = st_find(r.file, "label");
	r.positions = st_find(r.file, "positions");
	r.columns = st_find(r.file, "columns");
	if (r.tokens && r.tokens->ndim == 2 && r.tokens->dim[0] < INT_MAX && r.tokens->dim[1] == c->config.length &&
	    vector(r.sigma, r.tokens->dim[0]) && vector(r.t, r.tokens->dim[0]) &&
	    vector(r.label, r.tokens->dim[0]) && vector(r.positions, -1) && vector(r.columns, -1)) {
		r.B = (int)r.tokens->dim[0];
		r.L = (int)r.tokens->dim[1];
		/* A logistic's logits from a float32 run are off by .04 in the tails. */
		st = compare_set(out, c, &r, st_find(r.file, "float64.logits") ? "float64.logits" : "logits", false,
			pool, e);
		if (!st && c->n_ema)
			st = compare_set(out, c, &r, "ema.logits", false, pool, e);
		if (!st)
			st = compare_set(out, c, &r, "raw.logits", true, pool, e);
		if (!st && !(r.worst <= r.tolerance))
			st = error_set(e, ST_FAIL, "differs from the reference vectors by %.2g", r.worst);
	}
	st_close(r.file);
	return st;
}

static enum status
verify_open(FILE *out, const struct ckpt *c, struct pool *pool, struct error *e)
{
	struct error first = { .code = ST_OK }, later;
	enum status st = model_check(c, &first), bad;
	bool runs = st == ST_OK;

	if (st && c->config.backbone == BACKBONE_DIT) {
		if (e)
			*e = first;
		return st;
	}
	fprintf(out, "%s\n  tensors: %d, EMA: %d, %s\n", c->path, c->n_raw, c->n_ema,
	    runs ? "all of the network are there and fit" : first.msg);
	first.code = ST_OK;
	bad = ckpt_verify(c, print_finding, out, &first);
	fprintf(out, bad ? "  %s\n" : "  weights and CRCs: nothing wrong%s\n", bad ? first.msg : "");
	if (runs && bad != ST_NUMERIC) {
		st = compare_reference(out, c, pool, &later);
		if (st && !bad) {
			bad = st;
			first = later;
		}
	}
	for (int i = 0; i < c->n_warning; i++)
		fprintf(out, "  warning: %s\n", c->warning[i]);
	if (bad && e)
		*e = first;
	return bad;
}

enum status
verify_run(FILE *out, const char *path, const struct config_override *over, struct pool *pool, struct error *e)
{
	struct ckpt *c;
	enum status st = ckpt_open(path, over, &c, e);

	if (st)
		return st;
	st = verify_open(out, c, pool, e);
	ckpt_close(c);
	if ((fflush(out) || ferror(out)) && !st)
		return error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
	return st;
}
