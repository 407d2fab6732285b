/*
 * test_info.c: psiview info, export and verify on the bundled demo and on small
 * files.
 */
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "ckpt/safetensors.h"
#include "models/registry.h"
#include "run/export.h"
#include "run/info.h"
#include "run/verify.h"
#include "text_util.h"

static char src[3000], small[4096], demo[4096];
static char dir[] = "test_info.XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static int k;

	k = (k + 1) % 4;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static char *
printed(enum status (*print)(FILE *, const char *, struct error *), const char *path, enum status *st, struct error *e)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	*e = (struct error){ .msg = "" };
	*st = print(f, path, e);
	fclose(f);
	return text;
}

static enum status
print_info(FILE *f, const char *path, struct error *e)
{
	struct info_options o = { .json = false };

	return info_run(f, path, NULL, &o, e);
}

static enum status
print_json(FILE *f, const char *path, struct error *e)
{
	struct info_options o = { .json = true };

	return info_run(f, path, NULL, &o, e);
}

static enum status
print_verify(FILE *f, const char *path, struct error *e)
{
	return verify_run(f, path, NULL, NULL, e);
}

static const char demo_info[] =
    "  format       psiview checkpoint (safetensors), 2.6 MB\n"
    "  family       duo_base, DiT, uniform noise, log-linear (eps 0.001)\n"
    "  network      4 blocks, width 128, 4 heads, conditioning 128\n"
    "  vocabulary   35\n"
    "  length       128\n"
    "  classes      none\n"
    "  time         the network is given sigma\n"
    "  parameters   1,277,859\n"
    "  dtype        f16\n"
    "  EMA          yes, and nothing else (decay 0.999)\n"
    "  step         4200\n";

static void
check_info(void)
{
	enum status st;
	struct error e;
	char *text = printed(print_info, demo, &st, &e), *second = strchr(text, '\n');

	CHECK(!st && !strncmp(text, demo, strlen(demo)) && second && !strncmp(second + 1, demo_info, strlen(demo_info)),
	    "info of the demo");
	if (!second || strncmp(second + 1, demo_info, strlen(demo_info)))
		printf("# %s\n", text);
	CHECK(strstr(text, "  tokenizer    text8, in the file\n") && strstr(text, " to compute with\n"),
	    "and its last lines");
	free(text);
	text = printed(print_json, small, &st, &e);
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CHECK(!st && json_integer_value(json_object_get(o, "n_blocks")) == 2 &&
	    json_integer_value(json_object_get(o, "hidden_size")) == 8 && json_is_true(json_object_get(o, "ema")) &&
	    json_real_value(json_object_get(o, "ema_decay")) == 0.99 &&
	    json_integer_value(json_object_get(o, "step")) == 10 &&
	    json_is_null(json_object_get(o, "mask")) &&
	    !strcmp(json_string_value(json_object_get(o, "noise")), "uniform") &&
	    json_integer_value(json_object_get(o, "weight_bytes")) ==
	    4 * json_integer_value(json_object_get(o, "parameters")) &&
	    strlen(json_string_value(json_object_get(o, "hash"))) == 64, "info as JSON");
	json_decref(o);
	free(text);
	text = printed(print_info, src, &st, &e);
	CHECK(st == ST_CKPT && !*text, "info of a folder that is none: %s", e.msg);
	free(text);
	FILE *full = fopen("/dev/full", "w");
	if (full) {
		CHECK(print_info(full, demo, &e) == ST_FAIL, "a full disk: %s", e.msg);
		fclose(full);
	}
}

/* Largest relative difference of a file's weights to those of c. */
static double
difference(const struct ckpt *c, bool ema, const char *path)
{
	struct ckpt *d;
	struct error e;
	double worst = 0, x[4096], y[4096];

	if (ckpt_open(path, NULL, &d, &e)) {
		printf("# %s\n", e.msg);
		return INFINITY;
	}
	if (d->n_raw != (ema ? c->n_ema : c->n_raw - 1) || d->n_ema)     /* less inv_freq */
		worst = INFINITY;
	for (int i = 0; i < d->n_raw; i++) {
		const struct tensor *t = ckpt_find(c, ema, d->raw[i].name);
		size_t n = t ? tensor_numel(t) : 0;

		if (n == 0 || n > 4096 || n != tensor_numel(&d->raw[i])) {
			worst = INFINITY;
			continue;
		}
		tensor_to_f64(t, 0, n, x);
		tensor_to_f64(&d->raw[i], 0, n, y);
		for (size_t k = 0; k < n; k++)
			worst = fmax(worst, fabs(x[k] - y[k]) / (fabs(x[k]) + 1e-4));
	}
	struct config a = c->config, b = d->config;
	if (a.algo != b.algo || a.length != b.length || a.n_heads != b.n_heads || a.mask != b.mask || a.eps != b.eps ||
	    a.timed != b.timed || a.schedule != b.schedule || a.vocab != b.vocab || a.step != b.step)
		worst = INFINITY;
	ckpt_close(d);
	return worst;
}

static void
check_export(const char *path)
{
	static const struct { const char *dtype; bool raw; double within; } cases[] = {
		{ NULL, false, 0 }, { NULL, true, 0 }, { "f32", false, 1e-7 }, { "f32", true, 1e-7 },
		{ "bf16", false, 1. / 256 },
		{ "f16", false, 1. / 2048 }, { "F16", true, 1. / 2048 },
	};
	struct error e = { .msg = "" };
	struct ckpt *c;
	const char *out = in_dir("x.safetensors");

	if (!CHECK(!ckpt_open(path, NULL, &c, &e), "%s opens %s", base_name(path), e.msg))
		return;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct export_options o;

		export_options_init(&o);
		o.raw = cases[i].raw;
		if (cases[i].dtype)
			CHECK(export_dtype(cases[i].dtype, &o.dtype), "type %s", cases[i].dtype);
		if (!CHECK(!export_write(c, out, &o, &e), "it is exported %s", e.msg))
			continue;
		double d = difference(c, !cases[i].raw, out);
		CHECK(d <= cases[i].within, "%s as %s, %s: within %.2g", base_name(path),
		    cases[i].dtype ? cases[i].dtype : "stored", cases[i].raw ? "raw" : "EMA", d);
	}
	int none;
	CHECK(!export_dtype("f8", &none), "no type f8");
	unlink(out);
	ckpt_close(c);
}

/* The folder opens as written, and without our metadata from its config.json alone. */
static void
check_folder(const char *path, const char *type)
{
	struct export_options o;
	struct error e = { .msg = "" };
	struct ckpt *c = NULL, *d = NULL;
	char folder[128], file[200], again[200], config[200];

	snprintf(folder, sizeof folder, "%s", in_dir("folder"));
	snprintf(file, sizeof file, "%s/model.safetensors", folder);
	snprintf(again, sizeof again, "%s/again", folder);
	snprintf(config, sizeof config, "%s/config.json", folder);
	export_options_init(&o);
	strcat(folder, "/");
	CHECK(!export_run(path, folder, NULL, &o, NULL, &e), "a Hugging Face folder %s", e.msg);
	json_t *j = json_load_file(config, 0, NULL);
	CHECK(j && !strcmp(json_string_value(json_object_get(j, "model_type")), type), "of type %s", type);
	json_decref(j);
	struct st_file *f;
	if (CHECK(!st_open(file, &f, &e), "it holds model.safetensors %s", e.msg)) {
		struct st_writer *w = st_writer_new(again);

		for (int i = 0; i < f->n; i++)
			st_declare(w, f->tensor[i].name, f->tensor[i].dtype, f->tensor[i].ndim, f->tensor[i].dim, NULL);
		st_begin(w, NULL);
		for (int i = 0; i < f->n; i++)
			st_write(w, f->tensor[i].data, tensor_numel(&f->tensor[i]) * dtype_size(f->tensor[i].dtype),
			    NULL);
		st_commit(w, NULL);
		st_close(f);
		rename(again, file);
	}
	if (CHECK(!ckpt_open(path, NULL, &c, &e) && !ckpt_open(folder, NULL, &d, &e), "both open %s", e.msg))
		CHECK(d->format == CKPT_HF && d->config.mask == c->config.mask && d->config.timed == c->config.timed &&
		    d->config.n_heads == c->config.n_heads && d->config.length == c->config.length &&
		    d->config.cond_dim == c->config.cond_dim, "and the config.json says the same");
	ckpt_close(c);
	ckpt_close(d);
	unlink(file);
	unlink(config);
	folder[strlen(folder) - 1] = '\0';
	rmdir(folder);
}

static void
overwrite(const char *path, long at, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "r+b");

	fseek(f, at, SEEK_SET);
	fwrite(bytes, 1, n, f);
	fclose(f);
}

static void
copy(const char *from, const char *to)
{
	size_t n;
	char *text = read_text(from, &n);
	FILE *f = fopen(to, "wb");

	if (text)
		fwrite(text, 1, n, f);
	fclose(f);
	free(text);
}

/* Where in the file at path the first 64 bytes of t lie; -1. */
static long
place_of(const char *path, const struct tensor *t)
{
	uint8_t first[64];
	size_t n;
	char *all = read_text(path, &n), *here;

	tensor_copy(t, 0, 64 / dtype_size(t->dtype), first);
	here = all ? memmem(all, n, first, sizeof first) : NULL;
	long at = here ? here - all : -1;
	free(all);
	return at;
}

static void
check_verify(void)
{
	static const uint8_t nan[] = { 0, 0, 0xc0, 0x7f };
	enum status st;
	struct error e;
	struct ckpt *c;
	struct export_options o;
	const char *file = in_dir("y.ckpt"), *out = in_dir("y.safetensors");
	char *text = printed(print_verify, small, &st, &e);
	uint8_t bit;
	long at;

	CHECK(!st && strstr(text, "nothing wrong"), "verify finds nothing wrong");
	free(text);
	copy(small, file);
	if (!CHECK(!ckpt_open(file, NULL, &c, &e), "a copy"))
		return;
	const struct tensor *t = ckpt_find(c, false, "output_layer.linear.weight");
	at = place_of(file, t);
	bit = t->data[0] ^ 1;
	ckpt_close(c);
	if (!CHECK(at > 0, "a weight in the file"))
		return;
	overwrite(file, at, &bit, 1);
	text = printed(print_verify, file, &st, &e);
	CHECK(st == ST_CKPT && strstr(text, "the CRC of member"), "a flipped bit: %s", e.msg);
	free(text);
	overwrite(file, at, nan, sizeof nan);
	text = printed(print_verify, file, &st, &e);
	CHECK(st == ST_CKPT && strstr(text, "raw weight output_layer.linear.weight: 1 of 280 numbers are not finite"),
	    "a NaN as well");
	free(text);
	export_options_init(&o);
	o.raw = true;
	CHECK(!export_run(file, out, NULL, &o, NULL, &e), "exported");
	text = printed(print_verify, out, &st, &e);
	CHECK(st == ST_NUMERIC, "the NaN alone: %s", e.msg);
	free(text);
	unlink(file);
	unlink(out);
}

/* Reference vectors beside a file that give t: sigma follows from it. */
static void
check_reference(void)
{
	const char *file = in_dir("r.ckpt"), *vectors = in_dir("r.golden.safetensors");
	struct error e;
	struct ckpt *c;
	struct model *m;
	double t = .3;
	enum status st;

	copy(small, file);
	if (!CHECK(!ckpt_open(file, NULL, &c, &e), "a copy"))
		return;
	if (!CHECK(!model_open(c, false, NULL, &m, &e) && m->timed, "its model is given sigma")) {
		ckpt_close(c);
		return;
	}
	size_t L = (size_t)m->L, n = L * (size_t)m->V;
	int32_t *tok = calloc(L, sizeof *tok);
	float *feat = malloc(L * (size_t)m->F * sizeof *feat), *logit = malloc(n * sizeof *logit);
	double sigma = alpha_sigma(&m->alpha, t);
	CHECK(!m->trunk(m, 1, tok, &sigma, NULL, feat, NULL, &e) && !m->rows(m, m->L, feat, logit, NULL, &e),
	    "its logits");
	for (int wrong = 0; wrong < 2; wrong++) {
		struct st_writer *w = st_writer_new(vectors);
		logit[0] += (float)wrong;
		st_declare(w, "tokens", DT_I32, 2, (int64_t[]){ 1, m->L }, NULL);
		st_declare(w, "t", DT_F64, 1, (int64_t[]){ 1 }, NULL);
		st_declare(w, "ema.logits", DT_F32, 3, (int64_t[]){ 1, m->L, m->V }, NULL);
		st_begin(w, NULL);
		st_write(w, tok, L * sizeof *tok, NULL);
		st_write(w, &t, sizeof t, NULL);
		st_write(w, logit, n * sizeof *logit, NULL);
		CHECK(!st_commit(w, &e), "reference vectors with t alone");
		char *text = printed(print_verify, file, &st, &e);
		CHECK(wrong ? st == ST_FAIL && strstr(text, "MORE THAN") : !st && strstr(text, "(rounding)"),
		    "verify %s", wrong ? "says that one is wrong" : "finds them within rounding");
		free(text);
	}
	free(tok);
	free(feat);
	free(logit);
	model_free(m);
	ckpt_close(c);
	unlink(file);
	unlink(vectors);
}

static void
check_hash(void)
{
	struct error e;
	struct ckpt *c;
	char a[65] = "", b[65] = "", again[65] = "";
	const char *file = in_dir("z.ckpt");

	if (!CHECK(!ckpt_open(small, NULL, &c, &e), "%s opens", base_name(small)))
		return;
	CHECK(!ckpt_hash(c, false, a, &e) && !ckpt_hash(c, true, b, &e) && !ckpt_hash(c, false, again, &e) &&
	    strcmp(a, b) && !strcmp(a, again) && strspn(a, "0123456789abcdef") == 64,
	    "raw and EMA have names of their own: %.8s, %.8s", a, b);
	ckpt_close(c);
	copy(small, file);
	if (CHECK(!ckpt_open(file, NULL, &c, &e), "a copy")) {
		CHECK(!ckpt_hash(c, false, again, &e) && !strcmp(a, again), "the place does not matter");
		ckpt_close(c);
	}
	unlink(file);
	if (CHECK(!ckpt_open(demo, NULL, &c, &e), "the demo opens")) {
		CHECK(ckpt_hash(c, true, a, &e) == ST_CKPT && *e.msg, "it has no second set: %s", e.msg);
		ckpt_close(c);
	}
}

int
main(void)
{
	const char *s = getenv("SRCDIR");

	snprintf(src, sizeof src, "%s", s ? s : ".");
	snprintf(small, sizeof small, "%s/tests/golden/ckpt/values-plain.ckpt", src);
	snprintf(demo, sizeof demo, "%s/tests/golden/demo/duo-text8.safetensors", src);
	if (!CHECK(mkdtemp(dir) != NULL, "a folder"))
		return check_done();
	check_info();
	check_export(small);
	snprintf(small, sizeof small, "%s/tests/golden/ckpt/values-odd.ckpt", src);
	check_export(small);
	check_folder(small, "mdlm");
	snprintf(small, sizeof small, "%s/tests/golden/ckpt/values-plain.ckpt", src);
	check_folder(small, "duo");
	check_verify();
	check_reference();
	check_hash();
	CHECK(rmdir(dir) == 0, "nothing is left behind");
	return check_done();
}
