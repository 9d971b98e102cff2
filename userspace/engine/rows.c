/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects -> rows of one commit.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/vec.h"
#include "engine/internal.h"

void jn_rows_done(struct jn_rows *rows)
{
	free(rows->items);
	jn_buffer_done(&rows->text);
	*rows = (struct jn_rows){ 0 };
}

int jn_rows_add(struct jn_rows *rows, const struct jn_object_key *key,
		const struct jn_object *object, bool is_recovered)
{
	struct jn_row *row = jn_vec_add(rows);
	size_t start = rows->text.size;

	if (!row)
		return -ENOMEM;
	row->kind = jn_kind_names(key->kind)->kind;
	row->namespace_ = key->namespace_;
	row->name = key->name;
	row->is_recovered = is_recovered;
	if (!object)
		return 0;
	row->version = object->version;
	jn_object_encode_declared(object, &rows->text);
	row->body_size = rows->text.size - start;
	row->body = ""; /* where it stands is known when the text has stopped growing */
	return 0;
}

int jn_rows_close(struct jn_rows *rows)
{
	size_t at = 0;

	if (jn_buffer_failed(&rows->text))
		return -ENOMEM;
	for (size_t i = 0; i < rows->count; i++) {
		if (!rows->items[i].body)
			continue;
		rows->items[i].body = rows->text.data + at;
		at += rows->items[i].body_size;
	}
	return 0;
}
