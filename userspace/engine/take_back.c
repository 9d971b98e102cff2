/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way back of a transaction that is not published: ids and ranges are free again, and what was
 * hidden is blank. Nobody ever saw it.
 */
#include <stdlib.h>

#include "datapath/datapath.h"
#include "engine/plan_lives.h"
#include "engine/transaction.h"

static void take_back_service(struct jn_transaction *t, const struct jn_port_plan *plan)
{
	if (!plan->service || plan->installed)
		return;
	if (t->is_hidden) /* one that stays behind is found, and removed, at the next start */
		(void)jn_datapath_del_names(t->in->datapath, &plan->service, 1);
	jn_ids_free(&t->in->services, plan->service, 0);
}

static void take_back_port(struct jn_transaction *t, struct jn_port_plan *plan)
{
	struct jn_install *in = t->in;

	take_back_service(t, plan);
	jn_plan_lives_take_back(in, plan, t->is_hidden);
	for (size_t i = 0; plan->is_new && i < plan->desired->endpoint_count; i++) {
		if (!plan->is_new[i])
			continue;
		if (t->is_hidden)
			jn_datapath_clear_endpoint(in->datapath, plan->match.ids[i]);
		jn_ids_free(&in->endpoints, plan->match.ids[i], 0);
	}
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		struct jn_set_plan *set = &plan->sets[family];

		if (set->has_slots)
			jn_ranges_free(&in->slots, set->slot_base, (uint32_t)set->slots.count);
		if (set->is_published_anew)
			jn_ids_free(&in->revisions, set->revision, 0);
		if (set->is_new)
			jn_ids_free(&in->sets, set->set, 0);
	}
}

void jn_transaction_take_back(struct jn_transaction *t)
{
	if (t->is_hidden)
		t->in->hidden_needs = 0;
	for (size_t i = 0; i < t->count; i++) {
		struct jn_service_plan *service = &t->services[i];

		for (size_t p = 0; p < service->port_count; p++)
			take_back_port(t, &service->ports[p]);
		if (service->installed && !service->installed->count)
			jn_installed_drop(&t->in->installed, service->installed);
	}
	jn_transaction_done(t);
}

static void port_plan_done(struct jn_port_plan *plan)
{
	jn_endpoint_match_done(&plan->match);
	free(plan->is_new);
	free(plan->lives);
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++)
		free(plan->sets[family].slots.items);
}

void jn_transaction_done(struct jn_transaction *t)
{
	for (size_t i = 0; i < t->count; i++) {
		for (size_t p = 0; p < t->services[i].port_count; p++)
			port_plan_done(&t->services[i].ports[p]);
		free(t->services[i].ports);
		free(t->services[i].next_ports);
		jn_desired_done(&t->services[i].desired);
	}
	free(t->services);
	free(t->put_keys.items);
	free(t->put_values.items);
	free(t->del_keys.items);
	*t = (struct jn_transaction){ .in = t->in };
}
