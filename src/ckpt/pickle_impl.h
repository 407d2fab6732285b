/*
 * pickle_impl.h: how pickled values are kept; shared by pickle.c (the values)
 * and unpickle.c (the opcodes) only.
 */
#ifndef PSI_CKPT_PICKLE_IMPL_H
#define PSI_CKPT_PICKLE_IMPL_H

#include "ckpt/pickle.h"

enum { FLAG_OWNED = 1 /* text lies in pickle.text, not in the input */,
    FLAG_CALLED = 2 /* a dict or set made by a call */ };

struct pk_value {                 /* 16 bytes */
	uint8_t type, flag;
	uint32_t n;               /* text: bytes; containers: entries; PK_OBJECT: the state */
	union {
		int64_t i;
		double f;
		/* text: offset; containers: place in pool and room there (a dict has
		 * two numbers per entry); PK_GLOBAL: module, name; PK_OBJECT:
		 * callable, args; PK_PERSISTENT: the id */
		struct { uint32_t a, b; };
	};
};

struct pickle {
	const uint8_t *in;
	size_t in_bytes;
	struct pk_value *value;
	size_t n, cap;
	pk *pool;                 /* entries of containers */
	size_t pool_n, pool_cap;
	char *text;               /* texts that had to be decoded */
	size_t text_n, text_cap;
	size_t budget;            /* entries and bytes that may still be copied from one value to another */
	pk root;
};

enum { PK_TRUE = 1, PK_FALSE = 2, PK_EMPTY = 3 /* () */, PK_SMALL = 4 /* 0..255 follow */ };

struct pickle *pickle_new(const uint8_t *in, size_t bytes);
/* All of these return PK_ABSENT when out of memory (or beyond 2^32 values). */
pk pickle_add(struct pickle *p, struct pk_value v);
pk pickle_add_int(struct pickle *p, int64_t i);
pk pickle_add_text(struct pickle *p, enum pk_type type, const char *s, size_t n);   /* copied */
pk pickle_add_items(struct pickle *p, enum pk_type type, const pk *item, size_t n);
/* Append to a list, set (n entries) or dict (n pairs); false: out of memory. */
bool pickle_append(struct pickle *p, pk container, const pk *item, size_t n);

#endif
