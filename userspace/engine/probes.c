/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is installed, as whoever probes is told it and as people are shown it. Writes no table but to
 * take back, at start, what no probe stands behind any more.
 */
#include "engine/probes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "datapath/datapath.h"

void jn_probes_tell(struct jn_install *in, const struct jn_service_plan *service,
		    const struct jn_port_plan *plan)
{
	const struct jn_desired_port *desired = plan->desired;
	struct jn_probe *probe = desired ? desired->probe : NULL;
	JN_AUTO(jn_free_mem) struct jn_probed_endpoint *endpoints = NULL;
	struct jn_probed_port port = {
		.service = plan->service,
		.namespace_ = service->key.namespace_,
		.name = service->key.name,
		.port_name = desired ? desired->name.port_name : "",
	};

	if (!in->probing.changed || (!probe && !(plan->installed && plan->installed->is_probed)))
		return;
	if (probe && desired->endpoint_count)
		endpoints = calloc(desired->endpoint_count, sizeof(*endpoints));
	if (probe && desired->endpoint_count && !endpoints)
		jn_warn("probe", "out of memory: %s/%s is not probed; give junctord more memory",
			port.namespace_, port.name);
	for (size_t i = 0; endpoints && i < desired->endpoint_count; i++)
		endpoints[i] = (struct jn_probed_endpoint){
			.addr = desired->endpoints[i].addr,
			.port = desired->endpoints[i].port,
			.live = plan->lives[i].id,
			.is_down = jn_datapath_live(in->datapath)[plan->lives[i].id].is_down,
			.takes_new = desired->endpoints[i].weight,
		};
	if (endpoints) {
		port.probe = probe;
		port.max_percent = desired->max_down_percent;
		port.endpoints = endpoints;
		port.count = desired->endpoint_count;
	}
	in->probing.changed(in->probing.context, &port);
}

/* Marks the entries of jn_live whose verdicts somebody keeps true. */
static void mark_probed(const struct jn_install *in, uint8_t *marks, uint32_t count)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(in->datapath);
	struct jn_installed_service **service;
	size_t at = 0;

	while ((service = jn_table_next(&in->installed, &at))) {
		for (size_t p = 0; p < (*service)->count; p++) {
			const struct jn_installed_port *port = &(*service)->ports[p];

			for (unsigned i = 0; port->is_probed && i < port->endpoint_count; i++) {
				uint32_t live = table[port->endpoints[i]].live;

				if (live < count)
					marks[live] = 1;
			}
		}
	}
}

int jn_probes_forget(struct jn_install *in)
{
	uint32_t count = jn_datapath_sizes(in->datapath)->live;
	JN_AUTO(jn_free_mem) uint8_t *marks = calloc(count, 1);
	const struct jn_live *live = jn_datapath_live(in->datapath);

	if (!marks)
		return -ENOMEM;
	mark_probed(in, marks, count);
	for (uint32_t id = 1; id < count; id++) {
		if (live[id].is_down && !marks[id])
			jn_datapath_set_live_down(in->datapath, id, false);
	}
	return 0;
}

/* --- for people ---------------------------------------------------------------------------------- */

/* A port as it is shown. */
struct shown {
	const struct jn_install *in;
	const struct jn_installed_port *port;
	bool heeds_ejection; /* an ejected backend is out for those with an `outlier` alone */
};

static struct shown shown_of(const struct jn_install *in, const struct jn_installed_port *port)
{
	uint32_t set = port->sets[port->sets[JN_FAMILY_V4] ? JN_FAMILY_V4 : JN_FAMILY_V6], index;
	const struct jn_revision *revision = jn_published(in->datapath, set, &index);

	return (struct shown){ in, port, revision && revision->rules.eject_failures };
}

static void show_endpoint(const struct shown *shown, const struct jn_endpoint *endpoint,
			  struct jn_object_status *out)
{
	const struct jn_install *in = shown->in;
	const struct jn_installed_port *port = shown->port;
	const struct jn_live *live = &jn_datapath_live(in->datapath)[endpoint->live];
	struct jn_endpoint_status *status = &out->endpoints[out->endpoint_count];
	const char *reason = NULL;
	bool is_ejected;

	if (!endpoint->live || endpoint->live >= jn_datapath_sizes(in->datapath)->live)
		return;
	is_ejected = shown->heeds_ejection && jn_clock_ns() < live->out_until_ns;
	if (!port->is_probed && !live->is_down && !is_ejected)
		return;
	out->endpoint_count++;
	status->addr = endpoint->addr;
	status->port = ntohs(endpoint->port);
	memcpy(status->port_name, port->port_name, sizeof(status->port_name));
	status->state = live->is_down ? JN_ENDPOINT_DOWN
			: is_ejected  ? JN_ENDPOINT_EJECTED
				      : JN_ENDPOINT_UP;
	if (in->probing.reason)
		reason = in->probing.reason(in->probing.context, endpoint->live);
	if (reason)
		(void)snprintf(status->reason, sizeof(status->reason), "%s", reason);
}

void jn_probes_show(const struct jn_install *in, const struct jn_object *service,
		    struct jn_object_status *out)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(in->datapath);
	const struct jn_installed_service *installed =
		jn_installed_find(&in->installed, &service->key);
	size_t most = 0;

	for (size_t p = 0; installed && p < installed->count; p++) {
		if (installed->ports[p].flags & JN_REVISION_ASKS_BACKEND)
			most += installed->ports[p].endpoint_count;
	}
	out->endpoints = most ? calloc(most, sizeof(*out->endpoints)) : NULL;
	if (!out->endpoints)
		return;
	for (size_t p = 0; p < installed->count; p++) {
		const struct jn_installed_port *port = &installed->ports[p];
		struct shown shown = shown_of(in, port);

		if (!(port->flags & JN_REVISION_ASKS_BACKEND))
			continue;
		for (unsigned i = 0; i < port->endpoint_count; i++)
			show_endpoint(&shown, &table[port->endpoints[i]], out);
	}
}
