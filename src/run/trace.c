/* trace.c: see trace.h. */
#include "run/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "psi/metric.h"

#define REAL_DIGITS 12

/* Set a member and keep track of failures: jansson takes the reference either way. */
static void
put(json_t *o, const char *key, json_t *v, bool *ok)
{
	*ok &= json_object_set_new(o, key, v) == 0;
}

static json_t *
done(json_t *o, bool ok)
{
	if (!ok) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *
trace_counts(const struct step_counts *c)
{
	json_t *o = json_object();
	bool ok = o != NULL;

	for (int i = 0; i < CAUSE_COUNT; i++)
		if (c->by_cause[i] > 0)
			put(o, cause_info((enum cause)i)->name, json_integer(c->by_cause[i]), &ok);
	return done(o, ok);
}

json_t *
trace_step(int number, const struct plan_row *row, const struct step_counts *c)
{
	json_t *o = json_object();
	bool ok = o != NULL;

	put(o, "step", json_integer(number), &ok);
	if (row) {
		put(o, "t", json_real(row->t), &ok);
		put(o, "s", json_real(row->s), &ok);
		put(o, "kappa", json_real(row->kappa), &ok);
	}
	put(o, "counts", trace_counts(c), &ok);
	put(o, "network_calls", json_integer(c->nfe), &ok);
	put(o, "head_rows", json_integer(c->rows), &ok);
	return done(o, ok);
}

static json_t *
ids_array(int n, const int32_t *ids)
{
	json_t *a = json_array();
	bool ok = a != NULL;

	for (int i = 0; i < n; i++)
		ok &= json_array_append_new(a, json_integer(ids[i])) == 0;
	return done(a, ok);
}

/* Control characters but '\n' and '\t' become U+2400 and following. */
static char *
picture_controls(const char *s, size_t bytes, size_t *out_bytes)
{
	char *out, *to;

	if (bytes > (SIZE_MAX - 1) / 3 || !(out = to = malloc(3 * bytes + 1)))
		return NULL;
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)s[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
			*to++ = (char)0xe2;
			*to++ = (char)0x90;
			*to++ = (char)(0x80 + (c == 0x7f ? 0x21 : c));
		} else if (c == 0xc2 && i + 1 < bytes && (unsigned char)s[i + 1] < 0xa0) {
			memcpy(to, "\xef\xbf\xbd", 3); /* C1 controls: U+0080..U+009F */
			to += 3;
			i++;
		} else {
			*to++ = (char)c;
		}
	}
	*to = '\0';
	*out_bytes = (size_t)(to - out);
	return out;
}

char *
trace_text(const struct tokenizer *tok, const int32_t *ids, int n, size_t *bytes)
{
	size_t raw_bytes, good_bytes;
	char *raw = tok_decode(tok, ids, (size_t)n, false, &raw_bytes);
	char *good = raw ? utf8_repair(raw, raw_bytes, &good_bytes) : NULL;
	char *out = good ? picture_controls(good, good_bytes, bytes) : NULL;

	free(raw);
	free(good);
	return out;
}

/* The text as it is, for programs: only invalid bytes are replaced. */
static json_t *
text_json(const struct tokenizer *tok, const int32_t *ids, int n)
{
	size_t raw_bytes, bytes;
	char *raw = tok_decode(tok, ids, (size_t)n, false, &raw_bytes);
	char *good = raw ? utf8_repair(raw, raw_bytes, &bytes) : NULL;
	json_t *v = good ? json_stringn(good, bytes) : NULL;

	free(raw);
	free(good);
	return v;
}

json_t *
trace_tokens(int L, const int32_t *ids, const struct tokenizer *tok)
{
	json_t *o = json_object();
	bool ok = o != NULL;

	put(o, "tokens", ids_array(L, ids), &ok);
	if (tok)
		put(o, "text", text_json(tok, ids, L), &ok);
	put(o, "entropy", json_real(metric_entropy(L, ids)), &ok);
	return done(o, ok);
}

void
trace_recipe(const struct recipe *r, int sample, const char *hash, char *buf, size_t size)
{
	struct recipe one = *r;

	one.first += sample;
	one.samples = 1;
	recipe_format(&one, buf, size);
	size_t n = strlen(buf);
	if (hash && n < size)
		snprintf(buf + n, size - n, " ckpt=%s", hash);
}

enum status
trace_write(struct outfile *o, json_t *v, struct error *e)
{
	char *line = v ? json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
	enum status st;

	json_decref(v);
	if (!line)
		return error_set(e, ST_MEMORY, "out of memory for a line of JSON");
	st = outfile_write(o, line, strlen(line), e);
	if (st == ST_OK)
		st = outfile_write(o, "\n", 1, e);
	free(line);
	return st;
}

/* ---- a branch of the tree ---- */

static json_t *
run_line(const struct node *n, int S, int L, const char *file, const char *hash)
{
	json_t *o = json_object();
	bool ok = o != NULL;
	char line[1024];

	put(o, "type", json_string("run"), &ok);
	put(o, "version", json_integer(1), &ok);
	put(o, "file", file ? json_string(file) : json_null(), &ok);
	put(o, "sha256", hash ? json_string(hash) : json_null(), &ok);
	put(o, "samples", json_integer(S), &ok);
	put(o, "length", json_integer(L), &ok);
	if (n->on) {
		recipe_format(&n->on->r, line, sizeof line);
		put(o, "recipe", json_string(line), &ok);
	}
	return done(o, ok);
}

/* The touched positions of s: all of them in a start. */
static void
put_touched(json_t *o, const struct state *s, bool all, bool *ok)
{
	json_t *at = json_array(), *tokens = json_array(), *causes = json_array(), *prob = json_array();

	*ok &= at && tokens && causes && prob;
	for (int i = 0; i < s->S * s->L && *ok; i++) {
		if (!all && s->cause[i] == CAUSE_UNTOUCHED)
			continue;
		*ok &= json_array_append_new(at, json_integer(i)) == 0 &&
		       json_array_append_new(tokens, json_integer(s->tok[i])) == 0 &&
		       json_array_append_new(causes, json_integer(s->cause[i])) == 0 &&
		       json_array_append_new(prob, json_real((double)s->prob[i])) == 0;
	}
	put(o, "at", at, ok);
	put(o, "tokens", tokens, ok);
	put(o, "causes", causes, ok);
	put(o, "probabilities", prob, ok);
}

static json_t *
state_line(const struct node *n, const struct state *s)
{
	json_t *o = json_object();
	bool ok = o != NULL;
	char line[1024];

	put(o, "type", json_string(!n->up ? "start" : n->leg ? "step" : "edit"), &ok);
	put(o, "id", json_integer(n->id), &ok);
	put(o, "up", n->up ? json_integer(n->up->id) : json_null(), &ok);
	put(o, "step", json_integer(n->step), &ok);
	put(o, "t", json_real(n->t), &ok);
	put(o, "entropy", json_real(n->entropy), &ok);
	if (n->leg && n->up && n->leg != n->up->leg) { /* other knobs from here on */
		recipe_format(&n->leg->r, line, sizeof line);
		put(o, "recipe", json_string(line), &ok);
	}
	put(o, "counts", trace_counts(&n->counts), &ok);
	put(o, "network_calls", json_integer(n->counts.nfe), &ok);
	put(o, "head_rows", json_integer(n->counts.rows), &ok);
	put_touched(o, s, !n->up, &ok);
	return done(o, ok);
}

static json_t *
sample_line(const struct state *s, int sample, const struct tokenizer *tok)
{
	json_t *o = trace_tokens(s->L, s->tok + (size_t)sample * (size_t)s->L, tok);
	bool ok = o != NULL;

	put(o, "type", json_string("sample"), &ok);
	put(o, "sample", json_integer(sample), &ok);
	return done(o, ok);
}

enum status
trace_branch(struct outfile *o, const struct tree *t, const struct node *n, int S, int L, const struct tokenizer *tok,
             const char *file, const char *hash, struct error *e)
{
	size_t depth = 0;
	struct state s;
	enum status st = state_init(&s, S, L, e);

	if (st != ST_OK)
		return st;
	for (const struct node *p = n; p; p = p->up)
		depth++;
	const struct node **path = mem_calloc(depth, sizeof(void *));
	if (!path) {
		state_done(&s);
		return error_set(e, ST_MEMORY, "out of memory for a trace");
	}
	size_t at = 0;
	for (const struct node *p = n; p; p = p->up)
		path[at++] = p;
	st = trace_write(o, run_line(path[depth - 1], S, L, file, hash), e);
	while (st == ST_OK && at-- > 0) {
		tree_read(t, path[at], &s);
		st = trace_write(o, state_line(path[at], &s), e);
	}
	for (int i = 0; i < S && st == ST_OK; i++)
		st = trace_write(o, sample_line(&s, i, tok), e);
	free(path);
	state_done(&s);
	return st;
}
