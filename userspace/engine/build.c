/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slots of a transaction: how many there will be, and what stands in them. Takes no id and writes
 * no table; that is what lets a thread build them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "datapath/datapath.h"
#include "engine/transaction.h"

#define FIELD_BYTES 64 /* "items[4294967295].spec.algorithm" fits */

static const struct jn_revision *old_revision(const struct jn_transaction *t,
					      const struct jn_set_plan *set)
{
	return set->is_old_served ? &jn_datapath_revisions(t->in->datapath)[set->old.revision]
				  : NULL;
}

/* --- how many ------------------------------------------------------------------------------------ */

static bool touches(const struct jn_transaction *t, struct jn_change *change,
		    const struct jn_object_key *service)
{
	const struct jn_changes one = { .items = change, .count = 1 };
	struct jn_key_list keys = { 0 };
	bool is_touched = false;

	(void)jn_model_touched(t->in->model, &one,
			       &keys); /* short of memory: the path is shorter */
	for (size_t i = 0; i < keys.count; i++)
		is_touched |= !memcmp(&keys.items[i], service, sizeof(*service));
	free(keys.items);
	return is_touched;
}

/* The field of the change that made this service so large. */
static void name_field(const struct jn_transaction *t, const struct jn_object_key *service,
		       char field[FIELD_BYTES])
{
	static const char *const leaves[] = {
		[JN_KIND_LOCAL_SERVICE] = "spec.ports",	     [JN_KIND_SERVICE] = "spec.ports",
		[JN_KIND_TRAFFIC_POLICY] = "spec.algorithm", [JN_KIND_ENDPOINT_SLICE] = "endpoints",
		[JN_KIND_NODE] = "metadata.labels",
	};

	field[0] = 0;
	for (size_t i = 0; i < t->changes->count; i++) {
		struct jn_change *change = &t->changes->items[i];
		const struct jn_object *object = change->after ? change->after : change->before;

		if (!touches(t, change, service))
			continue;
		if (t->changes->list_word)
			(void)snprintf(field, FIELD_BYTES, "%s[%u].%s", t->changes->list_word,
				       change->position, leaves[object->key.kind]);
		else
			(void)snprintf(field, FIELD_BYTES, "%s", leaves[object->key.kind]);
		return;
	}
}

/* What is read back at a start goes on being served: it was accepted once. */
static int check_budget(const struct jn_transaction *t, const struct jn_service_plan *service,
			uint64_t slots, struct jn_error *err)
{
	char field[FIELD_BYTES];

	if (!t->changes || slots <= JN_MAX_OBJECT_SLOTS)
		return 0;
	name_field(t, &service->key, field);
	jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_LIMIT, field,
		       "%s/%s: its ports would take %llu slots, and the limit of one object is %u; "
		       "spread its ports over several services, give it fewer backends, or choose "
		       "another algorithm",
		       service->key.namespace_, service->key.name, (unsigned long long)slots,
		       JN_MAX_OBJECT_SLOTS);
	return -EINVAL;
}

/* Is it certain, before anything is compared, that this set needs slots of its own? */
static bool needs_slots(const struct jn_transaction *t, const struct jn_port_plan *port,
			const struct jn_set_plan *set)
{
	const struct jn_revision *revision = old_revision(t, set);

	return !revision || revision->algorithm != port->desired->algorithm;
}

/* Those of a table that has to grow are not built first, to be thrown away. */
static int check_room(struct jn_install *in, uint64_t certain)
{
	if (in->slots.capacity >= in->slots.ceiling ||
	    certain <= in->slots.capacity - in->slots.used)
		return 0;
	in->full = JN_FULL_SLOTS;
	return -ENOSPC;
}

int jn_transaction_measure(struct jn_transaction *t, struct jn_error *err)
{
	uint64_t certain = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct jn_service_plan *service = &t->services[i];
		uint64_t slots = 0;
		int rc;

		for (size_t at = 0; at < service->port_count * JN_FAMILY_MAX; at++) {
			const struct jn_port_plan *port = &service->ports[at / JN_FAMILY_MAX];
			const struct jn_set_plan *set = &port->sets[at % JN_FAMILY_MAX];

			slots += set->size.slots;
			t->steps += set->size.steps;
			if (set->is_wanted && needs_slots(t, port, set))
				certain += set->size.slots;
		}
		rc = check_budget(t, service, slots, err);
		if (rc)
			return rc;
	}
	return check_room(t->in, certain);
}

/* --- what stands in them ------------------------------------------------------------------------- */

static int build_set(const struct jn_transaction *t, const struct jn_port_plan *port,
		     enum jn_family family, struct jn_set_plan *set)
{
	const struct jn_revision *revision = old_revision(t, set);
	int rc = jn_plan_slots(port->desired, port->match.ids, family, revision, &set->slots);

	set->is_same = !rc && !set->is_new && revision && revision->live == port->live.id &&
		       jn_plan_is_published(port->desired, family, &set->slots, revision,
					    jn_datapath_slots(t->in->datapath));
	return rc;
}

int jn_transaction_build(struct jn_transaction *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct jn_service_plan *service = &t->services[i];

		for (size_t at = 0; at < service->port_count * JN_FAMILY_MAX && !rc; at++) {
			struct jn_port_plan *port = &service->ports[at / JN_FAMILY_MAX];
			enum jn_family family = at % JN_FAMILY_MAX;

			if (port->sets[family].is_wanted)
				rc = build_set(t, port, family, &port->sets[family]);
		}
	}
	return rc;
}
