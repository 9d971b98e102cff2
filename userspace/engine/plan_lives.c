/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoints name which entry of jn_live. An endpoint that is served keeps its entry while
 * anything is asked about it; it gets one before the revision that asks, and loses it after.
 */
#include "engine/plan_lives.h"

#include <errno.h>
#include <stdlib.h>

#include "base/vec.h"
#include "datapath/datapath.h"
#include "model/rules.h"

static struct jn_frontend_key backend_of(const struct jn_endpoint *endpoint, uint8_t proto)
{
	return (struct jn_frontend_key){ .vip = endpoint->addr,
					 .port = endpoint->port,
					 .proto = proto };
}

static uint32_t live_of(const struct jn_install *in, const struct jn_port_plan *plan, size_t i)
{
	return plan->is_new[i] ? 0 : jn_datapath_endpoints(in->datapath)[plan->match.ids[i]].live;
}

static int take(struct jn_install *in, const struct jn_frontend_key *backend,
		struct jn_live_plan *out)
{
	out->id = jn_lives_take(&in->lives, backend, &out->is_first);
	out->is_taken = out->id;
	return out->id ? 0 : -ENOSPC;
}

int jn_plan_lives(struct jn_install *in, struct jn_port_plan *plan)
{
	const struct jn_desired_port *desired = plan->desired;
	int rc = 0;

	if (!desired)
		return 0;
	plan->live.id = plan->installed ? plan->installed->live : 0;
	if (!jn_rules_ask_service(&desired->rules))
		plan->live.id = 0;
	else if (!plan->live.id)
		rc = take(in, NULL, &plan->live);
	if (rc || !desired->endpoint_count ||
	    !jn_rules_ask_backends(&desired->rules, desired->algorithm))
		return rc;
	plan->lives = calloc(desired->endpoint_count, sizeof(*plan->lives));
	if (!plan->lives)
		return -ENOMEM;
	for (size_t i = 0; i < desired->endpoint_count && !rc; i++) {
		struct jn_frontend_key backend = { .vip = desired->endpoints[i].addr,
						   .port = desired->endpoints[i].port,
						   .proto = desired->name.proto };

		plan->lives[i].id = live_of(in, plan, i);
		if (!plan->lives[i].id)
			rc = take(in, &backend, &plan->lives[i]);
	}
	return rc;
}

void jn_plan_lives_hide(struct jn_install *in, const struct jn_port_plan *plan)
{
	if (plan->live.is_first)
		jn_datapath_begin_live(in->datapath, plan->live.id);
	for (size_t i = 0; plan->lives && i < plan->desired->endpoint_count; i++) {
		if (plan->lives[i].is_first)
			jn_datapath_begin_live(in->datapath, plan->lives[i].id);
		if (plan->lives[i].is_taken && !plan->is_new[i])
			jn_datapath_set_endpoint_live(in->datapath, plan->match.ids[i],
						      plan->lives[i].id);
	}
}

void jn_plan_lives_take_back(struct jn_install *in, const struct jn_port_plan *plan, bool is_hidden)
{
	if (plan->live.is_taken)
		jn_lives_drop(&in->lives, plan->live.id, NULL, is_hidden);
	for (size_t i = 0; plan->lives && i < plan->desired->endpoint_count; i++) {
		struct jn_frontend_key backend = { .vip = plan->desired->endpoints[i].addr,
						   .port = plan->desired->endpoints[i].port,
						   .proto = plan->desired->name.proto };

		if (!plan->lives[i].is_taken)
			continue;
		if (is_hidden && !plan->is_new[i])
			jn_datapath_set_endpoint_live(in->datapath, plan->match.ids[i], 0);
		jn_lives_drop(&in->lives, plan->lives[i].id, &backend, is_hidden);
	}
}

static void discard(struct jn_garbage *garbage, uint32_t id, const struct jn_frontend_key *backend)
{
	struct jn_live_garbage *item = jn_vec_add(&garbage->lives);

	if (item) /* else it stays taken until the next start */
		*item = (struct jn_live_garbage){ .id = id };
	if (item && backend) {
		item->backend = *backend;
		item->is_backend = true;
	}
}

void jn_plan_lives_discard(struct jn_install *in, const struct jn_port_plan *plan,
			   struct jn_garbage *garbage)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(in->datapath);
	/* One of the two is there. */
	uint8_t proto = plan->installed ? plan->installed->proto : plan->desired->name.proto;

	if (plan->installed && plan->installed->live && plan->installed->live != plan->live.id)
		discard(garbage, plan->installed->live, NULL);
	for (size_t i = 0; plan->desired && !plan->lives && i < plan->desired->endpoint_count;
	     i++) {
		uint32_t id = plan->match.ids[i];
		struct jn_frontend_key backend = backend_of(&table[id], proto);

		if (!table[id].live)
			continue;
		discard(garbage, table[id].live, &backend);
		jn_datapath_set_endpoint_live(in->datapath, id, 0);
	}
	for (size_t i = 0; i < plan->match.gone_count; i++) {
		const struct jn_endpoint *gone = &table[plan->match.gone[i]];
		struct jn_frontend_key backend = backend_of(gone, proto);

		if (gone->live)
			discard(garbage, gone->live, &backend);
	}
}

static unsigned hooks_for(uint8_t flags)
{
	return (flags & JN_REVISION_COUNTS ? JN_NEED_COUNTS : 0) |
	       (flags & JN_REVISION_WATCHES ? JN_NEED_WATCHES : 0);
}

static unsigned needs_of(const struct jn_transaction *t)
{
	unsigned needs = 0;

	for (size_t i = 0; i < t->count; i++) {
		for (size_t p = 0; p < t->services[i].desired.port_count; p++)
			needs |= hooks_for(jn_plan_flags(&t->services[i].desired.ports[p]));
	}
	return needs;
}

int jn_plan_hooks(struct jn_install *in, const struct jn_transaction *t, struct jn_error *err)
{
	int rc;

	if (t)
		in->hidden_needs = needs_of(t);
	rc = jn_datapath_need(in->datapath,
			      in->hidden_needs | (in->counting ? JN_NEED_COUNTS : 0) |
				      (in->watching ? JN_NEED_WATCHES : 0),
			      err);
	if (rc && t)
		in->hidden_needs = 0;
	return rc;
}
