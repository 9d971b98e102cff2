/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is told of an object beside what was declared: its status. Nothing is changed here.
 */
#include <string.h>

#include "engine/internal.h"
#include "engine/probes.h"
#include "model/cluster_count.h"

static void local_status(const struct jn_object *object, struct jn_object_status *out)
{
	const struct jn_local_service *s = &object->service;
	bool is_usable = false;

	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct jn_backend *backend = &s->backends[i];

		if (!backend->is_ready)
			out->not_ready++;
		else if (backend->is_terminating)
			out->terminating++;
		else if (!backend->weight)
			out->weightless++;
		else
			out->ready++;
		is_usable |= backend->is_ready && backend->weight;
	}
	if (!is_usable)
		out->reason = "NoEndpoint";
}

/* Why nobody is to serve this Service here; NULL: somebody is. */
static const char *unserved_reason(const struct jn_object *service)
{
	if (service->cluster.type == JN_SERVICE_EXTERNAL_NAME)
		return "ExternalName";
	if (service->cluster.is_headless || jn_labels_find(&service->labels, JN_LABEL_HEADLESS))
		return "Headless";
	return jn_labels_find(&service->labels, JN_LABEL_PROXY_NAME) ? "OtherProxy" : NULL;
}

static void cluster_status(struct jn_engine *engine, const struct jn_object *object,
			   struct jn_object_status *out)
{
	struct jn_cluster_count count;

	out->reason = unserved_reason(object);
	if (out->reason || jn_cluster_count(engine->model, object, &count))
		return; /* without memory to count there are no counts */
	out->ready = count.ready;
	out->not_ready = count.not_ready;
	out->terminating = count.terminating;
	out->weightless = count.unused;
	if (!count.has_used)
		out->reason = count.has_any ? "NoLocalEndpoint" : "NoEndpoint";
	else if (count.has_sctp)
		out->reason = "SctpNotProgrammed";
}

static const char *policy_reason(struct jn_engine *engine, const struct jn_object *policy)
{
	const struct jn_traffic_policy *p = &policy->policy;
	struct jn_object_key key =
		jn_object_key_of((enum jn_kind)p->target_kind, policy->key.namespace_, p->target);
	const struct jn_object *target = jn_model_find(engine->model, &key);

	if (!target)
		return "TargetNotFound";
	if (!p->port[0])
		return NULL;
	for (unsigned i = 0; i < jn_object_port_count(target); i++) {
		if (!strcmp(jn_object_port(target, i), p->port))
			return NULL;
	}
	return "PortNotFound";
}

void jn_engine_object_status(struct jn_engine *engine, const struct jn_object *object,
			     struct jn_object_status *out)
{
	*out = (struct jn_object_status){
		.generation = object->version,
		.is_programmed = object->version <= engine->installed,
	};
	if (object->key.kind == JN_KIND_LOCAL_SERVICE)
		local_status(object, out);
	else if (object->key.kind == JN_KIND_SERVICE)
		cluster_status(engine, object, out);
	else if (object->key.kind == JN_KIND_TRAFFIC_POLICY)
		out->reason = policy_reason(engine, object);
	if (jn_kind_is_service(object->key.kind))
		jn_probes_show(&engine->install, object, out);
	if (!out->reason && jn_notes_find(&engine->notes, &object->key))
		out->reason = "StateDamaged";
}
