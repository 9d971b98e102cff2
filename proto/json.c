/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading JSON over jansson, the only user of it. A struct jn_json is a json_t: the type is there
 * so that nobody else depends on that. Writing is write.c's.
 */
#include "proto/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "proto/cause.h"
#include "proto/path.h"

#define STRING_OF(number) #number
#define LEVELS_OF(limit) STRING_OF(limit) " levels"
#define LEVELS LEVELS_OF(JN_MAX_JSON_DEPTH)
#define TOO_DEEP "this nests deeper than the limit of " LEVELS "; make the document flatter"

static const json_t *inner(const struct jn_json *value)
{
	return (const json_t *)value;
}

static const struct jn_json *outer(const json_t *value)
{
	return (const struct jn_json *)value;
}

/* Behind the closing quote of the text whose opening quote is at `at`. */
static size_t skip_text(const char *text, size_t at, size_t size)
{
	for (at++; at < size && text[at] != '"'; at++) {
		if (text[at] == '\\')
			at++;
	}
	return at + 1;
}

/*
 * Follow brackets from `at` until the outermost one is closed or nesting exceeds `max_depth`.
 * Returns the byte where that happened, or size.
 */
static size_t follow_brackets(const char *text, size_t at, size_t size, unsigned max_depth,
			      unsigned *depth)
{
	*depth = 0;
	while (at < size) {
		char c = text[at];

		if (c == '"') {
			at = skip_text(text, at, size);
			continue;
		}
		if (c == '{' || c == '[')
			++*depth;
		if ((c == '}' || c == ']') && *depth && !--*depth)
			return at;
		if (*depth > max_depth)
			return at;
		at++;
	}
	return size;
}

static size_t skip_space(const char *text, size_t at, size_t size)
{
	while (at < size && memchr(" \t\r\n", text[at], 4))
		at++;
	return at;
}

bool jn_json_is_complete(const char *text, size_t size)
{
	size_t at = skip_space(text, 0, size);
	unsigned depth;

	if (at == size || (text[at] != '{' && text[at] != '['))
		return false;
	at = follow_brackets(text, at, size, UINT32_MAX, &depth);
	return at < size && skip_space(text, at + 1, size) == size;
}

/* What is wrong at this byte, with its path, line and column (from 1). */
static int refuse(struct jn_error *err, const char *text, size_t position, const char *reason,
		  const char *what)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
	size_t line = 1, column = 1;

	for (size_t i = 0; i < position; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	jn_path_of_position(&path, text, position);
	jn_error_cause(err, JN_ERROR_BAD_REQUEST, reason, jn_buffer_text(&path),
		       "line %zu, column %zu: %s", line, column, what);
	return -EINVAL;
}

static int refuse_for(struct jn_error *err, const char *text, size_t size,
		      const json_error_t *error)
{
	size_t position = error->position > 0 ? (size_t)error->position : 0;
	JN_AUTO(jn_buffer_done) struct jn_buffer what = { 0 };

	if (position > size)
		position = size;
	switch (json_error_code(error)) {
	case json_error_duplicate_key:
		return refuse(err, text, position, JN_CAUSE_DUPLICATE,
			      "this key stands twice in one object; remove one of the two");
	case json_error_numeric_overflow:
		return refuse(err, text, position, JN_CAUSE_INVALID,
			      "this number does not fit in 64 bits; give a smaller one");
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return refuse(err, text, position, JN_CAUSE_INVALID,
			      "this text holds a NUL character; remove it");
	default:
		jn_buffer_printf(&what, "not JSON: %s; correct the text there", error->text);
		return refuse(err, text, position, JN_CAUSE_INVALID, jn_buffer_text(&what));
	}
}

/*
 * Where memory is out jansson says "invalid token", or nothing at all, or goes on without a byte of
 * a text. A good document must not be taken for a bad one, nor for another: so its calls are watched.
 */
static _Thread_local bool was_refused;

static void *allocate(size_t size)
{
	void *block = malloc(size);

	was_refused |= !block;
	return block;
}

/* Before main: documents are read in more than one thread. */
__attribute__((constructor)) static void watch_allocations(void)
{
	json_set_alloc_funcs(allocate, free);
}

int jn_json_parse(const char *text, size_t size, struct jn_json **out, struct jn_error *err)
{
	json_error_t error;
	unsigned depth;
	size_t at = 0;
	json_t *root;

	while (at < size) { /* more than one round only where more than one value stands */
		at = follow_brackets(text, at, size, JN_MAX_JSON_DEPTH, &depth);
		if (depth > JN_MAX_JSON_DEPTH)
			return refuse(err, text, at, JN_CAUSE_LIMIT, TOO_DEEP);
		at++;
	}
	was_refused = false;
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (was_refused) {
		json_decref(root);
		return -ENOMEM;
	}
	if (!root)
		return refuse_for(err, text, size, &error);
	*out = (struct jn_json *)root;
	return 0;
}

void jn_json_free(struct jn_json **json)
{
	json_decref((json_t *)JN_MOVE(*json));
}

enum jn_json_type jn_json_type(const struct jn_json *value)
{
	switch (json_typeof(inner(value))) {
	case JSON_OBJECT:
		return JN_JSON_OBJECT;
	case JSON_ARRAY:
		return JN_JSON_LIST;
	case JSON_STRING:
		return JN_JSON_TEXT;
	case JSON_INTEGER:
		return JN_JSON_INTEGER;
	case JSON_REAL:
		return JN_JSON_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JN_JSON_BOOL;
	default:
		return JN_JSON_NULL;
	}
}

const char *jn_json_type_name(enum jn_json_type type)
{
	static const char *const names[] = {
		[JN_JSON_NULL] = "null",
		[JN_JSON_BOOL] = "true or false",
		[JN_JSON_INTEGER] = "an integer",
		[JN_JSON_REAL] = "a number with a fraction or an exponent",
		[JN_JSON_TEXT] = "a text",
		[JN_JSON_LIST] = "a list",
		[JN_JSON_OBJECT] = "an object",
	};

	return names[type];
}

const struct jn_json *jn_json_get(const struct jn_json *object, const char *key)
{
	return outer(json_object_get(inner(object), key));
}

size_t jn_json_count(const struct jn_json *list_or_object)
{
	const json_t *value = inner(list_or_object);

	return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

const struct jn_json *jn_json_at(const struct jn_json *list, size_t index)
{
	return outer(json_array_get(inner(list), index));
}

const char *jn_json_text(const struct jn_json *value)
{
	return json_string_value(inner(value));
}

int64_t jn_json_integer(const struct jn_json *value)
{
	return json_integer_value(inner(value));
}

bool jn_json_bool(const struct jn_json *value)
{
	return json_is_true(inner(value));
}

bool jn_json_next(const struct jn_json *object, void **at, const char **key,
		  const struct jn_json **value)
{
	json_t *walked = (json_t *)object; /* the iterator's signature; nothing is changed */

	*at = *at ? json_object_iter_next(walked, *at) : json_object_iter(walked);
	if (!*at)
		return false;
	*key = json_object_iter_key(*at);
	*value = outer(json_object_iter_value(*at));
	return true;
}
