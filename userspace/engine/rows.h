/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of one commit and the text they point into. Does NOT know the store's order or format.
 */
#ifndef JUNCTOR_ENGINE_ROWS_H
#define JUNCTOR_ENGINE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "proto/object.h"
#include "store/store.h"

struct jn_rows {
	struct jn_row *items;
	size_t count, capacity;
	struct jn_buffer text;
};
void jn_rows_done(struct jn_rows *rows);
/* key stays valid as long as the rows. object NULL: delete. */
int jn_rows_add(struct jn_rows *rows, const struct jn_object_key *key,
		const struct jn_object *object, bool is_recovered);
/* After the last add: bodies point into the text. -ENOMEM when the text did not fit. */
int jn_rows_close(struct jn_rows *rows);

#endif
