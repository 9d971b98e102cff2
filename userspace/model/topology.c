/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The endpoint rules of Services. It knows neither objects nor slices.
 */
#include "model/topology.h"

#include <string.h>

enum mode { MODE_ALL, MODE_SAME_ZONE, MODE_SAME_NODE };

static bool has_name(const char *names, unsigned count, const char *name)
{
	while (count--) {
		if (!strcmp(names, name))
			return true;
		names += strlen(names) + 1;
	}
	return false;
}

static bool is_for_node(const struct jn_candidate *c, const char *node)
{
	return c->hints && has_name(c->hints->nodes, c->hints->node_count, node);
}

static bool is_for_zone(const struct jn_candidate *c, const char *zone)
{
	return c->hints && has_name(c->hints->zones, c->hints->zone_count, zone);
}

/* Only ready endpoints count: those on their way out do not say where traffic is to go. */
static enum mode mode_of(const struct jn_candidate *items, unsigned count,
			 const struct jn_here *here)
{
	bool all_for_nodes = true, all_for_zones = true, one_for_node = false, one_for_zone = false;

	for (unsigned i = 0; i < count; i++) {
		const struct jn_candidate *c = &items[i];

		if (!c->is_ready)
			continue;
		all_for_nodes &= c->hints && c->hints->node_count;
		all_for_zones &= c->hints && c->hints->zone_count;
		one_for_node |= is_for_node(c, here->node);
		one_for_zone |= is_for_zone(c, here->zone);
	}
	if (all_for_nodes && one_for_node)
		return MODE_SAME_NODE;
	return all_for_zones && one_for_zone ? MODE_SAME_ZONE : MODE_ALL;
}

static bool allows(enum mode mode, const struct jn_candidate *c, const struct jn_here *here)
{
	if (mode == MODE_SAME_NODE)
		return is_for_node(c, here->node);
	return mode == MODE_ALL || is_for_zone(c, here->zone);
}

static bool is_last_resort(const struct jn_candidate *c)
{
	return c->is_serving && c->is_terminating;
}

static bool choose_cluster(struct jn_candidate *items, unsigned count, const struct jn_here *here)
{
	enum mode mode = mode_of(items, count, here);
	bool has_some = false;

	for (unsigned i = 0; i < count; i++) {
		items[i].is_used = items[i].is_ready && allows(mode, &items[i], here);
		has_some |= items[i].is_used;
	}
	for (unsigned i = 0; i < count && !has_some; i++)
		items[i].is_used = is_last_resort(&items[i]);
	for (unsigned i = 0; i < count; i++)
		has_some |= items[i].is_used;
	return has_some;
}

static bool choose_local(struct jn_candidate *items, unsigned count)
{
	bool has_any = false, has_ready = false;

	for (unsigned i = 0; i < count; i++) {
		has_any |= items[i].is_ready || is_last_resort(&items[i]);
		has_ready |= items[i].is_ready && items[i].is_local;
	}
	for (unsigned i = 0; i < count; i++)
		items[i].is_used = items[i].is_local &&
				   (has_ready ? items[i].is_ready : is_last_resort(&items[i]));
	return has_any;
}

bool jn_topology_choose(struct jn_candidate *items, unsigned count, bool is_local_only,
			const struct jn_here *here)
{
	if (is_local_only)
		return choose_local(items, count);
	return choose_cluster(items, count, here);
}
