/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is served and not stored yet. A file is the copy on disk of what it declares, so its writes
 * are published at once, and the store follows: in one commit that does not wait for the disk, when
 * nobody else uses it. What stands here is the newest state of each object, so it has a limit: the
 * objects that there are.
 *
 *	nothing <-> owed -> storing (worker) -> nothing, or owed again: what failed, and what came since
 *
 * Until then the tables keep the generation of the store, so that a start does not doubt either. A mark
 * in them makes it wait for the files before it takes anything away: align.h.
 */
#ifndef JUNCTOR_ENGINE_OWED_H
#define JUNCTOR_ENGINE_OWED_H

#include <stdbool.h>

#include "base/table.h"
#include "engine/rows.h"
#include "model/model.h"

struct jn_engine;

struct jn_owed {
	struct jn_table items, storing; /* of struct jn_owed_item, by object */
	struct jn_rows rows;		/* of what is being stored */
	uint64_t generation;		/* with it */
	int rc;
	char *sentence;	 /* why it failed last; NULL: it did not */
	bool is_waiting; /* it failed: for the next write, or jn_engine_keep */
};

void jn_owed_init(struct jn_owed *owed);
void jn_owed_done(struct jn_owed *owed);

/* Room for these changes, so that jn_owed_note cannot fail. 0 or -ENOMEM. */
int jn_owed_reserve(struct jn_owed *owed, const struct jn_changes *changes);
/* They are served. */
void jn_owed_note(struct jn_owed *owed, const struct jn_changes *changes);

/* Another commit takes along what is owed: before its own rows. 0 or -ENOMEM. */
int jn_owed_add_rows(const struct jn_owed *owed, struct jn_rows *rows);
/* That commit succeeded. */
void jn_owed_settle(struct jn_owed *owed);

/* Is there something to store that was not tried in vain? */
bool jn_owed_is_due(const struct jn_owed *owed);
/* Hand what is owed to the store, where that is free. */
void jn_owed_store(struct jn_engine *e);

#endif
