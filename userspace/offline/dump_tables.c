/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables as text. Where clients are (affinity, UDP sockets) it does NOT tell, nor what junctord's
 * own canaries use.
 */
#include <arpa/inet.h>

#include "base/auto.h"
#include "offline/dump.h"
#include "offline/internal.h"
#include "proto/address.h"

#define MAX_SLOTS 512 /* of one revision */

static int add_frontend(void *arg, const struct jn_frontend_key *key,
			const struct jn_frontend *value)
{
	struct jn_dump_file *file = arg;
	char text[JN_ENDPOINT_TEXT_BYTES];

	if (value->service == JN_CANARY_SERVICE)
		return 0;
	if (!jn_dump_begin_line(file))
		return 1;
	jn_write_key_text(&file->w, "vip", jn_endpoint_format(&key->vip, ntohs(key->port), text));
	jn_write_key_text(&file->w, "protocol", key->proto == IPPROTO_UDP ? "UDP" : "TCP");
	jn_write_key_unsigned(&file->w, "service", value->service);
	jn_write_key_unsigned(&file->w, "set", value->set);
	jn_write_key_unsigned(&file->w, "networkNamespace", value->netns_cookie);
	jn_dump_end_line(file);
	return 0;
}

static int write_frontends(struct jn_dump_file *file)
{
	return jn_datapath_each_frontend(file->dp, add_frontend, file);
}

static int add_name(void *arg, uint32_t service, const struct jn_name *stored)
{
	struct jn_dump_file *file = arg;
	struct jn_stats stats = { 0 };
	struct jn_name name = *stored;

	if (!jn_dump_begin_line(file))
		return 1;
	jn_offline_end_name(&name);
	(void)jn_datapath_read_stats(file->dp, &service, 1, &stats); /* not there: 0 */
	jn_write_key_unsigned(&file->w, "service", service);
	jn_write_key_text(&file->w, "kind",
			  name.kind == JN_NAME_SERVICE ? "Service" : "LocalService");
	jn_write_key_text(&file->w, "namespace", name.namespace_);
	jn_write_key_text(&file->w, "name", name.name);
	jn_write_key_text(&file->w, "port", name.port_name);
	jn_write_key_unsigned(&file->w, "forwarded", stats.forwarded);
	jn_write_key_unsigned(&file->w, "refused", stats.refused);
	jn_dump_end_line(file);
	return 0;
}

static int write_names(struct jn_dump_file *file)
{
	return jn_datapath_each_name(file->dp, add_name, file);
}

static void write_slots(struct jn_dump_file *file, const struct jn_revision *revision)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(file->dp);

	jn_write_key(&file->w, "slots");
	jn_write_open(&file->w, '[');
	for (uint32_t i = 0; i < revision->slot_count && i < MAX_SLOTS; i++) {
		struct jn_slot slot;

		if ((uint64_t)revision->slot_base + i >= sizes->slots)
			break;
		slot = jn_datapath_slots(file->dp)[revision->slot_base + i];
		jn_write_open(&file->w, '[');
		jn_write_unsigned(&file->w, slot.endpoint);
		jn_write_unsigned(&file->w, slot.probability);
		jn_write_unsigned(&file->w, slot.alias);
		jn_write_close(&file->w, ']');
	}
	jn_write_close(&file->w, ']');
}

static void write_rules(struct jn_dump_file *file, const struct jn_rules *rules)
{
	const struct {
		const char *key;
		uint32_t value;
	} list[] = {
		{ "affinitySeconds", rules->affinity_seconds },
		{ "slowStartSeconds", rules->slow_start_seconds },
		{ "connections", rules->max_connections },
		{ "newConnectionsPerSecond", rules->max_new_per_second },
		{ "connectionsPerBackend", rules->max_backend_connections },
		{ "ejectFailures", rules->eject_failures },
		{ "ejectSeconds", rules->eject_s },
		{ "ejectPercent", rules->eject_percent },
		{ "probed", rules->is_probed },
	};

	jn_write_key(&file->w, "rules");
	jn_write_open(&file->w, '{');
	for (size_t i = 0; i < JN_COUNT(list); i++) {
		if (list[i].value)
			jn_write_key_unsigned(&file->w, list[i].key, list[i].value);
	}
	jn_write_close(&file->w, '}');
}

static int write_sets(struct jn_dump_file *file)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(file->dp);

	for (uint32_t i = 1; i < sizes->sets; i++) {
		uint64_t word = jn_datapath_sets(file->dp)[i].word;
		struct jn_revision revision;

		if (!word || jn_offline_is_canary(file->dp, i))
			continue;
		if (!jn_dump_begin_line(file))
			return 0;
		jn_write_key_unsigned(&file->w, "set", i);
		jn_write_key_unsigned(&file->w, "number", word >> 32);
		jn_write_key_unsigned(&file->w, "index", (uint32_t)word);
		if ((uint32_t)word < sizes->revisions) {
			revision = jn_datapath_revisions(file->dp)[(uint32_t)word];
			jn_write_key_unsigned(&file->w, "revision", revision.number);
			jn_write_key_text(&file->w, "algorithm",
					  jn_offline_algorithm(revision.algorithm));
			jn_write_key_unsigned(&file->w, "flags", revision.flags);
			jn_write_key_unsigned(&file->w, "errno", revision.no_endpoint_errno);
			jn_write_key_unsigned(&file->w, "slotBase", revision.slot_base);
			jn_write_key_unsigned(&file->w, "slotCount", revision.slot_count);
			jn_write_key_unsigned(&file->w, "live", revision.live);
			write_rules(file, &revision.rules);
			write_slots(file, &revision);
		}
		jn_dump_end_line(file);
	}
	return 0;
}

static int write_endpoints(struct jn_dump_file *file)
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	for (uint32_t i = 1; i < jn_datapath_sizes(file->dp)->endpoints; i++) {
		struct jn_endpoint e = jn_datapath_endpoints(file->dp)[i];

		if (!e.service || e.service == JN_CANARY_SERVICE)
			continue;
		if (!jn_dump_begin_line(file))
			return 0;
		jn_write_key_unsigned(&file->w, "endpoint", i);
		jn_write_key_unsigned(&file->w, "service", e.service);
		jn_write_key_text(&file->w, "address",
				  jn_endpoint_format(&e.addr, ntohs(e.port), text));
		jn_write_key_unsigned(&file->w, "weight", e.weight);
		jn_write_key_unsigned(&file->w, "sinceSeconds", e.since_s);
		jn_write_key_unsigned(&file->w, "live", e.live);
		jn_dump_end_line(file);
	}
	return 0;
}

static int write_live(struct jn_dump_file *file)
{
	for (uint32_t i = 1; i < jn_datapath_sizes(file->dp)->live; i++) {
		struct jn_live live = jn_datapath_live(file->dp)[i];

		if (!live.epoch)
			continue;
		if (!jn_dump_begin_line(file))
			return 0;
		jn_write_key_unsigned(&file->w, "live", i);
		jn_write_key_unsigned(&file->w, "epoch", live.epoch);
		jn_write_key_unsigned(&file->w, "open", live.open);
		jn_write_key_unsigned(&file->w, "fullNs", live.full_ns);
		jn_write_key_unsigned(&file->w, "outUntilNs", live.out_until_ns);
		jn_write_key_unsigned(&file->w, "failures", live.failures);
		jn_write_key_unsigned(&file->w, "resets", live.resets);
		jn_write_key_unsigned(&file->w, "ejections", live.ejections);
		jn_write_key_unsigned(&file->w, "answerUs", live.answer_us);
		jn_write_key_unsigned(&file->w, "down", live.is_down);
		jn_dump_end_line(file);
	}
	return 0;
}

const struct jn_dump_table jn_dump_tables[JN_DUMP_TABLES] = {
	{ "tables/frontends.jsonl", write_frontends },
	{ "tables/services.jsonl", write_names },
	{ "tables/sets.jsonl", write_sets },
	{ "tables/endpoints.jsonl", write_endpoints },
	{ "tables/live.jsonl", write_live },
};
