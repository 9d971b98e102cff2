/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which size is which table's.
 */
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "datapath/internal.h"

static const struct {
	const char *table;
	size_t offset;
} list[] = {
	{ "jn_names", offsetof(struct jn_sizes, services) },
	{ "jn_stats", offsetof(struct jn_sizes, services) },
	{ "jn_sets", offsetof(struct jn_sizes, sets) },
	{ "jn_cursors", offsetof(struct jn_sizes, sets) },
	{ "jn_frontends", offsetof(struct jn_sizes, frontends) },
	{ "jn_endpoints", offsetof(struct jn_sizes, endpoints) },
	{ "jn_revisions", offsetof(struct jn_sizes, revisions) },
	{ "jn_slots", offsetof(struct jn_sizes, slots) },
	{ "jn_live", offsetof(struct jn_sizes, live) },
};

uint32_t *jn_size_of(struct jn_sizes *sizes, const char *table)
{
	for (size_t i = 0; i < JN_COUNT(list); i++) {
		if (!strcmp(list[i].table, table))
			return (uint32_t *)(void *)((char *)sizes + list[i].offset);
	}
	return NULL;
}

const struct jn_sizes *jn_datapath_sizes(const struct jn_datapath *dp)
{
	return &dp->sizes;
}
