/*
 * zip.h: the directory of a zip archive as torch.save writes it (stored
 * members, zip64 where needed), read over a map without copying anything.
 * CRCs are not looked at: torch writes and opens files in which they are
 * wrong.  Immutable after zip_open: any thread.
 */
#ifndef PSI_CKPT_ZIP_H
#define PSI_CKPT_ZIP_H

#include "ckpt/map.h"
#include "ckpt/names.h"

struct zip_member {
	const char *name;         /* inside the map, not terminated */
	uint32_t name_bytes, crc;
	uint64_t header;          /* offset of the local header */
	const uint8_t *data;
	uint64_t bytes;
};

struct zip {
	struct zip_member *member;
	size_t n;
	struct names names;       /* name -> index */
};

/* True if the map begins like a zip archive. */
bool zip_seems(const struct map *m);

/* Read and check the whole directory: every member lies inside the map, is
 * stored, unencrypted, has one name, and overlaps no other. */
enum status zip_open(const struct map *m, struct zip *z, struct error *e);
void zip_done(struct zip *z);

const struct zip_member *zip_find(const struct zip *z, const char *name, size_t bytes);

#endif
