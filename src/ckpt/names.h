/*
 * names.h: a hash table from names to numbers, for tensors and zip members.
 * The names are borrowed.  Written once, then read by any thread.
 */
#ifndef PSI_CKPT_NAMES_H
#define PSI_CKPT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
	struct name_slot { const char *s; uint32_t bytes, value; } *slot;
	size_t cap, n;        /* cap: a power of two, at least twice n */
};

/* Room for n names; false: out of memory. */
bool names_init(struct names *t, size_t n);
void names_done(struct names *t);
/* false: the name is there already. */
bool names_add(struct names *t, const char *s, size_t bytes, uint32_t value);
bool names_find(const struct names *t, const char *s, size_t bytes, uint32_t *value);

#endif
