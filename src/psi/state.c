/* state.c: states, their start, and the one list of causes (step.h). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "psi/step.h"

/* Colours of screen.md (256-colour numbers); -1: the terminal's own. */
static const struct cause_info causes[CAUSE_COUNT] = {
	[CAUSE_UNTOUCHED] = { "untouched", 0, "untouched", -1 },
	[CAUSE_PRED_SAME] = { "predictor-same", 0, "predictor, same token", -1 },
	[CAUSE_PRED] = { "predictor", '+', "predictor, from x_theta", 74 },
	[CAUSE_PRED_NOISE] = { "predictor-noise", '.', "predictor, noise (a uniform token)", 67 },
	[CAUSE_CORR_SAME] = { "corrector-same", 0, "corrector, same token", -1 },
	[CAUSE_CORR] = { "corrector", '~', "corrector, from x_theta", 178 },
	[CAUSE_CORR_NOISE] = { "corrector-noise", '!', "corrector, noise (a uniform token)", 166 },
	[CAUSE_REMASK] = { "remask", '_', "corrector, noise: masked again", 175 },
	[CAUSE_REMOVAL] = { "removal", '=', "noise removal (last step)", 250 },
	[CAUSE_CLAMP] = { "clamp", '#', "clamped", 221 },
	[CAUSE_EDIT] = { "edit", '*', "edited by hand", 36 },
};

const struct cause_info *
cause_info(enum cause c)
{
	return &causes[(unsigned)c < CAUSE_COUNT ? c : CAUSE_UNTOUCHED];
}

bool
cause_changed(enum cause c)
{
	return c != CAUSE_UNTOUCHED && c != CAUSE_PRED_SAME && c != CAUSE_CORR_SAME && c != CAUSE_CLAMP;
}

enum status
state_init(struct state *s, int S, int L, struct error *e)
{
	size_t n;

	memset(s, 0, sizeof *s);
	if (S < 1 || L < 1 || !mem_mul((size_t)S, (size_t)L, &n) || n > INT32_MAX)
		return error_set(e, ST_USAGE, "%d samples of %d positions are too many", S, L);
	s->S = S;
	s->L = L;
	s->tok = mem_calloc(n, sizeof *s->tok);
	s->cause = mem_calloc(n, sizeof *s->cause);
	s->prob = mem_calloc(n, sizeof *s->prob);
	s->fixed = mem_calloc(n, sizeof *s->fixed);
	s->nonce = mem_calloc(n, sizeof *s->nonce);
	if (s->tok && s->cause && s->prob && s->fixed && s->nonce)
		return ST_OK;
	state_done(s);
	return error_set(e, ST_MEMORY, "out of memory for a state of %d x %d tokens", S, L);
}

void
state_done(struct state *s)
{
	free(s->tok);
	free(s->cause);
	free(s->prob);
	free(s->fixed);
	free(s->nonce);
	memset(s, 0, sizeof *s);
}

void
state_copy(struct state *to, const struct state *from)
{
	size_t n = (size_t)from->S * (size_t)from->L;

	memcpy(to->tok, from->tok, n * sizeof *to->tok);
	memcpy(to->cause, from->cause, n * sizeof *to->cause);
	memcpy(to->prob, from->prob, n * sizeof *to->prob);
	memcpy(to->fixed, from->fixed, n * sizeof *to->fixed);
	memcpy(to->nonce, from->nonce, n * sizeof *to->nonce);
}

static int32_t
first_token(const struct model *m, const struct recipe *r, int sample, int pos, uint16_t nonce)
{
	struct noise n = { r->seed, 0, (uint32_t)r->first + (uint32_t)sample, (uint32_t)pos, nonce };

	if (m->out == OUT_CAUSAL)
		return pos == 0 ? m->bos : -1;
	return m->mask >= 0 ? m->mask : noise_token(&n, STAGE_START, m->V);
}

void
step_start(const struct model *m, const struct recipe *r, struct state *s)
{
	for (int k = 0; k < s->S; k++)
		for (int i = 0; i < s->L; i++) {
			size_t at = (size_t)k * (size_t)s->L + (size_t)i;
			if (i == 0 && m->bos_fixed && !s->fixed[at]) {
				s->fixed[at] = 1;
				s->tok[at] = m->bos;
			}
			if (!s->fixed[at])
				s->tok[at] = first_token(m, r, k, i, s->nonce[at]);
			bool given = s->fixed[at] || (i == 0 && m->out == OUT_CAUSAL);
			s->prob[at] = given ? 1 : 0;
			s->cause[at] = s->fixed[at] ? CAUSE_CLAMP : CAUSE_UNTOUCHED;
		}
}
