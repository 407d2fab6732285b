/*
 * init.h: initial values for training, as published.  Parameters that are not
 * named here begin as zeros.  -1: no such parameter.
 */
#ifndef PSI_MODELS_INIT_H
#define PSI_MODELS_INIT_H

#include <math.h>

#include "net/net.h"

/* Products and convolutions over `in` inputs: PyTorch's own, uniform in
 * +-1/sqrt(in), weight and bias. */
static inline void
init_linear(struct net *net, int w, int bias, double in)
{
	net_param_init(net, w, INIT_UNIFORM, 1 / sqrt(in));
	net_param_init(net, bias, INIT_UNIFORM, 1 / sqrt(in));
}

/* Norms: 1, and a bias of 0. */
static inline void
init_norm(struct net *net, int w)
{
	net_param_init(net, w, INIT_CONSTANT, 1);
}

/* Products of the U-Net's attention and skips: the mean of inputs and outputs
 * counts, and a factor .1 (or 1e-10). */
static inline void
init_nin(struct net *net, int w, double in, double out, double factor)
{
	net_param_init(net, w, INIT_UNIFORM, sqrt(6 * factor / (in + out)));
}

/* Tables of labels. */
static inline void
init_table(struct net *net, int table)
{
	net_param_init(net, table, INIT_NORMAL, 1);
}

#endif
