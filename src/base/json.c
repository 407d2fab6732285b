/* json.c: see json.h. */
#include "base/json.h"

#include <stdbool.h>
#include <string.h>

/* One pass without allocation: depth, and the number of containers. */
static enum status
measure(const uint8_t *s, size_t n, int max_depth, struct error *e)
{
	size_t boxes = 0;
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
		} else if (s[i] == '"') {
			in_string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			boxes++;
			if (++depth > max_depth)
				return error_set(e, ST_CKPT, "JSON nested more than %d deep", max_depth);
		} else if (s[i] == '}' || s[i] == ']') {
			depth--;
		}
	}
	if (boxes > 1000 && boxes > n / 8)
		return error_set(e, ST_CKPT, "JSON made of %zu containers in %zu bytes", boxes, n);
	return ST_OK;
}

enum status
json_parse(const uint8_t *text, size_t bytes, int max_depth, json_t **out, struct error *e)
{
	json_error_t je;
	enum status st = measure(text, bytes, max_depth, e);

	*out = NULL;
	if (st)
		return st;
	*out = json_loadb((const char *)text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
	if (*out)
		return ST_OK;
	if (json_error_code(&je) == json_error_out_of_memory)
		return error_set(e, ST_MEMORY, "out of memory");
	return error_set(e, ST_CKPT, "bad JSON at byte %d: %.120s", je.position, je.text);
}

const json_t *
json_path(const json_t *root, const char *path)
{
	char name[64];

	while (root && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof name)
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		root = json_object_get(root, name);
		path += n + (path[n] == '.');
	}
	return root;
}
