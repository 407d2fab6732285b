/*
 * test_text_hostile.c: tokenizer files that are broken on purpose.  Cases are
 * the entries of kind tokenizer.json in every index.json below
 * $PSIVIEW_GOLDEN: "error" must be refused with one line that names the file,
 * "ok" must open, "any" must only come back; all in less than two seconds and
 * 64 MB.
 */
#include <jansson.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "check.h"
#include "text/show.h"
#include "text_util.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Use a tokenizer in every way there is. */
static bool
works(const struct tokenizer *t)
{
	static const char text[] = "abc [MASK] <|endoftext|> \xc3\xa9 \xe4\xb8\x80\xff 'll  \n";
	static const int32_t odd[] = { 0, 1, 5, 10, 11, 1000, INT32_MAX, -1, INT32_MIN };
	const int n = sizeof odd / sizeof odd[0];
	struct shown shown[sizeof odd / sizeof odd[0]];
	struct show_buf buf = { 0 };
	struct error e = { .msg = "" };
	int32_t *id;
	size_t k, bytes;
	char one[64];

	for (int lossy = 0; lossy < 2; lossy++) {
		enum status st = (lossy ? tok_encode_lossy : tok_encode)(t, text, sizeof text - 1, &id, &k, &e);
		if (st != ST_OK && st != ST_USAGE)
			return false;
		if (st == ST_OK)
			free(tok_decode(t, id, k, false, &bytes));
		if (st == ST_OK)
			free(id);
	}
	char *s = tok_decode(t, odd, (size_t)n, true, &bytes);
	bool ok = s && show_tokens(t, odd, n, 0, shown, &buf);
	for (int i = 0; i < n; i++)
		show_one(t, odd[i], 0, one, sizeof one);
	free(s);
	show_buf_done(&buf);
	return ok;
}

static struct noise where = { .seed = 5 };

static unsigned
rnd(size_t n)
{
	where.pos++;
	return (unsigned)noise_token(&where, STAGE_DATA, (int)n);
}

/* Copies of a good file with bytes changed, taken out, put in or cut off: each opens or is refused. */
static void
mutate(const char *path)
{
	static const char piece[] = "{}[],:\"0-9e\\u\xc4\xff null";
	size_t n = 0, bytes;
	char *good = read_text(path, &n), *s = malloc(n + 8);
	int bad = 0, opened = 0, rounds;
	struct tokenizer *t;
	struct error e;

	rounds = n > 100000 ? 10 : 300;
	for (int k = 0; good && s && n && k < rounds; k++) {
		memcpy(s, good, bytes = n);
		for (unsigned i = rnd(3) + 1; i > 0; i--) {
			size_t at = rnd(bytes), how = rnd(8);
			if (how == 0 && bytes > 2) {
				memmove(s + at, s + at + 1, --bytes - at);
			} else if (how == 1 && bytes < n + 8) {
				memmove(s + at + 1, s + at, bytes++ - at);
			} else if (how == 2 && rnd(4) == 0) {
				bytes = at + 1;
			} else {
				s[at] = how < 6 ? piece[rnd(sizeof piece - 1)] : (char)rnd(256);
			}
		}
		enum status st = tok_from_json((const uint8_t *)s, bytes, &t, &e);
		bad += st == ST_OK ? !works(t) : st != ST_CKPT || t;
		opened += st == ST_OK;
		tok_free(t);
	}
	CHECK(good && !bad, "%s: %d damaged copies, %d of them open", base_name(path), rounds, opened);
	free(good);
	free(s);
}

static bool
one_line(const char *msg, const char *path)
{
	return strstr(msg, path) && strlen(msg) > strlen(path) + 4 && !strchr(msg, '\n');
}

static void
run(const char *path, const char *expect, const char *why)
{
	struct error e = { .msg = "" };
	struct tokenizer *t = NULL;
	double start = now();
	enum status st = tok_open(path, &t, &e);
	bool good = st == ST_OK ? works(t) : st == ST_CKPT && !t && one_line(e.msg, path);

	if (strcmp(expect, "error") == 0)
		good &= st == ST_CKPT;
	else if (strcmp(expect, "ok") == 0)
		good &= st == ST_OK;
	CHECK(good && now() - start < 2, "%s (%s): %s", base_name(path), expect, why);
	printf("# %s\n", st == ST_OK ? "opened" : e.msg);
	tok_free(t);
	if (strcmp(expect, "ok") == 0)
		mutate(path);
}

static int
index_file(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL), *c;
	int n = 0;
	size_t i;

	json_array_foreach(json_object_get(root, "cases"), i, c) {
		const char *kind = json_string_value(json_object_get(c, "kind"));
		const char *file = json_string_value(json_object_get(c, "path"));
		char full[4096];
		if (!kind || !file || strcmp(kind, "tokenizer.json") != 0)
			continue;
		snprintf(full, sizeof full, "%.*s%s", (int)(base_name(path) - path), path, file);
		run(full, json_string_value(json_object_get(c, "expect")),
		    json_string_value(json_object_get(c, "why")));
		n++;
	}
	json_decref(root);
	return n;
}

/* Paths that are no tokenizer files at all. */
static void
test_paths(void)
{
	struct tokenizer *t;
	struct error e;
	char folder[] = "/tmp/psiview-test-XXXXXX", name[64];

	CHECK(tok_open("/nowhere/tokenizer.json", &t, &e) == ST_CKPT && one_line(e.msg, "/nowhere/tokenizer.json"),
	      "a missing file");
	CHECK(tok_open("/dev/null", &t, &e) == ST_CKPT && one_line(e.msg, "/dev/null"), "a device");
	if (!mkdtemp(folder)) {
		check_skip("no folder can be made in /tmp");
		return;
	}
	CHECK(tok_open(folder, &t, &e) == ST_CKPT && one_line(e.msg, folder), "a folder without a tokenizer");
	snprintf(name, sizeof name, "%s/f", folder);
	CHECK(mkfifo(name, 0600) == 0 && tok_open(name, &t, &e) == ST_CKPT && one_line(e.msg, name),
	      "a fifo does not hang");
	unlink(name);
	rmdir(folder);
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN");
	struct paths files = { 0 };
	struct rusage r;
	int n = 0;

	golden = golden ? golden : "tests/golden";
	find_files(golden, &files);
	for (size_t i = 0; i < files.n; i++)
		if (strcmp(base_name(files.p[i]), "index.json") == 0)
			n += index_file(files.p[i]);
	if (!n)
		check_skip("no hostile tokenizer files in %s", golden);
	getrusage(RUSAGE_SELF, &r);
	if (SANITIZED)
		check_skip("memory is not measured under a sanitizer");
	else
		CHECK(r.ru_maxrss < 64 * 1024, "less than 64 MB for all of them: %ld KB", r.ru_maxrss);
	CHECK(access("/tmp/psiview-pwned", F_OK) != 0, "nothing was executed");
	test_paths();
	free_paths(&files);
	return check_done();
}
