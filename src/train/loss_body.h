/*
 * loss_body.h: the bodies of loss.c, included once for float rows and once for
 * double rows.  The includer defines REAL, FORM(name), EXP, LOG, LOG1P and
 * SERIES, the |delta| below which phi is a series.
 */

/* p [V] = softmax of the logits without entry `skip` (-1: none), which gets 0;
 * p may be the logits.  Returns where the largest is, and the sums. */
static struct softmax
FORM(softmax)(int V, int skip, const REAL *logit, REAL *p)
{
	struct softmax s = { .top = skip == 0 ? 1 : 0 };
	double rest = 0;

	for (int j = s.top + 1; j < V; j++)
		if (j != skip && logit[j] > logit[s.top])
			s.top = j;
	s.max = (double)logit[s.top];
	for (int j = 0; j < V; j++) {
		REAL w = j == skip ? 0 : EXP(logit[j] - (REAL)s.max);
		p[j] = w;
		if (j != s.top)
			rest += (double)w;
	}
	s.rest = rest;
	for (int j = 0; j < V; j++)
		p[j] = (REAL)((double)p[j] / (1 + rest));
	return s;
}

/* grad = weight (p - onehot(x)), with 1 - p_x from its own digits. */
static void
FORM(cross_entropy_grad)(int V, const struct softmax *s, int x, double weight, REAL *p)
{
	double miss = softmax_miss(s, x, (double)p[x]);

	for (int j = 0; j < V; j++)
		p[j] = (REAL)(weight * (double)p[j]);
	p[x] = (REAL)(-weight * miss);
}

static double
FORM(cross_entropy)(int V, int skip, int x, const REAL *logit, double factor, double weight, REAL *grad)
{
	double l = (double)logit[x];
	struct softmax s = FORM(softmax)(V, skip, logit, grad);

	FORM(cross_entropy_grad)(V, &s, x, factor * weight, grad);
	return -factor * softmax_log(&s, x, l);
}

/* Score entropy.  With s_j = logit_j + log r - log(V-1) the sum loses its
 * digits against r (log r - 1); put together it is
 *     -a'/(1-a) { sum over j of neither x nor mask of q_j + (q_x - 1 - log q_x) },  q_j = exp(logit_j) / (V-1). */
static double
FORM(score_entropy)(const struct loss *l, const struct loss_time *at, int x, const REAL *logit, double weight,
    REAL *grad)
{
	double factor = -at->slope / at->na, shift = -log(l->V - 1), sum = 0, u = (double)logit[x] + shift;

	for (int j = 0; j < l->V; j++) {
		REAL q = j == l->mask ? 0 : EXP(logit[j] + (REAL)shift);
		sum += j == x ? 0 : (double)q;
		grad[j] = (REAL)(factor * weight * (double)q);
	}
	grad[x] = (REAL)(factor * weight * expm1(u));
	return factor * (sum + exp_excess(u));
}

/* D3PM with mass on the mask: T KL, as two logarithms and their derivative by
 * p = p[mask], each put together so that b - a stands as a factor. */
static double
FORM(d3pm)(const struct loss *l, const struct loss_time *at, int x, const REAL *logit, double weight, REAL *grad)
{
	double a = at->a, na = at->na, b = at->b, nb = at->nb, gap = posterior_gap(a, na, b, nb), T = l->steps;
	double own = (double)logit[x];

	if (l->subs)
		return FORM(cross_entropy)(l->V, l->mask, x, logit, T * gap / na, weight, grad);
	struct softmax s = FORM(softmax)(l->V, -1, logit, grad);
	double p = (double)grad[l->mask], first = gap / na, down = na + a * p, slope;
	double loss = first * (log1p(a * p / na) - softmax_log(&s, x, own));
	if (nb > 0) {
		loss += nb / na * log1p(-p * gap / (na * (nb + b * p)));
		slope = gap / na * (a * b * p - na * nb) / (down * (nb + b * p));
	} else {
		slope = gap / na * a / down;
	}
	/* p_m (1 - p_m) = p_m less, less from its own digits when the mask leads */
	double less = softmax_miss(&s, l->mask, p), miss = softmax_miss(&s, x, (double)grad[x]);
	double on_x = first * miss + slope * p * (double)grad[x];
	for (int j = 0; j < l->V; j++)
		grad[j] = (REAL)(T * weight * (first - slope * p) * (double)grad[j]);
	grad[x] = (REAL)(-T * weight * on_x);
	grad[l->mask] = (REAL)(T * weight * p * (first + slope * less));
	return T * loss;
}

/* phi(r) = r - 1 - log r, from delta = r - 1 and r, whichever has the digits. */
static inline REAL
FORM(phi)(REAL delta, REAL r)
{
	REAL size = delta < 0 ? -delta : delta;

	if (size < SERIES) {
		REAL d = delta, s = (REAL)(1.0 / 10);
		s = (REAL)(1.0 / 9) - d * s;
		s = (REAL)(1.0 / 8) - d * s;
		s = (REAL)(1.0 / 7) - d * s;
		s = (REAL)(1.0 / 6) - d * s;
		s = (REAL)(1.0 / 5) - d * s;
		s = (REAL)(1.0 / 4) - d * s;
		s = (REAL)(1.0 / 3) - d * s;
		s = (REAL)(1.0 / 2) - d * s;
		return d * d * s;
	}
	return delta - (size < (REAL)0.5 ? LOG1P(delta) : LOG(r));
}

/* phi of the tokens from..to-1 summed into *phi, p v into *mean (v_j: see duo
 * below); none of them is x, z or the most likely token. */
static void
FORM(duo_sums)(const struct duo_row *d, int from, int to, const REAL *p, double *phi, double *mean)
{
	REAL A = (REAL)d->A, B = (REAL)d->B, c1 = (REAL)d->c1, c2 = (REAL)d->c2, d_z = (REAL)d->d_z;
	REAL ratio = (REAL)d->ratio, cv = (REAL)d->cv;
	double sum = 0, pv = 0;

	for (int j = from; j < to; j++) {
		REAL T = A * p[j] + B, delta = c1 * (p[j] - d_z) + c2 * p[j];
		sum += (double)FORM(phi)(delta, T * ratio);
		pv += (double)(p[j] * (cv * delta / T));
	}
	*phi += sum;
	*mean += pv;
}

static void
FORM(duo_grads)(const struct duo_row *d, int from, int to, double scale, double center, REAL *p)
{
	REAL A = (REAL)d->A, B = (REAL)d->B, c1 = (REAL)d->c1, c2 = (REAL)d->c2, d_z = (REAL)d->d_z;
	REAL cv = (REAL)d->cv;

	for (int j = from; j < to; j++) {
		REAL T = A * p[j] + B, delta = c1 * (p[j] - d_z) + c2 * p[j];
		p[j] = (REAL)(scale * (double)p[j] * ((double)(cv * delta / T) - center));
	}
}

/* The uniform NELBO as a generalised Kullback-Leibler divergence, a sum of
 * terms >= 0: with A = K a, B = 1 - a, X_j = A [j=x] + B, T_j = A p_j + B,
 *     f = -a'/A sum_j (X_j/X_z) phi(r_j),  r_j = T_j X_z / (T_z X_j) = 1 + delta_j
 *     delta_j = A [ B (d_j - d_z) + A (p_j [z=x] - p_z [j=x]) ] / (T_z X_j)
 * with d = p - onehot(x), d_x from the sum of the others; and
 *     d f / d logit_i = -a' p_i (e_i - sum_j p_j e_j),  e_j = v_j - v at the most likely token,
 *     v_j = X_j delta_j / (T_j X_z), v_z = K A d_z / (X_z T_z^2).
 * The bound is that of arXiv 2412.10193; the closed form published for it in
 * 2506.10892 loses every digit near alpha = 0 and 1. */
static double
FORM(duo)(const struct loss *l, const struct loss_time *at, int x, int z, const REAL *logit, double weight, REAL *p)
{
	struct softmax s = FORM(softmax)(l->V, -1, logit, p);
	struct duo_row d;
	double scale = -at->slope * weight, mean = 0, sum = 0;

	duo_row(&d, l->V, at, x, z, &s, (double)p[x], (double)p[z], (double)p[s.top]);
	for (int i = 0; i <= d.n; i++)
		FORM(duo_sums)(&d, i ? d.at[i - 1].token + 1 : 0, i < d.n ? d.at[i].token : l->V, p, &sum, &mean);
	sum *= d.B / d.X_z;

	/* The sum of p e leaves out the most likely token, whose e is 0. */
	double v_top = 0, kept[3];
	for (int i = 0; i < d.n; i++) {
		kept[i] = (double)p[d.at[i].token];
		sum += d.at[i].phi;
		if (d.at[i].token == s.top)
			v_top = d.at[i].v;
		else
			mean += kept[i] * d.at[i].v;
	}
	double center = mean - v_top * s.rest / (1 + s.rest);
	for (int i = 0; i <= d.n; i++)
		FORM(duo_grads)(&d, i ? d.at[i - 1].token + 1 : 0, i < d.n ? d.at[i].token : l->V, scale,
			center + v_top, p);
	for (int i = 0; i < d.n; i++)
		p[d.at[i].token] = (REAL)(scale * kept[i] * (d.at[i].v - v_top - center));
	return -at->slope / d.A * sum;
}

/* log of the sum of exp(row), in double. */
static double
FORM(log_sum)(int V, const REAL *row)
{
	double max = (double)row[0], sum = 0;

	for (int j = 1; j < V; j++)
		max = (double)row[j] > max ? (double)row[j] : max;
	for (int j = 0; j < V; j++)
		sum += exp((double)row[j] - max);
	return max + log(sum);
}

static double
FORM(row)(const struct loss *l, const struct loss_time *at, int x, int z, const REAL *logit, double weight, REAL *grad)
{
	if (!loss_counts(l, z)) {
		for (int j = 0; j < l->V; j++)
			grad[j] = 0;
		return 0;
	}
	switch (l->kind) {
	case LOSS_DUO:
		return FORM(duo)(l, at, x, z, logit, weight, grad);
	case LOSS_SEDD:
		return FORM(score_entropy)(l, at, x, logit, weight, grad);
	case LOSS_D3PM:
		return FORM(d3pm)(l, at, x, logit, weight, grad);
	case LOSS_MDLM:
		return FORM(cross_entropy)(l->V, l->mask, x, logit, -at->slope / at->na, weight, grad);
	default:
		return FORM(cross_entropy)(l->V, l->mask, x, logit, 1, weight, grad);
	}
}

static double
FORM(distill)(int V, bool backward, const REAL *student, const REAL *teacher, double weight, REAL *grad)
{
	double log_s = FORM(log_sum)(V, student), log_t = FORM(log_sum)(V, teacher), loss = 0;

	for (int j = 0; j < V; j++) {
		double lp = (double)student[j] - log_s, lq = (double)teacher[j] - log_t;
		loss += backward ? exp(lp) * (lp - lq) : exp(lq) * (lq - lp);
	}
	for (int j = 0; j < V; j++) {
		double lp = (double)student[j] - log_s, lq = (double)teacher[j] - log_t;
		grad[j] = (REAL)(weight * (backward ? exp(lp) * (lp - lq - loss) : exp(lp) - exp(lq)));
	}
	return loss;
}
