/* ckpt.c: opening and closing.  See ckpt.h. */
#include "ckpt/ckpt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

const char *
ckpt_format_name(enum ckpt_format f)
{
	static const char *const names[] = {
		[CKPT_LIGHTNING] = "Lightning checkpoint", [CKPT_SAFETENSORS] = "safetensors",
		[CKPT_HF] = "Hugging Face folder (safetensors)",
		[CKPT_HF_SHARDED] = "Hugging Face folder (sharded safetensors)",
		[CKPT_HF_BIN] = "Hugging Face folder (pytorch_model.bin)",
		[CKPT_OWN] = "psiview checkpoint (safetensors)",
	};

	return names[f];
}

/* A u64 header length that fits, then an object. */
static bool
safetensors_seems(const struct map *m)
{
	return m->bytes >= 9 && m->p[8] == '{';
}

/* A config.json or an index: it stands for its folder. */
static bool
json_of_folder(const struct map *m)
{
	json_t *root;

	if (!m->bytes || m->p[0] != '{' || json_parse(m->p, m->bytes, 64, &root, NULL))
		return false;
	bool is = json_object_get(root, "weight_map") || json_object_get(root, "model_type");
	json_decref(root);
	return is;
}

/* The folder of path ("." if it names none); NULL: out of memory. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? mem_strdup(".") : slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

enum status
refuse_file(struct opener *o)
{
	const char *seems = seems_file(&o->p->map);

	if (seems)
		return error_set(o->e, ST_CKPT, "cannot be read: it is %s; " SUPPORTED, seems);
	return error_set(o->e, ST_CKPT, "not a checkpoint of any format that psiview reads; " SUPPORTED);
}

/* A zip: of torch.save, else say whose it seems to be. */
static enum status
open_zip(struct opener *o)
{
	enum status st = open_torch(o);
	const char *seems = st == ST_CKPT ? seems_zip(&o->p->map) : NULL;

	return seems ? error_set(o->e, ST_CKPT, "cannot be read: it is %s; " SUPPORTED, seems) : st;
}

static enum status
open_file(struct opener *o, const char *path)
{
	enum status st = map_open(path, &o->p->map, o->e);

	o->c->dir = folder_of(path);
	if (st)
		return st;
	if (!o->c->dir)
		return error_set(o->e, ST_MEMORY, "out of memory");
	if (zip_seems(&o->p->map)) {
		o->c->file_bytes = o->p->map.bytes;
		return open_zip(o);
	}
	if (json_of_folder(&o->p->map)) {
		map_done(&o->p->map);
		return open_folder(o, o->c->dir);
	}
	if (!safetensors_seems(&o->p->map) || seems_file(&o->p->map))
		return refuse_file(o);
	map_done(&o->p->map);
	return open_safetensors(o, path);
}

/* What was assumed where the file is silent. */
static void
tell_assumptions(const struct opener *o)
{
	const struct config *c = &o->c->config;
	bool causal = c->causal == 1;

	if (!causal && !*c->noise_name && !o->o->noise)
		ckpt_warn(o->c, "the file names no noise schedule: log-linear with eps %g (--noise, --eps)", c->eps);
	if (!causal && c->mask >= 0 && o->hint.mask == CONFIG_UNSET && o->o->mask == CONFIG_UNSET && !o->p->says_mask)
		ckpt_warn(o->c, "the file does not say which token is the mask: %d by its vocabulary (--mask)",
			c->mask);
}

static enum status
open_any(struct opener *o, const char *path)
{
	struct stat sb;
	struct ckpt *c = o->c;

	if (stat(path, &sb) || !S_ISDIR(sb.st_mode))
		return open_file(o, path);
	c->dir = mem_strdup(path);
	if (!c->dir)
		return error_set(o->e, ST_MEMORY, "out of memory");
	return open_folder(o, path);
}

enum status
ckpt_open(const char *path, const struct config_override *over, struct ckpt **out, struct error *e)
{
	struct config_override none;
	struct error mine;
	struct opener o = { .hint = { CONFIG_UNSET, CONFIG_UNSET }, .e = e ? e : &mine };

	*out = NULL;
	config_override_init(&none);
	o.o = over ? over : &none;
	o.c = mem_calloc(1, sizeof *o.c);
	o.p = mem_calloc(1, sizeof *o.p);
	if (!o.c || !o.p || !(o.c->path = mem_strdup(path))) {
		free(o.c);
		free(o.p);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	o.c->priv = o.p;
	config_init(&o.c->config);
	enum status st = open_any(&o, path);
	if (!st)
		st = config_complete(&o.c->config, &o.p->raw, o.o, &o.hint, o.e);
	if (st) {
		ckpt_close(o.c);
		return st;
	}
	tell_assumptions(&o);
	o.c->raw = o.p->raw.t;
	o.c->n_raw = o.p->raw.n;
	o.c->ema = o.p->ema.t;
	o.c->n_ema = o.p->ema.n;
	o.c->adam_m = o.p->adam_m.t;
	o.c->adam_v = o.p->adam_v.t;
	o.c->n_adam = o.p->adam_m.n;
	*out = o.c;
	return ST_OK;
}

void
ckpt_close(struct ckpt *c)
{
	if (!c)
		return;
	list_done(&c->priv->raw);
	list_done(&c->priv->ema);
	list_done(&c->priv->adam_m);
	list_done(&c->priv->adam_v);
	for (int i = 0; i < c->priv->n_st; i++)
		st_close(c->priv->st[i]);
	free(c->priv->st);
	free(c->priv->tok);
	map_done(&c->priv->map);
	free(c->priv);
	free(c->path);
	free(c->dir);
	free(c->warning);
	free(c);
}

const struct tensor *
ckpt_find(const struct ckpt *c, bool ema, const char *name)
{
	return list_find(ema ? &c->priv->ema : &c->priv->raw, name);
}
