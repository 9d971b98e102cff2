/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML over libyaml's events: each event is written as JSON at once, so nothing can be blown up and
 * nothing nests but a small array of frames. What a plain word is, plain.c says.
 */
#include "proto/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "proto/cause.h"
#include "proto/path.h"
#include "proto/plain.h"
#include "proto/write.h"

#define STRING_OF(number) #number
#define LEVELS_OF(limit) STRING_OF(limit) " levels"
#define MAX_SHOWN 64 /* bytes of a word in a sentence */

/* A mapping or list that is open. */
struct frame {
	bool is_list;
	bool has_key;	 /* a mapping: the next event is the value */
	unsigned number; /* of the mapping, in the document */
	size_t index;	 /* of a list's next item */
	const char *key; /* the last one; owned by the table of keys */
};

/* A key of a mapping, to find it when it comes a second time. */
struct seen {
	unsigned mapping;
	char *key;
};

/* Looking for the line of one field instead of converting. */
struct search {
	const char *path;
	size_t document, matched; /* matched: bytes of the path */
	unsigned line;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct jn_error *err;
	struct search *search; /* NULL: there is none */
	struct jn_yaml *out;
	struct jn_writer writer;
	unsigned line; /* of the JSON that is written */
	struct frame frames[JN_MAX_JSON_DEPTH];
	unsigned depth, mapping_count;
	struct jn_table keys; /* of struct seen */
};

static bool ends_with(const char *name, const char *suffix)
{
	size_t size = strlen(name), suffix_size = strlen(suffix);

	return size > suffix_size && !strcmp(name + size - suffix_size, suffix);
}

enum jn_file_form jn_file_form(const char *name)
{
	if (ends_with(name, ".json"))
		return JN_FILE_JSON;
	return ends_with(name, ".yaml") || ends_with(name, ".yml") ? JN_FILE_YAML : JN_FILE_UNKNOWN;
}

/* --- keys -------------------------------------------------------------------------------------- */

static uint64_t hash_seen(const void *key)
{
	const struct seen *seen = key;

	return jn_hash_bytes(seen->key, strlen(seen->key)) ^ seen->mapping * 0x9e3779b97f4a7c15u;
}

static bool is_seen(const void *entry, const void *key)
{
	const struct seen *left = entry, *right = key;

	return left->mapping == right->mapping && !strcmp(left->key, right->key);
}

static const struct jn_table_ops keys_ops = {
	.entry_size = sizeof(struct seen),
	.hash = hash_seen,
	.equal = is_seen,
};

static void drop_keys(struct reader *r)
{
	struct seen *seen;
	size_t at = 0;

	while ((seen = jn_table_next(&r->keys, &at)))
		free(seen->key);
	jn_table_done(&r->keys);
	jn_table_init(&r->keys, &keys_ops);
}

/* --- places and faults ------------------------------------------------------------------------- */

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static void build_path(const struct reader *r, struct jn_buffer *path)
{
	for (unsigned i = 0; i < r->depth; i++) {
		const struct frame *frame = &r->frames[i];

		if (frame->is_list)
			jn_path_add_index(path, frame->index);
		else if (frame->key)
			jn_path_add_key(path, frame->key, strlen(frame->key));
	}
}

static int fault(struct reader *r, unsigned line, const char *reason, const char *what)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };

	build_path(r, &path);
	jn_error_cause(r->err, JN_ERROR_BAD_REQUEST, reason, jn_buffer_text(&path), "line %u: %s",
		       line, what);
	return -EINVAL;
}

/* A fault of the event that is looked at. */
static int fault_here(struct reader *r, const char *reason, const char *what)
{
	return fault(r, line_of(&r->event.start_mark), reason, what);
}

static int fault_of_word(struct reader *r, const char *word, const char *what)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer sentence = { 0 };

	jn_buffer_printf(&sentence, "%.*s %s", MAX_SHOWN, word, what);
	return fault_here(r, JN_CAUSE_INVALID, jn_buffer_text(&sentence));
}

/* Is this the place that is looked for, or one around it? */
static void compare_place(struct reader *r)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
	struct search *s = r->search;
	char next;

	if (!s || s->document != r->out->count)
		return;
	build_path(r, &path);
	next = path.size <= strlen(s->path) ? s->path[path.size] : 'x';
	if (strncmp(s->path, jn_buffer_text(&path), path.size) != 0 ||
	    (path.size && next && next != '.' && next != '[') ||
	    (s->line && path.size <= s->matched))
		return;
	s->matched = path.size;
	s->line = line_of(&r->event.start_mark);
}

/* --- events ------------------------------------------------------------------------------------ */

static int fault_of_parser(struct reader *r)
{
	const char *problem = r->parser.problem ? r->parser.problem : "it cannot be read";
	bool is_reader = r->parser.error == YAML_READER_ERROR;
	JN_AUTO(jn_buffer_done) struct jn_buffer sentence = { 0 };

	if (r->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	jn_buffer_printf(&sentence, "this is not YAML (%s); correct the text there", problem);
	return fault(r, line_of(is_reader ? &r->parser.mark : &r->parser.problem_mark),
		     JN_CAUSE_INVALID, jn_buffer_text(&sentence));
}

/* Anchor and tag of the event that is looked at. */
static bool has_extras(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return fault_of_parser(r);
	if (has_extras(&r->event))
		return fault_here(r, JN_CAUSE_INVALID,
				  "anchors (&), aliases (*) and tags (!) are not taken; write the "
				  "value out, a text in quotes");
	return 0;
}

static bool is_plain(const yaml_event_t *event)
{
	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int check_text(struct reader *r)
{
	if (strlen((const char *)r->event.data.scalar.value) == r->event.data.scalar.length)
		return 0;
	return fault_here(r, JN_CAUSE_INVALID, "this text holds a NUL character; remove it");
}

static int take_key(struct reader *r)
{
	struct frame *frame = &r->frames[r->depth - 1];
	const char *text = (const char *)r->event.data.scalar.value;
	struct seen key = { .mapping = frame->number }, *entry;
	bool is_new;
	int rc;

	frame->key = NULL;
	if (r->event.type != YAML_SCALAR_EVENT || (is_plain(&r->event) && !*text))
		return fault_here(r, JN_CAUSE_INVALID, "a key must be a word; write one");
	rc = check_text(r);
	if (rc)
		return rc;
	key.key = strdup(text);
	entry = key.key ? jn_table_put(&r->keys, &key, &is_new) : NULL;
	if (!entry) {
		free(key.key);
		return -ENOMEM;
	}
	if (is_new)
		*entry = key;
	else
		free(key.key);
	frame->key = entry->key;
	if (!is_new)
		return fault_here(r, JN_CAUSE_DUPLICATE,
				  "this key stands twice in one mapping; remove one of the two");
	frame->has_key = true;
	compare_place(r);
	jn_write_key(&r->writer, frame->key);
	return 0;
}

static int take_scalar(struct reader *r)
{
	const char *text = (const char *)r->event.data.scalar.value;
	int rc = check_text(r);

	if (rc)
		return rc;
	if (!is_plain(&r->event)) {
		jn_write_text(&r->writer, text);
		return 0;
	}
	switch (jn_plain_of(text)) {
	case JN_PLAIN_NULL:
		jn_write_raw(&r->writer, "null", 4);
		return 0;
	case JN_PLAIN_BOOL:
		jn_write_bool(&r->writer, *text == 't' || *text == 'T');
		return 0;
	case JN_PLAIN_NUMBER:
		jn_write_raw(&r->writer, "", 0); /* the comma before it */
		jn_plain_add_number(text, r->writer.out);
		return 0;
	case JN_PLAIN_DOUBTFUL_BOOL:
		return fault_of_word(r, text,
				     "is true or false to some readers of YAML and a text to "
				     "others; write true or false, or put the text in quotes");
	case JN_PLAIN_DOUBTFUL_NUMBER:
		return fault_of_word(r, text,
				     "is one number to some readers of YAML and another, or a "
				     "text, to others; write it in decimal digits without leading "
				     "zeros, or put the text in quotes");
	default:
		jn_write_text(&r->writer, text);
		return 0;
	}
}

static int open_frame(struct reader *r, bool is_list)
{
	if (r->depth == JN_MAX_JSON_DEPTH)
		return fault_here(r, JN_CAUSE_LIMIT,
				  "this nests deeper than the limit of " LEVELS_OF(
					  JN_MAX_JSON_DEPTH) "; make the document flatter");
	r->frames[r->depth++] =
		(struct frame){ .is_list = is_list, .number = is_list ? 0 : ++r->mapping_count };
	jn_write_open(&r->writer, is_list ? '[' : '{');
	return 0;
}

/* A value is complete: what stands around it goes on. */
static void end_value(struct reader *r)
{
	struct frame *frame = r->depth ? &r->frames[r->depth - 1] : NULL;

	if (frame && frame->is_list)
		frame->index++;
	else if (frame)
		frame->has_key = false;
}

static int take_event(struct reader *r)
{
	struct frame *frame = r->depth ? &r->frames[r->depth - 1] : NULL;
	bool is_end = r->event.type == YAML_SEQUENCE_END_EVENT ||
		      r->event.type == YAML_MAPPING_END_EVENT;
	int rc;

	if (frame && is_end) {
		jn_write_close(&r->writer, frame->is_list ? ']' : '}');
		r->depth--;
		end_value(r);
		return 0;
	}
	if (frame && !frame->is_list && !frame->has_key)
		return take_key(r);
	if (!frame || frame->is_list)
		compare_place(r);
	if (r->event.type != YAML_SCALAR_EVENT)
		return open_frame(r, r->event.type == YAML_SEQUENCE_START_EVENT);
	rc = take_scalar(r);
	end_value(r);
	return rc;
}

/* --- documents --------------------------------------------------------------------------------- */

/* Down to the line on which the document begins. */
static void begin_line(struct reader *r, unsigned line)
{
	for (; r->line < line; r->line++)
		jn_buffer_add(&r->out->json, "\n", 1);
}

static int read_document(struct reader *r)
{
	struct jn_yaml_document document = { 0 }, *item;
	int rc = next(r);

	if (rc)
		return rc;
	if (r->event.type == YAML_SCALAR_EVENT && is_plain(&r->event) &&
	    !r->event.data.scalar.length)
		return next(r); /* nothing between two "---": skipped */
	if (r->event.type == YAML_SCALAR_EVENT)
		return fault_here(r, JN_CAUSE_TYPE,
				  "a document must be a mapping or a list; write key: value");
	document.line = line_of(&r->event.start_mark);
	begin_line(r, document.line);
	document.offset = r->out->json.size;
	r->writer = jn_writer_to(&r->out->json);
	r->mapping_count = 0;
	while (!rc && r->event.type != YAML_DOCUMENT_END_EVENT) {
		rc = take_event(r);
		if (!rc)
			rc = next(r);
	}
	drop_keys(r);
	if (rc)
		return rc;
	document.size = r->out->json.size - document.offset;
	item = jn_vec_add(r->out);
	if (!item)
		return -ENOMEM;
	*item = document;
	return 0;
}

static int read_stream(struct reader *r)
{
	int rc = next(r); /* the start of the stream */

	while (!rc) {
		rc = next(r);
		if (rc || r->event.type == YAML_STREAM_END_EVENT)
			break;
		rc = read_document(r);
	}
	if (rc)
		return rc;
	return jn_buffer_failed(&r->out->json) ? -ENOMEM : 0;
}

static int read_all(const char *text, size_t size, struct reader *r)
{
	int rc;

	if (!yaml_parser_initialize(&r->parser))
		return -ENOMEM;
	jn_table_init(&r->keys, &keys_ops);
	r->line = 1;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING); /* a guess may be UTF-16 */
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
	rc = read_stream(r);
	drop_keys(r);
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	return rc;
}

int jn_yaml_read(const char *text, size_t size, struct jn_yaml *out, struct jn_error *err)
{
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	struct reader r = { .err = err, .out = &yaml };
	int rc = read_all(size ? text : "", size, &r);

	if (rc)
		return rc;
	*out = yaml;
	yaml = (struct jn_yaml){ 0 };
	return 0;
}

unsigned jn_yaml_line_of(const char *text, size_t size, size_t document, const char *path)
{
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	struct search search = { .path = path, .document = document };
	struct reader r = { .out = &yaml, .search = &search };

	(void)read_all(size ? text : "", size, &r); /* as far as it goes */
	return search.line;
}

void jn_yaml_done(struct jn_yaml *yaml)
{
	jn_buffer_done(&yaml->json);
	free(yaml->items);
	*yaml = (struct jn_yaml){ 0 };
}
