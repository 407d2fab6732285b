/*
 * order.h: the order in which a network's modules list their parameters
 * (networks.md), in which EMA lists are written.
 */
#ifndef PSI_CKPT_ORDER_H
#define PSI_CKPT_ORDER_H

#include "ckpt/tensor.h"

/* Put the n indices into t into module order, if every name is one that
 * networks.md lists; else leave them as they are (the order of the file). */
void order_parameters(const struct tensor *t, int *index, int n);

#endif
