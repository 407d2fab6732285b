/*
 * learn_util.h: for the tests of training passes: a recorded network, built
 * from the metadata and tensors of its golden file, and one pass over it.
 */
#ifndef PSI_TESTS_LEARN_UTIL_H
#define PSI_TESTS_LEARN_UTIL_H

#include "base/json.h"
#include "base/mem.h"
#include "models/describe.h"
#include "net/learn.h"
#include "psi_util.h"
#include "train/loss.h"

static const char *const kernels[] = { "portable", "avx2", "avx512" };
#define KERNELS (sizeof kernels / sizeof *kernels)

struct recorded {
	struct config c;
	struct net *net;
	struct flat flat;
	float *param, *grad;
};

static int
json_int(const json_t *j, const char *key, int otherwise)
{
	const json_t *v = json_object_get(j, key);

	return json_is_integer(v) ? (int)json_integer_value(v) : json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static void
config_of_dit(const json_t *j, struct config *c)
{
	c->backbone = BACKBONE_DIT;
	c->hidden = json_int(j, "hidden", 0);
	c->n_blocks = json_int(j, "blocks", 0);
	c->n_heads = json_int(j, "heads", 0);
	c->cond_dim = json_int(j, "cond", 0);
	c->length = json_int(j, "length", 0);
	c->causal = json_int(j, "causal", 0);
	c->timed = c->time_input = !c->causal;
}

/* The width of the time embedding is that of its first layer. */
static void
config_of_unet(const struct golden *g, const char *prefix, const json_t *j, struct config *c)
{
	const json_t *mult = json_object_get(j, "ch_mult");
	char name[200];
	int side = json_int(j, "side", 0);

	snprintf(name, sizeof name, "%stemb_modules.0.weight", prefix);
	c->backbone = BACKBONE_UNET;
	c->ch = json_int(j, "ch", 0);
	c->num_scales = (int)json_array_size(mult) > CONFIG_SCALES ? CONFIG_SCALES : (int)json_array_size(mult);
	for (int i = 0; i < c->num_scales; i++)
		c->ch_mult[i] = (int)json_integer_value(json_array_get(mult, (size_t)i));
	c->num_res_blocks = json_int(j, "num_res_blocks", 1);
	c->attn_scale = json_int(j, "scale_count_to_put_attn", 1);
	c->length = 3 * side * side;
	c->unet_time = c->timed = has(g, name);
	c->time_embed_dim = c->unet_time ? size_of(g, name, 1) : 0;
	c->time_scale_factor = json_int(j, "time_scale_factor", 1000);
	c->skip_rescale = json_int(j, "skip_rescale", 1);
	c->fix_logistic = json_int(j, "fix_logistic", 0);
}

/* The configuration that a file's `network` metadata mean; false: none, or of an unknown kind. */
static bool
recorded_config(const struct golden *g, const char *prefix, struct config *c)
{
	const char *text = st_meta(g->f, "network");
	json_t *j;

	if (!text || json_parse((const uint8_t *)text, strlen(text), 8, &j, NULL) != ST_OK)
		return false;
	const char *kind = json_string_value(json_object_get(j, "kind"));
	const char *mask = st_meta(g->f, "mask");
	*c = (struct config){ .vocab = json_int(j, "V", 0), .mask = mask ? atoi(mask) : -1,
		.classes = json_int(j, "classes", 0), .eps = 1e-3 };
	c->label_cond = c->classes > 0;
	bool dit = kind && strcmp(kind, "dit") == 0, unet = kind && strcmp(kind, "unet") == 0;
	if (dit)
		config_of_dit(j, c);
	else if (unet)
		config_of_unet(g, prefix, j, c);
	json_decref(j);
	return dit || unet;
}

/* Weights of the tensors called prefix + NAME. */
static bool
recorded_weights(const struct golden *g, const char *prefix, const struct flat *f, float *data, struct error *e)
{
	struct tensor *t = calloc((size_t)g->f->n + 1, sizeof *t);
	size_t skip = strlen(prefix);
	int n = 0;

	for (int i = 0; i < g->f->n; i++)
		if (strncmp(g->f->tensor[i].name, prefix, skip) == 0) {
			t[n] = g->f->tensor[i];
			t[n++].name += skip;
		}
	enum status st = flat_read(f, t, n, "weights", data, e);
	free(t);
	return st == ST_OK;
}

static void
recorded_close(struct recorded *r)
{
	mem_free(r->param);
	mem_free(r->grad);
	flat_done(&r->flat);
	net_free(r->net);
	*r = (struct recorded){ 0 };
}

static enum status
recorded_describe(struct recorded *r, struct error *e)
{
	r->net = net_new();
	if (!r->net)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = r->c.backbone == BACKBONE_UNET ? unet_describe(&r->c, r->net, e)
	                                                : dit_describe(&r->c, r->net, e);
	if (st == ST_OK)
		st = net_finish(r->net, e);
	return st == ST_OK ? flat_make(r->net, &r->flat, e) : st;
}

/* The network of a file with the weights called prefix + NAME; a failed check and false if it cannot be made. */
static bool
recorded_open(const struct golden *g, const char *prefix, struct recorded *r)
{
	struct error e = { 0 };

	*r = (struct recorded){ 0 };
	if (!recorded_config(g, prefix, &r->c))
		return false;
	bool ok = recorded_describe(r, &e) == ST_OK && (r->param = flat_new(&r->flat)) &&
	          (r->grad = flat_new(&r->flat)) && recorded_weights(g, prefix, &r->flat, r->param, &e);
	if (!ok) {
		CHECK(false, "%s: the network %s", short_name(g), e.msg);
		recorded_close(r);
	}
	return ok;
}

/* Does any tensor's name begin so? */
__attribute__((unused)) static bool
has_some(const struct golden *g, const char *prefix)
{
	for (int i = 0; i < g->f->n; i++)
		if (strncmp(g->f->tensor[i].name, prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

/* One pass with a learn of its own; p->grad is zeroed first. */
__attribute__((unused)) static enum status
recorded_pass(struct recorded *r, const char *kernel, int threads, const struct learn_pass *p, struct error *e)
{
	struct pool *pool = pool_new(threads);
	struct learn_setup s = { .flat = &r->flat, .param = r->param, .kern = kern_named(kernel), .pool = pool,
		.n = p->in->n, .backward = p->grad };
	struct learn *l = NULL;

	if (p->grad)
		memset(p->grad, 0, r->flat.floats * sizeof *p->grad);
	enum status st = learn_new(&s, &l, e);
	if (st == ST_OK)
		st = learn_pass(l, p, NULL, e);
	learn_free(l);
	pool_free(pool);
	return st;
}

/* The loss that a file is about, from its metadata; false: none that is known. */
__attribute__((unused)) static bool
what_loss(const struct golden *g, struct loss *l)
{
	const char *name = st_meta(g->f, "loss"), *mask = st_meta(g->f, "mask"), *steps = st_meta(g->f, "T");
	const char *subs = st_meta(g->f, "subs_masking");

	*l = (struct loss){ .mask = mask ? atoi(mask) : -1, .steps = steps ? atoi(steps) : 0,
		.subs = subs && strcmp(subs, "True") == 0 };
	if (!name)
		return false;
	if (strstr(name, "curriculum"))
		l->kind = LOSS_DUO;
	else if (loss_by_name(name, &l->kind, NULL) != ST_OK)
		return false;
	if (l->kind == LOSS_DUO)
		l->mask = -1;
	return true;
}

__attribute__((unused)) static int32_t *
tokens(size_t n, const double *from)
{
	int32_t *tok = malloc((n + 1) * sizeof *tok);

	for (size_t i = 0; i < n; i++)
		tok[i] = (int32_t)from[i];
	return tok;
}

#endif
