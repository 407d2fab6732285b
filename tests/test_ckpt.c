/*
 * test_ckpt.c: what is read from checkpoints.  Below $PSIVIEW_GOLDEN and
 * tests/golden/ckpt: NAME.ckpt with NAME.values.safetensors (every raw and EMA
 * value, written by Python), NAME.ckpt or folder NAME with
 * NAME.golden.safetensors (metadata: what the configuration must say).
 */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "ckpt/order.h"
#include "ckpt/safetensors.h"
#include "text_util.h"

/* path with its ending replaced. */
static void
replace_end(const char *path, const char *old, const char *new, char *buf, size_t size)
{
	snprintf(buf, size, "%.*s%s", (int)(strlen(path) - strlen(old)), path, new);
}

static bool
same_values(const struct tensor *a, const struct tensor *b)
{
	size_t n = tensor_numel(a);
	double *x, *y;
	bool equal = a->dtype == b->dtype && a->ndim == b->ndim;

	for (int i = 0; equal && i < a->ndim; i++)
		equal = a->dim[i] == b->dim[i];
	if (!equal)
		return false;
	x = malloc(n * sizeof *x + 1);
	y = malloc(n * sizeof *y + 1);
	tensor_to_f64(a, 0, n, x);
	tensor_to_f64(b, 0, n, y);
	equal = !memcmp(x, y, n * sizeof *x);
	free(x);
	free(y);
	return equal;
}

/* Every tensor `prefix`NAME of f is the tensor NAME of the checkpoint. */
static void
check_set(const struct ckpt *c, const struct st_file *f, const char *prefix, bool ema, const char *file)
{
	int seen = 0, wrong = 0;

	for (int i = 0; i < f->n; i++) {
		const char *name = f->tensor[i].name;
		const struct tensor *t;

		if (strncmp(name, prefix, strlen(prefix)))
			continue;
		t = ckpt_find(c, ema, name + strlen(prefix));
		wrong += !t || !same_values(t, &f->tensor[i]);
		seen++;
	}
	CHECK(wrong == 0 && seen == (ema ? c->n_ema : c->n_raw), "%s: the values of %d tensors %s*", file, seen,
	    prefix);
}

static long
meta_number(const struct st_file *f, const char *key, long absent)
{
	const char *s = st_meta(f, key);

	return s && (*s == '-' || (*s >= '0' && *s <= '9')) ? strtol(s, NULL, 10) : absent;
}

static bool
check_values(const char *path)
{
	char values[4096];
	struct st_file *f;
	struct ckpt *c;
	struct error e = { .msg = "" };

	replace_end(path, ".ckpt", ".values.safetensors", values, sizeof values);
	if (access(values, F_OK) || st_open(values, &f, NULL))
		return false;
	if (CHECK(ckpt_open(path, NULL, &c, &e) == ST_OK, "%s opens %s", base_name(path), e.msg)) {
		check_set(c, f, "raw.", false, base_name(path));
		check_set(c, f, "ema.", true, base_name(path));
		CHECK(c->config.step == meta_number(f, "step", -1) &&
		    c->config.length == meta_number(f, "length", -1) &&
		    c->config.n_heads == meta_number(f, "heads", -1), "%s: step, length, heads", base_name(path));
		ckpt_close(c);
	}
	st_close(f);
	return true;
}

/* The EMA list holds the parameters of a file of Lightning in its own order. */
static void
check_order(const struct ckpt *c, const char *file)
{
	int n = 0, moved = 0, *index = calloc((size_t)c->n_raw + 1, sizeof *index);

	for (int i = 0; i < c->n_raw; i++)
		if (!strstr(c->raw[i].name, "inv_freq"))
			index[n++] = i;
	order_parameters(c->raw, index, n);
	for (int i = 1; i < n; i++)
		moved += index[i] < index[i - 1];
	CHECK(moved == 0, "%s: its %d parameters are in module order", file, n);
	if (c->n_ema) {
		bool equal = c->n_ema == n;

		for (int i = 0; equal && i < n; i++)
			equal = !strcmp(c->ema[i].name, c->raw[index[i]].name);
		CHECK(equal, "%s: and so is the EMA", file);
	}
	free(index);
}

/* What the golden's metadata say about the model. */
static void
check_metadata(const struct ckpt *c, const struct st_file *f, const char *file)
{
	const struct config *g = &c->config;
	const char *algo = st_meta(f, "algo"), *noise = st_meta(f, "noise"), *eps = st_meta(f, "eps");

	CHECK(meta_number(f, "length", g->length) == g->length && meta_number(f, "vocab", g->vocab) == g->vocab &&
	    meta_number(f, "vocabulary", g->vocab) == g->vocab && meta_number(f, "heads", g->n_heads) == g->n_heads &&
	    (g->causal || meta_number(f, "mask", g->mask) == g->mask), "%s: V %d, mask %d, L %d, %d heads", file,
	    g->vocab, g->mask, g->length, g->n_heads);
	CHECK((!algo || !strcmp(algo, algo_name(g->algo))) && (!noise || !strcmp(noise, schedule_name(g->schedule))) &&
	    (!eps || fabs(strtod(eps, NULL) - g->eps) < 1e-12), "%s: %s, %s, eps %g", file, algo_name(g->algo),
	    schedule_name(g->schedule), g->eps);
}

static bool
check_golden(const char *golden)
{
	char path[4096];
	struct st_file *f;
	struct ckpt *c;
	struct error e = { .msg = "" };

	replace_end(golden, ".golden.safetensors", ".ckpt", path, sizeof path);
	if (access(path, F_OK))
		replace_end(golden, ".golden.safetensors", "", path, sizeof path);
	if (access(path, F_OK) || st_open(golden, &f, NULL))
		return false;
	if (CHECK(ckpt_open(path, NULL, &c, &e) == ST_OK, "%s opens %s", base_name(path), e.msg)) {
		if (c->format == CKPT_LIGHTNING)
			check_order(c, base_name(path));
		check_metadata(c, f, base_name(path));
		ckpt_close(c);
	}
	st_close(f);
	return true;
}

static void
check_folder(const char *folder)
{
	struct paths l = { 0 };
	int values = 0, golden = 0;

	find_files(folder, &l);
	for (size_t i = 0; i < l.n; i++) {
		if (strstr(l.p[i], "hostile"))
			continue;
		if (ends_with(l.p[i], ".ckpt"))
			values += check_values(l.p[i]);
		else if (ends_with(l.p[i], ".golden.safetensors"))
			golden += check_golden(l.p[i]);
	}
	if (!values && !golden)
		check_skip("no checkpoints in %s", folder);
	free_paths(&l);
}

static void
write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");

	fwrite(text, 1, n, f);
	fclose(f);
}

/* Opening path fails with a line that holds `word`. */
static void
refused(const char *path, const char *word, const char *what)
{
	struct error e = { .msg = "" };
	struct ckpt *c = NULL;
	enum status st = ckpt_open(path, NULL, &c, &e);

	CHECK(st == ST_CKPT && strstr(e.msg, word), "%s: %s", what, e.msg);
	ckpt_close(c);
}

static void
check_foreign(void)
{
	static const struct { const char *text; size_t n; const char *word, *what; } known[] = {
		{ "", 0, "empty", "an empty file" },
		{ "version https://git-lfs.github.com/spec/v1\n", 43, "LFS", "a Git LFS pointer" },
		{ "<!DOCTYPE html><html>", 21, "HTML", "an HTML page" },
		{ "\x1f\x8b\x08 compressed", 14, "gzip", "a compressed file" },
		{ "GGUF\3\0\0\0\0\0", 10, "GGUF", "a GGUF file" },
		{ "hello, world\n", 13, "text", "a text file" },
		{ "\x80\x04\x95.", 4, "pickle", "a bare pickle" },
	};
	char dir[] = "test_ckpt.XXXXXX", path[64];

	if (!CHECK(mkdtemp(dir) != NULL, "a folder"))
		return;
	snprintf(path, sizeof path, "%s/x", dir);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		write_file(path, known[i].text, known[i].n);
		refused(path, known[i].word, known[i].what);
	}
	unlink(path);
	refused(path, "No such file", "a file that is not there");
	refused(dir, "model.safetensors", "a folder without a model");
	refused("/dev/null", "device", "a device");
	if (!mkfifo(path, 0600))
		refused(path, "pipe", "a pipe");
	unlink(path);
	rmdir(dir);
}

/* A file with tensors of the given names, one element each. */
static void
write_names(const char *path, const char *const *name, int n)
{
	static const int64_t one[] = { 1 };
	static const float zero = 0;
	struct st_writer *w = st_writer_new(path);

	for (int i = 0; i < n; i++)
		st_declare(w, name[i], DT_F32, 1, one, NULL);
	st_begin(w, NULL);
	for (int i = 0; i < n; i++)
		st_write(w, &zero, sizeof zero, NULL);
	st_commit(w, NULL);
}

static void
check_other_models(void)
{
	static const char *const diffusion[] = { "model.diffusion_model.input_blocks.0.0.weight" };
	static const char *const llama[] = { "model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight" };
	static const char *const none[] = { "x", "y" };
	static const char path[] = "test_ckpt.names";

	write_names(path, diffusion, 1);
	refused(path, "Stable Diffusion", "the names of Stable Diffusion");
	write_names(path, llama, 2);
	refused(path, "LLaMA", "the names of LLaMA");
	write_names(path, none, 2);
	refused(path, "no network", "names of nothing known");
	unlink(path);
}

/* The tensors of c without any configuration. */
static void
write_bare(const struct ckpt *c, const char *path)
{
	struct st_writer *w = st_writer_new(path);
	char buf[1 << 16];

	for (int i = 0; i < c->n_raw; i++)
		st_declare(w, c->raw[i].name, c->raw[i].dtype, c->raw[i].ndim, c->raw[i].dim, NULL);
	st_begin(w, NULL);
	for (int i = 0; i < c->n_raw; i++) {
		tensor_copy(&c->raw[i], 0, tensor_numel(&c->raw[i]), buf);
		st_write(w, buf, tensor_numel(&c->raw[i]) * dtype_size(c->raw[i].dtype), NULL);
	}
	st_commit(w, NULL);
}

/* What no tensor tells must come from the options, all named at once. */
static void
check_options(const char *path)
{
	static const char bare[] = "test_ckpt.bare";
	struct config_override o;
	struct error e = { .msg = "" };
	struct ckpt *c;

	if (!CHECK(ckpt_open(path, NULL, &c, &e) == ST_OK, "%s opens %s", base_name(path), e.msg))
		return;
	write_bare(c, bare);
	ckpt_close(c);
	c = NULL;
	CHECK(ckpt_open(bare, NULL, &c, &e) == ST_CKPT && strstr(e.msg, "--algo") && strstr(e.msg, "--heads") &&
	    strstr(e.msg, "--length"), "without a configuration: %s", e.msg);
	config_override_init(&o);
	o.heads = 2;
	CHECK(ckpt_open(bare, &o, &c, &e) == ST_CKPT && strstr(e.msg, "--algo and --length"), "two are left: %s",
	    e.msg);
	o.algo = "mdlm";
	o.length = 24;
	if (CHECK(ckpt_open(bare, &o, &c, &e) == ST_OK, "all given: it opens")) {
		CHECK(c->config.algo == ALGO_MDLM && c->config.mask == 4 && !c->config.timed &&
		    c->config.length == 24 && c->config.schedule == SCHEDULE_LOGLINEAR && c->config.eps == 1e-3,
		    "the rest follows");
		ckpt_close(c);
	}
	o.algo = "nonsense";
	CHECK(ckpt_open(bare, &o, &c, &e) == ST_USAGE && strstr(e.msg, "--algo"), "an unknown algorithm: %s", e.msg);
	o.algo = "duo";
	o.noise = "cosine";
	o.eps = 0.01;
	if (CHECK(ckpt_open(bare, &o, &c, &e) == ST_OK, "another algorithm and schedule")) {
		CHECK(c->config.mask == -1 && c->config.timed && c->config.schedule == SCHEDULE_COSINE &&
		    c->config.eps == 0.01, "uniform, cosine, eps 0.01");
		ckpt_close(c);
	}
	o.heads = 3;
	CHECK(ckpt_open(bare, &o, &c, &e) == ST_CKPT && strstr(e.msg, "--heads"), "heads that do not divide: %s",
	    e.msg);
	unlink(bare);
}

/* One tensor of `list` for each prefix, as a training checkpoint of ours has them. */
static enum status
write_own(const struct ckpt *c, const char *path, struct error *e)
{
	static const char *const prefix[] = { "backbone.", "ema.backbone.", "adam.m.backbone.", "adam.v.backbone." };
	struct st_writer *w = st_writer_new(path);
	char name[300], buf[1 << 16], *config = config_to_json(&c->config);
	enum status st = st_metadata(w, "config", config, e);

	free(config);
	if (!st)
		st = st_metadata(w, "vocabulary", "[\"a\", \"b\"]", e);
	if (!st)
		st = st_metadata(w, "step", "77", e);
	for (int pass = 0; !st && pass < 2; pass++) {
		for (int k = 0; !st && k < 4; k++)
			for (int i = 0; !st && i < c->n_ema; i++) {
				const struct tensor *t = k == 1 ? &c->ema[i] : ckpt_find(c, false, c->ema[i].name);

				snprintf(name, sizeof name, "%s%s", prefix[k], t->name);
				tensor_copy(t, 0, tensor_numel(t), buf);
				st = pass == 0 ? st_declare(w, name, t->dtype, t->ndim, t->dim, e)
				    : st_write(w, buf, tensor_numel(t) * dtype_size(t->dtype), e);
			}
		if (!st && pass == 0)
			st = st_begin(w, e);
	}
	if (!st)
		return st_commit(w, e);
	st_abort(w);
	return st;
}

static void
check_own(const char *path)
{
	static const char own[] = "test_ckpt.own";
	struct error e = { .msg = "" };
	struct ckpt *c, *d;
	bool same = true;

	if (!CHECK(ckpt_open(path, NULL, &c, &e) == ST_OK, "%s opens %s", base_name(path), e.msg))
		return;
	if (CHECK(!write_own(c, own, &e) && !ckpt_open(own, NULL, &d, &e), "raw, EMA and moments in one file %s",
		    e.msg)) {
		CHECK(d->format == CKPT_OWN && d->n_raw == c->n_ema && d->n_ema == c->n_ema && d->config.step == 77 &&
				d->config.algo == c->config.algo && d->config.mask == c->config.mask,
			"both sets are found, moments are left");
		for (int i = 0; i < c->n_ema; i++) {
			const struct tensor *raw = ckpt_find(d, false, c->ema[i].name),
					    *ema = ckpt_find(d, true, c->ema[i].name);

			same = same && raw && ema && same_values(raw, ckpt_find(c, false, c->ema[i].name)) &&
			    same_values(ema, &c->ema[i]);
		}
		CHECK(same, "with their values");
		CHECK(d->tok_kind == CKPT_TOK_CHARS && d->tok_bytes == 10 && !memcmp(d->tok_data, "[\"a\", \"b\"]", 10),
		    "and the vocabulary");
		ckpt_close(d);
	}
	unlink(own);
	ckpt_close(c);
}

int
main(void)
{
	char own[4096];
	const char *src = getenv("SRCDIR"), *golden = getenv("PSIVIEW_GOLDEN");

	snprintf(own, sizeof own, "%s/tests/golden/ckpt", src ? src : ".");
	if (golden)
		check_folder(golden);
	if (!golden || strncmp(own, golden, strlen(golden)))       /* else it has been walked */
		check_folder(own);
	check_foreign();
	check_other_models();
	snprintf(own, sizeof own, "%s/tests/golden/ckpt/values-plain.ckpt", src ? src : ".");
	check_options(own);
	check_own(own);
	return check_done();
}
