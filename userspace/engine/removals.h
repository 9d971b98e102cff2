/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backends were removed from which service addresses, when, and what drainSeconds said then:
 * the deadline of their TCP connections. By address, so that it holds whatever becomes of the service:
 * deleted with its policy, or declared again under another id.
 *
 * At most JN_MAX_REMOVALS; beyond them, and without memory, a deadline counts from the moment in which
 * the connection is seen, and is that of the service as it is then.
 */
#ifndef JUNCTOR_ENGINE_REMOVALS_H
#define JUNCTOR_ENGINE_REMOVALS_H

#include <stdint.h>

#include <junctor/abi.h>

#include "base/table.h"

struct jn_removal_key {
	struct jn_frontend_key frontend;
	struct jn_addr backend;
	__be16 port;
	uint16_t pad; /* must be 0 */
};

struct jn_removal {
	struct jn_removal_key key;
	int32_t drain_seconds; /* or JN_NEVER_DRAINED */
	uint64_t since_ms;
};

struct jn_removals {
	struct jn_table items;
	uint64_t swept_ms;
};

void jn_removals_init(struct jn_removals *removals);
void jn_removals_done(struct jn_removals *removals); /* as after init */

/* Removed now. Without drainSeconds it only takes an earlier word back. */
void jn_removals_note(struct jn_removals *removals, const struct jn_removal_key *key,
		      int32_t drain_seconds, uint64_t now_ms);
const struct jn_removal *jn_removals_find(const struct jn_removals *removals,
					  const struct jn_removal_key *key);
/* Forget those whose deadline is long over; looks through them once in a while. */
void jn_removals_sweep(struct jn_removals *removals, uint64_t now_ms);

#endif
