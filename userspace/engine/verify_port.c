/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service against the tables: name, endpoints, sets, frontends of each of its ports, by the same
 * comparisons by which a start and a write find out what differs. The repair puts back single entries;
 * a set is published anew by a write of its service that declares nothing.
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
#define MOST_STEPS 16384 /* of builds for one service: less than a millisecond */

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
	int rc;

	if (jn_reading_has_name(&look->e->verify.reading, service, expected))
		return;
	rc = jn_datapath_get_name(datapath, service, &found);
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

/*
 * What takes long to build is not built to be compared: that would hold up the loop. Its slots are those
 * that were published, if their sum is.
 */
static bool is_as_published(const struct look *look, enum jn_family family,
			    const struct jn_revision *revision)
{
	const struct jn_slot *slots = jn_datapath_slots(look->e->install.datapath);

	return revision->algorithm == look->desired->algorithm &&
	       revision->no_endpoint_errno == look->desired->no_endpoint_errno &&
	       revision->flags == jn_plan_set_flags(look->desired, family) &&
	       !memcmp(&revision->rules, &look->desired->rules, sizeof(revision->rules)) &&
	       look->port->published[family].sum ==
		       jn_slots_sum(slots + revision->slot_base, jn_revision_slots(revision));
}

/* *out: is it right? */
static int compare_set(const struct look *look, enum jn_family family,
		       const struct jn_revision *revision, bool *out)
{
	const struct jn_slot *table = jn_datapath_slots(look->e->install.datapath);
	struct jn_slot_list slots = { 0 };
	struct jn_plan_size size;
	int rc = jn_plan_measure(look->desired, family, revision, &size);

	if (rc)
		return rc;
	*out = revision->live == look->port->live;
	look->e->verify.look.steps += size.steps;
	if (look->e->verify.look.steps > MOST_STEPS) {
		*out &= is_as_published(look, family, revision);
		return 0;
	}
	rc = jn_plan_slots(look->desired, look->port->endpoints, family, revision, &slots);
	if (!rc)
		*out &= jn_plan_is_published(look->desired, family, &slots, revision, table);
	free(slots.items);
	return rc;
}

static void note_set(const struct look *look, enum jn_family family)
{
	const struct jn_publication *own = &look->port->published[family];
	uint32_t set = look->port->sets[family], index;
	const struct jn_revision *revision = jn_published(look->e->install.datapath, set, &index);
	char entry[64], found[64], expected[64] = "the choice that is declared";

	(void)snprintf(entry, sizeof(entry), "set %u (%s)", set,
		       family == JN_FAMILY_V4 ? "IPv4" : "IPv6");
	(void)snprintf(found, sizeof(found),
		       !revision		? "it publishes no revision that fits together (%u)"
		       : index != own->revision ? "it publishes revision %u, another's"
						: "revision %u has other rules or slots",
		       index);
	if (revision && index != own->revision)
		(void)snprintf(expected, sizeof(expected), "revision %u", own->revision);
	note(look, false, entry, found, expected);
	jn_verify_await(&look->e->verify);
}

static int look_at_set(const struct look *look, enum jn_family family)
{
	const struct jn_revision *own;
	bool is_right = false;
	int rc = 0;

	if (!look->port->sets[family] || !jn_desired_has_family(look->desired, family))
		return 0;
	own = jn_published_own(look->e->install.datapath, look->port, family);
	if (own)
		rc = compare_set(look, family, own, &is_right);
	if (!rc && !is_right)
		note_set(look, family);
	return rc;
}

/* --- frontends ----------------------------------------------------------------------------------- */

static void describe_frontend(const struct jn_frontend *frontend, char out[TEXT_BYTES])
{
	(void)snprintf(out, TEXT_BYTES, "service id %u, set %u, namespace %llu", frontend->service,
		       frontend->set, (unsigned long long)frontend->netns_cookie);
}

static struct jn_frontend frontend_of(const struct look *look, const struct jn_frontend_key *key)
{
	return (struct jn_frontend){ .service = look->port->service,
				     .set = look->port->sets[jn_family_of(&key->vip)],
				     .netns_cookie = look->port->netns_cookie };
}

static void look_at_frontend(const struct look *look, const struct jn_frontend_key *key)
{
	struct jn_datapath *datapath = look->e->install.datapath;
	const struct jn_frontend expected = frontend_of(look, key);
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

static void look_at_frontends(const struct look *look)
{
	const struct jn_desired_port *desired = look->desired;
	uint64_t sum = 0;

	for (unsigned i = 0; i < desired->frontend_count; i++) {
		const struct jn_frontend expected = frontend_of(look, &desired->frontends[i]);

		sum += jn_reading_sum(&desired->frontends[i], &expected);
	}
	if (jn_reading_has_frontends(&look->e->verify.reading, look->port->service, sum))
		return;
	for (unsigned i = 0; i < desired->frontend_count; i++)
		look_at_frontend(look, &desired->frontends[i]);
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
	look_at_frontends(look);
	return rc;
}

void jn_verify_leave(struct jn_verify_look *look)
{
	jn_desired_done(&look->desired);
	*look = (struct jn_verify_look){ 0 };
}

/* Once, and again where something was declared between two ports. */
static int resolve(struct jn_engine *e, const struct jn_object *service)
{
	struct jn_verify_look *look = &e->verify.look;

	if (look->is_resolved && look->generation == e->generation)
		return 0;
	jn_desired_done(&look->desired);
	look->desired = (struct jn_desired){ 0 };
	look->is_resolved = true;
	look->generation = e->generation;
	return jn_resolve(e->model, service, &look->desired);
}

int jn_verify_next_port(struct jn_engine *e, const struct jn_object *service, bool *is_over)
{
	const struct jn_installed_service *installed =
		jn_installed_find(&e->install.installed, &service->key);
	struct jn_verify_look *at = &e->verify.look;
	int rc = resolve(e, service);

	if (!rc && at->at_port < at->desired.port_count) {
		const struct jn_desired_port *desired = &at->desired.ports[at->at_port++];
		const struct jn_name *name = &desired->name;
		struct look look = { .e = e,
				     .object = service,
				     .desired = desired,
				     .port = jn_installed_port(installed, name->port_name,
							       name->proto) };

		rc = look_at_port(&look);
	}
	*is_over = rc || at->at_port >= at->desired.port_count;
	if (*is_over)
		jn_verify_leave(at);
	if (*is_over && !rc)
		jn_verify_rewrite(e, &service->key);
	return rc;
}
