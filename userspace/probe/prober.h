/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Active probes: which backends are asked, how often, and which of them the kernel leaves out.
 *
 *	port ──its endpoints──> member ──asked at──> target     one for each address, port and probe
 *	                           └─────is at────> backend    one for each entry of jn_live
 *
 * A target is down by its own verdict (health.h). A port is in panic while more than its share of
 * endpoints that take connections would be down. A backend is down, in the table, while some port
 * that is not in panic finds it down: services that share it share the word. It starts with what
 * the table says, so that neither a restart nor a changed probe lets it flap.
 *
 * It knows neither objects nor tables: it is told of ports, and tells of backends.
 */
#ifndef JUNCTOR_PROBE_PROBER_H
#define JUNCTOR_PROBE_PROBER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/probed.h"

struct jn_loop;
struct jn_prober;

struct jn_prober_options {
	struct jn_loop *loop;
	unsigned max_in_flight; /* sockets at once, at most JN_MAX_PROBES_IN_FLIGHT */
	/* New connections pass this entry of jn_live over from now on, or not any more. */
	void (*set_down)(void *arg, uint32_t live, bool is_down);
	void *arg;
};

int jn_prober_new(const struct jn_prober_options *options, struct jn_prober **out);
/* Nothing is probed any more; verdicts stay in the tables. NULL is fine. */
void jn_prober_close(struct jn_prober **prober);

/* The three of struct jn_probing; prober is a struct jn_prober. */
void jn_prober_change(void *prober, const struct jn_probed_port *port);
const char *jn_prober_reason(void *prober, uint32_t live);
void jn_prober_stats(void *prober, struct jn_probe_stats *out);

#endif
