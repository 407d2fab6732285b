/*
 * test_demo.c: the bundled checkpoints through the sampler thread: the same
 * recipe gives the same tokens with any number of threads, any batch, straight
 * or after jumps back and forth; runs that differ little in kappa stay near
 * each other at first.
 */
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "run/open.h"
#include "run/sampler.h"

enum { SAMPLES = 3, JUMPS = 40 };

static uint64_t seed = 4;

static int
draw(int below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (int)((seed >> 33) % (unsigned)below);
}

static struct opened *
open_with(const char *path, int threads)
{
	struct open_setup setup = { .path = path, .threads = threads };
	struct opened *o = NULL;
	struct error e;

	config_override_init(&setup.override);
	if (open_run(&setup, &o, &e) != ST_OK)
		CHECK(false, "%s", e.msg);
	return o;
}

static struct recipe
recipe_for(const struct opened *o, const char *kappa)
{
	struct recipe r;

	recipe_default(o->ema, false, &r);
	recipe_set(&r, "steps", "8", NULL);
	recipe_set(&r, "top-p", ".9", NULL);
	recipe_set(&r, "kappa", kappa, NULL);
	return r;
}

static struct node *
ask(struct sampler *s, struct request q)
{
	struct report r;
	uint64_t ticket = sampler_ask(s, &q);

	for (;;) {
		sampler_wait(s, &r);
		struct node *n = r.status == ST_OK ? r.node : NULL;
		bool last = r.last && r.ticket == ticket;
		report_done(&r);
		if (last)
			return n;
	}
}

static struct node *
steps(struct sampler *s, struct node *n, const struct recipe *r, int count)
{
	return ask(s, (struct request){ .kind = RQ_STEP, .node = n, .recipe = *r, .count = count });
}

static void
tokens_of(struct sampler *s, const struct node *n, int S, int L, int32_t *out)
{
	struct state st;

	state_init(&st, S, L, NULL);
	tree_read(sampler_tree(s), n, &st);
	memcpy(out, st.tok, (size_t)S * (size_t)L * sizeof *out);
	state_done(&st);
}

/* A whole run, straight. */
static void
straight(const char *path, int threads, int S, int32_t *out)
{
	struct opened *o = open_with(path, threads);
	struct sampler_setup setup = { .ema = o->ema, .raw = o->raw, .samples = S, .cache_bytes = 1 << 20 };
	struct sampler *s = sampler_new(&setup, NULL);
	struct recipe r = recipe_for(o, ".95");
	struct node *top = ask(s, (struct request){ .kind = RQ_START, .recipe = r });

	tokens_of(s, steps(s, top, &r, INT_MAX), S, o->ema->L, out);
	sampler_free(s);
	open_done(o);
}

static void
jumping(const char *path, int32_t *out)
{
	struct opened *o = open_with(path, 2);
	struct sampler_setup setup = { .ema = o->ema, .raw = o->raw, .samples = 1, .cache_bytes = 1 << 18 };
	struct sampler *s = sampler_new(&setup, NULL);
	struct recipe r = recipe_for(o, ".95"), other = recipe_for(o, ".5");
	struct node *at = ask(s, (struct request){ .kind = RQ_START, .recipe = r });

	for (int i = 0; i < JUMPS; i++) {
		at = steps(s, at, &r, 1 + draw(3));
		for (int back = draw(4); back > 0 && at->up; back--)
			at = at->up;
		if (draw(4) == 0)
			steps(s, at, &other, 1);
		ask(s, (struct request){ .kind = draw(2) ? RQ_PREVIEW : RQ_AHEAD, .node = at,
			.recipe = draw(2) ? r : other,
			.compute = draw(2) });
	}
	tokens_of(s, steps(s, at, &r, INT_MAX), 1, o->ema->L, out);
	sampler_free(s);
	open_done(o);
}

static void
test_same_tokens(const char *path, const char *name, int L)
{
	size_t row = (size_t)L * sizeof(int32_t);
	int32_t *many = mem_calloc(SAMPLES, row), *other = mem_calloc(SAMPLES, row);

	straight(path, 1, SAMPLES, many);
	for (int i = 0; i < 2; i++) {
		straight(path, i ? 5 : 2, SAMPLES, other);
		CHECK(memcmp(many, other, SAMPLES * row) == 0, "%s: %d threads", name, i ? 5 : 2);
	}
	straight(path, 2, 1, other);
	CHECK(memcmp(many, other, row) == 0, "%s: one sample at a time", name);
	jumping(path, other);
	CHECK(memcmp(many, other, row) == 0, "%s: after %d jumps back and forth", name, JUMPS);
	free(many);
	free(other);
}

static void
test_near_kappa(const char *path, const char *name, int L)
{
	struct opened *o = open_with(path, 2);
	struct sampler_setup setup = { .ema = o->ema, .samples = SAMPLES };
	struct sampler *s = sampler_new(&setup, NULL);
	struct recipe r[2] = { recipe_for(o, ".95"), recipe_for(o, ".94") };
	size_t n = SAMPLES * (size_t)L;
	int32_t *tok[2] = { mem_calloc(n, sizeof **tok), mem_calloc(n, sizeof **tok) };
	struct node *at[2];
	int differ = 0;

	for (int k = 0; k < 2; k++)
		at[k] = ask(s, (struct request){ .kind = RQ_START, .recipe = r[k] });
	for (int i = 1; i <= 2; i++) {
		differ = 0;
		for (int k = 0; k < 2; k++) {
			at[k] = steps(s, at[k], &r[k], 1);
			tokens_of(s, at[k], SAMPLES, L, tok[k]);
		}
		for (size_t j = 0; j < n; j++)
			differ += tok[0][j] != tok[1][j];
		printf("# %s: kappa .95 and .94: %d of %zu tokens differ after %d steps\n", name, differ, n, i);
	}
	CHECK(differ < (int)n / 10, "%s: runs that differ by .01 in kappa stay near each other at first", name);
	for (int k = 0; k < 2; k++)
		free(tok[k]);
	sampler_free(s);
	open_done(o);
}

/* All checkpoints in a folder; returns how many. */
static size_t
test_folder(const char *dir)
{
	char *pattern = mem_printf("%s/*.safetensors", dir);
	glob_t g;
	int rc = glob(pattern, 0, NULL, &g);

	free(pattern);
	if (rc != 0)
		return 0;
	size_t n = g.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		const char *name = strrchr(g.gl_pathv[i], '/') + 1;
		struct opened *o = open_with(g.gl_pathv[i], 1);
		int L = o->ema->L;
		open_done(o);
		test_same_tokens(g.gl_pathv[i], name, L);
		test_near_kappa(g.gl_pathv[i], name, L);
	}
	globfree(&g);
	return n;
}

int
main(void)
{
	const char *src = getenv("SRCDIR");
	char dir[4000];

	snprintf(dir, sizeof dir, "%s/data", src ? src : ".");
	CHECK(test_folder(dir) > 0, "bundled checkpoints");
	snprintf(dir, sizeof dir, "%s/tests/golden/demo", src ? src : ".");
	CHECK(test_folder(dir) > 0, "checkpoints of the tests");
	return check_done();
}
