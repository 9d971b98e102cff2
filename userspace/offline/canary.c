/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What junctord's canaries hold of the tables is not shown, as it is not while junctord runs.
 */
#include "offline/internal.h"

bool jn_offline_is_canary(const struct jn_datapath *dp, uint32_t set)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(dp);
	uint32_t index = (uint32_t)jn_datapath_sets(dp)[set].word, slot, endpoint;

	if (!index || index >= sizes->revisions)
		return false;
	slot = jn_datapath_revisions(dp)[index].slot_base;
	if (slot >= sizes->slots)
		return false;
	endpoint = jn_datapath_slots(dp)[slot].endpoint;
	return endpoint < sizes->endpoints &&
	       jn_datapath_endpoints(dp)[endpoint].service == JN_CANARY_SERVICE;
}
