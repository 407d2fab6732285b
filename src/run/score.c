/* score.c: see score.h.  The rules are those of the published evaluation. */
#include "run/score.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "psi/metric.h"

#define ROWS 16                  /* head rows at a time */
#define DEPTH 64

int
score_counted(int L, const int32_t *row, int32_t end, bool *counted)
{
	int ends = row[0] == end, n = 0;

	for (int i = 1; i < L; i++) {
		ends += row[i] == end;
		counted[i - 1] = row[i] != end || ends == 1;
		n += counted[i - 1];
	}
	return n;
}

/* log sum exp - x[at], in double. */
static double
cross_entropy(int V, const float *x, int at)
{
	double top = -INFINITY, sum = 0;

	for (int v = 0; v < V; v++)
		top = fmax(top, (double)x[v]);
	for (int v = 0; v < V; v++)
		sum += exp((double)x[v] - top);
	return top + log(sum) - (double)x[at];
}

/* The targets at[0..n-1]: rows of features to logits to nll. */
static enum status
score_some(struct model *m, const int32_t *row, const float *feat, int n, const int *at, float *some, float *logit,
           double *nll, struct cancel *c, struct error *e)
{
	size_t F = (size_t)m->F;

	for (int i = 0; i < n; i++)
		memcpy(some + (size_t)i * F, feat + (size_t)at[i] * F, F * sizeof *some);
	enum status st = m->rows(m, n, some, logit, c, e);
	for (int i = 0; i < n && st == ST_OK; i++) {
		double x = cross_entropy(m->V, logit + (size_t)i * (size_t)m->V, row[at[i] + 1]);
		nll[at[i]] = x;
		if (!isfinite(x))
			st = error_set(e, ST_NUMERIC, "the scorer's numbers at position %d are not finite", at[i]);
	}
	return st;
}

enum status
score_row(struct model *m, const int32_t *row, const bool *counted, double *nll, struct cancel *c, struct error *e)
{
	size_t F = (size_t)m->F;
	float *feat = mem_calloc((size_t)m->L * F, sizeof *feat), *some = mem_calloc(ROWS * F, sizeof *some);
	float *logit = mem_calloc(ROWS * (size_t)m->V, sizeof *logit);
	double sigma = 0;
	int at[ROWS], n = 0;
	enum status st = feat && some && logit ? ST_OK : error_set(e, ST_MEMORY, "out of memory for a text");

	if (st == ST_OK)
		st = m->trunk(m, 1, row, &sigma, NULL, feat, c, e);
	for (int i = 0; i < m->L - 1 && st == ST_OK; i++) {
		if (!counted || counted[i])
			at[n++] = i;
		if (n == ROWS || (n > 0 && i == m->L - 2)) {
			st = score_some(m, row, feat, n, at, some, logit, nll, c, e);
			n = 0;
		}
	}
	free(feat);
	free(some);
	free(logit);
	return st;
}

double
score_perplexity(const struct score *s)
{
	return s->tokens > 0 ? exp(s->nll / (double)s->tokens) : NAN;
}

/* ---- one text ---- */

struct scorer {
	const struct opened *o;
	struct model *m;
	int32_t *row;                    /* [L] */
	bool *counted;                   /* [L-1] */
	double *nll;                     /* [L-1] */
};

void
scorer_free(struct scorer *s)
{
	if (!s)
		return;
	free(s->row);
	free(s->counted);
	free(s->nll);
	free(s);
}

enum status
scorer_new(const struct opened *o, struct scorer **out, struct error *e)
{
	size_t L = (size_t)o->ema->L;
	struct scorer *s;

	if (o->ckpt->config.backbone != BACKBONE_GPT2)
		return error_set(e, ST_USAGE, "a scorer must be a GPT-2, this is not one");
	if (o->tok->kind == TOK_IDS)
		return error_set(e, ST_USAGE, "the scorer has no tokenizer (--tokenizer PATH)");
	s = mem_calloc(1, sizeof *s);
	if (!s)
		return error_set(e, ST_MEMORY, "out of memory for the scorer");
	s->o = o;
	s->m = o->ema;
	s->row = mem_calloc(L, sizeof *s->row);
	s->counted = mem_calloc(L, sizeof *s->counted);
	s->nll = mem_calloc(L, sizeof *s->nll);
	if (!s->row || !s->counted || !s->nll) {
		scorer_free(s);
		return error_set(e, ST_MEMORY, "out of memory for the scorer");
	}
	*out = s;
	return ST_OK;
}

enum status
scorer_text(struct scorer *s, const char *text, size_t bytes, struct scored *out, struct cancel *c, struct error *e)
{
	int L = s->m->L, used;
	int32_t *ids;
	size_t n;
	enum status st = tok_encode_lossy(s->o->tok, text, bytes, &ids, &n, e);

	if (st != ST_OK)
		return st;
	used = n < (size_t)L ? (int)n : L;
	for (int i = 0; i < L; i++)
		s->row[i] = i < used ? ids[i] : s->m->bos;
	*out = (struct scored){ .cut = n > (size_t)L, .entropy = used > 0 ? metric_entropy(used, ids) : 0 };
	free(ids);
	out->tokens = score_counted(L, s->row, s->m->bos, s->counted);
	st = score_row(s->m, s->row, s->counted, s->nll, c, e);
	for (int i = 0; i < L - 1 && st == ST_OK; i++)
		if (s->counted[i])
			out->nll += s->nll[i];
	return st;
}

/* ---- a stream of texts ---- */

struct stream {
	struct scorer *scorer;
	struct score sum;                /* of whole batches, or of all */
	struct score batch;              /* of the batch that is not whole yet; its entropy is a sum */
	double entropy;                  /* sum over sum.texts */
};

static void
take_batch(struct stream *s)
{
	s->sum.texts += s->batch.texts;
	s->sum.cut += s->batch.cut;
	s->sum.tokens += s->batch.tokens;
	s->sum.nll += s->batch.nll;
	s->entropy += s->batch.entropy;
	s->batch = (struct score){ 0 };
}

/* Entropy of the sample's own tokens; false: the line holds none. */
static bool
own_entropy(const json_t *line, double *out)
{
	const json_t *a = json_object_get(line, "tokens");
	size_t n = json_array_size(a);
	int32_t *ids = n > 0 && n < INT32_MAX ? mem_calloc(n, sizeof *ids) : NULL;

	for (size_t i = 0; ids && i < n; i++) {
		const json_t *v = json_array_get(a, i);
		if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > INT32_MAX) {
			free(ids);
			return false;
		}
		ids[i] = (int32_t)json_integer_value(v);
	}
	if (!ids)
		return false;
	*out = metric_entropy((int)n, ids);
	free(ids);
	return true;
}

static enum status
score_line(struct stream *s, const json_t *line, struct error *e)
{
	const json_t *text = json_object_get(line, "text");
	struct scored one;
	double entropy;

	if (!json_is_string(text))
		return ST_OK;
	enum status st = scorer_text(s->scorer, json_string_value(text), json_string_length(text), &one, NULL, e);
	if (st != ST_OK)
		return st;
	bool own = own_entropy(line, &entropy);
	s->batch.tokens += one.tokens;
	s->batch.nll += one.nll;
	s->batch.texts++;
	s->batch.cut += one.cut;
	s->batch.entropy += own ? entropy : one.entropy;
	s->sum.own_tokens &= own;
	return ST_OK;
}

static enum status
read_lines(struct stream *s, FILE *in, int batch, struct error *e)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t bytes;
	enum status st = ST_OK;

	for (long number = 1; st == ST_OK && (bytes = getline(&line, &room, in)) >= 0; number++) {
		json_t *v;
		if (bytes == 0 || line[strspn(line, " \t\r\n")] == '\0')
			continue;
		st = json_parse((const uint8_t *)line, (size_t)bytes, DEPTH, &v, e);
		if (st == ST_OK) {
			st = score_line(s, v, e);
			json_decref(v);
		}
		if (st == ST_CKPT)
			e->code = st = ST_FAIL; /* about the texts, not the scorer */
		if (st != ST_OK) {
			char where[32];
			snprintf(where, sizeof where, "line %ld", number);
			error_prefix(e, where);
		}
		if (st == ST_OK && s->batch.texts >= batch)
			take_batch(s);
	}
	if (st == ST_OK && ferror(in))
		st = error_set(e, ST_FAIL, "%s", strerror(errno));
	free(line);
	return st;
}

enum status
score_stream(const struct opened *o, FILE *in, int whole_batches, struct score *out, struct error *e)
{
	struct stream s = { .sum = { .own_tokens = true } };
	enum status st = scorer_new(o, &s.scorer, e);

	if (st == ST_OK)
		st = read_lines(&s, in, whole_batches > 0 ? whole_batches : 1, e);
	scorer_free(s.scorer);
	s.sum.dropped = s.batch.texts;
	if (st == ST_OK && s.sum.texts == 0)
		st = error_set(e, ST_FAIL, "%s", s.sum.dropped ? "fewer texts than make a batch"
		               : "there is no text (JSON lines as of `sample --format jsonl`)");
	s.sum.entropy = s.sum.texts > 0 ? s.entropy / s.sum.texts : 0;
	*out = s.sum;
	return st;
}

/* ---- what is said ---- */

static char *
as_json(const struct score *s, const char *scorer)
{
	json_t *o = json_object();
	int bad = json_object_set_new(o, "scorer", json_string(scorer));

	bad |= json_object_set_new(o, "texts", json_integer(s->texts));
	bad |= json_object_set_new(o, "texts_cut", json_integer(s->cut));
	bad |= json_object_set_new(o, "texts_dropped", json_integer(s->dropped));
	bad |= json_object_set_new(o, "tokens_counted", json_integer(s->tokens));
	json_t *perplexity = s->tokens > 0 ? json_real(score_perplexity(s)) : json_null();
	bad |= json_object_set_new(o, "generative_perplexity", perplexity);
	bad |= json_object_set_new(o, "sample_entropy", json_real(s->entropy));
	bad |= json_object_set_new(o, "sample_entropy_of", json_string(s->own_tokens ? "tokens" : "scorer's tokens"));
	char *line = bad ? NULL : json_dumps(o, JSON_INDENT(2)), *text = line ? mem_printf("%s\n", line) : NULL;
	free(line);
	json_decref(o);
	return text;
}

char *
score_text(const struct score *s, const char *scorer, bool json)
{
	char note[80] = "", rest[80] = "";

	if (json)
		return as_json(s, scorer);
	if (s->cut > 0)
		snprintf(note, sizeof note, ", %d cut at the scorer's length", s->cut);
	if (s->dropped > 0)
		snprintf(rest, sizeof rest, ", %d dropped", s->dropped);
	return mem_printf("texts                  %d%s%s\n"
	                  "tokens counted         %ld\n"
	                  "generative perplexity  %.6g\n"
	                  "sample entropy         %.6g nats (of %s tokens)\n", s->texts, note, rest, s->tokens,
	                  score_perplexity(s), s->entropy, s->own_tokens ? "the samples' own" : "the scorer's");
}
