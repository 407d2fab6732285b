/*
 * test_ckpt_fuzz.c: small valid checkpoints with bits flipped and cut short at
 * every offset, opened in this process from a file in memory.  Whatever opens
 * must have all its tensors inside the map.  Seeded; PSIVIEW_FUZZ=N runs N
 * rounds over each file instead of one.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "check.h"
#include "ckpt/ckpt_impl.h"
#include "text_util.h"

#if defined(__SANITIZE_THREAD__)
#define STRIDE 8                 /* mapping is slow there; every offset is tried elsewhere */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRIDE 8
#endif
#endif
#ifndef STRIDE
#define STRIDE 1
#endif

struct fuzz {
	int fd;
	char path[64];            /* of fd */
	const uint8_t *good;
	size_t bytes;
	uint64_t seed;
	uint32_t step;
	long opened, refused, outside, silent;
	double sum;               /* of everything read: so that it is read */
};

static bool
inside(const struct map *m, const struct tensor *t)
{
	uint64_t last = 0;

	if (!tensor_numel(t))
		return true;
	for (int i = 0; i < t->ndim; i++)
		last += (uint64_t)(t->dim[i] - 1) * (uint64_t)t->stride[i];
	return t->data >= m->p && t->data <= m->p + m->bytes &&
	    (last + 1) * dtype_size(t->dtype) <= (uint64_t)(m->p + m->bytes - t->data);
}

/* Read every element, so that the sanitizers see it too. */
static double
read_tensor(const struct tensor *t)
{
	double x[512], sum = 0;
	size_t n = tensor_numel(t);

	for (size_t at = 0; at < n; at += 512) {
		size_t k = n - at < 512 ? n - at : 512;

		tensor_to_f64(t, at, k, x);
		for (size_t i = 0; i < k; i++)
			sum += x[i];
	}
	return sum;
}

static void
try_open(struct fuzz *f)
{
	struct error e = { .msg = "" };
	struct ckpt *c;
	char hex[65];

	if (ckpt_open(f->path, NULL, &c, &e)) {
		f->refused++;
		f->silent += !*e.msg || strchr(e.msg, '\n');
		return;
	}
	f->opened++;
	struct map m = c->priv->map.p ? c->priv->map : (struct map){ c->priv->st[0]->map, c->priv->st[0]->bytes };
	for (int i = 0; i < c->n_raw + c->n_ema; i++) {
		const struct tensor *t = i < c->n_raw ? &c->raw[i] : &c->ema[i - c->n_raw];

		if (inside(&m, t))
			f->sum += read_tensor(t);
		else
			f->outside++;
	}
	ckpt_hash(c, false, hex, NULL);
	ckpt_close(c);
}

static uint32_t
random_word(struct fuzz *f)
{
	uint32_t ctr[4] = { f->step++, 0, 0, 0 }, key[2] = { (uint32_t)f->seed, 7 }, out[4];

	philox4x32(ctr, key, out);
	return out[0];
}

static bool
put(struct fuzz *f, const void *p, size_t n, size_t at)
{
	return pwrite(f->fd, p, n, (off_t)at) == (ssize_t)n;
}

/* One byte of the file changed, sometimes a second one elsewhere. */
static bool
flip(struct fuzz *f, size_t at)
{
	uint32_t r = random_word(f);
	size_t other = r % 3 == 0 ? random_word(f) % f->bytes : at;
	uint8_t a = (uint8_t)(f->good[at] ^ 1u << (r >> 8 & 7)), b = (uint8_t)(r >> 16);
	bool ok = put(f, &a, 1, at) && (other == at || put(f, &b, 1, other));

	try_open(f);
	return put(f, f->good + at, 1, at) && put(f, f->good + other, 1, other) && ok;
}

static void
fuzz_file(const char *path, int rounds)
{
	struct fuzz f = { .fd = memfd_create("fuzz", 0), .seed = 1234 };
	char *text = read_text(path, &f.bytes);
	bool ok = text && f.fd >= 0;

	f.good = (const uint8_t *)text;
	snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
	ok = ok && put(&f, f.good, f.bytes, 0);
	for (int r = 0; ok && r < rounds; r++)
		for (size_t at = (size_t)r % STRIDE; ok && at < f.bytes; at += STRIDE)
			ok = flip(&f, at);
	for (size_t n = f.bytes; ok && n-- > 0;) {
		ok = !ftruncate(f.fd, (off_t)n);
		if (n % STRIDE == 0 && (n < 4096 || n % 7 == 0 || f.bytes - n < 512))
			try_open(&f);
	}
	CHECK(ok && f.outside == 0 && f.silent == 0 && f.refused > 0,
	    "%s: %ld variants opened, %ld were refused with a line",
	    base_name(path), f.opened, f.refused);
	if (f.fd >= 0)
		close(f.fd);
	free(text);
}

int
main(void)
{
	static const char *const files[] = { "lightning-small.ckpt", "own-small.safetensors" };
	const char *src = getenv("SRCDIR"), *more = getenv("PSIVIEW_FUZZ");
	char path[4096];

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/tests/golden/ckpt/fuzz/%s", src ? src : ".", files[i]);
		fuzz_file(path, more ? atoi(more) : 1);
	}
	return check_done();
}
