/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules by which sockets of gone backends are ended.
 */
#include "model/ending.h"

#include <junctor/limits.h>

const char *jn_ending_name(enum jn_ending ending)
{
	static const char *const names[JN_ENDING_MAX] = {
#define ENDING_NAME(id, name) [JN_ENDING_##id] = (name),
		JN_ENDINGS(ENDING_NAME)
#undef ENDING_NAME
	};

	return names[ending];
}

/* The clock starts anew whenever another byte is the first one that waits. */
static void note_progress(struct jn_watch *watch, const struct jn_stale *socket, uint64_t now_ms)
{
	if (watch->is_waiting && socket->is_waiting && watch->unacked == socket->unacked)
		return;
	watch->is_waiting = socket->is_waiting;
	watch->unacked = socket->unacked;
	watch->unacked_ms = now_ms;
}

void jn_watch_begin(struct jn_watch *watch, const struct jn_stale *socket, int32_t drain_seconds,
		    uint64_t since_ms, uint64_t now_ms)
{
	*watch = (struct jn_watch){
		.cookie = socket->cookie,
		.since_ms = since_ms,
		.drain_seconds = drain_seconds,
	};
	note_progress(watch, socket, now_ms);
}

static uint64_t deadline_of(const struct jn_watch *watch)
{
	return watch->drain_seconds < 0 ? UINT64_MAX
					: watch->since_ms + (uint64_t)watch->drain_seconds * 1000;
}

enum jn_ending jn_watch_look(struct jn_watch *watch, const struct jn_stale *socket, uint64_t now_ms)
{
	note_progress(watch, socket, now_ms);
	if (now_ms >= deadline_of(watch))
		return JN_ENDING_DRAINED;
	if (socket->is_waiting && socket->retransmits && now_ms - watch->unacked_ms >= JN_STUCK_MS)
		return JN_ENDING_STUCK;
	return JN_ENDING_NONE;
}

uint64_t jn_watch_next_ms(const struct jn_watch *watch, uint64_t now_ms, uint64_t most_ms)
{
	uint64_t deadline = deadline_of(watch), stuck = watch->unacked_ms + JN_STUCK_MS;

	if (watch->is_waiting && stuck > now_ms && stuck < deadline)
		deadline = stuck;
	if (deadline <= now_ms)
		return 0;
	return deadline - now_ms < most_ms ? deadline - now_ms : most_ms;
}
