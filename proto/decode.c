/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents -> objects: one object, or a List of them; apiVersion and kind. What stands in
 * them is decode_metadata.c's, decode_service.c's, and so on.
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

/* --- one object ------------------------------------------------------------------------------- */

static void read_spec(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_object *o = target;

	if (o->key.kind == JN_KIND_LOCAL_SERVICE)
		jn_service_read(d, value, &o->service);
	else if (o->key.kind == JN_KIND_TRAFFIC_POLICY)
		jn_policy_read(d, value, &o->policy);
	else
		jn_cluster_read(d, value, o);
}

static const struct jn_field spec_items[] = {
	JN_FIELDS_OF_DOCUMENT,
	{ .name = "spec", .type = JN_FIELD_OBJECT, .is_required = true, .read = read_spec },
	{ .name = "status", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields spec_fields = JN_FIELDS(spec_items);

/* Of a Node's spec nothing concerns a proxy, but what it holds is known. */
static const struct jn_field node_spec_items[] = {
	{ .name = "podCIDR", .type = JN_FIELD_IGNORED },
	{ .name = "podCIDRs", .type = JN_FIELD_IGNORED },
	{ .name = "providerID", .type = JN_FIELD_IGNORED },
	{ .name = "unschedulable", .type = JN_FIELD_IGNORED },
	{ .name = "taints", .type = JN_FIELD_IGNORED },
	{ .name = "configSource", .type = JN_FIELD_IGNORED },
	{ .name = "externalID", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields node_spec_fields = JN_FIELDS(node_spec_items);

static const struct jn_field node_items[] = {
	JN_FIELDS_OF_DOCUMENT,
	{ .name = "spec", .type = JN_FIELD_OBJECT, .fields = &node_spec_fields },
	{ .name = "status", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields node_fields = JN_FIELDS(node_items);

static const struct jn_fields *fields_of(enum jn_kind kind)
{
	if (kind == JN_KIND_ENDPOINT_SLICE)
		return &jn_slice_fields;
	return kind == JN_KIND_NODE ? &node_fields : &spec_fields;
}

static void fault_of_kind(struct jn_decoder *d, const char *kind)
{
	const char *names[JN_KIND_MAX], *likely;

	for (unsigned i = 0; i < JN_KIND_MAX; i++)
		names[i] = jn_kind_names((enum jn_kind)i)->kind;
	likely = jn_spelling_nearest(kind, names, JN_KIND_MAX);
	jn_decoder_fault_in(d, "kind", JN_CAUSE_NOT_SUPPORTED,
			    "is \"%.64s\"; give " JN_KINDS_TEXT "%s%s%s", kind,
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

static void check_version(struct jn_decoder *d, const char *version, enum jn_kind kind)
{
	const char *right = jn_kind_names(kind)->api_version;

	if (version && strcmp(version, right) != 0)
		jn_decoder_fault_in(d, "apiVersion", JN_CAUSE_NOT_SUPPORTED,
				    "is \"%.64s\", but that of kind %s is %s; give that", version,
				    jn_kind_names(kind)->kind, right);
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

	*out = (enum jn_kind)(wanted >= 0 ? wanted : 0);
	kind = jn_json_text(jn_json_get(json, "kind"));
	if (kind)
		(void)jn_kind_by_name(kind, out); /* told below, where it is wrong */
	version = text_of(d, json, "apiVersion",
			  listed >= 0 ? NULL : jn_kind_names(*out)->api_version);
	kind = text_of(d, json, "kind", listed >= 0 ? NULL : JN_KINDS_TEXT);
	if (kind && jn_kind_by_name(kind, out))
		fault_of_kind(d, kind);
	else if (kind && wanted >= 0 && *out != (enum jn_kind)wanted)
		jn_decoder_fault_in(d, "kind", JN_CAUSE_INVALID,
				    "is %s, but the %s says %s; give that", kind,
				    listed >= 0 ? "list" : "request's path",
				    jn_kind_names((enum jn_kind)wanted)->kind);
	else if (kind || listed >= 0)
		check_version(d, version, *out);
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
	jn_fields_read(d, json, fields_of(kind), object);
}

/* --- lists ------------------------------------------------------------------------------------ */

struct list_reading {
	int kind; /* of the items, or -1: they say it themselves */
};

static void read_item(struct jn_decoder *d, const struct jn_json *value, unsigned index,
		      void *target)
{
	(void)index;
	read_object(d, value, ((const struct list_reading *)target)->kind);
}

static void read_items(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	jn_decoder_each(d, list, read_item, target);
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
	const char *version, *right;

	if (d->options->kind >= 0) {
		jn_decoder_fault_in(d, "kind", JN_CAUSE_INVALID,
				    "is a list; give one object here, or send the list to "
				    "/v1/apply");
		return;
	}
	right = kind >= 0 ? jn_kind_names((enum jn_kind)kind)->api_version : "v1";
	version = text_of(d, json, "apiVersion", right);
	if (version && strcmp(version, right) != 0 &&
	    (kind >= 0 || strcmp(version, JN_API_VERSION) != 0))
		jn_decoder_fault_in(d, "apiVersion", JN_CAUSE_NOT_SUPPORTED,
				    "is \"%.64s\"; give %s", version, right);
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
