/* loss.c: see loss.h. */
#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "psi/posterior.h"

static const char *const loss_names[LOSS_KINDS] = {
	[LOSS_MDLM] = "mdlm", [LOSS_DUO] = "duo_base", [LOSS_AR] = "ar", [LOSS_SEDD] = "sedd", [LOSS_D3PM] = "d3pm",
};

const char *
loss_name(enum loss_kind k)
{
	return loss_names[k];
}

enum status
loss_by_name(const char *name, enum loss_kind *out, struct error *e)
{
	for (int k = 0; k < LOSS_KINDS; k++)
		if (strcmp(name, loss_names[k]) == 0) {
			*out = (enum loss_kind)k;
			return ST_OK;
		}
	return error_set(e, ST_USAGE, "no loss is called \"%s\" (mdlm, duo_base, ar, sedd, d3pm)", name);
}

bool
loss_counts(const struct loss *l, int z)
{
	return l->kind == LOSS_DUO || l->kind == LOSS_AR || z == l->mask;
}

/* Sums of a softmax: weights are exp(logit - max), `rest` those of all but the
 * token `top`, whose own is 1. */
struct softmax {
	int top;
	double max, rest;
};

/* 1 - p_x. */
static double
softmax_miss(const struct softmax *s, int x, double p_x)
{
	return x == s->top ? s->rest / (1 + s->rest) : 1 - p_x;
}

/* log p_x. */
static double
softmax_log(const struct softmax *s, int x, double logit)
{
	return (x == s->top ? 0 : logit - s->max) - log1p(s->rest);
}

/* e^u - 1 - u >= 0. */
static double
exp_excess(double u)
{
	double sum = 0, power = u * u / 2;

	if (fabs(u) > 0.1)
		return expm1(u) - u;
	for (int k = 3; k < 16; k++) {
		sum += power;
		power *= u / k;
	}
	return sum;
}

/* What the uniform NELBO of a row needs beside p: constants of the loop over
 * tokens, and the tokens that go apart: x, z and the most likely one. */
struct duo_row {
	double A, B, X_z, d_z;
	double c1, c2;               /* delta_j = c1 (p_j - d_z) + c2 p_j */
	double ratio, cv;            /* r_j = T_j ratio, v_j = cv delta_j / T_j */
	int n;                       /* 1..3, ascending */
	struct { int token; double phi, v; } at[3];  /* phi: times X_j / X_z */
};

static double phi_double(double delta, double r);

/* One of the tokens that go apart, put in its place. */
static void
duo_apart(struct duo_row *d, int token, double phi, double v)
{
	int i = d->n;

	for (int k = 0; k < d->n; k++)
		if (d->at[k].token == token)
			return;
	for (; i > 0 && d->at[i - 1].token > token; i--)
		d->at[i] = d->at[i - 1];
	d->at[i].token = token;
	d->at[i].phi = phi;
	d->at[i].v = v;
	d->n++;
}

static void
duo_row(struct duo_row *d, int K, const struct loss_time *at, int x, int z, const struct softmax *s, double p_x,
    double p_z, double p_top)
{
	double A = K * at->a, B = at->na, X_z = x == z ? A + B : B, X_x = A + B, T_z = A * p_z + B, T_x = A * p_x + B;
	double d_x = -softmax_miss(s, x, p_x), d_z = x == z ? d_x : p_z;

	*d = (struct duo_row){ .A = A, .B = B, .X_z = X_z, .d_z = d_z, .c1 = A / T_z,
		.c2 = x == z ? A / T_z * (A / B) : 0, .ratio = X_z / (T_z * B), .cv = B / X_z };
	duo_apart(d, z, 0, K * A * d_z / (X_z * T_z * T_z));
	double delta = A * (B * (d_x - p_z) - A * p_z) / (T_z * X_x);
	duo_apart(d, x, X_x / X_z * phi_double(delta, T_x * X_z / (T_z * X_x)), X_x * delta / (T_x * X_z));
	double T = A * p_top + B;
	delta = d->c1 * (p_top - d_z) + d->c2 * p_top;
	duo_apart(d, s->top, B / X_z * phi_double(delta, T * d->ratio), d->cv * delta / T);
}

#define REAL double
#define FORM(name) name##_double
#define EXP exp
#define LOG log
#define LOG1P log1p
#define SERIES 0.01
#include "train/loss_body.h"
#undef REAL
#undef FORM
#undef EXP
#undef LOG
#undef LOG1P
#undef SERIES

#define REAL float
#define FORM(name) name##_float
#define EXP expf
#define LOG logf
#define LOG1P log1pf
#define SERIES 0.05f
#include "train/loss_body.h"

double
loss_row(const struct loss *l, const struct loss_time *at, int x, int z, const float *logit, double weight, float *grad)
{
	return row_float(l, at, x, z, logit, weight, grad);
}

double
loss_row_double(const struct loss *l, const struct loss_time *at, int x, int z, const double *logit, double weight,
    double *grad)
{
	return row_double(l, at, x, z, logit, weight, grad);
}

double
loss_distill(int V, bool backward, const float *student, const float *teacher, double weight, float *grad)
{
	return distill_float(V, backward, student, teacher, weight, grad);
}

double
loss_distill_double(int V, bool backward, const double *student, const double *teacher, double weight, double *grad)
{
	return distill_double(V, backward, student, teacher, weight, grad);
}
