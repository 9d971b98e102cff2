/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The index of slices. What a slice says is not looked at but for its service.
 */
#include "model/slice_index.h"

#include <string.h>

struct service_key {
	const char *namespace_, *name;
};

static uint64_t hash_service(const void *key)
{
	const struct service_key *k = key;

	return jn_hash_bytes(k->namespace_, strlen(k->namespace_)) * 31 +
	       jn_hash_bytes(k->name, strlen(k->name));
}

static bool has_service(const void *entry, const void *key)
{
	const struct jn_object *const *slice = entry;
	const struct service_key *k = key;

	return !strcmp((*slice)->slice.service, k->name) &&
	       !strcmp((*slice)->key.namespace_, k->namespace_);
}

static const struct jn_table_ops services_ops = {
	.entry_size = sizeof(struct jn_object *),
	.hash = hash_service,
	.equal = has_service,
};

void jn_slice_index_init(struct jn_slice_index *index)
{
	jn_table_init(&index->services, &services_ops);
}

void jn_slice_index_done(struct jn_slice_index *index)
{
	jn_table_done(&index->services);
}

void jn_slice_index_add(struct jn_slice_index *index, struct jn_object *slice)
{
	struct service_key key = { slice->key.namespace_, slice->slice.service };
	struct jn_object **first;
	bool is_new;

	if (!slice->slice.service[0])
		return;
	first = jn_table_put(&index->services, &key, &is_new);
	slice->slice.next = is_new ? NULL : *first;
	*first = slice;
}

void jn_slice_index_del(struct jn_slice_index *index, struct jn_object *slice)
{
	struct service_key key = { slice->key.namespace_, slice->slice.service };
	struct jn_object **first = jn_table_find(&index->services, &key), **place = first;

	if (!first)
		return;
	while (*place && *place != slice)
		place = &(*place)->slice.next;
	if (!*place)
		return;
	if (place == first && !slice->slice.next) {
		jn_table_del(&index->services, &key);
		return;
	}
	*place = slice->slice.next;
	slice->slice.next = NULL;
}

struct jn_object *jn_slice_index_find(const struct jn_slice_index *index, const char *namespace_,
				      const char *service)
{
	struct service_key key = { namespace_, service };
	struct jn_object **first = jn_table_find(&index->services, &key);

	return first ? *first : NULL;
}
