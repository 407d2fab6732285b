/*
 * probe.h: what the network says about given inputs, for a researcher who
 * checks numbers: `psiview probe`.
 */
#ifndef PSI_RUN_PROBE_H
#define PSI_RUN_PROBE_H

#include "net/model.h"

struct probe_setup {
	struct model *m;             /* the weight set to ask */
	const char *in, *out;        /* safetensors files */
	const char *positions;       /* "0,5,9"; NULL: as the file says, else all */
};

/*
 * IN holds tokens [B,L]; t [B] or sigma [B] or both (causal models: neither);
 * optionally label [B]; s [B] with kappa [B]; top_p, top_k, temperature [1];
 * positions [P].  Other tensors are ignored.  OUT gets
 *     logits, log_x_theta    f32 [B,P,V], unfiltered; zeros are -1e6
 *     x_theta                f64 [B,P,V], filtered; if there is a filter
 *     q_st, q_0t, psi        f64 [B,P,V]; if s is given
 * written block by block.  Errors are of one line and begin with the path of
 * the file they are about: ST_CKPT for what IN holds, ST_USAGE for what this
 * model cannot be asked, ST_FAIL for OUT.
 */
enum status probe_model(const struct probe_setup *s, struct error *e);

#endif
