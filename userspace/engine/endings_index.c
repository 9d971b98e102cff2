/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services by id, their backends by address, and whom a service address leads to. Ids lead to what
 * is installed by the names in the tables.
 */
#include "engine/endings_index.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "datapath/datapath.h"
#include "engine/installed.h"

/* A service by its id. */
struct service {
	uint32_t id;
	int32_t drain_seconds;
	bool is_installed;
};

static const struct jn_table_ops service_ops = { .entry_size = sizeof(struct service),
						 .key_size = sizeof(uint32_t) };

/* A backend of a service, compared as bytes. */
struct place {
	uint32_t service;
	struct jn_addr addr;
	__be16 port;
	uint16_t pad;
};

static const struct jn_table_ops place_ops = { .entry_size = sizeof(struct place),
					       .key_size = sizeof(struct place) };

/* Whom a service address leads to. */
struct vip {
	struct jn_frontend_key key;
	uint32_t service; /* 0: nobody */
};

static const struct jn_table_ops vip_ops = { .entry_size = sizeof(struct vip),
					     .key_size = sizeof(struct jn_frontend_key) };

void jn_endings_index_init(struct jn_endings_index *index)
{
	jn_table_init(&index->services, &service_ops);
	jn_table_init(&index->places, &place_ops);
	jn_table_init(&index->vips, &vip_ops);
}

void jn_endings_index_done(struct jn_endings_index *index)
{
	jn_table_done(&index->services);
	jn_table_done(&index->places);
	jn_table_done(&index->vips);
}

/* --- reading ------------------------------------------------------------------------------------- */

/* *out is NULL where nothing is installed under this id. */
static int find_port(const struct jn_install *in, uint32_t id, const struct jn_installed_port **out)
{
	const struct jn_installed_port *port;
	struct jn_object_key key;
	struct jn_name name;
	int rc = jn_datapath_get_name(in->datapath, id, &name);

	*out = NULL;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	key = jn_object_key_of(name.kind == JN_NAME_SERVICE ? JN_KIND_SERVICE
							    : JN_KIND_LOCAL_SERVICE,
			       name.namespace_, name.name);
	port = jn_installed_port(jn_installed_find(&in->installed, &key), name.port_name,
				 name.proto);
	if (port && port->service == id)
		*out = port;
	return 0;
}

static int add_port(struct jn_endings_index *index, const struct jn_install *in,
		    const struct jn_installed_port *port)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(in->datapath);

	for (unsigned i = 0; i < port->endpoint_count; i++) {
		const struct jn_endpoint *endpoint = &table[port->endpoints[i]];
		struct place key = { port->service, endpoint->addr, endpoint->port, 0 }, *entry;
		bool is_new;

		entry = jn_table_put(&index->places, &key, &is_new);
		if (!entry)
			return -ENOMEM;
		*entry = key;
	}
	return 0;
}

static int want(struct jn_endings_index *index, const struct jn_install *in, uint32_t id)
{
	const struct jn_installed_port *port;
	struct service *entry;
	bool is_new;
	int rc;

	entry = jn_table_put(&index->services, &id, &is_new);
	if (!entry)
		return -ENOMEM;
	if (!is_new)
		return 0;
	*entry = (struct service){ id, JN_NEVER_DRAINED, false };
	rc = find_port(in, id, &port);
	if (rc || !port)
		return rc;
	entry->is_installed = true;
	entry->drain_seconds = port->drain_seconds;
	return add_port(index, in, port);
}

struct jn_frontend_key jn_stale_vip(const struct jn_stale *socket)
{
	return (struct jn_frontend_key){
		.vip = socket->vip,
		.port = socket->vip_port,
		.proto = socket->proto == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
	};
}

static int want_socket(struct jn_endings_index *index, const struct jn_install *in,
		       const struct jn_stale *socket)
{
	struct jn_frontend_key key = jn_stale_vip(socket);
	struct jn_frontend frontend;
	struct vip *entry;
	bool is_new;
	int rc = want(index, in, socket->service);

	if (rc)
		return rc;
	entry = jn_table_put(&index->vips, &key, &is_new);
	if (!entry)
		return -ENOMEM;
	if (!is_new)
		return 0;
	*entry = (struct vip){ key, 0 };
	rc = jn_datapath_get_frontend(in->datapath, &key, &frontend);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	entry->service = frontend.service;
	return want(index, in, frontend.service);
}

int jn_endings_index_read(struct jn_endings_index *index, const struct jn_install *in,
			  uint64_t generation, const struct jn_stale_list *found)
{
	int rc = 0;

	if (index->generation != generation)
		jn_endings_index_done(index);
	index->generation = generation;
	for (size_t i = 0; i < found->count && !rc; i++)
		rc = want_socket(index, in, &found->items[i]);
	if (rc)
		jn_endings_index_done(
			index); /* what is half read would say that backends are gone */
	return rc;
}

/* --- asking -------------------------------------------------------------------------------------- */

static uint32_t service_today(const struct jn_endings_index *index, const struct jn_stale *socket)
{
	struct jn_frontend_key key = jn_stale_vip(socket);
	const struct vip *vip = jn_table_find(&index->vips, &key);

	return vip ? vip->service : 0;
}

static bool has_backend(const struct jn_endings_index *index, uint32_t service,
			const struct jn_stale *socket)
{
	struct place key = { service, socket->backend, socket->backend_port, 0 };

	return jn_table_find(&index->places, &key);
}

bool jn_endings_index_is_gone(const struct jn_endings_index *index, const struct jn_stale *socket)
{
	uint32_t today = service_today(index, socket);

	return !has_backend(index, socket->service, socket) &&
	       !(today && has_backend(index, today, socket));
}

int32_t jn_endings_index_drain(const struct jn_endings_index *index, const struct jn_stale *socket)
{
	const struct service *service = jn_table_find(&index->services, &socket->service);
	uint32_t today = service_today(index, socket);

	if (!service || !service->is_installed)
		service = jn_table_find(&index->services, &today);
	return service && service->is_installed ? service->drain_seconds : JN_NEVER_DRAINED;
}
