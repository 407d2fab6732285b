/* rules.c: see rules.h. */
#include "run/rules.h"

#include <string.h>

#include "text/layout.h"

static const struct { const char *name; int N; } known[] = { { "sudoku4", 4 }, { "sudoku6", 6 }, { "sudoku9", 9 } };
#define KNOWN (sizeof known / sizeof *known)

/* [BOS], then N rows of N cells; digits 0..N-1, N the [BOS], N + 1 the mask. */
static bool
fits(const struct model *m, int N)
{
	return m->L == N * N + 1 && (m->mask < 0 ? m->V == N + 1 : m->V == N + 2 && m->mask == N + 1);
}

enum status
rules_find(const char *name, const struct ckpt *c, const struct model *m, struct rules *out, struct error *e)
{
	int N = layout_read(c->layout, m->L).columns;

	*out = (struct rules){ 0 };
	for (size_t i = 0; i < KNOWN; i++) {
		if (name ? strcmp(name, known[i].name) != 0 : N != known[i].N || !m->bos_fixed || !fits(m, N))
			continue;
		if (!fits(m, known[i].N))
			return error_set(e, ST_USAGE, "--valid %s: this model's samples (length %d, %d tokens) are no "
				"such grids", name, m->L, m->V);
		return sudoku_open(known[i].N, &out->sudoku, e);
	}
	return name ? error_set(e, ST_USAGE, "--valid '%s': there are no such rules", name) : ST_OK;
}

const char *
rules_name(const struct rules *r)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].N == r->sudoku.N)
			return known[i].name;
	return "";
}

bool
rules_valid(const struct rules *r, const int32_t *tok)
{
	return rules_any(r) && sudoku_valid(&r->sudoku, tok + 1);
}
