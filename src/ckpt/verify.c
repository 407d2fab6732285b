/* verify.c: what opening does not look at.  See ckpt.h.  Any thread. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

#define BLOCK 4096

struct listener { void (*say)(void *arg, const char *line); void *arg; };

__attribute__((format(printf, 2, 3))) static void
say(const struct listener *l, const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	l->say(l->arg, line);
}

/* How many members have a CRC that does not match.  Where none matches, the
 * writer did not compute them (torch has a switch for that): no damage. */
static enum status
check_crcs(const struct ckpt *c, const struct listener *l, size_t *bad, struct error *e)
{
	struct zip z;
	enum status st = zip_open(&c->priv->map, &z, e);
	bool *wrong = st ? NULL : mem_calloc(z.n, sizeof *wrong);
	size_t full = 0;

	*bad = 0;
	for (size_t i = 0; wrong && i < z.n; i++) {
		const struct zip_member *m = &z.member[i];

		wrong[i] = crc32_z(0, m->data, (size_t)m->bytes) != m->crc;
		*bad += wrong[i];
		full += m->bytes > 0;
	}
	if (*bad && *bad >= full) {
		say(l, "the file was written without CRCs: damage to it cannot be found");
		*bad = 0;
	}
	for (size_t i = 0; *bad && i < z.n; i++)
		if (wrong[i])
			say(l, "the CRC of member %.*s does not match: the file is damaged",
			    (int)z.member[i].name_bytes, z.member[i].name);
	if (!st && !wrong)
		st = error_set(e, ST_MEMORY, "out of memory");
	free(wrong);
	zip_done(&z);
	return st;
}

/* Elements that are NaN or infinite. */
static size_t
not_finite(const struct tensor *t)
{
	double x[BLOCK];
	size_t n = tensor_numel(t), count = 0;

	for (size_t at = 0; at < n; at += BLOCK) {
		size_t k = n - at < BLOCK ? n - at : BLOCK;

		tensor_to_f64(t, at, k, x);
		for (size_t i = 0; i < k; i++)
			count += !isfinite(x[i]);
	}
	return count;
}

static size_t
check_finite(const struct tensor_list *list, const char *which, const struct listener *l)
{
	size_t bad = 0;

	for (int i = 0; i < list->n; i++) {
		const struct tensor *t = &list->t[i];
		size_t n = dtype_is_float(t->dtype) ? not_finite(t) : 0;

		if (n)
			say(l, "%s %s: %zu of %zu numbers are not finite", which, t->name, n, tensor_numel(t));
		bad += n > 0;
	}
	return bad;
}

enum status
ckpt_verify(const struct ckpt *c, void (*fn)(void *arg, const char *line), void *arg, struct error *e)
{
	struct listener l = { fn, arg };
	size_t crcs = 0, weights;

	if (c->priv->map.p) {
		enum status st = check_crcs(c, &l, &crcs, e);

		if (st)
			return st;
	}
	weights = check_finite(&c->priv->raw, "raw weight", &l) + check_finite(&c->priv->ema, "EMA weight", &l);
	if (crcs)
		return error_set(e, ST_CKPT, "%zu CRC%s not match", crcs, crcs == 1 ? " does" : "s do");
	if (weights)
		return error_set(e, ST_NUMERIC, "%zu tensor%s numbers that are not finite", weights,
		    weights == 1 ? " holds" : "s hold");
	return ST_OK;
}
