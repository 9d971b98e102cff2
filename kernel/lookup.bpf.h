/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is this address a service's, and may the socket use it? Knows nothing of endpoints.
 *
 * Inline, because every connect() and every send on the machine comes this far: a call between BPF
 * functions ends in the kernel's return thunk, which costs as much as the rest of a miss.
 */
#ifndef JUNCTOR_KERNEL_LOOKUP_H
#define JUNCTOR_KERNEL_LOOKUP_H

#include "decide.bpf.h"
#include "maps.bpf.h"

#define MAX_LOOKUPS 3

/*
 * A copy of the frontend. OK; NOT_A_SERVICE, which costs one lookup; TABLE_DAMAGED, where the entry
 * changes under every look: it is a service's, so the address must not go out as it is.
 *
 * The kernel gives a deleted entry to the next key at once, so what was found may have become
 * another service's while it was copied. Finding it once more shows that it had not. (A copy of the
 * key in the value would be cheaper by some 50 ns, but nothing says in which order the kernel's
 * memcpy() writes a value, so it would prove nothing.)
 */
static inline enum jn_reason jn_find_frontend(const struct jn_frontend_key *key,
					      struct jn_frontend *out)
{
	for (int i = 0; i < MAX_LOOKUPS; i++) {
		const struct jn_frontend *found = bpf_map_lookup_elem(&jn_frontends, key);

		if (!found)
			return JN_REASON_NOT_A_SERVICE;
		*out = *found;
		found = bpf_map_lookup_elem(&jn_frontends, key);
		if (found && found->service == out->service && found->set == out->set &&
		    found->netns_cookie == out->netns_cookie)
			return JN_REASON_OK;
	}
	return JN_REASON_TABLE_DAMAGED;
}

/* May a socket of this network namespace use it? OK or OTHER_NETNS. */
static inline enum jn_reason jn_admit(const struct jn_frontend *frontend, __u64 netns_cookie)
{
	if (frontend->netns_cookie && frontend->netns_cookie != netns_cookie)
		return JN_REASON_OTHER_NETNS;
	return JN_REASON_OK;
}

#endif
