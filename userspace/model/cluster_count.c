/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting the endpoints of a Service. It decides nothing: topology.c does.
 */
#include "model/cluster_count.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/auto.h"
#include "base/table.h"

/* Of an address with several ports the best state counts: the last one here. */
enum state { STATE_NOT_READY, STATE_TERMINATING, STATE_UNUSED, STATE_READY };

struct counted {
	struct jn_addr addr;
	enum state state;
};

static const struct jn_table_ops counted_ops = { .entry_size = sizeof(struct counted),
						 .key_size = sizeof(struct jn_addr) };

static enum state state_of(const struct jn_candidate *c)
{
	if (c->is_ready)
		return c->is_used ? STATE_READY : STATE_UNUSED;
	return c->is_serving && c->is_terminating ? STATE_TERMINATING : STATE_NOT_READY;
}

static int count_candidates(struct jn_table *addresses, const struct jn_candidates *candidates,
			    struct jn_cluster_count *out)
{
	out->has_any |= candidates->has_any;
	for (unsigned i = 0; i < candidates->count; i++) {
		const struct jn_candidate *c = &candidates->items[i];
		struct counted *counted;
		bool is_new;

		out->has_used |= c->is_used;
		counted = jn_table_put(addresses, &c->addr, &is_new);
		if (!counted)
			return -ENOMEM;
		counted->addr = c->addr;
		if (state_of(c) > counted->state)
			counted->state = state_of(c);
	}
	return 0;
}

static int count_port(const struct jn_model *m, const struct jn_object *service, unsigned index,
		      struct jn_table *addresses, struct jn_cluster_count *out)
{
	int rc = 0;

	for (unsigned i = 0; i < service->cluster.address_count && !rc; i++) {
		JN_AUTO(jn_candidates_done) struct jn_candidates candidates = { 0 };
		enum jn_family family = jn_family_of(&service->cluster.addresses[i]);

		rc = jn_candidates_collect(m, service, index, family, &candidates);
		if (!rc)
			rc = count_candidates(addresses, &candidates, out);
	}
	return rc;
}

static void sum_up(const struct jn_table *addresses, struct jn_cluster_count *out)
{
	unsigned *const counts[] = {
		[STATE_NOT_READY] = &out->not_ready,
		[STATE_TERMINATING] = &out->terminating,
		[STATE_UNUSED] = &out->unused,
		[STATE_READY] = &out->ready,
	};
	const struct counted *counted;
	size_t at = 0;

	while ((counted = jn_table_next(addresses, &at)))
		++*counts[counted->state];
}

int jn_cluster_count(const struct jn_model *m, const struct jn_object *service,
		     struct jn_cluster_count *out)
{
	JN_AUTO(jn_table_done) struct jn_table addresses;
	struct jn_cluster_count count = { 0 };
	int rc = 0;

	jn_table_init(&addresses, &counted_ops);
	for (unsigned i = 0; i < service->cluster.port_count && !rc; i++) {
		if (service->cluster.ports[i].proto == IPPROTO_SCTP)
			count.has_sctp = true;
		else
			rc = count_port(m, service, i, &addresses, &count);
	}
	if (rc)
		return rc;
	sum_up(&addresses, &count);
	*out = count;
	return 0;
}
