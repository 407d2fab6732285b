/*
 * config_pickle.c: see config_pickle.h.  Interpolations: "${a.b}" from the
 * root, "${.a}" from the section the value is in, one more dot per section
 * further up.  Resolvers ("${now:...}", "${eval:...}") are never run.
 */
#include "ckpt/config_pickle.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 256
#define HOPS_MAX 16

/* What an omegaconf object holds; anything else is itself. */
static pk
unwrap(const struct pickle *p, pk v)
{
	for (int i = 0; i < HOPS_MAX && pk_type(p, v) == PK_OBJECT; i++) {
		size_t n = 0;
		pk module = pk_global_module(p, pk_callable(p, v)), in;
		const char *s = module == PK_ABSENT ? "" : pk_text(p, module, &n);

		if (n < 9 || memcmp(s, "omegaconf", 9))
			break;
		in = pk_attr(p, v, "_content");
		if (in == PK_ABSENT)
			in = pk_attr(p, v, "_val");
		if (in == PK_ABSENT)
			break;
		v = in;
	}
	return v;
}

enum form { PLAIN, POINTS_TO, RESOLVER };

/* Is the value of `path` an interpolation?  If so, the absolute path it names. */
static enum form
interpolation(const struct pickle *p, pk v, const char *path, char to[PATH_MAX_BYTES])
{
	size_t n, dots = 0, keep = strlen(path);

	if (pk_type(p, v) != PK_STR)
		return PLAIN;
	const char *s = pk_text(p, v, &n);
	if (n < 3 || s[0] != '$' || s[1] != '{' || s[n - 1] != '}')
		return PLAIN;
	s += 2;
	n -= 3;
	if (memchr(s, ':', n) || memchr(s, '{', n) || memchr(s, '\0', n) || n >= PATH_MAX_BYTES)
		return RESOLVER;
	for (; n && *s == '.'; s++, n--, dots++)
		while (keep && path[--keep] != '.')
			;
	if (!dots)
		keep = 0;
	int w = snprintf(to, PATH_MAX_BYTES, "%.*s%s%.*s", (int)keep, path, keep ? "." : "", (int)n, s);
	return w < PATH_MAX_BYTES ? POINTS_TO : RESOLVER;
}

static enum status look_up(const struct pickled_config *k, const char *path, int hops, pk *out, struct error *e);

/* v as found at `path`: follow it if it is an interpolation. */
static enum status
follow(const struct pickled_config *k, const char *path, int hops, pk *v, struct error *e)
{
	char to[PATH_MAX_BYTES];

	*v = unwrap(k->p, *v);
	if (interpolation(k->p, *v, path, to) != POINTS_TO)
		return ST_OK;
	if (hops >= HOPS_MAX)
		return error_set(e, ST_CKPT, "config: the interpolations of %s never end", path);
	enum status st = look_up(k, to, hops + 1, v, e);
	if (!st && *v == PK_ABSENT)
		return error_set(e, ST_CKPT, "config: %s is ${%s}, which is not there", path, to);
	return st;
}

static enum status
look_up(const struct pickled_config *k, const char *path, int hops, pk *out, struct error *e)
{
	char here[PATH_MAX_BYTES] = "", name[PATH_MAX_BYTES];
	pk v = unwrap(k->p, k->root);
	size_t at = 0;

	while (path[at]) {
		size_t n = strcspn(path + at, ".");
		enum pk_type t = pk_type(k->p, v);

		if (v == PK_ABSENT || t == PK_TYPE_NONE) {
			*out = PK_ABSENT;
			return ST_OK;
		}
		if (t != PK_DICT)
			return error_set(e, ST_CKPT, "config%s%s is not a section", *here ? ": " : "", here);
		snprintf(name, sizeof name, "%.*s", (int)n, path + at);
		snprintf(here, sizeof here, "%.*s", (int)(at + n), path);
		at += n + (path[at + n] == '.');
		v = pk_get(k->p, v, name);
		enum status st = follow(k, here, hops, &v, e);
		if (st)
			return st;
	}
	*out = v;
	return ST_OK;
}

static void
list_value(const struct pickle *p, pk v, struct cv *out)
{
	size_t n = pk_count(p, v);

	out->kind = CV_OTHER;
	if (n > CONFIG_SCALES)
		return;
	for (size_t i = 0; i < n; i++) {
		pk x = unwrap(p, pk_item(p, v, i));

		if (pk_type(p, x) != PK_INT)
			return;
		out->list[i] = pk_int(p, x);
	}
	out->n = (int)n;
	out->kind = CV_LIST;
}

enum status
cv_get_pickle(const void *arg, const char *path, struct cv *out, struct error *e)
{
	const struct pickled_config *k = arg;
	const struct pickle *p = k->p;
	char to[PATH_MAX_BYTES];
	pk v = PK_ABSENT;
	size_t n;
	enum status st = look_up(k, path, 0, &v, e);

	*out = (struct cv){ .kind = CV_ABSENT };
	if (st || v == PK_ABSENT || interpolation(p, v, path, to) == RESOLVER)
		return st;
	if (pk_is(p, v, "???"))
		return error_set(e, ST_CKPT, "config: %s was never given a value", path);
	switch (pk_type(p, v)) {
	case PK_TYPE_NONE: break;
	case PK_BOOL: out->kind = CV_BOOL; out->i = pk_bool(p, v); break;
	case PK_INT: out->kind = CV_INT; out->i = pk_int(p, v); break;
	case PK_FLOAT: out->kind = CV_REAL; out->f = pk_float(p, v); break;
	case PK_STR: {
		const char *s = pk_text(p, v, &n);

		out->kind = CV_TEXT;
		snprintf(out->text, sizeof out->text, "%.*s", (int)(n < 1000 ? n : 1000), s);
		break;
	}
	case PK_LIST: case PK_TUPLE: list_value(p, v, out); break;
	case PK_BIG: case PK_BYTES: case PK_DICT: case PK_SET: case PK_GLOBAL: case PK_OBJECT: case PK_PERSISTENT:
		out->kind = CV_OTHER;
	}
	return ST_OK;
}
