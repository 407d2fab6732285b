/* torch.c: see torch.h. */
#include "ckpt/torch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define KEY_MAX 200
#define WRAP_MAX 4              /* _rebuild_parameter(_rebuild_parameter(...)) */

struct storage {
	const struct zip_member *member;
	size_t index;
	enum dtype dtype;         /* unless untyped */
	bool untyped;
	uint64_t bytes;           /* claimed by the persistent id and present in the member */
};

static const struct { const char *storage, *scalar; enum dtype dtype; } types[] = {
	{ "FloatStorage", "float32", DT_F32 },   { "HalfStorage", "float16", DT_F16 },
	{ "BFloat16Storage", "bfloat16", DT_BF16 }, { "DoubleStorage", "float64", DT_F64 },
	{ "LongStorage", "int64", DT_I64 },      { "IntStorage", "int32", DT_I32 },
	{ "ShortStorage", "int16", DT_I16 },     { "CharStorage", "int8", DT_I8 },
	{ "ByteStorage", "uint8", DT_U8 },       { "BoolStorage", "bool", DT_BOOL },
};

/* data.pkl lies in the one top folder of the archive. */
static enum status
find_root(struct torch_file *f, const struct map *m, const struct zip_member **pkl, struct error *e)
{
	static const char tail[] = "/data.pkl";
	size_t n = sizeof tail - 1;

	*pkl = NULL;
	for (size_t i = 0; i < f->zip.n; i++) {
		const struct zip_member *k = &f->zip.member[i];

		if (k->name_bytes <= n || memcmp(k->name + k->name_bytes - n, tail, n) ||
		    memchr(k->name, '/', k->name_bytes - n))
			continue;
		if (*pkl)
			return error_set(e, ST_CKPT, "two members end in /data.pkl");
		*pkl = k;
		f->root = k->name;
		f->root_bytes = k->name_bytes - n;
	}
	if (*pkl)
		return ST_OK;
	return error_set(e, ST_CKPT, m->bytes == 22 ? "an empty zip archive" : "a zip archive without data.pkl: not a"
	    " checkpoint of torch.save");
}

static const struct zip_member *
find_under_root(const struct torch_file *f, const char *dir, const char *key, size_t bytes)
{
	char name[1024];
	size_t n = f->root_bytes, d = strlen(dir);

	if (bytes > KEY_MAX || n + d + bytes > sizeof name)
		return NULL;
	memcpy(name, f->root, n);
	memcpy(name + n, dir, d);
	memcpy(name + n + d, key, bytes);
	return zip_find(&f->zip, name, n + d + bytes);
}

enum status
torch_open(const struct map *m, struct torch_file *f, struct error *e)
{
	const struct zip_member *pkl, *order;

	*f = (struct torch_file){ 0 };
	/* Local headers lie far apart: do not read ahead of them. */
	map_scattered(m, true);
	enum status st = zip_open(m, &f->zip, e);
	map_scattered(m, false);
	if (!st)
		st = find_root(f, m, &pkl, e);
	if (st)
		return st;
	order = find_under_root(f, "/byteorder", "", 0);
	if (order && (order->bytes < 6 || memcmp(order->data, "little", 6)))
		return error_set(e, ST_CKPT, "big-endian: only little-endian files are read");
	f->storage_type = mem_calloc(f->zip.n, 1);
	if (!f->storage_type)
		return error_set(e, ST_MEMORY, "out of memory");
	return pickle_read(pkl->data, (size_t)pkl->bytes, &f->pickle, e);
}

void
torch_done(struct torch_file *f)
{
	zip_done(&f->zip);
	pickle_free(f->pickle);
	free(f->storage_type);
	*f = (struct torch_file){ 0 };
}

/* Which of torch's functions built v; its arguments in *args. */
enum maker { MAKE_NONE, MAKE_V2, MAKE_V3, MAKE_PARAMETER };

static enum maker
maker_of(const struct torch_file *f, pk v, pk *args)
{
	const struct pickle *p = f->pickle;
	pk c = pk_callable(p, v);

	*args = pk_args(p, v);
	if (pk_global_is(p, c, "torch._utils", "_rebuild_tensor_v2") ||
	    pk_global_is(p, c, "torch._utils", "_rebuild_tensor"))
		return MAKE_V2;
	if (pk_global_is(p, c, "torch._utils", "_rebuild_tensor_v3"))
		return MAKE_V3;
	if (pk_global_is(p, c, "torch._utils", "_rebuild_parameter") ||
	    pk_global_is(p, c, "torch._utils", "_rebuild_parameter_with_state"))
		return MAKE_PARAMETER;
	return MAKE_NONE;
}

bool
torch_is_tensor(const struct torch_file *f, pk v)
{
	pk args;

	return maker_of(f, v, &args) != MAKE_NONE;
}

static bool
scalar_type(const struct pickle *p, pk v, enum dtype *out)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (pk_global_is(p, v, "torch", types[i].scalar)) {
			*out = types[i].dtype;
			return true;
		}
	return false;
}

static enum status
storage_class(const struct pickle *p, pk v, const char *name, struct storage *s, struct error *e)
{
	pk class = pk_global_name(p, v), module = pk_global_module(p, v);
	bool torch = pk_is(p, module, "torch") || pk_is(p, module, "torch.storage") || pk_is(p, module, "torch.cuda");
	size_t n = 0;

	s->untyped = torch && pk_is(p, class, "UntypedStorage");
	if (s->untyped)
		return ST_OK;
	for (size_t i = 0; torch && i < sizeof types / sizeof *types; i++)
		if (pk_is(p, class, types[i].storage)) {
			s->dtype = types[i].dtype;
			return ST_OK;
		}
	const char *text = class == PK_ABSENT ? "" : pk_text(p, class, &n);
	return error_set(e, ST_CKPT, "tensor %s has the unknown storage type %.*s", name, (int)(n < 60 ? n : 60), text);
}

/* ('storage', torch.FloatStorage, key, device, count) */
static enum status
read_storage(struct torch_file *f, pk v, const char *name, struct storage *s, struct error *e)
{
	const struct pickle *p = f->pickle;
	pk id = pk_persistent(p, v), key, count;
	size_t n, size;
	uint64_t bytes;

	if (pk_type(p, id) != PK_TUPLE || pk_count(p, id) < 5 || !pk_is(p, pk_item(p, id, 0), "storage"))
		return error_set(e, ST_CKPT, "tensor %s has no storage", name);
	enum status st = storage_class(p, pk_item(p, id, 1), name, s, e);
	if (st)
		return st;
	key = pk_item(p, id, 2);
	count = pk_item(p, id, 4);
	if (pk_type(p, key) != PK_STR || pk_type(p, count) != PK_INT || pk_int(p, count) < 0)
		return error_set(e, ST_CKPT, "tensor %s: its storage has no valid key and size", name);
	const char *text = pk_text(p, key, &n);
	s->member = find_under_root(f, "/data/", text, n);
	if (!s->member)
		return error_set(e, ST_CKPT, "tensor %s: its storage %.*s is not in the file", name,
		    (int)(n < 40 ? n : 40), text);
	s->index = (size_t)(s->member - f->zip.member);
	size = s->untyped ? 1 : dtype_size(s->dtype);
	if (__builtin_mul_overflow((uint64_t)pk_int(p, count), size, &bytes) || bytes > s->member->bytes)
		return error_set(e, ST_CKPT, "tensor %s: its storage is %llu bytes, fewer than it claims", name,
		    (unsigned long long)s->member->bytes);
	s->bytes = bytes;
	return ST_OK;
}

/* A tuple of whole numbers >= 0; at most TENSOR_DIMS. */
static bool
read_dims(const struct pickle *p, pk v, int64_t *out, int *n)
{
	size_t count = pk_count(p, v);

	if ((pk_type(p, v) != PK_TUPLE && pk_type(p, v) != PK_LIST) || count > TENSOR_DIMS)
		return false;
	for (size_t i = 0; i < count; i++) {
		pk d = pk_item(p, v, i);

		if (pk_type(p, d) != PK_INT || pk_int(p, d) < 0)
			return false;
		out[i] = pk_int(p, d);
	}
	*n = (int)count;
	return true;
}

/* Does every element lie inside `room` elements from the first? */
static bool
inside(const struct tensor *t, uint64_t offset, uint64_t room)
{
	uint64_t last = offset, numel = 1, step;

	for (int i = 0; i < t->ndim; i++)
		if (__builtin_mul_overflow(numel, (uint64_t)t->dim[i], &numel))
			return false;
	if (numel == 0)
		return offset <= room;
	for (int i = 0; i < t->ndim; i++)
		if (__builtin_mul_overflow((uint64_t)t->dim[i] - 1, (uint64_t)t->stride[i], &step) ||
		    __builtin_add_overflow(last, step, &last))
			return false;
	return last < room && numel <= room;       /* the second: nothing is expanded from fewer numbers */
}

static enum status
read_tensor(struct torch_file *f, pk args, bool v3, const char *name, struct tensor *t, struct error *e)
{
	const struct pickle *p = f->pickle;
	struct storage s = { 0 };
	int strides = 0;

	if (pk_type(p, args) != PK_TUPLE || pk_count(p, args) < (v3 ? 7u : 4u))
		return error_set(e, ST_CKPT, "tensor %s is built with too few arguments", name);
	enum status st = read_storage(f, pk_item(p, args, 0), name, &s, e);
	if (st)
		return st;
	t->dtype = s.dtype;
	if ((v3 || s.untyped) && !(v3 && scalar_type(p, pk_item(p, args, 6), &t->dtype)))
		return error_set(e, ST_CKPT, "tensor %s has an unknown element type", name);
	pk offset = pk_item(p, args, 1);
	if (!read_dims(p, pk_item(p, args, 2), t->dim, &t->ndim) ||
	    !read_dims(p, pk_item(p, args, 3), t->stride, &strides) || strides != t->ndim ||
	    pk_type(p, offset) != PK_INT || pk_int(p, offset) < 0)
		return error_set(e, ST_CKPT, "tensor %s has no valid shape, strides and offset", name);
	if (!inside(t, (uint64_t)pk_int(p, offset), s.bytes / dtype_size(t->dtype)))
		return error_set(e, ST_CKPT, "tensor %s lies beyond its storage", name);
	uint8_t *seen = &f->storage_type[s.index];
	if (*seen && *seen != t->dtype + 1)
		return error_set(e, ST_CKPT, "tensor %s shares a storage with one of another type", name);
	*seen = (uint8_t)(t->dtype + 1);
	t->data = s.member->data + (size_t)pk_int(p, offset) * dtype_size(t->dtype);
	t->mapped = true;
	return ST_OK;
}

enum status
torch_tensor(struct torch_file *f, pk v, const char *name, struct tensor *t, struct error *e)
{
	pk args;

	for (int i = 0; i < WRAP_MAX; i++) {
		enum maker m = maker_of(f, v, &args);

		if (m == MAKE_V2 || m == MAKE_V3)
			return read_tensor(f, args, m == MAKE_V3, name, t, e);
		if (m != MAKE_PARAMETER || !pk_count(f->pickle, args))
			break;
		v = pk_item(f->pickle, args, 0);
	}
	return error_set(e, ST_CKPT, "%s is not a tensor", name);
}
