/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Claims of objects on each other. Entering a batch first takes out what its old objects claimed,
 * so that an address may move between two objects of one request.
 */
#include "model/claims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/claimed.h"
#include "proto/address.h"

struct frontend_claim {
	struct jn_frontend_key key;
	const struct jn_object *owner;
};

struct backend_claim {
	struct jn_frontend_key key;
	uint32_t count;
};

struct policy_key {
	char namespace_[JN_NAME_BYTES];
	char target[JN_NAME_BYTES];
	char port[JN_NAME_BYTES];
};

struct policy_claim {
	struct policy_key key;
	const struct jn_object *owner;
};

/* Of objects' keys, but for the kind. */
static uint64_t hash_name(const void *key)
{
	const struct jn_object_key *k = key;

	return jn_hash_bytes(k->namespace_, strlen(k->namespace_)) * 31 +
	       jn_hash_bytes(k->name, strlen(k->name));
}

static bool has_name(const void *entry, const void *key)
{
	const struct jn_object *const *owner = entry;
	const struct jn_object_key *k = key;

	return !strcmp((*owner)->key.name, k->name) &&
	       !strcmp((*owner)->key.namespace_, k->namespace_);
}

static const struct jn_table_ops frontends_ops = { .entry_size = sizeof(struct frontend_claim),
						   .key_size = sizeof(struct jn_frontend_key) };
static const struct jn_table_ops backends_ops = { .entry_size = sizeof(struct backend_claim),
						  .key_size = sizeof(struct jn_frontend_key) };
static const struct jn_table_ops policies_ops = { .entry_size = sizeof(struct policy_claim),
						  .key_size = sizeof(struct policy_key) };
static const struct jn_table_ops names_ops = {
	.entry_size = sizeof(struct jn_object *),
	.hash = hash_name,
	.equal = has_name,
};

void jn_claims_init(struct jn_claims *c)
{
	jn_table_init(&c->frontends, &frontends_ops);
	jn_table_init(&c->backends, &backends_ops);
	jn_table_init(&c->policies, &policies_ops);
	jn_table_init(&c->names, &names_ops);
	jn_slice_index_init(&c->slices);
}

void jn_claims_done(struct jn_claims *c)
{
	jn_table_done(&c->frontends);
	jn_table_done(&c->backends);
	jn_table_done(&c->policies);
	jn_table_done(&c->names);
	jn_slice_index_done(&c->slices);
}

void jn_claims_fault(const struct jn_changes *changes, const struct jn_change *change,
		     const struct jn_fault *fault, struct jn_error *err, const char *format, ...)
{
	char path[256], sentence[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut at worst */
	va_end(args);
	if (changes->list_word)
		(void)snprintf(path, sizeof(path), "%s[%u].%s", changes->list_word,
			       change->position, fault->field);
	else
		(void)snprintf(path, sizeof(path), "%s", fault->field);
	jn_error_cause(err, fault->kind, fault->reason, path, "%s", sentence);
}

static struct policy_key policy_key_of(const struct jn_object *o)
{
	struct policy_key key = { 0 };

	memcpy(key.namespace_, o->key.namespace_, sizeof(key.namespace_));
	memcpy(key.target, o->policy.target, sizeof(key.target));
	memcpy(key.port, o->policy.port, sizeof(key.port));
	return key;
}

/* --- entering and taking out -------------------------------------------------------------------- */

struct entering {
	struct jn_claims *claims;
	const struct jn_changes *changes;
	const struct jn_change *change;
	struct jn_object *object;
	struct jn_error *err; /* NULL: nothing can be wrong with what was right before */
};

static void describe(const struct jn_claimed *claimed, char text[JN_ENDPOINT_TEXT_BYTES + 8])
{
	char address[JN_ENDPOINT_TEXT_BYTES];

	(void)snprintf(text, JN_ENDPOINT_TEXT_BYTES + 8, "%s/%s",
		       jn_endpoint_format(&claimed->key.vip, ntohs(claimed->key.port), address),
		       claimed->key.proto == IPPROTO_TCP ? "TCP" : "UDP");
}

/* taken: the claim of another object on the same frontend, or NULL. */
static void check_frontend(struct entering *e, const struct jn_claimed *claimed,
			   const struct frontend_claim *taken)
{
	bool is_backend = jn_table_find(&e->claims->backends, &claimed->key) != NULL;
	char text[JN_ENDPOINT_TEXT_BYTES + 8], field[JN_CLAIMED_FIELD_BYTES];
	struct jn_fault fault = { JN_ERROR_CONFLICT, JN_CAUSE_DUPLICATE, field };

	if (!taken && !is_backend)
		return;
	describe(claimed, text);
	jn_claimed_field(e->object, claimed, field);
	if (taken)
		jn_claims_fault(e->changes, e->change, &fault, e->err,
				"%s belongs to %s %s/%s; choose another address or port, or remove "
				"it there first",
				text, jn_kind_names(taken->owner->key.kind)->kind,
				taken->owner->key.namespace_, taken->owner->key.name);
	fault.reason = JN_CAUSE_INVALID;
	if (is_backend)
		jn_claims_fault(e->changes, e->change, &fault, e->err,
				"%s is a backend of another service; a service address must not be "
				"one: choose another address or port",
				text);
}

static void enter_frontend(void *arg, const struct jn_claimed *claimed)
{
	struct entering *e = arg;
	struct frontend_claim *claim;
	bool is_new;

	claim = jn_table_put(&e->claims->frontends, &claimed->key, &is_new);
	if (is_new) {
		claim->key = claimed->key;
		claim->owner = e->object;
	}
	if (e->err)
		check_frontend(e, claimed, is_new ? NULL : claim);
}

static void enter_backend(void *arg, const struct jn_claimed *claimed)
{
	struct entering *e = arg;
	struct backend_claim *claim;
	bool is_new;

	claim = jn_table_put(&e->claims->backends, &claimed->key, &is_new);
	claim->key = claimed->key;
	claim->count++;
}

static void check_backend(void *arg, const struct jn_claimed *claimed)
{
	struct entering *e = arg;
	const struct frontend_claim *claim = jn_table_find(&e->claims->frontends, &claimed->key);
	char text[JN_ENDPOINT_TEXT_BYTES + 8], field[JN_CLAIMED_FIELD_BYTES];
	const struct jn_fault fault = { JN_ERROR_INVALID, JN_CAUSE_INVALID, field };

	if (!claim)
		return;
	describe(claimed, text);
	jn_claimed_field(e->object, claimed, field);
	jn_claims_fault(e->changes, e->change, &fault, e->err,
			"%s is a service address of %s/%s; name the backends behind it instead",
			text, claim->owner->key.namespace_, claim->owner->key.name);
}

static void leave_frontend(void *arg, const struct jn_claimed *claimed)
{
	struct entering *e = arg;
	const struct frontend_claim *claim = jn_table_find(&e->claims->frontends, &claimed->key);

	if (claim && claim->owner == e->object)
		jn_table_del(&e->claims->frontends, &claimed->key);
}

static void leave_backend(void *arg, const struct jn_claimed *claimed)
{
	struct entering *e = arg;
	struct backend_claim *claim = jn_table_find(&e->claims->backends, &claimed->key);

	if (claim && !--claim->count)
		jn_table_del(&e->claims->backends, &claimed->key);
}

static void enter_policy(struct entering *e)
{
	static const struct jn_fault taken = { JN_ERROR_CONFLICT, JN_CAUSE_DUPLICATE,
					       "spec.targetRef" };
	struct policy_claim *claim;
	struct policy_key key;
	bool is_new;

	if (!e->object || e->object->key.kind != JN_KIND_TRAFFIC_POLICY)
		return;
	key = policy_key_of(e->object);
	claim = jn_table_put(&e->claims->policies, &key, &is_new);
	if (is_new) {
		claim->key = key;
		claim->owner = e->object;
	} else if (e->err) {
		jn_claims_fault(e->changes, e->change, &taken, e->err,
				"TrafficPolicy %s/%s governs this target and port already; change "
				"or delete that one",
				claim->owner->key.namespace_, claim->owner->key.name);
	}
}

static void leave_policy(struct entering *e)
{
	const struct policy_claim *claim;
	struct policy_key key;

	if (!e->object || e->object->key.kind != JN_KIND_TRAFFIC_POLICY)
		return;
	key = policy_key_of(e->object);
	claim = jn_table_find(&e->claims->policies, &key);
	if (claim && claim->owner == e->object)
		jn_table_del(&e->claims->policies, &key);
}

/* One name is one service, whatever its kind: else nobody could tell which of two is meant. */
static void enter_name(struct entering *e)
{
	static const struct jn_fault taken = { JN_ERROR_CONFLICT, JN_CAUSE_DUPLICATE,
					       "metadata.name" };
	const struct jn_object **owner;
	bool is_new;

	if (!e->object || !jn_kind_is_service(e->object->key.kind))
		return;
	owner = jn_table_put(&e->claims->names, &e->object->key, &is_new);
	if (is_new)
		*owner = e->object;
	else if (e->err)
		jn_claims_fault(e->changes, e->change, &taken, e->err,
				"the name belongs to %s %s/%s, and one name is one service; choose "
				"another, or delete that one first",
				jn_kind_names((*owner)->key.kind)->kind, (*owner)->key.namespace_,
				(*owner)->key.name);
}

static void leave_name(struct entering *e)
{
	const struct jn_object **owner;

	if (!e->object || !jn_kind_is_service(e->object->key.kind))
		return;
	owner = jn_table_find(&e->claims->names, &e->object->key);
	if (owner && *owner == e->object)
		jn_table_del(&e->claims->names, &e->object->key);
}

static void enter_slice(struct entering *e)
{
	if (e->object && e->object->key.kind == JN_KIND_ENDPOINT_SLICE)
		jn_slice_index_add(&e->claims->slices, e->object);
}

static void leave_slice(struct entering *e)
{
	if (e->object && e->object->key.kind == JN_KIND_ENDPOINT_SLICE)
		jn_slice_index_del(&e->claims->slices, e->object);
}

/* Room for everything the batch may claim, so that no later step can fail. */
static int reserve(struct jn_claims *c, const struct jn_changes *changes)
{
	size_t frontends = 0, backends = 0, policies = 0, names = 0, slices = 0;

	for (size_t i = 0; i < changes->count; i++) {
		const struct jn_object *after = changes->items[i].after;

		if (!after)
			continue;
		frontends += jn_claimed_most_frontends(after);
		backends += jn_claimed_most_backends(after);
		policies += after->key.kind == JN_KIND_TRAFFIC_POLICY;
		names += jn_kind_is_service(after->key.kind);
		slices += after->key.kind == JN_KIND_ENDPOINT_SLICE;
	}
	if (jn_table_reserve(&c->frontends, c->frontends.count + frontends) ||
	    jn_table_reserve(&c->backends, c->backends.count + backends) ||
	    jn_table_reserve(&c->policies, c->policies.count + policies) ||
	    jn_table_reserve(&c->names, c->names.count + names) ||
	    jn_table_reserve(&c->slices.services, c->slices.services.count + slices))
		return -ENOMEM;
	return 0;
}

enum side { SIDE_BEFORE, SIDE_AFTER };

static struct entering entering_of(struct jn_claims *c, const struct jn_changes *changes, size_t i,
				   enum side side)
{
	const struct jn_change *change = &changes->items[i];

	return (struct entering){
		.claims = c,
		.changes = changes,
		.change = change,
		.object = side == SIDE_BEFORE ? change->before : change->after,
	};
}

static void leave_all(struct jn_claims *c, const struct jn_changes *changes, enum side side)
{
	for (size_t i = 0; i < changes->count; i++) {
		struct entering e = entering_of(c, changes, i, side);

		jn_claimed_frontends(e.object, leave_frontend, &e);
		jn_claimed_backends(e.object, leave_backend, &e);
		leave_policy(&e);
		leave_name(&e);
		leave_slice(&e);
	}
}

/* err NULL: put back what stood there before. */
static void enter_all(struct jn_claims *c, const struct jn_changes *changes, enum side side,
		      struct jn_error *err)
{
	/* Frontends first: they are checked against the backends of objects outside the batch. */
	for (size_t i = 0; i < changes->count; i++) {
		struct entering e = entering_of(c, changes, i, side);

		e.err = err;
		jn_claimed_frontends(e.object, enter_frontend, &e);
		enter_policy(&e);
		enter_name(&e);
		enter_slice(&e);
	}
	for (size_t i = 0; i < changes->count; i++) {
		struct entering e = entering_of(c, changes, i, side);

		e.err = err;
		jn_claimed_backends(e.object, enter_backend, &e);
		if (err)
			jn_claimed_backends(e.object, check_backend, &e);
	}
}

int jn_claims_enter(struct jn_claims *c, const struct jn_changes *changes, struct jn_error *err)
{
	if (reserve(c, changes))
		return -ENOMEM;
	leave_all(c, changes, SIDE_BEFORE);
	enter_all(c, changes, SIDE_AFTER, err);
	if (!jn_error_is_set(err))
		return 0;
	jn_claims_take_back(c, changes);
	return -EINVAL;
}

void jn_claims_take_back(struct jn_claims *c, const struct jn_changes *changes)
{
	leave_all(c, changes, SIDE_AFTER);
	enter_all(c, changes, SIDE_BEFORE, NULL);
}

const struct jn_object *jn_claims_owner(const struct jn_claims *c,
					const struct jn_frontend_key *key)
{
	const struct frontend_claim *claim = jn_table_find(&c->frontends, key);

	return claim ? claim->owner : NULL;
}

const struct jn_object *jn_claims_policy(const struct jn_claims *c, const char *namespace_,
					 const char *target, const char *port)
{
	const struct policy_claim *claim;
	struct policy_key key = { 0 };

	(void)snprintf(key.namespace_, sizeof(key.namespace_), "%s", namespace_);
	(void)snprintf(key.target, sizeof(key.target), "%s", target);
	(void)snprintf(key.port, sizeof(key.port), "%s", port);
	claim = jn_table_find(&c->policies, &key);
	return claim ? claim->owner : NULL;
}
