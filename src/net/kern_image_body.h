/*
 * kern_image_body.h: the kernels of kern_image.h, compiled once per
 * instruction set like kern_body.h, whose vectors they use.  Not a header for
 * others.
 */
#ifndef PSI_NET_KERN_IMAGE_BODY_H
#define PSI_NET_KERN_IMAGE_BODY_H

#include "net/kern_body.h"
#include "net/kern_image.h"

#define VD (VW / 2)             /* doubles per vector */
typedef double vd __attribute__((vector_size(VW * 4)));
typedef double vdu __attribute__((vector_size(VW * 4), aligned(8), may_alias));
typedef int64_t vl __attribute__((vector_size(VW * 4)));
#define SPLAT_D(x) ((vd){ 0 } + (x))
#define SIGN_D ((vl){ 0 } + INT64_MIN)
#define PICK_D(m, a, b) ((vd)(((vl)(m) & (vl)(a)) | (~(vl)(m) & (vl)(b))))

#define MOMENT_ROWS 64

/* Sums over a block of rows of VW columns, in two passes over what is in
 * cache, then joined to the sums so far (Chan, Golub, LeVeque 1983).  The sum
 * of the deviations makes up for the rounding of the block's mean. */
KERN void
moment_block(int seen, int rows, const float *x, size_t ld, double *mean, double *m2)
{
	vf s = SPLAT(0.f), q = SPLAT(0.f), rest = SPLAT(0.f);
	float sum[VW], sq[VW], off[VW];

	for (int i = 0; i < rows; i++)
		s += LOAD(x + (size_t)i * ld);
	s /= (float)rows;
	for (int i = 0; i < rows; i++) {
		vf d = LOAD(x + (size_t)i * ld) - s;
		q += d * d;
		rest += d;
	}
	STORE(sum, s);
	STORE(sq, q);
	STORE(off, rest);
	for (int l = 0; l < VW; l++) {
		double o = (double)off[l] / rows, d = (double)sum[l] + o - mean[l],
		       share = (double)rows / (seen + rows);
		mean[l] += d * share;
		m2[l] += (double)sq[l] - o * o * rows + d * d * seen * share;
	}
}

KERN_FN void
kern_moments(int rows, int n, const float *x, size_t ld, double *mean, double *m2)
{
	float piece[MOMENT_ROWS * VW];

	for (int j = 0; j < n; j += VW) {
		int w = n - j < VW ? n - j : VW;
		double a[VW] = { 0 }, b[VW] = { 0 };
		for (int i = 0; i < rows; i += MOMENT_ROWS) {
			int m = rows - i < MOMENT_ROWS ? rows - i : MOMENT_ROWS;
			const float *p = x + (size_t)i * ld + j;
			if (w == VW) {
				moment_block(i, m, p, ld, a, b);
				continue;
			}
			memset(piece, 0, sizeof piece);
			for (int k = 0; k < m; k++)
				memcpy(piece + k * VW, p + (size_t)k * ld, (size_t)w * sizeof *piece);
			moment_block(i, m, piece, VW, a, b);
		}
		memcpy(mean + j, a, (size_t)w * sizeof *mean);
		memcpy(m2 + j, b, (size_t)w * sizeof *m2);
	}
}

KERN void
affine_vec(const float *x, const float *scale, const float *shift, float *out)
{
	STORE(out, LOAD(x) * LOAD(scale) + LOAD(shift));
}

KERN void
affine_silu_vec(const float *x, const float *scale, const float *shift, float *out)
{
	vf v = LOAD(x) * LOAD(scale) + LOAD(shift), e;

	V_EXP(e, -v);
	STORE(out, v / (1.f + e));
}

#define AFFINE(name, step) \
	KERN_FN void \
	name(int n, const float *x, const float *scale, const float *shift, float *out) \
	{ \
		float xt[VW], at[VW], bt[VW], yt[VW]; \
		int i = 0; \
		for (; i + VW <= n; i += VW) \
			step(x + i, scale + i, shift + i, out + i); \
		if (i < n) { \
			TAIL_COPY(xt, x); \
			TAIL_COPY(at, scale); \
			TAIL_COPY(bt, shift); \
			step(xt, at, bt, yt); \
			memcpy(out + i, yt, (size_t)(n - i) * sizeof *out); \
		} \
	}

AFFINE(kern_affine, affine_vec)
AFFINE(kern_affine_silu, affine_silu_vec)

KERN_FN void
kern_add_res(int n, const float *x, const float *bias, const float *res, float factor, float *out)
{
	if (!bias && !res) {
		for (int i = 0; i < n; i++)
			out[i] = x[i] * factor;
		return;
	}
	if (!bias || !res) {
		const float *y = bias ? bias : res;
		for (int i = 0; i < n; i++)
			out[i] = (x[i] + y[i]) * factor;
		return;
	}
	for (int i = 0; i < n; i++)
		out[i] = (x[i] + bias[i] + res[i]) * factor;
}

/* B^T of F(4, 3) on six vectors `step` apart. */
KERN void
wino_b(const vf *d, int step, vf *out, int out_step)
{
	vf a = d[0], b = d[step], c = d[2 * step], e = d[3 * step], f = d[4 * step], g = d[5 * step];
	vf even = f - 4.f * c, odd = e - 4.f * b, even2 = f - c, odd2 = 2.f * (e - b);

	out[0] = 4.f * a - 5.f * c + f;
	out[out_step] = even + odd;
	out[2 * out_step] = even - odd;
	out[3 * out_step] = even2 + odd2;
	out[4 * out_step] = even2 - odd2;
	out[5 * out_step] = 4.f * b - 5.f * e + g;
}

KERN_FN void
kern_wino_in(int n, const float *x, size_t row, size_t pixel, float *v, size_t place)
{
	vf d[6], t[36], o[6];

	for (int i = 0; i < n; i += VW) {
		for (int q = 0; q < 6; q++) {
			for (int r = 0; r < 6; r++)
				d[r] = LOAD(x + (size_t)r * row + (size_t)q * pixel + i);
			wino_b(d, 1, t + q, 6);
		}
		for (int r = 0; r < 6; r++) {
			wino_b(t + 6 * r, 1, o, 1);
			for (int q = 0; q < 6; q++)
				STORE(v + (size_t)(6 * r + q) * place + i, o[q]);
		}
	}
}

/* A^T of F(4, 3). */
KERN void
wino_a(const vf *m, vf *out, int out_step)
{
	vf s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];

	out[0] = m[0] + s + s2;
	out[out_step] = d + 2.f * d2;
	out[2 * out_step] = s + 4.f * s2;
	out[3 * out_step] = d + 8.f * d2 + m[5];
}

KERN_FN void
kern_wino_out(int n, const float *m, size_t place, float *y, size_t ld)
{
	vf d[6], t[24], o[4];

	for (int i = 0; i < n; i += VW) {
		for (int q = 0; q < 6; q++) {
			for (int r = 0; r < 6; r++)
				d[r] = LOAD(m + (size_t)(6 * r + q) * place + i);
			wino_a(d, t + q, 6);
		}
		for (int r = 0; r < 4; r++) {
			wino_a(t + 6 * r, o, 1);
			for (int q = 0; q < 4; q++)
				STORE(y + (size_t)(4 * r + q) * ld + i, o[q]);
		}
	}
}

/* G of F(4, 3) on three vectors. */
KERN void
wino_g(vf a, vf b, vf c, vf *out, int out_step)
{
	vf ends = a * (1.f / 24) + c * (1.f / 6), middle = b * (1.f / 12);
	vf all = (a + c) * (-1.f / 6), odd = b * (1.f / 6);

	out[0] = a * .25f;
	out[out_step] = all - odd;
	out[2 * out_step] = all + odd;
	out[3 * out_step] = ends + middle;
	out[4 * out_step] = ends - middle;
	out[5 * out_step] = c;
}

KERN_FN void
kern_wino_weight(int n, const float *g, size_t tap, float *out, size_t place)
{
	vf t[18], o[6];

	for (int i = 0; i < n; i += VW) {
		for (size_t q = 0; q < 3; q++) {
			const float *at = g + q * tap + i;
			wino_g(LOAD(at), LOAD(at + 3 * tap), LOAD(at + 6 * tap), t + q, 3);
		}
		for (int r = 0; r < 6; r++) {
			wino_g(t[3 * r], t[3 * r + 1], t[3 * r + 2], o, 1);
			for (int q = 0; q < 6; q++)
				STORE(out + (size_t)(6 * r + q) * place + i, o[q]);
		}
	}
}

/* G^T on six vectors. */
KERN void
wino_gt(const vf *c, int step, vf *out, int out_step)
{
	vf s = c[step] + c[2 * step], d = c[step] - c[2 * step];
	vf s2 = c[3 * step] + c[4 * step], d2 = c[3 * step] - c[4 * step];

	out[0] = c[0] * .25f + s2 * (1.f / 24) - s * (1.f / 6);
	out[out_step] = d2 * (1.f / 12) - d * (1.f / 6);
	out[2 * out_step] = (s2 - s) * (1.f / 6) + c[5 * step];
}

KERN_FN void
kern_wino_taps(int n, const float *c, size_t place, float *g, size_t tap)
{
	vf d[6], t[18], o[3];

	for (int i = 0; i < n; i += VW) {
		for (int q = 0; q < 6; q++) {
			for (int r = 0; r < 6; r++)
				d[r] = LOAD(c + (size_t)(6 * r + q) * place + i);
			wino_gt(d, 1, t + q, 6);
		}
		for (int r = 0; r < 3; r++) {
			wino_gt(t + 6 * r, 1, o, 1);
			for (int q = 0; q < 3; q++)
				STORE(g + (size_t)(3 * r + q) * tap + i, o[q]);
		}
	}
}

/* A on four vectors. */
KERN void
wino_at(const vf *y, int step, vf *out, int out_step)
{
	vf even = y[0] + y[2 * step], odd = y[step] + y[3 * step];
	vf even2 = y[0] + 4.f * y[2 * step], odd2 = 2.f * y[step] + 8.f * y[3 * step];

	out[0] = y[0];
	out[out_step] = even + odd;
	out[2 * out_step] = even - odd;
	out[3 * out_step] = even2 + odd2;
	out[4 * out_step] = even2 - odd2;
	out[5 * out_step] = y[3 * step];
}

KERN void
wino_spread_vec(const float *y, size_t row, size_t pixel, float *v, size_t place)
{
	vf d[4], t[24], o[6];

	for (int q = 0; q < 4; q++) {
		for (int r = 0; r < 4; r++)
			d[r] = LOAD(y + (size_t)r * row + (size_t)q * pixel);
		wino_at(d, 1, t + q, 4);
	}
	for (int r = 0; r < 6; r++) {
		wino_at(t + 4 * r, 1, o, 1);
		for (int q = 0; q < 6; q++)
			STORE(v + (size_t)(6 * r + q) * place, o[q]);
	}
}

KERN_FN void
kern_wino_spread(int n, const float *y, size_t row, size_t pixel, float *v, size_t place)
{
	float last[16 * VW] = { 0 };
	int i = 0;

	for (; i + VW <= n; i += VW)
		wino_spread_vec(y + i, row, pixel, v + i, place);
	if (i == n)
		return;
	for (size_t p = 0; p < 16; p++)
		memcpy(last + p * VW, y + p / 4 * row + p % 4 * pixel + i, (size_t)(n - i) * sizeof *last);
	wino_spread_vec(last, 4 * VW, VW, v + i, place);
}

/* silu'(v) = s (1 + v (1 - s)), s = 1 / (1 + exp(-v)) */
KERN void
affine_back_vec(float factor, const float *d, const float *x, const float *scale, const float *shift, bool silu,
		float *dx, float *d_scale, float *d_shift)
{
	vf g = LOAD(d) * factor, in = LOAD(x), by = LOAD(scale), v = in * by + LOAD(shift), e;

	if (silu) {
		V_EXP(e, -v);
		vf s = 1.f / (1.f + e);
		g *= s * (1.f + v * (1.f - s));
	}
	STORE(d_scale, LOAD(d_scale) + g * in);
	STORE(d_shift, LOAD(d_shift) + g);
	if (dx)
		STORE(dx, LOAD(dx) + g * by);
}

KERN_FN void
kern_affine_back(int n, float factor, const float *d, const float *x, const float *scale, const float *shift, bool silu,
		 float *dx, float *d_scale, float *d_shift)
{
	float dt[VW], xt[VW], at[VW], bt[VW], gt[VW], st[VW], ht[VW];
	int i = 0;

	for (; i + VW <= n; i += VW)
		affine_back_vec(factor, d + i, x + i, scale + i, shift + i, silu, dx ? dx + i : NULL, d_scale + i,
				d_shift + i);
	if (i == n)
		return;
	TAIL_COPY(dt, d);
	TAIL_COPY(xt, x);
	TAIL_COPY(at, scale);
	TAIL_COPY(bt, shift);
	TAIL_COPY(gt, dx);
	TAIL_COPY(st, d_scale);
	TAIL_COPY(ht, d_shift);
	affine_back_vec(factor, dt, xt, at, bt, silu, gt, st, ht);
	memcpy(d_scale + i, st, (size_t)(n - i) * sizeof *st);
	memcpy(d_shift + i, ht, (size_t)(n - i) * sizeof *ht);
	if (dx)
		memcpy(dx + i, gt, (size_t)(n - i) * sizeof *gt);
}

KERN_FN void
kern_centred(int n, const float *x, const float *mean, const float *slope, const float *shift, float *dx)
{
	int i = 0;

	for (; i + VW <= n; i += VW)
		STORE(dx + i, LOAD(dx + i) + (LOAD(x + i) - LOAD(mean + i)) * LOAD(slope + i) + LOAD(shift + i));
	for (; i < n; i++)
		dx[i] += (x[i] - mean[i]) * slope[i] + shift[i];
}

/* exp of x <= 0 to 1e-12 of its value; 0 below -700; NaN stays NaN. */
#define D_EXP(out, in) do { \
	vd in_ = (in), magic_ = SPLAT_D(0x1.8p52); \
	vl far_ = (vl)(in_ < -700.); \
	vd x_ = PICK_D(far_, SPLAT_D(-700.), in_); \
	vd t_ = x_ * 1.4426950408889634 + magic_; \
	vd n_ = t_ - magic_; \
	vd r_ = x_ - n_ * 0x1.62e42fefa38p-1; \
	r_ = r_ - n_ * 0x1.ef35793c7673p-45; \
	vd p_ = SPLAT_D(1. / 3628800); \
	p_ = p_ * r_ + 1. / 362880; \
	p_ = p_ * r_ + 1. / 40320; \
	p_ = p_ * r_ + 1. / 5040; \
	p_ = p_ * r_ + 1. / 720; \
	p_ = p_ * r_ + 1. / 120; \
	p_ = p_ * r_ + 1. / 24; \
	p_ = p_ * r_ + 1. / 6; \
	p_ = p_ * r_ + .5; \
	p_ = p_ * r_ + 1.; \
	p_ = p_ * r_ + 1.; \
	vl e_ = ((vl)t_ - (vl)magic_) << 52; \
	p_ = (vd)(((vl)p_ + e_) & ~far_); \
	(out) = PICK_D(in_ == in_, p_, in_); \
} while (0)

/* log of a positive normal number: 2^e m with m in [0.7, 1.4], then
 * 2 artanh(f / (2 + f)) of m = 1 + f, to 1e-13.  NaN stays NaN. */
#define D_LOG(out, in) do { \
	vd x_ = (in), two52_ = SPLAT_D(0x1p52); \
	vl bits_ = (vl)x_ - 0x3fe6666666666666ll; /* 0.7 */ \
	vl e_ = (vl)((vd)(((bits_ >> 52) + 4096) | (vl)two52_) - (0x1p52 + 4096.)); \
	vd m_ = (vd)((vl)x_ - ((bits_ >> 52) << 52)); \
	vd f_ = m_ - 1., s_ = f_ / (f_ + 2.), q_ = s_ * s_; \
	vd p_ = SPLAT_D(2. / 17); \
	p_ = p_ * q_ + 2. / 15; \
	p_ = p_ * q_ + 2. / 13; \
	p_ = p_ * q_ + 2. / 11; \
	p_ = p_ * q_ + 2. / 9; \
	p_ = p_ * q_ + 2. / 7; \
	p_ = p_ * q_ + 2. / 5; \
	p_ = p_ * q_ + 2. / 3; \
	p_ = p_ * q_ + 2.; \
	p_ = p_ * s_ + (vd)e_ * 0.6931471805599453; \
	(out) = PICK_D(x_ == x_, p_, x_); \
} while (0)

#define BINS 128                /* at a time */

/* z, E and q (below) at the left edges of bins first.. and the last one's right edge. */
KERN void
logistic_edges(int first, int n, int of, double mu, double inv, double *z, double *e, double *q)
{
	double width = 2. / of;
	vd lane, v, w;

	for (int l = 0; l < VD; l++)
		lane[l] = l;
	for (int j = 0; j < n + VD; j += VD) {
		v = ((lane + (double)(first + j)) * width - (1. + mu)) * inv;
		*(vdu *)(z + j) = v;
		v = (vd)((vl)v | SIGN_D);
		D_EXP(w, v);
		*(vdu *)(e + j) = w;
		*(vdu *)(q + j) = 1. / (1. + w);
	}
}

/*
 * With S the logistic function, zl and zr the ends of a bin over the scale:
 *     log S(zr) + log1p(-S(zl) / S(zr) + 1e-6) = log(S(zr) - S(zl) + 1e-6 S(zr))
 * and, with E = exp(-|z|), q = 1 / (1 + E), d = 1 - exp(zl - zr),
 *     = min(zr, 0) + log(qr (1e-6 + d ql T)),   T = El where zl >= 0, else 1,
 * in which nothing cancels.  The mirrored expression is the same of (-zr, -zl);
 * the smaller of the two (fix) is this one left of the mean and that one right
 * of it, where T is 1.
 */
KERN void
logistic_bins(int first, int n, int of, double mu, double inv, double d, bool fix, float *out)
{
	double z[BINS + 2 * VD], e[BINS + 2 * VD], q[BINS + 2 * VD];
	vd w;

	logistic_edges(first, n, of, mu, inv, z, e, q);
	for (int j = 0; j < n; j += VD) {
		vd zl = *(const vdu *)(z + j), zr = *(const vdu *)(z + j + 1);
		vd ql = *(const vdu *)(q + j), qr = *(const vdu *)(q + j + 1);
		vd one = SPLAT_D(1.), t = PICK_D(zl >= 0., *(const vdu *)(e + j), one);
		if (fix) {
			vl mirror = (vl)(zl + zr >= 0.);
			vd swap = ql;
			t = one;
			zr = PICK_D(mirror, -zl, zr);
			ql = PICK_D(mirror, qr, ql);
			qr = PICK_D(mirror, swap, qr);
		}
		D_LOG(w, qr * (1e-6 + d * ql * t));
		w += .5 * (zr - (vd)((vl)zr & ~SIGN_D));
		for (int l = 0; l < VD && j + l < n; l++)
			out[j + l] = (float)w[l];
	}
}

/* Beyond +-600 the scale is that of a point, or flat. */
KERN double
logistic_scale(double s)
{
	return s < -600 ? -600 : s > 600 ? 600 : s;
}

KERN_FN void
kern_logistic(int n, double mu, double log_scale, bool fix, float *out)
{
	double s = logistic_scale(log_scale);
	double inv = exp(2 - s), d = -expm1(-2. / n * inv);

	for (int j = 0; j < n; j += BINS)
		logistic_bins(j, n - j < BINS ? n - j : BINS, n, mu, inv, d, fix, out + j);
}

/*
 * The logit is log S(zr) + log(R), R = 1e-6 + d S(-zl), and all of z falls by
 * inv with mu, by z with the log scale; with w the width of a bin,
 *     d logit / d mu = inv (B - S(-zr)),   B = d S(zl) S(-zl) / R,
 *     d logit / d log scale = zl B - zr S(-zr) - w inv (1 - d) S(-zl) / R.
 * Mirrored, -zr and -zl take the places of zl and zr, and mu the other sign.
 */
KERN void
logistic_bins_back(int first, int n, int of, double mu, double inv, double d, bool fix, const float *g, vd *d_mu,
		   vd *d_scale)
{
	double z[BINS + 2 * VD], e[BINS + 2 * VD], q[BINS + 2 * VD], fall = -2. / of * inv * (1 - d);
	vd one = SPLAT_D(1.), by = SPLAT_D(0.), swap;

	logistic_edges(first, n, of, mu, inv, z, e, q);
	for (int j = 0; j < n; j += VD) {
		vd zl = *(const vdu *)(z + j), zr = *(const vdu *)(z + j + 1);
		vd el = *(const vdu *)(e + j), er = *(const vdu *)(e + j + 1);
		vd ql = *(const vdu *)(q + j), qr = *(const vdu *)(q + j + 1), sign = one;
		for (int l = 0; l < VD; l++)
			by[l] = j + l < n ? (double)g[j + l] : 0;
		vd up_l = ql * PICK_D(zl >= 0., one, el), down_l = ql * PICK_D(zl >= 0., el, one);
		vd up_r = qr * PICK_D(zr >= 0., one, er), down_r = qr * PICK_D(zr >= 0., er, one);
		if (fix) {
			vl mirror = (vl)(zl + zr >= 0.);
			swap = zl;
			zl = PICK_D(mirror, -zr, zl);
			zr = PICK_D(mirror, -swap, zr);
			swap = up_l;
			up_l = PICK_D(mirror, down_r, up_l);
			down_r = PICK_D(mirror, swap, down_r);
			down_l = PICK_D(mirror, up_r, down_l);
			sign = PICK_D(mirror, -one, one);
		}
		vd r = 1. / (1e-6 + d * down_l), b = d * up_l * down_l * r;
		*d_mu += by * sign * (b - down_r);
		*d_scale += by * (zl * b - zr * down_r + fall * down_l * r);
	}
}

KERN_FN void
kern_logistic_back(int n, double mu, double log_scale, bool fix, const float *g, double *d_mu, double *d_scale)
{
	double s = logistic_scale(log_scale), inv = exp(2 - s), d = -expm1(-2. / n * inv);
	vd by_mu = SPLAT_D(0.), by_scale = SPLAT_D(0.);

	for (int j = 0; j < n; j += BINS)
		logistic_bins_back(j, n - j < BINS ? n - j : BINS, n, mu, inv, d, fix, g + j, &by_mu, &by_scale);
	*d_mu = *d_scale = 0;
	for (int l = 0; l < VD; l++) {
		*d_mu += inv * by_mu[l];
		*d_scale += s == log_scale ? by_scale[l] : 0;
	}
}

static const struct kern_image kern_image = {
	.moments = kern_moments,
	.affine = kern_affine,
	.affine_silu = kern_affine_silu,
	.add = kern_add_res,
	.wino_in = kern_wino_in,
	.wino_out = kern_wino_out,
	.wino_weight = kern_wino_weight,
	.wino_taps = kern_wino_taps,
	.wino_spread = kern_wino_spread,
	.affine_back = kern_affine_back,
	.centred = kern_centred,
	.logistic = kern_logistic,
	.logistic_back = kern_logistic_back,
};

#endif
