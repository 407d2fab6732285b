/*
 * ckpt_impl.h: a checkpoint while it is being opened; shared by the files of
 * src/ckpt that open one kind of file each.
 */
#ifndef PSI_CKPT_CKPT_IMPL_H
#define PSI_CKPT_CKPT_IMPL_H

#include <jansson.h>

#include "ckpt/ckpt.h"
#include "ckpt/config_impl.h"
#include "ckpt/map.h"
#include "ckpt/safetensors.h"
#include "ckpt/torch.h"

struct ckpt_private {
	struct map map;               /* of a torch file */
	struct st_file **st;          /* open safetensors files */
	int n_st;
	struct tensor_list raw, ema, adam_m, adam_v;
	uint8_t *tok;                 /* a tokenizer that had to be copied */
	bool says_mask;               /* the file names the mask token */
};

struct opener {
	struct ckpt *c;
	struct ckpt_private *p;
	const struct config_override *o;
	struct config_hint hint;
	struct error *e;
};

/* Room for n tensors; then list_add.  A name that is there already: its tensor
 * is replaced (as in a Python dict). */
enum status list_init(struct tensor_list *l, size_t n, struct error *e);
enum status list_add(struct tensor_list *l, const char *name, size_t bytes, const struct tensor *t, struct error *e);
void list_done(struct tensor_list *l);

/* Which part of a checkpoint's names the network has. */
struct prefix { const char *strip; bool only; };   /* only: names without it are not the network's */
struct prefix prefix_of(const char *const *names, size_t n);

/* name without `_orig_mod.` and the prefix into buf; false: not a tensor of
 * the network (teacher, other prefix) or too long. */
bool name_strip(const char *name, size_t bytes, const struct prefix *p, char *buf, size_t size);

void ckpt_warn(struct ckpt *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* o->p->map holds a torch.save file. */
enum status open_torch(struct opener *o);
/* A safetensors file, or (file NULL) a folder. */
enum status open_safetensors(struct opener *o, const char *path);
enum status open_folder(struct opener *o, const char *dir);
/* The pickled tokenizer v. */
enum status open_tokenizer(struct opener *o, const struct pickle *p, pk v);

/* Read the fields of dir/config.json, if there is one. */
enum status read_config_json(struct opener *o, const char *dir);

#define SUPPORTED "psiview opens discrete diffusion models (Lightning .ckpt; Hugging Face duo, mdlm, udlm; GPT-2)"

/* The error for a file that is no checkpoint, o->p->map. */
enum status refuse_file(struct opener *o);
/* One line about what a file or a list of names seems to be; NULL: no idea. */
const char *seems_file(const struct map *m);
/* The same for a zip that torch.save did not write. */
const char *seems_zip(const struct map *m);
const char *seems_names(const char *const *names, size_t n);

#endif
