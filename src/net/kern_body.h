/*
 * kern_body.h: the row kernels, written once over vectors of VW floats and
 * compiled once per instruction set.  The including file defines
 *     VW            floats per vector
 *     KERN_TARGET   the target attribute of its functions (may be empty)
 *     V_MUL32       optional: products of the lower halves of 64-bit lanes
 * (neither: 4, none) and uses the functions below in its struct kern.  Not a
 * header for others.
 *
 * The end of a row that is no multiple of VW goes through the same vector code
 * in a padded copy.
 */
#ifndef PSI_NET_KERN_BODY_H
#define PSI_NET_KERN_BODY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef VW
#define VW 4
#define KERN_TARGET
#endif

typedef float vf __attribute__((vector_size(VW * 4)));
typedef float vfu __attribute__((vector_size(VW * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(VW * 4)));

typedef uint64_t vu __attribute__((vector_size(VW * 4)));
typedef uint16_t vh __attribute__((vector_size(VW * 2)));

/* Products of the lower halves of 64-bit lanes. */
#ifndef V_MUL32
#define V_MUL32(a, b) (((a) & 0xffffffffu) * (b))
#endif

#define KERN static inline __attribute__((always_inline)) KERN_TARGET
#define KERN_FN static KERN_TARGET

#define LOAD(p) (*(const vfu *)(p))
#define STORE(p, v) (*(vfu *)(p) = (v))
#define SPLAT(x) ((vf){ 0 } + (x))
/* m ? a : b, m all ones or zeros per lane */
#define PICK(m, a, b) ((vf)(((vi)(m) & (vi)(a)) | (~(vi)(m) & (vi)(b))))

/* exp by range reduction, 2^n times a polynomial of degree 7 on |r| <= log(2)/2
 * (coefficients of Cephes expf); error below 2 units in the last place.  0
 * below -87.3, and the value at 88.3 above that; NaN stays NaN. */
#define V_EXP(out, in) do { \
	vf in_ = (in), x_ = in_, lo_ = SPLAT(-87.3f), hi_ = SPLAT(88.3f), magic_ = SPLAT(12582912.f); \
	vi keep_ = (vi)(x_ >= lo_); \
	x_ = PICK(x_ > hi_, hi_, x_); \
	x_ = PICK(keep_, x_, lo_); \
	vf t_ = x_ * 1.44269504088896341f + magic_; \
	vf n_ = t_ - magic_; \
	vf r_ = x_ - n_ * 0.693359375f; \
	r_ = r_ - n_ * -2.12194440e-4f; \
	vf p_ = SPLAT(1.9875691500e-4f); \
	p_ = p_ * r_ + 1.3981999507e-3f; \
	p_ = p_ * r_ + 8.3334519073e-3f; \
	p_ = p_ * r_ + 4.1665795894e-2f; \
	p_ = p_ * r_ + 1.6666665459e-1f; \
	p_ = p_ * r_ + 5.0000001201e-1f; \
	p_ = p_ * (r_ * r_) + r_ + 1.f; \
	vi e_ = ((vi)t_ - (vi)magic_) << 23; \
	p_ = (vf)(((vi)p_ + e_) & keep_); \
	(out) = PICK(in_ == in_, p_, in_); \
} while (0)

/* Sum of the lanes, in double. */
#define V_SUM(out, v) do { \
	float lane_[VW]; \
	double s_ = 0; \
	STORE(lane_, v); \
	for (int l_ = 0; l_ < VW; l_++) \
		s_ += (double)lane_[l_]; \
	(out) = s_; \
} while (0)

/* The end of a row, from index i on, padded with zeros; p may be NULL. */
#define TAIL_COPY(buf, p) do { \
	memset(buf, 0, sizeof buf); \
	if (p) \
		memcpy(buf, (p) + i, (size_t)(n - i) * sizeof *buf); \
} while (0)

#define GELU_INNER 0.7978845608028654f   /* sqrt(2 / pi) */

/* gelu_tanh(x) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3) */
KERN void
gelu_vec(const float *x, const float *bias, float *out)
{
	vf v = LOAD(x) + LOAD(bias), e;
	vf u = v * (GELU_INNER + GELU_INNER * 0.044715f * v * v);

	V_EXP(e, -2.f * u);
	STORE(out, v / (1.f + e));
}

KERN void
silu_vec(const float *x, const float *bias, float *out)
{
	vf v = LOAD(x) + LOAD(bias), e;

	V_EXP(e, -v);
	STORE(out, v / (1.f + e));
}

KERN void
add_vec(const float *x, const float *bias, float *out)
{
	STORE(out, LOAD(x) + LOAD(bias));
}

/* A function over (x, bias) -> out from its vector step. */
#define BIASED(name, step) \
	KERN_FN void \
	name(int n, const float *x, const float *bias, float *out) \
	{ \
		float zero[VW] = { 0 }, xt[VW], bt[VW], yt[VW]; \
		int i = 0; \
		for (; i + VW <= n; i += VW) \
			step(x + i, bias ? bias + i : zero, out + i); \
		if (i < n) { \
			TAIL_COPY(xt, x); \
			TAIL_COPY(bt, bias); \
			step(xt, bt, yt); \
			memcpy(out + i, yt, (size_t)(n - i) * sizeof *out); \
		} \
	}

BIASED(kern_gelu, gelu_vec)
BIASED(kern_silu, silu_vec)
BIASED(kern_add, add_vec)

KERN_FN void
kern_gate_add(int n, const float *x, const float *bias, const float *gate, const float *res, float *out)
{
	float zero[VW] = { 0 };
	vf one = SPLAT(1.f);
	int i = 0;

	for (; i + VW <= n; i += VW) {
		vf v = LOAD(x + i) + LOAD(bias ? bias + i : zero);
		STORE(out + i, LOAD(res + i) + (gate ? (vf)LOAD(gate + i) : one) * v);
	}
	for (; i < n; i++)
		out[i] = res[i] + (gate ? gate[i] : 1.f) * (bias ? x[i] + bias[i] : x[i]);
}

KERN_FN void
kern_scale(int n, float f, const float *x, float *out)
{
	int i = 0;

	for (; i + VW <= n; i += VW)
		STORE(out + i, f * LOAD(x + i));
	for (; i < n; i++)
		out[i] = f * x[i];
}

KERN_FN void
kern_axpy(int n, float f, const float *x, float *y)
{
	int i = 0;

	for (; i + VW <= n; i += VW)
		STORE(y + i, LOAD(y + i) + f * LOAD(x + i));
	for (; i < n; i++)
		y[i] += f * x[i];
}

KERN_FN float
kern_dot(int n, const float *x, const float *y)
{
	vf s = SPLAT(0.f);
	float lane[VW];
	int i = 0;

	for (; i + VW <= n; i += VW)
		s += LOAD(x + i) * LOAD(y + i);
	STORE(lane, s);
	for (; i < n; i++)
		lane[0] += x[i] * y[i];
	for (int w = VW / 2; w > 0; w /= 2)
		for (int l = 0; l < w; l++)
			lane[l] += lane[l + w];
	return lane[0];
}

KERN_FN void
kern_rope(int half, const float *cosine, const float *sine, float *x)
{
	float *y = x + half;
	int i = 0;

	for (; i + VW <= half; i += VW) {
		vf a = LOAD(x + i), b = LOAD(y + i), c = LOAD(cosine + i), s = LOAD(sine + i);
		STORE(x + i, a * c - b * s);
		STORE(y + i, b * c + a * s);
	}
	for (; i < half; i++) {
		float a = x[i], b = y[i];
		x[i] = a * cosine[i] - b * sine[i];
		y[i] = b * cosine[i] + a * sine[i];
	}
}

/* Mean and 1/sqrt(variance + eps) of a row, two passes. */
KERN void
moments(int n, const float *x, float *mean, float *rstd)
{
	vf s = SPLAT(0.f), q = SPLAT(0.f);
	double sum, sq;
	int i;

	for (i = 0; i + VW <= n; i += VW)
		s += LOAD(x + i);
	V_SUM(sum, s);
	for (; i < n; i++)
		sum += (double)x[i];
	float m = (float)(sum / n);
	for (i = 0; i + VW <= n; i += VW) {
		vf d = LOAD(x + i) - m;
		q += d * d;
	}
	V_SUM(sq, q);
	for (; i < n; i++)
		sq += (double)(x[i] - m) * (double)(x[i] - m);
	*mean = m;
	*rstd = (float)(1 / sqrt(sq / n + 1e-5));
}

KERN_FN void
kern_norm(int n, const float *x, const float *w, const float *shift, const float *scale, float *out)
{
	float mean, rstd, zero[VW] = { 0 };
	int i = 0;

	moments(n, x, &mean, &rstd);
	for (; i + VW <= n; i += VW) {
		vf v = (LOAD(x + i) - mean) * rstd * LOAD(w + i);
		STORE(out + i, v * (1.f + LOAD(scale ? scale + i : zero)) + LOAD(shift ? shift + i : zero));
	}
	for (; i < n; i++)
		out[i] = (x[i] - mean) * rstd * w[i] * (1.f + (scale ? scale[i] : 0)) + (shift ? shift[i] : 0);
}

/* One round of Philox 4x32 (Salmon et al., SC'11) on lanes of 64 bits, of which the upper halves do not count. */
#define PHILOX_ROUND(k0, k1) do { \
	vu p0_ = V_MUL32(c0, m0), p1_ = V_MUL32(c2, m1); \
	c0 = (p1_ >> 32) ^ c1 ^ (uint64_t)(k0); \
	c2 = (p0_ >> 32) ^ c3 ^ (uint64_t)(k1); \
	c1 = p1_; \
	c3 = p0_; \
} while (0)

#define MASK_BLOCKS (VW / 2)

/* The half words of MASK_BLOCKS counters from `block` on. */
KERN void
mask_halves(const uint32_t ctr[4], const uint32_t key[2], uint32_t block, uint16_t *half)
{
	vu zero = { 0 }, c0 = zero + ctr[0], c1 = zero, c2 = zero + ctr[2], c3 = zero + ctr[3];
	vu m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u, low = zero + 0xffffffffu;
	uint32_t k0 = key[0], k1 = key[1];
	uint64_t word[2 * MASK_BLOCKS];

	for (int l = 0; l < MASK_BLOCKS; l++)
		c1[l] = (uint64_t)l;
	c1 += ctr[1] + block;
	for (int r = 0; r < 10; r++) {
		PHILOX_ROUND(k0, k1);
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	vu a = (c0 & low) | c1 << 32, b = (c2 & low) | c3 << 32;
	for (int l = 0; l < MASK_BLOCKS; l++) {
		word[2 * l] = a[l];
		word[2 * l + 1] = b[l];
	}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(half, word, sizeof word);
#else
	for (int i = 0; i < 8 * MASK_BLOCKS; i++)
		half[i] = (uint16_t)(word[i / 4] >> (i % 4 * 16));
#endif
}

KERN_FN void
kern_mask(const uint32_t ctr[4], const uint32_t key[2], uint32_t limit, float keep, int n, float *out)
{
	uint16_t half[8 * MASK_BLOCKS];
	vi bound = (vi){ 0 } + (int32_t)limit;
	vf yes = SPLAT(keep), no = SPLAT(0.f);
	float tail[VW];

	for (int j = 0; j < n; j += 8 * MASK_BLOCKS) {
		mask_halves(ctr, key, (uint32_t)j / 8, half);
		for (int i = 0; i < 8 * MASK_BLOCKS && j + i < n; i += VW) {
			vh h;
			memcpy(&h, half + i, sizeof h);
			vi w = __builtin_convertvector(h, vi);
			vf v = PICK(w < bound, no, yes);
			if (j + i + VW <= n) {
				STORE(out + j + i, v);
			} else {
				STORE(tail, v);
				memcpy(out + j + i, tail, (size_t)(n - j - i) * sizeof *out);
			}
		}
	}
}

/* With s = 1 / (1 + exp(-2u)): gelu' = s + 2 x u' s (1 - s), where 1 - s = exp(-2u) s keeps its digits. */
KERN void
gelu_back_vec(const float *x, const float *bias, float *d)
{
	vf v = LOAD(x) + LOAD(bias), q = v * v, e;
	vf u = v * (GELU_INNER + GELU_INNER * 0.044715f * q);

	V_EXP(e, -2.f * u);
	vf s = 1.f / (1.f + e);
	vf slope = GELU_INNER + 3.f * GELU_INNER * 0.044715f * q;
	STORE(d, LOAD(d) * (s + 2.f * v * slope * s * (e * s)));
}

KERN void
silu_back_vec(const float *x, const float *bias, float *d)
{
	vf v = LOAD(x) + LOAD(bias), e;

	V_EXP(e, -v);
	vf s = 1.f / (1.f + e);
	STORE(d, LOAD(d) * (s + v * s * (e * s)));
}

/* A function that changes d by (x, bias) from its vector step. */
#define BIASED_BACK(name, step) \
	KERN_FN void \
	name(int n, const float *x, const float *bias, float *d) \
	{ \
		float zero[VW] = { 0 }, xt[VW], bt[VW], dt[VW]; \
		int i = 0; \
		for (; i + VW <= n; i += VW) \
			step(x + i, bias ? bias + i : zero, d + i); \
		if (i < n) { \
			TAIL_COPY(xt, x); \
			TAIL_COPY(bt, bias); \
			TAIL_COPY(dt, d); \
			step(xt, bt, dt); \
			memcpy(d + i, dt, (size_t)(n - i) * sizeof *d); \
		} \
	}

BIASED_BACK(kern_gelu_back, gelu_back_vec)
BIASED_BACK(kern_silu_back, silu_back_vec)

KERN_FN void
kern_softmax_back(int n, float inverse, float rest, float scale, float *p, float *ds)
{
	int i = 0;

	for (; i + VW <= n; i += VW) {
		vf w = LOAD(p + i) * inverse;
		STORE(p + i, w);
		STORE(ds + i, w * (LOAD(ds + i) - rest) * scale);
	}
	for (; i < n; i++) {
		p[i] *= inverse;
		ds[i] = p[i] * (ds[i] - rest) * scale;
	}
}

/* With g = dy w (1 + scale) and h = (x - mean) rstd: dx += rstd (g - mean(g) - h mean(g h)). */
KERN_FN void
kern_norm_back(int n, const float *x, const float *w, const float *scale, const float *dy, float *dx, float *p,
	       float *q)
{
	float mean, rstd, zero[VW] = { 0 };
	vf s1 = SPLAT(0.f), s2 = SPLAT(0.f);
	double m1, m2;
	int i = 0;

	moments(n, x, &mean, &rstd);
	for (; i + VW <= n; i += VW) {
		vf d = LOAD(dy + i), h = (LOAD(x + i) - mean) * rstd;
		vf g = d * LOAD(w + i) * (1.f + LOAD(scale ? scale + i : zero));
		s1 += g;
		s2 += g * h;
		if (p) {
			STORE(p + i, LOAD(p + i) + d);
			STORE(q + i, LOAD(q + i) + d * h);
		}
	}
	V_SUM(m1, s1);
	V_SUM(m2, s2);
	for (; i < n; i++) {
		float h = (x[i] - mean) * rstd, g = dy[i] * w[i] * (1.f + (scale ? scale[i] : 0));
		m1 += (double)g;
		m2 += (double)(g * h);
		if (p) {
			p[i] += dy[i];
			q[i] += dy[i] * h;
		}
	}
	float a = (float)(m1 / n), b = (float)(m2 / n);
	for (i = 0; i + VW <= n; i += VW) {
		vf h = (LOAD(x + i) - mean) * rstd;
		vf g = LOAD(dy + i) * LOAD(w + i) * (1.f + LOAD(scale ? scale + i : zero));
		STORE(dx + i, LOAD(dx + i) + rstd * (g - a - h * b));
	}
	for (; i < n; i++) {
		float h = (x[i] - mean) * rstd, g = dy[i] * w[i] * (1.f + (scale ? scale[i] : 0));
		dx[i] += rstd * (g - a - h * b);
	}
}

KERN_FN float
kern_softmax(int n, float *x, float scale)
{
	float top = -INFINITY, tail[VW];
	vf m = SPLAT(-INFINITY), s = SPLAT(0.f), e;
	double sum;
	int i;

	for (i = 0; i + VW <= n; i += VW) {
		vf v = LOAD(x + i);
		m = PICK(v > m, v, m);
	}
	STORE(tail, m);
	for (int l = 0; l < VW; l++)
		top = tail[l] > top ? tail[l] : top;
	for (; i < n; i++)
		top = x[i] > top ? x[i] : top;
	for (i = 0; i + VW <= n; i += VW) {
		V_EXP(e, (LOAD(x + i) - top) * scale);
		STORE(x + i, e);
		s += e;
	}
	if (i < n) {
		for (int l = 0; l < VW; l++)
			tail[l] = i + l < n ? x[i + l] : -INFINITY;
		V_EXP(e, (LOAD(tail) - top) * scale);
		STORE(tail, e);
		memcpy(x + i, tail, (size_t)(n - i) * sizeof *x);
		s += e;
	}
	V_SUM(sum, s);
	return (float)sum;
}

#endif
