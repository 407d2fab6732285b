/*
 * tensor.c: element types, strides and widening.  See tensor.h.  Pure
 * functions over a map: any thread.
 */
#include "ckpt/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct { const char *name; size_t size; bool is_float; } dtypes[DT_COUNT] = {
	[DT_F32] = { "f32", 4, true },   [DT_F16] = { "f16", 2, true }, [DT_BF16] = { "bf16", 2, true },
	[DT_F64] = { "f64", 8, true },   [DT_I64] = { "i64", 8, false }, [DT_I32] = { "i32", 4, false },
	[DT_I16] = { "i16", 2, false },  [DT_I8] = { "i8", 1, false }, [DT_U8] = { "u8", 1, false },
	[DT_BOOL] = { "bool", 1, false },
};

size_t
dtype_size(enum dtype d)
{
	return dtypes[d].size;
}

const char *
dtype_name(enum dtype d)
{
	return dtypes[d].name;
}

bool
dtype_is_float(enum dtype d)
{
	return dtypes[d].is_float;
}

size_t
tensor_numel(const struct tensor *t)
{
	size_t n = 1;

	for (int i = 0; i < t->ndim; i++)
		n *= (size_t)t->dim[i];
	return n;
}

bool
tensor_contiguous(const struct tensor *t)
{
	int64_t want = 1;

	for (int i = t->ndim - 1; i >= 0; i--) {
		if (t->dim[i] != 1 && t->stride[i] != want)
			return false;
		want *= t->dim[i];
	}
	return true;
}

bool
tensor_lay_out(struct tensor *t, size_t *bytes)
{
	size_t n = 1;

	for (int i = t->ndim - 1; i >= 0; i--) {
		t->stride[i] = (int64_t)n;
		if (t->dim[i] < 0 || !mem_mul(n, (size_t)t->dim[i], &n) || n > INT64_MAX)
			return false;
	}
	return mem_mul(n, dtype_size(t->dtype), bytes) && *bytes <= INT64_MAX;
}

/* IEEE half to float: exact. */
static float
half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 1023, bits;
	float f;

	if (exp == 31) {
		bits = sign | 0x7f800000 | man << 13;
	} else if (exp) {
		bits = sign | (exp + 112) << 23 | man << 13;
	} else {
		f = (float)man * 0x1p-24f;
		return sign ? -f : f;
	}
	memcpy(&f, &bits, 4);
	return f;
}

static float
bf16_to_float(uint16_t h)
{
	uint32_t bits = (uint32_t)h << 16;
	float f;

	memcpy(&f, &bits, 4);
	return f;
}

/* Elements lie `step` bytes apart, at any alignment. */
#define WIDEN(type, expr)                                                                                              \
	for (size_t i = 0; i < n; i++) {                                                                               \
		type x;                                                                                                \
		memcpy(&x, p + (ptrdiff_t)i * step, sizeof x);                                                         \
		out[i] = expr;                                                                                         \
	}                                                                                                              \
	break

static void
run_to_f32(enum dtype d, const uint8_t *p, ptrdiff_t step, size_t n, float *out)
{
	if (d == DT_F32 && step == 4) {
		memcpy(out, p, n * 4);
		return;
	}
	switch (d) {
	case DT_F32: WIDEN(float, x);
	case DT_F16: WIDEN(uint16_t, half_to_float(x));
	case DT_BF16: WIDEN(uint16_t, bf16_to_float(x));
	case DT_F64: WIDEN(double, (float)x);
	case DT_I64: WIDEN(int64_t, (float)x);
	case DT_I32: WIDEN(int32_t, (float)x);
	case DT_I16: WIDEN(int16_t, (float)x);
	case DT_I8: WIDEN(int8_t, (float)x);
	case DT_U8: WIDEN(uint8_t, (float)x);
	case DT_BOOL: WIDEN(uint8_t, x ? 1.0f : 0.0f);
	case DT_COUNT: break;
	}
}

static void
run_to_f64(enum dtype d, const uint8_t *p, ptrdiff_t step, size_t n, double *out)
{
	switch (d) {
	case DT_F32: WIDEN(float, (double)x);
	case DT_F16: WIDEN(uint16_t, (double)half_to_float(x));
	case DT_BF16: WIDEN(uint16_t, (double)bf16_to_float(x));
	case DT_F64: WIDEN(double, x);
	case DT_I64: WIDEN(int64_t, (double)x);
	case DT_I32: WIDEN(int32_t, (double)x);
	case DT_I16: WIDEN(int16_t, (double)x);
	case DT_I8: WIDEN(int8_t, (double)x);
	case DT_U8: WIDEN(uint8_t, (double)x);
	case DT_BOOL: WIDEN(uint8_t, x ? 1.0 : 0.0);
	case DT_COUNT: break;
	}
}

/* A stretch of elements at equal distance: *p its first element, *step in
 * bytes; returns its length, at most n, beginning at row-major index `first`. */
static size_t
tensor_run(const struct tensor *t, size_t first, size_t n, const uint8_t **p, ptrdiff_t *step)
{
	size_t size = dtype_size(t->dtype), rest = first, at = 0, run = n;

	*step = (ptrdiff_t)size;
	if (tensor_contiguous(t)) {
		*p = t->data + first * size;
		return n;
	}
	for (int i = t->ndim - 1; i >= 0; i--) {
		size_t d = (size_t)t->dim[i], k = rest % d;

		if (i == t->ndim - 1) {
			*step = (ptrdiff_t)((size_t)t->stride[i] * size);
			run = d - k < n ? d - k : n;
		}
		at += k * (size_t)t->stride[i];
		rest /= d;
	}
	*p = t->data + at * size;
	return run;
}

void
tensor_to_f32(const struct tensor *t, size_t first, size_t n, float *out)
{
	while (n) {
		const uint8_t *p;
		ptrdiff_t step;
		size_t k = tensor_run(t, first, n, &p, &step);

		run_to_f32(t->dtype, p, step, k, out);
		first += k;
		out += k;
		n -= k;
	}
}

void
tensor_to_f64(const struct tensor *t, size_t first, size_t n, double *out)
{
	while (n) {
		const uint8_t *p;
		ptrdiff_t step;
		size_t k = tensor_run(t, first, n, &p, &step);

		run_to_f64(t->dtype, p, step, k, out);
		first += k;
		out += k;
		n -= k;
	}
}

void
tensor_copy(const struct tensor *t, size_t first, size_t n, void *out)
{
	size_t size = dtype_size(t->dtype);
	uint8_t *to = out;

	while (n) {
		const uint8_t *p;
		ptrdiff_t step;
		size_t k = tensor_run(t, first, n, &p, &step);

		if (step == (ptrdiff_t)size)
			memcpy(to, p, k * size);
		else
			for (size_t i = 0; i < k; i++)
				memcpy(to + i * size, p + (ptrdiff_t)i * step, size);
		first += k;
		to += k * size;
		n -= k;
	}
}

static bool
run_to_i32(enum dtype d, const uint8_t *p, ptrdiff_t step, size_t n, int32_t *out)
{
	bool fits = true;

	switch (d) {
	case DT_I64: WIDEN(int64_t, (fits &= x == (int32_t)x, (int32_t)x));
	case DT_I32: WIDEN(int32_t, x);
	case DT_I16: WIDEN(int16_t, x);
	case DT_I8: WIDEN(int8_t, x);
	case DT_U8: WIDEN(uint8_t, x);
	case DT_BOOL: WIDEN(uint8_t, x != 0);
	case DT_F32: case DT_F16: case DT_BF16: case DT_F64: case DT_COUNT: break;
	}
	return fits;
}

enum status
tensor_to_i32(const struct tensor *t, size_t first, size_t n, int32_t *out, struct error *e)
{
	if (dtype_is_float(t->dtype))
		return error_set(e, ST_CKPT, "tensor %s holds %s, not whole numbers", t->name, dtype_name(t->dtype));
	while (n) {
		const uint8_t *p;
		ptrdiff_t step;
		size_t k = tensor_run(t, first, n, &p, &step);

		if (!run_to_i32(t->dtype, p, step, k, out))
			return error_set(e, ST_CKPT, "tensor %s holds a number beyond 32 bits", t->name);
		first += k;
		out += k;
		n -= k;
	}
	return ST_OK;
}

char *
tensor_shape(const struct tensor *t, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "[");

	for (int i = 0; i < t->ndim && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
	if (at < size)
		snprintf(buf + at, size - at, "]");
	return buf;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static uint16_t
float_to_bf16(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, 4);
	if (isnan(f))
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static uint16_t
float_to_half(float f)
{
	uint32_t bits, a;
	uint16_t sign;

	memcpy(&bits, &f, 4);
	sign = (uint16_t)(bits >> 16 & 0x8000);
	a = bits & 0x7fffffff;
	if (a > 0x7f800000)
		return sign | 0x7e00;
	if (a >= 0x477ff000)                       /* 65520 and above: infinity */
		return sign | 0x7c00;
	if (a < 0x38800000)                        /* below 2^-14: a multiple of 2^-24 */
		return sign | (uint16_t)lrintf(fabsf(f) * 0x1p24f);
	a += 0xfff + (a >> 13 & 1);
	return sign | (uint16_t)((a - 0x38000000) >> 13);
}

void
f32_to_dtype(const float *in, size_t n, enum dtype d, void *out)
{
	uint16_t *h = out;

	if (d == DT_F32)
		memcpy(out, in, n * sizeof *in);
	for (size_t i = 0; d == DT_BF16 && i < n; i++)
		h[i] = float_to_bf16(in[i]);
	for (size_t i = 0; d == DT_F16 && i < n; i++)
		h[i] = float_to_half(in[i]);
}
