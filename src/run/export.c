/* export.c: see export.h. */
#include "run/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "ckpt/own.h"
#include "models/registry.h"
#include "run/outfile.h"

#define BLOCK 65536

void
export_options_init(struct export_options *o)
{
	*o = (struct export_options){ .dtype = -1 };
}

bool
export_dtype(const char *name, int *out)
{
	static const struct { const char *name; enum dtype dtype; } known[] = {
		{ "f32", DT_F32 }, { "float32", DT_F32 }, { "bf16", DT_BF16 }, { "bfloat16", DT_BF16 },
		{ "f16", DT_F16 }, { "float16", DT_F16 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(name, known[i].name)) {
			*out = (int)known[i].dtype;
			return true;
		}
	return false;
}

static enum dtype
dtype_for(const struct tensor *t, const struct export_options *o)
{
	return o->dtype < 0 || !dtype_is_float(t->dtype) ? t->dtype : (enum dtype)o->dtype;
}

static enum status
declare(struct st_writer *w, const struct tensor *t, int n, const struct export_options *o, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; !st && i < n; i++) {
		char *name = mem_printf("backbone.%s", t[i].name);

		if (!name)
			return error_set(e, ST_MEMORY, "out of memory");
		if (!ckpt_is_buffer(t[i].name))
			st = st_declare(w, name, dtype_for(&t[i], o), t[i].ndim, t[i].dim, e);
		free(name);
	}
	return st;
}

static enum status
put_metadata(struct st_writer *w, const struct ckpt *c, bool raw, struct error *e)
{
	static const char *const name[] = { [CKPT_TOK_TEXT8] = "text8", [CKPT_TOK_BYTES] = "bytes",
	    [CKPT_TOK_PIXELS] = "pixels" };
	struct own_metadata m = { .config = &c->config, .weights = raw || !c->n_ema ? "raw" : "ema",
	    .layout = c->layout };
	char *text = NULL;

	/* The tokenizer travels along, as text. */
	if (c->tok_kind == CKPT_TOK_JSON || c->tok_kind == CKPT_TOK_CHARS) {
		text = mem_strndup((const char *)c->tok_data, c->tok_bytes);
		if (!text)
			return error_set(e, ST_MEMORY, "out of memory");
		m.vocabulary_key = c->tok_kind == CKPT_TOK_JSON ? "tokenizer.json" : "vocabulary";
		m.vocabulary = text;
	} else if (c->tok_kind != CKPT_TOK_NONE) {
		m.vocabulary_key = "tokenizer";
		m.vocabulary = name[c->tok_kind];
	}
	enum status st = own_declare(w, &m, e);
	free(text);
	return st;
}

static enum status
write_tensor(struct st_writer *w, const struct tensor *t, const struct export_options *o, void *block, struct error *e)
{
	enum dtype d = dtype_for(t, o);
	size_t n = tensor_numel(t), size = dtype_size(d);
	float *wide = block;
	void *narrow = wide + BLOCK;
	enum status st = ST_OK;

	for (size_t at = 0; !st && at < n; at += BLOCK) {
		size_t k = n - at < BLOCK ? n - at : BLOCK;

		if (d == t->dtype) {
			tensor_copy(t, at, k, narrow);
		} else {
			tensor_to_f32(t, at, k, wide);
			f32_to_dtype(wide, k, d, narrow);
		}
		st = st_write(w, narrow, k * size, e);
	}
	return st;
}

static enum status
write_weights(const struct ckpt *c, const char *out, const struct export_options *o, struct error *e)
{
	bool ema = c->n_ema > 0 && !o->raw;
	const struct tensor *t = ema ? c->ema : c->raw;
	int n = ema ? c->n_ema : c->n_raw;
	void *block = mem_aligned(BLOCK, sizeof(float) + sizeof(double));
	struct st_writer *w = st_writer_new(out);
	enum status st = block && w ? ST_OK : error_set(e, ST_MEMORY, "out of memory");

	if (!st)
		st = declare(w, t, n, o, e);
	if (!st)
		st = put_metadata(w, c, !ema, e);
	if (!st)
		st = st_begin(w, e);
	for (int i = 0; !st && i < n; i++)
		if (!ckpt_is_buffer(t[i].name))
			st = write_tensor(w, &t[i], o, block, e);
	if (st)
		st_abort(w);
	else
		st = st_commit(w, e);
	mem_free(block);
	return st;
}

static enum status
write_config(const char *dir, const char *text, struct error *e)
{
	char *path = mem_printf("%s/config.json", dir);
	struct outfile *f;
	enum status st = path ? outfile_open(path, &f, e) : error_set(e, ST_MEMORY, "out of memory");

	free(path);
	if (st)
		return st;
	st = outfile_write(f, text, strlen(text), e);
	if (!st)
		st = outfile_write(f, "\n", 1, e);
	if (!st)
		return outfile_commit(f, e);
	outfile_abort(f);
	return st;
}

/* Is out a Hugging Face folder, there or to be made? */
static bool
is_folder(const char *out)
{
	size_t n = strlen(out);
	struct stat sb;

	return (n && out[n - 1] == '/') || (!stat(out, &sb) && S_ISDIR(sb.st_mode));
}

/* Where to write: *file and its folder *dir, both malloced. */
static enum status
plan_paths(const char *out, bool folder, char **dir, char **file, struct error *e)
{
	const char *slash = strrchr(out, '/');

	if (folder) {
		if (mkdir(out, 0777) && errno != EEXIST)
			return error_set(e, ST_FAIL, "cannot be made: %s", strerror(errno));
		*dir = mem_strdup(out);
		*file = mem_printf("%s%smodel.safetensors", out, slash && !slash[1] ? "" : "/");
	} else {
		*dir = !slash ? mem_strdup(".") : mem_strndup(out, slash == out ? 1 : (size_t)(slash - out));
		*file = mem_strdup(out);
	}
	return *dir && *file ? ST_OK : error_set(e, ST_MEMORY, "out of memory");
}

/* The type named in config.json: that of the largest tensor. */
static const char *
torch_dtype(const struct ckpt *c, const struct export_options *o)
{
	const struct tensor *t = c->n_ema && !o->raw ? c->ema : c->raw, *big = t;

	for (int i = 0; i < (c->n_ema && !o->raw ? c->n_ema : c->n_raw); i++)
		if (tensor_numel(&t[i]) > tensor_numel(big))
			big = &t[i];
	enum dtype d = dtype_for(big, o);
	return d == DT_BF16 ? "bfloat16" : d == DT_F16 ? "float16" : d == DT_F64 ? "float64" : "float32";
}

enum status
export_write(const struct ckpt *c, const char *out, const struct export_options *o, struct error *e)
{
	char *dir = NULL, *file = NULL, *json = NULL;
	const char *why = NULL;
	bool folder = is_folder(out);
	enum status st = ST_OK;

	if (folder || o->config_json) {
		json = config_to_hf(&c->config, torch_dtype(c, o), &why);
		if (!json)
			return why ? error_set(e, ST_USAGE, "no config.json for a model of type %s: %s",
			    algo_name(c->config.algo), why)
			    : error_set(e, ST_MEMORY, "out of memory");
	}
	st = plan_paths(out, folder, &dir, &file, e);
	if (!st)
		st = write_weights(c, file, o, e);
	if (!st && json)
		st = write_config(dir, json, e);
	free(json);
	free(dir);
	free(file);
	return st;
}

enum status
export_run(const char *path, const char *out, const struct config_override *over, const struct export_options *o,
    bool *in_error, struct error *e)
{
	struct ckpt *c = NULL;
	enum status st = ckpt_open(path, over, &c, e);
	bool in = true;

	if (!st && c->config.backbone == BACKBONE_DIT)
		st = model_check(c, e);
	if (!st) {
		in = false;
		st = export_write(c, out, o, e);
	}
	if (in_error)
		*in_error = in;
	ckpt_close(c);
	return st;
}
