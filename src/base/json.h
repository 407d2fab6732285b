/*
 * json.h: a thin helper over jansson for JSON that came from a file nobody
 * vouches for.  Any thread.
 */
#ifndef PSI_BASE_JSON_H
#define PSI_BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

/* Parse exactly one JSON text (white space around it is fine).  Refused:
 * duplicate names, bytes that are not UTF-8, NUL in names, more than max_depth
 * nested containers, and texts whose containers are so small and
 * many that the parsed tree would be out of proportion to the text.  *out is
 * released with json_decref.  Errors: ST_CKPT without a path. */
enum status json_parse(const uint8_t *text, size_t bytes, int max_depth, json_t **out, struct error *e);

/* The value at a dotted path of object names ("algo.name"); NULL if absent. */
const json_t *json_path(const json_t *root, const char *path);

#endif
