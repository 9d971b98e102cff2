/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is due next: a binary heap. Times are milliseconds of CLOCK_MONOTONIC.
 */
#ifndef JUNCTOR_PROBE_SCHEDULE_H
#define JUNCTOR_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what is due; { 0 }: not in the schedule. */
struct jn_due {
	uint64_t at_ms;
	size_t place; /* in the heap, from 1 on; 0: not in it */
};

struct jn_schedule {
	struct jn_due **items;
	size_t count, capacity;
};

void jn_schedule_done(struct jn_schedule *s);
/* Make room for `count` in all, so that adding up to that many cannot fail. 0 or -ENOMEM. */
int jn_schedule_reserve(struct jn_schedule *s, size_t count);
/* due must not be in it, and there must be room. */
void jn_schedule_add(struct jn_schedule *s, struct jn_due *due);
/* One that is not in it is fine. */
void jn_schedule_remove(struct jn_schedule *s, struct jn_due *due);
/* The first one, or NULL. */
struct jn_due *jn_schedule_first(const struct jn_schedule *s);

/*
 * When the first probe comes: any time within the interval, so that those that begin together do not
 * stay together. And the one after a probe at `at_ms`: an interval later, give or take a twentieth.
 */
uint64_t jn_due_first(uint64_t now_ms, uint64_t interval_ms, uint64_t random);
uint64_t jn_due_next(uint64_t at_ms, uint64_t interval_ms, uint64_t random);

#endif
