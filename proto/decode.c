/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents -> objects: one object, or a List of them; apiVersion, kind and metadata. What stands
 * in spec is decode_service.c's and decode_policy.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/spelling.h"
#include "base/vec.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/object.h"

#define KNOWN_KINDS "LocalService or TrafficPolicy"
#define MAX_LABEL_KEY_PREFIX 253 /* Kubernetes: a DNS name before the slash */

/* --- metadata --------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Kubernetes' "qualified name": [prefix/]name. */
static bool is_label_key(const char *key)
{
	static const char in_prefix[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
	size_t size = strlen(name), prefix_size = slash ? (size_t)(slash - key) : 0;

	if (slash && (!prefix_size || prefix_size > MAX_LABEL_KEY_PREFIX ||
		      strspn(key, in_prefix) != prefix_size))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alnum(name[i]) && !strchr("-_.", name[i]))
			return false;
	}
	return size && size <= JN_MAX_NAME && is_alnum(name[0]) && is_alnum(name[size - 1]);
}

static void read_label(struct jn_decoder *d, const char *key, const struct jn_json *value,
		       struct jn_labels *labels)
{
	struct jn_label *label = &labels->items[labels->count];
	const char *text = jn_json_text(value);

	if (!is_label_key(key))
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "is not a key; give [DNS name/]name, the name of letters, digits "
				 "and '-_.' inside, 1 to 63 bytes");
	if (!jn_decoder_expect(d, value, JN_JSON_TEXT, "a text"))
		return;
	if (strlen(text) > JN_MAX_LABEL_BYTES) {
		jn_decoder_fault(d, JN_CAUSE_LIMIT,
				 "is %zu bytes long; the limit of one value is %d: shorten it",
				 strlen(text), JN_MAX_LABEL_BYTES);
		return;
	}
	label->key = strdup(key);
	label->value = strdup(text);
	labels->count++;
	if (!label->key || !label->value)
		d->is_out_of_memory = true;
}

static int by_key(const void *a, const void *b)
{
	const struct jn_label *left = a, *right = b;

	return strcmp(left->key, right->key);
}

static void read_label_map(struct jn_decoder *d, const struct jn_json *object,
			   struct jn_labels *labels, const char *limit)
{
	const struct jn_json *value;
	const char *key;
	void *at = NULL;

	labels->items = jn_decoder_items(d, object, sizeof(*labels->items), JN_MAX_LABELS, limit);
	if (!labels->items)
		return;
	while (jn_json_next(object, &at, &key, &value)) {
		jn_decoder_push_key(d, key);
		read_label(d, key, value, labels);
		jn_decoder_pop(d);
	}
	if (!d->is_out_of_memory)
		qsort(labels->items, labels->count, sizeof(*labels->items), by_key);
}

static void read_labels(struct jn_decoder *d, const struct jn_json *object, void *target)
{
	read_label_map(d, object, &((struct jn_object *)target)->labels, "labels of one object");
}

static void read_annotations(struct jn_decoder *d, const struct jn_json *object, void *target)
{
	read_label_map(d, object, &((struct jn_object *)target)->annotations,
		       "annotations of one object");
}

static void read_version(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	const char *text = jn_json_text(value), *p = text;
	uint64_t version = 0;

	while (*p >= '0' && *p <= '9' && !__builtin_mul_overflow(version, 10, &version) &&
	       !__builtin_add_overflow(version, (uint64_t)(*p - '0'), &version))
		p++;
	if (*p || !version) { /* 0 is nobody's, and would mean "any" below */
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "\"%.32s\" is no resourceVersion; give the text of digits that "
				 "reading the object answered, or leave it out",
				 text);
		return;
	}
	((struct jn_object *)target)->version = version;
}

static const struct jn_field metadata_items[] = {
	{ .name = "name",
	  .type = JN_FIELD_LABEL,
	  .is_required = true,
	  JN_FIELD_AT(struct jn_object, key.name) },
	{ .name = "namespace",
	  .type = JN_FIELD_LABEL,
	  JN_FIELD_AT(struct jn_object, key.namespace_) },
	{ .name = "labels",
	  .type = JN_FIELD_OBJECT,
	  .read = read_labels,
	  .expected = "an object {key: text}" },
	{ .name = "annotations",
	  .type = JN_FIELD_OBJECT,
	  .read = read_annotations,
	  .expected = "an object {key: text}" },
	{ .name = "resourceVersion",
	  .type = JN_FIELD_TEXT,
	  .read = read_version,
	  .expected = "a text of digits, or leave it out" },
	{ .name = "uid", .type = JN_FIELD_IGNORED },
	{ .name = "creationTimestamp", .type = JN_FIELD_IGNORED },
	{ .name = "deletionTimestamp", .type = JN_FIELD_IGNORED },
	{ .name = "deletionGracePeriodSeconds", .type = JN_FIELD_IGNORED },
	{ .name = "generation", .type = JN_FIELD_IGNORED },
	{ .name = "managedFields", .type = JN_FIELD_IGNORED },
	{ .name = "selfLink", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields metadata_fields = JN_FIELDS(metadata_items);

/* What the path of the request says about name and namespace. */
static void check_place(struct jn_decoder *d, struct jn_object *o)
{
	const char *namespace_ = d->options->namespace_ ? d->options->namespace_
							: JN_DEFAULT_NAMESPACE;

	if (!*o->key.namespace_ && !jn_is_dns_label(namespace_))
		jn_decoder_fault_in(d, "namespace", JN_CAUSE_INVALID,
				    "the request's path has namespace \"%.64s\"; use " JN_DNS_LABEL,
				    namespace_);
	else if (!*o->key.namespace_)
		memcpy(o->key.namespace_, namespace_, strlen(namespace_) + 1);
	else if (d->options->namespace_is_fixed && strcmp(o->key.namespace_, namespace_) != 0)
		jn_decoder_fault_in(d, "namespace", JN_CAUSE_INVALID,
				    "is \"%s\", but the request's path says \"%.64s\"; give that, "
				    "or none",
				    o->key.namespace_, namespace_);
	if (d->options->name && *o->key.name && strcmp(o->key.name, d->options->name) != 0)
		jn_decoder_fault_in(d, "name", JN_CAUSE_INVALID,
				    "is \"%s\", but the request's path says \"%.64s\"; give that",
				    o->key.name, d->options->name);
}

static void read_metadata(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	unsigned faults = d->err->fault_count;

	jn_fields_read(d, value, &metadata_fields, target);
	if (d->err->fault_count == faults)
		check_place(d, target);
}

/* --- one object ------------------------------------------------------------------------------- */

static void read_spec(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_object *o = target;

	if (o->key.kind == JN_KIND_LOCAL_SERVICE)
		jn_service_read(d, value, &o->service);
	else
		jn_policy_read(d, value, &o->policy);
}

static const struct jn_field object_items[] = {
	{ .name = "apiVersion", .type = JN_FIELD_DONE },
	{ .name = "kind", .type = JN_FIELD_DONE },
	{ .name = "metadata",
	  .type = JN_FIELD_OBJECT,
	  .is_required = true,
	  .read = read_metadata,
	  .expected = "an object {\"name\": …}" },
	{ .name = "spec", .type = JN_FIELD_OBJECT, .is_required = true, .read = read_spec },
	{ .name = "status", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields object_fields = JN_FIELDS(object_items);

static void fault_of_kind(struct jn_decoder *d, const char *kind)
{
	const char *names[JN_KIND_MAX], *likely;

	for (unsigned i = 0; i < JN_KIND_MAX; i++)
		names[i] = jn_kind_names((enum jn_kind)i)->kind;
	likely = jn_spelling_nearest(kind, names, JN_KIND_MAX);
	jn_decoder_fault_in(d, "kind", JN_CAUSE_NOT_SUPPORTED,
			    "is \"%.64s\"; give " KNOWN_KINDS "%s%s%s", kind,
			    likely ? " (likely " : "", likely ? likely : "", likely ? ")" : "");
}

/* The text of a field, or NULL, with a fault where it is missing and needed, or not a text. */
static const char *text_of(struct jn_decoder *d, const struct jn_json *object, const char *key,
			   const char *needed)
{
	const struct jn_json *value = jn_json_get(object, key);

	if (value && jn_json_type(value) == JN_JSON_TEXT)
		return jn_json_text(value);
	if (value && jn_json_type(value) != JN_JSON_NULL)
		jn_decoder_fault_in(d, key, JN_CAUSE_TYPE, "is %s; give a text",
				    jn_json_type_name(jn_json_type(value)));
	else if (needed)
		jn_decoder_fault_in(d, key, JN_CAUSE_REQUIRED, "is missing; give %s", needed);
	return NULL;
}

/*
 * apiVersion and kind. listed: the kind that the list around the object says, or -1; an item of
 * such a list may leave both out.
 */
static bool read_kind(struct jn_decoder *d, const struct jn_json *json, int listed,
		      enum jn_kind *out)
{
	unsigned faults = d->err->fault_count;
	const char *version, *kind;
	int wanted = listed >= 0 ? listed : d->options->kind;

	version = text_of(d, json, "apiVersion", listed >= 0 ? NULL : JN_API_VERSION);
	kind = text_of(d, json, "kind", listed >= 0 ? NULL : KNOWN_KINDS);
	if (version && strcmp(version, JN_API_VERSION) != 0)
		jn_decoder_fault_in(d, "apiVersion", JN_CAUSE_NOT_SUPPORTED,
				    "is \"%.64s\"; give " JN_API_VERSION, version);
	*out = (enum jn_kind)(listed >= 0 ? listed : 0);
	if (kind && jn_kind_by_name(kind, out))
		fault_of_kind(d, kind);
	else if (kind && wanted >= 0 && *out != (enum jn_kind)wanted)
		jn_decoder_fault_in(d, "kind", JN_CAUSE_INVALID,
				    "is %s, but the %s says %s; give that", kind,
				    listed >= 0 ? "list" : "request's path",
				    jn_kind_names((enum jn_kind)wanted)->kind);
	return d->err->fault_count == faults;
}

static void read_object(struct jn_decoder *d, const struct jn_json *json, int listed)
{
	struct jn_object **place, *object;
	enum jn_kind kind;

	if (!jn_decoder_expect(d, json, JN_JSON_OBJECT, "an object; for several, a List of them") ||
	    !read_kind(d, json, listed, &kind))
		return;
	place = jn_vec_add(d->out);
	object = place ? calloc(1, sizeof(*object)) : NULL;
	if (!object) {
		d->is_out_of_memory = true;
		return;
	}
	*place = object;
	object->references = 1;
	object->key.kind = kind;
	jn_fields_read(d, json, &object_fields, object);
}

/* --- lists ------------------------------------------------------------------------------------ */

struct list_reading {
	int kind; /* of the items, or -1: they say it themselves */
};

static void read_items(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	const struct list_reading *r = target;
	size_t count = jn_json_count(list);

	for (size_t i = 0; i < count; i++) {
		jn_decoder_push_index(d, i);
		read_object(d, jn_json_at(list, i), r->kind);
		jn_decoder_pop(d);
	}
}

static const struct jn_field list_items[] = {
	{ .name = "apiVersion", .type = JN_FIELD_DONE },
	{ .name = "kind", .type = JN_FIELD_DONE },
	{ .name = "metadata", .type = JN_FIELD_IGNORED },
	{ .name = "items",
	  .type = JN_FIELD_LIST,
	  .is_required = true,
	  .read = read_items,
	  .expected = "a list of objects" },
};
static const struct jn_fields list_fields = JN_FIELDS(list_items);

/* Is this document a list of objects? kind: see struct list_reading. */
static bool is_list(const struct jn_json *json, int *kind)
{
	const struct jn_json *value = NULL;
	const char *name;

	if (jn_json_type(json) == JN_JSON_OBJECT)
		value = jn_json_get(json, "kind");
	name = value ? jn_json_text(value) : NULL;
	if (!name)
		return false;
	*kind = -1;
	for (unsigned i = 0; i < JN_KIND_MAX; i++) {
		if (!strcmp(jn_kind_names((enum jn_kind)i)->list, name))
			*kind = (int)i;
	}
	return *kind >= 0 || !strcmp(name, "List");
}

static void read_list(struct jn_decoder *d, const struct jn_json *json, int kind)
{
	struct list_reading reading = { .kind = kind };
	const char *version;

	if (d->options->kind >= 0) {
		jn_decoder_fault_in(d, "kind", JN_CAUSE_INVALID,
				    "is a list; give one object here, or send the list to "
				    "/v1/apply");
		return;
	}
	version = text_of(d, json, "apiVersion", kind >= 0 ? JN_API_VERSION : "v1");
	if (version && strcmp(version, JN_API_VERSION) != 0 &&
	    (kind >= 0 || strcmp(version, "v1") != 0))
		jn_decoder_fault_in(d, "apiVersion", JN_CAUSE_NOT_SUPPORTED,
				    "is \"%.64s\"; give %s", version,
				    kind >= 0 ? JN_API_VERSION : "v1");
	jn_fields_read(d, json, &list_fields, &reading);
}

/* --- what the store adds ---------------------------------------------------------------------- */

static const char *status_text(const struct jn_json *json, const char *key)
{
	const struct jn_json *status = jn_json_get(json, "status");
	const struct jn_json *value = status ? jn_json_get(status, key) : NULL;

	return value ? jn_json_text(value) : NULL;
}

/* A stored object is right as a whole (its hash says so): what is not here is the api's. */
static void read_owner(struct jn_decoder *d, const struct jn_json *json, struct jn_object *o)
{
	const char *source = status_text(json, "source"), *file = status_text(json, "file");

	for (unsigned i = 0; source && i < JN_OWNER_MAX; i++) {
		if (!strcmp(jn_owner_name((enum jn_owner)i), source))
			o->owner = (uint8_t)i;
	}
	if (o->owner != JN_OWNER_FILE || !file)
		return;
	o->file = strdup(file);
	d->is_out_of_memory |= !o->file;
}

/* --- the door --------------------------------------------------------------------------------- */

/* As found by the parser, with the prefix of the document before the paths. */
static int parse(const char *text, size_t size, const char *prefix, struct jn_json **out,
		 struct jn_error *err)
{
	JN_AUTO(jn_error_done) struct jn_error found = { 0 };
	int rc = jn_json_parse(text, size, out, &found);

	if (rc && !found.cause_count)
		return -ENOMEM; /* for the document, or for what is wrong with it */
	for (unsigned i = 0; i < found.cause_count; i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
		const struct jn_cause *cause = &found.causes[i];

		jn_buffer_add_text(&path, prefix ? prefix : "");
		jn_buffer_add_text(&path, cause->field);
		if (!*cause->field && path.size)
			path.size--; /* the dot */
		jn_error_cause(err, found.kind, cause->reason, jn_buffer_text(&path), "%s",
			       cause->message);
	}
	return rc;
}

static void drop_past(struct jn_object_list *list, size_t count)
{
	while (list->count > count)
		jn_object_unref(&list->items[--list->count]);
}

int jn_object_decode(const char *text, size_t size, const struct jn_decode_options *options,
		     struct jn_object_list *out, struct jn_error *err)
{
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;
	struct jn_decoder d = { .options = options, .out = out, .err = err };
	unsigned faults = err->fault_count;
	size_t count = out->count;
	int kind, rc;

	rc = parse(text, size, options->prefix, &json, err);
	if (rc)
		return rc;
	out->is_list = is_list(json, &kind);
	if (out->is_list)
		read_list(&d, json, kind);
	else
		read_object(&d, json, -1);
	if (options->is_stored && out->count == count + 1)
		read_owner(&d, json, out->items[count]);
	if (!d.is_out_of_memory && err->fault_count == faults)
		return 0;
	drop_past(out, count);
	return d.is_out_of_memory ? -ENOMEM : -EINVAL;
}
