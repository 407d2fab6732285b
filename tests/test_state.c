/*
 * test_state.c: the state of a training run: checkpoints that come back bit for
 * bit and open like any other, whatever the family; damaged ones; a writer that
 * fails.
 */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "ckpt/ckpt.h"
#include "ckpt/safetensors.h"
#include "models/classifier.h"
#include "models/registry.h"
#include "state_util.h"

/* Numbers as after some steps. */
static void
trouble(struct train_state *s)
{
	float *part[] = { s->param, s->m, s->v, s->ema, s->teacher };

	for (int k = 0; k < 5 && part[k]; k++)
		for (int i = 0; i < s->net->n_par; i++)
			for (size_t x = 0; x < s->flat.numel[i]; x++)
				part[k][s->flat.at[i] + x] += (float)sin((double)x + i + 10 * k) / 7;
	s->step = 1234;
	s->best = 1. / 3;
	s->best_step = 1200;
}

static bool
alike(const struct train_state *a, const struct train_state *b)
{
	size_t bytes = a->flat.floats * sizeof(float);

	return a->flat.floats == b->flat.floats && !memcmp(a->param, b->param, bytes) && !memcmp(a->m, b->m, bytes) &&
	       !memcmp(a->v, b->v, bytes) && !memcmp(a->ema, b->ema, bytes) && !a->teacher == !b->teacher &&
	       (!a->teacher || !memcmp(a->teacher, b->teacher, bytes)) && a->step == b->step && a->best == b->best &&
	       a->best_step == b->best_step;
}

static bool
same_job(const struct job *a, const struct job *b)
{
	char *x = job_to_json(a), *y = job_to_json(b);
	bool same = x && y && !strcmp(x, y) && a->net.vocab == b->net.vocab && a->net.mask == b->net.mask &&
		    a->net.length == b->net.length && a->net.algo == b->net.algo && a->net.bos == b->net.bos &&
		    a->net.ignore_bos == b->net.ignore_bos && a->net.classes == b->net.classes &&
		    a->net.timed == b->net.timed && a->net.label_cond == b->net.label_cond;

	free(x);
	free(y);
	return same;
}

/* What psiview makes of a checkpoint or an export. */
static void
check_opens(const struct job *j, const char *path, bool exported)
{
	struct ckpt *c;
	struct model *m = NULL;
	struct classifier *guide = NULL;

	if (!CHECK(ckpt_open(path, NULL, &c, &e) == ST_OK, "opens"))
		return;
	CHECK(c->format == CKPT_OWN && c->config.algo == j->net.algo && c->config.mask == j->net.mask &&
		  c->config.vocab == j->net.vocab && c->config.length == j->net.length &&
		  c->config.timed == j->net.timed && c->config.step == 1234 && c->config.schedule == j->net.schedule &&
		  c->config.T == j->net.T && c->config.eps == j->net.eps && c->config.ema_decay == j->net.ema_decay,
	      "as %s, mask %d, step %lld", algo_name(c->config.algo), c->config.mask, c->config.step);
	CHECK(exported ? c->holds_ema && !c->n_ema : !c->holds_ema && c->n_ema == c->n_raw, "%d weights, %d of the EMA",
	      c->n_raw, c->n_ema);
	CHECK(c->n_warning == 0 && model_check(c, &e) == ST_OK, "without a warning");
	if (j->goal == JOB_CLASSIFIER)
		CHECK(classifier_open(path, NULL, &guide, &e) == ST_OK && guide->V == j->net.vocab, "as a classifier");
	else
		CHECK(model_open(c, false, NULL, &m, &e) == ST_OK && m->mask == j->net.mask &&
			  m->bos_fixed == (j->net.ignore_bos == 1) &&
			  (j->net.bos == CONFIG_UNSET || m->bos == j->net.bos) && m->timed == j->net.timed,
		      "as a model");
	classifier_free(guide);
	model_free(m);
	ckpt_close(c);
}

static void
check_export(const struct train_state *s, const struct job *j, const struct source *src, enum dtype dtype)
{
	const char *path = file("export.safetensors");
	struct st_file *f;
	int bad = 0;

	if (!CHECK(state_export(s, j, src, (int)dtype, path, &e) == ST_OK && st_open(path, &f, &e) == ST_OK, "export"))
		return;
	for (int i = 0; i < s->net->n_par; i++) {
		char name[200];
		snprintf(name, sizeof name, "backbone.%s", s->net->par[i].name);
		const struct tensor *t = st_find(f, name);
		size_t n = s->flat.numel[i], size = dtype_size(dtype);
		void *want = malloc(n * size), *got = calloc(n, size);
		f32_to_dtype(s->ema + s->flat.at[i], n, dtype, want);
		if (t && tensor_numel(t) == n && t->dtype == dtype)
			tensor_copy(t, 0, n, got);
		bad += memcmp(want, got, n * size) != 0;
		free(want);
		free(got);
	}
	CHECK(bad == 0 && f->n == s->net->n_par && !st_meta(f, "job"), "%s: the average and nothing else",
	      dtype_name(dtype));
	st_close(f);
	check_opens(j, path, true);
}

static void
test_families(void)
{
	static const char *const run[][4] = {
		{ "sudoku", "mdlm" },
		{ "sudoku", "duo_base" },
		{ "sudoku", "ar" },
		{ "sudoku", "sedd" },
		{ "sudoku", "d3pm" },
		{ "text", "mdlm" },
		{ "text", "ar" },
		{ "text", "duo_base", "curriculum", "efficient" },
		{ "pictures", "mdlm" },
		{ "pictures", "duo_base", "noise", "cosine" },
		{ "pictures", "d3pm" },
		{ "pictures", "duo_base", "goal", "classifier" },
		{ "pictures", "mdlm", "goal", "classifier" },
		{ "pictures", "duo_base", "labels", "no" },
		{ "pictures", "mdlm", "backbone", "dit" },
	};
	struct train_state *s, *back;
	struct source *src;
	struct job again;

	for (size_t i = 0; i < sizeof run / sizeof *run; i++) {
		char what[100];
		struct job j = small(run[i][0], run[i][1]);
		if (run[i][2])
			set(&j, run[i][2], run[i][3]);
		snprintf(what, sizeof what, "%s, %s%s%s", run[i][0], run[i][1], run[i][2] ? ", " : "",
			 run[i][2] ? run[i][3] : "");
		begin(&j, &src, &s, what);
		if (!s)
			continue;
		trouble(s);
		const char *path = file("run.safetensors");
		CHECK(state_save(s, &j, src, path, &e) == ST_OK, "saved");
		enum status st = state_load(path, &again, &back, &e);
		CHECK(st == ST_OK && alike(s, back) && same_job(&j, &again) && !strcmp(again.like, path),
		      "%s: comes back bit for bit %s", what, st ? e.msg : "");
		state_free(back);
		check_opens(&j, file("run.safetensors"), false);
		check_export(s, &j, src, DT_F16);
		end(src, s);
	}
}

static void
test_dtypes(void)
{
	struct train_state *s;
	struct source *src;
	struct job j = small("sudoku", "duo_base");

	begin(&j, &src, &s, "dtypes");
	if (!s)
		return;
	trouble(s);
	check_export(s, &j, src, DT_F32);
	check_export(s, &j, src, DT_BF16);
	CHECK(state_save(s, &j, NULL, file("bare.safetensors"), &e) == ST_OK, "without a source");
	check_opens(&j, file("bare.safetensors"), false);
	end(src, s);
}

/* ---- data that changed ---- */

static void
test_resume(void)
{
	struct train_state *s, *back;
	struct source *src, *later;
	struct job j = small("text", "mdlm"), again;
	int32_t a[8], b[8];

	begin(&j, &src, &s, "text");
	if (!s)
		return;
	CHECK(state_save(s, &j, src, file("text.safetensors"), &e) == ST_OK, "saved");
	put_file("moved", "abcabc a bit of text with a new letter: \xc3\xa9 \xc3\xa9 \xc3\xa9, and enough of it");
	CHECK(state_load(file("text.safetensors"), &again, &back, &e) == ST_OK, "loaded");
	snprintf(again.path, sizeof again.path, "%s", file("moved"));
	enum status st = source_open(&again, NULL, &later, &e);
	CHECK(st == ST_OK && source_info(later).V == source_info(src).V && again.net.mask == j.net.mask,
	      "other text, the characters of the run %s", st ? e.msg : "");
	source_close(st == ST_OK ? later : NULL);
	snprintf(again.path, sizeof again.path, "%s", j.path);
	st = source_open(&again, NULL, &later, &e);
	source_draw(src, 1, 2, 3, a);
	if (st == ST_OK)
		source_draw(later, 1, 2, 3, b);
	CHECK(st == ST_OK && !memcmp(a, b, sizeof a), "the same text, the same samples");
	source_close(st == ST_OK ? later : NULL);
	again.data = JOB_SUDOKU;
	again.sudoku = 9;
	st = source_open(&again, NULL, &later, &e);
	CHECK(st == ST_USAGE && strstr(e.msg, "text.safetensors"), "other data: %s", st ? e.msg : "");
	state_free(back);
	end(src, s);
}

/* The tokenizer travels: its file may be gone. */
static void
test_tokenizer_gone(void)
{
	struct train_state *s, *back;
	struct source *src, *later = NULL;
	struct job j = small("text", "mdlm"), again;
	int32_t a[8], b[8];

	put_file("bpe.json",
		 "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":"
		 "\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"t\":2,\"\xc4\xa0\":3,\"\xc4\xa0"
		 "a\":4},\"merges\":["
		 "\"\xc4\xa0 a\"]},\"added_tokens\":[]}");
	set(&j, "tokenizer", file("bpe.json"));
	begin(&j, &src, &s, "word pieces");
	if (!s)
		return;
	source_draw(src, 1, 2, 3, a);
	enum status st = state_save(s, &j, src, file("pieces.safetensors"), &e);
	unlink(file("bpe.json"));
	if (st == ST_OK)
		st = state_load(file("pieces.safetensors"), &again, &back, &e);
	if (st == ST_OK)
		st = source_open(&again, NULL, &later, &e);
	if (st == ST_OK)
		source_draw(later, 1, 2, 3, b);
	CHECK(st == ST_OK && !memcmp(a, b, sizeof a) && same_job(&j, &again), "a tokenizer whose file is gone %s",
	      st ? e.msg : "");
	end(later, st == ST_OK ? back : NULL);
	end(src, s);
}

/* ---- from other weights ---- */

static void
test_begin(void)
{
	struct train_state *s, *t = NULL, *back;
	struct source *src, *src2;
	struct job j = small("sudoku", "duo_base"), k = small("sudoku", "duo_base"), again;

	begin(&j, &src, &s, "a teacher");
	if (!s)
		return;
	trouble(s);
	size_t bytes = s->flat.floats * sizeof(float);
	CHECK(state_save(s, &j, src, file("teacher.safetensors"), &e) == ST_OK, "saved");
	set(&k, "hidden", "32");
	set(&k, "init", file("teacher.safetensors"));
	begin(&k, &src2, &t, "from a checkpoint");
	CHECK(t && k.net.hidden == 16 && !memcmp(t->param, s->ema, bytes) && !memcmp(t->ema, s->ema, bytes) &&
		  t->step == 0,
	      "it begins as the average");
	end(src2, t);
	set(&k, "init", "");
	set(&k, "goal", "distill");
	set(&k, "teacher", file("teacher.safetensors"));
	begin(&k, &src2, &t, "distillation");
	if (CHECK(t && t->teacher && !memcmp(t->teacher, s->ema, bytes) && k.net.algo == ALGO_DUO,
		  "with its teacher")) {
		uint64_t all = state_bytes(t);
		trouble(t);
		enum status st = state_save(t, &k, src2, file("student.safetensors"), &e);
		if (st == ST_OK)
			st = state_load(file("student.safetensors"), &again, &back, &e);
		CHECK(st == ST_OK && alike(t, back) && same_job(&k, &again), "a round comes back %s", st ? e.msg : "");
		CHECK(all > state_bytes(s), "the teacher takes memory");
		if (st == ST_OK)
			state_free(back);
		check_opens(&k, file("student.safetensors"), false);
	}
	end(src2, t);
	k = small("sudoku", "mdlm");
	set(&k, "init", file("teacher.safetensors"));
	CHECK(source_open(&k, NULL, &src2, &e) == ST_USAGE && !src2 && strstr(e.msg, "teacher.safetensors"), "%s",
	      e.msg);
	end(src, s);
}

/* ---- damage ---- */

static char *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *s = NULL;

	*n = 0;
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	s = malloc(*n + 1);
	if (fread(s, 1, *n, f) != *n)
		*n = 0;
	fclose(f);
	return s;
}

static void
refused(const char *what)
{
	struct train_state *s;
	struct job j;
	enum status st = state_load(file("bad.safetensors"), &j, &s, &e);

	CHECK(st != ST_OK && !s && strstr(e.msg, "bad.safetensors") && !strchr(e.msg, '\n'), "%s: %s", what,
	      st ? e.msg : "taken");
	state_free(s);
}

static void
test_cut(void)
{
	size_t n;
	char *whole = slurp(file("run.safetensors"), &n);
	int taken = 0, noisy = 0;

	for (size_t i = 0; whole && i < 60; i++) {
		struct train_state *s;
		struct job j;
		FILE *f = fopen(file("bad.safetensors"), "wb");
		fwrite(whole, 1, n * i / 60, f);
		fclose(f);
		if (state_load(file("bad.safetensors"), &j, &s, &e) == ST_OK)
			taken++;
		state_free(s);
		noisy += strchr(e.msg, '\n') != NULL || !strstr(e.msg, "bad.safetensors");
	}
	CHECK(whole && taken == 0 && noisy == 0, "cut short anywhere: refused with one line");
	free(whole);
}

/* A copy of run.safetensors in which metadata `key` becomes `value` (NULL: is
 * left out) and tensor `drop` is left out. */
static void
copy(const char *key, const char *value, const char *drop)
{
	struct st_file *f;
	struct st_writer *w = st_writer_new(file("bad.safetensors"));

	if (st_open(file("run.safetensors"), &f, &e) != ST_OK)
		return;
	for (int i = 0; i < f->n_meta; i++)
		if (strcmp(f->meta_key[i], key) != 0)
			st_metadata(w, f->meta_key[i], f->meta_value[i], NULL);
	if (value)
		st_metadata(w, key, value, NULL);
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->tensor[i].name, drop) != 0)
			st_declare(w, f->tensor[i].name, f->tensor[i].dtype, f->tensor[i].ndim, f->tensor[i].dim, NULL);
	enum status st = st_begin(w, &e);
	for (int i = 0; st == ST_OK && i < f->n; i++)
		if (strcmp(f->tensor[i].name, drop) != 0)
			st = st_write(w, f->tensor[i].data,
				      tensor_numel(&f->tensor[i]) * dtype_size(f->tensor[i].dtype), &e);
	if (st == ST_OK)
		st = st_commit(w, &e);
	else
		st_abort(w);
	st_close(f);
	if (st != ST_OK)
		printf("# %s\n", e.msg);
}

static void
test_damage(void)
{
	static const char *const meta[][2] = {
		{ "job", NULL },
		{ "job", "" },
		{ "job", "{" },
		{ "job", "[]" },
		{ "job", "{\"loss\":\"ar\"}" },
		{ "job", "{\"batch\":-1}" },
		{ "job", "{\"goal\":\"distill\"}" },
		{ "step", NULL },
		{ "step", "-1" },
		{ "step", "9999999999999" },
		{ "step", "x" },
		{ "best", "nan" },
		{ "best", NULL },
		{ "best_step", "1x" },
		{ "config", NULL },
		{ "config", "{}" },
		{ "config", "{\"model\":{\"length\":0}}" },
	};
	static const char *const tensor[] = { "blocks.1.mlp.0.bias", "ema.blocks.1.mlp.0.bias",
					      "adam.m.blocks.1.mlp.0.bias", "adam.v.output_layer.linear.weight",
					      "vocab_embed.embedding" };
	struct train_state *s;
	struct source *src;
	struct job j = small("sudoku", "duo_base");

	begin(&j, &src, &s, "damage");
	if (!s)
		return;
	trouble(s);
	CHECK(state_save(s, &j, src, file("run.safetensors"), &e) == ST_OK, "saved");
	end(src, s);
	for (size_t i = 0; i < sizeof meta / sizeof *meta; i++) {
		copy(meta[i][0], meta[i][1], "");
		refused(meta[i][0]);
	}
	for (size_t i = 0; i < sizeof tensor / sizeof *tensor; i++) {
		copy("", NULL, tensor[i]);
		refused(tensor[i]);
	}
	copy("", NULL, "");
	CHECK(state_load(file("bad.safetensors"), &j, &s, &e) == ST_OK, "a plain copy is fine");
	CHECK(state_export(s, &j, NULL, DT_F32, file("bad.safetensors"), &e) == ST_OK, "an export");
	state_free(s);
	refused("an export");
	unlink(file("bad.safetensors"));
	refused("no file");
	test_cut();
}

/* ---- a writer that fails ---- */

static int
leftovers(void)
{
	DIR *d = opendir(scratch);
	int n = 0;

	for (struct dirent *f; d && (f = readdir(d));)
		n += strstr(f->d_name, ".tmp") != NULL;
	if (d)
		closedir(d);
	return n;
}

static void
fails(const struct train_state *s, const struct job *j, const char *path, const char *what)
{
	enum status st = state_save(s, j, NULL, path, &e);

	CHECK(st == ST_FAIL && strstr(e.msg, path) && !strchr(e.msg, '\n'), "%s: %s", what, st ? e.msg : "written");
}

static void
test_full(void)
{
	struct rlimit was, small_files;
	struct train_state *s = NULL;
	struct job j;
	size_t n, m;

	if (!CHECK(state_load(file("run.safetensors"), &j, &s, &e) == ST_OK, "loaded"))
		return;
	char *before = slurp(file("run.safetensors"), &n);
	s->param[0] += 1;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	for (size_t at = 0; at < n; at += n / 5 + 1) { /* in the header, and anywhere in the data */
		small_files = (struct rlimit){ at, was.rlim_max };
		setrlimit(RLIMIT_FSIZE, &small_files);
		enum status st = state_save(s, &j, NULL, file("run.safetensors"), &e);
		setrlimit(RLIMIT_FSIZE, &was);
		CHECK(st == ST_FAIL && strstr(e.msg, "run.safetensors"), "no room after %zu bytes: %s", at, e.msg);
	}
	char *after = slurp(file("run.safetensors"), &m);
	CHECK(before && after && n == m && !memcmp(before, after, n), "the old file is as it was");
	CHECK(leftovers() == 0, "nothing is left lying about");
	fails(s, &j, file("none/run.safetensors"), "no such folder");
	fails(s, &j, scratch, "a folder");
	if (geteuid() != 0) {
		mkdir(file("locked"), 0500);
		fails(s, &j, file("locked/run.safetensors"), "a folder that cannot be written");
	} else {
		check_skip("root may write everywhere");
	}
	free(before);
	free(after);
	state_free(s);
}

/* More than there may be is refused, not asked of the system. */
static void
test_room(void)
{
	struct job j = small("sudoku", "duo_base");
	struct train_state *s;
	struct source *src;

	if (!CHECK(source_open(&j, NULL, &src, &e) == ST_OK, "opens"))
		return;
	j.memory = 100000;
	CHECK(state_new(&j, &s, &e) == ST_MEMORY && !s && strstr(e.msg, "0.1 MB"), "too little memory: %s", e.msg);
	j.memory = 1000000;
	CHECK(state_new(&j, &s, &e) == ST_OK && 5 * state_bytes(s) / 4 > 100000, "enough of it");
	end(src, s);
}

int
main(void)
{
	if (!scratch_begin())
		return 99;
	test_families();
	test_dtypes();
	test_resume();
	test_tokenizer_gone();
	test_begin();
	test_damage();
	test_full();
	test_room();
	scratch_end();
	return check_done();
}
