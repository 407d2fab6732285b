/*
 * config_impl.h: from a tree of values in any format to struct config; used
 * inside src/ckpt only.
 */
#ifndef PSI_CKPT_CONFIG_IMPL_H
#define PSI_CKPT_CONFIG_IMPL_H

#include "base/error.h"
#include "ckpt/config.h"
#include "ckpt/names.h"
#include "ckpt/tensor.h"

/* One value of a configuration. */
enum cv_kind { CV_ABSENT /* also null */, CV_BOOL, CV_INT, CV_REAL, CV_TEXT, CV_LIST /* of whole numbers */, CV_OTHER };

struct cv {
	enum cv_kind kind;
	long long i;                       /* CV_BOOL, CV_INT */
	double f;                          /* CV_REAL */
	char text[128];                    /* CV_TEXT, cut to fit */
	int n;
	long long list[CONFIG_SCALES];     /* CV_LIST */
};

/* Look a dotted path up.  Fails if something on the way is not a section, or
 * an interpolation cannot be resolved. */
typedef enum status cv_get(const void *arg, const char *path, struct cv *out, struct error *e);

/* Read the published fields ("algo.name", ...); what the command line gives
 * instead is not read. */
enum status config_read(struct config *c, cv_get *get, const void *arg, const struct config_override *o,
    struct error *e);
/* The same from a config.json of the Hugging Face families. */
enum status config_read_hf(struct config *c, cv_get *get, const void *arg, const struct config_override *o,
    struct error *e);

/* cv_get over a json_t *. */
enum status cv_get_json(const void *root, const char *path, struct cv *out, struct error *e);

/* Tensors by name; owned by struct ckpt's private part. */
struct tensor_list {
	struct tensor *t;
	int n;
	struct names names;
};

const struct tensor *list_find(const struct tensor_list *l, const char *name);

/* What a tokenizer in the file knows. */
struct config_hint { int mask /* CONFIG_UNSET: no tokenizer, -1: it has none */, vocab; };

/* Fill in what the file did not say and check all of it against the tensors. */
enum status config_complete(struct config *c, const struct tensor_list *l, const struct config_override *o,
    const struct config_hint *hint, struct error *e);

#endif
