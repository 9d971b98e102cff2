/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as values: names of kinds, references, equality. No text here: decode*.c and encode.c.
 */
#include "proto/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/table.h"

static const struct jn_kind_names names[] = {
	[JN_KIND_LOCAL_SERVICE] = { .kind = "LocalService",
				    .plural = "localservices",
				    .list = "LocalServiceList",
				    .api_version = JN_API_VERSION },
	[JN_KIND_TRAFFIC_POLICY] = { .kind = "TrafficPolicy",
				     .plural = "trafficpolicies",
				     .list = "TrafficPolicyList",
				     .api_version = JN_API_VERSION },
	[JN_KIND_SERVICE] = { .kind = "Service",
			      .plural = "services",
			      .list = "ServiceList",
			      .api_version = "v1" },
	[JN_KIND_ENDPOINT_SLICE] = { .kind = "EndpointSlice",
				     .plural = "endpointslices",
				     .list = "EndpointSliceList",
				     .api_version = "discovery.k8s.io/v1" },
	[JN_KIND_NODE] = { .kind = "Node",
			   .plural = "nodes",
			   .list = "NodeList",
			   .api_version = "v1",
			   .has_no_namespace = true },
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

struct jn_object_key jn_object_key_of(enum jn_kind kind, const char *namespace_, const char *name)
{
	struct jn_object_key key = { .kind = kind };

	(void)snprintf(key.namespace_, sizeof(key.namespace_), "%s", namespace_);
	(void)snprintf(key.name, sizeof(key.name), "%s", name);
	return key;
}

uint64_t jn_object_key_hash(const void *key)
{
	const struct jn_object_key *k = key;

	return jn_hash_bytes(k->namespace_, strlen(k->namespace_)) * 31 +
	       jn_hash_bytes(k->name, strlen(k->name)) + k->kind;
}

const char *jn_object_key_text(const struct jn_object_key *key, char out[JN_KEY_TEXT_BYTES])
{
	(void)snprintf(out, JN_KEY_TEXT_BYTES, "%s %s%s%s", jn_kind_names(key->kind)->kind,
		       key->namespace_, *key->namespace_ ? "/" : "", key->name);
	return out;
}

const char *jn_labels_find(const struct jn_labels *labels, const char *key)
{
	for (unsigned i = 0; i < labels->count; i++) {
		if (!strcmp(labels->items[i].key, key))
			return labels->items[i].value;
	}
	return NULL;
}

bool jn_object_is_foreign(const struct jn_object *o)
{
	return jn_labels_find(&o->labels, JN_LABEL_PROXY_NAME) ||
	       jn_labels_find(&o->labels, JN_LABEL_HEADLESS);
}

unsigned jn_object_port_count(const struct jn_object *service)
{
	return service->key.kind == JN_KIND_SERVICE ? service->cluster.port_count
						    : service->service.port_count;
}

const char *jn_object_port(const struct jn_object *service, unsigned index)
{
	return service->key.kind == JN_KIND_SERVICE ? service->cluster.ports[index].name
						    : service->service.ports[index].name;
}

bool jn_object_has_cluster_ips(const struct jn_object *o)
{
	return o->cluster.address_count && !jn_object_is_foreign(o);
}

const char *jn_owner_name(enum jn_owner owner)
{
	static const char *const owners[] = { [JN_OWNER_API] = "api", [JN_OWNER_FILE] = "file" };

	_Static_assert(JN_COUNT(owners) == JN_OWNER_MAX, "every owner needs its name");
	return owners[owner];
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

void jn_slice_drop_endpoints(struct jn_endpoint_slice *s)
{
	for (unsigned i = 0; i < s->endpoint_count; i++) {
		struct jn_slice_endpoint *endpoint = &s->endpoints[i];

		free(endpoint->node);
		if (endpoint->hints) {
			free(endpoint->hints->zones);
			free(endpoint->hints->nodes);
		}
		free(endpoint->hints);
	}
	free(JN_MOVE(s->endpoints));
	s->endpoint_count = 0;
}

static void slice_done(struct jn_endpoint_slice *s)
{
	jn_slice_drop_endpoints(s);
	free(s->ports);
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
	free(object->file);
	labels_done(&object->labels);
	labels_done(&object->annotations);
	if (object->key.kind == JN_KIND_LOCAL_SERVICE)
		service_done(&object->service);
	else if (object->key.kind == JN_KIND_SERVICE)
		free(object->cluster.ports);
	else if (object->key.kind == JN_KIND_ENDPOINT_SLICE)
		slice_done(&object->slice);
	else if (object->key.kind == JN_KIND_TRAFFIC_POLICY)
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
	return !strcmp(a->target, b->target) && a->target_kind == b->target_kind &&
	       !strcmp(a->port, b->port) && a->algorithm == b->algorithm &&
	       a->no_endpoint_errno == b->no_endpoint_errno &&
	       a->slow_start_seconds == b->slow_start_seconds &&
	       a->affinity.type == b->affinity.type &&
	       a->affinity.timeout_seconds == b->affinity.timeout_seconds &&
	       a->drain_seconds == b->drain_seconds && outliers_equal(&a->outlier, &b->outlier) &&
	       limits_equal(&a->limits, &b->limits) && jn_probe_equal(a->probe, b->probe);
}

static bool cluster_ports_equal(const struct jn_cluster_port *a, const struct jn_cluster_port *b)
{
	return a->port == b->port && a->proto == b->proto && !strcmp(a->name, b->name);
}

static bool clusters_equal(const struct jn_cluster_service *a, const struct jn_cluster_service *b)
{
	if (a->address_count != b->address_count || a->port_count != b->port_count ||
	    a->is_headless != b->is_headless || a->type != b->type || a->is_local != b->is_local ||
	    a->affinity.type != b->affinity.type ||
	    a->affinity.timeout_seconds != b->affinity.timeout_seconds ||
	    memcmp(a->addresses, b->addresses, a->address_count * sizeof(*a->addresses)) != 0)
		return false;
	for (unsigned i = 0; i < a->port_count; i++) {
		if (!cluster_ports_equal(&a->ports[i], &b->ports[i]))
			return false;
	}
	return true;
}

/* Names one after the other. */
static bool names_equal(const char *a, const char *b, unsigned count)
{
	while (count--) {
		if (strcmp(a, b) != 0)
			return false;
		a += strlen(a) + 1;
		b += strlen(b) + 1;
	}
	return true;
}

static bool hints_equal(const struct jn_hints *a, const struct jn_hints *b)
{
	if (!a || !b)
		return a == b;
	return a->zone_count == b->zone_count && a->node_count == b->node_count &&
	       names_equal(a->zones, b->zones, a->zone_count) &&
	       names_equal(a->nodes, b->nodes, a->node_count);
}

static bool endpoints_equal(const struct jn_slice_endpoint *a, const struct jn_slice_endpoint *b)
{
	if (memcmp(&a->addr, &b->addr, sizeof(a->addr)) != 0 || a->is_ready != b->is_ready ||
	    a->is_serving != b->is_serving || a->is_terminating != b->is_terminating ||
	    !a->node != !b->node)
		return false;
	return (!a->node || !strcmp(a->node, b->node)) && hints_equal(a->hints, b->hints);
}

static bool slices_equal(const struct jn_endpoint_slice *a, const struct jn_endpoint_slice *b)
{
	if (a->address_type != b->address_type || a->port_count != b->port_count ||
	    a->endpoint_count != b->endpoint_count)
		return false;
	for (unsigned i = 0; i < a->port_count; i++) {
		if (a->ports[i].port != b->ports[i].port ||
		    a->ports[i].proto != b->ports[i].proto ||
		    strcmp(a->ports[i].name, b->ports[i].name) != 0)
			return false;
	}
	for (unsigned i = 0; i < a->endpoint_count; i++) {
		if (!endpoints_equal(&a->endpoints[i], &b->endpoints[i]))
			return false;
	}
	return true;
}

bool jn_object_equal(const struct jn_object *a, const struct jn_object *b)
{
	if (memcmp(&a->key, &b->key, sizeof(a->key)) != 0)
		return false;
	if (!labels_equal(&a->labels, &b->labels) ||
	    !labels_equal(&a->annotations, &b->annotations))
		return false;
	switch (a->key.kind) {
	case JN_KIND_LOCAL_SERVICE:
		return services_equal(&a->service, &b->service);
	case JN_KIND_TRAFFIC_POLICY:
		return policies_equal(&a->policy, &b->policy);
	case JN_KIND_SERVICE:
		return clusters_equal(&a->cluster, &b->cluster);
	case JN_KIND_ENDPOINT_SLICE:
		return slices_equal(&a->slice, &b->slice);
	default: /* a Node: its labels are all we know of it */
		return true;
	}
}

bool jn_object_same_owner(const struct jn_object *a, const struct jn_object *b)
{
	return a->owner == b->owner && !strcmp(a->file ? a->file : "", b->file ? b->file : "");
}
