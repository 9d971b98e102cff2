/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is served and not stored yet, and its way into the store.
 */
#include "engine/owed.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "datapath/datapath.h"
#include "engine/align.h"
#include "engine/internal.h"

#define AREA "state"

struct jn_owed_item {
	struct jn_object *object; /* a reference; its key is the item's */
	bool is_deleted;
};

static bool has_key(const void *entry, const void *key)
{
	const struct jn_owed_item *item = entry;

	return !memcmp(&item->object->key, key, sizeof(struct jn_object_key));
}

static const struct jn_table_ops items_ops = { .entry_size = sizeof(struct jn_owed_item),
					       .key_size = sizeof(struct jn_object_key),
					       .equal = has_key };

static void drop_items(struct jn_table *items)
{
	struct jn_owed_item *item;
	size_t at = 0;

	while ((item = jn_table_next(items, &at)))
		jn_object_unref(&item->object);
	jn_table_done(items);
}

void jn_owed_init(struct jn_owed *owed)
{
	*owed = (struct jn_owed){ 0 };
	jn_table_init(&owed->items, &items_ops);
	jn_table_init(&owed->storing, &items_ops);
}

void jn_owed_done(struct jn_owed *owed)
{
	drop_items(&owed->items);
	drop_items(&owed->storing);
	jn_rows_done(&owed->rows);
	free(JN_MOVE(owed->sentence));
}

/* --- what is owed ------------------------------------------------------------------------------ */

/* What is being stored may come back. */
int jn_owed_reserve(struct jn_owed *owed, const struct jn_changes *changes)
{
	return jn_table_reserve(&owed->items,
				owed->items.count + owed->storing.count + changes->count);
}

/* There is room. Takes the reference. */
static void put(struct jn_owed *owed, struct jn_object *object, bool is_deleted)
{
	struct jn_owed_item *item;
	bool is_new;

	item = jn_table_put(&owed->items, &object->key, &is_new);
	if (!is_new)
		jn_object_unref(&item->object);
	*item = (struct jn_owed_item){ object, is_deleted };
}

void jn_owed_note(struct jn_owed *owed, const struct jn_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct jn_change *change = &changes->items[i];
		struct jn_object *object = change->after ? change->after : change->before;

		put(owed, jn_object_ref(object), !change->after);
	}
	owed->is_waiting = false;
}

static int add_rows(const struct jn_table *items, struct jn_rows *rows)
{
	const struct jn_owed_item *item;
	size_t at = 0;
	int rc = 0;

	while (!rc && (item = jn_table_next(items, &at)))
		rc = jn_rows_add(rows, &item->object->key, item->is_deleted ? NULL : item->object,
				 false);
	return rc;
}

int jn_owed_add_rows(const struct jn_owed *owed, struct jn_rows *rows)
{
	return add_rows(&owed->items, rows);
}

void jn_owed_settle(struct jn_owed *owed)
{
	drop_items(&owed->items);
	owed->is_waiting = false;
	free(JN_MOVE(owed->sentence));
}

/* --- storing it -------------------------------------------------------------------------------- */

bool jn_owed_is_due(const struct jn_owed *owed)
{
	return owed->items.count && !owed->is_waiting;
}

/* What came since is newer, and has made room. */
static void come_back(struct jn_owed *owed)
{
	struct jn_table none = owed->items;
	struct jn_owed_item *item;
	size_t at = 0;

	owed->is_waiting = true;
	if (!none.count) {
		owed->items = owed->storing;
		owed->storing = none;
		return;
	}
	while ((item = jn_table_next(&owed->storing, &at))) {
		if (!jn_table_find(&owed->items, &item->object->key))
			put(owed, jn_object_ref(item->object), item->is_deleted);
	}
}

static void say(struct jn_owed *owed)
{
	JN_AUTO(jn_free_mem) char *sentence = NULL;

	if (asprintf(&sentence,
		     "what files declare is served, but cannot be stored (%s): a file that is bad "
		     "at the next start of junctord may lose it; %s",
		     strerror(-owed->rc),
		     owed->rc == -ENOSPC ? "free some of the disk of the state folder"
					 : "check the disk of the state folder") < 0)
		sentence = NULL;
	if (!sentence || (owed->sentence && !strcmp(sentence, owed->sentence)))
		return;
	jn_warn(AREA, "%s", sentence);
	free(owed->sentence);
	owed->sentence = JN_MOVE(sentence);
}

static void end_storing(struct jn_engine *e)
{
	struct jn_owed *owed = &e->owed;
	bool is_big = owed->storing.count >= JN_BIG_WRITE;

	if (owed->rc) {
		come_back(owed);
		say(owed);
	} else {
		jn_engine_note_stored(e, owed->generation);
		free(JN_MOVE(owed->sentence));
	}
	drop_items(&owed->storing);
	jn_align_note(e);
	jn_rows_done(&owed->rows);
	if (is_big)
		(void)malloc_trim(0);
}

static void store_work(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_owed *owed = &e->owed;

	owed->rc = jn_store_commit_soon(e->store, owed->generation, owed->rows.items,
					owed->rows.count, NULL);
	jn_store_tidy(e->store);
}

static void store_done(void *arg)
{
	struct jn_engine *e = arg;

	e->is_store_busy = false;
	e->store_ns = 0;
	end_storing(e);
	jn_engine_pump(e);
}

void jn_owed_store(struct jn_engine *e)
{
	struct jn_owed *owed = &e->owed;
	struct jn_table none = owed->storing;
	int rc;

	if (!jn_owed_is_due(owed) || e->current || e->is_store_busy)
		return;
	owed->storing = owed->items;
	owed->items = none;
	owed->generation = e->generation;
	rc = add_rows(&owed->storing, &owed->rows);
	if (!rc)
		rc = jn_rows_close(&owed->rows);
	if (!rc)
		rc = e->executor.submit(e->executor.context, store_work, store_done, e);
	e->is_store_busy = !rc;
	e->store_ns = rc ? 0 : jn_clock_ns();
	if (!rc)
		return; /* owed->rc is the worker's now, which may have written it already */
	owed->rc = rc;
	end_storing(e);
}
