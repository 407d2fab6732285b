/*
 * classifier.h: from a file to a noisy classifier (networks.md, last section):
 * the trunk of a DiT or a U-Net, the mean over its positions, one linear layer.
 */
#ifndef PSI_MODELS_CLASSIFIER_H
#define PSI_MODELS_CLASSIFIER_H

#include "ckpt/ckpt.h"
#include "net/classifier.h"

/* Open a safetensors file with metadata family=classifier and base=dit or
 * unet; it stays mapped until classifier_free.  ST_CKPT and one line, without
 * the path, if it is something else or a tensor is missing.  pool is borrowed. */
enum status classifier_open(const char *path, struct pool *pool, struct classifier **out, struct error *e);

#endif
