/* probe_in.h: the checked inputs of a probe.  Private to probe.c. */
#ifndef PSI_RUN_PROBE_IN_H
#define PSI_RUN_PROBE_IN_H

#include "net/model.h"

struct probe_in {
	int B, P;
	int32_t *tok;                /* [B,L] */
	int32_t *pos;                /* [P] */
	double *sigma;               /* [B] that the network gets: 0 if it is not timed */
	double *noise;               /* [B] -log alpha, for scores */
	int *label;                  /* [B]; NULL: no label term */
	double *t, *s, *kappa;       /* [B]; s NULL: no step */
	bool filtered;
	double temperature, top_p;
	int top_k;
};

/* Read and check path against m; positions as in probe.h.  Errors without the
 * path.  probe_in_done releases what *in holds, also after a failure. */
enum status probe_in_read(const char *path, const struct model *m, const char *positions, struct probe_in *in,
	struct error *e);
void probe_in_done(struct probe_in *in);

#endif
