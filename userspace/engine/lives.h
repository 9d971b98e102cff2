/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entries of jn_live: one for each backend that somebody asks about, shared by all services that
 * lead to it, and one for each service with limits.
 */
#ifndef JUNCTOR_ENGINE_LIVES_H
#define JUNCTOR_ENGINE_LIVES_H

#include <stdbool.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "base/table.h"
#include "engine/ids.h"

struct jn_lives {
	struct jn_ids ids;
	struct jn_table backends; /* address, port, protocol -> id */
	uint32_t *references; /* ids.capacity of them: endpoints that name it, and plans that will */
};

/* For `capacity` ids; they may become more. -ENOMEM. */
int jn_lives_init(struct jn_lives *lives, uint32_t capacity);
int jn_lives_grow(struct jn_lives *lives, uint32_t capacity);
void jn_lives_done(struct jn_lives *lives);

/*
 * One more reference to a backend's entry, or a new entry for a service (backend NULL). 0: the limit
 * is reached, or memory is out. is_new: it was nobody's.
 */
uint32_t jn_lives_take(struct jn_lives *lives, const struct jn_frontend_key *backend, bool *is_new);

/*
 * One reference less; the last one frees the id, which rests. backend: NULL for a service's.
 * was_seen: some program may have used it.
 */
void jn_lives_drop(struct jn_lives *lives, uint32_t id, const struct jn_frontend_key *backend,
		   bool was_seen);

/* The entry of a backend; 0: it has none. */
uint32_t jn_lives_find(const struct jn_lives *lives, const struct jn_frontend_key *backend);

/* At start: what the tables name; then jn_lives_adopt. -ENOMEM. */
int jn_lives_note(struct jn_lives *lives, uint32_t id, const struct jn_frontend_key *backend);
int jn_lives_adopt(struct jn_lives *lives);

#endif
