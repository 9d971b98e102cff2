/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The index of what is installed. Holds no copy of table contents.
 */
#include "engine/installed.h"

#include <stdlib.h>
#include <string.h>

static bool has_service(const void *entry, const void *key)
{
	struct jn_installed_service *const *service = entry;
	const struct jn_object_key *k = key;

	return (*service)->kind == k->kind && !strcmp((*service)->name, k->name) &&
	       !strcmp((*service)->namespace_, k->namespace_);
}

static const struct jn_table_ops installed_ops = {
	.entry_size = sizeof(struct jn_installed_service *),
	.hash = jn_object_key_hash,
	.equal = has_service,
};

void jn_installed_port_done(struct jn_installed_port *port)
{
	free(port->frontends);
	free(port->endpoints);
	*port = (struct jn_installed_port){ 0 };
}

static void free_service(struct jn_installed_service *service)
{
	for (size_t i = 0; i < service->count; i++)
		jn_installed_port_done(&service->ports[i]);
	free(service->ports);
	free(service);
}

void jn_installed_init(struct jn_table *installed)
{
	jn_table_init(installed, &installed_ops);
}

void jn_installed_done(struct jn_table *installed)
{
	struct jn_installed_service **service;
	size_t at = 0;

	while ((service = jn_table_next(installed, &at)))
		free_service(*service);
	jn_table_done(installed);
}

struct jn_installed_service *jn_installed_find(const struct jn_table *installed,
					       const struct jn_object_key *key)
{
	struct jn_installed_service **service = jn_table_find(installed, key);

	return service ? *service : NULL;
}

struct jn_installed_service *jn_installed_make(struct jn_table *installed,
					       const struct jn_object_key *key)
{
	struct jn_installed_service **entry, *service;
	bool is_new;

	service = jn_installed_find(installed, key);
	if (service)
		return service;
	service = calloc(1, sizeof(*service));
	entry = service ? jn_table_put(installed, key, &is_new) : NULL;
	if (!entry) {
		free(service);
		return NULL;
	}
	service->kind = key->kind;
	memcpy(service->namespace_, key->namespace_, sizeof(service->namespace_));
	memcpy(service->name, key->name, sizeof(service->name)); /* a service's is a label */
	*entry = service;
	return service;
}

struct jn_object_key jn_installed_key(const struct jn_installed_service *service)
{
	return jn_object_key_of(service->kind, service->namespace_, service->name);
}

void jn_installed_drop(struct jn_table *installed, struct jn_installed_service *service)
{
	struct jn_object_key key = jn_installed_key(service);

	jn_table_del(installed, &key);
	free_service(service);
}

struct jn_installed_port *jn_installed_port(const struct jn_installed_service *service,
					    const char *port_name, uint8_t proto)
{
	for (size_t i = 0; service && i < service->count; i++) {
		struct jn_installed_port *port = &service->ports[i];

		if (port->proto == proto && !strcmp(port->port_name, port_name))
			return port;
	}
	return NULL;
}
