/* names.c: see names.h.  Open addressing, FNV-1a. */
#include "ckpt/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool
names_init(struct names *t, size_t n)
{
	size_t cap = 16, want;

	*t = (struct names){ 0 };
	if (!mem_mul(n, 2, &want))
		return false;
	while (cap < want)
		if (!mem_mul(cap, 2, &cap))
			return false;
	t->slot = mem_calloc(cap, sizeof *t->slot);
	t->cap = t->slot ? cap : 0;
	return t->slot != NULL;
}

void
names_done(struct names *t)
{
	free(t->slot);
	*t = (struct names){ 0 };
}

/* The slot that holds the name, or the empty one where it would go. */
static struct name_slot *
find_slot(const struct names *t, const char *s, size_t bytes)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
	h ^= h >> 29;
	for (size_t i = (size_t)h;; i++) {
		struct name_slot *k = &t->slot[i & (t->cap - 1)];

		if (!k->s || (k->bytes == bytes && !memcmp(k->s, s, bytes)))
			return k;
	}
}

bool
names_add(struct names *t, const char *s, size_t bytes, uint32_t value)
{
	struct name_slot *k = find_slot(t, s, bytes);

	if (k->s)
		return false;
	*k = (struct name_slot){ s, (uint32_t)bytes, value };
	t->n++;
	return true;
}

bool
names_find(const struct names *t, const char *s, size_t bytes, uint32_t *value)
{
	struct name_slot *k = t->cap ? find_slot(t, s, bytes) : NULL;

	if (!k || !k->s)
		return false;
	*value = k->value;
	return true;
}
