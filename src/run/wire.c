/* wire.c: see wire.h. */
#include "run/wire.h"

#include <stdlib.h>
#include <string.h>

#include "run/classes.h"
#include "run/picture.h"
#include "run/sample.h"

struct open_setup
wire_setup(const struct settings *s)
{
	struct open_setup setup = { .path = s->file, .tokenizer = settings_text(s, OPT_TOKENIZER),
		.threads = (int)settings_int(s, OPT_THREADS, 0), .classifier = settings_text(s, OPT_CLASSIFIER) };

	settings_override(s, &setup.override);
	return setup;
}

enum status
wire_open(const struct settings *s, struct opened **o, struct error *e)
{
	struct open_setup setup = wire_setup(s);

	return open_run(&setup, o, e);
}

enum status
wire_open_also(const struct settings *s, const char *path, struct opened **o, struct error *e)
{
	struct open_setup setup = { .path = path, .threads = (int)settings_int(s, OPT_THREADS, 0) };

	config_override_init(&setup.override);
	return open_run(&setup, o, e);
}

bool
wire_pictures(const struct opened *o)
{
	return (o->ckpt->config.backbone == BACKBONE_UNET || strncmp(o->ckpt->config.modality, "image", 5) == 0) &&
	       picture_side(o->ema->L) > 0;
}

enum status
wire_recipe(const struct settings *s, const struct opened *o, const char *preset, struct recipe *r, struct error *e)
{
	const char *class = settings_text(s, OPT_CLASS);

	recipe_default(o->ema, wire_pictures(o), r);
	enum status st = settings_recipe(s, preset, r, e);
	if (st == ST_OK && class)
		st = class_set(r, &o->ckpt->config, class, e);
	return st;
}

bool
wire_foreign_recipe(const struct settings *s, const struct opened *o, const struct recipe *r)
{
	const char *line = settings_text(s, OPT_RECIPE);
	char hash[80], own[65];

	return line && recipe_line_value(line, "ckpt", hash, sizeof hash) &&
	       ckpt_hash(o->ckpt, o->ckpt->n_ema > 0 && !r->raw, own, NULL) == ST_OK && strcmp(own, hash) != 0;
}

enum status
wire_clamps(const struct settings *s, const struct opened *o, struct edit **edit, int *n, struct error *e)
{
	enum status st = ST_OK;

	*edit = NULL;
	*n = 0;
	for (size_t i = 0; i < s->n && st == ST_OK; i++)
		if (s->set[i].option == OPT_CLAMP)
			st = sample_clamp(s->set[i].value, o->tok, o->ema->L, edit, n, e);
	return st;
}

enum status
wire_sink(const struct settings *s, const struct opened *o, const struct recipe *r, int count, enum sink_format format,
          struct outfile *file, struct sink **out, struct error *e)
{
	struct recipe all = *r;
	char hash[65];
	struct sink_setup k = { .format = format, .path = settings_text(s, OPT_OUTPUT), .out = file, .hash = hash,
		.recipe = &all, .L = o->ema->L, .columns = (int)settings_int(s, OPT_COLUMNS, 0),
		.zoom = (int)settings_int(s, OPT_ZOOM, 1), .gap = (int)settings_int(s, OPT_GAP, 1) };

	*out = NULL;
	if (format <= SINK_JSONL)
		return ST_OK;
	all.samples = count;
	if (all.label == LABEL_ROWS && k.columns == 0 && o->ema->classes < count)
		k.columns = o->ema->classes; /* a class is a column */
	enum status st = ckpt_hash(o->ckpt, o->ckpt->n_ema > 0 && !all.raw, hash, e);
	return st == ST_OK ? sink_new(&k, out, e) : st;
}
