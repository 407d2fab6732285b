/* wire_eval.c: see wire_eval.h. */
#include "run/wire_eval.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "run/held.h"
#include "run/score.h"
#include "run/wire.h"

#define SAMPLES 256

/* ---- what is said of a bound ---- */

static char *
bound_json(const struct likelihood *b, const char *model)
{
	json_t *o = json_object();
	int bad = json_object_set_new(o, "model", json_string(model));

	bad |= json_object_set_new(o, "samples", json_integer(b->samples));
	bad |= json_object_set_new(o, "nats_per_token", json_real(b->mean));
	bad |= json_object_set_new(o, "standard_error", isfinite(b->error) ? json_real(b->error) : json_null());
	bad |= json_object_set_new(o, "bits_per_token", json_real(b->mean / M_LN2));
	bad |= json_object_set_new(o, "perplexity", json_real(exp(b->mean)));
	bad |= json_object_set_new(o, "prior", json_real(b->prior));
	char *line = bad ? NULL : json_dumps(o, JSON_INDENT(2)), *text = line ? mem_printf("%s\n", line) : NULL;
	free(line);
	json_decref(o);
	return text;
}

static char *
bound_text(const struct likelihood *b, const char *what)
{
	char error[80] = "nats per token (NELBO; one sample tells no error)";

	if (isfinite(b->error))
		snprintf(error, sizeof error, "+- %.4f nats per token (NELBO, one standard error)", b->error);
	return mem_printf("samples      %d %s\n"
	                  "bound        %.4f %s\n"
	                  "             %.4f bits per token, perplexity %.4g\n", b->samples, what, b->mean, error,
	                  b->mean / M_LN2, exp(b->mean));
}

/* ---- bound ---- */

/* The samples: those of --in, else held-out ones, else those on standard input. */
static enum status
find_samples(const struct settings *s, const struct opened *o, struct samples *out, const char **what, struct error *e)
{
	const char *path = settings_text(s, OPT_IN), *data = settings_text(s, OPT_DATA);
	struct rules rules;
	enum status st = rules_find(NULL, o->ckpt, o->ema, &rules, e);

	if (st == ST_OK && !path && (data || rules_any(&rules))) {
		*what = data ? "held out" : "fresh grids";
		return held_data(o, &rules, data, settings_text(s, OPT_TOKENIZER),
			(int)settings_int(s, OPT_COUNT_N, SAMPLES), out, e);
	}
	*what = "given";
	FILE *in = path ? fopen(path, "rbe") : stdin;
	if (st == ST_OK && !in)
		st = error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	if (st == ST_OK && (st = held_lines(o, in, out, e)) != ST_OK)
		error_prefix(e, path ? path : "standard input");
	if (in && in != stdin)
		fclose(in);
	return st;
}

static enum status
bound(const struct settings *s, const struct opened *o, char **text, struct error *e)
{
	struct samples samples = { 0 };
	struct likelihood b;
	const char *what = "";
	enum status st = likelihood_check(o->ema, NULL, e);

	if (st != ST_OK)
		return error_prefix(e, o->path);
	if (settings_text(s, OPT_WHOLE_BATCHES))
		return error_set(e, ST_USAGE, "--whole-batches: is for a GPT-2, this is a diffusion model");
	st = find_samples(s, o, &samples, &what, e);
	if (st == ST_OK)
		st = likelihood_nelbo(o->ema, &samples, 0, &b, NULL, e);
	samples_done(&samples);
	if (st == ST_OK) {
		*text = settings_flag(s, OPT_JSON) ? bound_json(&b, o->path) : bound_text(&b, what);
		st = *text ? ST_OK : error_set(e, ST_MEMORY, "out of memory");
	}
	return st;
}

/* ---- perplexity ---- */

static enum status
perplexity(const struct settings *s, const struct opened *o, char **text, struct error *e)
{
	struct score score = { 0 };
	const char *path = settings_text(s, OPT_IN);
	if (settings_text(s, OPT_DATA))
		return error_set(e, ST_USAGE, "--data: a GPT-2 scores texts (--in FILE)");
	FILE *in = path ? fopen(path, "rbe") : stdin;
	if (!in)
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	enum status st = score_stream(o, in, (int)settings_int(s, OPT_WHOLE_BATCHES, 0), &score, e);
	if (st != ST_OK)
		error_prefix(e, st == ST_USAGE ? o->path : path ? path : "standard input");
	if (in != stdin)
		fclose(in);
	if (st == ST_OK && !(*text = score_text(&score, o->path, settings_flag(s, OPT_JSON))))
		st = error_set(e, ST_MEMORY, "out of memory");
	return st;
}

enum status
wire_eval(const struct settings *s, char **text, struct error *e)
{
	struct opened *o = NULL;
	enum status st = wire_open(s, &o, e);

	*text = NULL;
	if (st == ST_OK)
		st = o->ema->out == OUT_CAUSAL ? perplexity(s, o, text, e) : bound(s, o, text, e);
	open_done(o);
	return st;
}
