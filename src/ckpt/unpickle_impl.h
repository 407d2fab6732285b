/*
 * unpickle_impl.h: the reader of pickle opcodes; shared by unpickle.c (stack,
 * memo, containers, the loop), unpickle_const.c (numbers and texts) and
 * unpickle_call.c (classes and calls) only.  See pickle.h.
 *
 * All functions return false after an error, which is then in r->e.
 */
#ifndef PSI_CKPT_UNPICKLE_IMPL_H
#define PSI_CKPT_UNPICKLE_IMPL_H

#include "ckpt/pickle_impl.h"

struct reader {
	struct pickle *p;
	const uint8_t *at, *end;
	pk *stack;
	size_t depth, depth_cap;
	uint32_t *mark;              /* depths of the stack */
	size_t marks, marks_cap;
	pk *memo;                    /* PK_ABSENT: never stored */
	size_t memo_n, memo_cap, memo_count;
	bool stop;
	struct error *e;
};

void pr_report(struct reader *r, enum status code, const char *why);

/* Inline, so that compilers see that they return false. */
static inline bool
pr_fail(struct reader *r, const char *why)
{
	pr_report(r, ST_CKPT, why);
	return false;
}

static inline bool
pr_no_memory(struct reader *r)
{
	pr_report(r, ST_MEMORY, "out of memory");
	return false;
}

bool pr_push(struct reader *r, pk v);                     /* PK_ABSENT: out of memory */
bool pr_need(struct reader *r, size_t n);                 /* are there n values above the last mark? */
bool pr_take_mark(struct reader *r, size_t *from);
/* The values from stack[from] on become one container on the stack. */
bool pr_gather(struct reader *r, enum pk_type type, size_t from);

/* Arguments: n bytes, a little-endian number of n bytes, a line of text, and
 * such a line as a whole number (*fits false: beyond 64 bits). */
bool pr_bytes(struct reader *r, size_t n, const uint8_t **out);
bool pr_number(struct reader *r, int n, uint64_t *out);
bool pr_line(struct reader *r, const char **s, size_t *n);
bool pr_integer(struct reader *r, const char *s, size_t n, int64_t *out, bool *fits);
/* UTF-8 as Python writes it: surrogates may stand alone. */
bool pr_text_ok(const uint8_t *s, size_t n);

/* Opcodes. */
typedef bool pr_op(struct reader *);
pr_op op_none, op_true, op_false, op_binint, op_binint1, op_binint2, op_int, op_long, op_long1, op_long4, op_float,
    op_binfloat, op_short_binunicode, op_binunicode, op_binunicode8, op_short_binbytes, op_binbytes,
    op_binbytes8, op_binstring, op_short_binstring, op_string, op_unicode;
pr_op op_global, op_stack_global, op_reduce, op_newobj_ex, op_inst, op_obj, op_build, op_binpersid, op_persid,
    op_ext, op_buffer;

#endif
