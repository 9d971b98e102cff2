/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which revision a set publishes: by what the tables say, and by what we know. Somebody else may write
 * into the tables, so that a set leads to a revision of another's, or its own is not what it was: what
 * is freed and what is compared with is what we know to be its own. Writes nothing.
 */
#include "base/table.h"
#include "datapath/datapath.h"
#include "engine/transaction.h"

const struct jn_revision *jn_published(const struct jn_datapath *datapath, uint32_t set,
				       uint32_t *index)
{
	uint64_t word = set ? jn_datapath_sets(datapath)[set].word : 0;
	const struct jn_sizes *sizes = jn_datapath_sizes(datapath);
	const struct jn_revision *revision;

	*index = (uint32_t)word;
	if (!*index || *index >= sizes->revisions)
		return NULL;
	revision = &jn_datapath_revisions(datapath)[*index];
	if (revision->number != word >> 32 || revision->slot_base > sizes->slots ||
	    jn_revision_slots(revision) > sizes->slots - revision->slot_base)
		return NULL;
	return revision;
}

uint64_t jn_slots_sum(const struct jn_slot *slots, uint32_t count)
{
	return count ? jn_hash_bytes(slots, count * sizeof(*slots)) : 0;
}

struct jn_publication jn_publication_of(const struct jn_datapath *datapath, uint32_t index)
{
	const struct jn_revision *revision = &jn_datapath_revisions(datapath)[index];
	uint32_t base = revision->slot_base, count = jn_revision_slots(revision);

	return (struct jn_publication){
		.revision = index,
		.number = revision->number,
		.slots = { base, count },
		.sum = jn_slots_sum(jn_datapath_slots(datapath) + base, count),
	};
}

const struct jn_revision *jn_published_own(const struct jn_datapath *datapath,
					   const struct jn_installed_port *port,
					   enum jn_family family)
{
	const struct jn_publication *own = &port->published[family];
	uint32_t index;
	const struct jn_revision *revision = jn_published(datapath, port->sets[family], &index);

	if (!revision || index != own->revision || revision->number != own->number ||
	    revision->slot_base != own->slots.base ||
	    jn_revision_slots(revision) != own->slots.count)
		return NULL;
	return revision;
}
