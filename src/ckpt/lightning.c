/*
 * lightning.c: files of torch.save: Lightning checkpoints, and plain state
 * dicts beside a config.json.  See checkpoints.md section 1; ckpt_impl.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/ckpt_impl.h"
#include "ckpt/config_pickle.h"
#include "ckpt/order.h"

#define NAME_MAX_BYTES 512

/* The keys of a state dict as terminated strings in one block; free() it. */
static enum status
read_keys(const struct pickle *p, pk dict, const char ***out, struct error *e)
{
	size_t n = pk_count(p, dict), bytes = 0, k;

	for (size_t i = 0; i < n; i++) {
		pk key = pk_key(p, dict, i);

		if (pk_type(p, key) != PK_STR)
			return error_set(e, ST_CKPT, "state_dict has a key that is no text");
		pk_text(p, key, &k);
		bytes += k + 1;
	}
	char **names = malloc(n * sizeof *names + bytes + 1), *to = (char *)(names + n);
	if (!names)
		return error_set(e, ST_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *s = pk_text(p, pk_key(p, dict, i), &k);

		names[i] = to;
		memcpy(to, s, k);
		to[k] = '\0';
		to += k + 1;
	}
	*out = (const char **)names;
	return ST_OK;
}

static enum status
add_tensors(struct opener *o, struct torch_file *f, pk dict, const char *const *names, const struct prefix *prefix)
{
	char name[NAME_MAX_BYTES];
	size_t n = pk_count(f->pickle, dict);
	enum status st = list_init(&o->p->raw, n, o->e);

	for (size_t i = 0; !st && i < n; i++) {
		struct tensor t = { 0 };
		pk v = pk_item(f->pickle, dict, i);

		if (!name_strip(names[i], strlen(names[i]), prefix, name, sizeof name))
			continue;
		if (!prefix->only && !torch_is_tensor(f, v))       /* something else in a plain dict */
			continue;
		st = torch_tensor(f, v, name, &t, o->e);
		if (!st)
			st = list_add(&o->p->raw, name, strlen(name), &t, o->e);
	}
	return st;
}

static enum status
read_state_dict(struct opener *o, struct torch_file *f, pk dict, bool plain)
{
	const char **names = NULL;
	size_t n = pk_count(f->pickle, dict);
	enum status st;

	if (pk_type(f->pickle, dict) != PK_DICT)
		return error_set(o->e, ST_CKPT, "state_dict is not a dict of tensors");
	st = read_keys(f->pickle, dict, &names, o->e);
	if (st)
		return st;
	struct prefix prefix = prefix_of(names, n);
	st = add_tensors(o, f, dict, names, &prefix);
	const char *seems = seems_names(names, n);
	if (!st && seems && !list_find(&o->p->raw, "vocab_embed.embedding"))
		st = error_set(o->e, ST_CKPT, "not a discrete diffusion model: the names are those of %s; " SUPPORTED,
		    seems);
	else if (!st && (!o->p->raw.n || (!plain && !prefix.only)))
		st = error_set(o->e, ST_CKPT, "no tensor in it is called backbone.*: not a discrete diffusion model; "
		    SUPPORTED);
	free(names);
	return st;
}

static bool
same_shape(const struct tensor *a, const struct tensor *b)
{
	bool same = a->ndim == b->ndim;

	for (int i = 0; same && i < a->ndim; i++)
		same = a->dim[i] == b->dim[i];
	return same;
}

/* The parameters among the raw tensors, in module order: *n indices, free() them; NULL: out of memory. */
static int *
parameters(const struct opener *o, int *n)
{
	int *param = mem_calloc((size_t)o->p->raw.n, sizeof *param);

	*n = 0;
	for (int i = 0; param && i < o->p->raw.n; i++)
		if (!ckpt_is_buffer(o->p->raw.t[i].name))
			param[(*n)++] = i;
	if (param)
		order_parameters(o->p->raw.t, param, *n);
	return param;
}

/* Name the EMA list after the parameters, by order and shape. */
static enum status
add_shadow(struct opener *o, struct torch_file *f, pk list, const int *param, size_t n)
{
	char have[80], want[80];
	enum status st = list_init(&o->p->ema, n, o->e);

	for (size_t i = 0; !st && i < n; i++) {
		const struct tensor *raw = &o->p->raw.t[param[i]];
		struct tensor t = { 0 };

		st = torch_tensor(f, pk_item(f->pickle, list, i), raw->name, &t, o->e);
		if (st)
			error_prefix(o->e, "ema.shadow_params");
		else if (!same_shape(raw, &t))
			st = error_set(o->e, ST_CKPT, "ema.shadow_params: entry %zu is %s, but %s is %s", i,
			    tensor_shape(&t, have, sizeof have), raw->name, tensor_shape(raw, want, sizeof want));
		else
			st = list_add(&o->p->ema, raw->name, strlen(raw->name), &t, o->e);
	}
	return st;
}

static enum status
read_ema(struct opener *o, struct torch_file *f, pk ema)
{
	const struct pickle *p = f->pickle;
	pk list = pk_get(p, ema, "shadow_params"), decay = pk_get(p, ema, "decay");
	int n = 0;

	if (ema == PK_ABSENT || pk_type(p, ema) == PK_TYPE_NONE)
		return ST_OK;
	if (pk_type(p, list) != PK_LIST && pk_type(p, list) != PK_TUPLE)
		return error_set(o->e, ST_CKPT, "ema has no list shadow_params");
	int *param = parameters(o, &n);
	if (!param)
		return error_set(o->e, ST_MEMORY, "out of memory");
	enum status st = pk_count(p, list) != (size_t)n
	    ? error_set(o->e, ST_CKPT, "ema.shadow_params has %zu entries for %d parameters", pk_count(p, list), n)
	    : add_shadow(o, f, list, param, (size_t)n);
	free(param);
	if (pk_type(p, decay) == PK_FLOAT)
		o->c->config.ema_decay = pk_float(p, decay);
	return st;
}

/* ---- AdamW's moments ---- */

/* Entry `v` of the optimiser's state, of parameter raw, into m and v2; false: it does not fit. */
static bool
moments_of(struct torch_file *f, pk v, const struct tensor *raw, struct tensor *m, struct tensor *v2)
{
	static const char *const key[] = { "exp_avg", "exp_avg_sq" };
	struct tensor *to[] = { m, v2 };
	struct error quiet;

	for (int i = 0; i < 2; i++) {
		pk t = pk_type(f->pickle, v) == PK_DICT ? pk_get(f->pickle, v, key[i]) : PK_ABSENT;
		if (t == PK_ABSENT || torch_tensor(f, t, raw->name, to[i], &quiet) || !same_shape(raw, to[i]))
			return false;
	}
	return true;
}

/* All moments, by parameter; false: something is missing or does not fit. */
static bool
all_moments(const struct opener *o, struct torch_file *f, pk state, const int *param, int n, struct tensor *m,
	    struct tensor *v)
{
	const struct pickle *p = f->pickle;

	if (pk_type(p, state) != PK_DICT || pk_count(p, state) != (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		pk key = pk_key(p, state, (size_t)i);
		int64_t k = pk_type(p, key) == PK_INT ? pk_int(p, key) : -1;

		if (k < 0 || k >= n || m[k].data ||
		    !moments_of(f, pk_item(p, state, (size_t)i), &o->p->raw.t[param[k]], &m[k], &v[k]))
			return false;
	}
	return true;
}

/* Training goes on with them; to look at the model they are not needed, so
 * that what is wrong with them is no error. */
static enum status
read_moments(struct opener *o, struct torch_file *f, pk states)
{
	pk first = pk_type(f->pickle, states) == PK_LIST && pk_count(f->pickle, states) == 1
	    ? pk_item(f->pickle, states, 0) : PK_NONE;
	pk state = pk_type(f->pickle, first) == PK_DICT ? pk_get(f->pickle, first, "state") : PK_ABSENT;
	int n = 0, *param = parameters(o, &n);
	struct tensor *m = mem_calloc((size_t)n, sizeof *m), *v = mem_calloc((size_t)n, sizeof *v);
	enum status st = m && v && param ? ST_OK : error_set(o->e, ST_MEMORY, "out of memory");

	if (!st && state != PK_ABSENT && all_moments(o, f, state, param, n, m, v)) {
		st = list_init(&o->p->adam_m, (size_t)n, o->e);
		if (!st)
			st = list_init(&o->p->adam_v, (size_t)n, o->e);
		for (int i = 0; !st && i < n; i++) {
			const char *name = o->p->raw.t[param[i]].name;

			st = list_add(&o->p->adam_m, name, strlen(name), &m[i], o->e);
			if (!st)
				st = list_add(&o->p->adam_v, name, strlen(name), &v[i], o->e);
		}
	}
	free(param);
	free(m);
	free(v);
	return st;
}

static long long
whole(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_INT ? pk_int(p, v) : -1;
}

static enum status
read_hyper_parameters(struct opener *o, const struct pickle *p, pk root)
{
	pk hp = pk_get(p, root, "hyper_parameters"), config = pk_get(p, hp, "config"), v = pk_get(p, hp, "vocab_size");
	struct pickled_config k = { p, config == PK_ABSENT && pk_get(p, hp, "algo") != PK_ABSENT ? hp : config };

	if (hp != PK_ABSENT && pk_type(p, hp) != PK_DICT && pk_type(p, hp) != PK_TYPE_NONE)
		return error_set(o->e, ST_CKPT, "hyper_parameters is not a dict");
	if (k.root == PK_ABSENT)
		k.root = PK_NONE;
	enum status st = config_read(&o->c->config, cv_get_pickle, &k, o->o, o->e);
	if (!st)
		st = open_tokenizer(o, p, pk_get(p, hp, "tokenizer"));
	if (!st && whole(p, v) > 1 && whole(p, v) <= INT_MAX)
		o->hint.vocab = (int)whole(p, v);
	return st;
}

static enum status
open_lightning(struct opener *o, struct torch_file *f, pk root)
{
	const struct pickle *p = f->pickle;

	o->c->format = CKPT_LIGHTNING;
	o->c->config.step = whole(p, pk_get(p, root, "global_step"));
	o->c->config.epoch = whole(p, pk_get(p, root, "epoch"));
	enum status st = read_state_dict(o, f, pk_get(p, root, "state_dict"), false);
	if (!st)
		st = read_hyper_parameters(o, p, root);
	if (!st)
		st = read_ema(o, f, pk_get(p, root, "ema"));
	return st ? st : read_moments(o, f, pk_get(p, root, "optimizer_states"));
}

/* A dict most of whose values are tensors. */
static bool
is_state_dict(const struct torch_file *f, pk root)
{
	size_t n = pk_count(f->pickle, root), k = 0;

	for (size_t i = 0; i < n; i++)
		k += torch_is_tensor(f, pk_item(f->pickle, root, i));
	return pk_type(f->pickle, root) == PK_DICT && 2 * k > n;
}

enum status
open_torch(struct opener *o)
{
	struct torch_file f = { 0 };
	enum status st = torch_open(&o->p->map, &f, o->e);
	pk root = st ? PK_NONE : pickle_root(f.pickle);

	snprintf(o->c->config.path, sizeof o->c->config.path, "config");
	if (st) {
		;
	} else if (is_state_dict(&f, root)) {
		o->c->format = CKPT_HF_BIN;
		st = read_state_dict(o, &f, root, true);
		if (!st)
			st = read_config_json(o, o->c->dir);
	} else if (pk_type(f.pickle, root) != PK_DICT) {
		st = error_set(o->e, ST_CKPT, "what it holds is not a dict: not a checkpoint");
	} else if (pk_get(f.pickle, root, "state_dict") == PK_ABSENT) {
		st = error_set(o->e, ST_CKPT, "it has no state_dict: not a checkpoint");
	} else {
		st = open_lightning(o, &f, root);
	}
	torch_done(&f);
	return st;
}
