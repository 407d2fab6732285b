/*
 * wire_eval.h: `psiview eval` from its settings to what it says: generative
 * perplexity under a GPT-2, or the bound of a diffusion model.  Main thread.
 */
#ifndef PSI_RUN_WIRE_EVAL_H
#define PSI_RUN_WIRE_EVAL_H

#include "run/settings.h"

/* *text is malloced. */
enum status wire_eval(const struct settings *s, char **text, struct error *e);

#endif
