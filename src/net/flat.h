/*
 * flat.h: all parameters of a description in one float array: weights,
 * gradients, moments and averages are arrays laid out alike, so that a trainer
 * walks over them without knowing what they are.
 *
 * Parameters stand in the order of the table, each at a multiple of 16 floats;
 * what lies between them is 0 and stays so.  Immutable after flat_make.
 */
#ifndef PSI_NET_FLAT_H
#define PSI_NET_FLAT_H

#include "net/net.h"

struct flat {
	const struct net *net;          /* borrowed */
	size_t *at, *numel;             /* [n_par] first float; floats */
	size_t floats;                  /* of the whole array */
};

enum status flat_make(const struct net *net, struct flat *out, struct error *e);
void flat_done(struct flat *f);

/* Zeroed, 64-byte aligned; mem_free releases it.  NULL: out of memory. */
float *flat_new(const struct flat *f);

/* The array as tensors, under the names of the table: out [n_par] borrows names
 * and data, and sees every later change of the data. */
void flat_tensors(const struct flat *f, const float *data, struct tensor *out);

/* Values from tensors of any floating type, by name and shape (net_match; what
 * as there). */
enum status flat_read(const struct flat *f, const struct tensor *t, int n, const char *what, float *data,
		      struct error *e);

/* Initial values as the description says (net_param_init), drawn by Philox: a
 * parameter's values depend on the seed and its place in the table only. */
void flat_init(const struct flat *f, uint64_t seed, float *data);

#endif
