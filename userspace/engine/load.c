/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At start: what the store says, what the tables hold, and which of the two is right.
 *
 * A whole store is always right: the tables are brought in line with it, which also completes what
 * a crash interrupted between commit and publication. A store that is damaged, or older than the
 * tables, is doubted: what the tables hold goes on being served, and the objects that the store no
 * longer knows are declared anew from the tables, stored, and named in /v1/status (doubt.c).
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/align.h"
#include "engine/internal.h"
#include "engine/loading.h"
#include "engine/plan_lives.h"
#include "engine/probes.h"

static void loading_done(struct jn_loading *l)
{
	jn_changes_done(&l->objects);
	jn_notes_done(&l->bad);
}

/* --- reading the store --------------------------------------------------------------------------- */

static void read_bad_row(void *arg, const char *kind, const char *namespace_, const char *name)
{
	struct jn_loading *l = arg;
	struct jn_object_key key = { 0 };

	if (!jn_kind_by_name(kind, &key.kind)) {
		(void)snprintf(key.namespace_, sizeof(key.namespace_), "%s", namespace_);
		(void)snprintf(key.name, sizeof(key.name), "%s", name);
	}
	if (!key.name[0])
		l->is_damaged = true;
	else if (jn_notes_add(&l->bad, &key, false))
		l->is_damaged = true; /* no memory to name it: doubt everything */
}

static int read_row(void *arg, const struct jn_row *row)
{
	struct jn_loading *l = arg;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	struct jn_decode_options options = {
		.prefix = "",
		.namespace_ = row->namespace_,
		.namespace_is_fixed = true,
		.name = row->name,
		.is_stored = true,
	};
	enum jn_kind kind;
	struct jn_change *change;
	int rc;

	if (jn_kind_by_name(row->kind, &kind)) {
		read_bad_row(arg, row->kind, row->namespace_, row->name);
		return 0;
	}
	options.kind = kind;
	rc = jn_object_decode(row->body, row->body_size, &options, &list, &err);
	if (rc == -ENOMEM)
		return rc;
	if (rc || list.count != 1) {
		read_bad_row(arg, row->kind, row->namespace_, row->name);
		return 0;
	}
	change = jn_vec_add(&l->objects);
	if (!change)
		return -ENOMEM;
	change->after = jn_object_ref(list.items[0]);
	change->after->version = row->version;
	if (row->is_recovered)
		return jn_notes_add(&l->e->notes, &change->after->key, true);
	return 0;
}

static void read_damage(void *arg, const char *sentence)
{
	struct jn_loading *l = arg;

	l->is_damaged = true;
	(void)jn_notes_say(&l->e->notes, sentence); /* is_damaged alone is enough to be careful */
}

/* --- declaring ----------------------------------------------------------------------------------- */

int jn_loading_declare(struct jn_engine *e, const struct jn_changes *changes)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_model_stage(e->model, changes, &err);

	if (!rc)
		jn_model_settle(e->model, changes, true);
	return rc;
}

struct jn_changes jn_loading_change(const struct jn_model *m, struct jn_object *after,
				    struct jn_change *change)
{
	change->before = jn_model_find(m, &after->key);
	change->after = after;
	return (struct jn_changes){ .items = change, .count = 1 };
}

/* All at once; where they contradict each other (damage), one by one, and the rest is bad. */
static int declare_stored(struct jn_loading *l)
{
	int rc = jn_loading_declare(l->e, &l->objects);

	if (rc != -EINVAL)
		return rc;
	for (size_t i = 0; i < l->objects.count; i++) {
		struct jn_change change = { 0 };
		struct jn_changes one =
			jn_loading_change(l->e->model, l->objects.items[i].after, &change);
		const struct jn_object_key *key = &l->objects.items[i].after->key;

		rc = jn_loading_declare(l->e, &one);
		if (rc == -EINVAL)
			read_bad_row(l, jn_kind_names(key->kind)->kind, key->namespace_, key->name);
		else if (rc)
			return rc;
	}
	return 0;
}

/* --- bringing the tables in line ----------------------------------------------------------------- */

static int add_key(struct jn_key_list *keys, const struct jn_object_key *key)
{
	struct jn_object_key *item = jn_vec_add(keys);

	if (!item)
		return -ENOMEM;
	*item = *key;
	return 0;
}

int jn_loading_all_keys(struct jn_engine *e, struct jn_key_list *keys)
{
	struct jn_installed_service **service;
	struct jn_object *object;
	size_t at = 0;
	int rc = 0;

	while (!rc && (object = jn_model_next(e->model, &at))) {
		if (jn_kind_is_service(object->key.kind))
			rc = add_key(keys, &object->key);
	}
	at = 0;
	while (!rc && (service = jn_table_next(&e->install.installed, &at))) {
		struct jn_object_key key = jn_installed_key(*service);

		if (!jn_model_find(e->model, &key))
			rc = add_key(keys, &key);
	}
	return rc;
}

struct orphans {
	struct jn_engine *e;
	struct {
		struct jn_frontend_key *items;
		size_t count, capacity;
	} keys;
};

static int find_orphan(void *arg, const struct jn_frontend_key *key,
		       const struct jn_frontend *value)
{
	struct orphans *orphans = arg;
	struct jn_frontend_key *item;

	(void)value; /* whose it was does not matter: nobody declares it */
	if (jn_model_is_claimed(orphans->e->model, key))
		return 0;
	item = jn_vec_add(&orphans->keys);
	if (!item)
		return -ENOMEM;
	*item = *key;
	return 0;
}

int jn_loading_drop_orphans(struct jn_engine *e)
{
	struct orphans orphans = { .e = e };
	int rc = jn_datapath_each_frontend(e->install.datapath, find_orphan, &orphans);

	if (!rc && orphans.keys.count)
		rc = jn_datapath_del_frontends(e->install.datapath, orphans.keys.items,
					       orphans.keys.count);
	free(orphans.keys.items);
	return rc;
}

/* Nobody waits for the loop yet: all at once. */
static int grow_now(struct jn_engine *e, const struct jn_key_list *keys, struct jn_error *err)
{
	struct jn_datapath *datapath = e->install.datapath;
	struct jn_growth *growth = NULL;
	struct jn_sizes sizes;
	int rc = jn_install_fit(&e->install, keys, &sizes);

	if (!rc)
		rc = jn_datapath_grow_load(datapath, &sizes, &growth, err);
	if (!rc)
		rc = jn_datapath_grow_swap(datapath, growth, err);
	if (growth)
		jn_datapath_wait_grace();
	jn_datapath_grow_settle(datapath, &growth);
	return rc ? rc : jn_install_grow(&e->install);
}

static int collect_now(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err)
{
	if (jn_garbage_is_empty(garbage))
		return -EINVAL;
	jn_error_done(err);
	jn_datapath_wait_grace();
	jn_garbage_collect(&e->install, garbage);
	return 0;
}

/* Where something does not fit: room is made, and it begins anew. */
static int prepare(struct jn_transaction *t, struct jn_engine *e, struct jn_garbage *garbage,
		   struct jn_error *err)
{
	struct jn_key_list keys = { 0 };
	int rc = jn_loading_all_keys(e, &keys);

	while (!rc) {
		rc = jn_transaction_prepare(t, &keys, err);
		if (rc == -ENOSPC)
			rc = grow_now(e, &keys, err);
		else if (rc == -EDQUOT)
			rc = collect_now(e, garbage, err);
		else
			break;
	}
	free(keys.items);
	return rc;
}

static int bring_in_line(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err)
{
	struct jn_transaction t = { .in = &e->install };
	int rc = prepare(&t, e, garbage, err);

	if (rc)
		return rc;
	/* What the last process replaced just before it died may still be being read. */
	if (jn_datapath_is_adopted(e->install.datapath))
		jn_datapath_wait_grace();
	rc = jn_transaction_hide(&t, err);
	if (!rc)
		rc = jn_loading_drop_orphans(e); /* before new ones need their room */
	if (rc) {
		jn_transaction_take_back(&t);
		return rc;
	}
	rc = jn_transaction_publish(&t, e->generation, err);
	if (rc) { /* some frontends may lead to what is replaced: the next start goes on from here */
		jn_transaction_done(&t);
		return rc;
	}
	jn_endings_note(e, &t);
	jn_transaction_adopt(&t, garbage);
	jn_transaction_done(&t);
	return 0;
}

/* Files are read in a moment, and what they say is served: nothing of it is taken away before. */
static int settle_tables(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err)
{
	int rc = e->awaits_files ? 0 : bring_in_line(e, garbage, err);

	if (!rc && !e->awaits_files)
		rc = jn_probes_forget(&e->install);
	if (rc)
		return rc;
	jn_align_note(e);
	e->installed = e->generation;
	/* Or else what the last process replaced just before it died, as above. */
	if (e->awaits_files || !jn_garbage_is_empty(garbage)) {
		jn_datapath_wait_grace();
		jn_garbage_collect(&e->install, garbage);
	}
	return 0;
}

int jn_engine_load(struct jn_engine *e, const char *state_dir, struct jn_error *err)
{
	JN_AUTO(loading_done) struct jn_loading l = { .e = e };
	JN_AUTO(jn_garbage_done) struct jn_garbage garbage = { 0 };
	struct jn_store_reader reader = { &l, read_row, read_bad_row, read_damage };
	int rc;

	jn_notes_init(&l.bad);
	rc = jn_store_open(state_dir, &reader, &e->store, &l.store_generation, err);
	if (!rc)
		rc = jn_engine_adopt(e, &garbage, err);
	if (rc)
		return rc;
	l.tables_generation = jn_datapath_generation(e->install.datapath);
	e->generation = l.store_generation > l.tables_generation ? l.store_generation
								 : l.tables_generation;
	rc = declare_stored(&l);
	if (!rc && (l.is_damaged || l.bad.items.count || l.store_generation < l.tables_generation))
		rc = jn_loading_settle_doubt(&l, err);
	else
		e->awaits_files = jn_datapath_is_owed(e->install.datapath);
	if (!rc)
		rc = settle_tables(e, &garbage, err);
	if (!rc)
		rc = jn_plan_hooks(&e->install, NULL, err);
	e->stored = e->generation;
	(void)malloc_trim(0);
	return rc;
}
