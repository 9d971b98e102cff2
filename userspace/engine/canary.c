/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A service that nobody declared, for canaries: connections by which junctord sees that the hooks do
 * what they promise. Its service id is beyond every table, so that it has no name and is not counted;
 * what a death leaves of it is nobody's, and goes at the next start like all that is nobody's.
 *
 * Which sockets fly and what is made of it is not known here.
 */
#include "engine/canary.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "datapath/datapath.h"
#include "engine/internal.h"

/* What is free by now stays taken where the rest is not: the next attempt goes on from there. */
static int take(struct jn_install *in, struct jn_canary_entry *entry)
{
	uint64_t now = jn_clock_ms();

	if (!entry->set)
		entry->set = jn_ids_take(&in->sets, now);
	if (!entry->revision)
		entry->revision = jn_ids_take(&in->revisions, now);
	if (!entry->endpoint)
		entry->endpoint = jn_ids_take(&in->endpoints, now);
	if (!entry->set || !entry->revision || !entry->endpoint ||
	    jn_ranges_take(&in->slots, 1, &entry->slot))
		return -ENOSPC;
	if (!++in->last_number)
		in->last_number = 1; /* 0 means that nothing is published */
	entry->number = in->last_number;
	return 0;
}

/* Nothing leads there: in any order. */
static void fill(struct jn_datapath *datapath, const struct jn_canary_entry *entry,
		 const struct jn_frontend_key *backend)
{
	const struct jn_slot slot = { .endpoint = entry->endpoint };

	jn_datapath_put_endpoint(datapath, entry->endpoint,
				 &(struct jn_endpoint){ .addr = backend->vip,
							.port = backend->port,
							.weight = 1,
							.service = JN_CANARY_SERVICE });
	jn_datapath_put_revision(datapath, entry->revision,
				 &(struct jn_revision){ .number = entry->number,
							.slot_base = entry->slot,
							.slot_count = 1,
							.no_endpoint_errno = ECONNREFUSED,
							.algorithm = JN_ALGORITHM_RANDOM,
							.member_base = entry->slot,
							.member_count = 1 },
				 &slot);
	jn_datapath_publish(datapath, entry->set, entry->revision, entry->number);
}

static int name_keys(struct jn_engine *e, const struct jn_frontend_key *vips, size_t count)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct jn_canary_entries *canary = &e->canary;

	canary->key_count = 0;
	for (size_t i = 0; i < 2 * count; i++) {
		struct jn_frontend_key *key = &canary->keys[i];

		*key = vips[i / 2];
		key->proto = protocols[i % 2];
		if (jn_model_is_claimed(e->model, key))
			return -EADDRINUSE;
	}
	canary->key_count = 2 * count;
	return 0;
}

int jn_engine_canary_on(struct jn_engine *e, const struct jn_frontend_key *vips,
			const struct jn_frontend_key *backends, size_t count)
{
	struct jn_canary_entries *canary = &e->canary;
	struct jn_frontend values[JN_CANARY_KEYS];
	size_t done = 0;
	int rc = 0;

	if (e->growth.is_running)
		return -EAGAIN; /* slots are being copied */
	if (jn_model_frontend_count(e->model) + 2 * count >
	    jn_datapath_sizes(e->install.datapath)->frontends)
		return -ENOSPC; /* what is declared goes first */
	while (canary->taken < count && !rc) {
		rc = take(&e->install, &canary->items[canary->taken]);
		canary->taken += !rc;
	}
	if (!rc)
		rc = name_keys(e, vips, count);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++)
		fill(e->install.datapath, &canary->items[i], &backends[i]);
	for (size_t i = 0; i < canary->key_count; i++)
		values[i] = (struct jn_frontend){ .service = JN_CANARY_SERVICE,
						  .set = canary->items[i / 2].set,
						  .netns_cookie = e->install.netns_cookie };
	rc = jn_datapath_put_frontends(e->install.datapath, canary->keys, values, canary->key_count,
				       &done);
	if (rc)
		jn_engine_canary_off(e);
	return rc;
}

/* What was declared meanwhile with such an address stays. */
void jn_engine_canary_off(struct jn_engine *e)
{
	struct jn_canary_entries *canary = &e->canary;
	struct jn_frontend_key keys[JN_CANARY_KEYS];
	size_t count = 0;

	for (size_t i = 0; i < canary->key_count; i++) {
		if (!jn_model_is_claimed(e->model, &canary->keys[i]))
			keys[count++] = canary->keys[i];
	}
	canary->key_count = 0;
	if (count) /* one that stays leads to sockets of ours, until the next one is put */
		(void)jn_datapath_del_frontends(e->install.datapath, keys, count);
}
