/* info.c: see info.h. */
#include "run/info.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "models/registry.h"
#include "run/train.h"
#include "text/token.h"

/* Everything that is printed, once. */
struct facts {
	uint64_t parameters, weight_bytes, scratch_bytes;
	bool runs;                       /* this build has the network */
	char why[480];                   /* why not */
	uint64_t per_dtype[DT_COUNT];    /* numbers of each type in the weights that are used */
	char hash[65];
	const char *noise;               /* uniform, masked, none */
	char tokenizer[200];
};

static const char *
noise_kind(const struct config *c)
{
	return c->backbone == BACKBONE_GPT2 || c->causal == 1 ? "none" : c->mask >= 0 ? "masked" : "uniform";
}

static void
size_text(uint64_t bytes, char *buf, size_t size)
{
	if (bytes < 1000)
		snprintf(buf, size, "%" PRIu64 " bytes", bytes);
	else if (bytes < 1000000)
		snprintf(buf, size, "%.1f kB", (double)bytes / 1e3);
	else if (bytes < 1000000000)
		snprintf(buf, size, "%.1f MB", (double)bytes / 1e6);
	else
		snprintf(buf, size, "%.2f GB", (double)bytes / 1e9);
}

/* 1234567 as "1,234,567". */
static void
count_text(uint64_t n, char *buf, size_t size)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	size_t k = 0;

	for (int i = 0; i < len && k + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			buf[k++] = ',';
		buf[k++] = digits[i];
	}
	buf[k] = '\0';
}

static void
tokenizer_text(const struct ckpt *c, const char *outside, char *buf, size_t size)
{
	static const char *const inside[] = {
		[CKPT_TOK_NONE] = "", [CKPT_TOK_JSON] = "tokenizer.json", [CKPT_TOK_TEXT8] = "text8",
		[CKPT_TOK_CHARS] = "characters", [CKPT_TOK_BYTES] = "bytes", [CKPT_TOK_PIXELS] = "pixels",
	};
	const char *name = c->config.tokenizer_name;

	if (c->tok_kind == CKPT_TOK_JSON && *name)
		snprintf(buf, size, "%s, in the file", name);
	else if (c->tok_kind != CKPT_TOK_NONE)
		snprintf(buf, size, "%s, in the file", inside[c->tok_kind]);
	else if (outside)
		snprintf(buf, size, "%s", outside);
	else if (*name)
		snprintf(buf, size, "%s, not in the file (--tokenizer)", name);
	else
		snprintf(buf, size, "none named, none in the file (--tokenizer)");
}

/* Parameters by type; buffers (rotary frequencies) are none. */
static void
count_weights(const struct ckpt *c, struct facts *f)
{
	bool ema = c->n_ema > 0;

	for (int i = 0; i < (ema ? c->n_ema : c->n_raw); i++) {
		const struct tensor *t = ema ? &c->ema[i] : &c->raw[i];

		if (ckpt_is_buffer(t->name))
			continue;
		f->per_dtype[t->dtype] += tensor_numel(t);
		f->parameters += tensor_numel(t);
		f->weight_bytes += tensor_numel(t) * dtype_size(t->dtype);
	}
}

static enum status
gather(const struct ckpt *c, const struct info_options *o, struct facts *f, struct error *e)
{
	struct model_size size;
	struct error mine = { .code = ST_OK };
	enum status st = model_check(c, &mine);

	*f = (struct facts){ .runs = st == ST_OK, .noise = noise_kind(&c->config) };
	if (st && c->config.backbone == BACKBONE_DIT) {
		if (e)
			*e = mine;
		return st;
	}
	snprintf(f->why, sizeof f->why, "%s", mine.msg);
	count_weights(c, f);
	if (f->runs && !model_measure(c, &size, NULL))
		f->scratch_bytes = size.scratch_bytes;
	tokenizer_text(c, o->tokenizer, f->tokenizer, sizeof f->tokenizer);
	return ckpt_hash(c, c->n_ema > 0, f->hash, e);
}

/* "f32" or "bf16 6,432,896, f32 185,600", most first. */
static void
dtype_text(const struct facts *f, char *buf, size_t size)
{
	uint64_t left[DT_COUNT];
	int kinds = 0;
	size_t at = 0;

	memcpy(left, f->per_dtype, sizeof left);
	for (int d = 0; d < DT_COUNT; d++)
		kinds += left[d] > 0;
	*buf = '\0';
	for (int k = 0; k < kinds && at < size; k++) {
		char n[32];
		int best = 0;

		for (int d = 1; d < DT_COUNT; d++)
			if (left[d] > left[best])
				best = d;
		count_text(left[best], n, sizeof n);
		at += (size_t)snprintf(buf + at, size - at, "%s%s%s%s", k ? ", " : "", dtype_name((enum dtype)best),
		    kinds > 1 ? " " : "", kinds > 1 ? n : "");
		left[best] = 0;
	}
}

static void
print_network(FILE *out, const struct config *c)
{
	if (c->backbone == BACKBONE_DIT) {
		fprintf(out, "  network      %d block%s, width %d, %d head%s", c->n_blocks, c->n_blocks == 1 ? "" : "s",
		    c->hidden, c->n_heads, c->n_heads == 1 ? "" : "s");
		if (!c->causal)
			fprintf(out, ", conditioning %d", c->cond_dim);
		fputc('\n', out);
	} else if (c->backbone == BACKBONE_UNET) {
		fprintf(out, "  network      %d channels", c->ch);
		for (int i = 0; i < c->num_scales; i++)
			fprintf(out, "%s%d", i ? "," : " x ", c->ch_mult[i]);
		fprintf(out, ", %d residual block%s, attention at scale %d\n", c->num_res_blocks,
		    c->num_res_blocks == 1 ? "" : "s", c->attn_scale);
	} else {
		fprintf(out, "  network      %d layers, width %d, %d heads\n", c->n_blocks, c->hidden, c->n_heads);
	}
}

static void
print_family(FILE *out, const struct config *c, const struct facts *f)
{
	static const char *const network[] = { [BACKBONE_UNKNOWN] = "?", [BACKBONE_DIT] = "DiT",
	    [BACKBONE_UNET] = "U-Net",
		[BACKBONE_GPT2] = "GPT-2", [BACKBONE_CLASSIFIER] = "classifier" };

	fprintf(out, "  family       %s, %s", algo_name(c->algo), network[c->backbone]);
	if (!strcmp(f->noise, "none"))
		fprintf(out, ", left to right\n");
	else
		fprintf(out, ", %s noise, %s (eps %g)\n", f->noise, schedule_name(c->schedule), c->eps);
}

static void
print_vocabulary(FILE *out, const struct config *c)
{
	fprintf(out, "  vocabulary   %d", c->vocab);
	if (c->mask >= 0)
		fprintf(out, ", mask %d", c->mask);
	fprintf(out, "\n  length       %d\n", c->length);
	if (c->classes > 0)
		fprintf(out, "  classes      %d\n", c->classes);
	else
		fprintf(out, "  classes      none\n");
}

static void
print_weights(FILE *out, const struct ckpt *c, const struct facts *f)
{
	char n[32], types[160], file[32], weights[32], scratch[32];

	count_text(f->parameters, n, sizeof n);
	dtype_text(f, types, sizeof types);
	size_text(f->weight_bytes, weights, sizeof weights);
	size_text(f->scratch_bytes, scratch, sizeof scratch);
	size_text(c->file_bytes, file, sizeof file);
	fprintf(out, "  parameters   %s\n  dtype        %s\n", n, types);
	if (c->n_ema)
		fprintf(out, "  EMA          yes, used unless --raw");
	else
		fprintf(out, "  EMA          %s", c->holds_ema ? "yes, and nothing else" : "no");
	if ((c->n_ema || c->holds_ema) && !isnan(c->config.ema_decay))
		fprintf(out, " (decay %g)", c->config.ema_decay);
	fputc('\n', out);
	if (c->config.step >= 0)
		fprintf(out, "  step         %lld", c->config.step);
	if (c->config.step >= 0 && c->config.epoch >= 0)
		fprintf(out, ", epoch %lld", c->config.epoch);
	if (c->config.step >= 0)
		fputc('\n', out);
	fprintf(out, "  memory       %s of weights%s%s%s\n", weights, f->runs ? ", " : "", f->runs ? scratch : "",
	    f->runs ? " to compute with" : "");
}

/* A number of a training checkpoint's metadata, text there; NAN: none. */
static double
meta_number(const struct ckpt *c, const char *key)
{
	const char *text = c->own ? st_meta(c->own, key) : NULL;
	char *end;
	double x = text ? strtod(text, &end) : NAN;

	return text && *text && !*end ? x : NAN;
}

/* The job of a run that can go on from this file; NULL: it is none. */
static const char *
job_text(const struct ckpt *c)
{
	return c->own ? st_meta(c->own, "job") : NULL;
}

static void
print_training(FILE *out, const struct ckpt *c)
{
	double best = meta_number(c, "best"), best_step = meta_number(c, "best_step");
	char line[JOB_PATH + 160];
	struct job j;

	if (!job_text(c))
		return;
	if (job_from_json(job_text(c), &j, NULL) != ST_OK) {
		fprintf(out, "  training     by a psiview that knows other settings\n");
		return;
	}
	train_say_job(&j, line, sizeof line);
	fprintf(out, "  training     %s, step %lld of %lld\n", line, c->config.step, (long long)j.adam.steps);
	if (isfinite(best))
		fprintf(out, "  best bound   %.4f nats a token, at step %.0f\n", best, best_step);
}

static void
print_text(FILE *out, const struct ckpt *c, const struct facts *f)
{
	char size[32];

	size_text(c->file_bytes, size, sizeof size);
	fprintf(out, "%s\n  format       %s, %s\n", c->path, ckpt_format_name(c->format), size);
	print_family(out, &c->config, f);
	print_network(out, &c->config);
	print_vocabulary(out, &c->config);
	if (c->config.backbone != BACKBONE_GPT2)
		fprintf(out, "  time         %s\n", !c->config.time_input ? "the network has no time input"
		    : c->config.timed ? "the network is given sigma" : "the network is given sigma 0");
	print_weights(out, c, f);
	print_training(out, c);
	fprintf(out, "  tokenizer    %s\n  hash         %s\n", f->tokenizer, f->hash);
	if (!f->runs)
		fprintf(out, "  note         %s\n", f->why);
	for (int i = 0; i < c->n_warning; i++)
		fprintf(out, "  warning      %s\n", c->warning[i]);
}

static void
put_size(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

static void
put_text(json_t *o, const char *name, const char *s)
{
	size_t n;
	char *clean = s ? utf8_repair(s, strlen(s), &n) : NULL;

	json_object_set_new(o, name, clean ? json_string(clean) : json_null());
	free(clean);
}

/* Unset: null. */
static void
put_int(json_t *o, const char *name, long long v, bool known)
{
	json_object_set_new(o, name, known ? json_integer(v) : json_null());
}

static void
put_shape(json_t *o, const struct config *c)
{
	bool transformer = c->backbone == BACKBONE_DIT || c->backbone == BACKBONE_GPT2;
	json_t *mult = json_array();

	put_int(o, "vocabulary", c->vocab, c->vocab > 0);
	put_int(o, "mask", c->mask, c->mask >= 0);
	put_int(o, "length", c->length, c->length > 0);
	put_int(o, "classes", c->classes, true);
	if (transformer) {
		put_int(o, "n_blocks", c->n_blocks, true);
		put_int(o, "n_heads", c->n_heads, true);
		put_int(o, "hidden_size", c->hidden, true);
		put_int(o, "cond_dim", c->cond_dim, c->cond_dim > 0 && !c->causal);
	}
	for (int i = 0; c->backbone == BACKBONE_UNET && i < c->num_scales; i++)
		json_array_append_new(mult, json_integer(c->ch_mult[i]));
	if (c->backbone == BACKBONE_UNET) {
		put_int(o, "ch", c->ch, true);
		json_object_set(o, "ch_mult", mult);
		put_int(o, "num_res_blocks", c->num_res_blocks, true);
	}
	json_decref(mult);
}

/* Of a run that can go on from here. */
static void
put_training(json_t *o, const struct ckpt *c)
{
	double best = meta_number(c, "best"), step = meta_number(c, "best_step");
	json_t *job = job_text(c) ? json_loads(job_text(c), 0, NULL) : NULL;

	if (!job)
		return;
	json_object_set_new(o, "job", job);
	json_object_set_new(o, "best", isfinite(best) ? json_real(best) : json_null());
	bool known = isfinite(best) && step >= 0 && step < 1e15;
	put_int(o, "best_step", known ? (long long)step : 0, known);
}

static json_t *
to_json(const struct ckpt *c, const struct facts *f)
{
	const struct config *g = &c->config;
	json_t *o = json_object(), *types = json_object(), *warnings = json_array();

	put_text(o, "file", c->path);
	put_text(o, "format", ckpt_format_name(c->format));
	put_size(o, "file_bytes", c->file_bytes);
	put_text(o, "algo", algo_name(g->algo));
	put_text(o, "backbone", backbone_name(g->backbone));
	put_text(o, "noise", f->noise);
	put_text(o, "schedule", schedule_name(g->schedule));
	json_object_set_new(o, "eps", json_real(g->eps));
	put_shape(o, g);
	json_object_set_new(o, "time_conditioning", json_boolean(g->timed));
	put_size(o, "parameters", f->parameters);
	for (int d = 0; d < DT_COUNT; d++)
		if (f->per_dtype[d])
			put_size(types, dtype_name((enum dtype)d), f->per_dtype[d]);
	json_object_set_new(o, "dtype", types);
	json_object_set_new(o, "ema", json_boolean(c->n_ema > 0 || c->holds_ema));
	json_object_set_new(o, "raw", json_boolean(!c->holds_ema));
	bool decay = (c->n_ema || c->holds_ema) && !isnan(g->ema_decay);
	json_object_set_new(o, "ema_decay", decay ? json_real(g->ema_decay) : json_null());
	put_int(o, "step", g->step, g->step >= 0);
	put_int(o, "epoch", g->epoch, g->epoch >= 0);
	put_training(o, c);
	put_size(o, "weight_bytes", f->weight_bytes);
	put_int(o, "scratch_bytes", (long long)f->scratch_bytes, f->runs);
	put_text(o, "tokenizer", f->tokenizer);
	put_text(o, "hash", f->hash);
	json_object_set_new(o, "runs", json_boolean(f->runs));
	for (int i = 0; i < c->n_warning; i++)
		json_array_append_new(warnings, json_string(c->warning[i]));
	json_object_set_new(o, "warnings", warnings);
	return o;
}

enum status
info_print(FILE *out, const struct ckpt *c, const struct info_options *o, struct error *e)
{
	struct facts f;
	enum status st = gather(c, o, &f, e);

	if (st)
		return st;
	if (o->json) {
		json_t *root = to_json(c, &f);

		json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		fputc('\n', out);
		json_decref(root);
	} else {
		print_text(out, c, &f);
	}
	if (fflush(out) || ferror(out))
		return error_set(e, ST_FAIL, "cannot write: %s", strerror(errno));
	return ST_OK;
}

enum status
info_run(FILE *out, const char *path, const struct config_override *over, const struct info_options *o, struct error *e)
{
	struct ckpt *c;
	enum status st = ckpt_open(path, over, &c, e);

	if (st)
		return st;
	st = info_print(out, c, o, e);
	ckpt_close(c);
	return st;
}
