/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which size is which table's.
 */
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "datapath/internal.h"

uint32_t *jn_size_of(struct jn_sizes *sizes, const char *table)
{
	const struct {
		const char *table;
		uint32_t *size;
	} list[] = {
		{ "jn_names", &sizes->services },      { "jn_stats", &sizes->services },
		{ "jn_sets", &sizes->sets },	       { "jn_cursors", &sizes->sets },
		{ "jn_frontends", &sizes->frontends }, { "jn_endpoints", &sizes->endpoints },
		{ "jn_revisions", &sizes->revisions }, { "jn_slots", &sizes->slots },
		{ "jn_live", &sizes->live },
	};

	for (size_t i = 0; i < JN_COUNT(list); i++) {
		if (!strcmp(list[i].table, table))
			return list[i].size;
	}
	return NULL;
}

const struct jn_sizes *jn_datapath_sizes(const struct jn_datapath *dp)
{
	return &dp->sizes;
}
