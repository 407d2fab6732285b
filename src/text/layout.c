/* layout.c: see layout.h. */
#include "text/layout.h"

#include <jansson.h>

static int
number(const json_t *j, const char *key, int most)
{
	json_int_t n = json_integer_value(json_object_get(j, key));

	return n > 0 && n <= most ? (int)n : 0;
}

struct layout
layout_read(const char *json, int L)
{
	json_t *j = json ? json_loads(json, 0, NULL) : NULL;
	struct layout l = { .columns = number(j, "columns", 1000), .first = number(j, "first", L - 1) };

	if (l.columns) {
		l.box_rows = number(j, "box_rows", L);
		l.box_columns = number(j, "box_columns", l.columns);
	}
	if (!l.box_rows || !l.box_columns || l.columns % l.box_columns)
		l.box_rows = l.box_columns = 0;
	json_decref(j);
	return l;
}
