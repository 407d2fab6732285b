/*
 * cache.h: kept features, least recently used first out.  One owner, one
 * thread (the sampler's); no locks.
 *
 * An entry is one sample's features under one key: weight set, token array,
 * sigma, label, and whether all positions or only the last one of a prefix.
 * Its memory is valid while somebody holds it.
 */
#ifndef PSI_RUN_CACHE_H
#define PSI_RUN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

struct cache_key {
	int weights;             /* model.weights */
	int label;
	double sigma;            /* 0 if the model is not timed */
	bool last_only;          /* features of the last position of tok[0..len-1] */
	int len;
	const int32_t *tok;      /* [len], copied */
};

struct cache_entry {
	float *feat;
	bool counted;            /* a step has reported the network call that made it */
};

/* limit: bytes kept at most; what is held counts but is never thrown out. */
struct cache *cache_new(size_t limit);
void cache_free(struct cache *c);        /* nothing may be held */

/* The entry, held; NULL: not kept. */
struct cache_entry *cache_find(struct cache *c, const struct cache_key *k);
/* Room for n floats, held and not to be found before cache_commit.  NULL: out
 * of memory. */
struct cache_entry *cache_reserve(struct cache *c, const struct cache_key *k, size_t n);
void cache_commit(struct cache *c, struct cache_entry *e);
/* Let go of an entry; one that was never committed is freed. */
void cache_drop(struct cache *c, struct cache_entry *e);

size_t cache_bytes(const struct cache *c);

#endif
