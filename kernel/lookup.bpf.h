/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is this address a service's, may the socket use it, and which revision of its set is published?
 * Knows nothing of endpoints.
 *
 * Inline, because every connect() and every send on the machine comes this far: a call between BPF
 * functions ends in the kernel's return thunk, which costs as much as the rest of a miss.
 */
#ifndef JUNCTOR_KERNEL_LOOKUP_H
#define JUNCTOR_KERNEL_LOOKUP_H

#include "decide.bpf.h"
#include "dry.bpf.h"
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

/* The published revision of a set. NULL: none, or replaced meanwhile. */
static inline const struct jn_revision *jn_read_revision(__u32 set_id)
{
	const struct jn_set *set = bpf_map_lookup_elem(&jn_sets, &set_id);
	const struct jn_revision *revision;
	__u64 word;
	__u32 index;

	if (!set)
		return NULL;
	word = *(const volatile __u64 *)&set->word; /* once: number and index belong together */
	if (!word)
		return NULL;
	index = (__u32)word;
	revision = bpf_map_lookup_elem(&jn_revisions, &index);
	if (!revision || revision->number != word >> 32)
		return NULL;
	jn_note(JN_STEP_REVISION, 0, revision->number,
		(__u64)revision->slot_count << 32 | revision->algorithm << 8 | revision->flags);
	return revision;
}

/* May a socket of this network namespace use it? OK or OTHER_NETNS. */
static inline enum jn_reason jn_admit(const struct jn_frontend *frontend, __u64 netns_cookie)
{
	if (frontend->netns_cookie && frontend->netns_cookie != netns_cookie)
		return JN_REASON_OTHER_NETNS;
	return JN_REASON_OK;
}

#endif
