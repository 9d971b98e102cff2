/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is this address a service's, and may the socket use it? Knows nothing of endpoints.
 */
#include "decide.bpf.h"
#include "maps.bpf.h"

bool jn_find_frontend(const struct jn_frontend_key *key, struct jn_frontend *out)
{
	const struct jn_frontend *found = bpf_map_lookup_elem(&jn_frontends, key);

	if (!found)
		return false;
	*out = *found;
	return true;
}

enum jn_reason jn_admit(const struct jn_frontend *frontend, __u64 netns_cookie)
{
	if (frontend->netns_cookie && frontend->netns_cookie != netns_cookie)
		return JN_REASON_OTHER_NETNS;
	return JN_REASON_OK;
}
