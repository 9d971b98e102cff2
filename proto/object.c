/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as values: names of kinds, references, equality. No text here: decode*.c and encode.c.
 */
#include "proto/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static const struct jn_kind_names names[] = {
	[JN_KIND_LOCAL_SERVICE] = { "LocalService", "localservices", "LocalServiceList" },
	[JN_KIND_TRAFFIC_POLICY] = { "TrafficPolicy", "trafficpolicies", "TrafficPolicyList" },
};
_Static_assert(JN_COUNT(names) == JN_KIND_MAX, "every kind needs its names");

const struct jn_kind_names *jn_kind_names(enum jn_kind kind)
{
	return &names[kind];
}

int jn_kind_by_name(const char *name, enum jn_kind *out)
{
	for (unsigned i = 0; i < JN_KIND_MAX; i++) {
		if (!strcmp(names[i].kind, name)) {
			*out = (enum jn_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

int jn_kind_by_plural(const char *plural, enum jn_kind *out)
{
	for (unsigned i = 0; i < JN_KIND_MAX; i++) {
		if (!strcmp(names[i].plural, plural)) {
			*out = (enum jn_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

uint16_t jn_backend_port(const struct jn_local_service *s, const struct jn_backend *b,
			 unsigned port_index)
{
	for (unsigned i = 0; i < b->override_count; i++) {
		if (b->overrides[i].port_index == port_index)
			return b->overrides[i].number;
	}
	return b->port ? b->port : s->ports[port_index].target_port;
}

const char *jn_endpoint_state_name(enum jn_endpoint_state state)
{
	static const char *const states[] = {
		[JN_ENDPOINT_UP] = "Up",
		[JN_ENDPOINT_DOWN] = "Down",
		[JN_ENDPOINT_EJECTED] = "Ejected",
	};

	return states[state];
}

void jn_object_status_done(struct jn_object_status *status)
{
	free(status->endpoints);
	*status = (struct jn_object_status){ 0 };
}

/* --- references ------------------------------------------------------------------------------- */

static void labels_done(struct jn_labels *labels)
{
	for (unsigned i = 0; i < labels->count; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
}

static void service_done(struct jn_local_service *s)
{
	for (unsigned i = 0; i < s->backend_count; i++)
		free(s->backends[i].overrides);
	free(s->backends);
	free(s->ports);
	free(s->addresses);
}

struct jn_object *jn_object_ref(struct jn_object *o)
{
	o->references++;
	return o;
}

void jn_object_unref(struct jn_object **o)
{
	struct jn_object *object = JN_MOVE(*o);

	if (!object || --object->references)
		return;
	labels_done(&object->labels);
	labels_done(&object->annotations);
	if (object->key.kind == JN_KIND_LOCAL_SERVICE)
		service_done(&object->service);
	else
		jn_probe_unref(&object->policy.probe);
	free(object);
}

void jn_object_list_done(struct jn_object_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		jn_object_unref(&list->items[i]);
	free(list->items);
	*list = (struct jn_object_list){ 0 };
}

/* --- equality: field by field, as structs have pads ------------------------------------------- */

static bool labels_equal(const struct jn_labels *a, const struct jn_labels *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		if (strcmp(a->items[i].key, b->items[i].key) ||
		    strcmp(a->items[i].value, b->items[i].value))
			return false;
	}
	return true;
}

static bool ports_equal(const struct jn_port *a, const struct jn_port *b)
{
	return a->port == b->port && a->target_port == b->target_port && a->proto == b->proto &&
	       !strcmp(a->name, b->name);
}

static bool backends_equal(const struct jn_backend *a, const struct jn_backend *b)
{
	if (memcmp(&a->addr, &b->addr, sizeof(a->addr)) || a->port != b->port ||
	    a->weight != b->weight || a->is_ready != b->is_ready ||
	    a->is_terminating != b->is_terminating || a->override_count != b->override_count)
		return false;
	for (unsigned i = 0; i < a->override_count; i++) {
		if (a->overrides[i].port_index != b->overrides[i].port_index ||
		    a->overrides[i].number != b->overrides[i].number)
			return false;
	}
	return true;
}

static bool services_equal(const struct jn_local_service *a, const struct jn_local_service *b)
{
	if (a->address_count != b->address_count || a->port_count != b->port_count ||
	    a->backend_count != b->backend_count)
		return false;
	if (memcmp(a->addresses, b->addresses, a->address_count * sizeof(*a->addresses)) != 0)
		return false;
	for (unsigned i = 0; i < a->port_count; i++) {
		if (!ports_equal(&a->ports[i], &b->ports[i]))
			return false;
	}
	for (unsigned i = 0; i < a->backend_count; i++) {
		if (!backends_equal(&a->backends[i], &b->backends[i]))
			return false;
	}
	return true;
}

static bool outliers_equal(const struct jn_outlier_spec *a, const struct jn_outlier_spec *b)
{
	return a->failures == b->failures && a->window_seconds == b->window_seconds &&
	       a->base_seconds == b->base_seconds && a->max_seconds == b->max_seconds &&
	       a->max_percent == b->max_percent;
}

static bool limits_equal(const struct jn_limits_spec *a, const struct jn_limits_spec *b)
{
	return a->connections == b->connections && a->new_per_second == b->new_per_second &&
	       a->connections_per_backend == b->connections_per_backend;
}

static bool policies_equal(const struct jn_traffic_policy *a, const struct jn_traffic_policy *b)
{
	return !strcmp(a->target, b->target) && !strcmp(a->port, b->port) &&
	       a->algorithm == b->algorithm && a->no_endpoint_errno == b->no_endpoint_errno &&
	       a->slow_start_seconds == b->slow_start_seconds &&
	       a->affinity.type == b->affinity.type &&
	       a->affinity.timeout_seconds == b->affinity.timeout_seconds &&
	       a->drain_seconds == b->drain_seconds && outliers_equal(&a->outlier, &b->outlier) &&
	       limits_equal(&a->limits, &b->limits) && jn_probe_equal(a->probe, b->probe);
}

bool jn_object_equal(const struct jn_object *a, const struct jn_object *b)
{
	if (memcmp(&a->key, &b->key, sizeof(a->key)) != 0)
		return false;
	if (!labels_equal(&a->labels, &b->labels) ||
	    !labels_equal(&a->annotations, &b->annotations))
		return false;
	if (a->key.kind == JN_KIND_LOCAL_SERVICE)
		return services_equal(&a->service, &b->service);
	return policies_equal(&a->policy, &b->policy);
}
