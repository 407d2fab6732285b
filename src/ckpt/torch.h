/*
 * torch.h: a torch.save file (zip with data.pkl and raw storages) over a map,
 * and tensors out of its pickled values.  Any thread once torch_open is done,
 * except torch_tensor, which notes the type of each storage.
 */
#ifndef PSI_CKPT_TORCH_H
#define PSI_CKPT_TORCH_H

#include "ckpt/pickle.h"
#include "ckpt/tensor.h"
#include "ckpt/zip.h"

struct torch_file {
	struct zip zip;
	struct pickle *pickle;
	const char *root;         /* name of the folder inside the zip, not terminated */
	size_t root_bytes;
	uint8_t *storage_type;    /* per member: 1 + dtype of the first tensor over it; 0: none yet */
};

/* The map must outlive it.  torch_done may be called after a failure. */
enum status torch_open(const struct map *m, struct torch_file *f, struct error *e);
void torch_done(struct torch_file *f);

/* Does v look like a tensor (or a parameter that wraps one)? */
bool torch_is_tensor(const struct torch_file *f, pk v);

/* The tensor v, all bounds checked against its storage; t->name is left alone
 * and `name` serves for messages. */
enum status torch_tensor(struct torch_file *f, pk v, const char *name, struct tensor *t, struct error *e);

#endif
