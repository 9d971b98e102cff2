/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is a socket whose backend is gone to be ended, and why? Pure: what is seen of the socket, what was
 * seen of it before, and the time.
 *
 *	UDP	at once: nothing else would tell its application
 *	TCP	goes on until it ends by itself, but for two exceptions: the service's drainSeconds
 *		are over, or what it sent is not acknowledged for JN_STUCK_MS and time-outs bring
 *		it no further
 */
#ifndef JUNCTOR_MODEL_ENDING_H
#define JUNCTOR_MODEL_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "proto/object.h"

/* Start here to add a reason: one line, and its name follows in metrics and documents. */
/* clang-format off */
#define JN_ENDINGS(X) \
	X(GONE,    "BackendGone") \
	X(DRAINED, "DrainDeadline") \
	X(STUCK,   "NoProgress")
/* clang-format on */

enum jn_ending {
#define JN_ENDING_ENUM(id, name) JN_ENDING_##id,
	JN_ENDINGS(JN_ENDING_ENUM)
#undef JN_ENDING_ENUM
		JN_ENDING_MAX,
	JN_ENDING_NONE = JN_ENDING_MAX /* it lives on */
};
const char *jn_ending_name(enum jn_ending ending);

/* What is remembered of a TCP socket from look to look. */
struct jn_watch {
	uint64_t cookie;
	uint64_t since_ms;     /* when its backend was removed, or first seen to be gone */
	uint64_t unacked_ms;   /* since when the byte `unacked` waits */
	uint32_t unacked;      /* see struct jn_stale */
	int32_t drain_seconds; /* JN_NEVER_DRAINED, or 0 and above */
	bool is_waiting;
};

/* Begin to watch: the drain deadline counts from since_ms, when the backend was removed. */
void jn_watch_begin(struct jn_watch *watch, const struct jn_stale *socket, int32_t drain_seconds,
		    uint64_t since_ms, uint64_t now_ms);

/* One look at a TCP socket whose backend is gone; updates the watch. */
enum jn_ending jn_watch_look(struct jn_watch *watch, const struct jn_stale *socket,
			     uint64_t now_ms);

/* How many milliseconds after now_ms the next look must come, at most `most_ms`. 0: it was due. */
uint64_t jn_watch_next_ms(const struct jn_watch *watch, uint64_t now_ms, uint64_t most_ms);

#endif
