/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The start while it lasts: shared by load.c and doubt.c.
 */
#ifndef JUNCTOR_ENGINE_LOADING_H
#define JUNCTOR_ENGINE_LOADING_H

#include "engine/internal.h"

struct jn_loading {
	struct jn_engine *e;
	struct jn_changes objects; /* what the store knows; each is an `after` */
	struct jn_notes bad;	   /* rows that are not what was written */
	bool is_damaged;	   /* more than single rows */
	uint64_t store_generation, tables_generation;
};

/* Stage and keep these changes. -EINVAL: they do not fit together with the rest; -ENOMEM. */
int jn_loading_declare(struct jn_engine *e, const struct jn_changes *changes);
/* Whatever is declared under its key becomes `after`; *change is the memory for it. */
struct jn_changes jn_loading_change(const struct jn_model *m, struct jn_object *after,
				    struct jn_change *change);

/* Everything declared, and everything installed that is not declared any more. 0 or -ENOMEM. */
int jn_loading_all_keys(struct jn_engine *e, struct jn_key_list *keys);
/* Frontends that nobody declares, most of all those whose service lost its name in a crash. */
int jn_loading_drop_orphans(struct jn_engine *e);

/*
 * Declare what the tables know better, store it, and name it and what is lost. 0 or a negative
 * errno with err.
 */
int jn_loading_settle_doubt(struct jn_loading *l, struct jn_error *err);

#endif
