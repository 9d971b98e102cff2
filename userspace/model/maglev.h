/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maglev's lookup table (D. Eisenbud et al., NSDI 2016, section 3.4), with weights: an endpoint of
 * half the heaviest weight takes its turn in every second round. Pure and deterministic.
 */
#ifndef JUNCTOR_MODEL_MAGLEV_H
#define JUNCTOR_MODEL_MAGLEV_H

#include "model/slots.h"

/*
 * How many slots: a prime of 1000 per endpoint out of three, so that few changes of the
 * count change the size, which moves every client; at most JN_MAX_MAGLEV. Where endpoints left, the
 * size stays: `least`, the size that the set has now (0: none), is not gone below. Nor is `most` gone
 * beyond, but for 8 slots per endpoint.
 */
size_t jn_maglev_size(size_t count, size_t least, size_t most);

/*
 * The `most` for each table of an object that has so many: as large as JN_MAX_OBJECT_SLOTS lets all
 * of them be, each with a list of its endpoints behind it. It does not depend on how many there are,
 * so that these come and go without a limit in sight.
 */
size_t jn_maglev_most(size_t tables);

/*
 * Fill `out`, whose memory is reused. size: of jn_maglev_size. The order of items does not matter,
 * their hashes do. count 0 gives no slots. 0 or -ENOMEM.
 */
int jn_maglev_build(const struct jn_weighted *items, size_t count, size_t size,
		    struct jn_slot_list *out);

#endif
