/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From verdicts on targets to what the kernel leaves out.
 */
#include <junctor/decide/live.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/internal.h"
#include "proto/address.h"

#define AREA "probe"

void jn_prober_judge(struct jn_prober *p, struct jn_probed_backend *backend)
{
	bool is_down = false;

	for (struct jn_link *link = backend->members; link; link = link->next) {
		const struct jn_member *member = jn_member_of_backend(link);

		is_down |= member->target->health.is_down && !member->port->is_panic;
	}
	if (is_down == backend->is_down)
		return;
	backend->is_down = is_down;
	p->down += is_down ? 1 : (size_t)-1;
	p->options.set_down(p->options.arg, backend->live, is_down);
}

static void tell_panic(struct jn_watched_port *port)
{
	if (port->is_panic)
		jn_log_limited(&port->log, JN_LOG_WARNING, AREA,
			       "%s: %zu of %zu endpoints are down, more than %u %%: all are used; "
			       "look at the probe and the network before the backends",
			       port->name, port->down, port->total, port->max_percent);
	else
		jn_log_limited(&port->log, JN_LOG_INFO, AREA,
			       "%s: %zu of %zu endpoints are down: they are left out again",
			       port->name, port->down, port->total);
}

/* True: it begins or ends. */
static bool weigh_panic(struct jn_prober *p, struct jn_watched_port *port)
{
	bool is_panic = jn_is_panic((uint32_t)port->down, (uint32_t)port->total, port->max_percent);

	if (is_panic == port->is_panic)
		return false;
	port->is_panic = is_panic;
	p->panics += is_panic;
	tell_panic(port);
	return true;
}

static void judge_all(struct jn_prober *p, struct jn_watched_port *port)
{
	for (size_t i = 0; i < port->count; i++)
		jn_prober_judge(p, port->members[i].backend);
}

void jn_prober_settle(struct jn_prober *p, struct jn_watched_port *port)
{
	for (size_t i = 0; i < port->count; i++) {
		const struct jn_member *member = &port->members[i];

		port->total += member->takes_new;
		port->down += member->takes_new && member->target->health.is_down;
	}
	(void)weigh_panic(p, port); /* all are judged in any case */
	judge_all(p, port);
}

static void tell_verdict(struct jn_target *target)
{
	bool is_down = target->health.is_down;
	char text[JN_ENDPOINT_TEXT_BYTES];

	(void)jn_endpoint_format(&target->addr, target->port, text);
	jn_log_limited(&target->log, JN_LOG_INFO, AREA, "%s is %s%s", text,
		       is_down ? "down: " : "up", is_down ? target->why : "");
}

void jn_prober_catch_up(struct jn_target *target)
{
	uint64_t now = jn_clock_ms();

	if (jn_log_is_owed(&target->log, now))
		tell_verdict(target);
	for (struct jn_link *link = target->members; link; link = link->next) {
		struct jn_watched_port *port = jn_member_of_target(link)->port;

		if (jn_log_is_owed(&port->log, now))
			tell_panic(port);
	}
}

void jn_prober_turn(struct jn_prober *p, struct jn_target *target)
{
	bool is_down = target->health.is_down;

	tell_verdict(target);
	for (struct jn_link *link = target->members; link; link = link->next) {
		struct jn_member *member = jn_member_of_target(link);
		struct jn_watched_port *port = member->port;

		if (member->takes_new)
			port->down += is_down ? 1 : (size_t)-1;
		if (weigh_panic(p, port))
			judge_all(p, port);
		else
			jn_prober_judge(p, member->backend);
	}
}
