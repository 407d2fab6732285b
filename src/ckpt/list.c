/* list.c: lists of named tensors, and how names are read.  See ckpt_impl.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

enum status
list_init(struct tensor_list *l, size_t n, struct error *e)
{
	*l = (struct tensor_list){ 0 };
	l->t = mem_calloc(n, sizeof *l->t);
	if (!l->t || !names_init(&l->names, n))
		return error_set(e, ST_MEMORY, "out of memory");
	return ST_OK;
}

enum status
list_add(struct tensor_list *l, const char *name, size_t bytes, const struct tensor *t, struct error *e)
{
	uint32_t i;

	if (names_find(&l->names, name, bytes, &i)) {
		char *keep = l->t[i].name;

		l->t[i] = *t;
		l->t[i].name = keep;
		return ST_OK;
	}
	l->t[l->n] = *t;
	l->t[l->n].name = mem_strndup(name, bytes);
	if (!l->t[l->n].name)
		return error_set(e, ST_MEMORY, "out of memory");
	names_add(&l->names, l->t[l->n].name, bytes, (uint32_t)l->n);
	l->n++;
	return ST_OK;
}

void
list_done(struct tensor_list *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->t[i].name);
	free(l->t);
	names_done(&l->names);
}

struct prefix
prefix_of(const char *const *names, size_t n)
{
	struct prefix p = { "", false };

	for (size_t i = 0; i < n; i++) {
		if (!strncmp(names[i], "backbone.", 9))
			return (struct prefix){ "backbone.", true };
		if (!strncmp(names[i], "transformer.wte", 15))
			p = (struct prefix){ "transformer.", false };
	}
	return p;
}

bool
name_strip(const char *name, size_t bytes, const struct prefix *p, char *buf, size_t size)
{
	static const char compiled[] = "_orig_mod.";
	size_t k = strlen(p->strip), n = 0;

	if (bytes >= 7 && !memcmp(name, "teacher", 7))
		return false;
	for (size_t i = 0; i < bytes;) {
		if (bytes - i >= sizeof compiled - 1 && !memcmp(name + i, compiled, sizeof compiled - 1)) {
			i += sizeof compiled - 1;
			continue;
		}
		if (n + 1 >= size)
			return false;
		buf[n++] = name[i++];
	}
	buf[n] = '\0';
	if (!strncmp(buf, p->strip, k))
		memmove(buf, buf + k, n - k + 1);
	else if (p->only)
		return false;
	return *buf != '\0';
}

bool
ckpt_is_buffer(const char *name)
{
	static const char *const ends[] = { "inv_freq", ".attn.bias", ".attn.masked_bias" };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (n >= strlen(ends[i]) && !strcmp(name + n - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

void
ckpt_warn(struct ckpt *c, const char *fmt, ...)
{
	char (*q)[240] = realloc(c->warning, (size_t)(c->n_warning + 1) * sizeof *q);
	va_list ap;

	if (!q)
		return;
	c->warning = q;
	va_start(ap, fmt);
	vsnprintf(q[c->n_warning++], sizeof *q, fmt, ap);
	va_end(ap);
}
