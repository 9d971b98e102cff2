/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The difference between what one service port shall be and what the tables hold of it. Pure: the
 * tables are given as plain values, ids that are missing are the engine's to fill in.
 */
#ifndef JUNCTOR_MODEL_PLAN_H
#define JUNCTOR_MODEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "model/resolve.h"
#include "model/slots.h"

/* Which table entry serves which desired endpoint. */
struct jn_endpoint_match {
	uint32_t *ids; /* one for each desired endpoint; 0: not in the table yet */
	size_t new_count;
	uint32_t *gone; /* installed ones that nobody desires any more */
	size_t gone_count;
};
void jn_endpoint_match_done(struct jn_endpoint_match *match);

/* installed: ids into `table`, count of them. desired may be NULL: all are gone. 0 or -ENOMEM. */
int jn_plan_endpoints(const struct jn_desired_port *desired, const uint32_t *installed,
		      size_t count, const struct jn_endpoint *table, struct jn_endpoint_match *out);

/* What the kernel has to look at beyond slots: JN_REVISION_…. */
uint8_t jn_plan_flags(const struct jn_desired_port *desired);
/* The same and what is of the set of one VIP family alone: ELSEWHERE. */
uint8_t jn_plan_set_flags(const struct jn_desired_port *desired, enum jn_family vip_family);

/* What jn_plan_slots will make, without making it. */
struct jn_plan_size {
	uint32_t slots; /* members, too */
	uint64_t steps; /* that it takes to build them */
};
int jn_plan_measure(const struct jn_desired_port *desired, enum jn_family vip_family,
		    const struct jn_revision *published, struct jn_plan_size *out);

/*
 * The slots of the set of one VIP family; ids as matched and filled in. published: what the set has
 * now, or NULL. 0 or -ENOMEM.
 */
int jn_plan_slots(const struct jn_desired_port *desired, const uint32_t *ids,
		  enum jn_family vip_family, const struct jn_revision *published,
		  struct jn_slot_list *out);

/* The record of a revision with these slots; its `live` is the engine's. */
struct jn_revision jn_plan_revision(const struct jn_desired_port *desired,
				    enum jn_family vip_family, const struct jn_slot_list *slots,
				    uint32_t number, uint32_t slot_base);

/* Does the published revision hold exactly this? */
bool jn_plan_is_published(const struct jn_desired_port *desired, enum jn_family vip_family,
			  const struct jn_slot_list *slots, const struct jn_revision *revision,
			  const struct jn_slot *table);

#endif
