/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The prober's own parts: shared by prober.c (who is probed), asking.c (when) and judging.c (what
 * follows from it), by nobody else.
 */
#ifndef JUNCTOR_PROBE_INTERNAL_H
#define JUNCTOR_PROBE_INTERNAL_H

#include "base/log.h"
#include "base/table.h"
#include "probe/attempt.h"
#include "probe/health.h"
#include "probe/prober.h"
#include "probe/schedule.h"

struct jn_timer;

/* A list that runs through the members. */
struct jn_link {
	struct jn_link *next, **at; /* at: what points here */
};
void jn_link_in(struct jn_link **head, struct jn_link *link);
void jn_link_out(struct jn_link *link);

struct jn_target {
	struct jn_due due; /* first: the schedule knows nothing else */
	struct jn_prober *prober;
	struct jn_addr addr;
	uint16_t port; /* host order */
	struct jn_probe *probe;
	struct jn_health health;
	struct jn_attempt *attempt; /* NULL: none in flight */
	struct jn_link *members;
	char why[JN_PROBE_REASON_BYTES]; /* the last probe failed; "": it did not */
	struct jn_log_limit log;
};

struct jn_probed_backend {
	uint32_t live;
	bool is_down; /* as stored */
	struct jn_link *members;
};

struct jn_member {
	struct jn_link of_target; /* first */
	struct jn_link of_backend;
	struct jn_watched_port *port;
	struct jn_target *target;
	struct jn_probed_backend *backend;
	bool takes_new;
};

struct jn_watched_port {
	uint8_t max_percent;
	bool is_panic;
	size_t total, down; /* of the members that take new connections */
	struct jn_member *members;
	size_t count;
	char *name; /* "default/web", for people */
	struct jn_log_limit log;
};

struct jn_prober {
	struct jn_prober_options options;
	struct jn_table ports;	  /* by service */
	struct jn_table targets;  /* struct jn_target * */
	struct jn_table backends; /* struct jn_probed_backend *, by live */
	struct jn_schedule schedule;
	struct jn_timer *timer;
	unsigned in_flight;
	uint64_t random;  /* how often it was asked for */
	size_t down;	  /* backends */
	uint64_t told_ms; /* the log, about a shortage; 0: never */
	uint64_t succeeded, failed, panics;
};

static inline struct jn_member *jn_member_of_target(struct jn_link *link)
{
	return (struct jn_member *)((char *)link - offsetof(struct jn_member, of_target));
}

static inline struct jn_member *jn_member_of_backend(struct jn_link *link)
{
	return (struct jn_member *)((char *)link - offsetof(struct jn_member, of_backend));
}

/* asking.c: from now on, until forget. 0 or -ENOMEM. */
int jn_prober_ask(struct jn_prober *p, struct jn_target *target);
void jn_prober_forget(struct jn_prober *p, struct jn_target *target);

/* judging.c: the target's verdict is another one now. */
void jn_prober_turn(struct jn_prober *p, struct jn_target *target);
/* The log's last word on it, and on its ports, where they changed too often to be told. */
void jn_prober_catch_up(struct jn_target *target);
/* All of a port, whose members are new. */
void jn_prober_settle(struct jn_prober *p, struct jn_watched_port *port);
/* A member of it is gone. */
void jn_prober_judge(struct jn_prober *p, struct jn_probed_backend *backend);

#endif
