/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ids and numbers of the tables, as people call what they stand for.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "offline/internal.h"
#include "proto/address.h"

void jn_offline_end_name(struct jn_name *name)
{
	name->namespace_[JN_NAME_BYTES - 1] = 0;
	name->name[JN_NAME_BYTES - 1] = 0;
	name->port_name[JN_NAME_BYTES - 1] = 0;
}

void jn_offline_add_service(struct jn_datapath *dp, uint32_t service, struct jn_buffer *out)
{
	struct jn_name name;

	if (jn_datapath_get_name(dp, service, &name)) {
		jn_buffer_printf(out, "service %u", service);
		return;
	}
	jn_offline_end_name(&name);
	jn_buffer_printf(out, "%s %s/%s", name.kind == JN_NAME_SERVICE ? "Service" : "LocalService",
			 name.namespace_, name.name);
	if (*name.port_name)
		jn_buffer_printf(out, ":%s", name.port_name);
}

void jn_offline_add_endpoint(const struct jn_datapath *dp, uint32_t id, struct jn_buffer *out)
{
	char text[JN_ENDPOINT_TEXT_BYTES];
	struct jn_endpoint endpoint;

	if (!id || id >= jn_datapath_sizes(dp)->endpoints) {
		jn_buffer_printf(out, "endpoint %u", id);
		return;
	}
	endpoint = jn_datapath_endpoints(dp)[id];
	if (endpoint.service)
		jn_buffer_add_text(out,
				   jn_endpoint_format(&endpoint.addr, ntohs(endpoint.port), text));
	else
		jn_buffer_printf(out, "endpoint %u", id);
}

const char *jn_offline_algorithm(unsigned algorithm)
{
	static const char *const words[] = {
		[JN_ALGORITHM_RANDOM] = "Random",
		[JN_ALGORITHM_ROUND_ROBIN] = "RoundRobin",
		[JN_ALGORITHM_MAGLEV] = "Maglev",
		[JN_ALGORITHM_SOURCE_HASH] = "SourceHash",
		[JN_ALGORITHM_LEAST_CONNECTIONS] = "LeastConnections",
		[JN_ALGORITHM_EWMA] = "Ewma",
	};

	_Static_assert(JN_COUNT(words) == JN_ALGORITHM_MAX, "every algorithm has its word");
	return algorithm < JN_COUNT(words) ? words[algorithm] : "?";
}

void jn_offline_add_flags(unsigned flags, struct jn_buffer *out)
{
	static const struct {
		unsigned flag;
		const char *words;
	} list[] = {
		{ JN_REVISION_ASKS_CLIENT, "asks who connects" },
		{ JN_REVISION_SLOW_STARTS, "starts slowly" },
		{ JN_REVISION_ASKS_BACKEND, "passes over backends that are out or full" },
		{ JN_REVISION_COUNTS, "counts open connections" },
		{ JN_REVISION_WATCHES, "watches connections" },
		{ JN_REVISION_ELSEWHERE, "has backends on other nodes only" },
	};
	const char *between = "";

	for (size_t i = 0; i < JN_COUNT(list); i++) {
		if (!(flags & list[i].flag))
			continue;
		jn_buffer_printf(out, "%s%s", between, list[i].words);
		between = ", ";
	}
}

static const struct {
	const char *name, *meaning;
} reasons[] = {
#define REASON(id, err, name, meaning) { name, meaning },
	JN_REASONS(REASON)
#undef REASON
};

const char *jn_offline_reason(unsigned reason)
{
	return reason < JN_COUNT(reasons) ? reasons[reason].name : "?";
}

const char *jn_offline_meaning(unsigned reason)
{
	return reason < JN_COUNT(reasons) ? reasons[reason].meaning : "?";
}

const char *jn_offline_errno(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}
