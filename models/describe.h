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

#endif
