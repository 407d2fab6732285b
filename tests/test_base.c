/* test_base.c: Philox against its published vectors, the pool, errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "check.h"

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void
test_philox(void)
{
	static const struct { uint32_t ctr[4], key[2], out[4]; } kat[] = {
		{ { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
		  { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
		  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
		uint32_t out[4];
		philox4x32(kat[i].ctr, kat[i].key, out);
		CHECK(memcmp(out, kat[i].out, sizeof out) == 0, "philox known answer %zu", i);
	}
}

static void
test_noise(void)
{
	struct noise n = { .seed = 7, .step = 3, .sample = 2, .pos = 11 };
	double sum = 0, sq = 0;
	int count[5] = { 0 };

	for (uint32_t i = 0; i < 100000; i++) {
		n.step = i;
		double u = noise_scalar(&n, STAGE_PART);
		sum += u;
		sq += u * u;
		count[noise_token(&n, STAGE_UNIFORM, 5)]++;
	}
	CHECK(fabs(sum / 1e5 - .5) < .004, "mean of uniforms");
	CHECK(fabs(sq / 1e5 - 1. / 3) < .004, "second moment of uniforms");
	bool even = true;
	for (int i = 0; i < 5; i++)
		even &= abs(count[i] - 20000) < 700;
	CHECK(even, "tokens are uniform");

	uint32_t whole[64], part[4];
	noise_words(&n, STAGE_TOKEN, 0, 64, whole);
	noise_words(&n, STAGE_TOKEN, 8, 4, part);
	CHECK(memcmp(whole + 8, part, sizeof part) == 0, "words do not depend on where a row is cut");
	CHECK(isfinite(noise_gumbel(0)) && isfinite(noise_gumbel(0xffffffff)), "Gumbel of the end words is finite");
}

struct loop { _Atomic int sum; struct cancel *cancel; struct pool *pool; };

static void
add(void *arg, int item, int worker)
{
	struct loop *l = arg;
	(void)worker;
	l->sum += item;
}

static void
nested(void *arg, int item, int worker)
{
	struct loop *l = arg;
	(void)item, (void)worker;
	pool_run(l->pool, POOL_SAMPLE, 10, add, l, NULL);
}

static void
stop_at_five(void *arg, int item, int worker)
{
	struct loop *l = arg;
	(void)worker;
	l->sum++;
	if (item == 5)
		atomic_store(&l->cancel->asked, 1);
}

static void
count_between(void *arg)
{
	(*(int *)arg)++;
}

static void
test_pool(int threads)
{
	struct pool *p = pool_new(threads);
	struct loop l = { .pool = p };

	CHECK(pool_run(p, POOL_SAMPLE, 1000, add, &l, NULL) == ST_OK && l.sum == 499500, "%d threads: every item once",
		threads);
	l.sum = 0;
	CHECK(pool_run(p, POOL_SAMPLE, 8, nested, &l, NULL) == ST_OK && l.sum == 8 * 45, "%d threads: nested loops",
		threads);
	struct cancel c = { 0 };
	l.sum = 0;
	l.cancel = &c;
	CHECK(pool_run(p, POOL_SAMPLE, 100000, stop_at_five, &l, &c) == ST_CANCELLED && l.sum < 1000,
		"%d threads: cancel", threads);
	int calls = 0;
	struct cancel b = { .between = count_between, .arg = &calls };
	pool_run(p, POOL_SAMPLE, 500, add, &l, &b);
	CHECK(calls > 0, "%d threads: between is called", threads);
	CHECK(pool_run(p, POOL_SAMPLE, 0, add, &l, NULL) == ST_OK, "%d threads: no items", threads);
	pool_free(p);
}

int
main(void)
{
	struct error e;

	test_philox();
	test_noise();
	test_pool(1);
	test_pool(2);
	test_pool(5);
	error_set(&e, ST_CKPT, "%s", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x91\xa9 \xc2\x9b" "A \xff \xe2\x82");
	CHECK(strcmp(e.msg, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x91\xa9 ??A ? ??") == 0,
		"and hold no control characters and whole characters only");
	CHECK(error_set(&e, ST_CKPT, "a\nb %d", 3) == ST_CKPT && strcmp(e.msg, "a?b 3") == 0, "messages are one line");
	error_prefix(&e, "file");
	CHECK(strcmp(e.msg, "file: a?b 3") == 0, "prefix");
	return check_done();
}
