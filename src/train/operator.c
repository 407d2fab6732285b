/* operator.c: see operator.h. */
#include "train/operator.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "train/normal.h"

#define INV_SQRT_2PI 0.39894228040143267794
#define STEP (1.0 / 16)          /* the trapezoid's error is below 1e-15 */

/* With mu = a/s = exp(-gamma/2), phi and Phi the normal law:
 *     1 - alpha = K/(K-1) int phi(z-mu) (1 - Phi(z)^(K-1)) dz
 *     d alpha / d gamma = -mu/2 K int phi(z-mu) phi(z) Phi(z)^(K-2) dz
 * and alpha = (K P - 1)/(K-1) with P = int phi(z-mu) Phi(z)^(K-1) dz.  All three
 * integrands are >= 0. */
void
operator_at(int K, double gamma, struct operator_value *v)
{
	double mu = exp(-gamma / 2), win = 0, lose = 0, slope = 0;
	int n = (int)ceil((mu + 19) / STEP);

	for (int i = 0; i <= n; i++) {
		double z = -9 + i * STEP, d = z - mu;
		double density = INV_SQRT_2PI * exp(-d * d / 2), log_cdf = normal_log_cdf(z);
		double power = (K - 1) * log_cdf;
		win += density * exp(power);
		lose -= density * expm1(power);
		slope += density * INV_SQRT_2PI * exp((K - 2) * log_cdf - z * z / 2);
	}
	v->alpha = (K * win * STEP - 1) / (K - 1);
	v->noise = K * lose * STEP / (K - 1);
	v->slope = -mu / 2 * K * slope * STEP;
	if (v->alpha > 0.5)
		v->alpha = 1 - v->noise;
}

double
operator_sigma(const struct operator_value *v)
{
	return v->noise < 0.5 ? -log1p(-v->noise) : -log(v->alpha);
}

/* By halving: alpha falls in gamma. */
double
operator_gamma(int K, double alpha)
{
	double lo = OPERATOR_GAMMA_MIN, hi = OPERATOR_GAMMA_MAX;

	for (int i = 0; i < 64 && hi - lo > 1e-15 * fabs(lo); i++) {
		double mid = (lo + hi) / 2;
		struct operator_value v;
		operator_at(K, mid, &v);
		if (alpha > 0.5 ? v.noise < 1 - alpha : v.alpha > alpha)
			lo = mid;
		else
			hi = mid;
	}
	return (lo + hi) / 2;
}

struct operator_window
operator_window_for(int K)
{
	return (struct operator_window){ operator_gamma(K, 0.95), operator_gamma(K, 0.05) };
}

enum status
operator_window_check(const struct operator_window *w, struct error *e)
{
	if (w->min >= OPERATOR_GAMMA_MIN && w->min < w->max && w->max <= OPERATOR_GAMMA_MAX)
		return ST_OK;
	return error_set(e, ST_USAGE, "a curriculum's gamma runs upwards inside %g..%g, not from %g to %g",
	    OPERATOR_GAMMA_MIN, OPERATOR_GAMMA_MAX, w->min, w->max);
}

/* ---- the polynomial ---- */

#define SAMPLES 1024             /* intervals of t */

/* P_0..P_degree at x, and their derivatives. */
static void
legendre(int degree, double x, double *value, double *slope)
{
	value[0] = 1;
	slope[0] = 0;
	for (int n = 0; n < degree; n++) {
		value[n + 1] = ((2 * n + 1) * x * value[n] - (n ? n * value[n - 1] : 0)) / (n + 1);
		slope[n + 1] = (2 * n + 1) * value[n] + (n ? slope[n - 1] : 0);
	}
}

double
operator_poly_at(const struct operator_poly *p, double t, double *slope)
{
	double value[OPERATOR_DEGREE + 1], rise[OPERATOR_DEGREE + 1], sum = 0, d = 0;

	legendre(p->degree, 2 * t - 1, value, rise);
	for (int n = 0; n <= p->degree; n++) {
		sum += p->c[n] * value[n];
		d += 2 * p->c[n] * rise[n];
	}
	if (slope)
		*slope = d;
	return sum;
}

/* Solve m x = b, m symmetric and positive [n,n], in place (Cholesky). */
static void
solve(int n, double m[][OPERATOR_DEGREE + 1], double *b)
{
	for (int j = 0; j < n; j++)
		for (int i = j; i < n; i++) {
			double sum = m[i][j];
			for (int k = 0; k < j; k++)
				sum -= m[i][k] * m[j][k];
			m[i][j] = i == j ? sqrt(sum) : sum / m[j][j];
		}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= m[i][k] * b[k];
		b[i] /= m[i][i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			b[i] -= m[k][i] * b[k];
		b[i] /= m[i][i];
	}
}

/* Least squares over t in [0,1]: the trapezoid's weights make the samples an integral. */
static void
fit(struct operator_poly *p, const struct operator_value *v)
{
	double m[OPERATOR_DEGREE + 1][OPERATOR_DEGREE + 1] = { 0 };
	double value[OPERATOR_DEGREE + 1], rise[OPERATOR_DEGREE + 1];

	for (int i = 0; i <= SAMPLES; i++) {
		double weight = i == 0 || i == SAMPLES ? 0.5 : 1;
		legendre(p->degree, 2.0 * i / SAMPLES - 1, value, rise);
		for (int a = 0; a <= p->degree; a++) {
			p->c[a] += weight * value[a] * v[i].alpha;
			for (int b = 0; b <= a; b++)
				m[a][b] += weight * value[a] * value[b];
		}
	}
	solve(p->degree + 1, m, p->c);
}

enum status
operator_fit(int K, const struct operator_window *w, int degree, struct operator_poly *p, struct error *e)
{
	enum status st = operator_window_check(w, e);

	if (st != ST_OK)
		return st;
	if (degree < 1 || degree > OPERATOR_DEGREE)
		return error_set(e, ST_USAGE, "a polynomial of degree %d: 1 to %d", degree, OPERATOR_DEGREE);
	struct operator_value *v = mem_calloc(SAMPLES + 1, sizeof *v);
	if (!v)
		return error_set(e, ST_MEMORY, "out of memory");
	*p = (struct operator_poly){ .degree = degree, .width = w->max - w->min };
	for (int i = 0; i <= SAMPLES; i++)
		operator_at(K, w->min + p->width * i / SAMPLES, &v[i]);
	fit(p, v);
	for (int i = 0; i <= SAMPLES; i++) {
		double slope, alpha = operator_poly_at(p, (double)i / SAMPLES, &slope);
		p->error_alpha = fmax(p->error_alpha, fabs(alpha - v[i].alpha));
		p->error_slope = fmax(p->error_slope, fabs(slope - v[i].slope * p->width));
	}
	free(v);
	return ST_OK;
}
