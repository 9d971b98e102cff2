/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The share of an endpoint that has just begun to take connections. Pure, on plain values.
 *
 * It is drawn as its weight says and then kept with a probability that grows linearly from a tenth
 * to one; who is not kept is drawn again. Where all are equally young, nobody loses anything.
 */
#ifndef JUNCTOR_DECIDE_SLOW_START_H
#define JUNCTOR_DECIDE_SLOW_START_H

#include <junctor/abi.h>

#define JN_SLOW_START_FIRST 6554 /* of 65536 */

/* Is it kept? fraction: 0..65535, drawn evenly. Seconds of one clock. */
static inline int jn_slow_start_keeps(__u32 since_s, __u32 now_s, __u32 slow_start_s,
				      __u32 fraction)
{
	__u32 age = now_s - since_s;

	if (age >= slow_start_s) /* a clock that stands before since_s: old, not young */
		return 1;
	return fraction <
	       JN_SLOW_START_FIRST + (__u64)(65536 - JN_SLOW_START_FIRST) * age / slow_start_s;
}

#endif
