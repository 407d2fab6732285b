/*
 * pickle.h: a reader of Python pickles (protocols 0 to 5) that executes
 * nothing.  The result is a graph of plain values; classes and functions are
 * values too (module and name), and calling one gives an inert object that
 * remembers what was called with which arguments and state.
 *
 * Values are numbers of a table (struct pickle owns everything; texts lie in
 * the input, which must outlive it).  Memory is bounded by a small multiple
 * of the input; the graph may be deep and may contain itself, so nothing here
 * or in the callers walks it by unbounded recursion.  Immutable after
 * pickle_read: any thread.
 */
#ifndef PSI_CKPT_PICKLE_H
#define PSI_CKPT_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef uint32_t pk;              /* a value; PK_NONE is None */
#define PK_NONE 0
#define PK_ABSENT UINT32_MAX      /* no such value (not Python's None) */

enum pk_type {
	PK_TYPE_NONE, PK_BOOL, PK_INT, PK_BIG /* beyond 64 bits: value lost */, PK_FLOAT, PK_STR, PK_BYTES,
	PK_LIST, PK_TUPLE, PK_DICT, PK_SET,
	PK_GLOBAL,                /* a class or function: module, name */
	PK_OBJECT,                /* an inert object: callable, args, state */
	PK_PERSISTENT,            /* a persistent id */
};

struct pickle;

/* Errors: ST_CKPT or ST_MEMORY. */
enum status pickle_read(const uint8_t *p, size_t bytes, struct pickle **out, struct error *e);
void pickle_free(struct pickle *p);
pk pickle_root(const struct pickle *p);

enum pk_type pk_type(const struct pickle *p, pk v);             /* PK_ABSENT counts as None */
bool pk_bool(const struct pickle *p, pk v);
int64_t pk_int(const struct pickle *p, pk v);                   /* of PK_INT or PK_BOOL */
double pk_float(const struct pickle *p, pk v);
const char *pk_text(const struct pickle *p, pk v, size_t *n);   /* of PK_STR or PK_BYTES; not terminated */
bool pk_is(const struct pickle *p, pk v, const char *text);     /* is the string `text` */

size_t pk_count(const struct pickle *p, pk v);                  /* list, tuple, set, dict: its entries; else 0 */
pk pk_item(const struct pickle *p, pk v, size_t i);             /* i < pk_count; of a dict: the value */
pk pk_key(const struct pickle *p, pk v, size_t i);              /* of a dict */
pk pk_get(const struct pickle *p, pk v, const char *key);       /* of a dict: the last one stored, or PK_ABSENT */

/* Of PK_GLOBAL: is it module.name? */
bool pk_global_is(const struct pickle *p, pk v, const char *module, const char *name);
pk pk_global_module(const struct pickle *p, pk v);
pk pk_global_name(const struct pickle *p, pk v);
/* Of PK_OBJECT.  State is PK_NONE when none was set. */
pk pk_callable(const struct pickle *p, pk v);
pk pk_args(const struct pickle *p, pk v);
pk pk_state(const struct pickle *p, pk v);
/* Attribute of an inert object: from its state, a dict or a tuple that begins with one. */
pk pk_attr(const struct pickle *p, pk v, const char *name);
/* Of PK_PERSISTENT. */
pk pk_persistent(const struct pickle *p, pk v);

#endif
