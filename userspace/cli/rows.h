/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as rows of tables, as names and (backends, which are no objects) as JSON: what `get` shows
 * of each noun.
 */
#ifndef JUNCTOR_CLI_ROWS_H
#define JUNCTOR_CLI_ROWS_H

#include "cli/columns.h"
#include "cli/command.h"
#include "cli/items.h"
#include "cli/states.h"
#include "proto/write.h"

/* What is shown, and where it goes: one of the last three. */
struct jn_rows {
	const char *service;		/* backends: those of this service only; NULL: all */
	bool is_short;			/* backends: without namespace and service; heads + 2 */
	const struct jn_states *states; /* backends: of those in slices; NULL: not known */
	struct jn_columns *columns;
	struct jn_buffer *names;
	struct jn_writer *json;
};

/* Heads, up to a NULL. */
const char *const *jn_rows_heads(enum jn_noun noun);
/* Each is called with a struct jn_rows and an object of the noun; for backends: what holds them. */
jn_item_fn jn_rows_table(enum jn_noun noun);
jn_item_fn jn_rows_names(enum jn_noun noun);
void jn_rows_backends_json(void *rows, const struct jn_json *object);

#endif
