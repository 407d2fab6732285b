/* config_json.c: a configuration in JSON.  See config_impl.h. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "ckpt/config_impl.h"

static void
list_value(const json_t *v, struct cv *out)
{
	size_t n = json_array_size(v);

	out->kind = CV_OTHER;
	if (n > CONFIG_SCALES)
		return;
	for (size_t i = 0; i < n; i++) {
		const json_t *x = json_array_get(v, i);

		if (!json_is_integer(x))
			return;
		out->list[i] = json_integer_value(x);
	}
	out->n = (int)n;
	out->kind = CV_LIST;
}

enum status
cv_get_json(const void *root, const char *path, struct cv *out, struct error *e)
{
	const json_t *v = root;
	char name[64];

	*out = (struct cv){ .kind = CV_ABSENT };
	for (const char *s = path; *s;) {
		size_t n = strcspn(s, ".");

		if (!v || json_is_null(v))
			return ST_OK;
		if (!json_is_object(v))
			return error_set(e, ST_CKPT, "config: the section of %s is not an object", path);
		snprintf(name, sizeof name, "%.*s", (int)n, s);
		v = json_object_get(v, name);
		s += n + (s[n] == '.');
	}
	if (!v || json_is_null(v))
		return ST_OK;
	out->kind = json_is_boolean(v) ? CV_BOOL : json_is_integer(v) ? CV_INT : json_is_real(v) ? CV_REAL
	    : json_is_string(v) ? CV_TEXT : CV_OTHER;
	out->i = json_is_true(v) ? 1 : json_integer_value(v);
	out->f = json_real_value(v);
	if (json_is_string(v))
		snprintf(out->text, sizeof out->text, "%s", json_string_value(v));
	if (json_is_array(v))
		list_value(v, out);
	return ST_OK;
}
