/*
 * config_pickle.h: a configuration inside a pickle: plain dicts, or omegaconf's
 * DictConfig, ListConfig and nodes, with interpolations.
 */
#ifndef PSI_CKPT_CONFIG_PICKLE_H
#define PSI_CKPT_CONFIG_PICKLE_H

#include "ckpt/config_impl.h"
#include "ckpt/pickle.h"

struct pickled_config {
	const struct pickle *p;
	pk root;                  /* PK_NONE: there is none, every field is absent */
};

/* cv_get over a struct pickled_config *. */
enum status cv_get_pickle(const void *arg, const char *path, struct cv *out, struct error *e);

#endif
