/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A copy of a document, value by value. It knows two keys, and does NOT know which object it is.
 */
#include "proto/redact.h"

#include <string.h>

#include "base/auto.h"

static void write_member(const char *key, const struct jn_json *value, struct jn_writer *out);

static void write_annotations(const struct jn_json *annotations, struct jn_writer *out)
{
	const struct jn_json *value;
	const char *key;
	void *at = NULL;

	jn_write_open(out, '{');
	while (jn_json_next(annotations, &at, &key, &value))
		jn_write_key_text(out, key, JN_REDACTED);
	jn_write_close(out, '}');
}

static void write_path(const char *path, struct jn_writer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	size_t size = strcspn(path, "?");

	jn_buffer_add(&text, path, size);
	if (path[size])
		jn_buffer_add_text(&text, "?" JN_REDACTED);
	jn_write_text(out, jn_buffer_text(&text));
}

static void write_number(int64_t value, struct jn_writer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	jn_buffer_printf(&text, "%lld", (long long)value);
	jn_write_raw(out, jn_buffer_text(&text), text.size);
}

void jn_redact(const struct jn_json *value, struct jn_writer *out)
{
	const struct jn_json *member;
	const char *key;
	void *at = NULL;

	switch (jn_json_type(value)) {
	case JN_JSON_OBJECT:
		jn_write_open(out, '{');
		while (jn_json_next(value, &at, &key, &member))
			write_member(key, member, out);
		jn_write_close(out, '}');
		return;
	case JN_JSON_LIST:
		jn_write_open(out, '[');
		for (size_t i = 0; i < jn_json_count(value); i++)
			jn_redact(jn_json_at(value, i), out);
		jn_write_close(out, ']');
		return;
	case JN_JSON_TEXT:
		jn_write_text(out, jn_json_text(value));
		return;
	case JN_JSON_INTEGER:
		write_number(jn_json_integer(value), out);
		return;
	case JN_JSON_BOOL:
		jn_write_bool(out, jn_json_bool(value));
		return;
	default: /* objects have no fractions */
		jn_write_raw(out, "null", 4);
	}
}

static void write_member(const char *key, const struct jn_json *value, struct jn_writer *out)
{
	jn_write_key(out, key);
	if (!strcmp(key, "annotations") && jn_json_type(value) == JN_JSON_OBJECT)
		write_annotations(value, out);
	else if (!strcmp(key, "path") && jn_json_text(value))
		write_path(jn_json_text(value), out);
	else
		jn_redact(value, out);
}
