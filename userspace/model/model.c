/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects by key, and a batch in the making. What they claim is in claims.c.
 */
#include "model/model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "model/claims.h"

struct jn_model {
	struct jn_table objects; /* of struct jn_object * */
	struct jn_table staged;	 /* of const struct jn_change *, while a batch is staged */
	struct jn_claims claims;
	char node[JN_LONG_NAME_BYTES]; /* that we are; "": not known */
};

static bool object_has_key(const void *entry, const void *key)
{
	const struct jn_object *const *object = entry;

	return !memcmp(&(*object)->key, key, sizeof(struct jn_object_key));
}

static const struct jn_object_key *change_key(const struct jn_change *change)
{
	return change->after ? &change->after->key : &change->before->key;
}

static bool change_has_key(const void *entry, const void *key)
{
	const struct jn_change *const *change = entry;

	return !memcmp(change_key(*change), key, sizeof(struct jn_object_key));
}

static const struct jn_table_ops objects_ops = {
	.entry_size = sizeof(struct jn_object *),
	.key_size = sizeof(struct jn_object_key),
	.hash = jn_object_key_hash,
	.equal = object_has_key,
};
static const struct jn_table_ops staged_ops = {
	.entry_size = sizeof(struct jn_change *),
	.key_size = sizeof(struct jn_object_key),
	.hash = jn_object_key_hash,
	.equal = change_has_key,
};

int jn_model_new(struct jn_model **out)
{
	struct jn_model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	jn_table_init(&m->objects, &objects_ops);
	jn_table_init(&m->staged, &staged_ops);
	jn_claims_init(&m->claims);
	*out = m;
	return 0;
}

void jn_model_set_node(struct jn_model *m, const char *name)
{
	(void)snprintf(m->node, sizeof(m->node), "%s", name); /* longer ones do not exist */
}

void jn_model_free(struct jn_model **model)
{
	struct jn_model *m = *model;
	struct jn_object **object;
	size_t at = 0;

	*model = NULL;
	if (!m)
		return;
	while ((object = jn_table_next(&m->objects, &at)))
		jn_object_unref(object);
	jn_table_done(&m->objects);
	jn_table_done(&m->staged);
	jn_claims_done(&m->claims);
	free(m);
}

struct jn_object *jn_model_find(const struct jn_model *m, const struct jn_object_key *key)
{
	struct jn_object **object = jn_table_find(&m->objects, key);

	return object ? *object : NULL;
}

struct jn_object *jn_model_next(const struct jn_model *m, size_t *at)
{
	struct jn_object **object = jn_table_next(&m->objects, at);

	return object ? *object : NULL;
}

void jn_changes_done(struct jn_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		jn_object_unref(&changes->items[i].before);
		jn_object_unref(&changes->items[i].after);
	}
	free(changes->items);
	*changes = (struct jn_changes){ 0 };
}

/* Enter the batch by key; a key that comes twice is a fault. */
static int index_batch(struct jn_model *m, const struct jn_changes *changes, struct jn_error *err)
{
	static const struct jn_fault twice = { JN_ERROR_INVALID, JN_CAUSE_DUPLICATE,
					       "metadata.name" };

	/* Room for all afters now, so that settling cannot fail. */
	if (jn_table_reserve(&m->objects, m->objects.count + changes->count))
		return -ENOMEM;
	for (size_t i = 0; i < changes->count; i++) {
		const struct jn_change *change = &changes->items[i];
		const struct jn_change **entry;
		bool is_new;

		entry = jn_table_put(&m->staged, change_key(change), &is_new);
		if (!entry)
			return -ENOMEM;
		if (is_new)
			*entry = change;
		else
			jn_claims_fault(changes, change, &twice, err,
					"stands twice in this request; name each object once");
	}
	return jn_error_is_set(err) ? -EINVAL : 0;
}

static void drop_batch(struct jn_model *m)
{
	jn_table_done(&m->staged);
	jn_table_init(&m->staged, &staged_ops);
}

int jn_model_stage(struct jn_model *m, const struct jn_changes *changes, struct jn_error *err)
{
	int rc = index_batch(m, changes, err);

	if (!rc)
		rc = jn_claims_enter(&m->claims, changes, err);
	if (rc)
		drop_batch(m);
	return rc;
}

void jn_model_settle(struct jn_model *m, const struct jn_changes *changes, bool keep)
{
	drop_batch(m);
	if (!keep) {
		jn_claims_take_back(&m->claims, changes);
		return;
	}
	for (size_t i = 0; i < changes->count; i++) {
		const struct jn_change *change = &changes->items[i];
		struct jn_object **entry;
		bool is_new;

		if (!change->after) {
			struct jn_object *old = jn_model_find(m, &change->before->key);

			jn_table_del(&m->objects, &change->before->key);
			jn_object_unref(&old);
			continue;
		}
		entry = jn_table_put(&m->objects, &change->after->key, &is_new);
		if (!is_new)
			jn_object_unref(entry);
		*entry = jn_object_ref(change->after);
	}
}

struct jn_object *jn_model_find_staged(const struct jn_model *m, const struct jn_object_key *key)
{
	const struct jn_change **change = jn_table_find(&m->staged, key);

	return change ? (*change)->after : jn_model_find(m, key);
}

const struct jn_object *jn_model_policy(const struct jn_model *m, const char *namespace_,
					const char *target, const char *port)
{
	return jn_claims_policy(&m->claims, namespace_, target, port);
}

bool jn_model_is_claimed(const struct jn_model *m, const struct jn_frontend_key *key)
{
	return jn_claims_owner(&m->claims, key) != NULL;
}

size_t jn_model_frontend_count(const struct jn_model *m)
{
	return m->claims.frontends.count;
}

static const struct jn_table_ops keys_ops = { .entry_size = sizeof(struct jn_object_key),
					      .key_size = sizeof(struct jn_object_key) };

struct touching {
	const struct jn_model *model;
	struct jn_table seen;
	struct jn_key_list *out;
};

static int touch(struct touching *t, enum jn_kind kind, const char *namespace_, const char *name)
{
	struct jn_object_key key = jn_object_key_of(kind, namespace_, name), *entry, *item;
	bool is_new;

	entry = jn_table_put(&t->seen, &key, &is_new);
	if (!entry)
		return -ENOMEM;
	if (!is_new)
		return 0;
	*entry = key;
	item = jn_vec_add(t->out);
	if (!item)
		return -ENOMEM;
	*item = key;
	return 0;
}

/* The service that an object is about: itself, a policy's target, or a slice's Service. */
static int touch_service_of(struct touching *t, const struct jn_object *object)
{
	const char *namespace_ = object ? object->key.namespace_ : NULL;

	if (!object || object->key.kind == JN_KIND_NODE)
		return 0;
	if (object->key.kind == JN_KIND_TRAFFIC_POLICY)
		return touch(t, (enum jn_kind)object->policy.target_kind, namespace_,
			     object->policy.target);
	if (object->key.kind != JN_KIND_ENDPOINT_SLICE)
		return touch(t, object->key.kind, namespace_, object->key.name);
	if (!object->slice.service[0])
		return 0;
	return touch(t, JN_KIND_SERVICE, namespace_, object->slice.service);
}

static const char *zone_of(const struct jn_object *node)
{
	const char *zone = node ? jn_labels_find(&node->labels, JN_LABEL_ZONE) : NULL;

	return zone ? zone : "";
}

/* Does a change of a node mean that we are somewhere else now? */
static bool moves_us(const struct jn_model *m, const struct jn_change *change)
{
	const struct jn_object_key *key = change_key(change);

	return key->kind == JN_KIND_NODE && !strcmp(key->name, m->node) &&
	       strcmp(zone_of(change->before), zone_of(change->after)) != 0;
}

static bool has_zone_hints(const struct jn_endpoint_slice *slice)
{
	for (unsigned i = 0; i < slice->endpoint_count; i++) {
		if (slice->endpoints[i].hints && slice->endpoints[i].hints->zone_count)
			return true;
	}
	return false;
}

/* Our zone matters only where endpoints say for which zones they are. */
static int touch_zoned(struct touching *t)
{
	struct jn_object **first;
	size_t at = 0;
	int rc = 0;

	while (!rc && (first = jn_table_next(&t->model->claims.slices.services, &at))) {
		struct jn_object *slice = *first;

		while (slice && !has_zone_hints(&slice->slice))
			slice = slice->slice.next;
		if (slice)
			rc = touch_service_of(t, slice);
	}
	return rc;
}

int jn_model_touched(const struct jn_model *m, const struct jn_changes *changes,
		     struct jn_key_list *out)
{
	struct touching t = { .model = m, .out = out };
	int rc = 0;

	jn_table_init(&t.seen, &keys_ops);
	for (size_t i = 0; i < changes->count && !rc; i++) {
		rc = touch_service_of(&t, changes->items[i].before);
		if (!rc)
			rc = touch_service_of(&t, changes->items[i].after);
		if (!rc && moves_us(m, &changes->items[i]))
			rc = touch_zoned(&t);
	}
	jn_table_done(&t.seen);
	return rc;
}

struct jn_here jn_model_here(const struct jn_model *m)
{
	struct jn_object_key key = jn_object_key_of(JN_KIND_NODE, "", m->node);

	return (struct jn_here){ .node = m->node, .zone = zone_of(jn_model_find_staged(m, &key)) };
}

struct jn_object *jn_model_slices(const struct jn_model *m, const char *namespace_,
				  const char *service)
{
	return jn_slice_index_find(&m->claims.slices, namespace_, service);
}

struct jn_frontend_key jn_frontend_key_of(const struct jn_addr *addr, uint16_t port, uint8_t proto)
{
	struct jn_frontend_key key = { .vip = *addr, .proto = proto };

	key.port = htons(port);
	return key;
}
