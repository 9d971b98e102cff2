/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The guard routes that a worker read, against those that are wanted. What differs a job of the guards
 * repairs, and it counts as repaired when that has ended well.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/vec.h"
#include "engine/internal.h"
#include "proto/address.h"

#define NOT_SHOWN SIZE_MAX

static void note(struct jn_engine *e, const struct jn_addr *addr, bool is_extra)
{
	struct jn_verify *v = &e->verify;
	char text[JN_ADDR_TEXT_BYTES], entry[JN_ADDR_TEXT_BYTES + 16];
	struct jn_verify_route *route;

	(void)snprintf(entry, sizeof(entry), "guard route %s", jn_addr_format(addr, text));
	jn_verify_note(v,
		       &(struct jn_drift){ "-", entry, is_extra ? "it is there" : "it is missing",
					   is_extra ? "no service has this address"
						    : "a service has this address",
					   false });
	route = v->repairs ? jn_vec_add(&v->routes) : NULL;
	if (route) /* without memory it is mended, and not known to be */
		*route = (struct jn_verify_route){ *addr, v->found <= v->drifts.count
								  ? v->drifts.count - 1
								  : NOT_SHOWN };
}

bool jn_verify_next_route(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;
	const struct jn_reading *reading = &v->reading;
	struct jn_addr missing;
	bool is_missing;

	if (reading->routes_rc || v->guard_jobs < 0 || v->guard_jobs != jn_guards_jobs(&e->guards))
		return false;
	if (v->at_route < reading->routes.count) {
		const struct jn_addr *addr = &reading->routes.items[v->at_route++];

		if (jn_guards_see(&e->guards, addr, v->repairs))
			note(e, addr, true);
		return true;
	}
	if (!jn_guards_look(&e->guards, &v->at_vip, v->repairs, &missing, &is_missing))
		return false;
	if (is_missing)
		note(e, &missing, false);
	return true;
}

void jn_verify_routes_mended(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;

	for (size_t i = 0; i < v->routes.count; i++) {
		const struct jn_verify_route *route = &v->routes.items[i];

		if (!jn_guards_is_right(&e->guards, &route->addr))
			continue;
		v->repaired++;
		if (route->drift != NOT_SHOWN)
			v->drifts.items[route->drift].is_repaired = true;
	}
}
