/*
 * test_hostile_net.c: every file of a hostile collection (a folder with an
 * index.json of path, kind, expect) below $PSIVIEW_GOLDEN, from opening to a
 * forward pass: what must be refused is refused with one line, what must open
 * runs.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "models/registry.h"

static int cases;
static struct pool *pool;

/* Trunk and head on zeros; NaN is no matter. */
static enum status
forward(const struct ckpt *ck, struct error *e)
{
	struct model *m;
	enum status st = model_open(ck, false, pool, &m, e);

	if (st != ST_OK)
		return st;
	size_t L = (size_t)m->L;
	int32_t *tok = calloc(L, sizeof *tok);
	float *feat = calloc(L * (size_t)m->F, sizeof *feat), *logit = calloc(L * (size_t)m->V, sizeof *logit);
	double sigma = .5;
	int label = m->classes;
	if (!tok || !feat || !logit)
		st = error_set(e, ST_MEMORY, "out of memory");
	if (st == ST_OK)
		st = m->trunk(m, 1, tok, &sigma, m->classes ? &label : NULL, feat, NULL, e);
	if (st == ST_OK)
		st = m->rows(m, m->L, feat, logit, NULL, e);
	free(tok);
	free(feat);
	free(logit);
	model_free(m);
	return st;
}

static void
check_case(const char *dir, const char *path, const char *expect)
{
	char full[4096];
	struct config_override o;
	struct ckpt *ck = NULL;
	struct error e = { 0 };

	snprintf(full, sizeof full, "%s/%s", dir, path);
	config_override_init(&o);
	enum status st = ckpt_open(full, &o, &ck, &e);
	if (st == ST_OK)
		st = model_check(ck, &e);
	if (st == ST_OK)
		st = forward(ck, &e);
	ckpt_close(ck);
	cases++;
	if (strcmp(expect, "ok") == 0)
		CHECK(st == ST_OK, "%s opens and runs %s", path, st == ST_OK ? "" : e.msg);
	else if (strcmp(expect, "error") == 0)
		CHECK(st == ST_CKPT && e.msg[0] && !strchr(e.msg, '\n'), "%s: %s", path, e.msg);
	else
		CHECK(st == ST_OK || e.msg[0], "%s: either way %s", path, st == ST_OK ? "" : e.msg);
}

static void
check_index(const char *dir, const char *index)
{
	json_t *root = json_load_file(index, 0, NULL), *c;
	size_t i;

	json_array_foreach(json_object_get(root, "cases"), i, c) {
		const char *path = json_string_value(json_object_get(c, "path")),
			   *kind = json_string_value(json_object_get(c, "kind"));
		const char *expect = json_string_value(json_object_get(c, "expect"));
		if (path && kind && expect && strcmp(kind, "tokenizer.json") != 0)
			check_case(dir, path, expect);
	}
	json_decref(root);
}

static void
walk(const char *dir)
{
	DIR *d = opendir(dir);
	char path[4096];
	struct stat st;

	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] == '.' || stat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			walk(path);
		else if (strcmp(e->d_name, "index.json") == 0)
			check_index(dir, path);
	}
	if (d)
		closedir(d);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	pool = pool_new(2);
	if (dir)
		walk(dir);
	pool_free(pool);
	if (cases == 0)
		check_skip("no hostile checkpoints in %s", dir ? dir : "PSIVIEW_GOLDEN");
	else
		CHECK(access("/tmp/psiview-pwned", F_OK) != 0, "nothing in a file was executed");
	return check_done();
}
