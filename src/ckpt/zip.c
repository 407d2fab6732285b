/*
 * zip.c: see zip.h.  Layout after PKWARE's APPNOTE 6.3: local headers and
 * data, the central directory, then the end record (before it, if values do
 * not fit into 32 bits, the zip64 end record and its locator).
 */
#include "ckpt/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	END_BYTES = 22, LOCATOR_BYTES = 20, END64_BYTES = 56, CENTRAL_BYTES = 46, LOCAL_BYTES = 30,
	SIG_END = 0x06054b50, SIG_LOCATOR = 0x07064b50, SIG_END64 = 0x06064b50, SIG_CENTRAL = 0x02014b50,
	SIG_LOCAL = 0x04034b50,
};

struct directory { uint64_t at, bytes, count, end; };    /* end: where the end records begin */

static uint32_t
u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t
u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

static uint64_t
u64(const uint8_t *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

bool
zip_seems(const struct map *m)
{
	return m->bytes >= 4 && (u32(m->p) == SIG_LOCAL || u32(m->p) == SIG_END);
}

/* The end record: the last one whose comment reaches exactly to the end. */
static const uint8_t *
find_end(const struct map *m)
{
	size_t back = END_BYTES;

	for (; back <= m->bytes && back <= END_BYTES + 65535; back++) {
		const uint8_t *p = m->p + m->bytes - back;

		if (u32(p) == SIG_END && u16(p + 20) == back - END_BYTES)
			return p;
	}
	return NULL;
}

static enum status
read_end64(const struct map *m, const uint8_t *locator, struct directory *d, struct error *e)
{
	uint64_t at = u64(locator + 8), room = (uint64_t)(locator - m->p);

	if (u32(locator + 4) != 0 || u32(locator + 16) > 1)
		return error_set(e, ST_CKPT, "zip: part of an archive on several disks");
	if (room < END64_BYTES || at > room - END64_BYTES || u32(m->p + at) != SIG_END64)
		return error_set(e, ST_CKPT, "zip: the zip64 end record is not where it should be");
	const uint8_t *p = m->p + at;
	if (u64(p + 4) < END64_BYTES - 12 || u64(p + 4) > room - at - 12)
		return error_set(e, ST_CKPT, "zip: the zip64 end record has a wrong length");
	if (u32(p + 16) || u32(p + 20) || u64(p + 24) != u64(p + 32))
		return error_set(e, ST_CKPT, "zip: part of an archive on several disks");
	*d = (struct directory){ .at = u64(p + 48), .bytes = u64(p + 40), .count = u64(p + 32), .end = at };
	return ST_OK;
}

static enum status
read_end(const struct map *m, struct directory *d, struct error *e)
{
	const uint8_t *p = find_end(m);
	enum status st = ST_OK;

	if (!p)
		return error_set(e, ST_CKPT, "zip: no end record (the file is cut short)");
	if (u16(p + 4) || u16(p + 6) || u16(p + 8) != u16(p + 10))
		return error_set(e, ST_CKPT, "zip: part of an archive on several disks");
	*d = (struct directory){ .at = u32(p + 16), .bytes = u32(p + 12), .count = u16(p + 10),
		.end = (uint64_t)(p - m->p) };
	if (p - m->p >= LOCATOR_BYTES && u32(p - LOCATOR_BYTES) == SIG_LOCATOR)
		st = read_end64(m, p - LOCATOR_BYTES, d, e);
	if (st)
		return st;
	if (d->at > d->end || d->bytes > d->end - d->at)
		return error_set(e, ST_CKPT, "zip: the directory lies beyond the end of the file (cut short?)");
	if (d->count > d->bytes / CENTRAL_BYTES || d->count > UINT32_MAX)
		return error_set(e, ST_CKPT, "zip: the directory is too small for %llu members",
		    (unsigned long long)d->count);
	return ST_OK;
}

/* Replace the values that stand as ffffffff by those of the zip64 field. */
static enum status
read_extra(const uint8_t *x, size_t n, uint64_t *size, uint64_t *stored, uint64_t *at, struct error *e)
{
	uint64_t *want[3] = { size, stored, at };
	bool needed = false;

	for (int i = 0; i < 3; i++)
		needed |= *want[i] == UINT32_MAX;
	if (!needed)
		return ST_OK;
	while (n >= 4) {
		size_t len = u16(x + 2), used = 4;

		if (len > n - 4)
			break;
		for (int i = 0; i < 3 && u16(x) == 1; i++) {
			if (*want[i] != UINT32_MAX)
				continue;
			if (len + 4 - used < 8)
				return error_set(e, ST_CKPT, "zip: a zip64 field is too short");
			*want[i] = u64(x + used);
			used += 8;
		}
		if (u16(x) == 1)
			return ST_OK;
		x += len + 4;
		n -= len + 4;
	}
	return error_set(e, ST_CKPT, "zip: a zip64 field is missing");
}

/* The local header must be where the directory says, with the same name. */
static enum status
read_local(const struct map *m, const struct directory *d, struct zip_member *k, struct error *e)
{
	const uint8_t *p = m->p + k->header;

	if (d->at < LOCAL_BYTES || k->header > d->at - LOCAL_BYTES || u32(p) != SIG_LOCAL)
		return error_set(e, ST_CKPT, "zip: no member where the directory says");
	uint64_t names = (uint64_t)u16(p + 26) + u16(p + 28), room = d->at - k->header - LOCAL_BYTES;
	if (names > room || k->bytes > room - names)
		return error_set(e, ST_CKPT, "zip: member %.*s runs over its end", (int)k->name_bytes, k->name);
	if (u16(p + 26) != k->name_bytes || memcmp(p + LOCAL_BYTES, k->name, k->name_bytes))
		return error_set(e, ST_CKPT, "zip: member %.*s has another name in its header", (int)k->name_bytes,
		    k->name);
	k->data = p + LOCAL_BYTES + names;
	return ST_OK;
}

/* One central entry at p, with `room` bytes left in the directory. */
static enum status
read_member(const struct map *m, const struct directory *d, const uint8_t *p, uint64_t room, struct zip_member *k,
    uint64_t *used, struct error *e)
{
	if (room < CENTRAL_BYTES || u32(p) != SIG_CENTRAL)
		return error_set(e, ST_CKPT, "zip: the directory is damaged");
	uint64_t name = u16(p + 28), extra = u16(p + 30), size = u32(p + 24), stored = u32(p + 20), at = u32(p + 42);
	*used = CENTRAL_BYTES + name + extra + u16(p + 32);
	if (*used > room)
		return error_set(e, ST_CKPT, "zip: the directory is damaged");
	*k = (struct zip_member){ .name = (const char *)p + CENTRAL_BYTES, .name_bytes = (uint32_t)name,
		.crc = u32(p + 16) };
	int w = (int)(name < 80 ? name : 80);
	if (u16(p + 8) & 1)
		return error_set(e, ST_CKPT, "zip: member %.*s is encrypted", w, k->name);
	if (u16(p + 10) != 0)
		return error_set(e, ST_CKPT, "zip: member %.*s is compressed; torch.save only stores", w, k->name);
	if (u16(p + 34) != 0 && u16(p + 34) != UINT16_MAX)
		return error_set(e, ST_CKPT, "zip: part of an archive on several disks");
	enum status st = read_extra(p + CENTRAL_BYTES + name, (size_t)extra, &size, &stored, &at, e);
	if (st)
		return st;
	if (size != stored)
		return error_set(e, ST_CKPT, "zip: member %.*s has two different sizes", w, k->name);
	k->bytes = size;
	k->header = at;
	return read_local(m, d, k, e);
}

static int
by_header(const void *a, const void *b)
{
	const struct zip_member *x = a, *y = b;

	return (x->header > y->header) - (x->header < y->header);
}

static enum status
check_members(struct zip *z, const struct map *m, struct error *e)
{
	if (!names_init(&z->names, z->n))
		return error_set(e, ST_MEMORY, "out of memory");
	qsort(z->member, z->n, sizeof *z->member, by_header);
	for (size_t i = 0; i < z->n; i++) {
		struct zip_member *k = &z->member[i];
		int w = (int)(k->name_bytes < 80 ? k->name_bytes : 80);
		uint64_t end = (uint64_t)(k->data - m->p) + k->bytes;

		if (i + 1 < z->n && end > k[1].header)
			return error_set(e, ST_CKPT, "zip: member %.*s overlaps the next", w, k->name);
		if (!names_add(&z->names, k->name, k->name_bytes, (uint32_t)i))
			return error_set(e, ST_CKPT, "zip: two members are called %.*s", w, k->name);
	}
	return ST_OK;
}

enum status
zip_open(const struct map *m, struct zip *z, struct error *e)
{
	struct directory d = { 0 };
	uint64_t at = 0, used = 0;

	*z = (struct zip){ 0 };
	enum status st = read_end(m, &d, e);
	if (st)
		return st;
	z->member = mem_calloc((size_t)d.count, sizeof *z->member);
	if (!z->member)
		return error_set(e, ST_MEMORY, "out of memory");
	for (; z->n < d.count; z->n++, at += used) {
		st = read_member(m, &d, m->p + d.at + at, d.bytes - at, &z->member[z->n], &used, e);
		if (st)
			return st;
	}
	if (at != d.bytes)
		return error_set(e, ST_CKPT, "zip: the directory holds more than its %zu members", z->n);
	return check_members(z, m, e);
}

void
zip_done(struct zip *z)
{
	free(z->member);
	names_done(&z->names);
	*z = (struct zip){ 0 };
}

const struct zip_member *
zip_find(const struct zip *z, const char *name, size_t bytes)
{
	uint32_t i;

	return names_find(&z->names, name, bytes, &i) ? &z->member[i] : NULL;
}
