/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service against the tables: name, endpoints, sets, frontends of each of its ports, by the same
 * comparisons by which a start and a write find out what differs. The repair writes what differs in the
 * order of a publication: endpoints, slots and a new revision, then the set, then frontends.
 *
 * Of a revision that is replaced here nobody knows whose it is, as the word that led there was not
 * ours: its ids stay taken until the next start reads the tables anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "datapath/datapath.h"
#include "engine/internal.h"
#include "model/rules.h"
#include "proto/address.h"

#define TEXT_BYTES 256

/* The port that is looked at. */
struct look {
	struct jn_engine *e;
	const struct jn_object *object;
	const struct jn_desired_port *desired;
	const struct jn_installed_port *port;
};

static bool repairs(const struct look *look)
{
	return look->e->verify.repairs;
}

static void note(const struct look *look, bool is_repaired, const char *entry, const char *found,
		 const char *expected)
{
	char object[JN_KEY_TEXT_BYTES];

	jn_verify_note(&look->e->verify,
		       &(struct jn_drift){ jn_object_key_text(&look->object->key, object), entry,
					   found, expected, is_repaired });
}

/* --- names --------------------------------------------------------------------------------------- */

static void describe_name(const struct jn_name *name, char out[TEXT_BYTES])
{
	const int most = JN_NAME_BYTES - 1; /* what was found may have no end */

	(void)snprintf(out, TEXT_BYTES, "%.*s/%.*s port \"%.*s\"", most, name->namespace_, most,
		       name->name, most, name->port_name);
}

static void look_at_name(const struct look *look)
{
	struct jn_datapath *datapath = look->e->install.datapath;
	const struct jn_name *expected = &look->desired->name;
	uint32_t service = look->port->service;
	struct jn_name found;
	char entry[64], is[TEXT_BYTES] = "it is missing", shall[TEXT_BYTES];
	size_t done;
	bool is_repaired;
	int rc = jn_datapath_get_name(datapath, service, &found);

	if (!rc && !memcmp(&found, expected, sizeof(found)))
		return;
	is_repaired = repairs(look) &&
		      !jn_datapath_put_names(datapath, &service, expected, 1, &done);
	(void)snprintf(entry, sizeof(entry), "name of service id %u", service);
	if (!rc)
		describe_name(&found, is);
	describe_name(expected, shall);
	note(look, is_repaired, entry, is, shall);
}

/* --- endpoints ----------------------------------------------------------------------------------- */

static void describe(const struct jn_endpoint *endpoint, char out[TEXT_BYTES])
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	(void)snprintf(out, TEXT_BYTES, "%s of service id %u, weight %u, live %u",
		       jn_endpoint_format(&endpoint->addr, ntohs(endpoint->port), text),
		       endpoint->service, endpoint->weight, endpoint->live);
}

static struct jn_endpoint endpoint_of(const struct look *look, unsigned i,
				      const struct jn_endpoint *found)
{
	const struct jn_desired_endpoint *desired = &look->desired->endpoints[i];
	struct jn_frontend_key backend = { .vip = desired->addr,
					   .port = desired->port,
					   .proto = look->desired->name.proto };
	bool is_asked = jn_rules_ask_backends(&look->desired->rules, look->desired->algorithm);

	return (struct jn_endpoint){
		.addr = desired->addr,
		.port = desired->port,
		.weight = desired->weight,
		.service = look->port->service,
		.since_s = found->since_s,
		.live = is_asked ? jn_lives_find(&look->e->install.lives, &backend) : found->live
	};
}

static void look_at_endpoint(const struct look *look, unsigned i)
{
	struct jn_datapath *datapath = look->e->install.datapath;
	uint32_t id = look->port->endpoints[i];
	const struct jn_endpoint found = jn_datapath_endpoints(datapath)[id];
	struct jn_endpoint expected = endpoint_of(look, i, &found);
	char entry[64], is[TEXT_BYTES], shall[TEXT_BYTES];

	if (!memcmp(&found, &expected, sizeof(found)))
		return;
	describe(&found, is);
	if (found.live >= jn_datapath_sizes(datapath)->live)
		expected.live = 0; /* nobody asks, and it leads nowhere */
	describe(&expected, shall);
	if (repairs(look))
		jn_datapath_put_endpoint(datapath, id, &expected);
	(void)snprintf(entry, sizeof(entry), "endpoint %u", id);
	note(look, repairs(look), entry, is, shall);
}

/* --- sets ---------------------------------------------------------------------------------------- */

/* A new revision for the set, as nothing that stands there can be trusted. */
static int publish_anew(const struct look *look, enum jn_family family)
{
	struct jn_install *in = &look->e->install;
	JN_AUTO(jn_free_mem) struct jn_slot *items = NULL;
	struct jn_slot_list slots = { 0 };
	struct jn_revision revision;
	uint32_t index, base = 0;
	int rc = jn_plan_slots(look->desired, look->port->endpoints, family, NULL, &slots);

	items = slots.items;
	if (rc)
		return rc;
	index = jn_ids_take(&in->revisions, jn_clock_ms());
	if (!index)
		return -ENOSPC;
	if (slots.count && jn_ranges_take(&in->slots, (uint32_t)slots.count, &base)) {
		jn_ids_free(&in->revisions, index, 0);
		return -ENOSPC;
	}
	if (!++in->last_number)
		in->last_number = 1; /* 0 means that nothing is published */
	revision = jn_plan_revision(look->desired, family, &slots, in->last_number, base);
	revision.live = look->port->live;
	jn_datapath_put_revision(in->datapath, index, &revision, slots.items);
	jn_datapath_publish(in->datapath, look->port->sets[family], index, in->last_number);
	return 0;
}

/* Very many slots are not built to be compared: that would hold up the loop. *out: is it right? */
static int compare_set(const struct look *look, enum jn_family family,
		       const struct jn_revision *revision, bool *out)
{
	struct jn_slot_list slots = { 0 };
	struct jn_plan_size size;
	int rc = jn_plan_measure(look->desired, family, revision, &size);

	if (rc)
		return rc;
	*out = revision->live == look->port->live;
	if (size.steps >= JN_BIG_BUILD) {
		*out &= revision->algorithm == look->desired->algorithm &&
			!memcmp(&revision->rules, &look->desired->rules, sizeof(revision->rules));
		return 0;
	}
	rc = jn_plan_slots(look->desired, look->port->endpoints, family, revision, &slots);
	if (!rc)
		*out &= jn_plan_is_published(look->desired, family, &slots, revision,
					     jn_datapath_slots(look->e->install.datapath));
	free(slots.items);
	return rc;
}

static int look_at_set(const struct look *look, enum jn_family family)
{
	struct jn_datapath *datapath = look->e->install.datapath;
	uint32_t set = look->port->sets[family], index;
	const struct jn_revision *revision = jn_published(datapath, set, &index);
	bool is_right = false, is_repaired;
	char entry[64], found[64];
	int rc = 0;

	if (!set || !jn_desired_has_family(look->desired, family))
		return 0;
	if (revision)
		rc = compare_set(look, family, revision, &is_right);
	if (rc || is_right)
		return rc;
	is_repaired = repairs(look) && !publish_anew(look, family);
	(void)snprintf(entry, sizeof(entry), "set %u (%s)", set,
		       family == JN_FAMILY_V4 ? "IPv4" : "IPv6");
	(void)snprintf(found, sizeof(found),
		       revision ? "revision %u has other rules or slots"
				: "it publishes no revision that fits together (%u)",
		       index);
	note(look, is_repaired, entry, found, "the choice that is declared");
	return 0;
}

/* --- frontends ----------------------------------------------------------------------------------- */

static void describe_frontend(const struct jn_frontend *frontend, char out[TEXT_BYTES])
{
	(void)snprintf(out, TEXT_BYTES, "service id %u, set %u, namespace %llu", frontend->service,
		       frontend->set, (unsigned long long)frontend->netns_cookie);
}

static void look_at_frontend(const struct look *look, const struct jn_frontend_key *key)
{
	struct jn_datapath *datapath = look->e->install.datapath;
	const struct jn_frontend expected = { .service = look->port->service,
					      .set = look->port->sets[jn_family_of(&key->vip)],
					      .netns_cookie = look->port->netns_cookie };
	struct jn_frontend found;
	char text[JN_FRONTEND_TEXT_BYTES], entry[JN_FRONTEND_TEXT_BYTES + 16];
	char is[TEXT_BYTES] = "it is missing", shall[TEXT_BYTES];
	size_t done;
	bool is_repaired;
	int rc = jn_datapath_get_frontend(datapath, key, &found);

	if (!rc && !memcmp(&found, &expected, sizeof(found)))
		return;
	is_repaired = repairs(look) &&
		      !jn_datapath_put_frontends(datapath, key, &expected, 1, &done);
	(void)snprintf(entry, sizeof(entry), "frontend %s", jn_verify_key_text(key, text));
	if (!rc)
		describe_frontend(&found, is);
	describe_frontend(&expected, shall);
	note(look, is_repaired, entry, is, shall);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int look_at_port(const struct look *look)
{
	int rc = 0;

	/* The records follow what is declared at every write: anything else is a fault of ours. */
	if (!look->port || look->port->endpoint_count != look->desired->endpoint_count) {
		note(look, false, "the record of what is installed",
		     "it has another port or other endpoints", "restart junctord, and report it");
		return 0;
	}
	look_at_name(look);
	for (unsigned i = 0; i < look->desired->endpoint_count; i++)
		look_at_endpoint(look, i);
	for (unsigned family = 0; family < JN_FAMILY_MAX && !rc; family++)
		rc = look_at_set(look, family);
	for (unsigned i = 0; i < look->desired->frontend_count; i++)
		look_at_frontend(look, &look->desired->frontends[i]);
	return rc;
}

int jn_verify_service(struct jn_engine *e, const struct jn_object *service)
{
	const struct jn_installed_service *installed =
		jn_installed_find(&e->install.installed, &service->key);
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	int rc = jn_resolve(e->model, service, &desired);

	for (unsigned i = 0; i < desired.port_count && !rc; i++) {
		const struct jn_name *name = &desired.ports[i].name;
		struct look look = { .e = e,
				     .object = service,
				     .desired = &desired.ports[i],
				     .port = jn_installed_port(installed, name->port_name,
							       name->proto) };

		rc = look_at_port(&look);
	}
	return rc;
}
