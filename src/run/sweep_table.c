/* sweep_table.c: what a sweep says: rows as CSV or JSON lines, and a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "psi/metric.h"
#include "run/sweep.h"
#include "run/trace.h"

#define WIDTH 40                     /* of a cell of the table, with its end */

/* ---- the one list of measures ---- */

enum show { SHOW_MEAN /* with Student's interval */, SHOW_SHARE /* with Wilson's */, SHOW_PLAIN, SHOW_NOT };

struct measure {
	const char *name, *shown;        /* in files; over a column of the table */
	enum show show;
	int digits;                      /* after the point, in the table */
	double (*of)(const struct sweep *s, const struct sweep_row *r);         /* NAN: not measured */
};

static double
of_entropy(const struct sweep *s, const struct sweep_row *r)
{
	(void)s;
	return r->entropy;
}

static double
of_valid(const struct sweep *s, const struct sweep_row *r)
{
	return rules_any(&s->setup->rules) ? (double)r->valid / s->setup->count : NAN;
}

static double
of_perplexity(const struct sweep *s, const struct sweep_row *r)
{
	return s->setup->scorer && r->tokens > 0 ? exp(r->nll / (double)r->tokens) : NAN;
}

static double
of_bound(const struct sweep *s, const struct sweep_row *r)
{
	return s->setup->bound > 0 ? r->bound : NAN;
}

static double
of_bound_error(const struct sweep *s, const struct sweep_row *r)
{
	return s->setup->bound > 0 ? r->bound_error : NAN;
}

static double
of_calls(const struct sweep *s, const struct sweep_row *r)
{
	(void)s;
	return r->calls;
}

static double
of_rows(const struct sweep *s, const struct sweep_row *r)
{
	(void)s;
	return r->rows;
}

static double
of_ms(const struct sweep *s, const struct sweep_row *r)
{
	(void)s;
	return r->ms;
}

static const struct measure measures[] = {
	{ "entropy", "entropy", SHOW_MEAN, 3, of_entropy },
	{ "valid", "valid", SHOW_SHARE, 3, of_valid },
	{ "generative_perplexity", "gen. perplexity", SHOW_MEAN, 2, of_perplexity },
	{ "bound", "bound", SHOW_MEAN, 4, of_bound },
	{ "bound_error", "", SHOW_NOT, 4, of_bound_error },
	{ "network_calls", "calls", SHOW_PLAIN, 1, of_calls },
	{ "head_rows", "rows", SHOW_PLAIN, 0, of_rows },
	{ "ms", "ms", SHOW_PLAIN, 1, of_ms },
};
#define MEASURES ((int)(sizeof measures / sizeof *measures))

static const struct sweep_row *
row_of(const struct sweep *s, int cell, int seed)
{
	return &s->row[(size_t)cell * (size_t)s->setup->seeds + (size_t)seed];
}

/* ---- files ---- */

static void
csv_word(FILE *f, const char *word)
{
	if (!word[strcspn(word, ",\"\r\n")]) {
		fputs(word, f);
		return;
	}
	fputc('"', f);
	for (; *word; word++) {
		if (*word == '"')
			fputc('"', f);
		fputc(*word, f);
	}
	fputc('"', f);
}

static void
csv_head(FILE *f, const struct grid *g)
{
	for (int i = 0; i < g->n; i++)
		fprintf(f, "%s,", g->axis[i].name);
	fputs("seed,samples", f);
	for (int i = 0; i < MEASURES; i++)
		fprintf(f, ",%s", measures[i].name);
	fputs(",recipe\n", f);
}

static void
csv_row(FILE *f, const struct sweep *s, int cell, const struct sweep_row *r)
{
	const struct grid *g = s->setup->grid;
	char recipe[RECIPE_LINE];

	for (int i = 0; i < g->n; i++) {
		csv_word(f, grid_value(g, cell, i));
		fputc(',', f);
	}
	fprintf(f, "%llu,%d", (unsigned long long)r->recipe.seed, s->setup->count);
	for (int i = 0; i < MEASURES; i++) {
		double v = measures[i].of(s, r);
		fputc(',', f);
		if (!isnan(v))
			fprintf(f, "%.12g", v);
	}
	recipe_format(&r->recipe, recipe, sizeof recipe);
	fputc(',', f);
	csv_word(f, recipe);
	fputc('\n', f);
}

/* A knob's value: a number if it is one. */
static json_t *
json_value(const char *word)
{
	char *end;
	double v = strtod(word, &end);

	if (end == word || *end || !isfinite(v))
		return json_string(word);
	return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

static enum status
json_row(const struct sweep *s, int cell, const struct sweep_row *r, struct outfile *out, struct error *e)
{
	const struct grid *g = s->setup->grid;
	json_t *line = json_object();
	char recipe[RECIPE_LINE];
	int bad = 0;

	for (int i = 0; i < g->n; i++)
		bad |= json_object_set_new(line, g->axis[i].name, json_value(grid_value(g, cell, i)));
	bad |= json_object_set_new(line, "seed", json_integer((json_int_t)r->recipe.seed));
	bad |= json_object_set_new(line, "samples", json_integer(s->setup->count));
	for (int i = 0; i < MEASURES; i++) {
		double v = measures[i].of(s, r);
		if (isfinite(v)) /* an infinity has no place in JSON */
			bad |= json_object_set_new(line, measures[i].name, json_real(v));
	}
	recipe_format(&r->recipe, recipe, sizeof recipe);
	bad |= json_object_set_new(line, "recipe", json_string(recipe));
	if (bad) {
		json_decref(line);
		line = NULL;
	}
	return trace_write(out, line, e);
}

/* Rows as one text; NULL: out of memory. */
static char *
csv_text(const struct sweep *s, size_t *bytes)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, bytes);

	if (!f)
		return NULL;
	csv_head(f, s->setup->grid);
	for (int cell = 0; cell < s->setup->grid->cells; cell++)
		for (int seed = 0; seed < s->setup->seeds; seed++)
			if (row_of(s, cell, seed)->done)
				csv_row(f, s, cell, row_of(s, cell, seed));
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

enum status
sweep_write(const struct sweep *s, bool jsonl, struct outfile *out, struct error *e)
{
	enum status st = ST_OK;
	size_t bytes = 0;

	if (!jsonl) {
		char *text = csv_text(s, &bytes);
		st = text ? outfile_write(out, text, bytes, e) : error_set(e, ST_MEMORY, "out of memory for the rows");
		free(text);
		return st;
	}
	for (int cell = 0; cell < s->setup->grid->cells; cell++)
		for (int seed = 0; seed < s->setup->seeds && st == ST_OK; seed++)
			if (row_of(s, cell, seed)->done)
				st = json_row(s, cell, row_of(s, cell, seed), out, e);
	return st;
}

/* ---- the table ---- */

struct table {
	const struct sweep *s;
	FILE *f;
	double *value;                   /* [seeds] */
	int columns, lines;
	char (*text)[WIDTH];             /* [lines,columns] */
};

/* The text of a column in the line that is being filled. */
static char *
put(struct table *t, int column)
{
	return t->text[(size_t)t->lines * (size_t)t->columns + (size_t)column];
}

static bool
measured(const struct sweep *s, const struct measure *m)
{
	for (int i = 0; i < s->setup->grid->cells * s->setup->seeds; i++)
		if (s->row[i].done && !isnan(m->of(s, &s->row[i])))
			return true;
	return false;
}

/* Whether it has a column.  Of what is cheap to know differences say nothing. */
static bool
shown(const struct sweep *s, const struct measure *m, bool paired)
{
	return m->show != SHOW_NOT && !(paired && m->show == SHOW_PLAIN) && measured(s, m);
}

/* The numbers of a cell, one a seed (minus those of the first cell); returns how many. */
static int
values(struct table *t, const struct measure *m, int cell, bool paired)
{
	const struct sweep *s = t->s;
	int n = 0;

	for (int seed = 0; seed < s->setup->seeds; seed++) {
		const struct sweep_row *r = row_of(s, cell, seed), *first = row_of(s, 0, seed);
		if (r->done && (!paired || first->done))
			t->value[n++] = m->of(s, r) - (paired ? m->of(s, first) : 0);
	}
	return n;
}

static struct interval
share_of(const struct sweep *s, int cell)
{
	long hits = 0, n = 0;

	for (int seed = 0; seed < s->setup->seeds; seed++)
		if (row_of(s, cell, seed)->done) {
			hits += row_of(s, cell, seed)->valid;
			n += s->setup->count;
		}
	return metric_share(hits, n);
}

static void
format_measure(struct table *t, const struct measure *m, int cell, bool paired, char *out)
{
	int n = values(t, m, cell, paired), d = m->digits;
	struct interval v = m->show == SHOW_SHARE && !paired ? share_of(t->s, cell) : metric_mean(n, t->value);

	if (isnan(v.mean))
		snprintf(out, WIDTH, "-");
	else if (m->show == SHOW_SHARE && !paired)
		snprintf(out, WIDTH, "%.*f [%.*f, %.*f]", d, v.mean, d, v.lo, d, v.hi);
	else if (m->show == SHOW_PLAIN || isnan(v.lo))
		snprintf(out, WIDTH, paired ? "%+.*f" : "%.*f", d, v.mean);
	else
		snprintf(out, WIDTH, paired ? "%+.*f +- %.*f" : "%.*f +- %.*f", d, v.mean, d, v.hi - v.mean);
}

/* The line of a cell, or (cell < 0) the head. */
static void
fill_line(struct table *t, int cell, bool paired)
{
	const struct grid *g = t->s->setup->grid;
	int c = 0;

	for (int i = 0; i < g->n; i++)
		snprintf(put(t, c++), WIDTH, "%s", cell < 0 ? g->axis[i].name : grid_value(g, cell, i));
	for (int i = 0; i < MEASURES; i++) {
		const struct measure *m = &measures[i];
		if (!shown(t->s, m, paired))
			continue;
		if (cell < 0)
			snprintf(put(t, c++), WIDTH, "%s", m->shown);
		else
			format_measure(t, m, cell, paired, put(t, c++));
	}
	t->lines++;
}

static void
print_lines(const struct table *t)
{
	int width[GRID_AXES + MEASURES] = { 0 };

	for (int i = 0; i < t->lines * t->columns; i++) {
		int n = (int)strlen(t->text[i]);
		width[i % t->columns] = n > width[i % t->columns] ? n : width[i % t->columns];
	}
	for (int i = 0; i < t->lines * t->columns; i++) {
		if (i % t->columns == t->columns - 1)
			fprintf(t->f, "%s\n", t->text[i]);
		else
			fprintf(t->f, "%-*s  ", width[i % t->columns], t->text[i]);
	}
}

static int
count_columns(const struct sweep *s, bool paired)
{
	int n = s->setup->grid->n;

	for (int i = 0; i < MEASURES; i++)
		n += shown(s, &measures[i], paired);
	return n;
}

static void
print_part(struct table *t, bool paired)
{
	const struct sweep_setup *s = t->s->setup;

	t->lines = 0;
	t->columns = count_columns(t->s, paired);
	fill_line(t, -1, paired);
	for (int cell = paired ? 1 : 0; cell < s->grid->cells; cell++)
		if (values(t, &measures[0], cell, paired) > 0)
			fill_line(t, cell, paired);
	print_lines(t);
}

static void
print_table(struct table *t)
{
	const struct sweep_setup *s = t->s->setup;

	fprintf(t->f, "%d seed%s of %d sample%s each%s\n", s->seeds, s->seeds == 1 ? "" : "s", s->count,
		s->count == 1 ? "" : "s", s->seeds > 1 ? "; intervals are of 95%" : "");
	if (t->s->done < s->grid->cells * s->seeds)
		fprintf(t->f, "stopped: %d of %d runs are done\n", t->s->done, s->grid->cells * s->seeds);
	fputc('\n', t->f);
	print_part(t, false);
	if (s->grid->cells > 1 && row_of(t->s, 0, 0)->done) {
		fputs("\nDifferences to the first line, from the same noise\n\n", t->f);
		print_part(t, true);
	}
	if (s->bound > 0)
		fprintf(t->f,
			"\nBound: nats per token, %d held-out samples a seed, without filters.  In continuous time\n"
			"(NELBO, whatever kappa): %.4f, standard error %.4f\n",
			s->bound, t->s->nelbo.mean, t->s->nelbo.error);
}

char *
sweep_table(const struct sweep *s)
{
	size_t lines = (size_t)s->setup->grid->cells + 1, size = 0;
	struct table t = { .s = s };
	char *text = NULL;

	t.value = mem_calloc((size_t)s->setup->seeds, sizeof *t.value);
	t.text = mem_calloc(lines * (GRID_AXES + (size_t)MEASURES), sizeof *t.text);
	t.f = t.value && t.text ? open_memstream(&text, &size) : NULL;
	if (t.f)
		print_table(&t);
	if (t.f && fclose(t.f) != 0) {
		free(text);
		text = NULL;
	}
	free(t.value);
	free(t.text);
	return text;
}
