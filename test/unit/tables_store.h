/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The store's half of tables.h, which includes it.
 */
#ifndef JUNCTOR_TEST_TABLES_STORE_H
#define JUNCTOR_TEST_TABLES_STORE_H

#include "tables.h"

int jn_store_open(const char *dir, const struct jn_store_reader *reader, struct jn_store **out,
		  uint64_t *generation, struct jn_error *err)
{
	int rc = 0;

	(void)dir;
	(void)err;
	if (rows->is_damaged)
		reader->damaged(reader->arg, "StateDamaged: the file was damaged");
	for (size_t i = 0; i < rows->count && !rc; i++) {
		const struct tables_row *row = &rows->rows[i];
		struct jn_row given = { row->kind, row->namespace_, row->name,	      row->version,
					row->body, row->size,	    row->is_recovered };

		if (row->is_bad)
			reader->bad_row(reader->arg, row->kind, row->namespace_, row->name);
		else
			rc = reader->row(reader->arg, &given);
	}
	*generation = rows->generation;
	*out = rows;
	return rc;
}

void jn_store_close(struct jn_store **store)
{
	*store = NULL;
}

static inline struct tables_row *tables_row(struct jn_store *store, const struct jn_row *key)
{
	for (size_t i = 0; i < store->count; i++) {
		struct tables_row *row = &store->rows[i];

		if (!strcmp(row->kind, key->kind) && !strcmp(row->name, key->name) &&
		    !strcmp(row->namespace_, key->namespace_))
			return row;
	}
	return NULL;
}

static inline void tables_write_row(struct jn_store *store, const struct jn_row *from)
{
	/* Many rows at once are new ones: tests load them into an empty store. */
	struct tables_row *row = store->count < 1000 ? tables_row(store, from) : NULL;

	if (!from->body) {
		if (row)
			*row = store->rows[--store->count];
		return;
	}
	if (!row)
		row = &store->rows[store->count++];
	assert(store->count <= TABLES_ROWS && from->body_size < TABLES_BODY);
	memset(row, 0, sizeof(*row));
	(void)snprintf(row->kind, sizeof(row->kind), "%s", from->kind);
	(void)snprintf(row->namespace_, sizeof(row->namespace_), "%s", from->namespace_);
	(void)snprintf(row->name, sizeof(row->name), "%s", from->name);
	row->version = from->version;
	row->is_recovered = from->is_recovered;
	row->size = (uint32_t)from->body_size;
	memcpy(row->body, from->body, from->body_size);
}

int jn_store_commit(struct jn_store *store, uint64_t generation, const struct jn_row *from,
		    size_t count, struct jn_error *err)
{
	if (tables_on_store)
		tables_on_store();
	tables_step();
	if (tables_commit_rc)
		return jn_error_set(err, tables_commit_rc, JN_ERROR_DISK_FULL, "the disk is full");
	assert(generation > store->generation || from[0].is_recovered);
	for (size_t i = 0; i < count; i++)
		tables_write_row(store, &from[i]);
	store->generation = generation;
	tables_step();
	return 0;
}

int jn_store_commit_soon(struct jn_store *store, uint64_t generation, const struct jn_row *from,
			 size_t count, struct jn_error *err)
{
	return jn_store_commit(store, generation, from, count, err);
}

int jn_store_set_damaged(struct jn_store *store, const struct jn_row *key, bool is_damaged)
{
	(void)store;
	(void)key;
	(void)is_damaged; /* the test's bad row stays bad until it is written again */
	return 0;
}

void jn_store_tidy(struct jn_store *store)
{
	(void)store;
	if (tables_on_store)
		tables_on_store();
}

#endif
