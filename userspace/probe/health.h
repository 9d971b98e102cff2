/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict on one backend, from one probe after the other. Pure.
 *
 *	up ──failureThreshold failures in a row──> down ──successThreshold successes in a row──> up
 */
#ifndef JUNCTOR_PROBE_HEALTH_H
#define JUNCTOR_PROBE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/object.h"

/* { 0 }: up. */
struct jn_health {
	bool is_down;
	uint8_t streak; /* of probes that say the opposite */
};

/* True: the verdict is another one now. */
static inline bool jn_health_note(struct jn_health *health, const struct jn_probe *probe,
				  bool has_succeeded)
{
	if (has_succeeded != health->is_down) {
		health->streak = 0;
		return false;
	}
	health->streak++;
	if (health->streak <
	    (health->is_down ? probe->success_threshold : probe->failure_threshold))
		return false;
	health->is_down = !health->is_down;
	health->streak = 0;
	return true;
}

#endif
