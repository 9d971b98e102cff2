/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading JSON: the one thin accessor over jansson. Refuses duplicate keys (naming the path of the
 * second one), nesting deeper than JN_MAX_JSON_DEPTH, and anything after the value. Pointers and
 * texts live as long as the document.
 */
#ifndef JUNCTOR_PROTO_JSON_H
#define JUNCTOR_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct jn_json; /* a value inside a document, or the document itself */

enum jn_json_type {
	JN_JSON_NULL,
	JN_JSON_BOOL,
	JN_JSON_INTEGER,
	JN_JSON_REAL,
	JN_JSON_TEXT,
	JN_JSON_LIST,
	JN_JSON_OBJECT
};

/* The caller owns *out. On failure err is JN_ERROR_BAD_REQUEST with path and place, or -ENOMEM. */
int jn_json_parse(const char *text, size_t size, struct jn_json **out, struct jn_error *err);
void jn_json_free(struct jn_json **json);

/*
 * Is this text one object or list with all its brackets closed, and nothing else? Tells JSON lines
 * from one long document; whether the text is right is for jn_json_parse.
 */
bool jn_json_is_complete(const char *text, size_t size);

enum jn_json_type jn_json_type(const struct jn_json *value);
const char *jn_json_type_name(enum jn_json_type type); /* "a number", "a list", … */

const struct jn_json *jn_json_get(const struct jn_json *object, const char *key); /* or NULL */
size_t jn_json_count(const struct jn_json *list_or_object);
const struct jn_json *jn_json_at(const struct jn_json *list, size_t index);

const char *jn_json_text(const struct jn_json *value); /* NULL where it is not a text */
int64_t jn_json_integer(const struct jn_json *value);  /* 0 where it is not an integer */
bool jn_json_bool(const struct jn_json *value);	       /* false where it is not true */

/* Walk an object: start with *at = NULL; false at the end. */
bool jn_json_next(const struct jn_json *object, void **at, const char **key,
		  const struct jn_json **value);

#endif
