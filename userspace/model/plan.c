/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Matching desired with installed. No ids are made here and nothing is written.
 */
#include "model/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/decide/client.h>

#include "base/auto.h"
#include "base/table.h"
#include "model/maglev.h"
#include "model/rules.h"

struct place {
	struct jn_frontend_key key; /* address and port of an endpoint */
	uint32_t id;
};

static const struct jn_table_ops places_ops = { .entry_size = sizeof(struct place),
						.key_size = sizeof(struct jn_frontend_key) };

static struct jn_frontend_key place_key(const struct jn_addr *addr, __be16 port)
{
	return (struct jn_frontend_key){ .vip = *addr, .port = port };
}

void jn_endpoint_match_done(struct jn_endpoint_match *match)
{
	free(match->ids);
	free(match->gone);
	*match = (struct jn_endpoint_match){ 0 };
}

static int index_installed(struct jn_table *places, const uint32_t *installed, size_t count,
			   const struct jn_endpoint *table, struct jn_endpoint_match *match)
{
	if (jn_table_reserve(places, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct jn_endpoint *endpoint = &table[installed[i]];
		struct jn_frontend_key key = place_key(&endpoint->addr, endpoint->port);
		struct place *place;
		bool is_new;

		place = jn_table_put(places, &key, &is_new);
		if (!place)
			return -ENOMEM;
		if (is_new) {
			place->key = key;
			place->id = installed[i];
		} else { /* the same address twice, left by a crash: one is enough */
			match->gone[match->gone_count++] = installed[i];
		}
	}
	return 0;
}

int jn_plan_endpoints(const struct jn_desired_port *desired, const uint32_t *installed,
		      size_t count, const struct jn_endpoint *table, struct jn_endpoint_match *out)
{
	JN_AUTO(jn_endpoint_match_done) struct jn_endpoint_match match = { 0 };
	JN_AUTO(jn_table_done) struct jn_table places;
	size_t wanted = desired ? desired->endpoint_count : 0, at = 0;
	struct place *place;

	jn_table_init(&places, &places_ops);
	match.ids = calloc(wanted ? wanted : 1, sizeof(*match.ids));
	match.gone = calloc(count ? count : 1, sizeof(*match.gone));
	if (!match.ids || !match.gone)
		return -ENOMEM;
	if (index_installed(&places, installed, count, table, &match))
		return -ENOMEM;
	for (size_t i = 0; i < wanted; i++) {
		struct jn_frontend_key key =
			place_key(&desired->endpoints[i].addr, desired->endpoints[i].port);

		place = jn_table_find(&places, &key);
		if (!place) {
			match.new_count++;
			continue;
		}
		match.ids[i] = place->id;
		jn_table_del(&places, &key);
	}
	while ((place = jn_table_next(&places, &at)))
		match.gone[match.gone_count++] = place->id;
	*out = match;
	match = (struct jn_endpoint_match){ 0 };
	return 0;
}

uint8_t jn_plan_flags(const struct jn_desired_port *desired)
{
	return jn_rules_flags(&desired->rules, desired->algorithm, desired->name.proto);
}

uint8_t jn_plan_set_flags(const struct jn_desired_port *desired, enum jn_family vip_family)
{
	return jn_plan_flags(desired) |
	       (desired->is_elsewhere[vip_family] ? JN_REVISION_ELSEWHERE : 0);
}

/* Behind slots that do not name every endpoint once: a list that does. */
static int append_members(const struct jn_weighted *usable, size_t count, struct jn_slot_list *out)
{
	size_t picked = out->picked;

	if (jn_slot_list_fit(out, picked + count))
		return -ENOMEM;
	out->picked = picked;
	for (size_t i = 0; i < count; i++)
		out->items[picked + i] = (struct jn_slot){ .endpoint = usable[i].endpoint };
	return 0;
}

static size_t maglev_size(const struct jn_desired_port *desired, size_t count,
			  const struct jn_revision *published)
{
	bool is_kept = published && published->algorithm == JN_ALGORITHM_MAGLEV;

	return jn_maglev_size(count, is_kept ? published->slot_count : 0, desired->maglev_most);
}

/* Do its slots not name every endpoint once, and does somebody ask for them all? */
static bool needs_members(const struct jn_desired_port *desired)
{
	return jn_plan_flags(desired) & JN_REVISION_ASKS_BACKEND &&
	       (desired->algorithm == JN_ALGORITHM_MAGLEV ||
		desired->algorithm == JN_ALGORITHM_ROUND_ROBIN);
}

/* Items for those that stand in the set. ids NULL: they are only counted. */
static int collect_usable(const struct jn_desired_port *desired, const uint32_t *ids,
			  enum jn_family vip_family, struct jn_weighted **out, size_t *count)
{
	struct jn_weighted *usable =
		calloc(desired->endpoint_count ? desired->endpoint_count : 1, sizeof(*usable));

	if (!usable)
		return -ENOMEM;
	*out = usable;
	*count = 0;
	for (size_t i = 0; i < desired->endpoint_count; i++) {
		const struct jn_desired_endpoint *endpoint = &desired->endpoints[i];

		if (!endpoint->weight || !jn_desired_allows(desired, vip_family, endpoint))
			continue;
		usable[(*count)++] =
			(struct jn_weighted){ ids ? ids[i] : 0, endpoint->weight,
					      ids ? jn_client_hash(&endpoint->addr, endpoint->port)
						  : 0 };
	}
	return 0;
}

int jn_plan_measure(const struct jn_desired_port *desired, enum jn_family vip_family,
		    const struct jn_revision *published, struct jn_plan_size *out)
{
	JN_AUTO(jn_free_mem) struct jn_weighted *usable = NULL;
	size_t count, slots;
	int rc = collect_usable(desired, NULL, vip_family, &usable, &count);

	if (rc)
		return rc;
	if (desired->algorithm == JN_ALGORITHM_MAGLEV)
		slots = maglev_size(desired, count, published);
	else
		slots = jn_slots_count(desired->algorithm, usable, count);
	out->slots = (uint32_t)(slots + (needs_members(desired) ? count : 0));
	/* Everybody earns at each step of a cycle, unless all have one turn. */
	out->steps = slots;
	if (desired->algorithm == JN_ALGORITHM_ROUND_ROBIN && slots != count)
		out->steps *= count;
	return 0;
}

int jn_plan_slots(const struct jn_desired_port *desired, const uint32_t *ids,
		  enum jn_family vip_family, const struct jn_revision *published,
		  struct jn_slot_list *out)
{
	JN_AUTO(jn_free_mem) struct jn_weighted *usable = NULL;
	size_t count;
	int rc = collect_usable(desired, ids, vip_family, &usable, &count);

	if (rc)
		return rc;
	if (desired->algorithm == JN_ALGORITHM_MAGLEV)
		rc = jn_maglev_build(usable, count, maglev_size(desired, count, published), out);
	else
		rc = jn_slots_build(desired->algorithm, usable, count, out);
	if (rc || !needs_members(desired))
		return rc;
	return append_members(usable, count, out);
}

/* Where every slot is picked from, each names another endpoint: the slots are the members. */
struct jn_revision jn_plan_revision(const struct jn_desired_port *desired,
				    enum jn_family vip_family, const struct jn_slot_list *slots,
				    uint32_t number, uint32_t slot_base)
{
	size_t own = slots->count - slots->picked;

	return (struct jn_revision){
		.number = number,
		.slot_base = slot_base,
		.slot_count = (uint32_t)slots->picked,
		.no_endpoint_errno = desired->no_endpoint_errno,
		.algorithm = desired->algorithm,
		.flags = jn_plan_set_flags(desired, vip_family),
		.rules = desired->rules,
		.member_base = slot_base + (own ? (uint32_t)slots->picked : 0),
		.member_count = (uint32_t)(own ? own : slots->picked),
	};
}

bool jn_plan_is_published(const struct jn_desired_port *desired, enum jn_family vip_family,
			  const struct jn_slot_list *slots, const struct jn_revision *revision,
			  const struct jn_slot *table)
{
	return revision->algorithm == desired->algorithm &&
	       revision->no_endpoint_errno == desired->no_endpoint_errno &&
	       revision->flags == jn_plan_set_flags(desired, vip_family) &&
	       !memcmp(&revision->rules, &desired->rules, sizeof(desired->rules)) &&
	       revision->slot_count == slots->picked &&
	       jn_revision_slots(revision) == slots->count &&
	       !revision->live == !jn_rules_ask_service(&desired->rules) &&
	       (!slots->count || !memcmp(table + revision->slot_base, slots->items,
					 slots->count * sizeof(*slots->items)));
}
