/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which slot of a revision one new connection takes. Pure, on plain values: the same text runs in
 * the kernel programs, in their tests and in the controller's own checks.
 *
 * Random: the alias method of A. J. Walker (1977) in M. Vose's form (1991); the table is built in
 * userspace/model/slots.c. One 32-bit draw serves both questions: its upper part, scaled to the
 * count, names the slot, and the 16 bits below decide between the slot and its alias.
 */
#ifndef JUNCTOR_DECIDE_PICK_H
#define JUNCTOR_DECIDE_PICK_H

#include <junctor/abi.h>

struct jn_draw {
	__u32 slot;	/* below count */
	__u32 fraction; /* 0..65535 */
};

/* count must not be 0. The bias of a slot is below count / 2^32. */
static inline struct jn_draw jn_draw_slot(__u32 random, __u32 count)
{
	__u64 scaled = (__u64)random * count;

	return (struct jn_draw){ .slot = scaled >> 32, .fraction = (__u32)scaled >> 16 };
}

/* Does the drawn slot keep the connection, or does it go to slot->alias? */
static inline int jn_draw_keeps(const struct jn_draw *draw, const struct jn_slot *slot)
{
	return slot->alias == draw->slot || draw->fraction < slot->probability;
}

/* RoundRobin: the slot whose turn it is. count must not be 0. */
static inline __u32 jn_turn_slot(__u64 turn, __u32 count)
{
	return turn % count;
}

#endif
