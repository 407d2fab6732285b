/*
 * test_trace.c: the JSON lines of a branch hold all of it: replaying them gives
 * the tokens; and files that are written whole or not at all.
 */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fake_model.h"
#include "run/trace.h"
#include "sampler_util.h"

static char path[256];

static int
integer(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

/* Apply a line's touched positions; false: the arrays do not fit each other. */
static bool
replay(const json_t *line, int32_t *tok, int n)
{
	const json_t *at = json_object_get(line, "at"), *t = json_object_get(line, "tokens"),
	             *c = json_object_get(line, "causes"), *p = json_object_get(line, "probabilities");
	size_t k = json_array_size(at);

	if (json_array_size(t) != k || json_array_size(c) != k || json_array_size(p) != k)
		return false;
	for (size_t i = 0; i < k; i++) {
		int pos = (int)json_integer_value(json_array_get(at, i));
		if (pos < 0 || pos >= n)
			return false;
		tok[pos] = (int32_t)json_integer_value(json_array_get(t, i));
	}
	return true;
}

static void
check_lines(struct sampler *s, const struct node *end)
{
	int32_t tok[2 * FAKE_L], want[2 * FAKE_L];
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	int steps = 0, runs = 0, samples = 0, wrong = 0, edits = 0, counted = 0;

	memset(tok, 0xff, sizeof tok);
	copy_tokens(s, end, 2, want);
	while (f && getline(&line, &cap, f) >= 0) {
		json_t *o = json_loads(line, 0, NULL);
		const char *type = json_string_value(json_object_get(o, "type"));
		wrong += !type;
		runs += type && strcmp(type, "run") == 0 &&
			strcmp(json_string_value(json_object_get(o, "sha256")), "abc") == 0;
		if (type && (strcmp(type, "step") == 0 || strcmp(type, "edit") == 0 || strcmp(type, "start") == 0)) {
			wrong += !replay(o, tok, 2 * FAKE_L);
			steps += strcmp(type, "step") == 0;
			edits += strcmp(type, "edit") == 0;
			const char *key;
			json_t *v;
			json_object_foreach(json_object_get(o, "counts"), key, v)
				counted += (int)json_integer_value(v);
		}
		if (type && strcmp(type, "sample") == 0) {
			int i = integer(o, "sample");
			const json_t *t = json_object_get(o, "tokens");
			samples++;
			for (size_t j = 0; j < FAKE_L; j++)
				wrong += json_integer_value(json_array_get(t, j)) != want[(size_t)i * FAKE_L + j];
			wrong += !json_object_get(o, "text") || !json_object_get(o, "entropy");
		}
		json_decref(o);
	}
	free(line);
	if (f)
		fclose(f);
	CHECK(wrong == 0 && runs == 1 && samples == 2, "every line is JSON that holds together");
	CHECK(steps == end->step && edits == 1, "one line for each of the %d steps and the edit", steps);
	CHECK(memcmp(tok, want, sizeof tok) == 0, "replaying them gives the last state");
	CHECK(counted == steps * 2 * FAKE_L, "the counts of a step cover every position");
}

static void
test_branch(void)
{
	struct fake *f = fake_new(OUT_MEAN, -1, 0, NULL);
	struct sampler *s = sampler_of(f, 2, 0);
	struct recipe r = recipe_of(&f->model, 6, ".5"), other = recipe_of(&f->model, 6, ".9");
	struct tokenizer *tok = tok_ids(FAKE_V);
	struct node *n = steps(s, start(s, &r), &r, 3);
	struct outfile *o = NULL;
	struct error e = { .code = ST_OK };
	struct edit *ed = mem_calloc(1, sizeof *ed);

	*ed = (struct edit){ .i = 5, .tok = 3, .clamp = 1 };
	struct report a = ask(s, (struct request){ .kind = RQ_EDIT, .node = n, .edit = ed, .n_edit = 1 });
	n = steps(s, a.node, &other, INT_MAX);
	report_done(&a);
	CHECK(outfile_open(path, &o, &e) == ST_OK &&
			trace_branch(o, sampler_tree(s), n, 2, FAKE_L, tok, "name", "abc", &e) == ST_OK,
		"a branch is written %s", e.msg);
	CHECK(access(path, F_OK) != 0, "nothing stands there before it is whole");
	CHECK(outfile_commit(o, &e) == ST_OK && access(path, F_OK) == 0, "then it does");
	check_lines(s, n);
	tok_free(tok);
	sampler_free(s);
	model_free(&f->model);
}

static void
test_text(void)
{
	struct tokenizer *tok = tok_bytes();
	static const int32_t ids[] = { 'a', 27, '[', 'm', '\n', 0xc3, 0xa9, 0xff, 0x7f, '\t', 0xc2, 0x9b, 'z' };
	size_t bytes;
	char *text = trace_text(tok, ids, (int)(sizeof ids / sizeof *ids), &bytes);

	CHECK(text && strcmp(text, "a\xe2\x90\x9b[m\n\xc3\xa9\xef\xbf\xbd\xe2\x90\xa1\t\xef\xbf\xbdz") == 0 &&
			bytes == strlen(text),
		"text a terminal can show");
	free(text);
	tok_free(tok);
}

/* An abandoned file leaves the old one as it was. */
static void
test_abort(void)
{
	struct outfile *o = NULL;
	char buf[16] = "";

	if (outfile_open(path, &o, NULL) == ST_OK && outfile_write(o, "old\n", 4, NULL) == ST_OK)
		outfile_commit(o, NULL);
	if (outfile_open(path, &o, NULL) == ST_OK && outfile_write(o, "new\n", 4, NULL) == ST_OK)
		outfile_abort(o);
	FILE *f = fopen(path, "r");
	CHECK(f && fgets(buf, sizeof buf, f) && strcmp(buf, "old\n") == 0, "an abandoned file leaves the old one");
	if (f)
		fclose(f);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof path, "%s/psiview-trace-%ld.jsonl", tmp ? tmp : "/tmp", (long)getpid());
	test_branch();
	test_text();
	test_abort();
	unlink(path);
	return check_done();
}
