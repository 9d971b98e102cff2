/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reader behind the tables of fields. It knows types, ranges and unknown fields; what values
 * mean together is the kinds' business.
 */
#include "proto/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/spelling.h"
#include "proto/address.h"
#include "proto/path.h"

#define MAX_NAMES 32 /* of a table, to guess the likely one from */

void jn_decoder_push_key(struct jn_decoder *d, const char *key)
{
	d->steps[d->depth++] = (struct jn_step){ .key = key };
}

void jn_decoder_push_index(struct jn_decoder *d, size_t index)
{
	d->steps[d->depth++] = (struct jn_step){ .index = index };
}

void jn_decoder_pop(struct jn_decoder *d)
{
	d->depth--;
}

/* --- faults ----------------------------------------------------------------------------------- */

void jn_decoder_port_name_taken(struct jn_decoder *d, const char *name, unsigned holder)
{
	jn_decoder_fault_in(d, "name", JN_CAUSE_DUPLICATE,
			    "\"%s\" is the name of ports[%u] already; give each port its own", name,
			    holder);
}

void jn_decoder_port_taken(struct jn_decoder *d, uint16_t port, uint8_t proto, unsigned holder)
{
	jn_decoder_fault_in(d, "port", JN_CAUSE_DUPLICATE,
			    "%u/%s stands in ports[%u] already; remove one of them", port,
			    jn_word_of(jn_cluster_protocol_words, proto), holder);
}

bool jn_decoder_counts_only(struct jn_decoder *d)
{
	if (d->err->fault_count < JN_MAX_FAULTS)
		return false;
	jn_error_cause(d->err, JN_ERROR_INVALID, "", "", "%s", "");
	return true;
}

static void build_path(const struct jn_decoder *d, struct jn_buffer *path)
{
	jn_buffer_add_text(path, d->options->prefix ? d->options->prefix : "");
	if (!d->depth && path->size && path->data[path->size - 1] == '.')
		path->size--; /* the document itself */
	for (unsigned i = 0; i < d->depth; i++) {
		if (d->steps[i].key)
			jn_path_add_key(path, d->steps[i].key, strlen(d->steps[i].key));
		else
			jn_path_add_index(path, d->steps[i].index);
	}
}

static void report(struct jn_decoder *d, const char *reason, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void report(struct jn_decoder *d, const char *reason, const char *format, va_list args)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
	char sentence[512];

	if (jn_decoder_counts_only(d))
		return;
	build_path(d, &path);
	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut at worst */
	jn_error_cause(d->err, JN_ERROR_INVALID, reason, jn_buffer_text(&path), "%s%s",
		       path.size ? "" : "the document ", sentence);
}

void jn_decoder_fault(struct jn_decoder *d, const char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(d, reason, format, args);
	va_end(args);
}

void jn_decoder_fault_in(struct jn_decoder *d, const char *key, const char *reason,
			 const char *format, ...)
{
	va_list args;

	jn_decoder_push_key(d, key);
	va_start(args, format);
	report(d, reason, format, args);
	va_end(args);
	jn_decoder_pop(d);
}

bool jn_decoder_expect(struct jn_decoder *d, const struct jn_json *value, enum jn_json_type type,
		       const char *expected)
{
	if (jn_json_type(value) == type)
		return true;
	jn_decoder_fault(d, JN_CAUSE_TYPE, "is %s; give %s", jn_json_type_name(jn_json_type(value)),
			 expected);
	return false;
}

void jn_decoder_each(struct jn_decoder *d, const struct jn_json *list, jn_read_item_fn read,
		     void *target)
{
	unsigned count = (unsigned)jn_json_count(list);

	for (unsigned i = 0; i < count; i++) {
		jn_decoder_push_index(d, i);
		read(d, jn_json_at(list, i), i, target);
		jn_decoder_pop(d);
	}
}

bool jn_decoder_fits(struct jn_decoder *d, const struct jn_json *value, size_t max,
		     const char *limit, const char *remedy)
{
	size_t count = jn_json_count(value);

	if (count > max)
		jn_decoder_fault(d, JN_CAUSE_LIMIT, "has %zu entries; the limit of %s is %zu: %s",
				 count, limit, max, remedy);
	return count <= max;
}

void *jn_decoder_items(struct jn_decoder *d, const struct jn_json *value, size_t item_size,
		       size_t max, const char *limit)
{
	size_t count = jn_json_count(value);
	void *items;

	if (!count || !jn_decoder_fits(d, value, max, limit, "give fewer, or split the object"))
		return NULL;
	items = calloc(count, item_size);
	if (!items)
		d->is_out_of_memory = true;
	return items;
}

/* --- values ----------------------------------------------------------------------------------- */

bool jn_is_dns_label(const char *text)
{
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return size && size <= JN_MAX_NAME && !text[size] && text[0] != '-' &&
	       text[size - 1] != '-';
}

bool jn_is_dns_name(const char *text)
{
	char label[JN_NAME_BYTES];
	size_t size = strlen(text);

	if (!size || size > JN_MAX_LONG_NAME)
		return false;
	for (;;) {
		const char *dot = strchrnul(text, '.');

		if (dot - text > JN_MAX_NAME)
			return false;
		memcpy(label, text, (size_t)(dot - text));
		label[dot - text] = '\0';
		if (!jn_is_dns_label(label))
			return false;
		if (!*dot)
			return true;
		text = dot + 1;
	}
}

bool jn_decoder_check_usable(struct jn_decoder *d, const char *text, const struct jn_addr *addr)
{
	const char *why = NULL;

	if (jn_addr_is_unspecified(addr))
		why = "is the unspecified address";
	else if (jn_addr_is_not_unicast(addr))
		why = "is not a unicast address";
	else if (jn_addr_needs_zone(addr))
		why = "is link-local and would need a zone";
	if (why)
		jn_decoder_fault(d, JN_CAUSE_INVALID, "\"%.64s\" %s; give another address", text,
				 why);
	return !why;
}

bool jn_decoder_address(struct jn_decoder *d, const char *text, struct jn_addr *out)
{
	const char *why;

	if (jn_addr_parse(text, out, &why)) {
		jn_decoder_fault(d, JN_CAUSE_INVALID, "\"%.64s\" %s", text, why);
		return false;
	}
	return jn_decoder_check_usable(d, text, out);
}

/* What to give for this field. */
static void describe(const struct jn_field *field, struct jn_buffer *out)
{
	switch (field->type) {
	case JN_FIELD_LABEL:
		jn_buffer_add_text(out, JN_DNS_LABEL);
		return;
	case JN_FIELD_NAME:
		jn_buffer_add_text(out, JN_DNS_NAME);
		return;
	case JN_FIELD_INTEGER:
		jn_buffer_printf(out, "an integer %" PRId64 "..%" PRId64, field->min, field->max);
		return;
	case JN_FIELD_BOOL:
		jn_buffer_add_text(out, "true or false");
		return;
	case JN_FIELD_WORD:
		jn_buffer_add_text(out, field->words[1].word ? "one of " : "");
		for (const struct jn_word *w = field->words; w->word; w++)
			jn_buffer_printf(out, "%s%s", w == field->words ? "" : ", ", w->word);
		return;
	default:
		jn_buffer_add_text(out, field->expected ? field->expected : "an object");
	}
}

static void fault_of(struct jn_decoder *d, const struct jn_field *field, const char *reason,
		     const char *what)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer expected = { 0 };

	if (jn_decoder_counts_only(d))
		return;
	describe(field, &expected);
	jn_decoder_fault(d, reason, "%s; give %s", what, jn_buffer_text(&expected));
}

static void read_label(struct jn_decoder *d, const struct jn_field *field, const char *text,
		       char *target)
{
	bool is_right = field->type == JN_FIELD_NAME ? jn_is_dns_name(text) : jn_is_dns_label(text);
	char what[96];

	if (is_right) {
		memcpy(target, text, strlen(text) + 1);
		return;
	}
	(void)snprintf(what, sizeof(what), "is \"%.64s\"", text);
	fault_of(d, field, JN_CAUSE_INVALID, what);
}

static void read_integer(struct jn_decoder *d, const struct jn_field *field,
			 const struct jn_json *value, void *target)
{
	int64_t number = jn_json_integer(value);
	uint32_t four = (uint32_t)number;
	uint16_t two = (uint16_t)number;
	uint8_t one = (uint8_t)number;
	char what[32];

	if (number >= field->min && number <= field->max) {
		memcpy(target,
		       field->size == sizeof(one)   ? (void *)&one
		       : field->size == sizeof(two) ? (void *)&two
						    : (void *)&four,
		       field->size);
		return;
	}
	(void)snprintf(what, sizeof(what), "is %" PRId64, number);
	fault_of(d, field, JN_CAUSE_INVALID, what);
}

static void fault_of_word(struct jn_decoder *d, const struct jn_field *field, const char *text)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer expected = { 0 };
	const char *names[MAX_NAMES], *likely;
	size_t count = 0;

	if (jn_decoder_counts_only(d))
		return;
	for (const struct jn_word *w = field->words; w->word && count < MAX_NAMES; w++)
		names[count++] = w->word;
	likely = jn_spelling_nearest(text, names, count);
	describe(field, &expected);
	jn_decoder_fault(d, JN_CAUSE_NOT_SUPPORTED, "is \"%.64s\"; give %s%s%s%s", text,
			 jn_buffer_text(&expected), likely ? " (likely " : "", likely ? likely : "",
			 likely ? ")" : "");
}

static void read_word(struct jn_decoder *d, const struct jn_field *field, const char *text,
		      void *target)
{
	const struct jn_word *w = field->words;
	uint16_t two;
	uint8_t one;

	while (w->word && strcmp(w->word, text) != 0)
		w++;
	if (!w->word) {
		fault_of_word(d, field, text);
		return;
	}
	one = (uint8_t)w->value;
	two = (uint16_t)w->value;
	memcpy(target, field->size == sizeof(one) ? (void *)&one : (void *)&two, field->size);
}

static enum jn_json_type json_type_of(enum jn_field_type type)
{
	switch (type) {
	case JN_FIELD_INTEGER:
		return JN_JSON_INTEGER;
	case JN_FIELD_BOOL:
		return JN_JSON_BOOL;
	case JN_FIELD_LIST:
		return JN_JSON_LIST;
	case JN_FIELD_OBJECT:
		return JN_JSON_OBJECT;
	default:
		return JN_JSON_TEXT;
	}
}

static void read_value(struct jn_decoder *d, const struct jn_field *field,
		       const struct jn_json *value, void *target)
{
	void *place = (char *)target + field->offset;
	bool is_true;
	char what[64];

	if (jn_json_type(value) != json_type_of(field->type)) {
		(void)snprintf(what, sizeof(what), "is %s", jn_json_type_name(jn_json_type(value)));
		fault_of(d, field, JN_CAUSE_TYPE, what);
		return;
	}
	switch (field->type) {
	case JN_FIELD_LABEL:
	case JN_FIELD_NAME:
		read_label(d, field, jn_json_text(value), place);
		return;
	case JN_FIELD_INTEGER:
		read_integer(d, field, value, place);
		return;
	case JN_FIELD_BOOL:
		is_true = jn_json_bool(value);
		memcpy(place, &is_true, sizeof(is_true));
		return;
	case JN_FIELD_WORD:
		read_word(d, field, jn_json_text(value), place);
		return;
	default:
		if (field->fields)
			jn_fields_read(d, value, field->fields, target);
		else
			field->read(d, value, target);
	}
}

/* --- objects ---------------------------------------------------------------------------------- */

static bool is_known(const struct jn_fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (!strcmp(fields->items[i].name, key))
			return true;
	}
	return false;
}

static void report_unknown(struct jn_decoder *d, const struct jn_fields *fields, const char *key)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer known = { 0 };
	const char *names[MAX_NAMES], *likely;
	size_t count = 0;

	if (jn_decoder_counts_only(d))
		return;
	for (size_t i = 0; i < fields->count && count < MAX_NAMES; i++) {
		names[count++] = fields->items[i].name;
		if (fields->items[i].type == JN_FIELD_IGNORED)
			continue;
		jn_buffer_printf(&known, "%s%s", known.size ? ", " : "", fields->items[i].name);
	}
	likely = jn_spelling_nearest(key, names, count);
	if (likely)
		jn_decoder_fault_in(d, key, JN_CAUSE_UNKNOWN,
				    "is unknown; likely %s is meant: write that, or remove it",
				    likely);
	else
		jn_decoder_fault_in(d, key, JN_CAUSE_UNKNOWN,
				    "is unknown; remove it (known here: %s)",
				    jn_buffer_text(&known));
}

void jn_fields_read(struct jn_decoder *d, const struct jn_json *object,
		    const struct jn_fields *fields, void *target)
{
	size_t count = jn_json_count(object), found = 0;
	const struct jn_json *value;
	const char *key;
	void *at = NULL;

	for (size_t i = 0; i < fields->count; i++) {
		const struct jn_field *field = &fields->items[i];

		value = found < count ? jn_json_get(object, field->name) : NULL;
		found += value != NULL;
		if (field->type == JN_FIELD_IGNORED || field->type == JN_FIELD_DONE)
			continue;
		jn_decoder_push_key(d, field->name);
		if (value && jn_json_type(value) != JN_JSON_NULL)
			read_value(d, field, value, target);
		else if (field->is_required)
			fault_of(d, field, JN_CAUSE_REQUIRED, "is missing");
		jn_decoder_pop(d);
	}
	if (found == count)
		return;
	while (jn_json_next(object, &at, &key, &value)) {
		if (!is_known(fields, key))
			report_unknown(d, fields, key);
	}
}
