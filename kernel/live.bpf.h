/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is alive: open connections, limits, ejections. Every function takes what it judges as plain
 * values and pointers to entries of jn_live; none knows of hooks.
 */
#ifndef JUNCTOR_KERNEL_LIVE_H
#define JUNCTOR_KERNEL_LIVE_H

#include <junctor/decide/live.h>

#include <junctor/trace.h>

#include "decide.bpf.h"
#include "maps.bpf.h"

/* NULL: nobody asks about it. */
static inline struct jn_live *jn_live_at(__u32 id)
{
	return id ? bpf_map_lookup_elem(&jn_live, &id) : NULL;
}

/*
 * May a backend take one more connection? live may be NULL. Ejections, and the TRIAL that is said
 * once for each of them, concern those whose rules eject: others do not hear how a trial ends.
 */
enum jn_use jn_live_use(struct jn_live *live, const struct jn_rules *rules) __hidden;

/* One more connection. LIMIT_REACHED: nothing is counted. Not static: checked once. */
enum jn_reason jn_live_open(const struct jn_revision *revision, __u32 backend, bool is_counted,
			    struct jn_choice *choice);
/* It is over, or never began. */
void jn_live_close(const struct jn_count *count) __hidden;

enum jn_failure { JN_FAILURE_CONNECT, JN_FAILURE_RESET };

/* What became of the connection of this record. */
void jn_live_fail(struct jn_socket *record, enum jn_failure failure) __hidden;
/* It is established, which ends a row of failures to connect; or it has been answered. */
void jn_live_succeed(struct jn_socket *record, enum jn_failure failure) __hidden;
/* The time to an answer, of whatever kind. */
void jn_live_measure(const struct jn_socket *record, __u32 sample_us) __hidden;

#endif
