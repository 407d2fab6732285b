/*
 * test_tensor.c: element types and strides; safetensors written and read back.
 * Every safetensors file below $PSIVIEW_GOLDEN must come back unchanged when
 * it is written again.
 */
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ckpt/safetensors.h"
#include "text_util.h"

/* The value of a half from its definition. */
static double
half_value(unsigned h)
{
	int exp = h >> 10 & 31, man = h & 1023, sign = h & 0x8000 ? -1 : 1;

	if (exp == 31)
		return man ? NAN : sign * INFINITY;
	return sign * (exp ? ldexp(1024 + man, exp - 25) : ldexp(man, -24));
}

static double
bf16_value(unsigned h)
{
	int exp = h >> 7 & 255, man = h & 127, sign = h & 0x8000 ? -1 : 1;

	if (exp == 255)
		return man ? NAN : sign * INFINITY;
	return sign * (exp ? ldexp(128 + man, exp - 134) : ldexp(man, -133));
}

static bool
same(double a, double b)
{
	return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b);
}

/* All 65536 of them, widened and narrowed again. */
static void
check_16_bits(enum dtype d, double (*value)(unsigned))
{
	static uint16_t in[65536], back[65536];
	static float f[65536];
	static double g[65536];
	struct tensor t = { .dtype = d, .ndim = 1, .dim = { 65536 }, .stride = { 1 }, .data = (const uint8_t *)in };
	int wrong = 0, changed = 0;

	for (int i = 0; i < 65536; i++)
		in[i] = (uint16_t)i;
	tensor_to_f32(&t, 0, 65536, f);
	tensor_to_f64(&t, 0, 65536, g);
	f32_to_dtype(f, 65536, d, back);
	for (int i = 0; i < 65536; i++) {
		wrong += !same(f[i], value((unsigned)i)) || !same(g[i], value((unsigned)i));
		changed += isnan(f[i]) ? !isnan(value(back[i])) : back[i] != in[i];
	}
	CHECK(wrong == 0, "all %s widen exactly", dtype_name(d));
	CHECK(changed == 0, "all %s narrow to themselves", dtype_name(d));
}

/* Narrowing goes to the nearest, and between two to the even one. */
static void
check_rounding(enum dtype d, double (*value)(unsigned), unsigned last)
{
	int wrong = 0;

	for (unsigned h = 0; h < last; h++) {
		double low = value(h), high = value(h + 1), mid = (low + high) / 2;
		float in[3] = { (float)mid, nextafterf((float)mid, 0), nextafterf((float)mid, INFINITY) };
		uint16_t out[3];

		if ((double)in[0] != mid)                     /* bf16 subnormals at the edge of float */
			continue;
		f32_to_dtype(in, 3, d, out);
		wrong += out[0] != (h % 2 ? h + 1 : h) || out[1] != h || out[2] != h + 1;
	}
	CHECK(wrong == 0, "%s rounds to the nearest, ties to even", dtype_name(d));
}

/* Against a walk over all indices. */
static void
check_strides(void)
{
	static const struct tensor shapes[] = {
		{ .ndim = 2, .dim = { 7, 5 }, .stride = { 5, 1 } }, { .ndim = 2, .dim = { 7, 5 }, .stride = { 1, 7 } },
		{ .ndim = 3, .dim = { 2, 3, 4 }, .stride = { 1, 8, 2 } },
		{ .ndim = 3, .dim = { 3, 1, 2 }, .stride = { 4, 99, 2 } },
		{ .ndim = 4, .dim = { 2, 2, 2, 3 }, .stride = { 0, 1, 2, 4 } }, { .ndim = 0 },
	};
	unsigned char raw[4 * 64 + 1];
	int wrong = 0, points = 0;

	for (int i = 0; i < 64; i++) {
		float x = (float)i;

		memcpy(raw + 1 + 4 * i, &x, 4);               /* unaligned on purpose */
	}
	for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
		struct tensor t = shapes[s];
		size_t n = tensor_numel(&t);
		float want[64], got[64];

		t.data = raw + 1;
		for (size_t i = 0; i < n; i++) {
			size_t rest = i, at = 0;

			for (int k = t.ndim - 1; k >= 0; k--) {
				at += rest % (size_t)t.dim[k] * (size_t)t.stride[k];
				rest /= (size_t)t.dim[k];
			}
			want[i] = (float)at;
		}
		for (size_t first = 0; first <= n; first++)
			for (size_t k = 0; first + k <= n; k++, points++) {
				tensor_to_f32(&t, first, k, got);
				wrong += memcmp(got, want + first, k * 4) != 0;
				tensor_copy(&t, first, k, got);
				wrong += memcmp(got, want + first, k * 4) != 0;
			}
	}
	CHECK(wrong == 0 && points > 500, "strided elements come in row-major order (%d stretches)", points);
}

static void
check_integers(void)
{
	static const int64_t big[] = { 1, -5, INT32_MAX, (int64_t)INT32_MAX + 1 };
	static const uint8_t bytes[] = { 0, 1, 255 };
	struct tensor t = { .name = (char *)(uintptr_t)"t", .dtype = DT_I64, .ndim = 1, .dim = { 4 }, .stride = { 1 },
		.data = (const uint8_t *)big };
	struct error e = { .msg = "" };
	int32_t out[4];

	CHECK(tensor_to_i32(&t, 0, 3, out, &e) == ST_OK && out[0] == 1 && out[1] == -5 && out[2] == INT32_MAX,
	    "i64 to i32");
	CHECK(tensor_to_i32(&t, 0, 4, out, &e) == ST_CKPT && strstr(e.msg, "32 bits"), "a number beyond 32 bits: %s",
	    e.msg);
	t = (struct tensor){ .name = t.name, .dtype = DT_BOOL, .ndim = 1, .dim = { 3 }, .stride = { 1 },
	    .data = bytes };
	CHECK(tensor_to_i32(&t, 0, 3, out, &e) == ST_OK && out[0] == 0 && out[1] == 1 && out[2] == 1, "bool to i32");
	t.dtype = DT_F32;
	CHECK(tensor_to_i32(&t, 0, 1, out, &e) == ST_CKPT, "floats are no whole numbers: %s", e.msg);
}

static bool
write_again(const struct st_file *f, const char *path, struct error *e)
{
	struct st_writer *w = st_writer_new(path);
	enum status st = ST_OK;

	for (int i = 0; !st && i < f->n; i++)
		st = st_declare(w, f->tensor[i].name, f->tensor[i].dtype, f->tensor[i].ndim, f->tensor[i].dim, e);
	for (int i = 0; !st && i < f->n_meta; i++)
		st = st_metadata(w, f->meta_key[i], f->meta_value[i], e);
	if (!st)
		st = st_begin(w, e);
	for (int i = 0; !st && i < f->n; i++) {
		size_t bytes = tensor_numel(&f->tensor[i]) * dtype_size(f->tensor[i].dtype), half = bytes / 3;

		st = st_write(w, f->tensor[i].data, half, e);
		if (!st)
			st = st_write(w, f->tensor[i].data + half, bytes - half, e);
	}
	if (st) {
		st_abort(w);
		return false;
	}
	return st_commit(w, e) == ST_OK;
}

static bool
same_tensor(const struct tensor *a, const struct tensor *b)
{
	bool equal = b && a->dtype == b->dtype && a->ndim == b->ndim;

	for (int i = 0; equal && i < a->ndim; i++)
		equal = a->dim[i] == b->dim[i];
	return equal && !memcmp(a->data, b->data, tensor_numel(a) * dtype_size(a->dtype));
}

static void
check_golden(const char *path)
{
	static const char again[] = "test_tensor.again";
	struct st_file *f, *g;
	struct error e = { .msg = "" };
	bool equal;

	if (!CHECK(st_open(path, &f, &e) == ST_OK, "%s opens %s", base_name(path), e.msg))
		return;
	if (CHECK(write_again(f, again, &e) && st_open(again, &g, &e) == ST_OK, "%s is written again %s",
	    base_name(path), e.msg)) {
		equal = f->n == g->n && f->n_meta == g->n_meta;
		for (int i = 0; equal && i < f->n; i++)
			equal = same_tensor(&f->tensor[i], st_find(g, f->tensor[i].name));
		for (int i = 0; equal && i < f->n_meta; i++)
			equal = st_meta(g, f->meta_key[i]) && !strcmp(st_meta(g, f->meta_key[i]), f->meta_value[i]);
		CHECK(equal, "%s comes back unchanged: %d tensors", base_name(path), f->n);
		st_close(g);
	}
	st_close(f);
	unlink(again);
}

static long
size_of(const char *path)
{
	struct stat sb;

	return stat(path, &sb) ? -1 : (long)sb.st_size;
}

/* A writer for one tensor of four floats at path, begun. */
static struct st_writer *
begun(const char *path, struct error *e)
{
	static const int64_t four[] = { 4 };
	struct st_writer *w = st_writer_new(path);

	if (st_declare(w, "x", DT_F32, 1, four, e) || st_begin(w, e)) {
		st_abort(w);
		return NULL;
	}
	return w;
}

/* A failed, abandoned or killed writer leaves the old file; nothing else stays. */
static void
check_atomic(void)
{
	static const float one[4] = { 1, 2, 3, 4 };
	char dir[] = "test_tensor.XXXXXX", path[64];
	struct error e = { .msg = "" };
	struct paths left = { 0 };

	if (!CHECK(mkdtemp(dir) != NULL, "a folder"))
		return;
	snprintf(path, sizeof path, "%s/a.safetensors", dir);
	struct st_writer *w = begun(path, &e);
	CHECK(size_of(path) == -1, "nothing is there before the end");
	CHECK(st_write(w, one, sizeof one, &e) == ST_OK && st_commit(w, &e) == ST_OK, "then it is");
	long size = size_of(path);
	w = begun(path, &e);
	st_write(w, one, 8, &e);
	CHECK(st_commit(w, &e) == ST_FAIL && size_of(path) == size, "too little data: %s", e.msg);
	w = begun(path, &e);
	CHECK(st_write(w, one, sizeof one, &e) == ST_OK && st_write(w, one, 1, &e) == ST_FAIL, "too much data: %s",
	    e.msg);
	st_abort(w);
	CHECK(size_of(path) == size, "an abandoned writer leaves the old file");
	find_files(dir, &left);
	CHECK(left.n == 1, "and nothing else");
	free_paths(&left);
	pid_t pid = fork();
	if (pid == 0) {
		w = begun(path, &e);
		st_write(w, one, 8, &e);
		raise(SIGKILL);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && size_of(path) == size, "a killed writer leaves the old file");
	CHECK(!begun("/dev/null", &e) && strstr(e.msg, "regular"), "a device is not replaced: %s", e.msg);
	CHECK(!begun("no/such/folder/x", &e) && e.code == ST_FAIL, "a folder that is not there: %s", e.msg);
	left = (struct paths){ 0 };
	find_files(dir, &left);
	for (size_t i = 0; i < left.n; i++)
		unlink(left.p[i]);
	free_paths(&left);
	rmdir(dir);
}

int
main(void)
{
	struct paths l = { 0 };
	int files = 0;

	check_16_bits(DT_F16, half_value);
	check_16_bits(DT_BF16, bf16_value);
	check_rounding(DT_F16, half_value, 0x7bff);
	check_rounding(DT_BF16, bf16_value, 0x7f7f);
	check_strides();
	check_integers();
	check_atomic();
	find_files(getenv("PSIVIEW_GOLDEN"), &l);
	for (size_t i = 0; i < l.n; i++)
		if (ends_with(l.p[i], ".safetensors") && !strstr(l.p[i], "hostile")) {
			check_golden(l.p[i]);
			files++;
		}
	if (!files)
		check_skip("no safetensors files");
	free_paths(&l);
	return check_done();
}
