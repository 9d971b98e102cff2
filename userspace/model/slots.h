/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slots of a revision, from endpoints and weights. Pure and deterministic: equal input gives
 * equal slots, which is how a restart sees that a table is already right.
 */
#ifndef JUNCTOR_MODEL_SLOTS_H
#define JUNCTOR_MODEL_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

struct jn_weighted {
	uint32_t endpoint;
	uint16_t weight; /* 1..JN_MAX_WEIGHT */
	uint64_t hash;	 /* of address and port, equal on every node; Maglev only */
};

struct jn_slot_list {
	struct jn_slot *items;
	size_t count, capacity;
	size_t picked; /* how many of them the algorithm picks from; the rest are members */
};

/* Room for, and a count of, this many, all picked from; new ones hold anything. 0 or -ENOMEM. */
int jn_slot_list_fit(struct jn_slot_list *list, size_t count);

/*
 * Fill `out` (whose memory is reused) for this algorithm:
 * Random: an alias table of `count` slots (Walker 1977; built in the order of Vose 1991).
 * RoundRobin: one cycle in which every endpoint has its share, spread evenly: the smooth weighted
 * round robin that nginx made known. Weights are divided by their greatest common divisor; where
 * the cycle would still be longer than JN_MAX_SEQUENCE they are scaled down to fit, never below 1.
 * SourceHash: as Random. Maglev: see maglev.h.
 * count 0 gives no slots. At most JN_MAX_BACKENDS items. 0 or -ENOMEM.
 */
int jn_slots_build(enum jn_algorithm algorithm, const struct jn_weighted *items, size_t count,
		   struct jn_slot_list *out);

/* How many slots that takes. */
size_t jn_slots_count(enum jn_algorithm algorithm, const struct jn_weighted *items, size_t count);

#endif
