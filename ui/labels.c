/* labels.c: classes by name, where they are known.  Screen thread only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/classes.h"
#include "ui/app_private.h"

const char *
label_name(const struct app *a, int label)
{
	return class_name(a->side > 0, a->model->classes, label);
}

bool
label_find(const struct app *a, const char *name, char out[16])
{
	size_t n = strlen(name);

	for (int i = 0; n > 0 && i < a->model->classes; i++) {
		const char *have = label_name(a, i);

		if (have && strncasecmp(have, name, n) == 0) {
			snprintf(out, 16, "%d", i);
			return true;
		}
	}
	return false;
}

static void
words(const struct app *a, int label, char *buf, size_t size)
{
	const char *name = label_name(a, label);

	if (name)
		snprintf(buf, size, "%d %s", label, name);
	else if (label >= 0 && label < a->model->classes)
		snprintf(buf, size, "class %d", label);
	else
		snprintf(buf, size, "no label");
}

void
label_words(const struct app *a, int sample, char *buf, size_t size)
{
	const struct recipe *r = a->cursor.node && a->cursor.node->on ? &a->cursor.node->on->r : &a->recipe;
	int label =
		r->label == LABEL_ROWS && a->model->classes > 0 ? (r->first + sample) % a->model->classes : r->label;

	*buf = 0;
	if (a->model->classes > 0)
		words(a, label, buf, size);
}

void
knob_words(const struct app *a, const char *knob, const struct recipe *r, char *buf, size_t size)
{
	if (strcmp(knob, "label") == 0 && label_name(a, r->label))
		words(a, r->label, buf, size);
	else
		recipe_get(r, knob, buf, size);
}
