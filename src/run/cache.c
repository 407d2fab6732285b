/*
 * cache.c: see cache.h.  A hash table of chains, and a list from the most to
 * the least recently used.
 */
#include "run/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS 4096             /* a power of two; entries are large, so few */

struct kept {
	struct cache_entry entry;    /* first: the two are converted into each other */
	struct cache_key key;        /* key.tok points into the block of this entry */
	uint64_t hash;
	struct kept *chain;          /* next in the bucket */
	struct kept *newer, *older;  /* list by use; only committed entries */
	int held;
	bool committed;
	size_t bytes;
};

struct cache {
	size_t limit, bytes;
	struct kept *bucket[BUCKETS];
	struct kept *newest, *oldest;
};

struct cache *
cache_new(size_t limit)
{
	struct cache *c = mem_calloc(1, sizeof *c);

	if (c)
		c->limit = limit;
	return c;
}

static void
kept_free(struct kept *k)
{
	mem_free(k->entry.feat);
	free(k);
}

void
cache_free(struct cache *c)
{
	if (!c)
		return;
	for (struct kept *k = c->newest; k; ) {
		struct kept *older = k->older;
		kept_free(k);
		k = older;
	}
	free(c);
}

/* FNV-1a over words instead of bytes, with a last mix: quick, and memcmp
 * decides anyway. */
static uint64_t
hash_of(const struct cache_key *k)
{
	uint64_t h = 0xcbf29ce484222325u, sigma;

	memcpy(&sigma, &k->sigma, sizeof sigma);
	h = (h ^ (uint64_t)k->weights) * 0x100000001b3u;
	h = (h ^ (uint64_t)k->label) * 0x100000001b3u;
	h = (h ^ sigma) * 0x100000001b3u;
	h = (h ^ (uint64_t)k->last_only) * 0x100000001b3u;
	for (int i = 0; i < k->len; i++)
		h = (h ^ (uint32_t)k->tok[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static bool
same_key(const struct cache_key *a, const struct cache_key *b)
{
	return a->weights == b->weights && a->label == b->label && a->last_only == b->last_only &&
	       memcmp(&a->sigma, &b->sigma, sizeof a->sigma) == 0 && a->len == b->len &&
	       memcmp(a->tok, b->tok, (size_t)a->len * sizeof *a->tok) == 0;
}

static void
unlink_used(struct cache *c, struct kept *k)
{
	*(k->newer ? &k->newer->older : &c->newest) = k->older;
	*(k->older ? &k->older->newer : &c->oldest) = k->newer;
	k->newer = k->older = NULL;
}

static void
link_newest(struct cache *c, struct kept *k)
{
	k->older = c->newest;
	k->newer = NULL;
	*(k->older ? &k->older->newer : &c->oldest) = k;
	c->newest = k;
}

static void
forget(struct cache *c, struct kept *k)
{
	struct kept **at = &c->bucket[k->hash % BUCKETS];

	while (*at != k)
		at = &(*at)->chain;
	*at = k->chain;
	unlink_used(c, k);
	c->bytes -= k->bytes;
	kept_free(k);
}

/* Throw out what is not held, the oldest first, until `more` bytes fit. */
static void
make_room(struct cache *c, size_t more)
{
	struct kept *k = c->oldest;

	while (k && c->bytes + more > c->limit) {
		struct kept *newer = k->newer;
		if (!k->held)
			forget(c, k);
		k = newer;
	}
}

struct cache_entry *
cache_find(struct cache *c, const struct cache_key *key)
{
	uint64_t h = hash_of(key);

	for (struct kept *k = c->bucket[h % BUCKETS]; k; k = k->chain) {
		if (k->hash != h || !same_key(&k->key, key))
			continue;
		k->held++;
		unlink_used(c, k);
		link_newest(c, k);
		return &k->entry;
	}
	return NULL;
}

struct cache_entry *
cache_reserve(struct cache *c, const struct cache_key *key, size_t n)
{
	size_t tokens = (size_t)key->len * sizeof *key->tok, bytes;
	struct kept *k;

	if (!mem_mul(n, sizeof(float), &bytes) || !mem_add(bytes, sizeof *k + tokens, &bytes))
		return NULL;
	make_room(c, bytes);
	k = malloc(sizeof *k + tokens);
	if (!k)
		return NULL;
	*k = (struct kept){ .key = *key, .hash = hash_of(key), .held = 1, .bytes = bytes };
	memcpy(k + 1, key->tok, tokens);
	k->key.tok = (const int32_t *)(const void *)(k + 1);
	k->entry.feat = mem_aligned(n, sizeof(float));
	if (!k->entry.feat) {
		free(k);
		return NULL;
	}
	c->bytes += bytes;
	return &k->entry;
}

void
cache_commit(struct cache *c, struct cache_entry *e)
{
	struct kept *k = (struct kept *)e;

	k->committed = true;
	k->chain = c->bucket[k->hash % BUCKETS];
	c->bucket[k->hash % BUCKETS] = k;
	link_newest(c, k);
}

void
cache_drop(struct cache *c, struct cache_entry *e)
{
	struct kept *k = (struct kept *)e;

	if (--k->held > 0)
		return;
	if (!k->committed) {
		c->bytes -= k->bytes;
		kept_free(k);
	} else if (c->bytes > c->limit) {
		make_room(c, 0);
	}
}

size_t
cache_bytes(const struct cache *c)
{
	return c->bytes;
}
