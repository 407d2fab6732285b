/*
 * tensor.h: a named array inside a mapped file.  Nothing is read until a
 * tensor is copied out or packed.  Immutable after opening: any thread.
 */
#ifndef PSI_CKPT_TENSOR_H
#define PSI_CKPT_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum dtype { DT_F32, DT_F16, DT_BF16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL, DT_COUNT };

#define TENSOR_DIMS 8

struct tensor {
	char *name;                    /* as published, without `_orig_mod.`; owned by whoever owns the list */
	enum dtype dtype;
	int ndim;
	int64_t dim[TENSOR_DIMS];
	int64_t stride[TENSOR_DIMS];   /* in elements, >= 0 */
	const uint8_t *data;           /* first element, inside the map; may be unaligned */
	bool mapped;                   /* it is in the map of a file: map_forget may be told of it */
};

size_t dtype_size(enum dtype d);
const char *dtype_name(enum dtype d);          /* "f32", "bf16", ... */
bool dtype_is_float(enum dtype d);

size_t tensor_numel(const struct tensor *t);   /* checked at opening: cannot overflow */
bool tensor_contiguous(const struct tensor *t);

/* Widen (or narrow, from f64) elements first..first+n-1 in row-major order. */
void tensor_to_f32(const struct tensor *t, size_t first, size_t n, float *out);
void tensor_to_f64(const struct tensor *t, size_t first, size_t n, double *out);
/* The elements themselves, unchanged and packed. */
void tensor_copy(const struct tensor *t, size_t first, size_t n, void *out);
/* Integer and bool types only; ST_CKPT for floats. */
enum status tensor_to_i32(const struct tensor *t, size_t first, size_t n, int32_t *out, struct error *e);

/* Row-major strides from dim, and the size in bytes; false on overflow or a
 * negative dimension. */
bool tensor_lay_out(struct tensor *t, size_t *bytes);

/* Narrow floats to f32, bf16 or f16 (nearest, ties to even).  out: n elements. */
void f32_to_dtype(const float *in, size_t n, enum dtype d, void *out);

/* "[256, 64]" into buf; returns buf. */
char *tensor_shape(const struct tensor *t, char *buf, size_t size);

#endif
