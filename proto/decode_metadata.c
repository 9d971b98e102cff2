/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metadata -> key, labels, annotations, version of an object. What labels mean is not asked here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/object.h"

#define MAX_LABEL_KEY_PREFIX 253 /* Kubernetes: a DNS name before the slash */

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

/* Entries, for each of the tables below. */
#define NAME(of_type)                                                                              \
	{                                                                                          \
		.name = "name", .type = (of_type), .is_required = true,                            \
		JN_FIELD_AT(struct jn_object, key.name)                                            \
	}
#define NAMESPACE                                                                                  \
	{                                                                                          \
		.name = "namespace", .type = JN_FIELD_LABEL,                                       \
		JN_FIELD_AT(struct jn_object, key.namespace_)                                      \
	}
#define COMMON                                                                                     \
	{ .name = "labels",                                                                        \
	  .type = JN_FIELD_OBJECT,                                                                 \
	  .read = read_labels,                                                                     \
	  .expected = "an object {key: text}" },                                                   \
		{ .name = "annotations",                                                           \
		  .type = JN_FIELD_OBJECT,                                                         \
		  .read = read_annotations,                                                        \
		  .expected = "an object {key: text}" },                                           \
		{ .name = "resourceVersion",                                                       \
		  .type = JN_FIELD_TEXT,                                                           \
		  .read = read_version,                                                            \
		  .expected = "a text of digits, or leave it out" },                               \
		{ .name = "uid", .type = JN_FIELD_IGNORED },                                       \
		{ .name = "creationTimestamp", .type = JN_FIELD_IGNORED },                         \
		{ .name = "deletionTimestamp", .type = JN_FIELD_IGNORED },                         \
		{ .name = "deletionGracePeriodSeconds", .type = JN_FIELD_IGNORED },                \
		{ .name = "generation", .type = JN_FIELD_IGNORED },                                \
		{ .name = "managedFields", .type = JN_FIELD_IGNORED },                             \
	{                                                                                          \
		.name = "selfLink", .type = JN_FIELD_IGNORED                                       \
	}
/* What only Kubernetes' own kinds have. */
#define UPSTREAM                                                                                   \
	{ .name = "generateName", .type = JN_FIELD_IGNORED },                                      \
		{ .name = "ownerReferences", .type = JN_FIELD_IGNORED },                           \
	{                                                                                          \
		.name = "finalizers", .type = JN_FIELD_IGNORED                                     \
	}

static const struct jn_field own_items[] = { NAME(JN_FIELD_LABEL), NAMESPACE, COMMON };
static const struct jn_field service_items[] = { NAME(JN_FIELD_LABEL), NAMESPACE, COMMON,
						 UPSTREAM };
static const struct jn_field slice_items[] = { NAME(JN_FIELD_NAME), NAMESPACE, COMMON, UPSTREAM };
static const struct jn_field node_items[] = { NAME(JN_FIELD_NAME), COMMON, UPSTREAM };

static const struct jn_fields fields_of[] = {
	[JN_KIND_LOCAL_SERVICE] = JN_FIELDS(own_items),
	[JN_KIND_TRAFFIC_POLICY] = JN_FIELDS(own_items),
	[JN_KIND_SERVICE] = JN_FIELDS(service_items),
	[JN_KIND_ENDPOINT_SLICE] = JN_FIELDS(slice_items),
	[JN_KIND_NODE] = JN_FIELDS(node_items),
};
_Static_assert(JN_COUNT(fields_of) == JN_KIND_MAX, "every kind needs its metadata");

/* What the path of the request says about the namespace. */
static void check_namespace(struct jn_decoder *d, struct jn_object *o)
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
}

static void check_name(struct jn_decoder *d, const struct jn_object *o)
{
	if (d->options->name && *o->key.name && strcmp(o->key.name, d->options->name) != 0)
		jn_decoder_fault_in(d, "name", JN_CAUSE_INVALID,
				    "is \"%s\", but the request's path says \"%.253s\"; give that",
				    o->key.name, d->options->name);
}

void jn_metadata_read(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	unsigned faults = d->err->fault_count;
	struct jn_object *o = target;

	jn_fields_read(d, value, &fields_of[o->key.kind], o);
	if (d->err->fault_count != faults)
		return;
	if (!jn_kind_names(o->key.kind)->has_no_namespace)
		check_namespace(d, o);
	check_name(d, o);
}
