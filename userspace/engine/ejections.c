/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting who is ejected of a set that was just published. A connection that failed at the same
 * moment may still have been judged by the set of before; the next failure is not.
 */
#include "engine/ejections.h"

#include <junctor/decide/live.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath/datapath.h"

/* The entry of jn_live of the i-th member, or 0. */
static uint32_t live_of(const struct jn_install *in, const struct jn_revision *r, uint32_t i)
{
	uint32_t id = jn_datapath_slots(in->datapath)[r->member_base + i].endpoint;

	return jn_datapath_endpoints(in->datapath)[id].live;
}

static bool is_out(const struct jn_install *in, uint32_t live)
{
	return live && __atomic_load_n(&jn_datapath_live(in->datapath)[live].out_until_ns,
				       __ATOMIC_RELAXED);
}

static void keep_set(struct jn_install *in, struct jn_installed_service *service,
		     const struct jn_installed_port *port, const struct jn_revision *r)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < r->member_count; i++)
		out += is_out(in, live_of(in, r, i));
	if (!jn_is_panic(out, r->member_count, r->rules.eject_percent))
		return;
	in->panics++;
	jn_log_limited(&service->panic_log, JN_LOG_INFO, "ejection",
		       "%s/%s: of port %s %u of %u backends were ejected, more than the %u %% that "
		       "may be now; all are back in",
		       service->namespace_, service->name,
		       port->port_name[0] ? port->port_name : "(unnamed)", out, r->member_count,
		       r->rules.eject_percent);
	for (uint32_t i = 0; i < r->member_count; i++) {
		uint32_t live = live_of(in, r, i);

		if (is_out(in, live))
			jn_datapath_take_back(in->datapath, live, jn_clock_ns());
	}
}

void jn_ejections_keep(struct jn_install *in, struct jn_installed_service *service,
		       const struct jn_installed_port *port)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* published first, then counted */
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		uint32_t index;
		const struct jn_revision *r =
			jn_published(in->datapath, port->sets[family], &index);

		if (r && r->rules.eject_failures)
			keep_set(in, service, port, r);
	}
}
