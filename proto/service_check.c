/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Checks across the backends of one LocalService.
 */
#include "proto/service_check.h"

#include <stdio.h>
#include <stdlib.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "proto/address.h"

#define FEW_BACKENDS 16 /* up to here comparing all pairs is faster than sorting */

static void fault_of_backend(struct jn_decoder *d, unsigned index, const char *reason,
			     const char *sentence)
{
	jn_decoder_push_key(d, "backends");
	jn_decoder_push_index(d, index);
	jn_decoder_fault_in(d, "address", reason, "%s", sentence);
	jn_decoder_pop(d);
	jn_decoder_pop(d);
}

static bool is_faulty(const struct jn_backend *b)
{
	return !b->addr.w[0] && !b->addr.w[1] && !b->addr.w[2] && !b->addr.w[3];
}

void jn_service_check_families(struct jn_decoder *d, const struct jn_local_service *s)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		if (!jn_addr_is_v4(&s->addresses[i]))
			return;
	}
	for (unsigned i = 0; i < s->backend_count; i++) {
		if (!is_faulty(&s->backends[i]) && !jn_addr_is_v4(&s->backends[i].addr))
			fault_of_backend(d, i, JN_CAUSE_INVALID,
					 "is IPv6, and every address of the service is IPv4, which "
					 "reaches IPv4 backends only; use an IPv4 backend, or give "
					 "the service an IPv6 address too");
	}
}

/* A backend as an endpoint of one port, in sorting order. */
struct endpoint {
	const struct jn_addr *addr;
	uint16_t port;
	unsigned index;
};

static int compare(const void *a, const void *b)
{
	const struct endpoint *left = a, *right = b;
	int order = jn_addr_compare(left->addr, right->addr);

	if (!order)
		order = (int)left->port - (int)right->port;
	if (!order)
		order = left->index < right->index ? -1 : 1;
	return order;
}

static void fault_of_duplicate(struct jn_decoder *d, const struct endpoint *endpoint,
			       unsigned first)
{
	char sentence[96];

	(void)snprintf(sentence, sizeof(sentence),
		       "is the same address and port as backends[%u]; remove one of them", first);
	fault_of_backend(d, endpoint->index, JN_CAUSE_DUPLICATE, sentence);
}

/* One port; a backend that was reported for an earlier port is not reported again. */
static void check_port(struct jn_decoder *d, const struct jn_local_service *s, unsigned port_index,
		       struct endpoint *endpoints, bool *is_reported)
{
	unsigned count = 0, first = 0;

	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct jn_backend *b = &s->backends[i];

		if (!is_faulty(b))
			endpoints[count++] =
				(struct endpoint){ &b->addr, jn_backend_port(s, b, port_index), i };
	}
	qsort(endpoints, count, sizeof(*endpoints), compare);
	for (unsigned i = 1; i < count; i++) {
		if (!jn_addr_equal(endpoints[i].addr, endpoints[first].addr) ||
		    endpoints[i].port != endpoints[first].port) {
			first = i;
		} else if (!is_reported[endpoints[i].index]) {
			is_reported[endpoints[i].index] = true;
			fault_of_duplicate(d, &endpoints[i], endpoints[first].index);
		}
	}
}

/* The common case, quickly: few backends and no address twice. */
static bool has_distinct_addresses(const struct jn_local_service *s)
{
	if (s->backend_count > FEW_BACKENDS)
		return false;
	for (unsigned i = 1; i < s->backend_count; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (jn_addr_equal(&s->backends[i].addr, &s->backends[j].addr))
				return false;
		}
	}
	return true;
}

void jn_service_check_duplicates(struct jn_decoder *d, const struct jn_local_service *s)
{
	JN_AUTO(jn_free_mem) struct endpoint *endpoints = NULL;
	JN_AUTO(jn_free_mem) bool *is_reported = NULL;

	if (has_distinct_addresses(s))
		return;
	endpoints = calloc(s->backend_count, sizeof(*endpoints));
	is_reported = calloc(s->backend_count, sizeof(*is_reported));
	if (!endpoints || !is_reported) {
		d->is_out_of_memory = true;
		return;
	}
	for (unsigned p = 0; p < s->port_count; p++)
		check_port(d, s, p, endpoints, is_reported);
}
