/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is installed of the services that sockets name, and of those that their addresses lead to
 * today. Kept from look to look: a service is read when a socket names it for the first time, and
 * again only after a change of the tables. So a look costs what there is to watch, and not what is
 * installed.
 */
#ifndef JUNCTOR_ENGINE_ENDINGS_INDEX_H
#define JUNCTOR_ENGINE_ENDINGS_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "datapath/sockets.h"
#include "engine/transaction.h"

struct jn_endings_index {
	uint64_t generation; /* of the tables, when it was read */
	struct jn_table services, places, vips;
};

void jn_endings_index_init(struct jn_endings_index *index);
void jn_endings_index_done(struct jn_endings_index *index); /* as after init */

/* The service address as the socket named it. */
struct jn_frontend_key jn_stale_vip(const struct jn_stale *socket);

/* Know all that these sockets name, as of this generation. A negative errno: nothing is known. */
int jn_endings_index_read(struct jn_endings_index *index, const struct jn_install *in,
			  uint64_t generation, const struct jn_stale_list *found);

/*
 * Neither the service that was asked for has this backend, nor the one that has its address today.
 * By address, not by id: what was removed and declared again has another id.
 */
bool jn_endings_index_is_gone(const struct jn_endings_index *index, const struct jn_stale *socket);

/* The drainSeconds of the service that was asked for, or else of the one that has its address. */
int32_t jn_endings_index_drain(const struct jn_endings_index *index, const struct jn_stale *socket);

#endif
