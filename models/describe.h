/*
 * describe.h: the networks.  Each appends its parameters (in published order)
 * and operations to an empty description; it sees the configuration and
 * nothing else.
 */
#ifndef PSI_MODELS_DESCRIBE_H
#define PSI_MODELS_DESCRIBE_H

#include "ckpt/config.h"
#include "net/net.h"

/* ST_CKPT with a sentence if the configuration makes no network.  The caller
 * ends with net_finish. */
enum status dit_describe(const struct config *c, struct net *net, struct error *e);
enum status gpt2_describe(const struct config *c, struct net *net, struct error *e);
enum status unet_describe(const struct config *c, struct net *net, struct error *e);

/* The DiT without its head.  Feature rows times the embedding, transposed, are
 * its last operation: from the gradient of the embedded input to that of the
 * one-hot one. */
enum status dit_trunk(const struct config *c, struct net *net, struct error *e);

/* A noisy classifier's trunk (dit_trunk, or the U-Net's), then the parameters
 * of its last layer, which no operation uses: classifier.c does that itself. */
enum status classifier_describe(const struct config *c, struct net *net, struct error *e);

/* The U-Net up to the input of output_modules.0: `value` has side x side rows
 * of `width` channels.  For networks that end otherwise. */
struct unet_end { int value, width, side, pixels /* the input, 3 channels */; };
enum status unet_trunk(const struct config *c, struct net *net, struct unet_end *end, struct error *e);

#endif
