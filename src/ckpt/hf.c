/*
 * hf.c: safetensors files and Hugging Face folders, and psiview's own files.
 * See checkpoints.md sections 2 and 3; ckpt_impl.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

#define NAME_MAX_BYTES 512
#define SHARDS_MAX 4096
#define INDEX "model.safetensors.index.json"

static enum status
read_json(const char *dir, const char *name, int depth, json_t **out, struct error *e)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct map m;

	*out = NULL;
	if (!path)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = map_open(path, &m, e);
	if (!st)
		st = json_parse(m.p ? m.p : (const uint8_t *)"", m.bytes, depth, out, e);
	map_done(&m);
	if (!st && !json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		st = error_set(e, ST_CKPT, "not a JSON object");
	}
	if (st)
		error_prefix(e, name);
	free(path);
	return st;
}

static bool
exists(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);
	bool there = path && !access(path, F_OK);

	free(path);
	return there;
}

enum status
read_config_json(struct opener *o, const char *dir)
{
	struct config *c = &o->c->config;
	json_t *root;

	snprintf(c->path, sizeof c->path, "config.json");
	if (!exists(dir, "config.json")) {
		if (o->c->format == CKPT_HF)
			o->c->format = CKPT_SAFETENSORS;
		return ST_OK;
	}
	enum status st = read_json(dir, "config.json", 64, &root, o->e);
	if (st)
		return st;
	if (json_object_get(root, "algo") || json_object_get(root, "model")) {
		st = config_read(c, cv_get_json, root, o->o, o->e);
	} else {
		st = config_read_hf(c, cv_get_json, root, o->o, o->e);
		if (!strcasecmp(c->algo_name, "duo"))      /* has no such field and always gets sigma */
			c->time_conditioning = CONFIG_UNSET;
	}
	json_decref(root);
	return st;
}

static enum status
add_file(struct opener *o, const char *path)
{
	struct st_file **q = realloc(o->p->st, (size_t)(o->p->n_st + 1) * sizeof *q), *f;

	if (!q)
		return error_set(o->e, ST_MEMORY, "out of memory");
	o->p->st = q;
	enum status st = st_open(path, &f, o->e);
	if (st)
		return st;
	q[o->p->n_st++] = f;
	o->c->file_bytes += f->bytes;
	return ST_OK;
}

/* All tensor names of all open files; free() the list, not the names. */
static const char **
all_names(const struct opener *o, size_t *n)
{
	const char **names;

	*n = 0;
	for (int i = 0; i < o->p->n_st; i++)
		*n += (size_t)o->p->st[i]->n;
	names = mem_calloc(*n, sizeof *names);
	for (int i = 0, k = 0; names && i < o->p->n_st; i++)
		for (int j = 0; j < o->p->st[i]->n; j++)
			names[k++] = o->p->st[i]->tensor[j].name;
	return names;
}

/* Raw weights into one list, `ema.` ones into the other; moments are left. */
static enum status
sort_tensors(struct opener *o, const char *const *names, size_t total)
{
	struct prefix prefix = prefix_of(names, total);
	char name[NAME_MAX_BYTES];
	enum status st = list_init(&o->p->raw, total, o->e);

	if (!st)
		st = list_init(&o->p->ema, total, o->e);
	for (int i = 0; !st && i < o->p->n_st; i++)
		for (int j = 0; !st && j < o->p->st[i]->n; j++) {
			const struct tensor *t = &o->p->st[i]->tensor[j];
			bool own = o->c->format == CKPT_OWN, ema = own && !strncmp(t->name, "ema.", 4);
			const char *s = t->name + (ema ? 4 : 0);

			if ((own && !strncmp(s, "adam.", 5)) || !name_strip(s, strlen(s), &prefix, name, sizeof name))
				continue;
			st = list_add(ema ? &o->p->ema : &o->p->raw, name, strlen(name), t, o->e);
		}
	if (!st && !o->p->raw.n && o->p->ema.n) {             /* an inference file with nothing but EMA */
		struct tensor_list l = o->p->raw;

		o->p->raw = o->p->ema;
		o->p->ema = l;
	}
	return st;
}

static enum status
collect(struct opener *o)
{
	size_t n;
	const char **names = all_names(o, &n), *seems;

	if (!names)
		return error_set(o->e, ST_MEMORY, "out of memory");
	enum status st = sort_tensors(o, names, n);
	seems = seems_names(names, n);
	if (!st && seems && !list_find(&o->p->raw, "vocab_embed.embedding"))
		st = error_set(o->e, ST_CKPT, "not a discrete diffusion model: the names are those of %s; " SUPPORTED,
		    seems);
	free(names);
	return st;
}

static void
read_number(const struct st_file *f, const char *key, long long *out)
{
	const char *s = st_meta(f, key);
	char *end;

	if (!s || !*s)
		return;
	long long x = strtoll(s, &end, 10);
	if (!*end && x >= 0)
		*out = x;
}

/* A classifier says so, and what its trunk is; its vocabulary need not follow
 * from the tensors. */
static enum status
read_family(struct config *c, const struct st_file *f, const void *root, struct error *e)
{
	const char *family = st_meta(f, "family"), *base = st_meta(f, "base");
	struct cv v;

	if (!family || strcmp(family, "classifier") != 0)
		return strcmp(c->algo_name, "classifier") != 0
			   ? ST_OK
			   : error_set(e, ST_CKPT, "a classifier whose metadata lack family=classifier");
	if (!base || (strcmp(base, "dit") != 0 && strcmp(base, "unet") != 0))
		return error_set(e, ST_CKPT, "a classifier of base \"%.40s\": must be dit or unet", base ? base : "");
	snprintf(c->algo_name, sizeof c->algo_name, "%s", family);
	snprintf(c->backbone_name, sizeof c->backbone_name, "%s", base);
	enum status st = cv_get_json(root, "model.vocab_size", &v, e);
	if (st == ST_OK && v.kind == CV_INT && v.i >= 2 && v.i <= 1 << 24)
		c->vocab = (int)v.i;
	return st;
}

static enum status
read_token(const void *root, const char *path, int *out, struct error *e)
{
	struct cv v = { .kind = CV_ABSENT };
	enum status st = cv_get_json(root, path, &v, e);

	if (st == ST_OK && v.kind == CV_INT && v.i >= 0 && v.i < INT_MAX)
		*out = (int)v.i;
	return st;
}

/* psiview's own file: everything is in the metadata (own.h). */
static enum status
read_own(struct opener *o, const struct st_file *f)
{
	const char *text = st_meta(f, "config"), *tok = st_meta(f, "tokenizer");
	struct ckpt *c = o->c;
	json_t *root;

	c->format = CKPT_OWN;
	snprintf(c->config.path, sizeof c->config.path, "config in the metadata");
	enum status st = json_parse((const uint8_t *)text, strlen(text), 64, &root, o->e);
	if (st) {
		error_prefix(o->e, c->config.path);
		return st;
	}
	st = config_read(&c->config, cv_get_json, root, o->o, o->e);
	if (!st)
		st = read_family(&c->config, f, root, o->e);
	if (!st)
		st = read_token(root, "model.mask", &c->config.mask, o->e);
	if (!st)
		st = read_token(root, "model.bos", &c->config.bos, o->e);
	o->p->says_mask = c->config.mask != CONFIG_UNSET;
	json_decref(root);
	read_number(f, "step", &c->config.step);
	read_number(f, "epoch", &c->config.epoch);
	c->holds_ema = st_meta(f, "weights") && !strcmp(st_meta(f, "weights"), "ema");
	c->own = f;
	c->layout = st_meta(f, "layout");
	c->job = st_meta(f, "job");
	c->tok_data = (const uint8_t *)st_meta(f, "vocabulary");
	if (c->tok_data)
		c->tok_kind = CKPT_TOK_CHARS;
	else if ((c->tok_data = (const uint8_t *)st_meta(f, "tokenizer.json")))
		c->tok_kind = CKPT_TOK_JSON;
	else if (tok)
		c->tok_kind = !strcmp(tok, "text8") ? CKPT_TOK_TEXT8 : !strcmp(tok, "bytes") ? CKPT_TOK_BYTES
		    : !strcmp(tok, "pixels") ? CKPT_TOK_PIXELS : CKPT_TOK_NONE;
	c->tok_bytes = c->tok_data ? strlen((const char *)c->tok_data) : 0;
	if (c->tok_kind == CKPT_TOK_TEXT8)
		o->hint.mask = 4;
	return st;
}

/* ---- shards ---- */

/* A shard lies in the folder itself: no way out of it. */
static bool
plain_name(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/') && strlen(s) < 256;
}

/* The shard called `name`; opened when it is new.  Its number, or -1. */
static int
shard_number(struct opener *o, const char *dir, const char *name, struct names *seen)
{
	uint32_t i;

	if (names_find(seen, name, strlen(name), &i))
		return (int)i;
	if (o->p->n_st >= SHARDS_MAX) {
		error_set(o->e, ST_CKPT, "%s: more than %d shards", INDEX, SHARDS_MAX);
		return -1;
	}
	char *path = mem_printf("%s/%s", dir, name);
	enum status st = path ? add_file(o, path) : error_set(o->e, ST_MEMORY, "out of memory");
	free(path);
	if (st) {
		error_prefix(o->e, name);
		return -1;
	}
	names_add(seen, name, strlen(name), (uint32_t)(o->p->n_st - 1));
	return o->p->n_st - 1;
}

static enum status
open_shards(struct opener *o, const char *dir, const json_t *map)
{
	struct names seen;
	const char *tensor;
	json_t *v;
	size_t total = 0;

	if (!json_is_object(map) || !json_object_size(map))
		return error_set(o->e, ST_CKPT, "%s has no weight_map", INDEX);
	if (!names_init(&seen, json_object_size(map)))
		return error_set(o->e, ST_MEMORY, "out of memory");
	enum status st = ST_OK;
	json_object_foreach((json_t *)(uintptr_t)map, tensor, v) {
		const char *name = json_string_value(v);
		int i = 0;

		if (!name || !plain_name(name))
			st = error_set(o->e, ST_CKPT, "%s: tensor %.200s is not in a file of the folder", INDEX,
			    tensor);
		else if ((i = shard_number(o, dir, name, &seen)) < 0)
			st = o->e ? o->e->code : ST_CKPT;
		else if (!st_find(o->p->st[i], tensor))
			st = error_set(o->e, ST_CKPT, "%s: tensor %.200s is not in %s", INDEX, tensor, name);
		if (st)
			break;
	}
	names_done(&seen);
	for (int i = 0; i < o->p->n_st; i++)
		total += (size_t)o->p->st[i]->n;
	if (!st && total != json_object_size(map))
		st = error_set(o->e, ST_CKPT, "%s names %zu tensors, the shards hold %zu", INDEX,
		    json_object_size(map), total);
	return st;
}

static enum status
open_sharded(struct opener *o, const char *dir)
{
	json_t *root;
	enum status st = read_json(dir, INDEX, 16, &root, o->e);

	o->c->format = CKPT_HF_SHARDED;
	if (st)
		return st;
	st = open_shards(o, dir, json_object_get(root, "weight_map"));
	json_decref(root);
	if (!st)
		st = read_config_json(o, dir);
	return st ? st : collect(o);
}

enum status
open_safetensors(struct opener *o, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (strstr(base, "-of-") && exists(o->c->dir, INDEX))     /* one shard of several stands for all */
		return open_sharded(o, o->c->dir);
	enum status st = add_file(o, path);
	if (st)
		return st;
	o->c->format = CKPT_HF;
	if (st_meta(o->p->st[0], "config"))
		st = read_own(o, o->p->st[0]);
	else
		st = read_config_json(o, o->c->dir);
	return st ? st : collect(o);
}

enum status
open_folder(struct opener *o, const char *dir)
{
	static const char single[] = "model.safetensors", bin[] = "pytorch_model.bin";
	const char *name = exists(dir, single) ? single : exists(dir, INDEX) ? NULL : bin;

	if (!name)
		return open_sharded(o, dir);
	if (!exists(dir, name) && exists(dir, "model_index.json"))
		return error_set(o->e, ST_CKPT, "a folder of diffusers (Stable Diffusion and the like); " SUPPORTED);
	if (!exists(dir, name))
		return error_set(o->e, ST_CKPT, "a folder without model.safetensors, %s or pytorch_model.bin", INDEX);
	char *path = mem_printf("%s/%s", dir, name);
	if (!path)
		return error_set(o->e, ST_MEMORY, "out of memory");
	enum status st;
	if (name == single) {
		st = open_safetensors(o, path);
	} else {
		st = map_open(path, &o->p->map, o->e);
		o->c->file_bytes = o->p->map.bytes;
		if (!st && !zip_seems(&o->p->map))
			st = refuse_file(o);
		if (!st)
			st = open_torch(o);
	}
	if (st && !strstr(o->e ? o->e->msg : "", "config.json"))
		error_prefix(o->e, name);
	free(path);
	return st;
}
