/* adam.c: see adam.h. */
#include "train/adam.h"

#include <math.h>

#define COSINE_FLOOR 1e-6        /* where the published cosine begins and ends */

struct adam
adam_usual(void)
{
	return (struct adam){ .lr = 3e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip = 1, .ema = 0.9999,
		.schedule = ADAM_CONSTANT, .warmup = 2500 };
}

enum status
adam_check(const struct adam *a, struct error *e)
{
	if (!(a->lr > 0 && a->lr <= 1))
		return error_set(e, ST_USAGE, "the learning rate must be above 0 and at most 1, not %g", a->lr);
	if (!(a->beta1 >= 0 && a->beta1 < 1 && a->beta2 >= 0 && a->beta2 < 1 && (float)a->eps > 0))
		return error_set(e, ST_USAGE, "AdamW with beta %g and %g, eps %g has no meaning", a->beta1, a->beta2,
		    a->eps);
	if (!(a->weight_decay >= 0 && a->weight_decay * a->lr < 1))
		return error_set(e, ST_USAGE, "a weight decay of %g has no meaning", a->weight_decay);
	if (!(a->clip >= 0))
		return error_set(e, ST_USAGE, "a largest gradient norm of %g has no meaning", a->clip);
	if (!(a->ema >= 0 && a->ema < 1))
		return error_set(e, ST_USAGE, "the decay of the averaged weights must be 0 or more and below 1, not %g",
		    a->ema);
	if (a->warmup < 0 || (a->schedule == ADAM_COSINE && a->steps <= a->warmup))
		return error_set(e, ST_USAGE, "a warm-up of %lld steps does not fit into %lld", (long long)a->warmup,
		    (long long)a->steps);
	return ST_OK;
}

double
adam_rate(const struct adam *a, int64_t done)
{
	double s = (double)done, warm = (double)a->warmup, span = a->lr - COSINE_FLOOR;

	if (a->schedule == ADAM_CONSTANT)
		return done < a->warmup ? a->lr * s / warm : a->lr;
	if (done < a->warmup)
		return COSINE_FLOOR + s * span / warm;
	if (done >= a->steps)
		return COSINE_FLOOR;
	return COSINE_FLOOR + span / 2 * (1 + cos(M_PI * (s - warm) / ((double)a->steps - warm)));
}

enum status
adam_begin(const struct adam *a, int64_t n, double grad_norm, struct adam_step *out, struct error *e)
{
	double d = (double)n;

	if (!isfinite(grad_norm))
		return error_set(e, ST_NUMERIC, "step %lld: the gradient's norm is %g", (long long)n, grad_norm);
	out->lr = adam_rate(a, n - 1);
	out->clip_factor = a->clip > 0 ? fmin(1, a->clip / (grad_norm + 1e-6)) : 1;
	out->bias1 = -expm1(d * log(a->beta1));
	out->bias2 = -expm1(d * log(a->beta2));
	out->ema = fmin(a->ema, (1 + d) / (10 + d));
	return ST_OK;
}

/* Four sums, so that they may go into one vector. */
double
adam_squares(size_t n, const float *grad)
{
	double sum[4] = { 0 };
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		for (int j = 0; j < 4; j++)
			sum[j] += (double)grad[i + (size_t)j] * (double)grad[i + (size_t)j];
	for (; i < n; i++)
		sum[0] += (double)grad[i] * (double)grad[i];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void
adam_update(const struct adam *a, const struct adam_step *s, size_t n, float *restrict p, float *restrict m,
    float *restrict v, float *restrict ema, const float *restrict grad)
{
	float clip = (float)s->clip_factor, b1 = (float)a->beta1, b2 = (float)a->beta2;
	float c1 = (float)(1 - a->beta1), c2 = (float)(1 - a->beta2);
	float keep = (float)(1 - s->lr * a->weight_decay), rate = (float)(s->lr / s->bias1);
	float root = (float)(1 / sqrt(s->bias2)), eps = (float)a->eps, follow = (float)(1 - s->ema);

	for (size_t i = 0; i < n; i++) {
		float g = grad[i] * clip;
		float mean = b1 * m[i] + c1 * g, square = b2 * v[i] + c2 * (g * g);
		float w = p[i] * keep - rate * mean / (sqrtf(square) * root + eps);
		m[i] = mean;
		v[i] = square;
		p[i] = w;
		ema[i] += follow * (w - ema[i]);
	}
}
