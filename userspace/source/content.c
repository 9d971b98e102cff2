/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text of a file -> objects, by the decoder that the control socket uses. JSON is one object, a
 * List, or JSON lines; YAML is documents of objects or Lists. Faults name line, document and field.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "proto/json.h"
#include "proto/yaml.h"
#include "source/internal.h"

/* What is being read. */
struct reading {
	const char *name;
	const char *text;
	size_t size;
	bool is_yaml;
	struct jn_content *content;
	struct jn_error err;
};

bool jn_content_has_name(const char *name)
{
	return name[0] != '.' && jn_file_form(name) != JN_FILE_UNKNOWN;
}

void jn_content_done(struct jn_content *content)
{
	jn_object_list_done(&content->objects);
	free(content->places.items);
	*content = (struct jn_content){ 0 };
}

/* --- faults ------------------------------------------------------------------------------------ */

/* "documents[1]." or "lines[16]."; nothing where there is one document. */
static void add_document(const struct jn_content *content, unsigned document, struct jn_buffer *out)
{
	if (content->is_lines)
		jn_buffer_printf(out, "lines[%u].", document);
	else if (content->is_several)
		jn_buffer_printf(out, "documents[%u].", document);
}

/* "line 3: spec.…: message"; place: "line 3", or nothing. */
static char *join(const char *place, const char *field, const char *message)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s%s", place, *place ? ": " : "", field, *field ? ": " : "",
		     message) < 0)
		return NULL;
	return text;
}

static char *join_line(unsigned line, const char *field, const char *message)
{
	char place[24] = "";

	if (line)
		(void)snprintf(place, sizeof(place), "line %u", line);
	return join(place, field, message);
}

char *jn_content_fault(const struct jn_content *content, size_t index, const char *field,
		       const char *message)
{
	const struct jn_place *place = &content->places.items[index];
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };

	add_document(content, place->document, &path);
	if (place->item >= 0)
		jn_buffer_printf(&path, "items[%d].", place->item);
	jn_buffer_add_text(&path, field);
	return join_line(place->line, jn_buffer_text(&path), message);
}

/* Does it begin with a line of the file? Both parsers tell lines of the text that they were given. */
static bool has_own_line(const struct reading *r, const char *message)
{
	unsigned line;
	char next;

	if (sscanf(message, "line %u%c", &line, &next) != 2)
		return false;
	return next == ':' || (next == ',' && !r->is_yaml && !r->content->is_lines);
}

/* The line of a cause whose field begins with the document. */
static unsigned line_of(const struct reading *r, const char *field)
{
	const char *path = field, *dot = strchr(field, '.');
	unsigned document = 0;

	if (r->content->is_lines)
		return sscanf(field, "lines[%u]", &document) == 1 ? document + 1 : 0;
	if (r->content->is_several && sscanf(field, "documents[%u]", &document) == 1)
		path = dot ? dot + 1 : "";
	return jn_yaml_line_of(r->text, r->size, document, path);
}

static char *describe_first(const struct reading *r)
{
	const struct jn_cause *cause = &r->err.causes[0];
	const char *end = strncmp(cause->message, "line ", 5) ? NULL : strstr(cause->message, ": ");
	const char *sentence = end ? end + 2 : cause->message;
	JN_AUTO(jn_free_mem) char *place = NULL;

	if (!end || !has_own_line(r, cause->message))
		return join_line(line_of(r, cause->field), cause->field, sentence);
	place = strndup(cause->message, (size_t)(end - cause->message));
	return place ? join(place, cause->field, sentence) : NULL;
}

/* The first fault, with its line, and how many there are. */
static char *describe(const struct reading *r)
{
	JN_AUTO(jn_free_mem) char *first = NULL;
	char *text;

	if (!r->err.cause_count)
		return NULL; /* memory is out */
	first = describe_first(r);
	if (!first || r->err.fault_count == 1)
		return JN_MOVE(first);
	if (asprintf(&text, "%u faults, the first: %s", r->err.fault_count, first) < 0)
		return NULL;
	return text;
}

static int refuse(struct reading *r, const char *message)
{
	jn_error_cause(&r->err, JN_ERROR_INVALID, JN_CAUSE_INVALID, "", "%s", message);
	return -EINVAL;
}

/* --- documents --------------------------------------------------------------------------------- */

static int add_places(struct jn_content *content, struct jn_place place)
{
	size_t first = content->places.count;

	while (content->places.count < content->objects.count) {
		struct jn_place *item = jn_vec_add(&content->places);

		if (!item)
			return -ENOMEM;
		*item = place;
		item->item = content->objects.is_list ? (int)(content->places.count - 1 - first)
						      : -1;
	}
	return 0;
}

static int decode(struct reading *r, const char *text, size_t size, struct jn_place place)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer prefix = { 0 };
	struct jn_decode_options options = { .kind = -1 };
	int rc;

	if (r->err.fault_count >= JN_MAX_FAULTS)
		return -EINVAL;
	add_document(r->content, place.document, &prefix);
	options.prefix = jn_buffer_text(&prefix);
	if (size > JN_MAX_OBJECT_BYTES) {
		prefix.size -= prefix.size ? 1 : 0; /* the dot */
		jn_error_cause(&r->err, JN_ERROR_INVALID, JN_CAUSE_LIMIT, jn_buffer_text(&prefix),
			       "this document is larger than the limit of %d bytes; split it",
			       JN_MAX_OBJECT_BYTES);
		return -EINVAL;
	}
	rc = jn_object_decode(text, size, &options, &r->content->objects, &r->err);
	return rc ? rc : add_places(r->content, place);
}

static int read_yaml(struct reading *r)
{
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	int result = jn_yaml_read(r->text, r->size, &yaml, &r->err);

	if (result)
		return result;
	r->content->is_several = yaml.count > 1;
	for (size_t i = 0; i < yaml.count; i++) {
		const struct jn_yaml_document *document = &yaml.items[i];
		int rc = decode(r, yaml.json.data + document->offset, document->size,
				(struct jn_place){ .document = (unsigned)i,
						   .line = document->line });

		if (rc == -ENOMEM)
			return rc;
		result = result ? result : rc;
	}
	return result;
}

static size_t line_size(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);

	return end ? (size_t)(end - text) : size;
}

static bool is_blank(const char *text, size_t size)
{
	return !size || strspn(text, " \t\r") >= size;
}

/* Is the first line that is not blank a whole value, and does more follow? */
static bool has_lines(const char *text, size_t size)
{
	size_t at = 0, end;

	while (at < size && memchr(" \t\r\n", text[at], 4))
		at++;
	end = at + line_size(text + at, size - at);
	if (!jn_json_is_complete(text + at, end - at))
		return false;
	while (end < size && memchr(" \t\r\n", text[end], 4))
		end++;
	return end < size;
}

static int read_json(struct reading *r)
{
	size_t at = 0, size;
	int result = 0;

	r->content->is_lines = r->content->is_several = has_lines(r->text, r->size);
	if (!r->content->is_lines)
		return decode(r, r->text, r->size, (struct jn_place){ .line = 1 });
	for (unsigned line = 0; at < r->size; line++, at += size + 1) {
		int rc = 0;

		size = line_size(r->text + at, r->size - at);
		if (!is_blank(r->text + at, size))
			rc = decode(r, r->text + at, size,
				    (struct jn_place){ .document = line, .line = line + 1 });
		if (rc == -ENOMEM)
			return rc;
		result = result ? result : rc;
	}
	return result;
}

/* --- the whole --------------------------------------------------------------------------------- */

static const struct jn_table_ops keys_ops = { .entry_size = sizeof(struct jn_object_key),
					      .key_size = sizeof(struct jn_object_key) };

/* Each object once, and owned by the file. A resourceVersion that was copied along means nothing. */
static int take_over(struct reading *r)
{
	JN_AUTO(jn_table_done) struct jn_table seen;
	char *fault;

	jn_table_init(&seen, &keys_ops);
	for (size_t i = 0; i < r->content->objects.count; i++) {
		struct jn_object *object = r->content->objects.items[i];
		struct jn_object_key *entry;
		bool is_new;

		object->owner = JN_OWNER_FILE;
		object->version = 0;
		object->file = strdup(r->name);
		entry = jn_table_put(&seen, &object->key, &is_new);
		if (!entry || !object->file)
			return -ENOMEM;
		*entry = object->key;
		if (is_new)
			continue;
		fault = jn_content_fault(r->content, i, "metadata.name",
					 "stands twice in this file; name each object once");
		if (!fault)
			return -ENOMEM;
		(void)refuse(r, fault);
		free(fault);
		return -EINVAL;
	}
	return 0;
}

static int read_all(struct reading *r)
{
	int rc;

	if (strspn(r->text, " \t\r\n") == r->size)
		return refuse(r, "the file is empty; write an object, or remove the file to delete "
				 "what it declared");
	rc = r->is_yaml ? read_yaml(r) : read_json(r);
	if (rc)
		return rc;
	if (!r->content->places.count && !r->content->objects.is_list)
		return refuse(r, "there is no object in this file; write one, or remove the file "
				 "to delete what it declared");
	return take_over(r);
}

int jn_content_read(const char *name, const char *text, size_t size, struct jn_content *out,
		    char **error)
{
	JN_AUTO(jn_content_done) struct jn_content content = { 0 };
	struct reading r = { .name = name,
			     .text = text,
			     .size = size,
			     .is_yaml = jn_file_form(name) == JN_FILE_YAML,
			     .content = &content };
	int rc = read_all(&r);

	if (rc == -EINVAL)
		*error = describe(&r);
	jn_error_done(&r.err);
	if (rc)
		return rc;
	*out = content;
	content = (struct jn_content){ 0 };
	return 0;
}
