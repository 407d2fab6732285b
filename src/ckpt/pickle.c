/* pickle.c: the values of a pickle.  See pickle.h. */
#include "ckpt/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/pickle_impl.h"

struct pickle *
pickle_new(const uint8_t *in, size_t bytes)
{
	struct pickle *p = mem_calloc(1, sizeof *p);
	bool ok = p != NULL;

	if (!ok)
		return NULL;
	p->in = in;
	p->in_bytes = bytes;
	p->budget = bytes + 4096;
	ok &= pickle_add(p, (struct pk_value){ .type = PK_TYPE_NONE }) == PK_NONE;
	ok &= pickle_add(p, (struct pk_value){ .type = PK_BOOL, .i = 1 }) == PK_TRUE;
	ok &= pickle_add(p, (struct pk_value){ .type = PK_BOOL, .i = 0 }) == PK_FALSE;
	ok &= pickle_add(p, (struct pk_value){ .type = PK_TUPLE }) == PK_EMPTY;
	for (int i = 0; i < 256; i++)
		ok &= pickle_add(p, (struct pk_value){ .type = PK_INT, .i = i }) != PK_ABSENT;
	if (ok)
		return p;
	pickle_free(p);
	return NULL;
}

void
pickle_free(struct pickle *p)
{
	if (!p)
		return;
	free(p->value);
	free(p->pool);
	free(p->text);
	free(p);
}

pk
pickle_root(const struct pickle *p)
{
	return p->root;
}

pk
pickle_add(struct pickle *p, struct pk_value v)
{
	struct pk_value *q = mem_grow(p->value, &p->cap, p->n + 1, sizeof *q);

	if (!q || p->n >= UINT32_MAX - 1)
		return PK_ABSENT;
	p->value = q;
	q[p->n] = v;
	return (pk)p->n++;
}

pk
pickle_add_int(struct pickle *p, int64_t i)
{
	if (i >= 0 && i < 256)
		return (pk)(PK_SMALL + i);
	return pickle_add(p, (struct pk_value){ .type = PK_INT, .i = i });
}

pk
pickle_add_text(struct pickle *p, enum pk_type type, const char *s, size_t n)
{
	char *q = mem_grow(p->text, &p->text_cap, p->text_n + n, 1);

	if (!q || p->text_n + n > UINT32_MAX)
		return PK_ABSENT;
	p->text = q;
	memcpy(q + p->text_n, s, n);
	p->text_n += n;
	return pickle_add(p, (struct pk_value){ .type = (uint8_t)type, .flag = FLAG_OWNED, .n = (uint32_t)n,
	    .a = (uint32_t)(p->text_n - n) });
}

/* n more numbers at the end of the pool; their place, or SIZE_MAX. */
static size_t
pool_room(struct pickle *p, size_t n)
{
	pk *q = mem_grow(p->pool, &p->pool_cap, p->pool_n + n, sizeof *q);

	if (!q || p->pool_n + n > UINT32_MAX)
		return SIZE_MAX;
	p->pool = q;
	p->pool_n += n;
	return p->pool_n - n;
}

pk
pickle_add_items(struct pickle *p, enum pk_type type, const pk *item, size_t n)
{
	size_t at = pool_room(p, n);

	if (at == SIZE_MAX)
		return PK_ABSENT;
	if (n)
		memcpy(p->pool + at, item, n * sizeof *item);
	return pickle_add(p, (struct pk_value){ .type = (uint8_t)type, .n = (uint32_t)n, .a = (uint32_t)at,
	    .b = (uint32_t)n });
}

bool
pickle_append(struct pickle *p, pk container, const pk *item, size_t n)
{
	struct pk_value *v = &p->value[container];
	size_t per = v->type == PK_DICT ? 2 : 1, have = v->n * per, want = have + n * per;

	if (want > v->b) {
		size_t room = want < 4 ? 4 : want + want / 2, at = pool_room(p, room);

		if (at == SIZE_MAX)
			return false;
		if (have)
			memcpy(p->pool + at, p->pool + v->a, have * sizeof *item);
		v->a = (uint32_t)at;
		v->b = (uint32_t)room;
	}
	if (n)
		memcpy(p->pool + v->a + have, item, n * per * sizeof *item);
	v->n += (uint32_t)n;
	return true;
}

static const struct pk_value *
value_of(const struct pickle *p, pk v)
{
	return &p->value[v == PK_ABSENT ? PK_NONE : v];
}

enum pk_type
pk_type(const struct pickle *p, pk v)
{
	return (enum pk_type)value_of(p, v)->type;
}

bool
pk_bool(const struct pickle *p, pk v)
{
	return value_of(p, v)->i != 0;
}

int64_t
pk_int(const struct pickle *p, pk v)
{
	return value_of(p, v)->i;
}

double
pk_float(const struct pickle *p, pk v)
{
	return value_of(p, v)->f;
}

const char *
pk_text(const struct pickle *p, pk v, size_t *n)
{
	const struct pk_value *k = value_of(p, v);

	*n = k->n;
	return k->flag & FLAG_OWNED ? p->text + k->a : (const char *)p->in + k->a;
}

bool
pk_is(const struct pickle *p, pk v, const char *text)
{
	size_t n, want = strlen(text);

	if (pk_type(p, v) != PK_STR)
		return false;
	const char *s = pk_text(p, v, &n);
	return n == want && !memcmp(s, text, n);
}

static bool
is_container(enum pk_type t)
{
	return t == PK_LIST || t == PK_TUPLE || t == PK_DICT || t == PK_SET;
}

size_t
pk_count(const struct pickle *p, pk v)
{
	return is_container(pk_type(p, v)) ? value_of(p, v)->n : 0;
}

pk
pk_item(const struct pickle *p, pk v, size_t i)
{
	const struct pk_value *k = value_of(p, v);

	return p->pool[k->a + (k->type == PK_DICT ? 2 * i + 1 : i)];
}

pk
pk_key(const struct pickle *p, pk v, size_t i)
{
	return p->pool[value_of(p, v)->a + 2 * i];
}

pk
pk_get(const struct pickle *p, pk v, const char *key)
{
	if (pk_type(p, v) != PK_DICT)
		return PK_ABSENT;
	for (size_t i = pk_count(p, v); i-- > 0;)
		if (pk_is(p, pk_key(p, v, i), key))
			return pk_item(p, v, i);
	return PK_ABSENT;
}

bool
pk_global_is(const struct pickle *p, pk v, const char *module, const char *name)
{
	return pk_type(p, v) == PK_GLOBAL && pk_is(p, value_of(p, v)->a, module) && pk_is(p, value_of(p, v)->b, name);
}

pk
pk_global_module(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_GLOBAL ? value_of(p, v)->a : PK_ABSENT;
}

pk
pk_global_name(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_GLOBAL ? value_of(p, v)->b : PK_ABSENT;
}

pk
pk_callable(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_OBJECT ? value_of(p, v)->a : PK_ABSENT;
}

pk
pk_args(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_OBJECT ? value_of(p, v)->b : PK_ABSENT;
}

pk
pk_state(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_OBJECT ? value_of(p, v)->n : PK_ABSENT;
}

pk
pk_attr(const struct pickle *p, pk v, const char *name)
{
	pk state = pk_state(p, v);

	if (pk_type(p, state) == PK_TUPLE && pk_count(p, state))
		state = pk_item(p, state, 0);
	return pk_get(p, state, name);
}

pk
pk_persistent(const struct pickle *p, pk v)
{
	return pk_type(p, v) == PK_PERSISTENT ? value_of(p, v)->a : PK_ABSENT;
}
