/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The entries of the tables by which canaries are led; see jn_engine_canary_on. For the engine only.
 */
#ifndef JUNCTOR_ENGINE_CANARY_H
#define JUNCTOR_ENGINE_CANARY_H

#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "model/resolve.h"

#define JN_CANARY_KEYS (2 * JN_FAMILY_MAX) /* TCP and UDP of each family */

/* One endpoint, alone in its set. */
struct jn_canary_entry {
	uint32_t set, revision, number, endpoint, slot;
};

/* { 0 }: there are none. Taken once, for good; frontends lead there only while a canary flies. */
struct jn_canary_entries {
	struct jn_canary_entry items[JN_FAMILY_MAX];
	unsigned taken;
	struct jn_frontend_key keys[JN_CANARY_KEYS];
	size_t key_count;
};

#endif
