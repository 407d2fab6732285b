/*
 * board_util.h: a model of the tests that knows one Sudoku: every cell prefers
 * the digit it holds there, less sure beside wrong neighbours.
 */
#ifndef PSI_TESTS_BOARD_UTIL_H
#define PSI_TESTS_BOARD_UTIL_H

#include <string.h>

#include "base/error.h"
#include "net/model.h"
#include "text/token.h"

/* Digits 1..N are tokens 0..N-1, then [BOS]; then [MASK], if the noise is that. */
struct board_model { struct model model; int N, box_rows; };

/* The digit of a cell of a valid grid. */
static int
board_digit(const struct board_model *b, int row, int col)
{
	int columns = b->N / b->box_rows;

	return (row % b->box_rows * columns + row / b->box_rows + col) % b->N;
}

static enum status
board_trunk(struct model *m, int n, const int32_t *tok, const double *sigma, const int *label, float *feat,
	struct cancel *c, struct error *e)
{
	const struct board_model *b = (const struct board_model *)m;

	(void)sigma;
	(void)label;
	(void)c;
	(void)e;
	for (int i = 0; i < n * m->L; i++) {
		int pos = i % m->L - 1;
		bool left = pos > 0 && tok[i - 1] == board_digit(b, (pos - 1) / b->N, (pos - 1) % b->N);
		float sure = left ? 4.f : 2.f;

		for (int v = 0; v < m->V; v++)
			feat[(size_t)i * (size_t)m->V + (size_t)v] = v >= b->N ? (pos < 0 ? 0 : -5.f) :
				pos >= 0 && v == board_digit(b, pos / b->N, pos % b->N) ? sure : 0;
	}
	return ST_OK;
}

static enum status
board_rows(struct model *m, int n, const float *feat, float *logit, struct cancel *c, struct error *e)
{
	(void)c;
	(void)e;
	memcpy(logit, feat, (size_t)n * (size_t)m->V * sizeof *logit);
	return ST_OK;
}

static void
board_model_init(struct board_model *b, int N, bool masked)
{
	memset(b, 0, sizeof *b);
	b->N = N;
	b->box_rows = N == 9 ? 3 : 2;
	b->model = (struct model){ .L = N * N + 1, .V = N + 1 + masked, .F = N + 1 + masked,
		.mask = masked ? N + 1 : -1, .out = masked ? OUT_SUBS : OUT_MEAN, .bos = N, .bos_fixed = true,
		.alpha = { ALPHA_LOGLINEAR, 1e-3 }, .timed = !masked, .trunk = board_trunk, .rows = board_rows };
}

static struct tokenizer *
board_tok(int N, bool masked)
{
	char json[120];
	struct tokenizer *t = NULL;
	size_t n = 1;

	json[0] = '[';
	for (int i = 0; i < N; i++)
		n += (size_t)snprintf(json + n, sizeof json - n, "\"%d\",", i + 1);
	snprintf(json + n, sizeof json - n, "\"[BOS]\"%s]", masked ? ",\"[MASK]\"" : "");
	return tok_chars(json, strlen(json), &t, NULL) ? NULL : t;
}

__attribute__((unused)) static const char *
board_layout(const struct board_model *b, char buf[100])
{
	snprintf(buf, 100, "{\"columns\": %d, \"first\": 1, \"box_rows\": %d, \"box_columns\": %d}", b->N, b->box_rows,
		b->N / b->box_rows);
	return buf;
}

#endif
