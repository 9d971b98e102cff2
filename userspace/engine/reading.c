/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pass over each table, by descriptors of its own, so that a growth meanwhile takes none away from
 * it; of values sums are kept, 16 bytes a service. It does NOT compare.
 */
#include "engine/reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "netlink/routes.h"

static uint64_t sum_of_name(const struct jn_name *name)
{
	return jn_hash_bytes(name, sizeof(*name)) | 1; /* never 0, which says that there is none */
}

uint64_t jn_reading_sum(const struct jn_frontend_key *key, const struct jn_frontend *value)
{
	unsigned char entry[sizeof(*key) + sizeof(*value)];

	memcpy(entry, key, sizeof(*key));
	memcpy(entry + sizeof(*key), value, sizeof(*value));
	return jn_hash_bytes(entry, sizeof(entry));
}

static int read_frontend(void *arg, const struct jn_frontend_key *key,
			 const struct jn_frontend *value)
{
	struct jn_reading *r = arg;
	struct jn_frontend_key *item = jn_vec_add(&r->keys);

	if (!item)
		return -ENOMEM;
	*item = *key;
	if (value->service < r->service_count)
		r->services[value->service].frontends += jn_reading_sum(key, value);
	return 0;
}

static int read_name(void *arg, uint32_t service, const struct jn_name *name)
{
	struct jn_reading *r = arg;

	if (service < r->service_count)
		r->services[service].name = sum_of_name(name);
	return 0;
}

static int read_route(void *arg, const struct jn_addr *addr)
{
	struct jn_reading *r = arg;
	struct jn_addr *item = jn_vec_add(&r->routes);

	if (!item)
		return -ENOMEM;
	*item = *addr;
	return 0;
}

static void close_tables(struct jn_reading *r)
{
	if (!r->service_count)
		return; /* never opened */
	jn_close_fd(&r->frontends);
	jn_close_fd(&r->names);
}

int jn_reading_begin(struct jn_reading *reading, const struct jn_datapath *datapath,
		     bool wants_routes)
{
	uint32_t count = jn_datapath_sizes(datapath)->services;
	int rc;

	*reading = (struct jn_reading){ .frontends = -1,
					.names = -1,
					.wants_routes = wants_routes,
					.service_count = count,
					.services = calloc(count, sizeof(*reading->services)) };
	if (!reading->services)
		return -ENOMEM;
	rc = jn_datapath_open_frontends(datapath, &reading->frontends);
	return rc ? rc : jn_datapath_open_names(datapath, &reading->names);
}

void jn_reading_run(struct jn_reading *reading)
{
	reading->rc = jn_frontends_each(reading->frontends, read_frontend, reading);
	if (!reading->rc)
		reading->rc = jn_names_each(reading->names, read_name, reading);
	if (reading->wants_routes)
		reading->routes_rc = jn_guards_each(read_route, reading);
	close_tables(reading);
}

void jn_reading_done(struct jn_reading *reading)
{
	close_tables(reading);
	free(reading->keys.items);
	free(reading->services);
	free(reading->routes.items);
	*reading = (struct jn_reading){ 0 };
}

bool jn_reading_has_name(const struct jn_reading *reading, uint32_t service,
			 const struct jn_name *name)
{
	return service < reading->service_count &&
	       reading->services[service].name == sum_of_name(name);
}

bool jn_reading_has_frontends(const struct jn_reading *reading, uint32_t service, uint64_t sum)
{
	return service < reading->service_count && reading->services[service].frontends == sum;
}
