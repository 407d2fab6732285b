/* state.c: see state.h. */
#include "train/state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ckpt/ckpt.h"
#include "ckpt/own.h"
#include "models/registry.h"

#define BLOCK 65536 /* numbers narrowed at a time */

/* ---- being ---- */

void
state_free(struct train_state *s)
{
	if (!s)
		return;
	mem_free(s->param);
	mem_free(s->m);
	mem_free(s->v);
	mem_free(s->ema);
	mem_free(s->teacher);
	flat_done(&s->flat);
	net_free(s->net);
	free(s);
}

uint64_t
state_bytes(const struct train_state *s)
{
	return (4 + (s->teacher != NULL)) * (uint64_t)s->flat.floats * sizeof *s->param;
}

uint64_t
state_allowance(const struct job *j)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	if (j->memory > 0)
		return j->memory;
	return pages > 0 && size > 0 ? (uint64_t)pages / 4 * 3 * (uint64_t)size : UINT64_MAX;
}

/* A system that lends more memory than it has says no only by ending the program: so it is not asked. */
static enum status
check_room(const struct job *j, const struct flat *f, struct error *e)
{
	double arrays = j->goal == JOB_DISTILL ? 6 : 5, bytes = arrays * (double)f->floats * sizeof(float);
	double room = (double)state_allowance(j);

	return bytes <= room ? ST_OK : error_set(e, ST_MEMORY, "weights, moments and gradients take %.3g MB, more than "
		"the %.3g MB there are", bytes / 1e6, room / 1e6);
}

/* The network of a job with room for everything, all zeros. */
static enum status
empty(const struct job *j, struct train_state **out, struct error *e)
{
	struct train_state *s = mem_calloc(1, sizeof *s);

	*out = NULL;
	if (!s)
		return error_set(e, ST_MEMORY, "out of memory");
	s->best = INFINITY;
	s->best_step = -1;
	enum status st = model_describe(&j->net, &s->net, e);
	if (st == ST_OK)
		st = flat_make(s->net, &s->flat, e);
	if (st == ST_OK)
		st = check_room(j, &s->flat, e);
	if (st == ST_OK) {
		s->param = flat_new(&s->flat);
		s->m = flat_new(&s->flat);
		s->v = flat_new(&s->flat);
		s->ema = flat_new(&s->flat);
		if (j->goal == JOB_DISTILL)
			s->teacher = flat_new(&s->flat);
		if (!s->param || !s->m || !s->v || !s->ema || (j->goal == JOB_DISTILL && !s->teacher))
			st = error_set(e, ST_MEMORY, "out of memory for %llu weights and their moments",
				       (unsigned long long)net_parameters(s->net));
	}
	if (st != ST_OK) {
		state_free(s);
		return st;
	}
	*out = s;
	return ST_OK;
}

/* ---- beginning ---- */

/* The tensors under a prefix, without it, into data. */
static enum status
read_part(const struct train_state *s, const struct st_file *f, const char *prefix, const char *what, float *data,
	  struct error *e)
{
	struct tensor *t = mem_calloc((size_t)f->n, sizeof *t);
	size_t skip = strlen(prefix);
	int n = 0;

	if (!t)
		return error_set(e, ST_MEMORY, "out of memory");
	for (int i = 0; i < f->n; i++)
		if (!strncmp(f->tensor[i].name, prefix, skip)) {
			t[n] = f->tensor[i];
			t[n++].name += skip;
		}
	enum status st = flat_read(&s->flat, t, n, what, data, e);
	free(t);
	return st;
}

/* Moments and step of a checkpoint, and both of its sets of weights. */
static enum status
read_moments(struct train_state *s, const struct ckpt *c, struct error *e)
{
	enum status st = flat_read(&s->flat, c->raw, c->n_raw, "weights", s->param, e);

	if (st == ST_OK && c->n_ema > 0)
		st = flat_read(&s->flat, c->ema, c->n_ema, "EMA weights", s->ema, e);
	else
		memcpy(s->ema, s->param, s->flat.floats * sizeof *s->param);
	if (st != ST_OK)
		return st;
	if (c->n_adam > 0) {
		st = flat_read(&s->flat, c->adam_m, c->n_adam, "first moments", s->m, e);
		return st == ST_OK ? flat_read(&s->flat, c->adam_v, c->n_adam, "second moments", s->v, e) : st;
	}
	if (!c->own)
		return error_set(e, ST_CKPT, "it holds no moments of AdamW that fit its weights");
	st = read_part(s, c->own, "adam.m.", "first moments (adam.m)", s->m, e);
	return st == ST_OK ? read_part(s, c->own, "adam.v.", "second moments (adam.v)", s->v, e) : st;
}

static enum status
begin_from(struct train_state *s, const char *path, bool with_state, struct error *e)
{
	struct ckpt *c = NULL;
	enum status st = ckpt_open(path, NULL, &c, e);
	bool ema = st == ST_OK && c->n_ema > 0;

	if (st == ST_OK && with_state) {
		st = read_moments(s, c, e);
		s->step = c->config.step;
		if (st == ST_OK && (s->step < 0 || s->step >= UINT32_MAX))
			st = error_set(e, ST_CKPT, "it does not say after which step");
	} else if (st == ST_OK) {
		st = flat_read(&s->flat, ema ? c->ema : c->raw, ema ? c->n_ema : c->n_raw,
			       ema ? "EMA weights" : "weights", s->param, e);
		memcpy(s->ema, s->param, s->flat.floats * sizeof *s->param);
	}
	ckpt_close(c);
	return st == ST_OK ? ST_OK : error_prefix(e, path);
}

enum status
state_new(const struct job *j, struct train_state **out, struct error *e)
{
	const char *begin = j->goal == JOB_DISTILL ? j->distill.teacher : j->init;
	enum status st = empty(j, out, e);
	struct train_state *s = *out;

	if (st != ST_OK)
		return st;
	if (*begin) {
		st = begin_from(s, begin, j->goal != JOB_DISTILL && j->init_state, e);
	} else {
		flat_init(&s->flat, j->seed, s->param);
		memcpy(s->ema, s->param, s->flat.floats * sizeof *s->param);
	}
	if (st != ST_OK) {
		state_free(s);
		*out = NULL;
		return st;
	}
	if (s->teacher)
		memcpy(s->teacher, s->param, s->flat.floats * sizeof *s->param);
	return ST_OK;
}

/* ---- writing ---- */

/* A part of a checkpoint: every parameter under a prefix. */
struct part {
	const char *prefix;
	const float *data;
};

static enum status
declare(struct st_writer *w, const struct train_state *s, const char *prefix, enum dtype dtype, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; st == ST_OK && i < s->net->n_par; i++) {
		const struct net_param *p = &s->net->par[i];
		char *name = mem_printf("%s%s", prefix, p->name);
		st = name ? st_declare(w, name, dtype, p->ndim, p->dim, e) : error_set(e, ST_MEMORY, "out of memory");
		free(name);
	}
	return st;
}

static enum status
write_floats(struct st_writer *w, const float *x, size_t n, enum dtype dtype, void *room, struct error *e)
{
	enum status st = ST_OK;

	if (dtype == DT_F32)
		return st_write(w, x, n * sizeof *x, e);
	for (size_t at = 0; st == ST_OK && at < n; at += BLOCK) {
		size_t k = n - at < BLOCK ? n - at : BLOCK;
		f32_to_dtype(x + at, k, dtype, room);
		st = st_write(w, room, k * dtype_size(dtype), e);
	}
	return st;
}

static enum status
write_part(struct st_writer *w, const struct train_state *s, const float *data, enum dtype dtype, void *room,
	   struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; st == ST_OK && i < s->net->n_par; i++)
		st = write_floats(w, data + s->flat.at[i], s->flat.numel[i], dtype, room, e);
	return st;
}

static enum status
declare_meta(struct st_writer *w, const struct train_state *s, const struct job *j, const struct source *src,
	     const char *weights, struct error *e)
{
	struct config c = j->net;
	struct own_metadata m = { .config = &c, .weights = weights };
	char number[40];

	c.step = s->step;
	if (src) {
		m.vocabulary = source_vocabulary(src, &m.vocabulary_key);
		m.layout = source_layout(src);
	}
	enum status st = own_declare(w, &m, e);
	if (st == ST_OK && isfinite(s->best)) {
		snprintf(number, sizeof number, "%.17g", s->best);
		st = st_metadata(w, "best", number, e);
	}
	if (st == ST_OK && isfinite(s->best)) {
		snprintf(number, sizeof number, "%lld", (long long)s->best_step);
		st = st_metadata(w, "best_step", number, e);
	}
	return st;
}

static enum status
declare_job(struct st_writer *w, const struct job *j, const struct source *src, struct error *e)
{
	char *json = job_to_json(j), seed[40], data[40];
	enum status st = json ? st_metadata(w, "job", json, e) : error_set(e, ST_MEMORY, "out of memory");

	free(json);
	if (st == ST_OK && src && source_info(src).train > 0) {
		snprintf(data, sizeof data, "%zu", source_info(src).train + source_info(src).held);
		st = st_metadata(w, "data", data, e);
	}
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)j->seed);
	return st == ST_OK ? st_metadata(w, "seed", seed, e) : st;
}

/* Declared; now everything of the n parts.  w is given up. */
static enum status
write_all(struct st_writer *w, const struct train_state *s, const struct part *part, int n, enum dtype dtype,
	  enum status st, struct error *e)
{
	void *room = mem_aligned(BLOCK, sizeof(float));

	if (st == ST_OK && !room)
		st = error_set(e, ST_MEMORY, "out of memory");
	for (int i = 0; st == ST_OK && i < n; i++)
		st = declare(w, s, part[i].prefix, dtype, e);
	if (st == ST_OK)
		st = st_begin(w, e);
	for (int i = 0; st == ST_OK && i < n; i++)
		st = write_part(w, s, part[i].data, dtype, room, e);
	mem_free(room);
	if (st == ST_OK)
		return st_commit(w, e);
	st_abort(w);
	return st;
}

enum status
state_save(const struct train_state *s, const struct job *j, const struct source *src, const char *path,
	   struct error *e)
{
	const struct part part[] = {
		{ "", s->param },    { "ema.", s->ema },	 { "adam.m.", s->m },
		{ "adam.v.", s->v }, { "teacher.", s->teacher },
	};
	struct st_writer *w = st_writer_new(path);
	enum status st = w ? declare_meta(w, s, j, src, "both", e) : error_set(e, ST_MEMORY, "out of memory");

	if (st == ST_OK)
		st = declare_job(w, j, src, e);
	st = write_all(w, s, part, 4 + (s->teacher != NULL), DT_F32, st, e);
	return st == ST_OK ? ST_OK : error_prefix(e, path);
}

enum status
state_export(const struct train_state *s, const struct job *j, const struct source *src, int dtype, const char *path,
	     struct error *e)
{
	const struct part part = { "backbone.", s->ema };
	struct st_writer *w = st_writer_new(path);
	enum status st = w ? declare_meta(w, s, j, src, "ema", e) : error_set(e, ST_MEMORY, "out of memory");

	st = write_all(w, s, &part, 1, (enum dtype)dtype, st, e);
	return st == ST_OK ? ST_OK : error_prefix(e, path);
}

/* ---- reading ---- */

static enum status
read_best(struct train_state *s, const struct st_file *f, struct error *e)
{
	const char *best = st_meta(f, "best"), *step = st_meta(f, "best_step");
	char *end, *end_step;

	if (!best && !step)
		return ST_OK;
	if (best && step) {
		errno = 0;
		s->best = strtod(best, &end);
		s->best_step = strtoll(step, &end_step, 10);
		if (*best && !*end && *step && !*end_step && !errno && isfinite(s->best) && s->best_step >= 0)
			return ST_OK;
	}
	return error_set(e, ST_CKPT, "best and best_step in the metadata are not two numbers");
}

static enum status
read_state(const struct ckpt *c, struct train_state *s, struct error *e)
{
	if (c->n_ema == 0)
		return error_set(e, ST_CKPT, "it holds no average of the weights");
	enum status st = read_moments(s, c, e);
	if (st == ST_OK && s->teacher)
		st = read_part(s, c->own, "teacher.", "teacher's weights", s->teacher, e);
	s->step = c->config.step;
	s->data = st_meta(c->own, "data") ? strtoull(st_meta(c->own, "data"), NULL, 10) : 0;
	return st == ST_OK ? read_best(s, c->own, e) : st;
}

/* The job of an open checkpoint, whose network has been checked against its tensors. */
static enum status
read_job(const struct ckpt *c, struct job *j, struct error *e)
{
	const char *json = c->own ? st_meta(c->own, "job") : NULL;

	if (!json)
		return error_set(e, ST_CKPT, "not a checkpoint of a training run by psiview: nothing to go on with");
	enum status st = job_from_json(json, j, e);
	if (st == ST_OK)
		st = model_check(c, e);
	if (st != ST_OK)
		return st;
	job_adopt(j, &c->config);
	if (j->net.algo != c->config.algo)
		return error_set(e, ST_CKPT, "the job is for a model of type %s, the configuration for %s",
				 algo_name(j->net.algo), algo_name(c->config.algo));
	if (c->config.step < 0 || c->config.step > UINT32_MAX)
		return error_set(e, ST_CKPT, "the metadata do not say after which step");
	return ST_OK;
}

enum status
state_load(const char *path, struct job *j, struct train_state **out, struct error *e)
{
	struct ckpt *c = NULL;
	enum status st = ckpt_open(path, NULL, &c, e);

	*out = NULL;
	if (st == ST_OK && strlen(path) >= sizeof j->like)
		st = error_set(e, ST_USAGE, "a path longer than %zu bytes", sizeof j->like - 1);
	if (st == ST_OK)
		st = read_job(c, j, e);
	if (st == ST_OK)
		st = empty(j, out, e);
	if (st == ST_OK)
		st = read_state(c, *out, e);
	ckpt_close(c);
	if (st == ST_OK) {
		snprintf(j->like, sizeof j->like, "%s", path);
		return ST_OK;
	}
	state_free(*out);
	*out = NULL;
	return error_prefix(e, path);
}
