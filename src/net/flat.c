/* flat.c: see flat.h. */
#include "net/flat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define ALIGN 16                /* floats */

static bool
numel_of(const struct net_param *p, size_t *out)
{
	*out = 1;
	for (int d = 0; d < p->ndim; d++)
		if (!mem_mul(*out, (size_t)p->dim[d], out))
			return false;
	return *out <= SIZE_MAX / 16;
}

enum status
flat_make(const struct net *net, struct flat *out, struct error *e)
{
	*out = (struct flat){ .net = net };
	out->at = mem_calloc((size_t)net->n_par, sizeof *out->at);
	out->numel = mem_calloc((size_t)net->n_par, sizeof *out->numel);
	if (!out->at || !out->numel) {
		flat_done(out);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	for (int i = 0; i < net->n_par; i++) {
		out->at[i] = out->floats;
		if (!numel_of(&net->par[i], &out->numel[i]) ||
		    !mem_add(out->floats, (out->numel[i] + ALIGN - 1) / ALIGN * ALIGN, &out->floats) ||
		    out->floats > SIZE_MAX / 16) {
			flat_done(out);
			return error_set(e, ST_MEMORY, "the network has more parameters than memory can hold");
		}
	}
	return ST_OK;
}

void
flat_done(struct flat *f)
{
	free(f->at);
	free(f->numel);
	*f = (struct flat){ 0 };
}

float *
flat_new(const struct flat *f)
{
	float *data = mem_aligned(f->floats, sizeof *data);

	if (data)
		memset(data, 0, f->floats * sizeof *data);
	return data;
}

void
flat_tensors(const struct flat *f, const float *data, struct tensor *out)
{
	size_t bytes;

	for (int i = 0; i < f->net->n_par; i++) {
		const struct net_param *p = &f->net->par[i];
		out[i] = (struct tensor){ .name = p->name, .dtype = DT_F32, .ndim = p->ndim };
		for (int d = 0; d < p->ndim; d++)
			out[i].dim[d] = p->dim[d];
		tensor_lay_out(&out[i], &bytes);
		out[i].data = (const uint8_t *)(data + f->at[i]);
	}
}

enum status
flat_read(const struct flat *f, const struct tensor *t, int n, const char *what, float *data, struct error *e)
{
	const struct tensor **match = mem_calloc((size_t)f->net->n_par, sizeof *match);

	if (!match)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = net_match(f->net, t, n, what, match, e);
	for (int i = 0; st == ST_OK && i < f->net->n_par; i++)
		tensor_to_f32(match[i], 0, f->numel[i], data + f->at[i]);
	free(match);
	return st;
}

/* Initial values are drawn in pieces: the draw of element i of parameter p is
 * word i of (sample p, step i / PIECE). */
#define PIECE 65536
#define WORDS 256

static double
to_unit(uint32_t word)
{
	return ((double)word + .5) / 4294967296.;
}

/* n values from n words (normal: of each pair, Box and Muller 1958). */
static void
values(const struct net_param *p, const uint32_t *word, size_t n, float *out)
{
	for (size_t i = 0; i < n; i++) {
		double u = to_unit(word[i]);
		if (p->init == INIT_NORMAL) {
			double r = sqrt(-2 * log(to_unit(word[i & ~(size_t)1]))),
			       angle = 2 * M_PI * to_unit(word[i | 1]);
			out[i] = (float)(p->scale * r * (i & 1 ? sin(angle) : cos(angle)));
		} else {
			out[i] = (float)(p->scale * (2 * u - 1));
		}
	}
}

static void
init_param(const struct net_param *p, uint64_t seed, uint32_t place, size_t n, float *out)
{
	uint32_t word[WORDS];

	for (size_t i = 0; i < n; i += WORDS) {
		struct noise at = { .seed = seed, .step = (uint32_t)(i / PIECE), .sample = place };
		size_t m = n - i < WORDS ? n - i : WORDS;
		noise_words(&at, STAGE_INIT, (int)(i % PIECE), WORDS, word);
		values(p, word, m, out + i);
	}
}

void
flat_init(const struct flat *f, uint64_t seed, float *data)
{
	memset(data, 0, f->floats * sizeof *data);
	for (int i = 0; i < f->net->n_par; i++) {
		const struct net_param *p = &f->net->par[i];
		float *to = data + f->at[i];
		if (p->init != INIT_CONSTANT)
			init_param(p, seed, (uint32_t)i, f->numel[i], to);
		for (size_t k = 0; p->init == INIT_CONSTANT && k < f->numel[i]; k++)
			to[k] = (float)p->scale;
	}
}
