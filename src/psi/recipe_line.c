/* recipe_line.c: a recipe as one line of text (recipe.h). */
#include <stdio.h>
#include <string.h>

#include "psi/recipe.h"

/* The next word of *p, of length *n; false at the end. */
static bool
next_word(const char **p, const char **word, size_t *n)
{
	*p += strspn(*p, " \t\r\n");
	*word = *p;
	*n = strcspn(*p, " \t\r\n");
	*p += *n;
	return *n > 0;
}

bool
recipe_line_value(const char *line, const char *name, char *buf, size_t size)
{
	const char *word;
	size_t n, len = strlen(name);

	while (next_word(&line, &word, &n))
		if (n > len && word[len] == '=' && strncmp(word, name, len) == 0) {
			snprintf(buf, size, "%.*s", (int)(n - len - 1), word + len + 1);
			return true;
		}
	return false;
}

static enum status
set_word(struct recipe *r, const char *word, size_t n, struct error *e)
{
	char pair[256];

	if (n >= sizeof pair)
		return error_set(e, ST_USAGE, "recipe: '%.40s...' is too long", word);
	snprintf(pair, sizeof pair, "%.*s", (int)n, word);
	char *eq = strchr(pair, '=');
	if (!eq)
		return error_set(e, ST_USAGE, "recipe: '%s' is not of the form KNOB=VALUE", pair);
	*eq = '\0';
	if (strcmp(pair, "preset") == 0 || strcmp(pair, "ckpt") == 0)
		return ST_OK; /* read before all others; for the caller */
	return recipe_set(r, pair, eq + 1, e);
}

enum status
recipe_parse(const char *line, struct recipe *r, struct error *e)
{
	struct recipe next;
	const char *word;
	char preset[64];
	size_t n;

	recipe_init(&next);
	if (recipe_line_value(line, "preset", preset, sizeof preset)) {
		enum status st = recipe_preset(&next, preset, e);
		if (st != ST_OK)
			return st;
	}
	for (bool first = true; next_word(&line, &word, &n); first = false) {
		if (first && n == 3 && strncmp(word, "psi", 3) == 0)
			continue;
		enum status st = set_word(&next, word, n, e);
		if (st != ST_OK)
			return st;
	}
	*r = next;
	return ST_OK;
}

void
recipe_format(const struct recipe *r, char *buf, size_t size)
{
	struct recipe plain;
	size_t n = (size_t)snprintf(buf, size, "psi");
	char now[64], was[64];

	recipe_init(&plain);
	if (r->preset[0] && recipe_preset(&plain, r->preset, NULL) == ST_OK && n < size)
		n += (size_t)snprintf(buf + n, size - n, " preset=%s", r->preset);
	for (int i = 0; i < recipe_knob_count() && n < size; i++) {
		const char *name = recipe_knob(i)->name;
		recipe_get(r, name, now, sizeof now);
		recipe_get(&plain, name, was, sizeof was);
		/* a knob that stands for three others is written by those, unless it says it all */
		if (strcmp(now, was) == 0 || strcmp(now, "zones") == 0)
			continue;
		n += (size_t)snprintf(buf + n, size - n, " %s=%s", name, now);
		recipe_set(&plain, name, now, NULL);
	}
}
