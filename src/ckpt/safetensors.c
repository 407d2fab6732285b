/*
 * safetensors.c: reading.  See safetensors.h.  The file is a u64 header
 * length, a JSON header, and the data; every byte of the data must belong to
 * exactly one tensor.  Any thread.
 */
#include "ckpt/safetensors.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/map.h"
#include "ckpt/names.h"

#define HEADER_MAX 100000000    /* as Python's safetensors */

struct st_all {                 /* what st_file points at, and what it must free */
	struct st_file f;       /* first: st_close casts back */
	struct map map;
	struct names names;
};

struct range { uint64_t begin, end; };

static const char *const dtype_code[DT_COUNT] = {
	[DT_F32] = "F32", [DT_F16] = "F16", [DT_BF16] = "BF16", [DT_F64] = "F64", [DT_I64] = "I64",
	[DT_I32] = "I32", [DT_I16] = "I16", [DT_I8] = "I8", [DT_U8] = "U8", [DT_BOOL] = "BOOL",
};

const char *
st_dtype_code(enum dtype d)
{
	return dtype_code[d];
}

static bool
parse_dtype(const char *s, enum dtype *out)
{
	for (int d = 0; s && d < DT_COUNT; d++)
		if (!strcmp(s, dtype_code[d])) {
			*out = (enum dtype)d;
			return true;
		}
	return false;
}

static enum status
parse_shape(const json_t *shape, struct tensor *t, struct error *e)
{
	size_t rank = json_array_size(shape);

	if (!json_is_array(shape))
		return error_set(e, ST_CKPT, "tensor %s has no shape", t->name);
	if (rank > TENSOR_DIMS)
		return error_set(e, ST_CKPT, "tensor %s has %zu dimensions", t->name, rank);
	t->ndim = (int)rank;
	for (size_t i = 0; i < rank; i++) {
		const json_t *d = json_array_get(shape, i);

		if (!json_is_integer(d) || json_integer_value(d) < 0)
			return error_set(e, ST_CKPT, "tensor %s: a dimension is not a whole number", t->name);
		t->dim[i] = json_integer_value(d);
	}
	return ST_OK;
}

static enum status
parse_range(const json_t *pair, const struct tensor *t, uint64_t data_bytes, struct range *r, struct error *e)
{
	const json_t *a = json_array_get(pair, 0), *b = json_array_get(pair, 1);

	if (json_array_size(pair) != 2 || !json_is_integer(a) || !json_is_integer(b))
		return error_set(e, ST_CKPT, "tensor %s: data_offsets are not two whole numbers", t->name);
	if (json_integer_value(a) < 0 || json_integer_value(b) < json_integer_value(a))
		return error_set(e, ST_CKPT, "tensor %s: data_offsets are not a range", t->name);
	r->begin = (uint64_t)json_integer_value(a);
	r->end = (uint64_t)json_integer_value(b);
	if (r->end > data_bytes)
		return error_set(e, ST_CKPT, "tensor %s lies beyond the end of the file (cut short?)", t->name);
	return ST_OK;
}

static enum status
parse_tensor(const char *name, const json_t *v, const uint8_t *data, uint64_t data_bytes, struct tensor *t,
    struct error *e)
{
	struct range r = { 0, 0 };
	const char *code = json_string_value(json_object_get(v, "dtype"));
	size_t bytes;

	t->name = mem_strdup(name);
	if (!t->name)
		return error_set(e, ST_MEMORY, "out of memory");
	if (!json_is_object(v))
		return error_set(e, ST_CKPT, "the entry of tensor %s is not an object", name);
	if (!parse_dtype(code, &t->dtype))
		return error_set(e, ST_CKPT, "tensor %s has the unknown dtype %.20s", name, code ? code : "(none)");
	enum status st = parse_shape(json_object_get(v, "shape"), t, e);
	if (!st)
		st = parse_range(json_object_get(v, "data_offsets"), t, data_bytes, &r, e);
	if (st)
		return st;
	if (!tensor_lay_out(t, &bytes) || bytes != r.end - r.begin)
		return error_set(e, ST_CKPT, "tensor %s: its shape does not fit its range of %llu bytes", name,
		    (unsigned long long)(r.end - r.begin));
	t->data = data + r.begin;
	t->mapped = true;
	return ST_OK;
}

static enum status
parse_metadata(const json_t *meta, struct st_file *f, struct error *e)
{
	const char *key;
	json_t *v;

	if (!json_is_object(meta))
		return error_set(e, ST_CKPT, "__metadata__ is not an object");
	f->meta_key = mem_calloc(json_object_size(meta), sizeof *f->meta_key);
	f->meta_value = mem_calloc(json_object_size(meta), sizeof *f->meta_value);
	if (!f->meta_key || !f->meta_value)
		return error_set(e, ST_MEMORY, "out of memory");
	json_object_foreach((json_t *)(uintptr_t)meta, key, v) {
		if (!json_is_string(v))
			return error_set(e, ST_CKPT, "__metadata__ of %s is not a text", key);
		f->meta_key[f->n_meta] = mem_strdup(key);
		f->meta_value[f->n_meta] = mem_strdup(json_string_value(v));
		if (!f->meta_key[f->n_meta++] || !f->meta_value[f->n_meta - 1])
			return error_set(e, ST_MEMORY, "out of memory");
	}
	return ST_OK;
}

/* Tensors in the order of their data, without overlap or hole. */
static int
by_data(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return (tensor_numel(x) > 0) - (tensor_numel(y) > 0);
}

static enum status
check_cover(const struct st_file *f, const uint8_t *data, const uint8_t *end, struct error *e)
{
	const uint8_t *at = data;

	for (int i = 0; i < f->n; i++) {
		const struct tensor *t = &f->tensor[i];

		if (t->data != at)
			return error_set(e, ST_CKPT, "tensor %s %s", t->name,
			    t->data < at ? "overlaps the one before it" : "comes after a hole in the data");
		at += tensor_numel(t) * dtype_size(t->dtype);
	}
	if (at != end)
		return error_set(e, ST_CKPT, "%zu bytes after the last tensor", (size_t)(end - at));
	return ST_OK;
}

static enum status
parse_header(struct st_all *a, const json_t *root, const uint8_t *data, struct error *e)
{
	struct st_file *f = &a->f;
	uint64_t data_bytes = (uint64_t)(a->map.p + a->map.bytes - data);
	enum status st = ST_OK;
	const char *key;
	json_t *v;

	if (!json_is_object(root) || json_object_size(root) > INT_MAX)
		return error_set(e, ST_CKPT, "the header is not a JSON object");
	f->tensor = mem_calloc(json_object_size(root), sizeof *f->tensor);
	if (!f->tensor)
		return error_set(e, ST_MEMORY, "out of memory");
	json_object_foreach((json_t *)(uintptr_t)root, key, v) {
		if (!strcmp(key, "__metadata__"))
			st = parse_metadata(v, f, e);
		else
			st = parse_tensor(key, v, data, data_bytes, &f->tensor[f->n++], e);
		if (st)
			return st;
	}
	qsort(f->tensor, (size_t)f->n, sizeof *f->tensor, by_data);
	st = check_cover(f, data, a->map.p + a->map.bytes, e);
	if (!st && !names_init(&a->names, (size_t)f->n))
		st = error_set(e, ST_MEMORY, "out of memory");
	for (int i = 0; !st && i < f->n; i++)
		names_add(&a->names, f->tensor[i].name, strlen(f->tensor[i].name), (uint32_t)i);
	return st;
}

static enum status
open_mapped(struct st_all *a, struct error *e)
{
	const uint8_t *p = a->map.p;
	uint64_t n = 0;
	json_t *root;

	if (a->map.bytes < 8)
		return error_set(e, ST_CKPT, "too short for a safetensors file (%zu bytes)", a->map.bytes);
	for (int i = 7; i >= 0; i--)
		n = n << 8 | p[i];
	if (n > a->map.bytes - 8)
		return error_set(e, ST_CKPT, "the header is longer than the file (cut short, or not safetensors)");
	if (n < 2 || n > HEADER_MAX || p[8] != '{')
		return error_set(e, ST_CKPT, "no safetensors header");
	enum status st = json_parse(p + 8, (size_t)n, 8, &root, e);
	if (st) {
		error_prefix(e, "safetensors header");
		return st;
	}
	st = parse_header(a, root, p + 8 + n, e);
	json_decref(root);
	return st;
}

enum status
st_open(const char *path, struct st_file **out, struct error *e)
{
	struct st_all *a = mem_calloc(1, sizeof *a);

	*out = NULL;
	if (!a)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = map_open(path, &a->map, e);
	if (!st)
		st = open_mapped(a, e);
	if (st) {
		st_close(&a->f);
		return st;
	}
	a->f.map = a->map.p;
	a->f.bytes = a->map.bytes;
	*out = &a->f;
	return ST_OK;
}

void
st_close(struct st_file *f)
{
	struct st_all *a = (struct st_all *)f;

	if (!f)
		return;
	for (int i = 0; f->tensor && i < f->n; i++)
		free(f->tensor[i].name);
	for (int i = 0; i < f->n_meta; i++) {
		free(f->meta_key[i]);
		free(f->meta_value[i]);
	}
	free(f->tensor);
	free(f->meta_key);
	free(f->meta_value);
	names_done(&a->names);
	map_done(&a->map);
	free(a);
}

const struct tensor *
st_find(const struct st_file *f, const char *name)
{
	const struct st_all *a = (const struct st_all *)f;
	uint32_t i;

	return names_find(&a->names, name, strlen(name), &i) ? &f->tensor[i] : NULL;
}

const char *
st_meta(const struct st_file *f, const char *key)
{
	for (int i = 0; i < f->n_meta; i++)
		if (!strcmp(f->meta_key[i], key))
			return f->meta_value[i];
	return NULL;
}
