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
 * size stays: `least`, the size that the set has now (0: none), is not gone below.
 */
size_t jn_maglev_size(size_t count, size_t least);

/*
 * Fill `out`, whose memory is reused. The order of items does not matter, their hashes do. count 0
 * gives no slots. 0 or -ENOMEM.
 */
int jn_maglev_build(const struct jn_weighted *items, size_t count, size_t least,
		    struct jn_slot_list *out);

#endif
