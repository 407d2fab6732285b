/*
 * netmodel.h: a struct model made from a description.  For models/ and tests;
 * sampling sees model.h only.
 */
#ifndef PSI_NET_NETMODEL_H
#define PSI_NET_NETMODEL_H

#include "net/model.h"
#include "net/run.h"

/* net is taken over (also on failure); tensors and pool are borrowed.  what
 * names the weights in messages.  The caller fills in out, mask, alpha and so
 * on.  keep: values stay readable after a pass (net_run_value). */
enum status net_model_new(struct net *net, const struct tensor *t, int n, const char *what, const struct kern *kern,
			  struct pool *pool, bool keep, struct model **out, struct error *e);

/* From now on its loops run at POOL_TRAIN. */
void net_model_background(struct model *m);

struct net_run *net_model_run(struct model *m);
const struct net *net_model_net(const struct model *m);

#endif
