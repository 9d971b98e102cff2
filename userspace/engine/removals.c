/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A table of removals. Whoever still has a connection after a sweep is watched already, with a
 * deadline of its own.
 */
#include "engine/removals.h"

#include <string.h>

#include <junctor/limits.h>

#include "proto/object.h"

#define SWEEP_MS 60000 /* between two sweeps, and what is kept beyond a deadline */

static const struct jn_table_ops removal_ops = { .entry_size = sizeof(struct jn_removal),
						 .key_size = sizeof(struct jn_removal_key) };

void jn_removals_init(struct jn_removals *removals)
{
	jn_table_init(&removals->items, &removal_ops);
	removals->swept_ms = 0;
}

void jn_removals_done(struct jn_removals *removals)
{
	jn_table_done(&removals->items);
}

void jn_removals_note(struct jn_removals *removals, const struct jn_removal_key *key,
		      int32_t drain_seconds, uint64_t now_ms)
{
	struct jn_removal *entry = jn_table_find(&removals->items, key);
	bool is_new;

	if (!entry && drain_seconds != JN_NEVER_DRAINED && removals->items.count < JN_MAX_REMOVALS)
		entry = jn_table_put(&removals->items, key, &is_new);
	if (entry)
		*entry = (struct jn_removal){ *key, drain_seconds, now_ms };
}

const struct jn_removal *jn_removals_find(const struct jn_removals *removals,
					  const struct jn_removal_key *key)
{
	return jn_table_find(&removals->items, key);
}

static uint64_t end_ms(const struct jn_removal *removal)
{
	uint64_t drain = removal->drain_seconds < 0 ? 0 : (uint64_t)removal->drain_seconds;

	return removal->since_ms + drain * 1000 + SWEEP_MS;
}

void jn_removals_sweep(struct jn_removals *removals, uint64_t now_ms)
{
	const struct jn_removal *removal;
	struct jn_table left;
	size_t at = 0;

	if (now_ms - removals->swept_ms < SWEEP_MS)
		return;
	removals->swept_ms = now_ms;
	jn_table_init(&left, &removal_ops);
	while ((removal = jn_table_next(&removals->items, &at))) {
		struct jn_removal *entry;
		bool is_new;

		if (now_ms >= end_ms(removal))
			continue;
		entry = jn_table_put(&left, &removal->key, &is_new);
		if (!entry) { /* all of them stay until the next sweep */
			jn_table_done(&left);
			return;
		}
		*entry = *removal;
	}
	jn_table_done(&removals->items);
	removals->items = left;
}
